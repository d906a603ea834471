"""Guess missing: which texts of a table mean a missing value, and which are classes or honest categories."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fivefold.manifest.words import words

if TYPE_CHECKING:
    from fivefold.manifest.survey import Column, Survey

_CODE = re.compile(r"[A-Z]{2,3}")
_CODES = 3
_LETTERS = re.compile(r"[A-Za-z]+")


def guess_missing(survey: Survey, target: str) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return texts that seem to mean a missing value with the reason, and what was left for the user to decide.

    A word that is a class of the target, or that stands among codes of its own length (``NA`` among country codes), is
    not proposed: declared as missing, its rows would lose their truth, or their category, without a word.

    Args:
        survey: Of the table.
        target: The target column; empty: none.
    """
    found: dict[str, list[str]] = {}
    honest: dict[str, str] = {}
    for column in survey.columns:
        for text in column.missing:
            if column.name == target and text in labels(column):
                honest[text] = f'"{text}" stands in the target {column.name} and is taken for a class'
            elif _among_codes(text, column):
                honest[text] = f'"{text}" stands in {column.name} among codes of its length and is taken for one'
            else:
                found.setdefault(text, []).append(column.name)
    notes = tuple(f"{why}; if it means a missing value, name it under `missing:`." for why in honest.values())
    return {text: f"stands in {some(names)}" for text, names in found.items() if text not in honest}, notes


def labels(target: Column) -> frozenset[str]:
    """Return the texts of a target that can be labels: words that usually mean a missing value too, where others do."""
    if target.kind in ("integer", "number"):
        return target.values
    odd = {text for text in words("missing") if not _LETTERS.fullmatch(text)}
    return frozenset(target.counts) - odd


def _among_codes(text: str, column: Column) -> bool:
    if not _CODE.fullmatch(text) or column.kind != "string":
        return False
    others = [other for other in column.values if other != text]
    alike = [other for other in others if _CODE.fullmatch(other) and len(other) == len(text)]
    return len(alike) >= _CODES and len(alike) == len(others)


def some(names: list[str]) -> str:
    """Return the first three of some names."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
