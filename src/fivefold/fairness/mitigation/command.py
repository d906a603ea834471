"""``model train --fair``: learn the data set ``train`` of an application by a method, and say what it changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from fivefold.errors import InputError
from fivefold.fairness.mitigation.aims import rates
from fivefold.fairness.mitigation.fair import METHODS, Lesson, Model, Scorer, codes_of, write
from fivefold.fairness.mitigation.fair import learn as learned
from fivefold.subject import labels
from fivefold.subject.tables import Coding, Store

if TYPE_CHECKING:
    from fivefold.fairness.mitigation.aims import Aim
    from fivefold.fairness.mitigation.fair import Method
    from fivefold.manifest.nouns import DataSet, Manifest

_OPTIONS = ("method", "aim", "protected")


def learn(manifest: Manifest, method: str, seed: int) -> tuple[bytes, dict[str, Any]]:
    """Learn a logistic regression from ``data.train`` by a method.

    ``controls: {F1: {aim: selection, protected: sex}}`` says what is to be alike between which groups; without it the
    selection rates by the first protected field. The model sees no protected column, except for thresholds by group.

    Args:
        manifest: The application.
        method: ``reweigh``, ``constraints``, ``thresholds`` or ``blind``; ``none`` for the same model as it is.
        seed: Deals folds.

    Returns:
        The model as JSON, and figures on ``data.test`` (else on the training rows) of it and of the plain model.

    Raises:
        InputError: ``fair.method``, ``fair.option``, ``fair.data`` where training data, target, favourable class or a
            protected column are missing; as :func:`fivefold.fairness.mitigation.fair.learn`.
    """
    if method not in METHODS:
        raise InputError("fair.method", f"there is no method {method[:40]!r}.", remedy=f"Try: {', '.join(METHODS)}.")
    aim, protected = _options(manifest)
    train = manifest.data.get("train")
    if train is None or train.kind != "table" or not train.target:
        raise InputError("fair.data", "the manifest declares no table `train` with a target.", where=str(manifest.file),
                         remedy="Declare data.train with its target.")  # fmt: skip
    field = protected or next(iter(train.protected), "")
    store = Store(manifest.root, manifest.data, manifest.features)
    frame = store.frame("train")
    if not train.positive or field not in frame.columns:
        raise InputError("fair.data", "the favourable class or the protected column is not declared.",
                         where=str(manifest.file),
                         remedy="Write data.train.positive and data.train.protected.")  # fmt: skip
    classes = labels.ordered(labels.distinct(labels.texts(frame[train.target])))
    if train.positive not in classes or len(classes) != 2:
        raise InputError("fair.data", f"the target has {len(classes)} classes; two are needed, one of them "
                         f"{train.positive[:40]!r}.", where=str(manifest.file))  # fmt: skip
    names = tuple(sorted(classes, key=lambda name: name == train.positive))
    coding = Coding("binary", classes)
    lesson = _lesson(store, train, coding, field, (names[0], names[1]))
    made = learned(lesson, cast("Method", method), aim, np.random.default_rng(seed))
    plain = learned(lesson, "none", aim, np.random.default_rng(seed))
    other = manifest.data.get("test")
    judged = _lesson(store, other, coding, field, (names[0], names[1])) if other and other.kind == "table" else lesson
    told = {
        "method": method, "aim": aim, "protected": field, "judged on": "test" if judged is not lesson else "train",
        "asks for the group": method == "thresholds",
        "plain": _figures(plain, judged, aim), "fair": _figures(made, judged, aim),
    }  # fmt: skip
    return write(made), told


def _options(manifest: Manifest) -> tuple[Aim, str]:
    given = {key: value for key, value in manifest.controls.get("F1", {}).items() if key != "appeal"}
    for key in given:
        if key not in _OPTIONS:
            line = manifest.lines.get(f"controls.F1.{key}", 0)
            raise InputError("fair.option", f"controls.F1 has no option {key[:60]!r}.", where=f"{manifest.file}:{line}",
                             remedy=f"It may hold: {', '.join(_OPTIONS)}.")  # fmt: skip
    aim = str(given.get("aim", "selection"))
    if aim not in {"selection", "tpr"}:
        raise InputError("fair.option", f"controls.F1.aim: {aim[:40]!r} is no aim.", where=str(manifest.file),
                         remedy="Write selection or tpr.")  # fmt: skip
    return cast("Aim", aim), str(given.get("protected", ""))


def _lesson(store: Store, data: DataSet, coding: Coding, field: str, classes: tuple[str, str]) -> Lesson:
    table = store.table(data.name, coding)
    table = table.take(table.target >= 0)
    group = table.column(field)
    hidden = [name for name in table.features.columns if name == field or name in data.protected]
    truth = (table.target == coding.classes.index(classes[1])).astype(np.int64)
    return Lesson(table.features.drop(columns=hidden), truth, group, classes)


def _figures(model: Model, rows: Lesson, aim: Aim) -> dict[str, Any]:
    """Return accuracy and rates by group; groups of fewer than ten rows are not shown."""
    frame = pd.concat([rows.features, rows.group.rename(model.protected)], axis=1)
    chosen = Scorer(model).predict_proba(frame)[:, 1] >= 0.5
    codes = codes_of(rows.group, model.groups)
    found = rates(chosen, codes, rows.truth, aim)
    sizes = np.bincount(codes, minlength=len(model.groups))
    shown = {name: round(float(found[at]), 4) for at, name in enumerate(model.groups)
             if sizes[at] >= 10 and at < len(found) and np.isfinite(found[at])}  # fmt: skip
    return {"accuracy": round(float((chosen == rows.truth).mean()), 4), "rates": shown}
