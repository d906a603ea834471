"""Check P2.extraction: steal, compare with a thief who asks nothing, prove it on planted models, judge."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import threadpool_limits

from fivefold.contract.finding import Canary
from fivefold.errors import UnsupportedError
from fivefold.protection.extraction import answers, result, steal, students
from fivefold.protection.extraction.answers import Voice
from fivefold.protection.extraction.steal import Prey
from fivefold.subject.possible import space as spaces

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.contract.finding import Result
    from fivefold.contract.subject import Table

_FEWEST = 40
_SHARE = 0.5
_TOLERANCE = 0.1
_CANARY = 0.95
_KINDS = 6
_CELLS = 8_000_000


@dataclass(frozen=True)
class _Case:
    """The prey, the thief's true labels and the answers to his rows."""

    prey: Prey
    target: np.ndarray
    told: np.ndarray
    notes: tuple[str, ...]


def run(context: Context) -> Result:
    """Measure how well a thief with a budget of questions copies the model.

    Threat: whoever may ask the model many questions rebuilds it, serves it without paying, or attacks his copy.
    Limit: a thief with more questions, more rows of his own, or a better student may do better.

    Args:
        context: Needs a subject that answers for new rows and the data set ``test``; threshold ``max_fidelity_gain``.

    Raises:
        UnsupportedError: ``extraction.subject``, ``extraction.inputs``, ``extraction.rows``, ``extraction.size``
            or ``extraction.budget``.
        SubjectError: The model misbehaved.
    """
    with threadpool_limits(limits=1):
        return _run(context)


def _run(context: Context) -> Result:
    case, rng = _lay_out(context), context.rng
    prey, seed = case.prey, int(rng.integers(2**31))
    context.progress(0.2, "asking questions")
    loot = steal.rob(prey, rng)
    context.progress(0.3, "learning copies")
    names = students.QUICK + students.SLOW
    best = steal.copy(prey, loot, loot.asked, "full", names, seed=seed)
    none = steal.without(prey, case.target, case.told, seed)
    context.progress(0.5, "fewer questions, coarser answers")
    used = tuple(dict.fromkeys((*students.QUICK, best.name if best.name in names else "forest")))
    drawn = steal.curves(prey, loot, used, seed)
    context.progress(0.8, "stealing planted models")
    proof = _prove(case, context, names)
    return result.result(prey, loot, best=best, none=none, drawn=drawn, proof=proof, context=context, notes=case.notes)


