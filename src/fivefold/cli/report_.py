"""Command ``report``: evidence rendered for a reader, never into the evidence itself."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fivefold.cli._io import Json  # noqa: TC001  typer reads it when the command is called

if TYPE_CHECKING:
    from fivefold.manifest.nouns import Manifest
    from fivefold.report.formats import Format
    from fivefold.report.nouns import Document

_SUFFIXES = {".json": "json", ".txt": "terminal", ".md": "md", ".sarif": "sarif", ".xml": "junit"}
_EXIT = {"yes": 0, "unchecked": 0, "no": 1, "doubt": 3}


def report(
    folder: Annotated[
        Path, typer.Argument(help="The evidence folder, or the application's.", metavar="EVIDENCE")
    ] = Path(),
    form: Annotated[
        str,
        typer.Option(
            "--format", help="html, json, terminal, md, sarif or junit (default: by the ending of --out, else html)."
        ),
    ] = "",
    out: Annotated[
        str,
        typer.Option(help="A file, a folder, or - for standard output (default: a file beside you if html)."),
    ] = "",
    attempt: Annotated[
        int | None, typer.Option(help="Number of the attempt (default: the newest with a verdict).", min=1)
    ] = None,
    trust: Annotated[
        Path | None, typer.Option(help="Whom to trust (default: your own trust file).", metavar="FILE")
    ] = None,
    *,
    standard: Annotated[
        str,
        typer.Option(
            "--for",
            help="Answer a standard clause by clause: aisvs, annex-iv, atlas, eu-ai-act, iso-42001 or nist-ai-rmf.",
            metavar="STANDARD",
        ),
    ] = "",
    export: Annotated[
        str,
        typer.Option(
            help="Write evidence in another tool's form: cyclonedx, spdx, hf-card, croissant.", metavar="FORM"
        ),
    ] = "",
    show: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    json: Json = False,
) -> None:
    """Render evidence for people (HTML, Markdown, terminal) or programs (JSON, SARIF, JUnit), after verifying it.

    With --for: what the evidence says to each clause of a law or standard; never a claim of conformity. With --export:
    a bill of materials or card for another tool.

    Exit code 0: rendered from evidence that verifies. 1: rendered, but the evidence does not hold (the report says
    what). 3: rendered; intact, but by an unknown signer or not enough for a clean answer.
    """
    from fivefold.cli.verify import beside
    from fivefold.evidence.application import newest_manifest, observe, read_folder
    from fivefold.keys import store
    from fivefold.report.read import read

    place = _evidence(folder)
    if standard or export:
        from fivefold.cli import _mapping

        _mapping.require_alone(standard, export, form)
    chosen = _format(form, out, json=json)
    target = _target(out, chosen)
    if target is not None:
        _refuse_inside(target, place)
    files = read_folder(place)
    root = beside(place, files)
    manifest = newest_manifest(files, root) if root is not None else None
    document = read(
        files,
        store.read_trust(trust),
        store.utc_now(),
        attempt=attempt,
        application=observe(root, manifest) if root is not None and manifest is not None else None,
    )
    if standard or export:
        _mapping.deliver(document, newest_manifest(files, Path("/")), standard, export, out, json=json)
        sys.exit(_EXIT[document.verified])
    _deliver(document, chosen, target or _default(document, chosen, place, Path(out)), manifest, open_it=show)
    sys.exit(_EXIT[document.verified])


def _evidence(folder: Path) -> Path:
    from fivefold.cli.verify import refuse_link
    from fivefold.errors import InputError

    place = folder / "evidence" if (folder / "fivefold.yaml").is_file() else folder
    refuse_link(place)
    if not place.is_dir():
        raise InputError(
            "evidence.none", f"there is no evidence at {place}.", remedy="Make it first: fivefold assess FOLDER."
        )
    return place


def _format(form: str, out: str, *, json: bool) -> Format:
    from fivefold.errors import InputError
    from fivefold.report.formats import FORMATS

    if json and form not in ("", "json"):
        raise InputError("report.format", f"--json and --format {form} exclude each other.", remedy="Give one of them.")
    if form and form not in FORMATS:
        raise InputError(
            "report.format", f"there is no format {form!r}.", remedy=f"Choose: {', '.join(FORMATS)}.", where="--format"
        )
    return FORMATS["json" if json else form or _SUFFIXES.get(Path(out).suffix.lower(), "html")]


def _target(out: str, form: Format) -> Path | None:
    if out == "-" or (not out and form.name != "html"):
        return Path("-")
    return Path(out) if out and not Path(out).is_dir() else None


def _default(document: Document, form: Format, place: Path, base: Path) -> Path:
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", document.verdict.application).strip(".-")[:60] or "application"
    target = base / f"{name}-report.{form.ending}"
    _refuse_inside(target, place)
    return target


def _refuse_inside(target: Path, place: Path) -> None:
    from fivefold.errors import InputError

    if target != Path("-") and target.resolve().is_relative_to(place.resolve()):
        raise InputError(
            "report.inside-evidence",
            "a report is never written into the evidence: it would count as an added file.",
            remedy="Choose another place with --out.",
            where=str(target),
        )


def _deliver(document: Document, form: Format, target: Path, manifest: Manifest | None, *, open_it: bool) -> None:
    from fivefold.cli._io import console

    if form.name == "terminal" and target == Path("-"):
        from fivefold.report.terminal import show_document

        console().print(show_document(document))
        return
    data = form.write(document, manifest, place_of(manifest))
    if target == Path("-"):
        sys.stdout.buffer.write(data)
        return
    write(target, data)
    from rich.text import Text

    screen = console(error=True)
    if document.verified != "yes":
        word = "does not verify" if document.verified == "no" else "is intact, but not a clean answer"
        screen.print(Text(f"The evidence {word}; the report says why.", style="bold yellow"))
    console().print(Text(str(target)), soft_wrap=True)
    if open_it:
        import webbrowser

        webbrowser.open(target.resolve().as_uri())


def place_of(manifest: Manifest | None) -> str:
    """Return the manifest's path relative to the current folder, as code-scanning pages want it."""
    if manifest is None or not manifest.file.is_file():
        return "fivefold.yaml"
    try:
        return manifest.file.resolve().relative_to(Path.cwd().resolve()).as_posix()
    except ValueError:
        return manifest.file.name


def write(target: Path, data: bytes) -> None:
    """Replace the file in one step, so that neither half a report nor a link's target is ever written."""
    import os
    import secrets

    from fivefold.errors import InputError

    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise InputError(
            "report.unwritable", f"the report cannot be written: {error.strerror}.", where=str(target)
        ) from None
