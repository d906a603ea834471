"""Check D2.coverage: the share of each group in the data against the population that the manifest declares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.finding import Bar, Canary, Measure, Plot, Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import InputError
from fivefold.governance.quality import reading
from fivefold.governance.quality.judging import named, worst
from fivefold.manifest import scenario
from fivefold.stats.judge import judge
from fivefold.stats.proportion import clopper_pearson

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fivefold.contract.check import Context
    from fivefold.contract.subject import Table

FLOOR = "min_coverage"
_CASES = 4
_GROUPS = 12
_EXAMPLE = 'Write checks: {D2: {population: ["sex == female: 0.51", "age < 25: 0.12"]}}, a group and its share.'
_REMEDY = "Gather more rows of the groups named, or weigh them in training; or correct the declared share."


@dataclass(frozen=True)
class Group:
    """A part of the population.

    Attributes:
        text: Its expression, for example ``age < 25``.
        share: Declared share of the population, in (0, 1].
        member: (n,) bool.
    """

    text: str
    share: float
    member: np.ndarray


def run(context: Context) -> Result:
    """Compare declared and found shares of groups.

    Threat: a group that the product serves is hardly in the data, and its errors disappear in the average.
    Limit: the declared population is the owner's word; groups that nobody named are not compared.

    Args:
        context: Data set ``train`` (else ``test``); option ``population``; threshold ``min_coverage``.

    Raises:
        UnsupportedError: See :func:`fivefold.governance.quality.reading.main_table`.
        InputError: ``quality.population`` for a text that is no group and share; ``scenario.*``.
    """
    table, floor = reading.main_table(context), context.thresholds[FLOOR]
    groups = _groups(table, context.options.get("population"))
    proof = _prove(table, floor, context)
    if not groups:
        return Result(
            outcome=Outcome.INCONCLUSIVE,
            reason="The manifest declares no population, so nobody can say which group is missing.",
            measures=tuple(_protected(table, context)),
            canary=proof,
            limits=("Shares of protected groups are shown, and not judged.",),
            remedy=f"Declare the population. {_EXAMPLE}",
        )
    measures = tuple(_measure(group, floor, len(groups)) for group in groups)
    outcome = worst(measures) if proof.noticed else Outcome.INCONCLUSIVE
    return Result(
        outcome=outcome,
        reason=_reason(outcome, proof, measures, table),
        measures=measures,
        canary=proof,
        plots=(_picture(measures, floor),),
        limits=("The declared population is its owner's word; groups that nobody named are not compared.",),
        remedy="" if outcome is Outcome.PASS else _REMEDY,
    )


def _reason(outcome: Outcome, proof: Canary, measures: tuple[Measure, ...], table: Table) -> str:
    if not proof.noticed:
        return "A planted gap in a group was not noticed, so nothing is concluded."
    if outcome is Outcome.FAIL:
        return f"Too few of {len(table)} rows are of {named(measures)}."
    if outcome is Outcome.PASS:
        return f"All {len(measures)} declared groups are in the data as in the population, give or take a fifth."
    return f"{len(table)} rows are too few to tell whether every declared group is covered."


def _groups(table: Table, declared: object) -> list[Group]:
    made = []
    for text in declared if isinstance(declared, list | tuple) else ():
        said, _, share = str(text).rpartition(":")
        try:
            value = float(share)
        except ValueError:
            value = -1.0
        if not said.strip() or not 0 < value <= 1:
            raise InputError("quality.population", f'population: "{str(text)[:80]}" is no group.', remedy=_EXAMPLE)
        try:
            member = scenario.evaluate(scenario.parse(said.strip()), table.column)
        except KeyError as error:
            message = f"population: {said.strip()[:80]} reads the column {error.args[0]}, which the data do not have."
            raise InputError("quality.population", message, remedy="Correct the expression.") from None
        made.append(Group(said.strip(), value, np.asarray(member, dtype=bool)))
    return made


def _measure(group: Group, floor: float, count: int) -> Measure:
    n, hits = len(group.member), int(group.member.sum())
    low, high = (float(one) / group.share for one in clopper_pearson(hits, n))
    strict = float(clopper_pearson(hits, n, 1 - 0.05 / count)[1]) / group.share
    outcome = judge(low, high, floor, "min")
    if outcome is Outcome.FAIL and strict >= floor:
        outcome = Outcome.INCONCLUSIVE
    return Measure(
        name="share in the data, of the declared share",
        value=hits / n / group.share,
        low=low,
        high=high,
        threshold=floor,
        direction="min",
        outcome=outcome,
        unit="ratio",
        n=n,
        where=group.text,
        note=f"{hits} rows; declared {group.share:.1%}.",
    )


def _protected(table: Table, context: Context) -> Sequence[Measure]:
    made = []
    for name in context.settings.protected:
        try:
            column = table.column(name)
        except KeyError:
            continue
        counts = column.astype(str).value_counts()
        if len(counts) > _GROUPS:
            continue
        for value, hits in sorted((str(key), int(count)) for key, count in counts.items()):
            if hits < 10:
                continue
            low, high = (float(one) for one in clopper_pearson(hits, len(column)))
            made.append(
                Measure(
                    name="share in the data", value=hits / len(column), low=low, high=high, unit="share",
                    n=len(column), where=f"{name} {value}",
                )
            )  # fmt: skip
    return made[: 2 * _GROUPS]


def _picture(measures: tuple[Measure, ...], floor: float) -> Plot:
    bars = tuple(
        Bar(label=one.where, value=one.value or 0.0, low=one.low, high=one.high, n=one.n, outcome=one.outcome)
        for one in measures[:_GROUPS]
    )
    return Plot(
        kind="intervals", title="Groups in the data against the population", x_label="ratio", bars=bars, threshold=floor
    )


def _prove(table: Table, floor: float, context: Context) -> Canary:
    """Draw groups of the user's rows, thin them out to half of the floor, and hold both against the true share."""
    rng, n = context.rng, max(len(table), 2000)
    found = alarms = 0
    for _ in range(_CASES):
        share = float(rng.uniform(0.15, 0.5))
        member = np.arange(n) < round(share * n)
        kept = np.concatenate([np.flatnonzero(~member), np.flatnonzero(member)[: int(0.4 * floor * member.sum())]])
        alarms += _measure(Group("drawn", share, member), floor, 1).outcome is Outcome.FAIL
        found += _measure(Group("thinned", share, member[kept]), floor, 1).outcome is Outcome.FAIL
    return Canary(
        kind="a group thinned out",
        planted=_CASES,
        found=found,
        clean=_CASES,
        false_alarms=alarms,
        noticed=found == _CASES and alarms == 0,
        detail=f"Drawn groups with {0.4 * floor:.0%} of their rows kept, and whole ones.",
    )
