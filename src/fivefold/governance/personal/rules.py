"""Rules that numbers of persons keep: check digits, ranges, lengths; each for many finds at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    Rule = Callable[[np.ndarray, np.ndarray], np.ndarray]

WIDTH = 48
"""Bytes of a find that are looked at."""
_VERHOEFF = np.array([[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 2, 3, 4, 0, 6, 7, 8, 9, 5], [2, 3, 4, 0, 1, 7, 8, 9, 5, 6],
                      [3, 4, 0, 1, 2, 8, 9, 5, 6, 7], [4, 0, 1, 2, 3, 9, 5, 6, 7, 8], [5, 9, 8, 7, 6, 0, 4, 3, 2, 1],
                      [6, 5, 9, 8, 7, 1, 0, 4, 3, 2], [7, 6, 5, 9, 8, 2, 1, 0, 4, 3], [8, 7, 6, 5, 9, 3, 2, 1, 0, 4],
                      [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]])  # fmt: skip
_TURN = np.array([1, 5, 7, 6, 2, 8, 3, 0, 9, 4])
_IBAN = {"AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BR": 29, "CH": 21,
         "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18, "FO": 18,
         "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23,
         "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "MC": 27,
         "MD": 24, "ME": 22, "MK": 19, "MT": 31, "MU": 30, "NL": 18, "NO": 15, "PK": 24, "PL": 28, "PS": 29, "PT": 25,
         "QA": 29, "RO": 24, "RS": 22, "SA": 24, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "TN": 24, "TR": 26, "UA": 29,
         "VA": 22, "VG": 24, "XK": 20}  # fmt: skip
_DNI = np.frombuffer(b"TRWAGMYFPDXBNJZSQVHLCKE", dtype=np.uint8)
_HETU = np.frombuffer(b"0123456789ABCDEFHJKLMNPRSTUVWXY", dtype=np.uint8)
_ODD = np.array([1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23])


def _numbers(cells: np.ndarray) -> np.ndarray:
    """Return the digits as int64; letters count 10 to 35, gaps -1."""
    digit = (cells >= 48) & (cells <= 57)
    letter = (cells >= 65) & (cells <= 90)
    return np.where(digit, cells.astype(np.int64) - 48, np.where(letter, cells.astype(np.int64) - 55, -1))


def _reversed(cells: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Return the numbers from the last to the first; 0 beyond."""
    at = count[:, None] - 1 - np.arange(cells.shape[1])
    return np.where(at >= 0, np.take_along_axis(_numbers(cells), np.maximum(at, 0), axis=1), 0)


def luhn(cells: np.ndarray, count: np.ndarray) -> np.ndarray:
    """ISO/IEC 7812-1: the sum, with every second digit from the right doubled, is a multiple of ten."""
    values = _reversed(cells, count)
    doubled = 2 * values[:, 1::2]
    return np.asarray((values[:, ::2].sum(axis=1) + np.where(doubled > 9, doubled - 9, doubled).sum(axis=1)) % 10 == 0)


def issued(cells: np.ndarray, count: np.ndarray) -> np.ndarray:
    """A payment card by its beginning, which issuers have, and the length that goes with it."""
    n = _numbers(cells)
    one, two, four = n[:, 0], n[:, 0] * 10 + n[:, 1], n[:, 0] * 1000 + n[:, 1] * 100 + n[:, 2] * 10 + n[:, 3]
    visa = (one == 4) & np.isin(count, (13, 16, 19))
    master = ((two >= 51) & (two <= 55) | (four >= 2221) & (four <= 2720)) & (count == 16)
    amex = np.isin(two, (34, 37)) & (count == 15)
    diners = (np.isin(two, (36, 38, 39)) | (four >= 3000) & (four <= 3059)) & np.isin(count, (14, 16))
    jcb = (two == 35) & (count == 16) | np.isin(four, (1800, 2131)) & (count == 15)
    discover = (np.isin(two, (64, 65)) | (four == 6011) | (two == 62)) & (count >= 16)
    maestro = np.isin(two, (50, 56, 57, 58, 63, 67)) & (count >= 12)
    return np.asarray((visa | master | amex | diners | jcb | discover | maestro) & _varied(cells))


def card(cells: np.ndarray, count: np.ndarray) -> np.ndarray:
    """A payment card: :func:`issued` and :func:`luhn`."""
    return np.asarray(issued(cells, count) & luhn(cells, count))


def _varied(cells: np.ndarray) -> np.ndarray:
    """At least three different digits."""
    seen = np.stack([(cells == 48 + digit).any(axis=1) for digit in range(10)])
    return np.asarray(seen.sum(axis=0) >= 3)


