"""Whatever the product or its pages tell a reader to type is there: commands and their options."""

from __future__ import annotations

import ast
import importlib
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer

from fivefold.cli.main import COMMANDS, GROUPS

if TYPE_CHECKING:
    from collections.abc import Iterator

REPO = Path(__file__).resolve().parents[1]
SOURCE = REPO / "src" / "fivefold"
PAGES = sorted([*(REPO / "docs").rglob("*.md"), REPO / "README.md", *REPO.glob("changelog.d/*.md")])
_NAMED = re.compile(r"(?<![\w./-])fivefold ([a-z][a-z-]*)(?: ([a-z][a-z-]*))?((?: +[^`\n;.]*)?)")
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")


def _constants(path: Path) -> Iterator[str]:
    """Yield the texts of a module as a reader sees them, the parts of an f-string joined."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "X" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from _leaves(part)
    elif isinstance(value, str):
        yield value


def _said(path: Path) -> Iterator[str]:
    if path.suffix == ".py":
        yield from _constants(path)
    elif path.suffix == ".toml":
        yield from _leaves(tomllib.loads(path.read_text(encoding="utf-8")))
    else:
        yield path.read_text(encoding="utf-8")


def wrong(text: str) -> list[str]:
    """Return what a text names and the program does not have."""
    found = []
    for match in _NAMED.finditer(text):
        first, second, rest = match[1], match[2] or "", match[3] or ""
        name = f"{first} {second}" if first in GROUPS else first
        if name.strip() in GROUPS and not second:
            continue
        if name not in COMMANDS:
            found.append(match[0].strip())
            continue
        known = _options(name)
        found += [f"{name} {option}" for option in _OPTION.findall(rest) if option not in known]
    return found


def _options(name: str) -> set[str]:
    module, _, function = COMMANDS[name].target.partition(":")
    table = typer.Typer(add_completion=False)
    table.command()(getattr(importlib.import_module(f"fivefold.cli.{module}"), function))
    made = typer.main.get_command(table)
    return {"--help", *(text for parameter in made.params for text in (*parameter.opts, *parameter.secondary_opts))}


@pytest.mark.parametrize(
    "path",
    [path for path in sorted(SOURCE.rglob("*")) if path.suffix in (".py", ".toml", ".html")],
    ids=lambda path: str(path.relative_to(SOURCE)),
)
def test_messages_remedies_and_the_catalogue_name_commands_that_exist(path: Path) -> None:
    """A remedy that cannot be typed sends its reader nowhere."""
    named = [fault for text in _said(path) for fault in wrong(text)]
    assert not named


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(REPO)))
def test_pages_name_commands_that_exist(path: Path) -> None:
    """Between backticks and on lines that begin with a prompt."""
    text = path.read_text(encoding="utf-8")
    typed = [*re.findall(r"`(fivefold [^`\n]+)`", text), *re.findall(r"^\s*\$ (fivefold .*)$", text, re.MULTILINE)]
    assert not [fault for line in typed for fault in wrong(line)]


def test_what_does_not_exist_is_noticed() -> None:
    """The rule can fail: a command, a command of a group, an option."""
    assert wrong("do: `fivefold data melt`") == ["fivefold data melt"]
    assert wrong("explain with fivefold model explain --robust.") == ["fivefold model explain"] or wrong(
        "fivefold model explain"
    )
    assert wrong("`fivefold plan --probe --fast`") == ["plan --fast"]
    assert wrong("`fivefold init --split 0.3`, `fivefold list`, fivefold key new --role signer") == []


def test_remedies_of_the_catalogue_name_no_control_that_is_not_built() -> None:
    """Advice, not a switch that nothing turns."""
    from fivefold import catalogue
    from fivefold.contract.registry import packs

    known = {technique for pack in packs() for technique in pack.controls}
    for row in catalogue.load().techniques:
        assert set(re.findall(r"controls:\W*(\w+)", row.remedy)) <= known, row.id
        assert row.remedy.count("controls:") == len(re.findall(r"controls:\W*\w+", row.remedy)), row.id
