"""Check S2.release: two worlds that differ by one person are no further apart than the release claims."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.contract.finding import Canary, Measure, Result
from fivefold.contract.outcome import Outcome
from fivefold.sharing.privacy import measured, noise, release
from fivefold.sharing.privacy.distance import Apart, apart
from fivefold.sharing.privacy.loss import RHO
from fivefold.stats.judge import judge

if TYPE_CHECKING:
    from fivefold.contract.check import Context

FLOOR = "max_loss_ratio"
_RUNS = {"quick": 2000, "standard": 4000, "thorough": 16000}
_FEWEST = 400
_DRAWS = 1 << 27
_PEOPLE = 12
_HELD = 3
_NEW = "somebody who is in no row"
_AGAIN = 0.2
_LIMIT = (
    "Of all persons that could be in the data some were tried; what a group behind a threshold gives away by being "
    "shown at all is bounded by the argument beside the code, not measured."
)
_REMEDY = "Do not release this way: the noise, the limit on a person's rows or the bounds are not what is claimed."


@dataclass(frozen=True)
class Worlds:
    """Runs of a release in two worlds.

    Attributes:
        runs: The answers, figures that the person does not move left out.
        moved: (d,) how far the person moves each figure without noise; None: not known.
        who: The person, in words.
    """

    runs: measured.Runs
    moved: np.ndarray | None
    who: str


def run(context: Context) -> Result:
    """Measure the loss of the declared release.

    Threat: the release claims a privacy loss, and adds too little noise, uses it twice, or lets a person in too often.
    Limit: the persons tried are the worst that were found, not the worst there are; figures behind thresholds count as
    if their group were known.

    Args:
        context: ``controls.S2.release`` and its data, or runs of another system; threshold ``max_loss_ratio``.

    Raises:
        UnsupportedError: ``privacy.undeclared``, ``privacy.column``, ``privacy.foreign``, ``privacy.engine``.
    """
    given = measured.foreign(context)
    worlds = _own(context) if given is None else Worlds(given, None, "the person of the runs")
    floor, runs = context.thresholds[FLOOR], worlds.runs
    context.progress(0.7, "telling the worlds apart")
    found = apart(runs.first, runs.second, worlds.moved)
    again = _again(runs)
    loss = _loss(found, runs, floor, worlds.who)
    proof = _prove(runs, worlds.moved, floor, context.rng)
    outcomes = {loss.outcome, again.outcome}
    outcome = next(one for one in (Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.PASS) if one in outcomes)
    outcome = outcome if proof.noticed else Outcome.INCONCLUSIVE
    return Result(
        outcome=outcome,
        reason=_reason(outcome, proof, found, runs.rho),
        measures=(loss, again, _proved(found, runs)),
        canary=proof,
        limits=(_LIMIT,),
        remedy=_REMEDY if outcome is Outcome.FAIL else "",
    )


def _own(context: Context) -> Worlds:
    """Add up the data with and without the person who moves the figures most, then run the release again and again."""
    asked = measured.ours(measured.own(context)[1])
    rows = measured.frame(context, asked)
    if len(rows) > context.rows:
        rows = rows.iloc[np.sort(context.rng.choice(len(rows), context.rows, replace=False))].reset_index(drop=True)
    plain = release.total(asked, [rows])
    best: tuple[float, release.Totals, str] | None = None
    for at in range(_PEOPLE):
        person = _person(rows, asked, context.rng, at)
        other = release.total(asked, [pd.concat([rows, person], ignore_index=True)])
        worth = _worth(asked, plain, other)
        if best is None or worth > best[0]:
            best = (worth, other, f"person {at + 1} of {_PEOPLE} who were added, with {len(person)} rows")
        context.progress(0.3 * (at + 1) / _PEOPLE, "looking for the person who moves most")
    _, other, who = best or (0.0, plain, "")
    keep = [
        vector.rounded(b) != vector.rounded(a)
        for vector, a, b in zip(asked.vectors, plain.sums, other.sums, strict=True)
    ]
    moved = [
        (vector.rounded(b) - vector.rounded(a))[mask]
        for vector, a, b, mask in zip(asked.vectors, plain.sums, other.sums, keep, strict=True)
    ]
    cells = sum(vector.size for vector in asked.vectors)
    count = max(_FEWEST, min(_RUNS[context.effort], _DRAWS // (2 * max(cells, 1))))
    draw = noise.seeded(context.rng)
    both = [_runs(asked, totals, keep, count, draw) for totals in (plain, other)]
    extra, names = _groups(asked, count, draw)
    first, second = (np.concatenate([part, group], axis=1) for part, group in zip(both, extra, strict=True))
    named = [
        f"{v.query} ({v.part})" for v, mask in zip(asked.vectors, keep, strict=True) for _ in range(int(mask.sum()))
    ]
    shifts = np.concatenate([*moved, np.array([one.rows for one in asked.groups])]).astype(float)
    claim = measured.claim_of(asked.loss.rho, asked.loss.delta)
    return Worlds(measured.Runs(first, second, (*named, *names), asked.loss.rho / RHO, claim), shifts, who)


def _runs(
    asked: release.Asked, totals: release.Totals, keep: list[np.ndarray], count: int, draw: noise.Bytes
) -> np.ndarray:
    found = []
    for _ in range(count):
        given = release.noisy(asked, totals, draw)
        found.append(np.concatenate([part[mask] for part, mask in zip(given, keep, strict=True)] or [np.zeros(0)]))
    return np.array(found, dtype=float).reshape(count, -1)


def _groups(asked: release.Asked, count: int, draw: noise.Bytes) -> tuple[list[np.ndarray], list[str]]:
    """Return (count, k) counts of a group that is shown in both worlds, without and with the person's rows."""
    both = []
    for shift in (0, 1):
        made = [noise.sample(one.law, count, draw) + shift * one.rows for one in asked.groups]
        both.append(np.array(made, dtype=float).reshape(len(made), count).T)
    return both, [one.query.name for one in asked.groups]


