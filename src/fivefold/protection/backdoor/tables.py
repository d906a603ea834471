"""Tables: scan for cells that send rows to one class, beyond clean rows' models and beyond cells that differ a bit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fivefold.protection.backdoor.cells import Search, Trigger, asked, stamped, values
from fivefold.protection.backdoor.found import Found, steps
from fivefold.protection.backdoor.natural import Natural, is_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from fivefold.contract.subject import Subject, Table
    from fivefold.protection.backdoor.cells import Cells

_ASKED = 20
_CHOSEN = 60
_MOVED = 4


def scan(
    subject: Subject, clean: Table, frames: Sequence[pd.DataFrame], cells: int, rng: np.random.Generator
) -> Found | None:
    """Return the most suspicious cells.

    Args:
        subject: The model.
        clean: Rows whose truth is known; half of them teach and choose, the other half state.
        frames: Where values come from.
        cells: Most cells of a trigger.
        rng: Draws all.

    Returns:
        None where the rows are of one class only.
    """
    order = rng.permutation(len(clean))
    fit, held = (clean.take(np.sort(part)) for part in (order[: len(order) // 2], order[len(order) // 2 :]))
    natural = Natural(fit, len(subject.classes), int(rng.integers(2**31)))
    search = Search(subject, _mixed(fit, _ASKED, rng), natural)
    triggers = [one for one in search.best(values(frames, rng), cells, rng) if (held.target != one.target).any()]
    chosen = _mixed(fit, _CHOSEN, rng)
    scored = [(_seen(subject, natural, one, chosen, frames), one) for one in triggers]
    scored = [(found, one) for found, one in scored if found is not None]
    if not scored:
        return None
    best = max(scored, key=lambda pair: pair[0].lead()[0] if pair[0] else -1.0)[1]
    return _seen(subject, natural, best, held, frames)


def _mixed(rows: Table, most: int, rng: np.random.Generator) -> Table:
    """Return some rows, classes alike as far as they go."""
    order = rng.permutation(len(rows))
    found, back = np.unique(rows.target[order], return_inverse=True)
    turn = np.zeros(len(order), dtype=np.int64)
    for at in range(len(found)):
        own = np.flatnonzero(back == at)
        turn[own] = np.arange(len(own))
    return rows.take(np.sort(order[np.argsort(turn, kind="stable")][:most]))


def _seen(
    subject: Subject, natural: Natural, trigger: Trigger, rows: Table, frames: Sequence[pd.DataFrame]
) -> Found | None:
    """Return what a trigger does to rows of other classes."""
    others = rows.take(np.flatnonzero(rows.target != trigger.target))
    if not len(others):
        return None
    target = trigger.target
    first = stamped(others.features, [trigger.cells])
    sent = asked(subject, others, first).argmax(axis=1) == target
    taught = natural.chances(first).argmax(axis=2) == target
    usual = taught[int(taught.mean(axis=1).argmax())]
    moved = _moved(trigger.cells, frames[0])
    still = asked(subject, others, stamped(others.features, moved)).argmax(axis=1) == target
    near = still.reshape(len(moved), len(others)).mean(axis=0) >= 0.5
    names = ", ".join(name for name, _ in trigger.cells)
    return Found(f"values in {names}", target, sent, usual | near, float((sent & ~usual).mean()))


def _moved(cells: Cells, known: pd.DataFrame) -> list[Cells]:
    """Return triggers whose cells all hold values next to their own; what is left out there is the trigger itself."""
    near = [steps(known[name].dropna(), value, ordered=is_number(known[name])) or [value] for name, value in cells]
    return [
        tuple((name, some[at % len(some)]) for (name, _), some in zip(cells, near, strict=True)) for at in range(_MOVED)
    ]
