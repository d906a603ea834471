"""T1.propagation: whether labels reach the model and whatever is made of the data, the strictest of all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from fivefold.contract.finding import Canary, Measure, Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import FivefoldError, TrustError, UnsupportedError
from fivefold.evidence import data_label
from fivefold.evidence.data_label import DataLabel
from fivefold.keys import trust as trust_file
from fivefold.keys.signing import generate
from fivefold.stats.judge import judge
from fivefold.stats.proportion import clopper_pearson
from fivefold.traceability.labels import binding, pipelines, planted
from fivefold.traceability.labels.examine import examine
from fivefold.traceability.labels.flow import Flow
from fivefold.traceability.labels.model_label import LEARNT, lacking
from fivefold.traceability.labels.strictest import weaker

if TYPE_CHECKING:
    from pathlib import Path

    from fivefold.contract.check import Context
    from fivefold.keys.trust import Trust

ROUNDS = {"quick": 2, "standard": 3, "thorough": 8}
LEAST = 0.8
"""Share of pipelines that have to carry the labels, by its lower bound, before anything is concluded."""
_REMEDY = "Have the steward sign the labels of data and model: fivefold data label."
_WEAK: dict[str, Any] = {**planted.FIELDS, "purpose": ["canary", "more"], "region": ["EEA"]}
_STRICT: dict[str, Any] = {**planted.FIELDS, "class": "secret", "region": ["DE"], "retain": "90d"}


def run(context: Context) -> Result:
    """Judge T1.propagation.

    Threat: what is made of the data - tables, models, answers - goes without the label that the data have.
    Limit: programs that read and write past :class:`fivefold.traceability.labels.flow.Flow` carry nothing; their output
    has no label, and shows by that alone.

    Raises:
        UnsupportedError: ``label.memory``: the data are in memory, and no label is bound to them.
    """
    if not context.digests or context.scratch is None:
        raise UnsupportedError("label.memory", "the data are in memory: there are no stored bytes to bind a label to.")
    fault = _model(context)
    bird, carried, tries = prove(context, context.scratch)
    low, high = (float(one) for one in clopper_pearson(carried, tries))
    enough = bool(tries) and judge(low, high, LEAST, "min") is Outcome.PASS
    sound = Outcome.PASS if enough else Outcome.INCONCLUSIVE
    outcome = Outcome.INCONCLUSIVE if not bird.noticed else Outcome.FAIL if fault else sound
    return Result(
        outcome=outcome,
        reason=_reason(outcome, fault, bird, (carried, tries)),
        measures=(
            *_of_model(context, fault),
            Measure(
                name="labels carried through pipelines",
                value=carried / tries if tries else None,
                low=low,
                high=high,
                unit="share",
                n=tries,
                note="Rows of the application, as two files under throw-away labels.",
            ),
        ),
        canary=bird,
        limits=("What is written past the flow has no label and shows by that alone; it is not held back.",),
        remedy=_REMEDY if fault else "",
    )


def _of_model(context: Context, fault: str) -> tuple[Measure, ...]:
    if data_label.MODEL not in context.labels:
        return ()
    return (
        Measure(
            name="model labelled at least as strictly as its data",
            value=0.0 if fault else 1.0,
            threshold=1.0,
            direction="min",
            outcome=Outcome.FAIL if fault else Outcome.PASS,
            n=1,
            note=fault,
        ),
    )


def _model(context: Context) -> str:
    """Return in what the label of the application's model falls short; empty: in nothing, or there is no model."""
    if data_label.MODEL not in context.labels:
        return ""
    trust = trust_file.read(context.trust or b"")
    try:
        model = data_label.opened(context.labels[data_label.MODEL], trust=trust, now=context.now)
        if model.name != data_label.MODEL:
            return f"the model's label is one of {model.name[:60]}"
        names = [name for name in LEARNT if name in context.digests]
        found = [data_label.opened(context.labels.get(name, b""), trust=trust, now=context.now) for name in names]
    except TrustError as error:
        return f"{error.message.rstrip('.')} [{error.code}]"
    return lacking(model, found)


def prove(context: Context, scratch: Path) -> tuple[Canary, int, int]:
    """Send rows of the application through pipelines under two labels, and write some past them.

    Returns:
        The canary (outputs without a label, with one that says too little, and sound ones), how many pipelines carried
        the strictest label, and how many there were.
    """
    carried = tries = caught = past = alarms = 0
    for turn in range(ROUNDS[context.effort]):
        place = scratch / f"labels-{turn}"
        place.mkdir()
        try:
            desk = _Desk(context, place)
        except FivefoldError:
            break
        for name in pipelines.CARRIED:
            tries += 1
            carried += desk.carries(name)
        for name in pipelines.PAST:
            past += 1
            caught += desk.misses(name)
        past += 1
        caught += desk.weakened()
        alarms += not desk.holds()
    bird = Canary(
        kind="labels lost on the way",
        planted=past,
        found=caught,
        clean=tries and ROUNDS[context.effort],
        false_alarms=alarms,
        noticed=bool(past) and caught == past and not alarms,
        detail="Written by the library itself, or with a label that says less without a reason; and untouched files.",
    )
    return bird, carried, tries


