"""Answers: what an attacker gets from the model for a row, as numbers that grow with suspicion."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from fivefold.contract.subject import Subject, Task
    from fivefold.protection.membership.rows import Pool

_TINY = 1e-9
_STEEP = 8.0
_MOST_CLASSES = 24


@dataclass(frozen=True)
class Answers:
    """The model's answers for the pool, members first.

    Attributes:
        task: Task of the subject.
        target: (n,) truth: class index or value.
        scores: (n, K) probabilities; None where the model gives labels or values only.
        labels: (n,) predicted classes or values.
        classes: Number of classes; 0 for regression.
        shadows: (s, n) the same confidence as :func:`confidence` from models that the application trained on
            known halves of the pool; None without them.
        inside: (s, n) bool, whether the row was in that half.
        nearby: (t, n) answers for slightly altered copies of the row: confidence in the row's truth, or the
            value for regression; None where the model answers for known rows only.
    """

    task: Task
    target: np.ndarray
    scores: np.ndarray | None
    labels: np.ndarray
    classes: int
    shadows: np.ndarray | None = None
    inside: np.ndarray | None = None
    nearby: np.ndarray | None = None

    def permuted(self, order: np.ndarray) -> Answers:
        """Return the answers in another order of rows."""
        return replace(
            self,
            target=self.target[order],
            scores=None if self.scores is None else self.scores[order],
            labels=self.labels[order],
            shadows=None if self.shadows is None else self.shadows[:, order],
            inside=None if self.inside is None else self.inside[:, order],
            nearby=None if self.nearby is None else self.nearby[:, order],
        )


def ask(subject: Subject, rows: Pool) -> Answers:
    """Ask the model once for each row of the pool.

    Raises:
        SubjectError: The model misbehaved.
    """
    classes = len(subject.classes)
    target = rows.target
    if subject.task == "regression" or not subject.capabilities.scores:
        labels = np.concatenate([subject.predict(rows.members), subject.predict(rows.others)])
        return Answers(subject.task, target, None, labels, classes)
    scores = np.concatenate([subject.predict_proba(rows.members), subject.predict_proba(rows.others)])
    return Answers(subject.task, target, scores, scores.argmax(axis=1), classes)


def log_odds(scores: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return (n,) log odds of the true class, stable near 1 (Carlini et al. 2022, section 4.2)."""
    at = np.arange(len(target))
    true = scores[at, target]
    rest = np.maximum(scores.sum(axis=1) - true, 0.0)
    return np.asarray(np.log(true + _TINY) - np.log(rest + _TINY))


def confidence(answers: Answers) -> np.ndarray:
    """Return (n,) how well the answer fits the truth: log odds, correctness or minus the log residual."""
    if answers.scores is not None:
        return log_odds(answers.scores, answers.target)
    if answers.task == "regression":
        residual = np.abs(answers.target - answers.labels)
        scale = float(np.median(residual)) or float(residual.mean()) or 1.0
        return np.asarray(-np.log(residual / scale + 1e-3))
    return np.asarray(answers.labels == answers.target, dtype=np.float64)


def direct(answers: Answers) -> dict[str, np.ndarray]:
    """Return attacks that need nothing but the answer and the truth, each (n,), larger: more like a member.

    ``loss`` is Yeom et al. 2018, ``modified entropy`` Song and Mittal 2021 (equation 6), ``margin`` the lead of the
    true class. Labels only: ``gap`` (correct or not).
    """
    if answers.scores is None:
        return {"residual" if answers.task == "regression" else "gap": confidence(answers)}
    scores, target = answers.scores, answers.target
    at = np.arange(len(target))
    true = scores[at, target]
    others = scores.copy()
    others[at, target] = -1.0
    lead = true - others.max(axis=1)
    clipped = np.clip(scores, _TINY, 1.0)
    absent = np.log(np.clip(1.0 - scores, _TINY, 1.0))
    rest = (scores * absent).sum(axis=1) - true * absent[at, target]
    entropy = -(1.0 - true) * np.log(clipped[at, target]) - rest
    return {"loss": log_odds(scores, target), "modified entropy": -entropy, "margin": lead}


