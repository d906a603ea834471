"""Check P1.text: change a few words of each text, prove the attack on a planted model, judge robust accuracy."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from fivefold.contract.finding import Canary, Measure, Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import UnsupportedError
from fivefold.protection.evasion.texts.attack import Campaign, Victim, attack
from fivefold.protection.evasion.texts.planted import Words, fit
from fivefold.protection.evasion.texts.words import Text, cut
from fivefold.stats.judge import judge
from fivefold.stats.proportion import clopper_pearson

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.contract.subject import Subject, Table

FLOOR = "min_robust_accuracy"
_FEWEST = 10
_PUBLIC = 2000
_CANARY = 60
_LEAST = 10
_NOTICED = 0.8
_SHARE = 0.5
_REMEDY = {
    Outcome.FAIL: "Train with misspelt and reworded texts, correct the spelling before the model reads, or put a "
    "detector in front (P1).",
    Outcome.INCONCLUSIVE: "Bring more test rows, or assess with more effort.",
}


@dataclass(frozen=True)
class Setting:
    """What is attacked.

    Attributes:
        subject: The model.
        sample: Texts under attack, targets known.
        public: Texts that the attacker has.
        share: Of a text's words that may be changed, one at least.
        questions: Most for each text.
    """

    subject: Subject
    sample: Table
    public: Table
    share: float
    questions: int

    def campaign(self, texts: list[str]) -> Campaign:
        """Return texts with what may be done to them."""
        cut_ = [cut(text) for text in texts]
        budget = np.array([max(1, int(self.share * len(text.places))) if text.places else 0 for text in cut_])
        return Campaign(cut_, budget, self.questions)


def run(context: Context) -> Result:
    """Measure robust accuracy against an attacker who changes a few words.

    Threat: misspellings and synonyms that no reader minds make the model answer wrongly.
    Limit: a stronger attack may exist; the figure is an upper bound of the robustness against all attacks.

    Args:
        context: Needs a classifier of texts and the data set ``test``; threshold ``min_robust_accuracy``; options
            ``words`` and ``queries``.

    Raises:
        UnsupportedError: ``evasion.subject``, ``evasion.inputs``, ``evasion.rows`` or ``evasion.budget``.
        SubjectError: The model misbehaved.
    """
    with threadpool_limits(limits=1, user_api="blas"):
        return _run(context)


def _run(context: Context) -> Result:
    setting, rng = _lay_out(context), context.rng
    context.progress(0.05, "asking the model")
    texts, target = texts_of(setting.sample), setting.sample.target
    answers = _answers(context, setting, texts, target)[0]
    right = np.flatnonzero(answers == target)
    guess = None
    if context.guarded is not None or not setting.subject.capabilities.scores:
        public = texts_of(setting.public)
        guess = fit(public, setting.subject.predict(setting.public))
    context.progress(0.1, "changing words")
    campaign = setting.campaign([texts[at] for at in right])
    spare = list(campaign.texts)
    attack(
        _victim(context, setting, right, guess),
        campaign,
        rng,
        lambda share: context.progress(0.1 + 0.7 * share, "changing words"),
    )
    unsteady = _confirm(context, setting, right, campaign, spare)
    context.progress(0.85, "attacking a planted model")
    trial = _canary(setting, rng, told=guess is None)
    robust = answers == target
    plain = float(robust.mean())
    robust[right[campaign.fallen]] = False
    return _result(setting, robust, (plain, unsteady), campaign, trial=trial, floor=float(context.thresholds[FLOOR]))


def texts_of(table: Table) -> list[str]:
    """Return (n,) texts; a missing one is empty."""
    column = table.features.iloc[:, 0]
    return [str(text) for text in column.astype(object).where(column.notna(), "")]


def _lay_out(context: Context) -> Setting:
    subject = context.subject
    if subject is None or not subject.capabilities.perturbable or subject.task == "regression":
        raise UnsupportedError("evasion.subject", "there is no classifier that answers for changed texts.")
    test = context.tables("test")
    if test.kind != "text":
        raise UnsupportedError("evasion.inputs", f"this attack changes texts, not data of kind {test.kind}.")
    known = test.take(test.target >= 0)
    if len(known) < _FEWEST:
        raise UnsupportedError(
            "evasion.rows",
            f"only {len(known)} test rows have a known target.",
            remedy=f"Give at least {_FEWEST}; a few hundred are needed for a judgement.",
        )
    questions, rows, most = int(context.options["queries"]), context.rows, _PUBLIC
    able = subject.capabilities
    if able.calls_left is not None:
        affordable = int(able.calls_left * _SHARE) * max(1, able.max_rows)
        rows, most = min(rows, affordable // (questions + 4)), min(most, affordable // 5)
        if rows < _FEWEST:
            raise UnsupportedError(
                "evasion.budget",
                f"half of the calls that are left allow {affordable} questions, too few for an attack.",
                remedy="Raise `model.calls`, or lower `queries`.",
            )
    try:
        train = context.tables("train")
    except KeyError:
        train = known
    pool = train if len(train) else known
    rng = context.rng
    sample = known.take(np.sort(rng.permutation(len(known))[:rows]))
    public = pool.take(np.sort(rng.permutation(len(pool))[:most]))
    return Setting(subject, sample, public, float(context.options["words"]), questions)


def _table(setting: Setting, texts: list[str]) -> Table:
    name, n = setting.sample.features.columns[0], len(texts)
    like = setting.sample.take(np.zeros(n, dtype=np.int64))
    column = pd.Series(texts, dtype=object).astype(setting.sample.features[name].dtype)
    return like.with_features(pd.DataFrame({name: column}))


def _answers(
    context: Context, setting: Setting, texts: list[str], target: np.ndarray
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return (n,) answers, and (n, K) scores; behind a guard what nobody answers has fallen for nobody."""
    rows = _table(setting, texts)
    if context.guarded is not None:
        found = context.guarded.decide(rows)
        return np.asarray(np.where(found.answered, found.answers, target)), None
    if not setting.subject.capabilities.scores:
        return setting.subject.predict(rows), None
    scores = setting.subject.predict_proba(rows)
    return scores.argmax(axis=1), scores


