"""Writing: the open record of a guard, and of that which takes its place; opened again where it was not written."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any, Self

from fivefold.errors import FivefoldError

if TYPE_CHECKING:
    from collections.abc import Callable


class Writing:
    """A record that is open for writing, for as long as somebody uses it.

    Attributes:
        recorder: Writes it.
        broken: Whether it could not be written.
    """

    def __init__(self, home: Any) -> None:
        """Open it.

        Raises:
            StorageError: It cannot be written.
        """
        self._home, self._users, self._lock = home, 1, threading.Lock()
        self.recorder, self.broken = home.writing(), False

    def share(self) -> Self:
        """Use it as well; each user closes it."""
        with self._lock:
            self._users += 1
        return self

    def failed(self, recorder: Any) -> None:
        """Say that a recorder could not write; one that was replaced since does not count."""
        self.broken = self.broken or recorder is self.recorder

    def mend(self, opened: Callable[[], None]) -> None:
        """Open it again if it could not be written: the disk may have room, its old writer may be gone.

        Args:
            opened: Called once it is open again.
        """
        with self._lock, contextlib.suppress(FivefoldError, OSError):
            if self.broken:
                self._part()
                self.recorder = self._home.writing()
                self.broken = False
                opened()

    def close(self) -> None:
        """Use it no more; the last one closes it."""
        with self._lock:
            self._users -= 1
            if not self._users:
                self._part()

    def _part(self) -> None:
        with contextlib.suppress(FivefoldError, OSError):
            self.recorder.close()