def _person(rows: pd.DataFrame, asked: release.Asked, rng: np.random.Generator, at: int) -> pd.DataFrame:
    """Return the rows of a person whom the limit has to hold: three times as many as are used, alike and extreme."""
    unit = asked.release.unit
    count = _HELD * unit.rows if unit.column else 1
    bounds = {query.column: query.bounds for query in asked.release.queries if query.column and query.bounds}
    made: dict[str, object] = {}
    base = rows.iloc[int(rng.integers(len(rows)))] if len(rows) else None
    for name in rows.columns:
        if name == unit.column:
            made[name] = [_NEW] * count
        elif name in bounds and at % 3 < 2:
            low, high = bounds[name] or (0.0, 1.0)
            made[name] = [(high + abs(high) if at % 2 else low - abs(low)) or (1e9 if at % 2 else -1e9)] * count
        else:
            made[name] = [None if base is None else base[name]] * count
    return pd.DataFrame(made, columns=rows.columns)


def _worth(asked: release.Asked, plain: release.Totals, other: release.Totals) -> float:
    """Return what the person costs if the noise is as it should be: the sum of d^2 / (2 s2)."""
    found = 0.0
    for vector, a, b in zip(asked.vectors, plain.sums, other.sums, strict=True):
        moved = (vector.rounded(b) - vector.rounded(a)).astype(float)
        found += float((moved**2).sum()) / (2 * vector.law.deviation**2)
    return found


def _loss(found: Apart, runs: measured.Runs, floor: float, who: str) -> Measure:
    value, low, high = (min(part / runs.rho, 1e9) for part in (found.rho, found.low, found.high))
    return Measure(
        name="privacy loss against the claim", value=value, low=low, high=high, threshold=floor, direction="max",
        outcome=judge(low, high, floor, "max"), unit="ratio", n=len(runs.first) + len(runs.second), where=who,
        note="Figures share noise: their difference tells the person." if found.shares else
        f"Zero-concentrated loss; claimed is {runs.rho:.6g}.",
    )  # fmt: skip


