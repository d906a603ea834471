"""The budget of calls: kept to the call, across processes, kills and resumed runs."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
from typing import TYPE_CHECKING

from fivefold.errors import SubjectError
from fivefold.subject import calls
from fivefold.subject.calls import Ledger

if TYPE_CHECKING:
    from pathlib import Path


def spend(ledger: Ledger, most: int = 10_000, *, again: bool = False) -> int:
    """Take calls until none is left; return how many there were."""
    for count in range(most):
        try:
            ledger.take(again=again)
        except SubjectError as error:
            if error.code != calls.SPENT:
                raise
            return count
    return most


def test_a_check_has_its_share_and_then_the_reserve(tmp_path: Path) -> None:
    """Neither more nor less, and the next check finds its own share untouched."""
    file = tmp_path / "calls"
    assert spend(Ledger(file, "P1", total=100, share=30, reserve=20)) == 50
    assert spend(Ledger(file, "P2", total=100, share=30, reserve=20)) == 30
    assert calls.made(file) == 80


def test_the_total_holds_whatever_the_shares_say(tmp_path: Path) -> None:
    """Shares that were cut too large cannot overdraw the budget."""
    file = tmp_path / "calls"
    taken = sum(spend(Ledger(file, name, total=100, share=90, reserve=90)) for name in ("a", "b", "c"))
    assert taken == calls.made(file) == 100


def test_calls_made_again_come_out_of_the_reserve(tmp_path: Path) -> None:
    """What a check can ask does not hang on how often the endpoint failed, while there is a reserve."""
    ledger = Ledger(tmp_path / "calls", "P1", total=100, share=30, reserve=20)
    assert spend(ledger, 20, again=True) == 20
    assert spend(ledger) == 30


def test_without_a_budget_calls_are_counted_only(tmp_path: Path) -> None:
    """No limit means none, and the number is still known."""
    file = tmp_path / "calls"
    assert spend(Ledger(file, "P1", total=0, share=0, reserve=0), 500) == 500
    assert calls.made(file) == 500


def test_an_interrupted_check_goes_on_with_the_same_money(tmp_path: Path) -> None:
    """A new object over the same file knows what was spent."""
    file = tmp_path / "calls"
    spend(Ledger(file, "P1", total=100, share=30, reserve=20), 25)
    assert spend(Ledger(file, "P1", total=100, share=30, reserve=20)) == 25


def test_what_an_earlier_run_spent_can_be_dropped(tmp_path: Path) -> None:
    """Only the calls of this run are left."""
    file = tmp_path / "calls"
    spend(Ledger(file, "old", total=100, share=30, reserve=0), 12)
    spend(Ledger(file, "probe", total=100, share=30, reserve=0), 5)
    calls.continued(file, 12)
    assert calls.made(file) == 5
    assert spend(Ledger(file, "probe", total=100, share=30, reserve=0)) == 25


def _race(file: Path, name: str) -> None:
    spend(Ledger(file, name, total=1000, share=900, reserve=100))


def test_eight_processes_at_once_keep_the_budget_to_the_call(tmp_path: Path) -> None:
    """The lock holds between reading and writing."""
    file = tmp_path / "calls"
    context = multiprocessing.get_context("fork")
    racers = [context.Process(target=_race, args=(file, f"check-{index}")) for index in range(8)]
    for racer in racers:
        racer.start()
    with contextlib.suppress(ProcessLookupError):
        os.kill(racers[0].pid or 0, signal.SIGKILL)
    for racer in racers:
        racer.join()
    assert calls.made(file) == 1000
