"""Tradeoff: what each epsilon and each step of doses leaves to the attacker, and how many doses are right."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from fivefold.cases.dosage.cohort import clinical
from fivefold.cases.dosage.harming import fit
from fivefold.cases.genetics.attacking import asked, by_answer, by_dose
from fivefold.cases.genetics.case import ROWS, drawn, near
from fivefold.cases.genetics.learning import EXACT, forest, private
from fivefold.protection.theft.shaping import Shaping

if TYPE_CHECKING:
    from fivefold.cases.genetics.attacking import Patients
    from fivefold.cases.genetics.case import Drawn
    from fivefold.cases.genetics.learning import Model
    from fivefold.protection.attribute.attack import Guess

EPSILONS = (0.1, 0.3, 1.0, 3.0, 10.0)
STEPS = (0.0, 2.5, 5.0, 10.0, 15.0, 20.0)
"""Weekly mg; 0: doses to a tenth."""
_NO_IDS = np.zeros((0, 2), dtype=np.uint64)


@dataclass
class Curves:
    """One value a cohort in each list, as shares.

    Attributes:
        epsilon: Name of a model to what it gives: lead on patients learned from, on others, doses right; doses to a
            tenth.
        step: Step to what it gives: lead of who reads a dose of the private model, on others; lead on patients that the
            forest learned from; doses of the private model that are right.
        clinical: Doses by the clinical rule, which knows no genes, that are right.
    """

    epsilon: dict[str, tuple[list[float], list[float], list[float]]] = field(default_factory=dict)
    step: dict[float, tuple[list[float], list[float], list[float]]] = field(default_factory=dict)
    clinical: list[float] = field(default_factory=list)


def curves(cohorts: int, seed: int, rows: int = ROWS) -> Curves:
    """Draw the first cohorts of a case again, and learn and attack at each epsilon and step."""
    found = Curves()
    for at in range(cohorts):
        _add(found, np.random.Generator(np.random.PCG64([seed, at])), rows)
    return found


def _add(found: Curves, rng: np.random.Generator, people: int) -> None:
    one = drawn(rng, people)
    rows, dose = one.rows[0], one.dose[0]
    models: dict[str, Model] = {"forest": forest(rows, dose, rng), "no privacy": fit(rows, dose)}
    models |= {f"{epsilon:g}": private(rows, dose, rng, epsilon) for epsilon in EPSILONS}
    for name, model in models.items():
        leads = [_lead(of, by_dose(of, *_said(of, model, EXACT), rng)) for of in one.victims]
        kept = found.epsilon.setdefault(name, ([], [], []))
        for to, value in zip(kept, (*leads, _right(one, model, EXACT)), strict=True):
            to.append(value)
    found.clinical.append(near(clinical(one.rows[1]), one.dose[1]) / people)
    raw = [(model(of.rows), asked(of, model)) for of, model in
           ((one.victims[1], models["1"]), (one.victims[0], models["forest"]))]  # fmt: skip
    for step in STEPS:
        shaping = Shaping(step=step) if step else EXACT
        (said, answers), (known, mine) = (
            (shaping.values(given, _NO_IDS, 1.0), shaping.values(each, _NO_IDS, 1.0)) for given, each in raw
        )
        read = _lead(one.victims[1], by_answer(one.victims[1], said, answers))
        memory = _lead(one.victims[0], by_dose(one.victims[0], known, mine, rng))
        kept = found.step.setdefault(step, ([], [], []))
        for to, value in zip(kept, (read, memory, _right(one, models["1"], shaping)), strict=True):
            to.append(value)


def _said(of: Patients, model: Model, shaping: Shaping) -> tuple[np.ndarray, np.ndarray]:
    return shaping.values(model(of.rows), _NO_IDS, 1.0), shaping.values(asked(of, model), _NO_IDS, 1.0)


def _lead(of: Patients, guess: Guess) -> float:
    held = ~of.world.fit
    right = [(given == of.world.codes)[held].mean() for given in (guess.given, of.base.given)]
    return float(right[0] - right[1])


def _right(one: Drawn, model: Model, shaping: Shaping) -> float:
    return near(shaping.values(model(one.rows[1]), _NO_IDS, 1.0), one.dose[1]) / len(one.dose[1])
