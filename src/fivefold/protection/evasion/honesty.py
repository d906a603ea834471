"""Check P1.honesty: by how much the usual attack overstates robust accuracy, and what signs say that it must."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import threadpool_limits

from fivefold.contract.finding import Canary, Measure, Result
from fivefold.contract.outcome import Outcome
from fivefold.protection.evasion import blackbox, canary, standard
from fivefold.protection.evasion.engine import apgd, square
from fivefold.protection.evasion.engine.trial import Trial
from fivefold.protection.evasion.hunt import Hunt, Limit
from fivefold.protection.evasion.oracle import Oracle
from fivefold.protection.evasion.vectors import Vectors
from fivefold.stats.judge import judge
from fivefold.stats.proportion import clopper_pearson

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.contract.check import Context
    from fivefold.contract.subject import Loss
    from fivefold.protection.evasion.planted import LinearModel
    from fivefold.protection.evasion.vectors import Asked

FLOOR = "max_overstated"
_BROKEN = 0.8
"""Share that the chosen attack must fell of the rows that fall where the planted model hides nothing."""

_RISING = 0.02
_USUAL = {True: "Auto-PGD on the cross-entropy", False: "Square", None: "half of the questions"}
_REMEDY = {
    Outcome.FAIL: "Take the step out that hides the gradient (rounding, noise, scaling of logits): it does not "
    "protect. Train with changed rows (`model train --robust`), and quote P1.standard's figure alone.",
    Outcome.INCONCLUSIVE: "Assess with more effort or more `steps` and `queries`; take out of the model what is named "
    "in the reason, or quote P1.standard's figure alone.",
}


@dataclass(frozen=True)
class Looked:
    """What came of both attacks on n rows that are answered rightly.

    Attributes:
        usual: (n,) bool, felled by the usual attack.
        fallen: (n,) bool, felled by it or by the attacks that the engine chose.
        told: Signs that take the belief in gradients or answers away, in words.
        noted: Signs that the choice of attacks answers.
        rising: Sign that more steps would fell more; empty: none.
        trial: The chosen attacks.
    """

    usual: np.ndarray
    fallen: np.ndarray
    told: tuple[str, ...]
    noted: tuple[str, ...]
    rising: tuple[str, ...]
    trial: Trial

    @property
    def hidden(self) -> np.ndarray:
        """(n,) bool, rows that the usual attack calls robust and that are not."""
        return np.asarray(self.fallen & ~self.usual)

    @property
    def by(self) -> str:
        """The attack that felled most of the hidden rows; empty: none did."""
        found = np.bincount(self.trial.by[self.hidden & (self.trial.by >= 0)], minlength=1)
        return self.trial.attacks[int(found.argmax())] if found.any() else ""


def run(context: Context) -> Result:
    """Measure how many rows the usual attack calls robust that the attacks chosen after a look at the model fell.

    Threat: a defence that hides gradients, draws random numbers, rounds or saturates looks robust in a test with the
    usual attack, and falls to somebody who adapts.
    Limit: only signs that are known are looked for, on up to 64 rows.

    Args:
        context: Needs a classifier that answers for changed rows, and ``test``; threshold ``max_overstated``.

    Raises:
        UnsupportedError: See :func:`fivefold.protection.evasion.standard.lay_out`.
        SubjectError: The model misbehaved.
    """
    with threadpool_limits(limits=1, user_api="blas"):
        return _run(context)


def _run(context: Context) -> Result:
    stage = standard.lay_out(context)
    layout = stage.layout
    context.progress(0.05, "asking the model")
    answers = layout.oracle(layout.values, np.arange(len(layout.values)))
    right = np.flatnonzero(layout.is_right(answers))
    hunt = Hunt(
        layout.space, layout.oracle, layout.values[right], right, goal=layout.goal(answers[right]), limit=layout.limit
    )
    seen = examine(stage, hunt, standard.victim(stage, Vectors.of(hunt)), context)
    context.progress(0.85, "attacking planted defences")
    proof = _canary(stage, replace(context, progress=_silent))
    return _result(stage, context, (len(answers), right), seen, proof)


def _silent(_share: float, _text: str) -> None:
    return None


def examine(stage: standard.Stage, hunt: Hunt, victim: Asked, context: Context) -> Looked:
    """Attack rows as a usual test does, and again with what a look at the model calls for.

    Args:
        stage: What the model gives, and how hard to try.
        hunt: The rows.
        victim: The model.
        context: Source of all choices; told of progress.
    """
    field, own = Vectors.of(hunt).field(stage.norm), np.asarray(hunt.goal.answers, dtype=np.int64)
    plain = Trial(field, victim, own)
    context.progress(0.1, "attacking in the usual way")
    late = _usually(stage, plain, hunt, context.rng)
    trial = Trial(field, victim, own)
    signs, _, last = standard.assail(stage, trial, hunt, context)
    told = standard.doubts(stage, trial, signs)
    held = trial.fallen.copy()
    rows = np.flatnonzero(trial.fallen & ~plain.fallen)
    if trial.repeats == 1 and len(rows) and victim.can(len(rows)):
        held[rows] = victim.labels(trial.found[rows], rows) != own[rows]
    rising = late if (stage.white or not stage.grey) and not signs.wants_answers else last & held
    return Looked(plain.fallen, held | plain.fallen, told, signs.notes(), _rising(rising), trial)


def _usually(stage: standard.Stage, trial: Trial, hunt: Hunt, rng: np.random.Generator) -> np.ndarray:
    """Run the usual attack on what the model gives; return (n,) bool, rows that fell in its last quarter."""
    trial.begin(_USUAL[True if stage.white else False if stage.grey else None])
    if stage.white:
        return apgd.climb(trial, "cross-entropy", steps=stage.effort.steps, rng=rng).late
    if stage.grey:
        return square.search(trial, queries=stage.effort.queries, rng=rng)
    layout, queries = stage.layout, max(stage.effort.queries // 2, 10)
    known, late = layout.public_values, np.zeros(len(trial.own), dtype=bool)
    if stage.norm != "linf" or not hunt.oracle.can(len(known) + queries * len(trial.own)):
        return late
    made = blackbox.attack(
        layout.space, hunt.oracle, start=hunt.start, origin=hunt.origin, goal=hunt.goal,
        limit=Limit(layout.limit.epsilon, 0.0, queries),
        public=blackbox.Public(known, hunt.oracle(known, np.arange(len(known)) % len(layout.values))), rng=rng,
    )  # fmt: skip
    trial.ask(np.flatnonzero(made.fallen), Vectors.of(hunt).encode(made.found[made.fallen]))
    return np.asarray(made.fallen & (made.spent > 0.75 * queries))


def _rising(late: np.ndarray) -> tuple[str, ...]:
    if not late.any() or float(clopper_pearson(int(late.sum()), len(late))[0]) <= _RISING:
        return ()
    return (f"{late.mean():.1%} of the rows fell in the last quarter of the attack: success still rises with steps.",)


def _result(
    stage: standard.Stage, context: Context, rows: tuple[int, np.ndarray], seen: Looked, proof: Canary
) -> Result:
    (n, right), floor = rows, context.thresholds[FLOOR]
    hidden = _spread(n, right, seen.hidden)
    low, high = (float(one) for one in clopper_pearson(int(hidden.sum()), n))
    outcome, reason = _decide(stage, seen, judge(low, high, floor, "max"), (proof, len(right) / n))
    main = Measure(
        name="robust accuracy overstated", value=float(hidden.mean()), low=low, high=high, threshold=floor,
        direction="max", outcome=outcome, unit="share", n=n,
        note=f"Rows that {_named(stage)} calls robust and another attack fells; changes of at most "
        f"{stage.layout.limit.epsilon:g} of each range ({stage.norm}).",
    )  # fmt: skip
    shown = (
        _share(f"robust accuracy, {_named(stage)}", _spread(n, right, ~seen.usual)),
        _share("robust accuracy, attacks chosen after a look", _spread(n, right, ~seen.fallen)),
        _share("accuracy without an attack", _spread(n, right, np.ones(len(right), dtype=bool))),
        *(
            Measure(name="rows felled by this attack first", value=float((seen.trial.by == at).sum()), unit="rows",
                    n=len(right), where=name)
            for at, name in enumerate(seen.trial.attacks) if name not in seen.trial.attacks[:at]
        ),
        Measure(name="signs of a weak attack", value=float(len((*seen.told, *seen.noted, *seen.rising))), n=n),
    )  # fmt: skip
    limits = ("Only signs that are known are looked for, on at most 64 rows.", *stage.layout.notes)
    return Result(
        outcome=outcome, reason=reason, measures=(main, *shown), canary=proof,
        limits=(*seen.noted, *seen.told, *seen.rising, *limits), remedy=_REMEDY.get(outcome, ""),
    )  # fmt: skip


def _named(stage: standard.Stage) -> str:
    return _USUAL[True if stage.white else False if stage.grey else None]


def _spread(n: int, right: np.ndarray, hits: np.ndarray) -> np.ndarray:
    found = np.zeros(n, dtype=bool)
    found[right[hits]] = True
    return found


def _share(name: str, hits: np.ndarray) -> Measure:
    low, high = (float(one) for one in clopper_pearson(int(hits.sum()), len(hits)))
    return Measure(name=name, value=float(hits.mean()), low=low, high=high, unit="share", n=len(hits))


def _decide(stage: standard.Stage, seen: Looked, judged: Outcome, proven: tuple[Canary, float]) -> tuple[Outcome, str]:
    proof, clean = proven
    share = clean / max(len(seen.usual), 1)
    usual, chosen = clean - share * float(seen.usual.sum()), clean - share * float(seen.fallen.sum())
    text = f"Robust accuracy is {usual:.1%} by {_named(stage)}, and {chosen:.1%} by the attacks chosen after a look."
    signs = " ".join((*seen.told, *seen.noted, *seen.rising))
    text += f" {seen.by} felled most of the rest." if seen.by else ""
    if not proof.noticed:
        told = "A planted defence was not seen or not broken, or an honest model flagged; no pass is believed."
        return Outcome.INCONCLUSIVE, f"{told} {signs} {text}"
    if judged is Outcome.FAIL and signs and stage.white:
        return Outcome.FAIL, f"{signs} {text}"
    if judged is Outcome.FAIL:
        return Outcome.INCONCLUSIVE, f"The usual attack is too weak for this model. {signs} {text}"
    if judged is Outcome.PASS and (seen.told or seen.rising):
        return Outcome.INCONCLUSIVE, f"{signs} {text}"
    return judged, f"{signs} {text}".strip()


def _canary(stage: standard.Stage, context: Context) -> Canary:
    """Hide the weakness of a planted linear model in the ways that show in what the user's model gives."""
    rng = context.rng
    one = canary.plant(stage.layout, rng, stage.norm)

    def look(way: str) -> Looked:
        model = one.model
        oracle = Oracle(_flickering(model, rng) if way == "random answers" else model)
        hunt = Hunt(
            stage.layout.space, oracle, one.start, np.zeros(len(one.start), dtype=np.int64), goal=one.goal,
            limit=stage.layout.limit,
        )  # fmt: skip
        return examine(stage, hunt, _hiding(stage, Vectors.of(hunt), model, way), context)

    hiding = ("zero gradients", "lying gradients") if stage.white else ("random answers",)
    seen, honest = [look(way) for way in hiding], look("")
    open_ = int((honest.fallen & one.doomed).sum())
    broken = [int((each.fallen & one.doomed).sum()) >= _BROKEN * open_ for each in seen]
    found = sum(bool(each.told) and fell for each, fell in zip(seen, broken, strict=True))
    wrong = int(bool(honest.told) or honest.hidden.mean() > context.thresholds[FLOOR])
    many = int(one.doomed.sum())
    return Canary(
        kind=f"a linear model fitted to these rows that hides its weakness: {', '.join(hiding)}",
        planted=len(hiding),
        found=found,
        clean=1,
        false_alarms=wrong,
        noticed=open_ >= max(canary.MOST // 6, many // 2) and found == len(hiding) and not wrong,
        detail=f"Of {len(one.doomed)} rows {many} surely fall, {open_} do where nothing is hidden. Each must be "
        "told of, and broken. Known-good: the same model, hiding nothing.",
    )


def _flickering(model: LinearModel, rng: np.random.Generator) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Return answers of which one in seven is the other one, whatever is asked."""

    def answer(values: np.ndarray, origin: np.ndarray) -> np.ndarray:
        return np.where(rng.random(len(values)) < 0.15, 1 - model(values, origin), model(values, origin))

    return answer


def _hiding(stage: standard.Stage, vectors: Vectors, model: LinearModel, way: str) -> Asked:
    def slopes(values: np.ndarray, origin: np.ndarray, target: np.ndarray, loss: Loss) -> tuple[np.ndarray, np.ndarray]:
        losses, found = model.slopes_of(values, origin, target, loss)
        return losses, 0 * found if way == "zero gradients" else -found

    told = standard.linear(stage, vectors, model)
    if way in ("", "random answers"):
        return told
    return standard.linear(stage, vectors, model, slopes)
