"""Signs: what says that an attack is weaker than it looks, and which attack to choose where that is so.

Source: Athalye, Carlini and Wagner 2018 (gradients that are masked, random or shattered); Carlini et al. 2019
(evaluating robustness); Tramer et al. 2020 (adaptive attacks).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.protection.evasion.engine import norms
from fivefold.stats.proportion import clopper_pearson

if TYPE_CHECKING:
    from fivefold.contract.subject import Loss
    from fivefold.protection.evasion.engine.trial import Trial

MOST = 64
"""Rows that are looked at."""

_CHANGED = 1e-3
_OFTEN = 0.1
_FLAT = 0.25
_MISLED = 0.25
_FAR_OFF = 5.0
_STRONGER = 0.005
_TIED = 0.02
_HAIR = 1e-6
_CORNERS = 4
_SATURATED = (1e-6, 30.0)
"""A cross-entropy outside of it has lost its digits."""


@dataclass(frozen=True)
class Signs:
    """Shares of the rows that were looked at.

    Attributes:
        looked: How many rows.
        random: The same question got another answer or gradient.
        flat: Loss to the share whose gradient is zero though the loss is not the same all around.
        misled: A small step along the gradient raised the loss by less than a fifth, or more than five times, of what
            the gradient says.
        tied: The answer changes with a millionth of each range.
        mute: The scores are the same at two places within reach.
    """

    looked: int = 0
    random: float = 0.0
    flat: tuple[tuple[str, float], ...] = ()
    misled: float = 0.0
    tied: float = 0.0
    mute: float = 0.0

    @property
    def is_random(self) -> bool:
        """Whether the model draws random numbers."""
        return self.random > _OFTEN

    @property
    def is_flat(self) -> bool:
        """Whether no loss has a gradient to follow."""
        return bool(self.flat) and min(share for _, share in self.flat) > _FLAT

    @property
    def is_misleading(self) -> bool:
        """Whether gradients do not say what the model does nearby."""
        return self.misled > _MISLED and not self.is_random

    @property
    def wants_answers(self) -> bool:
        """Whether an attack without gradients must be given all it can get."""
        return self.is_flat or self.is_misleading or self.is_random or self.mute > _FLAT

    @property
    def is_saturated(self) -> bool:
        """Whether the cross-entropy alone has no gradient to follow."""
        return not self.is_flat and any(share > _FLAT for loss, share in self.flat if loss == "cross-entropy")

    def notes(self) -> tuple[str, ...]:
        """Return what was seen and answered by the choice of attacks, so that a pass may stand."""
        told = []
        if self.is_saturated:
            share = dict(self.flat)["cross-entropy"]
            told.append(
                f"The cross-entropy has no gradient in {share:.0%} of {self.looked} rows (saturated logits); losses "
                "that do not change with the logits' scale were followed."
            )
        if self.mute > _FLAT:
            told.append(
                f"In {self.mute:.0%} of {self.looked} rows the scores are the same at two places within reach (steps, "
                "or saturated); attacks with answers alone were chosen."
            )
        return tuple(told)

    def reasons(self) -> tuple[str, ...]:
        """Return what says that gradients are not to be believed, in words."""
        told = []
        if self.is_random:
            told.append(
                f"The model is random: in {self.random:.0%} of {self.looked} rows the same question got another answer "
                "or gradient. Gradients were averaged, and a row counts as fallen when most of nine answers say so."
            )
        if self.is_flat:
            told.append(
                f"The gradient is zero in {min(share for _, share in self.flat):.0%} of {self.looked} rows for every "
                "loss (rounded, saturated or flat answers); attacks without gradients were chosen."
            )
        if self.is_misleading and not self.is_flat:
            told.append(
                f"In {self.misled:.0%} of {self.looked} rows a small step along the gradient does not do what the "
                "gradient says; attacks without gradients were chosen."
            )
        if self.tied > _TIED and not self.is_random:
            told.append(
                f"In {self.tied:.0%} of {self.looked} rows a change by a millionth of each range changes the answer: "
                "comparisons at the last digit decide."
            )
        return tuple(told)


def look(trial: Trial, rng: np.random.Generator, *, gradients: bool, scores: bool = False) -> Signs:
    """Look at some of the rows; nothing falls.

    Args:
        trial: The rows.
        rng: Which rows, and noise.
        gradients: Whether the model gives them.
        scores: Whether it gives those.
    """
    rows = np.sort(rng.permutation(len(trial.own))[:MOST])
    if not len(rows):
        return Signs()
    x, own = norms.anywhere(trial.field, rows, rng), trial.own[rows]
    twice = [trial.victim.labels(trial.field.whole(x, rows), rows) for _ in range(2)]
    random = twice[0] != twice[1]
    noise = rng.standard_normal(x.shape, dtype=np.float32).clip(-1, 1) * np.float32(_HAIR)
    tied = trial.ask(rows, np.clip(trial.field.start[rows] + noise, *trial.field.box(rows)), fells=False)
    flat, misled = list[tuple[str, float]](), np.zeros(len(rows), dtype=bool)
    if gradients:
        losses: tuple[Loss, ...] = ("cross-entropy", "margin")
        level = _level(trial, rows, rng)
        for loss in losses:
            _, slope = trial.slopes(rows, x, own, loss)
            flat.append((loss, float(((np.abs(slope).max(axis=1) < 1e-20) & ~level).mean())))
        value, slope = trial.slopes(rows, x, own, "margin")
        again, other = trial.slopes(rows, x, own, "margin")
        size = np.maximum(np.linalg.norm(slope, axis=1), 1e-20)
        random |= np.linalg.norm(slope - other, axis=1) > _CHANGED * size
        random |= np.abs(value - again) > _CHANGED * np.maximum(np.abs(value), 1e-12)
        misled = _misled(trial, rows, x, value, slope)
    mute = 0.0
    if scores and not gradients:
        there = norms.anywhere(trial.field, rows, rng)
        mute = float((trial.margins(rows, x, fells=False) == trial.margins(rows, there, fells=False)).mean())
    tied &= ~random
    return Signs(len(rows), float(random.mean()), tuple(flat), float(misled.mean()), float(tied.mean()), mute)


def _level(trial: Trial, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return (m,) whether the loss is the same at drawn corners, and not saturated: nothing is hidden there."""
    start, told = trial.field.start[rows], []
    for _ in range(_CORNERS):
        signs = np.where(rng.random(start.shape) < 0.5, -1, 1).astype(np.float32)
        there = norms.project(trial.field, rows, start + np.float32(trial.field.epsilon) * signs)
        told.append(trial.slopes(rows, there, trial.own[rows], "cross-entropy")[0])
    first = told[0]
    same = np.all([each == first for each in told], axis=0)
    return np.asarray(same & (first > _SATURATED[0]) & (first < _SATURATED[1]))


