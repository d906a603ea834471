"""Mask: personal data replaced so that their written form stays, by pseudonyms under a key or by stars."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv, parquet

from fivefold.errors import InputError
from fivefold.governance.personal import reading
from fivefold.governance.personal.find import find
from fivefold.governance.personal.scan import scan
from fivefold.governance.personal.spans import Spans, Texts
from fivefold.keys.ciphers import derive, keyed_hash

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from fivefold.governance.personal.verdict import Verdict

How = Literal["pseudonym", "stars", "drop"]
_INFO = b"fivefold pseudonyms v1"
_WIDTH = 64
_MOST = 0.9
_STAR = ord("*")


def mask(path: Path, out: Path, columns: Sequence[str], how: How, secret: bytes | None) -> dict[str, object]:
    """Write a copy of a file in which personal data are masked.

    A pseudonym keeps length, signs, digits and capitals; the same in every file masked with this key.
    Threat: whoever gets the copy knows the people in it. Limit: pseudonyms are personal data still (GDPR, Article
    4(5)): whoever has the key can try values; who knows a person's other columns may know the row; short values may
    share a pseudonym; check digits do not hold any more. What the scan does not find in a text stays in it.

    Args:
        path: CSV, Parquet, Arrow or text.
        out: A new file of the same kind.
        columns: Columns to mask; empty: those that :func:`fivefold.governance.personal.scan.scan` calls personal.
        how: ``pseudonym``, ``stars`` or ``drop`` (the column is left out).
        secret: What the key comes from; needed for pseudonyms alone.

    Returns:
        ``rows``, ``columns`` (name to ``whole`` or ``finds``), ``how``.

    Raises:
        InputError: ``mask.key``, ``mask.exists``, ``mask.nothing``; as :func:`reading.batches`.
    """
    if how == "pseudonym" and not secret:
        remedy = "Name the application whose secret the key comes from: --in my-app. There is no default key."
        raise InputError("mask.key", "pseudonyms need a key.", remedy=remedy)
    if out.exists():
        raise InputError("mask.exists", f"{out} is there already.", remedy="Name another file.")
    chosen = _chosen(path, columns)
    if not chosen:
        raise InputError("mask.nothing", f"no personal data were found in {path.name}.", remedy="Name --column.")
    key = derive(secret, info=_INFO) if secret and how == "pseudonym" else None
    count = 0

    def changed() -> Iterator[pa.RecordBatch]:
        nonlocal count
        for batch in reading.batches(path):
            made = {
                name: masked(cells, key, whole=chosen[name]) if name in chosen else cells
                for name, cells in batch.items()
                if how != "drop" or name not in chosen
            }
            count += len(next(iter(batch.values())))
            yield pa.RecordBatch.from_arrays(list(made.values()), names=list(made))

    _write(out, changed())
    return {"rows": count, "how": how, "columns": {name: "whole" if all_ else "finds" for name, all_ in chosen.items()}}


def _chosen(path: Path, columns: Sequence[str]) -> dict[str, bool]:
    """Return each column to mask, and whether its cells are masked whole or only what is found in them."""
    found: dict[str, Verdict] = {one.column: one for one in scan(path).columns}
    missing = [name for name in columns if name not in found]
    if missing:
        remedy = f"Its columns are: {', '.join(found)[:300]}."
        raise InputError("scan.column", f"{path.name} has no column {missing[0]!r}.", remedy=remedy)
    names = columns or [name for name, one in found.items() if one.personal]
    return {name: _whole(found[name]) for name in names}


def _whole(one: Verdict) -> bool:
    """Whether a column is personal as such: by its name, or by most of cells that are no sentences."""
    return "name" in one.by or not one.found or (not one.free and one.share >= _MOST)


def masked(cells: pa.Array, key: bytes | None, *, whole: bool) -> pa.Array:
    """Return (n,) Arrow strings with the letters and digits of personal data replaced.

    Args:
        cells: Arrow strings, null where missing.
        key: Of the pseudonyms; None: stars.
        whole: Cells are replaced whole; else what is found in them.
    """
    texts = Texts(cells, longest=None)
    if whole:
        spans = Spans(texts.offsets[:-1], texts.offsets[1:])
        spans = spans.where(spans.end > spans.start)
    else:
        found = find(texts)
        spans = Spans(found.start + texts.offsets[found.row], found.end + texts.offsets[found.row])
    if not len(spans):
        return texts.array
    data = texts.data.copy()
    kept = np.ones(len(data), dtype=bool)
    length = spans.end - spans.start
    of = np.repeat(np.arange(len(spans)), length)
    first = np.concatenate([[0], np.cumsum(length)[:-1]])
    at = np.arange(len(of)) - first[of] + spans.start[of]
    old = data[at]
    digit, upper, lower = _between(old, "0", "9"), _between(old, "A", "Z"), _between(old, "a", "z")
    # a letter that is not ASCII is one leading byte, which becomes a letter, and others, which go
    lead, rest = old >= 0xC0, (old >= 0x80) & (old < 0xC0)
    counted = digit | upper | lower | lead
    if key is None:
        new = np.where(counted, _STAR, old)
    else:
        order = np.cumsum(counted) - counted
        order -= order[first][of]
        stream = _stream(np.where(upper, old + 32, old), counted | rest, first, key)[of, order % _WIDTH]
        lone = (order == 0) & digit
        tens = np.where(lone, np.where(old == ord("0"), 48, 49 + stream % 9), 48 + stream % 10)
        new = np.where(digit, tens, np.where(upper, 65 + stream % 26, np.where(lower | lead, 97 + stream % 26, old)))
    data[at] = new
    kept[at[rest]] = False
    ends = np.concatenate([[0], np.cumsum(kept)])[texts.offsets].astype(np.int32)
    made = pa.StringArray.from_buffers(
        len(texts), pa.py_buffer(ends.tobytes()), pa.py_buffer(np.ascontiguousarray(data[kept]).tobytes())
    )
    return pc.if_else(cells.is_null(), pa.scalar(None, pa.string()), made)


def _between(letters: np.ndarray, low: str, high: str) -> np.ndarray:
    return np.asarray((letters >= ord(low)) & (letters <= ord(high)))


def _stream(letters: np.ndarray, counted: np.ndarray, first: np.ndarray, key: bytes) -> np.ndarray:
    """Return (m, 64) uint8 for each find: keyed hashes of its letters and digits, signs and capitals aside.

    Args:
        letters: (b,) the bytes of all finds.
        counted: (b,) those that count.
        first: (m,) where each find begins.
        key: 32 bytes.
    """
    offsets = np.append(np.concatenate([[0], np.cumsum(counted)])[first], counted.sum()).astype(np.int32)
    packed = np.ascontiguousarray(letters[counted].astype(np.uint8))
    names = pa.Array.from_buffers(
        pa.binary(), len(first), [None, pa.py_buffer(offsets.tobytes()), pa.py_buffer(packed.tobytes())]
    ).dictionary_encode()
    blocks = _WIDTH // 32
    made = b"".join(
        keyed_hash(key, bytes([at]) + name) for name in names.dictionary.to_pylist() for at in range(blocks)
    )
    levels = np.frombuffer(made, dtype=np.uint8).reshape(len(names.dictionary), _WIDTH)
    return np.asarray(levels[np.asarray(names.indices)])


def _write(out: Path, parts: Iterator[pa.RecordBatch]) -> None:
    """Write batches of strings as CSV, Parquet or lines; a file that was begun and failed is removed."""
    try:
        first = next(parts)
        if out.suffix in (".parquet", ".arrow", ".feather"):
            with parquet.ParquetWriter(out, first.schema) as file:
                file.write_batch(first)
                for part in parts:
                    file.write_batch(part)
            return
        lines = out.suffix in reading.LINES
        options = csv.WriteOptions(include_header=not lines, quoting_style="none" if lines else "needed")
        with csv.CSVWriter(out, first.schema, write_options=options) as file:
            file.write_batch(first)
            for part in parts:
                file.write_batch(part)
    except BaseException:
        out.unlink(missing_ok=True)
        raise
