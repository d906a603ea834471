# ruff: noqa: PTH101, PTH104, PTH108, PTH110, PTH112, PTH115, PTH118, PTH123, PTH202, PTH208, PTH211, T201, RUF059
"""A model that tries to break out: each attempt is a function that returns if it worked and raises if it did not.

This file is copied into an application as its model; it imports nothing of ours and nothing of the tests.
"""

import ctypes
import fcntl
import json
import mmap
import os
import resource
import signal
import socket
import subprocess
import threading
from pathlib import Path

import numpy as np

LIBC = ctypes.CDLL(None, use_errno=True)
_PLACES = Path(__file__).with_name("places.json")
PLACES = json.loads(_PLACES.read_text()) if _PLACES.exists() else {}


def _check(result):
    if result == -1:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def _gone(pid):
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def fork():
    _gone(os.fork())


def raw_clone():
    pid = _check(LIBC.syscall(56, signal.SIGCHLD, 0, 0, 0, 0))
    _gone(pid)


def raw_clone3():
    arguments = (ctypes.c_uint64 * 11)(0, 0, 0, 0, signal.SIGCHLD)
    pid = _check(LIBC.syscall(435, arguments, 88))
    _gone(pid)


def run_program():
    subprocess.run(["/bin/true"], check=True)


def shell():
    if os.system("true") != 0:
        raise OSError("no shell")


def posix_spawn():
    os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)


def tcp():
    with socket.socket() as peer:
        peer.connect(("127.0.0.1", PLACES["port"]))


def udp():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.sendto(b"x", ("127.0.0.1", 9))


def unix_socket():
    socket.socket(socket.AF_UNIX).close()


def listen():
    with socket.socket() as peer:
        peer.bind(("127.0.0.1", 0))
        peer.listen()


def netlink():
    socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0).close()


def read_key():
    Path(PLACES["key"]).read_bytes()


def read_evidence():
    Path(PLACES["evidence"]).read_bytes()


def read_record():
    Path(PLACES["record"]).read_bytes()


def read_app_keys():
    Path(PLACES["app_keys"]).read_bytes()


def read_dot_file():
    Path(PLACES["dot"]).read_bytes()


def read_home():
    Path(PLACES["home"]).read_bytes()


def read_unsigned_code():
    Path(PLACES["unsigned"]).read_bytes()


def import_unsigned_code():
    import unsigned  # noqa: F401


def list_app():
    os.listdir(PLACES["app"])


def list_root():
    os.listdir("/root") if os.path.isdir("/root") else os.listdir("/home")


def read_shadow():
    Path("/etc/shadow").read_bytes()


def write_app():
    Path(PLACES["app"], "planted.txt").write_text("x")


def write_snapshot():
    Path(__file__).with_name("planted.txt").write_text("x")


def write_model():
    path = Path(__file__)
    path.chmod(0o644)
    with path.open("a") as file:
        file.write("\n# changed\n")


def append_model():
    with open(__file__, "a") as file:
        file.write("\n")


def rename_model():
    os.rename(__file__, __file__ + "x")


def write_tmp():
    path = Path("/tmp", f"planted-{os.getpid()}")
    path.write_text("x")
    path.unlink()


def write_data():
    with Path(PLACES["data"]).open("ab") as file:
        file.write(b"\n")


def truncate_data():
    os.truncate(PLACES["data"], os.path.getsize(PLACES["data"]))


def chmod_key():
    os.chmod(PLACES["key"], 0o644)


def touch_evidence():
    os.utime(PLACES["evidence"])


def link_key():
    target = os.path.join(os.environ.get("TMPDIR", "/tmp"), "linked")
    os.link(PLACES["key"], target)
    os.unlink(target)


def symlink_key():
    place = os.path.join(os.environ.get("TMPDIR", "/tmp"), "way")
    os.symlink(PLACES["key"], place)
    try:
        Path(place).read_bytes()
    finally:
        os.unlink(place)


def delete_evidence():
    copy = PLACES["evidence"] + ".copy"
    os.rename(PLACES["evidence"], copy)
    os.rename(copy, PLACES["evidence"])


def kill_parent():
    os.kill(os.getppid(), 0)


def kill_driver():
    os.kill(PLACES["driver"], 0)


def kill_all():
    os.kill(-1, 0)


def tgkill_parent():
    _check(LIBC.syscall(234, os.getppid(), os.getppid(), 0))


def own_signal():
    left, right = os.pipe()
    try:
        fcntl.fcntl(left, fcntl.F_SETOWN, os.getppid())
    finally:
        os.close(left)
        os.close(right)


def pidfd():
    os.close(os.pidfd_open(os.getppid()))


def ptrace_parent():
    LIBC.ptrace.restype = ctypes.c_long
    _check(LIBC.ptrace(0x4206, os.getppid(), 0, 0))


def read_parent_memory():
    here = ctypes.create_string_buffer(8)
    local = (ctypes.c_uint64 * 2)(ctypes.addressof(here), 8)
    remote = (ctypes.c_uint64 * 2)(id(None), 8)
    _check(LIBC.process_vm_readv(os.getppid(), local, 1, remote, 1, 0))


