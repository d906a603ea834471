"""Split: one table into two files, the same way each time, without touching the table itself.

Which side a row falls on follows from the SHA-256 of its cells, so equal rows stay together; classes keep their share.
"""

from __future__ import annotations

import csv
import filecmp
import gzip
import hashlib
import io
import zipfile
from typing import TYPE_CHECKING, Any

from fivefold.errors import InputError
from fivefold.manifest import npz
from fivefold.manifest.cells import NPZ, array, cells, columns, contents, widest
from fivefold.manifest.columns import OTHERS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_MOST_CLASSES = 20


def held_back(path: Path, target: str, share: float) -> list[bool]:
    """Return for each row whether it is held back for the test.

    Args:
        path: CSV (also ``.gz``), Parquet, Arrow or npz file.
        target: Column whose classes keep their share; ignored if it is not there or has more than 20 values.
        share: Share held back, above 0 and below 1.

    Raises:
        InputError: ``init.split`` for a share outside its range, a folder, or a table with fewer than two rows.
    """
    if not 0 < share < 1:
        remedy = "Write for example --split 0.3."
        raise InputError("init.split", f"the share {share:g} is not between 0 and 1.", remedy=remedy)
    if path.is_dir():
        remedy = "Make two folders, each with its index, and name them as --train and --test."
        raise InputError("init.split", f"{path.name} is a folder, which --split does not part.", remedy=remedy)
    names = columns(path)
    place = names.index(target) if target in names else -1
    keys, classes = [], []
    for row, more in contents(path):
        keys.append(hashlib.sha256("\x1f".join(row).encode() + more).digest()[:16])
        classes.append(row[place] if 0 <= place < len(row) else "")
    if len(keys) < 2:
        raise InputError("init.split", f"{path.name} has fewer than two rows.", remedy="Name a file for the test.")
    if len(set(classes)) > _MOST_CLASSES:
        classes = [""] * len(keys)
    chosen = [False] * len(keys)
    for name in sorted(set(classes)):
        order = sorted((key, index) for index, key in enumerate(keys) if classes[index] == name)
        for index in _first(order, share):
            chosen[index] = True
    return chosen


def _first(order: Sequence[tuple[bytes, int]], share: float) -> list[int]:
    """Return the rows before the cut, moved so that it does not part equal rows."""
    cut = round(len(order) * share)
    while 0 < cut < len(order) and order[cut][0] == order[cut - 1][0]:
        cut += 1
    return [index for _, index in order[:cut]]


def write_split(path: Path, target: str, share: float, train: Path, test: Path) -> tuple[int, int]:
    """Write the two parts of a table as files of the same kind.

    Args:
        path: The table; it is only read.
        target: As :func:`held_back`.
        share: Share of the rows that go to ``test``.
        train: File to write.
        test: File to write.

    Returns:
        Numbers of rows in ``train`` and ``test``.

    Raises:
        InputError: ``init.split``, or ``init.exists`` if another file stands there already.
    """
    chosen = held_back(path, target, share)
    train.parent.mkdir(parents=True, exist_ok=True)
    drafts = tuple(file.with_name(f".new-{file.name}") for file in (train, test))
    name = path.name.lower()
    writer = _write_arrow if name.endswith(OTHERS) else _write_npz if name.endswith(NPZ) else _write_csv
    try:
        writer(path, chosen, *drafts)
        for draft, file in zip(drafts, (train, test), strict=True):
            if file.exists() and not filecmp.cmp(draft, file, shallow=False):
                remedy = "Use the two files with --train and --test, or delete them."
                raise InputError("init.exists", f"{file} is there already and differs.", remedy=remedy)
        for draft, file in zip(drafts, (train, test), strict=True):
            draft.replace(file)
    finally:
        for draft in drafts:
            draft.unlink(missing_ok=True)
    return chosen.count(False), chosen.count(True)


def _write_csv(path: Path, chosen: list[bool], train: Path, test: Path) -> None:
    stream = cells(path)
    head = next(stream)
    with _open(train) as left, _open(test) as right:
        writers = [csv.writer(left, lineterminator="\n"), csv.writer(right, lineterminator="\n")]
        for writer in writers:
            writer.writerow(head)
        for held, row in zip(chosen, stream, strict=True):
            writers[held].writerow(row)


def _open(path: Path) -> io.TextIOWrapper:
    raw: Any = gzip.GzipFile(path, "wb", mtime=0) if path.name.endswith(".gz") else path.open("wb")
    return io.TextIOWrapper(raw, encoding="utf-8", newline="")


def _write_arrow(path: Path, chosen: list[bool], train: Path, test: Path) -> None:
    import pyarrow as pa
    from pyarrow import dataset, feather, parquet

    whole = path.name.lower().endswith((".parquet", ".pq"))
    table = dataset.dataset(path, format="parquet" if whole else "feather").to_table()
    for file, wanted in ((train, False), (test, True)):
        part = table.filter(pa.array([held is wanted for held in chosen]))
        if whole:
            parquet.write_table(part, file)
        else:
            feather.write_feather(part, file)


def _write_npz(path: Path, chosen: list[bool], train: Path, test: Path) -> None:
    """Part every array that has an element for each row; others stand in both files."""
    import numpy as np

    held, stored = np.array(chosen), npz.members(path)
    count = widest(stored, path.name).shape[0]
    with zipfile.ZipFile(train, "w") as left, zipfile.ZipFile(test, "w") as right:
        for member in stored:
            values = array(path, member)
            rows = bool(member.shape) and member.shape[0] == count
            for archive, wanted in ((left, ~held), (right, held)):
                entry = zipfile.ZipInfo(member.member)
                entry.compress_type = zipfile.ZIP_DEFLATED
                with archive.open(entry, "w", force_zip64=True) as file:
                    np.lib.format.write_array(file, values[wanted] if rows else values, allow_pickle=False)
