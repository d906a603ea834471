"""Robust aggregation: put updates together so that a minority cannot steer the result, and say what that needs.

Robust ways compare single updates, which masking hides. Both together work on cohorts only: clients are dealt into
cohorts by chance, each cohort's sum is masked, and the way is applied to the cohorts' means
(``docs/adr/0009-robust-aggregation-under-masking.md``). One malicious client spoils its whole cohort.
"""

from __future__ import annotations

import numpy as np

from fivefold.errors import InputError

WAYS = ("mean", "median", "trimmed-mean", "multi-krum", "norm-bound")
LEAST_COHORT, LEAST_COHORTS = 3, 5


def need_cohorts(way: str, clients: int, cohorts: int, *, masking: bool) -> None:
    """Refuse what cannot be kept.

    Raises:
        InputError: ``federated.robust-masked`` for a robust way under masking without cohorts, or with such that are
            too few or too small.
    """
    if masking and way != "mean" and not (cohorts >= LEAST_COHORTS and clients // max(cohorts, 1) >= LEAST_COHORT):
        raise InputError(
            "federated.robust-masked", f"{way} compares single updates, and masking hides them.",
            remedy=f"Declare `cohorts`: {LEAST_COHORTS} at least, of {LEAST_COHORT} clients or more; or leave out one.",
        )  # fmt: skip


def aggregate(updates: np.ndarray, way: str, malicious: int) -> np.ndarray:
    """Return one update of many.

    Args:
        updates: (n, d) finite numbers, one row a client (or cohort).
        way: ``mean``; ``median`` of each coordinate and ``trimmed-mean`` without the ``malicious`` smallest and largest
            (Yin, Chen, Kannan and Bartlett 2018); ``multi-krum``, the mean of the ``n - malicious - 2`` rows with the
            nearest neighbours (Blanchard, El Mhamdi, Guerraoui and Stainer 2017); ``norm-bound``, the mean of rows
            shortened to the median length (Sun, Kairouz, Suresh and McMahan 2019).
        malicious: Rows that may be malicious, fewer than half.

    Returns:
        (d,) float64.

    Raises:
        InputError: ``federated.robust`` for another way, or too few rows: krum needs 2 * malicious + 3.
    """
    n = len(updates)
    if way not in WAYS or not 0 <= 2 * malicious < n or (way == "multi-krum" and n < 2 * malicious + 3):
        raise InputError("federated.robust", f"{way} of {n} updates, {malicious} of them malicious, cannot be had.")
    if way == "median":
        return np.asarray(np.median(updates, axis=0))
    if way == "trimmed-mean":
        return np.asarray(np.sort(updates, axis=0)[malicious : n - malicious].mean(axis=0))
    if way == "multi-krum":
        return np.asarray(updates[_krum(updates, malicious)].mean(axis=0))
    if way == "norm-bound":
        lengths = np.linalg.norm(updates, axis=1)
        short = np.minimum(1.0, np.median(lengths) / np.maximum(lengths, 1e-12))
        return np.asarray((updates * short[:, None]).mean(axis=0))
    return np.asarray(updates.mean(axis=0))


def _krum(updates: np.ndarray, malicious: int) -> np.ndarray:
    squares = (updates**2).sum(axis=1)
    distances = np.maximum(squares[:, None] + squares[None, :] - 2 * updates @ updates.T, 0.0)
    np.fill_diagonal(distances, np.inf)
    near = np.sort(distances, axis=1)[:, : len(updates) - malicious - 2].sum(axis=1)
    return np.argsort(near, kind="stable")[: max(1, len(updates) - malicious - 2)]
