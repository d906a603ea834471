"""Result: what decides, in words, figures and one picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec import structs

from fivefold.contract.finding import Curve, Measure, Plot, Result
from fivefold.contract.outcome import Outcome, worst
from fivefold.protection.membership import bounds
from fivefold.protection.membership.blind import beyond
from fivefold.stats.judge import judge

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fivefold.contract.finding import Canary
    from fivefold.protection.membership.answers import Answers
    from fivefold.protection.membership.attack import Halves, Scored
    from fivefold.protection.membership.blind import Blind
    from fivefold.protection.membership.bounds import Figure
    from fivefold.protection.membership.rows import Pool

_REMEDY = {
    Outcome.FAIL: "Regularise more or stop training earlier, drop repeated rows, train with differential privacy (S2), "
    "or give fewer digits (P2).",
    Outcome.INCONCLUSIVE: "Give more rows that the model was not trained on, drawn as the training rows were.",
}

AUC, RATE = "max_auc", "max_tpr_at_1pct_fpr"


@dataclass(frozen=True)
class Leak:
    """What the chosen attacks reach on the held-back half."""

    auc: Figure
    rate: Figure
    scored: Scored

    def outcome(self, thresholds: Mapping[str, float]) -> Outcome:
        """Judge both figures; the shift of the data is not considered."""
        return worst(
            [
                judge(self.auc.low, self.auc.high, thresholds[AUC], "max"),
                judge(self.rate.low, self.rate.high, thresholds[RATE], "max"),
            ]
        )


def result(
    *,
    rows: Pool,
    answers: Answers,
    halves: Halves,
    found: Leak,
    seen: Blind,
    proof: Canary,
    floors: Mapping[str, float],
    classes: Sequence[str] = (),
) -> Result:
    """Judge and describe.

    Args:
        rows: What was compared.
        answers: What the model said.
        halves: The split.
        found: The attack's figures.
        seen: The blind attack's.
        proof: Canary.
        floors: Floor key to value.
        classes: Labels, to name classes that were left out.
    """
    apart = beyond(found.scored.scores[found.scored.best_auc], seen, halves)
    outcome, reason = _decide(found, seen, apart, proof, floors)
    # where the whole is open, no figure is shown as judged the other way
    is_open = outcome is Outcome.INCONCLUSIVE and found.outcome(floors) is not outcome
    judged: tuple[Measure, ...] = (
        _measure("membership AUC", found.auc, floors[AUC], f"Attack: {found.scored.best_auc}, chosen on other rows."),
        _measure(
            "true-positive rate at 1 % false positives",
            found.rate,
            floors[RATE],
            f"Attack: {found.scored.best_low}, chosen on other rows.",
        ),
    )
    if is_open:
        judged = tuple(structs.replace(one, outcome=Outcome.INCONCLUSIVE) for one in judged)
    shown = (
        _measure("AUC of a blind attack", seen.auc, None, "Never asks the model: what the rows alone give away."),
        _measure("membership AUC among rows that look alike", apart, None, "Strata of the blind attack's score."),
        Measure(name="training rows compared", value=float(len(rows.members)), unit="rows", n=len(rows.members)),
        Measure(name="test rows compared", value=float(len(rows.others)), unit="rows", n=len(rows.others)),
        Measure(
            name="test rows left out: also in the training data", value=float(rows.shared), unit="rows", n=rows.shared
        ),
        Measure(name="repeated rows left out", value=float(rows.repeated), unit="rows", n=rows.repeated),
    )
    gone = rows.left_out(classes)
    return Result(
        outcome=outcome,
        reason=f"{reason} {gone}".strip(),
        measures=(*judged, *shown),
        canary=proof,
        plots=(_roc(found, seen, halves),),
        limits=_limits(answers, rows, seen),
        remedy=_REMEDY.get(outcome, ""),
    )


def _decide(found: Leak, seen: Blind, apart: Figure, proof: Canary, floors: Mapping[str, float]) -> tuple[Outcome, str]:
    """Judge by rule 6; where the rows alone are told apart, only what goes beyond that counts as a failure."""
    plain = found.outcome(floors)
    text = (
        f"The best attack reaches AUC {found.auc.value:.3f} (95 % bounds {found.auc.low:.3f} and {found.auc.high:.3f}) "
        f"and finds {found.rate.value:.1%} of members at 1 % false positives "
        f"(bounds {found.rate.low:.1%} and {found.rate.high:.1%})."
    )
    if not proof.noticed:
        return Outcome.INCONCLUSIVE, f"The canary went unnoticed or a clean case was flagged. {text}"
    if not seen.seen:
        return plain, text
    confounded = (
        f"Training and test rows differ by themselves: an attack that never asks the model reaches AUC "
        f"{seen.auc.value:.3f}."
    )
    by_area = found.auc.low > floors[AUC] and apart.low > floors[AUC]
    by_rate = found.rate.low > max(floors[RATE], seen.rate.high)
    if plain is Outcome.FAIL and (by_area or by_rate):
        return Outcome.FAIL, f"{text} {confounded} Among rows that look alike the AUC is still {apart.value:.3f}."
    if plain is Outcome.FAIL or seen.material:
        return Outcome.INCONCLUSIVE, f"{confounded} So it cannot be said what the model remembers. {text}"
    return plain, text


def _measure(name: str, figure: Figure, threshold: float | None, note: str) -> Measure:
    return Measure(
        name=name,
        value=figure.value,
        low=figure.low,
        high=figure.high,
        threshold=threshold,
        direction=None if threshold is None else "max",
        outcome=None if threshold is None else judge(figure.low, figure.high, threshold, "max"),
        unit="share" if "rate" in name else "",
        n=figure.n,
        note=note,
    )


def _roc(found: Leak, seen: Blind, halves: Halves) -> Plot:
    inner, outer = ~halves.fit & halves.is_member, ~halves.fit & ~halves.is_member
    lines = {
        f"attack ({found.scored.best_low})": found.scored.scores[found.scored.best_low],
        "blind attack": seen.scores,
    }
    curves = []
    for name, scores in lines.items():
        false, true = bounds.curve(scores[inner], scores[outer])
        curves.append(Curve(name=name, x=tuple(false.tolist()), y=tuple(true.tolist())))
    start = 1.0 / max(int(outer.sum()), 2)
    curves.append(Curve(name="chance", x=(start, 1.0), y=(start, 1.0)))
    return Plot(
        kind="curves",
        title="Members found against non-members accused",
        x_label="false-positive rate",
        y_label="true-positive rate",
        curves=tuple(curves),
        log=True,
    )


def _limits(answers: Answers, rows: Pool, seen: Blind) -> tuple[str, ...]:
    told = ["An attacker with many shadow models, or with the weights, may do better than these attacks."]
    if answers.shadows is None:
        told.append("No shadow models: no training factory is named, or the compared rows lack a class.")
    if answers.nearby is None:
        told.append("No neighbours were asked: the answers are a file, or given for known rows only.")
    if answers.scores is None and answers.task != "regression":
        told.append("The model gives labels only; the attack sees whether they are right, and how hard the row is.")
    if answers.task == "regression":
        told.append("Regression: the attack sees the distance to the truth, and how hard the row is.")
    if rows.unknown:
        told.append(f"{rows.unknown} rows without a target were left out.")
    if rows.apart:
        told.append("Nothing is said of classes that only one of the two sets holds.")
    if rows.shared:
        told.append(f"{rows.shared} test rows are in the training data too and were left out.")
    if seen.seen:
        told.append("Training and test rows differ by themselves; part of the figures is that difference.")
    return tuple(told)
