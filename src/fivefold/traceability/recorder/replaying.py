"""Replaying: recorded decisions as they were asked, and what was answered then held against what is answered now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pandas as pd

from fivefold.errors import InputError
from fivefold.traceability.recorder.reading import Found

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from fivefold.traceability.recorder.nouns import Tensor

_ANSWERS = ("output", "decision")
_MOST_ASKED = 10_000


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """A question and its answer, as recorded.

    Attributes:
        asked: The record of what was asked.
        answered: The record of what was answered.
    """

    asked: Found
    answered: Found

    @property
    def model(self) -> str:
        """Digest of the model that answered; empty: it was not said."""
        return self.answered.body.model if self.answered.body else ""

    def rows(self) -> pd.DataFrame | np.ndarray:
        """Return what the model was given: columns, or one array of two dimensions or more.

        Raises:
            InputError: ``replay.input`` if it cannot be made again.
        """
        given = self.asked.body.tensors if self.asked.body else ()
        if len(given) == 1 and len(given[0].shape) > 1:
            return np.asarray(array(given[0]))
        columns = [_column(tensor) for tensor in given]
        if not columns or len({len(column) for column in columns}) > 1:
            raise InputError("replay.input", f"record {self.asked.id} holds no rows that could be asked again.")
        made = pd.concat(columns, axis=1)
        made.columns = pd.Index([tensor.name for tensor in given])
        return made


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """One recorded answer against the one of now.

    Attributes:
        name: Of the recorded array.
        same: Bit for bit; None: the model gives nothing that it could be held against.
        by: Method of the model that it was held against.
        said: What differs, in words.
    """

    name: str
    same: bool | None
    by: str = ""
    said: str = ""


def decisions(found: Iterable[Found]) -> Iterator[Decision]:
    """Yield each answer with the last question before it in its case; erased records are passed over.

    The newest 10,000 questions are held: an answer that comes after more of them is passed over.
    """
    asked: dict[str, Found] = {}
    for item in found:
        if item.body is None or not item.body.tensors:
            continue
        if item.kind == "input":
            asked.pop(item.body.case, None)
            asked[item.body.case] = item
            if len(asked) > _MOST_ASKED:
                del asked[next(iter(asked))]
        elif item.kind in _ANSWERS and item.body.case in asked:
            yield Decision(asked=asked[item.body.case], answered=item)


def compare(decision: Decision, answers: Mapping[str, np.ndarray]) -> tuple[Compared, ...]:
    """Hold every recorded array against the model's answers: whole, or one column of probabilities."""
    tensors = decision.answered.body.tensors if decision.answered.body else ()
    return tuple(_compared(tensor, answers) for tensor in tensors)


def _compared(tensor: Tensor, answers: Mapping[str, np.ndarray]) -> Compared:
    told = array(tensor)
    able = [(by, now) for by, whole in answers.items() for now in _parts(whole) if _like(told, now)]
    if not able:
        said = f"an array of shape {list(tensor.shape)}, and the model answers with nothing of that shape and type"
        return Compared(name=tensor.name, same=None, said=said)
    for by, now in able:
        if _same(told, now):
            return Compared(name=tensor.name, same=True, by=by)
    by, now = min(able, key=lambda pair: _unlike(told, pair[1]).sum())
    where = np.argwhere(_unlike(told, now))
    at = tuple(int(place) for place in where[0])
    said = (
        f"{len(where)} of {told.size} values, first at {list(at)}: {_plain(told[at])!r} then, {_plain(now[at])!r} now"
    )
    return Compared(name=tensor.name, same=False, by=by, said=said)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _parts(whole: np.ndarray) -> list[np.ndarray]:
    columns = [whole[:, at] for at in range(whole.shape[1])] if whole.ndim == 2 else []
    return [whole, *columns, *([whole[:, None]] if whole.ndim == 1 else [])]


def _like(told: np.ndarray, now: np.ndarray) -> bool:
    return told.shape == now.shape and (told.dtype.kind == "O") == (now.dtype.kind == "O")


def _same(told: np.ndarray, now: np.ndarray) -> bool:
    return not bool(_unlike(told, now).any())


def _unlike(told: np.ndarray, now: np.ndarray) -> np.ndarray:
    """Return where bits differ, numbers compared in the type in which they were recorded."""
    if told.dtype.kind == "O":
        pairs = zip(told.ravel().tolist(), now.ravel().tolist(), strict=True)
        return np.array([one != other or type(one) is not type(other) for one, other in pairs]).reshape(told.shape)
    with np.errstate(all="ignore"):
        again = np.ascontiguousarray(now.astype(told.dtype))
    if told.dtype.kind in "iub" and now.dtype.kind == "f" and not np.array_equal(again, now):
        return np.asarray(again != now)
    size = told.dtype.itemsize
    bits = [np.frombuffer(part.tobytes(), np.uint8).reshape(-1, size) for part in (told, again)]
    return np.asarray((bits[0] != bits[1]).any(axis=1)).reshape(told.shape)


def array(tensor: Tensor) -> np.ndarray:
    """Return a recorded array: numbers as they were, anything else as objects.

    Raises:
        InputError: ``replay.array`` if its bytes do not fit its shape.
    """
    try:
        if tensor.dtype == "text":
            values: list[Any] = msgspec.msgpack.decode(tensor.data)
            made = np.empty(len(values), dtype=object)
            made[:] = values
            return made
        return np.frombuffer(tensor.data, np.dtype(tensor.dtype)).reshape(tensor.shape)
    except (TypeError, ValueError, msgspec.DecodeError):
        raise InputError("replay.array", f"{tensor.name[:80]} cannot be read as an array.") from None


def _column(tensor: Tensor) -> pd.Series:
    values = array(tensor)
    if values.ndim != 1:
        raise InputError("replay.input", f"{tensor.name[:80]} is no column.")
    kind = tensor.column
    if kind.startswith("category"):
        levels = msgspec.msgpack.decode(tensor.levels) if tensor.levels else None
        known = [None if pd.isna(value) else value for value in values.tolist()]
        return pd.Series(pd.Categorical(known, categories=levels, ordered=kind.endswith("ordered")))
    if kind.startswith("datetime64["):
        return pd.Series(values).dt.tz_localize("UTC").dt.tz_convert(kind.partition(", ")[2].rstrip("]"))
    if kind and kind != "object":
        return pd.Series(pd.array(values.tolist(), dtype=kind))
    return pd.Series(values, dtype=values.dtype)
