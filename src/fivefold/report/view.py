"""View: a document sorted into what a page shows, in the order in which a reader asks for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fivefold.contract.outcome import Outcome
from fivefold.report import figures, pairs, words
from fivefold.report.levels import levels

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fivefold.contract.finding import Finding, Measure
    from fivefold.contract.plan import CheckPlan
    from fivefold.contract.verdict import ClaimVerdict, Verdict
    from fivefold.report.nouns import AttemptLine, Document

_LOUD = (Outcome.FAIL, Outcome.ERROR, Outcome.INCONCLUSIVE, Outcome.PASS)
"""Outcomes whose checks get a card of their own; the others are listed."""

MOST_TROUBLES = 20
"""Most different troubles that a page or a terminal shows."""
_MOST_PLACES = 4


@dataclass(frozen=True)
class Detail:
    """How much is drawn, so that a page keeps its size limit.

    Attributes:
        measures: Most figures of one check.
        bars: Whether figures that are not judged get an interval bar.
        plots: Most plots of one check.
        listed: Most checks that are only listed.
        attempts: Most attempts, newest first to stay.
    """

    measures: int = 200
    bars: bool = True
    plots: int = 4
    listed: int = 400
    attempts: int = 400


@dataclass(frozen=True)
class Step:
    """One step of the ladder; ``state`` is ``attained``, ``held``, ``blocked`` or ``beyond``."""

    level: int
    name: str
    objective: str
    state: str
    word: str
    text: str
    declared: bool
    claims: tuple[ClaimVerdict, ...]


@dataclass(frozen=True)
class MeasureRow:
    """One figure, written out and placed."""

    measure: Measure
    value: str
    interval: str
    threshold: str
    outcome: str
    word: str
    stroke: figures.Stroke | None


@dataclass(frozen=True)
class CheckView:
    """One check with what it found, if it ran."""

    anchor: str
    plan: CheckPlan
    finding: Finding | None
    outcome: Outcome
    word: str
    reason: str
    judged: tuple[MeasureRow, ...] = ()
    shown: tuple[MeasureRow, ...] = ()
    left_out: int = 0
    drawings: tuple[figures.Drawing, ...] = ()
    compared: pairs.Compared | None = None


@dataclass(frozen=True)
class CheckGroup:
    """All checks of one outcome."""

    outcome: Outcome
    word: str
    checks: tuple[CheckView, ...]
    loud: bool
    reasons: tuple[tuple[str, tuple[CheckView, ...]], ...] = ()
    left_out: int = 0


@dataclass(frozen=True)
class Share:
    """One outcome's part of the counted strip, in per cent."""

    outcome: str
    word: str
    count: int
    start: float
    width: float


@dataclass(frozen=True)
class TroubleGroup:
    """One trouble of several files: its code and sentence, the first few files, and how many more."""

    code: str
    text: str
    places: tuple[str, ...]
    more: int


@dataclass(frozen=True)
class Page:
    """Everything that the template needs."""

    document: Document
    headline: str
    attained: bool
    mode: str
    steps: tuple[Step, ...]
    shares: tuple[Share, ...]
    total: int
    groups: tuple[CheckGroup, ...]
    troubles: tuple[TroubleGroup, ...]
    more_troubles: int
    attempts: tuple[AttemptLine, ...]
    earlier: int


def page(document: Document, detail: Detail) -> Page:
    """Sort a document into a page."""
    verdict = document.verdict
    shares = _shares(verdict)
    found = troubles(document)
    attempts = document.attempts[-detail.attempts :]
    return Page(
        document=document,
        headline=headline(verdict),
        attained=verdict.attained >= verdict.declared,
        mode=mode(document.findings),
        steps=steps(verdict),
        shares=shares,
        total=sum(share.count for share in shares),
        groups=_groups(document, detail),
        troubles=found[:MOST_TROUBLES],
        more_troubles=len(found[MOST_TROUBLES:]),
        attempts=attempts,
        earlier=len(document.attempts) - len(attempts),
    )


def troubles(document: Document) -> tuple[TroubleGroup, ...]:
    """Gather what did not verify: one entry for each sentence, with the files that it is true of."""
    groups: dict[tuple[str, str], list[str]] = {}
    for trouble in document.troubles:
        groups.setdefault((trouble.code, trouble.text), []).append(trouble.where)
    return tuple(
        TroubleGroup(code, text, tuple(filter(None, places[:_MOST_PLACES])), len(places[_MOST_PLACES:]))
        for (code, text), places in groups.items()
    )


def headline(verdict: Verdict) -> str:
    """Say the verdict in one short sentence."""
    if verdict.attained >= verdict.declared:
        return f"Level {verdict.attained} is attained, as declared."
    reached = f"Level {verdict.attained} is attained" if verdict.attained else "No level is attained"
    return f"{reached}; level {verdict.declared} is declared."


