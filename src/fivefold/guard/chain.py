"""Chain: the stages of a guard in their order, built from the manifest alone; an owner cannot leave one out.

Outermost is the purpose, innermost the record, which :mod:`fivefold.guard.guard` writes around the chain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fivefold.guard.admission import Domain, Purpose
from fivefold.guard.budget import Budget
from fivefold.guard.nouns import Passage, RefusedError, Stage
from fivefold.guard.reasoning import Reasoning
from fivefold.guard.screening import screening
from fivefold.guard.shaping import Shape
from fivefold.keys import ciphers
from fivefold.keys import store as keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from fivefold.contract.plan import Facts
    from fivefold.guard.isolated import Isolated
    from fivefold.manifest.nouns import Manifest


class Model:
    """Puts what was admitted on record, and before the model in its own process."""

    name = "model"

    def __init__(self, isolated: Isolated) -> None:
        self._isolated = isolated

    def __call__(self, passage: Passage) -> None:
        """Ask it.

        Raises:
            RefusedError: ``guard.rows`` if nothing was admitted.
            SubjectError: It gives no answer that can be used.
        """
        rows = passage.rows
        if rows is None:
            raise RefusedError("guard.rows", "nothing was admitted.", status=400)
        passage.keep({"input": rows} if isinstance(rows, np.ndarray) else rows)
        passage.told = self._isolated.ask(rows)


@dataclass(frozen=True)
class Memory:
    """What stages ask of the record.

    Attributes:
        spent: Gives principal and rows of each question since a time (nanoseconds since 1970).
        alarm: Puts an alarm on record.
        flagged: Gives the callers who were taken for thieves.
    """

    spent: Callable[[int], Iterable[tuple[str, int]]]
    alarm: Callable[[dict[str, Any]], None]
    flagged: Callable[[], Iterable[str]]


def build(manifest: Manifest, isolated: Isolated, facts: Facts, memory: Memory) -> tuple[Stage, ...]:
    """Return the stages, outermost first.

    Args:
        manifest: What is enforced.
        isolated: The model.
        facts: Of the probe.
        memory: What is on record.

    Raises:
        InputError: A control is declared in a way that cannot be enforced.
    """
    train = (facts.data or {}).get("train")
    missing = frozenset(column.name for column in train.columns if column.missing) if train else frozenset[str]()
    controls = manifest.controls.get("P2", {})
    stages: list[Stage] = [Purpose(manifest.purposes), Domain(isolated.way.rows(), manifest.features, missing)]
    if "budget" in controls:
        stages.append(Budget(str(controls["budget"]), memory.spent))
    if controls.get("detect"):
        stages.append(screening(controls, isolated, memory.alarm, memory.flagged))
    stages.append(Model(isolated))
    secret = keys.application_secret(manifest.application.id) if controls.get("noise") else b""
    noise = ciphers.keyed_hash(secret, b"noise of answers")
    stages += [Shape(controls, isolated.way.access, noise), Reasoning(isolated, manifest.features)]
    return tuple(stages)
