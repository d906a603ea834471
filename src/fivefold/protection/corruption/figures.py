"""Figures: of rows that are answered rightly, how many still are once they are worse."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fivefold.contract.finding import Measure
from fivefold.stats.judge import judge
from fivefold.stats.mean import skew_t
from fivefold.stats.proportion import clopper_pearson, wilson

KEPT = "rightly answered rows that stay right"


@dataclass(frozen=True)
class Seen:
    """What was answered.

    Attributes:
        names: c corruptions.
        severities: s severities that were asked, rising, 1 to 5.
        kept: (c, s, n) bool, of n rows that were answered rightly: whether each still is.
        missed: (c, s, m) bool, of m rows of the class to detect: whether each is missed; None: none is declared.
        missed_clean: (m,) bool, the same of the rows as they are.
    """

    names: tuple[str, ...]
    severities: tuple[int, ...]
    kept: np.ndarray
    missed: np.ndarray | None
    missed_clean: np.ndarray | None

    @property
    def rows(self) -> int:
        """How many rows were answered rightly as they are."""
        return int(self.kept.shape[2])


def mean_bounds(each: np.ndarray) -> tuple[float, float, float]:
    """Return the mean of (n,) shares with one-sided 95 % bounds in [0, 1]; exact ones of n trials where none varies."""
    value = float(each.mean())
    if np.ptp(each) == 0.0:
        exact = clopper_pearson(value * len(each), len(each))
        return value, float(exact[0]), float(exact[1])
    low, high = skew_t(each)
    return value, max(low, 0.0), min(high, 1.0)


def judged(seen: Seen, severity: int, floor: float) -> Measure:
    """Return the mean over corruptions at a severity, against the floor."""
    at = seen.severities.index(severity)
    value, low, high = mean_bounds(seen.kept[:, at].mean(axis=0))
    return Measure(
        name=KEPT, value=value, low=low, high=high, threshold=floor, direction="min", outcome=judge(low, high, floor,
        "min"), unit="share", n=seen.rows, note=f"Mean over {len(seen.names)} corruptions at severity {severity} of 5.",
    )  # fmt: skip


def each(seen: Seen) -> list[Measure]:
    """Return the share of every corruption at every severity, the worst corruptions first."""
    order = np.argsort(seen.kept.mean(axis=(1, 2)), kind="stable")
    made = []
    for which in order.tolist():
        for at, severity in enumerate(seen.severities):
            hits = int(seen.kept[which, at].sum())
            low, high = wilson(hits, seen.rows)
            made.append(
                Measure(name=KEPT, value=hits / seen.rows, low=float(low), high=float(high), unit="share", n=seen.rows,
                        where=f"{seen.names[which]}, severity {severity}")
            )  # fmt: skip
    return made


def missed(seen: Seen, severity: int, limit: object, name: str) -> list[Measure]:
    """Return missed-detection rates at a severity; the worst is judged where a limit is declared.

    A pass needs each corruption below the limit (intersection-union, no correction), a failure one that is above it at
    a level shared among all (Bonferroni).
    """
    if seen.missed is None or seen.missed_clean is None or seen.missed.shape[2] == 0:
        return []
    at, n = seen.severities.index(severity), int(seen.missed.shape[2])
    hits = seen.missed[:, at].sum(axis=1)
    high = clopper_pearson(hits, n)[1]
    made = [_plain(name, int(seen.missed_clean.sum()), n, "as they are")]
    if isinstance(limit, int | float) and not isinstance(limit, bool):
        worst = int(hits.argmax())
        surely = float(clopper_pearson(hits[worst], n, 1 - 0.05 / len(seen.names))[0])
        top = float(high.max())
        made.insert(0, Measure(
            name=name, value=hits[worst] / n, low=surely, high=top, threshold=float(limit), direction="max",
            outcome=judge(surely, top, float(limit), "max"), unit="share", n=n,
            where=f"worst of {len(seen.names)} corruptions at severity {severity}: {seen.names[worst]}",
        ))  # fmt: skip
    made += [
        _plain(name, int(hits[which]), n, f"{seen.names[which]}, severity {severity}") for which in range(len(hits))
    ]
    return made


def _plain(name: str, hits: int, n: int, where: str) -> Measure:
    low, high = clopper_pearson(hits, n)
    return Measure(name=name, value=hits / n, low=float(low), high=float(high), unit="share", n=n, where=where)
