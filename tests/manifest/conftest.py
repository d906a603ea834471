"""A small application that every test of the manifest may spoil."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

MANIFEST = """\
fivefold: 1
application: {id: shop, level: 4, purpose: recommend a loan}
use: {output: recommendation}
data:
  train: {path: data/train.csv, target: bought, protected: [sex]}
  test: {path: data/test.csv}
model: {factory: "scorer:load", path: model.json}
"""


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """Return the folder of an application whose manifest is without fault."""
    folder = tmp_path / "app"
    (folder / "data").mkdir(parents=True)
    (folder / "evidence").mkdir()
    for name in ("train", "test"):
        (folder / "data" / f"{name}.csv").write_text("age,sex,amount,bought\n30,f,10,yes\n40,m,,no\n", encoding="utf-8")
    (folder / "evidence" / "x.csv").write_text("a\n", encoding="utf-8")
    (folder / "scorer.py").write_text("def load():\n    raise SystemExit('never run')\n", encoding="utf-8")
    (folder / "broken.py").write_text("def load(:\n", encoding="utf-8")
    (folder / "model.json").write_text("{}", encoding="utf-8")
    (folder / "fivefold.yaml").write_text(MANIFEST, encoding="utf-8")
    outside = tmp_path / "outside.csv"
    outside.write_text("age,sex,amount,bought\n", encoding="utf-8")
    (folder / "data" / "link.csv").symlink_to(outside)
    (folder / "data" / "inner.csv").symlink_to("../evidence/x.csv")
    return folder
