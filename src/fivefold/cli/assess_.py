"""Command ``assess``: attack and measure an application, leave signed evidence, say the verdict and what to do next."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from fivefold.cli._io import EXIT_DONE, EXIT_FAILED, EXIT_INCONCLUSIVE, Json, console, out

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from fivefold.assess.run import Assessment, Options, Step
    from fivefold.contract.plan import Effort, Plan

EFFORTS = ("quick", "standard", "thorough")
EXIT_STOPPED = 130


def assess(
    application: Annotated[Path, typer.Argument(help="The application's folder, or its manifest.")] = Path(),
    effort: Annotated[
        str, typer.Option(help="quick, standard or thorough: more effort, narrower bounds.")
    ] = "standard",
    *,
    only: Annotated[
        list[str] | None, typer.Option(help="Run this check only (repeatable). Exploratory: nothing is sealed.")
    ] = None,
    seed: Annotated[str, typer.Option(help="Another seed. Exploratory: nothing is sealed.")] = "",
    bare: Annotated[
        bool, typer.Option("--bare", help="Measure nothing behind the guard. Exploratory: nothing is sealed.")
    ] = False,
    evidence: Annotated[
        Path | None, typer.Option(help="The evidence folder (default: evidence in the application's folder).")
    ] = None,
    trust: Annotated[Path | None, typer.Option(help="Trust file (default: your own).", metavar="FILE")] = None,
    key: Annotated[str, typer.Option(help="Which of your assessor keys signs (default: the first).")] = "",
    workers: Annotated[int, typer.Option(help="Checks side by side (default: 2; 1 for large data).", min=0)] = 0,
    timeout: Annotated[
        float | None, typer.Option(help="Most seconds one check may take (default: as each says).", min=0.1)
    ] = None,
    form: Annotated[
        str,
        typer.Option("--format", help="Also write reports, for example sarif,junit,md,json,html.", metavar="LIST"),
    ] = "",
    to: Annotated[Path, typer.Option("--out", help="Folder for the reports of --format.")] = Path(),
    json: Json = False,
) -> None:
    """Attack and measure the application in isolated workers; sign every finding; say which level is attained.

    Ctrl-C loses no finished check: run the same command again and it goes on. Exit code 0: attained and nothing
    failed, 1: a check failed, 2: refused input, 3: no failure but something is not a pass.

    Examples: [bold]fivefold assess my-app[/bold], [bold]fivefold assess my-app --effort quick[/bold],
    [bold]fivefold assess my-app --only P3.accuracy[/bold]
    """
    from fivefold.assess.run import Options
    from fivefold.errors import InputError
    from fivefold.manifest.reader import read

    if effort not in EFFORTS:
        raise InputError("assess.effort", f'"{effort}" is no effort.', remedy="Use quick, standard or thorough.")
    from fivefold.cli import _reports

    forms = _reports.chosen(form, to)
    manifest = read(application)
    options = Options(
        effort=cast("Effort", effort),
        evidence=evidence,
        trust=trust,
        key=key,
        workers=workers,
        only=tuple(only or ()),
        seed=seed,
        seconds=timeout,
        bare=bare,
    )
    try:
        done = _watched(manifest, options, quiet=json)
    except KeyboardInterrupt:
        _stopped(options)
        sys.exit(EXIT_STOPPED)
    out(json=json, value=_document(done), view="" if json else _view(done))
    if forms and done.evidence is not None:
        _reports.deliver(forms, to, done.evidence, manifest, trust)
    if not json:
        _next(done, application, options)
    sys.exit(_exit(done))


def _watched(manifest: Any, options: Options, *, quiet: bool) -> Assessment:
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from fivefold.assess.run import assess as run
    from fivefold.cli._sealed import sealed_page

    screen = console(error=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=screen, transient=True, disable=quiet or not screen.is_terminal) as bar:
        watch = _Bar(bar, lines=not quiet and not screen.is_terminal)
        return run(manifest, options, render=sealed_page, watch=watch)


class _Bar:
    """One line that says how far the run is; without a terminal, one line for each finished check."""

    def __init__(self, bar: Progress, *, lines: bool) -> None:
        self._bar, self._lines = bar, lines
        self._task: TaskID | None = None
        self._shares: dict[str, float] = {}

    def __call__(self, step: Step) -> None:
        if step.kind == "probing":
            self._task = self._bar.add_task("Reading data and model", total=None)
        elif step.kind == "planned":
            if self._task is not None:
                self._bar.remove_task(self._task)
            self._shares = {name: float(name in step.done) for name in step.checks}
            self._task = self._bar.add_task("Checks", total=max(len(step.checks), 1), completed=len(step.done))
        elif step.check in self._shares and self._task is not None:
            self._shares[step.check] = max(self._shares[step.check], 1.0 if step.finding else 0.99 * step.share)
            words = f"{step.check} {step.text}".strip()
            self._bar.update(self._task, completed=sum(self._shares.values()), description=words[:60])
        if step.finding is not None and self._lines:
            console(error=True).print(f"{step.check}: {step.finding.result.outcome}", markup=False)


def _document(done: Assessment) -> dict[str, Any]:
    return {
        "mode": "exploratory" if done.verdict is None else "sealed",
        "attempt": done.plan.attempt,
        "plan": done.plan.digest,
        "evidence": str(done.evidence) if done.evidence else "",
        "resumed": done.resumed,
        "verdict": done.verdict,
        "findings": done.findings,
    }


def _view(done: Assessment) -> Any:
    from rich.console import Group
    from rich.text import Text

    from fivefold.report import terminal

    if done.verdict is not None:
        return terminal.show(done.verdict, done.findings)
    head = Text(
        "Exploratory: nothing is sealed, no attempt is used, no level follows from this.\n", style="bold yellow"
    )
    return Group(head, terminal.show_findings(done.findings))


def _next(done: Assessment, application: Path, options: Options) -> None:
    """Say where the evidence lies and what to type next."""
    from rich.text import Text

    screen = console()
    for name, note in sorted(done.notes.items()):
        said = "".join(letter if letter.isprintable() or letter == "\n" else "?" for letter in note)[:600]
        screen.print(Text(f"{name}: what was said while failing (not part of the evidence): {said}", style="dim"))
    for reason, names in _kept_out(done.plan).items():
        screen.print(Text(f"Did not run: {', '.join(names)}: {reason}.", style="yellow"))
    for text in done.plan.facts.notes:
        screen.print(Text(f"Note: {text}", style="yellow"))
    for text in done.repaired:
        screen.print(Text(f"Repaired in the evidence folder: {text}", style="yellow"))
    if done.resumed:
        screen.print(Text("An unfinished attempt was taken up; its finished checks were kept."))
    if done.made_key:
        from fivefold.keys import store

        said = f"You had no key: one was made in {store.keys_folder()} (mode 0600) and added to your trust file."
        screen.print(Text(said))
    if done.evidence is None:
        screen.print(Text(f"To seal it: fivefold assess {shlex.quote(str(application))}"))
        return
    place = shlex.quote(_shown(done.evidence))
    more = f" --trust {shlex.quote(str(options.trust))}" if options.trust else ""
    screen.print(
        Text(
            f"\nEvidence of attempt {done.plan.attempt}: {done.evidence}\n"
            f"  check it    fivefold verify {place}{more}\n"
            f"  read it     fivefold report {place}{more} --open\n"
            f"  understand  fivefold explain {_first(done)}",
        ),
        soft_wrap=True,
    )


def _kept_out(plan: Plan) -> dict[str, list[str]]:
    """Return checks that this version has and that did not run, by what was lacking; those to come are left out."""
    from fivefold.contract import registry

    found: dict[str, list[str]] = {}
    for check in plan.checks:
        if check.status == "not-run" and check.check in registry.checks():
            reason = check.reason.partition(", but ")[2] or check.reason
            found.setdefault(reason.rstrip("."), []).append(check.check)
    return found


def _shown(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _first(done: Assessment) -> str:
    """Return the check that most needs explaining."""
    order = ("fail", "error", "inconclusive", "not-run", "pass")
    ranked = sorted(done.findings, key=lambda item: order.index(str(item.result.outcome)))
    return ranked[0].check if ranked else "L1"


def _stopped(options: Options) -> None:
    from rich.text import Text

    if options.exploratory:
        said = "Stopped. Nothing was sealed."
    else:
        said = "Stopped. What was finished is sealed; run the same command again to go on with this attempt."
    console(error=True).print(Text(said, style="bold yellow"))


def _exit(done: Assessment) -> int:
    if done.verdict is not None:
        return done.verdict.exit_code
    outcomes = {str(finding.result.outcome) for finding in done.findings}
    if "fail" in outcomes:
        return EXIT_FAILED
    return EXIT_DONE if outcomes <= {"pass"} else EXIT_INCONCLUSIVE
