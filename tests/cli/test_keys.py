"""The commands key new and trust, as a user runs them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


def run(*words: str | Path, code: int = 0) -> Any:
    """Run fivefold with --json in a process of its own; return the document on standard output, or the error."""
    command = [sys.executable, "-m", "fivefold", *map(str, words), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout or done.stderr)


def test_a_key_is_made_trusted_listed_and_revoked(tmp_path: Path) -> None:
    """The life of a key, in the user's own trust file and in one that was named."""
    made = run("key", "new", "--role", "signer", "--name", "Ann [bold]")
    assert (made["algorithm"], made["trusted"]) == ("ecdsa-p256", False)
    assert Path(made["private"]).stat().st_mode & 0o777 == 0o600
    assert run("trust", "list")["keys"] == []
    run("trust", "add", made["public"], "--role", "signer", "--name", "Ann [bold]")
    (entry,) = run("trust", "list")["keys"]
    assert (entry["id"], entry["roles"], entry["name"]) == (made["id"], ["signer"], "Ann [bold]")
    run("trust", "revoke", made["id"][:12], "--since", "2026-01-01T00:00:00Z")
    assert run("trust", "list")["keys"][0]["revoked"] == "2026-01-01T00:00:00Z"
    other = tmp_path / "trust.json"
    run("trust", "add", made["public"], "--role", "signer", "--name", "Ann", "--trust", other)
    assert run("trust", "list", "--trust", other)["keys"][0]["revoked"] == ""


def test_key_new_can_trust_at_once() -> None:
    """--trust writes the user's own trust file."""
    made = run("key", "new", "--role", "privacy-officer", "--name", "Pia", "--trust")
    assert [key["id"] for key in run("trust", "list")["keys"]] == [made["id"]]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("key", "new", "--role", "signer", "--algorithm", "ed25519"), "keys.algorithm"),
        (("trust", "add", "/etc/hostname", "--role", "signer", "--name", "x"), "keys.malformed"),
        (("trust", "add", "nobody", "--role", "signer", "--name", "x"), "keys.missing"),
        (("trust", "revoke", "abcdef123"), "trust.no-such-key"),
        (("trust", "list", "--trust", "/nowhere/trust.json"), "trust.missing"),
    ],
)
def test_a_mistake_gives_a_code_and_exit_2(words: tuple[str, ...], error: str) -> None:
    """No traceback, no half-written file."""
    assert run(*words, code=2)["error"]["code"] == error


def test_names_are_shown_as_written() -> None:
    """A name that looks like markup or a very long path is neither swallowed nor wrapped."""
    command = [sys.executable, "-m", "fivefold", "key", "new", "--role", "assessor", "--name", "A [red]x[/red]"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert "A [red]x[/red]" in done.stdout
    assert any(line.startswith("  id ") and len(line.split()[1]) == 64 for line in done.stdout.splitlines())
