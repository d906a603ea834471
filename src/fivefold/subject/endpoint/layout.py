"""Layout: how rows become tensors and tensors become answers, found out once and kept for all later questions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec
import numpy as np
import pandas as pd

from fivefold.subject.endpoint import wire
from fivefold.subject.endpoint.wire import Question, Slot, Tensor, TroubleError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fivefold.subject.endpoint.wire import About
    from fivefold.subject.rows import Rows

_SCORES = ("proba", "score", "logit", "softmax", "likelihood", "confidence")
_MISSING = ""


class Layout(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How an endpoint is asked.

    Attributes:
        form: One tensor for each column, one for all of them, or one for an array of images or the like.
        inputs: Tensors to send; for ``columns`` each has the name of a column.
        framed: Say that the tensors are the columns of a table (MLServer's content type ``pd``).
        outputs: Outputs to ask for; empty: all that come.
        answer: Output with labels or values; empty: none.
        scores: Output with scores; empty: none.
        binary: Tensors travel as bytes.
        zipped: Requests are compressed.
    """

    form: Literal["columns", "matrix", "array"]
    inputs: tuple[Slot, ...]
    framed: bool = False
    outputs: tuple[str, ...] = ()
    answer: str = ""
    scores: str = ""
    binary: bool = False
    zipped: bool = False


def candidates(about: About, frame: Rows) -> Iterator[Layout]:
    """Return layouts that may do, the likeliest first: as the metadata say, else as servers without them take rows.

    Raises:
        TroubleError: ``endpoint.types`` or ``endpoint.inputs`` if no layout can do.
    """
    if isinstance(frame, np.ndarray):
        yield from _arrays(about, frame)
        return
    columns, inputs = [str(name) for name in frame.columns], about.inputs
    numeric = all(pd.api.types.is_numeric_dtype(kind) for kind in frame.dtypes)
    if inputs:
        yield _declared(inputs, frame, columns, numeric=numeric)
        return
    named = tuple(Slot(name=name, datatype=_datatype(frame[name]), shape=(-1, 1)) for name in columns)
    yield Layout(form="columns", inputs=named, framed=True)
    if numeric:
        for kind in ("FP64", "FP32"):
            yield Layout(form="matrix", inputs=(Slot(name="input", datatype=kind, shape=(-1, len(columns))),))
    yield Layout(form="columns", inputs=tuple(Slot(name=s.name, datatype=s.datatype, shape=(-1,)) for s in named))


def _arrays(about: About, rows: np.ndarray) -> Iterator[Layout]:
    """Return layouts for images, series, recordings and texts: one tensor of their shape, or flattened."""
    inner, text = tuple(rows.shape[1:]), rows.dtype == object
    if about.inputs:
        slot = about.inputs[0]
        takes, flat = slot.shape[1:], (int(np.prod(inner)),)
        shapes = ((), (1,)) if text else (inner, flat)
        if len(about.inputs) > 1 or text != (slot.datatype == "BYTES") or not any(_fits(takes, one) for one in shapes):
            told = ", ".join(f"{item.datatype} {item.shape}" for item in about.inputs[:4])
            raise _unfit(
                f"it takes {wire.clean(told)}, and each row is {'a text' if text else rows.dtype.name} {inner}"
            )
        yield Layout(form="array", inputs=(slot,))
    elif text:
        for shape in ((-1, 1), (-1,)):
            yield Layout(form="array", inputs=(Slot(name="text", datatype="BYTES", shape=shape),))
    else:
        for kind in dict.fromkeys((wire.datatype(rows), "FP32")):
            yield Layout(form="array", inputs=(Slot(name="input", datatype=kind, shape=(-1, *inner)),))


def _fits(takes: tuple[int, ...], given: tuple[int, ...]) -> bool:
    return len(takes) == len(given) and all(size in (-1, own) for size, own in zip(takes, given, strict=True))


