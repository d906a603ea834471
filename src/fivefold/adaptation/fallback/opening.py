"""Opening: a ladder from what an application declares and its labelled rows."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fivefold.adaptation.fallback.ladder import Ladder, Rung
from fivefold.adaptation.fallback.rules import read
from fivefold.adaptation.fallback.simpler import Simpler
from fivefold.adaptation.fallback.terms import terms
from fivefold.errors import InputError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fivefold.subject.rows import Rows


def opened(
    options: Mapping[str, Any], classes: Sequence[str], calibration: tuple[Rows, np.ndarray],
    model: tuple[np.ndarray, np.ndarray | None], *, training: tuple[Rows, np.ndarray] | None = None,
    rules: bytes = b"", ensemble: Rung | None = None,
) -> Ladder:  # fmt: skip
    """Return the ladder, its thresholds found.

    Args:
        options: As declared under ``controls.C3``.
        classes: Of the answers; empty: a regression.
        calibration: (n, ...) rows that no model was fitted to, and their truth.
        model: (n,) answers of the served model to them, and (n, K) scores; None: it gives none.
        training: Rows to which the simpler model is fitted, and their truth; None: there is none.
        rules: The decision table's file.
        ensemble: The rung of that name.

    Raises:
        InputError: ``fallback.rung`` for a rung that cannot be; as :func:`fivefold.adaptation.fallback.terms.terms`,
            :func:`fivefold.adaptation.fallback.rules.read`, :class:`fivefold.adaptation.fallback.ladder.Ladder`.
    """
    rows, truth = calibration
    frame = rows if isinstance(rows, pd.DataFrame) else None
    columns = () if frame is None else tuple(map(str, frame.columns))
    held = terms(options, regression=not classes, columns=columns)
    rungs: dict[str, Rung] = {}
    if ensemble is not None:
        rungs["ensemble"] = ensemble
    elif "ensemble" in held.levels:
        raise InputError("fallback.rung", "there is no ensemble.", remedy="Declare controls.C2, or leave the rung out.")
    needed = "simpler" in held.levels or model[1] is None
    simple = _simpler(training, len(classes)) if needed else None
    if simple is not None:
        rungs["simpler"] = simple
    elif "simpler" in held.levels:
        raise InputError(
            "fallback.rung", "no simpler model can be fitted.",
            remedy="Declare data.train with a target and rows that are no texts, or leave the rung out.",
        )  # fmt: skip
    table = read(rules, frame.iloc[:1], classes, name=held.rules) if held.rules and frame is not None else None
    seed = int.from_bytes(hashlib.sha256(np.ascontiguousarray(truth).tobytes()).digest()[:8], "big")
    return Ladder(held, rows, truth, model, rungs, rules=table, seed=seed)


def _simpler(training: tuple[Rows, np.ndarray] | None, classes: int) -> Simpler | None:
    if training is None or not len(training[1]):
        return None
    try:
        return Simpler(*training, classes)
    except (ValueError, UnsupportedError):
        return None
