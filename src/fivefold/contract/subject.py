"""Subject: the small Protocol over anything under test, and the table that it answers for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import pandas as pd

Task = Literal["binary", "multiclass", "regression"]


@dataclass(frozen=True)
class Table:
    """Rows of one data set.

    Attributes:
        name: Data-set name, for example ``test``.
        rows: (n,) int64, positions in the stored file; stable under selection.
        features: (n, d) frame of what the model sees, in file order.
        target: (n,) int64 class indices into ``Subject.classes``, or float64 for regression.
        others: (n, k) frame of columns that the model does not see (dropped ones), for groups and scenarios.
    """

    name: str
    rows: np.ndarray
    features: pd.DataFrame
    target: np.ndarray
    others: pd.DataFrame

    def __len__(self) -> int:
        return len(self.rows)

    def column(self, name: str) -> pd.Series:
        """Return a column whether the model sees it or not.

        Raises:
            KeyError: There is no such column.
        """
        source = self.features if name in self.features.columns else self.others
        return source[name]

    def take(self, positions: np.ndarray) -> Table:
        """Return the rows at ``positions`` (integer positions or a boolean mask of length n)."""
        import numpy as np

        chosen = np.flatnonzero(positions) if positions.dtype == bool else positions
        return Table(
            name=self.name,
            rows=self.rows[chosen],
            features=self.features.iloc[chosen].reset_index(drop=True),
            target=self.target[chosen],
            others=self.others.iloc[chosen].reset_index(drop=True),
        )


@dataclass(frozen=True)
class Capabilities:
    """What the subject was seen to do.

    Attributes:
        scores: ``predict_proba`` works and is normalised.
        retrains: ``retrain`` works.
        perturbable: Answers for rows that are not in the data sets.
        gradients: Gives gradients (none of this version's kinds does).
        max_rows: Most rows in one call.
    """

    scores: bool
    retrains: bool
    perturbable: bool
    gradients: bool = False
    max_rows: int = 100_000


class Subject(Protocol):
    """A model under test; all answers are arrays, validated for shape, class and finiteness."""

    @property
    def task(self) -> Task:
        """The task, as probed."""
        ...

    @property
    def classes(self) -> tuple[str, ...]:
        """Class labels as text, in the order of the probability columns; empty for regression."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What was probed."""
        ...

    def predict(self, table: Table) -> np.ndarray:
        """Return (n,) int64 class indices, or (n,) float64 for regression.

        Raises:
            SubjectError: The model failed or answered with a wrong shape, class or NaN.
            UnsupportedError: The rows are not in the file of predictions.
        """
        ...

    def predict_proba(self, table: Table) -> np.ndarray:
        """Return (n, K) float64 probabilities, rows summing to 1.

        Raises:
            SubjectError: As :meth:`predict`.
            UnsupportedError: The subject gives labels only.
        """
        ...

    def retrain(self, table: Table, seed: int) -> Subject:
        """Return a new model that the application's own ``training.factory`` fitted on ``table``.

        Raises:
            SubjectError: Training failed.
            UnsupportedError: No training factory is named.
        """
        ...


@dataclass(frozen=True)
class SettingsView:
    """What a check may know of the manifest.

    Attributes:
        positive: Index of the favourable class; None if not declared.
        alarm: Index of the class to detect; None if not declared.
        protected: Names of the protected columns.
        scenarios: Scenario name to its expression, for example ``age < 25``.
        features: Feature name to its declared properties (type, range, immutable, unit, cost).
        controls: Technique id to the control's options.
    """

    positive: int | None = None
    alarm: int | None = None
    protected: tuple[str, ...] = ()
    scenarios: Mapping[str, str] | None = None
    features: Mapping[str, Mapping[str, object]] | None = None
    controls: Mapping[str, Mapping[str, object]] | None = None
