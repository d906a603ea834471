"""Natural: what changed cells would do if they did only what clean rows teach, by two models of their truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.stats.repeats import numbers

if TYPE_CHECKING:
    from fivefold.contract.subject import Table

_LEVELS = 12
_TREES = 30
_LEAF = 3
_FAR = 6.0


class Natural:
    """A logistic model and a forest of the truth of clean rows."""

    def __init__(self, clean: Table, classes: int, seed: int) -> None:
        """Learn from clean rows.

        Args:
            clean: Rows whose truth is known.
            classes: How many classes.
            seed: Of the forest.
        """
        from sklearn.ensemble import RandomForestClassifier
        from sklearn.linear_model import LogisticRegression

        self._plans = [_plan(clean.features[name]) for name in clean.features.columns]
        self._names, self._classes = list(clean.features.columns), classes
        inputs = self._design(clean.features)
        line = LogisticRegression(C=1.0, max_iter=200)
        trees = RandomForestClassifier(_TREES, min_samples_leaf=_LEAF, max_features=0.5, random_state=seed, n_jobs=1)
        several = len(np.unique(clean.target)) > 1
        self._only = None if several else int(clean.target[0])
        self._models = [model.fit(inputs, clean.target) for model in (line, trees)] if several else []

    def chances(self, features: pd.DataFrame) -> np.ndarray:
        """Return (2, n, K) what the logistic model and the forest hold likely."""
        found = np.zeros((2, len(features), self._classes))
        if self._only is not None:
            found[:, :, self._only] = 1.0
            return found
        inputs = self._design(features)
        for at, model in enumerate(self._models):
            found[at][:, model.classes_.astype(np.int64)] = model.predict_proba(inputs)
        return found

    def _design(self, features: pd.DataFrame) -> np.ndarray:
        parts: list[np.ndarray] = []
        for name, (levels, middle, spread) in zip(self._names, self._plans, strict=True):
            column = features[name]
            if levels is None:
                values = numbers(column)
                known = np.isfinite(values)
                parts.append(np.clip(np.where(known, (values - middle) / spread, 0.0), -_FAR, _FAR))
                parts.append((~known).astype(np.float64))
            else:
                texts = column.astype(object).astype(str).to_numpy()
                parts.extend((texts == level).astype(np.float64) for level in levels)
        return np.column_stack(parts) if parts else np.zeros((len(features), 1))


def _plan(column: pd.Series) -> tuple[list[str] | None, float, float]:
    """Return the levels of a column of texts (None: numbers), and centre and spread of numbers."""
    if is_number(column):
        values = numbers(column)
        known = values[np.isfinite(values)]
        if not len(known):
            return None, 0.0, 1.0
        low, middle, high = np.quantile(known, [0.25, 0.5, 0.75])
        return None, float(middle), float((high - low) / 1.349 or known.std() or 1.0)
    counts = column.astype(object).astype(str).value_counts()
    return [str(name) for name in counts.index[:_LEVELS]], 0.0, 1.0


def is_number(column: pd.Series) -> bool:
    """Return whether a column holds numbers or dates, truth values not counted."""
    ordered = pd.api.types.is_numeric_dtype(column) or pd.api.types.is_datetime64_any_dtype(column)
    return bool(ordered and not pd.api.types.is_bool_dtype(column))
