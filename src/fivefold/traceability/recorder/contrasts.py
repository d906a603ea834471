"""Contrasts: rows in question held against rows before them, column by column, and what differs told in words."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pandas as pd

from fivefold.errors import InputError
from fivefold.traceability.recorder import unlike
from fivefold.traceability.recorder.replaying import Decision, array

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

RARELY = 0.01
"""Chance up to which a difference is told."""
_NAMED = 5


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """One way in which the decision is unlike those before it.

    Attributes:
        about: ``model``, ``case``, ``columns``, ``words``, ``input`` or ``answer``.
        said: In words.
        chance: How often chance alone shows as large a difference; None: this was compared as a fact, not counted.
    """

    about: str
    said: str
    chance: float | None = None


class Notes(msgspec.Struct):
    """What is collected on the way."""

    told: list[Statement] = []
    alike: list[str] = []
    untold: list[str] = []

    def judge(self, what: str, about: str, found: unlike.Unlike, said: Callable[[], str]) -> None:
        """Tell a difference that chance rarely shows."""
        if found.chance <= RARELY:
            self.told.append(Statement(about=about, said=said(), chance=found.chance))
        else:
            self.alike.append(what)


def compare(frame: pd.DataFrame, n: int, about: str, notes: Notes) -> tuple[np.ndarray, np.ndarray] | None:
    """Compare the rows from ``n`` on with those before; return the nearest of each where inputs are compared."""
    numbers, codes, named = _split(frame)
    own, mine = numbers.iloc[:n].to_numpy(), numbers.iloc[n:].to_numpy()
    kinds = codes.iloc[:n].to_numpy(), codes.iloc[n:].to_numpy()
    steady = ~unlike.running(own)
    if steady.any():
        held, most = own[:, steady], unlike.beyond(own[:, steady], mine[:, steady])
        names = numbers.columns[steady]
        notes.judge(
            f"{about}: numbers", about, most, lambda: _outside(names, held, mine[most.row, steady], most.scores)
        )
    if not steady.all():
        notes.untold.append(f"{about}: {listed(numbers.columns[~steady])}, which runs with time")
    if kinds[0].shape[1]:
        odd = unlike.rare(*kinds)
        notes.judge(f"{about}: values", about, odd, lambda: _new(codes, named, n, odd))
    if about != "input":
        return None
    own, mine, names = own[:, steady], mine[:, steady], numbers.columns[steady]
    if own.shape[1] > 1:
        loose = unlike.untied(own, mine)
        notes.judge(
            "input: columns with each other", about, loose.found, lambda: _loose(names, mine[loose.found.row], loose)
        )
    points = unlike.places(own, mine, *kinds)
    near, near_mine, far = unlike.nearest(*points)
    notes.judge(
        "input: as a whole", about, far,
        lambda: "The input as a whole is farther from the inputs most like it than earlier ones are from theirs.",
    )  # fmt: skip
    return near, near_mine


def _outside(names: pd.Index, own: np.ndarray, row: np.ndarray, scores: np.ndarray) -> str:
    order = [at for at in np.argsort(-scores, kind="stable") if scores[at] > 1][:_NAMED]
    with np.errstate(all="ignore"):
        parts = [f"{names[at]} = {row[at]:.6g} (before: {_ends(own[:, at])})" for at in order]
    return f"Outside what was there before: {listed(parts)}." if parts else "Numbers are at the edge of those before."


def _loose(names: pd.Index, row: np.ndarray, loose: unlike.Untied) -> str:
    at = int(loose.found.scores.argmax())
    return f"{names[at]} = {row[at]:.6g}, where the other columns let expect about {loose.usual[at]:.4g}."


def _ends(values: np.ndarray) -> str:
    there = values[~np.isnan(values)]
    return f"{there.min():.6g} to {there.max():.6g}" if len(there) else "always missing"


def _new(codes: pd.DataFrame, named: dict[str, np.ndarray], n: int, odd: unlike.Unlike) -> str:
    row, parts = codes.iloc[n + odd.row], []
    for at in np.argsort(-odd.scores, kind="stable")[:_NAMED]:
        if odd.scores[at] < odd.scores.max():
            break
        name = str(codes.columns[at])
        same = int((codes.iloc[:n, at] == row.iloc[at]).sum())
        parts.append(f"{name} = {str(named[name][row.iloc[at]])[:60]} ({same:,} of {n:,} before)")
    return f"Rarely or never there before: {listed(parts)}."


def compare_answers(
    answers: pd.DataFrame, frame: pd.DataFrame, near: tuple[np.ndarray, np.ndarray], notes: Notes
) -> None:
    """Compare each answer with those to the nearest inputs."""
    n = len(near[0])
    if len(answers) != len(frame):
        notes.untold.append("answer: not every recorded answer has a value for each row of its question")
        return
    numbers, codes, named = _split(answers)
    for part, words in ((numbers, False), (codes, True)):
        values = part.to_numpy()
        if not values.shape[1]:
            continue
        odd = unlike.unexpected(values[:n], values[n:], *near, words=words)
        at = int(odd.scores.argmax())
        name, beside, mine = str(part.columns[at]), values[near[1][odd.row], at], values[n + odd.row, at]

        def said(
            name: str = name,
            beside: np.ndarray = beside,
            mine: Any = mine,
            words: bool = words,
        ) -> str:
            if words:
                level = named[name]
                usual, count = Counter(beside.tolist()).most_common(1)[0]
                return (
                    f"{name} = {str(level[int(mine)])[:60]}, "
                    f"while {count} of the {len(beside)} inputs most like it got {str(level[usual])[:60]}."
                )
            return f"{name} = {mine:.6g}, while the {len(beside)} inputs most like it got {_ends(beside)}."

        notes.judge("answer", "answer", odd, said)


def table(decision: Decision) -> pd.DataFrame:
    """Return the rows of a question as columns; of larger arrays a few figures for each row."""
    try:
        given = decision.rows()
    except InputError:
        return pd.DataFrame()
    if isinstance(given, pd.DataFrame):
        return given.reset_index(drop=True)
    if given.ndim == 2:
        return pd.DataFrame(given, columns=[f"x{at}" for at in range(given.shape[1])])
    return _figures(given)


def _figures(given: np.ndarray) -> pd.DataFrame:
    if given.dtype.kind not in "biuf":
        return pd.DataFrame()
    flat = given.reshape(len(given), -1).astype(np.float64)
    with np.errstate(all="ignore"):
        made = {"smallest": flat.min(axis=1), "largest": flat.max(axis=1), "mean": flat.mean(axis=1)}
        made |= {"spread": flat.std(axis=1), "missing": np.isnan(flat).mean(axis=1)}
        made["roughness"] = np.abs(np.diff(flat, axis=1)).mean(axis=1)
    return pd.DataFrame(made)


def answers_of(decision: Decision, rows: int) -> pd.DataFrame:
    """Return a row of answers for each row of the question; empty where they do not match."""
    tensors = decision.answered.body.tensors if decision.answered.body else ()
    made: dict[str, np.ndarray] = {}
    for tensor in tensors:
        values = array(tensor)
        if values.ndim == 0 or len(values) != rows or values.ndim > 2:
            continue
        wide = values[:, None] if values.ndim == 1 else values
        made |= {
            tensor.name if wide.shape[1] == 1 else f"{tensor.name} {at}": wide[:, at] for at in range(wide.shape[1])
        }
    return pd.DataFrame(made)


def _split(frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, np.ndarray]]:
    """Return numbers (float64), codes (int64) of everything else and of what is missing, and what the codes mean."""
    numbers: dict[str, np.ndarray] = {}
    codes: dict[str, np.ndarray] = {}
    named: dict[str, np.ndarray] = {}
    for name in map(str, frame.columns):
        column = frame[name]
        kinds = pd.api.types
        if kinds.is_datetime64_any_dtype(column):
            column = (column - pd.Timestamp(0, tz=getattr(column.dt, "tz", None))) / pd.Timedelta(1, "s")
        if kinds.is_complex_dtype(column):
            values = column.to_numpy()
            numbers |= {f"{name}, real part": values.real, f"{name}, imaginary part": values.imag}
            continue
        if kinds.is_numeric_dtype(column) and not kinds.is_bool_dtype(column):
            numbers[name] = column.to_numpy(dtype=np.float64, na_value=np.nan)
            gone = np.isnan(numbers[name])
            if gone.any() and not gone.all():
                codes[name], named[name] = gone.astype(np.int64), np.array(["there", "missing"], dtype=object)
            continue
        code, levels = pd.factorize(column.astype(object).map(_plain), use_na_sentinel=False)
        codes[name], named[name] = code.astype(np.int64), np.asarray(levels, dtype=object)
    size = len(frame)
    return (
        pd.DataFrame(numbers, index=range(size)),
        pd.DataFrame(codes, index=range(size), dtype=np.int64),
        {
            name: np.array(["missing" if pd.isna(one) else one for one in levels], dtype=object)
            for name, levels in named.items()
        },
    )


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | bool | int | float) or value is None else str(value)


def listed(parts: Iterable[str]) -> str:
    """Return the first five of some texts, and how many more there are."""
    every = list(parts)
    return "; ".join(every[:_NAMED]) + (f"; and {len(every) - _NAMED} more" if len(every) > _NAMED else "")
