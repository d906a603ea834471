"""Storm: many who reserve from one ledger at the same time, some of whom break off; what is left must add up."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from fivefold.errors import FivefoldError
from fivefold.store.spent import Budget, Entry, Spent

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SOURCE = "storm"


class Book(Protocol):
    """What a storm asks of a ledger's tables."""

    def reserve(self, entry: Entry) -> bool:
        """Spend, and return whether the budget had it."""
        ...

    def budget(self, source: str) -> Budget | None:
        """Return the budget."""
        ...

    def close(self) -> None:
        """Close it."""
        ...


@dataclass(frozen=True)
class After:
    """What a storm left.

    Attributes:
        granted: Reservations that somebody was told stand.
        kept: Reservations that are in the ledger.
        spent: Units that the ledger says are spent.
        overdrawn: Units granted beyond the budget.
        lost: Reservations granted and not in the ledger, or spending that no reservation explains.
    """

    granted: int
    kept: int
    spent: int
    overdrawn: int
    lost: int


def storm(
    place: Path, budget: int, cost: int, *, many: int, each: int, make: Callable[[Path], Book] | None = None
) -> After:
    """Reserve from ``many`` threads, each with a connection of its own.

    Args:
        place: A file that is not there yet.
        budget: Units.
        cost: Units of each reservation.
        many: Threads.
        each: Attempts of each; the odd threads break off in the middle of a reservation now and then.
        make: Opens a ledger of another kind; default: the product's own.

    Raises:
        StorageError: ``store.disk``.
    """
    first = Spent(place, SOURCE)
    first.open(SOURCE, budget, 0)
    granted: list[str] = []
    start = threading.Barrier(many)

    def work(who: int) -> None:
        book = make(place) if make else Spent(place, SOURCE)
        start.wait()
        for at in range(each):
            name = f"{who}-{at}"
            if who % 2 and at % 3 == 2 and not make:
                _break_off(book, Entry(name, SOURCE, "broken off", cost, 0, 0))
                continue
            try:
                if book.reserve(Entry(name, SOURCE, "storm", cost, 0, 0)):
                    granted.append(name)
            except FivefoldError:  # busy: nothing was granted
                continue
        book.close()

    threads = [threading.Thread(target=work, args=(who,)) for who in range(many)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    first.close()
    again = Spent(place, SOURCE)  # as after a crash: what is on the disk
    kept, left = {entry.id for entry in again.entries(SOURCE)}, again.budget(SOURCE) or Budget(0, 0)
    again.close()
    lost = len(set(granted) - kept) + abs(left.spent_rho - cost * len(kept)) // max(cost, 1)
    return After(len(granted), len(kept), left.spent_rho, max(0, cost * len(granted) - budget), lost)


class _BreakOff(Exception):  # noqa: N818  a crash, not an error
    """Somebody pulls the plug."""


def _crash() -> None:
    raise _BreakOff


def _break_off(book: Book, entry: Entry) -> None:
    """Spend and crash before the transaction ends: nothing of it may stand, for nobody was told that it does."""
    base = book._base  # type: ignore[attr-defined]  # noqa: SLF001
    try:
        with base.whole():
            base.change(
                "UPDATE privacy_sources SET spent_rho = spent_rho + ? WHERE application_id = ? AND source = ?",
                (entry.rho, SOURCE, SOURCE),
            )
            _crash()
    except (_BreakOff, FivefoldError):
        return


class Unlocked:
    """A ledger as it is often written: it looks whether there is enough, and then spends; the planted fault."""

    def __init__(self, place: Path, meet: threading.Barrier) -> None:
        self._spent, self._meet = Spent(place, SOURCE), meet

    def reserve(self, entry: Entry) -> bool:
        """Spend, and return whether the budget had it when it looked."""
        found = self._spent.budget(entry.source) or Budget(0, 0)
        fits = found.spent_rho + entry.rho <= found.rho
        self._meet.wait()  # all have looked
        if fits:
            base = self._spent._base  # noqa: SLF001
            base.change("UPDATE privacy_sources SET spent_rho = ? WHERE application_id = ? AND source = ?",
                        (found.spent_rho + entry.rho, SOURCE, SOURCE))  # fmt: skip
        self._meet.wait()  # all have spent
        return fits

    def budget(self, source: str) -> Budget | None:
        """Return the budget."""
        return self._spent.budget(source)

    def close(self) -> None:
        """Close it."""
        self._spent.close()
