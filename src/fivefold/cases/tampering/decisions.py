"""Decisions: who got support, in a plain file and on record, some altered afterwards by who can write there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.cases.accident import keeping
from fivefold.keys import signing
from fivefold.log.disk import Folder
from fivefold.traceability.recorder import tampering
from fivefold.traceability.recorder.reading import Reading

if TYPE_CHECKING:
    from pathlib import Path

    from fivefold.log.disk import Disk

DECIDED, ALTERED = 200, 5
WAYS = tuple(way for way in tampering.KINDS if way != "strip erasure")
"""Ways to alter a record's bytes; nobody was erased from these."""


@dataclass(frozen=True)
class Settled:
    """What came of decisions that were altered.

    Attributes:
        plain: Altered ones that read as true from the plain file.
        recorded: Those that do from the record, held against a witness's word.
        alone: Those that do where nobody keeps such a word.
        unseen: Ways to alter the record that the audit with the word did not see.
        unseen_alone: The same without it.
        accused: Whether the record that nobody touched was accused.
    """

    plain: int
    recorded: int
    alone: int
    unseen: tuple[str, ...]
    unseen_alone: tuple[str, ...]
    accused: bool


def settled(place: Path, said: np.ndarray, rng: np.random.Generator) -> Settled:
    """Keep decisions both ways, alter some, and read them back.

    Args:
        place: An empty folder.
        said: (n,) bool, n at least 5: who was granted support.
        rng: Chooses which are altered, and where the record is.
    """
    hit = rng.permutation(len(said))[:ALTERED]
    other = said.copy()
    other[hit] = ~other[hit]
    file = place / "decisions.csv"
    pd.DataFrame({"granted": other}).to_csv(file, index=False)  # over the true one; nothing is left of it
    plain = int((pd.read_csv(file)["granted"].to_numpy()[hit] != said[hit]).sum())
    signer, secret = signing.generate(), rng.bytes(32)
    true = keeping.keep(_chunks(said), signer, secret, _folder(place / "record"))
    forged = replace(keeping.keep(_chunks(other), signer, secret, _folder(place / "rewritten")), word=true.word)
    files = {name: true.disk.read(name, 0, true.disk.size(name)) for name in true.disk.names()}
    unseen: dict[bool, list[str]] = {True: [], False: []}
    for way in WAYS:
        disk = tampering.tampered(way, files, keeping.ORIGIN, signer, rng)
        for witnessed, ways in unseen.items():
            if _holds(replace(true, disk=disk), witnessed=witnessed):
                ways.append(way)
    astray = [_astray(forged, said, hit, witnessed=witnessed) for witnessed in (True, False)]
    return Settled(
        plain, astray[0], astray[1], tuple(unseen[True]), tuple(unseen[False]), not _holds(true, witnessed=True)
    )


def _chunks(said: np.ndarray) -> list[keeping.Chunk]:
    return [
        keeping.Chunk("output", {"household": at}, {"granted": said[at : at + 1].astype(np.int8)})
        for at in range(len(said))
    ]


def _folder(place: Path) -> Disk:
    place.mkdir()
    return Folder(place)


def _holds(kept: keeping.Kept, *, witnessed: bool) -> bool:
    words = (kept.word,) if witnessed else ()
    return not Reading(kept.disk, kept.secrets).audit((kept.signer.public,), words).faults


def _astray(kept: keeping.Kept, said: np.ndarray, hit: np.ndarray, *, witnessed: bool) -> int:
    """Return how many of the altered decisions are read as true: none from a record that is refused."""
    if not _holds(kept, witnessed=witnessed):
        return 0
    found = Reading(kept.disk, kept.secrets).search(case=keeping.CASE)
    read = np.array([np.frombuffer(one.body.tensors[0].data, np.int8)[0] for one in found if one.body is not None])
    return int((read[hit] != said[hit]).sum())
