"""Subjects of S5.outliers: columns that a few causes tie together, and rows of which a known share is foreign."""

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

CHECK = "S5.outliers"


def build(
    seed: int, rate: float = 0.0, *, way: str = "mixed", rows: int = 2000, dressed: bool = False, groups: int = 0,
    noise: float = 0.35, extra: int = 4, tails: bool = False,
) -> Context:  # fmt: skip
    """Return training rows whose columns follow two causes, and foreign rows among them.

    Args:
        seed: Of everything.
        rate: Share of foreign rows.
        way: ``mixed`` (each cell from another row), ``anywhere`` (each cell from a range of its own), ``slipped``
            (one number in another unit or of another sign).
        rows: Training rows.
        dressed: Texts, steps and missing cells among the columns.
        groups: Clusters in the causes; 0: none.
        noise: Of each column, in spreads of what ties it to the causes.
        extra: Most columns that nothing ties to others.
        tails: Heavy tails in the causes.
    """
    rng = np.random.default_rng([seed, 0])
    size = int(rng.integers(6, 13))
    cause = rng.standard_t(3, size=(rows, 2)) if tails else rng.normal(size=(rows, 2))
    if groups:
        cause = cause + 6 * rng.normal(size=(groups, 2))[rng.integers(0, groups, rows)]
    angle = rng.permutation(np.linspace(0, np.pi, size, endpoint=False))
    values = cause @ np.array([np.cos(angle), np.sin(angle)])
    values = values / values.std(axis=0) + noise * rng.normal(size=values.shape)
    columns = {f"m{at}": _dressed(rng, values[:, at], mixed=dressed and at > 1) for at in range(size)}
    features = pd.concat([pd.DataFrame(columns), filler(rng, rows, int(rng.integers(0, extra + 1)))], axis=1)
    features = features[[str(name) for name in rng.permutation(np.array(features.columns, dtype=object))]]
    target = (cause[:, 0] > np.median(cause[:, 0])).astype(np.int64)
    chosen = rng.choice(rows, round(rate * rows), replace=False)
    _SPOIL[way](features, chosen, rng)
    sets = {"train": table("train", features, target)}
    return context(CHECK, None, sets, seed, thresholds=floors(CHECK), settings=SettingsView())


def _mix(features: pd.DataFrame, chosen: np.ndarray, rng: np.random.Generator) -> None:
    for name in features.columns:
        features.loc[chosen, name] = features[name].to_numpy()[rng.integers(0, len(features), len(chosen))]


def _anywhere(features: pd.DataFrame, chosen: np.ndarray, rng: np.random.Generator) -> None:
    for name in features.columns:
        column = features[name]
        if column.dtype.kind == "f":
            drawn = rng.uniform(column.min(), column.max(), len(chosen))
        else:
            levels = column.dropna().unique()
            drawn = levels[rng.integers(0, len(levels), len(chosen))]
        features.loc[chosen, name] = drawn


def _slip(features: pd.DataFrame, chosen: np.ndarray, rng: np.random.Generator) -> None:
    """Three quarters of the slips are in another unit, a quarter of another sign."""
    numeric = [name for name in features.columns if features[name].dtype.kind == "f"]
    which = rng.integers(0, len(numeric), len(chosen))
    factor = np.array([-1.0, 10.0, 100.0, 1000.0])[rng.integers(0, 4, len(chosen))]
    for at, name in enumerate(numeric):
        mine = chosen[which == at]
        features.loc[mine, name] = features.loc[mine, name] * factor[which == at]


def _unit(features: pd.DataFrame, chosen: np.ndarray, rng: np.random.Generator) -> None:
    """One column alone is in another unit."""
    name = next(name for name in features.columns if features[name].dtype.kind == "f" and str(name).startswith("m"))
    features.loc[chosen, name] = features.loc[chosen, name] * float(rng.choice([100.0, 1000.0, 0.001]))


_SPOIL = {"unit": _unit, "mixed": _mix, "anywhere": _anywhere, "slipped": _slip}


def loose(seed: int) -> Context:
    """Honest rows whose columns hang together loosely, or hardly at all."""
    rng = np.random.default_rng([seed, 3])
    return build(seed, noise=float(rng.uniform(0.8, 3.0)), dressed=True)


_KINDS = {
    "numbers": {},
    "texts and gaps": {"dressed": True},
    "clusters": {"groups": 5, "noise": 0.2},
    "heavy tails": {"tails": True, "noise": 0.25},
}
_WAYS = ("mixed", "anywhere", "slipped", "unit")

ENTRY = Entry(
    check=CHECK,
    documented="15 % of 2,000 rows foreign in one of four ways, in tables whose columns two causes tie together",
    planted={f"{name}, {way}": partial(build, rate=0.15, way=way, **more)  # type: ignore[arg-type]
             for at, (name, more) in enumerate(_KINDS.items()) for way in (_WAYS if not at else (_WAYS[at % 4],))},
    clean={name: partial(build, **more) for name, more in _KINDS.items()},  # type: ignore[arg-type]
    between={"5 % mixed": partial(build, rate=0.05)},
    small={"300 rows, 15 % mixed": partial(build, rate=0.15, rows=300)},
    shown={"columns that hang together loosely, nothing foreign": loose},
)  # fmt: skip
