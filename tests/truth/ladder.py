"""Subjects of C3.ladder: ladders whose steps decide, do not, or answer out of their turn."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from fivefold.adaptation.ensemble.delivered import Members
from fivefold.adaptation.fallback.ladder import Descent, Ladder
from fivefold.adaptation.fallback.opening import opened

from . import fallback
from .entry import Entry

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.contract.check import Context
    from fivefold.contract.subject import Table
    from fivefold.subject.rows import Rows

CHECK = "C3.ladder"
RULES = """
rules: 1
table:
  - {{when: "signal > {high}", answer: {answer}, because: it is large}}
  - {{when: "signal < -{high}", answer: {answer}, because: it is small}}
"""


class _Deaf(Ladder):
    """The model goes on answering when it is gone."""

    def descend(self, rows: Rows, model: Any, suspect: Any = None, *, watch: bool = True) -> Descent:
        found = super().descend(rows, model, suspect, watch=watch)
        if model is not None:
            return found
        return found._replace(by=np.zeros(len(rows), dtype=np.int64), answers=np.zeros(len(rows)))


class _Hasty(Ladder):
    """What nobody may decide gets an answer, in one row of four."""

    def descend(self, rows: Rows, model: Any, suspect: Any = None, *, watch: bool = True) -> Descent:
        found = super().descend(rows, model, suspect, watch=watch)
        last = (found.by >= len(self.terms.levels) - 2) & (np.arange(len(rows)) % 4 == 0)
        return found._replace(answers=np.where(last, 0, found.answers))


class _Trusting(Ladder):
    """Suspicion of an attack changes nothing."""

    def descend(self, rows: Rows, model: Any, suspect: Any = None, *, watch: bool = True) -> Descent:
        return super().descend(rows, model, None, watch=watch)


class _Hollow(Ladder):
    """The table of rules is passed over as soon as the model is gone."""

    def descend(self, rows: Rows, model: Any, suspect: Any = None, *, watch: bool = True) -> Descent:
        ladder = self.killed("rules") if model is None else self
        return Ladder.descend(ladder, rows, model, suspect, watch=watch)


def _of(kind: type[Ladder]) -> Callable[..., Ladder]:
    def make(*given: Any, **words: Any) -> Ladder:
        ladder = opened(*given, **words)
        ladder.__class__ = kind
        return ladder

    return make


def build(
    seed: int, *, levels: tuple[str, ...] = ("model", "human"), kind: str = "binary", high: float = 1.0,
    signal: bool = True, made: type[Ladder] = Ladder, rows: int = 1000, declared: bool = True,
) -> Context:  # fmt: skip
    """Build one ladder.

    Args:
        seed: Of everything else.
        levels: As declared.
        kind: ``binary``, ``multiclass`` or ``regression``.
        high: The rules hold where the signal lies beyond it on either side.
        signal: Whether a column tells the answer; without one no small model can.
        made: How the ladder behaves.
        rows: Calibration and test rows, each.
        declared: Whether there is a ladder.
    """
    given = fallback.build(seed, CHECK, kind=kind, calibration=2 * rows, test=rows, declared=declared, hard=0.3)

    def tables(name: str) -> Table:
        table = given.tables(name)
        half = np.arange(len(table)) < rows
        table = table.take(half if name == "train" else ~half) if name != "test" else table
        rng = np.random.default_rng([seed, 2, len(name)])
        truth = table.target - table.target.mean()
        told = truth / truth.std() * 2 + 0.1 * rng.normal(size=len(table)) if signal else rng.normal(size=len(table))
        return table.with_features(table.features.assign(signal=told))

    classes = given.settings.classes
    options: dict[str, Any] = {"risk": 0.2, "delta": 0.1, "levels": list(levels), "tolerance": 1.0}
    facts: dict[str, Any] = {}
    if "rules" in levels:
        options["rules"] = "rules.yaml"
        facts["controls.C3.rules"] = RULES.format(high=high, answer=classes[0] if classes else 0)
    controls: dict[str, Any] = {"C3": options, "C2": {"members": 5}} if declared else {}
    settings = replace(given.settings, controls=controls, facts=facts)
    uses = {"fallback.ladder": _of(made), "ensemble.members": Members}
    return replace(given, tables=tables, settings=settings, uses=uses)


def nobody(seed: int) -> Context:
    """No ladder is declared."""
    return build(seed, declared=False)


def deaf(seed: int) -> Context:
    """The model answers although it is gone."""
    return build(seed, made=_Deaf)


_LONG = ("model", "simpler", "rules", "human")
ENTRIES = {
    CHECK: Entry(
        check=CHECK,
        documented="a step that decides nothing when all above it are gone, or a ladder on which the dead answer, "
        "a step is passed over, suspicion counts for nothing or one refusal in four is an answer; 1,000 rows of each",
        planted={
            "no ladder": nobody,
            "the dead model answers": deaf,
            "refusals that are answers": partial(build, made=_Hasty),
            "suspicion counts for nothing": partial(build, levels=("model", "rules", "human"), made=_Trusting),
            "rules that are passed over": partial(build, levels=_LONG, made=_Hollow, kind="multiclass"),
            "rules that never hold": partial(build, levels=("model", "rules", "human"), high=1e6),
            "a small model that lets nothing through": partial(build, levels=("model", "simpler"), signal=False),
        },
        clean={
            "people": build,
            "a small model, rules, people": partial(build, levels=_LONG),
            "several classes": partial(build, levels=_LONG, kind="multiclass"),
            "a regression": partial(build, levels=("model", "rules", "human"), kind="regression"),
            "an ensemble": partial(build, levels=("model", "ensemble", "human")),
        },
        small={"60 rows, rules that never hold": partial(build, levels=("model", "rules"), high=1e6, rows=60)},
        shown={"300 rows": partial(build, levels=_LONG, rows=300)},
    )
}
