"""Outside: what endpoint and command share: a model that lives elsewhere, was learned once, and is asked for money.

The probe finds out how it is asked and remembers its answers to canary rows. Each check asks those rows before and
after its own questions: where the answers differ, the model is no longer the one that was probed, and what the check
found is void.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from fivefold.contract.plan import ModelFact
from fivefold.errors import SubjectError
from fivefold.subject.access import Access, find
from fivefold.subject.asked import AskedSubject
from fivefold.subject.batch import Tensor, array, from_array
from fivefold.subject.calls import SPENT
from fivefold.subject.model import Description
from fivefold.subject.rows import bare, cut, spread, strangers
from fivefold.subject.worker import frames

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from fivefold.contract.plan import ModelKind
    from fivefold.subject.access import Known
    from fivefold.subject.model import Form, Method
    from fivefold.subject.remote import RemoteModel
    from fivefold.subject.rows import Rows

_CANARY_ROWS, _CANARY_LEAST = 64, 8
"""Rows that are asked again to see whether the model is still the same: as many as one call carries."""
_EVERY = 200
"""A check asks the canary rows again after so many calls, besides at its start and end."""
_KEPT = 0.95
"""Share of a check's calls that it may plan with; the rest is for canary rows."""

_LEAST_ROWS = 16
_ROUNDS = 6
_FEW_CALLS = 64
_CLOSE = 1e-4
_FLIPS = 0.02
_DRIFT = 0.1


