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
    counted = _empty(wanted)
    for batch in reading.batches(path, wanted):
        some = pa.table(batch).append_column("n", pa.array(np.ones(len(batch[wanted[0]]), dtype=np.int64)))
        counted = _grouped(pa.concat_tables([counted, _grouped(some, wanted)]), wanted)
    if not len(counted):
        raise InputError("anonymity.rows", f"{path.name} has no rows.", remedy="Name a file with rows.")
    classes = _grouped(counted, keys) if sensitive else counted
    sizes = _sizes(classes)
    diversity = None
    if sensitive:
        different = counted.group_by(keys, use_threads=False).aggregate([(sensitive, "count", _ALL)])
        diversity = int(np.asarray(different.column(f"{sensitive}_count")).min())
    rest = {name: [other for other in keys if other != name] for name in keys if len(keys) > 1}
    left = {name: _below(_sizes(_grouped(classes, some)), k) for name, some in rest.items()}
    return {
        "rows": int(sizes.sum()), "classes": len(sizes), "smallest": int(sizes.min()),
        "unique": int((sizes == 1).sum()),
        "below": _below(sizes, k), "without": left, "diversity": diversity, "k": k,
    }  # fmt: skip


_ALL = pc.CountOptions(mode="all")


def _empty(names: list[str]) -> pa.Table:
    return pa.table({**{name: pa.array([], pa.string()) for name in names}, "n": pa.array([], pa.int64())})


def _grouped(table: pa.Table, keys: list[str]) -> pa.Table:
    """Return the combinations of keys with the sum of their counts; memory grows with the combinations alone."""
    made = table.group_by(keys, use_threads=False).aggregate([("n", "sum")])
    return made.rename_columns(["n" if name == "n_sum" else name for name in made.column_names]).select([*keys, "n"])


def _sizes(table: pa.Table) -> np.ndarray:
    return np.asarray(table.column("n"))


def _below(sizes: np.ndarray, k: int) -> int:
    return int(sizes[sizes < k].sum())
