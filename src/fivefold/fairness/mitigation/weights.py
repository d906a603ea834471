"""Weights: training rows weighed so that group and truth are independent (Kamiran and Calders 2012, section 3.2)."""

from __future__ import annotations

import numpy as np


def reweighed(codes: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return (n,) weights P(group) P(truth) / P(group, truth), of mean 1."""
    kinds = int(truth.max(initial=0)) + 1
    joint = np.bincount(codes * kinds + truth, minlength=(int(codes.max(initial=0)) + 1) * kinds).reshape(-1, kinds)
    expected = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True) / max(joint.sum(), 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        weight = np.where(joint > 0, expected / joint, 0.0)
    return np.asarray(weight[codes, truth])


def resampled(codes: np.ndarray, truth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return (n,) positions drawn by :func:`reweighed`, for learners that take no weights ("uniform sampling")."""
    weight = reweighed(codes, truth)
    return np.sort(rng.choice(len(codes), len(codes), p=weight / weight.sum()))
