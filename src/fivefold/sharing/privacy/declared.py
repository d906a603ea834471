"""Declared: the release and the budget that a manifest or a file of queries states."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fivefold.errors import InputError, ProblemsError
from fivefold.manifest.schema import Field
from fivefold.manifest.tree import MAX_BYTES, grow
from fivefold.manifest.walk import Enough, Walk
from fivefold.sharing.privacy import queries, training
from fivefold.sharing.privacy.loss import Loss, budget_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from fivefold.sharing.privacy.training import Training

KEYS = frozenset({"epsilon", "delta", "release", "times", "training", "foreign", "canaries"})
_MOST_TIMES = 100_000
_SHAPE = Field("named", "A release.", each=Field("any", "Value."))


@dataclass(frozen=True)
class Declared:
    """The options of the control S2.

    Attributes:
        epsilon: Of the budget that a source has for good.
        delta: Of that budget.
        release: What is asked; None: only files of queries are.
        times: How many such releases the budget is meant for.
        training: What is learned; None: nothing is.
    """

    epsilon: float
    delta: float
    release: queries.Release | None = None
    times: int = 1
    training: Training | None = None

    @property
    def budget(self) -> Loss:
        """The budget as the ledger keeps it."""
        return budget_of(self.epsilon, self.delta)


def declared(options: Mapping[str, Any], where: str = "") -> Declared:
    """Read ``controls.S2``.

    Raises:
        InputError: ``privacy.undeclared`` without a budget; ``privacy.options``; ``privacy.budget``; ``privacy.query``.
    """
    if not options:
        raise InputError(
            "privacy.undeclared",
            "no privacy budget is declared.",
            where=where,
            remedy="Write controls: {S2: {epsilon: 2, delta: 1e-6}}: what a source may lose over all releases.",
        )
    if unknown := set(options) - KEYS:
        raise _refused(f"{min(unknown)[:80]!r} is not known", where)
    epsilon, delta, times = options.get("epsilon"), options.get("delta"), options.get("times", 1)
    if any(isinstance(value, bool) or not isinstance(value, int | float) for value in (epsilon, delta)):
        raise _refused("epsilon and delta are numbers", where)
    if isinstance(times, bool) or not isinstance(times, int) or not 1 <= times <= _MOST_TIMES:
        raise _refused(f"times is a whole number, 1 to {_MOST_TIMES}", where)
    told, learned = options.get("release"), options.get("training")
    if not all(part is None or isinstance(part, dict) for part in (told, learned)):
        raise _refused("release and training have keys of their own", where)
    found = Declared(
        float(epsilon or 0),
        float(delta or 0),
        None if told is None else queries.read(told, where),
        times,
        None if learned is None else training.read(learned, where),
    )
    _ = found.budget
    return found


def _refused(fault: str, where: str) -> InputError:
    return InputError("privacy.options", f"controls.S2: {fault}.", where=where,
                      remedy="Write epsilon, delta, and perhaps times, release, training.")  # fmt: skip


def read_file(path: Path) -> queries.Release:
    """Read a file of queries.

    Raises:
        InputError: ``privacy.file`` if it cannot be read; ``privacy.query``.
        ProblemsError: Faults of YAML, each with its line.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError("privacy.file", f"it cannot be read ({error.strerror}).", where=str(path),
                         remedy="Name a file of queries.") from None  # fmt: skip
    node, problems = grow(raw, str(path))
    walk = Walk(str(path), problems=list(problems))
    told: dict[str, Any] | None = None
    with suppress(Enough):
        if node is not None and node.fields is not None:
            told = walk.read(node, _SHAPE, "")
    if walk.problems:
        raise ProblemsError(tuple(walk.problems))
    if not told:
        raise InputError("privacy.file", "it holds no queries.", where=str(path), remedy="Write queries: [...] there.")
    return queries.read(told, str(path))
