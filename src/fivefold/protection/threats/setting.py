"""Setting: flows, which of them are benign, and of which family the others are; shared by the checks of P5."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import betaincinv

from fivefold.errors import UnsupportedError
from fivefold.protection.accuracy.sample import stratified
from fivefold.protection.threats import detector, encoding
from fivefold.protection.threats.options import Options, benign_of, read

if TYPE_CHECKING:
    import pandas as pd

    from fivefold.contract.check import Context
    from fivefold.contract.subject import Subject, Table
    from fivefold.protection.threats.detector import Detector

FEWEST_FLOWS = 30
"""Flows of a family, and benign ones, below which nothing is said of them."""
BENIGN = ""
"""Family of benign flows."""
_CLUSTERS = 6
_CALIBRATION = 0.3
_MOST_BENIGN = 10_000


@dataclass(frozen=True)
class Setting:
    """What the checks of P5 need.

    Attributes:
        options: The control as declared; None: it is not.
        benign: Index of the benign class.
        test: Flows that figures are stated on, of known target.
        test_family: (n,) family of each; empty text: benign.
        train: Flows that are learned from; None: no training set is declared.
        train_family: (m,) family of each.
        spare: Benign flows that nothing is fitted to; None as ``train``.
        how: Where families come from, in words.
        notes: What the reader should know.
    """

    options: Options | None
    benign: int
    test: Table
    test_family: np.ndarray
    train: Table | None
    train_family: np.ndarray
    spare: Table | None
    how: str
    notes: tuple[str, ...]

    @property
    def bad(self) -> np.ndarray:
        """Return (n,) bool, threats among the test flows."""
        return np.asarray(self.test_family != BENIGN)

    def alarms(self, subject: Subject, table: Table) -> np.ndarray:
        """Return (n,) bool, flows that a model does not call benign."""
        return np.asarray(subject.predict(table) != self.benign)

    def detector(self, rng: np.random.Generator, without: str = BENIGN) -> Detector | None:
        """Return the declared detector, fitted without a family; None: none is declared.

        Raises:
            UnsupportedError: As :func:`fivefold.protection.threats.detector.fit` and ``calibrated``.
        """
        if self.options is None:
            return None
        if self.train is None or self.spare is None:
            raise UnsupportedError("threats.train", "the detector needs data.train.", remedy="Declare data.train.")
        kept = self.train.take(self.train_family != without) if without else self.train
        made = detector.fit(kept.features, kept.target != self.benign, rng, self.options.leave)
        return detector.calibrated(made, self.spare.features, self.options.false_alarms)

    def known(self) -> np.ndarray:
        """Return (n,) bool, threats of families that the training flows have, or, without such flows, any."""
        return self.bad & (np.isin(self.test_family, self.train_family) if self.train is not None else True)

    def families(self) -> list[str]:
        """Return families with at least 30 flows in training and test together, largest first."""
        names, counts = np.unique(np.concatenate([self.train_family, self.test_family]), return_counts=True)
        order = np.lexsort((names, -counts))
        return [str(names[at]) for at in order if names[at] != BENIGN and counts[at] >= FEWEST_FLOWS]


def lay_out(context: Context) -> Setting:
    """Read flows, benign class and families.

    Raises:
        UnsupportedError: ``threats.task`` for values; ``threats.benign`` if nothing says which class is benign;
            ``threats.rows`` for fewer than 30 benign flows or threats; ``threats.family`` for an unknown column.
        InputError: ``threats.option``.
    """
    settings = context.settings
    classes = settings.classes or (context.subject.classes if context.subject else ())
    options = read(settings.controls)
    if not classes:
        raise UnsupportedError("threats.task", "threats are told as classes, and this model gives values.")
    positive, alarm = (None if at is None else classes[at] for at in (settings.positive, settings.alarm))
    named = str(context.options.get("benign") or (options.benign if options else "") or "")
    benign = benign_of(classes, positive, alarm, named)
    if benign is None:
        raise UnsupportedError(
            "threats.benign", "nothing says which class is benign.",
            remedy="Declare `positive` (the benign class) or, of two classes, `alarm`; or checks.P5.benign.",
        )  # fmt: skip
    test = stratified(context.tables("test"), context.rows, context.rng)
    try:
        train = stratified(context.tables("train"), context.rows, context.rng)
    except KeyError:
        train = None
    spare, train, notes = _spare(context, train, benign)
    if spare is not None and options is not None:
        notes += _loose(len(spare), options.false_alarms)
    parts = [part for part in (train, test) if part is not None]
    told, how = _families(context, parts, benign, classes)
    bad = int((told[-1] != BENIGN).sum())
    if min(bad, len(test) - bad) < FEWEST_FLOWS:
        raise UnsupportedError(
            "threats.rows", f"test has {bad} threats and {len(test) - bad} benign flows of known target.",
            remedy=f"Give at least {FEWEST_FLOWS} of each.",
        )  # fmt: skip
    seen = told[0] if train is not None else np.zeros(0, dtype=told[-1].dtype)
    return Setting(options, benign, test, told[-1], train, seen, spare, how, notes)


def _spare(context: Context, train: Table | None, benign: int) -> tuple[Table | None, Table | None, tuple[str, ...]]:
    """Return benign flows for the thresholds, the training flows without them, and what the reader should know."""
    if train is None:
        return None, None, ("No data.train is declared: every family counts as known.",)
    try:
        held = context.tables("calibration")
    except KeyError:
        places = np.flatnonzero(train.target == benign)
        taken = context.rng.permutation(places)[: int(_CALIBRATION * len(places))]
        note = "No data.calibration is declared: three in ten benign training flows set the threshold."
        rest = np.setdiff1d(np.arange(len(train)), taken)
        return train.take(np.sort(taken)), train.take(rest), (note,)
    held = held.take(held.target == benign)
    if len(held) > _MOST_BENIGN:
        held = held.take(np.sort(context.rng.choice(len(held), _MOST_BENIGN, replace=False)))
    return held, train, ()


def _loose(n: int, false_alarms: float) -> tuple[str, ...]:
    """Return how far n calibration flows leave the rate of false alarms open, if that is to half of it or less.

    The rate that holds for later flows is Beta(k, n + 1 - k) distributed, k = floor(a (n + 1)) (Vovk 2012, 2.2).
    """
    k = int(false_alarms * (n + 1))
    if not k:
        return ()
    low, high = betaincinv(k, n + 1 - k, [0.05, 0.95])
    if low > false_alarms / 2:
        return ()
    text = (
        f"{n} benign flows set the threshold: at {false_alarms:.2%} false alarms asked, {low:.2%} to {high:.2%} may "
        "result (nine times in ten), and with few of them threats are missed. Declare data.calibration with more."
    )
    return (text,)


def _families(
    context: Context, parts: list[Table], benign: int, classes: tuple[str, ...]
) -> tuple[list[np.ndarray], str]:
    """Return the family of each flow, and how it is known: a column, the classes, or clusters."""
    column = str(context.options.get("families") or "")
    if column:
        try:
            texts = [part.column(column).astype(str).to_numpy(dtype=object) for part in parts]
        except KeyError:
            raise UnsupportedError(
                "threats.family", f"the data have no column {column[:40]!r}.",
                remedy="Name a column of the data under checks.P5.families; the model need not see it (`drop`).",
            ) from None  # fmt: skip
        how = f"Families are the values of {column}."
    elif len(classes) > 2:
        texts = [np.array(classes, dtype=object)[part.target] for part in parts]
        how = "Families are the classes of the target."
    else:
        texts = _clusters([part.features for part in parts], [part.target == benign for part in parts], context.rng)
        how = (
            "No families are declared (checks.P5.families): threats were grouped into clusters, which are milder: "
            "flows of one real family may lie in several."
        )
    made = [np.where(part.target == benign, BENIGN, text).astype(str) for part, text in zip(parts, texts, strict=True)]
    return made, how


def _clusters(frames: list[pd.DataFrame], good: list[np.ndarray], rng: np.random.Generator) -> list[np.ndarray]:
    """Return the cluster of each flow, of k-means on ranked columns of the threats."""
    from sklearn.cluster import KMeans

    told = encoding.fit(frames[0])
    values = [told(frame) for frame in frames]
    bad = np.concatenate([part[~mine] for part, mine in zip(values, good, strict=True)])
    if len(bad) < FEWEST_FLOWS:
        return [np.full(len(part), "cluster 1", dtype=object) for part in values]
    middle, spread = np.median(bad, axis=0), bad.std(axis=0) + 1e-9
    many = min(_CLUSTERS, len(bad) // FEWEST_FLOWS)
    made = KMeans(many, n_init=3, random_state=int(rng.integers(1 << 31))).fit((bad - middle) / spread)
    return [np.array([f"cluster {at + 1}" for at in made.predict((part - middle) / spread)], dtype=object)
            for part in values]  # fmt: skip
