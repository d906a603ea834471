"""Small applications on disk, with models that we did not train."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import yaml

from fivefold.manifest.reader import read

if TYPE_CHECKING:
    from pathlib import Path

    from fivefold.manifest.nouns import Manifest

RULE = """
import numpy as np

class Model:
    classes_ = np.array(["no", "yes"])
    def predict_proba(self, frame):
        yes = 1 / (1 + np.exp(-(frame["weight"].to_numpy(dtype=float, na_value=0.0) - 50) / 5))
        return np.column_stack([1 - yes, yes])
    def predict(self, frame):
        return self.classes_[self.predict_proba(frame).argmax(axis=1)]

def load():
    return Model()
"""
"""A model of one number; it answers ``no`` and ``yes``."""


def table(rows: int, seed: int) -> pd.DataFrame:
    """Return rows of numbers, texts, dates and missing values, and a target that follows ``weight``."""
    rng = np.random.default_rng(seed)
    weight = rng.normal(50, 10, rows).round(2)
    chance = 1 / (1 + np.exp(-(weight - 50) / 5))
    made = pd.DataFrame(
        {
            "weight": weight,
            "colour": rng.choice(["red", "green", "blue é"], rows),
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, rows), unit="D"),
            "count": rng.integers(0, 9, rows).astype(float),
            "team": rng.choice(["a", "b"], rows),
            "answer": np.where(rng.random(rows) < chance, "yes", "no"),
        }
    )
    made["since"] = made["since"].dt.strftime("%Y-%m-%d")
    made.loc[rng.random(rows) < 0.1, "count"] = np.nan
    made.loc[rng.random(rows) < 0.1, "colour"] = None
    return made


def build(root: Path, model: str = RULE, *, rows: int = 300, manifest: dict | None = None, **data: object) -> Manifest:
    """Write an application and read its manifest.

    Args:
        root: Its folder, made if needed.
        model: Source of ``scorer.py`` with a function ``load``.
        rows: Of train and of test.
        manifest: Parts that replace or add to the plain manifest.
        data: Keys added to ``data.train``.
    """
    (root / "data").mkdir(parents=True, exist_ok=True)
    table(rows, 1).to_csv(root / "data" / "train.csv", index=False)
    table(rows, 2).to_csv(root / "data" / "test.csv", index=False)
    (root / "scorer.py").write_text(textwrap.dedent(model), encoding="utf-8")
    document = {
        "fivefold": 1,
        "application": {"id": root.name or "app", "level": 2},
        "use": {"output": "label"},
        "data": {
            "train": {"path": "data/train.csv", "target": "answer", "positive": "yes", **data},
            "test": {"path": "data/test.csv"},
        },
        "model": {"factory": "scorer:load"},
        **(manifest or {}),
    }
    (root / "fivefold.yaml").write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return read(root)
