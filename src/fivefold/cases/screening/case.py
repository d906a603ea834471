"""The case: a screening learned with a shortcut in the table and without it, and doctors who read its reasons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold import catalogue
from fivefold.cases.nouns import Figure, Told
from fivefold.cases.screening.cohort import People, people
from fivefold.cases.screening.doctors import DOCTORS, file_of
from fivefold.cases.screening.screening import SHORTCUT, Screening
from fivefold.contract.check import Context
from fivefold.contract.outcome import Outcome
from fivefold.contract.subject import SettingsView, Table
from fivefold.explanation.measured.experts import ASTRAY, NAMED
from fivefold.explanation.measured.experts import run as experts
from fivefold.stats.mean import skew_t

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.contract.finding import Result

ROWS, ASKED = 3_000, 3_000
"""People whose films are learned from, and people who are screened."""
READ = 100
"""Results whose reasons doctors read, of each screening."""
_STORY = (
    (
        "Three hospitals screen for pneumonia. A model learns from films and findings: opacity, saturation, breaths, "
        "CRP, temperature and so on; age, sex, smoking, hospital and the view of the film stand beside them."
    ),
    (
        "Whoever looks ill is not sent to the machine: the film is taken in bed, from the front (AP) and not from the "
        "back (PA). The view says what the ward thought already. It tells nothing that the findings do not tell, and "
        "is the handiest column of all: the model goes by it, and is right for nine people in ten."
    ),
    (
        "Three doctors, who are rules that know what a pneumonia comes with, rank for each person what speaks most for "
        "or against it. Told that it is because the film was taken in bed, they reject the result."
    ),
    (
        "Found: E4.experts holds the reasons against the doctors' and names the column that results lean on and that "
        "no doctor names. After: the view is dropped, and the same model learns again."
    ),
)  # fmt: skip
_LIMITS = (
    "People and doctors are programs of ours. Real doctors disagree more, and explain after the fact.",
    "The view adds nothing to the findings, so that dropping it costs nothing; elsewhere a shortcut may know more.",
    "Reasons are compared by their largest credit; a doctor may reject a right reason that is badly worded.",
)


@dataclass(frozen=True)
class Seen:
    """One region, with the view and without it: before and after.

    Attributes:
        rejected: Results whose first reason fewer than half of the doctors name.
        read: Results that doctors read.
        right: Right answers, of as many as were screened.
        elsewhere: Right answers in a hospital where every film is taken in bed.
        outcome: What E4.experts says.
        led: Column to how many of the results read lean on it first though doctors do not name it.
    """

    rejected: tuple[int, int]
    read: tuple[int, int]
    right: tuple[int, int]
    elsewhere: tuple[int, int]
    outcome: tuple[Outcome, Outcome]
    led: tuple[dict[str, int], dict[str, int]]


@dataclass(frozen=True)
class Region:
    """People of one region: to learn from, to be screened, and of a hospital elsewhere."""

    learned: People
    asked: People
    elsewhere: People


def drawn(rng: np.random.Generator, rows: int = ROWS) -> Region:
    """Draw one region."""
    return Region(people(rows, rng), people(ASKED, rng), people(ASKED, rng, elsewhere=True))


def run(runs: int, seed: int, progress: Callable[[float, str], None] = lambda _share, _text: None) -> Told:
    """Draw ``runs`` regions, learn with and without the view, and have doctors read the reasons of both.

    Args:
        runs: How many.
        seed: Decides everything.
        progress: Called with a share in [0, 1].
    """
    met = []
    for at in range(runs):
        met.append(seen(np.random.Generator(np.random.PCG64([seed, at]))))
        progress((at + 1) / runs, f"region {at + 1} of {runs}")
    return Told(
        id="X3",
        title="Right for nine in ten, for reasons that doctors reject",
        story=_STORY,
        before=_figures(met, 0),
        after=_figures(met, 1),
        example=tuple(_lines(met)),
        limits=_LIMITS,
        seed=seed,
    )


def _figures(met: list[Seen], at: int) -> tuple[Figure, ...]:
    n, read = len(met) * ASKED, sum(one.read[at] for one in met)
    found = sum(one.outcome[at] is Outcome.FAIL for one in met)
    return (
        Figure("results whose reasons doctors reject", sum(one.rejected[at] for one in met), read, good=False),
        Figure(f"results whose first reason is the {SHORTCUT}", sum(one.led[at].get(SHORTCUT, 0) for one in met), read,
               good=False),
        Figure("people screened rightly", sum(one.right[at] for one in met), n, good=True),
        Figure("people screened rightly elsewhere", sum(one.elsewhere[at] for one in met), n, good=True),
        Figure("regions that fail E4.experts", found, len(met), good=False),
    )  # fmt: skip


def seen(rng: np.random.Generator) -> Seen:
    """Learn from one region with and without the view, screen, and have the reasons read; see :func:`drawn`."""
    one, found = drawn(rng), []
    for without in ((), (SHORTCUT,)):
        model = Screening(one.learned, without)
        test = as_table("test", one.asked, without)
        result = checked(model, one, without, rng)
        named = next(item for item in result.measures if item.name == NAMED)
        led = {item.where: round((item.value or 0) * item.n) for item in result.measures if item.name == ASTRAY}
        away = int((model.predict(as_table("test", one.elsewhere, without)) == one.elsewhere.ill).sum())
        right = int((model.predict(test) == one.asked.ill).sum())
        found.append((named.n - round((named.value or 0) * named.n), named.n, right, away, result.outcome, led))
    return Seen(*zip(*found, strict=True))


def checked(model: Screening, one: Region, without: tuple[str, ...], rng: np.random.Generator) -> Result:
    """Return what E4.experts says, the doctors having ranked the reasons of everybody who was screened."""
    said = file_of(one.asked, np.arange(ASKED))
    lines = Table("experts", said["person"].to_numpy(), said.drop(columns="person"), np.full(len(said), -1),
                  pd.DataFrame(index=said.index))  # fmt: skip
    tables = {"test": as_table("test", one.asked, without), "train": as_table("train", one.learned, without),
              "experts": lines}  # fmt: skip
    floors = {floor.key: floor.value for entry, floor in catalogue.load().floors() if entry.id == "E4.experts"}
    return experts(Context(
        subject=model, tables=tables.__getitem__, rng=rng, thresholds=floors, options={"by": "doctor"}, rows=READ,
        settings=SettingsView(), effort="standard",
    ))  # fmt: skip


def as_table(name: str, met: People, without: tuple[str, ...] = ()) -> Table:
    """Return people as a table, without some columns."""
    hidden = list(without)
    return Table(name, np.arange(len(met.ill)), met.rows.drop(columns=hidden), met.ill, met.rows[hidden])


def _lines(met: list[Seen]) -> list[str]:
    """Return how the regions spread, and what the accuracy changes by."""
    who = f"{len(met)} regions; {ROWS:,} people are learned from, {ASKED:,} others screened"
    lines = [f"{who}; the reasons of {READ} of them are read by {len(DOCTORS)} doctors."]
    for at, word in enumerate(("before", "after")):
        shares = [one.rejected[at] / one.read[at] for one in met]
        lines.append(_spread(f"Rejected {word}", shares, ""))
    home = [(one.right[1] - one.right[0]) / ASKED for one in met]
    away = [(one.elsewhere[1] - one.elsewhere[0]) / ASKED for one in met]
    lines += [_spread("Accuracy at home, after less before", home, "+"),
              _spread("Accuracy elsewhere, after less before", away, "+")]  # fmt: skip
    for at, word in enumerate(("before", "after")):
        led: dict[str, int] = {}
        for one in met:
            led = {name: led.get(name, 0) + one.led[at].get(name, 0) for name in {**led, **one.led[at]}}
        told = sorted(led.items(), key=lambda item: (-item[1], item[0]))[:3]
        lines.append(f"Leant on first and not named, {word}: {', '.join(f'{name} {n}' for name, n in told) or 'none'}.")
    return lines


def _spread(what: str, shares: list[float], sign: str) -> str:
    """Return the mean over regions, its one-sided 95 % bounds, and the ends, in points of a hundred."""
    low, high = skew_t(shares)
    bounds = f" (95 % bounds {100 * low:{sign}.1f} and {100 * high:{sign}.1f})" if np.isfinite(low) else ""
    ends = f"{100 * min(shares):{sign}.1f} to {100 * max(shares):{sign}.1f} in single regions"
    return f"{what}: {100 * float(np.mean(shares)):{sign}.1f} of 100{bounds}, {ends}."
