"""Given: what a caller of ``assess_model`` hands in, as plain frames with text names, or refused with what to do."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pandas as pd

from fivefold.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

EFFORTS = ("quick", "standard", "thorough")


def frames(given: Mapping[str, object]) -> dict[str, pd.DataFrame]:
    """Return tables under text names, rows numbered from 0.

    Args:
        given: Data-set name to what the caller handed in; None: not given.

    Raises:
        InputError: ``memory.frame`` if it is no frame, has no rows, or has a column twice.
    """
    return {name: _frame(name, table) for name, table in given.items() if table is not None}


def _frame(name: str, given: object) -> pd.DataFrame:
    if not isinstance(given, pd.DataFrame):
        kind = "path" if isinstance(given, str) or hasattr(given, "__fspath__") else type(given).__name__
        hint = "Read it first, for example with pandas.read_csv." if kind == "path" else "Make one with named columns."
        raise InputError(
            "memory.frame", f"{name} is of type {kind}, no pandas.DataFrame of features and target.", remedy=hint
        )
    if not len(given):
        raise InputError("memory.frame", f"{name} has no rows.", remedy="Give a few hundred.")
    frame = given.reset_index(drop=True)
    names = [column_name(column) for column in frame.columns]
    twice = [column for column, times in Counter(names).items() if times > 1]
    if twice:
        remedy = "Give each column a name of its own; names are compared as text."
        raise InputError("memory.frame", f'{name} has the column "{twice[0]}" more than once.', remedy=remedy)
    frame.columns = pd.Index(names, dtype=object)
    return frame


def column_name(name: object) -> str:
    """Return a column's name as text: ``0`` is ``0``, the levels of a tuple are joined by dots."""
    if isinstance(name, tuple):
        return ".".join(str(part) for part in name if str(part))
    return str(name)


def names(given: Iterable[object] | str, what: str) -> tuple[str, ...]:
    """Return column names or check ids as text.

    Raises:
        InputError: ``memory.names`` for a single text, whose letters would be taken for names.
    """
    if isinstance(given, str):
        raise InputError("memory.names", f"{what} is one text, not a list.", remedy=f'Write {what}=["{given}"].')
    return tuple(column_name(name) for name in given)


def require_alike(given: Mapping[str, pd.DataFrame], hidden: Sequence[str]) -> None:
    """Check that the test has every column that the model sees in the training data.

    Raises:
        InputError: ``memory.column``.
    """
    if "train" not in given:
        return
    lacking = [name for name in given["train"].columns if name not in given["test"].columns and name not in hidden]
    if lacking:
        shown = ", ".join(lacking[:5]) + (f" and {len(lacking) - 5} more" if len(lacking) > 5 else "")
        remedy = "Add the columns, or name them in `drop` if the model does not use them."
        raise InputError("memory.column", f"test lacks what the model sees in train: {shown}.", remedy=remedy)


def require_effort(effort: str) -> None:
    """Check the effort.

    Raises:
        InputError: ``memory.effort``.
    """
    if effort not in EFFORTS:
        raise InputError("memory.effort", f'"{effort}" is no effort.', remedy=f"Use {', '.join(EFFORTS)}.")


def usable(model: Any, seen: Mapping[str, pd.DataFrame]) -> Any:
    """Return the model, asked under the column names that the caller knows.

    Args:
        model: As handed in.
        seen: Data-set name to the frame as handed in.

    Raises:
        InputError: ``memory.model`` for a class, None, or a scikit-learn estimator that was not fitted.
    """
    if isinstance(model, type):
        remedy = f"Hand in a fitted object: {model.__name__}(...).fit(...)."
        raise InputError(
            "memory.model", f"the model is the class {model.__name__}, not an object of it.", remedy=remedy
        )
    if not callable(model) and not callable(getattr(model, "predict", None)):
        remedy = "Hand in an object with predict(frame), or a function of a frame."
        raise InputError(
            "memory.model",
            f"the model is of type {type(model).__name__}, has no predict and cannot be called.",
            remedy=remedy,
        )
    if _unfitted(model):
        remedy = "Call its fit with the training data first."
        raise InputError("memory.model", f"the {type(model).__name__} was not fitted.", remedy=remedy)
    names = {column_name(column): column for frame in seen.values() for column in frame.columns}
    return model if all(isinstance(column, str) for column in names.values()) else _Named(model, names)


def _unfitted(model: Any) -> bool:
    import sys

    base = sys.modules.get("sklearn.base")
    if base is None or not isinstance(model, base.BaseEstimator):
        return False
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    try:
        check_is_fitted(model)
    except NotFittedError:
        return True
    except TypeError:
        return False
    return False


class _Named:
    """A model that is asked under the names of its columns that the caller knows, numbers or tuples."""

    def __init__(self, model: Any, names: Mapping[str, object]) -> None:
        self._model, self._names = model, names
        if callable(model) and not callable(getattr(model, "predict", None)):
            self.predict = self._named(model)

    def __getattr__(self, name: str) -> Any:
        found = getattr(object.__getattribute__(self, "_model"), name)
        return self._named(found) if name in ("predict", "predict_proba") else found

    def _named(self, method: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def ask(rows: Any) -> Any:
            if not isinstance(rows, pd.DataFrame):
                return method(rows)
            names = [self._names.get(column, column) for column in rows.columns]
            tuples = bool(names) and all(isinstance(name, tuple) for name in names)
            return method(rows.set_axis(pd.MultiIndex.from_tuples(names) if tuples else pd.Index(names), axis=1))  # type: ignore[arg-type]

        return ask
