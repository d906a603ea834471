"""What every command shares: where results go, how errors are shown, which exit code they give."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fivefold.errors import FivefoldError, ProblemsError, UnknownSignerError

if TYPE_CHECKING:
    from rich.console import Console

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_REFUSED = 2
EXIT_INCONCLUSIVE = 3

Json = Annotated[bool, typer.Option("--json", help="Write one JSON document to standard output.")]


def console(*, error: bool = False) -> Console:
    """Return a console on standard output (or standard error) that honours pipes and NO_COLOR."""
    from rich.console import Console

    return Console(stderr=error, highlight=False, soft_wrap=False)


def out(*, json: bool, value: Any, view: Any) -> None:
    """Write ``value`` as JSON, or the renderable ``view`` (text or a rich object) for people."""
    if json:
        from fivefold.contract.codec import canonical

        sys.stdout.write(canonical(value).decode() + "\n")
    else:
        console().print(view)


def exit_code(error: FivefoldError) -> int:
    """Return the exit code that an error gives: 1 broken trust, 3 unknown signer, 2 everything else."""
    from fivefold.errors import TrustError

    if isinstance(error, UnknownSignerError):
        return EXIT_INCONCLUSIVE
    return EXIT_FAILED if isinstance(error, TrustError) else EXIT_REFUSED


def show_error(error: FivefoldError, *, json: bool) -> None:
    """Show an error with code and remedy on standard error, as JSON if asked."""
    if json:
        from fivefold.contract.codec import canonical

        problems = error.problems if isinstance(error, ProblemsError) else ()
        parts = {"code": error.code, "message": error.message, "remedy": error.remedy, "where": error.where}
        document = {"error": parts, "problems": [vars(problem) for problem in problems]}
        sys.stderr.write(canonical(document).decode() + "\n")
        return
    from rich.text import Text

    screen = console(error=True)
    if isinstance(error, ProblemsError):
        for problem in error.problems:
            line = Text.assemble((f"{problem.where} ", "bold"), (f"{problem.field}: ", "cyan"), problem.message)
            screen.print(line)
            screen.print(Text(f"    {problem.remedy}"))
        return
    screen.print(Text.assemble(("error ", "bold red"), (f"{error.code} ", "dim"), str(error)))
