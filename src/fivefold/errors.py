"""Every error that Fivefold raises on purpose: one tree, sorted by what the caller should do.

An error has a stable ``code`` (never reused), says what happened and where, and carries a ``remedy``:
the sentence that tells the reader what to do next. Library code raises; only :mod:`fivefold.cli` prints.
"""

from __future__ import annotations

from dataclasses import dataclass


class FivefoldError(Exception):
    """Base of all errors raised on purpose.

    Attributes:
        code: Stable identifier such as ``manifest.unknown-key``; tests and scripts rely on it.
        message: What happened, in one sentence without a trailing remedy.
        remedy: What the reader should do now.
        where: Place of the fault, for example ``fivefold.yaml:12`` or a file name; empty if none.
    """

    def __init__(self, code: str, message: str, *, remedy: str = "", where: str = "") -> None:
        """Keep the parts; ``str(error)`` joins them in reading order."""
        self.code = code
        self.message = message
        self.remedy = remedy
        self.where = where
        super().__init__(self._text())

    def _text(self) -> str:
        head = f"{self.where}: {self.message}" if self.where else self.message
        return f"{head} {self.remedy}".rstrip()


class InputError(FivefoldError):
    """The user gave something that cannot be used; mend the input and run again (exit code 2)."""


class TrustError(FivefoldError):
    """Bytes, signatures or identities do not hold; do not rely on them (exit code 1)."""


class UnknownSignerError(TrustError):
    """The bytes are intact, but the verifier's trust file does not name the signer (exit code 3)."""


class SubjectError(FivefoldError):
    """The thing under test failed, hung, lied about its shape or broke its limits."""


class UnsupportedError(FivefoldError):
    """The subject, the data or this machine cannot do what was asked; the check is ``not-run``."""


class StorageError(FivefoldError):
    """The disk failed, is full, or is in use; nothing that was not acknowledged is promised (exit code 2)."""


class InternalError(FivefoldError):
    """A fault of Fivefold itself; report it (exit code 2)."""


@dataclass(frozen=True)
class Problem:
    """One fault among several found in the same input.

    Attributes:
        code: Stable identifier, as in :class:`FivefoldError`.
        where: ``file:line``.
        field: Dotted path of the field, for example ``data.train.target``.
        message: What is wrong.
        remedy: What to write instead.
    """

    code: str
    where: str
    field: str
    message: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.where}: {self.field}: {self.message} {self.remedy}".rstrip()


class ProblemsError(InputError):
    """Several faults in one input, all reported at once.

    Attributes:
        problems: The faults in file order, at least one.
    """

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        """Join the problems, one a line."""
        self.problems = problems
        first = problems[0]
        super().__init__(first.code, "\n".join(str(problem) for problem in problems))