def mode(findings: Iterable[Finding]) -> str:
    """Return the weakest way in which the findings were made: in-process, exploratory or sealed."""
    found = {finding.mode for finding in findings}
    return next((kind for kind in ("in-process", "exploratory") if kind in found), "sealed")


def steps(verdict: Verdict) -> tuple[Step, ...]:
    """Return the five steps of the ladder, lowest first."""
    return tuple(_step(verdict, level, name, objective) for level, (name, objective) in sorted(levels().items()))


def _step(verdict: Verdict, level: int, name: str, objective: str) -> Step:
    claims = tuple(claim for claim in verdict.claims if claim.level == level)
    blocked = [claim.claim for claim in claims if claim.status == "blocked"]
    text = verdict.blocks.get(str(level), "")
    if level <= verdict.attained:
        state, word, text = "attained", "attained", text or "Every claim of this level that applies is satisfied."
    elif level > verdict.declared:
        state, word, text = "beyond", "not declared", "The application does not declare this level."
    elif blocked or text:
        state, word = "blocked", "blocked"
        text = text or f"Blocked by {words.listed([f'claim {claim}' for claim in blocked])}."
    else:
        state, word, text = "held", "held back", "Its own claims are satisfied; a level below is blocked."
    return Step(level, name, objective, state, word, text, level == verdict.declared, claims)


def _shares(verdict: Verdict) -> tuple[Share, ...]:
    total = sum(verdict.counts.values()) or 1
    found, start = [], 0.0
    for outcome, word in words.OUTCOMES.items():
        count = verdict.counts.get(str(outcome), 0)
        width = 100 * count / total
        found.append(Share(str(outcome), word, count, round(start, 2), round(width, 2)))
        start += width
    return tuple(found)


def _groups(document: Document, detail: Detail) -> tuple[CheckGroup, ...]:
    findings = {finding.check: finding for finding in document.findings}
    views = [_check(i, check, findings.get(check.check), detail) for i, check in enumerate(document.plan.checks)]
    groups = []
    for outcome, word in words.OUTCOMES.items():
        mine = tuple(view for view in views if view.outcome == outcome)
        if mine:
            kept = mine if outcome in _LOUD else mine[: detail.listed]
            groups.append(
                CheckGroup(outcome, word, kept, outcome in _LOUD, _by_reason(kept), left_out=len(mine) - len(kept))
            )
    return tuple(groups)


def _by_reason(views: tuple[CheckView, ...]) -> tuple[tuple[str, tuple[CheckView, ...]], ...]:
    found: dict[str, list[CheckView]] = {}
    for view in views:
        found.setdefault(view.reason, []).append(view)
    ranked = sorted(found.items(), key=lambda item: (len(item[1]), item[1][0].plan.check))
    return tuple((reason, tuple(mine)) for reason, mine in ranked)


def _check(position: int, plan: CheckPlan, finding: Finding | None, detail: Detail) -> CheckView:
    anchor = f"check-{position + 1}"
    if finding is None:
        outcome = Outcome.NOT_APPLICABLE if plan.status == "not-applicable" else Outcome.NOT_RUN
        reason = plan.reason if plan.status != "run" else "It was planned, but this attempt holds no finding of it."
        return CheckView(anchor, plan, None, outcome, words.OUTCOMES[outcome], reason)
    result = finding.result
    judged = [measure for measure in result.measures if measure.outcome is not None]
    judged.sort(key=lambda measure: list(words.OUTCOMES).index(measure.outcome or Outcome.NOT_RUN))
    others = [measure for measure in result.measures if measure.outcome is None]
    kept = judged[: detail.measures]
    rest = others[: detail.measures - len(kept)]
    return CheckView(
        anchor=anchor,
        plan=plan,
        finding=finding,
        outcome=result.outcome,
        word=words.OUTCOMES[result.outcome],
        reason=result.reason,
        judged=_rows(kept, bars=True),
        shown=_rows(rest, bars=detail.bars),
        left_out=len(result.measures) - len(kept) - len(rest),
        drawings=tuple(figures.draw(plot) for plot in result.plots[: detail.plots]),
        compared=pairs.compared(finding),
    )


def _rows(measures: list[Measure], *, bars: bool) -> tuple[MeasureRow, ...]:
    strokes = figures.strokes(measures) if bars else [None] * len(measures)
    return tuple(
        MeasureRow(
            measure=measure,
            value=words.number(measure.value, measure.unit),
            interval=words.interval(measure),
            threshold=words.threshold(measure),
            outcome=str(measure.outcome or "shown"),
            word=words.OUTCOMES[measure.outcome] if measure.outcome else "shown",
            stroke=stroke,
        )
        for measure, stroke in zip(measures, strokes, strict=True)
    )
