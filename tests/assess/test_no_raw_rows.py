"""Nobody's row can be read in the evidence: every distinct value of every column of many values is searched for."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.subject.apps import build

REPO = Path(__file__).resolve().parents[2]

MODEL = """
import numpy as np

class Model:
    classes_ = np.array(["no", "yes"])
    def predict_proba(self, frame):
        weight = frame["weight"].to_numpy(dtype=float, na_value=0.0)
        yes = 1 / (1 + np.exp(-(weight - 50) / 5))
        yes = np.where(frame["balance"].to_numpy(dtype=float) > 900_000_000, 1 - yes, yes)
        return np.column_stack([1 - yes, yes])
    def predict(self, frame):
        return self.classes_[self.predict_proba(frame).argmax(axis=1)]

def load():
    return Model()
"""
"""Wrong in a slice of a column of many values, so that a slice is found and described."""


def _add(path: Path, seed: int) -> pd.DataFrame:
    """Add columns of many values: text, whole and other numbers, dates with seconds, a key."""
    rng = np.random.default_rng(seed)
    frame = pd.read_csv(path)
    n = len(frame)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    frame["person"] = ["".join(row) for row in letters[rng.integers(0, 26, (n, 12))]]
    frame["balance"] = rng.integers(100_000_000, 999_999_999, n)
    frame["rate"] = rng.uniform(10_000, 99_999, n).round(5)
    moments = pd.Timestamp("2019-01-01") + pd.to_timedelta(rng.integers(0, 90_000_000, n), unit="s")
    frame["moment"] = moments.strftime("%Y-%m-%dT%H:%M:%S")
    frame["key"] = [f"K-{seed}-{value:012d}" for value in rng.integers(0, 10**12, n)]
    frame.to_csv(path, index=False)
    return frame


def _everything(folder: Path) -> str:
    """Return all that can be read in a folder of evidence, envelopes opened."""
    texts = []
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            text = path.read_text(encoding="utf-8", errors="replace")
            texts += [str(path), text]
            if path.suffix == ".json" and '"payload"' in text:
                texts.append(base64.b64decode(json.loads(text)["payload"]).decode())
    return "\n".join(texts)


@pytest.mark.slow
def test_no_value_of_a_column_of_many_values_is_in_the_evidence(tmp_path: Path) -> None:
    """Texts, numbers, dates and keys of 3,000 people are in no file of a sealed attempt, its report included."""
    root = tmp_path / "app"
    manifest = build(root, MODEL, rows=1500, protected=["team"]).file
    frames = [_add(root / "data" / name, seed) for seed, name in enumerate(("train.csv", "test.csv"))]
    written = manifest.read_text(encoding="utf-8")
    manifest.write_text(written.replace("target: answer", "target: answer\n    id: key"), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "fivefold", "assess", str(root), "--effort", "quick", "--json"],
        cwd=tmp_path,
        env=os.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (1, 3), done.stderr
    seen = _everything(root / "evidence")
    assert "balance" in seen, "the slice that was planted is described"
    assert "report.html" in seen
    leaked = [
        value
        for frame in frames
        for column in ("person", "balance", "rate", "moment", "key")
        for value in frame[column].astype(str).unique()
        if value in seen
    ]
    assert leaked == []
