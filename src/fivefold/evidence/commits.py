"""Commits: what a repository around an application holds at a commit, asked of git without running anything of its."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from shutil import which
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SECONDS = 30
_LARGEST = 16 << 20


def is_commit(text: str) -> bool:
    """Return whether a text is the full id of a commit."""
    return bool(_COMMIT.fullmatch(text))


def head(folder: Path) -> str:
    """Return the commit that is checked out; empty: there is no repository, no commit, or no git."""
    found = _git(folder, "rev-parse", "--verify", "HEAD^{commit}").decode("ascii", "replace").strip()
    return found if is_commit(found) else ""


def in_repository(folder: Path) -> bool:
    """Return whether git knows a repository around a folder."""
    return _git(folder, "rev-parse", "--is-inside-work-tree").strip() == b"true"


def knows(folder: Path, commit: str) -> bool:
    """Return whether the repository holds a commit."""
    return is_commit(commit) and _git(folder, "cat-file", "-t", commit).strip() == b"commit"


def files_at(folder: Path, commit: str, names: Iterable[str]) -> dict[str, str]:
    """Return the SHA-256 of files as they are at a commit; those that it lacks, or of more than 16 MiB, are left out.

    Args:
        folder: The manifest's.
        commit: A full id.
        names: POSIX, relative to the folder.
    """
    found = {}
    for name in names if is_commit(commit) else ():
        size = _git(folder, "cat-file", "-s", f"{commit}:./{name}").strip()
        if size.isdigit() and int(size) <= _LARGEST:
            data = _git(folder, "cat-file", "blob", f"{commit}:./{name}")
            if len(data) == int(size):
                found[name] = hashlib.sha256(data).hexdigest()
    return found


def origin(folder: Path) -> str:
    """Return the address of the repository's ``origin``, without a name or password in it; empty: there is none."""
    found = _git(folder, "config", "--get", "remote.origin.url").decode("utf-8", "replace").strip()
    return re.sub(r"(?<=://)[^/@]*@", "", found) if found.isprintable() else ""


def _git(folder: Path, *arguments: str) -> bytes:
    """Return what git writes, empty where it fails; no hook, no network, no configuration but the repository's."""
    program = which("git")
    if program is None:
        return b""
    quiet = {
        "PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_NO_LAZY_FETCH": "1", "GIT_ALLOW_PROTOCOL": "", "GIT_NO_REPLACE_OBJECTS": "1", "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",
    }  # fmt: skip
    try:
        ended = subprocess.run(  # noqa: S603
            [program, "-C", str(folder), "-c", "core.fsmonitor=false", *arguments],
            env=quiet, stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=False,
        )  # fmt: skip
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return b""
    return ended.stdout if ended.returncode == 0 else b""
