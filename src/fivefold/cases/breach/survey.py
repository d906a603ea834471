"""Survey: employees of a region, what anybody may know of them, and a diagnosis that nobody may."""

from __future__ import annotations

import numpy as np
import pandas as pd

DIAGNOSES = ("none", "diabetes", "depression", "heart", "cancer")
JOBS = ("farmer", "teacher", "nurse", "clerk", "driver", "builder", "engineer", "cook")
DISTRICTS = tuple(f"d{at:02d}" for at in range(1, 21))
KNOWN = ("district", "born", "sex", "job")
"""What a scraper knows of the people whom he wants to know more of."""
BANDS = (1940, 1958, 1972, 1986, 2006)
"""Years of birth that belong together."""
_BASE = np.array([0.62, 0.13, 0.11, 0.09, 0.05])


def employees(n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Draw n employees: an id, :data:`KNOWN`, and a diagnosis that depends on age, sex and job, and on chance."""
    district = np.array(DISTRICTS, dtype=object)[rng.choice(len(DISTRICTS), n, p=_uneven(len(DISTRICTS)))]
    job, women = rng.integers(0, len(JOBS), n), rng.random(n) < 0.5
    born = np.clip(2005 - rng.gamma(6.0, 5.2, n), 1940, 2005).astype(int)
    old = (1975 - born) / 15
    weight = np.log(_BASE) + np.column_stack([
        -0.35 * old, 0.55 * old, 0.35 * women + 0.5 * np.isin(job, (1, 2)), 0.7 * old - 0.5 * women, 0.5 * old,
    ])  # fmt: skip
    drawn = (weight + rng.gumbel(size=weight.shape)).argmax(axis=1)
    return pd.DataFrame({
        "person": [f"p{at:05d}" for at in range(n)], "district": district, "born": born,
        "sex": np.where(women, "f", "m").astype(object), "job": np.array(JOBS, dtype=object)[job],
        "diagnosis": np.array(DIAGNOSES, dtype=object)[drawn],
    })  # fmt: skip


def alone(rows: pd.DataFrame) -> np.ndarray:
    """Return positions of people with whom nobody shares all of :data:`KNOWN`."""
    return np.flatnonzero(~rows.duplicated(list(KNOWN), keep=False).to_numpy())


def rates(rows: pd.DataFrame) -> np.ndarray:
    """Return (n, 5) how common each diagnosis is among people of the same sex and band of years; sums to 1."""
    group = np.searchsorted(BANDS, rows["born"].to_numpy(), side="right") * 2 + (rows["sex"] == "f").to_numpy()
    counts = np.zeros((int(group.max()) + 1, len(DIAGNOSES)))
    np.add.at(counts, (group, codes(rows)), 1.0)
    found = counts[group] + 0.5
    return np.asarray(found / found.sum(axis=1, keepdims=True))


def codes(rows: pd.DataFrame) -> np.ndarray:
    """Return (n,) diagnoses by their place."""
    return np.asarray(pd.Categorical(rows["diagnosis"], categories=list(DIAGNOSES)).codes, dtype=np.int64)


def _uneven(count: int) -> np.ndarray:
    size = 1 / np.arange(1, count + 1) ** 0.7
    return np.asarray(size / size.sum())
