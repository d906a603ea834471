"""Reports: read what devices sent, strictly, into arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from fivefold.sharing.telemetry.device import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fivefold.sharing.telemetry.device import Question


class _Unary(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    v: int
    q: str
    bits: str


class _Hadamard(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    v: int
    q: str
    y: int


class _Mean(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    v: int
    q: str
    bit: int


class _Top(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    v: int
    q: str
    g: int
    y: int


_FORMS: dict[str, type[_Unary | _Hadamard | _Mean | _Top]] = {
    "oue": _Unary,
    "hadamard": _Hadamard,
    "mean": _Mean,
    "top": _Top,
}


@dataclass(frozen=True)
class Reports:
    """What was reported, in the order of arrival.

    Attributes:
        question: What was asked.
        answers: ``oue``: (n, k) bool; else (n,) int64 (bit, or column of the Hadamard matrix).
        groups: (n,) int64, group of each device; all 0 but for ``top``.
        refused: Reports that were left out: malformed, or of another question or version.
        kept: (n,) int64, positions of the reports that were read.
    """

    question: Question
    answers: np.ndarray
    groups: np.ndarray
    refused: int
    kept: np.ndarray

    def __len__(self) -> int:
        return len(self.answers)


def read(question: Question, texts: Iterable[str | bytes]) -> Reports:
    """Read reports as :meth:`fivefold.sharing.telemetry.device.Device.report` writes them.

    Args:
        question: What was asked.
        texts: One report each.

    Returns:
        The sound ones; how many were refused is counted, never passed over.
    """
    form = _FORMS[question.way]
    decoder, digest = msgspec.json.Decoder(form), question.digest[:16]
    answers: list[int | bytes] = []
    groups: list[int] = []
    kept: list[int] = []
    count = 0
    for position, text in enumerate(texts):
        count += 1
        try:
            found = decoder.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
        answer = _answer(question, found)
        if found.v == VERSION and found.q == digest and answer is not None:
            answers.append(answer)
            groups.append(found.g if isinstance(found, _Top) else 0)
            kept.append(position)
    array = _unpacked(question, answers) if question.way == "oue" else np.array(answers, dtype=np.int64)
    return Reports(question, array, np.array(groups, dtype=np.int64), count - len(kept), np.array(kept, dtype=np.int64))


def _answer(question: Question, found: _Unary | _Hadamard | _Mean | _Top) -> int | bytes | None:
    if isinstance(found, _Unary):
        width = (len(question.values) + 3) // 4
        try:
            packed = bytes.fromhex(found.bits.zfill(2 * ((width + 1) // 2)))
        except ValueError:
            return None
        sound = len(found.bits) == width and int.from_bytes(packed, "big") < 1 << len(question.values)
        return packed if sound else None
    if isinstance(found, _Mean):
        return found.bit if found.bit in (0, 1) else None
    if isinstance(found, _Top) and not 0 <= found.g < question.groups:
        return None
    return found.y if 0 <= found.y < question.size else None


def _unpacked(question: Question, answers: list[int | bytes]) -> np.ndarray:
    count = len(question.values)
    width = ((count + 3) // 4 + 1) // 2
    raw = np.frombuffer(b"".join(one for one in answers if isinstance(one, bytes)), dtype=np.uint8)
    bits = np.unpackbits(raw.reshape(-1, width), axis=1)
    return bits[:, ::-1][:, :count].astype(bool)