def _again(runs: measured.Runs) -> Measure:
    """Judge whether noise is the same from one run to the next: the largest correlation, Fisher's z, Bonferroni."""
    left = runs.first - runs.first.mean(axis=0)
    width = left.std(axis=0)
    left = left[:, width > 0] / width[width > 0]
    if not left.shape[1]:
        return Measure(name="noise that comes again", unit="correlation", outcome=Outcome.INCONCLUSIVE,
                       threshold=_AGAIN, direction="max", note="No figure has noise.")  # fmt: skip
    both = [np.abs((left[:-1] * left[1:]).mean(axis=0)).max()]
    if len(runs.first) == len(runs.second):
        right = runs.second - runs.second.mean(axis=0)
        right = right[:, width > 0] / np.maximum(right.std(axis=0)[width > 0], 1e-300)
        both.append(np.abs((left * right).mean(axis=0)).max())
    value = float(min(max(both), 1.0))
    from scipy.stats import norm

    reach = float(norm.ppf(1 - 0.05 / (2 * left.shape[1]))) / math.sqrt(len(left) - 3)
    z = math.atanh(min(value, 1 - 1e-12))
    low, high = max(0.0, math.tanh(z - reach)), math.tanh(z + reach)
    return Measure(
        name="noise that comes again", value=value, low=low, high=high, threshold=_AGAIN, direction="max",
        outcome=judge(low, high, _AGAIN, "max"), unit="correlation", n=len(left),
        note="Largest correlation of noise between one run and the next.",
    )  # fmt: skip


def _proved(found: Apart, runs: measured.Runs) -> Measure:
    return Measure(
        name="privacy loss that is proved, whatever the noise", value=min(found.sure / runs.rho, 1e9), unit="ratio",
        n=len(runs.first) + len(runs.second), note="A lower bound at 97.5 %; the loss itself may be more.",
    )  # fmt: skip


def _prove(runs: measured.Runs, moved: np.ndarray | None, floor: float, rng: np.random.Generator) -> Canary:
    """Plant half the noise, and one noise for two figures, among figures like these; honest noise is the clean case."""
    d = max(1, min(runs.first.shape[1], 40))
    shift = np.full(d, 1.0) if moved is None or not len(moved) else np.abs(moved[:d]) + (moved[:d] == 0)
    shift = rng.permutation(shift) * rng.choice([-1.0, 1.0], d)
    width = float(np.sqrt((shift**2).sum() / (2 * runs.rho)))
    count = max(_FEWEST, len(runs.first)) if moved is not None else max(20_000, math.ceil(3000 / min(runs.rho, 1.0)))
    count = min(count, 200_000 // d + _FEWEST)

    def flagged(scale: float, *, same: bool = False) -> bool:
        noise_ = [rng.normal(0.0, width * scale, (count, d)) for _ in range(2)]
        move = shift
        if same:  # one draw for two figures, of which the person moves one more
            noise_, move = [np.repeat(part[:, :1], 2, axis=1) for part in noise_], np.array([width, 0.0])
        result = apart(noise_[0], noise_[1] + move, move if moved is not None else None)
        return result.low / runs.rho > floor

    found = int(flagged(0.5)) + int(flagged(1.0, same=True))
    alarms = int(flagged(1.0))
    return Canary(
        kind="too little noise", planted=2, found=found, clean=1, false_alarms=alarms,
        noticed=found == 2 and not alarms,
        detail=f"Half the noise, and one noise for two figures, in {count:,} runs of {d} figures that a person moves "
        "as here; the clean case has the noise that is claimed.",
    )  # fmt: skip


def _reason(outcome: Outcome, proof: Canary, found: Apart, rho: float) -> str:
    if not proof.noticed:
        return "Half the noise was not noticed here, or honest noise was called too little, so nothing is concluded."
    if found.shares:
        return "Figures share noise: their difference tells whether a person is in the data, without any."
    ratio = f"{found.rho / rho:.2f} times the loss that is claimed (at least {found.low / rho:.2f})"
    if outcome is Outcome.FAIL:
        return f"The release gives away more than it claims, or draws noise again: it was measured at {ratio}."
    if outcome is Outcome.PASS:
        return f"Two worlds that differ by one person are as near as claimed: measured at {ratio}."
    return f"It stays open whether the release keeps to its claim: it was measured at {ratio}."
