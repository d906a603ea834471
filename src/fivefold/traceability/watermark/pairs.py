"""Pairs: rows of which a key chose one of two equally plausible variants, so that who learnt the chosen ones shows.

**Argument.** A marked row x stands between two variants, x + d and x - d; which of them is released is a fair coin
drawn from the key and the digests of all variants, targets and classes. Fix any model that was made without the key and
without the marked rows - from the original rows, say, or from others: what it says to the two variants of each pair is
what it is, so which one it prefers, and by how much, is fixed as well. The coins are independent of that, so each pair
counts for the key with chance 1/2, whatever its weight. The weighted count is a sum of independent two-valued numbers,
and its tail is computed **exactly** (a signed-rank test; with labels alone it becomes the sign test). Nothing is
assumed of model, data or training. Who exchanges a pair draws all coins anew, as with triggers; that the key was not
chosen after the model is what the commitment is for.

Source: Sablayrolles et al. 2020, *Radioactive data* (rows marked before release); Maini et al. 2021, *Dataset
inference*; Wilcoxon 1945 for the test. One direction for a whole class, as in the first, is one coin, not many.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pandas as pd

from fivefold.contract.codec import canonical
from fivefold.errors import InputError, TrustError
from fivefold.keys.ciphers import derive
from fivefold.traceability.watermark import questions
from fivefold.traceability.watermark.embedding import Reading

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fivefold.contract.subject import Table

FEWEST, MOST = 24, 5000
_COMMON = 0.1
_KINDS = 10
_LEVELS = 32
_LEAST_SCORE = 1e-6
_LEAST_P = 1e-12


class RowsOpening(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="rows"):
    """What is secret until the mark is claimed.

    Attributes:
        key: 32 bytes from a cryptographic source; the coins follow from it, the variants, targets and classes.
        inputs: First variant of every pair, then the second of every pair, as message pack of a batch.
        targets: Class index of each pair.
        classes: Labels in order.
    """

    key: bytes
    inputs: bytes
    targets: tuple[int, ...]
    classes: tuple[str, ...]
    version: int = 1


@dataclass(frozen=True)
class Chosen:
    """Rows with a mark.

    Attributes:
        opening: The secret.
        table: The marked rows alone, (k), each in its chosen variant.
        rows: (k,) their positions in the whole table.
        names: Columns in which cells moved; empty for arrays.
        cells: Share of all cells of the table that were changed.
        largest: Largest change in units of its column's spread.
    """

    opening: RowsOpening
    table: Table
    rows: np.ndarray
    names: tuple[str, ...]
    cells: float
    largest: float


def marked(
    table: Table, classes: tuple[str, ...], rng: np.random.Generator, *, share: float, step: float,
    keep: Sequence[str] = (),
) -> Chosen:  # fmt: skip
    """Choose between two variants of some rows.

    Numbers move by about ``step`` spreads, up or down as drawn for each cell, rounded as their column is. Left alone:
    texts, dates, truth values, missing cells, columns of fewer than 10 values, values that over a tenth of the rows
    have (zeros, backgrounds), and cells that would leave the range of their column.

    Args:
        table: All rows, of columns or arrays.
        classes: Its labels.
        rng: Draws rows and directions; the key comes from the system.
        share: Of the rows with a known target, in (0, 1]; at most 5,000 are marked.
        step: Change in units of a column's spread, in (0, 1].
        keep: Columns to leave alone.

    Raises:
        InputError: ``mark.share``, ``mark.inputs``.
    """
    if not (0 < share <= 1 and 0 < step <= 1):
        raise InputError("mark.share", "share and change are numbers above 0, at most 1.", remedy="Give --share 0.2.")
    if len(classes) < 2 or table.kind == "text":
        raise InputError("mark.inputs", "rows are marked of tables and arrays whose target is a class.",
                         remedy="Mark the data of a classification.")  # fmt: skip
    names = _movable(table, keep)
    scales = _scales(_numbers(table.take(np.sort(rng.permutation(len(table))[:MOST])), names), step)
    known = rng.permutation(np.flatnonzero(table.target >= 0))
    places = np.sort(known[: min(MOST, round(share * len(known)))])
    numbers = _numbers(table.take(places), names)
    moves = _steps(numbers, scales)
    able = (moves.reshape(len(moves), -1) > 0).any(axis=1) if moves.size else np.zeros(len(moves), dtype=bool)
    places, numbers, moves = places[able], numbers[able], moves[able]
    if len(places) < FEWEST:
        raise InputError("mark.inputs", f"only {len(places)} rows have numbers that may move; {FEWEST} are needed.",
                         remedy="Mark a larger share, or data with more rows and columns of numbers.")  # fmt: skip
    delta = moves * rng.choice(np.array([-1.0, 1.0]), size=moves.shape)
    old = table.take(places)
    opening = RowsOpening(
        key=secrets.token_bytes(32), targets=tuple(old.target.tolist()), classes=classes,
        inputs=questions.packed(questions.joined([_moved(old, numbers, sign * delta, names) for sign in (1, -1)])),
    )  # fmt: skip
    signs = (1 - 2 * wanted(opening)).reshape(-1, *[1] * (delta.ndim - 1))
    width = old.inputs[0].size if old.inputs is not None else old.features.shape[1]
    units = np.abs(delta).reshape(-1, len(scales)) / [one.spread for one in scales]
    cells = float((delta != 0).sum() / (len(table) * width))
    return Chosen(opening, _moved(old, numbers, signs * delta, names), places, tuple(names), cells, float(units.max()))


def wanted(opening: RowsOpening) -> np.ndarray:
    """Return (n,) which variant of each pair was released: 0 the first, 1 the second.

    Raises:
        TrustError: ``mark.malformed``.
    """
    kinds, count = len(opening.classes), len(opening.targets)
    well = len(opening.key) == 32 and opening.version == 1 and FEWEST <= count <= MOST
    if not (well and kinds == len(set(opening.classes)) >= 2 and all(0 <= one < kinds for one in opening.targets)):
        raise TrustError("mark.malformed", "this is no opening of marked rows.")
    parts = (opening.inputs, canonical(opening.targets), canonical(opening.classes))
    bound = b"".join(hashlib.sha256(one).digest() for one in parts)
    stream = derive(opening.key, info=b"fivefold marked rows " + bound, length=(count + 7) // 8)
    return np.unpackbits(np.frombuffer(stream, np.uint8), count=count).astype(np.int64)


def read(scores: np.ndarray, opening: RowsOpening) -> Reading:
    """Hold what a suspect says of both variants against the key.

    Args:
        scores: (2n, K) probabilities of the opening's classes for the first variants, then the second; or (2n,) indices
            of classes, -1 for another, where the suspect gives labels alone.
        opening: Of the mark.

    Raises:
        TrustError: ``mark.malformed``, also for another number of answers.
    """
    coins, target = wanted(opening), np.array(opening.targets)
    count = len(target)
    if scores.shape not in ((2 * count,), (2 * count, len(opening.classes))):
        raise TrustError("mark.malformed", f"{len(scores)} answers were given to {2 * count} questions.")
    if scores.ndim == 1:
        said = (scores == np.tile(target, 2)).astype(np.float64)
    else:
        said = np.log(np.clip(scores[np.arange(2 * count), np.tile(target, 2)], _LEAST_SCORE, 1.0))
    gap = np.round(np.nan_to_num(said[:count] - said[count:]), 12)
    told = gap != 0
    right = int(((gap > 0) == (coins == 0))[told].sum())
    return Reading(right, int(told.sum()), p_of(gap, coins), float(told.mean()))


def p_of(gap: np.ndarray, coins: np.ndarray) -> float:
    """Return the chance that fair coins agree with preferences as much as these, exact down to 1e-12.

    Preferences weigh by the rank of their size, in 32 levels. Of weights w the number sum(w [agrees]) has the
    characteristic function prod (1 + exp(i t w)) / 2, which one Fourier transform turns into its distribution.

    Args:
        gap: (n,) by how much the first variant is preferred; 0 does not count.
        coins: (n,) 0 where the first variant was released, 1 where the second.
    """
    from scipy.stats import rankdata

    told = gap != 0
    if not told.any():
        return 1.0
    weights = np.ceil(_LEVELS * rankdata(np.abs(gap[told])) / told.sum()).astype(np.int64)
    reached, total = int(weights[((gap > 0) == (coins == 0))[told]].sum()), int(weights.sum())
    angles = 2 * np.pi * np.arange(total + 1) / (total + 1)
    wave = np.exp(0.5j * angles * total)
    for weight, times in zip(*np.unique(weights, return_counts=True), strict=True):
        wave *= np.cos(0.5 * angles * weight) ** times
    mass = np.fft.fft(wave).real / (total + 1)
    return float(np.clip(mass[reached:].sum(), _LEAST_P, 1.0))


@dataclass(frozen=True)
class _Scale:
    """How cells of a column move: by ``size`` within ``low`` and ``high``, but not from one of ``common``."""

    spread: float
    size: float
    low: float
    high: float
    common: np.ndarray


def _movable(table: Table, keep: Sequence[str]) -> list[str]:
    """Return columns of numbers with 10 values or more; none of arrays."""
    return [
        str(name) for name, column in table.features.items()
        if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
        and name not in keep and column.nunique() >= _KINDS
    ] if table.inputs is None else []  # fmt: skip


def _numbers(table: Table, names: list[str]) -> np.ndarray:
    """Return (n, ...) float64 cells that may move."""
    if table.inputs is not None:
        return table.inputs.astype(np.float64)
    return table.features[names].to_numpy(dtype=np.float64, na_value=np.nan)


def _scales(numbers: np.ndarray, step: float) -> list[_Scale]:
    """Return how each column of some rows moves; all cells of arrays count as one column."""
    return [_scale(column, step) for column in (numbers.T if numbers.ndim == 2 else numbers.reshape(1, -1))]


def _scale(column: np.ndarray, step: float) -> _Scale:
    """Measure a column: its spread is the lesser of the standard deviation and that of a normal with its quartiles."""
    known = column[np.isfinite(column)]
    if not len(known):
        return _Scale(1.0, 0.0, 0.0, 0.0, known)
    low, high = np.percentile(known, [25, 75])
    robust, plain = float(high - low) / 1.349, float(known.std())
    spread = min(robust, plain) if robust > 0 else plain
    unit = _unit(known)
    size = max(unit, round(step * spread / unit) * unit) if unit else step * spread
    values, counts = np.unique(known, return_counts=True)
    common = values[counts > _COMMON * len(column)]
    return _Scale(spread or 1.0, size if size <= spread else 0.0, float(values[0]), float(values[-1]), common)


def _unit(known: np.ndarray) -> float:
    """Return the last decimal place that numbers use, up to four; 0: they use more."""
    return next((10.0**-at for at in range(5) if np.allclose(known, np.round(known, at), rtol=0, atol=1e-9)), 0.0)


def _steps(numbers: np.ndarray, scales: list[_Scale]) -> np.ndarray:
    """Return (n, ...) how far each cell moves; 0 where it stays."""
    flat = numbers if numbers.ndim == 2 else numbers.reshape(-1, 1)
    made = np.zeros(flat.shape)
    for at, one in enumerate(scales):
        column = flat[:, at]
        fits = (column - one.size >= one.low) & (column + one.size <= one.high) & ~np.isin(column, one.common)
        made[:, at] = np.where(fits, one.size, 0.0)
    return made.reshape(numbers.shape)


def _moved(table: Table, numbers: np.ndarray, delta: np.ndarray, names: list[str]) -> Table:
    """Return rows with some cells moved, of the same types; the others stay to the bit."""
    if table.inputs is not None:
        kind = table.inputs.dtype
        values = np.round(numbers + delta) if kind.kind in "iu" else numbers + delta
        return table.with_inputs(np.where(delta != 0, values.astype(kind), table.inputs))
    frame = table.features.copy()
    for at, name in enumerate(names):
        here = np.flatnonzero(delta[:, at])
        values = np.round((numbers + delta)[here, at], 6)
        column = frame[name].copy()
        column.iloc[here] = pd.Series(values).astype(column.dtype).to_numpy()
        frame[name] = column
    return table.with_features(frame)
