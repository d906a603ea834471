"""Tokens: issued once, kept as hashes, revoked, outlived, and what is refused."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

import pytest
from tests.guard import signed

from fivefold.errors import InputError
from fivefold.guard import tokens as module
from fivefold.guard.tokens import Tokens
from fivefold.manifest.reader import read

if TYPE_CHECKING:
    from pathlib import Path

    from fivefold.manifest.nouns import Manifest


@pytest.fixture
def manifest(app: Path) -> Manifest:
    """The application's manifest."""
    made = read(app)
    Tokens(made.application.id).file.unlink(missing_ok=True)
    return made


def test_a_token_counts_until_it_is_revoked(manifest: Manifest) -> None:
    """For its principal, at once in another process too; nothing of it is in the file."""
    held = Tokens(manifest.application.id)
    token, made = held.issue(manifest, "branch-12", "caller", ("sorting",), 1)
    assert held.bearer(f"Bearer {token}") == made.principal
    assert held.bearer(f"bearer  {token} ") == made.principal
    assert token.encode() not in held.file.read_bytes()
    assert held.file.stat().st_mode & 0o077 == 0
    Tokens(manifest.application.id).revoke(made.id)
    assert held.bearer(f"Bearer {token}") is None


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic {}", "{}", "Bearer {}x", "Bearer x{}", "Bearer \udcff"]
)
def test_other_headers_bear_none(manifest: Manifest, header: str) -> None:
    """Another scheme, a piece of it, odd bytes."""
    held = Tokens(manifest.application.id)
    token, _ = held.issue(manifest, "p", "caller", ("sorting",), 1)
    assert held.bearer(header.format(token)) is None


def test_a_token_does_not_outlive_its_days(manifest: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A day, to the second."""
    held = Tokens(manifest.application.id)
    token, made = held.issue(manifest, "p", "caller", ("sorting",), 1)
    now = time.time()
    monkeypatch.setattr(module.time, "time", lambda: made.until - 1)
    assert held.bearer(f"Bearer {token}")
    monkeypatch.setattr(module.time, "time", lambda: made.until)
    assert held.bearer(f"Bearer {token}") is None
    assert 86_399 < made.until - now <= 86_401


@pytest.mark.parametrize(
    ("name", "role", "purposes", "code"),
    [
        ("p", "king", ("sorting",), "guard.role"),
        ("p", "caller", (), "guard.purpose"),
        ("p", "caller", ("war",), "guard.purpose"),
        ("", "caller", ("sorting",), "guard.name"),
        ("a\nb", "caller", ("sorting",), "guard.name"),
        ("x" * 201, "operator", (), "guard.name"),
    ],
)
def test_what_is_not_issued(manifest: Manifest, name: str, role: str, purposes: tuple[str, ...], code: str) -> None:
    """Unknown roles, undeclared purposes, odd names."""
    with pytest.raises(InputError) as error:
        Tokens(manifest.application.id).issue(manifest, name, role, purposes, 1)
    assert error.value.code == code


def test_a_file_that_others_may_read_or_that_is_malformed_counts_for_nobody(manifest: Manifest) -> None:
    """Refused with the remedy."""
    held = Tokens(manifest.application.id)
    held.issue(manifest, "p", "caller", ("sorting",), 1)
    held.file.chmod(0o644)
    with pytest.raises(InputError) as error:
        held.bearer("Bearer x")
    assert "chmod 600" in error.value.remedy
    held.file.chmod(0o600)
    held.file.write_bytes(b"[{}]")
    os.utime(held.file, ns=(1, 1))
    with pytest.raises(InputError):
        held.bearer("Bearer x")


def test_the_commands_issue_list_and_revoke(app: Path, manifest: Manifest, capsys: pytest.CaptureFixture[str]) -> None:
    """As a user does it."""
    assert manifest.purposes
    words = ("guard", "token", "issue", "--name", "branch-12", "--purpose", "sorting", "--in", app, "--json")
    assert signed.command(*words) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["token"].startswith("ff_")
    assert signed.command("guard", "token", "list", "--in", app) == 0
    shown = capsys.readouterr().out
    assert "branch-12" in shown
    assert made["token"] not in shown
    assert signed.command("guard", "token", "revoke", made["id"], "--in", app) == 0
    assert signed.command("guard", "token", "revoke", made["id"], "--in", app) == 2
    assert signed.command("guard", "token", "lend", "--in", app) == 2
