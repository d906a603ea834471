"""Seccomp: which system calls a process of the worker may make.

A list of what is refused: new processes, programs, sockets, other processes' memory, descriptors and signals, mounts,
kernel interfaces, and whatever would loosen the confinement itself. Threads stay allowed. A foreign architecture's
calls end the process.
"""

from __future__ import annotations

import errno
import os
from functools import cache
from typing import Any

_REFUSED = """
socket socketpair connect bind listen accept accept4
fork vfork execve execveat unshare setns
ptrace process_vm_readv process_vm_writev process_madvise process_mrelease kcmp
pidfd_open pidfd_getfd pidfd_send_signal tkill
mount umount umount2 pivot_root chroot move_mount open_tree open_tree_attr fsopen fsmount fsconfig fspick mount_setattr
bpf io_uring_setup io_uring_enter io_uring_register io_setup io_submit keyctl add_key request_key userfaultfd
perf_event_open fanotify_init fanotify_mark
shmget shmat shmctl shmdt msgget msgsnd msgrcv msgctl semget semop semctl semtimedop
mq_open mq_unlink mq_timedsend mq_timedreceive mq_notify mq_getsetattr memfd_create memfd_secret
swapon swapoff reboot kexec_load kexec_file_load init_module finit_module delete_module create_module
iopl ioperm modify_ldt acct quotactl quotactl_fd syslog personality vhangup nfsservctl lookup_dcookie
settimeofday clock_settime clock_adjtime adjtimex stime sethostname setdomainname
open_by_handle_at name_to_handle_at mknod mknodat
setuid setgid setreuid setregid setresuid setresgid setfsuid setfsgid setgroups capset setrlimit setsid setpgid
sched_setscheduler sched_setattr sched_setparam ioprio_set setpriority migrate_pages move_pages
""".split()  # noqa: SIM905

_FILE_ATTRIBUTES = """
chmod fchmod fchmodat fchmodat2 chown fchown lchown fchownat utime utimes utimensat futimesat
setxattr lsetxattr fsetxattr setxattrat removexattr lremovexattr fremovexattr removexattrat
""".split()  # noqa: SIM905

_TCP = ("socket", "connect")
_PROGRAMS = frozenset({"fork", "vfork", "execve"})
_NAMESPACES = tuple(1 << bit for bit in (7, 17, 25, 26, 27, 28, 29, 30))
"""CLONE_NEWTIME, NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET."""
_INTERNET = (2, 10)
"""AF_INET, AF_INET6."""
_FAMILIES = 64
_STREAM, _KIND = 1, 0xF
_CLONE_THREAD = 0x0001_0000
_OWN_ONLY = ("kill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo")
_PRCTL = (1, 0x59616D61, 35, 4)
"""PR_SET_PDEATHSIG, PR_SET_PTRACER, PR_SET_MM, PR_SET_DUMPABLE."""
_FCNTL = (8, 10, 15, 1031)
"""F_SETOWN, F_SETSIG, F_SETOWN_EX, F_SETPIPE_SZ."""
_IOCTL = (0x5412, 0x8901, 0x8902)
"""TIOCSTI, FIOSETOWN, SIOCSPGRP."""


def _no_tcp(lib: Any) -> list[Any]:
    """Return what makes a socket something else than one of TCP over the internet protocols."""
    families = [lib.Arg(0, lib.EQ, family) for family in range(_FAMILIES) if family not in _INTERNET]
    kinds = [lib.Arg(1, lib.MASKED_EQ, _KIND, kind) for kind in range(_KIND + 1) if kind != _STREAM]
    return [*families, lib.Arg(0, lib.GE, _FAMILIES), *kinds]


def _no_clones(lib: Any, *, programs: bool) -> list[Any]:
    """Return which calls of ``clone`` are refused: processes, or with ``programs`` only namespaces."""
    if programs:
        return [lib.Arg(0, lib.MASKED_EQ, flag, flag) for flag in _NAMESPACES]
    return [lib.Arg(0, lib.MASKED_EQ, _CLONE_THREAD, 0)]


@cache
def available() -> bool:
    """Return whether the filter can be built here."""
    try:
        _build(foreign=True)
    except Exception:  # noqa: BLE001  a missing library shows in many ways
        return False
    return True


def restrict(*, foreign: bool, network: bool = False, programs: bool = False) -> None:
    """Load the filter into this process, for good.

    Args:
        foreign: Also refuse changes of modes, owners, times and attributes of files, which Landlock does not cover.
        network: Allow TCP connections that this process opens; Landlock names the port.
        programs: Allow new processes and programs, in no namespace of their own; Landlock names the programs.

    Raises:
        OSError: The kernel refused.
    """
    _build(foreign=foreign, network=network, programs=programs).load()


def _build(*, foreign: bool, network: bool = False, programs: bool = False) -> Any:
    import pyseccomp as lib

    rules = lib.SyscallFilter(lib.ALLOW)
    refuse = lib.ERRNO(errno.EPERM)

    def add(action: int, name: str, *arguments: Any) -> None:
        try:
            number = lib.resolve_syscall(lib.Arch.NATIVE, name)
        except (ValueError, OSError):
            return
        if number >= 0:
            rules.add_rule(action, number, *arguments)

    spared = {*(_TCP if network else ()), *(_PROGRAMS if programs else ())}
    for name in (*_REFUSED, *(_FILE_ATTRIBUTES if foreign else ())):
        if name not in spared:
            add(refuse, name)
    told = [("socket", argument) for argument in (_no_tcp(lib) if network else ())]
    told += [("clone", argument) for argument in _no_clones(lib, programs=programs)]
    for name, argument in told:
        add(refuse, name, argument)
    add(lib.ERRNO(errno.ENOSYS), "clone3")
    for name in _OWN_ONLY:
        add(refuse, name, lib.Arg(0, lib.NE, os.getpid()))
    add(refuse, "prlimit64", lib.Arg(2, lib.NE, 0))
    for name, position, values in (("prctl", 0, _PRCTL), ("fcntl", 1, _FCNTL), ("ioctl", 1, _IOCTL)):
        for value in values:
            add(refuse, name, lib.Arg(position, lib.MASKED_EQ, 0xFFFF_FFFF, value))
    return rules
