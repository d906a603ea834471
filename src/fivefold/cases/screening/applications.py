"""Applications: the screening with the view and without it, each with data, doctors' reasons and a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fivefold.cases.dosage.applications import free
from fivefold.cases.screening.case import drawn
from fivefold.cases.screening.doctors import file_of
from fivefold.cases.screening.picture import reasons, shares

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from fivefold.cases.nouns import Told
    from fivefold.cases.screening.cohort import People

__all__ = ["free", "write"]

_READ = 400
"""People whose reasons doctors ranked."""
_MANIFEST = """# X3, the screening {which} the view was dropped. Written by `fivefold case X3`.
fivefold: 1

application:
  id: screening-{which}
  level: 3
  purpose: tell a physician who may have a pneumonia
  scenario: medicine

use:
  output: recommendation
  acts: human
  alone: false

benefit: {{measure: share of people screened rightly, target: 0.85}}
purposes: [screening]

data:
  train: {{path: data/train.csv, target: ill, id: person, source: three hospitals{drop}}}
  test: {{path: data/test.csv, source: three hospitals}}
  experts: {{path: data/doctors.csv, reasons: true, source: three doctors}}

training:
  factory: "train:fit"

model:
  factory: "train:load"
  files: [train.py, data/train.csv]
  version: 1
  task: binary

checks: {{E4.experts: {{by: doctor, min_accepted: 0.8}}}}
"""
_TRAIN = '''"""Boosted trees that say how likely a pneumonia is, learned when they are loaded."""

from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier

TEXTS = {{"sex": ("f", "m"), "smoker": ("no", "yes"), "hospital": ("hill", "north", "river"), "view": ("PA", "AP")}}
DROPPED = {dropped!r}


class Screening:
    """Gives chances."""

    classes_ = np.array([0, 1])

    def __init__(self, rows, ill, seed=7):
        self.trees = HistGradientBoostingClassifier(max_iter=60, max_depth=3, random_state=seed, early_stopping=False)
        self.trees.fit(columns(rows), np.asarray(ill, dtype=int))

    def predict_proba(self, frame):
        """Return (n, 2) chances."""
        return self.trees.predict_proba(columns(frame))

    def predict(self, frame):
        """Return (n,) 1 for a pneumonia."""
        return self.predict_proba(frame).argmax(axis=1)


def columns(frame):
    """Return (n, d) numbers: texts by their place among the known ones, unknown ones as -1."""
    made = [
        np.select([(frame[name] == one).to_numpy() for one in TEXTS[name]], range(len(TEXTS[name])), -1)
        if name in TEXTS else frame[name].to_numpy(dtype=float)
        for name in frame.columns
    ]
    return np.column_stack(made).astype(float)


def fit(table, rng):
    """Return a model that learned from a table of features and target."""
    return Screening(table.features, table.target, int(rng.integers(2**31)))


def load():
    """Return the model."""
    rows = pd.read_csv(Path(__file__).parent / "data" / "train.csv")
    return Screening(rows.drop(columns=["person", "ill", *DROPPED]), rows["ill"])
'''


def write(folder: Path, told: Told) -> list[Path]:
    """Write both applications of the first region of a case that was run, and the pictures.

    Args:
        folder: See :func:`free`.
        told: The case; its seed decides the region.

    Returns:
        Paths that were written.
    """
    one = drawn(np.random.Generator(np.random.PCG64([told.seed, 0])))
    test = _rows(one.asked, "t")
    said = file_of(one.asked, test["person"].to_numpy())
    data = {
        "data/train.csv": _rows(one.learned, "l").to_csv(index=False),
        "data/test.csv": test.to_csv(index=False),
        "data/doctors.csv": said[said["person"].isin(test["person"][:_READ])].to_csv(index=False),
    }
    made = []
    for which, drop, dropped in (("before", "", ()), ("after", ", drop: [view]", ("view",))):
        texts = {"fivefold.yaml": _MANIFEST.format(which=which, drop=drop), "train.py": _TRAIN.format(dropped=dropped)}
        for name, text in (texts | data).items():
            made.append(folder / which / name)
            made[-1].parent.mkdir(parents=True, exist_ok=True)
            made[-1].write_text(text, encoding="utf-8")
    for name, picture in (("shares.svg", shares(told)), ("reasons.svg", reasons(one))):
        made.append(folder / name)
        made[-1].write_text(picture, encoding="utf-8")
    return made


def _rows(met: People, letter: str) -> pd.DataFrame:
    """Return people with an id in front and the truth behind."""
    rows = met.rows.assign(ill=met.ill)
    rows.insert(0, "person", [f"{letter}{at:04d}" for at in range(len(rows))])
    return rows
