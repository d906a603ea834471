"""Telling: how well the features give a group away, by small models that are fitted on other rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fivefold.fairness.encode import learned, matrix

if TYPE_CHECKING:
    from fivefold.contract.subject import Table

_FOLDS = 3
_MOST = 5000


def chances(table: Table, columns: list[str], codes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return (n, G) cross-fitted chances of each group, from the columns alone.

    Args:
        table: n rows.
        columns: Features that are looked at.
        codes: (n,) groups, 0 to G - 1.
        rng: Deals the folds, and seeds the models.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    inputs = matrix(table.features, learned(table.features, columns))
    groups = int(codes.max(initial=0)) + 1
    found = np.full((len(codes), groups), 1 / groups)
    fold = rng.permutation(len(codes)) % _FOLDS
    for at in range(_FOLDS):
        train, test = np.flatnonzero(fold != at), fold == at
        train = train[:_MOST]
        known = np.unique(codes[train])
        if len(known) < 2:
            continue
        model = HistGradientBoostingClassifier(max_iter=40, max_leaf_nodes=8, random_state=int(rng.integers(1 << 31)))
        found[test] = 0.0
        found[np.ix_(test, known)] = model.fit(inputs[train], codes[train]).predict_proba(inputs[test])
    return found
