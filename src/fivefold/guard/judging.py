"""Judging: members beside the model hold its answers against their own; disagreement is an alarm (row C2)."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from fivefold.contract.registry import provided
from fivefold.errors import InputError, UnsupportedError
from fivefold.guard.nouns import RefusedError
from fivefold.subject.batch import unpack
from fivefold.subject.rows import chunks

if TYPE_CHECKING:
    from fivefold.guard.nouns import Answering, Passage
    from fivefold.manifest.nouns import Manifest
    from fivefold.subject.rows import Rows

_MOST_LISTED = 100


class Judge:
    """Marks rows on which the members disagree with the model.

    An alarmed row is unsure to the fallback behind this stage; where there is none, the request is refused.

    Attributes:
        members: The ensemble; a fallback may answer with it.

    Limit: the members are fitted and asked in this process; they are our own small models over numbers, and no code of
    the application. Whoever is refused learns that an alarm rang.
    """

    name = "judge"

    def __init__(self, members: Any, *, falls: bool) -> None:
        """Take the ensemble, and whether a fallback stands behind this stage."""
        self.members, self._falls = members, falls

    def __call__(self, passage: Passage) -> None:
        """Judge what was told.

        Raises:
            RefusedError: ``guard.suspect`` if an alarm rings and nothing stands behind this stage.
        """
        if passage.rows is None or passage.told is None:
            return
        found = self.members.judge(passage.rows, passage.told.answers, passage.told.scores)
        passage.suspect = found.alarm
        passage.notes["ensemble"] = {
            "alarms": int(found.alarm.sum()),
            "alarmed": np.flatnonzero(found.alarm)[:_MOST_LISTED].tolist(),
            "disagreement": found.disagreement[:_MOST_LISTED].round(4).tolist(),
            "threshold": round(self.members.threshold, 4),
        }
        if found.alarm.any() and not self._falls:
            raise RefusedError(
                "guard.suspect",
                f"other models disagree with the answer to {int(found.alarm.sum())} of {len(found.alarm)} rows.",
                status=403,
                remedy="Have somebody look at the input; declare a fallback (C3) that decides such cases.",
            ).of(found.alarm)


def judge(manifest: Manifest, isolated: Answering) -> Judge:
    """Fit and calibrate the ensemble that ``controls.C2`` declares.

    Args:
        manifest: The application.
        isolated: The model; it is asked about the calibration rows.

    Raises:
        InputError: ``guard.ensemble`` if data or model do not allow one; ``ensemble.option``.
        SubjectError: The model failed on the calibration rows.
    """
    way = isolated.way
    if way.access.task == "regression":
        raise _cannot("disagreement is counted in classes, and this model gives values")
    train, held = way.labelled.get("train"), way.labelled.get("calibration") or way.labelled.get("test")
    if train is None or held is None:
        raise _cannot("members need data.train, and data.calibration or data.test")
    seed = int(hashlib.sha256(b"C2" + msgspec.msgpack.encode(held)).hexdigest()[:16], 16)

    def ask(rows: Rows) -> tuple[np.ndarray, np.ndarray | None]:
        told = [isolated.ask(part) for part in chunks(rows)]
        scores = [one.scores for one in told if one.scores is not None]
        return np.concatenate([one.answers for one in told]), np.concatenate(scores) if scores else None

    try:
        members = provided("ensemble.members")(
            manifest.controls, (unpack(train.rows), np.array(train.truth, dtype=np.int64)), unpack(held.rows), ask,
            width=len(way.access.classes), rng=np.random.default_rng(seed),
        )  # fmt: skip
    except UnsupportedError as error:
        raise _cannot(error.message.rstrip("."), error.remedy) from error
    return Judge(members, falls="C3" in manifest.controls)


def _cannot(why: str, remedy: str = "") -> InputError:
    return InputError(
        "guard.ensemble", f"controls.C2 cannot be kept: {why}.", remedy=remedy or "Leave controls.C2 out."
    )
