"""Anonymity: how many rows share each combination of quasi-identifiers (k), and how many secrets each has (l)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fivefold.errors import InputError
from fivefold.governance.personal import reading

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def anonymity(path: Path, quasi: Sequence[str], k: int, sensitive: str = "") -> dict[str, Any]:
    """Count rows by combination of quasi-identifiers; a missing cell is a value of its own.

    Limit: k says nothing where all of a class share a secret (see ``diversity``), nor of what others know besides.

    Args:
        path: CSV, Parquet or Arrow.
        quasi: Columns that somebody may know of a person.
        k: Smallest class that is wanted.
        sensitive: Column that nobody is to learn; empty: none.

    Returns:
        ``rows``, ``classes``, ``smallest``, ``unique`` (rows alone), ``below`` (rows in classes smaller than k),
        ``without`` (column to the rows below k without it), ``diversity`` (fewest different secrets in a class; None
        without ``sensitive``), ``k``.
        Source: Sweeney 2002 (k-anonymity); Machanavajjhala et al. 2007 (l-diversity, distinct form).

    Raises:
        InputError: ``anonymity.quasi`` without columns, ``anonymity.rows`` without rows; as :func:`reading.batches`.
    """
    keys = list(dict.fromkeys(quasi))
    if not keys or sensitive in keys:
        remedy = "Name the columns that somebody may know: --quasi age --quasi postcode."
        raise InputError("anonymity.quasi", "no quasi-identifiers are named, or the secret is one.", remedy=remedy)
    wanted = [*keys, *([sensitive] if sensitive else [])]
    names = [f"c{at}" for at in range(len(wanted))]
    counted = _empty(names)
    for batch in reading.batches(path, wanted):
        some = pa.table([*(batch[name] for name in wanted), _ones(batch[wanted[0]])], names=[*names, _ROWS])
        counted = _grouped(pa.concat_tables([counted, _grouped(some, names)]), names)
    if not len(counted):
        raise InputError("anonymity.rows", f"{path.name} has no rows.", remedy="Name a file with rows.")
    known = names[: len(keys)]
    classes, diversity = counted, None
    if sensitive:
        classes = _grouped(counted, known)
        different = counted.group_by(known, use_threads=False).aggregate([(names[-1], "count", _ALL)])
        diversity = int(np.asarray(different.column(f"{names[-1]}_count")).min())
    sizes = _sizes(classes)
    rest = {name: [other for other in known if other != name] for name in known if len(keys) > 1}
    left = {keys[known.index(name)]: _below(_sizes(_grouped(classes, some)), k) for name, some in rest.items()}
    return {
        "rows": int(sizes.sum()), "classes": len(sizes), "smallest": int(sizes.min()),
        "unique": int((sizes == 1).sum()),
        "below": _below(sizes, k), "without": left, "diversity": diversity, "k": k,
    }  # fmt: skip


_ALL = pc.CountOptions(mode="all")
_ROWS = "n"


def _ones(like: pa.Array) -> pa.Array:
    return pa.array(np.ones(len(like), dtype=np.int64))


def _empty(names: list[str]) -> pa.Table:
    return pa.table({**{name: pa.array([], pa.string()) for name in names}, _ROWS: pa.array([], pa.int64())})


def _grouped(table: pa.Table, keys: list[str]) -> pa.Table:
    """Return the combinations of keys with the sum of their counts; memory grows with the combinations alone."""
    made = table.group_by(keys, use_threads=False).aggregate([(_ROWS, "sum")])
    return made.rename_columns([_ROWS if name == "n_sum" else name for name in made.column_names]).select(
        [*keys, _ROWS]
    )


def _sizes(table: pa.Table) -> np.ndarray:
    return np.asarray(table.column(_ROWS))


def _below(sizes: np.ndarray, k: int) -> int:
    return int(sizes[sizes < k].sum())
