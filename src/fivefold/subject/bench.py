"""Bench: a snapshot of the application beside a worker, and the jobs that checks and probe are given.

Everything lies in one private temporary folder that is removed at the end; what a killed run left behind is removed by
the next one.
"""

from __future__ import annotations

import ast
import contextlib
import os
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

import msgspec

from fivefold.contract import registry
from fivefold.contract.plan import Facts
from fivefold.errors import InputError, InternalError
from fivefold.evidence import data_label, links, model_mark
from fivefold.keys import store
from fivefold.manifest import inputs, places, site
from fivefold.manifest.digests import one_digest
from fivefold.plan import calls
from fivefold.plan.facts import read as facts_of
from fivefold.plan.needs import unmet
from fivefold.plan.profile import in_force
from fivefold.subject import snapshot
from fivefold.subject.elsewhere import elsewhere, looked_up, share_of
from fivefold.subject.worker import roots
from fivefold.subject.worker.driver import Worker
from fivefold.subject.worker.lesson import lesson_of
from fivefold.subject.worker.messages import CheckJob, Confinement, Done, Failed, ModelJob
from fivefold.subject.worker.running import ENDED_BY_ITSELF, Task
from fivefold.subject.worker.watch import Limits

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fivefold.contract.plan import CheckPlan, Plan
    from fivefold.manifest.nouns import Manifest, Model
    from fivefold.subject.worker.driver import Lent
    from fivefold.subject.worker.messages import CommandJob, EndpointJob

_PREFIX = "fivefold-"
_MB = 1 << 20
_PROBE_SECONDS = 300.0
_PROBE_MB = 4096
_THOROUGH = 4.0
_REMOTE = 2.0
_GUARDED = 3.0
_CHECK_FILE = 1 << 30
_MODEL_FILE = 64 * _MB
_SOURCE = 4 * _MB
_UNPACKED = 4


@dataclass(frozen=True)
class Circumstances:
    """What checks are told besides the plan.

    Attributes:
        trust: Bytes of the verifier's trust file.
        now: UTC time of the attempt's start.
        row_key: Key of row ids.
        told: What the record says of operation: fact name to value.
    """

    trust: bytes
    now: str
    row_key: bytes
    told: Mapping[str, str | float | bool | None] = field(default_factory=dict)


