"""A user with a signer's key, and a signed application."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.guard import signed

if TYPE_CHECKING:
    from pathlib import Path

_FOLDERS = ("CONFIG", "STATE", "CACHE", "DATA")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys and trust of a user, made once a file."""
    found = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in _FOLDERS:
            patch.setenv(f"XDG_{name}_HOME", str(found / name.lower()))
        signed.signer(found)
    return found


@pytest.fixture(autouse=True)
def home(made: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be that user."""
    for name in _FOLDERS:
        monkeypatch.setenv(f"XDG_{name}_HOME", str(made / name.lower()))
    return made


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """A signed application of its own."""
    return signed.application(tmp_path / "app")
