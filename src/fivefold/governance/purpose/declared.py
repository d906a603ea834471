"""Declared: what an application's requests are held against, and the reading of requests as columns."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fivefold.errors import InputError, UnsupportedError
from fivefold.governance.purpose.gauge import columns_of, fit
from fivefold.governance.purpose.watch import BLOCK, BOUNDING, CHANCE, TOLERANCE, Rate, Watch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fivefold.governance.purpose.watch import Drift

_MOST = 0.5
_RARELY = 0.01


class Declared:
    """Population and rate of an application's purposes.

    Attributes:
        gauge: The population; None: it is not compared.
        lacking: Why not.
        rate: As declared; None: none is.
        distinct: Rows that are equal are rare, so that a row asked again is the same question again.
        block: How many rows are looked at together.
    """

    block = BLOCK

    def __init__(self, rows: Any, options: Mapping[str, Any], rng: np.random.Generator) -> None:
        """Learn the population from rows.

        Args:
            rows: A frame or an array; None: there are none.
            options: Of the control D1: ``tolerance``, ``rate``.
            rng: Parts the rows.

        Raises:
            InputError: ``purpose.tolerance``, ``purpose.rate``.
        """
        given = tolerance(options)
        self.rate = Rate.read(str(options["rate"])) if "rate" in options else None
        self.gauge, self.lacking, self.distinct = None, "there are no rows to compare with.", False
        if rows is not None:
            try:
                columns = columns_of(rows)
                self.gauge = fit(columns, rng, chance=CHANCE * BOUNDING, tolerance=given)
                self.distinct = float(pd.DataFrame(columns).duplicated().mean()) < _RARELY
                self.lacking = ""
            except UnsupportedError as error:
                self.lacking = error.message

    def watch(self, restarts: int = 0) -> Watch:
        """Return the watch of one purpose, which begins now and began as often before."""
        return Watch(self.gauge, self.rate, restarts=restarts)

    def blocks(self, rows: pd.DataFrame) -> list[np.ndarray]:
        """Return how many rows of each whole block are in each event of the population, which must be known."""
        return [] if self.gauge is None else self.gauge.blocks(columns_of(rows), BLOCK)

    def look(self, watch: Watch, requests: Sequence[Any]) -> Drift | None:
        """Look at requests that came one after the other: mappings of columns, or arrays; return what was found."""
        if isinstance(requests[0], np.ndarray):
            columns = columns_of(np.concatenate(requests))
        else:
            names = list(requests[0])
            columns = {str(name): _joined([request[name] for request in requests]) for name in names}
        n, found = len(next(iter(columns.values()))), watch.found
        for at in range(0, n, BLOCK):
            part = {name: values[at : at + BLOCK] for name, values in columns.items()}
            found = watch.take(part, min(BLOCK, n - at))
        return found


def tolerance(options: Mapping[str, Any]) -> float:
    """Return the declared tolerance.

    Raises:
        InputError: ``purpose.tolerance`` for one outside 0 to 0.5.
    """
    found = options.get("tolerance", TOLERANCE)
    if isinstance(found, bool) or not isinstance(found, int | float) or not 0 <= found <= _MOST:
        raise InputError(
            "purpose.tolerance", f"controls.D1.tolerance is {str(found)[:40]!r}.", remedy=f"Write 0 to {_MOST}."
        )
    return float(found)


def _joined(parts: list[Any]) -> Any:
    if len(parts) == 1 and isinstance(parts[0], pd.Series):
        return parts[0].to_numpy()
    if len(parts) == 1 and isinstance(parts[0], np.ndarray):
        return parts[0]
    return list(chain.from_iterable(parts))
