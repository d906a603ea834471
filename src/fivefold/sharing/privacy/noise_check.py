"""Check S2.noise: no event in the low-order bits of what is released tells two neighbours apart."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.finding import Bar, Canary, Measure, Plot, Result
from fivefold.contract.outcome import Outcome
from fivefold.sharing.privacy import measured, noise
from fivefold.sharing.privacy.bits import Event, events
from fivefold.stats.judge import judge

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.sharing.privacy.tables import Law

FLOOR = "max_events"
_TRIALS = {"quick": 1 << 17, "standard": 1 << 20, "thorough": 1 << 22}
_CANARY = 1 << 17
_MOST_FIGURES = 12
_REMEDY = (
    "Release with this product's noise (discrete, on a grid); noise that is a floating-point number gives people away."
)


def run(context: Context) -> Result:
    """Attack the noise.

    Threat: somebody reads the low-order bits of a released figure and knows which data set it is of, whatever epsilon.
    Limit: four families of attack on single figures; timing, and errors of another kind, are not looked for.

    Args:
        context: ``controls.S2.release``, or runs of another system; threshold ``max_events``.

    Raises:
        UnsupportedError: ``privacy.undeclared``, ``privacy.foreign``, ``privacy.engine``.
    """
    given = measured.foreign(context)
    found = _own(context) if given is None else _foreign(given)
    fewest = min(count for _, _, count in found) // 2
    proof = _prove(context.rng, min(fewest, _CANARY), None if given is None else given.claim)
    told = sum(event.told for _, events_, _ in found for event in events_)
    trials = sum(count for _, _, count in found)
    floor = context.thresholds[FLOOR]
    outcome = judge(float(told), float(told), floor, "max")
    measure = Measure(
        name="events that tell two neighbours apart", value=float(told), low=float(told), high=float(told),
        threshold=floor, direction="max", outcome=outcome, unit="events", n=trials,
        note=f"Of {sum(len(each) for _, each, _ in found)} events that were counted, in {len(found)} kinds of noise.",
    )  # fmt: skip
    outcome = outcome if proof.noticed else Outcome.INCONCLUSIVE
    return Result(
        outcome=outcome,
        reason=_reason(outcome, proof, [event for _, each, _ in found for event in each], trials),
        measures=(measure,),
        canary=proof,
        plots=(_plot(found),),
        limits=(
            "Four families of attacks on single answers were tried; another kind of fault is not looked for here.",
        ),
        remedy=_REMEDY if outcome is Outcome.FAIL else "",
    )


Attacked = "tuple[str, list[Event], int]"


def _own(context: Context) -> list[tuple[str, list[Event], int]]:
    """Attack each different noise of the declared release, between an empty cell and one with one person in it."""
    asked = measured.ours(measured.own(context)[1])
    kinds: dict[tuple[Law, float], tuple[str, int, int]] = {}
    for vector in asked.vectors:
        shift = vector.rows * (vector.step // vector.unit)
        kinds.setdefault((vector.law, vector.worth), (f"{vector.query} ({vector.part})", shift, vector.rho))
    for one in asked.groups:
        kinds.setdefault((one.law, 1.0), (one.query.name, one.rows, one.rho))
    draw, trials = noise.seeded(context.rng), _TRIALS[context.effort]
    found = []
    shown = list(kinds.items())[:_MOST_FIGURES]
    for at, ((law, worth), (name, shift, rho)) in enumerate(shown):
        first = noise.sample(law, trials, draw) * worth
        second = (noise.sample(law, trials, draw) + shift) * worth
        attacked = events(first, second, (0.0, shift * worth), law.deviation * worth, measured.claim_of(rho))
        found.append((name, attacked, 2 * trials))
        context.progress((at + 1) / len(shown), "reading low-order bits")
    return found


def _foreign(given: measured.Runs) -> list[tuple[str, list[Event], int]]:
    found = []
    for at, name in enumerate(given.names):
        first, second = given.first[:, at], given.second[:, at]
        places = float(np.median(first)), float(np.median(second))
        nearest = tuple(round(place) if abs(place - round(place)) < first.std() / 10 else place for place in places)
        scale = float(np.abs(first - nearest[0]).mean())
        found.append(
            (name, events(first, second, (nearest[0], nearest[1]), scale, given.claim), len(first) + len(second))
        )
    return found


def _prove(rng: np.random.Generator, runs: int, claim: tuple[float, float] | None) -> Canary:
    """Attack textbook noise of numpy, which must fall in as many runs, and table noise, which must not."""
    from fractions import Fraction

    from fivefold.sharing.privacy import tables

    scale = float(rng.uniform(1.0, 4.0))
    claims = {"laplace": (1 / scale, 0.0), "normal": measured.claim_of(round(0.5 / scale**2 * 1e9))}
    broken = 0
    for kind, own in claims.items():
        draw = getattr(rng, kind)
        first, second = draw(0.0, scale, runs), draw(1.0, scale, runs)
        said = own if claim is None else (max(own[0], claim[0]), max(own[1], claim[1]))
        broken += any(event.told for event in events(first, second, (0.0, 1.0), scale, said))
    law, source = tables.gaussian(Fraction(scale).limit_denominator(1000) ** 2), noise.seeded(rng)
    first, second = (noise.sample(law, runs, source) + float(at) for at in (0, 1))
    alarms = int(any(event.told for event in events(first, second, (0.0, 1.0), scale, claims["normal"])))
    return Canary(
        kind="textbook noise in floating point", planted=2, found=broken, clean=1, false_alarms=alarms,
        noticed=broken == 2 and not alarms,
        detail=f"Laplace and normal noise of scale {scale:.2f} drawn by numpy {runs:,} times around 0 and "
        "around 1; the clean case is discrete noise of the same width.",
    )  # fmt: skip


def _plot(found: list[tuple[str, list[Event], int]]) -> Plot:
    bars = tuple(
        Bar(label=name, value=max((_ratio(event) for event in each), default=0.0), n=count)
        for name, each, count in found[:24]
    )
    return Plot(kind="intervals", title="The event that tells most", x_label="natural logarithm of the ratio of "
                "frequencies, one trial added to each", bars=bars)  # fmt: skip


def _ratio(event: Event) -> float:
    return math.log((event.one + 1e-6) / (event.other + 1e-6))


def _reason(outcome: Outcome, proof: Canary, found: list[Event], trials: int) -> str:
    if not proof.noticed:
        return "Textbook noise was not broken here, or discrete noise was called broken, so nothing is concluded."
    if outcome is Outcome.FAIL:
        worst = next(event for event in found if event.told)
        return (
            f"Low-order bits give people away: by {worst.family}, something that happens in {worst.one:.2%} of answers "
            f"about one data set happens in {worst.other:.4%} about its neighbour."
        )
    return (
        f"In {trials:,} answers no event in the low-order bits tells two neighbours apart; textbook noise falls to it."
    )
