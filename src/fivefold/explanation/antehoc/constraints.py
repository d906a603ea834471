"""Check E1.constraints: declared directions are looked for to be broken, in rows as they are and put together anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.finding import Canary, Measure, Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import InputError, UnsupportedError
from fivefold.explanation import asking
from fivefold.explanation.antehoc import bent, printed, steps, sweep
from fivefold.explanation.antehoc.search import FEWEST, search
from fivefold.stats.judge import judge
from fivefold.stats.proportion import clopper_pearson

if TYPE_CHECKING:
    import pandas as pd

    from fivefold.contract.check import Context
    from fivefold.contract.subject import Subject, Table
    from fivefold.explanation.antehoc.form import Model
    from fivefold.explanation.antehoc.search import Seen
    from fivefold.explanation.antehoc.sweep import Declared

FLOOR = "max_violated"
_FOUND = "rows from which a wrong move was found"
_HAIR = 1e-6
_COARSE = 12
_SHARE = 0.5
_ENOUGH = 300
_REMEDY = {
    Outcome.FAIL: "Learn with the constraint (`model train --explainable`, or a library's monotone option), or take "
    "the declaration back.",
    Outcome.INCONCLUSIVE: "Bring at least 300 test rows, or assess with more effort.",
}


def run(context: Context) -> Result:
    """Measure E1.constraints.

    Threat: it is promised that the score only rises with a field, and somewhere it falls: who does better is answered
    worse.
    Limit: a search; a region that is smaller than what is walked over stays unseen, except on a page of steps.

    Args:
        context: Needs a subject that answers for changed rows, the data set ``test`` and ``features.NAME.monotone``;
            threshold ``max_violated``.

    Raises:
        UnsupportedError: ``antehoc.no-direction``, ``antehoc.class``, ``antehoc.monotone``, ``explanation.budget``;
            as :func:`fivefold.explanation.asking.plain_rows`.
        SubjectError: The model misbehaved.
    """
    signs = steps.signs(context.settings.features)
    if not signs:
        raise UnsupportedError("antehoc.no-direction", "no feature declares `monotone`.",
                               remedy="Declare features.NAME.monotone: up or down.")  # fmt: skip
    subject, test = asking.plain_rows(context)
    at = _class(context, subject)
    columns = sweep.declared(test, signs, steps.types(context.settings.features))
    if test.inputs is not None or not columns:
        raise UnsupportedError("antehoc.no-direction", "no column with a declared direction varies in the test data.",
                               remedy="Declare `monotone` of a column that the model sees.")  # fmt: skip
    asker, rng = asking.Asker(subject), context.rng
    rows, size = _sized(asker, context, len(columns), len(test))
    sample = test.take(np.sort(rng.choice(len(test), rows, replace=False)))
    total = len(test)
    del test  # the whole set is large

    def ask(frame: pd.DataFrame) -> np.ndarray:
        return np.asarray(asker(_like(sample, frame))[:, at])

    spread = float(np.std(ask(sample.features))) if subject.task == "regression" else 1.0
    seen = search(ask, sample.features, columns, (size, _HAIR * spread + 1e-12), rng,
                  progress=context.progress)  # fmt: skip
    context.progress(0.8, "planted functions")
    scored = subject.task == "regression" or subject.capabilities.scores
    bird = bent.canary(sample.features, columns, size.grid, scored, rng)
    page, why = _page(context)
    return _result(context, (seen, columns, bird), (page, why), (rows, total, size.grid), subject)


def _class(context: Context, subject: Subject) -> int:
    """Return the column of the score that may only rise or fall."""
    if subject.task == "regression":
        return 0
    chosen = context.settings.positive if context.settings.positive is not None else context.settings.alarm
    if chosen is None:
        raise UnsupportedError("antehoc.class", "the score of which class may only rise or fall is not said.",
                               remedy="Declare data.test.positive or data.test.alarm.")  # fmt: skip
    return chosen


def _like(sample: Table, frame: pd.DataFrame) -> Table:
    """Return made-up rows as a table; positions, targets and hidden columns are those of rows that were there."""
    return sample.take(np.arange(len(frame)) % len(sample)).with_features(frame)


def _sized(asker: asking.Asker, context: Context, columns: int, test: int) -> tuple[int, sweep.Size]:
    """Return how many rows are swept, and how; half of the questions are for rows as they are."""
    allowed, wanted = asker.allowance(context.effort), min(test, context.rows)
    if asker.calls is not None:  # a pair that is asked again is a call, however few rows it has
        allowed = min(allowed, (asker.calls - 2 * columns * (sweep.ROUNDS + 1) - 1) * asker.batch // 2)
    grid = sweep.GRID if allowed * _SHARE >= min(wanted, _ENOUGH) * columns * sweep.GRID else _COARSE
    rows = min(wanted, int(_SHARE * allowed) // (columns * grid))
    if rows < FEWEST:
        raise asking.too_few(f"{max(allowed, 0)} questions are too few to walk over {columns} columns.")
    return rows, sweep.Size(grid, sweep.AT_ONCE if asker.calls is None else max(1, asker.batch // grid))


def _page(context: Context) -> tuple[Model | None, str]:
    """Return the declared page's model, where it can be read, or what to say of it."""
    if not printed.declared(context.settings):
        return None, ""
    try:
        return printed.read(context), ""
    except (InputError, UnsupportedError) as error:
        return None, f"The page was not used: {error.message}"


