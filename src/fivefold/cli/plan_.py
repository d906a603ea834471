"""Command ``plan``: what binds, why, and what it will cost; reads no engine unless ``--probe`` asks for it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from fivefold.cli._io import Json, out

if TYPE_CHECKING:
    from rich.console import Group, RenderableType
    from rich.table import Table
    from rich.text import Text

    from fivefold.contract.plan import CheckPlan, Effort, Facts, ModelFact, Plan
    from fivefold.manifest.nouns import Manifest

EFFORTS = ("quick", "standard", "thorough")
STYLES = {"run": "green", "undecided": "yellow", "not-run": "dim", "not-applicable": "dim"}


def plan(
    application: Annotated[Path, typer.Argument(help="The application's folder, or its manifest.")] = Path(),
    effort: Annotated[str, typer.Option(help="quick, standard or thorough.")] = "standard",
    probe: Annotated[
        bool, typer.Option("--probe", help="Read data and model in the worker, so that all is decided.")
    ] = False,
    full: Annotated[
        bool, typer.Option("--all", help="Show every reason in full, also of what is still to come.")
    ] = False,
    json: Json = False,
) -> None:
    """Show which claims, checks and duties bind, each with its reason, thresholds and cost.

    Facts that need an engine are undecided here, unless an earlier run has read them from the same bytes.

    Examples: [bold]fivefold plan my-app[/bold], [bold]fivefold plan my-app --probe[/bold],
    [bold]fivefold plan my-app --effort quick --json[/bold]
    """
    from fivefold.errors import InputError
    from fivefold.manifest.reader import read

    if effort not in EFFORTS:
        raise InputError("plan.effort", f'"{effort}" is no effort.', remedy="Use quick, standard or thorough.")
    manifest = read(application)
    made = make_plan(manifest, effort=cast("Effort", effort), probe=probe)
    out(json=json, value=made, view="" if json else view(made, manifest, full=full))


def make_plan(manifest: Manifest, *, effort: Effort, probe: bool) -> Plan:
    """Return the plan over what is known: facts probed now, or cached for the same bytes, or none.

    Args:
        manifest: As read.
        effort: How much is measured.
        probe: Read data and model in the worker now.

    Raises:
        InputError: From the plan or the probe.
    """
    from fivefold import catalogue
    from fivefold.assess import facts_cache, identity, operating
    from fivefold.manifest.digests import data_digests
    from fivefold.plan import make

    with operating.operation(manifest, "plan") as reading:
        digests, model_digest = data_digests(manifest), identity.model_digest(manifest)
        reading.digests |= digests | {"model": model_digest}
    facts: Facts | None
    if probe:
        from fivefold.assess.probe import probe as read_facts

        facts = read_facts(manifest)
    else:
        facts = facts_cache.load(manifest, digests, model_digest)
    return make(
        manifest,
        catalogue.load(),
        facts,
        data_digests=digests,
        model_digest=model_digest,
        code=identity.code(),
        installed=identity.installed,
        effort=effort,
    )


def view(plan: Plan, manifest: Manifest, *, full: bool) -> Group:
    """Return the plan for the terminal."""
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = [_head(plan, manifest), _claims(plan), _checks(plan, full=full)]
    if plan.duties:
        duties = "\n".join(f"  {duty}" for duty in plan.duties)
        parts.append(Text.assemble(("\nDuties of people\n", "bold"), duties))
    parts.append(Text("\n" + _closing(plan)))
    return Group(*parts)


def _head(plan: Plan, manifest: Manifest) -> Text:
    from rich.text import Text

    purpose = f": {manifest.application.purpose}" if manifest.application.purpose else ""
    sets = ", ".join(_set_line(name, plan.facts) for name in plan.data)
    text = Text.assemble(
        (plan.application, "bold"), f"{purpose}\nlevel {plan.level}, effort {plan.effort}, data: {sets}\n"
    )
    model = plan.facts.model
    if model is not None and model.error:
        text.append(f"model: {model.error}\n", style="red")
    elif model is not None:
        classes = (
            f" ({', '.join(model.classes[:8])}{', ...' if len(model.classes) > 8 else ''})" if model.classes else ""
        )
        gives = "scores" if model.scores else "labels only" if model.classes else "numbers"
        text.append(f"model: {model.task}{classes}, gives {gives}{_elsewhere(model)}\n")
    for note in plan.facts.notes:
        text.append(f"note: {note}\n", style="yellow")
    return text


def _elsewhere(model: ModelFact) -> str:
    """Return what is worth knowing of a model that is only asked."""
    if not model.observed:
        return ""
    parts = [f"asked over {model.kind}", "steady" if model.deterministic else "its answers vary"]
    parts += [f"at most {model.max_rows:,} rows a call"] if model.max_rows else []
    parts += [f"at most {model.calls:,} calls"] if model.calls else ["no budget of calls"]
    return f"; {', '.join(parts)}"


def _set_line(name: str, facts: Facts) -> str:
    fact = (facts.data or {}).get(name)
    return f"{name} ({fact.rows:,} rows)" if fact else name


def _table(title: str) -> Table:
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold", box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    return table


def _claims(plan: Plan) -> Table:
    from rich.text import Text

    table = _table("Claims that the level binds")
    for claim in plan.claims:
        said = {True: "", False: "not applicable: ", None: "undecided: "}[claim.applies]
        needs = "; and ".join(" or ".join(any_of) for any_of in claim.needs)
        why = f"{said}{claim.reason}" + (f" Needs {needs}." if needs else "")
        table.add_row(claim.claim, Text.assemble(claim.text, "\n", (why, "dim")))
        for fault in claim.faults:
            table.add_row("", Text(fault, style="red"))
    return table


def _checks(plan: Plan, *, full: bool) -> Table:
    from rich.text import Text

    table = _table("\nChecks")
    grouped: dict[str, list[str]] = {}
    for check in plan.checks:
        if full or check.status in ("run", "undecided"):
            table.add_row(Text(check.check, style=STYLES[check.status]), _detail(check))
        elif check.status == "not-applicable":
            grouped.setdefault("Not applicable, by what was read (--all shows each).", []).append(check.check)
        else:
            grouped.setdefault(check.reason, []).append(check.check)
    for reason, names in grouped.items():
        table.add_row(Text(f"{len(names)} more", style="dim"), Text(f"{reason} {', '.join(names)}", style="dim"))
    return table


def _detail(check: CheckPlan) -> Text:
    from rich.text import Text

    aims = [aim if check.binding else f"{aim} (not yet binding)" for aim in check.aims]
    bound = ", ".join([*(f"claim {claim}" for claim in check.claims), *(f"aim {aim}" for aim in aims)])
    text = Text.assemble((check.status, STYLES[check.status]), f" for {bound}. " if bound else ". ", check.title)
    lines = [check.reason]
    if check.thresholds:
        lines.append("thresholds: " + ", ".join(f"{key} {value:g}" for key, value in check.thresholds.items()))
    if check.options:
        lines.append("options: " + ", ".join(f"{key} {_shown(value)}" for key, value in check.options.items()))
    if check.cost:
        lines.append(f"cost: {check.cost}" + (f" At most {check.rows:,} rows." if check.rows else ""))
    return text.append("\n" + "\n".join(lines), style="dim")


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _closing(plan: Plan) -> str:
    counts: dict[str, int] = {}
    for check in plan.checks:
        counts[check.status] = counts.get(check.status, 0) + 1
    said = ", ".join(f"{number} {status}" for status, number in sorted(counts.items())) or "no check binds"
    hint = " `fivefold plan --probe` decides the undecided ones." if counts.get("undecided") else ""
    return f"{said}.{hint} Next: `fivefold assess`."
