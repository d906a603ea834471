"""Entry: what the battery knows of one check; every check that registers needs one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from fivefold.contract.check import Context

Make = Callable[[int], Context]
"""Builds the context of one subject from a seed."""


@dataclass(frozen=True)
class Rates:
    """What a check must reach at the documented size.

    Attributes:
        found: Smallest share of planted subjects that must fail, as a decision by its one-sided 95 % bound.
        alarms: Largest share of clean subjects that may fail.
        inconclusive: Largest share of clean subjects of each kind that may be inconclusive; None: counted, no demand.
        wrong_between: Largest share of passes between floor and documented size and in small samples.
        as_points: Compare the plain shares (checks that train networks run 60 + 60).
    """

    found: float = 0.95
    alarms: float = 0.02
    inconclusive: float | None = 0.10
    wrong_between: float = 0.05
    as_points: bool = False


@dataclass(frozen=True)
class Entry:
    """One check's subjects.

    Attributes:
        check: Check id.
        documented: The documented size in words; the check's page says the same.
        planted: Kind of subject with a defect of the documented size, to its maker.
        clean: Kind of subject without one, to its maker; at most ``rates.inconclusive`` may stay open in each.
        between: Size in words to a subject whose defect lies between floor and documented size.
        small: Kind of small unfair subject; a pass is wrong.
        shown: Kind of subject that is run and counted without a demand.
        rates: What it must reach.
        thinned: Each cell beside planted and clean gets one in so many of the subjects.
        scratch: Whether subjects live in a scratch folder.
    """

    check: str
    documented: str
    planted: Mapping[str, Make]
    clean: Mapping[str, Make]
    between: Mapping[str, Make] = field(default_factory=dict)
    small: Mapping[str, Make] = field(default_factory=dict)
    shown: Mapping[str, Make] = field(default_factory=dict)
    rates: Rates = field(default_factory=Rates)
    thinned: int = 3
    scratch: bool = False
