"""Verification: what ``verify`` found, file by file, and which exit code that gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from fivefold.errors import FivefoldError


class Flaw(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One thing that does not hold.

    Attributes:
        code: Stable identifier, for example ``evidence.changed``.
        path: The file in the evidence folder or in the application; empty for the whole.
        text: What is wrong, in one sentence.
    """

    code: str
    path: str
    text: str


class Signature(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Who signed a file, in which role, when (by the signer's clock).

    Attributes:
        name: As the trust file says; empty if the key is unknown.
        standing: ``trusted``, ``unknown`` or ``refused`` (known, but not in this role or not at this time).
    """

    path: str
    kind: str
    key: str
    name: str
    role: str
    signed: str
    standing: Literal["trusted", "unknown", "refused"]


class AttemptView(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One attempt as it stands in the evidence.

    Attributes:
        state: ``closed`` or ``unfinished``.
        attained: Level of its newest verdict, as computed again by the verifier's trust file (as signed where this
            version cannot compute it); None while unfinished.
        signed: Level that its newest verdict says; None while unfinished.
        findings: Check id to outcome.
        started: Time at which its plan was signed.
    """

    attempt: int
    state: Literal["closed", "unfinished"]
    plan: str
    started: str
    declared: int
    attained: int | None
    findings: dict[str, str]
    signed: int | None = None


class Verification(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The answer of ``verify``.

    Attributes:
        application: Application id as the log says; empty if it cannot be read.
        size: Number of leaves of the log.
        root: Hexadecimal root of the log.
        problems: What is changed, missing, added, reordered, forged or contradicts itself: exit code 1.
        unknown: Intact, but signed by a key that the trust file does not name: exit code 3.
        doubts: Intact, but not enough for a clean answer: exit code 3.
        notes: What the reader should know; no influence on the exit code.
        recomputed: What was computed again and agrees, in words.
    """

    application: str
    size: int
    root: str
    attempts: tuple[AttemptView, ...]
    signatures: tuple[Signature, ...]
    problems: tuple[Flaw, ...]
    unknown: tuple[Flaw, ...]
    doubts: tuple[Flaw, ...]
    notes: tuple[str, ...]
    recomputed: tuple[str, ...]
    version: int = 1

    @property
    def exit_code(self) -> int:
        """0: all holds and the signers are known; 1: a problem; 3: intact, but not a clean pass."""
        if self.problems:
            return 1
        return 3 if self.unknown or self.doubts else 0


def flaw(error: FivefoldError, path: str = "") -> Flaw:
    """Return an error as a flaw."""
    return Flaw(code=error.code, path=error.where or path, text=error.message)
