"""Reloading: another model or manifest takes the place of what is served; no request sees half of the change."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from fivefold.errors import FivefoldError
from fivefold.guard.nouns import OPERATOR, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fivefold.guard.guard import Guard
    from fivefold.guard.nouns import Principal
    from fivefold.guard.service import Service

    Opened = tuple[Guard, Mapping[str, Any]]

SECONDS = 30.0
"""Longest that what is in hand at the change may take before the old model is given up."""
_MOMENT = 0.2


class Reloading:
    """Serves an application as it lay on disk when it was last loaded.

    The new one is opened beside the old one, under the same conditions as at the start, and takes its place in one
    step: a request is answered by the one or the other from beginning to end. What cannot be opened changes nothing;
    both are on record. Budgets go on, and whom the old one took for a thief stays one.

    Attributes:
        service: What is served now.
        takers: Called with the service that is served from then on.

    Threat: a model that nobody signed, or an older one, gets in while the service runs.
    Limit: files of the model that are changed in place stop the old one before the new one is loaded; put new ones
    beside them. What else a stage has seen (drift, evidence of theft without an alarm) is lost, as with a restart.
    """

    def __init__(self, service: Service, opened: Callable[[str, Guard], Opened]) -> None:
        """Take what is served, and what opens the application anew.

        Args:
            service: What is served.
            opened: Given who wants it and the guard that is served, returns another, which writes the same open record,
                and the note of its evidence; or raises.
        """
        self.service, self._opened, self._lock = service, opened, threading.Lock()
        self._change, self._ended = threading.Lock(), False
        self.takers: list[Callable[[Service], None]] = []

    def asked(self, principal: Principal) -> dict[str, Any]:
        """Load it because somebody asks over a network; return what is served then.

        Raises:
            RefusedError: ``guard.role`` for anybody but an operator; ``guard.reload`` where it is refused, with the
                code of the reason alone: the rest is for the owner's eyes.
        """
        if principal.role != OPERATOR:
            raise self.service.counted(RefusedError("guard.role", "loading is for operators.", status=403))
        try:
            service = self.load(principal.name)
        except FivefoldError as error:
            told = RefusedError("guard.reload", f"it was not loaded ({error.code}); nothing changed.", status=409)
            raise self.service.counted(told) from None
        return {"name": service.name, "version": service.version}

    def close(self) -> None:
        """Close what is served; what is being loaded then is not served any more."""
        with self._change:
            self._ended = True
        self.service.guard.close()

    def load(self, who: str) -> Service:
        """Load the application as it lies on disk now, and serve that; the old model is closed when this returns.

        Args:
            who: Who wants it, for the record.

        Raises:
            RefusedError: ``guard.reloading`` while it is being loaded.
            FivefoldError: As at the start; ``guard.other`` for another application or record. Nothing changed.
        """
        if not self._lock.acquire(blocking=False):
            raise RefusedError("guard.reloading", "it is being loaded just now.", status=409)
        try:
            return self._load(who)
        finally:
            self._lock.release()

    def _load(self, who: str) -> Service:
        old = self.service
        try:
            guard, note = self._opened(who, old.guard)
            if (guard.manifest.application.id, guard.home.folder) != (old.name, old.guard.home.folder):
                guard.close()
                raise RefusedError("guard.other", "this is another application, or has another record.", status=409)
        except FivefoldError as error:
            old.guard.record("status", {"guard": "not reloaded", "by": who, "refused": error.code})
            raise
        with self._change:
            if self._ended:
                guard.close()
                raise RefusedError("guard.stopped", "the guard is closed.", status=503)
            _follow(guard, old.guard)
            self.service = new = old.following(guard, note)
            for take in self.takers:
                take(new)
        time.sleep(_MOMENT)  # who was about to come in to the old one has come in
        old.drained(SECONDS)
        _follow(guard, old.guard)  # also what was in hand
        old.guard.close()
        return new


def _follow(guard: Guard, other: Guard) -> None:
    """Have stages go on from those that they replace."""
    before = {stage.name: stage for stage in other.chain}
    for stage in guard.chain:
        if stage.name in before and hasattr(stage, "follow"):
            stage.follow(before[stage.name])
