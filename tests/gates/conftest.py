"""Two applications with sealed evidence: one of which no check fails, one whose answers are wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from tests.subject.apps import build, table

from fivefold.assess.run import Options, assess
from fivefold.manifest.reader import read

if TYPE_CHECKING:
    from pathlib import Path

    from fivefold.contract.outcome import Outcome

ROWS = 600
DECLARED = {
    "features": {"weight": {"type": "number", "range": [-50, 150]}},
    "checks": {"D2": {"population": ["team == a: 0.5", "team == b: 0.5"]}},
}
"""What a build says of its data where nothing shall be left open."""


@pytest.fixture
def good(tmp_path: Path) -> Path:
    """An application whose answers, read from a file, follow the rule that made the target."""
    return sealed(tmp_path / "good", right=True)


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    """An application that answers the wrong way round."""
    return sealed(tmp_path / "bad", right=False)


def tied(seed: int) -> pd.DataFrame:
    """Return rows of which columns hang together, so that a foreign one would be seen."""
    rows = table(ROWS, seed)
    rng = np.random.default_rng(seed)
    days = (20 * (rows["weight"] - 20) + 4 * rng.normal(size=ROWS)).clip(0).round()
    since = pd.Timestamp("2020-01-01") + pd.to_timedelta(days, unit="D")
    count = (rows["weight"] / 10 + 0.05 * rng.normal(size=ROWS)).round(2)
    colour = pd.cut(rows["weight"], [-np.inf, 45, 55, np.inf], labels=["red", "green", "blue é"]).astype("str")
    return rows.assign(colour=colour, count=count, since=since.dt.strftime("%Y-%m-%d"))


def sealed(root: Path, *, right: bool) -> Path:
    """Build, assess, return the folder."""
    build(root, rows=ROWS, manifest=DECLARED)
    train, test = tied(1), tied(2)
    doubt = np.random.default_rng(3).normal(scale=3.0, size=ROWS)  # little, so that no label is left open
    train = train.assign(answer=np.where(train["weight"] + doubt > 50, "yes", "no"))
    for name, rows in (("train", train), ("test", test)):
        rows.to_csv(root / f"data/{name}.csv", index=False)
    heavy = test["weight"] > 50
    said = pd.Series(heavy == right).map({True: "yes", False: "no"})
    said.to_frame("prediction").to_csv(root / "answers.csv", index=False)
    text = (root / "fivefold.yaml").read_text(encoding="utf-8")
    assert "factory: scorer:load" in text
    (root / "fivefold.yaml").write_text(text.replace("factory: scorer:load", "predictions: answers.csv"), "utf-8")
    done = assess(read(root), Options(effort="quick"))
    outcomes: dict[str, Outcome] = {finding.check: finding.result.outcome for finding in done.findings}
    assert (outcomes["P3.accuracy"] == "pass") is right
    return root
