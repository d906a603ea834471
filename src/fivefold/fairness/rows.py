"""Rows that the checks of this room look at: those of known truth, their groups, and the model's answers to them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from fivefold.errors import UnsupportedError
from fivefold.fairness.gaps.groups import Field, declared_edges, field
from fivefold.stats.repeats import Repeats, counted
from fivefold.subject import labels

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.contract.subject import Subject, Table


def sample(context: Context, check: str) -> tuple[Table, int, Repeats]:
    """Return at most ``context.rows`` test rows with a known target, how many lack one, and which rows repeat.

    Raises:
        UnsupportedError: ``<check>.rows`` without rows of known target.
    """
    stored = context.tables("test")
    repeats = counted(stored, lambda: _train(context))
    stored = stored.take(repeats.keep) if repeats.once else stored
    known = known_target(stored)
    if len(known) == 0:
        raise UnsupportedError(f"{check}.rows", "no test row has a known target.", remedy="Give rows with their truth.")
    without = len(stored) - len(known)
    if len(known) > context.rows > 0:
        known = np.sort(context.rng.choice(known, context.rows, replace=False))
    return (stored if len(known) == len(stored) else stored.take(known)), without, repeats


def known_target(table: Table) -> np.ndarray:
    """Return the positions of rows whose target is known."""
    return np.flatnonzero(labels.known(table.target))


def cuts(context: Context, table: Table, outcome: np.ndarray, check: str) -> list[Field]:
    """Return the groups of each protected field, in declared bands too where these differ.

    Raises:
        UnsupportedError: ``<check>.protected`` without a protected column in the table.
        InputError: ``gaps.bands`` if the option cannot be read.
    """
    edges = declared_edges(context.options.get("bands"))
    if not context.settings.protected:
        raise UnsupportedError(
            f"{check}.protected", "no protected column is declared.", remedy="Declare data.test.protected."
        )
    found = []
    for name in context.settings.protected:
        try:
            column = table.column(name)
        except KeyError:
            raise UnsupportedError(
                f"{check}.protected", f"the test set has no column {name!r}.", remedy="Add it, or declare another one."
            ) from None
        declared = (context.settings.features or {}).get(name, {})
        text = declared.get("type") == "string"
        usual = field(name, column, outcome, text=text)
        found.append(usual)
        chosen = field(name, column, outcome, edges=edges.get(name, ()), text=text)
        if chosen.labels != usual.labels:  # declared bands are compared as well: they may not hide what the others show
            found.append(replace(chosen, extra=True, name=f"{name} in declared bands"))
    return found


def predict(subject: Subject, table: Table) -> np.ndarray:
    """Return (n,) answers, asked in parts that the subject can take."""
    step = max(1, subject.capabilities.max_rows)
    if len(table) <= step:
        return subject.predict(table)
    parts = [
        subject.predict(table.take(np.arange(at, min(at + step, len(table))))) for at in range(0, len(table), step)
    ]
    return np.concatenate(parts)


def scores_of(context: Context, subject: Subject, table: Table, positive: int) -> np.ndarray | None:
    """Return (n,) probabilities of the favourable class; None: the subject gives labels only."""
    if not subject.capabilities.scores:
        return None
    step = max(1, subject.capabilities.max_rows)
    context.progress(0.4, "scores")
    parts = [
        subject.predict_proba(table.take(np.arange(at, min(at + step, len(table)))))[:, positive]
        for at in range(0, len(table), step)
    ]
    return np.concatenate(parts)


def _train(context: Context) -> Table | None:
    try:
        return context.tables("train")
    except KeyError:
        return None
