"""Subjects of C5.stages, T2.admission: drills of guards that record everything, lose records, or stop nothing."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from fivefold.contract.subject import SettingsView
from fivefold.governance.operation.drilled import (
    ADMITTED,
    ANSWERED,
    AS_IT_IS,
    ATTACKS,
    CODE,
    DATA,
    DOORS,
    DRILL,
    MANIFEST,
    MODEL,
    NOBODY,
    stages,
)

from .entry import Entry
from .floors import floors
from .subjects import context

if TYPE_CHECKING:
    from fivefold.contract.check import Context

CHECK, ADMISSION = "C5.stages", "T2.admission"
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


def doors(seed: int, *, open_: int = 0, shut: bool = False, less: bool = False, quiet: bool = False) -> Context:
    """Build the record of one drill at the door.

    Args:
        seed: Decides everything that is not given.
        open_: Faults that are admitted.
        shut: The model as it is was refused, too.
        less: A fault is missing.
        quiet: There is no drill on record.
    """
    rng = np.random.default_rng([seed, 1])
    names = [DOORS[at] for at in rng.permutation(len(DOORS))]
    refused = ("refused: guard.unsigned", "refused: guard.rolled-back", "refused: guard.same-version")
    came = {name: ADMITTED if at < open_ else str(rng.choice(refused)) for at, name in enumerate(names)}
    if less:
        del came[names[-1]]
    came[AS_IT_IS] = refused[0] if shut else ADMITTED
    about = {name: bytes(rng.bytes(32)).hex() for name in (MODEL, MANIFEST, DATA, CODE)}
    table = {name.partition(".")[2]: digest for name, digest in about.items()}
    told = [{"tried": name, "came": what} for name, what in came.items()]
    text = "" if quiet else msgspec.json.encode({**table, "cells": [], "doors": told}).decode()
    settings = SettingsView(level=4, facts={**about, DRILL: text})
    return context(ADMISSION, None, {}, seed, thresholds=floors(ADMISSION), settings=settings)


def open_door(seed: int) -> Context:
    """Everything is admitted."""
    return doors(seed, open_=len(DOORS))


ENTRIES = {
    ADMISSION: Entry(
        check=ADMISSION,
        documented="one fault that is admitted",
        planted={"one fault is admitted": partial(doors, open_=1), "everything is admitted": open_door},
        clean={"every fault is refused": doors},
        small={
            "the model as it is is refused": partial(doors, shut=True),
            "a fault is missing": partial(doors, open_=1, less=True),
            "there is no drill": partial(doors, quiet=True),
        },
    ),
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
    ),
}
