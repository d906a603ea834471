"""Subjects of F1.individual and F1.proxies: rules over columns, so that what they hang on is known."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.contract.subject import Capabilities, SettingsView, Subject, Table, Task
from fivefold.errors import UnsupportedError

from .entry import Entry
from .floors import floors
from .subjects import context, filler

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.contract.check import Context

FLIP, PROXY = "F1.individual", "F1.proxies"


@dataclass(frozen=True)
class Rule:
    """A model that is a function of its features."""

    task: Task
    classes: tuple[str, ...]
    rule: Callable[[pd.DataFrame], np.ndarray]

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(scores=False, retrains=False, perturbable=True)

    def predict(self, table: Table) -> np.ndarray:
        return self.rule(table.features)

    def predict_proba(self, table: Table) -> np.ndarray:
        raise UnsupportedError("test.scores", "labels only.")

    def retrain(self, table: Table, seed: int) -> Subject:
        raise UnsupportedError("test.retrain", "a rule.")


def _hashed(frame: pd.DataFrame, columns: list[str]) -> np.ndarray:
    """Return (n,) numbers in [0, 1) that hang on the columns and look random."""
    return pd.util.hash_pandas_object(frame[columns], index=False).to_numpy() / 2.0**64


def flipping(
    seed: int, *, flip: float = 0.0, ragged: float = 0.0, rows: int = 3000, task: Task = "binary", groups: int = 2,
    steep: float = 1.0,
) -> Context:  # fmt: skip
    """Build a model of one decisive number; a share looks at the group, or at last digits.

    Args:
        seed: Decides all that is not given.
        flip: Share of people whose answer hangs on the protected field.
        ragged: Share of people whose answer hangs on last digits.
        rows: Test rows.
        task: Of the model.
        groups: Of the protected field.
        steep: By how much more noise the decisive number has than its unit.
    """
    rng = np.random.default_rng([seed, 0])
    labels = np.array([f"g{at}" for at in rng.permutation(groups)], dtype=object)
    if rng.random() < 0.3:
        labels[0] = None
    codes = rng.integers(0, groups, rows)
    score = rng.normal(size=rows) * steep
    frame = filler(rng, rows, int(rng.integers(1, 12))).assign(
        who=labels[codes], decisive=score, fixed=rng.random(rows)
    )
    favoured = labels[int(np.flatnonzero(np.array([label is not None for label in labels]))[0])]
    positive = int(rng.integers(2))

    def rule(given: pd.DataFrame) -> np.ndarray:
        level = given["decisive"].to_numpy()
        chance = given["fixed"].round(2).to_numpy()
        spread = np.sort(frame["fixed"].round(2).to_numpy())
        rank = np.searchsorted(spread, chance, side="left") / rows
        mine = (given["who"] == favoured).to_numpy(dtype=bool)
        odd = _hashed(given, ["decisive"]) < 0.5
        if task == "regression":
            return np.asarray(level + 2.0 * ((rank < flip) & mine) + 2.0 * ((rank < 2 * ragged) & odd))
        answer = (level > 0).astype(np.int64)
        kinds = 2 if task == "binary" else 3
        answer += ((rank < flip) & mine) + ((rank < 2 * ragged) & odd)
        return np.asarray(answer % kinds, dtype=np.int64)

    target = score if task == "regression" else (score + 0.3 * rng.normal(size=rows) > 0).astype(np.int64)
    names = () if task == "regression" else ("a", "b") if task == "binary" else ("a", "b", "c")
    test = Table("test", np.arange(rows), frame, target, pd.DataFrame(index=frame.index))
    settings = SettingsView(positive=None if task != "binary" else positive, protected=("who",), classes=names)
    return context(FLIP, Rule(task, names, rule), {"test": test}, seed, thresholds=floors(FLIP), settings=settings)


def proxied(
    seed: int, *, beyond: float | None = None, rows: int = 4000, task: Task = "binary", inside: bool = False,
    text: bool = False, base: bool = False, both: bool = False,
) -> Context:  # fmt: skip
    """Build a model that turns people away by a feature that stands for their group, which is no feature itself.

    Args:
        seed: Decides all that is not given.
        beyond: How far beyond the floor the gap that goes through the stand-in lies; None: it is not looked at.
        rows: Test rows.
        task: Of the model.
        inside: The protected field is a feature too (which the model does not look at).
        text: The stand-in is a text.
        base: Groups differ in how many deserve the answer, rightly.
        both: The stand-in also grants what is not deserved.
    """
    rng = np.random.default_rng([seed, 0])
    mine = rng.random(rows) < rng.uniform(0.25, 0.45)
    deserve = np.where(mine, 0.3, 0.55) if base else rng.uniform(0.35, 0.5)
    truth = (rng.random(rows) < deserve).astype(np.int64)
    decisive = np.where(truth == 1, 1.0, -1.0) + 0.8 * rng.normal(size=rows)
    proxy = 2.0 * mine + 0.35 * rng.normal(size=rows)
    stand_in = np.where(proxy > 1, "south", "north") if text else proxy
    frame = filler(rng, rows, int(rng.integers(1, 10))).assign(
        decisive=decisive, place=stand_in, fixed=rng.random(rows)
    )
    if inside:
        frame["who"] = np.where(mine, "few", "many")
    others = pd.DataFrame(index=frame.index) if inside else pd.DataFrame({"who": np.where(mine, "few", "many")})
    size = 0.0 if beyond is None else floors(PROXY)["max_proxy_gap"] + beyond

    def rule(given: pd.DataFrame) -> np.ndarray:
        met = (given["place"] == "south").to_numpy() if text else given["place"].to_numpy() > 1
        level = given["decisive"].to_numpy()
        if task == "regression":
            return np.asarray(level - size * 1.45 * met)
        hit = given["fixed"].to_numpy() < size / 0.89
        return np.asarray((((level > 0) ^ (met & hit)) if both else (level > 0) & ~(met & hit)).astype(np.int64))

    target = decisive + 0.3 * rng.normal(size=rows) if task == "regression" else truth
    names = () if task == "regression" else ("no", "yes")
    test = Table("test", np.arange(rows), frame, target, others)
    settings = SettingsView(positive=None if task == "regression" else 1, protected=("who",), classes=names)
    return context(PROXY, Rule(task, names, rule), {"test": test}, seed, thresholds=floors(PROXY), settings=settings)


ENTRIES = {
    FLIP: Entry(
        check=FLIP,
        documented="one answer in six hangs on the protected field, or one in five on last digits, in 3,000 rows",
        planted={
            "the protected field": partial(flipping, flip=0.17),
            "the protected field, four groups": partial(flipping, flip=0.17, groups=4),
            "the protected field, three classes": partial(flipping, flip=0.17, task="multiclass"),
            "the protected field, values": partial(flipping, flip=0.17, task="regression"),
            "last digits": partial(flipping, ragged=0.22),
        },
        clean={
            "nothing": flipping, "nothing, four groups": partial(flipping, groups=4),
            "nothing, values": partial(flipping, task="regression"),
        },
        between={"8 % look at the field": partial(flipping, flip=0.08)},
        small={"100 rows, one in six": partial(flipping, flip=0.17, rows=100)},
    ),
    PROXY: Entry(
        check=PROXY,
        documented="a gap 0.15 beyond the floor goes through a stand-in that gives the group away, in 4,000 rows",
        planted={
            "a number": partial(proxied, beyond=0.15),
            "a text": partial(proxied, beyond=0.15, text=True),
            "the field is a feature too": partial(proxied, beyond=0.15, inside=True),
            "values": partial(proxied, beyond=0.15, task="regression"),
        },
        clean={
            "nothing": proxied, "nothing, other base rates": partial(proxied, base=True),
            "nothing, values": partial(proxied, task="regression"),
        },
        between={"0.05 beyond the floor": partial(proxied, beyond=0.05)},
        small={"100 rows, 0.15 beyond": partial(proxied, beyond=0.15, rows=100)},
    ),
}  # fmt: skip
