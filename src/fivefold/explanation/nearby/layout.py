"""Layout: which rows are told, how far around them is looked, in which form, and with how many questions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pandas as pd

from fivefold.explanation import asking, players
from fivefold.explanation.nearby import around
from fivefold.explanation.nearby.fit import Link, Sum, fit, left
from fivefold.explanation.store import Store
from fivefold.explanation.told import of

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.explanation.nearby.around import Grid, Reach
    from fivefold.explanation.told import Told

REACHES = (around.Reach(0.5, 0.5), around.Reach(0.4, 0.2), around.Reach(0.4, 0.08))
FEWEST = 10
_SIZES = ((600, 300, 10), (300, 150, 8), (120, 80, 4))
"""Neighbours that are taught, fresh ones, and pilot rows: as many as the questions pay for."""

_MOST_PLAYERS = 400
_POOL = 2000


class Answers(Protocol):
    """The model near one row."""

    def __call__(self, row: int, cells: np.ndarray) -> np.ndarray:
        """Return (m,) the answers that the row is told in: chance of its class, whether its label is told, value."""
        ...


@dataclass(frozen=True)
class Layout:
    """What is told, and how it is asked.

    Attributes:
        asker: The model.
        store: Rows to tell, pilots, then others that lend cells.
        grid: Their cells.
        rows: (n,) positions in the store of the rows to tell.
        pilots: (p,) positions of rows on which the reach is chosen.
        column: (N,) score that each row is told in.
        taught: Neighbours that a sum is fitted to.
        fresh: Neighbours that it is held against.
        positions: (n,) positions of the rows to tell in the test data.
        notes: What the reader should know.
    """

    asker: asking.Asker
    store: Store
    grid: Grid
    rows: np.ndarray
    pilots: np.ndarray
    column: np.ndarray
    taught: int
    fresh: int
    positions: np.ndarray
    notes: tuple[str, ...]

    @property
    def form(self) -> str:
        """``value``, ``probability`` or ``label``."""
        subject = self.asker.subject
        return "value" if subject.task == "regression" else "probability" if subject.capabilities.scores else "label"

    @property
    def links(self) -> tuple[Link, ...]:
        """What a sum may be of."""
        return {"value": ("answer",), "label": ("label",)}.get(self.form, ("answer", "log-odds"))  # type: ignore[return-value]

    def asked(self, row: int, cells: np.ndarray) -> np.ndarray:
        """Ask the model; an :class:`Answers`."""
        return np.asarray(self.asker(self.store.mixed(cells))[:, self.column[row]])


@dataclass(frozen=True)
class Around:
    """One row told.

    Attributes:
        row: Its position in the store.
        sum: The surrogate.
        features: (m, P, WIDTH) fresh neighbours.
        answers: (m,) the model's.
        said: (m,) the surrogate's.
        shuffled: (m,) those of a surrogate taught on the same answers, shuffled among the neighbours; if not asked
            for, as ``said``.
    """

    row: int
    sum: Sum
    features: np.ndarray
    answers: np.ndarray
    said: np.ndarray
    shuffled: np.ndarray

    @property
    def told(self) -> float:
        """The share of the variation around this row that is told, at least 0."""
        return 1 - min(left(self.answers, self.said, self.sum.link) / max(float(self.answers.var()), 1e-300), 1.0)


def lay_out(context: Context) -> Layout:
    """Choose rows and the number of neighbours so that the questions stay within what is allowed.

    Raises:
        UnsupportedError: As :func:`fivefold.explanation.asking.plain_rows`; ``explanation.budget``.
    """
    subject, test = asking.plain_rows(context)
    rng, asker = context.rng, asking.Asker(subject)
    allowed = asker.allowance(context.effort)
    pool = min(_POOL, len(test), max(allowed // 10, 2 * FEWEST))
    for taught, fresh, pilots in _SIZES:
        wanted, size = min(context.rows, len(test) - pilots), taught + fresh
        looks = (allowed - pool) // size
        if asker.calls is not None:
            looks = min(looks, (asker.calls - -(-pool // asker.batch)) // -(-size // asker.batch))
        rows = min(wanted, looks - pilots * len(REACHES))
        if rows >= min(wanted, FEWEST if size == sum(_SIZES[-1][:2]) else 2 * FEWEST):
            break
    else:
        raise asking.too_few(f"{allowed} questions are too few to look around single rows.")
    drawn = np.sort(rng.choice(len(test), pool, replace=False))
    scores = asker(test.take(drawn))
    chosen = asking.spread(scores, rows + pilots, rng)
    order = np.concatenate([rng.permutation(chosen), np.setdiff1d(np.arange(pool), chosen)])
    both = test.take(drawn[order])
    both = replace(both, others=pd.DataFrame(index=both.features.index))
    who = players.of(both, _MOST_PLAYERS)
    codes = players.codes(both, who)
    column = np.zeros(pool, dtype=np.int64) if subject.task == "regression" else scores[order].argmax(axis=1)
    notes = (f"Cells come from {pool} test rows.", *who.notes)
    return Layout(asker, Store(both, rows, who, codes), around.grid(codes), np.arange(rows),
                  np.arange(rows, len(chosen)), column, taught, fresh, drawn[order[:rows]], notes)  # fmt: skip


def look(  # noqa: PLR0917  one row, how it is told, and who answers
    layout: Layout, row: int, how: tuple[Reach, Link], most: int, ask: Answers, rng: np.random.Generator,
    *, shuffled: bool = False,
) -> Around:  # fmt: skip
    """Ask around a row, fit a sum to some of the answers and hold it against the others, those unlike the former."""
    reach, link = how
    cells = layout.grid.drawn(row, layout.taught + layout.fresh, reach, rng)
    answers, features, cut = ask(row, cells), layout.grid.features(row, cells), layout.taught
    new = cut + layout.grid.unlike(cells[cut:], cells[:cut])
    made = fit(features[:cut], answers[:cut], most, link)
    said = made.says(features[new])
    other = fit(features[:cut], rng.permutation(answers[:cut]), most, link).says(features[new]) if shuffled else said
    return Around(row, made, features[new], answers[new], said, other)


def over(each: list[tuple[np.ndarray, np.ndarray]], link: Link) -> Told:
    """Return the share told over all rows: of the variation around each, with bounds over rows.

    Args:
        each: Answers and what is said of them, for each row.
        link: What the sums are of.
    """
    inner = np.array([left(answers, said, link) for answers, said in each])
    outer = np.array([answers.var() for answers, _ in each])
    size = float(np.mean([(answers**2).mean() for answers, _ in each])) if each else 0.0
    return of(inner, outer, size)


def choose(  # noqa: PLR0917  as for look
    layout: Layout, rows: np.ndarray, most: int, floor: float, ask: Answers, rng: np.random.Generator
) -> tuple[Reach, Link]:
    """Return the widest reach in which sums tell enough of pilot rows, else that in which they tell most.

    Enough is half way from the floor to all.
    """
    best, found = (REACHES[0], layout.links[0]), -np.inf
    for reach in REACHES:
        drawn = [layout.grid.drawn(row, layout.taught + layout.fresh, reach, rng) for row in rows.tolist()]
        answers = [ask(row, cells) for row, cells in zip(rows.tolist(), drawn, strict=True)]
        features = [layout.grid.features(row, cells) for row, cells in zip(rows.tolist(), drawn, strict=True)]
        for link in layout.links:
            cut, each = layout.taught, []
            for told, seen, cells in zip(answers, features, drawn, strict=True):
                new = cut + layout.grid.unlike(cells[cut:], cells[:cut])
                each.append((told[new], fit(seen[:cut], told[:cut], most, link).says(seen[new])))
            value = over(each, link).value
            if value is not None and value > found + 0.02:
                best, found = (reach, link), value
        if found >= (1 + floor) / 2:
            break
    return best