def wrong_steps(model: Model, signs: dict[str, int], rising: str) -> tuple[int, int] | None:
    """Return how many neighbouring steps of the printed model go the wrong way, and of how many; None: not told.

    A sum of steps moves as its steps do, so for these forms this holds everywhere. A rule list is proven to hold if
    its answers only fall from the top and its conditions on the columns point in their directions; else it is not told.
    Nor is it of a declared column that the page reads as texts, whose steps have no order.

    Args:
        model: As read from the page.
        signs: Column to 1 or -1.
        rising: Label of the class whose score is meant; empty for a regression.
    """
    if model.task == "multiclass" or (rising and rising not in model.classes):
        return None
    if any(kind == "text" for name, kind in model.columns if name in signs):
        return None
    at = model.classes.index(rising) if rising else 0
    if model.form != "rules":
        turn = -1 if rising and at == 0 else 1
        moves = [turn * model.scale * signs[term.column] * np.diff(np.array(term.adds)[:, 0])
                 for term in model.terms if term.column in signs]  # fmt: skip
        moved = np.concatenate([*moves, np.zeros(0)])
        return int((moved < 0).sum()), len(moved)
    answers = np.array([one[at] for one in (*(rule.answer for rule in model.rules), model.otherwise)])
    held = [one for rule in model.rules for one in rule.when if one.column in signs and one.test in ("from", "below")]
    falling = bool((np.diff(answers) <= 0).all())
    pointed = all((one.test == "from") == (signs[one.column] > 0) for one in held)
    return (0, len(answers) - 1) if falling and pointed else None


