"""The guard that an assessment asks: who asks there, what is refused row by row, and a model that dies."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.guard import signed
from tests.guard.test_falling import application as with_ladder

from fivefold.errors import SubjectError, UnsupportedError
from fivefold.guard.isolated import wayfound
from fivefold.guard.opening import Opened
from fivefold.guard.rehearsal import Borrowed, Rehearsal, shown
from fivefold.manifest.digests import data_digests
from fivefold.manifest.reader import read
from fivefold.subject.asked import AskedSubject
from fivefold.subject.bench import Bench
from fivefold.subject.guarded import GuardedSubject, meet
from fivefold.subject.remote import RemoteModel
from fivefold.subject.rows import bare as table_of
from fivefold.subject.worker.watch import Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from fivefold.contract.plan import Role
    from fivefold.contract.subject import Table
    from fivefold.subject.worker.driver import Lent


class Asked:
    """A guard under rehearsal, the model's processes that it was given, and rows to ask."""

    def __init__(self, bench: Bench, by: Role, accounts: int, secret: bytes) -> None:
        self.lent: list[Lent] = []
        self.dead = False
        facts, _ = bench.probe()
        way = wayfound(bench, facts)
        manifest = bench.manifest

        def opened(model: Borrowed) -> Opened:
            return Opened(manifest, model, facts, bench.snapshot.digest, "a test", secret)

        def start() -> socket.socket:
            if self.dead:
                raise SubjectError("model.refused", "no more.")
            self.lent.append(bench.lend())
            return self.lent[-1].peer

        self._bench = bench
        self.rehearsal = Rehearsal(opened, way, by, accounts)
        mine, self.peer = socket.socketpair()
        self.rehearsal(mine, start)
        self.given, unused = socket.socketpair()
        unused.close()
        self.bare = AskedSubject(RemoteModel(self.given), way.access)
        rows = way.usual()
        self.rows = rows.reset_index(drop=True)  # type: ignore[union-attr]

    def subject(self) -> GuardedSubject:
        """Return the model behind the guard."""
        return meet(self.bare, self.peer, lambda: None)

    def table(self, n: int, **columns: Any) -> Table:
        """Return the first n rows, some columns replaced."""
        return table_of(self.rows[:n].assign(**columns), self.bare.classes)

    def kill(self) -> None:
        """Kill the model's process."""
        lent = self.lent[-1]
        while not lent.child.pid:
            self._bench.worker.tend(lent, Limits(60, 1 << 30))
            time.sleep(0.01)
        os.kill(lent.child.pid, signal.SIGKILL)


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[Callable[..., Asked]]:
    """Open a guard with controls."""
    with contextlib.ExitStack() as stack:

        def opened(
            controls: dict[str, Any], by: Role = "caller", *, accounts: int = 1, root: Path | None = None,
            secret: bytes = b"s" * 32,
        ) -> Asked:  # fmt: skip
            place = root or signed.application(tmp_path / f"app{time.monotonic_ns()}", controls=controls)
            manifest = read(place)
            bench = stack.enter_context(Bench(manifest, data_digests(manifest)))
            made = Asked(bench, by, accounts, secret)
            stack.callback(made.rehearsal.finish)
            stack.callback(made.peer.close)
            stack.callback(made.given.close)
            return made

        yield opened


def test_a_caller_gets_what_the_budget_allows_and_no_more(asked: Callable[..., Asked]) -> None:
    """Of a hundred rows the first thirty; the others tell nothing: the usual class, which is nobody's answer."""
    one = asked({"P2": {"budget": "30/day"}})
    subject = one.subject()
    found = subject.decide(one.table(100))
    assert (found.answered.sum(), (found.by == -1).sum()) == (30, 70)
    assert found.answered[:30].all()
    proba = subject.predict_proba(one.table(40))
    np.testing.assert_allclose(proba, 0.5)
    assert one.rehearsal.told.refused == {"guard.budget": 110}


