"""Doctors: rules by which three of them rank what speaks most for or against a pneumonia."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.cases.screening.cohort import FINDINGS, WEIGHT

if TYPE_CHECKING:
    from fivefold.cases.screening.cohort import People

RANKS = 3
"""Reasons that a doctor gives."""

DOCTORS = {
    "radiologist": {"opacity": 1.3, "crp": 0.9},
    "pulmonologist": {"saturation": 1.2, "breaths": 1.2},
    "physician": {"temperature": 1.2, "crp": 1.1, "urea": 1.2, "confusion": 1.2},
}
"""Whoever reads films goes by them more, and so on: what a doctor weighs the findings with, beside what they weigh."""

_POINT = 0.25


def points(met: People, doctor: str) -> np.ndarray:
    """Return (n, 8) points of each finding, signed: how far it is from usual, times its weight, in quarters."""
    own = np.array([WEIGHT[name] * DOCTORS[doctor].get(name, 1.0) for name in FINDINGS])
    return np.asarray(np.round(met.towards * own / _POINT) * _POINT)


def ranked(met: People, doctor: str) -> np.ndarray:
    """Return (n, 3) object, the findings with most points either way; of equal ones the one that weighs more."""
    size = np.abs(points(met, doctor)) + 1e-6 * np.array([WEIGHT[name] for name in FINDINGS])
    order = np.argsort(-size, axis=1, kind="stable")[:, :RANKS]
    return np.asarray(np.array(FINDINGS, dtype=object)[order])


def file_of(met: People, ids: np.ndarray) -> pd.DataFrame:
    """Return what all doctors say of (n,) people, a line for each doctor and person."""
    lines = []
    for doctor in DOCTORS:
        frame = pd.DataFrame(ranked(met, doctor), columns=[f"reason_{at + 1}" for at in range(RANKS)])
        lines.append(frame.assign(person=ids, doctor=doctor))
    columns = ["person", "doctor", *(f"reason_{at + 1}" for at in range(RANKS))]
    return pd.concat(lines, ignore_index=True)[columns].sort_values("person", kind="stable", ignore_index=True)
