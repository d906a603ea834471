"""Check E2.surrogate: what moves single answers nearby, as short sums, held against fresh neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from threadpoolctl import threadpool_limits

from fivefold.explanation.nearby import canary, layout, result

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.contract.finding import Result


def run(context: Context) -> Result:
    """Tell sampled rows by short sums and judge what share of the variation around them that tells.

    Threat: a person is told by a short sum what her answer hangs on, and near her row the model does something else.
    Limit: a sum says what the model does nearby, not why, and not further off.

    Args:
        context: Needs a subject that answers for rows put together anew and the data set ``test``; threshold
            ``min_fidelity``; option ``columns``.

    Raises:
        UnsupportedError: See :func:`fivefold.explanation.nearby.layout.lay_out`.
        SubjectError: The model misbehaved.
    """
    with threadpool_limits(limits=1, user_api="blas"):
        return _run(context)


def _run(context: Context) -> Result:
    made = layout.lay_out(context)
    most, floor, rng = int(context.options.get("columns") or 10), context.thresholds[result.FLOOR], context.rng
    context.progress(0.1, "choosing how far to look")
    how = layout.choose(made, made.pilots, most, floor, made.asked, rng)
    seen = []
    for row in made.rows.tolist():
        seen.append(layout.look(made, row, how, most, made.asked, rng, shuffled=True))
        context.progress(0.2 + 0.5 * len(seen) / len(made.rows), "telling rows")
    context.progress(0.75, "telling planted sums")
    proof = canary.prove(made, seen, how, most, floor, rng)
    return result.result(made, seen, how, proof, context)
