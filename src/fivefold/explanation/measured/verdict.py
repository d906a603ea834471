"""Verdict of the E4 checks: what both of them decide and say in the same way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fivefold.contract.finding import Measure, Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import UnsupportedError
from fivefold.explanation import explainer
from fivefold.explanation.measured.rounds import LEAST
from fivefold.stats import shapley

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fivefold.contract.check import Context
    from fivefold.contract.finding import Canary, Plot
    from fivefold.explanation.asking import Setting

_REMEDY = {
    Outcome.FAIL: "Explain with E2 of this product, or mend the explainer that was measured: it must ask the model.",
    Outcome.INCONCLUSIVE: "Assess with more effort, or bring more test rows.",
}
_NOT_RUN = (
    "The manifest names an explainer under controls.E2; this version cannot run it beside the model, so what people "
    "are told was not measured. "
)
_LIMIT = "Measured is the explainer named, over the user's rows; its use in the application is not."


def check_players(layout: Setting) -> None:
    """Refuse where there is no order of columns to speak of.

    Raises:
        UnsupportedError: ``explanation.columns``.
    """
    count = len(layout.store.players)
    if count < LEAST:
        raise UnsupportedError(
            "explanation.columns", f"the model sees {count} columns or groups of them; this check needs {LEAST}."
        )


def decide(judged: Sequence[Measure], proof: Canary) -> tuple[Outcome, str]:
    """Return the worst outcome of the judged measures, after the canary, and how the reason begins."""
    if not proof.noticed:
        return Outcome.INCONCLUSIVE, f"Not told from an honest explainer: {proof.kind}. "
    outcomes = [measure.outcome for measure in judged]
    for one in (Outcome.FAIL, Outcome.INCONCLUSIVE):
        if one in outcomes:
            return one, ""
    return Outcome.PASS, ""


def figure(value: float | None) -> str:
    """Return a share in words."""
    return "an unknown share" if value is None else f"{value:.2f}"


def questions(layout: Setting, rows: int, rounds: int = 1) -> Measure:
    """Return how many rows were asked, about."""
    asked = rounds * rows * shapley.cost(len(layout.store.players), layout.pairs)
    return Measure(name="questions in all, about", value=float(asked), unit="rows", n=asked)


def finish(  # noqa: PLR0917  the parts of a result
    layout: Setting,
    said: tuple[Outcome, str],
    measures: tuple[Measure, ...],
    proof: Canary,
    plots: tuple[Plot, ...],
    context: Context,
) -> Result:
    """Return the result; where the application declares an explainer that was not run, nothing is passed."""
    outcome, reason = said
    declared = (context.settings.controls or {}).get("E2", {}).get("explainer")
    if declared is not None and explainer.KEY not in context.uses and outcome is Outcome.PASS:
        outcome, reason = Outcome.INCONCLUSIVE, f"{_NOT_RUN}{reason}"
    return Result(
        outcome=outcome,
        reason=reason,
        measures=measures,
        canary=proof,
        plots=plots,
        limits=(_LIMIT, *layout.notes),
        remedy=_REMEDY.get(outcome, ""),
    )
