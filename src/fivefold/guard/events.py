"""Events: alarms and refusals, told to another system as CloudEvents 1.0 in JSON; nobody who asks waits for that.

Source: CloudEvents 1.0.2, JSON event format, HTTP protocol binding (structured mode).
"""

from __future__ import annotations

import contextlib
import functools
import http.client
import queue
import secrets
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from fivefold.errors import InputError
from fivefold.manifest.address import Address
from fivefold.subject.endpoint import dial
from fivefold.subject.endpoint.reach import reach
from fivefold.subject.endpoint.wire import TroubleError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fivefold.manifest.site import EventsSite

MOST = 1000
"""Most events that wait to be told; those beyond are lost, and counted."""
_SECONDS = 5.0
_TRIES = 3
_PAUSE = 1.0
_PORTS = {"http": 80, "https": 443}
_TOLD = ("refusal", "alarm")
_HEADERS = {"Content-Type": "application/cloudevents+json; charset=utf-8", "User-Agent": "fivefold"}


class Events:
    """Tells another system; an observer of a guard, see :attr:`fivefold.guard.guard.Guard.observers`.

    An event holds a code, the field's name and the record's id: no values, no person, no caller.

    Attributes:
        lost: Events that nobody was told of.
    """

    def __init__(self, site: EventsSite, application: str) -> None:
        """Look the address up, once; start telling.

        Args:
            site: Where to.
            application: Its id.

        Raises:
            InputError: ``guard.events`` for no such URL; ``endpoint.host``, ``endpoint.plain`` as for endpoints.
        """
        try:
            parts = urlsplit(site.url)
            port = parts.port
        except ValueError:
            parts, port = urlsplit(""), None
        if parts.scheme not in _PORTS or not parts.hostname or parts.username or parts.fragment:
            raise InputError("guard.events", "events.url of site.yaml is no http(s)://host/path.")
        self._address = Address(
            scheme="https" if parts.scheme == "https" else "http", host=parts.hostname,
            port=port or _PORTS[parts.scheme], prefix="", name="events",
        )  # fmt: skip
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        addresses = reach(self._address, private=True, plain=False)
        context = dial.secure(site.ca, "http/1.1") if self._address.tls else None
        self._connect = functools.partial(
            dial.dial, self._address.host, self._address.port, addresses, context, _SECONDS
        )
        self._headers = _HEADERS | {"Host": self._address.authority}
        if site.token:
            self._headers["Authorization"] = f"Bearer {site.token}"
        self._source = f"/fivefold/guard/{application}"
        self._waiting: queue.Queue[bytes | None] = queue.Queue(MOST)
        self._link: http.client.HTTPConnection | None = None
        self._end = threading.Event()
        self.lost = 0
        self._thread = threading.Thread(target=self._tell, name="fivefold-events", daemon=True)
        self._thread.start()

    def __call__(self, kind: str, fields: Mapping[str, Any]) -> None:
        """Have an alarm or a refusal told; returns at once."""
        if kind not in _TOLD:
            return
        record = fields.get("record", "")
        event = {
            "specversion": "1.0",
            "id": secrets.token_hex(16),
            "source": self._source,
            "type": f"fivefold.guard.{kind}",
            "time": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "datacontenttype": "application/json",
            "data": {name: fields[name] for name in ("code", "field", "why") if fields.get(name)},
            **({"subject": record} if record else {}),
        }
        try:
            self._waiting.put_nowait(msgspec.json.encode(event))
        except queue.Full:
            self.lost += 1

    def close(self) -> None:
        """Tell what waits, for a few seconds at most."""
        with contextlib.suppress(queue.Full):
            self._waiting.put(None, timeout=_SECONDS)
        self._thread.join(_SECONDS)
        self._end.set()

    def _tell(self) -> None:
        while (event := self._waiting.get()) is not None and not self._end.is_set():
            for attempt in range(_TRIES):
                if self._told(event):
                    break
                self._drop()
                if self._end.wait(_PAUSE * attempt):
                    break
            else:
                self.lost += 1
        self._drop()

    def _told(self, event: bytes) -> bool:
        try:
            if self._link is None:
                link = http.client.HTTPConnection(self._address.host, self._address.port)
                link.sock = self._connect()
                self._link = link
            with dial.deadline(self._link.sock, _SECONDS):
                self._link.request("POST", self._path, event, self._headers)
                answer = self._link.getresponse()
                answer.read(1 << 16)
        except (OSError, http.client.HTTPException, TroubleError):
            return False
        if answer.will_close or not answer.isclosed():
            self._drop()
        return 200 <= answer.status < 300

    def _drop(self) -> None:
        if self._link is not None:
            self._link.close()
            self._link = None
