"""Check P1.tables: attack with possible rows alone, prove the attack on a planted model, judge robust accuracy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import threadpool_limits

from fivefold.protection.evasion.tables import attack, canary, result
from fivefold.protection.evasion.tables.layout import lay_out

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.contract.finding import Result


def run(context: Context) -> Result:
    """Measure robust accuracy within a budget that pays for each field.

    Threat: somebody changes fields of a table's row, each as he can and at what it costs him, until the model errs.
    Limit: a stronger attack may exist; the figure is an upper bound of the robustness against all attacks.

    Args:
        context: Needs a subject that answers for changed rows and the table ``test``; threshold
            ``min_robust_accuracy``; options as in the pack.

    Raises:
        UnsupportedError: See :func:`fivefold.protection.evasion.tables.layout.lay_out`.
        InputError: A rule or group names no column of the model's.
        SubjectError: The model misbehaved.
    """
    with threadpool_limits(limits=1, user_api="blas"):
        return _run(context)


def _run(context: Context) -> Result:
    context.progress(0.05, "asking the model")
    layout, rng = lay_out(context), context.rng
    given = layout.given
    right = np.flatnonzero(given.is_right(layout.answers))
    public = given.public_values
    if not given.oracle.can(len(public)):
        public = public[:0]
    known = attack.Known(public, *layout.model(public, np.arange(len(public)) % len(given.values)))
    context.progress(0.1, "attacking")
    searches = attack.run(
        layout.domain,
        lambda part, goal: layout.search(right[part], goal),
        given.goal(layout.answers[right]),
        known,
        rng,
        told=lambda share: context.progress(0.1 + 0.6 * share, "attacking"),
    )
    fell = result.confirm(layout, right, searches)
    context.progress(0.8, "attacking a planted model")
    proof = canary.prove(layout, rng)
    return result.result(layout, right, fell, proof, context)
