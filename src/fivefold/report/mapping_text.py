"""A mapping for a reader: a table for the terminal, a page of Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fivefold.report.mapping import STATES

if TYPE_CHECKING:
    from rich.console import RenderableType

    from fivefold.report.mapping import Answers, Line

_STYLE = {"met": "green", "failed": "bold red", "open": "yellow", "not built": "dim", "outside": "dim"}


def summary(found: Answers) -> list[str]:
    """Return the counts in sentences, every clause counted once."""
    total = len(found.lines)
    lines = [f"{found.counts[state]} of {total} {state}: {words}." for state, words in STATES.items()]
    lines.append(f"{found.answerable} of {total} can be answered by machine evidence once every check is built.")
    if found.unfilled:
        named = ", ".join(f"{name} ({count})" for name, count in found.unfilled.items())
        lines.append(f"{len(found.unfilled)} fields of the manifest are asked for and not filled: {named}.")
    return lines


def show(found: Answers) -> RenderableType:
    """Return the whole mapping for the terminal; clauses outside are counted, not listed."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("clause", "state", "asks", "evidence"):
        table.add_column(name, overflow="fold", no_wrap=name in ("clause", "state"))
    for line in found.lines:
        if line.state != "outside":
            table.add_row(line.id, Text(line.state, style=_STYLE[line.state]), line.asks, _evidence(line))
    head = Text(f"{found.name} {found.version}, answered from {found.application}, attempt {found.attempt}\n", "bold")
    tail = "\n".join(["", *summary(found), *_dates(found), "", found.statement])
    return Group(head, table, Text(tail))


def markdown(found: Answers) -> str:
    """Return the whole mapping as Markdown, clauses outside grouped by their reason."""
    lines = [f"# {found.name} {found.version}", ""]
    lines += [f"Application `{found.application}`, attempt {found.attempt}; evidence verifies: {found.verified}. "]
    lines += [f"Ids read from {found.source} on {found.looked_up}. {found.statement}", ""]
    lines += [f"- {text}" for text in (*summary(found), *_dates(found))]
    lines += ["", "| clause | state | asks | evidence |", "|---|---|---|---|"]
    for line in found.lines:
        if line.state != "outside":
            lines.append("| " + " | ".join(map(_cell, (line.id, line.state, line.asks, _evidence(line)))) + " |")
    reasons: dict[str, list[str]] = {}
    for line in found.lines:
        if line.state == "outside":
            reasons.setdefault(line.why, []).append(line.id)
    for why, ids in reasons.items():
        lines += ["", f"**Not assessed ({len(ids)}).** {why} {', '.join(ids)}."]
    return "\n".join(lines) + "\n"


def _evidence(line: Line) -> str:
    parts = [f"{check} {outcome}" for check, outcome in line.evidence.items()]
    parts += [f"unfilled: {name}" for name in line.unfilled]
    return "; ".join([*parts, line.why] if line.why else parts)


def _dates(found: Answers) -> list[str]:
    if not found.dates:
        return []
    return [*(f"From {day}: {duty}" for day, duty in found.dates.items()), f"Dates as known on {found.looked_up}."]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
