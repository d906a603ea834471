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
_LEAST_RATIO = 0.1  # below it too few are left selected for the planted ratio to be exact
_WORDS = ("selection rate", "true-positive rate", "false-positive rate")


@dataclass(frozen=True)
class _Place:
    """Where a fault may be planted: a rate of a group, and the moves of that rate that should be seen."""

    rate: int
    group: int
    moves: tuple[float, ...]


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
    places = _places(rows, plan) if len(plan) else []
    groups = int(offsets(rows.fields)[-1])
    if not places:
        return Canary(
            kind="answers of one group shifted",
            planted=0,
            found=0,
            clean=0,
            false_alarms=0,
            noticed=False,
            detail="No group is large enough to plant a gap that should be seen.",
        )
    stacks, sizes, words = [], [], set()
    for copy in range(2 * replicates):
        dealt = rng.permutation(len(rows.truth))  # dealing out people to groups is permuting the labels of groups
        truth, answer = rows.truth[dealt], rows.answer[dealt]
        if copy < replicates:
            place = places[int(rng.integers(len(places)))]
            answer, size = _plant(place, (rows.codes == place.group).any(axis=0), truth, answer, rng)
            sizes.append(size)
            words.add(_WORDS[place.rate])
        stacks.append(tables(rows.codes, truth, answer, groups))
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
    """List where a gap can be planted and seen; sizes of cells are those expected after the permutation."""
    fields, truth, answer = rows.fields, rows.truth, rows.answer
    starts = offsets(fields)
    shares = np.concatenate([np.bincount(field.codes, minlength=len(field.labels)) for field in fields]) / len(truth)
    pools = [len(truth), float(truth.sum()), float(len(truth) - truth.sum())]
    chosen = [answer.mean(), answer[truth == 1].mean() if pools[1] else 0, answer[truth == 0].mean() if pools[2] else 0]
    main = plan.take(~plan.crossed & (plan.rate < len(pools)))
    reach = float(ndtri(1 - ALPHA / len(plan))) + _POWER
    found = []
    for rate in range(len(pools)):
        mine = main.take(main.rate == rate)
        for group in np.union1d(mine.first, mine.second).tolist():
            field = int(np.searchsorted(starts, group, side="right")) - 1
            rivals = [at for at in range(int(starts[field]), int(starts[field + 1])) if at != group]
            cells = pools[rate] * shares[group], pools[rate] * max(shares[rivals])
            make = _ratio_moves if rate == 0 else _gap_moves
            moves = make(cells, float(chosen[rate]), float(mine.floor[0]), reach) if min(cells) >= MIN_CELL else ()
            if moves:
                found.append(_Place(rate, group, moves))
    return found


def _gap_moves(cells: tuple[float, float], base: float, floor: float, reach: float) -> tuple[float, ...]:
    """Return the moves, down and up, of a rate that leave a gap of the documented size, or of what cells can show."""
    size = floor + max(DOCUMENTED, reach * float(np.sqrt(0.25 / cells[0] + 0.25 / cells[1])))
    return tuple(move for move, room in ((-size, base), (size, 1 - base)) if size <= room)


def _ratio_moves(cells: tuple[float, float], base: float, floor: float, reach: float) -> tuple[float, ...]:
    """Return the move of a selection rate to 0.15 below the floor, or to as low a ratio as small cells need."""
    if base <= 0.0:
        return ()
    ratio = max(floor - DOCUMENTED, 0.0)
    for _ in range(4):
        part = (1 - base * ratio) / (base * max(ratio, 1e-3) * cells[0]) + (1 - base) / (base * cells[1])
        ratio = min(ratio, floor * float(np.exp(-reach * np.sqrt(part))))
    return (-base * (1 - ratio),) if ratio > _LEAST_RATIO else ()


def _plant(
    place: _Place, members: np.ndarray, truth: np.ndarray, answer: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, float]:
    """Return answers with a gap planted among the (n,) mask of members, and the size of the move."""
    if place.rate:
        members &= truth == (place.rate == 1)
    move = place.moves[int(rng.integers(len(place.moves)))]
    source = members & (answer == (move < 0))
    supply = source.sum() / max(int(members.sum()), 1)
    flip = source & (rng.random(len(answer)) < (abs(move) / supply if supply > 0 else 0.0))
    return np.where(flip, 1 - answer, answer), abs(move)
