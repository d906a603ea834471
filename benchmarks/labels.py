"""Labels: a table bound by column and group of rows, and verified, beside SHA-256 over the very same bytes.

Equality first: binding the same values from a Parquet file and from memory gives one root, and a changed cell is found
in its column and group. The bytes are those of the table's Arrow buffers in memory, 20 columns of numbers, integers,
dates, moments, truth values and texts, some missing. Both sides use one thread; time is that of the processor. What the
same takes from a Parquet file on disk, beside hashing that file, is shown without a demand.
"""

from __future__ import annotations

import hashlib
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from benchmarks.rows import Row
from fivefold.manifest.digests import file_digest
from fivefold.traceability.labels import content, locating, reading

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS = 10_000_000
_WORDS = np.array(["alpha", "beta", "gamma delta", "\u00e9psilon"])


def measure(*, gates: bool, repeat: int) -> tuple[list[Row], str]:
    """Return the rows; there is no peer but the hash itself."""
    size = ROWS // 4 if gates else ROWS
    table = drawn(size)
    pa.set_cpu_count(1)
    source = reading.of_table(table)
    bound = content.bind(source)
    hashed, binding, verifying = [], [], []
    for _ in range(repeat):
        hashed.append(_timed(lambda: _hash(table)))
        binding.append(_timed(lambda: content.bind(source)))
        verifying.append(_timed(lambda: _verified(bound, source)))
    rows = [
        Row("a changed cell located; one root from file and memory", float(_equal(table.slice(0, 100_000))), None,
            1.0, "min", ""),
        _row("bind", size, hashed, binding, floor=0.5, repeat=repeat),
        _row("verify", size, hashed, verifying, floor=0.5, repeat=repeat),
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.parquet"
        parquet.write_table(table, path)
        megabytes = path.stat().st_size / 1e6
        alone, whole = _timed(lambda: file_digest(path)), _timed(lambda: content.of_file(path))
    rows.append(
        Row(f"bind a Parquet file of {megabytes:,.0f} MB (columns packed)", whole, alone, 1000.0, "max", "s",
            required=False, note="the peer hashes the packed file alone; shown, not judged")
    )  # fmt: skip
    return rows, ""


def _row(what: str, size: int, hashed: list[float], ours: list[float], *, floor: float, repeat: int) -> Row:
    """Return speeds as rows a second: at least half of the hash's."""
    return Row(
        f"{what} {size:,} rows x 20 columns / SHA-256 of the same bytes", size / median(ours), size / median(hashed),
        floor, "min", "rows/s", note=f"median of {repeat}",
    )  # fmt: skip


def drawn(size: int) -> pa.Table:
    """Return 20 columns of mixed kinds."""
    rng = np.random.default_rng(1)
    columns: dict[str, pa.Array] = {f"number {at}": pa.array(rng.normal(size=size)) for at in range(8)}
    columns |= {f"integer {at}": pa.array(rng.integers(0, 10 ** (at + 1), size)) for at in range(6)}
    columns["missing"] = pa.array(np.where(rng.random(size) < 0.05, np.nan, rng.normal(size=size)), from_pandas=True)
    columns["moment"] = pa.array(rng.integers(0, 10**9, size).astype("datetime64[s]").astype("datetime64[us]"))
    columns["flag"] = pa.array(rng.random(size) < 0.5)
    codes = pa.array(rng.integers(0, len(_WORDS), size, dtype=np.int32))
    columns["word"] = pa.DictionaryArray.from_arrays(codes, pa.array(_WORDS.tolist())).cast(pa.string())
    columns["code"] = pa.array(rng.integers(0, 10**6, size)).cast(pa.string())
    columns["date"] = pa.array(rng.integers(0, 20_000, size, dtype=np.int32)).cast(pa.date32())
    return pa.table(columns)


def _hash(table: pa.Table) -> str:
    state = hashlib.sha256()
    for column in table.columns:
        for chunk in column.chunks:
            for buffer in chunk.buffers():
                if buffer is not None:
                    state.update(buffer)
    return state.hexdigest()


def _verified(bound: object, source: reading.Source) -> None:
    if not locating.compare(bound, source).none:  # type: ignore[arg-type]
        raise ValueError("the table differs from itself")


def _equal(table: pa.Table) -> bool:
    """Return whether a file gives the same root as memory, and a changed cell is found where it is."""
    bound = content.bind(reading.of_table(table))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.parquet"
        parquet.write_table(table, path)
        same = content.of_file(path).root == bound.root
    row, values = 54_321, table["integer 3"].to_numpy().copy()
    values[row] += 1
    changed = table.set_column(table.column_names.index("integer 3"), "integer 3", pa.array(values))
    found = locating.name(locating.compare(bound, reading.of_table(changed)))
    return same and [dict(fault.cells) for fault in found] == [{"integer 3": [row // bound.group]}]


def _timed(call: Callable[[], object]) -> float:
    begun = time.process_time()
    call()
    return time.process_time() - begun
