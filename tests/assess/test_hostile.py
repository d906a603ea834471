"""A model that crashes, hangs, floods or lies makes its own check an error, and nothing else."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import msgspec
import pytest
from tests.subject.apps import RULE, build

from fivefold.assess import outcomes
from fivefold.assess.identity import code
from fivefold.catalogue import load
from fivefold.contract.outcome import Outcome
from fivefold.manifest.digests import data_digests
from fivefold.plan import make, seal
from fivefold.subject.bench import Bench, Circumstances
from fivefold.subject.worker.watch import Limits

if TYPE_CHECKING:
    from fivefold.contract.finding import Result
    from fivefold.contract.plan import Plan

HOSTILE = (
    RULE
    + '''
import ctypes, mmap, os, signal, sys, threading, time

HOLD = []

class Late(Model):
    """Behaves while it is probed with 512 rows, then does what it is named for."""
    def predict(self, frame):
        if len(frame) > 512:
            return self.act(frame)
        return super().predict(frame)

def late(act):
    made = type("Act", (Late,), {"act": act})
    return made

def spin(*_):
    while True:
        time.sleep(0.01)

def flood(*_):
    while True:
        HOLD.append(bytearray(64 << 20))
        HOLD[-1][::4096] = b"x" * len(HOLD[-1][::4096])

def threads(*_):
    while True:
        try:
            threading.Thread(target=spin, daemon=True).start()
        except RuntimeError:
            time.sleep(0.01)

def fill(*_):
    number = 0
    while True:
        number += 1
        with open(f"{os.environ['TMPDIR']}/{number}", "wb") as file:
            try:
                file.write(b"x" * (32 << 20))
            except OSError:
                time.sleep(0.01)

def chatter(*_):
    while True:
        print("x" * 100000)
        sys.stderr.write("y" * 100000)

def crash(*_):
    ctypes.string_at(0)

def speak(data):
    def act(self, frame):
        os.write(3, data)
        return Model.predict(self, frame)
    return act

class Odd(BaseException):
    pass

Odd.__name__ = "Bobby'); DROP TABLE" + chr(27) + "[2J"

def raising(error):
    def act(*_):
        raise error
    return act

def recurse(self, frame):
    return recurse(self, frame)

def deep(*_):
    sys.setrecursionlimit(10**8)
    def go(n):
        return go(n + 1)
    threading.stack_size(64 << 10)
    import functools
    f = int
    for _ in range(200000):
        f = functools.partial(lambda g, *a: g(*a), f)
    return f()

def patch(self, frame):
    np.mean = np.sum = lambda *a, **k: 1.0
    import builtins
    builtins.len = lambda x: 10**9
    return Model.predict(self, frame)

def flip(self, frame):
    HOLD.append(1)
    answers = Model.predict(self, frame)
    return answers

CASES = {
    "honest": Model,
    "segfault": late(crash),
    "abort": late(lambda *_: os.abort()),
    "vanish": late(lambda *_: os._exit(0)),
    "exit_code": late(lambda *_: os._exit(3)),
    "sys_exit": late(lambda *_: sys.exit(0)),
    "kill_itself": late(lambda *_: os.kill(os.getpid(), 9)),
    "stop_itself": late(lambda *_: os.kill(os.getpid(), signal.SIGSTOP)),
    "hang": late(spin),
    "memory": late(flood),
    "threads": late(threads),
    "disk": late(fill),
    "chatter": late(chatter),
    "personal_words": late(raising(ValueError("could not convert: 'Braund, Mr. Owen Harris'"))),
    "odd_exception": late(raising(Odd("x"))),
    "keyboard": late(raising(KeyboardInterrupt())),
    "memory_error": late(raising(MemoryError())),
    "recursion": late(recurse),
    "garbage_frame": late(speak(b"garbage garbage garbage")),
    "huge_frame": late(speak((2**62).to_bytes(8, "big"))),
    "forged_fitted": late(speak((9).to_bytes(8, "big") + bytes.fromhex("81a474797065a6466974746564")[:9])),
    "close_line": late(lambda *_: os.close(3)),
    "wrong_length": late(lambda self, frame: np.array(["yes"])),
    "wrong_shape": late(lambda self, frame: np.zeros((len(frame), 3, 2))),
    "none": late(lambda self, frame: None),
    "foreign_class": late(lambda self, frame: np.array(["perhaps"] * len(frame))),
    "nan": late(lambda self, frame: np.full(len(frame), np.nan)),
    "complex": late(lambda self, frame: np.zeros(len(frame), dtype=complex)),
    "objects": late(lambda self, frame: [object() for _ in range(len(frame))]),
    "huge_answer": late(lambda self, frame: np.zeros((len(frame), 3000))),
    "patches_itself": late(patch),
    "load_raises": None,
    "load_hangs": spin,
    "load_gives_nothing": lambda: None,
    "load_exits": lambda: os._exit(0),
}

def make(name):
    def load_it():
        if CASES[name] is None:
            raise RuntimeError("secret of the owner")
        return CASES[name]()
    return load_it

for _name in CASES:
    globals()[_name] = make(_name)
'''
)

REASONS = {
    "segfault": "SIGSEGV",
    "abort": "SIGABRT",
    "vanish": "ended by itself",
    "exit_code": "exit code 3",
    "sys_exit": "SystemExit",
    "kill_itself": "SIGKILL",
    "stop_itself": "took more than 3 seconds",
    "hang": "took more than 3 seconds",
    "memory": "MB of memory",
    "threads": "more than 256 threads",
    "disk": "wrote more than",
    "chatter": "took more than 3 seconds",
    "personal_words": "raised ValueError at scorer.py:",
    "odd_exception": "raised BobbyDROPTABLE2J",
    "keyboard": "raised KeyboardInterrupt",
    "memory_error": "raised MemoryError",
    "recursion": "raised RecursionError",
    "garbage_frame": "protocol",
    "huge_frame": "protocol",
    "forged_fitted": "protocol",
    "close_line": "ended by itself",
    "wrong_length": "shape (1) for 600 rows",
    "wrong_shape": "shape (600, 3, 2)",
    "none": "shape",
    "foreign_class": "not among the classes",
    "nan": "not among the classes",
    "complex": "raised",
    "objects": "not among the classes",
    "huge_answer": "protocol",
    "load_raises": "raised RuntimeError at scorer.py:",
    "load_hangs": "took more than 3 seconds",
    "load_gives_nothing": "without predict",
    "load_exits": "ended by itself",
}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Result]:
    """Return the result of one check over each model of the battery, all in one worker."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("CONFIG", "STATE", "CACHE", "DATA"):
            patch.setenv(f"XDG_{name}_HOME", str(tmp_path_factory.mktemp("home")))
        manifest = build(tmp_path_factory.mktemp("hostile"), HOSTILE, rows=600)
        with Bench(manifest, data_digests(manifest)) as bench:
            return _measured(bench)


