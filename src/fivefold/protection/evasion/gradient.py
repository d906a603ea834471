"""Check P1.gradient: gradient steps with restarts, proved on a planted model, doubted where gradients mislead."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import threadpool_limits

from fivefold.errors import UnsupportedError
from fivefold.protection.evasion import blackbox, canary, pgd, result, setting
from fivefold.protection.evasion.hunt import Hunt, Limit
from fivefold.protection.evasion.oracle import Oracle

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.contract.finding import Result
    from fivefold.contract.subject import Loss
    from fivefold.protection.evasion.hunt import Goal
    from fivefold.protection.evasion.planted import LinearModel

_CROSS_QUESTIONS = 40
_CROSS_ROWS = 200
_MATERIAL = 0.02
_FLAT = 0.5


def run(context: Context) -> Result:
    """Measure robust accuracy against an attacker who has the gradients.

    Threat: somebody with the weights (a stolen or published copy) steers inputs along the gradient to a wrong answer.
    Limit: gradients that are zero or misleading hide weakness; three signs of that are looked for.

    Args:
        context: Needs a subject with gradients and the data set ``test``; threshold ``min_robust_accuracy``.

    Raises:
        UnsupportedError: See :func:`fivefold.protection.evasion.setting.lay_out`; ``evasion.gradient``
            without gradients.
        SubjectError: The model misbehaved.
    """
    subject = context.subject
    if subject is None or not subject.capabilities.gradients:
        raise UnsupportedError("evasion.gradient", "the model gives no gradients.")
    with threadpool_limits(limits=1, user_api="blas"):
        return _run(context)


def _run(context: Context) -> Result:
    layout, rng = setting.lay_out(context), context.rng
    layout = replace(
        layout, limit=Limit(layout.limit.epsilon, 0.0, _number(context, "steps") * _number(context, "restarts"))
    )
    if not (layout.space.moves & (layout.space.unit > 0)).any():
        raise UnsupportedError("evasion.fixed", "no number may be changed, and gradients say nothing of categories.")
    norm = str(context.options.get("norm") or "linf")
    if norm not in ("linf", "l2"):
        raise UnsupportedError("evasion.norm", f"there is no norm {norm!r}; say linf or l2.")
    context.progress(0.05, "asking the model")
    answers = layout.oracle(layout.values, np.arange(len(layout.values)))
    right = np.flatnonzero(layout.is_right(answers))
    hunt = Hunt(
        layout.space, layout.oracle, layout.values[right], right, goal=layout.goal(answers[right]), limit=layout.limit
    )
    trace = pgd.descend(
        hunt,
        _slopes(layout),
        steps=_number(context, "steps"),
        restarts=_number(context, "restarts"),
        norm=norm,
        rng=rng,
        told=lambda share: context.progress(0.1 + 0.6 * share, "following gradients"),
    )
    late, alone = trace.late / max(len(right), 1), hunt.fallen.copy()
    crossed = _cross(layout, hunt, rng) if norm == "linf" else 0.0
    fell = result.confirm(layout, right, hunt)
    fell = replace(fell, rising=late, doubt=_doubt(trace.flat, crossed, float(alone.mean()) if len(alone) else 0.0))
    context.progress(0.8, "attacking a planted model")
    proof = canary.prove(layout, _strike(layout, context, norm, rng), rng, norm=norm)
    return result.result(layout, answers, right, fell, proof=proof, context=context)


def _number(context: Context, key: str) -> int:
    value = context.options.get(key)
    return int(value) if isinstance(value, int | float) else {"steps": 40, "restarts": 3}[key]


def _slopes(layout: setting.Setting) -> pgd.Slopes:
    def slopes(values: np.ndarray, origin: np.ndarray, target: np.ndarray, loss: Loss) -> tuple[np.ndarray, np.ndarray]:
        losses, gradients = layout.subject.gradient(layout.space.decode(values, origin, layout.sample), target, loss)
        layout.oracle.charge(len(values))
        return losses, np.asarray(gradients, dtype=np.float64).reshape(len(values), -1)

    return slopes


def _cross(layout: setting.Setting, hunt: Hunt, rng: np.random.Generator) -> float:
    """Let a short black-box attack try the rows that stand; return the share of attacked rows that it fells besides."""
    rows = np.flatnonzero(~hunt.fallen)[:_CROSS_ROWS]
    known = layout.public_values
    if not len(rows) or not layout.oracle.can(len(known) + _CROSS_QUESTIONS * len(rows)):
        return 0.0
    first = layout.oracle(known, np.arange(len(known)) % len(layout.values))
    made = blackbox.attack(
        layout.space,
        layout.oracle,
        start=hunt.start[rows],
        origin=hunt.origin[rows],
        goal=type(hunt.goal)(hunt.goal.answers[rows], hunt.goal.tolerance),
        limit=Limit(layout.limit.epsilon, 0.0, _CROSS_QUESTIONS),
        public=blackbox.Public(known, first),
        rng=rng,
    )
    hunt.fell(rows[made.fallen], made.found[made.fallen])
    hunt.spent[rows] += made.spent
    return float(made.fallen.sum()) / len(hunt.start)


def _doubt(flat: float, crossed: float, alone: float) -> str:
    if flat > _FLAT:
        return (
            f"The gradient is zero in {flat:.0%} of the rows (rounded, saturated or flat answers), so gradient steps "
            "say nothing of them."
        )
    if crossed > _MATERIAL:
        return (
            f"A short attack without gradients felled {crossed:.1%} of the rows that gradient steps did not fell "
            f"({alone:.1%}): the gradients mislead."
        )
    return ""


def _strike(layout: setting.Setting, context: Context, norm: str, rng: np.random.Generator) -> canary.Strike:
    def strike(model: LinearModel, start: np.ndarray, goal: Goal) -> np.ndarray:
        hunt = Hunt(
            layout.space, Oracle(model), start, np.zeros(len(start), dtype=np.int64), goal=goal, limit=layout.limit
        )
        pgd.descend(
            hunt,
            model.slopes_of,
            steps=_number(context, "steps"),
            restarts=_number(context, "restarts"),
            norm=norm,
            rng=rng,
        )
        return hunt.fallen

    return strike
