"""Subjects of P2.isolation: confinements that hold, and ones through which something works."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from fivefold.contract.subject import SettingsView
from fivefold.protection.theft.isolation import KINDS

from .entry import Entry
from .floors import floors
from .subjects import context

if TYPE_CHECKING:
    from fivefold.contract.check import Context

CHECK = "P2.isolation"
_OWN = ("own: scratch", "own: thread")
_STOPS = {"landlock": ("file", "proc"), "seccomp": ("process", "socket", "signal", "memory")}


class Tried(NamedTuple):
    """What came of a battery."""

    worked: tuple[str, ...]
    refused: tuple[str, ...]
    protections: tuple[str, ...] = ("processes", "landlock-5", "seccomp")


def build(seed: int, *, holes: int = 0, kind: str = "", bare: bool = False, deaf: bool = False) -> Context:
    """Build one confinement.

    Args:
        seed: Decides what works outside, and which attempts work inside.
        holes: Attempts that work inside.
        kind: A kind of which all do.
        bare: Nothing is refused.
        deaf: Attempts work nowhere, as where the battery itself is broken.
    """
    rng = np.random.default_rng([seed, 0])
    names = [f"{one}: {at}" for one in KINDS for at in range(int(rng.integers(2, 7)))]
    outside = {name for name in names if rng.random() < 0.9 or name.endswith(": 0")}
    chosen = rng.permutation(sorted(outside))[:holes].tolist()
    inside = outside if bare else {name for name in outside if name in chosen or name.partition(":")[0] == kind}

    def escapes(without: str) -> Tried:
        open_ = {name for name in outside if name.partition(":")[0] in _STOPS.get(without, ())}
        worked = set() if deaf else outside if without == "everything" else inside | open_
        return Tried((*_OWN, *sorted(worked)), tuple(sorted(set(names) - worked)))

    return context(CHECK, None, {}, seed, thresholds=floors(CHECK), settings=SettingsView(level=4), escapes=escapes)


def unconfined(seed: int) -> Context:
    """Nothing confines the model."""
    return build(seed, bare=True)


ENTRIES = {
    CHECK: Entry(
        check=CHECK,
        documented="one attempt that works in the model's place",
        planted={
            "one attempt works": partial(build, holes=1),
            "files can be read": partial(build, kind="file"),
            "processes can be started": partial(build, kind="process"),
            "nothing confines": unconfined,
        },
        clean={"everything is refused": build},
        small={"attempts work nowhere": partial(build, deaf=True)},
    )
}
