"""One cell: rows of one attack at one rate, filtered without and with trusted rows, and what a victim learns."""

from __future__ import annotations

import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.filtering_pictures import as_table, attacked, auc, learned, pictures, stamper
from benchmarks.peer_env import REPO, ensure
from fivefold.sharing.filtering.classification import filtered

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fivefold.contract.subject import Table

PINS = ("adversarial-robustness-toolbox==1.20.1", "torch==2.13.0", "numpy==2.4.6", "scikit-learn==1.9.1",
        "scipy==1.17.1", "setuptools==84.2.1", "packaging==26.4")  # fmt: skip
PEER = REPO / "benchmarks" / "peers" / "filtering.py"
_VICTIMS = 3


@dataclass(frozen=True)
class Attack:
    """Rows of which some are bad, and how the harm is measured.

    Attributes:
        rows: Training rows, n.
        bad: (n,) bool.
        truth: (n,) labels before they were changed.
        trusted: Rows known to be good.
        groups: Name to (n,) bool.
        clean: Inputs of the victim and labels before the attack.
        inputs: (n, ...) inputs of the victim.
        asked: Unmarked rows that nobody learns from, and their labels.
        asked_groups: Name to bool of these.
        marked: Rows, and the label that the attacker wants for each.
        learn: Teaches a victim: inputs, labels and a seed.
    """

    rows: Table
    bad: np.ndarray
    truth: np.ndarray
    trusted: Table
    groups: Mapping[str, np.ndarray]
    clean: tuple[np.ndarray, np.ndarray]
    inputs: np.ndarray
    asked: tuple[np.ndarray, np.ndarray]
    asked_groups: Mapping[str, np.ndarray]
    marked: tuple[np.ndarray, np.ndarray]
    learn: Callable[[np.ndarray, np.ndarray, int], Callable[[np.ndarray], np.ndarray]] = learned


@dataclass(frozen=True)
class Seen:
    """What one draw of a cell showed.

    Attributes:
        auc: Of the ranking, without and with trusted rows.
        caught: Bad rows left out.
        wrongly: Good rows left out.
        hit: Good rows left out of the group that is hit most, and its name.
        success: Of the attack: clean, before, after the filter without and with trusted rows.
        right: Accuracy, in the same order.
        lost: Accuracy lost in the group that loses most, without and with trusted rows, and its name.
    """

    auc: tuple[float, float]
    caught: tuple[float, float]
    wrongly: tuple[float, float]
    hit: tuple[tuple[float, str], tuple[float, str]]
    success: tuple[float, float, float, float]
    right: tuple[float, float, float, float]
    lost: tuple[tuple[float, str], tuple[float, str]]


def picture(name: str, kind: str, rate: float, seed: int) -> Attack:
    """Draw one cell of pictures."""
    (train, label), (test, truth), trusted = pictures(name, seed)
    stamp = stamper(train.shape[-1], np.random.default_rng([seed, 1]))
    spoilt, said, bad = attacked((train, label), kind, rate, stamp, (name, seed))
    if kind == "flip" and name == "fashion":
        some = np.isin(truth, (1, 9))
        marked = test[some], np.where(truth[some] == 1, 8, 7)
    elif kind == "flip":
        marked = test[:0], truth[:0]
    else:
        marked = stamp(test[truth != 0], kind), np.zeros(int((truth != 0).sum()), dtype=np.int64)
    return Attack(
        as_table(spoilt, said), bad, label, as_table(*trusted), classes(label), (train, label), spoilt,
        (test, truth), classes(truth), marked,
    )  # fmt: skip


def classes(label: np.ndarray) -> dict[str, np.ndarray]:
    """Return the rows of each class."""
    return {f"class {code}": label == code for code in np.unique(label)}


def seen(given: Attack, seed: int) -> Seen:
    """Filter one draw in both ways and teach victims from all rows and from what is kept."""
    found = [filtered(given.rows, np.random.default_rng([seed, 2]), good) for good in (None, given.trusted)]
    gone = [~one.kept for one in found]
    said = given.rows.target
    taught = [given.clean, (given.inputs, said), *((given.inputs[one.kept], said[one.kept]) for one in found)]
    success, right = np.zeros((_VICTIMS, 4)), np.zeros((_VICTIMS, 4, len(given.asked[1])))
    for turn in range(_VICTIMS):
        for at, rows in enumerate(taught):
            model = given.learn(*rows, turn)
            right[turn, at] = model(given.asked[0]) == given.asked[1]
            if len(given.marked[1]):
                success[turn, at] = float((model(given.marked[0]) == given.marked[1]).mean())
    each = right.mean(axis=0)
    lost = [_most(each[0] - each[at], given.asked_groups) for at in (2, 3)]
    return Seen(
        auc=_two(auc(one.suspicion, given.bad) for one in found),
        caught=_two(float(one[given.bad].mean()) for one in gone),
        wrongly=_two(float(one[~given.bad].mean()) for one in gone),
        hit=tuple(_most((one & ~given.bad)[~given.bad], {k: v[~given.bad] for k, v in given.groups.items()})
                  for one in gone),
        success=tuple(success.mean(axis=0).tolist()), right=tuple(each.mean(axis=1).tolist()), lost=tuple(lost),
    )  # type: ignore[arg-type]  # fmt: skip


def _two(values: object) -> tuple[float, float]:
    return tuple(values)  # type: ignore[arg-type, return-value]


def _most(values: np.ndarray, groups: Mapping[str, np.ndarray], least: int = 20) -> tuple[float, str]:
    """Return the largest mean among groups of 20 rows or more, and its name."""
    means = [(float(values[rows].mean()), name) for name, rows in groups.items() if rows.sum() >= least]
    return max(means, default=(0.0, ""))


def beside(given: list[Attack]) -> list[dict[str, dict[str, float]]]:
    """Return what ART's filters say of the same pictures, all in one process of its environment.

    Raises:
        PeerAbsentError: ART could not be installed.
    """
    python = ensure("filtering", PINS)
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for at, one in enumerate(given):
            paths.append(Path(folder) / f"{at}.npz")
            np.savez(paths[-1], images=one.inputs, label=one.rows.target, bad=one.bad)
        told = subprocess.run([python, PEER, *paths], capture_output=True, text=True, check=True)
    return list(json.loads(told.stdout.splitlines()[-1]))
