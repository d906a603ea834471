"""Examining: a decision asked of the model again, proven in the log, and its row as plain values."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from fivefold.errors import FivefoldError, InputError
from fivefold.governance.appeals.nouns import DIFFERS, NONE, SAME
from fivefold.traceability.recorder.replaying import compare

if TYPE_CHECKING:
    import pandas as pd

    from fivefold.traceability.recorder.replaying import Decision

_PATIENCE, _PAUSE = 3.0, 0.05


class Again(Protocol):
    """The model of now, asked again."""

    @property
    def model(self) -> str:
        """Its digest."""
        ...

    @property
    def answers(self) -> tuple[str, ...]:
        """Labels that it may give; empty: numbers."""
        ...

    def ask(self, rows: Any) -> dict[str, np.ndarray]:
        """Return method to what the model gives."""
        ...

    def answer(self, rows: Any) -> list[str]:
        """Return the answer for each row."""
        ...

    def reason(self, rows: Any) -> str:
        """Return the reason for one row in words; empty: none can be given."""
        ...


def replayed(decision: Decision | None, again: Again | None, why: str) -> dict[str, Any]:
    """Return what came of asking the model again, and why nothing did."""
    said: dict[str, Any] = {"model": again.model if again else "", "answers": list(again.answers) if again else []}
    if again is None:
        return {"outcome": NONE, "why": why or "the model cannot be asked", **said}
    if decision is None:
        return {"outcome": NONE, "why": "no answer of the model is on record for this decision", **said}
    if not decision.model or decision.model != again.model:
        other = f"another model is here now ({again.model[:16]}) than the one that decided ({decision.model[:16]})"
        return {"outcome": NONE, "why": other, **said}
    try:
        parts = compare(decision, again.ask(decision.rows()))
    except FivefoldError as error:
        return {"outcome": NONE, "why": f"the model could not be asked again: {error.message}", **said}
    odd = [f"{part.name}: {part.said}" for part in parts if part.same is not True]
    if any(part.same is None for part in parts) or not parts:
        return {"outcome": NONE, "why": "; ".join(odd) or "nothing was recorded", **said}
    return {"outcome": DIFFERS if odd else SAME, "why": "; ".join(odd), **said}


def proven(reading: Any, record: str) -> bytes:
    """Return the proof of a record, waiting a moment for the checkpoint that covers it.

    Raises:
        InputError: ``recorder.unknown``, ``recorder.uncovered``.
    """
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            found: bytes = reading.prove(record)
        except InputError as error:
            if error.code != "recorder.uncovered" or time.monotonic() > until:
                raise
            time.sleep(_PAUSE)
        else:
            return found


def as_kind(name: str, value: Any, column: pd.Series) -> Any:
    """Return a value in the type of its column."""
    kind = getattr(column.dtype, "kind", "O")
    try:
        if kind in "iu":
            return int(str(value))
        if kind == "f" and math.isfinite(float(str(value))):
            return float(str(value))
        if kind == "b":
            return {"true": True, "false": False}[str(value).lower()]
    except (ValueError, KeyError):
        kind = "f"
    if kind == "f":
        raise InputError("appeal.field", f"{name[:40]}: {str(value)[:40]!r} does not fit.", remedy="Write a number.")
    return str(value)


def plain(row: pd.Series) -> dict[str, Any]:
    """Return a row as plain values."""
    return {str(name): value.item() if isinstance(value, np.generic) else value for name, value in row.items()}
