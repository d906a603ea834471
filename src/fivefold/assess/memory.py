"""Library use: a model that lives in memory, assessed in this very process; nothing is isolated, nothing is sealed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from fivefold import catalogue
from fivefold.assess import given, identity, outcomes
from fivefold.contract import registry
from fivefold.contract.check import Context
from fivefold.contract.finding import Finding, Result
from fivefold.contract.outcome import Outcome, worst
from fivefold.contract.plan import CheckPlan, DataFact, Effort, Facts, ModelFact, Plan
from fivefold.errors import FivefoldError, InputError, SubjectError, UnsupportedError
from fivefold.manifest import scenario
from fivefold.manifest.nouns import Application, DataSet, Manifest, Use
from fivefold.plan.needs import unmet
from fivefold.plan.thresholds import settle
from fivefold.subject.batch import encode
from fivefold.subject.kinds import column_fact
from fivefold.subject.known import settings, unseen_labels
from fivefold.subject.memory import in_memory
from fivefold.subject.model import failure
from fivefold.subject.results import plain_result
from fivefold.subject.tables import Coding, split
from fivefold.subject.uses import handed

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence

    import pandas as pd

    from fivefold.contract.subject import Table
    from fivefold.subject.asked import AskedSubject

_COLOURS = {"pass": "#1a7f37", "fail": "#cf222e", "error": "#8250df", "inconclusive": "#9a6700"}


@dataclass(frozen=True)
class MemoryAssessment:
    """Findings about a model in memory; they are not sealed and attain no level.

    Attributes:
        findings: In check-id order.
        outcome: The worst of their outcomes.
        skipped: Check id to why it could not be put to this model and these data.
        notes: What looks wrong in the data and was measured all the same.
    """

    findings: tuple[Finding, ...]
    outcome: Outcome
    skipped: dict[str, str]
    notes: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """One or two sentences: how many checks ended how."""
        said = [str(finding.result.outcome) for finding in self.findings]
        counts = ", ".join(f"{said.count(name)} {name}" for name in dict.fromkeys(sorted(said)))
        more = f" Skipped: {', '.join(sorted(self.skipped))}." if self.skipped else ""
        return f"{len(said)} checks in process: {counts or 'none'}.{more} Nothing is sealed, so no level follows."

    def __getitem__(self, check: str) -> Finding:
        """Return the finding of a check.

        Raises:
            KeyError: It did not run; ``skipped`` says why.
        """
        for finding in self.findings:
            if finding.check == check:
                return finding
        raise KeyError(check)

    def __repr__(self) -> str:
        lines = [f"  {finding.check}: {finding.result.outcome}. {finding.result.reason}" for finding in self.findings]
        return "\n".join([self.summary, *self.notes, *lines])

    def _repr_html_(self) -> str:
        rows = "".join(_row(finding) for finding in self.findings)
        skipped = "".join(
            f"<tr><td>{escape(name)}</td><td>skipped</td><td style='text-align:left'>{escape(why)}</td></tr>"
            for name, why in sorted(self.skipped.items())
        )
        head = "<tr><th>check</th><th>outcome</th><th style='text-align:left'>what decided</th></tr>"
        told = "".join(f"<p>{escape(text)}</p>" for text in (self.summary, *self.notes))
        return f"{told}<table><thead>{head}</thead><tbody>{rows}{skipped}</tbody></table>"


def _row(finding: Finding) -> str:
    result = finding.result
    colour = _COLOURS.get(str(result.outcome), "inherit")
    figures = "".join(
        f"<li>{escape(measure.name)} {escape(measure.where)}: {_number(measure.value)}"
        f" [{_number(measure.low)}, {_number(measure.high)}], asked {_number(measure.threshold)}</li>"
        for measure in result.measures[:6]
        if measure.outcome is not None
    )
    remedy = f"<br><em>{escape(result.remedy)}</em>" if result.remedy else ""
    return (
        f"<tr><td>{escape(finding.check)}</td><td style='color:{colour};font-weight:600'>"
        f"{escape(str(result.outcome))}</td><td style='text-align:left'>{escape(result.reason)}{remedy}"
        f"<ul>{figures}</ul></td></tr>"
    )


def _number(value: float | None) -> str:
    return "?" if value is None else f"{value:.3g}"


def assess_model(
    model: Any,
    *,
    test: pd.DataFrame,
    target: Hashable,
    train: pd.DataFrame | None = None,
    protected: Sequence[Hashable] = (),
    drop: Sequence[Hashable] = (),
    positive: object = None,
    alarm: object = None,
    scenarios: Mapping[str, str] | None = None,
    fit: Callable[..., Any] | None = None,
    effort: Effort = "quick",
    seed: int = 0,
    checks: Iterable[str] | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    progress: Callable[[str, float, str], None] | None = None,
) -> MemoryAssessment:
    """Assess a model that lives in memory.

    The model runs in this process with all that this process may do. For signed evidence, declare it in a manifest and
    use ``fivefold assess``.

    Args:
        model: Has ``predict`` (and perhaps ``predict_proba``), or is a function of a frame or a matrix.
        test: (n, d) rows that it was not trained on, target included.
        target: Name of the target column. Column names need not be texts; findings show them as text.
        train: (m, d) rows that it was trained on; None: membership is not measured.
        protected: Protected columns; they may be among those of ``drop``.
        drop: Columns that the model is not given.
        positive: The favourable label.
        alarm: The label to detect.
        scenarios: Name to expression, for example ``{"young": "age < 25"}``.
        fit: ``fit(table, rng)`` that trains a new model on a frame with the target.
        effort: ``quick``, ``standard`` or ``thorough``.
        seed: Of all randomness.
        checks: Check ids; None: all that can be put to these data.
        options: Check id to its options, as under ``checks:`` in a manifest.
        progress: Called with check id, share and words.

    Returns:
        The findings, of mode ``in-process``.

    Raises:
        InputError: ``memory.frame`` or ``memory.names`` for something that is no frame or no list, ``memory.model`` for
            a model that cannot be asked, ``memory.column`` for an unknown column, ``memory.check`` for an unknown
            check, ``memory.effort``, ``data.label``, or a scenario that does not parse.
        SubjectError: The model fails on the test rows, or its classes cannot be decided.
    """
    given.require_effort(effort)
    plain = given.frames({"train": train, "test": test})
    target, wanted = given.column_name(target), None if checks is None else given.names(checks, "checks")
    manifest = _manifest(
        plain,
        target=target,
        protected=given.names(protected, "protected"),
        drop=given.names(drop, "drop"),
        labels=(positive, alarm),
        scenarios=scenarios or {},
        options=options or {},
    )
    _require(manifest, plain)
    given.require_alike(plain, (target, *manifest.data["test"].drop))
    seen = {name: frame for name, frame in (("train", train), ("test", test)) if frame is not None}
    bare = {name: split(manifest.data[name], frame, Coding("binary")) for name, frame in plain.items()}
    subject = in_memory(
        given.usable(model, seen),
        bare["test"].features,
        [frame[target] for frame in plain.values()],
        manifest.data,
        fit=fit,
        target=target,
    )
    first = bare.get("train", bare["test"]).features
    kinds = {str(name): str(column_fact(str(name), column).kind) for name, column in first.items()}
    coding = Coding(subject.task, subject.classes)
    tables = {
        name: split(manifest.data[name], frame, coding, None if name == "train" else kinds)
        for name, frame in plain.items()
    }
    plan, skipped = _plan(manifest, _facts(plain, manifest, subject), effort, seed, wanted)
    findings = tuple(
        _finding(check, plan, subject=subject, tables=tables, manifest=manifest, progress=progress)
        for check in plan.checks
    )
    outcome = worst(finding.result.outcome for finding in findings)
    return MemoryAssessment(findings, outcome, skipped, plan.facts.notes)


def _manifest(
    frames: Mapping[str, pd.DataFrame],
    *,
    target: str,
    protected: tuple[str, ...],
    drop: tuple[str, ...],
    labels: tuple[object, object],
    scenarios: Mapping[str, str],
    options: Mapping[str, Mapping[str, Any]],
) -> Manifest:
    from fivefold.subject.labels import text

    positive, alarm = (None if label is None else text(label) for label in labels)
    sets = {
        name: DataSet(
            name=name, path=name, target=target, positive=positive, alarm=alarm, drop=drop, protected=protected
        )
        for name in frames
    }
    for expression in scenarios.values():
        scenario.parse(expression)
    return Manifest(
        root=Path(),
        file=Path(),
        raw=b"",
        digest="",
        application=Application(id="in-memory", level=1),
        use=Use(output="label"),
        data=sets,
        scenarios=dict(scenarios),
        checks={name: dict(value) for name, value in options.items()},
    )


def _require(manifest: Manifest, frames: Mapping[str, pd.DataFrame]) -> None:
    for name, frame in frames.items():
        data = manifest.data[name]
        wanted = [data.target, *data.protected, *data.drop]
        if name == "test":
            wanted += [c for text in manifest.scenarios.values() for c in scenario.columns(scenario.parse(text))]
        lacking = [column for column in wanted if column not in frame.columns]
        if lacking:
            known = ", ".join(map(str, list(frame.columns)[:30]))
            raise InputError("memory.column", f'"{lacking[0]}" is no column of {name}.', remedy=f"Columns: {known}.")


def _facts(frames: Mapping[str, pd.DataFrame], manifest: Manifest, subject: AskedSubject) -> Facts:
    data = {
        name: DataFact(
            digest=_digest(frame),
            rows=len(frame),
            columns=tuple(column_fact(str(column), frame[column]) for column in frame.columns),
            target=manifest.data[name].target,
        )
        for name, frame in frames.items()
    }
    able = subject.capabilities
    model = ModelFact(
        kind="memory",
        task=subject.task,
        classes=subject.classes,
        scores=able.scores,
        retrains=able.retrains,
        perturbable=able.perturbable,
    )
    notes = unseen_labels({name: frame[manifest.data[name].target] for name, frame in frames.items()})
    return Facts(data=data, model=model, notes=notes if subject.classes else ())


def _digest(frame: pd.DataFrame) -> str:
    return hashlib.sha256(msgspec.msgpack.encode(encode(frame))).hexdigest()


def _plan(
    manifest: Manifest, facts: Facts, effort: Effort, seed: int, checks: Iterable[str] | None
) -> tuple[Plan, dict[str, str]]:
    """Return a plan of the checks that can be put to these data, and why the others cannot."""
    specs, rows = registry.checks(), catalogue.load()
    wanted = list(specs) if checks is None else list(checks)
    unknown = [name for name in wanted if name not in specs]
    if unknown:
        raise InputError("memory.check", f'"{unknown[0]}" is no check.', remedy=f"Checks: {', '.join(specs)}.")
    planned, skipped = [], {}
    for name in sorted(wanted):
        spec = specs[name]
        met, lacking = unmet(spec.needs, manifest, facts)
        if met != "yes":
            skipped[name] = f"{lacking[:1].upper()}{lacking[1:]}."
            continue
        floors, options = settle(rows.checks[name], spec, manifest)
        planned.append(
            CheckPlan(
                check=name,
                technique=spec.technique,
                title=spec.question,
                status="run",
                reason="",
                thresholds=floors,
                options=options,
                rows=spec.rows[given.EFFORTS.index(effort)],
                seed=hashlib.sha256(f"in-process\n{seed}\n{name}\n".encode()).hexdigest(),
            )
        )
    data = {name: fact.digest for name, fact in (facts.data or {}).items()}
    plan = Plan(
        application=manifest.application.id,
        level=1,
        effort=effort,
        claims=(),
        checks=tuple(planned),
        duties=(),
        facts=facts,
        manifest="",
        model="",
        data=data,
        catalogue=rows.digest,
        code=identity.code(),
    )
    return plan, skipped


def _finding(
    check: CheckPlan,
    plan: Plan,
    *,
    subject: AskedSubject,
    tables: Mapping[str, Table],
    manifest: Manifest,
    progress: Callable[[str, float, str], None] | None,
) -> Finding:
    def tell(share: float, text: str) -> None:
        if progress is not None:
            progress(check.check, share, text)

    context = Context(
        subject=subject,
        tables=tables.__getitem__,
        rng=np.random.Generator(np.random.PCG64(int(check.seed, 16))),
        thresholds=check.thresholds,
        options=check.options,
        rows=check.rows,
        settings=settings(
            subject.classes,
            manifest.data,
            scenarios=manifest.scenarios,
            features=manifest.features,
            controls=manifest.controls,
        ),
        effort=plan.effort,
        progress=tell,
        uses=handed(registry.checks()[check.check]),
    )
    try:
        result = plain_result(registry.resolve(check.check)(context))
    except UnsupportedError as error:
        result = Result(outcome=Outcome.NOT_RUN, reason=error.message, remedy=error.remedy)
    except ImportError as error:
        result = Result(outcome=Outcome.NOT_RUN, reason=f"An engine is missing: {error.name}.")
    except FivefoldError as error:
        result = Result(outcome=Outcome.ERROR, reason=error.message, remedy=error.remedy)
    except Exception as error:  # noqa: BLE001  one check's fault is that check's error alone
        told: SubjectError = failure(error, "measuring", ours=True)
        result = Result(outcome=Outcome.ERROR, reason=told.message, remedy=told.remedy)
    note = (subject.access.note,) if subject.access.note else ()
    mode = "The model ran in the assessor's own process: nothing was isolated, and nothing is sealed."
    said = msgspec.structs.replace(result, limits=(*result.limits, *note, mode))
    return outcomes.finding(check, plan, said, mode="in-process", protections=())