class Bench:
    """An application's snapshot and its worker; a context manager.

    Attributes:
        manifest: The application.
        snapshot: The copy of its signed set.
        digests: Data-set name to digest.
        worker: The fork server.
    """

    def __init__(
        self,
        manifest: Manifest,
        digests: dict[str, str],
        *,
        evidence: Path | None = None,
        seconds: float | None = None,
        ledger: Path | None = None,
    ) -> None:
        """Copy the signed set and start the worker.

        Args:
            manifest: The application.
            digests: Data-set name to digest of its stored bytes.
            evidence: The evidence folder, which no child may read.
            seconds: Time limit of each check; None: as its pack says.
            ledger: Where calls of an endpoint are written down; None: in the folder that is removed at the end.

        Raises:
            InputError: The endpoint may not be spoken to, or ``site.yaml`` cannot be used.
            TrustError: The signed set cannot be copied.
            InternalError: The worker does not start.
        """
        _sweep()
        self.manifest, self.digests, self._seconds = manifest, digests, seconds
        self._labels, self._mark = data_label.stored(manifest), model_mark.stored(manifest)
        self._folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
        self._hidden = [store.config_folder(), *([evidence.resolve()] if evidence else [])]
        try:
            self._hidden += site.secrets(manifest)
            self.elsewhere = elsewhere(manifest, self._folder, ledger)
            self.snapshot = snapshot.take(manifest, self._folder, self._hidden)
            if self.elsewhere is not None:
                self.elsewhere.started = looked_up(manifest, self.snapshot)
            self._entries = roots.import_path(manifest.root, self._hidden)
            self._python = roots.readable(self._entries, self._hidden)
            home, scratch = self._folder / "home", self._folder / "scratch"
            home.mkdir()
            scratch.mkdir()
            self.worker = Worker(roots.environment(self._entries, home), scratch)
        except BaseException:
            self._remove()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.worker.close()
        finally:
            self._remove()

    def probe(self) -> tuple[Facts, str]:
        """Read the facts in the worker, and return them with what the screen may show of a model's failure.

        Raises:
            InputError: The data cannot be used as declared.
            InternalError: ``worker.probe`` if the probe itself came to nothing.
        """
        self.worker.preload((), self._modules())
        total = self.elsewhere.site.calls if self.elsewhere else 0
        job = self._job("", seed=self.snapshot.digest, calls=total, share=calls.probe_share(total))
        (ended,) = self.worker.run([self._task(job, self._probe_limits())], width=1)
        outcome = ended.outcome
        if isinstance(outcome, Failed):
            raise _probe_error(outcome)
        facts = _facts(outcome)
        if self.elsewhere is not None:
            self.elsewhere.found = outcome.found
        if facts.model is not None and facts.model.error and ended.reason:
            told = msgspec.structs.replace(facts.model, error=f"{ended.reason[:1].upper()}{ended.reason[1:]}.")
            facts = msgspec.structs.replace(facts, model=told)
        elif facts.model is not None and facts.model.error.startswith("The model's process ended."):
            told = msgspec.structs.replace(facts.model, error=f"T{ENDED_BY_ITSELF[1:]}.")
            facts = msgspec.structs.replace(facts, model=told)
        return facts, "\n".join(outcome.notes)

    def prepare(self, checks: Iterable[str]) -> None:
        """Import the code of checks once, before they run."""
        self.worker.preload(tuple(checks), self._modules())

    def task(self, check: CheckPlan, plan: Plan, circumstances: Circumstances, *, guarded: str = "") -> Task:
        """Return the task of one check of a plan; ``guarded``: who asks behind a guard, empty: the model is bare."""
        spec = registry.checks()[check.check]
        job = self._job(
            check.check,
            fact=plan.facts.model,
            seen=_seen(plan.facts, self.manifest),
            seed=check.seed,
            effort=plan.effort,
            rows=check.rows,
            thresholds=check.thresholds,
            options=check.options,
            model_root=str(self.snapshot.signed) if self.snapshot.files else "",
            signature=self.snapshot.signature,
            trust=circumstances.trust,
            labels=self._labels,
            mark=self._mark if check.technique == "T3" else {},
            origin=links.origin(self.manifest, self.snapshot.files, self.digests) if check.technique == "T2" else {},
            now=circumstances.now,
            row_key=circumstances.row_key,
            known={
                **facts_of(self.manifest, plan.facts),
                **circumstances.told,
                **_assessed(plan),
                **places.texts(self.manifest),
            },
            planned=in_force(self.manifest),
            asks=calls.asks(spec.needs) or self._helps(spec.asks_if, plan.facts),
            found=self.elsewhere.found if self.elsewhere else b"",
            calls=plan.facts.model.calls if plan.facts.model else 0,
            share=share_of(plan) if self.elsewhere else 0,
            guarded=guarded,
        )
        seconds = self._seconds or spec.seconds * (_THOROUGH if plan.effort == "thorough" else 1.0)
        if self.elsewhere is not None and not self._seconds:
            seconds = _REMOTE * seconds + self.elsewhere.site.waiting
        seconds = seconds if self._seconds or not guarded else _GUARDED * seconds
        size = table_bytes(plan.facts) + _array_bytes(self.manifest)
        return self._task(job, Limits(seconds, spec.memory_mb * _MB + 4 * size))

    def asking(self, asked: bytes, facts: Facts) -> Task:
        """Return the task of asking the model batches (message pack of a list)."""
        job = self._job(
            "", fact=facts.model, seen=_seen(facts, self.manifest), seed=self.snapshot.digest, asked=asked,
            found=self.elsewhere.found if self.elsewhere else b"", calls=facts.model.calls if facts.model else 0,
            share=self.elsewhere.site.calls if self.elsewhere else 0,
        )  # fmt: skip
        limits = self._probe_limits()
        return self._task(job, Limits(limits.seconds, limits.memory + 12 * len(asked)))

    def wayfinding(self, facts: Facts) -> Task:
        """Return the task of finding out how the model is asked."""
        job = self._job(
            "", fact=facts.model, seen=_seen(facts, self.manifest), seed=self.snapshot.digest, wayfinding=True,
            found=self.elsewhere.found if self.elsewhere else b"",
        )  # fmt: skip
        return self._task(job, self._probe_limits())

    def lend(self) -> Lent:
        """Start a process of the model that the caller asks itself.

        Raises:
            InputError: ``bench.lend`` for a model that does not run here.
        """
        model = self.manifest.model
        if self.elsewhere is not None or model is None or not (model.factory or model.onnx):
            raise InputError(
                "bench.lend", "this model does not run here.", remedy="Name a factory or an ONNX file in the manifest."
            )
        return self.worker.lend(self._model(model.factory, self._job("", seed=self.snapshot.digest), training=False))

    def lesson(self, target: str, way: str) -> Lent:
        """Start a process in which ``way``, of a pack, trains what ``target`` makes."""
        job = self._job("", seed=self.snapshot.digest)
        return self.worker.lend(lesson_of(self._model(target, job, training=True), way))

    def _helps(self, wanted: tuple[str, ...], facts: Facts) -> bool:
        """Return whether a check that can do without the model is given it; an endpoint's calls are for the others."""
        works = self.elsewhere is None and facts.model is not None and not facts.model.error
        return bool(wanted) and works and unmet(wanted, self.manifest, facts)[0] == "yes"

    def _job(self, check: str, **more: object) -> CheckJob:
        manifest = self.manifest
        places = [place for item in manifest.data.values() for place in (item.path, item.index) if place]
        data = [str((manifest.root / place).resolve()) for place in places]
        confinement = Confinement(
            read=(*self._python, *data, str(self.snapshot.signed)), scratch="", file_bytes=_CHECK_FILE, foreign=False
        )
        fields: dict[str, object] = {"model_root": str(self.snapshot.signed), **more}
        return CheckJob(
            check=check,
            root=str(manifest.root),
            sets=manifest.data,
            features=manifest.features,
            digests=self.digests,
            confinement=confinement,
            model=manifest.model,
            training=manifest.training,
            scenarios=manifest.scenarios,
            controls=data_label.controls(manifest),
            level=manifest.application.level,
            use=msgspec.to_builtins(manifest.use),
            scenario=manifest.application.scenario,
            **fields,  # type: ignore[arg-type]
        )

    def _task(self, job: CheckJob, limits: Limits) -> Task:
        model = self.manifest.model
        return Task(
            job=job,
            model=self._answering(model, job),
            training=self._model(self.manifest.training, job, training=True) if self.manifest.training else None,
            limits=limits,
        )

    def _answering(self, model: Model | None, job: CheckJob) -> ModelJob | EndpointJob | CommandJob | None:
        """Return the job of the process that answers; None: there is no model to ask."""
        if self.elsewhere is not None:
            return self.elsewhere.job(job.check, job.seed, job.share, self._python)
        return self._model(model.factory, job, training=False) if model and (model.factory or model.onnx) else None

    def _model(self, target: str, job: CheckJob, *, training: bool) -> ModelJob:
        """Return the job of a model process; its seed follows from the check's, and does not give it away."""
        import hashlib

        app = str(self.snapshot.app)
        read = (*self._python, app, str(self.snapshot.signed), *self.snapshot.reachable)
        seed = int(hashlib.sha256(f"model\n{job.check}\n{job.seed}\n".encode()).hexdigest()[:8], 16)
        confinement = Confinement(read=read, scratch="", file_bytes=_MODEL_FILE, foreign=True)
        model = self.manifest.model
        onnx = model.onnx if model and not training else ""
        weights = model.path if model and model.factory and model.path.lower().endswith(".safetensors") else ""
        return ModelJob(
            folder=app,
            target=target,
            training=training,
            seed=seed,
            confinement=confinement,
            onnx=onnx,
            weights=weights,
        )

    def _modules(self) -> tuple[str, ...]:
        """Return the modules that the model's own code imports; the worker loads those of known engines once."""
        found: set[str] = {"onnx", "onnxruntime"} if self.manifest.model and self.manifest.model.onnx else set()
        for name in self.snapshot.files:
            path = self.snapshot.signed / name
            if name.endswith(".py") and path.stat().st_size <= _SOURCE:
                found |= _imports(path)
        return tuple(sorted(found))

    def _probe_limits(self) -> Limits:
        stored = sum(inputs.stored_bytes(self.manifest.root, item) for item in self.manifest.data.values())
        waiting = self.elsewhere.site.waiting if self.elsewhere else 0.0
        return Limits(self._seconds or _PROBE_SECONDS + waiting, _PROBE_MB * _MB + 12 * stored)

    def _remove(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)


