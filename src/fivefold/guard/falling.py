"""Falling: who answers where the model is not sure enough, suspected of being attacked, or gone (row C3)."""

from __future__ import annotations

import hashlib
import math
import threading
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from fivefold.contract.registry import provided
from fivefold.errors import InputError
from fivefold.guard.nouns import Passage, RefusedError, Said
from fivefold.manifest import places
from fivefold.subject.batch import unpack
from fivefold.subject.rows import cut
from fivefold.subject.way import Told

if TYPE_CHECKING:
    from fivefold.guard.memory import Memory
    from fivefold.guard.nouns import Answering
    from fivefold.manifest.nouns import Manifest

_MOST_LISTED = 100
_ROWS = 1000
_REMEDY = "Declare data.calibration: labelled rows that the model was not trained on."


class Fallback:
    """Goes down the ladder with every row that the model may not answer.

    Attributes:
        queue: Of cases for people; None: they are no rung.
        about: What is recorded when the guard opens.

    Limit: as of the ladder, :class:`fivefold.adaptation.fallback.ladder.Ladder`.
    """

    name = "fallback"

    def __init__(
        self,
        manifest: Manifest,
        isolated: Answering,
        memory: Memory,
        *,
        ensemble: Any = None,
    ) -> None:
        """Calibrate it.

        Args:
            manifest: What is enforced.
            isolated: The model.
            memory: Of the application.
            ensemble: The rung of that name; None: there is none.

        Raises:
            InputError: ``guard.calibration`` without calibration rows; ``guard.rules`` for a table that cannot be
                read; as :func:`fivefold.adaptation.fallback.opening.opened`.
            SubjectError: The model does not answer the calibration rows.
        """
        way, self._alarm, self._access = isolated.way, memory.alarm, isolated.way.access
        options = manifest.controls["C3"]
        held = way.labelled.get("calibration")
        if held is None or not held.truth:
            raise InputError("guard.calibration", "there are no labelled calibration rows.", remedy=_REMEDY)
        kind = np.float64 if self._access.task == "regression" else np.int64
        rows, training = unpack(held.rows), way.labelled.get("train")
        told = [isolated.ask(cut(rows, slice(at, at + _ROWS))) for at in range(0, len(rows), _ROWS)]
        scores = [one.scores for one in told if one.scores is not None]
        rules = _read(manifest, str(options.get("rules", "")))
        self._ladder = provided("fallback.ladder")(
            options, self._access.classes, (rows, np.array(held.truth, dtype=kind)),
            (np.concatenate([one.answers for one in told]), np.concatenate(scores) if scores else None),
            training=None if training is None else (unpack(training.rows), np.array(training.truth, dtype=kind)),
            rules=rules, ensemble=ensemble,
        )  # fmt: skip
        self._calibration = hashlib.sha256(msgspec.msgpack.encode(held)).hexdigest()
        self._ladder.shift.alarmed = memory.shifted(self._calibration)
        self._untold = threading.Semaphore(0 if self._ladder.shift.alarmed else 1)
        self.queue = (
            provided("queue")(memory.home, self._access.classes) if "human" in self._ladder.terms.levels else None
        )
        self.about = {
            "ladder": list(self._ladder.terms.levels),
            "answers": list(self._access.classes), "calibration": self._calibration,
            "rules": hashlib.sha256(rules).hexdigest() if rules else "", "guarantees": self.guarantees(),
        }  # fmt: skip

    @property
    def levels(self) -> tuple[str, ...]:
        """Rungs of the ladder, the model first."""
        return tuple(self._ladder.terms.levels)

    def guarantees(self) -> dict[str, Any]:
        """Return rung to group to what its threshold holds while all run; one that lets nothing through is None."""
        return {
            rung: {
                group: {
                    "threshold": round(one.threshold, 6) if np.isfinite(one.threshold) else None, "risk": one.risk,
                    "delta": one.delta, "rows": one.rows, "answered": one.answered, "wrong": one.wrong,
                }
                for group, one in held[0].items()
            }
            for rung, held in self._ladder.guarantees.items()
        }  # fmt: skip

    def __call__(self, passage: Passage) -> None:
        """Settle who answers each row, and what.

        Raises:
            RefusedError: ``guard.rows`` if nothing was admitted.
        """
        told = passage.told
        if passage.admitted is None:
            raise RefusedError("guard.rows", "nothing was admitted.", status=400)
        model = None if told is None else (told.answers, told.scores)
        found = self._ladder.descend(lambda: passage.rows, model, passage.suspect)
        if self._ladder.shift.alarmed and self._untold.acquire(blocking=False):
            self._alarm({"shift": self._calibration, "rows": self._ladder.shift.seen})
        scores = None if told is None or told.scores is None else told.scores.astype(np.float64, copy=False)
        raw, notes = {} if told is None else told.raw, passage.notes
        notes["certainty"] = _rounded(found.certainty[:_MOST_LISTED])
        if not any(found.by.tolist()):  # as mostly: the model answered every row
            passage.by = (self._ladder.terms.levels[0],) * len(found.by)
            passage.told = Told(raw, found.answers, scores)
            notes["by"], notes["waiting"] = list(passage.by[:_MOST_LISTED]), {}
            return
        levels = self._ladder.terms.levels
        passage.by = tuple(levels[place] for place in found.by.tolist())
        passage.waiting = self._queued(passage, [at for at, rung in enumerate(passage.by) if rung == "human"])
        others = np.flatnonzero(found.by != 0)[:_MOST_LISTED].tolist()
        passage.said = {at: self._said(passage, at, int(found.rule[at])) for at in others}
        if scores is not None:
            scores = np.where((found.by == 0)[:, None], scores, np.nan)
        passage.told = Told(raw, found.answers, scores)
        notes["by"] = list(passage.by[:_MOST_LISTED])
        notes["waiting"] = {str(at): case for at, case in list(passage.waiting.items())[:_MOST_LISTED]}

    def withdraw(self, passage: Passage) -> None:
        """Take cases back that nobody will be told of."""
        if passage.waiting and self.queue is not None:
            self.queue.withdraw(list(passage.waiting.values()))

    def tend(self, recorder: Any) -> None:
        """Refuse cases whose time is over."""
        if self.queue is not None:
            self.queue.settle(recorder)

    def _queued(self, passage: Passage, places: list[int]) -> dict[int, str]:
        """Return row to case of those that people decide; empty where too many wait."""
        if not places or self.queue is None:
            return {}
        hours = self._ladder.terms.deadline
        ids = self.queue.put(passage.principal.name, passage.purpose, passage.asked, places, hours)
        return dict(zip(places, ids, strict=True)) if ids else {}

    def _said(self, passage: Passage, at: int, rule: int) -> Said:
        """Return why a row is not the model's to answer, and who does."""
        why, level = self._why(passage, at), passage.by[at]
        if level == "rules":
            because = self._ladder.rules.table[rule].because
            return Said(f"{why}, so rule {rule + 1} of the application's own table decided: {because}.")
        if at in passage.waiting:
            hours = self._ladder.terms.deadline
            return Said(f"{why}, so a person decides within {hours:g} hours: case {passage.waiting[at]}.")
        if level in ("human", "refuse"):
            return Said(f"{why}, and nobody else decides: there is no answer.")
        return Said(f"{why}, so {'several models together' if level == 'ensemble' else 'a simpler model'} answered.")

    def _why(self, passage: Passage, at: int) -> str:
        if passage.told is None:
            return "The model gives no answer"
        if self._ladder.shift.alarmed:
            return "What is asked is not like what the model was tried on any more"
        if passage.suspect is not None and passage.suspect[at]:
            return "The input looks made to mislead the model"
        return "The model is not sure enough"


def _rounded(certainty: np.ndarray) -> list[float | None]:
    """Return certainties as they are noted; None: there is none."""
    if len(certainty) == 1 and 0 <= (one := certainty.item()) <= 1:
        return [round(1e6 * one) / 1e6]  # as below, without its price
    return [None if math.isnan(one) else one for one in certainty.round(6).tolist()]


def _read(manifest: Manifest, place: str) -> bytes:
    """Return the decision table's file.

    Raises:
        InputError: ``guard.rules``.
    """
    if not place:
        return b""
    held = places.small(manifest.root, place)
    if held is not None:
        return held
    raise InputError(
        "guard.rules",
        f"the table of rules {place[:80]!r} cannot be read.",
        remedy="Name a file of at most 1 MiB below the application's folder in controls.C3.rules.",
    )