def test_fresh_callers_come_one_after_the_other_and_an_operator_is_not_held_up(asked: Callable[..., Asked]) -> None:
    """Three accounts get three budgets; the operator gets everything. Time stands still, so none comes back."""
    several = asked({"P2": {"budget": "30/day"}}, "callers", accounts=3)
    assert several.subject().decide(several.table(100)).answered.sum() == 90
    operator = asked({"P2": {"budget": "30/day", "detect": True}}, "operator")
    assert operator.subject().decide(operator.table(100)).answered.all()


def test_honest_callers_are_counted_apart_and_each_asks_little(asked: Callable[..., Asked]) -> None:
    """A budget that one honest caller would break is kept by many; nothing of it counts against the check."""
    one = asked({"P2": {"budget": "30/day"}})
    subject = one.subject()
    subject.behave(one.table(100), 1)
    assert subject.decide(one.table(30)).answered.all()
    told = one.rehearsal.told
    assert (told.clean, told.answered, told.asked, told.refused) == (100, 100, 30, {})


def test_one_impossible_row_does_not_take_the_others_with_it(asked: Callable[..., Asked]) -> None:
    """Out of range, missing where nothing was missing: those rows are refused, and the others answered."""
    one = asked({"P2": {"decimals": 3}})
    weight = one.rows["weight"][:50].to_numpy().copy()
    weight[[3, 7]], weight[11] = 500.0, np.nan
    found = one.subject().decide(one.table(50, weight=weight))
    assert np.flatnonzero(~found.answered).tolist() == [3, 7, 11]
    assert one.rehearsal.told.refused == {"guard.missing": 1, "guard.range": 2}
    assert found.scores is not None
    np.testing.assert_allclose(found.scores[0], np.round(found.scores[0], 3))


def test_the_same_secret_gives_the_same_noise_and_another_one_does_not(asked: Callable[..., Asked]) -> None:
    """What is drawn follows from the check's seed alone, not from the application's secret on this machine."""
    controls = {"P2": {"noise": 0.5, "flips": 0.2}}
    first, again = asked(controls), asked(controls)
    other = asked(controls, secret=b"o" * 32)
    told = [one.subject().predict_proba(one.table(60)) for one in (first, again, other)]
    assert np.array_equal(told[0], told[1])
    assert not np.allclose(told[0], told[2])


def test_a_killed_model_is_replaced_and_what_it_did_not_answer_is_nobodys(asked: Callable[..., Asked]) -> None:
    """One request is lost, the next is answered by a new process, and the count of them is told."""
    one = asked({"P2": {"decimals": 2}})
    subject = one.subject()
    assert subject.decide(one.table(10)).answered.all()
    one.kill()
    assert not subject.decide(one.table(10)).answered.any()
    assert subject.decide(one.table(10)).answered.all()
    one.peer.close()
    told = one.rehearsal.finish()
    assert (told.restarts, told.refused) == (1, {"guard.model": 10})


def test_where_the_model_is_gone_for_good_the_ladder_answers(asked: Callable[..., Asked], tmp_path: Path) -> None:
    """Rules and people stand below it; what rules decided is an answer with a label and no score."""
    one = asked({}, root=with_ladder(tmp_path / "ladder"))
    subject = one.subject()
    assert subject.levels == ("model", "rules", "human", "refuse")
    one.dead = True
    one.kill()
    found = subject.decide(one.table(200))
    ruled = found.by == subject.levels.index("rules")
    assert ruled.any()
    assert not (found.by == 0).any()
    assert (found.answers[ruled] == 1).all()
    assert (found.answers[~ruled] == -1).all()
    assert set(one.rehearsal.told.by) == {"rules", "human"}
    assert shown(one.rehearsal.told).startswith("Of 200 rows asked: ")
    proba = subject.predict_proba(one.table(200))
    assert (proba[ruled] == [0.0, 1.0]).all()


def test_a_guard_that_does_not_open_says_why(asked: Callable[..., Asked]) -> None:
    """A control that cannot be kept opens no port, and a check behind it is not run."""
    one = asked({"P2": {"decimals": 99}})
    with pytest.raises(UnsupportedError, match=r"opens no port: controls\.P2\.decimals") as error:
        one.subject()
    assert error.value.code == "guard.decimals"
