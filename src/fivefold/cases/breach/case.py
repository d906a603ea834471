"""The case: diagnoses scraped from a table of counts and read from a disk, before and after the controls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.cases.breach.lending import lent
from fivefold.cases.breach.reading import Taken, taken
from fivefold.cases.breach.scraping import (
    EACH,
    EPSILON,
    FAILURE,
    FEWEST,
    SURE,
    Named,
    Office,
    believed,
    described,
    exactly,
    named,
)
from fivefold.cases.breach.survey import alone, codes, employees, rates
from fivefold.cases.nouns import Figure, Told
from fivefold.stats.mean import skew_t

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

ROWS, TARGETS = 3_000, 40
"""Employees in the survey, and people whose diagnosis is wanted."""
STORED, ERASED = 40, 8
"""People whose decisions are on the disk, and how many of them ask to be forgotten."""
NEAR = 10
"""People by which a published count may be off to be called near."""
_LENT = 200
_STORY = (
    (
        "An office asks employees for a diagnosis and answers questions about how many there are. Somebody knows of "
        "forty of them district, year of birth, sex and job, which nobody else of the survey shares, and wants the "
        "diagnosis. He asks for the people who are like that; or, where cells below ten are withheld, for everybody "
        "and for everybody but one, and takes the difference. The office also decides on benefits, and keeps why. "
        "Somebody takes the disk. And the table itself goes to whoever asks for it, wherever he is."
    ),
    (
        "Harm is people exposed: whose diagnosis is told rightly more often than from how common it is at that age and "
        "sex, or by somebody who can be sure of it; whose reasons are read on the disk; and uses that nobody allowed."
    ),
    (
        f"After: answers carry discrete noise and are paid from a ledger, epsilon {EPSILON:g} at delta {FAILURE:g} for "
        "all that is ever said of the survey (S2), half of it for a published table; the reasons are kept by the "
        "recorder, sealed under a key for each person (T4); the table has a label that a steward signed, and the "
        "control T1 asks it before each release."
    ),
)
_LIMITS = (
    "People are drawn by a program of ours. The scraper knows four things of them, and how common diagnoses are.",
    "Noise and refusals hold where all answers go through one ledger; a copy of the table elsewhere has none.",
    "That a diagnosis goes with age and sex stays known, and is told by the published table itself.",
    "A sealed store shows when something was recorded, of what kind, and which records are of one person.",
    "Who takes disk, keys and the application's secret reads all but the erased; keep them apart.",
    "A label is asked by our commands and by the guard; a program that reads the file by itself is not stopped.",
)


@dataclass(frozen=True)
class Seen:
    """One survey.

    Attributes:
        targets: People whose diagnosis is wanted.
        blind: What is said of them without a release.
        cell: When those like them are asked for, exactly.
        gap: By differences, cells below ten withheld.
        noisy: After, a question each until the ledger refuses.
        whole: After, all that is left of the budget on each of them, in a world of his own.
        answered: Questions that were answered until then.
        near: Published counts that are near, of how many.
        disk: What is read on the disk.
        uses: Forbidden uses of the table that go through: without the control and with it, of how many.
        allowed: Allowed uses that go through with it, of how many.
    """

    targets: int
    blind: Named
    cell: Named
    gap: Named
    noisy: Named
    whole: Named
    answered: int
    near: tuple[int, int]
    disk: Taken
    uses: tuple[int, int, int]
    allowed: tuple[int, int]


def run(runs: int, seed: int, progress: Callable[[float, str], None] = lambda _share, _text: None) -> Told:
    """Draw ``runs`` surveys, and scrape, take and lend each with and without the controls.

    Args:
        runs: How many.
        seed: Decides everything but keys.
        progress: Called with a share in [0, 1].
    """
    met = surveys(runs, seed, progress)
    return Told(
        id="X9.breach",
        title="Diagnoses told by differences, and read on a disk",
        story=_STORY,
        before=_before(met),
        after=_after(met),
        example=tuple(_lines(met)),
        limits=_LIMITS,
        seed=seed,
    )


def surveys(runs: int, seed: int, progress: Callable[[float, str], None] = lambda _share, _text: None) -> list[Seen]:
    """Return what came of each survey; see :func:`run`."""
    met = []
    for at in range(runs):
        met.append(seen(np.random.Generator(np.random.PCG64([seed, at]))))
        progress((at + 1) / runs, f"survey {at + 1} of {runs}")
    return met


@dataclass(frozen=True)
class Wanted:
    """People of a survey whose diagnosis is wanted.

    Attributes:
        rows: The survey.
        people: Of these, those who are wanted.
        prior: (n, 5) how common each diagnosis is among people like them.
        truth: (n,) theirs, by their place.
    """

    rows: pd.DataFrame
    people: pd.DataFrame
    prior: np.ndarray
    truth: np.ndarray


def wanted(rng: np.random.Generator, rows: int = ROWS, targets: int = TARGETS) -> Wanted:
    """Draw a survey and people who are alone in it."""
    met = employees(rows, rng)
    at = rng.permutation(alone(met))[:targets]
    return Wanted(met, met.iloc[at], rates(met)[at], codes(met)[at])


def spent(on: Wanted, epsilon: float, rng: np.random.Generator) -> Named:
    """Return what is said when all that a budget leaves beside the table goes into one question, for each person."""
    told, deviation = [], 0.0
    for _, row in on.people.iterrows():
        one, deviation = Office(on.rows, rng, epsilon).all_on(described(row))
        told.append(one)
    return named(believed(on.prior, np.array(told), deviation), on.truth)


def seen(rng: np.random.Generator, rows: int = ROWS, targets: int = TARGETS) -> Seen:
    """Draw a survey, scrape it, take a disk with decisions on some of its people, and lend the table."""
    on = wanted(rng, rows, targets)
    cell, gap = exactly(on.rows, on.people)
    office = Office(on.rows, rng)
    published, exact = office.publish()
    there = exact > 0
    found, answered = on.prior.copy(), 0
    for at, (_, row) in enumerate(on.people.iterrows()):
        told = office.count(described(row))
        if told is not None:
            found[at] = believed(on.prior[at : at + 1], told[0][None], told[1])[0]
            answered += 1
    without, with_ = (lent(on.rows.iloc[:_LENT], guarded=guarded) for guarded in (False, True))
    forbidden = [name for name in with_ if name != "as allowed"]
    return Seen(
        targets=len(on.people),
        blind=named(on.prior, on.truth),
        cell=named(believed(on.prior, cell, 0.0), on.truth),
        gap=named(believed(on.prior, gap, 0.0), on.truth),
        noisy=named(found, on.truth),
        whole=spent(on, EPSILON, rng),
        answered=answered,
        near=(int((np.abs(published - exact)[there] <= NEAR).sum()), int(there.sum())),
        disk=taken(on.rows.iloc[:STORED], ERASED, rng),
        uses=(sum(without[name] for name in forbidden), sum(with_[name] for name in forbidden), len(forbidden)),
        allowed=(int(with_["as allowed"]), 1),
    )


def _before(met: list[Seen]) -> tuple[Figure, ...]:
    return (
        _told("diagnoses told rightly, people like that asked for", met, lambda one: one.cell.right),
        _told(f"the same by differences, cells below {FEWEST} withheld", met, lambda one: one.gap.right),
        _told("the same without a release", met, lambda one: one.blind.right),
        _told(f"people whose diagnosis is told at {SURE:.0%} or more, and rightly", met, lambda one: one.gap.sure),
        _of("people whose reasons are read on the disk", met, lambda one: (one.disk.bare, one.disk.people)),
        _of("forbidden uses of the table that go through", met, lambda one: (one.uses[0], one.uses[2])),
    )


def _after(met: list[Seen]) -> tuple[Figure, ...]:
    return (
        _told("diagnoses told rightly, a question for each of them", met, lambda one: one.noisy.right),
        _told("the same, all that is left of the budget on one of them", met, lambda one: one.whole.right),
        _told("the same without a release", met, lambda one: one.blind.right),
        _told(f"people whose diagnosis is told at {SURE:.0%} or more, and rightly", met,
              lambda one: max(one.noisy.sure, one.whole.sure)),
        _of("people whose reasons are read on the disk", met, lambda one: (one.disk.sealed, one.disk.people)),
        _of("forbidden uses of the table that go through", met, lambda one: (one.uses[1], one.uses[2])),
        _told("questions that the ledger refuses", met, lambda one: one.targets - one.answered, good=True),
        _of(f"published counts off by at most {NEAR} people", met, lambda one: one.near, good=True),
        _of("allowed uses of the table that go through", met, lambda one: one.allowed, good=True),
        _of("records that the product's reader shows with another secret", met,
            lambda one: (one.disk.unsealed, one.disk.records)),
        _of("records whose time and kind are read", met, lambda one: (one.disk.dated, one.disk.records)),
        _of("people read by who took the secret, too", met, lambda one: (one.disk.secret, one.disk.people)),
        _of("of the erased, people read by who took the secret, too", met,
            lambda one: (one.disk.erased, one.disk.gone)),
    )  # fmt: skip


def _of(what: str, met: list[Seen], count: Callable[[Seen], tuple[int, int]], *, good: bool = False) -> Figure:
    pairs = [count(one) for one in met]
    return Figure(what, sum(pair[0] for pair in pairs), sum(pair[1] for pair in pairs), good=good)


def _told(what: str, met: list[Seen], count: Callable[[Seen], int], *, good: bool = False) -> Figure:
    return _of(what, met, lambda one: (count(one), one.targets), good=good)


def _lines(met: list[Seen]) -> list[str]:
    """Return leads over no release, with bounds over surveys."""
    lines = [
        f"{len(met)} surveys of {ROWS:,} people; of each {TARGETS} are wanted, who are alone in what is known of them.",
        "Lead: of 100 people, how many more diagnoses are told rightly than without a release.",
    ]
    ways: tuple[tuple[str, Callable[[Seen], Named]], ...] = (
        ("before, people like that asked for", lambda one: one.cell),
        ("before, by differences", lambda one: one.gap),
        ("after, a question each", lambda one: one.noisy),
        ("after, all on one of them", lambda one: one.whole),
    )
    for what, of in ways:
        leads = [100 * (of(one).right - one.blind.right) / one.targets for one in met]
        low, high = skew_t(leads)
        bounds = f" (95 % bounds {low:+.1f} and {high:+.1f})" if np.isfinite(low) else ""
        wrong = sum(of(one).wrong for one in met)
        lines.append(f"Lead {what}: {np.mean(leads):+.1f} of 100 people{bounds}; {wrong} named wrongly for sure.")
    answered = sum(one.answered for one in met) / len(met)
    lines.append(f"The ledger answered {answered:.0f} questions at epsilon {EACH:g} of each survey, then none.")
    return lines