def _array(slot: Slot, rows: np.ndarray) -> Tensor:
    """Return rows as one tensor, flattened where the model takes one number after the other."""
    kind = wire.DATATYPES.get(slot.datatype)
    if kind is None:
        return Tensor(slot.name, "BYTES", rows.reshape(len(rows), 1) if len(slot.shape) > 1 else rows)
    values = rows.reshape(len(rows), -1) if len(slot.shape) == 2 else rows
    same = values.dtype == kind or (kind.kind == "f" and values.dtype.itemsize <= kind.itemsize)
    return Tensor(slot.name, slot.datatype, values if same else _cast(values.astype(np.float64), kind, slot.name))


def _declared(inputs: Sequence[Slot], frame: pd.DataFrame, columns: list[str], *, numeric: bool) -> Layout:
    """Return the one layout that fits the declared inputs."""
    names = {slot.name for slot in inputs}
    if names <= set(columns) and not (len(inputs) == 1 and _wide(inputs[0]) not in (-1, 1)):
        if len(names) < len(inputs):
            raise _unfit("two of its inputs have the same name")
        return Layout(form="columns", inputs=tuple(inputs))
    if len(inputs) > 1:
        lacking = ", ".join(sorted(names - set(columns))[:5])
        raise _unfit(f"it wants inputs that are no columns: {wire.clean(lacking)}")
    slot, width = inputs[0], _wide(inputs[0])
    if width not in (-1, len(columns)):
        raise _unfit(f"it takes {width} numbers a row, and the data have {len(columns)} columns")
    if slot.datatype != "BYTES" and not numeric:
        texts = [name for name in columns if not pd.api.types.is_numeric_dtype(frame[name])]
        raise TroubleError(
            "types",
            f"the model takes one tensor of numbers, and these are texts: {', '.join(map(wire.clean, texts[:5]))}.",
            remedy="Hide columns that it does not use under `drop:`, or give the data as the model sees them.",
        )
    return Layout(form="matrix", inputs=(slot,))


def _wide(slot: Slot) -> int:
    """Return how many values a row has, as declared; -1 if that is free."""
    inner = slot.shape[1:]
    return 1 if not inner else -1 if any(size < 0 for size in inner) else int(np.prod(inner))


def _datatype(column: pd.Series) -> str:
    if pd.api.types.is_bool_dtype(column):
        return "BOOL"
    if pd.api.types.is_integer_dtype(column):
        return "INT64"
    return "FP64" if pd.api.types.is_numeric_dtype(column) else "BYTES"


def question(layout: Layout, frame: Rows) -> Question:
    """Return the request for (n, d) rows.

    Raises:
        TroubleError: ``endpoint.types``.
    """
    if isinstance(frame, np.ndarray):
        tensors: tuple[Tensor, ...] = (_array(layout.inputs[0], frame),)
    elif layout.form == "matrix":
        tensors = (_matrix(layout.inputs[0], frame),)
    else:
        tensors = tuple(_column(slot, frame[slot.name], framed=layout.framed) for slot in layout.inputs)
    return Question(
        inputs=tensors,
        outputs=layout.outputs,
        parameters={"content_type": "pd"} if layout.framed else {},
        binary=layout.binary,
        zipped=layout.zipped,
    )


def _matrix(slot: Slot, frame: pd.DataFrame) -> Tensor:
    kind = wire.DATATYPES.get(slot.datatype)
    if kind is None:
        cells = np.column_stack([_texts(frame.iloc[:, at]) for at in range(frame.shape[1])])
        return Tensor(slot.name, "BYTES", cells)
    values = frame.to_numpy(dtype=np.float64, na_value=np.nan)
    inner = slot.shape[1:] if len(slot.shape) > 2 and -1 not in slot.shape[1:] else (values.shape[1],)
    return Tensor(slot.name, slot.datatype, _cast(values, kind, slot.name).reshape(len(frame), *inner))


