"""Attack: the words that carry an answer, changed one after the other, all texts at once.

Words are ranked by what the answer loses where each is left out (Li et al. 2019; Jin et al. 2020; Gao et al. 2018 for
misspellings), and changed greedily within a budget of words. Of labels alone nothing is lost until they flip: there a
linear surrogate, taught by the answers to public texts, ranks, and what flips where many words are left out at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from fivefold.protection.evasion.texts.words import Text, variants

if TYPE_CHECKING:
    from collections.abc import Callable

_BATCH = 1000
_LEFT_OUT = 0.05, 0.6
_TRUST = 0.05
_SETS = 8
_MORE = 6


@dataclass(frozen=True)
class Victim:
    """A model that is asked for texts.

    Attributes:
        answer: Texts and the row of each, to (m,) whether the answer is no longer the row's, and (m,) how much is left
            of it (None: labels alone).
        guess: The same left over as a surrogate guesses it; used where the model tells nothing.
    """

    answer: Callable[[list[str], np.ndarray], tuple[np.ndarray, np.ndarray | None]]
    guess: Callable[[list[str], np.ndarray], np.ndarray] | None = None

    def ask(self, make: Callable[[int], str], rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return whether answers have changed, and what is left of them; texts are made a batch at a time."""
        met, left = np.zeros(len(rows), dtype=bool), np.zeros(len(rows))
        for start in range(0, len(rows), _BATCH):
            part = np.arange(start, min(start + _BATCH, len(rows)))
            texts = [make(int(at)) for at in part]
            met[part], told = self.answer(texts, rows[part])
            left[part] = self.guess(texts, rows[part]) if told is None and self.guess is not None else told
        return met, left


@dataclass
class Campaign:
    """Texts under attack.

    Attributes:
        texts: As they are now.
        budget: (n,) words that may be changed in each.
        questions: Most for each text.
        spent: (n,) questions asked.
        changed: (n,) words changed.
        fallen: (n,) bool.
    """

    texts: list[Text]
    budget: np.ndarray
    questions: int
    spent: np.ndarray = field(init=False)
    changed: np.ndarray = field(init=False)
    fallen: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        """Begin with nothing done."""
        n = len(self.texts)
        self.spent, self.changed = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
        self.fallen = np.zeros(n, dtype=bool)

    def may(self, row: int) -> bool:
        """Return whether another word of a text may be changed."""
        open_ = self.spent[row] < self.questions and self.changed[row] < self.budget[row]
        return bool(open_ and not self.fallen[row])


def attack(
    victim: Victim,
    campaign: Campaign,
    rng: np.random.Generator,
    told: Callable[[float], None] = lambda _share: None,
) -> None:
    """Change words until texts fall, or budgets are spent.

    Args:
        victim: The model.
        campaign: Texts; they and its counts are changed.
        rng: Words that are looked at, and misspellings.
        told: Called with the share done.
    """
    order, left = _told(victim, campaign, rng) if victim.guess is None else _felt(victim, campaign, rng)
    whole = list(campaign.texts)
    longest = max((len(one) for one in order), default=0)
    for turn in range(longest):
        rows = [row for row, places in enumerate(order) if turn < len(places) and campaign.may(row)]
        if not any(campaign.may(row) for row in range(len(order))):
            break
        tried = [
            (row, campaign.texts[row].put(order[row][turn], word))
            for row in rows
            for word in variants(campaign.texts[row].pieces[order[row][turn]], rng)
        ]
        _take(victim, campaign, tried, left)
        told(0.7 * (turn + 1) / longest)
    _gambled(victim, campaign, whole, order, rng)
    told(1.0)


def _take(victim: Victim, campaign: Campaign, tried: list[tuple[int, Text]], left: np.ndarray) -> None:
    """Ask for changed texts, and keep of each row the one that leaves least, where that is less than before.

    Of labels alone it is not known what is left; words are in an order, and each is changed.
    """
    if not tried:
        return
    rows = np.array([row for row, _ in tried])
    met, less = victim.ask(lambda at: str(tried[at][1]), rows)
    np.add.at(campaign.spent, rows, 1)
    less = np.where(met, -np.inf, less)
    best = np.lexsort((less, rows))
    best = best[np.unique(rows[best], return_index=True)[1]]
    keep = met[best] | (less[best] < left[rows[best]]) | (victim.guess is not None)
    for at in best[keep]:
        row = int(rows[at])
        campaign.texts[row], left[row] = tried[at][1], less[at]
        campaign.changed[row] += 1
        campaign.fallen[row] = met[at]


def _gambled(
    victim: Victim, campaign: Campaign, whole: list[Text], order: list[list[int]], rng: np.random.Generator
) -> None:
    """Spend what is left of the questions on sets of words drawn from those that carry most, each set whole at once."""
    while True:
        open_ = (~campaign.fallen) & (campaign.spent + _SETS <= campaign.questions) & (campaign.budget > 0)
        rows = [int(row) for row in np.flatnonzero(open_) if order[row]]
        if not rows:
            return
        _round(victim, campaign, rows, [_drawn(whole[row], order[row], int(campaign.budget[row]), rng)
                                        for row in rows for _ in range(_SETS)])  # fmt: skip


