"""Subjects of P1.standard: the additive models of :mod:`tests.truth.evasion` that are plain sums of numbers."""

from __future__ import annotations

from functools import partial

from .entry import Entry
from .evasion import MARGIN, build

CHECK = "P1.standard"
KINDS = ("numbers", "images")

_build = partial(build, check=CHECK, gradients=True)
_labels = partial(build, check=CHECK, gradients=False)

ENTRY = Entry(
    check=CHECK,
    documented="robust accuracy 0.10 below the declared floor, at the declared epsilon, for linear models of numbers "
    "and images with 3 to 100 features and 2,000 test rows",
    planted={f"{kind}, 0.10 below": partial(_build, kind=kind, margin=MARGIN, wanted=(0.42, 0.8)) for kind in KINDS}
    | {"labels alone, 0.10 below": partial(_labels, kind="numbers", margin=MARGIN, wanted=(0.42, 0.8))},
    clean={f"{kind}, 0.10 above": partial(_build, kind=kind, margin=-MARGIN, wanted=(0.62, 0.88)) for kind in KINDS},
    between={f"0.05 below, {kind}": partial(_build, kind=kind, margin=0.05) for kind in KINDS},
    small={"100 rows, 0.10 below": partial(_build, kind="numbers", margin=MARGIN, rows=100)},
    shown={"0.05 above": partial(_build, kind="numbers", margin=-0.05)},
    thinned=6,
)
