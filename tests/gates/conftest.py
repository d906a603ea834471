"""Two applications with sealed evidence: one of which no check fails, one whose answers are wrong."""

from __future__ import annotations

import os
import shutil
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
HOME = ("CONFIG", "STATE", "CACHE", "DATA")
DECLARED = {
    "features": {"weight": {"type": "number", "range": [-50, 150]}},
    "checks": {"D2": {"population": ["team == a: 0.5", "team == b: 0.5"]}},
}
"""What a build says of its data where nothing shall be left open."""


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with both applications and the home of whoever assessed them."""
    place = tmp_path_factory.mktemp("kept")
    with pytest.MonkeyPatch.context() as patch:
        for what in HOME:
            patch.setenv(f"XDG_{what}_HOME", str(place / "home" / what))
        for name in ("good", "bad"):
            sealed(place / name, right=name == "good")
    return place


@pytest.fixture
def good(kept: Path, tmp_path: Path) -> Path:
    """An application whose answers, read from a file, follow the rule that made the target."""
    return handed_over(kept, tmp_path, "good")


@pytest.fixture
def bad(kept: Path, tmp_path: Path) -> Path:
    """An application that answers the wrong way round."""
    return handed_over(kept, tmp_path, "bad")


def handed_over(kept: Path, place: Path, name: str) -> Path:
    """Copy an application, and the keys and the trust of its assessor, to where a test may spoil them."""
    shutil.copytree(kept / name, place / name)
    for what in HOME:
        source = kept / "home" / what
        if source.is_dir():
            shutil.copytree(source, os.environ[f"XDG_{what}_HOME"], dirs_exist_ok=True)
    return place / name


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
