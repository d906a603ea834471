"""Measured: what the checks of row S2 read of an application: its release, its rows, runs of another system."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fivefold.errors import UnsupportedError
from fivefold.sharing.privacy import queries, release
from fivefold.sharing.privacy.declared import Declared, declared
from fivefold.sharing.privacy.loss import DELTA, RHO, epsilon_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fivefold.contract.check import Context

FOREIGN, CANARIES = "foreign", "canaries"
OTHERS = frozenset({FOREIGN, CANARIES})
"""What is measured of other systems."""
WORLD = "world"
_FEWEST = 500


@dataclass(frozen=True)
class Runs:
    """Answers of a mechanism, asked again and again on two data sets that differ by one person.

    Attributes:
        first: (n, d) float64, of the one.
        second: (m, d), of the other.
        names: Of the d figures.
        rho: Loss claimed for all together; what (epsilon, delta) allows at most where that is claimed.
        claim: epsilon and delta claimed for all together.
    """

    first: np.ndarray
    second: np.ndarray
    names: tuple[str, ...]
    rho: float
    claim: tuple[float, float]


def options(context: Context) -> dict[str, Any]:
    """Return ``controls.S2``."""
    return dict((context.settings.controls or {}).get("S2", {}))


def own(context: Context) -> tuple[Declared, release.Asked]:
    """Return the declared release, compiled.

    Raises:
        UnsupportedError: ``privacy.undeclared`` where none is declared.
        InputError: As :func:`declared` and :func:`release.ask`.
    """
    told = declared({key: value for key, value in options(context).items() if key not in OTHERS})
    if told.release is None:
        raise UnsupportedError(
            "privacy.undeclared", "no release is declared.",
            remedy="Write its queries under controls.S2.release, so that they can be measured.",
        )  # fmt: skip
    return told, release.ask(told.release)


def ours(asked: release.Asked) -> release.Asked:
    """Return a release whose noise can be drawn again from a seed.

    Raises:
        UnsupportedError: ``privacy.engine`` for noise of another engine.
    """
    if asked.release.engine == "fivefold":
        return asked
    raise UnsupportedError(
        "privacy.engine", f"the noise is that of {asked.release.engine}, which a seed does not repeat.",
        remedy="Have its answers measured as those of another system: controls.S2.foreign; or write engine: fivefold.",
    )  # fmt: skip


def frame(context: Context, asked: release.Asked) -> pd.DataFrame:
    """Return the columns that a release reads.

    Raises:
        UnsupportedError: ``privacy.column`` for one that a check does not see.
    """
    table = context.tables(asked.release.data)
    found: dict[str, pd.Series] = {}
    for name in asked.release.columns():
        if name not in table.features.columns and name not in table.others.columns:
            raise UnsupportedError(
                "privacy.column", f"the column {name[:60]!r} is not there, or is the target or the id of its data set.",
                remedy="Checks see neither; release it from a data set that has it as a common column.",
            )  # fmt: skip
        found[name] = table.column(name)
    return pd.DataFrame(found, index=pd.RangeIndex(len(table)))


def foreign(context: Context) -> Runs | None:
    """Return runs of another system, where ``controls.S2.foreign`` names them; None: none are.

    Raises:
        UnsupportedError: ``privacy.foreign`` where they cannot be read as runs.
    """
    told: Mapping[str, Any] | None = options(context).get(FOREIGN)
    if told is None:
        return None
    try:
        name, cost = str(told["data"]), told["loss"]
        epsilon, delta = float(cost["epsilon"]), float(cost.get("delta", 0.0))
        rho = float(cost.get("rho", 0.0))
    except (KeyError, TypeError, ValueError):
        raise UnsupportedError(
            "privacy.foreign", "controls.S2.foreign is not understood.",
            remedy="Write foreign: {data: NAME, loss: {epsilon: 1, delta: 1e-6}}.",
        ) from None  # fmt: skip
    table = context.tables(name)
    both = pd.concat([table.features, table.others], axis=1)
    if WORLD not in both:
        raise UnsupportedError("privacy.foreign", f"data.{name} has no column `world`.", remedy="Write 0 or 1 there.")
    figures = [column for column in both.columns if column != WORLD and both[column].dtype.kind in "iuf"]
    world = pd.to_numeric(both[WORLD], errors="coerce").to_numpy()
    values = both[figures].to_numpy(dtype=np.float64)
    first, second = values[world == 0], values[world == 1]
    if not figures or min(len(first), len(second)) < _FEWEST or not np.isfinite(values).all():
        raise UnsupportedError(
            "privacy.foreign", f"data.{name} holds no {_FEWEST} runs in each world, all numbers.",
            remedy="Ask the other system again and again on two data sets that differ by one person.",
        )  # fmt: skip
    return Runs(first, second, tuple(map(str, figures)), rho or 0.5 * epsilon**2, (epsilon, delta))


def claim_of(rho: int, delta: int = 0) -> tuple[float, float]:
    """Return epsilon and delta of a figure that costs ``rho`` (10^-9) and ``delta`` (10^-18)."""
    return epsilon_of(rho / RHO, 1e-6), 1e-6 + delta / DELTA


__all__ = ["Runs", "claim_of", "foreign", "frame", "options", "ours", "own", "queries"]
