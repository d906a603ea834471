"""Fingerprint: questions that only the model itself, or a copy, answers its way; nothing is changed of the model.

Of many mixed rows those are kept that models trained on the same data - by the application's own training with other
seeds and other rows, and by other families - hardly ever answer as this one does. How often such models agree with it
is then measured on further ones, which had no part in the choice.

**p-value.** The agreements s_1 ... s_R of R held-back trainings and that of an independent suspect are taken for draws
of one distribution: (s - mean) / (sd sqrt(1 + 1/R)) follows a t with R - 1 degrees of freedom if it is normal
(prediction interval), with sd no smaller than that of independent questions. That is an approximation, unlike the
p-value of a mark; models trained independently on the same data are its test (see the page). A model that other
trainings reproduce answer for answer has no fingerprint, and is refused one.

Source: Cao et al. 2021, *IPGuard* (points near the boundary); Lukas et al. 2021 (panels of reference models).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from fivefold.contract.codec import canonical
from fivefold.errors import InputError, TrustError
from fivefold.traceability.watermark import questions
from fivefold.traceability.watermark.embedding import Reading

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.contract.subject import Subject, Table

_Member = Callable[["Table"], np.ndarray]
_BATCH, _BATCHES, _COUNT, _FEWEST = 10_000, 30, 100, 24
_OWN, _OTHERS, _HELD = 10, 2, 16
_MOST_ROWS = 20_000
_ALIKE = "It has no fingerprint of its own. Draw its training (seed, rows), or mark a network's weights."


class FingerprintOpening(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="fingerprint"):
    """What is secret until the fingerprint is claimed.

    Attributes:
        salt: 32 bytes, so that nothing can be guessed from the digest.
        inputs: The questions, as message pack of a batch.
        answers: The model's own, indices into ``classes``.
        classes: Labels in order.
        agree: Shares of these answers that each held-back training gave.
    """

    salt: bytes
    inputs: bytes
    answers: tuple[int, ...]
    classes: tuple[str, ...]
    agree: tuple[float, ...]
    version: int = 1


def take(context: Context) -> bytes:
    """Take the fingerprint of an application's model; runs in the process of a check.

    Raises:
        InputError: ``mark.inputs`` for a regression or texts, ``mark.training`` without a training of its own,
            ``mark.alike`` where other trainings answer alike.
        SubjectError: The model or its training fails.
    """
    subject, rng = context.subject, context.rng
    if subject is None or not subject.classes:
        raise InputError("mark.inputs", "only a model that answers with classes has such a fingerprint.",
                         remedy="Mark the weights of a network instead: fivefold model mark.")  # fmt: skip
    if not subject.capabilities.retrains:
        raise InputError("mark.training", "a fingerprint is what the model's own training does not repeat, and no "
                         "training is declared.", remedy="Name it under training.factory.")  # fmt: skip
    table = context.tables("train")
    table = table.take(np.sort(rng.permutation(np.flatnonzero(table.target >= 0))[:_MOST_ROWS]))
    chosen, own = _apart(subject, table, context)
    agree = []
    for at in range(_HELD):
        agree.append(float((_again(subject, table, rng, whole=bool(at % 2)).predict(chosen) == own).mean()))
        context.progress(0.5 + 0.5 * (at + 1) / _HELD, "measuring how often others agree")
    opening = FingerprintOpening(
        salt=secrets.token_bytes(32), inputs=questions.packed(chosen), answers=tuple(own.tolist()),
        classes=subject.classes, agree=tuple(agree),
    )  # fmt: skip
    if read(own, opening).p > 1e-6:
        raise InputError("mark.alike", f"other trainings give {np.mean(agree):.0%} of the answers that were to tell it "
                         "apart.", remedy=_ALIKE)  # fmt: skip
    return canonical(opening)


def read(said: np.ndarray, opening: FingerprintOpening) -> Reading:
    """Hold a suspect's answers against a fingerprint.

    Args:
        said: (n,) indices into the opening's classes, -1 for another answer.
        opening: Of the fingerprint.

    Raises:
        TrustError: ``mark.malformed``.
    """
    require(opening)
    own = np.array(opening.answers)
    if said.shape != own.shape:
        raise TrustError("mark.malformed", f"{len(said)} answers were given to {len(own)} questions.")
    right = int(((said == own) & (said >= 0)).sum())
    return Reading(right, len(own), p_of(right / len(own), np.array(opening.agree), len(own)), 1.0)


def require(opening: FingerprintOpening) -> None:
    """Check that an opening is one that :func:`take` can have made.

    Raises:
        TrustError: ``mark.malformed``.
    """
    kinds = len(opening.classes)
    well = len(opening.salt) == 32 and _FEWEST <= len(opening.answers) <= questions.MOST and opening.version == 1
    shares = len(opening.agree) >= 8 and all(0 <= one <= 1 for one in opening.agree)
    named = kinds == len(set(opening.classes)) >= 2 and all(0 <= one < kinds for one in opening.answers)
    if not (well and shares and named):
        raise TrustError("mark.malformed", "this is no opening of a fingerprint.")


def p_of(share: float, agree: np.ndarray, count: int) -> float:
    """Return the p-value of a share of agreements, by the prediction interval of a normal distribution.

    Args:
        share: Of the suspect, in [0, 1].
        agree: (R,) shares of held-back trainings.
        count: Questions; the spread is at least that of so many independent ones.
    """
    from scipy.special import stdtr

    size, mean = len(agree), float(agree.mean())
    least = float(np.sqrt(max(mean * (1 - mean), 1 / count) / count))
    spread = max(float(agree.std(ddof=1)), least) * float(np.sqrt(1 + 1 / size))
    return float(stdtr(size - 1, -(share - mean) / spread))


def _apart(subject: Subject, table: Table, context: Context) -> tuple[Table, np.ndarray]:
    """Return questions that no member of a panel answers as the model does, and the model's answers.

    The panel: the own training on all rows and on bootstraps, and three other families. Each member is asked only what
    those before it left over.

    Raises:
        InputError: ``mark.alike``, ``mark.inputs``.
    """
    rng, panel = context.rng, list[_Member]()
    for at in range(_OWN):
        panel.append(_again(subject, table, rng, whole=bool(at % 2)).predict)
        context.progress(0.3 * (at + 1) / _OWN, "training models to tell it from")
    for _ in range(_OTHERS):
        panel += questions.strangers(table, int(rng.integers(2**31)))
    parts: list[Table] = []
    answers: list[np.ndarray] = []
    asked = 0
    for at in range(_BATCHES):
        batch = questions.mixed(table, min(_BATCH, 20 * len(table)), rng)
        asked, said, left = asked + len(batch), subject.predict(batch), np.arange(len(batch))
        for member in panel:
            left = left[member(batch.take(left)) != said[left]] if len(left) else left
        parts.append(batch.take(left))
        answers.append(said[left])
        context.progress(0.3 + 0.2 * (at + 1) / _BATCHES, "looking for questions")
        if sum(map(len, parts)) >= _COUNT:
            break
    found, own = questions.joined(parts), np.concatenate(answers)
    if len(found) < _FEWEST:
        raise InputError("mark.alike", f"other trainings on the same rows answer as this model does: {len(found)} of "
                         f"{asked:,} questions tell it apart.", remedy=_ALIKE)  # fmt: skip
    kept = np.sort(rng.permutation(len(found))[:_COUNT])
    return found.take(kept), own[kept]


def _again(subject: Subject, table: Table, rng: np.random.Generator, *, whole: bool) -> Subject:
    rows = table if whole else table.take(np.sort(rng.integers(len(table), size=len(table))))
    return subject.retrain(rows, int(rng.integers(2**31)))
