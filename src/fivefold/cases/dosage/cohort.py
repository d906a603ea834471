"""Cohort: patients and the weekly dose of warfarin that held them stable; drawn, in the structure of a known study."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Mapping

LOWEST, HIGHEST = 2.1, 315.0
"""Weekly doses in mg between which the study's patients lie, and which the form accepts."""
NOISE = 0.75
"""Standard deviation of the root of the dose around the study's formula."""
_RACES = np.array(["White", "Asian", "Black", "unknown"], dtype=object)
_SHARE = np.array([0.55, 0.30, 0.09, 0.06])
ALLELES = {"White": (0.40, 0.13, 0.07), "Asian": (0.90, 0.005, 0.035), "Black": (0.11, 0.03, 0.02),
           "unknown": (0.45, 0.08, 0.05)}  # fmt: skip
"""Of each race: share of the A allele of VKORC1 -1639, of CYP2C9*2 and of *3."""
_VKORC1 = np.array(["G/G", "A/G", "A/A"], dtype=object)
UNKNOWN = 0.06
"""Share of each gene's types that were not measured."""
_PHARMACOGENETIC: Mapping[str, float] = {
    "": 5.6044, "decade": -0.2614, "height": 0.0087, "weight": 0.0128, "VKORC1 A/G": -0.8677, "VKORC1 A/A": -1.6974,
    "VKORC1 unknown": -0.4854, "CYP2C9 *1/*2": -0.5211, "CYP2C9 *1/*3": -0.9357, "CYP2C9 *2/*2": -1.0616,
    "CYP2C9 *2/*3": -1.9206, "CYP2C9 *3/*3": -2.3312, "CYP2C9 unknown": -0.2188, "race Asian": -0.1092,
    "race Black": -0.2760, "race unknown": -0.1032, "inducer": 1.1816, "amiodarone": -0.5503,
}  # fmt: skip
_CLINICAL: Mapping[str, float] = {
    "": 4.0376, "decade": -0.2546, "height": 0.0118, "weight": 0.0134, "race Asian": -0.6752, "race Black": 0.4060,
    "race unknown": 0.0443, "inducer": 1.2799, "amiodarone": -0.5695,
}  # fmt: skip


def patients(n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Draw n patients.

    Ages, heights and weights hang together by sex and race; genotypes follow the frequencies of alleles that are
    reported for each race, in Hardy-Weinberg proportions; 6 % of the genotypes were not measured.

    Args:
        n: How many.
        rng: Draws them.

    Returns:
        Columns age (years), height (cm), weight (kg), sex, race, vkorc1, cyp2c9, amiodarone, inducer.

    Source: IWPC 2009, table 1 (age, height, weight, race, co-medication); Limdi et al. 2010 (alleles by race).
    """
    race = _RACES[rng.choice(len(_RACES), n, p=_SHARE)]
    woman = rng.random(n) < 0.42
    asian = race == "Asian"
    age = np.clip(64 + 14.5 * rng.standard_normal(n) - 3 * asian, 18, 96).round()
    height = np.clip(175 - 13 * woman - 8 * asian + 7 * rng.standard_normal(n), 130, 205).round(1)
    bulk = 27.5 - 3.5 * asian + 5.2 * rng.standard_normal(n) - 0.06 * np.maximum(age - 70, 0)
    weight = (np.clip(bulk, 15, 60) * (height / 100) ** 2).round(1)
    kept = {name: np.array([ALLELES[one][at] for one in race]) for at, name in enumerate(("a", "two", "three"))}
    vkorc1 = _VKORC1[rng.binomial(2, kept["a"])]
    draws = rng.random((n, 2))
    which = (draws < (kept["two"] + kept["three"])[:, None]).astype(int) + (draws < kept["three"][:, None])
    pairs = np.sort(np.where(which == 0, 1, np.where(which == 1, 2, 3)), axis=1)
    cyp2c9 = np.array([f"*{a}/*{b}" for a, b in pairs], dtype=object)
    vkorc1[rng.random(n) < UNKNOWN] = "unknown"
    cyp2c9[rng.random(n) < UNKNOWN] = "unknown"
    return pd.DataFrame({
        "age": age, "height": height, "weight": weight, "sex": np.where(woman, "f", "m"), "race": race,
        "vkorc1": vkorc1, "cyp2c9": cyp2c9, "amiodarone": rng.random(n) < 0.07 - 0.03 * asian,
        "inducer": rng.random(n) < 0.012,
    })  # fmt: skip


def doses(rows: pd.DataFrame, rng: np.random.Generator) -> np.ndarray:
    """Draw (n,) weekly doses in mg that held the patients stable, to a tenth.

    The square root follows the study's pharmacogenetic formula and noise of 0.75, so that the formula explains about
    half of the variance, as reported.

    Source: IWPC 2009, supplement, section S1e.
    """
    root = _formula(rows, _PHARMACOGENETIC) + NOISE * rng.standard_normal(len(rows))
    return np.asarray(np.clip(np.maximum(root, 1.45) ** 2, LOWEST, HIGHEST).round(1))


def clinical(rows: pd.DataFrame) -> np.ndarray:
    """Return (n,) weekly doses in mg by the rule that needs no training: the study's clinical formula.

    Source: IWPC 2009, supplement, section S1f.
    """
    return np.asarray(np.maximum(_formula(rows, _CLINICAL), 1.45) ** 2)


def _formula(rows: pd.DataFrame, weights: Mapping[str, float]) -> np.ndarray:
    found = np.full(len(rows), weights[""])
    found += weights["decade"] * np.floor(rows["age"].to_numpy() / 10)
    for name in ("height", "weight", "inducer", "amiodarone"):
        found += weights[name] * rows[name].to_numpy(dtype=np.float64)
    for name, weight in weights.items():
        column, _, value = name.partition(" ")
        if value:
            found += weight * (rows[column.lower()] == value).to_numpy()
    return found