def student_targets(answers: Answers, rows: np.ndarray) -> np.ndarray:
    """Return (k, m) what a student learns from the answers for ``rows``: the expected answer at x.

    With scores: clipped log odds of each class. Labels only: indicators of the predicted class. Regression: the
    prediction itself. The last column is the expected :func:`confidence`.
    """
    fit: np.ndarray = np.clip(confidence(answers)[rows], -_STEEP, _STEEP)
    if answers.task == "regression":
        return np.column_stack([answers.labels[rows], fit])
    if answers.classes > _MOST_CLASSES:
        return fit[:, None]
    if answers.scores is None:
        return np.column_stack([answers.labels[rows][:, None] == np.arange(answers.classes), fit]).astype(np.float64)
    scores = answers.scores[rows]
    odds = np.log(scores + _TINY) - np.log(np.maximum(1.0 - scores, 0.0) + _TINY)
    return np.column_stack([np.clip(odds, -_STEEP, _STEEP), fit])


def truth_targets(answers: Answers, rows: np.ndarray) -> np.ndarray:
    """Return (k, m) what a reference that never asks the model learns: indicators of the truth, or the value."""
    target = answers.target[rows]
    if answers.task == "regression" or answers.classes > _MOST_CLASSES:
        return np.asarray(target[:, None], dtype=np.float64)
    return np.asarray(target[:, None] == np.arange(answers.classes), dtype=np.float64)


def calibrated(answers: Answers, expected: np.ndarray, reference: np.ndarray) -> dict[str, np.ndarray]:
    """Return attacks that subtract the difficulty of the row, each (n,) (after Watson et al. 2022).

    Args:
        answers: The model's answers.
        expected: (n, m) the student's view of the model at x (see :func:`student_targets`).
        reference: (n, r) the reference's view of the truth at x (see :func:`truth_targets`).
    """
    fit = np.clip(confidence(answers), -_STEEP, _STEEP)
    found = {"calibrated loss": fit - expected[:, -1]}
    if answers.task == "regression":
        found |= _pulls(answers, expected[:, 0], reference[:, 0])
    elif answers.classes <= _MOST_CLASSES:
        at = np.arange(len(fit))
        found["distance from student"] = fit - expected[at, answers.target]
        chance = np.clip(reference[at, answers.target], 0.03, 0.97)
        easy = np.log(chance) - np.log1p(-chance) if answers.scores is not None else chance
        found["distance from reference"] = fit - easy
    return found


def _pulls(answers: Answers, student: np.ndarray, reference: np.ndarray) -> dict[str, np.ndarray]:
    """Return how far a regression is pulled from what others would say towards the truth, in units of spread."""
    truth, answer = answers.target, answers.labels
    spread = float(np.std(truth)) or 1.0
    nearer = np.abs(truth - reference) - np.abs(truth - answer)
    return {
        "distance from student": (answer - student) * np.sign(truth - student) / spread,
        "distance from reference": nearer / spread,
    }


def against_neighbours(answers: Answers) -> dict[str, np.ndarray]:
    """Return the attack that compares a row with its neighbours, (n,); empty without them."""
    if answers.nearby is None:
        return {}
    if answers.task == "regression":
        usual, spread = answers.nearby.mean(axis=0), float(np.std(answers.target)) or 1.0
        return {
            "distance from neighbours": (answers.labels - usual) * np.sign(answers.target - usual) / spread,
        }
    fit = np.clip(confidence(answers), -_STEEP, _STEEP)
    return {"distance from neighbours": fit - np.clip(answers.nearby, -_STEEP, _STEEP).mean(axis=0)}


def against_shadows(answers: Answers) -> dict[str, np.ndarray]:
    """Return the attacks that shadow models allow, each (n,); empty without shadows.

    ``shadow distance`` is the target's confidence minus the mean of the models that had not seen the row (LiRA
    offline with a pooled variance; Carlini et al. 2022, section 5.2). ``shadow position`` measures the same
    distance in steps of what training on this very row does.
    """
    if answers.shadows is None or answers.inside is None:
        return {}
    seen = np.clip(answers.shadows, -_STEEP, _STEEP)
    fit = np.clip(confidence(answers), -_STEEP, _STEEP)
    within = (seen * answers.inside).sum(axis=0) / np.maximum(answers.inside.sum(axis=0), 1)
    outside = (~answers.inside).sum(axis=0)
    without = np.where(outside > 0, (seen * ~answers.inside).sum(axis=0) / np.maximum(outside, 1), within)
    step = np.maximum(within - without, 0.0)
    usual = float(step.mean()) + 1e-3
    return {
        "shadow distance": fit - without,
        "shadow position": (fit - (within + without) / 2) * (step + 0.5 * usual),
    }
