"""Learning: a logistic regression on encrypted rows; few steps, no bootstrapping, the owner of the rows refreshes.

The server holds rows and answers encrypted under the owner's key and never sees anything else. In a step the owner
sends encrypted weights w and gets back, slot by slot and added up over all ciphertexts of rows, the encrypted products
(p(z) - y) x_j with z = x w and p a cubic in the place of the sigmoid: four multiplications deep. The owner decrypts,
adds the slots up, and takes a Newton step with the fixed bound of the curvature, s X'X / n + l (Boehning and Lindsay
1988); X'X is a pass over its own rows before they are sent. New weights are fresh ciphertexts, so that depth never
grows.

The cubic is nearest to the sigmoid in the largest difference over [-r, r]; weights are shrunk where some row of the
declared box would leave it. So the difference of :func:`cubic` holds for every row that can be.

Trust model: rows and key belong to one owner; the server is curious and knows how many rows, numbers and steps there
are. That it computes rightly is not proved. See docs/adr/0013-training-on-ciphertext.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from fivefold.errors import InputError
from fivefold.sharing.ciphertext import engine
from fivefold.sharing.ciphertext.messages import Gradient, Rows, Step, name_of, pack, unpack
from fivefold.sharing.ciphertext.scorer import Scorer, column_fault, encoded, width
from fivefold.sharing.ciphertext.settings import Settings, demand_secure
from fivefold.sharing.privacy import chunks
from fivefold.sharing.privacy.queries import Domain
from fivefold.sharing.privacy.training import Column

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pandas as pd

SETTINGS = Settings(degree=16384, primes=(60, 45, 45, 45, 45, 60), scale=45, rescale=True)
RIDGE = 1e-4
_GRID = 4001


class Learning(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is learned.

    Attributes:
        target: The column of the answer.
        positive: The class whose probability the model gives; every other cell is the other one.
        columns: What it is learned from.
        data: Data set of the manifest.
        steps: Newton steps, 1 to 30.
        reach: r, up to which the cubic stands for the sigmoid.
        settings: Of the encryption.
    """

    target: str
    positive: str | int | float | bool
    columns: dict[str, Column]
    data: str = "train"
    steps: int = 5
    reach: float = 8.0
    settings: Settings = SETTINGS


def read(told: Mapping[str, Any], where: str = "") -> Learning:
    """Check a training as it was written.

    Raises:
        InputError: ``ciphertext.training``, with the field; ``ciphertext.settings`` for settings that are none.
    """
    try:
        made = msgspec.convert(dict(told), Learning, strict=True)
    except msgspec.ValidationError as error:
        raise _refused(str(error), where) from None
    fault = "columns: not the target." if made.target in made.columns else column_fault(made.columns)
    if fault:
        raise _refused(fault, where)
    if not 1 <= made.steps <= 30 or not 1 <= made.reach <= 32:
        raise _refused("steps: 1 to 30; reach: 1 to 32.", where)
    if not made.settings.rescale or len(made.settings.primes) < 6:
        raise _refused("settings: rescale, and 6 primes at least for four products in a row.", where)
    return made


def _refused(fault: str, where: str) -> InputError:
    return InputError("ciphertext.training", f"the training cannot be run: {fault}", where=where,
                      remedy="See the page on encrypted rows.")  # fmt: skip


@cache
def cubic(reach: float) -> tuple[float, float, float]:
    """Return a, b and the largest difference of 1/2 + a z + b z^3 to the sigmoid over [-reach, reach].

    Found as a linear program on a grid; between points of the grid the difference grows by less than 1e-3 of reach.
    """
    from scipy.optimize import linprog

    z = np.linspace(0, reach, _GRID)
    wanted, ones = 1 / (1 + np.exp(-z)) - 0.5, np.ones(_GRID)
    rows = np.concatenate([np.column_stack([z, z**3, -ones]), np.column_stack([-z, -(z**3), -ones])])
    found = linprog([0, 0, 1], A_ub=rows, b_ub=np.concatenate([wanted, -wanted]), bounds=[(None, None)] * 3)
    a, b, far = (float(one) for one in found.x)
    return a, b, far + (0.25 + abs(a) + 3 * abs(b) * reach**2) * reach / (_GRID - 1)


