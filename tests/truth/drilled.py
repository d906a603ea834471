"""Subjects of C5.stages: drills of guards that record everything, lose what they should record, or stop nothing."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from fivefold.contract.subject import SettingsView
from fivefold.governance.operation.drilled import ANSWERED, ATTACKS, CODE, DATA, DRILL, MANIFEST, MODEL, NOBODY, stages

from .entry import Entry
from .floors import floors
from .subjects import context

if TYPE_CHECKING:
    from fivefold.contract.check import Context

CHECK = "C5.stages"
_STOPPED = ("refused: guard.purpose", "refused: guard.range", "fell back", "alarm", "refused: guard.flagged")
_CONTROLS: dict[str, dict[str, Any]] = {
    "P2": {"budget": "5000/day", "detect": True}, "C2": {"members": 3}, "C3": {"risk": 0.05},
    "D1": {"consent": "agreed"},
}  # fmt: skip


def build(seed: int, *, lost: str = "", got: int = 0, less: float = 0.0, quiet: bool = False) -> Context:
    """Build the record of one drill.

    Args:
        seed: Decides everything that is not given: controls, and what came of each attack.
        lost: What has no record: ``stage`` (all that is asked without a drawn one), ``attack`` (a drawn one, always),
            ``cell`` (a single one); empty: everything has.
        got: Attacks that are simply answered while every stage runs.
        less: Share of cells that are missing.
        quiet: There is no drill on record.
    """
    rng = np.random.default_rng([seed, 0])
    controls = {name: options for name, options in _CONTROLS.items() if rng.random() < 0.7}
    bound = stages(controls)
    answered = set(rng.permutation(len(ATTACKS))[:got].tolist())
    stage, attack = (NOBODY, *bound)[int(rng.integers(len(bound) + 1))], int(rng.integers(len(ATTACKS)))
    cells = []
    for without in (NOBODY, *bound):
        for at, name in enumerate(ATTACKS):
            came = str(rng.choice(_STOPPED))
            if (without == NOBODY and at in answered) or (without != NOBODY and rng.random() < 0.2):
                came = ANSWERED
            gone = {"stage": without == stage, "attack": at == attack, "cell": (without, at) == (stage, attack)}
            cell = {"without": without, "attack": name, "came": came, "recorded": not gone.get(lost, False)}
            if rng.random() >= less:
                cells.append(cell)
    about = {name: bytes(rng.bytes(32)).hex() for name in (MODEL, MANIFEST, DATA, CODE)}
    made = {name.partition(".")[2]: digest for name, digest in about.items()}
    told = "" if quiet else msgspec.json.encode({**made, "cells": cells}).decode()
    settings = SettingsView(level=4, controls=controls, facts={**about, DRILL: told})
    return context(CHECK, None, {}, seed, thresholds=floors(CHECK), settings=settings)


def unrecorded(seed: int) -> Context:
    """Nothing is on record that is asked while a stage is gone."""
    return build(seed, lost="stage")


def unguarded(seed: int) -> Context:
    """Most attacks are simply answered."""
    return build(seed, got=6)


ENTRIES = {
    CHECK: Entry(
        check=CHECK,
        documented="one attack without a record, or one that is simply answered while every stage runs",
        planted={
            "the record of a stage": unrecorded,
            "the record of an attack": partial(build, lost="attack"),
            "a single record": partial(build, lost="cell"),
            "one attack is answered": partial(build, got=1),
            "most attacks are answered": unguarded,
        },
        clean={"everything is on record": build},
        small={
            "cells are missing": partial(build, lost="stage", less=0.1),
            "there is no drill": partial(build, got=3, quiet=True),
        },
    )
}
