"""What the documentation tells a reader to type works."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
_BLOCK = re.compile(r"^```console\n(.*?)^```", re.DOTALL | re.MULTILINE)
_EXIT = re.compile(r"#\s*exit (\d+)\s*$")


def _lines(page: Path) -> list[tuple[str, int]]:
    found = []
    for block in _BLOCK.findall(page.read_text(encoding="utf-8")):
        for line in block.splitlines():
            if line.startswith("$ "):
                code = _EXIT.search(line)
                found.append((_EXIT.sub("", line[2:]).strip(), int(code.group(1)) if code else 0))
    return found


@pytest.mark.slow
def test_every_command_of_the_tutorial_does_what_the_page_says(tmp_path: Path) -> None:
    """The tutorial's commands run in order in an empty folder and leave with the exit codes that it states."""
    assert _run(REPO / "docs" / "tutorial.md", tmp_path) > 10
    assert (tmp_path / "report.html").stat().st_size < 400_000


@pytest.mark.slow
def test_two_organisations_share_statistics_as_the_page_says(tmp_path: Path) -> None:
    """The commands of the page on the census run in order, and leave with the exit codes that it states."""
    assert _run(REPO / "docs" / "how-to" / "share-statistics.md", tmp_path) > 10


def _run(page: Path, place: Path) -> int:
    """Run the commands of a page, each of which must leave as stated; return how many there are."""
    for name in ("credit", "census"):
        shutil.copytree(REPO / "examples" / name, place / "examples" / name, ignore=_not_evidence)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    commands = _lines(page)
    for command, expected in commands:
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=place,
            env={**os.environ, "PATH": path, "HOME": str(place)},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == expected, f"{command}\n{done.stdout[-1500:]}\n{done.stderr[-1500:]}"
    return len(commands)


def _not_evidence(_folder: str, names: list[str]) -> list[str]:
    return [name for name in names if name in ("evidence", "__pycache__")]


def test_the_readme_stays_short_and_names_the_two_commands() -> None:
    """The README has at most 150 lines and the two commands that do all the set-up."""
    text = (REPO / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 150
    assert "scripts/demo" in text
    assert "scripts/test" in text


def test_every_command_in_the_readme_exists() -> None:
    """No line of the README starts with a command that the program does not know."""
    from fivefold.cli.main import COMMANDS

    known = {name.split()[0] for name in COMMANDS}
    used = set(re.findall(r"^fivefold ([a-z]+)", (REPO / "README.md").read_text(encoding="utf-8"), re.MULTILINE))
    assert used
    assert used <= known


def test_a_help_block_in_the_docs_is_what_the_program_prints() -> None:
    """Where a page shows the output of --help, it is the program's own."""
    import importlib.util

    spec = importlib.util.spec_from_file_location("row_pages", REPO / "docs" / "row_pages.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    pages = [REPO / "README.md", *(REPO / "docs").rglob("*.md")]
    shown = [
        (page, found.group(1), found.group(2).strip())
        for page in pages
        for found in re.finditer(
            r"^```text\n\$ fivefold ([a-z ]*)--help\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE
        )
    ]
    assert shown, "the README shows the help of `fivefold assess`"
    for page, command, text in shown:
        assert text == module._help(command.strip()), f"{page.name}: fivefold {command}--help"


def test_every_check_has_a_page_and_the_site_lists_it() -> None:
    """A check without a page in the navigation fails here."""
    from fivefold.contract.registry import checks

    navigation = (REPO / "mkdocs.yml").read_text(encoding="utf-8")
    for check in checks():
        page = f"techniques/{check.replace('.', '-')}.md"
        assert (REPO / "docs" / page).is_file(), page
        assert page in navigation, page
