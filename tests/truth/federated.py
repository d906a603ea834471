"""Subjects of S3: federations that are declared well, and such that leave out masking or most of the neighbours."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fivefold.contract.subject import SettingsView

from .entry import Entry
from .floors import floors
from .subjects import context, table

if TYPE_CHECKING:
    from fivefold.contract.check import Context

AGGREGATION, SERVER = "S3.aggregation", "S3.server"


def build(check: str, seed: int, *, masking: bool = True, thin: bool = False) -> Context:
    """Build a federation of 4 to 6 sites (of 10 clients on a thin ring).

    Args:
        check: Check id.
        seed: Of sites and rows.
        masking: Whether updates are masked.
        thin: Two neighbours each, of whom three in ten leave.
    """
    rng = np.random.default_rng([seed, 3])
    sites, rows = int(rng.integers(4, 7)), 300
    frame = pd.DataFrame({f"v_{seed % 97}": rng.normal(size=rows), "site": rng.integers(0, sites, rows)})
    options: dict[str, Any] = {"by": "site", "masking": masking, "drop": 0.1}
    if thin:
        options = {"clients": 10, "degree": 2, "drop": 0.4}
    tables = {"train": table("train", frame, rng.integers(0, 2, rows))}
    settings = SettingsView(level=1, controls={"S3": options})
    return context(check, None, tables, seed, thresholds=floors(check), settings=settings)


ACCURACY, POISONING, LEAKAGE = "S3.accuracy", "S3.poisoning", "S3.leakage"
MEMBERSHIP = "S3.membership"


def learning(check: str, seed: int, *, skewed: bool = False, **options: Any) -> Context:
    """Build rows of two to four classes, told apart by their columns, at ten or more clients.

    Args:
        check: Check id.
        seed: Of rows, classes and clients.
        skewed: Nine clients have rows of the first class alone, each other class is all one client's.
        options: Of the control.
    """
    rng = np.random.default_rng([seed, 4])
    rows, classes, wide = 3000, int(rng.integers(2, 5)), int(rng.integers(3, 9))
    target = rng.integers(0, classes, rows)
    centres = rng.normal(size=(classes, wide)) * 1.6
    names = [f"m{int(rng.integers(1000))}_{at}" for at in range(wide)]
    frame = pd.DataFrame(centres[target] + rng.normal(size=(rows, wide)), columns=names)
    units = int(rng.integers(10, 16))
    frame["unit"] = (
        np.where(target > 0, 8 + target, rng.integers(0, 9, rows)) if skewed else rng.integers(0, units, rows)
    ).astype(str)
    tables = {"train": table("train", frame, target)}
    controls = {"S3": {"by": "unit", **options}}
    settings = SettingsView(level=1, controls=controls, classes=tuple(map(str, range(classes))))
    return context(check, None, tables, seed, thresholds=floors(check), settings=settings)


def joined(check: str, seed: int, *, rows: int = 400, units: int = 10, **options: Any) -> Context:
    """Build rows of clients that are told apart by nothing but their number.

    Args:
        check: Check id.
        seed: Of rows and clients.
        rows: Of all clients; three in ten are held back.
        units: Clients.
        options: Of the control.
    """
    rng = np.random.default_rng([seed, 5])
    classes, wide = int(rng.integers(2, 5)), int(rng.integers(6, 15))
    target = rng.integers(0, classes, rows)
    centres = rng.normal(size=(classes, wide))
    frame = pd.DataFrame(centres[target] + rng.normal(size=(rows, wide)), columns=[f"k{at}" for at in range(wide)])
    frame["branch"] = np.arange(rows) % units
    tables = {"train": table("train", frame, target)}
    controls = {"S3": {"by": "branch", **options}}
    settings = SettingsView(level=1, controls=controls, classes=tuple(map(str, range(classes))))
    return context(check, None, tables, seed, thresholds=floors(check), settings=settings)


hardly = partial(learning, skewed=True, robust="median", masking=False, rounds=3)

ENTRIES = {
    AGGREGATION: Entry(
        check=AGGREGATION,
        documented="updates that are not masked; or two neighbours a client, of whom three in ten leave",
        planted={
            "not masked": lambda seed: build(AGGREGATION, seed, masking=False),
            "thin ring": lambda seed: build(AGGREGATION, seed, thin=True),
        },
        clean={"masked": lambda seed: build(AGGREGATION, seed)},
    ),
    SERVER: Entry(
        check=SERVER,
        documented="clients of a plain federation, who check nothing",
        planted={"not masked": lambda seed: build(SERVER, seed, masking=False)},
        clean={"masked": lambda seed: build(SERVER, seed)},
    ),
    ACCURACY: Entry(
        check=ACCURACY,
        documented="each class but one is all one client's, updates put together by their median",
        planted={"median of unlike clients": lambda seed: hardly(ACCURACY, seed)},
        clean={"twenty rounds": lambda seed: learning(ACCURACY, seed, rounds=20)},
    ),
    LEAKAGE: Entry(
        check=LEAKAGE,
        documented="updates that are not masked",
        planted={"not masked": lambda seed: learning(LEAKAGE, seed, masking=False)},
        clean={"masked": lambda seed: learning(LEAKAGE, seed)},
    ),
    MEMBERSHIP: Entry(
        check=MEMBERSHIP,
        documented="updates that are not masked, of ten clients with some 28 rows each",
        planted={"not masked": lambda seed: joined(MEMBERSHIP, seed, masking=False)},
        clean={
            "masked, 210 rows each": lambda seed: joined(MEMBERSHIP, seed, rows=3000),
            "masked, noise of the norm": lambda seed: joined(MEMBERSHIP, seed, noise=1.0, norm=0.5),
        },
        shown={"masked, 28 rows each": lambda seed: joined(MEMBERSHIP, seed)},
    ),
    POISONING: Entry(
        check=POISONING,
        documented="three in ten clients malicious, updates put together by their mean",
        planted={"mean": lambda seed: learning(POISONING, seed, malicious=0.3, masking=bool(seed % 2))},
        clean={
            "median": lambda seed: learning(POISONING, seed, robust="median", masking=False),
            "multi-krum": lambda seed: learning(POISONING, seed, robust="multi-krum", masking=False),
        },
    ),
}

readable = partial(joined, MEMBERSHIP, masking=False)
lossy = partial(hardly, ACCURACY)
leaking = partial(learning, LEAKAGE, masking=False)
poisoned = partial(learning, POISONING, malicious=0.3)
plain = partial(build, AGGREGATION, masking=False)
thin = partial(build, AGGREGATION, thin=True)
unchecked = partial(build, SERVER, masking=False)
