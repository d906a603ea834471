"""Questions: rows that nobody has, mixed from an application's own, kept in a secret and put to a suspect."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pandas as pd

from fivefold.errors import InputError, SubjectError, TrustError
from fivefold.subject import labels, rows
from fivefold.subject.batch import Batch, pack, unpack
from fivefold.subject.possible import space as spaces

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fivefold.contract.subject import Subject, Table

MOST = 1000
"""Most questions of one mark."""
_SPARE = 4


def mixed(table: Table, count: int, rng: np.random.Generator) -> Table:
    """Return new rows, each once, whose cells come from two rows each; images, series and recordings are averaged.

    Args:
        table: Rows of the application.
        count: How many.
        rng: Draws them.

    Raises:
        InputError: ``mark.inputs`` for texts, for fewer than 20 rows, and where too few mixed rows are new.
    """
    if table.kind == "text" or len(table) < 20:
        raise InputError("mark.inputs", "questions are mixed from 20 rows or more of a table, of images, series or "
                         "recordings.", remedy="Declare such training rows.")  # fmt: skip
    if table.inputs is not None:
        first = rng.integers(len(table), size=count)
        second = (first + rng.integers(1, len(table), size=count)) % len(table)
        both = (table.inputs[first].astype(np.float32) + table.inputs[second].astype(np.float32)) / 2
        return table.take(first).with_inputs(both.astype(table.inputs.dtype))
    first, second = rng.integers(len(table), size=(2, _SPARE * count))
    taken = rng.random((len(first), table.features.shape[1])) < 0.5
    cells = {name: table.features[name].take(np.where(taken[:, at], first, second)).reset_index(drop=True)
             for at, name in enumerate(table.features.columns)}  # fmt: skip
    made = pd.DataFrame(cells, columns=table.features.columns)
    hashed = _hashed(made)
    _, once = np.unique(hashed, return_index=True)
    new = np.sort(once[~np.isin(hashed[once], _hashed(table.features))])[:count]
    if len(new) < count:
        raise InputError("mark.inputs", f"the rows differ too little: only {len(new)} of {count} mixed ones are new.",
                         remedy="Ask fewer questions, or declare more rows and columns.")  # fmt: skip
    return table.take(first[new]).with_features(made.iloc[new].reset_index(drop=True))


def packed(table: Table) -> bytes:
    """Return what a model is given of the questions, as message pack."""
    return msgspec.msgpack.encode(pack(rows.of(table)))


def unpacked(data: bytes, classes: Sequence[str]) -> Table:
    """Return questions as a table without targets.

    Raises:
        TrustError: ``mark.malformed``.
    """
    try:
        return rows.bare(unpack(msgspec.msgpack.decode(data, type=Batch)), classes)
    except (msgspec.DecodeError, SubjectError, ValueError):
        raise TrustError("mark.malformed", "the questions of the mark cannot be read.") from None


def answers(subject: Subject, data: bytes, classes: Sequence[str]) -> np.ndarray:
    """Return (n,) indices into ``classes`` of a model's answers; -1 for a class that is not among them."""
    said = subject.predict(unpacked(data, subject.classes))
    names = np.array([*subject.classes], dtype=object)
    return labels.codes(names[said], classes)


def without(table: Table, data: bytes, classes: Sequence[str]) -> Table:
    """Return a table without rows that are among the questions, as training rows of somebody else are."""
    asked = unpacked(data, classes)
    if table.inputs is not None and asked.inputs is not None:
        own = {one.tobytes() for one in asked.inputs}
        return table.take(np.array([one.tobytes() not in own for one in table.inputs], dtype=bool))
    return table.take(~np.isin(_hashed(table.features), _hashed(asked.features[list(table.features.columns)])))


def strangers(train: Table, seed: int) -> list[Callable[[Table], np.ndarray]]:
    """Return simple models of three families, trained on rows: each gives (n,) targets for a table of the same kind."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.tree import DecisionTreeClassifier

    space = spaces.of_images([train]) if train.inputs is not None else spaces.of_tables([train], {})
    known = space.encode(train)
    low = np.nanmin(known, axis=0, initial=0.0) - 1.0

    def whole(values: np.ndarray) -> np.ndarray:
        return np.where(np.isnan(values), low, values)

    def asked(model: Any) -> Callable[[Table], np.ndarray]:
        model.fit(whole(known), train.target)
        return lambda table: np.asarray(model.predict(whole(space.encode(table))))

    models = (
        RandomForestClassifier(40, random_state=seed),
        DecisionTreeClassifier(random_state=seed),
        KNeighborsClassifier(5),
    )
    return [asked(model) for model in models]


def joined(parts: Sequence[Table]) -> Table:
    """Return questions of the same kind one after another."""
    inputs = (
        None if parts[0].inputs is None else np.concatenate([one.inputs for one in parts if one.inputs is not None])
    )
    count = sum(map(len, parts))
    return replace(
        parts[0], rows=np.arange(count), target=np.concatenate([one.target for one in parts]), inputs=inputs,
        features=pd.concat([one.features for one in parts], ignore_index=True),
        others=pd.DataFrame(index=pd.RangeIndex(count)),
    )  # fmt: skip


def relabelled(table: Table, said: np.ndarray) -> Table:
    """Return the rows with a model's answers as their target: what a thief trains on."""
    return replace(table, target=said)


def _hashed(frame: pd.DataFrame) -> np.ndarray:
    plain = {name: column.astype(np.float64) if pd.api.types.is_numeric_dtype(column) else column.astype(str)
             for name, column in frame.items()}  # fmt: skip
    return pd.util.hash_pandas_object(pd.DataFrame(plain), index=False).to_numpy()
