"""``model train --explainable``: learn a readable model from the data set ``train``, and print it on one page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import msgspec
import numpy as np

from fivefold.errors import InputError, UnsupportedError
from fivefold.explanation.antehoc import additive, export, head, page, points, rules, steps
from fivefold.explanation.antehoc.form import encode
from fivefold.explanation.antehoc.rival import lost, rival
from fivefold.explanation.antehoc.steps import Lesson
from fivefold.subject import labels
from fivefold.subject.tables import Coding, Store

if TYPE_CHECKING:
    from fivefold.contract.subject import Table
    from fivefold.explanation.antehoc.form import Model
    from fivefold.manifest.nouns import DataSet, Manifest

_MOST_ROWS = 50_000
_MOST_JUDGED = 20_000
_FEWEST = 50
_MOST_CLASSES = 20
_DEFAULT = {"additive": (10, 8), "points": (6, 4), "rules": (8, 8), "network": (10, 12)}
"""Form to how many columns (or rules), and how many cuts a column."""


@dataclass(frozen=True)
class Made:
    """What was learned: the model as JSON, its page, the ONNX file (empty: there is none), and figures."""

    model: bytes
    page: bytes
    onnx: bytes
    told: dict[str, Any]


def learn(manifest: Manifest, form: str, seed: int) -> Made:
    """Learn a readable model from ``data.train``.

    ``controls: {E1: {terms: 10, steps: 8}}`` says how many columns (of a rule list: rules) and how many steps of a
    column there may be; ``features.NAME.monotone`` holds the score to a direction.

    Args:
        manifest: The application.
        form: ``additive``, ``points`` or ``rules``; ``network``: an additive model learned by copies of
            a network of the application, one for each column.
        seed: Seeds what is drawn.

    Raises:
        InputError: ``antehoc.form``, ``antehoc.data``, ``antehoc.classes``; as the form's ``learn``.
    """
    if form not in _DEFAULT:
        raise InputError("antehoc.form", f"there is no form {form[:40]!r}.", remedy=f"Try: {', '.join(_DEFAULT)}.")
    train = manifest.data.get("train")
    if train is None or train.kind != "table" or not train.target:
        raise InputError("antehoc.data", "the manifest declares no table `train` with a target.",
                         where=str(manifest.file), remedy="Declare data.train with its target.")  # fmt: skip
    rng = np.random.default_rng(seed)
    store = Store(manifest.root, manifest.data, manifest.features)
    coding, order = _coding(manifest, store, train)
    lesson = _lesson(store.table("train", coding), coding, order, manifest)
    if len(lesson.target) < _FEWEST:
        raise InputError("antehoc.data", f"only {len(lesson.target)} training rows have a known target.",
                         where=train.path, remedy=f"Bring at least {_FEWEST}.")  # fmt: skip
    most = rules.MOST_ROWS if form == "rules" else _MOST_ROWS
    if len(lesson.target) > most:
        lesson = lesson.take(np.sort(rng.choice(len(lesson.target), most, replace=False)))
    store.release("train")  # the whole set is large
    many, cuts = _sizes(manifest, form)
    if form == "network":
        model = head.learn(manifest, lesson, (many, cuts), rng)
    else:
        how = {"additive": additive.learn, "points": points.learn, "rules": rules.learn}[form]
        model = how(lesson, many, cuts, rng)
    told = {"form": form, "rows": len(lesson.target), "columns": len(model.columns), "lines": model.lines}
    other = manifest.data.get("test")
    if other is not None and other.kind == "table":
        judged = _lesson(store.table("test", coding), coding, order, manifest)
        judged = judged.take(np.sort(rng.permutation(len(judged.target))[:_MOST_JUDGED]))
        told |= _figures(model, lesson, judged, rng) if len(judged.target) else {}
    onnx, why = _onnx(model)
    return Made(encode(model), page.render(model).encode(), onnx, {**told, "without onnx": why})


def _coding(manifest: Manifest, store: Store, train: DataSet) -> tuple[Coding, tuple[int, ...]]:
    """Return how the target is coded, and the order in which the model names the classes: the favourable one last."""
    target = store.frame("train")[train.target]
    task = manifest.model.task if manifest.model else ""
    classes = labels.distinct(labels.texts(target))
    number = target.dtype.kind == "f" and bool((target.dropna() % 1 != 0).any())
    if task == "regression" or (not task and (number or (len(classes) > _MOST_CLASSES and target.dtype.kind in "iuf"))):
        return Coding("regression", ()), ()
    if not 2 <= len(classes) <= _MOST_CLASSES:
        raise InputError(
            "antehoc.classes", f"the target has {len(classes)} classes; 2 to {_MOST_CLASSES} can be.", where=train.path,
            remedy="Bring rows of other classes, join rare ones, or declare model.task: regression.",
        )  # fmt: skip
    chosen = train.positive if train.positive is not None else train.alarm
    last = labels.find(chosen, classes) if chosen is not None else None
    order = tuple(sorted(range(len(classes)), key=lambda at: (at == last and len(classes) == 2, at)))
    return Coding("binary" if len(classes) == 2 else "multiclass", classes), order


def _lesson(table: Table, coding: Coding, order: tuple[int, ...], manifest: Manifest) -> Lesson:
    table = table.take(labels.known(table.target))
    target = np.argsort(np.array(order))[table.target] if order else table.target
    declared = {name: msgspec.to_builtins(one) for name, one in manifest.features.items()}
    signs = {name: sign for name, sign in steps.signs(declared).items() if name in table.features.columns}
    return Lesson(table.features, target, cast("Any", coding.task), tuple(coding.classes[at] for at in order),
                  steps.types(declared), signs)  # fmt: skip


def _sizes(manifest: Manifest, form: str) -> tuple[int, int]:
    given = manifest.controls.get("E1", {})
    many, cuts = _DEFAULT[form]
    return int(given.get("terms", many)), int(given.get("steps", cuts))


def _figures(model: Model, lesson: Lesson, judged: Lesson, rng: np.random.Generator) -> dict[str, Any]:
    """Return what the model loses on other rows against a black box taught on the same."""
    answers = model.answers(judged.features)
    mine = answers[:, 0] if model.task == "regression" else answers.argmax(axis=1)
    name, ask = rival(lesson, rng)
    found = lost(mine, ask(judged.features), judged.target)[0]
    return {"judged on": "test", "judged rows": found.n, "measure": found.name, "lost": round(found.value, 4),
            "low": round(found.low, 4), "high": round(found.high, 4), "mine": round(found.mine, 4),
            "black box": round(found.rival, 4), "black box kind": name}  # fmt: skip


def _onnx(model: Model) -> tuple[bytes, str]:
    try:
        return export.onnx_bytes(model), ""
    except (UnsupportedError, InputError) as error:
        return b"", str(error)
