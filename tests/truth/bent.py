"""Subjects of S5.regression: columns that tell a target, and targets of which a known share is bent."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.contract.subject import SettingsView

from .entry import Entry
from .floors import floors
from .label_noise import _dressed
from .subjects import context, filler, table

if TYPE_CHECKING:
    from fivefold.contract.check import Context

CHECK = "S5.regression"


def build(
    seed: int, rate: float = 0.0, *, way: str = "opposite", rows: int = 2000, shape: str = "line", tails: bool = False,
    noise: float = 0.4,
) -> Context:  # fmt: skip
    """Return training rows and bent targets among them, in random order.

    Args:
        seed: Of everything.
        rate: Share of bent targets.
        way: ``opposite`` (at the other end), ``slope`` (follow another slope), ``lifted`` (moved up alike).
        rows: Training rows.
        shape: ``line``, ``dressed`` (texts, steps and missing cells too), ``steps`` (no line), ``positive`` (skewed).
        tails: Noise of a t distribution with three degrees of freedom.
        noise: In spreads of what the columns say.
    """
    rng = np.random.default_rng([seed, 0])
    size = int(rng.integers(4, 9))
    values = rng.normal(size=(rows, size))
    slopes = rng.choice([-1.0, 1.0], size) * rng.uniform(0.5, 1.5, size)
    said = values @ slopes
    if shape == "steps":
        said = 3 * (values[:, 0] > 0) * (values[:, 1] > 0.3) + 2 * (np.abs(values[:, 2]) > 1) - 2 * (values[:, 3] > 1)
    said = (said - said.mean()) / said.std()
    drawn = rng.standard_t(3, rows) / np.sqrt(3) if tails else rng.normal(size=rows)
    target = said + noise * drawn
    columns = {f"m{at}": _dressed(rng, values[:, at], mixed=shape == "dressed" and at > 2) for at in range(size)}
    wrong = rng.choice(rows, round(rate * rows), replace=False)
    if way == "opposite":
        target[wrong] = -2.5 * np.sign(said[wrong]) + 0.2 * rng.normal(size=len(wrong))
    elif way == "slope":
        along = values @ rng.normal(size=size)
        along = along if np.corrcoef(along, said)[0, 1] < 0 else -along
        target[wrong] = 3.0 * np.sign(along[wrong]) + 0.3 * rng.normal(size=len(wrong))
    else:
        target[wrong] = target[wrong] + 4.0
    if shape == "positive":
        target = np.exp(8 + 0.5 * target)
    features = pd.concat([pd.DataFrame(columns), filler(rng, rows, int(rng.integers(0, 4)))], axis=1)
    features = features[[str(name) for name in rng.permutation(np.array(features.columns, dtype=object))]]
    sets = {"train": table("train", features, target)}
    return context(CHECK, None, sets, seed, thresholds=floors(CHECK), settings=SettingsView())


_KINDS = {
    "line": {},
    "texts and gaps": {"shape": "dressed"},
    "skewed": {"shape": "positive"},
}

ENTRY = Entry(
    check=CHECK,
    documented="15 % of 2,000 targets bent in one of three ways, where a line through the columns tells the target but "
    "for little noise",
    planted={f"{name}, {way}": partial(build, rate=0.15, way=way, **more)  # type: ignore[arg-type]
             for at, (name, more) in enumerate(_KINDS.items())
             for way in (("opposite", "slope", "lifted") if not at else (("opposite", "slope")[at % 2],))},
    clean={**{name: partial(build, **more) for name, more in _KINDS.items()},  # type: ignore[arg-type]
           "long tails": partial(build, tails=True)},
    between={"8 % opposite": partial(build, rate=0.08)},
    small={"300 rows, 15 % opposite": partial(build, rate=0.15, rows=300)},
    shown={"columns that hardly tell the target": partial(build, noise=3.0),
           "no line fits": partial(build, shape="steps"),
           "no line fits, 15 % opposite": partial(build, rate=0.15, shape="steps")},
)  # fmt: skip
