"""Long run: 300 models trained independently on the same data, held against one model's fingerprint.

``python -m tests.traceability.fingerprint_long [MODELS]`` prints the table of ``docs/figures/fingerprint.md``.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.ensemble import ExtraTreesClassifier, GradientBoostingClassifier, RandomForestClassifier

from fivefold.contract.check import Context
from fivefold.contract.subject import Capabilities, SettingsView, Table
from fivefold.errors import InputError
from fivefold.traceability.watermark import fingerprint, questions
from fivefold.traceability.watermark.claims import LIMIT

Fit = Callable[[int], Any]

TRAININGS: dict[str, Fit] = {
    "random forest": lambda seed: RandomForestClassifier(50, random_state=seed),
    "gradient boosting": lambda seed: GradientBoostingClassifier(n_estimators=30, subsample=0.7, random_state=seed),
    "extra trees": lambda seed: ExtraTreesClassifier(50, random_state=seed),
}
_ROWS = 600
SETS = {"wine": load_wine, "breast cancer": load_breast_cancer, "digits": load_digits}
PAIRS = [(name, training) for name in ("wine", "breast cancer") for training in TRAININGS] + [
    ("digits", "random forest")
]


@dataclass(frozen=True)
class Model:
    """A fitted ensemble as a subject."""

    made: Any
    fit: Fit
    classes: tuple[str, ...]
    task = "multiclass"
    capabilities = Capabilities(scores=False, retrains=True, perturbable=True)

    def predict(self, asked: Table) -> np.ndarray:
        return np.asarray(self.made.predict(asked.features.to_numpy()), dtype=np.int64)

    def retrain(self, rows: Table, seed: int) -> Model:
        return dataclasses.replace(self, made=self.fit(seed).fit(rows.features.to_numpy(), rows.target))


def data(name: str, noise: float = 0.1) -> tuple[Table, tuple[str, ...]]:
    """Return 600 rows or fewer, of which some labels were changed, so that models differ at all."""
    x, y = (part[:_ROWS] for part in SETS[name](return_X_y=True))
    rng = np.random.default_rng(0)
    kinds = len(np.unique(y))
    y = np.where(rng.random(len(y)) < noise, rng.integers(kinds, size=len(y)), y)
    frame = pd.DataFrame(x, columns=[f"c{at}" for at in range(x.shape[1])])
    return Table("train", np.arange(len(y)), frame, y, pd.DataFrame(index=frame.index)), tuple(map(str, range(kinds)))


def held(name: str, training: str, models: int) -> str:
    """Return a line of the table: how models trained independently, and copies, stand against a fingerprint."""
    table, classes = data(name)
    fit = TRAININGS[training]
    own = Model(fit(0).fit(table.features.to_numpy(), table.target), fit, classes)
    context = Context(
        subject=own, tables={"train": table}.__getitem__, rng=np.random.default_rng(1), thresholds={}, options={},
        rows=20_000, settings=SettingsView(classes=classes),
    )  # type: ignore[arg-type]  # fmt: skip
    try:
        opening = msgspec.json.decode(fingerprint.take(context), type=fingerprint.FingerprintOpening)
    except InputError as error:
        return f"| {name} | {training} | none: {error.message} | | | | | |"
    asked = questions.unpacked(opening.inputs, classes)
    rng, p = np.random.default_rng(2), []
    families = [fit, fit, *TRAININGS.values()]
    for at in range(models):
        rows = np.arange(len(table)) if at % 2 else rng.integers(len(table), size=len(table))
        made = families[at % len(families)](1000 + at)
        made.fit(table.features.to_numpy()[rows], table.target[rows])
        p.append(fingerprint.read(made.predict(asked.features.to_numpy()), opening).p)
    accused = sum(one <= LIMIT for one in p)
    wide = questions.mixed(table, 5000, rng)
    copies = [fingerprint.read(own.predict(asked), opening).p]
    for rows in (table, wide):
        copy = own.retrain(questions.relabelled(rows, own.predict(rows)), 77)
        copies.append(fingerprint.read(copy.predict(asked), opening).p)
    cells = [name, training, len(opening.answers), f"{np.mean(opening.agree):.0%}", f"{accused} of {models}",
             f"{min(p):.1g}", *(f"{one:.1g}" for one in copies)]  # fmt: skip
    return f"| {' | '.join(map(str, cells))} |"


def main() -> int:
    """Print the table."""
    models = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    titles = ("data", "model", "questions", "held-back trainings agree", "strangers accused", "their smallest p",
              "p of the model", "distilled from training rows", "distilled from 5,000 mixed rows")  # fmt: skip
    for line in (f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"):
        sys.stdout.write(f"{line}\n")
    for name, training in PAIRS:
        sys.stdout.write(held(name, training, models) + "\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
