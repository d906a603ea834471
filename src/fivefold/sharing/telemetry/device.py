"""Telemetry client: adds the noise on the device, before a report leaves it (local differential privacy).

One file, standard library only: ship it alone. All randomness comes from the operating system (``secrets``).

Threat: whoever collects, carries or steals the reports wants to know what one device said.
Limit: only what is reported through :class:`Device` is covered. That a device reports at all, and from which address,
is seen. A device whose state file is deleted is a new device.

Privacy: one report multiplies the odds of any two values by at most ``e ** epsilon``. Every probability is a whole
number of 2**-64, rounded towards more noise, and is drawn by comparing whole numbers: no float is ever drawn. Within a
period the same report is repeated whatever the value does, so repetition and change give away nothing more; over the
device's life the loss is at most ``epsilon * draws``, and then it refuses.

Sources: Wang, Blocki, Li and Jha 2017 (optimised unary encoding); Acharya, Sun and Zhang 2019 (Hadamard response);
Ding, Kulkarni and Yekhanin 2017 (one-bit mean); Wang, Li and Jha 2018 (growing prefixes); Erlingsson, Pihur and
Korolova 2014 (permanent randomised response).
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import secrets
from array import array
from dataclasses import asdict, dataclass, replace
from decimal import ROUND_CEILING, Context, Decimal
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    Bits = Callable[[int], int]

VERSION = 1
WORD = 64
"""Bits of one draw; probabilities are whole numbers of 2**-WORD."""
MOST_VALUES = 4096
MAX_LENGTH = 64
BUCKETS_BITS = 16
"""Strings are hashed into 2**16 - 1 buckets."""
END = "\n"
"""Stands behind the last symbol of a string."""
OTHER = "\r"
"""Stands for a symbol that is not in the alphabet."""
ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789.-_/ "
_WAYS = ("oue", "hadamard", "mean", "top")


class DeviceError(ValueError):
    """The client refuses to report.

    Attributes:
        code: ``device.question``, ``device.value``, ``device.state``, ``device.spent`` or ``device.period``.
    """

    def __init__(self, code: str, message: str) -> None:
        """Keep the code."""
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Question:
    """What is asked of every device; the same on all of them and at the server.

    Attributes:
        name: Of the question, for example the column.
        way: ``oue`` or ``hadamard`` (which of ``values``), ``mean`` (a number), ``top`` (a string that is not known).
        epsilon: Loss of one drawn report, 0.01 to 16.
        values: The values that are told apart (``oue``, ``hadamard``); any other is reported as none of them.
        low: Smallest number (``mean``); a smaller one is reported as this.
        high: Largest number (``mean``).
        alphabet: Symbols of strings (``top``), at most 256.
        length: Most symbols of a string (``top``), 1 to 64; longer ones are cut.
        step: Symbols by which prefixes grow (``top``).
        draws: Most reports that one device ever draws afresh.
    """

    name: str
    way: str
    epsilon: float
    values: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 1.0
    alphabet: str = ALPHABET
    length: int = 12
    step: int = 2
    draws: int = 1

    def __post_init__(self) -> None:
        """Refuse what cannot be asked.

        Raises:
            DeviceError: ``device.question``.
        """
        faults = {
            f"way is one of {', '.join(_WAYS)}": self.way in _WAYS,
            "epsilon is a number from 0.01 to 16": _is_number(self.epsilon) and 0.01 <= self.epsilon <= 16,
            "draws is a whole number from 1": _is_whole(self.draws) and self.draws >= 1,
        }
        faults |= _faults(self) if all(faults.values()) else {}
        for wanted, holds in faults.items():
            if not holds:
                raise DeviceError("device.question", f"question {self.name!r}: {wanted}.")

    @property
    def groups(self) -> int:
        """Groups of devices (``top``): one for each length of prefix, and one that reports whole strings."""
        return -(-self.length // self.step) + 1 if self.way == "top" else 1

    @cached_property
    def size(self) -> int:
        """Number of different answers of a Hadamard response, a power of two."""
        return 1 << (BUCKETS_BITS if self.way == "top" else (len(self.values) + 1).bit_length())

    @cached_property
    def flip(self) -> int:
        """``2**64 / (e**epsilon + 1)``, rounded up: how often, of 2**64, the answer is turned round."""
        exact = Context(prec=60)
        written, held = Decimal(repr(float(self.epsilon))), Decimal(float(self.epsilon))
        odds = exact.exp(min(written, held))
        found = exact.divide(Decimal(2**WORD), exact.add(odds, Decimal(1)))
        return int(found.to_integral_value(ROUND_CEILING)) + 1

    @cached_property
    def places(self) -> dict[str, int]:
        """Position of each value."""
        return {value: at for at, value in enumerate(self.values)}

    @cached_property
    def ratios(self) -> tuple[int, int, int, int]:
        """Exact numerators and denominators of ``low`` and of ``high - low``."""
        low, high = Fraction(self.low), Fraction(self.high)
        wide = high - low
        return low.numerator, low.denominator, wide.numerator, wide.denominator

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the question; a state belongs to one question."""
        text = json.dumps({"version": VERSION, **asdict(self)}, sort_keys=True, ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def row(self, value: str, group: int = 0) -> int:
        """Return the row of a value in the Hadamard matrix, 1 to ``size - 1``.

        Args:
            value: A value, for ``top`` a prefix as :func:`prefix` makes it.
            group: Of the device; each group hashes in its own way.
        """
        if self.way != "top":
            return 1 + self.places.get(value, len(self.values))
        key = hashlib.blake2b(f"{group}\0{value}".encode(), digest_size=8, key=self.name.encode()[:64]).digest()
        return 1 + int.from_bytes(key, "big") % (self.size - 1)


def prefix(question: Question, text: str, group: int) -> str:
    """Return what a device of a group is asked about: so many symbols of its string, with an end if it is shorter.

    Args:
        question: With ``way`` ``top``.
        text: The string; symbols outside the alphabet become one that stands for all of them.
        group: 0 for the shortest prefix; the last one is asked about whole strings.
    """
    whole = "".join(one if one in question.alphabet else OTHER for one in text[: question.length]) + END
    return whole if group == question.groups - 1 else whole[: question.step * (group + 1)]


def edge(question: Question, value: str | float | None) -> int:
    """Return of how many of the 2**64 words a mean's device says 1: from ``flip`` to 2**64 - ``flip``.

    Raises:
        DeviceError: ``device.value`` for what is no finite number.
    """
    flip = question.flip
    span = (1 << WORD) - 2 * flip
    if value is None:
        above = span // 2
    elif not isinstance(value, str) and _is_number(value):
        over, under = min(max(value, question.low), question.high).as_integer_ratio()
        low_over, low_under, over_wide, under_wide = question.ratios
        above = span * (over * low_under - low_over * under) * under_wide // (under * low_under * over_wide)
    else:
        raise DeviceError("device.value", f"question {question.name!r} takes a finite number.")
    return flip + above


def randomise(question: Question, value: str | float | None, bits: Bits = secrets.randbits) -> dict[str, Any]:
    """Return one freshly drawn report. Use :class:`Device`, which draws once a period.

    Args:
        question: What is asked.
        value: The truth; None: there is none (no value of the list, the middle of the range, the empty string).
        bits: Draws so many random bits; only tests and audits give another one.

    Raises:
        DeviceError: ``device.value`` for a number that is not finite, or a value of another type.
    """
    if question.way == "mean":
        return {"bit": _mean(question, value, bits)}
    if value is not None and not isinstance(value, str):
        raise DeviceError("device.value", f"question {question.name!r} takes a text.")
    if question.way == "oue":
        return {"bits": _unary(question, value, bits)}
    if question.way == "hadamard":
        return {"y": _hadamard(question, question.row(value or ""), bits)}
    group = _below(2 * (question.groups - 1), bits) if question.groups > 1 else 0
    group = min(group, question.groups - 1)  # the last group is half of all devices
    return {"g": group, "y": _hadamard(question, question.row(prefix(question, value or "", group), group), bits)}


class Device:
    """Reports on behalf of one device, never more often afresh than was agreed.

    Attributes:
        question: What is asked.
    """

    def __init__(
        self, question: Question, state: str | os.PathLike[str] | None = None, *, most: float = 8.0,
        bits: Bits = secrets.randbits,
    ) -> None:  # fmt: skip
        """Take up where the state file left off.

        Args:
            question: What is asked.
            state: File that remembers the report; None: memory only, for programs that never restart.
            most: What the owner of the device allows over its whole life; a question that asks for more is refused.
            bits: As in :func:`randomise`.

        Raises:
            DeviceError: ``device.question`` beyond ``most``; ``device.state`` for a file that cannot be read or belongs
                to another question: it is never quietly drawn again.
        """
        if question.epsilon * question.draws > most:
            raise DeviceError("device.question", f"question {question.name!r} asks for more than {most:g} in all.")
        self.question, self._bits = question, bits
        self._place = Path(state) if state is not None else None
        self._kept = self._read()

    def report(self, value: str | float | None, period: int = 0) -> str:
        """Return the report of a period as JSON: drawn by its first call, repeated by all others.

        Args:
            value: The truth now; only the first one of a period is used.
            period: Number of the period, for example of the week; public, the same for all devices, never smaller
                than before.

        Raises:
            DeviceError: ``device.value``; ``device.period``; ``device.spent`` once all draws are used up;
                ``device.state`` if the state cannot be written: then nothing is reported.
        """
        if not _is_whole(period) or period < self._kept.get("period", 0):
            raise DeviceError("device.period", "a period is a whole number and never goes back.")
        if self._kept.get("period") != period:
            drawn = int(self._kept.get("drawn", 0))
            if drawn >= self.question.draws:
                raise DeviceError("device.spent", "this device has drawn all the reports that it may.")
            body = {"v": VERSION, "q": self.question.digest[:16], **randomise(self.question, value, self._bits)}
            kept = {"question": self.question.digest, "drawn": drawn + 1, "period": period, "report": json.dumps(body)}
            self._write(kept)
            self._kept = kept
        return str(self._kept["report"])

    def _read(self) -> dict[str, Any]:
        if self._place is None or not self._place.exists():
            return {}
        try:
            kept = json.loads(self._place.read_text(encoding="utf-8"))
            sound = kept["question"] == self.question.digest and isinstance(kept["report"], str)
            sound = sound and _is_whole(kept["period"]) and _is_whole(kept["drawn"])
        except (OSError, ValueError, KeyError, TypeError):
            sound = False
        if not sound:
            raise DeviceError("device.state", f"{self._place} is damaged or belongs to another question.")
        return dict(kept)

    def _write(self, kept: dict[str, Any]) -> None:
        if self._place is None:
            return
        fresh = self._place.with_name(self._place.name + ".new")
        try:
            with fresh.open("w", encoding="utf-8") as file:
                json.dump(kept, file)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self._place)
        except OSError as error:
            raise DeviceError("device.state", f"{self._place} cannot be written, so nothing is reported.") from error


