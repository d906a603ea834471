"""Release: reserve, read, add up, add noise, say; in this order, and nothing is given back."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from fivefold.errors import InputError
from fivefold.sharing.privacy import engine, noise
from fivefold.sharing.privacy.answers import answer
from fivefold.sharing.privacy.chunks import Limit, Part
from fivefold.sharing.privacy.groups import MOST, Groups
from fivefold.sharing.privacy.loss import DELTA, RHO, Loss, budget_of, epsilon_of
from fivefold.sharing.privacy.vectors import compiled, found_in_data, shares

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

    from fivefold.sharing.privacy.ledger import Ledger
    from fivefold.sharing.privacy.noise import Bytes
    from fivefold.sharing.privacy.queries import Query, Release
    from fivefold.sharing.privacy.vectors import Vector

VERSION = 1
_ODD = 1e-12


@dataclass
class Asked:
    """A release, ready to be asked; made from what is public alone.

    Attributes:
        release: As declared.
        loss: What it costs.
        vectors: Sums of the queries with known cells.
        groups: Queries with groups that are found in the data.
    """

    release: Release
    loss: Loss
    vectors: list[Vector]
    groups: list[Groups]


@dataclass
class Totals:
    """Exact sums over a table; the owner's alone.

    Attributes:
        sums: One (size,) int64 array for each vector.
        counts: One mapping of group to rows for each query with found groups.
        rows: Rows read.
    """

    sums: list[np.ndarray]
    counts: list[dict[tuple[str, ...], int]] = field(default_factory=list)
    rows: int = 0


def ask(release: Release) -> Asked:
    """Compile a release and say what it costs.

    Raises:
        InputError: ``privacy.query``, ``privacy.budget``, ``privacy.scale``.
    """
    cost = release.loss
    whole = (
        budget_of(cost.epsilon, cost.delta) if cost.epsilon else Loss(round(cost.rho * RHO), round(cost.delta * DELTA))
    )
    vectors = compiled(release, whole.rho)
    open_ = [
        (query, rho) for query, rho in zip(release.queries, shares(release, whole.rho), strict=True)
        if found_in_data(query, release)
    ]  # fmt: skip
    spare = _table_delta(vectors, len(open_), whole.rho)
    each = (whole.delta - spare) // len(open_) if open_ else 0
    groups = [Groups(query, rho, each, release.unit.rows) for query, rho in open_]
    for one in groups:
        if one.delta < 1 or one.rho < 1:
            raise InputError("privacy.budget", f"nothing is left for {one.query.name}.", remedy="Raise the loss.")
        _ = one.threshold
    rho = sum(vector.rho for vector in vectors) + sum(one.rho for one in groups)
    return Asked(release, Loss(rho, spare + each * len(groups)), vectors, groups)


def _table_delta(vectors: list[Vector], open_: int, rho: int) -> int:
    """Return what drawing from tables adds to delta, in 10^-18, at least one; see :mod:`~.tables`."""
    far = sum(float(vector.law.tv) * vector.size for vector in vectors) + open_ * MOST * 2.0**-100
    return max(1, math.ceil(far * (1 + math.exp(min(epsilon_of(rho / RHO, _ODD), 60.0))) * DELTA))


def total(asked: Asked, parts: Iterable[pd.DataFrame]) -> Totals:
    """Add up a table, part by part, at most so many rows of a person."""
    sums = [np.zeros(vector.size, dtype=np.int64) for vector in asked.vectors]
    for one in asked.groups:
        one.counts = {}
    limit, rows = Limit(asked.release.unit), 0
    for part in parts:
        rows += len(part)
        kept = limit.keep(part)
        used = Part(kept)
        for vector, mine in zip(asked.vectors, sums, strict=True):
            vector.add(used, mine)
        for one in asked.groups:
            one.add(kept)
    return Totals(sums, [one.counts for one in asked.groups], rows)


def noisy(asked: Asked, totals: Totals, draw: Bytes = noise.fresh) -> list[np.ndarray]:
    """Return each vector on its grid, with our noise: (size,) int64."""
    return [
        plain + noise.sample(vector.law, vector.size, draw)
        for vector, plain in zip(asked.vectors, rounded(asked, totals), strict=True)
    ]


def rounded(asked: Asked, totals: Totals) -> list[np.ndarray]:
    """Return each vector on its grid, exactly: (size,) int64; the owner's alone."""
    return [vector.rounded(sums) for vector, sums in zip(asked.vectors, totals.sums, strict=True)]


