"""Unknown: flows that the model calls benign and that are not like benign ones go to the fallback (row P5)."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pandas as pd

from fivefold.contract.registry import provided
from fivefold.errors import InputError, UnsupportedError
from fivefold.guard.nouns import RefusedError
from fivefold.subject.batch import unpack

if TYPE_CHECKING:
    from fivefold.guard.nouns import Answering, Passage
    from fivefold.manifest.nouns import Manifest

_MOST_LISTED = 100


class Unknown:
    """Marks flows that look like none that is known.

    A marked row is unsure to the fallback behind this stage; where there is none, the request is refused.

    Limit: the detector is fitted to the training rows and asked in this process; it runs no code of the application.
    """

    name = "threats"

    def __init__(self, detector: Any, *, falls: bool) -> None:
        """Take the detector, and whether a fallback stands behind this stage."""
        self._detector, self._falls = detector, falls

    def __call__(self, passage: Passage) -> None:
        """Judge what was told.

        Raises:
            RefusedError: ``guard.unknown`` if a row is marked and nothing stands behind this stage.
        """
        rows = passage.rows
        if not isinstance(rows, pd.DataFrame) or passage.told is None:
            return
        alarm, chances = self._detector.judge(rows, passage.told.answers)
        passage.suspect = alarm if passage.suspect is None else passage.suspect | alarm
        passage.notes["threats"] = {
            "alarms": int(alarm.sum()),
            "alarmed": np.flatnonzero(alarm)[:_MOST_LISTED].tolist(),
            "chance": chances[:_MOST_LISTED].round(5).tolist(),
            "threshold": self._detector.false_alarms,
        }
        if alarm.any() and not self._falls:
            raise RefusedError(
                "guard.unknown", f"{int(alarm.sum())} of {len(alarm)} rows are unlike what is known to be benign.",
                status=403, remedy="Have somebody look at them; declare a fallback (C3) that decides such cases.",
            ).of(alarm)  # fmt: skip


def unknown(manifest: Manifest, isolated: Answering) -> Unknown:
    """Fit and calibrate the detector that ``controls.P5`` declares.

    Args:
        manifest: The application.
        isolated: The model; it is not asked.

    Raises:
        InputError: ``guard.threats`` if the data do not allow one; ``threats.option``.
    """
    way = isolated.way
    train = way.labelled.get("train")
    rows = None if train is None else unpack(train.rows)
    if train is None or not isinstance(rows, pd.DataFrame) or way.access.task == "regression":
        raise _cannot("the detector needs data.train, a table with classes")
    declared = manifest.data["train"]
    seed = int(hashlib.sha256(b"P5" + msgspec.msgpack.encode(train)).hexdigest()[:16], 16)
    try:
        detector = provided("threats.detector")(
            manifest.controls, (rows, np.array(train.truth, dtype=np.int64)), way.access.classes,
            (declared.positive, declared.alarm), rng=np.random.default_rng(seed),
        )  # fmt: skip
    except UnsupportedError as error:
        raise _cannot(error.message.rstrip("."), error.remedy) from error
    return Unknown(detector, falls="C3" in manifest.controls)


def _cannot(why: str, remedy: str = "") -> InputError:
    return InputError("guard.threats", f"controls.P5 cannot be kept: {why}.", remedy=remedy or "Leave controls.P5 out.")
