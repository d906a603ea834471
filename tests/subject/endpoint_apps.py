"""Applications whose model is an endpoint, and the models that stand behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import yaml
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from fivefold.manifest.reader import read

if TYPE_CHECKING:
    from pathlib import Path

    from fivefold.manifest.nouns import Manifest

NUMBERS = ["weight", "height", "age"]

UNDECLARED = {
    "A1.observed",
    "D1.admission",
    "D1.benefit",
    "F1.challenge",
    "P2.benign",
    "P2.isolation",
    "P3.backdoor",
    "S5.removals",
    "S5.stream",
    "T1.enforcement",
}
"""Checks of what these applications do not declare: a guard, appeals, labels, a filter, a scan of tables."""


def numbers(rows: int, seed: int, *, texts: bool = False) -> pd.DataFrame:
    """Return rows of numbers (and perhaps a text), and a target that follows them."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({name: rng.normal(size=rows).round(4) for name in NUMBERS})
    if texts:
        frame["colour"] = rng.choice(["red", "green", "blue é"], rows)
    raised = frame["colour"].eq("red") * 1.0 if texts else 0.0
    chance = 1 / (1 + np.exp(-(3 * frame["weight"] - 2 * frame["height"] + raised)))
    frame["group"] = rng.choice(["a", "b"], rows)
    frame["answer"] = np.where(rng.random(rows) < chance, "yes", "no")
    return frame


def onnx_model(place: Path, *, texts: bool = False, flipped: bool = False) -> Path:
    """Train a logistic regression on a part of the kind of data, and write it as ONNX."""
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType

    frame = numbers(2000, 11, texts=texts)
    target = frame["answer"] if not flipped else frame["answer"].map({"yes": "no", "no": "yes"})
    if texts:
        parts = make_column_transformer((StandardScaler(), NUMBERS), (OneHotEncoder(), ["colour"]))
        model: Any = make_pipeline(parts, LogisticRegression()).fit(frame[[*NUMBERS, "colour"]], target)
        kinds: Any = [(name, FloatTensorType([None, 1])) for name in NUMBERS]
        kinds.append(("colour", StringTensorType([None, 1])))
    else:
        model = LogisticRegression().fit(frame[NUMBERS].to_numpy(dtype=np.float32), target)
        kinds = [("input", FloatTensorType([None, len(NUMBERS)]))]
    made = to_onnx(model, initial_types=kinds, options={id(model): {"zipmap": False}}, target_opset=18)
    place.write_bytes(made.SerializeToString())
    return place


def other_model(place: Path, task: str) -> tuple[Path, pd.DataFrame]:
    """Write a regression, a model of three classes or one that gives logits, and return rows for it, with targets."""
    from skl2onnx import to_onnx
    from sklearn.linear_model import LinearRegression

    frame = numbers(900, 21)[NUMBERS]
    value = frame.to_numpy(dtype=np.float32) @ np.array([1.0, -1.0, 0.5], dtype=np.float32)
    noisy = value + np.random.default_rng(3).normal(size=len(value)) * 0.3
    target: Any = noisy if task == "regression" else np.array(["low", "mid", "top"])[np.digitize(noisy, [-0.7, 0.7])]
    kind = LinearRegression if task == "regression" else LogisticRegression
    model = kind().fit(frame.to_numpy(dtype=np.float32), target)
    options = {} if task == "regression" else {id(model): {"zipmap": False, "raw_scores": task == "logits"}}
    example = frame.iloc[:1].to_numpy(dtype=np.float32)
    place.write_bytes(to_onnx(model, example, options=options, target_opset=18).SerializeToString())
    return place, frame.assign(answer=target)


def endpoint_app(
    root: Path,
    url: str,
    *,
    rows: int = 300,
    texts: bool = False,
    table: pd.DataFrame | None = None,
    site: dict[str, Any] | None = None,
    more: dict[str, Any] | None = None,
    **model: Any,
) -> Manifest:
    """Write an application whose model is at a URL, and read its manifest.

    Args:
        root: Its folder, made if needed.
        url: Of the model.
        rows: Of train and of test.
        texts: Among the columns.
        table: Rows to use instead, half of them as test.
        site: What stands in ``site.yaml``; None: there is none.
        more: Further parts of the manifest.
        model: Further keys of ``model``.
    """
    (root / "data").mkdir(parents=True, exist_ok=True)
    parts = [numbers(rows, 1, texts=texts), numbers(rows, 2, texts=texts)]
    if table is not None:
        parts = [table.iloc[::2], table.iloc[1::2]]
    for name, part in zip(("train", "test"), parts, strict=True):
        part.to_csv(root / "data" / f"{name}.csv", index=False)
    group = {"positive": "yes", "protected": ["group"], "drop": ["group"]}
    document = {
        "fivefold": 1,
        "application": {"id": root.name, "level": 2},
        "use": {"output": "label"},
        "data": {
            "train": {"path": "data/train.csv", "target": "answer"} | (group if table is None else {}),
            "test": {"path": "data/test.csv"},
        },
        "model": {"endpoint": url, **model},
        **(more or {}),
    }
    (root / "fivefold.yaml").write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    if site is not None:
        (root / "site.yaml").write_text(yaml.safe_dump(site), encoding="utf-8")
    return read(root)
