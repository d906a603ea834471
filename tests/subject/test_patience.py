"""Asking again: later each time, as the server says, never longer than allowed, and every try is written down."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from fivefold.errors import SubjectError
from fivefold.subject.endpoint.patience import TRIES, GivenUp, Patience, Turns
from fivefold.subject.endpoint.wire import TroubleError

if TYPE_CHECKING:
    from pathlib import Path


class World:
    """A clock that stands still but for sleep, an endpoint that fails so often, and a ledger."""

    def __init__(self, failures: int, code: str = "failed", *, after: float | None = None, again: bool = True) -> None:
        self.now, self.slept = 0.0, list[float]()
        self.taken = list[bool]()
        self.left, self.code, self.after, self.again = failures, code, after, again

    def take(self, *, again: bool = False) -> None:
        """Write one call down."""
        self.taken.append(again)

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.slept.append(seconds)
        self.now += seconds

    def patience(self, *, rate: float = 0.0, longest: float = 300.0, given_up: GivenUp | None = None) -> Patience:
        """Return patience in this world."""
        return Patience(
            self.take,
            random.Random(1),
            rate=rate,
            longest=longest,
            given_up=given_up,
            clock=lambda: self.now,
            sleep=self.sleep,
        )

    def asked(self, patience: Patience) -> int:
        """Answer, or fail."""
        patience.spend()
        if self.left:
            self.left -= 1
            raise TroubleError(self.code, "no.", again=self.again, after=self.after)
        return 42


def test_each_pause_is_longer_than_the_last() -> None:
    """Exponential with jitter, and the retries are written down as such."""
    world = World(4)
    patience = world.patience()
    assert patience.ask(lambda: world.asked(patience)) == 42
    assert [0.1 * 2**n < pause <= 0.3 * 2**n for n, pause in enumerate(world.slept)] == [True] * 4
    assert world.taken == [False, True, True, True, True]
    assert patience.asked == 1


def test_after_so_many_failures_it_is_an_error() -> None:
    """The last error is the one that is told."""
    world = World(100)
    patience = world.patience()
    with pytest.raises(SubjectError) as caught:
        patience.ask(lambda: world.asked(patience))
    assert caught.value.code == "endpoint.failed"
    assert len(world.taken) == TRIES


def test_what_cannot_be_mended_is_asked_once() -> None:
    """A refusal stays one."""
    world = World(100, "denied", again=False)
    patience = world.patience()
    with pytest.raises(SubjectError):
        patience.ask(lambda: world.asked(patience))
    assert len(world.taken) == 1


def test_a_busy_server_is_waited_for_as_long_as_allowed_and_no_longer() -> None:
    """429 with Retry-After again and again: it is obeyed, until the time is up."""
    world = World(10**6, "busy", after=20.0)
    patience = world.patience(longest=100.0)
    with pytest.raises(SubjectError) as caught:
        patience.ask(lambda: world.asked(patience))
    assert caught.value.code == "endpoint.busy"
    assert all(pause >= 20 for pause in world.slept if pause > 11)
    assert 3 <= len(world.taken) <= 5
    assert world.now <= 100 + 1


def test_a_server_that_wants_an_hour_is_not_waited_for() -> None:
    """It is an error at once, with what to do."""
    world = World(1, "busy", after=3600.0)
    patience = world.patience()
    with pytest.raises(SubjectError) as caught:
        patience.ask(lambda: world.asked(patience))
    assert caught.value.code == "endpoint.busy"
    assert world.slept == []


def test_after_a_429_calls_come_further_apart_and_then_nearer_again() -> None:
    """The server's limit is approached from below."""
    world = World(3, "busy")
    patience = world.patience()
    patience.ask(lambda: world.asked(patience))
    paused = len(world.slept)
    for _ in range(50):
        patience.ask(lambda: world.asked(patience))
    gaps = world.slept[paused:]
    assert gaps
    assert gaps == sorted(gaps, reverse=True)


def test_the_rate_is_kept() -> None:
    """Four calls a second at most."""
    world = World(0)
    patience = world.patience(rate=4.0)
    for _ in range(9):
        patience.ask(lambda: world.asked(patience))
    assert world.now == pytest.approx(2.0)


def test_two_processes_share_the_rate(tmp_path: Path) -> None:
    """Their calls are taken in turns, as far apart as one alone would make them."""
    (tmp_path / "turns").touch()
    one, other = (Turns(str(tmp_path / "turns")) for _ in range(2))
    waits = [turns.take(0.25, 100.0) for turns in (one, other, one, other, other)]
    assert waits == pytest.approx([0.0, 0.25, 0.5, 0.75, 1.0])
    assert one.take(0.25, 200.0) == 0.0


def test_an_endpoint_that_is_given_up_is_asked_twice_until_it_answers(tmp_path: Path) -> None:
    """One process found nobody there; the others do not wait as long, and one answer ends that."""
    (tmp_path / "given-up").touch()
    flag = GivenUp(str(tmp_path / "given-up"))
    first = World(100, "unreachable")
    patience = first.patience(given_up=flag)
    with pytest.raises(SubjectError):
        patience.ask(lambda: first.asked(patience))
    assert flag
    second = World(100, "unreachable")
    other = second.patience(given_up=GivenUp(str(tmp_path / "given-up")))
    with pytest.raises(SubjectError):
        other.ask(lambda: second.asked(other))
    assert len(second.taken) == 2
    second.left = 0
    assert other.ask(lambda: second.asked(other)) == 42
    assert not flag