def iban(cells: np.ndarray, count: np.ndarray) -> np.ndarray:
    """ISO 13616: the length of its country, and 1 modulo 97 with the first four at the end."""
    country = cells[:, 0].astype(np.int64) * 256 + cells[:, 1]
    codes = np.array([ord(name[0]) * 256 + ord(name[1]) for name in _IBAN])
    lengths = np.array(list(_IBAN.values()))
    order = np.argsort(codes)
    at = np.minimum(np.searchsorted(codes[order], country), len(codes) - 1)
    fits = (codes[order][at] == country) & (lengths[order][at] == count)
    n = _numbers(cells)
    rest = np.zeros(len(cells), dtype=np.int64)
    for place in (*range(4, cells.shape[1]), *range(4)):
        value = n[:, place]
        rest = np.where(value < 0, rest, (rest * np.where(value > 9, 100, 10) + value) % 97)
    return np.asarray(fits & (rest == 1))


def ssn(cells: np.ndarray, count: np.ndarray) -> np.ndarray:
    """US social security numbers that are given out: no area 000, 666 or 9xx, no group 00, no serial 0000."""
    n = _numbers(cells)
    area, group = n[:, 0] * 100 + n[:, 1] * 10 + n[:, 2], n[:, 3] * 10 + n[:, 4]
    serial = n[:, 5:9].sum(axis=1)
    return np.asarray((count == 9) & (area > 0) & (area != 666) & (area < 900) & (group > 0) & (serial > 0))


def nanp(cells: np.ndarray, count: np.ndarray) -> np.ndarray:
    """North American numbering plan: area and exchange begin with 2 to 9."""
    n = _numbers(cells)
    return np.asarray((count >= 10) & (n[:, 0] >= 2) & (n[:, 3] >= 2) & _varied(cells))


def phone(cells: np.ndarray, count: np.ndarray) -> np.ndarray:
    """ITU-T E.164: 7 to 15 digits (an extension apart), not all alike."""
    letter = (cells >= 65) & (cells <= 90)
    digits = np.where(letter.any(axis=1), letter.argmax(axis=1), count)
    return np.asarray((digits >= 7) & (digits <= 15) & _varied(cells))


def _weighted(cells: np.ndarray, weights: tuple[int, ...], start: int = 0) -> np.ndarray:
    return np.asarray((_numbers(cells)[:, start : start + len(weights)] * np.array(weights)).sum(axis=1))


def _all_digits(cells: np.ndarray, count: np.ndarray) -> np.ndarray:
    return np.asarray(((cells >= 48) & (cells <= 57)).sum(axis=1) == count)


