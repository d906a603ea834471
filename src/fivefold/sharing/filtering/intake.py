"""Intake: rows judged as they come in; what the rows before contradict waits in quarantine for an officer."""

from __future__ import annotations

import hashlib
import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fivefold.errors import InputError
from fivefold.sharing.filtering.choose import filtered
from fivefold.store.held import Held, Row

if TYPE_CHECKING:
    from collections.abc import Collection

    from fivefold.contract.subject import Table

_MOST = 5000
VERDICTS = ("released", "dropped")


class Intake:
    """The door of one application's training data.

    Threat: bad rows that come in a few at a time, each batch too small to look odd by itself.
    Limit: rows that were vetted before decide what is odd; a population that changes is held until an officer lets it
    in. Whoever may write to the store may release.
    """

    def __init__(self, vetted: Table, store: Held, officers: Collection[str], rng: np.random.Generator) -> None:
        """Begin.

        Args:
            vetted: Rows that are known to be good, 60 or more; at most 5,000 of them are used.
            store: Where held rows lie.
            officers: Names of those who may decide.
            rng: Draws folds and trees.
        """
        some = rng.permutation(len(vetted))[:_MOST]
        self._vetted, self._store, self._officers, self._rng = vetted.take(np.sort(some)), store, set(officers), rng

    def admit(self, batch: Table, source: str, now: int) -> np.ndarray:
        """Judge a batch, hold what is odd, and return (n,) bool: which rows are let in.

        Held rows are on disk before this returns; if that fails, none is let in.

        Args:
            batch: n rows of the same columns, n at least 1.
            source: Where they come from.
            now: Seconds since 1970.

        Raises:
            UnsupportedError: As the filters; nothing is let in.
            StorageError: The store failed; nothing is let in.
        """
        found = filtered(batch, self._rng, self._vetted)
        rows = []
        for at in np.flatnonzero(~found.kept):
            body = _body(batch, int(at))
            digest = hashlib.sha256(body.encode()).hexdigest()
            name = hashlib.sha256(f"{source}\0{now}\0{at}\0{digest}".encode()).hexdigest()[:16]
            rows.append(Row(name, source, digest, body, found.reason(int(at)), now))
        self._store.add(rows)
        return found.kept

    def decide(self, one: str, verdict: str, officer: str, because: str, now: int) -> Row:
        """Release or drop a held row, once.

        Args:
            one: Its id.
            verdict: ``released`` or ``dropped``.
            officer: Who decides.
            because: Why; not empty.
            now: Seconds since 1970.

        Raises:
            InputError: ``quarantine.officer``, ``quarantine.because``, ``quarantine.verdict``, ``quarantine.row`` (not
                there, or decided before).
        """
        return decide(self._store, self._officers, one, (verdict, officer, because), now)


def decide(store: Held, officers: Collection[str], one: str, said: tuple[str, str, str], now: int) -> Row:
    """Decide a held row; ``said`` is verdict, officer and reason. See :meth:`Intake.decide`."""
    verdict, officer, because = said
    if officer not in officers:
        raise InputError("quarantine.officer", f"{officer[:80]!r} is no officer here.", remedy="Name one who is.")
    if not because.strip():
        raise InputError("quarantine.because", "no reason is given.", remedy="Say why the row may come in, or not.")
    if verdict not in VERDICTS:
        raise InputError("quarantine.verdict", f"{verdict[:40]!r} is no verdict.", remedy="Write released or dropped.")
    if not store.decide(one, now, verdict, officer, because):
        raise InputError("quarantine.row", f"{one[:40]!r} does not wait.", remedy="List what waits.")
    row = store.get(one)
    if row is None:
        raise InputError("quarantine.row", f"{one[:40]!r} is gone.", remedy="List what waits.")
    return row


def _body(batch: Table, at: int) -> str:
    values = {str(name): _plain(batch.features.iloc[at, place]) for place, name in enumerate(batch.features.columns)}
    body: dict[str, Any] = {"values": values, "target": _plain(batch.target[at]), "row": int(batch.rows[at])}
    if batch.inputs is not None:
        body["input"] = hashlib.sha256(np.ascontiguousarray(batch.inputs[at]).tobytes()).hexdigest()
    return json.dumps(body, sort_keys=True, ensure_ascii=False, allow_nan=False)


def _plain(value: Any) -> Any:
    value = value.item() if hasattr(value, "item") else value
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return str(value)
