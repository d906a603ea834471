"""Reasoning: the reason goes out with the answer, in plain words and within a time (row E5)."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pandas as pd

from fivefold.contract.registry import provided
from fivefold.errors import SubjectError
from fivefold.guard.nouns import Passage, Said
from fivefold.subject.batch import pack, unpack

if TYPE_CHECKING:
    from fivefold.guard.nouns import Answering
    from fivefold.manifest.nouns import Manifest

MOST_ROWS = 8
"""Most rows of a request for which reasons are given."""
SECONDS = 0.5
"""Time that the reasons of one request may take, as measured so far."""
_PAIRS = 12
_FEWEST = 4
_HELD = 10_000
_LATE = "No reason could be given within the time allowed."
_FAILED = "No reason could be given: the model failed when it was asked for more."
_NONE = frozenset({_LATE, _FAILED})


class Reasoning:
    """Gives each row its reason; the same row gets the same one.

    How many rows the model is asked for a reason follows from how long it took so far; where even the fewest would
    take longer than allowed, that is said instead.
    """

    name = "reason"

    def __init__(self, isolated: Answering, manifest: Manifest, *, seconds: float = SECONDS, line: str = "") -> None:
        """Take model, declared features (units, and which are immutable), and the language of ``controls.E5``.

        Args:
            isolated: The model.
            manifest: The application.
            seconds: Time that the reasons of one request may take.
            line: Put behind each reason: how to appeal; empty: appeals are not declared.

        Raises:
            InputError: ``reason.language``.
        """
        self._isolated, self._seconds, self._line, features = isolated, seconds, line, manifest.features
        self._access = isolated.way.access
        units = {name: feature.unit for name, feature in features.items() if feature.unit}
        self._wording = provided("reason.worded")(manifest.controls, units)
        self._each, self._lock = 0.0, threading.Lock()
        self._held: OrderedDict[bytes, tuple[Said, Any]] = OrderedDict()
        immutable = frozenset(name for name, feature in features.items() if feature.immutable)
        background = isolated.way.background
        rows = None if background is None else unpack(background)
        self._reasoner = provided("reason.delivered")(rows, immutable) if isinstance(rows, pd.DataFrame) else None

    def __call__(self, passage: Passage) -> None:
        """Add reasons to what was told; an answer is not held back because there is none."""
        if not 0 < passage.size <= MOST_ROWS:
            return
        rows, reasoner, said = passage.rows, self._reasoner, passage.said
        if reasoner is None or not isinstance(rows, pd.DataFrame):
            given = tuple(said.get(at, Said("")) for at in range(passage.size)) if said else ()
            passage.reasons = tuple(map(self._appealable, given))
            return
        made = [
            (said[at], None) if at in said else self._reason(reasoner, rows.iloc[at : at + 1], len(rows))
            for at in range(passage.size)
        ]
        passage.reasons = tuple(self._appealable(said) for said, _ in made)
        passage.credits = [credit for _, credit in made]
        if lacking := sum(said.text in _NONE for said, _ in made):
            passage.notes["without reason"] = lacking

    def _appealable(self, said: Said) -> Said:
        """Return a reason with the way to appeal behind it; where no reason is given, none is made of that."""
        if not self._line or not said.text:
            return said
        return msgspec.structs.replace(said, text=f"{said.text} {self._line}")

    def _reason(self, reasoner: Any, row: pd.DataFrame, rows: int) -> tuple[Said, Any]:
        row = row.reset_index(drop=True)
        key = hashlib.sha256(msgspec.msgpack.encode(pack(row))).digest()
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
                return self._held[key]
        pairs = self._affordable(reasoner, rows)
        if pairs < _FEWEST:
            with self._lock:
                self._each *= 0.8  # one stall is not for ever
            return Said(_LATE), None
        began, seed = time.perf_counter(), int.from_bytes(key[:8], "big")
        try:
            found = reasoner(self._ask, row, pairs=pairs, seed=seed, regression=self._access.task == "regression")
        except SubjectError as error:
            return Said(_FAILED), {"error": error.code}
        each = (time.perf_counter() - began) / reasoner.cost(pairs)
        worded = self._wording(found, () if self._access.task == "regression" else self._access.classes)
        made = Said(worded.text, worded.fields, worded.flip), msgspec.to_builtins(found)
        with self._lock:
            self._each = each if not self._each else 0.8 * self._each + 0.2 * each
            self._held[key] = made
            while len(self._held) > _HELD:
                self._held.popitem(last=False)
        return made

    def _affordable(self, reasoner: Any, rows: int) -> int:
        """Return how many pairs of permutations the time allows."""
        if not self._each:
            return _PAIRS
        pairs = _PAIRS
        while pairs >= _FEWEST and rows * self._each * reasoner.cost(pairs) > self._seconds:
            pairs -= 1
        return pairs

    def _ask(self, rows: pd.DataFrame) -> np.ndarray:
        told = self._isolated.ask(rows)
        answers: np.ndarray = told.answers[:, None]
        if self._access.task == "regression":
            return answers
        if told.scores is not None:
            return told.scores
        is_told: np.ndarray = answers == np.arange(len(self._access.classes))
        return is_told.astype(np.float64)
