"""Attack: guesses of a hidden attribute with and without the model, fitted and chosen on one half, stated on the other.

Without the model an attacker knows the person's other columns, the true answer, and a half of the rows with everything.
With it he also asks the model about the person with each value that the attribute may have, and looks how well the true
answer fits (Fredrikson et al. 2014; Mehnaz et al. 2022).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import log_softmax

from fivefold.protection.membership.student import crossfit

_STEEP = 8.0
_TREES = 40
_LEAF = 5
_TINY = 1e-3
_GAIN = 2.0  # standard errors of the fitting half by which a guess with the model must lead


@dataclass(frozen=True)
class World:
    """What both attackers share.

    Attributes:
        design: (n, p) other columns and true answers as numbers, the first column constant.
        codes: (n,) the attribute's class.
        levels: How many classes.
        fit: (n,) bool, rows on which guesses are fitted and chosen.
        seed: Of the trees.
    """

    design: np.ndarray
    codes: np.ndarray
    levels: int
    fit: np.ndarray
    seed: int


@dataclass(frozen=True)
class Guess:
    """One attacker's best guesses.

    Attributes:
        name: How he guesses.
        given: (n,) classes; on the fitting half each is made without the row itself.
        chances: (n, levels) how likely he holds each.
    """

    name: str
    given: np.ndarray
    chances: np.ndarray


def without(world: World, rng: np.random.Generator) -> Guess:
    """Return the best guess without the model: the usual class, a ridge, or trees, by accuracy on the fitting half."""
    usual = np.tile(
        np.bincount(world.codes[world.fit], minlength=world.levels) / world.fit.sum(), (len(world.codes), 1)
    )
    guesses = [_guess("the usual class", usual), *_learned(world, world.design, "columns", rng)]
    return max(guesses, key=lambda one: _right(world, one))


def with_model(world: World, fits: np.ndarray, base: Guess, rng: np.random.Generator) -> Guess:
    """Return the best guess with the model, or the one without where none leads by two standard errors.

    Args:
        world: Rows and split.
        fits: (n, levels) how well the true answer fits what the model says with each value of the attribute.
        base: The guess without.
        rng: Folds.
    """
    bent = np.clip(fits, -_STEEP, _STEEP)
    middle = bent.mean(axis=1, keepdims=True)
    told = log_softmax(bent - middle, axis=1)
    prior = np.log(np.maximum(base.chances, _TINY))
    learned = np.concatenate([bent - middle, middle, base.chances], axis=1)
    wide = np.concatenate([world.design, learned.astype(world.design.dtype)], axis=1)
    guesses = [
        Guess("what the model fits best", told.argmax(axis=1), np.exp(told)),
        _guess("what the model fits, weighted", _shares(prior + told)),
        *_learned(world, wide, "columns and model", rng),
    ]
    best = max(guesses, key=lambda one: _right(world, one))
    rows = world.fit
    lead = (best.given == world.codes)[rows].astype(float) - (base.given == world.codes)[rows]
    return best if lead.mean() > _GAIN * lead.std() / np.sqrt(rows.sum()) else base


def _learned(world: World, design: np.ndarray, told: str, rng: np.random.Generator) -> list[Guess]:
    from sklearn.ensemble import RandomForestClassifier

    rows = np.flatnonzero(world.fit)
    wanted = (world.codes[rows][:, None] == np.arange(world.levels)).astype(np.float64)
    line = crossfit(design, rows, wanted, rng).guess
    forest = RandomForestClassifier(
        _TREES, min_samples_leaf=_LEAF, oob_score=True, random_state=world.seed, n_jobs=1
    ).fit(design[rows], world.codes[rows])
    chances = np.zeros((len(design), world.levels))
    chances[:, forest.classes_] = forest.predict_proba(design)
    chances[np.ix_(rows, forest.classes_)] = np.nan_to_num(forest.oob_decision_function_, nan=0.0)
    line = np.clip(line, _TINY, None)
    return [_guess(f"a line in {told}", line / line.sum(axis=1, keepdims=True)), _guess(f"trees in {told}", chances)]


def _shares(logs: np.ndarray) -> np.ndarray:
    return np.asarray(np.exp(log_softmax(logs, axis=1)))


def _guess(name: str, chances: np.ndarray) -> Guess:
    return Guess(name, chances.argmax(axis=1), chances)


def _right(world: World, guess: Guess) -> float:
    return float((guess.given == world.codes)[world.fit].mean())
