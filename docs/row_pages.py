"""Documentation hook: one page for every row of the catalogue and one for the command line, made at build time.

The pages are made of the same data that plan, verdict and `fivefold explain` read, so they cannot say anything else.
What only a person can write (threat, method, limits at length) stands on the page of each built check, linked here.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from fivefold import catalogue
from fivefold.cli.main import COMMANDS
from fivefold.contract.registry import checks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

    from fivefold.catalogue.nouns import Catalogue, CheckEntry, Technique
    from fivefold.contract.registry import CheckSpec


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add ``rows/<ID>.md``, ``rows/index.md`` and ``commands.md``."""
    from mkdocs.structure.files import File

    known = catalogue.load()
    for row in known.techniques:
        files.append(File.generated(config, f"rows/{row.id}.md", content="\n".join(_page(row, known)) + "\n"))
    files.append(File.generated(config, "rows/index.md", content=_index(known)))
    files.append(File.generated(config, "commands.md", content=_commands()))
    return files


def _index(known: Catalogue) -> str:
    lines = [f"| [{row.id}]({row.id}.md) | {_cell(row.title)} | {row.state} |" for row in known.techniques]
    return "\n".join(["# All rows", "", "| row | what | state |", "|---|---|---|", *lines]) + "\n"


def _page(row: Technique, known: Catalogue) -> Iterator[str]:
    yield f"# {row.id}: {row.title}\n"
    yield f"**{row.question}** {row.asks}\n"
    yield f"State in this version: **{row.state}**. Run `fivefold explain {row.id}` for the same in the terminal.\n"
    claims = [claim.id for claim in known.claims if any(_of(token, row.id) for some in claim.needs for token in some)]
    aims = [aim.id for aim in known.aims if row.id in aim.rows]
    if claims or aims:
        yield f"Needed by: {', '.join([f'claim {name}' for name in claims] + [f'aim {name}' for name in aims])}.\n"
    if row.checks:
        yield "## Checks\n\n| check | state | what it asks |\n|---|---|---|"
        specs = checks()
        for entry in row.checks:
            yield _check_line(entry, specs.get(entry.id))
        yield ""
        for entry in row.checks:
            if entry.id in specs:
                yield from _check(entry, specs[entry.id])
    if row.duties:
        yield "## Duties\n"
        yield from (f"- {duty.text}" for duty in row.duties)
        yield ""
    if row.remedy:
        yield f"## What to do when it fails\n\n{row.remedy}\n"


def _of(token: str, row: str) -> bool:
    return token.partition("/")[0].partition(".")[0] == row


def _check_line(entry: CheckEntry, spec: CheckSpec | None) -> str:
    name = f"[{entry.id}](../techniques/{entry.id.replace('.', '-')}.md)" if spec else entry.id
    return f"| {name} | {entry.state} | {_cell(spec.question if spec else entry.asks)} |"


def _check(entry: CheckEntry, spec: CheckSpec) -> Iterator[str]:
    yield f"### {entry.id}\n\n{spec.question}\n"
    for title, text in (
        ("Threat", spec.threat), ("Method", spec.method), ("Limits", spec.limits), ("Source", spec.source),
        ("Cost", spec.cost), ("Needs", ", ".join(f"`{need}`" for need in spec.needs)),
    ):  # fmt: skip
        yield f"**{title}.** {text}\n"
    keys = [
        f"| `{floor.key}` | floor {floor.value:g} ({floor.direction}) | {_cell(f'{floor.measures} ({floor.source})')} |"
        for floor in entry.floors
    ]
    floors = {floor.key for floor in entry.floors}
    keys += [
        f"| `{key}` | {'off' if option.default is None else option.default} | {_cell(option.help)} |"
        for key, option in spec.options.items()
        if key not in floors
    ]
    if keys:
        yield (
            f"| key under `checks: {{{entry.id}: ...}}` | default | meaning |\n|---|---|---|\n" + "\n".join(keys) + "\n"
        )


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _commands() -> str:
    """Return every command's own ``--help``, as the program prints it."""
    parts = ["# Commands", "", "What each command prints for `--help`."]
    for name in COMMANDS:
        parts += ["", f"## fivefold {name}", "", "```text", _help(name), "```"]
    return "\n".join(parts) + "\n"


def _help(name: str) -> str:
    environment = os.environ | {"COLUMNS": "96", "NO_COLOR": "1", "TERM": "dumb", "PYTHONUTF8": "1"}
    command = [str(Path(sys.executable).with_name("fivefold")), *name.split(), "--help"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60)  # noqa: S603
    return "\n".join(line.rstrip() for line in done.stdout.strip().splitlines())
