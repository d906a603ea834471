"""Ledger: what releases have cost each source; a release that the budget does not have is refused before it runs.

A reservation is spent: nothing gives it back, also where the release failed after it (somebody may have seen a part of
it). A source is a name that the manifest declares, not a file: every version and derivative draws on the same budget.
"""

from __future__ import annotations

import hashlib
import secrets
import time
import unicodedata
from typing import TYPE_CHECKING, Any

from fivefold.errors import InputError
from fivefold.keys import store as keys
from fivefold.sharing.privacy.loss import DELTA, RHO, Loss
from fivefold.store.spent import Budget, Entry, Spent

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fivefold.store.server import Database


class Ledger:
    """The ledger of one application.

    Threat: many small releases, each harmless, that together say who somebody is; or two at the same time.
    Limit: it counts what goes through it. Who copies the data and releases elsewhere is not seen, nor is somebody who
    deletes the ledger's file; keep it in a database that the application's people do not own.
    """

    def __init__(
        self, place: Path | Database | None, application: str, *, now: Callable[[], float] = time.time
    ) -> None:
        """Open it.

        Args:
            place: A file or a database; None: memory.
            application: Its id.
            now: The clock; it orders nothing.

        Raises:
            StorageError: ``store.disk``, ``store.server``; as every method.
        """
        self._spent, self._now = Spent(place, application), now

    def open(self, source: str, budget: Loss, marks: list[str] | None = None) -> Budget:
        """Return the budget in force of a source; the first one declared stands, unless a smaller one is.

        Args:
            source: As the manifest declares it.
            budget: As declared.
            marks: What the data were known by: their name, their digest.

        Raises:
            InputError: ``privacy.source`` without one; ``privacy.renamed`` if these data drew on another source before.
        """
        name, seen = source_name(source), marks or []
        other = {mark: was for mark, was in self._spent.known(seen).items() if was != name}
        if other:
            mark, was = next(iter(other.items()))
            raise InputError(
                "privacy.renamed",
                f"these data ({mark}) were released before as of the source {was!r}, now as of {name!r}.",
                remedy="Write the former source; or have two officers rename it: fivefold data rename-source.",
            )
        found = self._spent.open(name, budget.rho, budget.delta)
        self._spent.keep(seen, name)
        return found

    def reserve(self, source: str, loss: Loss, what: str) -> str:
        """Spend before a release runs.

        Returns:
            The reservation's id.

        Raises:
            InputError: ``privacy.overdrawn`` if the budget does not have it; nothing is spent then.
        """
        name = source_name(source)
        if loss.rho <= 0 or loss.delta < 0:
            raise InputError("privacy.loss", "a release costs something.", remedy="Give it a part of the budget.")
        entry = Entry(secrets.token_hex(16), name, what[:500], loss.rho, loss.delta, int(self._now()))
        if self._spent.reserve(entry):
            return entry.id
        left = self._spent.budget(name) or Budget(0, 0)
        raise InputError(
            "privacy.overdrawn",
            f"the release costs rho {loss.rho / RHO:.9f} and delta {loss.delta / DELTA:.3g}; of the source {name!r} "
            f"rho {(left.rho - left.spent_rho) / RHO:.9f} and delta {(left.delta - left.spent_delta) / DELTA:.3g} "
            "are left.",
            remedy="Ask for less, or with more noise. A budget does not grow again: what was released stays known.",
        )

    def released(self, reservation: str, result: bytes) -> None:
        """Keep what was released: its SHA-256."""
        self._spent.released(reservation, hashlib.sha256(result).hexdigest())

    def budget(self, source: str) -> Budget | None:
        """Return the budget of a source and what is spent of it; None: it has none yet."""
        return self._spent.budget(source_name(source))

    def entries(self, source: str = "") -> list[Entry]:
        """Return what was spent, of one source or all, oldest first."""
        return self._spent.entries(source_name(source) if source else "")

    def close(self) -> None:
        """Close it."""
        self._spent.close()


def source_name(source: str) -> str:
    """Return a source's name as the ledger writes it: case and spaces do not tell two sources apart.

    Raises:
        InputError: ``privacy.source`` for an empty one.
    """
    name = " ".join(unicodedata.normalize("NFKC", source).casefold().split())
    if not name:
        raise InputError(
            "privacy.source",
            "it is not said which source the data are from, so nothing can be counted against it.",
            remedy="Write source: in the manifest, under the data set.",
        )
    return name


def place_of(home: Any) -> Path | Database:
    """Return where an application's ledger is: its database where one is declared, else a file beside the user's keys.

    Args:
        home: Of the application's record.
    """
    stem = hashlib.sha256(home.application.encode()).hexdigest()[:32]
    return home.people or keys.keys_folder() / "applications" / f"{stem}.privacy.sqlite"