def _seen(facts: Facts, manifest: Manifest) -> dict[str, str]:
    """Return what the model sees of the training data, column name to kind."""
    train = (facts.data or {}).get("train")
    if train is None:
        return {}
    data = manifest.data["train"]
    kinds = {column.name: column.kind for column in train.columns}
    return {name: kinds[name] for name in inputs.seen(data, kinds)}


def _assessed(plan: Plan) -> dict[str, str]:
    """Return digests of what is assessed, so that a check can tell whether what is on record is of the same."""
    observed = plan.facts.model.observed if plan.facts.model else ""
    return {
        "plan.model": observed or plan.model, "plan.manifest": plan.manifest, "plan.data": one_digest(plan.data),
        "plan.code": plan.code,
    }  # fmt: skip


def _imports(path: Path) -> set[str]:
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
    return found


def _array_bytes(manifest: Manifest) -> int:
    """Return about how much memory what is no table takes: 8-bit PCM grows fourfold, text may be packed."""
    found = [item for item in manifest.data.values() if item.kind != "table"]
    return sum(_UNPACKED * inputs.stored_bytes(manifest.root, item) for item in found)


def table_bytes(facts: Facts) -> int:
    """Return about how much memory all data sets take as frames."""
    wide = {"string": 64, "date": 64}
    total = 0
    for fact in (facts.data or {}).values():
        total += fact.rows * sum(wide.get(column.kind, 8) for column in fact.columns)
    return total


def _facts(outcome: Done) -> Facts:
    try:
        return msgspec.msgpack.decode(outcome.body, type=Facts)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InternalError("worker.probe", "the probe said something that cannot be read.") from error


def _probe_error(failed: Failed) -> InputError | InternalError:
    if failed.kind in ("input", "subject", "unsupported"):
        return InputError(failed.code, failed.message, remedy=failed.remedy, where=failed.where)
    remedy = failed.remedy or "Is there enough memory and time for these data?"
    return InternalError("worker.probe", f"reading the data came to nothing: {failed.message}", remedy=remedy)


def _sweep() -> None:
    """Remove what runs that were killed left behind."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*-*"):
        number = folder.name.removeprefix(_PREFIX).partition("-")[0]
        if not number.isdigit() or Path(f"/proc/{number}").exists() or not Path("/proc/self").exists():
            continue
        with contextlib.suppress(OSError):
            if folder.lstat().st_uid == os.geteuid() and not folder.is_symlink():
                shutil.rmtree(folder, ignore_errors=True)
