"""The case: seeded accidents, settled from a plain file and from a record, each also after the blame was shifted."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from fivefold.cases.accident import inquiry, keeping
from fivefold.cases.accident.driving import CAUSES, DEMANDED, Planner, accident, drive
from fivefold.cases.nouns import Figure, Told
from fivefold.keys import signing

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.cases.accident.driving import Drive
    from fivefold.cases.accident.keeping import Chunk

ALTERED = 10
"""Records that the one to blame alters, at most."""
_STORY = (
    (
        "A car that brakes by itself hits the one in front. Its maker says that the driver interfered, the driver says "
        "that it did not brake, the garage says that the radar was sound."
    ),
    (
        "The cause is drawn: a radar that froze, drifted or went blind, a planner released with too late a brake, a "
        "driver who overrode it, or a planner that somebody changed after approval. Harmless oddities are drawn too."
    ),
    (
        "Before: the car writes lines into a file, and the one to blame has the file for an hour. After: it writes a "
        "record that a witness cosigned; the one to blame also holds the record's key."
    ),
)
_LIMITS = (
    "The world is a simulator of our own: one lane, four causes, one at a time.",
    "A record is as true as what is handed to it: a car that records something else than it does is not found out.",
    "What was recorded after the last cosignature can be altered by who holds the key.",
)


def run(runs: int, seed: int, progress: Callable[[float, str], None] = lambda _share, _text: None) -> Told:
    """Draw ``runs`` accidents and settle each four times: sound and altered, from a plain file and from a record.

    Args:
        runs: How many accidents; the four causes take turns.
        seed: Decides everything but keys.
        progress: Called with a share in [0, 1].
    """
    signer, counts = signing.generate(), Counter[str]()
    example: tuple[str, ...] = ()
    for at in range(runs):
        rng = np.random.Generator(np.random.PCG64([seed, at]))
        cause = CAUSES[at % len(CAUSES)]
        what = accident(cause, rng)
        sound = keeping.chunks(what, drive(what))
        released = what.planner if what.planner.digest == what.approved else DEMANDED
        spoilt = altered(sound, cause, released)
        kept = keeping.keep(sound, signer, rng.bytes(32))
        found = _told(kept, released)
        counts["found"] += isinstance(found, inquiry.Finding) and found.cause == cause
        forged = keeping.keep(spoilt, signer, rng.bytes(32))
        counts["refused"] += isinstance(_told(_put(kept, forged), released), tuple)
        counts["plain"] += inquiry.settle(keeping.read_plain(keeping.plain(sound)), released).cause == cause
        blamed = inquiry.settle(keeping.read_plain(keeping.plain(spoilt)), released).cause
        counts["astray"] += blamed != cause
        if not example and isinstance(found, inquiry.Finding):
            example = _example(what, cause, found, blamed)
        progress((at + 1) / runs, f"accident {at + 1} of {runs}")
    return Told(
        id="X5",
        title="A self-driving car's accident, settled from its record",
        story=_STORY,
        before=(
            Figure("cause found in a plain file that nobody touched", counts["plain"], runs, good=True),
            Figure("wrong or no cause after ten lines were altered, unnoticed", counts["astray"], runs, good=False),
        ),
        after=(
            Figure("cause and responsible role found from the record", counts["found"], runs, good=True),
            Figure("refused after ten records were altered with its own key", counts["refused"], runs, good=True),
        ),
        example=example,
        limits=_LIMITS,
        seed=seed,
    )  # fmt: skip


def _told(kept: keeping.Kept, planner: Planner) -> inquiry.Finding | tuple[str, ...]:
    chunks, faults = keeping.read(kept)
    return faults or inquiry.settle(chunks, planner)


def _put(true: keeping.Kept, forged: keeping.Kept) -> keeping.Kept:
    """Return what the forger hands over: the rewritten record; the witness's word is not the forger's to change."""
    return keeping.Kept(forged.disk, forged.signer, forged.secrets, true.word)


def altered(chunks: list[Chunk], cause: str, planner: Planner) -> list[Chunk]:
    """Return the record with the last ten records of one kind rewritten by the one to blame, so as to look well."""
    kind = {"sensor fault": "sensor", "tampered model": "output"}.get(cause, "status")
    places = [at for at, chunk in enumerate(chunks) if chunk.kind == kind][-ALTERED:]
    made = list(chunks)
    for at in places:
        made[at] = _rewritten(chunks, at, cause, planner)
    return made


def _rewritten(chunks: list[Chunk], at: int, cause: str, planner: Planner) -> Chunk:
    chunk = chunks[at]
    if cause == "sensor fault":  # the garage: the radar saw what the camera saw
        radar = chunk.arrays["camera"] + 0.1
        return keeping.Chunk(chunk.kind, chunk.fields, {**chunk.arrays, "radar": radar})
    if cause == "tampered model":  # who changed the planner: the approved one ran, and said what it would have said
        sensed, wanted = chunks[at - 1].arrays, float(str(chunks[at + 1].fields["wanted"]))
        rows = zip(sensed["radar"].tolist(), sensed["speed"].tolist(), sensed["closing"].tolist(), strict=True)
        said = np.array([planner.command(gap, speed, closing, wanted) for gap, speed, closing in rows])
        return keeping.Chunk(chunk.kind, chunk.fields, {"planned": said}, planner.digest)
    if cause == "driver override":  # the driver: I did nothing
        return keeping.Chunk(chunk.kind, chunk.fields, {"pedal": np.zeros_like(chunk.arrays["pedal"])})
    return keeping.Chunk(chunk.kind, chunk.fields, {"pedal": np.full_like(chunk.arrays["pedal"], 2.0)})  # the maker


def _example(what: Drive, cause: str, found: inquiry.Finding, blamed: str) -> tuple[str, ...]:
    return (
        f"Drawn: {cause}. The car in front brakes at {what.brakes:.1f} s with {what.how:.1f} m/s2.",
        *found.why,
        f"From the record: {found.cause}; {found.role} answers for it.",
        (
            f"From the plain file after the blame was shifted: {blamed or 'nothing'}; "
            f"{inquiry.ROLES[blamed]} would answer for it."
        ),
        "From the record after the same: refused, for it is not what the witness cosigned.",
    )
