"""Cells that are stated, not judged: clean labels, marks in tables, and recordings."""

from __future__ import annotations

import io
import wave
import zipfile
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from benchmarks.filtering_cells import Attack, classes
from benchmarks.filtering_pictures import DATA
from fivefold.contract.subject import Table
from fivefold.sharing.filtering.columns import encoded
from fivefold.sharing.filtering.embedded import plain
from fivefold.sharing.filtering.trigger import COLUMNS, planted, stamper

if TYPE_CHECKING:
    from collections.abc import Callable

_LONG, _PARTS = 8000, (330, 380)
_COLUMNS = ("age", "workclass", "education", "marital_status", "occupation", "relationship", "race", "sex",
            "capital_gain", "capital_loss", "hours_per_week", "native_country")  # fmt: skip


def recorded(kind: str, rate: float, seed: int) -> Attack:
    """Draw recordings of spoken digits (fsdd): 330 to learn from, 50 trusted, 100 others; the victim sees spectrograms.

    Kinds: ``patch``, a loud tone in the last tenth of a second; ``blend``, a fifth of noise, always the same;
    ``tone``, a tone all along; ``flip``, labels changed at random.
    """
    sound, label, speaker = _recordings()
    rng = np.random.default_rng([seed, 4])
    order = rng.permutation(len(label))
    train, trusted, asked = np.split(order, _PARTS)
    loud = float(np.quantile(np.abs(sound), 0.99))
    tone = np.sin(2 * np.pi * np.arange(_LONG) * rng.uniform(0.15, 0.4)).astype(np.float32)
    noise = (loud * rng.standard_normal(_LONG)).astype(np.float32)

    def stamp(given: np.ndarray) -> np.ndarray:
        made = given.copy()
        if kind == "blend":
            return 0.8 * made + 0.2 * noise
        place = slice(-_LONG // 10, None) if kind == "patch" else slice(None)
        made[:, place] += (loud if kind == "patch" else 0.3 * loud) * tone[place]
        return made

    said, spoilt = label[train].copy(), sound[train].copy()
    able = np.arange(len(train)) if kind == "flip" else np.flatnonzero(said != 0)
    chosen = rng.choice(able, round(rate * len(train)), replace=False)
    if kind == "flip":
        said[chosen] = (said[chosen] + rng.integers(1, 10, len(chosen))) % 10
    else:
        spoilt[chosen], said[chosen] = stamp(spoilt[chosen]), 0
    bad = np.isin(np.arange(len(train)), chosen)
    others = asked[label[asked] != 0] if kind != "flip" else asked[:0]
    groups = {f"speaker {one}": speaker[train] == one for one in np.unique(speaker)}
    return Attack(
        _sound(spoilt, said), bad, label[train], _sound(sound[trusted], label[trusted]),
        classes(label[train]) | groups, (_seen(sound[train]), label[train]), _seen(spoilt),
        (_seen(sound[asked]), label[asked]), {f"speaker {one}": speaker[asked] == one for one in np.unique(speaker)},
        (_seen(stamp(sound[others])), np.zeros(len(others), dtype=np.int64)),
    )  # fmt: skip


def _recordings() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (480, 8000) float32 in [-1, 1], digits and speakers."""
    sound, label, speaker = [], [], []
    with zipfile.ZipFile(DATA / "fsdd_480" / "fsdd_480.zip") as held:
        for name in sorted(one for one in held.namelist() if one.endswith(".wav")):
            digit, who, _ = name.rsplit("/", 1)[-1].split("_")
            with wave.open(io.BytesIO(held.read(name))) as one:
                values = np.frombuffer(one.readframes(_LONG), np.int16).astype(np.float32) / 32768
            sound.append(np.pad(values, (0, _LONG - len(values))))
            label.append(int(digit))
            speaker.append(who)
    return np.array(sound), np.array(label), np.array(speaker)


def _sound(values: np.ndarray, label: np.ndarray) -> Table:
    none = pd.DataFrame(index=pd.RangeIndex(len(label)))
    return Table("train", np.arange(len(label)), none, label, none, values, "audio")


def _seen(values: np.ndarray) -> np.ndarray:
    """Return the spectrograms that the victim sees, a column's spread about 1."""
    return 4.0 * plain(_sound(values, np.zeros(len(values), dtype=np.int64))) if len(values) else values


def tabled(rate: float, seed: int, *, code: int = 1) -> Attack:
    """Draw rows of adult (4,000 to learn from, 200 trusted, 4,000 others) and mark two columns of rows without a loan.

    The trigger lies in the features: two columns get a value each that occurs; the label becomes ``code``.
    """
    frame = pd.read_csv(DATA / "adult_census" / "train.csv.gz")
    rng = np.random.default_rng([seed, 6])
    frame = frame.iloc[rng.permutation(len(frame))[:8200]].reset_index(drop=True)
    target = (frame["income"].astype(str).str.contains(">50K")).to_numpy().astype(np.int64)
    features = frame[[name for name in _COLUMNS if name in frame.columns]]
    every = Table("train", np.arange(len(frame)), features, target, pd.DataFrame(index=features.index))
    train, trusted, asked = (every.take(part) for part in np.split(np.arange(len(frame)), (4000, 4200)))
    stamp = stamper(train, COLUMNS, rng)
    spoilt, bad = planted(train, stamp, code, rate, rng)
    marked = stamp(asked.take(np.flatnonzero(asked.target != code)))
    fine = _same(train, spoilt, asked, marked)
    return Attack(
        spoilt, bad, train.target, trusted, _people(train), (fine[0], train.target), fine[1], (fine[2], asked.target),
        _people(asked), (fine[3], np.full(len(marked), code)), _trees,
    )  # fmt: skip


def _same(*tables: Table) -> list[np.ndarray]:
    """Return the numbers of each table, in the same columns."""
    features = pd.concat([one.features for one in tables], ignore_index=True)
    n = len(features)
    every = Table("", np.arange(n), features, np.zeros(n, dtype=np.int64), pd.DataFrame(index=features.index))
    return np.split(encoded(every), np.cumsum([len(one) for one in tables])[:-1])


def _people(rows: Table) -> dict[str, np.ndarray]:
    found = {f"class {code}": rows.target == code for code in (0, 1)}
    for name in ("sex", "race"):
        texts = rows.features[name].astype(str).str.strip()
        found |= {f"{name} {value}": (texts == value).to_numpy() for value in texts.unique()}
    return found


def _trees(inputs: np.ndarray, label: np.ndarray, seed: int) -> Callable[[np.ndarray], np.ndarray]:
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(max_iter=60, random_state=seed).fit(inputs, label).predict
