"""Subjects of P1.detection: those of C2, of which six rows in seven lie next to the model's cut, hardly any beyond it.

An attacker who moves each column by a fifth of its range makes nearly all of these wrong, and the other columns still
tell their class: a detector that reads them keeps the floor, and one that knows nothing does not.
"""

from __future__ import annotations

from functools import partial

from .ensemble import build
from .entry import Entry

CHECK = "P1.detection"
_made = partial(build, CHECK, first=0.85, cut=1.9, epsilon=0.2)

ENTRY = Entry(
    check=CHECK,
    documented="a model that hangs on two of 7 to 10 columns, with text and missing cells in half of the subjects, "
    "2,000 rows of calibration and of test, changes of a fifth of each range; bad: a detector fitted to shuffled "
    "labels beside a model that gives labels only, or calibration rows of a third of the spread",
    planted={
        "a detector that knows nothing, labels only": partial(_made, shuffled=True, gives=False),
        "the same, three classes": partial(_made, shuffled=True, gives=False, kinds=3),
        "calibration rows that vary less": partial(_made, quiet=True),
    },
    clean={
        "scores": _made,
        "labels only": partial(_made, gives=False),
        "three classes": partial(_made, kinds=3),
    },
    small={"120 rows, a detector that knows nothing": partial(_made, shuffled=True, gives=False, rows=120)},
    thinned=6,
)

deaf = partial(_made, shuffled=True, gives=False)
quiet = partial(_made, quiet=True)