def with_epsilon(question: Question, epsilon: float) -> Question:
    """Return the same question with another loss."""
    return replace(question, epsilon=epsilon)


def _unary(question: Question, value: str | None, bits: Bits) -> str:
    """Return a bit for each value as hexadecimal: the true one is 1 by a fair coin, every other by ``flip``."""
    count, flip = len(question.values), question.flip
    words = array("Q", bits(WORD * count).to_bytes(8 * count, "little"))
    found = [word < flip for word in words]
    at = question.places.get(value, -1) if value is not None else -1
    if at >= 0:
        found[at] = words[at] < 1 << (WORD - 1)
    return f"{sum(one << at for at, one in enumerate(found)):0{(count + 3) // 4}x}"


def _hadamard(question: Question, row: int, bits: Bits) -> int:
    """Return a column in which the value's row is 1, by ``flip`` one in which it is -1, each alike likely."""
    column = bits(question.size.bit_length() - 1)
    wanted = bits(WORD) < question.flip
    if (row & column).bit_count() % 2 != wanted:
        column ^= row & -row  # turns the entry round, and maps one half of the columns onto the other
    return column


def _mean(question: Question, value: str | float | None, bits: Bits) -> int:
    """Return 1 with a probability that grows with the value, from ``flip`` to 1 - ``flip``, in whole numbers."""
    below = edge(question, value)
    return int(bits(WORD) < below)


def _below(count: int, bits: Bits) -> int:
    """Return a whole number below ``count``, each alike likely."""
    while True:
        found = bits(count.bit_length())
        if found < count:
            return found


def _faults(question: Question) -> dict[str, bool]:
    if question.way in ("oue", "hadamard"):
        values = question.values
        return {
            f"values are 1 to {MOST_VALUES} different texts": 1 <= len(values) <= MOST_VALUES
            and len(set(values)) == len(values)
            and all(isinstance(one, str) for one in values),
        }
    if question.way == "mean":
        numbers = _is_number(question.low) and _is_number(question.high)
        return {"low and high are numbers, low below high": numbers and question.low < question.high}
    alphabet = question.alphabet
    return {
        "alphabet is 1 to 256 different symbols": 1 <= len(alphabet) <= 256
        and len(set(alphabet)) == len(alphabet)
        and END not in alphabet
        and OTHER not in alphabet,
        f"length is 1 to {MAX_LENGTH}": _is_whole(question.length) and 1 <= question.length <= MAX_LENGTH,
        "step is 1 to 3": _is_whole(question.step) and 1 <= question.step <= 3,
    }


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
