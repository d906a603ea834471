"""Facts that predicates may ask, and the closed predicates over them.

A predicate compares a named fact with a value; nothing else can be written. The product reads every fact itself, from
the manifest, from the data or from the model. A fact that has not been read is unknown, and a predicate that hangs on
it is undecided: never quietly true, never quietly false.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fivefold.plan import learned
from fivefold.plan.sharing import derived_paths, source_parties

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fivefold.catalogue.nouns import Condition, Predicate, Scalar
    from fivefold.contract.plan import Facts, ModelFact
    from fivefold.manifest.nouns import Manifest

Values = dict[str, "Scalar | None"]
"""Fact name to what was read; None: unknown."""

_KINDS = ("table", "image", "series", "text", "audio")

_COMPARE: dict[str, Callable[[Scalar, Scalar], bool]] = {
    "eq": lambda found, value: type(found) is type(value) and found == value,
    "ne": lambda found, value: not (type(found) is type(value) and found == value),
    "ge": lambda found, value: float(found) >= float(value),
    "le": lambda found, value: float(found) <= float(value),
}


def read(manifest: Manifest, facts: Facts | None) -> Values:
    """Return every fact; those that need an engine are None until ``facts`` holds them."""
    classes, values = learned.kinds(manifest, facts)
    told = {"learned.classes": classes, "learned.values": values}
    return _of_manifest(manifest) | told | _of_model(manifest, None if facts is None else facts.model)


def complete(manifest: Manifest, facts: Facts | None) -> bool:
    """Whether data and model, where declared, have been read."""
    return facts is not None and facts.data is not None and (facts.model is not None or manifest.model is None)


def decide(predicate: Predicate, values: Mapping[str, Scalar | None]) -> bool | None:
    """Return whether a predicate holds; None if that hangs on an unknown fact."""
    parts = [_any([_holds(condition, values) for condition in any_of]) for any_of in predicate]
    if False in parts:
        return False
    return None if None in parts else True


def explain(predicate: Predicate, values: Mapping[str, Scalar | None]) -> str:
    """Return the predicate and the facts that were read, for a reader: ``sharing.paths >= 1 (read: 0)``."""
    signs = {"eq": "is", "ne": "is not", "in": "is one of", "ge": ">=", "le": "<="}

    def one(condition: Condition) -> str:
        value = condition.value
        wanted = ", ".join(map(_show, value)) if isinstance(value, tuple) else _show(value)
        return f"{condition.fact} {signs[condition.operator]} {wanted} (read: {_show(values[condition.fact])})"

    return "; and ".join(" or ".join(one(condition) for condition in any_of) for any_of in predicate)


def _holds(condition: Condition, values: Mapping[str, Scalar | None]) -> bool | None:
    found = values[condition.fact]
    if found is None:
        return None
    if isinstance(condition.value, tuple):
        return any(_COMPARE["eq"](found, value) for value in condition.value)
    return _COMPARE[condition.operator](found, condition.value)


def _any(parts: list[bool | None]) -> bool | None:
    if True in parts:
        return True
    return None if None in parts else False


def _show(value: Scalar | None) -> str:
    if value is None:
        return "unknown"
    return str(value).lower() if isinstance(value, bool) else str(value) or "empty"


def _of_manifest(manifest: Manifest) -> Values:
    data = manifest.data.values()
    labels = [data_set.label for data_set in data]
    kinds: set[str] = {data_set.kind for data_set in data}
    return {
        "application.level": manifest.application.level,
        "application.acts": manifest.use.output == "action" or manifest.use.acts == "system",
        "application.learns": bool(manifest.training) or "C4" in manifest.controls,
        "application.alone": manifest.use.alone,
        "application.scenario": manifest.application.scenario,
        "sharing.paths": len(manifest.sharing) + len(derived_paths(manifest)),
        "sharing.source_parties": len(source_parties(manifest)),
        "sharing.releases": sum(path.what == "release" for path in manifest.sharing),
        "sharing.trainings": sum(path.what == "training" for path in manifest.sharing),
        "sharing.telemetry": sum(path.what == "telemetry" for path in manifest.sharing),
        "sharing.federated": sum(path.what == "federated" for path in manifest.sharing),
        "sharing.encrypted": sum(path.what == "encrypted" for path in manifest.sharing),
        **{f"data.{kind}": kind in kinds for kind in _KINDS},
        "data.pairs": any(data_set.pairs for data_set in data),
        "data.test": "test" in manifest.data,
        "data.protected": len({column for data_set in data for column in data_set.protected}),
        "data.personal": any(label.get("personal") for label in labels),
        "data.regions": len({str(label["region"]) for label in labels if label.get("region")}),
        "data.basis": all(label.get("basis") for label in labels if label.get("personal")),
        "data.positive": any(data_set.positive is not None for data_set in data),
        "data.alarm": any(data_set.alarm is not None for data_set in data),
        "manifest.purpose": bool(manifest.application.purpose),
        "manifest.benefit": bool(manifest.benefit),
        "manifest.basis": all(label.get("basis") for label in labels),
        "manifest.labels": all(labels),
        "manifest.parties": len(manifest.parties),
        "manifest.scenarios": len(manifest.scenarios),
        "features.monotone": sum(one.monotone is not None for one in manifest.features.values()),
        "control.certificate": "certificate" in manifest.controls.get("P1", {}),
        "control.ensemble": "C2" in manifest.controls,
        "control.encrypted-training": "training" in manifest.controls.get("S4", {}),
        "control.people": "C3" in manifest.controls and "human" in manifest.controls["C3"].get("levels", ["human"]),
        "control.threats": any(name.partition(".")[0] == "P5" for name in (*manifest.controls, *manifest.checks)),
        "model.signed": bool(manifest.model and manifest.model.signature),
    }


def _of_model(manifest: Manifest, fact: ModelFact | None) -> Values:
    """Whether a network or trees are inside cannot be told of every kind of model: then the fact stays unknown."""
    task = (fact.task if fact and not fact.error else "") or (manifest.model.task if manifest.model else "")
    classifies: Values = {"model.classifies": task != "regression" if task else None}
    if fact is None or fact.error:
        only_rows = manifest.model is not None and bool(manifest.model.predictions)
        gradients = False if only_rows else None
        unknown: Values = {
            "model.neural": None,
            "model.trees": None,
            "model.gradients": gradients,
            "model.scores": None,
        }
        return unknown | classifies
    return classifies | {
        "model.neural": fact.neural,
        "model.trees": fact.trees,
        "model.gradients": fact.gradients,
        "model.scores": fact.scores,
    }
