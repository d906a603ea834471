"""Check P5.unseen: missed threats of families that were held out of training, each in turn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import threadpool_limits

from fivefold.contract.finding import Bar, Plot, Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import UnsupportedError
from fivefold.protection.threats import figures
from fivefold.protection.threats.known import required
from fivefold.protection.threats.setting import lay_out

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.contract.finding import Measure
    from fivefold.contract.subject import Subject
    from fivefold.protection.threats.setting import Setting

MISSED = "max_unseen_missed"
MOST_FAMILIES = {"quick": 4, "standard": 8, "thorough": 20}
_MOST_BARS = 20
_MOST_FLOWS = 3000
_HARD = 0.5
_REMEDY = "Declare controls.P5: a detector of flows unlike benign ones beside the model, and a fallback (C3) behind it."


@dataclass(frozen=True)
class Held:
    """What came of one family held out.

    Attributes:
        name: The family.
        taken: (n,) bool, its flows that the model takes for benign; None: the model cannot be trained without it.
        found: (n,) bool, its flows that the detector alarms; None: no detector is declared.
        taken_benign: (m,) bool, benign test flows that this model takes for benign; None as ``taken``.
        found_benign: (m,) bool, benign test flows that this detector alarms; None as ``found``.
        stand_in: (n,) bool, flows that the detector's own score for known threats lets through; None as ``found``.
    """

    name: str
    taken: np.ndarray | None
    found: np.ndarray | None
    taken_benign: np.ndarray | None
    found_benign: np.ndarray | None
    stand_in: np.ndarray | None

    @property
    def missed(self) -> np.ndarray:
        """Return (n,) bool, flows that neither alarms."""
        return _missed(self.taken, self.found)

    @property
    def false(self) -> np.ndarray:
        """Return (m,) bool, benign flows that either alarms."""
        return ~_missed(self.taken_benign, self.found_benign)


def run(context: Context) -> Result:
    """Measure missed threats of families that neither model nor detector was shown.

    Threat: next month's attack is of a kind that nobody had when the detector was trained.
    Limit: families held out are known ones; how unlike the next one will be nobody knows.

    Args:
        context: Needs a classifier and ``test``; thresholds ``max_unseen_missed`` and ``max_false_alarms``.

    Raises:
        UnsupportedError: ``threats.held`` where nothing can be held out; as :mod:`fivefold.protection.threats.setting`.
        SubjectError: The model misbehaved.
    """
    with threadpool_limits(limits=1):
        return _run(context)


def _run(context: Context) -> Result:
    subject, setting = required(context), lay_out(context)
    held = hold_out(context, setting, subject)
    missed, false = _judged(context, [one.missed for one in held], held[0].false if len(held) == 1 else
                            np.concatenate([one.false for one in held]), len(held))  # fmt: skip
    n = [len(one.missed) for one in held]
    benign = len(held[0].false)

    def verdict(ring: float, cry: float) -> Outcome:
        lets = [np.arange(size) >= round(ring * size) for size in n]
        return figures.decided(*_judged(context, lets, np.arange(benign) < round(cry * benign), 1))

    proof = figures.proven(verdict, context.rng, context.thresholds[figures.FALSE], f"{len(held)} families.")
    outcome = figures.decided(missed, false) if proof.noticed else Outcome.INCONCLUSIVE
    shares = [figures.share("threats of an unseen family missed", one.missed, where=one.name) for one in held]
    hard = [one.where for one in shares if (one.value or 0.0) > _HARD]
    text = (
        f"Of families held out of training, {missed.value:.1%} of the flows are missed (mean over {len(held)} "
        f"families), at {false.value:.2%} false alarms."
    )
    text += f" Hard: {', '.join(hard[:6])}." if hard else ""
    judged = (missed, false) if proof.noticed else figures.opened(missed, false)
    return Result(
        outcome=outcome, reason=text if proof.noticed else f"Alarms that look at nothing were not told. {text}",
        measures=(*judged, *shares), canary=proof, plots=(_plot(shares),),
        limits=(*figures.LIMITS, setting.how, *setting.notes, _whose(held[0])),
        remedy="" if outcome is Outcome.PASS else _REMEDY,
    )  # fmt: skip


def hold_out(context: Context, setting: Setting, subject: Subject) -> list[Held]:
    """Return what came of each family held out: trained without it, or, where that cannot be, never trained on.

    Raises:
        UnsupportedError: ``threats.held``.
    """
    retrains = subject.capabilities.retrains and setting.train is not None
    names = setting.families()
    strange = [name for name in names if name not in setting.train_family]
    if not retrains and setting.options is None:
        names = strange if setting.train is not None else []
    # a family that is all there is leaves nothing to learn from
    names = names[: MOST_FAMILIES[context.effort]] if len(names) > 1 or strange else []
    if not names:
        raise UnsupportedError(
            "threats.held", "no family can be held out: the model cannot be trained again, no detector is declared, "
            "and test has no family that train lacks.",
            remedy="Declare training.factory, or controls.P5; or put families into test that train lacks.",
        )  # fmt: skip
    found = []
    for place, name in enumerate(names):
        context.progress(place / len(names), f"without {name[:40]}")
        found.append(_held(context, setting, subject, name, new=name in strange))
    return found


def _held(context: Context, setting: Setting, subject: Subject, name: str, *, new: bool) -> Held:
    benign = setting.test.take(~setting.bad)
    parts = [setting.test.take(setting.test_family == name)]
    if setting.train is not None:
        parts.append(setting.train.take(setting.train_family == name))
    parts = [part.take(context.rng.permutation(len(part))[:_MOST_FLOWS]) for part in parts]
    model: Subject | None = subject if new else None
    if not new and setting.train is not None and subject.capabilities.retrains:
        model = subject.retrain(setting.train.take(setting.train_family != name), int(context.rng.integers(1 << 31)))
    taken = taken_benign = found = found_benign = through = None
    if model is not None:
        # a table is asked by itself: a file of predictions knows rows by data set
        taken = np.concatenate([~setting.alarms(model, part) for part in parts if len(part)])
        taken_benign = ~setting.alarms(model, benign)
    beside = setting.detector(context.rng, name)
    if beside is not None:
        found = np.concatenate([beside.alarms(part.features) for part in parts])
        found_benign = beside.alarms(benign.features)
        through = np.concatenate([~beside.resembles(part.features) for part in parts])
    return Held(name, taken, found, taken_benign, found_benign, through)


def _judged(context: Context, missed: list[np.ndarray], false: np.ndarray, times: int) -> tuple[Measure, Measure]:
    """Return the judged figures; benign flows that were asked ``times`` times count once in the bounds."""
    by = {str(at): one for at, one in enumerate(missed)}
    mean = figures.mean_of_families("threats of unseen families missed, mean over families", by,
                                    context.thresholds[MISSED])  # fmt: skip
    once = len(false) // times
    rate = np.arange(once) < round(float(false.mean()) * once)
    return mean, figures.share("false alarms", rate, context.thresholds[figures.FALSE], "max")


def _missed(taken: np.ndarray | None, found: np.ndarray | None) -> np.ndarray:
    if taken is None:
        return np.zeros(0, dtype=bool) if found is None else ~found
    return taken if found is None else taken & ~found


def _whose(one: Held) -> str:
    if one.taken is None:
        return "The model cannot be trained again, so the detector is measured alone: the model could only add alarms."
    if one.found is not None:
        return "Model and detector were trained without the family."
    return "No detector is declared: the model alone was measured, trained without the family or never shown it."


def _plot(shares: list[Measure]) -> Plot:
    bars = [Bar(label=one.where, value=one.value or 0.0, low=one.low, high=one.high, n=one.n) for one in shares]
    return Plot(kind="intervals", title="share of flows missed of each family while it is held out",
                x_label="share missed", bars=tuple(bars[:_MOST_BARS]))  # fmt: skip
