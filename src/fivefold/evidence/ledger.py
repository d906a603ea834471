"""Ledger: the log of an evidence folder against its files, as a pure function of their bytes.

Names each file that was changed, swapped, removed or added, and says where the log itself was cut, torn, reordered or
is not the one that was signed.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fivefold.contract.codec import digest
from fivefold.errors import FivefoldError, InputError, TrustError
from fivefold.evidence import layout
from fivefold.evidence.flaws import Flaw, flaw
from fivefold.evidence.layout import CHECKPOINT, ENTRIES, Entry
from fivefold.keys.signing import PublicKey, load_public
from fivefold.log import checkpoint, tree

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Ledger:
    """What the log says, as far as it holds.

    Attributes:
        entries: The well-formed lines in order.
        sound: Path to bytes of those files that are exactly the ones in the log.
        checkpoint: None if it cannot be read or nobody known signed it.
        signer: Who signed the checkpoint.
        lines: The raw lines, for proofs.
        flaws: Everything wrong.
    """

    entries: tuple[Entry, ...]
    sound: dict[str, bytes]
    checkpoint: checkpoint.Checkpoint | None
    signer: PublicKey | None
    lines: tuple[bytes, ...]
    flaws: tuple[Flaw, ...]


def folder_keys(folder: Mapping[str, bytes | None]) -> dict[str, PublicKey]:
    """Return the public keys that the folder carries, by id; wrongly named ones are left out."""
    found = {}
    for path, data in folder.items():
        place = layout.place(path)
        if place is None or place.kind != "key" or data is None:
            continue
        try:
            key = load_public(data)
        except InputError:
            continue
        if key.id == place.id and key.pem == data:
            found[key.id] = key
    return found


def read(folder: Mapping[str, bytes | None], keys: Mapping[str, PublicKey]) -> Ledger:
    """Compare the log with the files of a folder.

    Args:
        folder: POSIX path to bytes; None for anything that is not a plain file of acceptable size.
        keys: Keys that may have signed the checkpoint, by id.
    """
    flaws: list[Flaw] = []
    lines, entries = _lines(folder.get(ENTRIES), flaws)
    said, signer = _checkpoint(folder.get(CHECKPOINT), keys, flaws)
    sound = _files(folder, entries, flaws)
    if said is not None:
        _compare(said, lines, entries, sound, flaws)
    return Ledger(tuple(entries), sound, said, signer, tuple(lines), tuple(flaws))


def check_since(ledger: Ledger, since: bytes) -> list[Flaw]:
    """Check that the log still holds everything that it held at a root kept elsewhere.

    Args:
        ledger: As read.
        since: A checkpoint (as in ``log/checkpoint``), or the text ``SIZE ROOT`` with the root in hexadecimal.

    Raises:
        InputError: ``evidence.since`` if it is neither.
    """
    name, size, root = _kept_root(since)
    if name and ledger.checkpoint and name != ledger.checkpoint.origin:
        return [Flaw(code="evidence.since", path=ENTRIES, text="the root kept elsewhere is of another application.")]
    if size > len(ledger.lines):
        text = f"{size - len(ledger.lines)} leaves were dropped since the root that was kept elsewhere."
        return [Flaw(code="evidence.since", path=ENTRIES, text=text)]
    if tree.root([tree.leaf_hash(line) for line in ledger.lines[:size]]) != root:
        text = "leaves were dropped or changed since the root that was kept elsewhere."
        return [Flaw(code="evidence.since", path=ENTRIES, text=text)]
    return []


def _kept_root(since: bytes) -> tuple[str, int, bytes]:
    remedy = "Give a copy of log/checkpoint, or its size and root: --since '13 3e2f...'."
    try:
        if b"\n\n" in since:
            kept = checkpoint.parse(since)
            return kept.origin, kept.size, kept.root
        size, root = since.decode("ascii").split()
        if len(root) == 2 * tree.HASH_BYTES and size.isdecimal() and len(size) <= 19:
            return "", int(size), bytes.fromhex(root)
    except (ValueError, TrustError):
        pass
    raise InputError("evidence.since", "this is not a root of a log.", remedy=remedy)


def _lines(data: bytes | None, flaws: list[Flaw]) -> tuple[list[bytes], list[Entry]]:
    if data is None:
        flaws.append(Flaw(code="evidence.missing", path=ENTRIES, text="the log is missing."))
        return [], []
    try:
        lines, torn = layout.split_lines(data)
    except TrustError as error:
        flaws.append(flaw(error))
        return [], []
    if torn:
        text = "the last line is torn: cut off, or a write was interrupted (the owner's next run repairs that)."
        flaws.append(Flaw(code="evidence.torn", path=ENTRIES, text=text))
    entries = []
    for number, line in enumerate(lines, 1):
        try:
            entries.append(layout.read_entry(line, number))
        except TrustError as error:
            flaws.append(flaw(error))
    for path, times in Counter(entry.path for entry in entries).items():
        if times > 1:
            flaws.append(Flaw(code="evidence.duplicate", path=path, text="the log names this file twice."))
    return lines, entries


def _checkpoint(
    data: bytes | None, keys: Mapping[str, PublicKey], flaws: list[Flaw]
) -> tuple[checkpoint.Checkpoint | None, PublicKey | None]:
    if data is None:
        flaws.append(Flaw(code="evidence.missing", path=CHECKPOINT, text="the log's checkpoint is missing."))
        return None, None
    try:
        return checkpoint.verify(data, tuple(keys.values()))
    except FivefoldError as error:
        flaws.append(flaw(error, CHECKPOINT))
    return None, None


def _files(folder: Mapping[str, bytes | None], entries: list[Entry], flaws: list[Flaw]) -> dict[str, bytes]:
    logged = {entry.path: entry.sha256 for entry in entries}
    owners = {entry.sha256: entry.path for entry in entries}
    sound = {}
    for path, expected in logged.items():
        data = folder.get(path)
        if data is None:
            text = "this is not a plain file." if path in folder else "the log names this file, but it is not there."
            flaws.append(Flaw(code="evidence.missing", path=path, text=text))
        elif (found := digest(data)) != expected:
            other = owners.get(found)
            if other is None:
                flaws.append(Flaw(code="evidence.changed", path=path, text="this is not the file in the log."))
            else:
                text = f"this file holds the content of {other}."
                flaws.append(Flaw(code="evidence.swapped", path=path, text=text))
        else:
            sound[path] = data
    for path in folder:
        if path not in logged and path not in (ENTRIES, CHECKPOINT):
            text = (
                "this file is not in the log: added, or left by an interrupted run (the owner's next run repairs that)."
            )
            flaws.append(Flaw(code="evidence.added", path=path, text=text))
    return sound


def _compare(
    said: checkpoint.Checkpoint, lines: list[bytes], entries: list[Entry], sound: dict[str, bytes], flaws: list[Flaw]
) -> None:
    if said.size > len(lines):
        text = f"the log is truncated: {said.size - len(lines)} of {said.size} signed lines are missing."
        flaws.append(Flaw(code="evidence.truncated", path=ENTRIES, text=text))
        return
    if tree.root([tree.leaf_hash(line) for line in lines[: said.size]]) == said.root:
        if beyond := len(lines) - said.size:
            text = f"{beyond} lines at its end are covered by no checkpoint: added, or an interrupted write."
            flaws.append(Flaw(code="evidence.uncheckpointed", path=ENTRIES, text=text))
        flaws.extend(
            Flaw(
                code="evidence.uncheckpointed", path=path, text="the log names this file, but no checkpoint covers it."
            )
            for path in _paths(lines[said.size :])
        )
        return
    fits = len(entries) == len(lines) == said.size and all(entry.path in sound for entry in entries)
    if fits:
        text = "each line fits its file, but they are not the signed lines in the signed order: reordered or replaced."
        flaws.append(Flaw(code="evidence.reordered", path=ENTRIES, text=text))
    else:
        text = "the lines are not the ones that the checkpoint signs."
        flaws.append(Flaw(code="evidence.rewritten", path=ENTRIES, text=text))


def _paths(lines: list[bytes]) -> list[str]:
    found = []
    for number, line in enumerate(lines):
        try:
            found.append(layout.read_entry(line, number).path)
        except TrustError:
            found.append(ENTRIES)
    return found
