"""The desk: three tables of the same people, what each was given for, and a steward who signs that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fivefold.keys import signing, store
from fivefold.keys import trust as trust_file
from fivefold.traceability.labels.binding import Saying, Steward, bind

if TYPE_CHECKING:
    from pathlib import Path

PEOPLE = 400
KEY = "person"
PURPOSES = (
    "treatment", "pension", "marketing", "billing", "tax", "research", "statistics", "insurance", "hiring",
)  # fmt: skip
PLACES = ("DE", "FR", "PL", "NO", "CH", "US")
HOME = "DE"
"""Where the programs run; every label allows it."""
_INSIDE = {
    "DE": {"DE"}, "FR": {"FR"}, "EU": {"DE", "FR", "PL"}, "EEA": {"DE", "FR", "PL", "NO"}, "CH": {"CH"},
    "world": set(PLACES),
}  # fmt: skip
_GIVEN: dict[str, tuple[str, str, tuple[str, ...], tuple[tuple[str, ...], ...]]] = {
    "care": ("restricted", "treatment", ("billing", "research", "statistics"), (("DE",), ("DE", "FR"), ("EU",))),
    "wages": ("confidential", "pension", ("tax", "research", "statistics"), (("DE", "FR"), ("EU",), ("EEA",))),
    "shop": ("internal", "marketing", ("research", "statistics"), (("EEA",), ("EEA", "CH"), ("world",))),
}
"""Table to class, what it is for in any case, what else it may be for, and where it may be."""


@dataclass(frozen=True)
class Desk:
    """Labelled tables.

    Attributes:
        place: Their folder.
        steward: Who signed.
        given: Table to what its label says.
    """

    place: Path
    steward: Steward
    given: dict[str, dict[str, Any]]

    def file(self, name: str) -> Path:
        """Return where a table stands."""
        return self.place / f"{name}.parquet"

    def purposes(self, tables: tuple[str, ...]) -> list[str]:
        """Return what all of these tables were given for, by the words alone."""
        return [one for one in PURPOSES if all(one in self.given[name]["purpose"] for name in tables)]

    def places(self, tables: tuple[str, ...]) -> list[str]:
        """Return where all of these tables may be, by a list of countries of our own."""
        allowed = [set().union(*(_INSIDE[word] for word in self.given[name]["region"])) for name in tables]
        return [one for one in PLACES if all(one in some for some in allowed)]


def labelled(place: Path, rng: np.random.Generator) -> Desk:
    """Draw people and what they agreed to, write their tables and sign the labels with a fresh key.

    Args:
        place: An empty folder.
        rng: Draws all but the key.
    """
    signer = signing.generate()
    trust = trust_file.add(trust_file.Trust(), signer.public, name="the steward", roles=("steward",))
    desk = Desk(place, Steward(signer, trust, store.utc_now()), {name: _given(name, rng) for name in _GIVEN})
    for name, rows in people(PEOPLE, rng).items():
        rows.to_parquet(desk.file(name), index=False)
        bind(desk.file(name), Saying(name, desk.given[name]), desk.steward)
    return desk


def people(n: int, rng: np.random.Generator) -> dict[str, pd.DataFrame]:
    """Draw n people as three tables see them: care, wages, shop."""
    age = rng.integers(18, 90, n)
    ill = rng.random(n) < 0.1 + 0.004 * age
    wage = np.exp(10.2 + 0.35 * rng.normal(size=n)).round(-1) * np.where(ill, 0.9, 1)
    visits = rng.poisson(np.where(ill, 9, 4))
    return {
        "care": pd.DataFrame({KEY: np.arange(n), "age": age, "chronic": ill, "nights": rng.poisson(4 * ill)}),
        "wages": pd.DataFrame({KEY: np.arange(n), "wage": np.where(rng.random(n) < 0.05, np.nan, wage)}),
        "shop": pd.DataFrame({KEY: np.arange(n), "visits": visits, "spent": (23.5 * visits * rng.random(n)).round(2)}),
    }


def _given(name: str, rng: np.random.Generator) -> dict[str, Any]:
    kind, own, more, regions = _GIVEN[name]
    return {
        "class": kind,
        "personal": [KEY],
        "basis": "consent",
        "purpose": [own, *(one for one in more if rng.random() < 0.6)],
        "region": list(regions[int(rng.integers(len(regions)))]),
        "retain": f"{int(rng.integers(1, 6))}y",
        "source": f"{name} desk",
    }
