"""Check E2.local: attributions of single answers with error bars; are they steady, and do the bars hold?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import threadpool_limits

from fivefold.explanation import asking
from fivefold.explanation.explainer import Question, explain
from fivefold.explanation.local import canary, exact, result
from fivefold.explanation.local.steady import steady

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.contract.finding import Result


def run(context: Context) -> Result:
    """Explain sampled rows and judge whether the reasons add up to answers that are there again.

    Threat: a person is told a reason that is noise: asked again, answer and reason are others.
    A model that is a sum of trees is explained out of these, exactly; any other by asking it.
    Limit: reasons tell what the model goes by, not what causes what in the world.

    Args:
        context: Needs a subject that answers for rows put together anew and the data set ``test``; threshold
            ``min_steady``; option ``pairs``.

    Raises:
        UnsupportedError: See :func:`fivefold.explanation.asking.lay_out`.
        SubjectError: The model misbehaved.
    """
    with threadpool_limits(limits=1, user_api="blas"):
        return _run(context)


def _run(context: Context) -> Result:
    layout = asking.lay_out(context, rows=context.rows, pairs=int(context.options.get("pairs") or 64))
    again = _again(layout)
    calm = steady(layout.scores, again)
    question = Question(
        layout.ask,
        layout.store.explained,
        layout.store.codes,
        layout.column,
        layout.pairs,
        layout.batch,
        layout.scores,
        lambda share: context.progress(0.1 + 0.7 * share, "explaining"),
    )
    way = exact.route(layout, context.rng)
    made = explain(question, context.rng) if way is None else exact.explain(layout, way, question.told)
    context.progress(0.85, "explaining planted functions")
    proof = canary.prove(layout, context.thresholds["min_steady"], context.rng, way)
    return result.result(layout, made, calm, proof, context, checked=0 if way is None else way.checked)


def _again(layout: asking.Setting) -> np.ndarray:
    """Ask the same rows in two parts, low answers apart from high ones: an answer that hangs on its batch shows."""
    order = np.argsort(layout.scores[:, 0], kind="stable")
    made = np.empty_like(layout.scores)
    for part in (order[: len(order) // 2], order[len(order) // 2 :]):
        made[part] = layout.asker(layout.store.rows.take(part))
    return made
