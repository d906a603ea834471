"""House rules that no linter knows."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[1]
SOURCES = sorted((REPO / "src" / "fivefold").rglob("*.py"))


def test_no_module_is_longer_than_400_lines() -> None:
    """A module past 400 lines holds two concepts."""
    long = {str(path): n for path in SOURCES if (n := len(path.read_text(encoding="utf-8").splitlines())) > 400}
    assert not long


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(REPO)))
def test_source_unpickles_nothing_and_evaluates_nothing(path: Path) -> None:
    """No pickle, marshal, shelve, eval, exec or assert in the product (rule 9, secure by default)."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        assert not isinstance(node, ast.Assert), f"{path}:{node.lineno}: assert is gone under -O"
        if isinstance(node, ast.Import):
            names = {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names = {(node.module or "").split(".")[0]}
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            names = {node.func.id} & {"eval", "exec"}
        else:
            continue
        assert not names & {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "eval", "exec"}, path


@pytest.mark.parametrize("words", [["--help"], ["list"], ["explain", "S5"], ["plan", "examples/credit"]], ids=" ".join)
def test_light_commands_load_no_engine(words: list[str]) -> None:
    """The four light commands import none of the engines."""
    code = (
        "import sys\nfrom fivefold.cli.main import run\n"
        f"try:\n    run({words!r})\nexcept SystemExit as leave:\n    assert not leave.code, leave.code\n"
        "heavy = {'numpy', 'pandas', 'scipy', 'sklearn', 'torch', 'pyarrow'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPO, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def test_package_root_exports_its_version_only() -> None:
    """A function named like a room would be shadowed by it, so the root stays a signpost."""
    tree = ast.parse((REPO / "src" / "fivefold" / "__init__.py").read_text(encoding="utf-8"))
    names = {target.id for node in tree.body if isinstance(node, ast.Assign) for target in node.targets}  # type: ignore[attr-defined]
    assert names == {"__version__"}


def test_every_room_has_a_caption() -> None:
    """The first line of each package says what the room is for."""
    for init in (REPO / "src" / "fivefold").glob("*/__init__.py"):
        caption = ast.get_docstring(ast.parse(init.read_text(encoding="utf-8"))) or ""
        assert re.match(r"^\S.{15,}", caption), init
