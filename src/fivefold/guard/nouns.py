"""Nouns of the guard: who asks, what passes through the chain, what comes out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

import msgspec

from fivefold.errors import InputError
from fivefold.guard.block import Block

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    import numpy as np

    from fivefold.guard.steps import Begun, Step
    from fivefold.subject.rows import Rows
    from fivefold.subject.way import Told, Way

    Scores: TypeAlias = tuple[tuple[float, ...], ...] | None

Role = Literal["caller", "operator", "reviewer"]
OPERATOR: Role = "operator"
"""Asks the model in an assessment alone: no stage that watches callers looks at it, and the record has its name."""


class RefusedError(InputError):
    """The guard lets something not through.

    Attributes:
        status: Of HTTP.
        field: The field of the input that it is about; empty: none.
        record: Id of its record; empty: it is counted only.
        rows: (n,) bool, for which rows alone it is; None: for the request. It is not told to strangers.
    """

    rows: np.ndarray | None = None

    def __init__(self, code: str, message: str, *, status: int, remedy: str = "", field: str = "") -> None:
        """Keep the parts."""
        super().__init__(code, message, remedy=remedy)
        self.status, self.field, self.record = status, field, ""

    def of(self, rows: np.ndarray | None) -> RefusedError:
        """Return this, for these rows alone."""
        self.rows = rows
        return self


class Principal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who asks.

    Attributes:
        name: As the token says, or the program that holds the guard.
        role: What it may do; only a caller asks the model.
        purposes: What it may ask for.
    """

    name: str
    role: Role = "caller"
    purposes: tuple[str, ...] = ()


def _lost(_rows: Any) -> str:
    return ""


@dataclass
class Passage:
    """One request on its way through the chain.

    Attributes:
        principal: Who asks.
        purpose: What for; empty until it is settled.
        given: What was handed over: columns by name, or one array.
        admitted: What the model is given, once admitted: rows, or a block of numbers that can be made a table.
        told: What it answered.
        suspect: (n,) bool, rows that must not be answered by the model alone; None: nobody judged.
        reasons: Why, for each row.
        credits: What each reason rests on, for the record.
        asked: Id of the record of the rows.
        by: Which rung of the ladder answered each row; empty: there is no ladder, the model did.
        said: Row to the reason where another rung than the model answered.
        waiting: Row to the case in which a person will decide it.
        shaped: What is let out: an answer for each row, and scores.
        keep: Puts the admitted rows on record and returns the record's id; called before the model is asked.
        notes: What stages found, for the record.
        costs: Stage to milliseconds.
    """

    principal: Principal
    purpose: str
    given: Any
    admitted: Rows | Block | None = None
    told: Told | None = None
    suspect: np.ndarray | None = None
    reasons: tuple[Said, ...] = ()
    credits: list[Any] = field(default_factory=list)
    shaped: tuple[tuple[str | float, ...], Scores] | None = None
    asked: str = ""
    by: tuple[str, ...] = ()
    said: dict[int, Said] = field(default_factory=dict)
    waiting: dict[int, str] = field(default_factory=dict)
    keep: Callable[[Any], str] = _lost
    notes: dict[str, Any] = field(default_factory=dict)
    costs: dict[str, float] = field(default_factory=dict)

    @property
    def rows(self) -> Rows | None:
        """What the model is given as a table or an array; None: nothing was admitted."""
        return self.admitted.frame() if isinstance(self.admitted, Block) else self.admitted

    @property
    def size(self) -> int:
        """How many rows were admitted."""
        return 0 if self.admitted is None else len(self.admitted)

    @property
    def who(self) -> dict[str, Any]:
        """Who asks what for, and what each stage took, for the record."""
        return {"caller": self.principal.name, "purpose": self.purpose, "stages": dict(self.costs)}


class Answering(Protocol):
    """The model at the end of the chain: in a process of its own, or behind an endpoint.

    Attributes:
        way: How it is asked.
        restarts: How often it had to be started again.
        single: Whether it answers one question at a time.
    """

    way: Way
    restarts: int
    single: bool

    @property
    def pid(self) -> int:
        """Its process; 0: it has none here, or none yet."""
        ...

    def ask(self, rows: Rows | Block) -> Told:
        """Return what it answers; several may ask at once.

        Raises:
            SubjectError: It gives no answer that can be used.
        """
        ...

    def begin(self, rows: Rows | Block) -> Begun | None:
        """Ask without waiting; None: it is slow or busy, and nothing was asked."""
        ...

    def tend(self) -> None:
        """Look after it; called now and then."""
        ...

    def close(self) -> None:
        """Give it up."""
        ...


class Stage(Protocol):
    """One step of the chain; it changes the passage or refuses it.

    Attributes:
        name: Stands in the record with the stage's cost.
    """

    name: str

    def __call__(self, passage: Passage) -> Step | None:
        """Do it; where it has to wait for something, return what.

        Raises:
            RefusedError: It goes no further. Any other error is taken for one.
        """
        ...


class Receipt(msgspec.Struct, frozen=True):
    """What the asker keeps to have a decision proven later: ``fivefold verify RECEIPT`` with the proof beside it.

    Attributes:
        application: Its id.
        record: Id of the decision's record.
        leaf: Leaf hash (RFC 6962) of the record in hexadecimal; empty where another process writes the record.
        prove: The command by which the owner makes the proof.
        kind: Tells a receipt from other documents.
    """

    application: str
    record: str
    leaf: str
    prove: str
    kind: str = "receipt, version 1"


class Said(msgspec.Struct, frozen=True):
    """The reason of an answer, for people.

    Attributes:
        text: In plain words.
        fields: At most three fields that moved it most: name, value, and whether for or against.
        flip: Field, its value, the value that would change the answer, and the answer then; None: there is none.
    """

    text: str
    fields: tuple[tuple[str, Any, str], ...] = ()
    flip: tuple[str, Any, Any, str] | None = None


class Decision(msgspec.Struct, frozen=True):
    """What the asker gets.

    Attributes:
        answers: A label or a value for each row; an empty label, or NaN, where there is no answer (yet).
        classes: Labels in the order of the scores; empty: there are no scores, or no classes.
        scores: Probabilities for each row, NaN where another than the model answered; None: the model gives none, or
            they are not let out.
        receipt: Of its record.
        reasons: For each row; empty: too many rows were asked at once, or the model is given no table.
        by: Which rung of the ladder answered each row; empty: there is no ladder, the model did.
        waiting: Row to the case in which a person will decide it.
    """

    answers: tuple[str | float, ...]
    classes: tuple[str, ...]
    scores: tuple[tuple[float, ...], ...] | None
    receipt: Receipt
    reasons: tuple[Said, ...] = ()
    by: tuple[str, ...] = ()
    waiting: dict[int, str] = {}
