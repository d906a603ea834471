"""Guess form: what one row of a data set is, and which of its columns belong to that form, as far as files show it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fivefold.errors import InputError
from fivefold.manifest import npz
from fivefold.manifest.cells import NPZ, widest
from fivefold.manifest.inputs import DIMENSIONS, NAMES, chosen
from fivefold.manifest.walk import suggest
from fivefold.manifest.words import tokens, words

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from fivefold.manifest.survey import Column, Survey

KINDS = ("table", "image", "series", "text", "audio")
_ABLE: dict[str, tuple[str, ...]] = {
    "folder": ("audio",), "npz": ("image", "series"), "table": ("table", "series", "text"),
}  # fmt: skip
"""What is stored, to the kinds of rows that it can hold."""

_WORDY = 3.0
"""Words of a cell, on average, from which on a column is said to hold texts."""
_FEW = 20
"""Different texts up to which a column is one of groups rather than of names."""
_LAST = (1, 3, 4)
"""Sizes of a last axis that tell of channels."""


@dataclass(frozen=True)
class Form:
    """What one row is.

    Attributes:
        entries: Keys of the data set that say so, in the order in which they are written; empty for a table.
        reasons: Key to a sentence.
        columns: Columns that belong to the form, and are neither features, ids, nor protected.
        unfit: Columns that the model cannot see in this form, with the reason; they may still be protected.
        notes: What the user should look at.
    """

    entries: dict[str, Any] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    columns: frozenset[str] = frozenset()
    unfit: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def guess_form(path: Path, survey: Survey, given: Mapping[str, Any], target: str) -> Form:
    """Return the form of a data set.

    Args:
        path: The file or folder.
        survey: Of its columns.
        given: What the user said of ``kind``, ``input``, ``id`` and ``time``.
        target: The target column; empty: none.

    Raises:
        InputError: ``init.kind`` for a kind that the file cannot be of, or a column that has to be named;
            ``data.array`` for an npz file without an array that fits.
    """
    kind = given.get("kind") or _kind(path)
    _require_kind(path, kind, given)
    others = [column for column in survey.columns if column.name != target]
    if path.is_dir():
        return _recordings(others, given)
    if path.name.lower().endswith(NPZ):
        return _arrays(path, kind, given)
    if kind == "series":
        return _series(others, given)
    return _texts(others, given) if kind == "text" else Form(notes=tuple(_perhaps_text(others)))


def _kind(path: Path) -> str:
    if path.is_dir():
        return "audio"
    if not path.name.lower().endswith(NPZ):
        return "table"
    shown = widest(npz.members(path), path.name)
    grey = len(shown.shape) == DIMENSIONS["series"] and shown.dtype.endswith("u1")
    return "series" if len(shown.shape) == DIMENSIONS["series"] and not grey else "image"


def _require_kind(path: Path, kind: str, given: Mapping[str, Any]) -> None:
    if kind not in KINDS:
        raise InputError("init.kind", f"{kind[:40]!r} is no kind of rows.", remedy=f"Choose: {', '.join(KINDS)}.")
    able = _ABLE["folder" if path.is_dir() else "npz" if path.name.lower().endswith(NPZ) else "table"]
    if kind not in able:
        raise InputError(
            "init.kind", f"{path.name} cannot hold rows of kind {kind}.", remedy=f"It can hold: {', '.join(able)}."
        )
    for key, kinds in (("input", KINDS[1:]), ("time", ("series",))):
        if given.get(key) and kind not in kinds:
            raise InputError("init.kind", f"--{key} means nothing for rows of kind {kind}.", remedy=f"Drop --{key}.")


def _arrays(path: Path, kind: str, given: Mapping[str, Any]) -> Form:
    shown = chosen(npz.members(path), kind, given.get("input", ""), path.name)
    notes = []
    if kind == "image" and shown.shape[3] in _LAST and shown.shape[1] not in _LAST:
        notes.append(
            f"The array {shown.name} of shape {shown.shape} looks as if its channels came last; they come first: "
            f"save {shown.name}.transpose(0, 3, 1, 2), unless the model was trained on it as it is."
        )
    sizes = ", ".join(map(str, shown.shape))
    axes = "images, channels, height, width" if kind == "image" else "series, steps, channels"
    why = {"kind": f"Proposed: the model sees the array {shown.name} of ({sizes}) {axes}."}
    return Form({"kind": kind} | _named(given), {} if given.get("kind") else why, notes=tuple(notes))


def _recordings(columns: list[Column], given: Mapping[str, Any]) -> Form:
    name = given.get("input") or next((one.name for one in columns if one.name in NAMES), "") or _waves(columns)
    _require_column("input", name, columns, "names the wav file of a line of the index")
    said = {} if name in NAMES and not given.get("input") else {"input": name}
    why = {} if given.get("kind") else {"kind": f"Proposed: a folder of recordings, named in the column {name}."}
    return Form({"kind": "audio"} | said, why, frozenset({name}))


def _waves(columns: list[Column]) -> str:
    return next((one.name for one in columns if one.counts and all(".wav" in text.lower() for text in one.counts)), "")


def _series(columns: list[Column], given: Mapping[str, Any]) -> Form:
    named = (one.name for one in columns if _is(one, "ids") and not one.unique)
    series = given.get("id") or next(named, "") or _recurring(columns)
    rest = [one for one in columns if one.name != series]
    time = given.get("time") or next((one.name for one in rest if one.kind == "date" or _is(one, "times")), "")
    _require_column("id", series, columns, "names the series of a line")
    _require_column("time", time, columns, "orders the lines of a series")
    why = {
        key: f"Proposed by the name or the values of the column: it {what}."
        for key, what in (("id", "names the series of a line"), ("time", "orders the lines of a series"))
        if not given.get(key)
    }
    unfit = {
        one.name: "holds no numbers, which a channel does"
        for one in columns
        if one.name not in (series, time) and one.kind in ("string", "date")
    }
    return Form({"kind": "series", "id": series, "time": time}, why, frozenset({series, time}), unfit)


def _recurring(columns: list[Column]) -> str:
    """Return the column of texts with most different ones, each of which stands in several lines; empty: none."""
    able = [one for one in columns if one.kind == "string" and not one.unique and len(one.counts) > _FEW]
    return max(able, key=lambda one: len(one.counts)).name if able else ""


def _texts(columns: list[Column], given: Mapping[str, Any]) -> Form:
    name = given.get("input") or max(columns, key=_wordiness, default=None)
    name = name if isinstance(name, str) else name.name if name and _wordiness(name) >= _WORDY else ""
    _require_column("input", name, columns, "holds the texts")
    why = {} if given.get("input") else {"input": "Proposed: no column has more words in a cell."}
    return Form({"kind": "text", "input": name}, why, frozenset({name}))


def _perhaps_text(columns: Iterable[Column]) -> Iterable[str]:
    for one in columns:
        if one.kind == "string" and _wordiness(one) >= 2 * _WORDY:
            yield (
                f"The column {one.name} holds whole texts: if the model sees them alone, say --kind text "
                f"--input {one.name}; if it does not see them, name the column under `drop:`."
            )


def _wordiness(column: Column) -> float:
    """Return the words of a cell, on average over distinct ones."""
    texts = column.counts if column.kind == "string" else {}
    return sum(len(text.split()) for text in texts) / max(len(texts), 1)


def _is(column: Column, what: str) -> bool:
    return bool(set(tokens(column.name)) & set(words(what)))


def _named(given: Mapping[str, Any]) -> dict[str, Any]:
    return {"input": given["input"]} if given.get("input") else {}


def _require_column(key: str, name: str, columns: Iterable[Column], what: str) -> None:
    names = [column.name for column in columns]
    if not name:
        raise InputError("init.kind", f"no column is known that {what}.", remedy=f"Name it with --{key}.")
    if name not in names:
        raise InputError("init.kind", f'there is no column "{name}".', remedy=suggest(name, names))
