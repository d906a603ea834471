"""Scraping: a table of counts asked again and again, exactly and with the noise and the ledger of S2."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fivefold.cases.breach.survey import BANDS, DIAGNOSES, KNOWN
from fivefold.errors import InputError
from fivefold.sharing.privacy import noise, queries, release
from fivefold.sharing.privacy.ledger import Ledger
from fivefold.sharing.privacy.loss import DELTA, RHO, budget_of

if TYPE_CHECKING:
    import pandas as pd

    from fivefold.sharing.privacy.noise import Bytes

EPSILON, FAILURE = 1.0, 1e-6
"""The budget of the source: epsilon at delta."""
SHARE = 0.5
"""Part of it that the published table costs; the rest is for questions."""
EACH = 0.15
"""Epsilon of a question."""
FEWEST = 10
"""Cells below are withheld by the old rule."""
SURE = 0.95
"""A scraper who thinks a diagnosis this likely names it."""
_SOURCE = "survey"
_DIAGNOSES: dict[str, Any] = {"diagnosis": {"values": list(DIAGNOSES)}}


@dataclass(frozen=True)
class Named:
    """What a scraper says of the people whom he wants.

    Attributes:
        right: How many diagnoses he tells rightly.
        sure: How many of these he is sure of.
        wrong: How many others he is sure of.
    """

    right: int
    sure: int
    wrong: int


def named(chances: np.ndarray, truth: np.ndarray) -> Named:
    """Return what (n, 5) chances come down to; (n,) ``truth`` are the diagnoses by their place."""
    right, sure = chances.argmax(axis=1) == truth, chances.max(axis=1) >= SURE
    return Named(int(right.sum()), int((right & sure).sum()), int((~right & sure).sum()))


def described(row: pd.Series) -> str:
    """Return the condition that only this person meets."""
    return " and ".join(f"{name} == '{row[name]}'" if name != "born" else f"born == {row[name]}" for name in KNOWN)


def exactly(rows: pd.DataFrame, targets: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Ask without noise: for each target, the people like him, and everybody but those.

    Returns:
        (n, 5) counts of the first, and what the second lack of everybody's; NaN where the old rule withholds a cell.
    """
    some = [described(row) for _, row in targets.iterrows()]
    asked = [_histogram("all"), *(_histogram(f"like {at}", one) for at, one in enumerate(some))]
    asked += [_histogram(f"but {at}", f"not ({one})") for at, one in enumerate(some)]
    made = release.ask(_release(asked, EPSILON))
    said = release.exact(made, release.total(made, [rows]))
    told = np.array([[cell["value"] for cell in one["cells"][: len(DIAGNOSES)]] for one in said])
    shown = np.where(told < FEWEST, np.nan, told)
    return told[1 : len(some) + 1], shown[0] - shown[len(some) + 1 :]


def believed(prior: np.ndarray, told: np.ndarray, deviation: float) -> np.ndarray:
    """Return (n, 5) chances of each diagnosis after a count of it, with normal noise, of a single person.

    Bayes' rule: log prior - ||told - e_x||^2 / (2 s^2); without noise what is told decides, NaN tells nothing.
    """
    known = np.isfinite(told).all(axis=1)
    if deviation:
        logs = np.log(prior) + np.where(known[:, None], told, 0.0) / deviation**2
        found = np.exp(logs - logs.max(axis=1, keepdims=True))
        return np.asarray(found / found.sum(axis=1, keepdims=True))
    return np.where(known[:, None], told, prior)


@dataclass
class Office:
    """Who answers with noise, and pays each answer from a ledger of the product.

    Attributes:
        rows: The survey.
        rng: Draws the noise: a case can be told again; a release cannot.
        epsilon: Of the budget.
    """

    rows: pd.DataFrame
    rng: np.random.Generator
    epsilon: float = EPSILON

    def __post_init__(self) -> None:
        """Open the ledger."""
        self._ledger, self._draw = Ledger(None, "case-x9"), noise.seeded(self.rng)
        self._budget = self._ledger.open(_SOURCE, budget_of(self.epsilon, FAILURE))

    def publish(self) -> tuple[np.ndarray, np.ndarray]:
        """Publish the table: (c,) released counts of diagnosis by sex and age, and the true ones."""
        table = {"name": "table", "what": "contingency", "columns": ["diagnosis", "sex", "born"]}
        domains = {"sex": {"values": ["f", "m"]}, "born": {"edges": list(BANDS)}} | _DIAGNOSES
        made = release.ask(queries.read({"loss": self._loss(SHARE), "domains": domains, "queries": [table]}))
        told, _, totals = self._told(made, self._draw)
        exact = [cell["value"] for cell in release.exact(made, totals)[0]["cells"]]
        return told, np.array(exact)

    def count(self, where: str) -> tuple[np.ndarray, float] | None:
        """Return a (5,) histogram of diagnoses and the deviation of its noise; None: the ledger refuses.

        What is left after that is known to nobody who asks.
        """
        try:
            told, deviation, _ = self._told(release.ask(_release([_histogram("asked", where)], EACH)), self._draw)
        except InputError as error:
            if error.code != "privacy.overdrawn":
                raise
            return None
        return told[: len(DIAGNOSES)], deviation

    def all_on(self, where: str) -> tuple[np.ndarray, float]:
        """Return the same for all of the budget but what the table cost."""
        made = release.ask(queries.read({"loss": self._loss(1 - SHARE), "domains": _DIAGNOSES,
                                         "queries": [_histogram("asked", where)]}))  # fmt: skip
        told, deviation, _ = self._told(made, self._draw)
        return told[: len(DIAGNOSES)], deviation

    def _loss(self, share: float) -> dict[str, float]:
        return {"rho": share * self._budget.rho / RHO, "delta": share * self._budget.delta / DELTA}

    def _told(self, made: release.Asked, draw: Bytes) -> tuple[np.ndarray, float, release.Totals]:
        """Reserve, add up, add noise, say, as :func:`fivefold.sharing.privacy.release.run`; the noise is the seed's."""
        names = ", ".join(query.name for query in made.release.queries)
        self._ledger.reserve(_SOURCE, made.loss, names)
        totals = release.total(made, [self.rows])
        said = release.said(made, release.noisy(made, totals, draw), [])
        return np.array([cell["value"] for cell in said[0]["cells"]]), made.vectors[0].law.deviation, totals


def _histogram(name: str, where: str = "") -> dict[str, Any]:
    return {"name": name, "what": "histogram", "column": "diagnosis"} | ({"where": where} if where else {})


def _release(asked: list[dict[str, Any]], epsilon: float) -> queries.Release:
    loss = {"epsilon": epsilon, "delta": FAILURE / 1000}
    return queries.read({"loss": loss, "domains": _DIAGNOSES, "queries": asked})
