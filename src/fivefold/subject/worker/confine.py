"""Confine: a child gives up everything that it does not need, before it reads a byte that is not ours.

In order: a session of its own, death with its parent, no new privileges, resource limits, Landlock, capabilities,
seccomp. What the kernel lacks is skipped here and said in the finding (:func:`protections`).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import struct
import sys
from typing import TYPE_CHECKING

from fivefold.subject.worker import landlock, seccomp

if TYPE_CHECKING:
    from fivefold.contract.check import Without
    from fivefold.subject.worker.messages import Confinement

_PDEATHSIG, _NO_NEW_PRIVS, _CAPBSET_DROP = 1, 38, 24
_CAPSET = {"x86_64": 126, "aarch64": 91}
_READ_ANY = 2
"""CAP_DAC_READ_SEARCH: kept for root, whose data may belong to others; Landlock still names what it may read."""
_OPEN_FILES = 256

DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
SYSTEM = (
    "/usr", "/lib", "/lib64", "/bin", "/etc/ld.so.cache", "/etc/localtime", "/etc/timezone", "/etc/mime.types",
    "/etc/nsswitch.conf", "/etc/passwd", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/sys/kernel",
    "/proc/sys/vm", "/sys/devices/system/cpu", "/sys/devices/system/node",
)  # fmt: skip
"""What interpreters and engines read; none of it is secret."""


def protections() -> tuple[str, ...]:
    """Return the protections that are in force in every child on this machine."""
    found = ["processes"]
    if sys.platform == "linux":
        found += ["limits", "no-new-privileges"]
        version = landlock.abi()
        if version:
            found.append(f"landlock-{version}")
        if seccomp.available():
            found.append("seccomp")
    return tuple(found)


def confine(rules: Confinement, parent: int, *, without: Without = "") -> None:
    """Confine this process.

    Args:
        rules: What it may touch.
        parent: Process id of the fork server; if that is gone already, this process ends.
        without: What is left out; for our own battery of attempts alone, never where foreign code runs.

    Raises:
        OSError: The kernel has a protection and refused it.
    """
    os.setsid()
    os.umask(0o077)
    _limits(rules)
    if sys.platform != "linux":
        return
    _prctl(_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    _prctl(_NO_NEW_PRIVS, 1)
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:  # noqa: PTH123
        file.write("1000")  # when memory runs out, the kernel ends this process before any other
    if landlock.abi() and without != "landlock":
        own = (f"/proc/{os.getpid()}",)
        landlock.restrict(
            (*rules.read, *SYSTEM, *own, *DEVICES),
            (rules.scratch, "/dev/null", *rules.write),
            port=rules.port,
            execute=rules.execute,
        )
    _drop_capabilities()
    if seccomp.available() and without != "seccomp":
        seccomp.restrict(foreign=rules.foreign, network=bool(rules.port), programs=bool(rules.execute))


def _limits(rules: Confinement) -> None:
    wanted = (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
        (resource.RLIMIT_FSIZE, rules.file_bytes),
        (resource.RLIMIT_MSGQUEUE, 0),
    )
    for kind, value in wanted:
        resource.setrlimit(kind, (value, value))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


def _drop_capabilities() -> None:
    """Drop every capability from all sets; root keeps :data:`_READ_ANY`."""
    kept = 1 << _READ_ANY if os.geteuid() == 0 else 0
    for capability in range(64):
        if not kept >> capability & 1:
            _LIBC.prctl(_CAPBSET_DROP, capability, 0, 0, 0)
    number = _CAPSET.get(os.uname().machine)
    if number is None:
        return
    header = ctypes.create_string_buffer(struct.pack("<Ii", 0x20080522, 0))
    data = ctypes.create_string_buffer(struct.pack("<6I", kept, kept, 0, 0, 0, 0))
    _LIBC.syscall(ctypes.c_long(number), header, data)


def _prctl(option: int, value: int) -> None:
    if _LIBC.prctl(option, value, 0, 0, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


_LIBC = ctypes.CDLL(None, use_errno=True)
