"""Terminal: the verdict and what matters most, in the width that the reader has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from fivefold.contract.outcome import Outcome
from fivefold.report import words
from fivefold.report.pairs import compared
from fivefold.report.view import MOST_TROUBLES, headline, mode, steps, troubles

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import RenderableType

    from fivefold.contract.finding import Finding, Measure
    from fivefold.contract.verdict import ClaimVerdict, Verdict
    from fivefold.manifest.nouns import Manifest
    from fivefold.report.nouns import Document
    from fivefold.report.pairs import Compared

MARKS = {
    Outcome.PASS: ("+", "green"),
    Outcome.FAIL: ("x", "bold red"),
    Outcome.ERROR: ("!", "bold magenta"),
    Outcome.INCONCLUSIVE: ("?", "yellow"),
    Outcome.NOT_APPLICABLE: ("-", "blue"),
    Outcome.NOT_RUN: (".", "dim"),
}
"""Outcome to its mark and style; the mark also tells it apart without colour."""

_STATES = {"attained": "green", "held": "green", "blocked": "yellow", "beyond": "dim"}
_FEW = 3
_MOST_NUMBERS = 20


def show(verdict: Verdict, findings: Iterable[Finding]) -> RenderableType:
    """Return the verdict, the ladder, every finding and the blocked claims, to be printed by rich."""
    found = tuple(findings)
    parts: list[RenderableType] = [_head(verdict, found), Text(), _ladder(verdict), Text(), _counts(verdict)]
    if found:
        parts += [Text(), *(_finding(finding) for finding in _worst_first(found))]
    blocked = [claim for claim in verdict.claims if claim.status == "blocked"]
    if blocked:
        parts += [Text(), Text("Blocked claims", style="bold"), *(_claim(claim) for claim in blocked)]
    failed = [aim for aim in verdict.aims if aim.status.startswith("failed")]
    parts += [Text(f"Aim {aim.aim}, {aim.title}: {_clean(aim.text)}", style="yellow") for aim in failed]
    return Group(*parts)


def show_findings(findings: Iterable[Finding]) -> RenderableType:
    """Return findings without a verdict, worst first: those of an exploratory run."""
    return Group(*(_finding(finding) for finding in _worst_first(tuple(findings))))


def write(value: Document, manifest: Manifest | None = None, place: str = "fivefold.yaml") -> bytes:  # noqa: ARG001
    """Return what the terminal shows, 100 columns wide; see :meth:`fivefold.report.formats.Format.write`."""
    from io import StringIO

    from rich.console import Console

    page = StringIO()
    Console(file=page, width=100, no_color=True, highlight=False).print(show_document(value))
    return page.getvalue().encode()


def show_document(document: Document) -> RenderableType:
    """Return the view of a whole document: trust first, then as :func:`show`, then the attempts."""
    parts: list[RenderableType] = []
    if document.verified == "no":
        parts.append(Text("The evidence does not verify. Do not rely on anything below.", style="bold red"))
    elif document.verified == "doubt":
        parts.append(Text("Intact, but not a clean answer:", style="bold yellow"))
    found = troubles(document)
    for trouble in found[:MOST_TROUBLES]:
        places = ", ".join(trouble.places) + (f" and {trouble.more} more" if trouble.more else "")
        place = f"{places}: " if places else ""
        parts.append(Text(f"  {_clean(place + trouble.text)} [{trouble.code}]"))
    if len(found) > MOST_TROUBLES:
        parts.append(Text(f"  and {len(found) - MOST_TROUBLES} more: fivefold verify lists all"))
    parts += [show(document.verdict, document.findings), Text()]
    numbers = [str(attempt.number) for attempt in document.attempts[-_MOST_NUMBERS:]]
    if numbers:
        earlier = (
            f"{len(document.attempts) - len(numbers)} earlier ones, " if len(document.attempts) > len(numbers) else ""
        )
        parts.append(Text(f"Attempts in the evidence: {earlier}{', '.join(numbers)}.", style="dim"))
    parts.append(Text(_clean(document.signer), style="dim"))
    return Group(*parts)


def _head(verdict: Verdict, findings: tuple[Finding, ...]) -> Text:
    good = verdict.attained >= verdict.declared
    text = Text.assemble(
        (f"{_clean(verdict.application)}, attempt {verdict.attempt}\n", "dim"),
        (headline(verdict), "bold green" if good else "bold"),
        f"\n{_clean(verdict.summary)}",
    )
    kind = mode(findings)
    if kind != "sealed":
        text.append(f"\nThis run is {kind}: it is not sealed and counts for nothing.", style="yellow")
    return text


def _ladder(verdict: Verdict) -> Table:
    table = Table.grid(padding=(0, 2))
    for step in reversed(steps(verdict)):
        flag = "declared" if step.declared else ""
        style = _STATES[step.state]
        table.add_row(Text(str(step.level), style="bold"), step.name, Text(step.word, style=style), flag)
    return table


def _counts(verdict: Verdict) -> Text:
    parts = [(verdict.counts.get(str(outcome), 0), word) for outcome, word in words.OUTCOMES.items()]
    return Text("Checks: " + ", ".join(f"{count} {word}" for count, word in parts if count) + ".")


def _worst_first(findings: Sequence[Finding]) -> list[Finding]:
    order = list(words.OUTCOMES)
    return sorted(findings, key=lambda finding: (order.index(finding.result.outcome), finding.check))


def _finding(finding: Finding) -> RenderableType:
    result = finding.result
    mark, style = MARKS[result.outcome]
    word = words.OUTCOMES[result.outcome]
    parts: list[RenderableType] = [
        Text.assemble((f"{mark} {word:<13} ", style), (finding.check, "bold"), f"  {_clean(result.reason)}")
    ]
    both = compared(finding)
    if both is not None:
        parts += [Padding(line, (0, 0, 0, 4), expand=False) for line in _both(both)]
    if result.outcome is not Outcome.PASS:
        judged = [measure for measure in result.measures if measure.outcome not in (None, Outcome.PASS)]
        parts += [Padding(_measure(measure), (0, 0, 0, 4), expand=False) for measure in judged[:_FEW]]
        if len(judged) > _FEW:
            parts.append(Text(f"    and {words.plural(len(judged) - _FEW, 'more figure')} in the report", style="dim"))
        if result.remedy:
            parts.append(Padding(Text(f"do: {_clean(result.remedy)}"), (0, 0, 0, 4), expand=False))
    return Group(*parts)


def _both(both: Compared) -> list[Text]:
    """Return lines that set the bare model beside the guarded one."""
    lines = [Text(f"bare: {both.bare_word}; behind the guard: {both.word}, which counts")]
    lines += [
        Text(_clean(f"{pair.name}: bare {pair.bare}, guarded {pair.guarded}"), style="dim")
        for pair in both.pairs
        if pair.limit
    ]
    return lines[: _FEW + 1]


def _measure(measure: Measure) -> Text:
    where = f" ({_clean(measure.where)})" if measure.where else ""
    bounds = words.interval(measure)
    return Text.assemble(
        f"{_clean(measure.name)}{where} ",
        (_clean(words.number(measure.value, measure.unit)), "bold"),
        f", 95 % bounds {_clean(bounds)}" if bounds else "",
        f", asked {_clean(words.threshold(measure))}" if measure.threshold is not None else "",
    )


def _claim(claim: ClaimVerdict) -> Text:
    ids = [blocker.id for blocker in claim.blockers]
    more = f" and {len(ids) - 6} more" if len(ids) > 6 else ""
    return Text.assemble((f"  {claim.claim} ", "bold"), _clean(claim.text), (f"  {', '.join(ids[:6])}{more}", "yellow"))


def _clean(text: str) -> str:
    """Return text that cannot steer a terminal."""
    return words.plain(text).replace(f"{words.GAP}%", "%")
