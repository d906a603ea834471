"""Declared: what ``controls: {S4: ...}`` says of rows that are used while they are encrypted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from fivefold.errors import InputError, UnsupportedError
from fivefold.sharing.ciphertext import learning, scorer, settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fivefold.contract.check import Context
    from fivefold.sharing.ciphertext.learning import Learning
    from fivefold.sharing.ciphertext.scorer import Scorer
    from fivefold.sharing.ciphertext.settings import Settings

ROW = "S4"
MODEL = "controls.S4.model"
"""The fact in which the driver hands the scorer's text to a check."""
_KEYS = {"model", "training", "error", "settings", "traffic"}


@dataclass(frozen=True)
class Encrypted:
    """What is declared.

    Attributes:
        model: File of the scorer, below the application's folder; empty: the one that is learned.
        training: What is learned on encrypted rows; None: nothing.
        error: Most that a score may be off.
        settings: Of the encryption of scoring; None: the product picks.
        traffic: Data set with what another system's server was sent; empty: ours is what is used.
    """

    model: str
    training: Learning | None
    error: float
    settings: Settings | None
    traffic: str


def declared(context: Context) -> Encrypted:
    """Read the control.

    Raises:
        UnsupportedError: ``ciphertext.undeclared`` without it; ``ciphertext.declared`` if it cannot be kept.
    """
    options = (context.settings.controls or {}).get(ROW)
    if not options:
        raise UnsupportedError(
            "ciphertext.undeclared", "controls.S4 is not declared: nothing says what is asked or learned in secret.",
            remedy="Declare controls.S4 with `model` (the file of a scorer) or `training`.",
        )  # fmt: skip
    try:
        return told(options)
    except InputError as error:
        raise UnsupportedError("ciphertext.declared", error.message, remedy=error.remedy) from None


def told(options: Mapping[str, Any], where: str = "") -> Encrypted:
    """Read the control's options.

    Raises:
        InputError: ``ciphertext.declared``; as :func:`fivefold.sharing.ciphertext.learning.read`.
    """
    unknown = sorted(set(options) - _KEYS)
    if unknown:
        raise _fault(f"there is no option {unknown[0]!r}", where)
    model, traffic, training = options.get("model", ""), options.get("traffic", ""), options.get("training")
    if not isinstance(model, str) or not isinstance(traffic, str) or not isinstance(training, dict | None):
        raise _fault("model is a file, traffic a data set, training a mapping", where)
    if not model and training is None:
        raise _fault("neither `model` nor `training` is there", where)
    error = options.get("error", settings.MOST_ERROR)
    if isinstance(error, bool) or not isinstance(error, int | float) or not 1e-9 <= error <= 1:
        raise _fault("error is not a number from 1e-9 to 1", where)
    return Encrypted(
        model, None if training is None else learning.read(training, where), float(error),
        _settings(options.get("settings"), where), traffic,
    )  # fmt: skip


def _settings(told: Any, where: str) -> Settings | None:
    if told is None:
        return None
    try:
        return msgspec.convert(told, settings.Settings, strict=True)
    except msgspec.ValidationError as error:
        raise _fault(f"settings: {error}", where) from None


def served(told: Encrypted, context: Context) -> Scorer:
    """Return the scorer that is asked: the declared one, or one that is learned in the clear as declared.

    Raises:
        UnsupportedError: ``ciphertext.declared`` for a file that cannot be read; ``ciphertext.data``.
    """
    if told.training is not None and not told.model:
        x, y, _ = rows(told.training, context)
        return learning.scorer_of(told.training, learning.in_clear(told.training, x, y))
    text = (context.settings.facts or {}).get(MODEL)
    if not isinstance(text, str):
        raise UnsupportedError(
            "ciphertext.declared", f"the scorer {told.model} cannot be read.",
            remedy="Name a file of at most 1 MiB below the application's folder in controls.S4.model.",
        )  # fmt: skip
    try:
        return scorer.read(text.encode(), told.model)
    except InputError as error:
        raise UnsupportedError("ciphertext.declared", str(error), remedy=error.remedy) from None


def rows(training: Learning, context: Context) -> tuple[Any, Any, Any]:
    """Return (n, d) encoded rows, (n,) answers, and the table, of at most ``context.rows`` drawn rows.

    Raises:
        UnsupportedError: ``ciphertext.data``.
    """
    import numpy as np

    try:
        table = context.tables(training.data)
    except KeyError:
        raise UnsupportedError("ciphertext.data", f"there is no data set {training.data}.") from None
    if table.kind != "table":
        raise UnsupportedError("ciphertext.data", f"{training.data} is no table.", remedy="Learn from a table.")
    if len(table) > context.rows:
        table = table.take(np.sort(context.rng.choice(len(table), context.rows, replace=False)))
    frame = table.features.join(table.others[[name for name in table.others if name not in table.features]])
    frame = frame.assign(**{training.target: _target(table, training, context)})
    try:
        x, y = learning.answered(training, frame)
    except InputError as error:
        raise UnsupportedError("ciphertext.data", error.message, remedy=error.remedy) from None
    return x, y, table


def _target(table: Any, training: Learning, context: Context) -> Any:
    """Return the answers as labels: the stored column where it is one, else the class that each index stands for."""
    import numpy as np

    if training.target in table.features.columns or training.target in table.others.columns:
        return table.column(training.target)
    names = np.array([*context.settings.classes, None], dtype=object)
    if table.target.dtype.kind in "iu" and len(names) > 1:
        return names[table.target]
    return table.target


def _fault(text: str, where: str) -> InputError:
    return InputError("ciphertext.declared", f"controls.S4 cannot be kept: {text}.", where=where,
                      remedy="Mend controls.S4.")  # fmt: skip
