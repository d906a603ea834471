"""Check P1.blackbox: attack with answers alone, prove the attack on a planted model, judge robust accuracy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import threadpool_limits

from fivefold.protection.evasion import blackbox, canary, result, setting
from fivefold.protection.evasion.oracle import Oracle

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.contract.finding import Result
    from fivefold.protection.evasion.hunt import Goal
    from fivefold.protection.evasion.planted import LinearModel


def run(context: Context) -> Result:
    """Measure robust accuracy against an attacker who sees answers only.

    Threat: small changes of the input, each of them possible, make the model answer wrongly.
    Limit: a stronger attack may exist; the figure is an upper bound of the robustness against all attacks.

    Args:
        context: Needs a subject that answers for changed rows and the data set ``test``; threshold
            ``min_robust_accuracy``; options as in the pack.

    Raises:
        UnsupportedError: See :func:`fivefold.protection.evasion.setting.lay_out`.
        SubjectError: The model misbehaved.
    """
    with threadpool_limits(limits=1, user_api="blas"):
        return _run(context)


def _run(context: Context) -> Result:
    layout, rng = setting.lay_out(context), context.rng
    context.progress(0.05, "asking the model")
    here = np.arange(len(layout.values))
    answers = layout.oracle(layout.values, here)
    right = np.flatnonzero(layout.is_right(answers))
    known = layout.public_values
    first = layout.oracle(known, _place(layout)) if layout.oracle.can(len(known)) else answers[:0]
    public = blackbox.Public(known[: len(first)], first)
    context.progress(0.1, "attacking")
    goal = layout.goal(answers[right])
    hunt = blackbox.attack(
        layout.space,
        layout.oracle,
        start=layout.values[right],
        origin=right,
        goal=goal,
        limit=layout.limit,
        public=public,
        rng=rng,
        told=lambda share: context.progress(0.1 + 0.6 * share, "attacking"),
    )
    outcome = result.confirm(layout, right, hunt)
    context.progress(0.8, "attacking a planted model")

    def strike(model: LinearModel, start: np.ndarray, goal: Goal) -> np.ndarray:
        told = blackbox.Public(known, model(known, _place(layout)))
        made = blackbox.attack(
            layout.space,
            Oracle(model),
            start=start,
            origin=np.zeros(len(start), dtype=np.int64),
            goal=goal,
            limit=layout.limit,
            public=told,
            rng=rng,
        )
        return made.fallen

    proof = canary.prove(layout, strike, rng)
    return result.result(layout, answers, right, outcome, proof=proof, context=context)


def _place(layout: setting.Setting) -> np.ndarray:
    """Return which attacked row each public row takes its fixed cells from."""
    return np.arange(len(layout.public_values)) % len(layout.values)
