"""The case: signs that a car misses since somebody attacks, with a net as it comes, and with one that has its guard."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

from fivefold.cases.driving import learning
from fivefold.cases.driving.attacking import SLOW, Attacker, noise, painted, sticker
from fivefold.cases.driving.road import approaches
from fivefold.cases.driving.signs import CRITICAL, KINDS, NOTHING, SIDE
from fivefold.cases.genetics.case import over_cohorts
from fivefold.cases.nouns import Figure, Told
from fivefold.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fivefold.cases.driving.learning import Lesson, Reader
    from fivefold.cases.driving.road import Approaches

LEARNED, TRIED, REHEARSED = 1_200, 900, 20
"""Signs that are learned from and that thresholds are found on, two frames each; frames of a rehearsal."""
EACH, OTHERS, BOARDS = 12, 54, 30
"""A drive passes so many signs of each critical kind, other signs, and boards that are none."""
KM = 24.0
"""Of a drive: five approaches in a kilometre."""
SQUARE = SIDE // 4
"""Pixels of the sheet that a sticker is wide: a quarter of it, a tenth to a sixth of a sign's area."""
SHARE = 2 / 3
"""Of all frames of an approach, so many have to say the same, or the car slows down."""
SURE = 0.75
"""In rehearsal he wants so many to say the same wrong thing."""
EFFORT, STEPS = (2, 12, 8), 15
"""Of a sticker (places, gradients at each, squares without gradients) and of an ascent of noise."""
_STORY = (
    (
        "A car comes near to signs at 50 km/h. Its camera takes 15 frames of each, from 60 m to 30 m, where it has to "
        "brake at the latest; a net reads each frame, and the car goes by what most frames say. On a drive it passes "
        "stop signs, give way signs, priority roads, others, and boards that are none."
    ),
    (
        "Somebody wants the first three to be missed. He puts one square sticker, a tenth to a sixth of the sign, on "
        "each; he chose place and print by rehearsing with another approach to this very sign, other angles, light, "
        "blur and surroundings. Or he has the frames on their way from the camera, and changes each pixel by 8 of 255 "
        "at most."
    ),
    (
        "Harm is a sign that is missed: the car passes the place where it has to brake, without knowing the sign and "
        "without having slowed down. Beside it stand slow-downs without a reason, which the control costs."
    ),
    (
        "Before: the net as training leaves it. After: a net trained on changed frames and on signs with stickers, an "
        "ensemble that raises an alarm where it disagrees, and no answer where net or ensemble doubt. Where fewer than "
        "two thirds of the frames say the same, the car slows down and its driver takes over."
    ),
    (
        "The attacker knows all of it: net, ensemble, thresholds and rule. He follows the slopes of the net, then of "
        "the net and of a copy of the ensemble together, and tries out everything on the car itself."
    ),
)
_LIMITS = (
    "Signs, angles and light are drawn by a program of ours; how real tracks fare stands in the documentation.",
    "A detector has cut the sign out of each picture already; whether it finds the sign at all is not attacked.",
    "One square sticker, painted as screens paint: printing and the camera's colours are not simulated.",
    "A car that slows down has not seen the sign. That its driver then sees it is taken for granted.",
    "Other attacks may be better: the figures are what these ones do, and no bound on harm.",
)
WAYS = ("nobody attacks", "sticker", "noise")


@dataclass(frozen=True)
class Road:
    """What one drive needs, from one source.

    Attributes:
        names: Of the kinds.
        learned: What nets and ensemble learn from.
        tried: What nothing was fitted to: thresholds.
        signs: Stop and priority signs that are attacked.
        rehearsal: Other approaches to the same signs.
        others: Approaches that nobody attacks.
    """

    names: tuple[str, ...]
    learned: Approaches
    tried: Approaches
    signs: Approaches
    rehearsal: Approaches
    others: Approaches