def _victim(context: Context, setting: Setting, right: np.ndarray, guess: Words | None) -> Victim:
    truth = setting.sample.target[right]

    def answer(texts: list[str], rows: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        answers, scores = _answers(context, setting, texts, truth[rows])
        if scores is None:
            return answers != truth[rows], None
        at = np.arange(len(rows))
        own = np.log(scores[at, truth[rows]] + 1e-12)
        others = scores.copy()
        others[at, truth[rows]] = 0.0
        return answers != truth[rows], own - np.log(others.max(axis=1) + 1e-12)

    if guess is None:
        return Victim(answer)
    return Victim(answer, lambda texts, rows: guess.left(texts, truth[rows]))


def _confirm(context: Context, setting: Setting, right: np.ndarray, campaign: Campaign, spare: list[Text]) -> int:
    """Ask again for what fell, changed and unchanged; count and undo what does not hold (models that flicker)."""
    rows = np.flatnonzero(campaign.fallen)
    if not len(rows):
        return 0
    truth = setting.sample.target[right[rows]]
    again = _answers(context, setting, [str(campaign.texts[row]) for row in rows], truth)[0] != truth
    plain = _answers(context, setting, [str(spare[row]) for row in rows], truth)[0] == truth
    campaign.fallen[rows[~(again & plain)]] = False
    return int((~(again & plain)).sum())


def _canary(setting: Setting, rng: np.random.Generator, *, told: bool) -> Canary:
    """Attack a linear model of the words of public texts, and one that never changes its answer."""
    public = texts_of(setting.public)
    known = setting.public.target
    common = int(np.bincount(known[known >= 0]).argmax()) if (known >= 0).any() else 0
    model = fit(public, (known == common).astype(np.int64))
    some = [public[at] for at in rng.permutation(len(public))[: 5 * _CANARY]]
    model, doomed, safe = model.placed(some, setting.campaign(some), _CANARY)
    chosen = np.concatenate([rng.permutation(np.flatnonzero(side))[:_CANARY] for side in (doomed, safe)])
    fell = _struck(setting, model, [some[at] for at in chosen], public if not told else None, rng)
    many, found = int(doomed[chosen].sum()), int(fell[doomed[chosen]].sum())
    constant = replace(model, weights=np.zeros_like(model.weights))
    still = _struck(setting, constant, some[: _CANARY // 2], public if not told else None, rng)
    alarms = int(fell[~doomed[chosen]].sum() + still.sum())
    return Canary(
        kind="an undefended linear model of the words of these texts",
        planted=many,
        found=found,
        clean=len(chosen) - many + len(still),
        false_alarms=alarms,
        noticed=many >= _LEAST and found >= _NOTICED * many and alarms == 0,
        detail=(
            f"Its score is a sum over words, so it is known which texts fall where words become unknown: {found} of "
            f"{many} fell. Known-good: {len(chosen) - many} texts of it that stand whatever known words theirs become, "
            "and a model that never changes its answer."
        ),
    )


def _struck(
    setting: Setting, model: Words, texts: list[str], public: list[str] | None, rng: np.random.Generator
) -> np.ndarray:
    """Attack a planted model, of labels alone where public texts are given; return (n,) bool, fallen."""
    mine, campaign = model.answers(texts), setting.campaign(texts)
    guess = None if public is None else fit(public, model.answers(public))

    def answer(asked: list[str], rows: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        return model.answers(asked) != mine[rows], model.left(asked, mine[rows]) if guess is None else None

    victim = Victim(answer) if guess is None else Victim(answer, lambda asked, rows: guess.left(asked, mine[rows]))
    attack(victim, campaign, rng)
    return campaign.fallen


def _result(
    setting: Setting,
    robust: np.ndarray,
    told: tuple[float, int],
    campaign: Campaign,
    *,
    trial: Canary,
    floor: float,
) -> Result:
    (plain, unsteady), n = told, len(robust)
    low, high = (float(one) for one in clopper_pearson(int(robust.sum()), n))
    outcome = judge(low, high, floor, "min") if trial.noticed else Outcome.INCONCLUSIVE
    reason = (
        f"The model is right on {plain:.1%} of {n} texts, and still on {robust.mean():.1%} ({low:.1%} to "
        f"{high:.1%}) after words were changed; the floor is {floor:.1%}."
    )
    fell = campaign.fallen
    some = len(fell) > 0
    limits = ["A stronger attack may fell more texts: the figure bounds this attack, with this budget."]
    if unsteady:
        limits.append(f"{unsteady} changed answers did not hold when asked again, and are not counted.")
    if not trial.noticed:
        reason = f"The planted model did not fall as it must; the attack is not believed. {reason}"
    return Result(
        outcome=outcome,
        reason=reason,
        measures=(
            Measure(name="robust accuracy", value=float(robust.mean()), low=low, high=high, threshold=floor,
                    direction="min", outcome=outcome, unit="share", n=n,
                    note=f"At most {setting.share:.0%} of the words are changed, one at least."),
            Measure(name="accuracy without an attack", value=plain, unit="share", n=n),
            Measure(name="attack success rate", value=float(fell.mean()) if some else None, unit="share", n=len(fell),
                    note="Of the texts that the model answers rightly."),
            Measure(name="words changed in a text that fell",
                    value=float(np.median(campaign.changed[fell])) if fell.any() else None, n=int(fell.sum())),
            Measure(name="questions per text that fell",
                    value=float(np.median(campaign.spent[fell])) if fell.any() else None, n=int(fell.sum())),
        ),
        canary=trial,
        limits=tuple(limits),
        remedy=_REMEDY.get(outcome, ""),
    )  # fmt: skip