def _measured(bench: Bench) -> dict[str, Result]:
    facts, note = bench.probe()
    assert facts.model is not None
    assert not facts.model.error, note
    plan: Plan = seal(
        make(
            bench.manifest,
            load(),
            facts,
            data_digests=bench.digests,
            model_digest=bench.snapshot.digest,
            code=code(),
            installed=lambda _: True,
            effort="quick",
        ),
        1,
    )
    (check,) = (check for check in plan.checks if check.check == "P3.accuracy")
    bench.prepare(["P3.accuracy"])
    task = bench.task(check, plan, Circumstances(b"", "2026-01-01T00:00:00Z", b""))
    assert task.model is not None
    names = ["honest", *REASONS, "patches_itself", "honest again"]
    limits = Limits(seconds=3, memory=300 << 20, scratch=100 << 20)
    tasks = []
    for name in names:
        model = msgspec.structs.replace(task.model, target=f"scorer:{name.split()[0]}")
        long = Limits(seconds=60, memory=limits.memory) if name.startswith(("honest", "patches")) else limits
        tasks.append(dataclasses.replace(task, model=model, limits=long))
    found = {}
    for ended in bench.worker.run(tasks, width=2):
        place = next(at for at, task in enumerate(tasks) if task is ended.task)
        found[names[place]] = outcomes.result(ended)
    return found


@pytest.mark.parametrize(("name", "reason"), REASONS.items())
def test_a_hostile_model_makes_its_check_an_error_that_says_why(
    results: dict[str, Result], name: str, reason: str
) -> None:
    """The reason names what happened and quotes nothing that the model said."""
    result = results[name]
    assert result.outcome is Outcome.ERROR, result.reason
    assert reason in result.reason
    assert "Braund" not in result.reason
    assert "secret" not in result.reason
    assert result.reason.isprintable()


def test_the_honest_model_passes_before_and_after_all_others(results: dict[str, Result]) -> None:
    """Nothing that a hostile model did reaches another check."""
    assert results["honest"].outcome is Outcome.PASS
    assert results["honest again"] == results["honest"]


def test_a_model_cannot_change_how_it_is_judged(results: dict[str, Result]) -> None:
    """A model that patches numpy and builtins patches its own process only."""
    assert results["patches_itself"] == results["honest"] or results["patches_itself"].outcome is Outcome.ERROR
