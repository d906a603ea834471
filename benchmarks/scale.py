"""Scale: an application with 200,000 rows x 60 columns, made on the spot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS = 60

_MODEL = '''"""A linear score over all numeric columns."""
import numpy as np


class Line:
    """Scores rows by a fixed direction."""

    classes_ = np.array(["no", "yes"])

    def predict_proba(self, frame):
        odds = np.zeros(len(frame))
        for place, name in enumerate(c for c in frame.columns if c.startswith("x")):
            odds += np.nan_to_num(frame[name].to_numpy(dtype=float)) * np.cos(place)
        share = 1 / (1 + np.exp(-odds / 4))
        return np.column_stack([1 - share, share])

    def predict(self, frame):
        return self.classes_[(self.predict_proba(frame)[:, 1] > 0.5).astype(int)]


def load():
    """Return the model."""
    return Line()
'''

_MANIFEST = """fivefold: 1
application: {id: scale, level: 4, purpose: benchmark}
use: {output: recommendation, acts: human, alone: false}
data:
  train: {path: train.parquet, target: outcome, positive: "yes", drop: [region], protected: [region]}
  test: {path: test.parquet}
model: {factory: "scorer:load", files: [scorer.py]}
"""


def make(folder: Path, rows: int, seed: int = 0) -> int:
    """Write an application whose two tables have ``rows`` rows together; return their size in memory in bytes.

    Columns: 54 numbers (some with missing values), 5 texts, 1 protected text; the target comes on top.
    """
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    size = 0
    for name in ("train", "test"):
        n = rows // 2
        numbers = rng.normal(size=(n, COLUMNS - 6))
        odds = sum(numbers[:, place] * np.cos(place) for place in range(COLUMNS - 6)) / 4
        frame = pd.DataFrame(numbers, columns=[f"x{place}" for place in range(COLUMNS - 6)])
        frame.loc[rng.random(n) < 0.05, "x3"] = np.nan
        for place in range(5):
            frame[f"text{place}"] = np.array([f"level {code}" for code in range(7)])[rng.integers(0, 7, n)]
        frame["region"] = np.array(["north", "south", "west"])[rng.integers(0, 3, n)]
        frame["outcome"] = np.where(rng.random(n) < 1 / (1 + np.exp(-odds)), "yes", "no")
        size += n * COLUMNS * 8
        frame.to_parquet(folder / f"{name}.parquet", index=False)
    (folder / "scorer.py").write_text(_MODEL)
    (folder / "fivefold.yaml").write_text(_MANIFEST)
    return size
