"""Plants: identifiers that keep their rules and belong to nobody, to be written into rows as canaries."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    Plant = Callable[[np.random.Generator, int], list[str]]


def _digits(rng: np.random.Generator, n: int, width: int) -> list[str]:
    return ["".join(row) for row in rng.integers(0, 10, (n, width)).astype(str).tolist()]


def _email(rng: np.random.Generator, n: int) -> list[str]:
    return [f"{'qwzkx'[int(code[0]) % 5]}.meier{code}@example.org" for code in _digits(rng, n, 4)]


def _phone(rng: np.random.Generator, n: int) -> list[str]:
    return [f"+49 30 {code[:3]}7 {code[3:]}" for code in _digits(rng, n, 7)]


def _iban(rng: np.random.Generator, n: int) -> list[str]:
    """German accounts: 98 less the account, country and two zeros modulo 97."""
    return [f"DE{98 - int(code + '131400') % 97:02d}{code}" for code in _digits(rng, n, 18)]


def _card(rng: np.random.Generator, n: int) -> list[str]:
    """Cards of one issuer, with the digit that makes the doubled sum a multiple of ten."""
    return [code + _luhn(code) for code in (f"4{rest}" for rest in _digits(rng, n, 14))]


def _luhn(code: str) -> str:
    total = sum(sum(divmod(int(digit) * (2 - at % 2), 10)) for at, digit in enumerate(reversed(code)))
    return str(-total % 10)


def _ssn(rng: np.random.Generator, n: int) -> list[str]:
    return [f"5{code[:2]}-4{code[2]}-1{code[3:]}" for code in _digits(rng, n, 6)]


def _address(rng: np.random.Generator, n: int) -> list[str]:
    return [f"10.{a}.{b}.{c}" for a, b, c in rng.integers(33, 250, (n, 3)).tolist()]


def _dni(rng: np.random.Generator, n: int) -> list[str]:
    return [code + "TRWAGMYFPDXBNJZSQVHLCKE"[int(code) % 23] for code in _digits(rng, n, 8)]


def _day(rng: np.random.Generator, n: int) -> list[str]:
    days = np.datetime64("1940-01-01") + rng.integers(0, 24_000, n)
    return [str(day) for day in days]


def _name(rng: np.random.Generator, n: int) -> list[str]:
    first, last = (
        ("Ada", "Bruno", "Chen", "Dana", "Emre", "Fatou"),
        ("Weiss", "Moreau", "Li", "Rossi", "Vega", "Bakker"),
    )
    return [f"{first[a]} {last[b]}" for a, b in rng.integers(0, 6, (n, 2)).tolist()]


def _five(rng: np.random.Generator, n: int) -> list[str]:
    return _digits(rng, n, 5)


def _eleven(rng: np.random.Generator, n: int) -> list[str]:
    return [f"13{code}" for code in _digits(rng, n, 9)]


BY_FORM: dict[str, Plant] = {
    "email": _email, "phone": _phone, "iban": _iban, "card": _card, "us-ssn": _ssn, "ip": _address,
    "national-id": _dni,
}  # fmt: skip
"""Kinds that are found wherever they stand."""
BY_NAME: dict[str, tuple[str, Plant]] = {
    "birth-date": ("geburtsdatum", _day), "name": ("apellidos", _name), "postcode": ("codice postale", _five),
    "phone": ("手机号", _eleven),
}  # fmt: skip
"""Kinds that are found by the name of their column, and such a name."""


def _order(rng: np.random.Generator, n: int) -> list[str]:
    return [f"{code[:3]}-{code[3:7]}-{code[7:]}" for code in _digits(rng, n, 9)]


def _sixteen(rng: np.random.Generator, n: int) -> list[str]:
    return _digits(rng, n, 16)


def _moment(rng: np.random.Generator, n: int) -> list[str]:
    return [f"{day}T{code[:1]}7:1{code[1]}:00" for day, code in zip(_day(rng, n), _digits(rng, n, 2), strict=True)]


NOBODY: tuple[Plant, ...] = (_order, _sixteen, _moment, _five, _day)
"""What looks like a number of a person and is none: orders, sixteen digits by chance, moments, codes, days."""