@dataclass(frozen=True)
class Driven:
    """What a car decided on one drive; -1: it slowed down.

    Attributes:
        kinds: (n,) what the attacked signs are.
        before: Way to (n,) decisions of the car as it was.
        after: The same with all controls; ``known``: a sticker made for the very frames, ``alone``: one against the net
            trained so, without ensemble and fallback.
        others: (m,) what the other approaches are.
        quiet: Decisions on them, before and after.
        faces: (n, 3, S, S) signs as they are, with the sticker before, and with the one after.
        readers: What read the frames, before and after.
        lesson: What the latter learned from.
    """

    kinds: np.ndarray
    before: dict[str, np.ndarray]
    after: dict[str, np.ndarray]
    others: np.ndarray
    quiet: tuple[np.ndarray, np.ndarray]
    faces: tuple[np.ndarray, np.ndarray, np.ndarray]
    readers: tuple[Reader, Reader]
    lesson: Lesson

    def missed(self, decisions: np.ndarray) -> np.ndarray:
        """Return (n,) signs that are missed: neither known nor slowed down at."""
        return np.asarray((decisions != self.kinds) & (decisions != SLOW))

    def needless(self, which: int) -> int:
        """Return where the car slows down or stops, though nobody attacks and no sign says so."""
        clean = np.concatenate([(self.before, self.after)[which][WAYS[0]], self.quiet[which]])
        true = np.concatenate([self.kinds, self.others])
        return int(((clean == SLOW) | (np.isin(clean, CRITICAL[:2]) & (clean != true))).sum())

    @property
    def passed(self) -> int:
        """Approaches of the drive."""
        return len(self.kinds) + len(self.others)


def drawn(rng: np.random.Generator) -> Road:
    """Draw signs to learn from, and those of one drive."""
    kinds = len(KINDS)
    signs = approaches(np.repeat(CRITICAL, EACH), rng)
    rest = np.concatenate([rng.integers(0, NOTHING, OTHERS), np.full(BOARDS, NOTHING)])
    return Road(
        KINDS, approaches(rng.integers(0, kinds, LEARNED), rng, 2),
        approaches(rng.integers(0, kinds, TRIED), rng, 2), signs,
        approaches(signs.kinds, rng, REHEARSED, signs.sheets), approaches(rest, rng),
    )  # fmt: skip


def driven(road: Road, rng: np.random.Generator, side: int = SQUARE) -> Driven:
    """Learn, and drive before and after, attacked and not.

    Args:
        road: See :func:`drawn`.
        rng: Seeds of nets and attacks.
        side: Pixels of the sheet that a sticker is wide.
    """
    kinds = len(road.names)
    plain = learning.plain(road.learned, kinds, rng)
    bare, lesson = learning.hardened(road.learned, kinds, rng, side)
    safe = learning.guarded(bare, lesson, road.tried, road.names, rng)
    copy = learning.copied(safe, lesson, rng)
    naive, alone = Attacker(plain, 0.0, ((plain.net,),), SURE), Attacker(bare, 0.0, ((bare.net,),), SURE)
    knowing = Attacker(safe, SHARE, ((bare.net,), (bare.net, copy)), SURE)
    before, old = _attacked(road, naive, side, rng)
    after, new = _attacked(road, knowing, side, rng)
    signs = road.signs
    by_net = painted(signs, sticker(road.rehearsal, alone, side, rng, EFFORT))
    exact = painted(signs, sticker(signs, replace(knowing, sure=0.0), side, rng, EFFORT))
    after |= {"alone": bare.decide(by_net, 0.0), "known": safe.decide(exact, SHARE)}
    quiet = plain.decide(road.others.frames, 0.0), safe.decide(road.others.frames, SHARE)
    faces, readers = (signs.sheets, old, new), (plain, safe)
    return Driven(signs.kinds, before, after, road.others.kinds, quiet, faces, readers, lesson)


