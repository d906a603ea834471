"""A file of ``record prove``, verified offline for the command ``verify``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fivefold.cli._text import say

if TYPE_CHECKING:
    from pathlib import Path


def verify(file: Path, trust: Path | None, *, json: bool) -> int:
    """Verify a proof, say what it proves, and return the exit code.

    Raises:
        TrustError: The file is no proof, or does not hold.
        UnknownSignerError: ``log.unknown-key``: it may hold, but its signer is not trusted as a log.
    """
    import time

    from fivefold.cli._witnessed import told
    from fivefold.contract.registry import provided
    from fivefold.errors import InputError, TrustError, UnknownSignerError
    from fivefold.keys import store
    from fivefold.keys import trust as trust_file
    from fivefold.log import cosignature, tlog_proof

    try:
        with file.open("rb") as stream:
            data = stream.read(tlog_proof.MAX_BYTES + 1)
    except OSError as error:
        raise InputError("proof.unreadable", f"it cannot be read ({error.strerror}).", where=str(file)) from None
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
