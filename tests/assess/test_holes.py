"""Ways to a better verdict that a manifest or a model alone once opened, each closed."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from tests.subject.apps import RULE, build

from fivefold.assess.run import Options, assess
from fivefold.contract.outcome import Outcome
from fivefold.errors import FivefoldError
from fivefold.manifest.digests import data_digests
from fivefold.manifest.reader import read

if TYPE_CHECKING:
    from pathlib import Path

LOOKUP = (
    RULE
    + """
import pandas as pd

class Cheat(Model):
    def __init__(self):
        self.known = pd.read_csv("data/test.csv")
    def predict(self, frame):
        return self.known["answer"].to_numpy()[: len(frame)]

def load():
    return Cheat()
"""
)
READS_TRAIN = RULE.replace(
    "def load():\n    return Model()",
    "def load():\n    import pandas as pd\n    assert len(pd.read_csv('data/train.csv'))\n    return Model()",
)


def test_the_model_cannot_read_the_data_that_it_is_measured_on(tmp_path: Path) -> None:
    """A model that looks its answers up in the test file fails to load; one that reads training data works."""
    cheat = assess(build(tmp_path / "cheat", LOOKUP), Options(effort="quick", only=("P3.accuracy",)))
    assert cheat.findings[0].result.outcome is Outcome.ERROR
    honest = assess(build(tmp_path / "honest", READS_TRAIN), Options(effort="quick", only=("P3.accuracy",)))
    assert honest.findings[0].result.outcome is Outcome.PASS


def test_a_label_cannot_be_declared_missing(tmp_path: Path) -> None:
    """Rows of a class that the model gets wrong would quietly not be measured."""
    root = tmp_path / "app"
    build(root)
    text = (root / "fivefold.yaml").read_text(encoding="utf-8")
    place = "path: data/test.csv"
    assert place in text
    (root / "fivefold.yaml").write_text(text.replace(place, f"{place}\n    missing: ['no']"), encoding="utf-8")
    with pytest.raises(FivefoldError) as error:
        assess(read(root), Options(effort="quick", only=("P3.accuracy",)))
    assert error.value.code == "data.missing-label"


def test_test_data_that_are_a_copy_of_the_training_data_are_refused(tmp_path: Path) -> None:
    """Under another name, byte for byte."""
    manifest = build(tmp_path / "app")
    assert data_digests(manifest)
    shutil.copy(manifest.root / "data" / "train.csv", manifest.root / "data" / "test.csv")
    with pytest.raises(FivefoldError) as error:
        data_digests(read(manifest.root))
    assert error.value.code == "manifest.same-data"