def _round(victim: Victim, campaign: Campaign, rows: list[int], tried: list[tuple[Text, int]]) -> None:
    """Ask for ``_SETS`` changed texts of each row; the first one that flips the answer counts."""
    asked = np.repeat(rows, _SETS)
    met, _ = victim.ask(lambda at: str(tried[at][0]), asked)
    campaign.spent[rows] += _SETS
    hit, first = np.unique(asked[met], return_index=True)
    for row, at in zip(hit, np.flatnonzero(met)[first], strict=True):
        campaign.fallen[row], (campaign.texts[row], campaign.changed[row]) = True, tried[at]


def _drawn(text: Text, order: list[int], budget: int, rng: np.random.Generator) -> tuple[Text, int]:
    """Return a text with a set of its words changed, and how many."""
    likely = order[: 2 * budget + _MORE]
    chosen = rng.permutation(len(likely))[:budget]
    for at in chosen:
        told = variants(text.pieces[likely[at]], rng)
        if told:
            text = text.put(likely[at], told[int(rng.integers(len(told)))])
    return text, len(chosen)


def _told(victim: Victim, campaign: Campaign, rng: np.random.Generator) -> tuple[list[list[int]], np.ndarray]:
    """Return the places of each text's words, the one that carries most first, and (n,) what is left of each answer."""
    looked = [_some(text.places, campaign.questions // 2, rng) for text in campaign.texts]
    rows = np.repeat(np.arange(len(looked)), [len(one) for one in looked])
    where = np.concatenate([*looked, np.empty(0, dtype=np.int64)])
    left = victim.ask(lambda at: str(campaign.texts[at]), np.arange(len(looked)))[1]
    less = victim.ask(lambda at: str(campaign.texts[rows[at]].put(int(where[at]), "")), rows)[1]
    np.add.at(campaign.spent, rows, 1)
    parts = np.split(less, np.cumsum([len(one) for one in looked])[:-1])
    return [_by(places, mine) for places, mine in zip(looked, parts, strict=True)], left


def _felt(victim: Victim, campaign: Campaign, rng: np.random.Generator) -> tuple[list[list[int]], np.ndarray]:
    """Do the same where labels alone are told: many words are left out at once, and it is seen when the label flips.

    What a flip says of each word is a ridge regression about what a surrogate of public texts says (Ribeiro, Singh and
    Guestrin 2016); words that do not seem to carry the answer are left alone.
    """
    each = campaign.questions // 2
    looked = [np.array(text.places, dtype=np.int64) for text in campaign.texts]
    gone = [rng.random((each, len(one))) < rng.uniform(*_LEFT_OUT, (each, 1)) for one in looked]
    rows = np.repeat(np.arange(len(looked)), each)

    def thinned(at: int) -> str:
        row, which = divmod(at, each)
        pieces = list(campaign.texts[row].pieces)
        for place in looked[row][gone[row][which]]:
            pieces[place] = ""
        return "".join(pieces)

    met, less = victim.ask(thinned, rows)
    np.add.at(campaign.spent, rows, 1)
    left = _guessed(victim, campaign)
    order = []
    for row, places in enumerate(looked):
        mine = slice(row * each, (row + 1) * each)
        order.append(_carrying(places, gone[row], met[mine], left[row] - less[mine]))
    return order, left


def _guessed(victim: Victim, campaign: Campaign) -> np.ndarray:
    if victim.guess is None:
        return np.zeros(len(campaign.texts))
    return victim.guess([str(text) for text in campaign.texts], np.arange(len(campaign.texts)))


def _carrying(places: np.ndarray, gone: np.ndarray, met: np.ndarray, guess: np.ndarray) -> list[int]:
    """Return the places that seem to carry a label, the one that carries most first.

    Args:
        places: (w,).
        gone: (q, w) bool, what was left out.
        met: (q,) bool, whether the label flipped.
        guess: (q,) what a surrogate thinks that was lost.
    """
    if not len(places):
        return []
    design = gone - gone.mean(axis=0)
    size = np.eye(len(places))
    prior = np.linalg.solve(design.T @ design + size, design.T @ (guess - guess.mean()))
    flips = met - met.mean()
    thought = design @ prior
    scale = max(0.0, float(thought @ flips)) / (float(thought @ thought) + 1e-12)
    rest = np.linalg.solve(design.T @ design + _TRUST * len(met) * size, design.T @ (flips - scale * thought))
    worth = scale * prior + rest if met.any() else prior
    return _by(places[worth > 0], -worth[worth > 0])


def _some(places: tuple[int, ...], most: int, rng: np.random.Generator) -> np.ndarray:
    kept = np.sort(rng.permutation(len(places))[: max(1, most)])
    return np.array(places, dtype=np.int64)[kept]


def _by(places: np.ndarray, left: np.ndarray) -> list[int]:
    return [int(place) for place in places[np.argsort(left, kind="stable")]]
