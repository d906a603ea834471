"""Subjects of row S2: releases with too little noise, with noise that gives people away, beyond budget, or drowned."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.contract.subject import SettingsView

from .entry import Entry, Rates
from .floors import floors
from .subjects import context, filler, table

if TYPE_CHECKING:
    from fivefold.contract.check import Context


def _worlds(check: str, seed: int, runs: pd.DataFrame, loss: dict[str, float]) -> Context:
    settings = SettingsView(controls={"S2": {"foreign": {"data": "worlds", "loss": loss}}})
    rng = np.random.default_rng([seed, 9])
    runs = runs.iloc[rng.permutation(len(runs))].reset_index(drop=True)
    given = table("worlds", runs, np.zeros(len(runs), dtype=np.int64))
    return context(check, None, {"worlds": given}, seed, thresholds=floors(check), settings=settings)


def textbook(seed: int, *, kind: str = "laplace", runs: int = 50_000) -> Context:
    """Runs of a release with noise of numpy in floating point, of the width that is claimed."""
    rng = np.random.default_rng([seed, 0])
    scale = float(rng.uniform(0.8, 6.0))
    place = float(rng.integers(0, 2))
    draw = getattr(rng, kind)
    both = [draw(place + at, scale, runs) for at in (0.0, 1.0)]
    loss = (
        {"epsilon": 1 / scale} if kind == "laplace" else {"epsilon": 4.0 / scale, "delta": 1e-5, "rho": 0.5 / scale**2}
    )
    frame = pd.DataFrame({"world": np.repeat([0, 1], runs), "people": np.concatenate(both)})
    return _worlds("S2.noise", seed, frame, loss)


def rounded(seed: int, *, runs: int = 20_000) -> Context:
    """Runs of a release whose noise is whole numbers."""
    rng = np.random.default_rng([seed, 1])
    scale = float(rng.uniform(1.0, 6.0))
    both = [np.rint(rng.normal(0, scale, runs)) + at for at in (0, 1)]
    frame = pd.DataFrame({"world": np.repeat([0, 1], runs), "people": np.concatenate(both)})
    return _worlds("S2.noise", seed, frame, {"epsilon": 4.0 / scale, "delta": 1e-5, "rho": 0.55 / scale**2})


def audited(seed: int, *, fault: str = "", runs: int = 30_000, figures: int = 0) -> Context:
    """Runs of another system's release of several figures, with a fault or none.

    Args:
        seed: Of everything.
        fault: ``half`` the noise, ``shared`` noise of two figures, noise that comes ``again`` in the next run.
        runs: In each world.
        figures: How many; 0: drawn.
    """
    rng = np.random.default_rng([seed, 2])
    d = figures or int(rng.integers(2, 6))
    rho = float(rng.uniform(0.2, 1.0))
    moved = rng.integers(1, 5, d).astype(float)
    width = np.sqrt((moved**2).sum() / (2 * rho)) * (0.5 if fault == "half" else 1.0)
    if fault == "shared":
        moved[1] = moved[0]  # and one more below: their difference moves
    both = []
    for at in (0.0, 1.0):
        noise = rng.normal(0.0, width, (runs, d))
        if fault == "shared":
            noise[:, 1] = noise[:, 0]
        if fault == "again":
            noise = np.repeat(noise[::2], 2, axis=0)[:runs]
        both.append(noise + 100 + at * (moved if fault != "shared" else moved + np.arange(d)))
    frame = pd.DataFrame(np.concatenate(both), columns=[f"figure {k}" for k in range(d)])
    frame.insert(0, "world", np.repeat([0, 1], runs))
    if fault == "again":
        frame = frame.sort_values("world", kind="stable")
    given = _worlds("S2.release", seed, frame, {"epsilon": 5.0, "delta": 1e-5, "rho": rho})
    if fault != "again":
        return given
    settings = given.settings
    ordered = table("worlds", frame.reset_index(drop=True), np.zeros(len(frame), dtype=np.int64))
    return context("S2.release", None, {"worlds": ordered}, seed, thresholds=floors("S2.release"), settings=settings)


def _queries(rng: np.random.Generator) -> list[dict[str, object]]:
    every: list[dict[str, object]] = [
        {"name": "count", "what": "count"},
        {"name": "some", "what": "count", "where": "measured > 40"},
        {"name": "mean", "what": "mean", "column": "measured", "bounds": [0, 100]},
        {"name": "table", "what": "table", "by": ["kind"], "of": "count"},
        {"name": "places", "what": "quantiles", "column": "measured", "bounds": [0, 100], "bins": 16},
        {"name": "kinds", "what": "histogram", "column": "kind"},
    ]
    return [every[k] for k in sorted(rng.permutation(len(every))[: int(rng.integers(2, 5))])]


def own(
    check: str, seed: int, *, rows: tuple[int, int] = (2000, 6000), loss: tuple[float, float] = (1.0, 2.0),
    times: float = 0.5, person: bool = False,
) -> Context:  # fmt: skip
    """Return a release by this product, declared over mixed rows.

    Args:
        check: For which check.
        seed: Of everything.
        rows: How many, from and to.
        loss: Its epsilon, from and to.
        times: How many of it there are in the budget that is planned, the share of it.
        person: Whether a person may have several rows.
    """
    rng = np.random.default_rng([seed, 3])
    n = int(rng.integers(*rows))
    frame = filler(rng, n, int(rng.integers(1, 6)))
    frame["measured"] = np.where(rng.random(n) < 0.05, np.nan, rng.normal(50, 20, n))
    kinds = np.array(["a", "b", "c"], dtype=object)
    frame["kind"] = kinds[rng.integers(0, 3, n)]
    frame["who"] = [f"p{k}" for k in rng.integers(0, max(2, n // 3), n)]
    epsilon = float(rng.uniform(*loss))
    release = {
        "loss": {"epsilon": epsilon, "delta": 1e-6},
        "domains": {"kind": {"values": ["a", "b", "c"]}},
        "queries": _queries(rng),
    }
    if person:
        release["unit"] = {"column": "who", "rows": 3}
    planned = max(1, round(6 * times))
    control = {"epsilon": epsilon * np.sqrt(6.0) * 1.05, "delta": 1e-5, "times": planned, "release": release}
    settings = SettingsView(controls={"S2": control}, labels={"train": {"source": "register"}})
    given = {"train": table("train", frame, np.zeros(n, dtype=np.int64))}
    return context(check, None, given, seed, thresholds=floors(check), settings=settings, effort="quick")


_FAST = Rates()

ENTRIES = {
    "S2.noise": Entry(
        check="S2.noise",
        documented="50,000 runs in each world of a count with numpy's Laplace or normal noise of the claimed width",
        planted={
            "Laplace noise of numpy": textbook,
            "normal noise of numpy": partial(textbook, kind="normal"),
        },
        clean={
            "a release by this product": partial(own, "S2.noise"),
            "whole numbers of another system": rounded,
        },
        small={"normal noise of numpy, 600 runs": partial(textbook, kind="normal", runs=600)},
        rates=_FAST,
    ),
    "S2.release": Entry(
        check="S2.release",
        documented="30,000 runs in each world, half of the noise that is claimed, or noise that is used twice",
        planted={
            "half the noise": partial(audited, fault="half"),
            "two figures share noise": partial(audited, fault="shared"),
            "noise that comes again": partial(audited, fault="again"),
        },
        clean={
            "another system with the noise that it claims": audited,
            "a release by this product": partial(own, "S2.release"),
            "a release by this product, several rows a person": partial(own, "S2.release", person=True),
        },
        small={"half the noise, 600 runs": partial(audited, fault="half", runs=600)},
        rates=_FAST,
    ),
    "S2.ledger": Entry(
        check="S2.ledger",
        documented="twice as many releases planned as the budget has",
        planted={"twice the budget": partial(own, "S2.ledger", times=2.0)},
        clean={"half of the budget": partial(own, "S2.ledger", times=0.5)},
        rates=_FAST,
    ),
    "S2.utility": Entry(
        check="S2.utility",
        documented="40 to 120 rows at an epsilon of 0.02 to 0.05",
        planted={"few rows, small epsilon": partial(own, "S2.utility", rows=(40, 120), loss=(0.02, 0.05))},
        clean={
            "thousands of rows": partial(own, "S2.utility"),
            "thousands of rows, several a person": partial(own, "S2.utility", person=True),
        },
        rates=_FAST,
    ),
}  # fmt: skip
"""By check id."""


def half_noise(seed: int) -> Context:
    """Return runs of a system that adds half of the noise that it claims."""
    return audited(seed, fault="half")


def overspent(seed: int) -> Context:
    """Return more releases than the budget has."""
    return own("S2.ledger", seed, times=2.0)


def drowned(seed: int) -> Context:
    """Return a release with more noise than figure in every query."""
    rng = np.random.default_rng([seed, 4])
    frame = pd.DataFrame({"kind": np.array(["a", "b"], dtype=object)[rng.integers(0, 2, 30)]})
    release = {
        "loss": {"epsilon": 0.01, "delta": 1e-6},
        "domains": {"kind": {"values": ["a", "b"]}},
        "queries": [{"name": "count", "what": "count"}, {"name": "kinds", "what": "histogram", "column": "kind"}],
    }
    settings = SettingsView(controls={"S2": {"epsilon": 1.0, "delta": 1e-5, "release": release}})
    given = {"train": table("train", frame, np.zeros(30, dtype=np.int64))}
    return context("S2.utility", None, given, seed, thresholds=floors("S2.utility"), settings=settings, effort="quick")
