"""Attacking: the attacks of P1 on any oracle, handed by name to checks of other rooms (``uses``).

What a caller gives is a function from changed rows to answers; so the same attack meets a bare model, a model behind a
detector, or a substitute that somebody else trained.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import threadpool_limits

from fivefold.errors import UnsupportedError
from fivefold.protection.evasion import blackbox, pgd
from fivefold.protection.evasion.hunt import Goal, Hunt, Limit
from fivefold.protection.evasion.oracle import Oracle
from fivefold.protection.evasion.rays import rays
from fivefold.subject.possible import space as spaces

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fivefold.contract.subject import Loss, Subject, Table
    from fivefold.subject.possible.space import Space

    Answer = Callable[[Table, np.ndarray], np.ndarray]
    """Changed rows, and (m,) which attacked row each was made of, to (m,) classes."""

_NEARER = 0.7
_RUNGS = 12
_HALVINGS = 10
_STEPS, _RESTARTS = 20, 2


@dataclass(frozen=True)
class Struck:
    """What an attacker made of n rows.

    Attributes:
        rows: The changed rows; those that did not fall are as they were.
        fell: (n,) bool, whether the answer is another one.
        asked: Questions asked, over all rows.
    """

    rows: Table
    fell: np.ndarray
    asked: int


class Attacker:
    """Somebody who may change rows within what is possible (see P1.blackbox)."""

    def __init__(self, seen: Sequence[Table], declared: Mapping[str, Mapping[str, object]]) -> None:
        """Find out what may be changed.

        Args:
            seen: Data sets that ranges and categories are read from.
            declared: Feature name to what the manifest declares of it.

        Raises:
            UnsupportedError: ``evasion.inputs`` or ``evasion.fixed``.
        """
        if seen[0].kind not in ("table", "image"):
            raise UnsupportedError("evasion.inputs", f"attacks change tables and images, not {seen[0].kind}.")
        self._space: Space = spaces.of_images(seen) if seen[0].kind == "image" else spaces.of_tables(seen, declared)
        if self._space.is_empty:
            raise UnsupportedError(
                "evasion.fixed",
                "an attacker may change nothing: every feature is immutable, constant or hardly repeats.",
                remedy="Declare `range:` for features that people can change.",
            )

    def labels(
        self,
        answer: Answer,
        rows: Table,
        public: Table,
        *,
        epsilon: float,
        queries: int,
        rng: np.random.Generator,
        minimal: bool = True,
        calls: int | None = None,
        call_rows: int = 50_000,
    ) -> Struck:
        """Attack with answers alone: the whole of P1.blackbox, then, if wanted, the nearest change of answer.

        Nearest: rays (Chen and Gu 2020) within seven tenths of the last reach, over and over, as long as rows fall;
        at last the line to what fell is halved.

        Args:
            answer: The oracle; it says of an unchanged row what it is to be moved away from.
            rows: (n,) rows to attack.
            public: Rows whose answers the attacker knows.
            epsilon: Farthest change of each number as a share of its range.
            queries: Most questions for each row and reach.
            rng: All choices.
            minimal: Whether the nearest change is sought, or the first one taken.
            calls: Most calls of ``answer``; None: no limit.
            call_rows: Most rows in one call.

        Raises:
            UnsupportedError: ``evasion.budget`` if the calls allow no attack.
        """
        with threadpool_limits(limits=1, user_api="blas"):
            start, known = self._space.encode(rows), self._space.encode(public)
            oracle, here = self._oracle(answer, rows, calls, call_rows), np.arange(len(rows))
            if not oracle.can(2 * len(rows) + len(known)):
                raise UnsupportedError(
                    "evasion.budget", "the calls that are left allow no attack.", remedy="Raise `model.calls`."
                )
            goal = Goal(oracle(start, here))
            told = oracle(known, np.arange(len(known)) % max(len(rows), 1))
            hunt = blackbox.attack(
                self._space, oracle, start=start, origin=here, goal=goal,
                limit=Limit(epsilon, 1.0, queries), public=blackbox.Public(known, told), rng=rng,
            )  # fmt: skip
            found, fell = hunt.found, hunt.fallen
            if minimal:
                found = self._nearest(hunt, Limit(epsilon, 0.0, queries), rng)
            return Struck(self._space.decode(found, here, rows), fell, oracle.asked)

    def slopes(
        self, subject: Subject, answer: Answer, rows: Table, *, epsilon: float, rng: np.random.Generator
    ) -> Struck:
        """Attack with the gradients of ``subject``; ``answer`` tells what has fallen (for a transfer, another model).

        Raises:
            UnsupportedError: ``subject`` gives no gradients.
        """
        start, here = self._space.encode(rows), np.arange(len(rows))
        oracle = self._oracle(answer, rows)

        def slopes(
            values: np.ndarray, origin: np.ndarray, target: np.ndarray, loss: Loss
        ) -> tuple[np.ndarray, np.ndarray]:
            losses, found = subject.gradient(self._space.decode(values, origin, rows), target, loss)
            return losses, np.asarray(found, dtype=np.float64).reshape(len(values), -1)

        hunt = Hunt(
            self._space, oracle, start, here, goal=Goal(oracle(start, here)),
            limit=Limit(epsilon, 0.0, _STEPS * _RESTARTS),
        )  # fmt: skip
        pgd.descend(hunt, slopes, steps=_STEPS, restarts=_RESTARTS, norm="linf", rng=rng)
        return Struck(self._space.decode(hunt.found, here, rows), hunt.fallen, oracle.asked)

    def _oracle(self, answer: Answer, rows: Table, calls: int | None = None, call_rows: int = 50_000) -> Oracle:
        return Oracle(lambda values, origin: answer(self._space.decode(values, origin, rows), origin), calls, call_rows)

    def _nearest(self, hunt: Hunt, limit: Limit, rng: np.random.Generator) -> np.ndarray:
        """Return (n, d) the nearest copies that meet the goal."""
        best, rows, reach = hunt.found.copy(), np.flatnonzero(hunt.fallen), limit.epsilon
        for _ in range(_RUNGS):
            reach *= _NEARER
            if not len(rows) or not (self._space.moves & (self._space.unit > 0)).any():
                break
            near = Hunt(
                self._space, hunt.oracle, np.where(self._space.swaps, best[rows], hunt.start[rows]), hunt.origin[rows],
                goal=Goal(hunt.goal.answers[rows]), limit=Limit(reach, 0.0, limit.queries),
            )  # fmt: skip
            rays(near, best[rows] - near.start, near.start, rng)
            best[rows[near.fallen]] = near.found[near.fallen]
            rows = rows[near.fallen]
        return self._halved(hunt, best)

    def _halved(self, hunt: Hunt, best: np.ndarray) -> np.ndarray:
        """Halve each line from the unchanged row to what fell; swaps are kept."""
        rows = np.flatnonzero(hunt.fallen)
        low, high = np.zeros((len(rows), 1)), np.ones((len(rows), 1))
        start, end = hunt.start[rows], best[rows].copy()
        far, base = end.copy(), np.where(self._space.swaps, end, start)
        for _ in range(_HALVINGS):
            if not len(rows) or not hunt.oracle.can(len(rows)):
                break
            middle = (low + high) / 2
            moved = self._space.whole(base, base + middle * (far - base), np.round)
            values = np.where(self._space.moves, moved, base)
            met, _ = hunt.ask(rows, values, inside=False)
            end[met] = values[met]
            high, low = np.where(met[:, None], middle, high), np.where(met[:, None], low, middle)
        found = best.copy()
        found[rows] = end
        return found
