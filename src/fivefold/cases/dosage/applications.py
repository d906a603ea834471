"""Applications: the table of doses before and after the filter, each with a manifest, a training and a model."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from fivefold.cases.dosage.case import drawn
from fivefold.cases.dosage.harming import columns, fit
from fivefold.cases.dosage.picture import moved, shares
from fivefold.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from fivefold.cases.nouns import Told

_MANIFEST = """# X2, {which} the filter: weekly doses that held patients stable. Written by `fivefold case X2`.
fivefold: 1

application:
  id: dosage-{which}
  level: 1
  purpose: propose a weekly dose of warfarin to a physician
  scenario: medicine

use:
  output: recommendation
  acts: human
  alone: false

data:
  train:
    path: data/train.csv
    target: dose
    protected: [sex, race]
    source: a program that draws patients
  test: {{path: data/test.csv, source: a program that draws patients}}

training:
  factory: "train:fit"

model:
  factory: "train:load"
  path: model.json
  version: 1
  task: regression
{controls}
checks: {{S5: {{max_contradicted: 0.02}}}}
"""
_SHOWN = 300
_CONTROLS = "\ncontrols: {S5: {filter: true}}\n"
_TRAIN = '''"""Learns the weekly dose: a ridge regression of its square root; `python train.py` writes model.json."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import Ridge

NUMBERS = {"age": 10, "height": 10, "weight": 10, "amiodarone": 1, "inducer": 1}
TEXTS = {"race": ("White", "Asian", "Black"), "sex": ("f", "m"), "vkorc1": ("G/G", "A/G", "A/A"),
         "cyp2c9": ("*1/*1", "*1/*2", "*1/*3")}


class Doses:
    """Gives doses by stored weights."""

    def __init__(self, weights):
        self.weights = np.asarray(weights, dtype=float)

    def predict(self, frame):
        """Return (n,) weekly doses in mg."""
        return np.maximum(columns(frame) @ self.weights[:-1] + self.weights[-1], 1.0) ** 2


def columns(frame):
    """Return (n, w) numbers of patients."""
    parts = [frame[name].astype(float).to_numpy() / unit for name, unit in NUMBERS.items()]
    parts += [(frame[name] == value).to_numpy(dtype=float) for name, values in TEXTS.items() for value in values]
    return np.column_stack(parts)


def fit(table, rng):
    """Return a model that learned from a table of features and target."""
    model = Ridge(1.0).fit(columns(table.features), np.sqrt(np.asarray(table.target, dtype=float)))
    return Doses([*model.coef_, model.intercept_])


def load():
    """Return the model that lies beside this file."""
    return Doses(json.loads(Path(__file__).with_name("model.json").read_text(encoding="utf-8")))


if __name__ == "__main__":
    here = Path(__file__).parent
    rows = pd.read_csv(here / "data" / "train.csv", keep_default_na=False)
    model = Ridge(1.0).fit(columns(rows), np.sqrt(rows["dose"]))
    (here / "model.json").write_text(json.dumps([*model.coef_, model.intercept_]), encoding="utf-8")
'''


def free(folder: Path) -> None:
    """Refuse a folder in which something lies.

    Raises:
        InputError: ``case.out``.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError("case.out", f"something lies in {folder}.", remedy="Name a folder that is not there yet.")


def write(folder: Path, told: Told) -> list[Path]:
    """Write both applications of the first cohort of a case that was run, and the pictures.

    Args:
        folder: See :func:`free`.
        told: The case; its seed decides the cohort.

    Returns:
        Paths that were written.
    """
    one = drawn(np.random.Generator(np.random.PCG64([told.seed, 0])))
    test, poisoned = one.asked.assign(dose=one.true), one.rows.assign(dose=one.said)
    made = _application(folder / "before", "before", poisoned, test)
    made += _application(folder / "after", "after", poisoned[one.kept], test)
    models = (fit(one.clean, one.dose), fit(one.rows, one.said), fit(one.rows[one.kept], one.said[one.kept]))
    doses = [model(one.asked[:_SHOWN]) for model in models]
    for name, picture in (("shares.svg", shares(told)), ("doses.svg", moved(*doses))):
        made.append(folder / name)
        made[-1].write_text(picture, encoding="utf-8")
    return made


def _application(folder: Path, which: str, train: pd.DataFrame, test: pd.DataFrame) -> list[Path]:
    from sklearn.linear_model import Ridge

    (folder / "data").mkdir(parents=True)
    model = Ridge(1.0).fit(columns(train), np.sqrt(train["dose"]))
    texts = {
        "fivefold.yaml": _MANIFEST.format(which=which, controls=_CONTROLS if which == "after" else ""),
        "train.py": _TRAIN,
        "model.json": json.dumps([*model.coef_, model.intercept_]),
        "data/train.csv": train.to_csv(index=False),
        "data/test.csv": test.to_csv(index=False),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in texts]