def read_parent_environment():
    Path(f"/proc/{os.getppid()}/environ").read_bytes()


def read_driver_environment():
    Path(f"/proc/{PLACES['driver']}/environ").read_bytes()


def read_parent_mem():
    with open(f"/proc/{os.getppid()}/maps") as file:
        file.read()


def parent_descriptors():
    os.listdir(f"/proc/{os.getppid()}/fd")


def memory_file():
    os.close(os.memfd_create("x"))


def shared_memory():
    _check(LIBC.shmget(0, 4096, 0o1600))


def message_queue():
    number = _check(LIBC.msgget(0, 0o1600))
    LIBC.msgctl(number, 0, 0)


def raise_limits():
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    resource.prlimit(0, resource.RLIMIT_NOFILE, resource.getrlimit(resource.RLIMIT_NOFILE))


def outlive_parent():
    _check(LIBC.prctl(1, 0, 0, 0, 0))


def new_session():
    if os.getpid() != os.getsid(0):
        raise OSError("not a leader, could not tell")
    os.setpgid(0, 0)


def namespace():
    _check(LIBC.unshare(0x10000000))


def io_uring():
    parameters = ctypes.create_string_buffer(120)
    os.close(_check(LIBC.syscall(425, 4, parameters)))


def userfault():
    os.close(_check(LIBC.syscall(323, 1)))


def keyring():
    _check(LIBC.syscall(250, 0, -3, 0))


def perf():
    os.close(_check(LIBC.syscall(298, (ctypes.c_uint32 * 32)(1, 112), 0, -1, -1, 0)))


def become_other():
    os.setuid(os.getuid())


def change_root():
    os.chroot("/")


def device():
    os.mkfifo(os.path.join(os.environ.get("TMPDIR", "/tmp"), f"pipe{os.getpid()}"))


def environment_secret():
    if PLACES["secret"] not in os.environ.get("FIVEFOLD_TEST_SECRET", ""):
        raise OSError("not there")


def other_descriptors():
    names = [int(name) for name in os.listdir("/proc/self/fd")]
    targets = [os.readlink(f"/proc/self/fd/{name}") for name in names if os.path.exists(f"/proc/self/fd/{name}")]
    strange = [target for target in targets if not target.startswith(("/dev/null", "socket:", "/proc"))]
    if len([target for target in targets if target.startswith("socket:")]) <= 1 and not strange:
        raise OSError("nothing inherited")


def large_file():
    path = Path(os.environ.get("TMPDIR", "/tmp"), "large")
    try:
        with path.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, 256 << 20)
    finally:
        path.unlink(missing_ok=True)


# what a decent model may need, and what has to work inside


def thread():
    done = []
    worker = threading.Thread(target=lambda: done.append(1))
    worker.start()
    worker.join()
    if not done:
        raise OSError("no thread")


def scratch():
    path = Path(os.environ["TMPDIR"], "note")
    path.write_text("x")
    path.unlink()


def read_neighbour():
    Path(__file__).with_name("data").joinpath("train.csv").read_bytes()


def read_real_data():
    Path(PLACES["train"]).read_bytes()


def read_test_data():
    Path(PLACES["data"]).read_bytes()


def anonymous_memory():
    with mmap.mmap(-1, 1 << 20) as area:
        area[0] = 1


def end_itself():
    os.kill(os.getpid(), 0)


ALLOWED = {f.__name__: f for f in (thread, scratch, read_neighbour, read_real_data, anonymous_memory, end_itself)}
FORBIDDEN = {
    f.__name__: f
    for f in (
        fork, raw_clone, raw_clone3, run_program, shell, posix_spawn, tcp, udp, unix_socket, listen, netlink,
        read_test_data, read_key, read_evidence, read_record, read_app_keys, read_dot_file, read_home,
        read_unsigned_code, import_unsigned_code, list_app, list_root, read_shadow, write_app, write_snapshot,
        write_model, append_model, rename_model, write_tmp, write_data, truncate_data, chmod_key, touch_evidence,
        link_key, symlink_key, delete_evidence, kill_parent, kill_driver, kill_all, tgkill_parent, own_signal, pidfd,
        ptrace_parent, read_parent_memory, read_parent_environment, read_driver_environment, read_parent_mem,
        parent_descriptors, memory_file, shared_memory, message_queue, raise_limits, outlive_parent, new_session,
        namespace, io_uring, userfault, keyring, perf, become_other, change_root, device, environment_secret,
        other_descriptors, large_file,
    )
}  # fmt: skip
NAMES = [*ALLOWED, *FORBIDDEN]


def attempt(name):
    """Return 1.0 if the attempt worked, else 0.0."""
    try:
        {**ALLOWED, **FORBIDDEN}[name]()
    except BaseException:  # noqa: BLE001
        return 0.0
    return 1.0


class Model:
    def predict(self, frame):
        return np.array([attempt(name) for name in frame["name"]])


def load():
    return Model()


if __name__ == "__main__":
    print(json.dumps({name: attempt(name) for name in NAMES}))
