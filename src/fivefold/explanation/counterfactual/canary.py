"""Canary of E2.counterfactual: planted models that flip on one field, and makers that do what must be told."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.contract.finding import Canary
from fivefold.contract.outcome import Outcome
from fivefold.explanation.counterfactual import wanted
from fivefold.explanation.counterfactual.audit import audit, bounds
from fivefold.explanation.counterfactual.make import ours
from fivefold.explanation.counterfactual.question import Given, Purse
from fivefold.explanation.counterfactual.refine import DIGIT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fivefold.contract.subject import Table
    from fivefold.explanation.counterfactual.audit import Audit
    from fivefold.explanation.counterfactual.check import Layout
    from fivefold.explanation.counterfactual.question import Question
    from fivefold.subject.possible.domain import Domain

MODELS = 3
NOTICED = 0.9
_ROWS = 24
_LEAST = 5
_QUESTIONS = 600
_CUTS = (0.3, 0.7)
_UNSEEN = "no such value"


@dataclass(frozen=True)
class Planted:
    """A model that says 1 where one item is beyond a cut, or among some of its combinations.

    Attributes:
        domain: Encodes rows.
        item: The item.
        cut: Of a number.
        rising: Whether a number has to be above it.
        levels: (L, k) combinations of a block that say 1.
        scored: Whether chances are told.
    """

    domain: Domain
    item: int
    cut: float = 0.0
    rising: bool = True
    levels: np.ndarray | None = None
    scored: bool = False

    def __call__(self, table: Table) -> tuple[np.ndarray, np.ndarray]:
        """Return (m,) answers and (m, 2) chances, or (m, 0)."""
        columns, space = self.domain.columns_of(self.item), self.domain.space
        cells = replace(space, columns=tuple(space.columns[at] for at in columns)).encode(table)
        if self.levels is None:
            away = (cells[:, 0] - self.cut) * (1 if self.rising else -1)
            away = np.nan_to_num(away, nan=-1.0, posinf=1e9, neginf=-1e9)
            says, lead = away > 0, away / self.domain.unit[columns[0]]
        else:
            says = (cells[:, None, :] == self.levels[None]).all(axis=2).any(axis=1)
            lead = np.where(says, 1.0, -1.0)
        answers = says.astype(np.int64)
        if not self.scored:
            return answers, np.empty((len(answers), 0))
        chance = 1 / (1 + np.exp(-np.clip(lead, -9, 9)))
        chance = np.where(says, np.maximum(chance, 0.5 + 1e-9), np.minimum(chance, 0.5))
        return answers, np.stack([1 - chance, chance], axis=1)

    def told(self, table: Table) -> np.ndarray:
        """Return (m,) answers."""
        return self(table)[0]


def prove(layout: Layout, thresholds: Mapping[str, float], rng: np.random.Generator) -> Canary:
    """Explain planted models, and have makers that err audited; all in the user's own rows and with his own terms.

    Args:
        layout: The user's rows, possible rows and terms.
        thresholds: ``min_flips`` and ``min_obeying``.
        rng: Draws rows, items and cuts.
    """
    tried, found, planted, alarms, clean = 0, 0, 0, 0, 0
    told = list[tuple[str, bool]]()
    for model in _models(layout, rng):
        question, least = _asked(layout, model, rng)
        if len(question.rows) < _LEAST:
            continue
        tried += 1
        given = ours(question, rng)
        seen = _audited(layout, question, given, model, rng)
        planted, found = planted + len(least), found + _met(seen, model, least)
        clean, alarms = clean + 1, alarms + (not (seen.held.all() and seen.obeys.all() and len(seen.origin)))
        if told or not len(given.origin):
            continue
        for name, made in _bad(question, given, model, layout):
            seen = _audited(layout, question, made, model, rng)
            planted, noticed = planted + 1, _is_told(seen, thresholds)
            found += noticed
            told.append((name, noticed))
    bad = sum(noticed for _, noticed in told)
    return Canary(
        kind="models that flip on one field, and makers that err",
        planted=planted,
        found=found,
        clean=clean,
        false_alarms=alarms,
        noticed=tried > 0 and bool(told) and bad == len(told) and not alarms and found >= NOTICED * planted,
        detail=f"{tried} models over these very rows that flip on one field alone: the change of that field, no dearer "
        f"than the nearest value known to flip it, must come first. Makers that {', '.join(dict(told)) or 'err'}: "
        f"{bad} of {len(told)} told. Known-good: this product's own on the planted models.",
    )


def _models(layout: Layout, rng: np.random.Generator) -> list[Planted]:
    """Return models on drawn items, a number among them where there are any."""
    domain, scored = layout.question.domain, layout.scored
    m = len(domain.numbers)
    numbers, blocks = rng.permutation(m), m + rng.permutation(len(domain.blocks))
    ahead = [*numbers[:1].tolist(), *rng.permutation(np.concatenate([numbers[1:], blocks])).astype(int).tolist()]
    known, made = domain.space.encode(layout.question.known), []
    for item in ahead[:MODELS]:
        columns = domain.columns_of(item)
        if item >= m:
            levels = domain.blocks[item - m].levels
            made.append(Planted(domain, item, levels=levels[rng.permutation(len(levels))[: len(levels) // 2]]))
            continue
        rising = bool(rng.random() < 0.5)
        rising = (rising or bool(domain.rises[columns[0]])) and not domain.falls[columns[0]]
        cells = known[:, columns[0]]
        cut = np.quantile(cells[np.isfinite(cells)], _CUTS[int(rising)], method="nearest")
        made.append(Planted(domain, item, float(cut), rising))
    return [replace(one, scored=scored) for one in made]


def _asked(layout: Layout, model: Planted, rng: np.random.Generator) -> tuple[Question, np.ndarray]:
    """Return a question over rows that the model says 0 to and that a change of its item turns, and what that costs."""
    given, domain = layout.question, layout.question.domain
    pool = given.known.take(np.sort(rng.permutation(len(given.known))[: 4 * _ROWS]))
    pool = replace(given.rows, rows=pool.rows, features=pool.features, target=pool.target, others=pool.others)
    answers, scores = model(pool)
    start, known = domain.space.encode(pool), domain.space.encode(given.known)
    columns = domain.columns_of(model.item)
    cells = np.unique(known[:, columns][~np.isnan(known[:, columns]).any(axis=1)], axis=0)
    least = np.full(len(pool), np.inf)
    kept = domain.kept(start, np.arange(len(pool)), pool)
    for level in _beyond(model, cells):
        changed = start.copy()
        changed[:, columns] = level
        made = domain.fitted(start, changed)
        here = np.arange(len(pool))
        prices = domain.prices(start, made)
        alone = (prices > 0).sum(axis=1) == 1
        turned = (model.told(domain.space.decode(made, here, pool)) == 1) & domain.possible(made, here, pool, kept)
        least = np.where(turned & alone, np.minimum(least, prices.sum(axis=1)), least)
    some = np.flatnonzero((answers == 0) & np.isfinite(least))[:_ROWS]
    wanted_ = wanted.of_classes(answers[some], 2, (1,))
    asked = replace(
        given, model=model, rows=pool.take(some), wanted=wanted_, answers=model.told(given.known),
        leads=wanted_.lead(np.arange(len(some)), scores[some]), purse=Purse(_QUESTIONS * len(some)),
        told=lambda _share: None,
    )  # fmt: skip
    return asked, least[some]


def _beyond(model: Planted, cells: np.ndarray) -> np.ndarray:
    """Return (L, k) cells known to turn the model: of a number the nearest to its cut."""
    if model.levels is not None:
        return model.levels
    over = cells[(cells[:, 0] > model.cut) if model.rising else (cells[:, 0] < model.cut)]
    return over[:1] if model.rising else over[-1:]


def _audited(layout: Layout, question: Question, given: Given, model: Planted, rng: np.random.Generator) -> Audit:
    return audit(question, given, model.told, layout.terms, rng)


def _met(seen: Audit, model: Planted, least: np.ndarray) -> int:
    """Return of how many rows the first counterfactual changes the very item, and costs no more than is known to do."""
    first = seen.first
    only = seen.changed[first, model.item] & (seen.changed[first].sum(axis=1) == 1)
    cheap = seen.cost[first] <= least[seen.origin[first]] + 1 / DIGIT + 1e-9
    return int((only & cheap & seen.held[first] & seen.obeys[first]).sum())


def _is_told(seen: Audit, thresholds: Mapping[str, float]) -> bool:
    pairs = ((seen.held, "min_flips"), (seen.obeys, "min_obeying"))
    return any(bounds(*seen.share(good), thresholds[key])[2] is Outcome.FAIL for good, key in pairs)


def _bad(question: Question, given: Given, model: Planted, layout: Layout) -> list[tuple[str, Given]]:
    """Return what makers would give that change nothing, change what they may not, or round after they asked."""
    idle = Given(question.rows.take(given.origin), given.origin)
    found = [("change nothing", idle), ("change what cannot be", _forbidden(question, given, layout))]
    if model.levels is None:
        values = question.domain.space.encode(given.rows)
        values[:, question.domain.columns_of(model.item)] = model.cut
        rounded = question.domain.space.decode(values, given.origin, question.rows)
        found.append(("round after they asked", Given(rounded, given.origin)))
    return found


def _forbidden(question: Question, given: Given, layout: Layout) -> Given:
    """Change a declared immutable column; with none, put a number beyond its range, or a text that was never seen."""
    frame, domain = given.rows.features.copy(), question.domain
    names = [str(column.name) for column in domain.space.columns]
    fixed = [name for name in names if layout.terms.declared.get(name, {}).get("immutable")]
    known = question.known.features
    for name in fixed:
        cells = known[name].dropna().drop_duplicates().iloc[:2]
        if len(cells) == 2:
            was = (frame[name].astype(object) == cells.iloc[0]).to_numpy(dtype=bool)
            frame[name] = cells.iloc[was.astype(np.int64)].reset_index(drop=True).astype(frame[name].dtype)
            return Given(given.rows.with_features(frame), given.origin)
    if len(domain.numbers):
        # a plain float holds it whatever the stored type: another type is as little possible
        at = int(domain.numbers[0])
        beyond = float(domain.high[at] + max(domain.high[at] - domain.low[at], 1.0))
        frame[names[at]] = np.full(len(frame), beyond)
        return Given(given.rows.with_features(frame), given.origin)
    at = int(domain.blocks[0].columns[0])
    frame[names[at]] = pd.Series([_UNSEEN] * len(frame), dtype=object)
    return Given(given.rows.with_features(frame), given.origin)
