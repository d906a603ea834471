"""Flows of families that nobody was shown: the detector of P5 beside scikit-learn's logistic regression and forest.

NSL-KDD (25,192 flows). In each split half of the flows are learned from, the benign ones of a fifth set the threshold
at 2 % false alarms, the others are counted. Each family of at least 100 flows, and each of the three categories, is
held out in turn: none of its flows is learned from, and all of them are counted. All three get the same flows and the
same threshold rule; ties of the peers are broken at random, in their favour. Splits 100 to 102 chose the detector;
splits 0 to 9 are reported. Intervals are over splits (Student's t), which share flows.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.stats import t as student
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from benchmarks.rows import Row
from fivefold.protection.threats import detector

if TYPE_CHECKING:
    from collections.abc import Callable

    Score = Callable[[pd.DataFrame, np.ndarray, np.random.Generator], Callable[[pd.DataFrame], np.ndarray]]

FILE = Path(__file__).resolve().parents[2] / "shared" / "data" / "nsl_kdd_train20" / "KDDTrain20.csv.gz"
BENIGN, ALARMS, LEAST = "normal", 0.02, 100
CATEGORIES = {
    "dos": ("neptune", "smurf", "back", "teardrop", "pod", "land"),
    "probe": ("ipsweep", "satan", "portsweep", "nmap"),
    "r2l/u2r": ("warezclient", "guess_passwd", "warezmaster", "buffer_overflow", "imap", "rootkit", "multihop", "phf",
                "ftp_write", "loadmodule", "spy"),
}  # fmt: skip
"""As in the data set's documentation; R2L and U2R together, for U2R has 11 flows here."""


def measure(*, gates: bool, repeat: int) -> tuple[list[Row], str]:
    """Return the rows of the table; ``repeat`` has no part in it: ten splits, with ``gates`` two."""
    del repeat
    frame = pd.read_csv(FILE).drop(columns=["difficulty"])
    family = frame.pop("label").to_numpy(dtype=str)
    found = [split(frame, family, seed) for seed in range(2 if gates else 10)]
    return table(found), ""


def split(frame: pd.DataFrame, family: np.ndarray, seed: int) -> dict[str, dict[str, tuple[float, float, float]]]:
    """Return what is held out, to name of the detector, to miss rate, false alarms, and flows scored a second."""
    part = parts(family, np.random.default_rng(seed))
    names, counts = np.unique(family, return_counts=True)
    held = {"known": ()} | {str(name): (name,) for name, n in zip(names, counts, strict=True)
                            if name != BENIGN and n >= LEAST} | CATEGORIES  # fmt: skip
    wide = pd.get_dummies(frame, columns=[name for name in frame if frame[name].dtype.kind not in "if"]).astype(float)
    found: dict[str, dict[str, tuple[float, float, float]]] = {}
    for place, (name, out) in enumerate(held.items()):
        rng = np.random.default_rng([seed, place])
        gone = np.isin(family, out)
        places = np.flatnonzero((part == 0) & ~gone)
        learned = (places, family[places] != BENIGN)
        sets = [np.flatnonzero((part == at) & (family == BENIGN)) for at in (1, 2)]
        sets.append(np.flatnonzero(gone) if out else np.flatnonzero((part == 2) & (family != BENIGN)))
        found[name] = {
            "logistic": peer(logistic, wide, learned, sets, rng),
            "forest": peer(forest, wide, learned, sets, rng),
            "ours": ours(frame, learned, sets, rng),
        }
    return found


