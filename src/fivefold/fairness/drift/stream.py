"""Stream: decisions in the order in which they were made, with the groups of whom they were about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from fivefold.errors import UnsupportedError
from fivefold.fairness.drift.recorded import STREAM, Recorded
from fivefold.fairness.gaps.groups import Field, declared_edges, field

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from fivefold.contract.check import Context


@dataclass(frozen=True)
class Stream:
    """n decisions in order.

    Attributes:
        granted: (n,) 0 or 1: the answer was the favourable one.
        fields: Cuts of them into groups.
        recorded: Whether they are from the record; else they are the answers to the test rows, in their order.
    """

    granted: np.ndarray
    fields: tuple[Field, ...]
    recorded: bool


def of(context: Context) -> Stream:
    """Return the decisions on record; where none are, what the model answers to the test rows, in their order.

    Raises:
        UnsupportedError: ``fairness.positive`` without a declared favourable class; ``fairness.groups`` where
            decisions are on record, and no protected field beside them.
    """
    settings = context.settings
    if settings.positive is None or not settings.classes:
        raise UnsupportedError(
            "fairness.positive", "no favourable class is declared.", remedy="Write `positive:` under the data sets."
        )
    text = str((settings.facts or {}).get(STREAM) or "")
    found = msgspec.json.decode(text, type=Recorded) if text else Recorded((), {})
    edges = declared_edges(context.options.get("bands"))
    if found.answers:
        return _recorded(found, settings.classes[settings.positive], edges, settings.protected)
    table = context.tables("test")
    if len(table) > context.rows:
        table = table.take(np.arange(context.rows))
    if context.subject is None:
        raise UnsupportedError("fairness.model", "no decision is on record, and the model is not asked.")
    granted = (context.subject.predict(table) == settings.positive).astype(np.int64)
    columns = {name: table.column(name) for name in settings.protected}
    return Stream(granted, _fields(columns, edges), recorded=False)


def _recorded(found: Recorded, favourable: str, edges: dict[str, tuple[float, ...]], wanted: Sequence[str]) -> Stream:
    import pandas as pd

    columns = {name: pd.Series(list(values), dtype=_kind(values)) for name, values in found.protected.items()
               if name in wanted and any(value is not None for value in values)}  # fmt: skip
    if not columns:
        raise UnsupportedError(
            "fairness.groups", "no protected field stands beside the decisions on record.",
            remedy="Record it beside each: an `outcome` or a `status` in the decision's case with the word `group`, "
            "for example group: {sex: female}. The model need not see it.",
        )  # fmt: skip
    granted = (np.array(found.answers, dtype=object) == favourable).astype(np.int64)
    return Stream(granted, _fields(columns, edges), recorded=True)


def _kind(values: Sequence[object]) -> str:
    known = [value for value in values if value is not None]
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in known)
    return "float64" if numbers else "object"


def _fields(columns: dict[str, pd.Series], edges: dict[str, tuple[float, ...]]) -> tuple[Field, ...]:
    """Cut into groups without a look at the answers: bounds that hold at any time may not hang on them."""
    made = (
        field(name, column, np.zeros(len(column), dtype=np.int64), edges=edges.get(name, ()))
        for name, column in columns.items()
    )
    return tuple(one for one in made if len(one.labels) > 1)
