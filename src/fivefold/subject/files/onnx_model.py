"""ONNX model: a file run by ONNX Runtime on one thread, fed with columns by name or with one matrix.

Nothing is guessed: a column that is missing, holds texts where numbers are wanted, or lacks values where none can be
missing is an error that says so. Missing numbers are NaN, missing texts are empty.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fivefold.errors import SubjectError
from fivefold.subject.files import inventory

if TYPE_CHECKING:
    from pathlib import Path

    from fivefold.subject.files.inventory import Inventory

_FLOATS = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(float16)": np.float16}
_WHOLE = {f"tensor({sign}int{bits})": np.dtype(f"{sign}int{bits}") for sign in ("", "u") for bits in (8, 16, 32, 64)}
_ARRAYS = {**_FLOATS, "tensor(uint8)": np.uint8}
_LABELS = frozenset({"tensor(string)", "tensor(int64)", "tensor(int32)", "tensor(bool)"})
_EXTRA = "Install it: pip install 'fivefold[onnx]'."
_MOST_FILE = 2 << 30


class OnnxModel:
    """An ONNX file with the methods of an estimator.

    A label output makes ``predict``, a score output ``predict_proba``; a file with one output is called.

    Attributes:
        inventory: What the graph is made of.
        classes_: Labels of a ZipMap, in the order of the scores; absent where there is none.
    """

    def __init__(self, path: Path) -> None:
        """Open a file.

        Raises:
            SubjectError: ``model.extra`` if ONNX Runtime is not there, ``model.onnx`` if it cannot open the file,
                ``model.inputs`` or ``model.outputs`` for a graph that cannot be fed or read.
        """
        self._session, self.inventory = _open(path)
        self._inputs = list(self._session.get_inputs())
        if not self._inputs:
            raise SubjectError("model.inputs", "the ONNX file takes no input.")
        label, score = _outputs(self._session.get_outputs())
        self._score = score
        if label is not None:
            self.predict = lambda rows: self._run(label, rows)
            if score is not None:
                self.predict_proba = lambda rows: self._run(score, rows)
        self._call = score
        self._zipped = score is not None and score.type.startswith("seq(map")
        if self._zipped:
            self.classes_ = _keys(path)

    def reopen(self, given: bytes) -> None:
        """Answer with another file of the same inputs and outputs from now on."""
        import onnxruntime

        self._session = onnxruntime.InferenceSession(given, _options(), providers=["CPUExecutionProvider"])

    def __call__(self, rows: pd.DataFrame) -> np.ndarray:
        """Return the one output."""
        return self._run(self._call, rows)

    def _run(self, output: Any, rows: pd.DataFrame | np.ndarray) -> np.ndarray:
        feed = self._feed(rows) if isinstance(rows, pd.DataFrame) else self._array(rows)
        n, step = len(rows), _step(self._inputs[0])
        if not step or n == 0:
            return self._read(self._asked(output, feed), n)
        parts = []
        for start in range(0, n, step):
            places = np.minimum(np.arange(start, start + step), n - 1)
            given = self._asked(output, {name: values[places] for name, values in feed.items()})
            parts.append(self._read(given, step)[: n - start])
        return np.concatenate(parts)

    def _asked(self, output: Any, feed: dict[str, np.ndarray]) -> Any:
        return self._session.run([output.name], feed)[0]

    def _read(self, given: Any, n: int) -> np.ndarray:
        """Return an output as an array: a list of mappings (ZipMap) becomes one column a label."""
        if not isinstance(given, list):
            return np.asarray(given)
        if len(given) != n:
            raise SubjectError("model.shape", f"the ONNX file gave {len(given)} answers for {n} rows.")
        columns = [np.fromiter((row[name] for row in given), np.float64, n) for name in self.classes_]
        return np.column_stack(columns)

    def _array(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Return one array: flattened where the file takes a matrix, in its own shape else."""
        only, wide = self._inputs[0], len(self._inputs[0].shape)
        fits = only.type == "tensor(string)" if rows.dtype == object else only.type in _ARRAYS
        if len(self._inputs) > 1 or not fits:
            what = "array of numbers" if rows.dtype != object else "column of texts"
            raise SubjectError("model.inputs", f"the ONNX file takes no single {what}.")
        if wide == 2 and rows.ndim != 2:
            rows = rows.reshape(len(rows), -1)
        sizes = [size if isinstance(size, int) and size > 0 else None for size in only.shape[1:]]
        if wide != rows.ndim or any(size not in (None, own) for size, own in zip(sizes, rows.shape[1:], strict=True)):
            takes = " x ".join(_plain(str(size)[:20]) for size in only.shape)
            raise SubjectError(
                "model.inputs",
                f"the ONNX file takes {takes}, and each row is {' x '.join(map(str, rows.shape[1:])) or 'one text'}.",
                remedy="Images are given as (n, channels, height, width), series as (n, steps, channels).",
            )
        return {only.name: rows if rows.dtype == object else _in_type(rows, np.dtype(_ARRAYS[only.type]))}

    def _feed(self, rows: pd.DataFrame) -> dict[str, np.ndarray]:
        only = self._inputs[0]
        if len(self._inputs) == 1 and (only.name not in rows.columns or _width(only) not in (None, 1)):
            return {only.name: _matrix(only, rows)}
        named = _matched([item.name for item in self._inputs], list(rows.columns))
        return {item.name: _shaped(item, _column(item, rows[named[item.name]])) for item in self._inputs}


