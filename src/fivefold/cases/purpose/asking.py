"""Asking: applicants for loans, those who ask about them, and how many an hour; all drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

KINDS = ("other people", "one in three", "made-up people", "three times as many")
"""How requests under the old words differ: prospects of a sales campaign; the same among honest ones; rows put together
from cells of others, to learn the model; the same people, far more of them."""
HOURLY = 40
"""Rows expected in an hour."""
_JOBS = np.array(["unskilled", "skilled", "management", "own business"], dtype=object)
_HOMES = np.array(["rent", "own", "free"], dtype=object)
_SHIFT = (0.7, 1.4)
_BURST = 0.5


def people(n: int, rng: np.random.Generator, shift: tuple[float, float] = (0.0, 0.0)) -> pd.DataFrame:
    """Draw n applicants.

    Args:
        n: How many.
        rng: Draws them.
        shift: How much further on in life, and how much better off, than those who apply, in standard deviations.
    """
    stage, wealth = rng.normal(size=n) + shift[0], rng.normal(size=n) + shift[1]
    wealth = 0.5 * stage + 0.85 * wealth
    age = np.clip(38 + 11 * stage + rng.normal(0, 4, n), 18, 90).round()
    income = np.exp(10 + 0.35 * wealth + 0.2 * rng.normal(size=n)).round(-1)
    amount = np.exp(8 + 0.3 * wealth + 0.6 * rng.normal(size=n)).round(-2)
    job = _JOBS[np.clip((1.5 + 0.8 * wealth + rng.normal(0, 0.6, n)).astype(int), 0, 3)]
    home = _HOMES[np.where(rng.random(n) < 0.12, 2, (wealth + rng.normal(0, 0.8, n) > 0.2).astype(int))]
    savings = np.exp(6 + 0.9 * wealth + rng.normal(size=n)).round(-1)
    savings[rng.random(n) < 0.18] = np.nan
    months = rng.choice([6.0, 12, 18, 24, 36, 48, 60], n, p=[0.08, 0.2, 0.15, 0.25, 0.17, 0.1, 0.05])
    return pd.DataFrame({
        "age": age, "income": income, "amount": amount, "months": months, "savings": savings, "job": job, "home": home,
    })  # fmt: skip


@dataclass(frozen=True)
class Stream:
    """Requests under the words of the declared purpose.

    Attributes:
        rows: What is asked, in order.
        hourly: (h,) how many of them in each hour.
        since: Row from which on they are relabelled; the number of rows where none is.
        kind: One of :data:`KINDS`; empty: honest.
    """

    rows: pd.DataFrame
    hourly: np.ndarray
    since: int
    kind: str = ""


def honest(n: int, rng: np.random.Generator) -> Stream:
    """Draw n honest requests, in bursts: half of the hours have next to none, some have five times as many."""
    return Stream(people(n, rng), _hours(n, HOURLY, rng), n)


def relabelled(kind: str, before: int, after: int, rng: np.random.Generator) -> Stream:
    """Draw honest requests, then such of another kind under the same words.

    Args:
        kind: One of :data:`KINDS`.
        before: Rows that are honest.
        after: Rows that are not.
        rng: Draws them.
    """
    first, hours = people(before, rng), _hours(before, HOURLY, rng)
    faster = 3 if kind == "three times as many" else 1
    second = people(after, rng)
    if kind in ("other people", "one in three"):
        away = float(rng.choice([-1, 1])) * float(rng.uniform(*_SHIFT)), float(rng.uniform(*_SHIFT))
        others = people(after, rng, away)
        chosen = rng.random(after) < (1.0 if kind == "other people" else 1 / 3)
        second = second.where(np.repeat(~chosen[:, None], second.shape[1], axis=1), others)
    elif kind == "made-up people":
        second = pd.DataFrame({name: second[name].to_numpy()[rng.permutation(after)] for name in second})
    rows = pd.concat([first, second], ignore_index=True)
    return Stream(rows, np.concatenate([hours, _hours(after, faster * HOURLY, rng)]), before, kind)


def _hours(n: int, mean: float, rng: np.random.Generator) -> np.ndarray:
    """Return counts of hours, far more uneven than by chance alone, that sum to n."""
    some = rng.poisson(rng.gamma(_BURST, mean / _BURST, 4 * int(n / mean) + 50))
    last = int(np.searchsorted(np.cumsum(some), n))
    counts = some[: last + 1]
    counts[-1] -= int(counts.sum()) - n
    return np.asarray(counts)
