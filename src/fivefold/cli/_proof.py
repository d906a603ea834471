"""A file of ``record prove``, or a receipt with that file beside it, verified offline for the command ``verify``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fivefold.cli._text import say

if TYPE_CHECKING:
    from pathlib import Path


def verify(file: Path, trust: Path | None, *, json: bool) -> int:
    """Verify a proof, say what it proves, and return the exit code.

    Raises:
        InputError: ``proof.unreadable``, also where a receipt's proof is not beside it.
        TrustError: The file is no proof, or does not hold; ``receipt.other`` if it is not the receipt's.
        UnknownSignerError: ``log.unknown-key``: it may hold, but its signer is not trusted as a log.
    """
    import time

    from fivefold.cli._witnessed import told
    from fivefold.contract.registry import provided
    from fivefold.errors import TrustError, UnknownSignerError
    from fivefold.keys import store
    from fivefold.keys import trust as trust_file
    from fivefold.log import cosignature, tlog_proof

    data = _read(file)
    receipt = _receipt(data)
    if receipt is not None:
        data = _read(file.with_name(f"{receipt['record']}.tlog-proof"))
    proof = tlog_proof.read(data)
    known = trust_file.read(store.read_trust(trust))
    keys = trust_file.holders(known, "log", store.utc_now())
    witnesses = trust_file.holders(known, "witness", store.utc_now())
    try:
        point, key = tlog_proof.verify(proof, proof.extra, keys)
    except TrustError as error:
        if error.code == "log.unknown-key":
            remedy = "If you know whose it is: fivefold trust add KEY.pub --role log."
            raise UnknownSignerError(error.code, "no log that you trust signed it.", remedy=remedy) from None
        raise
    vouching = [told(found, known) for found in cosignature.verify(proof.checkpoint, witnesses, int(time.time()))]
    shown = provided("record.disclosed")(proof.extra)
    if receipt is not None:
        _require_same(
            receipt, provided("record.origin")(receipt["application"]), point.origin, shown["id"], proof.extra
        )
    value = {"origin": point.origin, "index": proof.index, "size": point.size, "key": key.id, "record": shown}
    value["witnessed"] = vouching
    say(
        json=json,
        value=value,
        lines=[
            f"Record {shown['id']} ({shown['kind']}) stands at {proof.index} in the log {point.origin},",
            f"under its checkpoint of {point.size:,} entries, signed by key {key.short}.",
            *(f"Witnessed by {one['name']} at {one['at']}." for one in vouching),
        ],
    )
    return 0


def _read(file: Path) -> bytes:
    from fivefold.errors import InputError
    from fivefold.log import tlog_proof

    try:
        with file.open("rb") as stream:
            return stream.read(tlog_proof.MAX_BYTES + 1)
    except OSError as error:
        remedy = "A receipt needs its proof beside it; the owner makes it: fivefold record prove."
        raise InputError(
            "proof.unreadable", f"it cannot be read ({error.strerror}).", where=str(file), remedy=remedy
        ) from None


def _receipt(data: bytes) -> dict[str, str] | None:
    """Return the receipt that a file holds; None: it holds none."""
    import re

    import msgspec

    try:
        found = msgspec.json.decode(data, type=dict[str, str])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    well = {"application", "record", "leaf", "kind"} <= found.keys() and found["kind"] == "receipt, version 1"
    return found if well and re.fullmatch("[0-9a-f]{32}", found["record"]) else None


def _require_same(receipt: dict[str, str], origin: str, log: str, record: str, entry: bytes) -> None:
    """Hold a proof against the receipt that it is for.

    Raises:
        TrustError: ``receipt.other``.
    """
    from fivefold.errors import TrustError
    from fivefold.log import tree

    leaf = receipt["leaf"]
    if origin != log or receipt["record"] != record or (leaf and leaf != tree.leaf_hash(entry).hex()):
        raise TrustError(
            "receipt.other",
            "the proof beside the receipt is of another record than the one that the receipt was given for.",
            remedy="Ask the owner for the proof again; keep both as evidence.",
        )
