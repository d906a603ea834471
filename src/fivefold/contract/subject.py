"""Subject: the small Protocol over anything under test, and the table that it answers for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import pandas as pd

Task = Literal["binary", "multiclass", "regression"]
Inputs = Literal["table", "image", "series", "text", "audio"]
Loss = Literal["cross-entropy", "margin", "dlr", "squared"]


@dataclass(frozen=True)
class Table:
    """Rows of one data set.

    A row is what the model answers for once: a table row, an image, a series, a text, a recording.

    Attributes:
        name: Data-set name, for example ``test``.
        rows: (n,) int64, positions in the stored file; stable under selection.
        features: (n, d) frame of what the model sees, in file order; d = 0 where ``inputs`` holds it.
        target: (n,) int64 class indices into ``Subject.classes``, or float64 for regression.
        others: (n, k) frame of columns that the model does not see (dropped ones), for groups and scenarios.
        inputs: What the model sees where that is no table: images (n, C, H, W) uint8 or float32, series
            (n, C, T) float32, recordings (n, T) float32; None for tables and texts (a text is a column of
            ``features``).
        kind: What the rows are.
    """

    name: str
    rows: np.ndarray
    features: pd.DataFrame
    target: np.ndarray
    others: pd.DataFrame
    inputs: np.ndarray | None = None
    kind: Inputs = "table"

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
            features=_lines(self.features, chosen),
            target=self.target[chosen],
            others=_lines(self.others, chosen),
            inputs=None if self.inputs is None else self.inputs[chosen],
            kind=self.kind,
        )

    def with_features(self, features: pd.DataFrame) -> Table:
        """Return the same rows with other features, (n, d) in the same columns."""
        return replace(self, features=features)

    def with_inputs(self, inputs: np.ndarray) -> Table:
        """Return the same rows with other inputs, of the same shape and dtype."""
        return replace(self, inputs=inputs)


def _lines(frame: pd.DataFrame, positions: np.ndarray) -> pd.DataFrame:
    """Return rows, numbered anew; in one copy, where ``reset_index`` would make a second."""
    import pandas as pd

    found = frame.iloc[positions]
    found.index = pd.RangeIndex(len(found))
    return found


@dataclass(frozen=True)
class Capabilities:
    """What the subject was seen to do.

    Attributes:
        scores: ``predict_proba`` works and is normalised.
        retrains: ``retrain`` works.
        perturbable: Answers for rows that are not in the data sets.
        gradients: :meth:`Subject.gradient` works.
        max_rows: Most rows in one call.
        calls_left: Calls that the budget of an endpoint still allows; None: no budget.
    """

    scores: bool
    retrains: bool
    perturbable: bool
    gradients: bool = False
    max_rows: int = 100_000
    calls_left: int | None = None


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

    def gradient(self, table: Table, target: np.ndarray, loss: Loss) -> tuple[np.ndarray, np.ndarray]:
        """Return the loss of each row and its gradient with respect to what the model sees.

        Args:
            table: n rows; features must be numbers where there are no ``inputs``.
            target: (n,) class indices, or values for a regression; (n, 2): the class to leave and the one to reach
                (``margin`` and ``dlr``).
            loss: ``cross-entropy``, ``margin`` (largest other logit, or that of the class to reach, minus the
                target's), ``dlr`` (the margin as a share of the spread of the first logits, Croce and Hein 2020; with
                two classes the margin) or ``squared``.

        Returns:
            (n,) float64 losses, and float32 gradients of the shape of ``inputs``, or (n, d) for features.

        Raises:
            UnsupportedError: The subject gives no gradients.
            SubjectError: As :meth:`predict`.
        """
        ...


@dataclass(frozen=True)
class SettingsView:
    """What a check may know of the manifest.

    Attributes:
        positive: Index of the favourable class; None if not declared.
        alarm: Index of the class to detect; None if not declared.
        protected: Names of the protected columns.
        personal: Names of the columns that a data label declares personal.
        scenarios: Scenario name to its expression, for example ``age < 25``.
        features: Feature name to its declared properties (type, range, immutable, unit, cost).
        controls: Technique id to the control's options.
        level: Declared level; 0: none is.
        use: Answers about the use of the output, as declared.
        scenario: Name of the scenario's profile; empty: none.
        facts: What predicates of the catalogue may ask: fact name to what was read, None where nobody could.
        thresholds: Check id to floor key to the threshold in force, of the checks that the scenario tightens.
        classes: Class labels as text, in the order of the target's indices; empty for regression.
        labels: Data set to its label as declared, its ``source`` among the fields.
    """

    positive: int | None = None
    alarm: int | None = None
    protected: tuple[str, ...] = ()
    personal: tuple[str, ...] = ()
    scenarios: Mapping[str, str] | None = None
    features: Mapping[str, Mapping[str, object]] | None = None
    controls: Mapping[str, Mapping[str, object]] | None = None
    level: int = 0
    use: Mapping[str, object] | None = None
    scenario: str = ""
    facts: Mapping[str, str | float | bool | None] | None = None
    thresholds: Mapping[str, Mapping[str, float]] | None = None
    labels: Mapping[str, Mapping[str, object]] | None = None
    classes: tuple[str, ...] = ()