def _lay_out(context: Context) -> _Case:
    subject, rng = context.subject, context.rng
    if subject is None or not subject.capabilities.perturbable:
        raise UnsupportedError("extraction.subject", "there is no model that answers for new rows.")
    test = context.tables("test")
    if test.kind not in ("table", "image"):
        raise UnsupportedError("extraction.inputs", f"this thief asks for tables and images, not for {test.kind}.")
    if len(test) < _FEWEST:
        raise UnsupportedError(
            "extraction.rows",
            f"only {len(test)} test rows: too few to hold some back.",
            remedy=f"Give at least {_FEWEST}; a few hundred are needed for a judgement.",
        )
    told = {
        name: {key: v for key, v in one.items() if key != "immutable"}
        for name, one in (context.settings.features or {}).items()
    }
    space = spaces.of_images([test]) if test.kind == "image" else spaces.of_tables([test], told)
    wanted = context.options.get("budget")
    budget, rows, notes = _purse(context, int(wanted) if isinstance(wanted, int | float) else 1000)
    if budget * len(space.low) > _CELLS:
        raise UnsupportedError(
            "extraction.size",
            f"{budget} questions of {len(space.low)} inputs each are too many to learn from at once.",
            remedy=f"Declare `budget: {_CELLS // len(space.low)}`.",
        )
    rows = max(_FEWEST, min(rows, _CELLS // len(space.low)))
    order = rng.permutation(len(test))
    half = len(test) // 2
    pool, held = test.take(np.sort(order[:half][:rows])), test.take(np.sort(order[half:][:rows]))
    pool_values, held_values = space.encode(pool), space.encode(held)
    # what is stolen is the model; behind a guard the thief alone asks there
    judge = subject if context.guarded is None else context.guarded.bare
    shown = subject.capabilities.scores
    pool_told, held_told = (answers.ask(judge, some, scores=shown) for some in (pool, held))
    voice = _voice(context, pool_told)
    missing = np.isnan(pool_values).any(axis=0) & _known(space)

    def ask(values: np.ndarray, origin: np.ndarray) -> np.ndarray:
        rows = space.decode(values, origin, pool)
        return answers.ask(subject, rows) if context.guarded is None else answers.told(context.guarded, rows)

    prey = Prey(space, pool_values, held_values, held_told, voice, ask, budget, missing)
    return _Case(prey, _target(pool), pool_told, (*space.notes, *notes))


def _known(space: spaces.Space) -> np.ndarray:
    return np.array([column.kind != "fixed" for column in space.columns] or [True] * len(space.low))


def _target(pool: Table) -> np.ndarray:
    return pool.target


def _purse(context: Context, budget: int) -> tuple[int, int, tuple[str, ...]]:
    """Return questions and rows held back, within half of the calls that an endpoint's budget has left."""
    able = context.subject.capabilities if context.subject else None
    if able is None or able.calls_left is None:
        return budget, context.rows, ()
    # a question of each kind may end with a call that is not full
    left = (int(able.calls_left * _SHARE) - _KINDS) * max(1, able.max_rows)
    if left < 6 * _FEWEST:
        raise UnsupportedError(
            "extraction.budget",
            f"half of the calls that are left allow {left} questions, too few to steal and to judge.",
            remedy="Raise `model.calls`.",
        )
    rows = min(context.rows, left // 4)
    questions = min(budget, left - 2 * rows)
    note = (f"The budget of calls allows {questions} of {budget} questions.",) if questions < budget else ()
    return questions, rows, note


def _voice(context: Context, told: np.ndarray) -> Voice:
    subject = context.subject
    if subject is not None and subject.task != "regression":
        return Voice("scores" if subject.capabilities.scores else "labels", told.shape[1])
    usual = float(np.abs(told - np.median(told)).mean()) or 1.0
    declared = context.options.get("tolerance")
    tolerance = float(declared) if isinstance(declared, int | float) else _TOLERANCE * usual
    return Voice("values", 1, tolerance, usual)


def _prove(case: _Case, context: Context, names: tuple[str, ...]) -> Canary:
    """Steal from a bare logistic (linear) model of the same rows, and from one whose answers follow no rule."""
    rng, prey = context.rng, case.prey
    weights = rng.normal(size=(prey.inputs(prey.pool[:1]).shape[1], max(prey.voice.width - 1, 1)))
    shown = prey.inputs(prey.pool)
    weights = weights / np.maximum((shown @ weights).std(axis=0), 1e-12) * 2.0
    middle = np.median(shown @ weights, axis=0)
    wide = prey.voice.kind == "values"

    def bare(values: np.ndarray, origin: np.ndarray) -> np.ndarray:  # noqa: ARG001
        scores = prey.inputs(values) @ weights - middle
        return scores if wide else students.shares(scores)

    def lawless(values: np.ndarray, origin: np.ndarray) -> np.ndarray:  # noqa: ARG001
        drawn = _hashed(values, prey.voice.width)
        return np.asarray(np.log(drawn) if wide else drawn / drawn.sum(axis=1, keepdims=True))

    outcomes, reached = [], 0.0
    for answer in (bare, lawless):
        told = answer(prey.pool, np.arange(len(prey.pool)))
        usual = float(np.abs(told - np.median(told)).mean()) or 1.0
        voice = Voice("values", 1, _TOLERANCE * usual, usual) if wide else replace(prey.voice, kind="scores")
        here = np.arange(len(prey.held))
        planted = replace(prey, voice=voice, ask=answer, held_told=answer(prey.held, here))
        loot = steal.rob(planted, rng)
        quick = names if answer is bare else (*students.QUICK, "forest")
        best = steal.copy(planted, loot, loot.asked, "full", quick, seed=0)
        none = steal.without(planted, np.full(len(prey.pool), np.nan if wide else -1), told, 0)
        outcomes.append(result.judged(best, none, context.thresholds))
        reached = best.fidelity if answer is bare else reached
    found = outcomes[0] == "fail" and reached >= _CANARY
    alarm = outcomes[1] == "fail"
    return Canary(
        kind="a bare logistic model (values: linear) with random weights",
        planted=1,
        found=int(found),
        clean=1,
        false_alarms=int(alarm),
        noticed=found and not alarm,
        detail=f"Same rows and budget; its copy agrees on {reached:.1%} of the held-back rows. "
        "Known-good: answers that follow no rule.",
    )


def _hashed(values: np.ndarray, width: int) -> np.ndarray:
    """Return (n, width) numbers in (0, 1) that depend on every bit of a row and on nothing else."""
    bits = np.ascontiguousarray(np.nan_to_num(values, nan=-1e300) + 0.0).view(np.uint64)
    seeds = np.arange(1, width + 1, dtype=np.uint64)
    mixed: np.ndarray = np.zeros((len(values), width), dtype=np.uint64)
    for at in range(bits.shape[1]):
        mixed = np.bitwise_xor(mixed, bits[:, [at]]) * np.uint64(0x9E3779B97F4A7C15) + seeds
        mixed = np.bitwise_xor(mixed, np.right_shift(mixed, np.uint64(29)))
    mixed = mixed * np.uint64(0xBF58476D1CE4E5B9)
    return np.asarray((np.right_shift(mixed, np.uint64(11)).astype(np.float64) + 0.5) / 2.0**53)
