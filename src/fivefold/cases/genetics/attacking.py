"""Attacking: somebody who knows half of the patients guesses a gene of the other half, with the model and without.

He knows of everybody age, height, weight, sex, race, the two drugs and the dose that held the patient stable; of his
own half the genes, too. He never knows the other gene of those whom he attacks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import logsumexp

from fivefold.cases.dosage.cohort import ALLELES, UNKNOWN
from fivefold.cases.dosage.harming import fit
from fivefold.protection.attribute.attack import Guess, World, with_model, without
from fivefold.protection.membership.rows import encode
from fivefold.protection.membership.student import widen

if TYPE_CHECKING:
    import pandas as pd

    from fivefold.cases.genetics.learning import Model

TYPES = ("G/G", "A/G", "A/A")
"""Of VKORC1: what is guessed."""
_OTHERS = ("*1/*1", "*1/*2", "*1/*3", "*2/*2", "*2/*3", "*3/*3", "unknown")
_TINY = 1e-12


@dataclass(frozen=True)
class Patients:
    """Patients whose type is known to us, and how it is guessed without the model.

    Attributes:
        rows: (n, d) as the model is asked.
        dose: (n,) weekly mg that held them stable.
        world: Types, what is known of all, and which half is the attacker's own (``fit``).
        chances: (n, 3) how common each type is in the patient's race.
        others: (n, 7) the same of the other gene.
        base: The best guess without the model.
    """

    rows: pd.DataFrame
    dose: np.ndarray
    world: World
    chances: np.ndarray
    others: np.ndarray
    base: Guess


def patients(rows: pd.DataFrame, dose: np.ndarray, rng: np.random.Generator) -> Patients:
    """Deal half of the patients to the attacker, and let him guess the other half without the model.

    His best guess is the best on his own half: the usual type, a line or trees (as P3.attribute), or the type that fits
    best with a model of the dose that he makes of his own half, weighted by the published frequencies.
    """
    known = rows["vkorc1"].isin(TYPES).to_numpy()
    rows, dose = rows[known].reset_index(drop=True), dose[known]
    n = len(rows)
    own = np.zeros(n, dtype=bool)
    own[rng.permutation(n)[: n // 2]] = True
    told = np.sqrt(dose)
    about = encode(rows.drop(columns=["vkorc1", "cyp2c9"]), rng)
    design = widen(np.column_stack([about, (told - told.mean()) / told.std()]), int(own.sum()), rng)
    codes = np.argmax(rows["vkorc1"].to_numpy()[:, None] == np.array(TYPES, dtype=object), axis=1)
    world = World(design, codes, len(TYPES), own, int(rng.integers(2**31)))
    chances, others = frequencies(rows["race"].to_numpy())
    made = Patients(rows, dose, world, chances, others, without(world, rng))
    mine = fit(rows[own], dose[own])
    guesses = (made.base, inverted(made, fits(made, mine(rows), asked(made, mine))))
    return Patients(rows, dose, world, chances, others, max(guesses, key=lambda one: _right(world, one)))


def frequencies(race: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (n, 3) shares of the types of VKORC1 and (n, 7) of CYP2C9, "unknown" last, in each one's race.

    Source: alleles as :data:`ALLELES`, in Hardy-Weinberg proportions.
    """
    names, at = np.unique(race.astype(str), return_inverse=True)
    a, two, three = np.array([ALLELES[str(name)] for name in names]).T
    one = 1 - two - three
    pairs = np.stack([one * one, 2 * one * two, 2 * one * three, two * two, 2 * two * three, three * three], axis=1)
    other = np.column_stack([(1 - UNKNOWN) * pairs, np.full(len(names), UNKNOWN)])
    return np.stack([(1 - a) ** 2, 2 * a * (1 - a), a * a], axis=1)[at], other[at]


def asked(of: Patients, model: Model) -> np.ndarray:
    """Return (n, 3, 7) doses that a model gives to each patient with each type of either gene."""
    answers = [model(of.rows.assign(vkorc1=one, cyp2c9=two)) for one in TYPES for two in _OTHERS]
    return np.stack(answers, axis=1).reshape(len(of.rows), len(TYPES), len(_OTHERS))


def fits(of: Patients, said: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """Return (n, 3) log likelihood of the stable dose for each type: normal errors of the root, over the other gene.

    How far a model errs is seen on the attacker's own half.

    Args:
        of: The patients.
        said: (n,) doses that the model gives them as they are; only those of the attacker's own are looked at.
        answers: (n, 3, 7) as :func:`asked`.
    """
    own, root = of.world.fit, np.sqrt(of.dose)
    spread = max(float((root - np.sqrt(said))[own].std()), 0.05)
    likely = -0.5 * ((root[:, None, None] - np.sqrt(answers)) / spread) ** 2
    return np.asarray(logsumexp(likely + np.log(of.others + _TINY)[:, None], axis=2))


def inverted(of: Patients, likely: np.ndarray) -> Guess:
    """Return the type that fits best, weighted by published frequencies (Fredrikson et al. 2014, figure 3)."""
    logs = likely + np.log(of.chances)
    chances = np.exp(logs - logsumexp(logs, axis=1, keepdims=True))
    return Guess("what fits best, weighted by published frequencies", chances.argmax(axis=1), chances)


def by_dose(of: Patients, said: np.ndarray, answers: np.ndarray, rng: np.random.Generator) -> Guess:
    """Return the best guess that asks the model: an attack of P3.attribute if one leads on his own half, or inversion.

    Args:
        of: The patients.
        said: (n,) doses that the model gives them as they are.
        answers: (n, 3, 7) as :func:`asked`.
        rng: Folds.
    """
    likely = fits(of, said, answers)
    plain, best = inverted(of, likely), with_model(of.world, likely, of.base, rng)
    return plain if best is of.base else max((best, plain), key=lambda one: _right(of.world, one))


def by_answer(of: Patients, said: np.ndarray, answers: np.ndarray) -> Guess:
    """Return the guess of who also reads the dose that the model proposed to the patient: the types that give it.

    Args:
        of: The patients.
        said: (n,) doses proposed.
        answers: (n, 3, 7) as :func:`asked`.
    """
    same = (np.abs(answers - said[:, None, None]) < 1e-6) * of.others[:, None]
    chances = same.sum(axis=2) * (of.base.chances + _TINY)
    total = chances.sum(axis=1, keepdims=True)
    chances = np.where(total > 0, chances / np.where(total > 0, total, 1.0), of.base.chances)
    return Guess("types that give the proposed dose", chances.argmax(axis=1), chances)


def _right(world: World, guess: Guess) -> float:
    return float((guess.given == world.codes)[world.fit].mean())
