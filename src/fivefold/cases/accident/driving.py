"""Driving: cars in one lane, sensors at 50 Hz, a planner, a driver who may take over; a small simulator of our own.

The car follows another by the intelligent driver model (Treiber, Hennecke and Helbing 2000) and brakes hard where the
deceleration that is needed to stop behind it exceeds a limit. All lengths in metres, times in seconds.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import asdict, dataclass, field, replace

import msgspec
import numpy as np

HERTZ = 50
STEP = 1 / HERTZ
SECONDS = 24
CAUSES = ("sensor fault", "late planner", "driver override", "tampered model")
NOTHING = 150.0
"""What the radar says where it sees nothing."""
LAG = 0.15
_HARDEST = -8.5


@dataclass(frozen=True)
class Planner:
    """A planner's parameters; the released file is their canonical form.

    Attributes:
        headway: Seconds kept to the car in front.
        gentle: Deceleration for comfort, m/s2.
        alarm: Needed deceleration beyond which it brakes as hard as it may, m/s2.
        hardest: The hardest it may, m/s2 (negative).
    """

    headway: float = 1.3
    gentle: float = 2.0
    alarm: float = 3.0
    hardest: float = -8.0

    @property
    def digest(self) -> str:
        """SHA-256 of the released file."""
        return hashlib.sha256(msgspec.json.encode(asdict(self), order="sorted")).hexdigest()

    def command(self, gap: float, speed: float, closing: float, wanted: float) -> float:
        """Return the acceleration in m/s2 for what is perceived; one step at a time, as in the car."""
        room = max(gap - 2.0, 0.1)
        desired = 2.0 + max(speed * self.headway + speed * closing / (2 * math.sqrt(1.2 * self.gentle)), 0.0)
        usual = 1.2 * (1 - (speed / wanted) ** 4 - (desired / max(gap, 0.5)) ** 2)
        needed = closing * closing / (2 * room) if closing > 0 else 0.0
        return self.hardest if needed > self.alarm else min(max(usual, self.hardest), 1.2)


DEMANDED = Planner()
"""The least that type approval demands: to brake as hard as it can once 3 m/s2 are needed."""
_BEHIND = Planner(headway=1.5)
"""How the car behind is driven."""


@dataclass(frozen=True)
class Drive:
    """What happens in one drive, before anybody acts.

    Attributes:
        start: Speed at the start, m/s.
        gap: Distance to the car in front at the start.
        brakes: When the car in front brakes.
        how: Its deceleration, m/s2.
        left: Its speed afterwards, m/s.
        planner: What runs.
        approved: Digest of what may run.
        fault: Radar: ``""``, ``frozen``, ``drifting`` or ``blind``.
        faulty: From when to when it is.
        driver: Driver's pedal, m/s2, 0 where the driver does nothing.
        pressed: From when to when it is pressed.
        touch: A short touch of the pedal long before that changes nothing: when.
        glitch: A radar sample missed now and then: share.
        seed: Noise of the sensors.
    """

    start: float
    gap: float
    brakes: float
    how: float
    left: float
    planner: Planner
    approved: str
    fault: str = ""
    faulty: tuple[float, float] = (0.0, 0.0)
    driver: float = 0.0
    pressed: tuple[float, float] = (0.0, 0.0)
    touch: float = -1.0
    glitch: float = 0.0
    seed: int = 0


@dataclass
class Trip:
    """What was measured and done, a row for each step until the end or the crash; all (n,)."""

    radar: np.ndarray
    closing: np.ndarray
    camera: np.ndarray
    speed: np.ndarray
    planned: np.ndarray
    pedal: np.ndarray
    behind: np.ndarray
    crashed: bool
    wanted: float = field(default=0.0)


def drive(what: Drive) -> Trip:
    """Simulate until the end, or until the car hits the one in front."""
    rng = np.random.Generator(np.random.PCG64(what.seed))
    n = SECONDS * HERTZ
    noise = rng.normal(size=(4, n)) * np.array([0.25, 0.15, 0.8, 0.05])[:, None]
    lost = rng.random(n) < what.glitch
    braked = np.maximum(np.arange(n) * STEP - what.brakes, 0) * what.how
    front = np.maximum(what.start - braked, what.left)
    ahead = what.gap + np.cumsum(front) * STEP
    rows = np.zeros((7, n))
    here, speed, now, held = 0.0, what.start, 0.0, (what.gap, 0.0)
    back, chasing = -1.6 * what.start - 8.0, what.start
    for at in range(n):
        t, gap = at * STEP, ahead[at] - here
        if gap <= 0:
            return _cut(rows, at, what.start, crashed=True)
        seen = gap + noise[0, at], speed - front[at] + noise[1, at]
        if what.fault and what.faulty[0] <= t < what.faulty[1]:
            seen = _faulty(what, seen, held, t)
        elif lost[at]:
            seen = held
        held = held if what.fault == "frozen" and what.faulty[0] <= t < what.faulty[1] else seen
        felt = speed + noise[3, at]
        planned = what.planner.command(seen[0], felt, seen[1], what.start)
        pedal = what.driver if what.pressed[0] <= t < what.pressed[1] else 0.4 if 0 <= t - what.touch < 0.3 else 0.0
        camera = gap * (1 + 0.01 * noise[2, at]) + noise[2, at]
        rows[:, at] = seen[0], seen[1], camera, felt, planned, pedal, here - back
        now += (max(pedal or planned, _HARDEST) - now) * STEP / LAG
        speed = max(speed + now * STEP, 0.0)
        here += speed * STEP
        follow = _BEHIND.command(here - back, chasing, chasing - speed, what.start)
        chasing = max(chasing + follow * STEP, 0.0)
        back += chasing * STEP
    return _cut(rows, n, what.start, crashed=False)


def _faulty(what: Drive, seen: tuple[float, float], held: tuple[float, float], t: float) -> tuple[float, float]:
    if what.fault == "frozen":
        return held
    if what.fault == "blind":
        return NOTHING, 0.0
    return seen[0] + 6.0 * (t - what.faulty[0]), seen[1] - 6.0


def _cut(rows: np.ndarray, n: int, wanted: float, *, crashed: bool) -> Trip:
    radar, closing, camera, speed, planned, pedal, behind = rows[:, :n]
    return Trip(radar, closing, camera, speed, planned, pedal, behind, crashed, wanted)


def accident(cause: str, rng: np.random.Generator) -> Drive:
    """Draw a drive that ends in a crash for one cause, and would not without it.

    Some drives also hold something that is odd and harmless: a touch of the pedal, samples that the radar missed.

    Args:
        cause: One of :data:`CAUSES`.
        rng: Draws everything.
    """
    sound = Planner()
    while True:
        start = float(rng.uniform(18, 32))
        plain = Drive(
            start=start, gap=float(start * rng.uniform(1.2, 1.8) + 5), brakes=float(rng.uniform(9, 14)),
            how=float(rng.uniform(4, 7.5)), left=float(rng.uniform(0, 4)), planner=sound, approved=sound.digest,
            touch=float(rng.uniform(1, 6)) if rng.random() < 0.5 else -1.0,
            glitch=0.01 if rng.random() < 0.5 else 0.0, seed=int(rng.integers(1 << 62)),
        )  # fmt: skip
        made = _spoilt(plain, cause, rng)
        trip, sound_trip = drive(made), drive(plain)
        # the car behind keeps its distance: one crash, with one cause
        if trip.crashed and not sound_trip.crashed and min(trip.behind.min(), sound_trip.behind.min()) > 0:
            return made


def _spoilt(plain: Drive, cause: str, rng: np.random.Generator) -> Drive:
    when = plain.brakes + float(rng.uniform(-1.0, 0.5))
    if cause == "sensor fault":
        kind = ("frozen", "drifting", "blind")[int(rng.integers(3))]
        return replace(plain, fault=kind, faulty=(when, when + float(rng.uniform(3, 9))))
    if cause == "late planner":
        late = Planner(
            headway=float(rng.uniform(0.5, 0.9)), gentle=4.0, alarm=float(rng.uniform(9, 20)),
            hardest=float(rng.uniform(-4.5, -3)),
        )  # fmt: skip
        return replace(plain, planner=late, approved=late.digest)
    if cause == "driver override":
        pressed = (plain.brakes + float(rng.uniform(0, 1)), plain.brakes + float(rng.uniform(3, 6)))
        return replace(plain, driver=float(rng.uniform(0.5, 2.5)), pressed=pressed)
    weak = Planner(alarm=float(rng.uniform(20, 90)), hardest=float(rng.uniform(-2.5, -0.8)))
    return replace(plain, planner=weak)
