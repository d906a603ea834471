"""Rules: the purpose that a request has, and the rows that it holds, or the field for which it is refused."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fivefold.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fivefold.manifest.nouns import Feature
    from fivefold.subject.rows import Rows

MAX_ROWS = 10_000
"""Most rows of one request."""
_NUMBERS = "biuf"
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?![0-9])")


class UnfitError(InputError):
    """A request is not let in.

    Attributes:
        status: Of HTTP.
        field: The field of the input that it is about; empty: none.
        rows: (n,) bool, for which rows alone it is; None: for the request.
    """

    rows: np.ndarray | None = None

    def __init__(self, code: str, message: str, *, status: int, remedy: str = "", field: str = "") -> None:
        """Keep the parts."""
        super().__init__(code, message, remedy=remedy)
        self.status, self.field = status, field

    def of(self, rows: np.ndarray) -> UnfitError:
        """Return this, for these rows alone."""
        self.rows = rows
        return self


def settled(role: str, wanted: str, own: Sequence[str], declared: Sequence[str]) -> str:
    """Return the purpose of a request: as asked, else the only one of who asks.

    Args:
        role: Of who asks.
        wanted: As asked; empty: not said.
        own: Purposes of who asks.
        declared: Those of the application.

    Raises:
        UnfitError: ``guard.role``, ``guard.purpose``.
    """
    if role != "caller":
        raise UnfitError("guard.role", f"a {role} does not ask the model.", status=403)
    allowed = [purpose for purpose in own if purpose in declared]
    found = wanted or (allowed[0] if len(allowed) == 1 else "")
    if not found:
        raise UnfitError("guard.purpose", "no purpose is stated.", status=403, remedy=_ask(allowed))
    if found not in allowed:
        raise UnfitError(
            "guard.purpose", f"{found[:80]!r} is no purpose of this caller.", status=403, remedy=_ask(allowed)
        )
    return found


class Domain:
    """Lets through rows with the declared columns, types and ranges; a value that is missing only where some were.

    Attributes:
        most: Most rows of a request.

    Limit: a value that is possible and wrong passes.
    """

    most = MAX_ROWS

    def __init__(self, example: Rows, features: Mapping[str, Feature], missing: frozenset[str]) -> None:
        """Take what is known.

        Args:
            example: A row of what the model is given, with its types.
            features: As declared.
            missing: Columns in which values were missing when the model was made.
        """
        self._example, self._features, self._missing = example, features, missing

    def admit(self, given: Any) -> Rows:
        """Return the rows that were given: columns by name, or one array.

        Raises:
            UnfitError: ``guard.rows``, ``guard.fields``, ``guard.type``, ``guard.missing``, ``guard.range``.
        """
        example = self._example
        return self._array(given, example) if isinstance(example, np.ndarray) else self._frame(given)

    def _frame(self, given: Any) -> pd.DataFrame:
        example = self._example
        if not isinstance(example, pd.DataFrame) or not hasattr(given, "keys"):
            raise UnfitError("guard.fields", "rows are given as columns by name.", status=400)
        names, known = {str(name) for name in given}, {str(name) for name in example.columns}
        for what, odd in (("lacks", known - names), ("has no place for", names - known)):
            if odd:
                shown = ", ".join(sorted(odd)[:5])
                whose = "the input" if what == "lacks" else "the model"
                raise UnfitError("guard.fields", f"{whose} {what} {shown}.", status=400, field=min(odd))
        columns = {str(name): self._column(str(name), list(given[name]), example[name]) for name in example.columns}
        lengths = {len(column) for column in columns.values()}
        if len(lengths) != 1:
            raise UnfitError("guard.rows", "the columns have different lengths.", status=400)
        _require_few(lengths.pop())
        return pd.DataFrame(columns)

    def _column(self, name: str, values: list[Any], example: pd.Series) -> pd.Series:
        feature = self._features.get(name)
        absent = np.array([_absent(value) for value in values], dtype=bool)
        if absent.any() and name not in self._missing:
            raise UnfitError("guard.missing", f"{name} is missing.", status=400, field=name).of(absent)
        made = self._typed(name, values, absent, example)
        if feature is not None and feature.range is not None and made.dtype.kind in _NUMBERS:
            low, high = feature.range
            numbers = made.to_numpy(dtype=float, na_value=np.nan)
            outside = (numbers < low) | (numbers > high)
            if bool(outside.any()):
                unit = f" {feature.unit}" if feature.unit else ""
                raise UnfitError(
                    "guard.range", f"{name} is outside {low:g} to {high:g}{unit}.", status=400, field=name,
                    remedy="Check the value; another range is declared in the manifest.",
                ).of(outside)  # fmt: skip
        return made

    def _typed(self, name: str, values: list[Any], absent: np.ndarray, example: pd.Series) -> pd.Series:
        kind = example.dtype.kind
        declared = getattr(self._features.get(name), "type", None)
        present = [value for value, gone in zip(values, absent, strict=True) if not gone]
        if kind in _NUMBERS:
            wanted, good = _numeric(kind, declared, present)
        elif kind == "M":
            wanted, good = "a date", all(isinstance(value, pd.Timestamp) or _is_date(value) for value in present)
        elif hasattr(example.dtype, "categories"):
            wanted, good = "one of its values", True
        else:
            wanted, good = "a text", all(isinstance(value, str) for value in present)
        if not good:
            raise _type(name, wanted)
        try:
            return _converted(values, absent, example)
        except (ValueError, TypeError, OverflowError, pd.errors.OutOfBoundsDatetime):
            raise _type(name, wanted) from None

    def _array(self, given: Any, example: np.ndarray) -> np.ndarray:
        if hasattr(given, "keys"):
            if len(given) != 1:
                raise UnfitError("guard.fields", "the model is given one array.", status=400)
            (given,) = given.values()
        if example.dtype == object:
            if not isinstance(given, list | np.ndarray) or not all(isinstance(value, str) for value in given):
                raise UnfitError("guard.type", "the model is given texts.", status=400)
            _require_few(len(given))
            return np.array([*given, None], dtype=object)[:-1]
        try:
            made = np.asarray(given)
            shaped = made.ndim == example.ndim and made.shape[1:] == example.shape[1:]
            if not shaped or made.dtype.kind not in _NUMBERS:
                raise UnfitError(
                    "guard.rows", f"the model is given rows of shape {list(example.shape[1:])}.", status=400
                )
            if not np.isfinite(made.astype(float)).all():
                raise UnfitError("guard.type", "a value is not finite.", status=400)
            _require_few(len(made))
            return _cast(made, example.dtype)
        except (ValueError, TypeError, OverflowError):
            raise UnfitError("guard.type", "the input is no array of numbers.", status=400) from None


def _is_date(value: Any) -> bool:
    return isinstance(value, str) and _DATE.match(value) is not None


def _absent(value: Any) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float | np.floating) and bool(np.isnan(value)))


def _converted(values: list[Any], absent: np.ndarray, example: pd.Series) -> pd.Series:
    """Return values in a column's type, none of them another one than was given.

    Raises:
        ValueError, TypeError, OverflowError: One cannot be kept as it is.
    """
    kept = [None if gone else value for value, gone in zip(values, absent, strict=True)]
    if example.dtype.kind == "M":
        read = pd.to_datetime(pd.Series(kept, dtype=object), format="ISO8601")
        made = read.astype(example.dtype)
        if not (made.isna().to_numpy() == absent).all() or not (made == read)[~absent].all():
            raise ValueError  # no date, or finer than the column
        return made
    if isinstance(example.dtype, np.dtype) and example.dtype.kind in _NUMBERS:
        whole = example.dtype.kind in "iu"  # through no float, which would round them
        given = [np.nan if value is None else int(value) if whole else value for value in kept]
        return pd.Series(_cast(np.asarray(given, dtype=object if whole else None), example.dtype))
    known = getattr(example.dtype, "categories", None)
    if known is not None and not {value for value in kept if value is not None} <= set(known):
        raise ValueError  # a category that there is not
    with np.errstate(all="ignore"):
        made = pd.Series(kept, dtype=object).astype(example.dtype)
    if made.dtype.kind == "f" and not np.isfinite(made[~absent].to_numpy(dtype=float)).all():
        raise ValueError  # too large for it
    return made


def _cast(values: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    """Return numbers in another type.

    Raises:
        ValueError: One would be another number: too large, negative where none is, a fraction.
        OverflowError: As the integers of numpy.
    """
    with np.errstate(all="ignore"):
        made = values.astype(dtype)
    same = (
        np.array_equal(made, values) if dtype.kind in "biu" else bool((np.isfinite(made) == np.isfinite(values)).all())
    )
    if not same:
        raise ValueError
    return made


def _numeric(kind: str, declared: str | None, present: Sequence[Any]) -> tuple[str, bool]:
    if kind == "b":
        return "true or false", all(isinstance(value, bool | np.bool_) for value in present)
    numbers = all(isinstance(value, int | float | np.number) and not isinstance(value, bool) for value in present)
    if not numbers or not all(abs(value) < np.inf for value in present):
        return "a number", False
    whole = kind in "iu" or declared == "integer"
    return ("a whole number" if whole else "a number"), not whole or all(value == int(value) for value in present)


def _type(name: str, wanted: str) -> UnfitError:
    return UnfitError("guard.type", f"{name} is not {wanted}.", status=400, field=name)


def _require_few(rows: int) -> None:
    if not 0 < rows <= MAX_ROWS:
        raise UnfitError("guard.rows", f"a request has 1 to {MAX_ROWS:,} rows.", status=413 if rows else 400)


def _ask(allowed: Sequence[str]) -> str:
    return f"State one of: {', '.join(allowed)}." if allowed else "Have a token issued for a declared purpose."