class _Desk:
    """Two labelled files of drawn rows, and a flow over them."""

    def __init__(self, context: Context, place: Path) -> None:
        """Write and label them."""
        from pyarrow import parquet  # brings every remote file system; a check server stays light

        table = context.tables("test")
        frame = table.features if table.features.shape[1] else table.others
        drawn = context.rng.permutation(len(frame))[: context.rows]
        if not frame.shape[1] or not len(drawn):
            raise UnsupportedError("label.rows", "there are no columns to carry.")
        rows = planted.as_arrow(frame.iloc[drawn])
        numbers = pa.array(range(len(rows)), pa.int64())
        half = max(1, rows.num_columns // 2)
        self.place, self.now, self.signer = place, context.now, generate()
        self.trust: Trust = trust_file.add(trust_file.Trust(), self.signer.public, name="canary", roles=("steward",))
        self._count = 0
        for name, part, fields in (
            ("one", rows.select(list(range(half))), _WEAK),
            ("two", _renamed(rows.select(list(range(half, rows.num_columns)))), _STRICT),
        ):
            path = place / f"{name}.parquet"
            parquet.write_table(part.append_column(pipelines.KEY, numbers), path)
            binding.bind(path, binding.Saying(name, fields), binding.Steward(self.signer, self.trust, self.now))

    def _both(self, library: Any) -> tuple[Flow, Any, Any]:
        flow = Flow(self.trust, self.now, self.signer, purposes=("canary",))
        return flow, flow.read(self.place / "one.parquet", library), flow.read(self.place / "two.parquet", library)

    def _out(self, ending: str) -> Path:
        self._count += 1
        return self.place / f"out{self._count}.{ending}"

    def carries(self, name: str) -> bool:
        """Return whether the output of a pipeline holds under a label as strict as both."""
        library, made = pipelines.CARRIED[name]
        out = self._out("parquet")
        flow, one, two = self._both(library)
        flow.write(made(one, two), out)
        found = examine(out, self.trust, self.now)
        strict = [DataLabel(fields=fields, issued=self.now) for fields in (_WEAK, _STRICT)]
        return found.known is not None and not found.faults and not any(
            weaker(found.known.label, than) for than in strict
        )  # fmt: skip

    def misses(self, name: str) -> bool:
        """Return whether an output that a library wrote itself is seen to have no label."""
        library, ending, write = pipelines.PAST[name]
        out = self._out(ending)
        _, one, _ = self._both(library)
        write(one, out)
        return any(fault.kind == "stripped" for fault in examine(out, self.trust, self.now).faults)

    def weakened(self) -> bool:
        """Return whether a label that says less than what its data were made of is seen."""
        out = self._out("parquet")
        flow, one, _ = self._both("arrow")
        flow.write(one, out, fields={"class": "public"}, declassified="canary")
        known = examine(out, self.trust, self.now).known
        if known is None:
            return False
        sly = DataLabel(
            fields=known.label.fields, issued=self.now, version=2, content=known.label.content,
            origins=known.label.origins,
        )  # fmt: skip
        label = data_label.seal(known.name, known.digest, sly, self.signer)
        out.with_name(out.name + data_label.ENDING).write_bytes(label)
        return any(fault.kind == "downgraded" for fault in examine(out, self.trust, self.now).faults)

    def holds(self) -> bool:
        """Return whether the untouched files hold."""
        return not any(
            examine(self.place / f"{name}.parquet", self.trust, self.now).faults for name in ("one", "two")
        )  # fmt: skip


def _renamed(table: pa.Table) -> pa.Table:
    return table.rename_columns([f"{name} 2" for name in table.column_names])


def _reason(outcome: Outcome, fault: str, bird: Canary, counts: tuple[int, int]) -> str:
    if not bird.noticed:
        return f"{bird.found} of {bird.planted} labels lost on the way were noticed, so nothing is concluded."
    if fault:
        return f"The label of the data does not reach the model: {fault}."
    share = f"{counts[0]} of {counts[1]} pipelines over the application's rows carried the strictest label"
    return f"{share}." if outcome is Outcome.PASS else f"{share}: not enough to be sure of the floor."
