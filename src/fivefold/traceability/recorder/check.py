"""T4.record: decisions recorded as configured, replayed, crashed, tampered with."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import numpy as np

from fivefold.contract.finding import Canary, Measure, Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import FivefoldError, InputError, UnsupportedError
from fivefold.keys import signing
from fivefold.log.audit import audit
from fivefold.log.book import Book
from fivefold.log.segments import walk
from fivefold.log.simulated import PowerLossError, SimulatedDisk
from fivefold.store.people import People
from fivefold.traceability.recorder import tampering
from fivefold.traceability.recorder.nouns import tensors
from fivefold.traceability.recorder.reading import Reading
from fivefold.traceability.recorder.recorder import Recorder
from fivefold.traceability.recorder.secrets_ import Secrets

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.contract.subject import Subject, Table

_ORIGIN = "fivefold/check/record"
_STOPS = {"quick": 20, "standard": 60, "thorough": 200}
_SOUND = 4
_MODES = ("durable", "queued")
_REMEDY_OFF = "Turn it on: `controls: {T4: {acknowledge: durable}}`, and record every decision."


def run(context: Context) -> Result:
    """Judge T4.record.

    Threat: what happened is lost, was never kept, cannot be repeated, or is rewritten.
    Limit: a record is as true as its caller.

    Raises:
        UnsupportedError: ``record.rows`` with fewer than three test rows.
        InputError: ``record.mode`` for an unknown ``controls.T4.acknowledge``.
        SubjectError: The model misbehaved.
    """
    subject = context.subject
    if subject is None:
        raise UnsupportedError("record.subject", "there is no model to ask.")
    control = (context.settings.controls or {}).get("T4")
    mode = str((control or {}).get("acknowledge", "durable"))
    if mode not in _MODES:
        raise InputError("record.mode", f"controls.T4.acknowledge is {mode[:40]!r}.", remedy="Write durable or queued.")
    table = _sample(context)
    signer, secrets = signing.generate(), Secrets(bytes(context.rng.bytes(32)), People(None, "check"))
    disk = SimulatedDisk()
    context.progress(0.1, "recording decisions")
    answers = _answers(subject, table)
    _record(disk, signer, secrets, table, answers)
    context.progress(0.4, "replaying")
    same = _replayed(disk, secrets, subject, table)
    context.progress(0.6, "crashing")
    lost, acknowledged, stops = _crashes(disk, signer, context, queued=mode == "queued")
    context.progress(0.8, "tampering")
    bird = _canary(disk.files(), signer, context.rng)
    measures = _measures(len(table), same, lost, acknowledged, stops, on=control is not None)
    return _result(measures, bird, on=control is not None)


def _sample(context: Context) -> Table:
    table = context.tables("test")
    if len(table) < 3:
        raise UnsupportedError("record.rows", "fewer than three test rows.", remedy="Give more.")
    if len(table) <= context.rows:
        return table
    return table.take(np.sort(context.rng.choice(len(table), context.rows, replace=False)))


def _answers(subject: Subject, table: Table) -> np.ndarray:
    return subject.predict_proba(table) if subject.capabilities.scores else subject.predict(table)


def _asked(table: Table) -> dict[str, Any]:
    made: dict[str, Any] = {str(name): column for name, column in table.features.items()}
    return made if table.inputs is None else made | {"inputs": np.asarray(table.inputs)}


def _record(disk: SimulatedDisk, signer: signing.Signer, secrets: Secrets, table: Table, answers: np.ndarray) -> None:
    clock = iter(range(10**18, 10**18 + 10**9)).__next__
    with Recorder(disk, _ORIGIN, signer, secrets, clock=clock, segment_bytes=1 << 16) as recorder:
        with recorder.open("all rows") as case:
            case.input(_asked(table))
            case.output({"answer": answers})
        for row in range(len(answers)):
            with recorder.open(f"row {row}", subject=f"person {row}") as case:
                case.status(row=row)
                case.output({"answer": answers[row : row + 1]})
        recorder.erase("person 0")


def _replayed(disk: SimulatedDisk, secrets: Secrets, subject: Subject, table: Table) -> int:
    """Return how many decisions read back equal what was asked and answered, and what the model answers now."""
    reading = Reading(disk, secrets)
    asked = next(reading.search(case="all rows", kind="input"))
    if asked.body is None or asked.body.tensors != tensors(_asked(table)):
        return 0
    again = _answers(subject, table)
    outputs = list(reading.search(kind="output"))
    told = {item.body.case: item.body.tensors[0].data for item in outputs if item.body}
    if len(told) != len(outputs) - 1 or "row 0" in told:  # the one who was erased, and nobody else
        return 0
    whole, step = told["all rows"], len(again[:1].tobytes())
    parts = [whole[at : at + step] for at in range(0, len(whole), step)]
    now = [again[row : row + 1].tobytes() for row in range(len(again))]
    return sum(told.get(f"row {row}", part) == part == now[row] for row, part in enumerate(parts))


def _crashes(disk: SimulatedDisk, signer: signing.Signer, context: Context, *, queued: bool) -> tuple[int, int, int]:
    """Return acknowledged records lost, acknowledged in all, and how often power was lost."""
    entries = [entry for _, found in walk(disk) for entry in found][:60]
    whole = SimulatedDisk()
    _work(whole, signer, entries, [], queued=queued)
    lost = total = 0
    stops = sorted({int(at) for at in context.rng.integers(1, whole.operations + 1, _STOPS[context.effort])})
    for stop in stops:
        broken, said = SimulatedDisk(stop_at=stop), list[bytes]()
        with contextlib.suppress(PowerLossError):
            _work(broken, signer, entries, said, queued=queued)
        found = broken.after_crash(lambda below: int(context.rng.integers(below)))
        there = _there(found, signer)
        total += len(said)
        lost += len(said) if there[: len(said)] != said[: len(there)] else max(0, len(said) - len(there))
    return lost, total, len(stops)


def _work(
    disk: SimulatedDisk, signer: signing.Signer, entries: list[bytes], said: list[bytes], *, queued: bool
) -> None:
    book = Book(disk, _ORIGIN, signer, segment_bytes=4096)
    for at in range(0, len(entries), 3):
        batch = entries[at : at + 3]
        if queued:
            said += batch
        book.append(batch)
        if not queued:
            said += batch
        if at % 4 == 0:
            book.publish()


def _there(disk: SimulatedDisk, signer: signing.Signer) -> list[bytes]:
    try:
        Book(disk, _ORIGIN, signer, segment_bytes=4096)
        return [entry for _, found in walk(disk) for entry in found]
    except FivefoldError:
        return []


def _canary(files: dict[str, bytes], signer: signing.Signer, rng: np.random.Generator) -> Canary:
    point, keys = tampering.kept(files), (signer.public,)
    found = sum(
        bool(audit(tampering.tampered(kind, files, _ORIGIN, signer, rng), keys, (point,)).faults)
        for kind in tampering.KINDS
    )
    alarms = sum(bool(audit(SimulatedDisk.of(files), keys, (point,)).faults) for _ in range(_SOUND))
    return Canary(
        kind="records altered in eleven ways",
        planted=len(tampering.KINDS),
        found=found,
        clean=_SOUND,
        false_alarms=alarms,
        noticed=found == len(tampering.KINDS) and not alarms,
        detail="Places drawn from the seed; all but one kind are signed anew with the log's own key.",
    )


def _measures(rows: int, same: int, lost: int, said: int, stops: int, *, on: bool) -> tuple[Measure, ...]:
    return (
        Measure(
            name="recorder configured", value=float(on), threshold=1.0, direction="min", n=1,
            outcome=Outcome.PASS if on else Outcome.FAIL,
            note="What the manifest says under controls.T4; operation is not seen here.",
        ),
        Measure(
            name="decisions replayed bit for bit", value=same / rows, threshold=1.0, direction="min", unit="share",
            n=rows, outcome=Outcome.PASS if same == rows else Outcome.FAIL, note="Read back, and asked again.",
        ),
        Measure(
            name="acknowledged records lost", value=float(lost), threshold=0.0, direction="max", unit="records", n=said,
            outcome=Outcome.FAIL if lost else Outcome.PASS,
            note=f"Power lost at {stops} operations drawn from the seed.",
        ),
    )  # fmt: skip


def _result(measures: tuple[Measure, ...], bird: Canary, *, on: bool) -> Result:
    failed = [item.name for item in measures if item.outcome is Outcome.FAIL]
    if not bird.noticed:
        outcome, reason = Outcome.INCONCLUSIVE, "Planted tampering went unnoticed, so nothing of it is believed."
    elif not on:
        outcome, reason = Outcome.FAIL, "No recorder is configured: no decision is kept."
    elif failed:
        outcome, reason = Outcome.FAIL, f"Not as it must be: {', '.join(failed)}."
    else:
        outcome, reason = (
            Outcome.PASS,
            "Decisions replay bit for bit, no crash lost a record, planted tampering shows.",
        )
    remedies = {
        "recorder configured": _REMEDY_OFF,
        "decisions replayed bit for bit": "Make the model answer alike when asked alike: fix its seeds and threads.",
        "acknowledged records lost": "Write `acknowledge: durable` under controls.T4.",
    }
    return Result(
        outcome=outcome,
        reason=reason,
        measures=measures,
        canary=bird,
        limits=(
            "Whether the application in operation hands every decision to the recorder is not seen here.",
            "A disk that lies about a sync loses what it lies about.",
        ),
        remedy=" ".join(remedies[name] for name in failed),
    )