def _result(
    context: Context, found: tuple[Seen, list[Declared], Canary], page: tuple[Model | None, str],
    rows: tuple[int, int, int], subject: Subject,
) -> Result:  # fmt: skip
    seen, columns, bird = found
    judged, shown = _measures(seen, float(context.thresholds[FLOOR]), _steps(page[0], context, subject))
    outcomes = {one.outcome for one in judged}
    outcome = Outcome.FAIL if Outcome.FAIL in outcomes else Outcome.INCONCLUSIVE
    if outcomes == {Outcome.PASS} and bird.noticed:
        outcome = Outcome.PASS
    k, n = int(seen.broken.sum()) + seen.broken_anew, len(seen.broken) + seen.other
    names = ", ".join(one.name for one in columns[:4]) + (f" and {len(columns) - 4} more" if len(columns) > 4 else "")
    reason = f"From {k:,} of {n:,} rows a wrong move was found when {names} was moved ({seen.asked:,} questions)."
    size, column, start, end = seen.worst
    if column:
        reason += f" The worst: {column} from {start:.6g} to {end:.6g} moves it by {size:.3g}."
    elif outcome is Outcome.INCONCLUSIVE and not bird.noticed:
        reason = f"Directions broken in a small region were not found in so few rows: nothing is concluded. {reason}"
    limits = ["Directions were searched for to be broken, not proven to hold, except where the page counts its steps."]
    limits.append(_walked(seen, columns, rows[2]))
    if rows[0] < rows[1]:
        limits.append(f"{rows[0]:,} of {rows[1]:,} rows were drawn at random.")
    if page[1]:
        limits.append(page[1])
    lacking = sorted(set(steps.signs(context.settings.features)) - {one.name for one in columns})
    if lacking:
        limits.append(f"Not swept, because the model does not see it or it does not vary: {', '.join(lacking[:6])}.")
    return Result(outcome=outcome, reason=reason, measures=(*judged, *shown), canary=bird, limits=tuple(limits),
                  remedy=_REMEDY.get(outcome, ""))  # fmt: skip


def _walked(seen: Seen, columns: list[Declared], grid: int) -> str:
    """Return in how many of its cells a column was tried, of the one with the least of them."""
    share, one, name = min((float(one.mean()), at, columns[at].name) for at, one in enumerate(seen.walked))
    cells = seen.walked[one]
    least = "" if len(columns) == 1 else ", the least of any"
    return (f"Each row was taken to at most {grid} cells of a column, drawn for it; all rows together to "
            f"{int(cells.sum()):,} of {len(cells):,} distinct ones of {name} ({share:.0%}{least}).")  # fmt: skip


def _measures(seen: Seen, floor: float, counted: tuple[int, int] | None) -> tuple[list[Measure], list[Measure]]:
    """Return what is judged, rows as they are first, and what is shown.

    One move that is found disproves the claim; none has to be shown of enough rows. Rows put together anew descend from
    the rows whose score rises least, so that no bound holds for them: they are counted.
    """
    k, n = int(seen.broken.sum()), len(seen.broken)
    low, high = (float(one) for one in clopper_pearson(k, n))
    anew = Outcome.FAIL if seen.broken_anew else Outcome.PASS if seen.other >= _ENOUGH else Outcome.INCONCLUSIVE
    judged = [
        Measure(name=_FOUND, value=k / n, low=low, high=high, threshold=floor, direction="max",
                outcome=Outcome.FAIL if k else judge(low, high, floor, "max"), unit="share", n=n),
        Measure(name=_FOUND, value=seen.broken_anew / seen.other, threshold=floor, direction="max", outcome=anew,
                unit="share", n=seen.other, where="rows put together anew",
                note=f"{seen.broken_anew:,} of {seen.other:,}, counted: sought, not drawn, so there is no bound."),
    ]  # fmt: skip
    if counted is not None:
        wrong, total = counted
        share = wrong / total if total else 0.0
        judged.append(Measure(
            name="printed steps that go the wrong way", value=share, low=share, high=share, threshold=floor,
            direction="max", outcome=Outcome.FAIL if wrong else Outcome.PASS, unit="share", n=total,
            note="Counted on the page, so exact: it holds everywhere as far as the page is the model (E1.faithful).",
        ))  # fmt: skip
    shown = []
    size, column, start, end = seen.worst
    if column:
        shown.append(Measure(name="largest move the wrong way", value=size, where=column,
                             note=f"From {start:.6g} to {end:.6g}, all else the same."))  # fmt: skip
    return judged, shown


def _steps(model: Model | None, context: Context, subject: Subject) -> tuple[int, int] | None:
    if model is None:
        return None
    rising = "" if subject.task == "regression" else subject.classes[_class(context, subject)]
    return wrong_steps(model, steps.signs(context.settings.features), rising)
