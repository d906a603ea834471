"""Canary of E2.surrogate: models that are short sums of the user's own columns, and answers that no sum can tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.finding import Canary
from fivefold.contract.outcome import Outcome
from fivefold.explanation.nearby.layout import look, over
from fivefold.stats.judge import judge

if TYPE_CHECKING:
    from fivefold.explanation.nearby.around import Reach
    from fivefold.explanation.nearby.fit import Link
    from fivefold.explanation.nearby.layout import Answers, Around, Layout

CASES = 4
_ROWS = 30
_FEWEST = 12
_CELLS = 4000
_PARTS = 3
_LEAST_SIDE = 0.2


def prove(  # noqa: PLR0917  what is judged, and how
    layout: Layout, seen: list[Around], how: tuple[Reach, Link], most: int, floor: float, rng: np.random.Generator
) -> Canary:  # fmt: skip
    """Judge planted models around the user's own rows, as the user's model is judged.

    Args:
        layout: The user's rows.
        seen: The user's rows told, with sums taught on shuffled answers beside.
        how: Reach and link.
        most: Most columns of a sum.
        floor: Of the fidelity.
        rng: Draws models.
    """
    found, alarms, cases = 0, 0, 0
    shuffled = over([(one.answers, one.shuffled) for one in seen], how[1])
    found += judge(shuffled.low, shuffled.high, floor, "min") is Outcome.FAIL
    rows = layout.rows[: max(_FEWEST, min(_ROWS, _CELLS // layout.grid.codes.shape[1]))].tolist()
    varied = np.flatnonzero(layout.grid.codes.std(axis=0) > 0)
    for _ in range(CASES if len(varied) else 0):
        cases += 1
        for share in (1 - 0.15 * (1 - floor), floor / 2):
            ask = _planted(layout, varied, how, share, rng)
            each = [look(layout, row, how, most, ask, rng) for row in rows]
            made = over([(one.answers, one.said) for one in each], how[1])
            outcome = judge(made.low, made.high, floor, "min")
            found += share <= floor and outcome is Outcome.FAIL
            alarms += share > floor and outcome is not Outcome.PASS
    return Canary(
        kind="sums taught on shuffled answers, and sums that must be told",
        planted=cases + 1,
        found=found,
        clean=cases,
        false_alarms=alarms,
        noticed=cases > 0 and found >= cases and alarms <= 1,
        detail=f"{cases} sums of {_PARTS} of these very columns stand for the model, around these very rows. Of their "
        f"answers {floor / 2:.0%} (to be noticed) or {1 - 0.15 * (1 - floor):.0%} can be told; also to be noticed: "
        "the model's own answers, shuffled among the neighbours.",
    )


def _planted(
    layout: Layout, varied: np.ndarray, how: tuple[Reach, Link], share: float, rng: np.random.Generator
) -> Answers:  # fmt: skip
    """Return a sum of few columns around each row, of whose variation a share can be told."""
    codes, link = layout.grid.codes, how[1]
    used = rng.choice(varied, min(_PARTS, len(varied)), replace=False)
    weight = rng.choice((-1.0, 1.0), len(used)) * rng.uniform(0.5, 1.0, len(used))

    def ask(row: int, cells: np.ndarray) -> np.ndarray:
        away = codes[cells[:, used], used] - codes[row, used]
        score = np.asarray((away / codes[:, used].std(axis=0)) @ weight)
        if link == "label":
            # a label that the row itself has, and about half of its neighbours have not
            made = (score <= np.median(score)).astype(np.float64)
            giver = rng.random(len(made)) < 1 - np.sqrt(share)
            return np.asarray(np.where(giver, made[rng.permutation(len(made))], made))
        noise = rng.normal(size=len(score)) * (score.std() or 1.0) * np.sqrt(1 / share - 1)
        told = score + noise
        return np.asarray(1 / (1 + np.exp(-told)) if link == "log-odds" else told)

    return ask
