"""Commands ``list`` and ``explain``: the catalogue, the claims and the checks, for a reader."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from fivefold.cli._io import Json, out

if TYPE_CHECKING:
    from rich.table import Table

    from fivefold.catalogue.nouns import Technique

SECTIONS = {
    "A": "Levels and verdict",
    "B": "Objective 1: data sharing",
    "C": "Objective 2: the model protects itself",
    "D": "Objective 3: explainability",
    "E": "Objective 4: traceability",
    "F": "Objective 5: self-adaption",
    "G": "The trusted stack",
    "H": "Governance: data, people and process",
    "I": "Challenge cases",
    "J": "Scenes",
}
STYLES = {"built": "green", "partial": "yellow", "gap": "dim"}


def list_(
    state: Annotated[
        str, typer.Option("--state", help="Only rows and checks in this state: built, partial or gap.")
    ] = "",
    json: Json = False,
) -> None:
    """List every row of the catalogue with its checks and what is built.

    Examples: [bold]fivefold list[/bold], [bold]fivefold list --state built[/bold], [bold]fivefold list --json[/bold]
    """
    from fivefold import catalogue
    from fivefold.errors import InputError

    if state and state not in STYLES:
        raise InputError("list.state", f'"{state}" is no state.', remedy="Use built, partial or gap.")
    found = catalogue.load()
    rows = [shown for row in found.techniques if (shown := _in_state(row, state)) is not None]
    value = {"version": 1, "catalogue": found.digest, "rows": [_row_value(row) for row in rows]}
    out(json=json, value=value, view="" if json else _rows_view(rows))


def explain(
    id_: Annotated[
        str, typer.Argument(metavar="ID", help="A row (S5), check (P3.accuracy), claim (2c), aim (O4), level or party.")
    ],
    json: Json = False,
) -> None:
    """Explain a row, check, claim, aim, level or party: question, threat, method, limits, source, cost, keys, state.

    Examples: [bold]fivefold explain S5[/bold], [bold]fivefold explain P3.membership[/bold],
    [bold]fivefold explain 2c[/bold], [bold]fivefold explain O4[/bold]
    """
    from fivefold import catalogue
    from fivefold.cli._explain import about

    found = about(id_, catalogue.load())
    out(json=json, value=found, view="" if json else _explain_view(found))


def _in_state(row: Technique, state: str) -> Technique | None:
    """Return a row if it or one of its checks is in the state, with those checks; of a row in it, all."""
    if state in ("", row.state):
        return row
    from msgspec import structs

    checks = tuple(check for check in row.checks if check.state == state)
    return structs.replace(row, checks=checks) if checks else None


def _row_value(row: Technique) -> dict[str, Any]:
    checks = [{"id": check.id, "state": check.state, "coming": check.coming} for check in row.checks]
    return {"id": row.id, "section": row.section, "title": row.title, "state": row.state, "checks": checks}


def _rows_view(rows: list[Technique]) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE, pad_edge=False, show_edge=False)
    for name in ("Row", "What it asks for", "State", "Checks (+ built, - to come)"):
        table.add_column(name, overflow="fold", no_wrap=name in ("Row", "State"))
    section = ""
    for row in rows:
        if row.section != section:
            section = row.section
            table.add_row("", Text(SECTIONS.get(section, section), style="bold"), "", "")
        checks = Text()
        for check in row.checks:
            sign, style = ("+", "green") if check.state == "built" else ("-", "dim")
            checks.append(f"{sign}{check.id} ", style=style)
        table.add_row(Text(row.id, style="bold"), Text(row.title), Text(row.state, style=STYLES[row.state]), checks)
    table.caption = _counts(rows)
    return table


def _counts(rows: list[Technique]) -> str:
    checks = [check for row in rows for check in row.checks]
    built = sum(check.state == "built" for check in checks)
    return f"{len(rows)} rows; {len(checks)} checks, of which {built} are built. `fivefold explain ID` says more."


def _explain_view(found: dict[str, Any]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, pad_edge=False, title_justify="left")
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row(Text(found["id"], style="bold"), Text(found["title"], style="bold"))
    for key, value in found.items():
        if key in ("id", "title", "version") or value in ("", [], {}, found["title"]):
            continue
        lines = [str(part) for part in value] if isinstance(value, list) else [str(value)]
        table.add_row(key.replace("_", " "), Text("\n".join(lines)))
    return table
