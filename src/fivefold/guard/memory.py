"""Memory: what the stages of a guard ask of the record, and what they put on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fivefold.errors import TrustError
from fivefold.guard.purposing import Past
from fivefold.guard.screening import ALARM

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fivefold.manifest.nouns import Manifest


class Memory:
    """The record of an application, as its guard remembers by it over restarts.

    Attributes:
        home: Where the record lies.
    """

    def __init__(self, home: Any, manifest: Manifest, record: Callable[[str, dict[str, Any]], None]) -> None:
        """Take where the record lies, the application, and what records a kind with fields."""
        self.home, self._manifest, self._record = home, manifest, record

    def alarm(self, fields: dict[str, Any]) -> None:
        """Put an alarm on record."""
        self._record("alarm", {"guard": "alarm", "manifest": self._manifest.digest, **fields})

    def require_newest(self, digest: str) -> None:
        """Hold version and digest of the model against the newest that was served.

        Raises:
            TrustError: ``guard.rolled-back``, ``guard.same-version``.
        """
        version = self._manifest.model.version if self._manifest.model else 0
        for fields in self._told("model-change"):
            served, known = fields.get("version"), fields.get("digest")
            if not isinstance(served, int):
                continue
            if served > version:
                raise TrustError(
                    "guard.rolled-back", f"version {served} was served before, and this is version {version}.",
                    remedy="Sign the model you want under a higher model.version.",
                )  # fmt: skip
            if served == version and known != digest:
                raise TrustError(
                    "guard.same-version", f"version {version} was served before with other files.",
                    remedy="Raise model.version in the manifest.",
                )  # fmt: skip

    def spent(self, since: int) -> Iterator[tuple[str, int]]:
        """Yield caller and rows of each question that was answered since a time (nanoseconds since 1970)."""
        for fields in self._told("decision", case="", since=since):
            if isinstance(fields.get("rows"), int):
                yield str(fields.get("caller")), fields["rows"]

    def past(self) -> Past:
        """Return how often the guard was opened before, and which drifts stand under this very manifest."""
        mine = [one for one in self._told("alarm") if "drift" in one and one.get("manifest") == self._manifest.digest]
        standing = {str(one["drift"]): str(one.get("why")) for one in mine}
        return Past(sum(1 for _ in self._told("model-change")), standing, self.alarm)

    def flagged(self) -> Iterator[str]:
        """Yield who was taken for a thief."""
        for fields in self._told("alarm"):
            if ALARM in fields:
                yield str(fields[ALARM])

    def shifted(self, calibration: str) -> bool:
        """Return whether a shift against these calibration rows is on record: new ones are needed then."""
        return any(one.get("shift") == calibration for one in self._told("alarm"))

    def _told(self, kind: str, *, case: str = "guard", since: int = 0) -> Iterator[dict[str, Any]]:
        if self.home.folder.joinpath("checkpoint").exists():
            for item in self.home.reading().search(case=case, kind=kind, since=since):
                yield item.body.fields if item.body else {}
