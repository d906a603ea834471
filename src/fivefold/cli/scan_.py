"""Command ``data scan``: personal data in the columns and free texts of files, before they go anywhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fivefold.cli._io import EXIT_DONE, EXIT_FAILED, Json
from fivefold.cli._text import say

if TYPE_CHECKING:
    from fivefold.manifest.nouns import Manifest

_NEAR = 3


def scan(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="Files, or an application's folder (default: here).", metavar="[PATH]..."),
    ] = None,
    known: Annotated[
        list[str] | None, typer.Option(help="A column that is known to be personal; may be repeated.", metavar="COLUMN")
    ] = None,
    sample: Annotated[
        float, typer.Option(help="Share of the rows to look at, drawn one by one.", min=0.0001, max=1.0)
    ] = 1.0,
    seed: Annotated[int, typer.Option(help="What the draws come from.", min=0)] = 7,
    *,
    write: Annotated[
        bool, typer.Option("--write", help="Write the proposed label beside each file: FILE.personal.json.")
    ] = False,
    json: Json = False,
) -> None:
    """Find personal data by column: 18 kinds, by form, check digits, words around them and names of columns.

    Columns that the manifest's label names (or --known) are fine. Exit code 1 if any other one holds personal data:
    use it as a pre-commit hook or before ingestion. No cell is ever shown.

    Example: [bold]fivefold data scan customers.csv --known email --write[/bold]
    """
    from fivefold.contract.registry import provided

    told = []
    for path, personal in _files(paths or [Path()]):
        rng = provided("personal.draws")(seed)
        told.append(provided("personal.report")(path, {*personal, *(known or ())}, sample, rng))
    written = [str(provided("personal.propose")(Path(one["file"]), one)) for one in told] if write else []
    lines = [line for one in told for line in _lines(one)]
    open_ = sum(len(one["unlabelled"]) for one in told)
    lines.append(f"{open_ or 'No'} columns with personal data that no label names.")
    if open_ and not write:
        lines.append("Name them under `label: {personal: [...]}`, mask them (fivefold data mask), or drop them.")
    say(json=json, value={"files": told, "written": written}, lines=[*lines, *(f"Written: {one}" for one in written)])
    raise typer.Exit(EXIT_FAILED if open_ else EXIT_DONE)


def _files(paths: list[Path]) -> list[tuple[Path, list[str]]]:
    """Return each file with the columns that its label names."""
    from fivefold.manifest.reader import read

    found = []
    for path in paths:
        if path.is_dir() or path.name == "fivefold.yaml":
            manifest = read(path)
            files = {manifest.root / data.path: _declared(manifest, name) for name, data in manifest.data.items()}
            found += [(file, known) for file, known in files.items() if file.is_file() and file.suffix != ".npz"]
        else:
            found.append((path, _label_of(path)))
    return found


def _declared(manifest: Manifest, name: str) -> list[str]:
    """Return what the label of a data set names, or where it has none, what those of the others do."""
    label = manifest.data[name].label
    labels = [label] if "personal" in label else [data.label for data in manifest.data.values()]
    return [str(column) for one in labels for column in one.get("personal") or ()]


def _label_of(path: Path) -> list[str]:
    """Return the personal columns that a manifest in a folder above declares for this very file."""
    from fivefold.manifest.reader import read

    for folder in list(path.resolve().parents)[:_NEAR]:
        if (folder / "fivefold.yaml").is_file():
            manifest = read(folder)
            names = [name for name, data in manifest.data.items() if (folder / data.path).resolve() == path.resolve()]
            return [column for name in names for column in _declared(manifest, name)]
    return []


def _lines(told: dict[str, Any]) -> list[str]:
    """Return what was found in one file, a line a column."""
    part = "" if told["read"] == told["rows"] else f" of {told['rows']:,}"
    lines = [f"{told['file']}: {told['read']:,}{part} rows"]
    for one in told["columns"]:
        if not one["personal"]:
            continue
        mark = "known" if one["column"] in told["known"] else "FOUND"
        where = f"{one['share']:.1%} of its cells" if one["found"].get(one["kind"]) else "by its name"
        others = [kind for kind in one["found"] if kind != one["kind"]]
        more = f"; also {', '.join(others)}" if others else ""
        sure = f"sure to {one['sure']:.0%} ({one['by']})"
        lines.append(f"  {mark}  {one['column']}: {one['says']}, {where}, {sure}{more}")
    if told["missed"]:
        lines.append(f"  A column that shows none may hold finds in up to {told['missed']:.2%} of its cells (95 %).")
    return lines
