"""Inquiry: the cause of an accident, from what was recorded and the approved planner, nothing else.

Each suspect is cleared or convicted by the same question: would it have come to the crash without it? What is
recorded of the car in front is driven against once more, with one part at a time put right.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.cases.accident.driving import DEMANDED, HERTZ, LAG, STEP

if TYPE_CHECKING:
    from fivefold.cases.accident.driving import Planner
    from fivefold.cases.accident.keeping import Chunk

ROLES = {
    "sensor fault": "who maintains the sensors",
    "late planner": "the maker of the planner",
    "driver override": "the driver",
    "tampered model": "who changed the planner",
    "": "nobody: the record does not settle it",
}
_SMOOTH = 25
_APART = 4.0
_SAME = 1e-9


@dataclass(frozen=True)
class Finding:
    """What the inquiry concludes: a cause of :data:`ROLES`, and why, a line each."""

    cause: str
    why: tuple[str, ...]

    @property
    def role(self) -> str:
        """Who answers for it."""
        return ROLES[self.cause]


@dataclass(frozen=True)
class _Known:
    """The recorded drive: (n,) arrays, the digests, and where the car in front was."""

    radar: np.ndarray
    closing: np.ndarray
    speed: np.ndarray
    planned: np.ndarray
    pedal: np.ndarray
    gap: np.ndarray
    front: np.ndarray
    wanted: float
    ran: frozenset[str]
    approved: frozenset[str]


def settle(chunks: list[Chunk], planner: Planner) -> Finding:
    """Name the cause.

    Args:
        chunks: What was recorded, in order.
        planner: The approved planner, from its maker's release.
    """
    known = _read(chunks)
    if not any(chunk.kind == "alarm" for chunk in chunks):
        return Finding("", ("No crash is recorded.",))
    why = []
    replayed = _replay(known, planner)
    other = np.abs(replayed - known.planned) > _SAME
    digest = known.ran - known.approved
    changed = bool(other.any() or digest or planner.digest not in known.approved)
    why.append(
        f"The commands are {'not ' if other.any() else ''}those of the approved planner"
        + (f" from {other.argmax() * STEP:.2f} s on" if other.any() else "")
        + (f"; a planner that nobody approved ran ({min(digest)[:12]})." if digest else ".")
    )
    if changed and not _crashes(known, planner, pedal=True, sensed=True):
        why.append("With the approved planner it does not come to the crash.")
        return Finding("tampered model", tuple(why))
    if np.any(known.pedal != 0):
        quiet = not _crashes(known, planner, pedal=False, sensed=True)
        without = "it does not come" if quiet else "it also comes"
        why.append(f"The driver pressed the pedal; without it {without} to the crash.")
        if quiet:
            return Finding("driver override", tuple(why))
    apart = _apart(known)
    if apart.any():
        seen = not _crashes(known, planner, pedal=True, sensed=False)
        why.append(
            f"Radar and camera disagree from {apart.argmax() * STEP:.2f} s on; with a sound radar "
            f"{'it does not come' if seen else 'it also comes'} to the crash."
        )
        if seen:
            return Finding("sensor fault", tuple(why))
    demanded = not _crashes(known, DEMANDED, pedal=True, sensed=True)
    why.append(
        f"A planner that brakes as type approval demands {'avoids the crash' if demanded else 'does not avoid it'}."
    )
    return Finding("late planner" if demanded else "", tuple(why))


def _read(chunks: list[Chunk]) -> _Known:
    def joined(name: str) -> np.ndarray:
        return np.concatenate([chunk.arrays[name] for chunk in chunks if name in chunk.arrays])

    radar, camera, speed = joined("radar"), joined("camera"), joined("speed")
    apart = np.abs(_calm(radar) - _calm(camera)) > _APART
    gap = np.where(apart, _calm(camera), _calm(radar))
    here = np.cumsum(speed) * STEP
    front = _calm(here + gap)
    wanted = next(float(str(chunk.fields["wanted"])) for chunk in chunks if "wanted" in chunk.fields)
    return _Known(
        radar, joined("closing"), speed, joined("planned"), joined("pedal"), gap, front, wanted,
        frozenset(chunk.model for chunk in chunks if chunk.model),
        frozenset(str(chunk.fields["planner"]) for chunk in chunks if chunk.kind == "approval"),
    )  # fmt: skip


def _calm(values: np.ndarray) -> np.ndarray:
    """Return (n,) means over half a second around each step; shorter at both ends."""
    kernel = np.ones(_SMOOTH)
    return np.convolve(values, kernel, "same") / np.convolve(np.ones(len(values)), kernel, "same")


def _apart(known: _Known) -> np.ndarray:
    return np.asarray(np.abs(_calm(known.radar) - known.gap) > _APART / 2)


def _replay(known: _Known, planner: Planner) -> np.ndarray:
    rows = zip(known.radar.tolist(), known.speed.tolist(), known.closing.tolist(), strict=True)
    return np.array([planner.command(gap, speed, closing, known.wanted) for gap, speed, closing in rows])


def _crashes(known: _Known, planner: Planner, *, pedal: bool, sensed: bool) -> bool:
    """Drive once more against the car in front as it was.

    Args:
        known: The record.
        planner: What plans.
        pedal: Whether the driver does what was recorded.
        sensed: Whether the planner perceives with the recorded errors of the radar; else it perceives what was there.
    """
    front = known.front
    pace = np.gradient(front, STEP)
    here, speed, now = 0.0, float(_calm(known.speed)[0]), 0.0
    wrong_gap, wrong_closing = known.radar - known.gap, known.closing - (known.speed - pace)
    for at in range(len(front) + 2 * HERTZ):
        last = min(at, len(front) - 1)
        place = front[last] + (at - last) * STEP * max(pace[-_SMOOTH:].mean(), 0.0)
        gap, closing = place - here, speed - pace[last]
        if gap <= 0:
            return True
        if sensed:
            gap, closing = gap + wrong_gap[last], closing + wrong_closing[last]
        command = planner.command(max(gap, 0.01), speed, closing, known.wanted)
        pressed = known.pedal[last] if pedal and at == last else 0.0
        now += (max(pressed or command, -8.5) - now) * STEP / LAG
        speed = max(speed + now * STEP, 0.0)
        here += speed * STEP
    return False
