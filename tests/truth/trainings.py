"""Subjects of S2.training: canaries of trainers with a fault or none, and trainings of this product."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.contract.subject import SettingsView
from fivefold.sharing.privacy import canaries
from fivefold.sharing.privacy.sgd.account import Path
from fivefold.sharing.privacy.sgd.train import rate_of

from .entry import Entry, Rates
from .floors import floors
from .subjects import context, filler, table

if TYPE_CHECKING:
    from fivefold.contract.check import Context

CHECK = "S2.training"
DELTA = 1e-5


def claimed(rng: np.random.Generator, most: float = 2.0) -> tuple[float, float, int, float]:
    """Return rate, noise, steps and epsilon at 1e-5 of a training, drawn: epsilon 0.5 to ``most``."""
    while True:
        rate, steps = float(rng.uniform(0.01, 0.1)), int(rng.integers(100, 300))
        noise = max(0.6, rate * np.sqrt(steps) * float(rng.uniform(2.0, 10.0)) / most)
        epsilon = Path(rate_of(rate), noise, steps).epsilon(DELTA)
        if most / 4 <= epsilon <= most:
            return rate, noise, steps, epsilon


def steps_of(rng: np.random.Generator, rate: float, noise: float, steps: int, *, fault: str = "", many: int = 10_000
             ) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Return (m,) bool who is in, and (T, m) noisy steps along their numbers, of a trainer with a clip of 1.

    Args:
        rng: Of everything.
        rate: q.
        noise: s.
        steps: T.
        fault: ``half`` the noise, ``silent`` (hardly any), ``reused`` noise, ``dealt`` out batches, ``unclipped``: one
            canary of each batch is five times as long as the clip; ``after``: the sum is cut, not each (canaries are
            five times as long).
        many: m.
    """
    included = rng.random(many) < 0.5
    members = rng.random((steps, many)) < rate
    if fault == "dealt":
        turns = max(1, round(1 / rate))
        at = np.concatenate([rng.permutation(many)[None] * turns // many for _ in range(-(-steps // turns))])
        members = np.concatenate([row[None] == np.arange(turns)[:, None] for row in at])[:steps]
    moved = (members & included).astype(float)
    if fault == "unclipped":
        first = moved.argmax(axis=1)
        moved[np.arange(steps), first] *= 5.0
    if fault == "after":
        moved *= 5.0
        length = np.sqrt((moved**2).sum(axis=1, keepdims=True))
        moved *= np.minimum(1.0, moved.astype(bool).sum(axis=1, keepdims=True) / np.maximum(length, 1e-9))
    drawn = rng.normal(
        0, noise * {"half": 0.5, "silent": 0.01}.get(fault, 1.0), (1 if fault == "reused" else steps, many)
    )
    return included, moved + drawn


def foreign(seed: int, *, fault: str = "", many: int = 10_000, say: bool = True) -> Context:
    """Return canaries of another trainer at a claimed epsilon of at most 2."""
    rng = np.random.default_rng([seed, 21])
    rate, noise, steps, epsilon = claimed(rng)
    included, out = steps_of(rng, rate, noise, steps, fault=fault, many=many)
    scores = canaries.scores(out)
    frame = pd.DataFrame({"included": included.astype(int), "score": scores[:, 0], "changes": scores[:, 1]})
    told = {"data": "canaries", "loss": {"epsilon": epsilon, "delta": DELTA}}
    told |= {"rate": rate, "noise": noise, "steps": steps} if say else {}
    settings = SettingsView(controls={"S2": {"canaries": told}})
    given = {"canaries": table("canaries", frame, np.zeros(many, dtype=np.int64))}
    return context(CHECK, None, given, seed, thresholds=floors(CHECK), settings=settings)


def own(seed: int, *, net: bool) -> Context:
    """Return a training by this product, declared over mixed rows."""
    rng = np.random.default_rng([seed, 22])
    n = int(rng.integers(1500, 6000))
    frame = filler(rng, n, int(rng.integers(1, 4)))
    frame["measured"] = np.where(rng.random(n) < 0.05, np.nan, rng.normal(50, 20, n))
    frame["kind"] = np.array(["a", "b", "c"], dtype=object)[rng.integers(0, 3, n)]
    told = {
        "target": "y", "positive": 1, "loss": {"epsilon": float(rng.uniform(0.5, 2.0)), "delta": DELTA},
        "columns": {"measured": {"bounds": [0, 100]}, "kind": {"values": ["a", "b"]}},
    }  # fmt: skip
    if net:
        told["net"] = {
            "factory": "nets:make",
            "batch": int(rng.integers(100, 300)),
            "epochs": float(rng.uniform(8, 20)),
        }
    settings = SettingsView(controls={"S2": {"epsilon": 3.0, "delta": DELTA, "training": told}})
    given = {"train": table("train", frame, rng.integers(0, 2, n))}
    return context(CHECK, None, given, seed, thresholds=floors(CHECK), settings=settings, effort="quick")


ENTRIES = {
    CHECK: Entry(
        check=CHECK,
        documented="10,000 canaries of a trainer that claims an epsilon of 0.5 to 2 and adds half the noise, or the "
        "same noise in each step",
        planted={
            "half the noise": partial(foreign, fault="half"),
            "noise used again": partial(foreign, fault="reused"),
        },
        clean={
            "another trainer as it claims": foreign,
            "a net by this product": partial(own, net=True),
            "a regression by this product": partial(own, net=False),
        },
        small={"half the noise, 600 canaries": partial(foreign, fault="half", many=600)},
        rates=Rates(),
    )
}
"""By check id."""


def noiseless(seed: int) -> Context:
    """Return canaries of a trainer that adds a hundredth of the noise that it claims."""
    return foreign(seed, fault="silent")


def half_noise(seed: int) -> Context:
    """Return canaries of a trainer that adds half of the noise that it claims."""
    return foreign(seed, fault="half")