def said(asked: Asked, given: list[np.ndarray], found: list[list[tuple[tuple[str, ...], int]]]) -> list[dict[str, Any]]:
    """Return the answers to all queries, from noisy sums and noisy groups."""
    release, groups = asked.release, {one.query.name: at for at, one in enumerate(asked.groups)}
    told = []
    for query in release.queries:
        entry: dict[str, Any] = {"name": query.name, "what": query.what}
        if query.name in groups:
            one = asked.groups[groups[query.name]]
            entry |= _groups(query, release, one, found[groups[query.name]])
        else:
            mine = {
                vector.part: (vector, sums)
                for vector, sums in zip(asked.vectors, given, strict=True) if vector.query == query.name
            }  # fmt: skip
            entry["rho"] = sum(vector.rho for vector, _ in mine.values()) / RHO
            entry["cells"] = answer(query, release, mine)
        told.append(entry)
    return told


def _groups(query: Query, release: Release, one: Groups, found: list[tuple[tuple[str, ...], int]]) -> dict[str, Any]:
    from fractions import Fraction

    reach = one.law.quantile(Fraction(1 - release.confidence).limit_denominator(10**12) / 2) - 1
    cells = [
        {"cell": dict(zip(query.by, key, strict=True)), "value": count, "low": count - reach, "high": count + reach}
        for key, count in found
    ]
    return {"rho": one.rho / RHO, "threshold": one.threshold, "cells": cells}


def run(asked: Asked, parts: Iterable[pd.DataFrame], ledger: Ledger, source: str) -> tuple[bytes, Totals, str]:
    """Reserve, then release.

    Args:
        asked: What.
        parts: The table.
        ledger: With a budget for the source.
        source: As the manifest declares it.

    Returns:
        The result as JSON, the exact sums for the owner, and the reservation's id.

    Raises:
        InputError: ``privacy.engine``, ``privacy.overdrawn``, before anything is read; ``privacy.table`` after, and it
            is spent then.
        StorageError: ``store.disk``, ``store.server``.
    """
    names, made = ", ".join(query.name for query in asked.release.queries), asked.release.engine
    other = engine.opendp(asked.vectors) if made == "opendp" else None
    reservation = ledger.reserve(source, asked.loss, names)
    totals = total(asked, parts)
    given = other(rounded(asked, totals)) if other else noisy(asked, totals)
    found = [one.shown() for one in asked.groups]
    unit = asked.release.unit
    result = {
        "version": VERSION,
        "reservation": reservation,
        "loss": {"rho": asked.loss.rho / RHO, "delta": asked.loss.delta / DELTA},
        "unit": f"a person, known by {unit.column}, with at most {unit.rows} rows" if unit.column else "a row",
        "confidence": asked.release.confidence,
        "noise": {"engine": made, "version": engine.version(made)},
        "answers": said(asked, given, found),
    }
    raw = json.dumps(result, ensure_ascii=False, allow_nan=False, indent=1).encode()
    ledger.released(reservation, raw)
    return raw, totals, reservation


def exact(asked: Asked, totals: Totals) -> list[dict[str, Any]]:
    """Return the answers without noise, for the owner alone."""
    return said(asked, rounded(asked, totals), [sorted(counts.items()) for counts in totals.counts])