class Learned(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How a model that lives elsewhere is asked, as found out by the process that asks it.

    Attributes:
        how: For that process alone, when it is started again.
        methods: What it answers.
        classes: Names of its score columns; empty: it does not say.
        max_rows: Most rows that one call carries; 0: as many as are asked.
        limited: It was seen to take no more.
        key: SHA-256 of the endpoint's TLS key; empty: none.
        identity: Digest of metadata, or of the program.
        said: A few words for the report.
    """

    how: bytes = b""
    methods: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    max_rows: int = 0
    limited: bool = False
    key: str = ""
    identity: str = ""
    said: str = ""


class Found(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the probe found, for the checks.

    Attributes:
        learned: How the model is asked.
        access: How its answers are read.
        canary: Its answers to the canary rows: labels or values, and scores if it has them.
        steady: Two equal questions got equal answers.
        noise: Share of canary labels (or mean distance of values) in which two equal questions differed.
    """

    learned: Learned
    access: Access
    canary: tuple[Tensor, ...]
    steady: bool
    noise: float


@dataclass
class Outside:
    """A model that lives elsewhere; see :class:`fivefold.subject.model.Raw`.

    Attributes:
        remote: The process that asks it.
        learned: How.
        share: Calls that the plan gives this check; 0 with ``budget``: none.
        budget: Whether calls are limited.
        again: Asks the canary rows; None: nobody has answered them yet.
    """

    remote: RemoteModel
    learned: Learned
    share: int = 0
    budget: bool = False
    again: Callable[[], None] | None = None
    _asked: int = field(default=0)

    def describe(self) -> Description:
        """Return what is known of it without asking."""
        methods: Any = self.learned.methods
        return Description(methods=methods, classes=self.learned.classes or None)

    def ask(self, method: Method, form: Form, frame: Rows) -> np.ndarray:
        """Return raw answers; the canary rows are asked between."""
        step = _EVERY * self.learned.max_rows or len(frame) or 1
        parts = []
        for at in range(0, max(1, len(frame)), step):
            if self.again is not None and self.remote.calls - self._asked >= _EVERY:
                self.again()
                self._asked = self.remote.calls
            parts.append(self.remote.ask(method, form, cut(frame, slice(at, at + step))))
        if len({part.shape[1:] for part in parts}) > 1:
            raise SubjectError("model.shape", "the model's answers change their width from call to call.")
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def bounds(self) -> tuple[int, int | None]:
        """Return the most rows of one call (0: as many as we send) and the calls that are left (None: no budget)."""
        left = int((self.share - self.remote.calls) * _KEPT) - canary_calls(self.learned)
        return self.learned.max_rows, max(0, left) if self.budget else None


def canary_calls(learned: Learned) -> int:
    """Return the calls that asking the canary rows once takes."""
    return 1 if not learned.max_rows else -(-_canary_rows(learned) // learned.max_rows)


def _canary_rows(learned: Learned) -> int:
    return min(_CANARY_ROWS, max(_CANARY_LEAST, learned.max_rows or _CANARY_ROWS))


def probed(
    raw: RemoteModel, frame: Rows, what: Known, *, kind: ModelKind, total: int, share: int
) -> tuple[ModelFact, Found]:
    """Find out how a model is asked, how its answers are read, and what it is like.

    Args:
        raw: The process that asks it.
        frame: (n, d) rows of what it sees.
        what: What data and manifest say.
        kind: How it is reached.
        total: Budget of calls of the run; 0: none.
        share: The probe's part of it.

    Raises:
        SubjectError: It cannot be asked, or its answers cannot be read.
    """
    learned: Learned = frames.parse(raw.learn(frame), Learned)
    outside = Outside(raw, learned)
    rows = _affordable(frame, learned.max_rows, max(1, share - raw.calls) if total else 0)
    access = find(outside, rows, what)
    subject = AskedSubject(outside, access)
    first, again = _answers(subject, rows), _answers(subject, rows)
    steady = _same_bytes(first, again)
    if steady:
        order = np.random.Generator(np.random.PCG64(len(rows))).permutation(len(rows))
        _require_order([item[order] for item in first], _answers(subject, cut(rows, order)))
    canary = _answers(subject, spread(frame, _canary_rows(learned)))
    noise = max((_distance(one, other) for one, other in zip(first, again, strict=True)), default=0.0)
    identity = [learned.key, learned.identity, *(_digest(item) for item in canary if steady)]
    fact = ModelFact(
        kind=kind,
        task=access.task,
        classes=access.classes,
        scores=access.score is not None,
        deterministic=steady,
        perturbable=_perturbable(subject, rows),
        max_rows=learned.max_rows if learned.limited else 0,
        calls=total,
        observed=hashlib.sha256("\n".join(identity).encode()).hexdigest(),
    )
    kept = tuple(array(item) for item in canary)
    return fact, Found(learned=learned, access=access, canary=kept, steady=steady, noise=noise)


@dataclass(frozen=True)
class Reopened:
    """A model that the probe knows, in a check's process.

    Attributes:
        raw: It, with its bounds.
        found: What the probe found.
        notes: What a reader of the finding should know.
    """

    raw: Outside
    found: Found
    notes: tuple[str, ...]

    @property
    def access(self) -> Access:
        """How its answers are read."""
        return self.found.access

    def confirm(self, frame: Rows) -> None:
        """Ask the canary rows; see :func:`confirm`."""
        confirm(AskedSubject(Outside(self.raw.remote, self.found.learned), self.access), self.found, frame)

    def watch(self, frame: Rows) -> None:
        """Ask the canary rows now, and again every so many calls."""
        self.confirm(frame)
        self.raw.again = lambda: self.confirm(frame)


def reopened(remote: RemoteModel, body: bytes, share: int, *, limited: bool) -> Reopened:
    """Return a model as the probe found it.

    Args:
        remote: The process that asks it.
        body: What the probe found (message pack).
        share: Calls of this check.
        limited: There is a budget.
    """
    found: Found = frames.parse(body, Found)
    notes = (f"The model was asked where it runs ({found.learned.said}): what it is was observed, not verified.",)
    return Reopened(Outside(remote, found.learned, share, budget=limited), found, notes)


def confirm(subject: AskedSubject, found: Found, frame: Rows) -> None:
    """Ask the canary rows again.

    Args:
        subject: The model.
        found: What the probe found.
        frame: (n, d) rows, the same that the probe was given.

    Raises:
        SubjectError: ``model.changed`` if the answers are others than the probe got.
    """
    before = [from_array(item) for item in found.canary]
    now = _answers(subject, spread(frame, _canary_rows(found.learned)))
    if len(before) != len(now) or any(one.shape != other.shape for one, other in zip(before, now, strict=True)):
        raise changed("its answers have another form")
    if found.steady and len(before) == 2:
        if not np.allclose(before[1], now[1], rtol=_CLOSE, atol=_CLOSE):
            raise changed("other scores for the same rows")
        return
    far = max(_distance(one, other) for one, other in zip(before, now, strict=True))
    if far > (0.0 if found.steady else 2 * found.noise + _DRIFT):
        raise changed("other answers to the same rows")


def changed(why: str) -> SubjectError:
    """Return the error that makes a finding void."""
    return SubjectError(
        "model.changed",
        f"the model changed during the run ({why}), so what was measured is void.",
        remedy="Keep the model as it is while it is assessed, then assess anew.",
    )


def _affordable(frame: Rows, max_rows: int, left: int) -> Rows:
    """Return as many rows as can be asked some times over within the probe's calls."""
    if not max_rows:
        return frame
    calls = left // (2 * _ROUNDS) if left else _FEW_CALLS
    return spread(frame, max(_LEAST_ROWS, max_rows * max(1, calls)))


def _answers(subject: AskedSubject, frame: Rows) -> tuple[np.ndarray, ...]:
    table = bare(frame, subject.access.classes)
    given = subject.predict(table)
    return (given, subject.predict_proba(table)) if subject.access.score else (given,)


def _same_bytes(one: tuple[np.ndarray, ...], other: tuple[np.ndarray, ...]) -> bool:
    return all(left.tobytes() == right.tobytes() for left, right in zip(one, other, strict=True))


def _require_order(expected: Iterable[np.ndarray], mixed: Iterable[np.ndarray]) -> None:
    """Refuse a model whose answers do not stand in the order of the rows, or hang on the rows beside them.

    The rows are mixed, not reversed: answers in reversed order would come out right for reversed rows.

    Raises:
        SubjectError: ``model.order``.
    """
    if any(_distance(one, other) > _FLIPS for one, other in zip(expected, mixed, strict=True)):
        raise SubjectError(
            "model.order",
            "the same rows in another order get other answers: the answers are not in the order of the rows, "
            "or the answer to a row hangs on the rows beside it.",
            remedy="Answer each row by itself, and keep the order.",
        )


def _distance(one: np.ndarray, other: np.ndarray) -> float:
    """Return the share of labels that differ, or how far numbers are apart in units of their spread."""
    if one.dtype.kind in "iu" and one.ndim == 1:
        return float((one != other).mean()) if len(one) else 0.0
    scale = float(np.ptp(one)) or 1.0
    return float(np.abs(one - other).max(initial=0.0)) / scale


def _digest(values: np.ndarray) -> str:
    return hashlib.sha256(values.tobytes()).hexdigest()


def _perturbable(subject: AskedSubject, frame: Rows) -> bool:
    """Ask for rows that are nowhere in the data."""
    try:
        subject.predict(bare(strangers(frame), subject.access.classes))
    except SubjectError as error:
        if error.code == SPENT:
            raise
        return False
    return True