def _column(slot: Slot, column: pd.Series, *, framed: bool) -> Tensor:
    kind = wire.DATATYPES.get(slot.datatype)
    shape = (len(column), 1) if len(slot.shape) > 1 else (len(column),)
    if kind is None:
        return Tensor(slot.name, "BYTES", _texts(column).reshape(shape), {"content_type": "str"} if framed else {})
    if kind.kind in "iu" and column.isna().any() and framed:
        kind, datatype = wire.DATATYPES["FP64"], "FP64"
    else:
        datatype = slot.datatype
    try:
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError):
        raise TroubleError(
            "types",
            f'the input "{wire.clean(slot.name)}" takes {slot.datatype}, and the column holds texts.',
            remedy="Give the data as the model sees them.",
        ) from None
    return Tensor(slot.name, datatype, _cast(values, kind, slot.name).reshape(shape))


def _cast(values: np.ndarray, kind: np.dtype[Any], name: str) -> np.ndarray:
    """Return numbers in the datatype of an input; what does not fit is refused, not bent."""
    if kind.kind == "f":
        return values.astype(kind)
    whole = np.isfinite(values) & (values == np.round(values))
    low, high = (0, 1) if kind.kind == "b" else (np.iinfo(kind).min, np.iinfo(kind).max)
    if not whole.all() or values.min(initial=0.0) < low or values.max(initial=0.0) > high:
        raise TroubleError(
            "types",
            f'the input "{wire.clean(name)}" takes {kind.name}, and the data hold values that are none '
            "(missing, broken or too large).",
            remedy="Give the data as the model sees them, or mend the model's input.",
        )
    return values.astype(kind)


def _texts(column: pd.Series) -> np.ndarray:
    """Return (n,) texts; a missing one is empty, since the protocol has no missing value."""
    found = [_MISSING if pd.isna(value) else _word(value) for value in column.tolist()]
    return np.array([*found, None], dtype=object)[:-1]


def _word(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value.isoformat() if isinstance(value, pd.Timestamp) else str(value)


def read(tensors: Sequence[Tensor], rows: int) -> tuple[Tensor | None, Tensor | None]:
    """Tell which output holds labels or values and which holds scores.

    Args:
        tensors: What came.
        rows: How many rows were asked.

    Returns:
        The output with one answer a row, and the one with a score for each class; None where there is none.

    Raises:
        TroubleError: ``endpoint.shape`` if no output has one entry a row.
    """
    fitting = [item for item in tensors if item.data.ndim and item.data.shape[0] == rows]
    if not fitting:
        shown = ", ".join(str(item.data.shape) for item in tensors[:3]) or "nothing"
        raise wire.misshapen(tensors[0].name if tensors else "", f"{shown} came for {rows} rows")
    wide = [item for item in fitting if _width(item) > 1 and item.datatype.startswith("FP")]
    flat = [item for item in fitting if _width(item) == 1]
    scores = next((item for item in wide if _scored(item)), wide[0] if wide else None)
    plain = [item for item in flat if not _scored(item)] or flat
    answer = next((item for item in plain if not item.datatype.startswith("FP")), plain[0] if plain else None)
    if answer is None and scores is None:
        raise wire.misshapen(fitting[0].name, f"{fitting[0].data.shape} came for {rows} rows")
    return answer, scores


def _scored(item: Tensor) -> bool:
    return any(word in item.name.lower() for word in _SCORES)


def _width(item: Tensor) -> int:
    return int(np.prod(item.data.shape[1:])) if item.data.ndim > 1 else 1


def _unfit(why: str) -> TroubleError:
    return TroubleError(
        "inputs",
        f"the columns that the model would see do not fit its inputs: {why}.",
        remedy="Hide columns that it does not use under `drop:`, or rename those of the data.",
    )


def flat(tensor: Tensor) -> np.ndarray:
    """Return an output as (n,), or (n, k) if it holds several values a row."""
    values = tensor.data
    return values.reshape(len(values), -1) if _width(tensor) > 1 else values.reshape(len(values))
