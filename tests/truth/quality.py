"""Subjects of D2: tables that are whole, and tables with one defect of known size in one column or among the rows.

The tables are mixed (numbers, few values, texts, missing cells), of 3 to 60 columns and 300 to 3,000 rows, with answers
that hang on some of the columns with noise; classes may be two, several or a value.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.contract.subject import SettingsView, Table

from .entry import Entry, Rates
from .floors import floors
from .subjects import context, filler

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.contract.check import Context

    Spoil = Callable[[dict[str, pd.DataFrame], dict[str, np.ndarray], np.random.Generator], None]


def _world(seed: int, rows: int | None = None) -> tuple[dict[str, pd.DataFrame], dict[str, np.ndarray]]:
    """Return features and answers of ``train`` and ``test``, drawn alike."""
    rng = np.random.default_rng([seed, 0])
    n = rows or int(rng.integers(900, 3000))
    frame = filler(rng, n, int(rng.integers(3, 60)))
    frame["measured"] = rng.normal(40, 12, n).round(2)
    frame["counted"] = rng.integers(0, 400, n)
    frame["kind"] = np.array(["red", "green", "blue", "grey"], dtype=object)[rng.integers(0, 4, n)]
    score = (frame["measured"] - 40) / 12 + (frame["kind"] == "red") + rng.normal(size=n)
    form = seed % 3
    if form == 0:
        target = (score > 0.5).to_numpy().astype(np.int64)
    elif form == 1:
        target = np.digitize(score, [-0.5, 0.6, 1.6]).astype(np.int64)
    else:
        target = score.to_numpy(dtype=np.float64)
    cut = int(0.65 * n)
    return (
        {"train": frame.iloc[:cut].reset_index(drop=True), "test": frame.iloc[cut:].reset_index(drop=True)},
        {"train": target[:cut], "test": target[cut:]},
    )


def made(check: str, seed: int, spoil: Spoil | None = None, *, rows: int | None = None, **options: object) -> Context:
    """Return the context of one table, spoilt or whole."""
    frames, targets = _world(seed, rows)
    if spoil is not None:
        spoil(frames, targets, np.random.default_rng([seed, 2]))
    tables = {}
    for name, frame in frames.items():
        count = len(frame)
        tables[name] = Table(
            name, np.arange(count, dtype=np.int64), frame, targets[name], pd.DataFrame(index=frame.index)
        )
    features = {
        "measured": {"type": "number", "range": (-60.0, 140.0)},
        "counted": {"type": "integer", "range": (0.0, 400.0)},
    }
    settings = SettingsView(features=features)
    return context(check, None, tables, seed, thresholds=floors(check), settings=settings, options=dict(options))


def _places(frame: pd.DataFrame, share: float, rng: np.random.Generator) -> np.ndarray:
    return rng.choice(len(frame), int(np.ceil(share * len(frame))), replace=False)


def _put(frame: pd.DataFrame, name: str, places: np.ndarray, value: object) -> None:
    column = frame[name].astype(object)
    column.iloc[places] = value
    frame[name] = column


def broken(
    frames: dict[str, pd.DataFrame], _t: dict[str, np.ndarray], rng: np.random.Generator, share: float = 0.03
) -> None:
    """Words among the numbers of one column."""
    frame = frames[("train", "test")[int(rng.integers(2))]]
    name = ("measured", "counted")[int(rng.integers(2))]
    frame[name] = [f"{value}" for value in frame[name]]
    word = ("unknown", "#REF!", "12,5", "2020-01-01", "about 40")[int(rng.integers(5))]
    _put(frame, name, _places(frame, share, rng), word)


def dates(frames: dict[str, pd.DataFrame], _t: dict[str, np.ndarray], rng: np.random.Generator) -> None:
    """A column of dates, of which one in twenty is written in another way."""
    for frame in frames.values():
        days = pd.Timestamp("2019-01-01") + pd.to_timedelta(rng.integers(0, 900, len(frame)), unit="D")
        frame["when"] = days.strftime("%Y-%m-%d").to_numpy(dtype=object)
        places = _places(frame, 0.05, rng)
        _put(frame, "when", places, days[places].strftime("%d.%m.%Y").to_numpy(dtype=object))


def copied(frames: dict[str, pd.DataFrame], targets: dict[str, np.ndarray], rng: np.random.Generator) -> None:
    """One row in ten of the training data a second time."""
    again = rng.choice(len(frames["train"]), len(frames["train"]) // 10, replace=False)
    frames["train"] = pd.concat([frames["train"], frames["train"].iloc[again]], ignore_index=True)
    targets["train"] = np.concatenate([targets["train"], targets["train"][again]])


def _impossible(
    frames: dict[str, pd.DataFrame], _t: dict[str, np.ndarray], rng: np.random.Generator, share: float = 0.03
) -> None:
    frame = frames[("train", "test")[int(rng.integers(2))]]
    value = (999.0, -1000.0, 141.0)[int(rng.integers(3))]
    _put(frame, "measured", _places(frame, share, rng), value)
    frame["measured"] = frame["measured"].astype(float)


def _placeholder(frames: dict[str, pd.DataFrame], _t: dict[str, np.ndarray], rng: np.random.Generator) -> None:
    """A column without a rule with 9999 for what was not asked."""
    for frame in frames.values():
        frame["income"] = rng.lognormal(3, 0.5, len(frame)).round(1)
        frame.loc[_places(frame, 0.03, rng), "income"] = 9999.0


def _emptied(
    frames: dict[str, pd.DataFrame], _t: dict[str, np.ndarray], rng: np.random.Generator, share: float = 0.6
) -> None:
    frame = frames[("train", "test")[int(rng.integers(2))]]
    name = str(rng.choice(list(frame.columns)))
    _put(frame, name, _places(frame, share, rng), None if rng.random() < 0.5 else "NA")


def _frozen(frames: dict[str, pd.DataFrame], _t: dict[str, np.ndarray], _rng: np.random.Generator) -> None:
    for frame in frames.values():
        frame["counted"] = 7


def _dumb(_f: dict[str, pd.DataFrame], targets: dict[str, np.ndarray], rng: np.random.Generator) -> None:
    gone = rng.random(len(targets["test"])) < 0.2
    targets["test"] = np.where(gone, -1 if targets["test"].dtype.kind == "i" else np.nan, targets["test"])


def _personal(
    frames: dict[str, pd.DataFrame], _t: dict[str, np.ndarray], rng: np.random.Generator, share: float = 0.04
) -> None:
    frame = frames[("train", "test")[int(rng.integers(2))]]
    kind = int(rng.integers(5))
    for place in _places(frame, share, rng):
        digits = rng.integers(10, 99, 4)
        text = (
            f"ask r.{digits[0]}smith@mail.example.net about it",
            f"tel. +33 1 {digits[0]} {digits[1]} {digits[2]} {digits[3]}",
            _card(rng),
            f"ssn 4{digits[0]}-{digits[1]}-1{digits[2]}{digits[3] % 10}",
            f"login from 10.{digits[0]}.{digits[1]}.{digits[2]}",
        )[kind]  # fmt: skip
        frame.loc[frame.index[place], "kind"] = text


def _card(rng: np.random.Generator) -> str:
    """Return a card number: fifteen drawn digits and the one that makes the doubled sum a multiple of ten."""
    digits = [4, *rng.integers(0, 10, 14).tolist()]
    total = sum(d if (at % 2) else (2 * d if d < 5 else 2 * d - 9) for at, d in enumerate(digits))
    return "".join(map(str, [*digits, -total % 10]))


def _leak_scaled(frames: dict[str, pd.DataFrame], targets: dict[str, np.ndarray], rng: np.random.Generator) -> None:
    slope, spread = float(rng.uniform(-9, -2)), float(np.std(targets["train"]))
    for name, frame in frames.items():
        frame["x1"] = slope * (targets[name] + 0.001 * spread * rng.normal(size=len(frame))) + 3


def _leak_coded(frames: dict[str, pd.DataFrame], targets: dict[str, np.ndarray], rng: np.random.Generator) -> None:
    """Under other names, or for a value: its exponential."""
    if targets["train"].dtype.kind == "f":
        for name, frame in frames.items():
            frame["x1"] = np.exp(targets[name] / 2)
        return
    names = rng.permutation(np.array(["kq", "za", "m", "p7", "w"], dtype=object))
    for name, frame in frames.items():
        frame["x1"] = names[targets[name]]


def _leak_parted(frames: dict[str, pd.DataFrame], targets: dict[str, np.ndarray], rng: np.random.Generator) -> None:
    """Two columns, neither of which says anything."""
    for name, frame in frames.items():
        target = targets[name]
        if target.dtype.kind == "f":
            mask = rng.normal(size=len(frame)) * 3
            frame["x1"], frame["x2"] = mask, target - mask
        else:
            width = int(targets["train"].max()) + 1
            mask = rng.integers(0, width, len(frame))
            frame["x1"], frame["x2"] = mask, (target - mask) % width


def _shared_rows(frames: dict[str, pd.DataFrame], targets: dict[str, np.ndarray], rng: np.random.Generator) -> None:
    """One test row in twenty is a training row."""
    places = _places(frames["test"], 0.05, rng)
    source = rng.choice(len(frames["train"]), len(places), replace=False)
    frames["test"] = frames["test"].astype(object)
    frames["test"].iloc[places] = frames["train"].iloc[source].astype(object).to_numpy()
    frames["test"] = frames["test"].infer_objects()
    for name in frames["test"].columns:
        if pd.api.types.is_numeric_dtype(frames["train"][name]):
            frames["test"][name] = frames["test"][name].astype(float)
    targets["test"] = targets["test"].copy()
    targets["test"][places] = targets["train"][source]


def _honest(frames: dict[str, pd.DataFrame], targets: dict[str, np.ndarray], rng: np.random.Generator) -> None:
    """A column that tells two classes with AUC 0.97, and honest for the others."""
    spread = float(np.std(targets["train"]))
    for name, frame in frames.items():
        frame["x1"] = targets[name] / spread + rng.normal(size=len(frame)) * (0.75 / spread if spread < 0.6 else 0.6)


def _drifted(
    frames: dict[str, pd.DataFrame], _t: dict[str, np.ndarray], rng: np.random.Generator, size: float = 1.2
) -> None:
    test = frames["test"]
    if rng.random() < 0.5:
        test["measured"] = test["measured"] + 12 * size * (1 if rng.random() < 0.5 else -1)
    else:
        away = rng.random(len(test)) < 0.45 * size
        test.loc[away, "kind"] = "violet"


def _thin(seed: int, factor: float) -> Context:
    """Declare shares of the colours of which one is in the data ``factor`` times as often."""
    rng = np.random.default_rng([seed, 3])
    share = float(rng.uniform(0.15, 0.4))

    def spoil(frames: dict[str, pd.DataFrame], _t: dict[str, np.ndarray], draw: np.random.Generator) -> None:
        for frame in frames.values():
            red = draw.random(len(frame)) < factor * share
            frame["kind"] = np.where(red, "red", np.where(draw.random(len(frame)) < 0.5, "green", "blue"))

    given = (f"kind == red: {share:.4f}",)
    return made("D2.coverage", seed, spoil, rows=6000, population=given)


_FREE = Rates(inconclusive=0.10)


def _entry(
    check: str, documented: str, bad: dict[str, Spoil], good: dict[str, Spoil | None], between: dict[str, Spoil]
) -> Entry:
    def build(spoil: Spoil | None) -> Callable[[int], Context]:
        return partial(made, check, spoil=spoil)

    return Entry(
        check=check,
        documented=documented,
        planted={name: build(spoil) for name, spoil in bad.items()},
        clean={name: build(spoil) for name, spoil in good.items()},
        between={name: build(spoil) for name, spoil in between.items()},
        rates=_FREE,
    )


ENTRIES = {
    "D2.integrity": _entry(
        "D2.integrity",
        "words in 3 % of the cells of a number column, one date in twenty written otherwise, one row in ten twice",
        {"words among numbers": broken, "two forms of dates": dates, "rows twice": copied},
        {"whole": None},
        {"1.2 % of a column": partial(broken, share=0.012)},
    ),
    "D2.accuracy": _entry(
        "D2.accuracy",
        "3 % of the cells of a column outside its declared range, or 9999 where no rule is declared",
        {"out of range": _impossible, "placeholder": _placeholder},
        {"whole": None},
        {"1.2 % of a column": partial(_impossible, share=0.012)},
    ),
    "D2.availability": _entry(
        "D2.availability",
        "60 % of a column missing, a column that never changes, 20 % of the test rows without an answer",
        {"emptied": _emptied, "frozen": _frozen, "no answers": _dumb},
        {"whole": None},
        {"52 % missing": partial(_emptied, share=0.52)},
    ),
    "D2.confidentiality": _entry(
        "D2.confidentiality",
        "identifiers of people in 4 % of the cells of a text column",
        {"identifiers": _personal},
        {"whole": None},
        {"1.2 % of a column": partial(_personal, share=0.012)},
    ),
    "D2.leakage": _entry(
        "D2.leakage",
        "a copy of the answer with noise of 0.1 %, under other names or parted over two columns; one test row in "
        "twenty a training row",
        {"scaled": _leak_scaled, "coded": _leak_coded, "parted": _leak_parted, "shared rows": _shared_rows},
        {"whole": None, "an honest column that tells most": _honest},
        {},
    ),
    "D2.drift": _entry(
        "D2.drift",
        "a number column moved by 1.2 standard deviations, or more than half of the texts of a column replaced",
        {"moved": _drifted},
        {"drawn alike": None},
        {"moved by 0.8": partial(_drifted, size=0.8)},
    ),
    "D2.coverage": Entry(
        check="D2.coverage",
        documented="a declared group that is in 6,000 rows 0.6 times as often as declared",
        planted={"thinned": partial(_thin, factor=0.6)},
        clean={"as declared": partial(_thin, factor=1.0)},
        between={"0.75 times": partial(_thin, factor=0.75)},
        rates=_FREE,
    ),
}


def _wreck(frames: dict[str, pd.DataFrame], targets: dict[str, np.ndarray], rng: np.random.Generator) -> None:
    """Missing answers and cells, columns that never change, identifiers, impossible values."""
    _frozen(frames, targets, rng)
    _dumb(frames, targets, rng)
    for frame in frames.values():
        frame["note"] = [f"mail a{at}@example.org" for at in range(len(frame))]
        frame["gone"] = np.where(rng.random(len(frame)) < 0.7, None, "x")
        frame["measured"] = 999.0
        frame.loc[: len(frame) // 2, "measured"] = 20.0


def wrecked(check: str, seed: int) -> Context:
    """Return a table that no floor of integrity, accuracy, availability or confidentiality lets pass."""

    def half_parsed(frames: dict[str, pd.DataFrame], targets: dict[str, np.ndarray], rng: np.random.Generator) -> None:
        broken(frames, targets, rng)
        copied(frames, targets, rng)

    return made(check, seed, half_parsed if check == "D2.integrity" else _wreck)


def leaking(seed: int) -> Context:
    """Return a table with a copy of the answer and shared rows."""

    def both(frames: dict[str, pd.DataFrame], targets: dict[str, np.ndarray], rng: np.random.Generator) -> None:
        _shared_rows(frames, targets, rng)
        _leak_coded(frames, targets, rng)

    return made("D2.leakage", seed, both)


def drifted(seed: int) -> Context:
    """Return test data with a column moved."""
    return made("D2.drift", seed, partial(_drifted, size=2.0))


def thinned(seed: int) -> Context:
    """Return data with a group thinned out."""
    return _thin(seed, 0.5)
