"""Odd columns that tell of nobody: dates, codes, numbers of parts and orders that look like something else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    Make = Callable[[np.random.Generator, int], list[str]]

_WORDS = np.array([
    "pump", "valve", "motor", "bearing", "seal", "gasket", "order", "shipped", "late", "early", "north", "south",
    "blue", "green", "red", "steel", "copper", "batch", "line", "shift", "failed", "passed", "checked", "ready",
    "open", "closed", "total", "unit", "box", "pallet", "truck", "dock", "rack", "panel", "fuse", "relay",
])  # fmt: skip
_UPPER = np.array(list("ABCDEFGHIJKLMNOPQRSTUVWXYZ"))


def _digits(rng: np.random.Generator, n: int, width: int) -> list[str]:
    return ["".join(map(str, row)) for row in rng.integers(0, 10, (n, width)).tolist()]


def _shaped(shape: str) -> Make:
    """Return a maker of codes: ``9`` is any digit, ``A`` any capital, ``x`` any hexadecimal digit."""

    def make(rng: np.random.Generator, n: int) -> list[str]:
        parts = []
        for sign in shape:
            if sign == "9":
                parts.append(rng.integers(0, 10, n).astype(str))
            elif sign == "A":
                parts.append(rng.choice(_UPPER, n))
            elif sign == "x":
                parts.append(np.array(list("0123456789abcdef"))[rng.integers(0, 16, n)])
            else:
                parts.append(np.full(n, sign))
        return ["".join(row) for row in np.stack(parts, axis=1).tolist()]

    return make


def _dates(form: str) -> Make:
    def make(rng: np.random.Generator, n: int) -> list[str]:
        days = np.datetime64("2015-01-01T00:00:00") + rng.integers(0, 300_000_000, n).astype("timedelta64[s]")
        return [day.item().strftime(form) for day in days]

    return make


def _version(rng: np.random.Generator, n: int) -> list[str]:
    return [".".join(map(str, row)) for row in rng.integers(0, 20, (n, int(rng.integers(2, 5)))).tolist()]


def _sentence(rng: np.random.Generator, n: int) -> list[str]:
    """Free text with numbers of orders, amounts and days."""
    made = []
    for number, day, month in rng.integers(1, (99999, 28, 12), (n, 3)).tolist():
        some = rng.choice(_WORDS, int(rng.integers(4, 12))).tolist()
        made.append(f"{' '.join(some)} {number} {some[0]} {day}/{month}")
    return made


def _number(low: float, high: float, places: int) -> Make:
    return lambda rng, n: [f"{value:.{places}f}" for value in rng.uniform(low, high, n)]


def _one_of(*texts: str) -> Make:
    return lambda rng, n: rng.choice(np.array(texts), n).tolist()


FAMILIES: dict[str, Make] = {
    "order_date": _dates("%Y-%m-%d"), "created": _dates("%Y-%m-%d %H:%M:%S"), "due": _dates("%d.%m.%Y"),
    "shipped": _dates("%m/%d/%Y"), "logged_at": _dates("%Y%m%d%H%M%S"), "clock": _dates("%H:%M:%S"),
    "day": _dates("%Y%m%d"), "stamp": _dates("%Y-%m-%dT%H:%M:%S.000Z"), "month": _dates("%b %Y"),
    "part_no": _shaped("999-999-9999"), "article": _shaped("999-9999-99"), "lot": _shaped("9999-99-999"),
    "serial": _shaped("AA999999"), "asset_tag": _shaped("A9999999"), "container": _shaped("AAAA9999999"),
    "isbn": _shaped("978-9-999-99999-9"), "barcode": _shaped("4999999999999"), "sku": _shaped("AAA-9999-A"),
    "ticket": _shaped("#99999999"), "invoice": _shaped("9999999999"), "tracking": _shaped("99999999999999999999"),
    "transaction": _shaped("9999999999999999"), "meter": _shaped("999999999"), "counter": _shaped("99999999"),
    "job_id": _shaped("99-9999999"), "drawing": _shaped("99.999.999"), "batch_no": _shaped("999 999 999"),
    "order_ref": _shaped("0999 99 99 99"), "project_no": _shaped("(999) 99"), "profile": _shaped("999/999/9999"),
    "route": _shaped("9999 AA"), "gate": _shaped("A9 9AA"), "bin": _shaped("99999"), "shelf": _shaped("9999"),
    "colour": _shaped("#xxxxxx"), "digest": _shaped("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"),
    "short_hash": _shaped("xxxxxxx"),
    "uuid": _shaped("xxxxxxxx-xxxx-4xxx-9xxx-xxxxxxxxxxxx"), "token": _shaped("AAA999AAA999AAA"),
    "eleven": _shaped("99999999999"), "eighteen": _shaped("999999999999999999"), "fifteen": _shaped("999999999999999"),
    "version": _version, "firmware": _shaped("v9.9.9"), "ratio": _number(0, 1, 6), "weight": _number(0, 500, 2),
    "load": _number(-90, 90, 5), "delta": _number(-1, 1, 4), "amount": _number(1, 99999, 2),
    "pair": lambda rng, n: [f"{a:.4f} {b:.4f}" for a, b in rng.uniform(0, 900, (n, 2)).tolist()],
    "score": _shaped("99"), "rank": _shaped("9"), "level": _one_of("low", "medium", "high"),
    "state": _one_of("open", "closed", "waiting"), "flag": _one_of("0", "1"), "remark": _sentence,
    "product_name": _one_of("Steel Pump", "Copper Valve", "Blue Motor", "Long Bearing"),
    "server_address": _one_of("rack 12 north", "rack 7 south", "hall 3"),
    "unit": _one_of("kg", "m/s", "mm"), "currency": _one_of("EUR", "USD", "CHF"), "country": _one_of("DE", "FR", "CN"),
    "machine_age": _shaped("9"), "file_name": _one_of("report.csv", "log-2.txt", "plan.pdf"),
    "chemical": _shaped("9999-99-9"), "chapter": _shaped("9.9.9"), "range": _shaped("999-999"),
}  # fmt: skip
"""Name of a column to what makes its cells."""


def odd(rng: np.random.Generator, columns: int = 300, rows: int = 400) -> dict[str, list[str]]:
    """Return a table of odd columns by name, all families about equally often; half have missing cells."""
    names = list(FAMILIES)
    table: dict[str, list[str]] = {}
    for at in range(columns):
        name = names[at % len(names)]
        cells = FAMILIES[name](rng, rows)
        if rng.random() < 0.5:
            for gone in rng.choice(rows, rows // 20, replace=False).tolist():
                cells[gone] = ""
        neutral = f"x{at}" if rng.random() < 0.4 else f"{name}_{at}"
        table[neutral] = cells
    return table
