"""Columns: which columns a declared data set has, and that every column named in the manifest is one of them."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections import Counter
from typing import TYPE_CHECKING, Any

from fivefold.errors import InputError
from fivefold.manifest import csv_text, scenario
from fivefold.manifest.stored import stored_columns
from fivefold.manifest.walk import suggest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from fivefold.manifest.walk import Walk

CSV = (".csv", ".csv.gz")
OTHERS = (".parquet", ".pq", ".arrow", ".feather")
"""Their columns are read from the schema that they carry."""

_MAX_HEADER = 4 << 20


def header(path: Path) -> tuple[str, ...]:
    """Return the columns of a CSV file from its first line, of a Parquet or Arrow file from its schema.

    Raises:
        InputError: ``manifest.data-format``, ``manifest.duplicate-column``, or as :mod:`fivefold.manifest.csv_text`.
    """
    name = path.name.lower()
    if name.endswith(OTHERS):
        return _once(path, stored_columns(path))
    if not name.endswith(CSV):
        remedy = "Use .csv, .csv.gz, .parquet, .arrow or .feather."
        if path.suffix == ".npz" or path.is_dir():
            remedy = "Declare what one row is: `kind: image`, `series` or `audio`."
        raise InputError("manifest.data-format", f"{path.name} is of no known kind.", remedy=remedy)
    row = next(_rows(path), [])
    if not row or row == [""]:
        raise csv_text.empty(path.name)
    csv_text.require_commas(path.name, row)
    return _once(path, tuple(column or f"Unnamed: {index}" for index, column in enumerate(row)))


def _once(path: Path, row: tuple[str, ...]) -> tuple[str, ...]:
    twice = sorted({column for column, times in Counter(row).items() if times > 1})
    if twice:
        message = f"{path.name} has the column {', '.join(twice)} more than once."
        raise InputError("manifest.duplicate-column", message, remedy="Give each column a name of its own.")
    return row


def _rows(path: Path) -> Iterator[list[str]]:
    opener = gzip.open if path.name.lower().endswith(".gz") else open
    try:
        with opener(path, "rb") as file:
            head = file.readline(_MAX_HEADER)
            csv_text.require_text(path.name, head)
            while head.count(b'"') % 2 and len(head) < _MAX_HEADER:
                more = file.readline(_MAX_HEADER)
                if not more:
                    break
                head += more
        yield from csv.reader(io.StringIO(head.decode("utf-8-sig"), newline=""), strict=True)
    except UnicodeDecodeError:
        raise csv_text.not_utf8(path.name, head) from None
    except (OSError, EOFError, zlib.error, csv.Error, ValueError) as error:
        raise csv_text.broken(path.name, f"its first line: {error}") from None


def check_columns(walk: Walk, name: str, data: Mapping[str, Any], columns: tuple[str, ...]) -> None:
    """Note each column that ``data.<name>`` names and that the data do not have.

    Args:
        walk: Where faults are noted.
        name: Data-set name.
        data: The declaration, with what it takes from ``train`` filled in.
        columns: Columns of the stored file.
    """
    target = data.get("target", "")
    if target and target not in columns:
        _absent(walk, f"data.{name}.target", target, name, columns)
    for field in ("drop", "protected"):
        for index, column in enumerate(data.get(field, ())):
            if column not in columns:
                _absent(walk, f"data.{name}.{field}.{index}", column, name, columns)
    named = ["id"] + ["time"] * (data.get("kind") == "series") + ["input"] * (data.get("kind") in ("text", "audio"))
    for field in named:
        if data.get(field) and data[field] not in columns:
            _absent(walk, f"data.{name}.{field}", data[field], name, columns)
    for index, column in enumerate((data.get("label") or {}).get("personal", ())):
        if column not in columns:
            _absent(walk, f"data.{name}.label.personal.{index}", column, name, columns)


def _absent(walk: Walk, place: str, column: str, name: str, columns: tuple[str, ...]) -> None:
    code = "target-absent" if place.endswith(".target") else "unknown-column"
    walk.report(code, place, f'there is no column "{column}" in data.{name}.', suggest(column, columns))


def check_features(walk: Walk, document: Mapping[str, Any], columns: Mapping[str, tuple[str, ...]]) -> None:
    """Note each feature that no data set has, and each scenario that does not parse or names an unknown column.

    Args:
        walk: Where faults are noted.
        document: The manifest as plain values.
        columns: Data-set name to columns, of the sets that could be read here.
    """
    unread = set(document.get("data", {})) - set(columns)
    everything = tuple(dict.fromkeys(column for names in columns.values() for column in names))
    for feature in document.get("features") or {}:
        if everything and not unread and feature not in everything:
            message = f'there is no column "{feature}" in the data.'
            walk.report("unknown-column", f"features.{feature}", message, suggest(feature, everything))
    measured = columns.get("test") or (() if unread else everything)
    for name, text in (document.get("scenarios") or {}).items():
        place = f"scenarios.{name}"
        try:
            expression = scenario.parse(text)
        except InputError as error:
            walk.report("scenario", place, error.message, error.remedy)
            continue
        for column in scenario.columns(expression):
            if measured and column not in measured:
                message = f'the expression reads "{column}", which is no column of the data.'
                walk.report("unknown-column", place, message, suggest(column, measured))
