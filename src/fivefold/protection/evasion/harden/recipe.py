"""Recipe: what the application declares of adversarial training under ``controls.P1.training``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fivefold.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

CONTROL = "P1"


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How a net is trained.

    Attributes:
        epsilon: Reach of the changes as a share of each feature's range.
        epochs: Passes over the rows, at most.
        batch: Rows in one step.
        rate: Step size of Adam.
        steps: Gradient steps of each attack.
        clean: Share of each batch that is left unchanged.
        patience: Epochs that may gain nothing on rows held back; then the best one is taken.
        rows: Most training rows, drawn at random.
        seconds: Most time.
        memory_mb: Most memory.
    """

    epsilon: float = 0.05
    epochs: int = 20
    batch: int = 128
    rate: float = 2e-3
    steps: int = 5
    clean: float = 0.25
    patience: int = 4
    rows: int = 100_000
    seconds: int = 3600
    memory_mb: int = 4096


_RANGES = {
    "epsilon": (0.001, 1.0), "epochs": (1, 1000), "batch": (2, 65_536), "rate": (1e-6, 1.0), "steps": (1, 100),
    "clean": (0.0, 0.9), "patience": (1, 1000), "rows": (20, 10_000_000), "seconds": (1, 604_800),
    "memory_mb": (256, 1_048_576),
}  # fmt: skip


def declared(control: Mapping[str, object], where: str) -> Recipe:
    """Return what is declared, defaults filled in.

    Args:
        control: ``controls.P1``.
        where: The manifest, for errors.

    Raises:
        InputError: ``evasion.training`` for an unknown key or a figure out of range.
    """
    told = control.get("training", {})
    try:
        found = msgspec.convert(told, Recipe)
    except msgspec.ValidationError as error:
        raise InputError("evasion.training", f"controls.P1.training: {error}", where=where,
                         remedy=f"It may hold: {', '.join(_RANGES)}.") from None  # fmt: skip
    for name, (low, high) in _RANGES.items():
        if not low <= getattr(found, name) <= high:
            raise InputError("evasion.training", f"controls.P1.training.{name} is out of range.", where=where,
                             remedy=f"Say {low:g} to {high:g}.")  # fmt: skip
    return found
