"""Layout: the user's rows, their domain, and the model behind a counter, as one attack needs them."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from fivefold.errors import UnsupportedError
from fivefold.protection.evasion import setting
from fivefold.protection.evasion.tables.search import Purse, Search
from fivefold.subject.possible import domain as domains

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from fivefold.contract.check import Context
    from fivefold.contract.subject import Table
    from fivefold.protection.evasion.hunt import Goal
    from fivefold.protection.evasion.oracle import Oracle
    from fivefold.protection.evasion.setting import Setting
    from fivefold.subject.possible.domain import Domain

_AGREES = 1.0
_HARD = 0.98


class Model:
    """The user's model, counted; it tells its scores where it gives them and they say the same as its answers."""

    def __init__(self, given: Setting, *, scored: bool) -> None:
        """Wrap the model of a setting."""
        self._setting, self._scored = given, scored
        self.oracle: Oracle = given.oracle

    @property
    def scored(self) -> bool:
        """Whether scores are told."""
        return self._scored

    def __call__(self, values: np.ndarray, origin: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return (m,) answers and (m, K) scores; K = 0: labels only."""
        if not self._scored:
            return self.oracle(values, origin), np.empty((len(values), 0))
        parts, size = [], self.oracle.max_rows
        for at in range(0, len(values), size):
            rows = self._setting.space.decode(values[at : at + size], origin[at : at + size], self._setting.sample)
            parts.append(self._setting.subject.predict_proba(rows))
        self.oracle.charge(len(values))
        scores = np.concatenate(parts) if parts else np.empty((0, len(self._setting.subject.classes)))
        return scores.argmax(axis=1).astype(np.int64), scores


@dataclass(frozen=True)
class Layout:
    """Everything that an attack on the user's model needs.

    Attributes:
        given: Rows, space, oracle and tolerance.
        domain: Possible rows.
        model: The model.
        purse: What the attacker is given.
        answers: (n,) to the unchanged rows.
        scores: (n, K) to them; K = 0: labels only.
        declared: Feature name to what the manifest declares.
        seen: Reads the data sets that the domain was read from, one after the other.
    """

    given: Setting
    domain: Domain
    model: Model
    purse: Purse
    answers: np.ndarray
    scores: np.ndarray
    declared: Mapping[str, Mapping[str, object]]
    seen: Callable[[], Iterator[Table]]

    def search(self, rows: np.ndarray, goal: Goal) -> Search:
        """Return the attack on rows (positions in the sample) with a goal for each."""
        return Search(
            self.domain, self.model, self.given.values[rows], rows, like=self.given.sample, goal=goal,
            scores=self.scores[rows], purse=self.purse,
        )  # fmt: skip


def lay_out(context: Context) -> Layout:
    """Read rows and options, ask about the unchanged rows, and see what the model tells.

    Raises:
        UnsupportedError: As :func:`fivefold.protection.evasion.setting.lay_out`, and ``evasion.inputs`` for anything
            but a table.
        InputError: ``evasion.rule``, ``evasion.group`` or ``scenario.syntax``.
    """
    subject = context.subject
    if subject is not None and subject.capabilities.perturbable and context.tables("test").kind != "table":
        raise UnsupportedError("evasion.inputs", f"these are no tables but data of kind {context.tables('test').kind}.")
    # the reach of single numbers is no limit here; a tiny one keeps notes on it away
    given = setting.lay_out(replace(context, options={**context.options, "epsilon": 1e-6}))
    declared = context.settings.features or {}
    made = domains.make(given.space, _seen(context), declared, context.options)
    if made.is_empty:
        raise UnsupportedError(
            "evasion.fixed",
            "an attacker may change nothing: every feature is immutable, constant or hardly repeats.",
            remedy="Declare `range:` for features that people can change.",
        )
    budget = context.options.get("budget")
    queries = context.options.get("queries")
    purse = Purse(
        float(budget) if isinstance(budget, int | float) else 0.5,
        int(queries) if isinstance(queries, int) else 200,
        given.oracle.can,
    )
    here = np.arange(len(given.values))
    answers = given.oracle(given.values, here)
    model = Model(given, scored=False)
    scores = np.empty((len(answers), 0))
    if subject is not None and subject.capabilities.scores and context.guarded is None and given.tolerance is None:
        asked = Model(given, scored=True)
        told, chances = asked(given.values, here)
        # scores that say something else than the answers, or are hard, tell an attacker nothing more
        if (told == answers).mean() >= _AGREES and (chances.max(axis=1) >= 1.0).mean() < _HARD:
            model, scores = asked, chances
    return Layout(given, made, model, purse, answers, scores, declared, lambda: _seen(context))


def _seen(context: Context) -> Iterator[Table]:
    """Read the data sets one after the other; no more than one is held at a time."""
    yield context.tables("test")
    with contextlib.suppress(KeyError):
        yield context.tables("train")
