"""T1.tampering: whether the labels would show what was done to the data, and where."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fivefold.contract.finding import Canary, Measure, Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import FivefoldError, TrustError, UnsupportedError
from fivefold.evidence import data_label
from fivefold.keys import trust as trust_file
from fivefold.stats.judge import judge
from fivefold.stats.proportion import clopper_pearson
from fivefold.traceability.labels import planted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fivefold.contract.check import Context
    from fivefold.contract.subject import Table
    from fivefold.keys.trust import Trust

ROUNDS = {"quick": 5, "standard": 9, "thorough": 20}
LEAST = 0.9
"""Share of planted tampering that has to be named and located, by its lower bound, before anything is concluded."""
_REMEDY = "Have the steward sign the labels over what stands there now: fivefold data label."


def run(context: Context) -> Result:
    """Judge T1.tampering.

    Threat: data are edited, copied in part or put in another order, or their label is stripped, swapped, forged or
    replaced by an earlier, weaker one, and nobody sees where.
    Limit: as :func:`fivefold.traceability.labels.examine.judge`.

    Raises:
        UnsupportedError: ``label.memory``: the data are in memory, and no label is bound to them.
    """
    if not context.digests:
        raise UnsupportedError("label.memory", "the data are in memory: there are no stored bytes to bind a label to.")
    trust = trust_file.read(context.trust or b"")
    names = sorted(context.digests)
    faults = {name: fault for name in names if (fault := _lacking(context, name, trust))}
    bird, hits = prove(context)
    low, high = (float(one) for one in clopper_pearson(hits, bird.planted))
    located = judge(low, high, LEAST, "min") if bird.planted else Outcome.INCONCLUSIVE
    outcome = Outcome.INCONCLUSIVE if not bird.noticed else Outcome.FAIL if faults else _sound(located)
    measures = (
        *(_measure(name, faults.get(name, "")) for name in names),
        Measure(
            name="tampering named and located",
            value=hits / bird.planted if bird.planted else None,
            low=low,
            high=high,
            unit="share",
            n=bird.planted,
            note="Planted in rows of the application under a throw-away label.",
        ),
    )
    return Result(
        outcome=outcome,
        reason=_reason(outcome, faults, names, bird),
        measures=measures,
        canary=bird,
        limits=(
            "Data that went away together with their label are missed only where another label at hand says so.",
            "A copy of scattered rows is told from other data by its columns and its fewer rows: it is a guess.",
        ),
        remedy=_REMEDY if faults else "",
    )


def _sound(located: Outcome) -> Outcome:
    """Return what is concluded of labels without a fault: nothing, unless enough of what was planted was located."""
    return Outcome.PASS if located is Outcome.PASS else Outcome.INCONCLUSIVE


def _lacking(context: Context, name: str, trust: Trust) -> str:
    """Return why the label of a data set would not show where it was changed; empty: it would."""
    try:
        known = data_label.opened(context.labels.get(name, b""), trust=trust, now=context.now)
        if known.name != name:
            return f"the label is one of data.{known.name[:60]}"
        if known.digest != context.digests[name]:
            return "the data are not those that were labelled"
        if known.label.content is None:
            is_table = _table(context, name).kind == "table"
            return "the label binds the bytes alone: a change would be seen, not where" if is_table else ""
        leaves = known.label.content.table()
    except TrustError as error:
        return f"{error.message.rstrip('.')} [{error.code}]"
    return _other_content(known.label.content.rows, len(leaves), _table(context, name))


def _other_content(rows: int, columns: int, table: Table) -> str:
    """Return whether a table has other counts than its label says: then the label's leaves are of other data."""
    if table.kind == "table" and (rows != len(table) or columns < table.features.shape[1]):
        return f"the label's leaves are of {rows:,} rows and {columns:,} columns, the data have others"
    return ""


def _table(context: Context, name: str) -> Table:
    return context.tables(name)


def _measure(name: str, fault: str) -> Measure:
    return Measure(
        name="label bound by column and group of rows",
        value=0.0 if fault else 1.0,
        threshold=1.0,
        direction="min",
        outcome=Outcome.FAIL if fault else Outcome.PASS,
        n=1,
        where=f"data.{name}",
        note=fault,
    )


def prove(context: Context) -> tuple[Canary, int]:
    """Tamper with rows of the application under a throw-away label, in each way and at drawn places."""
    rounds, rng = ROUNDS[context.effort], context.rng
    table = _table(context, "test")
    hits = clean = alarms = 0
    try:
        frame = table.features if table.features.shape[1] else table.others
        drawn = rng.permutation(len(frame))[: context.rows]
        rows = planted.labelled(planted.as_arrow(frame.iloc[drawn]), context.now) if frame.shape[1] else None
    except FivefoldError:
        rows = None
    if rows is None or len(rows.table) < 2:
        return Canary(
            kind="tampered rows", planted=0, found=0, clean=0, false_alarms=0, noticed=False,
            detail="There are no columns of single values to tamper with.",
        ), 0  # fmt: skip
    for _ in range(rounds):
        hits += sum(planted.tried(kind, rows, rng) for kind in planted.KINDS)
        alarms += not planted.sound(rows, rng)
        clean += 1
    tries = rounds * len(planted.KINDS)
    return Canary(
        kind="tampered rows",
        planted=tries,
        found=hits,
        clean=clean,
        false_alarms=alarms,
        noticed=hits >= 0.9 * tries and alarms == 0,
        detail=f"{len(rows.table):,} drawn rows, {rounds} times each: {', '.join(planted.KINDS)}.",
    ), hits


def _reason(outcome: Outcome, faults: Mapping[str, str], names: list[str], bird: Canary) -> str:
    if not bird.noticed:
        return f"{bird.found} of {bird.planted} ways to tamper with the rows were named and located: nothing follows."
    if faults:
        told = "; ".join(f"data.{name}: {fault}" for name, fault in list(faults.items())[:3])
        return f"{len(faults)} of {len(names)} data sets have no label that would show where a change is ({told})."
    share = f"{bird.found} of {bird.planted} ways to tamper with their rows were named and located"
    if outcome is Outcome.PASS:
        return f"The labels of all {len(names)} data sets bind columns and groups of rows, and {share}."
    return f"{share}: too few to be sure of the floor."
