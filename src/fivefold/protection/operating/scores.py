"""Scores: how sure the model, or a column of the data, is of what is looked for; larger means surer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.errors import InputError, UnsupportedError
from fivefold.protection.operating.point import Rate, Stated, rate

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.contract.subject import Subject, Table

_FEWEST = 20


@dataclass(frozen=True)
class Scores:
    """One score a row.

    Attributes:
        value: (n,) float64, larger: surer.
        genuine: (n,) bool, whether the row is what is looked for.
        decided: (n,) bool, whether it is taken for that now; None: nobody says.
        groups: Codes (n,) of what rows have in common: the probe, the reference; empty: nothing is known.
        name: What is looked for, in words.
        declared: Whether the manifest says what that is; without, a false match has no name.
        sign: What turns a declared threshold into one of ``value``: 1, or -1 for distances.
        notes: For the reader.
    """

    value: np.ndarray
    genuine: np.ndarray
    decided: np.ndarray | None
    groups: tuple[np.ndarray, ...]
    name: str
    declared: bool
    sign: float = 1.0
    notes: tuple[str, ...] = ()

    def take(self, rows: np.ndarray) -> Scores:
        """Return some rows: (k,) positions or (n,) bool."""
        return replace(
            self,
            value=self.value[rows],
            genuine=self.genuine[rows],
            decided=None if self.decided is None else self.decided[rows],
            groups=tuple(codes[rows] for codes in self.groups),
        )

    def stated(self, threshold: float) -> Stated:
        """Return what a threshold costs on these rows."""
        return self._stated(self.value >= threshold, threshold)

    def in_use(self) -> Stated | None:
        """Return what the decisions of now cost; None if nobody says how rows are decided."""
        return None if self.decided is None else self._stated(self.decided, float("nan"))

    def _stated(self, matched: np.ndarray, threshold: float) -> Stated:
        return Stated(threshold, self._rate(matched, ~self.genuine), self._rate(~matched, self.genuine))

    def _rate(self, hits: np.ndarray, among: np.ndarray) -> Rate:
        return rate(hits[among], [codes[among] for codes in self.groups])


def of(context: Context, table: Table, *, labels: bool = False) -> Scores:
    """Return the scores of a table whose targets are all known.

    Args:
        context: Options ``score`` (a column that holds the score; empty: the model's probabilities), ``smaller``
            (a smaller one is surer, as with distances), ``threshold``, ``probe`` and ``reference``.
        table: The rows.
        labels: Whether decisions alone will do; they are then their own scores.

    Raises:
        InputError: ``operating.column`` if a named column is not in the data or holds no numbers.
        UnsupportedError: ``operating.scores`` if there is neither column nor probability; ``operating.class`` if
            several classes are open; ``operating.rows`` if too few rows are left on a side.
        SubjectError: The model misbehaved.
    """
    subject = context.subject
    if subject is None or not subject.classes:
        raise UnsupportedError("operating.scores", "there is no model that answers with classes.")
    wanted, declared = _class(context, subject)
    genuine = table.target == wanted
    column = str(context.options.get("score") or "")
    sign = -1.0 if column and context.options.get("smaller") else 1.0
    threshold = context.options.get("threshold")
    if column:
        value = _column(table, column) * sign
    elif labels and not subject.capabilities.scores:
        value = (subject.predict(table) == wanted).astype(np.float64)
    else:
        value = _probability(subject, table, wanted)
    if isinstance(threshold, int | float) and not isinstance(threshold, bool):
        decided = value >= sign * threshold
    else:
        decided = subject.predict(table) == wanted
    found = Scores(
        value, genuine, decided, _groups(context, table), str(subject.classes[wanted]), declared, sign, _said(declared)
    )
    known = np.isfinite(value)
    if not known.all():
        found = replace(
            found.take(known), notes=(*found.notes, f"{int((~known).sum())} rows without a score left out.")
        )
    if min(int(found.genuine.sum()), int((~found.genuine).sum())) < _FEWEST:
        raise UnsupportedError(
            "operating.rows",
            f"{int(found.genuine.sum())} rows are {found.name} and {int((~found.genuine).sum())} are not; "
            f"{_FEWEST} of each are needed.",
            remedy="Bring more rows; a few hundred of each are needed for a judgement.",
        )
    return found


def _class(context: Context, subject: Subject) -> tuple[int, bool]:
    """Return the class that is looked for, and whether the manifest names it."""
    for index in (context.settings.alarm, context.settings.positive):
        if index is not None:
            return index, True
    if len(subject.classes) == 2:
        return 1, False
    raise UnsupportedError(
        "operating.class",
        f"it is not declared which of {len(subject.classes)} classes is looked for.",
        remedy="Declare `alarm` (or `positive`) under `data.test`.",
    )


def _said(declared: bool) -> tuple[str, ...]:
    if declared:
        return ()
    return ("No class to detect is declared (`alarm`): limits on one kind of error are not judged.",)


def _probability(subject: Subject, table: Table, wanted: int) -> np.ndarray:
    if not subject.capabilities.scores:
        raise UnsupportedError(
            "operating.scores",
            "the model gives labels only, and no column is named that holds scores.",
            remedy="Name the column as `checks: {P3.operating-point: {score: ...}}`, or give probabilities.",
        )
    return subject.predict_proba(table)[:, wanted].astype(np.float64)


def _column(table: Table, name: str) -> np.ndarray:
    try:
        series = table.column(name)
    except KeyError as error:
        raise InputError(
            "operating.column",
            f'the test data have no column "{name[:60]}".',
            remedy="Correct the name under `checks`.",
        ) from error
    values = pd.to_numeric(series, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    if not np.isfinite(values).any():
        raise InputError("operating.column", f'the column "{name[:60]}" holds no numbers.', remedy="Name another one.")
    return np.asarray(values)


def _groups(context: Context, table: Table) -> tuple[np.ndarray, ...]:
    """Return codes of the named columns; a missing value is somebody of its own."""
    found = []
    for key in ("probe", "reference"):
        name = str(context.options.get(key) or "")
        if not name:
            continue
        try:
            codes = pd.factorize(table.column(name).astype(object), use_na_sentinel=True)[0].astype(np.int64)
        except KeyError as error:
            raise InputError(
                "operating.column", f'the test data have no column "{name[:60]}".', remedy=f"Correct `{key}`."
            ) from error
        missing = codes < 0
        codes[missing] = codes.max(initial=-1) + 1 + np.arange(int(missing.sum()))
        found.append(codes)
    return tuple(found)