def dni(cells: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Spain: the letter is the number modulo 23; X, Y, Z of foreigners count 0, 1, 2."""
    n = _numbers(cells)
    first = np.where(n[:, 0] > 9, n[:, 0] - 33, n[:, 0])
    value = first * 10**7 + _weighted(cells, tuple(10**p for p in range(6, -1, -1)), 1)
    return np.asarray((count == 9) & (cells[:, 8] == _DNI[np.maximum(value, 0) % 23]))


def codice(cells: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Italy: the last letter is the sum of the odd places by table and of the even ones by value, modulo 26."""
    n = _numbers(cells)[:, :16]
    value = np.where(n > 9, n - 10, n)
    odd = _ODD[np.clip(value[:, 0:15:2], 0, 25)].sum(axis=1)
    return np.asarray((count == 16) & ((odd + value[:, 1:15:2].sum(axis=1)) % 26 == n[:, 15] - 10))


def nir(cells: np.ndarray, count: np.ndarray) -> np.ndarray:
    """France: the last two digits are 97 less the number modulo 97; Corsica's 2A and 2B count as 19 and 18."""
    n = _numbers(cells)[:, :15]
    island = n[:, 6]
    n[:, 5] = np.where(island > 9, 1, n[:, 5])
    n[:, 6] = np.where(island == 10, 9, np.where(island == 11, 8, island))
    number = (n[:, :13] * 10 ** np.arange(12, -1, -1)).sum(axis=1)
    return np.asarray((count == 15) & (97 - number % 97 == n[:, 13] * 10 + n[:, 14]))


def china(cells: np.ndarray, count: np.ndarray) -> np.ndarray:
    """GB 11643: weighted sum of 17 digits modulo 11; X stands for ten."""
    total = _weighted(cells, (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2))
    last = np.frombuffer(b"10X98765432", dtype=np.uint8)[total % 11]
    return np.asarray((count == 18) & (cells[:, 17] == last))


def belgium(cells: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Belgium: 97 less the first nine digits modulo 97, those of people born since 2000 with a 2 before."""
    number = _weighted(cells, tuple(10**p for p in range(8, -1, -1)))
    check = _weighted(cells, (10, 1), 9)
    return np.asarray((count == 11) & ((97 - number % 97 == check) | (97 - (2 * 10**9 + number) % 97 == check)))


def nordic(cells: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Sweden (Luhn) or Finland (modulo 31); of the sign between date and number only the A of 2000 is left."""
    century = cells[:, 6] == ord("A")
    plain = np.where(century[:, None], np.delete(cells, 6, axis=1), cells[:, :-1])
    number = _weighted(plain, tuple(10**p for p in range(8, -1, -1)))
    finnish = plain[:, 9] == _HETU[np.maximum(number, 0) % 31]
    swedish = _all_digits(plain[:, :10], np.full(len(plain), 10)) & luhn(plain[:, :10], np.full(len(plain), 10))
    return np.asarray((count - century == 10) & (finnish | swedish & ~century))


def cpf(cells: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Brazil: two check digits modulo 11."""
    one = _weighted(cells, tuple(range(10, 1, -1))) * 10 % 11 % 10
    two = _weighted(cells, tuple(range(11, 1, -1))) * 10 % 11 % 10
    n = _numbers(cells)
    return np.asarray((count == 11) & (one == n[:, 9]) & (two == n[:, 10]) & _varied(cells))


def ean(cells: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Switzerland (AHV): thirteen digits of EAN-13."""
    return np.asarray((count == 13) & (_weighted(cells, (1, 3) * 6 + (1,)) % 10 == 0))


def verhoeff(cells: np.ndarray, count: np.ndarray) -> np.ndarray:
    """India (Aadhaar): Verhoeff's scheme over twelve digits."""
    values = np.clip(_reversed(cells, count), 0, 9)
    state, turned = np.zeros(len(cells), dtype=np.int64), np.arange(10)
    for place in range(12):
        state = _VERHOEFF[state, turned[values[:, place]]]
        turned = _TURN[turned]
    return np.asarray((count == 12) & (state == 0))


def citizen(cells: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Any of Poland (PESEL), Türkiye, Belgium, Brazil with 11 digits, Britain (NHS) with 10, the Netherlands with 9."""
    n = _numbers(cells)
    pesel = (_weighted(cells, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)) % 10 == 0) & (n[:, 2] * 10 + n[:, 3] > 0)
    turkish = (n[:, 0] > 0) & ((n[:, 0:9:2].sum(axis=1) * 7 - n[:, 1:8:2].sum(axis=1)) % 10 == n[:, 9])
    turkish &= n[:, :10].sum(axis=1) % 10 == n[:, 10]
    eleven = (count == 11) & (pesel | turkish | belgium(cells, count) | cpf(cells, count))
    nhs = (count == 10) & (_weighted(cells, (10, 9, 8, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0)
    dutch = (count == 9) & (_weighted(cells, (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0)
    return np.asarray((eleven | nhs | dutch) & _varied(cells))


def steuer(cells: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Germany (Steuer-ID): ISO/IEC 7064 modulo 11,10; one digit of the first ten stands there twice or three times."""
    n = _numbers(cells)
    product = np.full(len(cells), 10, dtype=np.int64)
    for place in range(10):
        total = (n[:, place] + product) % 10
        product = 2 * np.where(total == 0, 10, total) % 11
    seen = np.stack([(n[:, :10] == digit).sum(axis=1) for digit in range(10)])
    once = (seen.max(axis=0) <= 3) & ((seen > 1).sum(axis=0) == 1)
    return np.asarray((count == 11) & ((11 - product) % 10 == n[:, 10]) & once)


def dvla(cells: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Britain's driving licence: sixteen letters and digits, with a month in the second pair of its date."""
    n = _numbers(cells)
    return np.asarray((count == 16) & (n[:, 6] % 5 * 10 + n[:, 7] <= 12))


def coded(cells: np.ndarray, _count: np.ndarray) -> np.ndarray:
    """At least four digits."""
    return np.asarray(((cells >= 48) & (cells <= 57)).sum(axis=1) >= 4)


RULES: dict[str, Rule] = {
    rule.__name__: rule
    for rule in (card, iban, ssn, nanp, phone, dni, codice, nir, china, belgium, nordic, cpf, ean, verhoeff, citizen,
                 steuer, dvla, coded)
}  # fmt: skip
"""Rules over (m, :data:`WIDTH`) letters and digits packed to the left and (m,) how many there are."""

TRIED: dict[str, Rule] = {"card": issued}
"""Of rules with a check digit: what a number looks like that could keep it, where that is more than its form."""
