"""Unseen: labels of a data set that the training data lack, and how they may have been meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_NAMED = 4
_LONGEST = 40


def unseen(counts: Mapping[str, Mapping[str, int]]) -> tuple[str, ...]:
    """Return one sentence for each data set whose target has labels that ``train`` lacks.

    Args:
        counts: Data-set name to the labels of its target, with their number of rows.

    Returns:
        Sentences that name the labels, their rows and, where one is spelt almost alike, the label that is meant.
    """
    return tuple(_told(counts)) if counts.get("train") else ()


def _told(counts: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    known = counts["train"]
    for name, labels in counts.items():
        strange = {label: rows for label, rows in labels.items() if label not in known}
        if not strange:
            continue
        shown = [_one(label, rows, known) for label, rows in list(strange.items())[:_NAMED]]
        more = f", and {len(strange) - _NAMED} more" if len(strange) > _NAMED else ""
        one, them = ("a label", "it") if len(strange) == 1 else ("labels", "them")
        yield (
            f"The target of data.{name} has {one} that data.train lacks: {', '.join(shown)}{more}. "
            f"A model trained on data.train cannot answer with {them}."
        )


def _one(label: str, rows: int, known: Iterable[str]) -> str:
    alike = next((other for other in known if _bare(other) == _bare(label)), None)
    hint = f', perhaps "{_short(alike)}" is meant' if alike is not None else ""
    return f'"{_short(label)}" ({rows:,} row{"s" if rows != 1 else ""}{hint})'


def _bare(label: str) -> str:
    return "".join(letter for letter in label.casefold() if letter.isalnum()) or label


def _short(label: str) -> str:
    return label if len(label) <= _LONGEST else f"{label[:_LONGEST]}..."
