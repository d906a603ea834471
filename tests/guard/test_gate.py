"""How many requests are worked on at the same time hangs on whether more at a time only wait longer."""

from __future__ import annotations

import contextlib

import pytest

from fivefold.guard.gate import FEWEST, MOST, Gate
from fivefold.guard.nouns import RefusedError


class _Served:
    """Simulated time: so many requests at once, each answered after what the server makes of that."""

    def __init__(self, *, each: float, shared: float) -> None:
        """Take seconds that answers cost one after the other, and seconds that all of them wait together."""
        self.now, self._each, self._shared = 0.0, each, shared
        self.gate = Gate(clock=lambda: self.now)

    def together(self, count: int) -> float:
        """Ask so many at once; return the seconds of the longest that was let in."""
        begun = []
        for _ in range(count):
            with contextlib.suppress(RefusedError):
                begun.append(self.gate.begin())
        began = self.now
        self.now += self._shared
        for one in begun:
            self.now += self._each
            self.gate.end(one)
        return self.now - began


def test_where_more_only_wait_longer_few_are_worked_on() -> None:
    """96 at once, a thousandth of a second each, again and again: none waits longer than those few take."""
    served = _Served(each=0.001, shared=0.0)
    for _ in range(20):
        served.together(1)
    took = [served.together(96) for _ in range(200)]
    assert max(took) == pytest.approx(0.001 * FEWEST)


def test_where_all_wait_for_the_same_as_many_as_usual_are_worked_on() -> None:
    """A disk that takes 20 ms for all of them together: 64 in the end, and few again once answers are slow."""
    served = _Served(each=0.0001, shared=0.02)
    for _ in range(20):
        served.together(1)
    for _ in range(200):
        served.together(96)
    assert int(served.gate.limit) == MOST
    served._each, served._shared = 0.02, 0.0
    for _ in range(10):
        served.together(96)
    assert int(served.gate.limit) == FEWEST


def test_what_is_read_slowly_takes_no_place_of_what_is_worked_on() -> None:
    """Requests that are still being read fill places in hand, and others are worked on."""
    gate = Gate()
    for _ in range(MOST - 1):
        gate.enter()
    gate.enter()
    gate.end(gate.begin())
    with pytest.raises(RefusedError, match="too many"):
        gate.enter()
    gate.leave()
    gate.enter()


def test_alone_is_who_was_alone_for_a_while() -> None:
    """Right after another request at the same time nobody counts as alone."""
    served = _Served(each=0.001, shared=0.0)
    one = served.gate.begin()
    assert served.gate.quiet
    other = served.gate.begin()
    served.gate.end(other)
    assert not served.gate.quiet
    served.now += 1.0
    assert served.gate.quiet
    served.gate.end(one)
