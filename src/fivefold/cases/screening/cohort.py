"""Cohort: people screened for pneumonia by chest film, what was measured, and doctors who know what it comes from.

Drawn by a program of our own. What is taken from the literature is its structure: films of people who cannot stand are
taken in bed (AP) by a portable machine, so that the view alone tells how ill somebody was thought to be, and models of
chest films go by it (Zech et al. 2018; DeGrave, Janizek and Lee 2021).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

FINDINGS = ("opacity", "saturation", "breaths", "crp", "temperature", "confusion", "pulse", "urea")
"""What a pneumonia comes with; doctors know them."""

SIDE = ("age", "sex", "smoker", "hospital", "view")
"""What else stands in the table; `view` is the shortcut."""

WEIGHT = {"opacity": 1.2, "saturation": 0.9, "breaths": 0.8, "crp": 0.9, "temperature": 0.6, "confusion": 0.5,
          "pulse": 0.3, "urea": 0.3}  # fmt: skip
"""How much each adds to the log-odds of a pneumonia, for one standard deviation towards ill."""

USUAL = {"opacity": (18.0, 14.0), "saturation": (94.5, -3.0), "breaths": (19.0, 4.5), "crp": (45.0, 40.0),
         "temperature": (37.4, 0.8), "confusion": (0.8, 1.0), "pulse": (88.0, 15.0), "urea": (6.5, 2.5)}  # fmt: skip
"""Mean, and one standard deviation towards ill, in per cent of the lung, per cent, breaths a minute, mg/l, degrees
Celsius, points of confusion (0 to 4), beats a minute and mmol/l."""

VIEWS = np.array(["PA", "AP"], dtype=object)
_SHARED = 0.45
_DIGITS = {"temperature": 1, "urea": 1}
_LACKING = {"crp": 0.06, "urea": 0.08}
_HOSPITALS = np.array(["north", "river", "hill"], dtype=object)


@dataclass(frozen=True)
class People:
    """Who was screened.

    Attributes:
        rows: (n, 13) frame, what is known of each.
        ill: (n,) int64, 1 for a pneumonia.
        towards: (n, 8) float64, each finding in standard deviations towards ill; 0 where it was not measured.
    """

    rows: pd.DataFrame
    ill: np.ndarray
    towards: np.ndarray


def people(n: int, rng: np.random.Generator, *, elsewhere: bool = False) -> People:
    """Draw people.

    Args:
        n: How many.
        rng: Draws all.
        elsewhere: From a hospital with portable machines alone, where every film is taken in bed.
    """
    age = np.clip(rng.normal(62, 16, n), 18, 98).round()
    general = np.sqrt(_SHARED) * rng.normal(size=n)
    towards = general[:, None] + np.sqrt(1 - _SHARED) * rng.normal(size=(n, len(FINDINGS)))
    cells = {}
    for at, name in enumerate(FINDINGS):
        mean, unit = USUAL[name]
        cells[name] = np.round(mean + unit * towards[:, at], _DIGITS.get(name, 0))
    cells["opacity"] = np.clip(cells["opacity"], 0, 100)
    cells["saturation"] = np.clip(cells["saturation"], 70, 100)
    cells["crp"], cells["confusion"] = np.maximum(cells["crp"], 1), np.clip(cells["confusion"], 0, 4)
    cells["urea"] = np.maximum(cells["urea"], 1.5)
    towards = np.column_stack([(cells[name] - USUAL[name][0]) / USUAL[name][1] for name in FINDINGS])
    score = towards @ np.array([WEIGHT[name] for name in FINDINGS])
    ill = (rng.random(n) < 1 / (1 + np.exp(-1.6 * (score - 0.6)))).astype(np.int64)
    thought = score + 1.0 * rng.normal(size=n)
    bed = np.ones(n, dtype=bool) if elsewhere else thought > 0.6
    for at, name in enumerate(FINDINGS):
        gone = rng.random(n) < _LACKING.get(name, 0.0)
        cells[name] = np.where(gone, np.nan, cells[name])
        towards[gone, at] = 0.0
    side = {
        "age": age,
        "sex": np.where(rng.random(n) < 0.5, "f", "m"),
        "smoker": np.where(rng.random(n) < 0.28, "yes", "no"),
        "hospital": np.full(n, "quay", dtype=object) if elsewhere else _HOSPITALS[rng.integers(0, 3, n)],
        "view": VIEWS[bed.astype(np.int64)],
    }
    return People(pd.DataFrame(cells | side), ill, towards)