def _misled(trial: Trial, rows: np.ndarray, x: np.ndarray, value: np.ndarray, slope: np.ndarray) -> np.ndarray:
    """Return (m,) whether a small step up the slope changes the loss quite otherwise than the slope says."""
    field = trial.field
    least = 0.0 if field.step is None else float(field.step.max())
    step = np.float32(max(0.05 * field.epsilon, least))
    there = field.whole(np.clip(x + step * norms.steepest(slope, field.norm), *field.box(rows)), rows)
    here = field.whole(x, rows)
    promised = np.einsum("ij,ij->i", slope, there - here)
    got = trial.slopes(rows, there, trial.own[rows], "margin")[0] - value
    clear = promised > 1e-4 * np.maximum(np.abs(value), 1e-6)
    return np.asarray(clear & ((got < promised / _FAR_OFF) | (got > promised * _FAR_OFF)))


def stronger(trial: Trial, members: tuple[str, ...]) -> tuple[str, ...]:
    """Return a reason where attacks without gradients felled rows that gradients did not; else nothing.

    Args:
        trial: After all attacks.
        members: Names of those without gradients.
    """
    black = np.isin(trial.by, [at for at, name in enumerate(trial.attacks) if name in members])
    if not black.any() or float(clopper_pearson(int(black.sum()), len(black))[0]) <= _STRONGER:
        return ()
    told = f"Attacks without gradients felled {black.mean():.1%} of the rows that attacks with gradients did not fell"
    return (f"{told}: the gradients mislead.",)
