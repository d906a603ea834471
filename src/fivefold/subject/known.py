"""Known: what the declared targets and the manifest say about a model's task and classes before it is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fivefold.errors import InputError
from fivefold.manifest.unseen import unseen
from fivefold.subject import labels
from fivefold.subject.access import Known

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pandas as pd

    from fivefold.contract.subject import SettingsView
    from fivefold.manifest.nouns import DataSet, Feature, Model

_MOST_LABELS = 1000
"""A text target with more distinct labels is no set of classes."""


def known(targets: Iterable[pd.Series], sets: Mapping[str, DataSet], model: Model | None) -> Known:
    """Return what is known.

    Args:
        targets: The stored targets of all data sets.
        sets: Their declarations.
        model: The declared model; None: an object in memory.
    """
    found: set[str] = set()
    for target in targets:
        found.update(labels.distinct(labels.texts(target)))
    numbers = [labels.number(label) for label in found]
    numeric = all(value is not None for value in numbers)
    declared = tuple(label.strip() for label in model.classes) if model else ()
    return Known(
        labels=labels.ordered(found),
        numeric=numeric,
        whole=numeric and all(float(value or 0.0).is_integer() for value in numbers),
        task=model.task if model else "",
        classes=declared,
        output=model.output if model else "",
        classified=any(data.positive is not None or data.alarm is not None for data in sets.values()),
    )


def task_by_labels(what: Known) -> tuple[str, tuple[str, ...]]:
    """Return task and classes where no model can be asked, from declaration and labels alone.

    Raises:
        InputError: ``data.task`` if a text target has too many labels.
    """
    if what.task == "regression" or (not what.task and not what.classified and what.numeric and not _few(what)):
        return "regression", ()
    if len(what.labels) > _MOST_LABELS:
        raise InputError(
            "data.task", f"the target has {len(what.labels)} different labels.", remedy="Check the target."
        )
    classes = what.classes or what.labels
    return ("binary" if len(classes) == 2 else "multiclass"), classes


def unseen_labels(targets: Mapping[str, pd.Series]) -> tuple[str, ...]:
    """Return sentences on labels that the training data lack.

    Args:
        targets: Data-set name to its stored target, of classes.
    """
    counts = {}
    for name, target in targets.items():
        found: dict[str, int] = {}
        for value, rows in target.value_counts(dropna=True).items():
            label = labels.text(value)
            if label is not None:
                found[label] = found.get(label, 0) + int(rows)
        counts[name] = found
    return unseen(counts)


def _few(what: Known) -> bool:
    return len(what.labels) == 2 or (what.whole and len(what.labels) <= 50)


def settings(
    classes: tuple[str, ...],
    sets: Mapping[str, DataSet],
    *,
    scenarios: Mapping[str, str],
    features: Mapping[str, Feature],
    controls: Mapping[str, Mapping[str, object]],
) -> SettingsView:
    """Return what a check may know of the manifest.

    Raises:
        InputError: ``data.label`` if ``positive`` or ``alarm`` names no class.
    """
    import msgspec

    from fivefold.contract.subject import SettingsView

    order = [name for name in ("test", "train", *sets) if name in sets]
    _require_labels_known(classes, sets)
    protected = tuple(dict.fromkeys(column for name in order for column in sets[name].protected))
    return SettingsView(
        positive=_index("positive", classes, sets, order),
        alarm=_index("alarm", classes, sets, order),
        protected=protected,
        personal=_personal(sets),
        classes=classes,
        labels={name: {**data.label, "source": data.source} for name, data in sets.items()},
        scenarios=dict(scenarios),
        features={name: msgspec.to_builtins(feature) for name, feature in features.items()},
        controls={name: dict(value) for name, value in controls.items()},
    )


def _personal(sets: Mapping[str, DataSet]) -> tuple[str, ...]:
    labels_ = [data.label.get("personal") for data in sets.values() if isinstance(data.label, dict)]
    return tuple(dict.fromkeys(str(name) for names in labels_ if isinstance(names, list | tuple) for name in names))


def _require_labels_known(classes: tuple[str, ...], sets: Mapping[str, DataSet]) -> None:
    """Refuse a text that means a missing value and is a label: rows of that class would quietly not be measured.

    Raises:
        InputError: ``data.missing-label``.
    """
    for name, data in sets.items():
        for label in data.missing:
            if labels.find(label, classes) is not None:
                raise InputError(
                    "data.missing-label",
                    f'data.{name}.missing names "{label}", which is a label: its rows would not be measured.',
                    remedy="Take it out of `missing:`; rows without a known target have an empty cell.",
                )


def _index(key: str, classes: tuple[str, ...], sets: Mapping[str, DataSet], order: list[str]) -> int | None:
    for name in order:
        label = getattr(sets[name], key)
        if label is None or not classes:
            continue
        found = labels.find(label, classes)
        if found is None:
            raise InputError(
                "data.label",
                f'data.{name}.{key} is "{label}", which is none of the labels.',
                remedy=f"The labels are: {', '.join(classes[:20])}.",
            )
        return found
    return None
