"""Landlock: what a process may open, enforced by the kernel and never to be undone (``man 7 landlock``).

Everything that the running kernel knows is handled and forbidden; then a list of places is allowed again. From ABI 4
on it also covers TCP, from ABI 6 on signals and abstract sockets. It does not hide that a file exists, nor its size.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_CREATE, _ADD, _RESTRICT = 444, 445, 446
_VERSION = 1
_PATH_BENEATH, _NET_PORT = 1, 2
_CONNECT = 0b10

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_TRUNCATE, _DEVICE = 1 << 14, 1 << 15
_FILE_RIGHTS = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _DEVICE
_MAKE = sum(1 << bit for bit in (4, 5, 7, 8, 12, 13))
"""Remove folder and file, make folder, file, link; move between folders. Not: devices, sockets, pipes."""

_HANDLED = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1, 5: (1 << 16) - 1}
_NETWORK = 0b11
_SCOPES = 0b11


class _Ruleset(ctypes.Structure):
    _fields_ = (("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


class _Port(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("port", ctypes.c_uint64))


def abi() -> int:
    """Return the kernel's Landlock version; 0: it has none."""
    try:
        version = int(_call(_CREATE, None, 0, _VERSION))
    except OSError:
        return 0
    return max(version, 0)


def restrict(read: Iterable[str], write: Iterable[str], port: int = 0, execute: Iterable[str] = ()) -> None:
    """Forbid this process all files but those beneath ``read`` (to read) and ``write`` (to do anything with).

    A path that does not exist is skipped. ``no_new_privs`` must be set.

    Args:
        read: Files and folders.
        write: Files and folders.
        port: TCP port that may be connected to; 0: none.
        execute: Programs, and folders of programs, that may be started.

    Raises:
        OSError: The kernel refused.
    """
    version = abi()
    handled = _HANDLED[min(version, 5)]
    rules = _Ruleset(handled, _NETWORK if version >= 4 else 0, _SCOPES if version >= 6 else 0)
    size = ctypes.sizeof(_Ruleset) if version >= 6 else 16 if version >= 4 else 8
    ruleset = int(_call(_CREATE, ctypes.byref(rules), size, 0))
    try:
        for path in dict.fromkeys(read):
            _allow(ruleset, path, (_READ_FILE | _READ_DIR) & handled)
        for path in dict.fromkeys(write):
            rights = _READ_FILE | _READ_DIR | _WRITE_FILE | _TRUNCATE | _MAKE
            _allow(ruleset, path, rights & handled)
        for path in dict.fromkeys(execute):
            _allow(ruleset, path, (_READ_FILE | _READ_DIR | _EXECUTE) & handled)
        if port and rules.net:
            rule = _Port(_CONNECT, port)
            _call(_ADD, ruleset, _NET_PORT, ctypes.byref(rule), 0)
        _call(_RESTRICT, ruleset, 0)
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    with contextlib.suppress(FileNotFoundError, NotADirectoryError, PermissionError):
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
                rights &= _FILE_RIGHTS
            rule = _Beneath(rights, descriptor)
            _call(_ADD, ruleset, _PATH_BENEATH, ctypes.byref(rule), 0)
        finally:
            os.close(descriptor)


def _call(number: int, *arguments: object) -> int:
    plain = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
    result = int(_LIBC.syscall(ctypes.c_long(number), *plain))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.syscall.restype = ctypes.c_long
