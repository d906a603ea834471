"""Watch: what a child uses, read from ``/proc`` and its scratch folder, held against its limits."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_MB = 1 << 20


@dataclass(frozen=True)
class Limits:
    """What one check and each of its models may use.

    Attributes:
        seconds: Wall-clock time of the check.
        memory: Resident bytes beyond those of the engines.
        threads: Threads of one process.
        scratch: Bytes in one scratch folder.
        entries: Files and folders there.
        processes: Processes that a command may have at a time.
    """

    seconds: float
    memory: int
    threads: int = 256
    scratch: int = 512 * _MB
    entries: int = 10_000
    processes: int = 64


def broken(pid: int, scratch: Path, limits: Limits, baseline: int, *, files: bool) -> str:
    """Return which limit a process breaks, in words; empty if none (or if it is gone).

    Args:
        pid: The process.
        scratch: Its scratch folder.
        limits: Its limits.
        baseline: Resident bytes of the fork server, which the child shares.
        files: Also measure the scratch folder.
    """
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as file:  # noqa: PTH123
            resident = int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        threads = len(os.listdir(f"/proc/{pid}/task"))  # noqa: PTH208
    except (OSError, IndexError, ValueError):
        return ""
    if resident - baseline > limits.memory:
        return f"needed more than {limits.memory // _MB:,} MB of memory"
    if threads > limits.threads:
        return f"started more than {limits.threads} threads"
    if files and _too_much(scratch, limits):
        return f"wrote more than {limits.scratch // _MB} MB or {limits.entries:,} files"
    return ""


def crowded(leader: int, limits: Limits) -> str:
    """Return which limit the processes of a session break together, in words; empty if none.

    Args:
        leader: The process that leads the session.
        limits: Memory and processes of all together.
    """
    resident = count = 0
    for name in os.listdir("/proc"):  # noqa: PTH208
        if not name.isdigit() or name == str(leader):
            continue
        try:
            with open(f"/proc/{name}/stat", encoding="ascii", errors="replace") as file:  # noqa: PTH123
                fields = file.read().rpartition(")")[2].split()
        except OSError:
            continue
        if len(fields) > 21 and int(fields[3]) == leader:
            count += 1
            resident += int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
    if count > limits.processes:
        return f"started more than {limits.processes} processes"
    if resident > limits.memory:
        return f"needed more than {limits.memory // _MB:,} MB of memory"
    return ""


def _too_much(folder: Path, limits: Limits) -> bool:
    size = count = 0
    for place, folders, leaves in os.walk(folder):
        count += len(leaves) + len(folders)
        for leaf in leaves:
            try:
                size += os.lstat(os.path.join(place, leaf)).st_blocks * 512  # noqa: PTH118
            except OSError:
                continue
        if size > limits.scratch or count > limits.entries:
            return True
    return False


def ending(status: int) -> str:
    """Return how a process ended, in words; empty if it ended as it should."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        try:
            name = signal.Signals(number).name
        except ValueError:
            name = str(number)
        return f"was ended by signal {name}"
    code = os.waitstatus_to_exitcode(status)
    return f"ended itself with exit code {code}" if code else ""
