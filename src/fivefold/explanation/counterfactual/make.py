"""Make: several counterfactuals of each row, few and small changes, each in other fields; a maker of its own.

Source: Wachter, Mittelstadt and Russell 2018 (cost in median absolute deviations); Mothilal, Sharma and Tan 2020
(diverse counterfactuals); Poyiadzi et al. 2020 and Keane and Smyth 2020 (towards rows that occur); Ustun, Spangher and
Liu 2019 (what may be changed, and which way).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from fivefold.explanation.counterfactual import propose
from fivefold.explanation.counterfactual.question import Given, Purse
from fivefold.explanation.counterfactual.refine import refined
from fivefold.explanation.counterfactual.search import HAIR, Search, joined

if TYPE_CHECKING:
    from fivefold.explanation.counterfactual.question import Question
    from fivefold.explanation.counterfactual.search import Tries

_SPARE = 3
"""Of each row and kind of proposal, how many more are refined than may be given."""

_ROUNDS = 2

_CELLS = 2_000_000
"""Most cells of proposals that are held at once."""

_GUESSED = 16
"""Most items that are changed at once on the strength of what known rows tell."""


def ours(question: Question, _rng: np.random.Generator) -> Given:
    """Make counterfactuals, block by block of rows, so that memory is bounded; a :class:`Maker` that draws nothing."""
    n, purse = len(question.rows), question.purse
    cells = max(purse.rows * question.rows.features.shape[1] // max(n, 1), 1)
    # where calls are counted, all rows share them
    size = max(n, 1) if purse.calls is not None else max(_CELLS // cells, 1)
    rows, values = [], []
    for start in range(0, n, size):
        part = _block(question, np.arange(start, min(start + size, n)))
        chosen = _made(part)
        rows.append(chosen.rows + start)
        values.append(chosen.values)
        purse.spend(part.purse)
    origin = np.concatenate(rows)
    made = question.domain.space.decode(np.concatenate(values), origin, question.rows)
    return Given(made, origin)


def _block(question: Question, some: np.ndarray) -> Question:
    """Return the question about some rows, with their share of what the purse still holds."""
    n, purse = len(question.rows), question.purse
    own = Purse(purse.rows * len(some) // (n - int(some[0])), purse.calls, purse.batch)
    return replace(
        question, rows=question.rows.take(some), wanted=question.wanted.take(some), leads=question.leads[some],
        purse=own, told=lambda share: question.told((some[0] + share * len(some)) / n),
    )  # fmt: skip


def _made(question: Question) -> Tries:
    """Return the counterfactuals of a block.

    All rows advance at once. Single items over values that were seen; what helped by itself, together (scores only);
    the nearest known rows with a wanted answer. Whatever is answered as wanted is made sparse, small and round, and of
    each row the cheapest with different sets of changed items are given. Where there are too few, known rows are tried
    again without the items that stand in what was found; where there are none, several items go to where known rows
    are more often answered as wanted, and more known rows are tried.
    """
    search = Search(question)
    known = search.domain.space.encode(question.known)
    tries = propose.affordable(search, propose.aims(search, known), known, question.answers)
    found = [search.nothing()]
    if tries:
        alone = propose.singles(search, tries, question.leads)
        question.told(0.3)
        found.append(_refined(search, alone.hits(search), question.several))
        found += [
            _refined(search, propose.together(search, alone, worth).hits(), question.several)
            for worth in (alone.gain, alone.gain / np.maximum(alone.effort, HAIR))
        ]
    question.told(0.5)
    found.append(_refined(search, propose.neighbours(search, question, known).hits(), question.several))
    question.told(0.6)
    missing = np.setdiff1d(np.arange(len(search.start)), np.concatenate([one.rows for one in found]))
    guess = propose.learned(search, question, known, propose.aims(search, known), missing)
    more = propose.together(search, guess, guess.gain, most=_GUESSED)
    found.append(_refined(search, more.hits(), question.several))
    missing = np.setdiff1d(missing, more.hits().rows)
    more = propose.neighbours(search, question, known, far=missing)
    found.append(_refined(search, more.hits(), question.several))
    question.told(0.7)
    for _ in range(_ROUNDS):
        chosen = _chosen(search, joined(found), question.several)
        without = np.zeros((len(search.start), search.domain.items), dtype=bool)
        changed = search.prices(chosen.rows, chosen.values) > 0
        np.logical_or.at(without, chosen.rows, changed)
        short = np.bincount(chosen.rows, minlength=len(search.start)) < question.several
        without[~short] = True  # nothing may be changed: they are not asked again
        more = propose.neighbours(search, question, known, without=without)
        if not more.met.any():
            break
        found.append(_refined(search, more.hits(), question.several))
    chosen = _chosen(search, joined(found), question.several)
    question.told(1.0)
    return chosen


def _refined(search: Search, hits: Tries, several: int) -> Tries:
    """Refine the most promising candidates of each row: those of least effort."""
    if not len(hits.rows):
        return hits
    order = np.lexsort((search.effort(hits.rows, hits.values), hits.rows))
    rows = hits.rows[order]
    rank = np.arange(len(rows)) - np.searchsorted(rows, rows)
    return refined(search, hits.take(order[rank < several + _SPARE]))


def _chosen(search: Search, hits: Tries, several: int) -> Tries:
    """Return for each row the cheapest changes, no set of changed items within another of the same row.

    What changes all that a cheaper one changes, and more, tells nothing new.
    """
    n = len(search.start)
    effort = search.effort(hits.rows, hits.values)
    changed = search.prices(hits.rows, hits.values) > 0
    order = np.lexsort((effort, hits.rows))
    left, taken = np.ones(len(order), dtype=bool), []
    for _ in range(several):
        standing = order[left[order]]
        rows, first = np.unique(hits.rows[standing], return_index=True)
        if not len(rows):
            break
        picked = standing[first]
        taken.append(picked)
        of_row = np.full(n, -1)
        of_row[rows] = picked
        mine = of_row[hits.rows]
        within = (changed | ~changed[mine]).all(axis=1)
        left &= ~((mine >= 0) & within)
    some = np.concatenate(taken) if taken else np.empty(0, dtype=np.int64)
    return hits.take(some[np.lexsort((effort[some], hits.rows[some]))])