def _in_type(rows: np.ndarray, kind: np.dtype[Any]) -> np.ndarray:
    if kind == np.uint8 and rows.dtype != np.uint8:
        raise SubjectError(
            "model.inputs",
            f"the ONNX file takes uint8, and the data hold {rows.dtype}.",
            remedy="Store the images as uint8, or export the input as float.",
        )
    return np.ascontiguousarray(rows, dtype=kind)


def _open(path: Path) -> tuple[Any, Inventory]:
    try:
        import onnx
        import onnxruntime
    except ImportError as error:
        raise SubjectError("model.extra", f"{error.name or 'onnxruntime'} is not installed.", remedy=_EXTRA) from None
    options = _options()
    if path.stat().st_size > _MOST_FILE:
        raise SubjectError("model.onnx", "the ONNX file is larger than 2 GiB.", remedy="Use external data.")
    try:
        graph = onnx.load(str(path), load_external_data=False)
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # noqa: BLE001  the runtime raises many kinds for a file that it cannot use
        told = SubjectError(
            "model.onnx",
            f"ONNX Runtime cannot open the file ({type(error).__name__}).",
            remedy="Check it with onnx.checker; operators of one's own and newer opsets cannot be used.",
        )
        told.add_note(str(error)[:2000])
        raise told from None
    return session, inventory.take(graph)


def _options() -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 4
    options.use_deterministic_compute = True
    return options


def _outputs(outputs: list[Any]) -> tuple[Any | None, Any | None]:
    """Return the outputs that hold labels and scores or values.

    Raises:
        SubjectError: ``model.outputs`` if that cannot be told.
    """
    labels = [item for item in outputs if item.type in _LABELS]
    scores = [item for item in outputs if item.type in _FLOATS or item.type.startswith("seq(map")]
    if len(labels) > 1 or len(scores) > 1:
        by_name = [item for item in scores if re.search("prob", item.name, re.IGNORECASE)]
        scores = by_name if len(by_name) == 1 else scores
    if len(labels) > 1 or len(scores) > 1 or not (labels or scores):
        shown = ", ".join(f"{item.name[:40]} {item.type}" for item in outputs[:6])
        raise SubjectError(
            "model.outputs",
            f"the outputs of the ONNX file are not labels, scores or values, each at most once: {_plain(shown)}.",
            remedy="Export one output of labels and one of probabilities, or a single one.",
        )
    return (labels[0] if labels else None), (scores[0] if scores else None)


def _keys(path: Path) -> list[Any]:
    """Return the labels of the file's ZipMap, in the order of the scores."""
    import onnx

    for node in onnx.load(str(path), load_external_data=False).graph.node:
        if node.op_type == "ZipMap":
            for attribute in node.attribute:
                if attribute.strings or attribute.ints:
                    return [name.decode("utf-8", "replace") for name in attribute.strings] or list(attribute.ints)
    raise SubjectError("model.outputs", "the ONNX file gives mappings, and names no labels for them.")


def _step(item: Any) -> int:
    """Return the number of rows that the graph takes at a time; 0: any."""
    first = item.shape[0] if item.shape else None
    return first if isinstance(first, int) and first > 0 else 0


def _width(item: Any) -> int | None:
    """Return the number of columns of an input; None: not said."""
    if len(item.shape) < 2:
        return 1
    return item.shape[1] if isinstance(item.shape[1], int) else None


