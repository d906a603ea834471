"""Measure: what a command costs with all its children: processor time, wall clock, peak memory."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

_SUBREAPER = 36  # prctl number of PR_SET_CHILD_SUBREAPER


@dataclass(frozen=True)
class Cost:
    """What one run cost.

    Attributes:
        cpu: User and system seconds of the command and all its descendants.
        wall: Seconds.
        peak: Largest sum of proportional set sizes of all descendants in bytes; 0 if it was not watched.
        code: Exit status.
        out: Standard output.
        err: Standard error.
    """

    cpu: float
    wall: float
    peak: int
    code: int
    out: str
    err: str


def run(command: list[str], *, cwd: Path, env: dict[str, str], watch: bool = False, limit: float = 1800) -> Cost:
    """Run a command and count everything that it starts, orphans included.

    Args:
        command: Program and arguments.
        cwd: Working folder.
        env: The whole environment.
        watch: Whether to sample memory (costs some processor time of our own, none of the command's).
        limit: Seconds after which it is killed.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)  # orphans come back to us, so that none escapes the count
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        child = subprocess.Popen(command, cwd=cwd, env=env, stdout=out, stderr=err, stdin=subprocess.DEVNULL)
        peaks: list[int] = [0]
        watcher = threading.Thread(target=_watch, args=(child, peaks), daemon=True)
        if watch:
            watcher.start()
        try:
            code = child.wait(limit)
        except subprocess.TimeoutExpired:
            child.kill()
            code = child.wait()
        wall = time.perf_counter() - start
        if watch:
            watcher.join()
        _reap()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        out.seek(0)
        err.seek(0)
        return Cost(cpu, wall, peaks[0], code, out.read(), err.read())


def _reap() -> None:
    """Wait for orphans, ten seconds at most; one that runs on is not in the bill."""
    for _ in range(1000):
        try:
            done, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if done == 0:
            time.sleep(0.01)


def _watch(child: subprocess.Popen[bytes], peaks: list[int]) -> None:
    while child.poll() is None:
        peaks[0] = max(peaks[0], sum(_resident(pid) for pid in family(child.pid)))
        time.sleep(0.02)


def family(root: int) -> list[int]:
    """Return the process and its descendants."""
    family, queue = [], [root]
    while queue:
        pid = queue.pop()
        family.append(pid)
        for task in Path(f"/proc/{pid}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                queue.extend(int(text) for text in task.read_text().split())
    return family


def _resident(pid: int) -> int:
    """Return the proportional set size in bytes: shared pages count once over all that share them."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0
