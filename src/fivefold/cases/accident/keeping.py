"""Keeping: a drive written into a record by the recorder as it is shipped, and into a plain file of lines."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.errors import InternalError
from fivefold.keys import signing
from fivefold.log import witness
from fivefold.log.book import CHECKPOINT, MAX_CHECKPOINT
from fivefold.log.simulated import SimulatedDisk
from fivefold.store.people import People
from fivefold.store.witnessed import Witnessed
from fivefold.traceability.recorder.reading import Reading
from fivefold.traceability.recorder.recorder import Recorder
from fivefold.traceability.recorder.secrets_ import Secrets

if TYPE_CHECKING:
    from fivefold.cases.accident.driving import Drive, Trip
    from fivefold.log.disk import Disk
    from fivefold.traceability.recorder.nouns import Kind

ORIGIN, CASE = "fivefold/accident/record", "drive"
_CHUNK = 50


@dataclass(frozen=True)
class Chunk:
    """What one record says: its kind, its words, its arrays, and the digest of the planner that ran."""

    kind: Kind
    fields: dict[str, object]
    arrays: dict[str, np.ndarray]
    model: str = ""


@dataclass(frozen=True)
class Kept:
    """A record, and what is needed to read it.

    Attributes:
        disk: The log.
        signer: Its key; its owner (here: of the car) holds it.
        secrets: Keys of the people; the owner holds them too.
        word: The checkpoint that a witness cosigned, held by the witness.
    """

    disk: Disk
    signer: signing.Signer
    secrets: Secrets
    word: bytes


def chunks(what: Drive, trip: Trip) -> list[Chunk]:
    """Return what the car records: an approval, then each second sensors, commands and pedal, then the crash."""
    made = [Chunk("approval", {"planner": what.approved, "who": "type approval"}, {})]
    for at in range(0, len(trip.radar), _CHUNK):
        cut = slice(at, at + _CHUNK)
        sensed = {
            "radar": trip.radar,
            "closing": trip.closing,
            "camera": trip.camera,
            "speed": trip.speed,
            "behind": trip.behind,
        }
        made.append(Chunk("sensor", {"step": at}, {name: values[cut] for name, values in sensed.items()}))
        made.append(Chunk("output", {"step": at}, {"planned": trip.planned[cut]}, what.planner.digest))
        made.append(Chunk("status", {"step": at, "wanted": trip.wanted}, {"pedal": trip.pedal[cut]}))
    if trip.crashed:
        made.append(Chunk("alarm", {"what": "crash"}, {}))
    return made


def keep(given: list[Chunk], signer: signing.Signer, secret: bytes, disk: Disk | None = None) -> Kept:
    """Record everything, on a disk in memory unless one is given, and have a witness cosign it at the end."""
    disk, secrets = disk or SimulatedDisk(), Secrets(secret, People(None, "case"))
    with Recorder(disk, ORIGIN, signer, secrets, queued=True, segment_bytes=1 << 18) as recorder:
        for chunk in given:
            with recorder.open(CASE, model=chunk.model) as case:
                case.add(chunk.kind, chunk.fields, batch=chunk.arrays)
    asked = witness.write(witness.Request(0, (), disk.read(CHECKPOINT, 0, MAX_CHECKPOINT)))
    vouching = witness.Witness("registry", signing.generate(), {ORIGIN: (signer.public,)}, Witnessed(None))
    if vouching.add(asked, 0).status != 200:
        raise InternalError("case.witness", "the witness refused a sound record.")
    return Kept(disk, signer, secrets, vouching.latest(ORIGIN) or b"")


def read(kept: Kept) -> tuple[list[Chunk], tuple[str, ...]]:
    """Return what a record says, and all that does not hold of it, held against the witness's word."""
    reading = Reading(kept.disk, kept.secrets)
    faults = tuple(fault.code for fault in reading.audit((kept.signer.public,), (kept.word,)).faults)
    if faults:
        return [], faults
    made = []
    for found in reading.search(case=CASE):
        if found.body is not None:
            arrays = {item.name: np.frombuffer(item.data, item.dtype) for item in found.body.tensors}
            made.append(Chunk(found.kind, found.body.fields, arrays, found.body.model))
    return made, ()


def plain(given: list[Chunk]) -> str:
    """Return the same as lines of JSON: what a log file without protection holds."""
    return "\n".join(
        json.dumps([
            chunk.kind, chunk.fields, {name: values.tolist() for name, values in chunk.arrays.items()}, chunk.model,
        ])
        for chunk in given
    )  # fmt: skip


def read_plain(text: str) -> list[Chunk]:
    """Return what the lines say; there is nothing that they could be held against."""
    rows = [json.loads(line) for line in text.split("\n")]
    return [
        Chunk(kind, fields, {name: np.array(values) for name, values in arrays.items()}, model)
        for kind, fields, arrays, model in rows
    ]