def answered(told: Learning, rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return (n, d) rows with a leading 1, and (n,) answers 0 or 1; rows without an answer are left out.

    Raises:
        InputError: ``ciphertext.columns`` for columns that are not there; ``ciphertext.rows`` for a single class.
    """
    if told.target not in rows.columns:
        raise InputError("ciphertext.columns", f"the rows have no column {told.target!r}.", remedy="Name the target.")
    kept = rows[rows[told.target].notna()]
    x = encoded(told.columns, kept)
    y = (chunks.cells(kept[told.target], Domain(values=(told.positive,))) == 0).astype(np.float64)
    if not 0 < y.sum() < len(y):
        raise InputError("ciphertext.rows", f"of {len(y):,} rows all or none are {told.positive!r}.",
                         remedy="Name a class that some rows have in `positive`.")  # fmt: skip
    return np.column_stack([np.ones(len(x)), x]), y


@dataclass(frozen=True)
class Learned:
    """What came of it.

    Attributes:
        weights: (d,) the intercept first.
        steps: How many were taken.
        sent: Bytes sent to the server.
        got: Bytes that came back.
    """

    weights: np.ndarray
    steps: int
    sent: int = 0
    got: int = 0


def descend(told: Learning, x: np.ndarray, slope: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Return (d,) weights after the steps.

    Args:
        told: What is learned.
        x: (n, d) the owner's rows, for X'X alone.
        slope: Given (d,) weights, (d,) the sum of (p(z) - y) x over all rows.
    """
    n, ridge = len(x), RIDGE * np.eye(x.shape[1])
    curvature = max(cubic(told.reach)[0], 0.25) * (x.T @ x) / n + ridge
    weights = np.zeros(x.shape[1])
    for _ in range(told.steps):
        moved = weights - np.linalg.solve(curvature, slope(weights) / n + RIDGE * weights)
        weights = moved * min(1.0, told.reach / max(furthest(told.columns, moved), 1e-12))
    return weights


def furthest(columns: Mapping[str, Column], weights: np.ndarray) -> float:
    """Return the largest logit, either way, of any row of the box.

    Args:
        columns: How rows are encoded.
        weights: (d,) the intercept first.
    """
    high = low = float(weights[0])
    at = 1
    for column in columns.values():
        part = weights[at : at + width(column)]
        at += len(part)
        high += abs(part[0]) if column.bounds else float(part.max())
        low -= abs(part[0]) if column.bounds else -float(part.min())
    return max(abs(high), abs(low))


def in_clear(told: Learning, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return (d,) weights of the same steps on rows in the clear."""
    a, b, _ = cubic(told.reach)

    def slope(weights: np.ndarray) -> np.ndarray:
        z = x @ weights
        return np.asarray(x.T @ (0.5 + a * z + b * z**3 - y))

    return descend(told, x, slope)


def learn(told: Learning, x: np.ndarray, y: np.ndarray, post: Callable[[str, bytes], bytes]) -> Learned:
    """Encrypt rows, have their gradients computed, and return the weights.

    Args:
        told: What is learned.
        x: (n, d) rows of :func:`answered`.
        y: (n,) answers.
        post: Sends bytes to a path of the server and returns its answer.

    Raises:
        InputError: ``ciphertext.insecure``, ``ciphertext.settings``; what the server refuses.
        UnsupportedError: ``ciphertext.engine``.
    """
    demand_secure(told.settings)
    keys, traffic = engine.Keys(told.settings), [0, 0]

    def ask(path: str, body: bytes) -> bytes:
        found = post(path, body)
        traffic[0], traffic[1] = traffic[0] + len(body), traffic[1] + len(found)
        return found

    context = keys.context(products=True)
    job, slots = name_of(context), told.settings.slots
    ask("/v1/train", context)
    for start in range(0, len(x), slots):
        some, answers = np.zeros((slots, x.shape[1])), np.full(slots, 0.5)
        here = len(x[start : start + slots])
        some[:here], answers[:here] = x[start : start + slots], y[start : start + slots]
        columns = tuple(keys.encrypt_rows(some))
        ask("/v1/train/rows", pack(Rows(job=job, columns=columns, answers=keys.encrypt(answers))))
    a, b, _ = cubic(told.reach)

    def slope(weights: np.ndarray) -> np.ndarray:
        sent = tuple(keys.encrypt(np.full(slots, one)) for one in weights)
        found = unpack(ask("/v1/train/step", pack(Step(job=job, weights=sent, cubic=(a, b)))), Gradient)
        return np.array([keys.decrypt(blob, slots).sum() for blob in found.columns])

    weights = descend(told, x, slope)
    ask("/v1/train/end", job.encode())
    return Learned(weights, told.steps, *traffic)


def scorer_of(told: Learning, weights: np.ndarray) -> Scorer:
    """Return the model that was learned."""
    return Scorer(
        kind="logistic", columns=told.columns, weights=tuple(weights.tolist()), target=told.target,
        positive=told.positive,
    )  # fmt: skip


def gradient(batches: Sequence[tuple[list[Any], Any]], weights: Sequence[Any], cubic: tuple[float, float]) -> list[Any]:
    """Return encrypted (p(z) - y) x_j for each number j, slot by slot, added up over batches; the server's half.

    Args:
        batches: Of encrypted columns (the first of ones) and encrypted answers.
        weights: Encrypted, the same in all slots.
        cubic: a and b.
    """
    total: list[Any] = []
    for columns, answers in batches:
        z = columns[0] * weights[0]
        for column, weight in zip(columns[1:], weights[1:], strict=True):
            z += column * weight
        cube = z * z
        cube *= z * float(cubic[1])
        cube += z * float(cubic[0])
        cube += columns[0] * 0.5
        cube -= answers  # the library switches a right operand down in place: answers stay at the level needed here
        part = [column * cube for column in columns]
        total = part if not total else [one + more for one, more in zip(total, part, strict=True)]
    return total
