"""Rows of each declared scenario."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from fivefold.contract.subject import Table


def masks(expressions: Mapping[str, str], table: Table) -> dict[str, np.ndarray]:
    """Return scenario name to its (n,) bool mask, in declared order.

    Raises:
        InputError: An expression cannot be read, or names a column that is not in the data.
    """
    if not expressions:
        return {}
    from fivefold.manifest import scenario

    return {name: scenario.evaluate(scenario.parse(text), table.column) for name, text in expressions.items()}
