"""Model: a foreign object behind three plain questions; this is the code that stands beside it, in its process.

An estimator (``predict``, perhaps ``predict_proba``) or a callable is described and asked; whatever it gives back is
turned into a plain array. Nothing is trusted here: reading and checking answers is done where they arrive.
"""

from __future__ import annotations

import sys
import traceback
from typing import TYPE_CHECKING, Any, Literal, Protocol

import msgspec
import numpy as np
import pandas as pd

from fivefold.errors import SubjectError
from fivefold.subject.rows import flat
from fivefold.subject.tree_reader import read

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.subject.rows import Rows

Method = Literal["predict", "predict_proba", "call"]
Form = Literal["frame", "matrix"]

_MOST_CLASSES = 10_000
_MOST_NAMES = 100_000


class Description(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What an object says of itself.

    Attributes:
        methods: Those that it has; ``call`` only if it has no ``predict``.
        classes: Its ``classes_`` as plain values; None if it has none.
        trouble: Why ``classes_`` cannot be used; empty if it can.
        regressor: scikit-learn calls it a regressor, or an ONNX file ends in an operator that is one.
        kind: ``onnx`` or ``torch``: raw scores that are no probabilities are taken for logits; empty: anything else.
        neural: Weighted layers are inside; None: cannot be told.
        trees: Decision trees are inside; None: cannot be told.
        gradients: It says that it gives gradients.
    """

    methods: tuple[Method, ...]
    classes: tuple[bool | int | float | str | None, ...] | None = None
    trouble: str = ""
    regressor: bool = False
    kind: Literal["", "onnx", "torch"] = ""
    neural: bool | None = None
    trees: bool | None = None
    gradients: bool = False


class Raw(Protocol):
    """A model that gives raw answers: in this process, or behind a socket."""

    def describe(self) -> Description:
        """Return what the model says of itself.

        Raises:
            SubjectError: It failed.
        """
        ...

    def ask(self, method: Method, form: Form, frame: Rows) -> np.ndarray:
        """Return the raw answers to n rows, numbers or labels in any shape.

        Raises:
            SubjectError: It failed.
        """
        ...


class LocalModel:
    """A model in this very process."""

    def __init__(self, model: Any) -> None:
        """Wrap an estimator or a callable.

        Raises:
            SubjectError: ``model.kind`` if it is neither.
        """
        self._model = model
        names: list[Method] = []
        if callable(getattr(model, "predict", None)):
            names.append("predict")
        if _has(model, "predict_proba"):
            names.append("predict_proba")
        if not names and callable(model):
            names.append("call")
        if not names:
            raise SubjectError(
                "model.kind",
                "the factory returned something without predict that cannot be called.",
                remedy="Return an object with predict(frame), or a function of a frame.",
            )
        self._methods = tuple(names)

    def describe(self) -> Description:
        """Return what the object says of itself; see :class:`Raw`."""
        try:
            classes = getattr(self._model, "classes_", None)
            if classes is None:
                return Description(methods=self._methods, regressor=_is_regressor(self._model))
            values = np.asarray(classes, dtype=object)
            if values.ndim != 1 or not 0 < len(values) <= _MOST_CLASSES:
                return Description(methods=self._methods, trouble="classes_ is not one list of labels")
            plain = tuple(_plain(value) for value in values.tolist())
        except Exception as error:  # noqa: BLE001  foreign code may raise anything
            raise failure(error, "reading classes_") from None
        return Description(methods=self._methods, classes=plain)

    def ask(self, method: Method, form: Form, frame: Rows) -> np.ndarray:
        """Return raw answers; see :class:`Raw`."""
        try:
            given = self._chosen(frame)
            rows: Any = matrix(given) if form == "matrix" else given
            target: Callable[[Any], Any] = self._model if method == "call" else getattr(self._model, method)
            return _answers(target(rows))
        except SubjectError:
            raise
        except Exception as error:  # noqa: BLE001  foreign code may raise anything
            raise failure(error, "answering") from None

    def trees(self, form: Form, frame: pd.DataFrame) -> dict[str, np.ndarray]:
        """Return the trees inside and what they see of (n, d) rows; see :mod:`fivefold.subject.tree_reader`.

        Whatever goes wrong, there are none to be read: nothing hangs on them.
        """
        try:
            given = self._chosen(frame)
            found = read(self._model, matrix(given) if form == "matrix" else given)
            if found and isinstance(given, pd.DataFrame) and list(given.columns) != list(frame.columns):
                found["owner"] = frame.columns.get_indexer(given.columns)[found["owner"]].astype(np.int64)
        except Exception:  # noqa: BLE001  foreign code may raise anything
            return {}
        return found

    def _chosen(self, frame: Rows) -> Rows:
        """Return the columns that the model says it was fitted on, if all are there."""
        if isinstance(frame, np.ndarray):
            return frame
        named = getattr(self._model, "feature_names_in_", None)
        names = [] if named is None else [str(name) for name in list(named)[:_MOST_NAMES]]
        fits = names and names != list(frame.columns) and set(names) <= set(frame.columns)
        return frame[names] if fits else frame


def _is_regressor(model: Any) -> bool:
    base = sys.modules.get("sklearn.base")
    if base is None or not isinstance(model, base.BaseEstimator):
        return False
    return bool(base.is_regressor(model))


def _has(model: Any, name: str) -> bool:
    try:
        return callable(getattr(model, name, None))
    except Exception:  # noqa: BLE001  a property that raises counts as absent
        return False


def matrix(frame: Rows) -> np.ndarray:
    """Return rows as (n, d): float64 with NaN where missing if all columns are numbers, else objects."""
    if isinstance(frame, np.ndarray):
        return flat(frame)
    if all(pd.api.types.is_numeric_dtype(kind) for kind in frame.dtypes):
        return frame.to_numpy(dtype=np.float64, na_value=np.nan)
    return frame.to_numpy(dtype=object)


def _plain(value: Any) -> bool | int | float | str | None:
    if isinstance(value, dict | list | tuple | set | np.ndarray):
        raise SubjectError(
            "model.type",
            f"the model answers with a {type(value).__name__} for a row, not with a label or a number.",
            remedy="Let it give one label, one number, or one row of probabilities for each row.",
        )
    if isinstance(value, np.generic):
        value = value.item()
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _answers(given: Any) -> np.ndarray:
    if hasattr(given, "toarray"):
        given = given.toarray()
    if isinstance(given, pd.DataFrame | pd.Series):
        given = given.to_numpy()
    if hasattr(given, "detach"):
        given = given.detach().cpu().numpy()
    answers = np.asarray(given)
    if isinstance(given, list | tuple) and answers.dtype.kind in "US" and not all(isinstance(v, str) for v in given):
        answers = np.array([_plain(value) for value in given], dtype=object)
    if answers.dtype.kind in "OUS" and answers.ndim == 2 and answers.shape[1] == 1:
        answers = answers.ravel()
    if answers.dtype == object and answers.ndim == 1:
        return np.array([_plain(value) for value in answers.tolist()] + [None], dtype=object)[:-1]
    if answers.dtype.kind not in "biuf" and answers.ndim != 1:
        shape = "(" + ", ".join(str(size) for size in answers.shape[:4]) + ")"
        raise SubjectError("model.shape", f"the model answers with something of shape {shape} that holds no numbers.")
    if answers.dtype == np.longdouble:
        return answers.astype(np.float64)
    return answers


def failure(error: BaseException, doing: str, *, ours: bool = False) -> SubjectError:
    """Return a foreign exception as an error that names its kind and place, and nothing of its text.

    The text of an exception may quote a person's data, so it is no part of anything that is sealed; it is kept as a
    note, for the screen of whoever runs the assessment.

    Args:
        error: What was raised.
        doing: While what, for the sentence.
        ours: A check of ours raised it, not the model: its place is looked for in our own source.
    """
    kind = "".join(letter for letter in type(error).__name__ if letter.isidentifier() or letter.isdigit())[:60]
    frames = reversed(traceback.extract_tb(error.__traceback__))
    wanted = _ours if ours else _own
    place = next((_place(frame) for frame in frames if wanted(frame)), "")
    told = SubjectError(
        "check.raised" if ours else "model.raised",
        f"the {'check' if ours else 'model'} raised {kind or 'an exception'}{place} while {doing}.",
        remedy="Report this." if ours else "Mend the model, or the columns that it is given (`drop:` hides some).",
    )
    told.add_note(f"{kind}: {str(error)[:2000]}")
    return told


def _own(frame: traceback.FrameSummary) -> bool:
    return not any(frame.filename.startswith(folder) for folder in _LIBRARIES)


def _ours(frame: traceback.FrameSummary) -> bool:
    return frame.filename.startswith(_PACKAGE)


def _place(frame: traceback.FrameSummary) -> str:
    name = frame.filename.rpartition("/")[2]
    clean = "".join(letter for letter in name if letter.isalnum() or letter in "._-")[:60]
    return f" at {clean}:{frame.lineno}"


_PACKAGE = __file__.rpartition("/subject/")[0]
_LIBRARIES = tuple({sys.prefix, sys.base_prefix, "<", _PACKAGE, np.__file__.rpartition("/numpy/")[0]})
