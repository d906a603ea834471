"""Setting: an application's rows, what the model says to them, and the ladder it declares, as a check sees them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fivefold.adaptation.fallback.opening import opened
from fivefold.adaptation.fallback.terms import MODELS, Terms, terms
from fivefold.errors import InputError, UnsupportedError
from fivefold.subject.rows import cut, of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fivefold.adaptation.fallback.ladder import Ladder
    from fivefold.contract.check import Context
    from fivefold.contract.subject import Subject, Table
    from fivefold.subject.rows import Rows

Model = tuple[np.ndarray, np.ndarray | None]
_FEWEST = 50


@dataclass(frozen=True)
class Part:
    """Labelled rows with what the model says to them: (n,) truth and answers, (n, K) scores or None."""

    rows: Rows
    truth: np.ndarray
    model: Model

    def __len__(self) -> int:
        return len(self.truth)

    def with_truth(self, truth: np.ndarray) -> Part:
        """Return the same rows with another truth."""
        return Part(self.rows, truth, self.model)


@dataclass(frozen=True)
class Setting:
    """What the checks of C3 rest on.

    Attributes:
        options: ``controls.C3``; None: it is not declared.
        classes: Empty for a regression.
        calibration: Rows for the thresholds.
        test: Rows for the figures.
        training: Rows and truth for the simpler model; None: there are none.
        table: The rows of ``test``, to be asked again.
    """

    options: Mapping[str, Any] | None
    classes: tuple[str, ...]
    calibration: Part
    test: Part
    training: tuple[Rows, np.ndarray] | None
    table: Table

    @property
    def measured(self) -> dict[str, Any]:
        """The options without the rungs that a check cannot ask: the ensemble, rules and people."""
        given = {name: value for name, value in (self.options or {}).items() if name != "rules"}
        levels = given.get("levels", ["model"])
        if isinstance(levels, list | tuple) and all(isinstance(level, str) for level in levels):
            given["levels"] = [level for level in levels if level in MODELS and level != "ensemble"]
        return given

    def ladder(self, calibration: Part | None = None) -> Ladder:
        """Return the ladder, on other calibration rows if some are given.

        Raises:
            UnsupportedError: Its terms cannot be kept: the finding is ``not-run`` with the reason.
        """
        part = calibration or self.calibration
        try:
            given = (part.rows, part.truth)
            return opened(self.measured, self.classes, given, part.model, training=self.training)
        except InputError as error:
            raise UnsupportedError(error.code, error.message, remedy=error.remedy) from None

    def terms(self) -> Terms:
        """Return what is declared, defaults filled in."""
        return terms(self.measured, regression=not self.classes, columns=_columns(self.test.rows))


def gather(context: Context) -> Setting:
    """Ask the model everything that the checks need.

    Raises:
        UnsupportedError: ``fallback.subject``, ``fallback.rows``, ``fallback.calibration``, ``fallback.tolerance``.
        SubjectError: The model misbehaved.
    """
    subject, options = context.subject, (context.settings.controls or {}).get("C3")
    if subject is None:
        raise UnsupportedError("fallback.subject", "there is no model to ask.")
    if not subject.classes and not (options or {}).get("tolerance"):
        raise UnsupportedError(
            "fallback.tolerance", "it is not said by how much an answer may be off.",
            remedy="Declare controls.C3.tolerance.",
        )  # fmt: skip
    table = _rows(context, subject, "test")
    test = _part(table, subject)
    try:
        calibration = _part(_rows(context, subject, "calibration"), subject)
    except KeyError:
        if options is not None:
            raise UnsupportedError(
                "fallback.calibration", "there are no calibration rows.",
                remedy="Declare data.calibration: labelled rows that the model was not trained on.",
            ) from None  # fmt: skip
        calibration = test
    return Setting(options, subject.classes, calibration, test, _training(context), table)


def _rows(context: Context, subject: Subject, name: str) -> Table:
    table = _known(context.tables(name), subject, context.rows, context.rng)
    if len(table) < _FEWEST:
        raise UnsupportedError(
            "fallback.rows", f"{name} has {len(table)} rows of known target.", remedy=f"Give at least {_FEWEST}."
        )
    return table


def _part(table: Table, subject: Subject) -> Part:
    scores = subject.predict_proba(table) if subject.capabilities.scores and subject.classes else None
    return Part(of(table), table.target, (subject.predict(table), scores))


def _known(table: Table, subject: Subject, most: int, rng: np.random.Generator) -> Table:
    known = np.flatnonzero(table.target >= 0 if subject.classes else np.isfinite(table.target))
    if len(known) > most:
        known = np.sort(rng.choice(known, most, replace=False))
    return table.take(known)


def _training(context: Context) -> tuple[Rows, np.ndarray] | None:
    try:
        table = context.tables("train")
    except KeyError:
        return None
    subject = context.subject
    if subject is None or not len(table):
        return None
    table = _known(table, subject, context.rows, context.rng)
    return cut(of(table), slice(None)), table.target


def _columns(rows: Rows) -> tuple[str, ...]:
    return () if isinstance(rows, np.ndarray) else tuple(map(str, rows.columns))
