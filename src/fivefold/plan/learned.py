"""Learned: whether anything is learned from a target here, and whether from classes or from values.

An application that learns from no target (tables of a census, say) has no label that could be wrong and no mark that
could open a backdoor. It counts as learning as soon as anything speaks for it: a declared target, a model, a training,
or a way of sharing that trains. Of which kind the target is, is read from the model that was probed, else from what
is declared, else from the column itself; a target that was not read yet leaves both facts unknown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fivefold.contract.plan import ColumnFact, Facts
    from fivefold.manifest.nouns import Manifest

_FEW = 50
_TRAINING = ("training", "federated")


def kinds(manifest: Manifest, facts: Facts | None) -> tuple[bool | None, bool | None]:
    """Return whether classes are learned, and whether values are; None: unknown."""
    if not learns(manifest, facts):
        return False, False
    classes = _classes(manifest, facts)
    return classes, None if classes is None else not classes


def learns(manifest: Manifest, facts: Facts | None) -> bool:
    """Return whether anything speaks for learning from a target."""
    shared = {path.what for path in manifest.sharing}
    trains = any("training" in manifest.controls.get(row, {}) for row in ("S2", "S4"))
    return (
        any(data.target for data in manifest.data.values())
        or manifest.model is not None
        or (facts is not None and facts.model is not None)
        or bool(manifest.training)
        or trains
        or not shared.isdisjoint(_TRAINING)
    )


def _classes(manifest: Manifest, facts: Facts | None) -> bool | None:
    model = facts.model if facts else None
    task = (model.task if model and not model.error else "") or (manifest.model.task if manifest.model else "")
    if task:
        return task != "regression"
    if any(data.positive is not None or data.alarm is not None for data in manifest.data.values()):
        return True
    column = _target(manifest, facts)
    if column is None or column.kind == "empty":
        return None
    few = column.distinct <= (_FEW if column.kind == "integer" else 2)
    return few or column.kind in ("string", "boolean", "date")


def _target(manifest: Manifest, facts: Facts | None) -> ColumnFact | None:
    """Return what was read of the column that is learned from."""
    name = "train" if "train" in manifest.data else next(iter(manifest.data), "")
    fact = facts.data.get(name) if facts and facts.data else None
    if fact is None or not fact.target:
        return None
    return next((column for column in fact.columns if column.name == fact.target), None)
