"""Taking: what a pack makes of an application's model and data, in the confined process that its check runs in."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec

from fivefold import catalogue
from fivefold.assess import identity
from fivefold.contract.plan import CheckPlan
from fivefold.contract.registry import checks
from fivefold.errors import InputError, SubjectError
from fivefold.keys import store
from fivefold.manifest.digests import data_digests
from fivefold.plan import make
from fivefold.subject.bench import Bench, Circumstances
from fivefold.subject.worker.messages import Failed

if TYPE_CHECKING:
    from fivefold.manifest.nouns import Manifest


@dataclass(frozen=True)
class Taken:
    """What came of it.

    Attributes:
        body: What the pack's function returned.
        files: The signed set that was loaded, name to SHA-256.
    """

    body: bytes
    files: dict[str, str]


def take(manifest: Manifest, check: str, way: str) -> Taken:
    """Have what a pack provides under ``way`` run as the check ``check`` would, with the same context.

    Raises:
        InputError: The model or the data cannot be used so.
        SubjectError: The model fails, or the process comes to nothing.
    """
    digests, spec = data_digests(manifest), checks()[check]
    with Bench(manifest, digests) as bench:
        facts, _ = bench.probe()
        if facts.model is None or facts.model.error:
            raise SubjectError("replay.model", facts.model.error if facts.model else "no model is declared.")
        plan = make(
            manifest, catalogue.load(), facts, data_digests=digests, model_digest=bench.snapshot.digest,
            code=identity.code(), installed=identity.installed,
        )  # fmt: skip
        planned = CheckPlan(
            check=check, technique=spec.technique, title=spec.question, status="run", reason="asked for",
            rows=spec.rows[-1], seed=secrets.token_hex(16),
        )  # fmt: skip
        task = bench.task(planned, plan, Circumstances(trust=b"", now=store.utc_now(), row_key=b""))
        bench.prepare([check])
        (ended,) = bench.worker.run([replace(task, job=msgspec.structs.replace(task.job, taking=way))], width=1)
        outcome = ended.outcome
        if isinstance(outcome, Failed):
            kind = InputError if outcome.kind in ("input", "unsupported") else SubjectError
            raise kind(outcome.code, ended.reason or outcome.message, remedy=outcome.remedy, where=outcome.where)
        return Taken(outcome.body, bench.snapshot.files)