def parts(family: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return (n,) 0 for half of each family, 1 for a fifth, 2 for the others."""
    made = np.zeros(len(family), dtype=np.int64)
    for name in np.unique(family):
        places = rng.permutation(np.flatnonzero(family == name))
        rank = (np.arange(len(places)) + rng.random()) / len(places)
        made[places] = np.digitize(rank, [0.5, 0.7])
    return made


def peer(
    fit: Score,
    wide: pd.DataFrame,
    learned: tuple[np.ndarray, np.ndarray],
    sets: list[np.ndarray],
    rng: np.random.Generator,
) -> tuple[float, float, float]:
    """Return miss rate, false alarms and flows a second of a plain classifier."""
    score = fit(wide.iloc[learned[0]], learned[1], rng)
    calibration, benign, bad = (_apart(score(wide.iloc[places]), rng) for places in sets)
    began = time.process_time()
    score(wide.iloc[sets[1]])
    speed = len(sets[1]) / max(time.process_time() - began, 1e-6)
    threshold = np.quantile(calibration, 1 - ALARMS, method="higher")
    return float((bad <= threshold).mean()), float((benign > threshold).mean()), speed


def ours(
    frame: pd.DataFrame, learned: tuple[np.ndarray, np.ndarray], sets: list[np.ndarray], rng: np.random.Generator
) -> tuple[float, float, float]:
    """Return miss rate, false alarms and flows a second of the detector of P5."""
    made = detector.fit(frame.iloc[learned[0]], learned[1], rng)
    found = detector.calibrated(made, frame.iloc[sets[0]], ALARMS)
    began = time.process_time()
    false = found.alarms(frame.iloc[sets[1]])
    speed = len(sets[1]) / max(time.process_time() - began, 1e-6)
    return float(1 - found.alarms(frame.iloc[sets[2]]).mean()), float(false.mean()), speed


def logistic(rows: pd.DataFrame, bad: np.ndarray, _: np.random.Generator) -> Callable[[pd.DataFrame], np.ndarray]:
    """Return the score of a logistic regression on standardised columns."""
    scaled = StandardScaler().fit(rows)
    model = LogisticRegression(max_iter=300).fit(scaled.transform(rows), bad)
    return lambda asked: np.asarray(model.decision_function(scaled.transform(asked)))


def forest(rows: pd.DataFrame, bad: np.ndarray, rng: np.random.Generator) -> Callable[[pd.DataFrame], np.ndarray]:
    """Return the score of a random forest of 100 trees."""
    model = RandomForestClassifier(n_estimators=100, random_state=int(rng.integers(1 << 31))).fit(rows, bad)
    return lambda asked: np.asarray(model.predict_proba(asked)[:, 1])


def table(found: list[dict[str, dict[str, tuple[float, float, float]]]]) -> list[Row]:
    """Return the rows of the table for all splits."""

    def of(who: str, names: list[str], at: int = 0) -> np.ndarray:
        return np.array([[one[name][who][at] for name in names] for one in found])

    families = [name for name in found[0] if name not in CATEGORIES and name != "known"]
    mean = {who: of(who, families).mean(axis=1) for who in ("ours", "logistic", "forest")}
    rows = [
        _row("families held out: miss rate over logistic", mean["ours"], mean["logistic"], 0.35),
        _row("families held out: miss rate over forest", mean["ours"], mean["forest"], 0.75),
    ]
    for name in families:
        rest = [other for other in families if other != name]
        rows.append(_row(f"the same without {name}", of("ours", rest).mean(axis=1), of("forest", rest).mean(axis=1),
                         1.0))  # fmt: skip
    kinds = list(CATEGORIES)
    rows.append(_row("categories held out: miss rate over forest", of("ours", kinds).mean(axis=1),
                     of("forest", kinds).mean(axis=1), 1.0))  # fmt: skip
    known = 100 * (of("ours", ["known"]) - of("forest", ["known"]))[:, 0]
    rows.append(Row("known families: misses more than forest", float(known.mean()), None, 0.5, "max", "points",
                    note=_within(known)))  # fmt: skip
    every = list(found[0])
    false = {who: 100 * of(who, every, 1).mean(axis=1) for who in ("ours", "logistic", "forest")}
    rows.append(Row("false alarms", float(false["ours"].mean()), None, 100 * ALARMS + 0.2, "max", "%",
                    note=f"{_within(false['ours'])}; logistic {_within(false['logistic'])}, forest "
                         f"{_within(false['forest'])}"))  # fmt: skip
    speed = {who: of(who, every, 2).mean() for who in ("ours", "forest")}
    rows.append(Row("flows a second of one processor", speed["ours"], speed["forest"], 0.3, "min", "/s",
                    required=False))  # fmt: skip
    for name in every:
        note = ", ".join(f"{who} {_within(of(who, [name])[:, 0])}" for who in ("ours", "forest", "logistic"))
        rows.append(_row(f"{name}: miss rate", of("ours", [name])[:, 0], of("forest", [name])[:, 0], 1.0, note))
    return rows


def _row(name: str, ours: np.ndarray, peer: np.ndarray, floor: float, note: str = "") -> Row:
    plain = note or f"ours {_within(ours)}, peer {_within(peer)}, ratio {_within(ours / np.maximum(peer, 1e-9))}"
    return Row(name, float(ours.mean()), float(peer.mean()), floor, "max", "", required=not note, note=plain)


def _within(values: np.ndarray) -> str:
    """Return a mean with its two-sided 95 % interval over splits."""
    n = len(values)
    half = float(student.ppf(0.975, n - 1) * values.std(ddof=1) / np.sqrt(n)) if n > 1 else float("inf")
    return f"{values.mean():.3f} ({values.mean() - half:.3f} to {values.mean() + half:.3f})"


def _apart(scores: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.asarray(scores + 1e-9 * rng.random(len(scores)))
