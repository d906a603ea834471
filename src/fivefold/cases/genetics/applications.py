"""Applications: the model of doses before and after private training, each with a manifest, data and a model."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from fivefold.cases.dosage.applications import free
from fivefold.cases.genetics import picture, tradeoff
from fivefold.cases.genetics.case import ROWS, drawn
from fivefold.cases.genetics.learning import CUT, DELTA, EPSILON, SPREAD, STEP, declared, lesson, model_of

if TYPE_CHECKING:
    from pathlib import Path

    from fivefold.cases.nouns import Told

__all__ = ["free", "write"]

_MOST_DRAWN = 12
"""Cohorts of which the curves are made, at most."""
_MANIFEST = """# X4, {which} private training: weekly doses that held patients stable. Written by `fivefold case X4`.
fivefold: 1

application:
  id: genes-{which}
  level: 4
  purpose: propose a weekly dose of warfarin to a physician
  scenario: medicine

use:
  output: recommendation
  acts: human
  alone: false

benefit: {{measure: share of proposed doses within a fifth of the one that holds the patient stable, target: 0.45}}
purposes: [dosing]

data:
  train:
    path: data/train.csv
    target: dose
    source: hospitals
    label: {{class: confidential, personal: [vkorc1], basis: consent, purpose: [dosing], region: EU, retain: 5y}}
  test: {{path: data/test.csv, source: hospitals}}
{lesson}
model:
  factory: "train:load"
{path}  version: 1
  task: regression
{controls}
checks: {{P3: {{max_advantage: 0.05}}}}
"""
_LESSON = """  lesson: {path: data/lesson.csv, source: hospitals}

sharing: [{what: training, data: lesson, with: partner, control: S2}]
"""
_BEFORE = '''"""A forest as its library sets it, learned from the rows beside this file when it is loaded."""

from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestRegressor

NUMBERS = ("age", "height", "weight", "amiodarone", "inducer")
TEXTS = {"race": ("White", "Asian", "Black"), "sex": ("f", "m"), "vkorc1": ("G/G", "A/G", "A/A"),
         "cyp2c9": ("*1/*1", "*1/*2", "*1/*3")}


class Doses:
    """Gives weekly doses in mg, to a tenth."""

    def __init__(self, rows):
        self.model = RandomForestRegressor(100, random_state=7, n_jobs=1).fit(columns(rows), np.sqrt(rows["dose"]))

    def predict(self, frame):
        """Return (n,) weekly doses in mg."""
        return (self.model.predict(columns(frame)) ** 2).round(1)


def columns(frame):
    """Return (n, w) numbers of patients."""
    parts = [frame[name].astype(float).to_numpy() for name in NUMBERS]
    parts += [(frame[name] == value).to_numpy(dtype=float) for name, values in TEXTS.items() for value in values]
    return np.column_stack(parts)


def load():
    """Return the model."""
    return Doses(pd.read_csv(Path(__file__).parent / "data" / "train.csv", keep_default_na=False))
'''
_AFTER = '''"""Doses of a private logistic regression, which `fivefold model train --private` learns.

It says how likely a patient needs more than {cut:g} mg a week; the root of the dose is taken from those odds.
"""

import json
from pathlib import Path

import numpy as np
from fivefold.sharing.privacy.training import predict


class Doses:
    """Gives weekly doses in mg, each the middle of {step:g} mg."""

    def __init__(self, told):
        self.told = told

    def predict(self, frame):
        """Return (n,) weekly doses in mg."""
        chance = np.clip(predict(self.told, frame), 1e-9, 1 - 1e-9)
        root = {cut:g} ** 0.5 + {spread:.6f} * (np.log(chance) - np.log1p(-chance))
        return (np.floor(np.maximum(root, 1.45) ** 2 / {step:g}) + 0.5) * {step:g}


def load():
    """Return the model that lies beside this file."""
    return Doses(json.loads(Path(__file__).with_name("model.json").read_text(encoding="utf-8")))
'''


def write(folder: Path, told: Told) -> list[Path]:
    """Write both applications of the first cohort of a case that was run, and the pictures.

    Args:
        folder: See :func:`free`.
        told: The case; its seed decides the cohort.

    Returns:
        Paths that were written.
    """
    rng = np.random.Generator(np.random.PCG64([told.seed, 0]))
    one = drawn(rng)
    train, test = (rows.assign(dose=dose) for rows, dose in zip(one.rows, one.dose, strict=True))
    texts = {which: {"data/train.csv": train.to_csv(index=False), "data/test.csv": test.to_csv(index=False)}
             for which in ("before", "after")}  # fmt: skip
    texts["before"] |= {
        "fivefold.yaml": _MANIFEST.format(which="before", lesson="", path="", controls=""), "train.py": _BEFORE,
    }  # fmt: skip
    texts["after"] |= {
        "fivefold.yaml": _MANIFEST.format(which="after", lesson=_LESSON, path="  path: model.json\n",
                                          controls=_controls()),
        "train.py": _AFTER.format(cut=CUT, spread=SPREAD, step=STEP),
        "model.json": json.dumps(model_of(one.rows[0], one.dose[0], rng)),
        "data/lesson.csv": lesson(one.rows[0], one.dose[0]).to_csv(index=False),
    }  # fmt: skip
    cohorts = min(max(told.before[-1].n // ROWS, 1), _MOST_DRAWN)
    drawn_ = {"guessed.svg": picture.guessed(told), "price.svg": picture.price(tradeoff.curves(cohorts, told.seed))}
    made = []
    for place, files in (*((folder / which, files) for which, files in texts.items()), (folder, drawn_)):
        for name, text in files.items():
            made.append(place / name)
            made[-1].parent.mkdir(parents=True, exist_ok=True)
            made[-1].write_text(text, encoding="utf-8")
    return made


def _controls() -> str:
    options = {"S2": {"epsilon": EPSILON, "delta": DELTA, "training": {"data": "lesson", **declared()}},
               "P2": {"step": STEP}}  # fmt: skip
    return f"\ncontrols: {json.dumps(options)}"