def _attacked(
    road: Road, by: Attacker, side: int, rng: np.random.Generator
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return what the attacker's car decides, by way, and the signs with his stickers."""
    signs = road.signs
    faces = sticker(road.rehearsal, by, side, rng, EFFORT)
    frames = (signs.frames, painted(signs, faces), noise(signs, replace(by, sure=0.0), learning.REACH, rng, STEPS))
    return {way: by.reader.decide(each, by.share) for way, each in zip(WAYS, frames, strict=True)}, faces


def run(runs: int, seed: int, progress: Callable[[float, str], None] = lambda _share, _text: None) -> Told:
    """Make ``runs`` drives, each with nets of its own.

    Args:
        runs: How many.
        seed: Decides everything.
        progress: Called with a share in [0, 1].

    Raises:
        InputError: ``case.extra`` without torch.
    """
    if find_spec("torch") is None:
        raise InputError("case.extra", "this case trains nets, and torch is not installed.",
                         remedy="Install it: pip install 'fivefold[torch]'.")  # fmt: skip
    met = []
    for at in range(runs):
        met.append(again(seed, at)[1])
        progress((at + 1) / runs, f"drive {at + 1} of {runs}")
    return Told(
        id="X1",
        title="A sticker on a stop sign, and the car drives on",
        story=_STORY,
        before=_figures(met, 0),
        after=_figures(met, 1),
        example=tuple(_lines(met)),
        limits=_LIMITS,
        seed=seed,
    )


def again(seed: int, at: int = 0) -> tuple[Road, Driven]:
    """Draw a drive of a case and make it; see :func:`drawn` and :func:`driven`."""
    import torch

    threads, rng = torch.get_num_threads(), np.random.Generator(np.random.PCG64([seed, at]))
    torch.set_num_threads(1)
    try:
        road = drawn(rng)
        return road, driven(road, rng)
    finally:
        torch.set_num_threads(threads)


def _figures(met: list[Driven], which: int) -> tuple[Figure, ...]:
    signs, passed = sum(len(one.kinds) for one in met), sum(one.passed for one in met)

    def decisions(way: str) -> list[tuple[Driven, np.ndarray]]:
        return [(one, (one.before, one.after)[which][way]) for one in met]

    def missed(way: str) -> int:
        return sum(int(one.missed(each).sum()) for one, each in decisions(way))

    slow = sum(int((each == SLOW).sum()) for _, each in decisions("sticker"))
    return (
        Figure("stop and priority signs missed: sticker", missed("sticker"), signs, good=False),
        Figure("stop and priority signs missed: noise", missed("noise"), signs, good=False),
        Figure("stop and priority signs missed: nobody attacks", missed(WAYS[0]), signs, good=False),
        Figure("signs with a sticker at which the car slows down", slow, signs, good=True),
        Figure("slow-downs and stops without a reason", sum(one.needless(which) for one in met), passed, good=False),
    )


def _lines(met: list[Driven]) -> list[str]:
    """Return means over drives with bounds, by kind, and what the controls do alone and cost."""
    n = len(met[0].kinds)
    lines = [
        f"{len(met)} drives of {KM:.0f} km, {met[0].passed} approaches each; {n} stop and priority signs attacked."
    ]
    for word, which in (("before", 0), ("after", 1)):
        lines += [missed(f"Missed {word}, {way}", [(one, (one.before, one.after)[which][way]) for one in met])
                  for way in (*WAYS[1:], WAYS[0])]  # fmt: skip
    lines += [
        missed("Missed after, a sticker made for the very frames", [(one, one.after["known"]) for one in met]),
        missed("Missed by the net trained so alone, sticker", [(one, one.after["alone"]) for one in met]),
    ]
    for kind in np.unique(met[0].kinds):
        shares = [np.mean([one.missed(given["sticker"])[one.kinds == kind].mean() for one, given in pairs])
                  for pairs in ([(one, one.before) for one in met], [(one, one.after) for one in met])]  # fmt: skip
        lines.append(
            f"{KINDS[kind]}, sticker: missed {100 * shares[0]:.0f} of 100 before, {100 * shares[1]:.0f} after."
        )
    lines.append(_mistaken(met))
    for word, which in (("before", 0), ("after", 1)):
        costs = [one.needless(which) / KM for one in met]
        lines.append(spread(f"Slow-downs and stops without a reason {word}", costs, "a kilometre", 1))
    slow = [float((one.after["sticker"] == SLOW).mean()) for one in met]
    lines.append(spread("Signs with a sticker at which the car slows down, after", slow, "of 100 signs", 100))
    return lines


def _mistaken(met: list[Driven]) -> str:
    """Return what missed signs with a sticker are taken for after, in words."""
    pairs = [(int(one.kinds[at]), int(one.after["sticker"][at])) for one in met
             for at in np.flatnonzero(one.missed(one.after["sticker"]))]  # fmt: skip
    most = sorted(set(pairs), key=lambda pair: (-pairs.count(pair), pair))[:3]
    shown = ", ".join(f"{KINDS[true]} for {KINDS[read]} ({pairs.count((true, read))})" for true, read in most)
    return f"Of {len(pairs)} missed with a sticker after, taken most often: {shown or 'none'}."


def missed(what: str, pairs: list[tuple[Driven, np.ndarray]]) -> str:
    """Return the mean share of signs missed over drives, in words, with its bounds."""
    return spread(what, [float(one.missed(each).mean()) for one, each in pairs], "of 100 signs", 100)


def spread(what: str, values: Sequence[float], unit: str, scale: float) -> str:
    """Return the mean over drives and its one-sided 95 % bounds."""
    mean, low, high = (scale * one for one in over_cohorts(values))
    digits = 1 if scale > 1 else 2
    bounds = f" (95 % bounds {max(low, 0.0):.{digits}f} and {high:.{digits}f})" if np.isfinite(low) else ""
    return f"{what}: {mean:.{digits}f} {unit}{bounds}."
