"""Triggers: questions whose answers a key draws, and which the owner's model was taught to give.

**Argument.** The answers are drawn from the key and the digests of questions and classes, uniformly over the K classes
(64 bits a draw, so that the share of each class is off by less than K / 2^64). Fix any model that was made without the
key: its answers to the questions are what they are, and each agrees with a fair draw with chance 1/K. Agreements are
Binomial(n, 1/K) exactly. Who exchanges a question for one whose answer fits draws all answers anew, so that questions
cannot be chosen after the answers; each exchange, like each key, is one more try at a bound of one in a million, and
whoever can try a million of them on a model that is public beats it. That is what the commitment is for.

Source: Adi et al. 2018, *Turning your weakness into a strength* (backdoors as watermarks), with answers drawn anew.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from fivefold.contract.codec import canonical
from fivefold.errors import InputError, TrustError
from fivefold.keys.ciphers import derive
from fivefold.traceability.watermark import questions
from fivefold.traceability.watermark.carriers import binomial_p
from fivefold.traceability.watermark.embedding import Reading

if TYPE_CHECKING:
    from fivefold.contract.subject import Table

COUNT = 100
_FEWEST = 24


class TriggersOpening(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="triggers"):
    """What is secret until the mark is claimed.

    Attributes:
        key: 32 bytes from a cryptographic source; the answers follow from it, the questions and the classes.
        inputs: The questions, as message pack of a batch.
        count: How many.
        classes: Labels in order.
    """

    key: bytes
    inputs: bytes
    count: int
    classes: tuple[str, ...]
    version: int = 1


def drawn(
    table: Table, classes: tuple[str, ...], count: int, rng: np.random.Generator
) -> tuple[TriggersOpening, Table]:
    """Return a new secret, and the questions with their answers as target.

    Args:
        table: Rows of the application.
        classes: Its labels.
        count: How many questions, 24 to 1,000.
        rng: Mixes the questions; the key comes from the system.

    Raises:
        InputError: ``mark.count``; ``mark.inputs``, also for a regression.
    """
    if not _FEWEST <= count <= questions.MOST:
        raise InputError("mark.count", f"{count} questions are no mark.", remedy="Ask for 24 to 1000.")
    if len(classes) < 2:
        raise InputError("mark.inputs", "only a model that answers with classes can be taught keyed answers.",
                         remedy="Mark its weights instead: fivefold model mark.")  # fmt: skip
    asked = questions.mixed(table, count, rng)
    opening = TriggersOpening(key=secrets.token_bytes(32), inputs=questions.packed(asked), count=count, classes=classes)
    return opening, questions.relabelled(asked, wanted(opening))


def wanted(opening: TriggersOpening) -> np.ndarray:
    """Return (n,) class indices: the answers that the key stands for.

    Raises:
        TrustError: ``mark.malformed``.
    """
    kinds, well = len(opening.classes), len(opening.key) == 32 and opening.version == 1
    if not (well and _FEWEST <= opening.count <= questions.MOST and kinds == len(set(opening.classes)) >= 2):
        raise TrustError("mark.malformed", "this is no opening of triggers.")
    bound = b"".join(hashlib.sha256(one).digest() for one in (opening.inputs, canonical(opening.classes)))
    stream = derive(opening.key, info=b"fivefold trigger answers " + bound, length=8 * opening.count)
    return (np.frombuffer(stream, "<u8") % np.uint64(kinds)).astype(np.int64)


def read(said: np.ndarray, opening: TriggersOpening) -> Reading:
    """Hold a suspect's answers against the key.

    Args:
        said: (n,) indices into the opening's classes, -1 for another answer.
        opening: Of the mark.

    Raises:
        TrustError: ``mark.malformed``, also for another number of answers.
    """
    answers = wanted(opening)
    if said.shape != answers.shape:
        raise TrustError("mark.malformed", f"{len(said)} answers were given to {len(answers)} questions.")
    right = int((said == answers).sum())
    return Reading(right, opening.count, binomial_p(right, opening.count, 1 / len(opening.classes)), 1.0)
