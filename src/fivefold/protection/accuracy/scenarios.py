"""Rows of each declared scenario."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fivefold.errors import InputError
from fivefold.manifest import scenario

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from fivefold.contract.subject import Table


def masks(expressions: Mapping[str, str], table: Table) -> dict[str, np.ndarray]:
    """Return scenario name to its (n,) bool mask, in declared order.

    Raises:
        InputError: ``scenario.syntax`` or ``scenario.type`` if an expression does not fit, ``accuracy.scenario`` if it
            names a column that is not in the data.
    """
    found = {}
    for name, text in expressions.items():
        try:
            found[name] = scenario.evaluate(scenario.parse(text), table.column)
        except KeyError as error:
            raise InputError(
                "accuracy.scenario",
                f"scenario {name} reads the column {error.args[0]}, which the test data do not have.",
                remedy="Correct the expression under `scenarios` in the manifest.",
            ) from error
    return found
