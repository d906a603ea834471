r"""Groups: counts of groups that are found in the data, shown only above a threshold that one person cannot reach.

Two worlds that differ by a person with at most r rows differ in the groups that are there at all by at most r groups,
each of which holds at most r rows then. Such a group is shown with probability at most P(noise >= T - r) each; T is the
smallest one for which r times that is at most delta. Groups in both worlds have the noise of a vector with L2
sensitivity r. Source: Korolova et al. 2009; Wilson et al. 2020 (several rows a person).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.errors import InputError
from fivefold.manifest import scenario
from fivefold.sharing.privacy import chunks, noise, tables
from fivefold.sharing.privacy.loss import DELTA, RHO

if TYPE_CHECKING:
    from fivefold.sharing.privacy.noise import Bytes
    from fivefold.sharing.privacy.queries import Query

MOST = 1 << 20
"""Most groups; with more the release is refused."""


@dataclass
class Groups:
    """The groups of one query.

    Attributes:
        query: It.
        rho: Loss that it may cost, in 10^-9.
        delta: Probability that a person's own group is shown, in 10^-18.
        rows: Most rows of a person.
        counts: Group to rows.
    """

    query: Query
    rho: int
    delta: int
    rows: int
    counts: dict[tuple[str, ...], int] = field(default_factory=dict)

    @property
    def law(self) -> tables.Law:
        """The noise of each count."""
        return tables.gaussian(Fraction(self.rows * self.rows * RHO, 2 * self.rho))

    @property
    def threshold(self) -> int:
        """The smallest noisy count that is shown.

        Raises:
            InputError: ``privacy.budget`` for a delta that no threshold keeps to.
        """
        law = self.law
        if Fraction(self.delta, self.rows * DELTA) <= law.tv:
            raise InputError("privacy.budget", f"the delta of {self.query.name} is too small.", remedy="Raise it.")
        return self.rows + law.quantile(Fraction(self.delta, self.rows * DELTA))

    def add(self, part: pd.DataFrame) -> None:
        """Count a part of the table; a row with a missing cell is in no group.

        Raises:
            InputError: ``privacy.groups`` for more than 2^20 groups.
        """
        if self.query.where:
            part = part[chunks.held(scenario.parse(self.query.where), part)]
        keys = pd.DataFrame({name: chunks.text(part[name]) for name in self.query.by}).dropna()
        for key, count in keys.value_counts(sort=False).items():
            at = key if isinstance(key, tuple) else (key,)
            self.counts[at] = self.counts.get(at, 0) + int(count)
        if len(self.counts) > MOST:
            raise InputError("privacy.groups", f"{self.query.name} has more than {MOST} groups.",
                             remedy="Group by columns with fewer values.")  # fmt: skip

    def shown(self, draw: Bytes = noise.fresh) -> list[tuple[tuple[str, ...], int]]:
        """Return the groups above the threshold with noisy counts, in the order of their names."""
        names = sorted(self.counts)
        noisy = np.array([self.counts[name] for name in names], dtype=np.int64)
        noisy += noise.sample(self.law, len(names), draw)
        limit = self.threshold
        return [(name, int(count)) for name, count in zip(names, noisy, strict=True) if count >= limit]
