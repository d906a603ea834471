"""Subjects of G3.personal-data: tables with a column of personal data that no label names, and tables without one."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.contract.subject import SettingsView, Table

from .entry import Entry, Rates
from .floors import floors
from .odd import odd
from .subjects import context, filler

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.contract.check import Context

    Spoil = Callable[[pd.DataFrame, np.random.Generator], tuple[str, ...]]
    """Puts personal data into a table and returns the columns that a label names."""

CHECK = "G3.personal-data"
_FORMS = ("email", "phone", "iban", "card", "ssn", "mac", "nir", "aadhaar", "title", "born")
_NAMES = {
    "Nachname": "name", "prenom": "name", "手机": "digits", "Fecha de nacimiento": "day", "geb_datum": "day",
    "PLZ": "zip", "postcode": "zip", "indirizzo": "street", "straat": "street", "leeftijd": "age", "xingming": "name",
    "customerEmail": "email", "tel_nr": "digits", "latitude": "degree", "reisepassnummer": "pass",
    "driver_license": "pass",
}  # fmt: skip


def _some(kind: str, rng: np.random.Generator) -> str:
    """Return one made-up identifier that keeps its rule, or one cell of a column that is named so."""
    d = "".join(rng.integers(0, 10, 18).astype(str).tolist())
    if kind == "iban":
        account = f"NWBK{d[:14]}"
        digits = "".join(str(int(sign, 36)) for sign in account + "GB00")
        whole_ = f"GB{98 - int(digits) % 97:02d}{account}"
        return " ".join(whole_[at : at + 4] for at in range(0, len(whole_), 4))
    if kind == "card":
        number = f"5{1 + int(d[0]) % 5}{d[1:14]}"
        total = sum(sum(map(int, str(int(one) * (2 - at % 2)))) for at, one in enumerate(reversed(number)))
        return number + str(-total % 10)
    if kind == "nir":
        number = f"{1 + int(d[0]) % 2}{d[1:3]}{1 + int(d[3:5]) % 12:02d}{d[5:13]}"
        return f"{number}{97 - int(number) % 97:02d}"
    if kind == "aadhaar":
        return f"aadhaar {_verhoeff(f'{2 + int(d[0]) % 8}{d[1:11]}')}"
    plain = {
        "email": f"k{d[:3]}.{'abcdef'[int(d[3]) % 6]}oe@post{d[4]}.example.com",
        "phone": f"+1 415 {2 + int(d[0]) % 7}{d[1:3]} {d[3:7]}",
        "ssn": f"1{d[:2]}-{1 + int(d[2]) % 8}{d[3]}-{1 + int(d[4]) % 8}{d[5:8]}",
        "mac": ":".join(f"{value:02x}" for value in rng.integers(0, 256, 6)),
        "title": f"seen by Dr. {_family(rng)} again",
        "born": f"born on {1 + int(d[0])}.{1 + int(d[1])}.19{d[2:4]}",
        "name": _family(rng), "digits": f"0{1 + int(d[0]) % 9}{d[1:9]}",
        "day": f"19{d[:2]}-0{1 + int(d[2]) % 9}-1{d[3]}", "zip": d[:5], "street": f"Via {_family(rng)} {1 + int(d[0])}",
        "age": str(18 + int(d[:2]) % 70), "degree": f"4{d[0]}.{d[1:6]}", "pass": f"C{d[:8]}",
    }  # fmt: skip
    return plain[kind]


def _family(rng: np.random.Generator) -> str:
    return str(rng.choice(["Okafor", "Lindqvist", "Haas", "Ferrari", "Nguyen", "Dubois", "Novak", "Silva"]))


def _verhoeff(number: str) -> str:
    """Append the check digit by trying all ten: the dihedral group of order ten (Verhoeff 1969)."""

    def times(a: int, b: int) -> int:
        if a < 5:
            return (a + b) % 5 if b < 5 else 5 + (a + b - 5) % 5
        return 5 + (a - 5 - b) % 5 if b < 5 else (a - b) % 5

    def check(digits: str) -> int:
        turn = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)
        state = 0
        for at, sign in enumerate(reversed(digits)):
            value = int(sign)
            for _ in range(at):
                value = turn[value]
            state = times(state, value)
        return state

    return next(f"{number}{digit}" for digit in range(10) if check(f"{number}{digit}") == 0)


def planted(frame: pd.DataFrame, rng: np.random.Generator, share: float = 0.05) -> tuple[str, ...]:
    """Write identifiers of one kind into a text column."""
    kind = str(rng.choice(_FORMS))
    column = frame["remark"].astype(object)
    for place in rng.choice(len(frame), max(1, int(np.ceil(share * len(frame)))), replace=False):
        column.iloc[place] = f"{column.iloc[place]} {_some(kind, rng)}" if rng.random() < 0.5 else _some(kind, rng)
    frame["remark"] = column
    return ()


def whole(frame: pd.DataFrame, rng: np.random.Generator) -> tuple[str, ...]:
    """Add a column of identifiers with a name that means nothing."""
    kind = str(rng.choice([form for form in _FORMS if form not in ("title", "born")]))
    frame["k7"] = [_some(kind, rng) for _ in range(len(frame))]
    return ()


def called(frame: pd.DataFrame, rng: np.random.Generator) -> tuple[str, ...]:
    """Add a column that its name alone tells to be personal."""
    name = str(rng.choice(list(_NAMES)))
    frame[name] = [_some(_NAMES[name], rng) for _ in range(len(frame))]
    return ()


def labelled(frame: pd.DataFrame, rng: np.random.Generator) -> tuple[str, ...]:
    """Add personal columns that the label names."""
    called(frame, rng)
    whole(frame, rng)
    return (*(name for name in frame.columns if name in _NAMES), "k7")


def nothing(_frame: pd.DataFrame, _rng: np.random.Generator) -> tuple[str, ...]:
    """Leave the table as it is."""
    return ()


def made(seed: int, spoil: Spoil, rows: int | None = None) -> Context:
    """Return the context of a table of mixed and odd columns, spoilt in the training or the test data."""
    rng = np.random.default_rng([seed, 0])
    n = rows or int(rng.integers(300, 1500))
    frame = filler(rng, n, int(rng.integers(3, 25)))
    for name, cells in odd(rng, int(rng.integers(3, 14)), n).items():
        frame[name] = pd.Series(cells, dtype=object).replace("", None)
    frame["remark"] = _remarks(rng, n)
    cut = int(0.6 * n)
    frames = {"train": frame.iloc[:cut].reset_index(drop=True), "test": frame.iloc[cut:].reset_index(drop=True)}
    both = np.random.default_rng([seed, 1])
    named = spoil(frames["train"], both) if seed % 2 else spoil(frames["test"], both)
    tables = {
        name: Table(name, np.arange(len(some), dtype=np.int64), some, np.zeros(len(some), dtype=np.int64),
                    pd.DataFrame(index=some.index))
        for name, some in frames.items()
    }  # fmt: skip
    settings = SettingsView(personal=named)
    return context(CHECK, None, tables, seed, thresholds=floors(CHECK), settings=settings)


def _remarks(rng: np.random.Generator, n: int) -> list[str]:
    words = np.array(
        ["seal", "worn", "ordered", "new", "part", "after", "second", "shift", "noise", "at", "start", "ok"]
    )
    return [" ".join(some) for some in words[rng.integers(0, len(words), (n, 7))].tolist()]


def unlabelled(seed: int) -> Context:
    """Return a table that no floor lets pass: a column of e-mail addresses and one of names, neither labelled."""

    def both(frame: pd.DataFrame, rng: np.random.Generator) -> tuple[str, ...]:
        frame["Nachname"] = [_some("name", rng) for _ in range(len(frame))]
        frame["k7"] = [_some("email", rng) for _ in range(len(frame))]
        return ()

    return made(seed, both)


ENTRY = Entry(
    check=CHECK,
    documented="identifiers in one cell in twenty of a text column, a column of them, or a column named so",
    planted={
        "within texts": partial(made, spoil=planted),
        "a column of them": partial(made, spoil=whole),
        "a name that tells": partial(made, spoil=called),
    },
    clean={"nobody in it": partial(made, spoil=nothing), "labelled": partial(made, spoil=labelled)},
    between={"one cell in two hundred": partial(made, spoil=partial(planted, share=0.005))},
    small={"forty rows": partial(made, spoil=partial(planted, share=0.05), rows=40)},
    rates=Rates(alarms=0.05),
)
