"""Canary: answers of one group are shifted, or nothing is; the check must tell which."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from fivefold.contract.finding import Canary
from fivefold.fairness.gaps.comparisons import ALPHA, Design, any_found, offsets, p_counted, rates, tables
from fivefold.fairness.gaps.groups import MIN_CELL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fivefold.fairness.gaps.groups import Field

DOCUMENTED = 0.15
"""How far beyond the floor a planted gap lies where the cells are large enough."""
PLANTABLE = 3
"""Selection, true-positive and false-positive rate: the rates in which a gap is planted."""
_RECALL, _ALARMS = 0.8, 0.1
_POWER = 2.33  # normal quantile of 99 %: planted gaps in small cells are enlarged until they should be found
_WORDS = ("selection rate", "true-positive rate", "false-positive rate")


@dataclass(frozen=True)
class _Place:
    """Where a fault may be planted: a rate of a group, its rows and those of the largest other group."""

    rate: int
    group: int
    rows: float
    other: float
    base: float
    floor: float


@dataclass(frozen=True)
class Rows:
    """The measured rows: cuts, (f, n) flat groups, (n,) truth and (n,) answers, each 0 or 1."""

    fields: Sequence[Field]
    codes: np.ndarray
    truth: np.ndarray
    answer: np.ndarray


def run(rows: Rows, plan: Design, rng: np.random.Generator, *, replicates: int) -> Canary:
    """Plant gaps in copies whose group labels were permuted, judge them and the permuted copies alone.

    Args:
        rows: The measured rows.
        plan: The comparisons that the measurement judges, of counted rates.
        rng: Source of randomness.
        replicates: Copies with a fault, and copies without.
    """
    places = _places(rows, plan)
    groups = int(offsets(rows.fields)[-1])
    if not places or len(plan) == 0:
        return Canary(
            kind="answers of one group shifted",
            planted=0,
            found=0,
            clean=0,
            false_alarms=0,
            noticed=False,
            detail="No group is large enough to plant a gap in.",
        )
    stacks, sizes, words = [], [], set()
    for copy in range(2 * replicates):
        permuted = rows.codes[:, rng.permutation(rows.codes.shape[1])]
        changed = rows.answer
        if copy < replicates:
            place = places[int(rng.integers(len(places)))]
            changed, size = _plant(place, rows, permuted, len(plan), rng)
            sizes.append(size)
            words.add(_WORDS[place.rate])
        stacks.append(tables(permuted, rows.truth, changed, groups))
    found = any_found(plan.crossed, p_counted(plan, *rates(np.stack(stacks))))
    hits, alarms = int(found[:replicates].sum()), int(found[replicates:].sum())
    return Canary(
        kind="answers of one group shifted",
        planted=replicates,
        found=hits,
        clean=replicates,
        false_alarms=alarms,
        noticed=hits >= _RECALL * replicates and alarms <= _ALARMS * replicates,
        detail=f"Group labels were permuted; in {replicates} copies the {', '.join(sorted(words))} of one group "
        f"drawn from the seed was then moved by {min(sizes):.2f} to {max(sizes):.2f}.",
    )


def _places(rows: Rows, plan: Design) -> list[_Place]:
    """List where a gap can be planted; sizes of cells are those expected after the permutation."""
    fields, truth, answer = rows.fields, rows.truth, rows.answer
    starts = offsets(fields)
    shares = np.concatenate([np.bincount(field.codes, minlength=len(field.labels)) for field in fields]) / len(truth)
    pools = [len(truth), float(truth.sum()), float(len(truth) - truth.sum())]
    chosen = [answer.mean(), answer[truth == 1].mean() if pools[1] else 0, answer[truth == 0].mean() if pools[2] else 0]
    main = plan.take(~plan.crossed & (plan.rate < len(pools)))
    found = []
    for rate in range(len(pools)):
        mine = main.take(main.rate == rate)
        for group in np.union1d(mine.first, mine.second).tolist():
            field = int(np.searchsorted(starts, group, side="right")) - 1
            rivals = [at for at in range(int(starts[field]), int(starts[field + 1])) if at != group]
            size, other = pools[rate] * shares[group], pools[rate] * max(shares[rivals])
            if min(size, other) >= MIN_CELL:
                found.append(_Place(rate, group, size, other, float(chosen[rate]), float(mine.floor[0])))
    return found


def _plant(
    place: _Place, rows: Rows, codes: np.ndarray, comparisons: int, rng: np.random.Generator
) -> tuple[np.ndarray, float]:
    """Return answers with a gap planted at ``place`` and the size of the move."""
    truth, answer = rows.truth, rows.answer
    members = (codes == place.group).any(axis=0)
    if place.rate:
        members &= truth == (place.rate == 1)
    reach = float(ndtri(1 - ALPHA / comparisons)) + _POWER
    spread = np.sqrt(0.25 / place.rows + 0.25 / place.other)
    if place.rate == 0:
        move = -place.base * (1 - _ratio(place, reach))
    else:
        size = place.floor + max(DOCUMENTED, reach * spread)
        rooms = [-place.base, 1 - place.base]
        fitting = [room for room in rooms if abs(room) >= size] or [max(rooms, key=abs)]
        room = fitting[int(rng.integers(len(fitting)))]
        move = np.sign(room) * min(size, abs(room))
    source = members & (answer == (move < 0))
    rate = answer[members].mean() if members.any() else 0.0
    supply = rate if move < 0 else 1 - rate
    flip = source & (rng.random(len(answer)) < (abs(move) / supply if supply > 0 else 0.0))
    return np.where(flip, 1 - answer, answer), float(abs(move))


def _ratio(place: _Place, reach: float) -> float:
    """Return the planted ratio of selection rates: 0.15 below the floor, or as low as small cells need."""
    ratio, base = place.floor - DOCUMENTED, max(place.base, 1e-9)
    for _ in range(4):
        part = (1 - base * ratio) / (base * max(ratio, 1e-3) * place.rows) + (1 - base) / (base * place.other)
        ratio = min(ratio, place.floor * float(np.exp(-reach * np.sqrt(part))))
    return max(ratio, 0.0)
