"""What a case tells."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One thing that was counted: ``count`` of ``n``, and whether that is what one wants."""

    what: str
    count: int
    n: int
    good: bool


@dataclass(frozen=True)
class Told:
    """A case as it was run.

    Attributes:
        id: Row of the catalogue, for example ``X5``.
        title: One line.
        story: What happens, a paragraph each.
        before: Figures without the controls.
        after: Figures with them.
        example: Lines of one run, told in full.
        limits: What it does not show.
        seed: What all draws came from.
    """

    id: str
    title: str
    story: tuple[str, ...]
    before: tuple[Figure, ...]
    after: tuple[Figure, ...]
    example: tuple[str, ...]
    limits: tuple[str, ...]
    seed: int
