"""Command ``gate``: let a build or a deployment through only on sealed evidence of these very bytes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fivefold.cli._io import EXIT_DONE, EXIT_FAILED, EXIT_INCONCLUSIVE, Json
from fivefold.cli._text import say

if TYPE_CHECKING:
    from fivefold.report.admission import Admission
    from fivefold.report.nouns import Document


def gate(
    application: Annotated[Path, typer.Argument(help="The application's folder.")] = Path(),
    *,
    min_level: Annotated[
        int | None, typer.Option(help="Level that must be attained (default: the declared one).", min=0, max=5)
    ] = None,
    max_age: Annotated[float, typer.Option(help="Most days since the attempt was begun; 0: any age.", min=0)] = 0,
    evidence: Annotated[
        Path | None, typer.Option(help="The evidence folder (default: evidence in the application's folder).")
    ] = None,
    trust: Annotated[Path | None, typer.Option(help="Trust file (default: your own).", metavar="FILE")] = None,
    json: Json = False,
) -> None:
    """Let a build through only if sealed evidence of this very manifest, model and data attains the level.

    Nothing is measured: run [bold]fivefold assess[/bold] first. Exit code 0: let through. 1: a check failed, or the
    evidence does not hold or is not of these bytes. 2: there is no evidence. 3: nothing failed, but the level is not
    attained, the evidence is too old, or it was signed by nobody whom you trust.

    Example: [bold]fivefold gate my-app --min-level 2 --max-age 30[/bold]
    """
    from fivefold.keys import store
    from fivefold.report.admission import admit

    found = admit(sealed(application, evidence, trust), store.utc_now(), min_level=min_level, days=max_age)
    code = exit_code(found)
    head = "REFUSED" if found.reasons else "let through"
    lines = [f"{found.application}: {head}; level {found.attained} attained, {found.wanted} wanted."]
    lines += [f"  {reason}" for reason in found.reasons]
    say(json=json, value={"admitted": not found.reasons, "exit_code": code, "admission": found}, lines=lines)
    sys.exit(code)


def exit_code(found: Admission) -> int:
    """Return 0 let through, 1 refused because something failed, 3 refused because nobody knows."""
    if not found.reasons:
        return EXIT_DONE
    return EXIT_FAILED if found.failed else EXIT_INCONCLUSIVE


def sealed(application: Path, evidence: Path | None, trust: Path | None) -> Document:
    """Return the newest attempt with a verdict, held against the application as it is now.

    Raises:
        InputError: There is no manifest, or no evidence with a verdict.
    """
    from fivefold.cli.verify import refuse_link
    from fivefold.errors import InputError
    from fivefold.evidence.application import observe, read_folder
    from fivefold.keys import store
    from fivefold.manifest.reader import read as read_manifest
    from fivefold.report.read import read

    manifest = read_manifest(application)
    place = evidence or manifest.root / "evidence"
    refuse_link(place)
    if not place.is_dir():
        raise InputError(
            "evidence.none", f"there is no evidence at {place}.", remedy="Make it first: fivefold assess FOLDER."
        )
    return read(
        read_folder(place), store.read_trust(trust), store.utc_now(), application=observe(manifest.root, manifest)
    )