def _matched(inputs: list[str], columns: list[str]) -> dict[str, str]:
    """Return the column of each input: by its name, else by the only one that differs in signs alone."""
    found: dict[str, str] = {}
    bare: dict[str, list[str]] = {}
    for column in columns:
        bare.setdefault(re.sub(r"\W", "_", column), []).append(column)
    for name in inputs:
        alike = [name] if name in columns else bare.get(re.sub(r"\W", "_", name), [])
        if len(alike) != 1:
            raise SubjectError(
                "model.inputs",
                f'the ONNX file takes "{_plain(name[:60])}", which is no column that the model sees.',
                remedy="Export it with one input per column, named as the columns are, or with one matrix.",
            )
        found[name] = alike[0]
    return found


def _matrix(item: Any, rows: pd.DataFrame) -> np.ndarray:
    wide = _width(item)
    if len(item.shape) != 2 or (wide is not None and wide != rows.shape[1]):
        takes = f"{wide} columns" if len(item.shape) == 2 else f"{len(item.shape)} dimensions"
        raise SubjectError(
            "model.inputs",
            f"the ONNX file takes {takes}, the model sees {rows.shape[1]} columns.",
            remedy="Name under `drop:` the columns that the model does not use.",
        )
    found = np.empty(rows.shape, dtype=object if item.type == "tensor(string)" else _dtype(item))
    for at in range(rows.shape[1]):
        found[:, at] = _column(item, rows.iloc[:, at])
    return found


def _shaped(item: Any, values: np.ndarray) -> np.ndarray:
    if len(item.shape) == 1:
        return values
    if len(item.shape) == 2 and _width(item) in (None, 1):
        return values.reshape(-1, 1)
    raise SubjectError("model.inputs", f'the input "{_plain(item.name[:60])}" of the ONNX file is no single column.')


def _dtype(item: Any) -> np.dtype[Any]:
    if item.type == "tensor(bool)":
        return np.dtype(bool)
    found = _FLOATS.get(item.type) or _WHOLE.get(item.type)
    if found is None:
        raise SubjectError("model.inputs", f"the ONNX file takes {_plain(item.type[:60])}, which no column is.")
    return np.dtype(found)


def _column(item: Any, column: pd.Series) -> np.ndarray:
    """Return the values of a column in the type that an input takes.

    Raises:
        SubjectError: ``model.inputs`` if the column holds something else, ``model.missing`` if a value is missing
            where the type knows no missing value.
    """
    missing = column.isna().to_numpy()
    if item.type == "tensor(string)":
        return _texts(column, missing)
    kind = _dtype(item)
    try:
        numbers = np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan))
    except (TypeError, ValueError):
        numbers = np.empty(0)
    if len(numbers) != len(column) or column.dtype.kind in "mM":
        raise SubjectError(
            "model.inputs",
            f'the column "{_plain(str(column.name)[:60])}" holds no numbers, and the ONNX file takes {kind} there.',
            remedy="Export the encoding with the model, so that the input is a string, or drop the column.",
        )
    if kind.kind == "f":
        return numbers.astype(kind)
    if missing.any():
        raise SubjectError(
            "model.missing",
            f'the column "{_plain(str(column.name)[:60])}" lacks values, and the ONNX file takes {kind} there, '
            "which cannot be missing.",
            remedy="Export that input as float (a missing value is NaN), or fill the column in the data.",
        )
    return _exact(column, numbers, kind)


def _exact(column: pd.Series, numbers: np.ndarray, kind: np.dtype[Any]) -> np.ndarray:
    if column.dtype.kind in "iu" and kind.itemsize == 8:
        return column.to_numpy().astype(kind)
    allowed = np.isin(numbers, (0.0, 1.0)) if kind.kind == "b" else np.mod(numbers, 1) == 0
    if kind.kind != "b":
        bounds = np.iinfo(kind)
        allowed &= (numbers >= bounds.min) & (numbers <= bounds.max)
    if not allowed.all():
        raise SubjectError(
            "model.inputs", f'the column "{_plain(str(column.name)[:60])}" holds values that are no {kind}.'
        )
    return numbers.astype(kind)


def _texts(column: pd.Series, missing: np.ndarray) -> np.ndarray:
    """Return texts, empty where missing; whole numbers without a decimal point."""
    values = column.astype(object).to_numpy().copy()
    values[missing] = ""
    if column.dtype.kind == "f":
        return np.array([str(int(v)) if v != "" and float(v).is_integer() else str(v) for v in values], dtype=object)
    return np.asarray(values.astype(str).astype(object))


def _plain(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)
