"""Small sealed evidence, built with the real functions, for the tests of this room."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from fivefold.contract.codec import canonical, digest
from fivefold.contract.finding import Canary, Digests, Finding, Measure, Result
from fivefold.contract.outcome import Outcome
from fivefold.contract.plan import CheckPlan, ClaimPlan, Facts, Plan
from fivefold.contract.verdict import Verdict
from fivefold.evidence.folder import Evidence
from fivefold.keys import signing

if TYPE_CHECKING:
    from pathlib import Path

    from fivefold.keys.signing import Signer

MANIFEST = b"fivefold: 1\napplication: {id: toy, level: 1}\n"
CHECKS = ("P3.accuracy", "P3.membership")


class Clock:
    """A clock that ticks one second at each reading."""

    def __init__(self, hour: int = 9) -> None:
        self.ticks = hour * 3600

    def __call__(self) -> str:
        self.ticks += 1
        hours, rest = divmod(self.ticks, 3600)
        return f"2026-11-23T{hours % 24:02d}:{rest // 60:02d}:{rest % 60:02d}Z"


def plan(attempt: int, *, manifest: bytes = MANIFEST, application: str = "toy", effort: str = "standard") -> Plan:
    """Return a hand-made sealed plan; tests of recomputation build theirs with the planner."""
    checks = tuple(
        CheckPlan(check=name, technique="P3", title="?", status="run", reason="", thresholds={"max_auc": 0.6})
        for name in CHECKS
    )
    claim = ClaimPlan(claim="1a", level=1, text="t", reason="r", applies=True, needs=(("P3",),))
    core = Plan(
        application=application,
        level=1,
        effort=effort,
        claims=(claim,),
        checks=checks,
        duties=(),
        facts=Facts(),
        manifest=digest(manifest),
        model="11" * 32,
        data={"train": "22" * 32, "test": "33" * 32},
        catalogue="44" * 32,
        code="55" * 32,
    )
    name = digest(canonical(core))
    seeded = tuple(
        msgspec.structs.replace(check, seed=hashlib.sha256(f"{name}{attempt}{check.check}".encode()).hexdigest())
        for check in checks
    )
    return msgspec.structs.replace(core, digest=name, attempt=attempt, checks=seeded)


def finding(of: Plan, check: str, value: float = 0.5) -> Finding:
    """Return a passing finding of a plan."""
    seed = next(item.seed for item in of.checks if item.check == check)
    return Finding(
        check=check,
        technique="P3",
        attempt=of.attempt,
        seed=seed,
        effort=of.effort,
        mode="sealed",
        result=Result(
            outcome=Outcome.PASS,
            reason="fine.",
            measures=(Measure(name="AUC", value=value, threshold=0.6, direction="max", outcome=Outcome.PASS),),
            canary=Canary(kind="planted", planted=3, found=3, clean=3, false_alarms=0, noticed=True),
        ),
        digests=Digests(manifest=of.manifest, model=of.model, data=of.data, code=of.code, plan=of.digest),
    )


def verdict(of: Plan) -> Verdict:
    """Return a verdict of a plan, not computed by the judge."""
    return Verdict(
        application=of.application,
        attempt=of.attempt,
        attained=0,
        declared=1,
        counts={},
        claims=(),
        aims=(),
        blocks={},
        summary="s",
        not_proved=(),
        plan=of.digest,
        exit_code=3,
    )


def evidence(path: Path, signer: Signer | None = None, application: str = "toy") -> tuple[Evidence, Signer]:
    """Open a folder with a key and a ticking clock."""
    chosen = signer or signing.generate()
    return Evidence(path, chosen, application, Clock()), chosen


def fill(path: Path, signer: Signer | None = None, attempts: int = 1) -> Signer:
    """Write closed attempts into a folder; return the key."""
    opened, chosen = evidence(path, signer)
    for _ in range(attempts):
        sealed = plan(opened.next_attempt())
        attempt = opened.open_attempt(sealed, MANIFEST)
        for check in CHECKS:
            attempt.add(finding(sealed, check))
        attempt.close(verdict(sealed), b"<!doctype html><title>report</title>\n")
    return chosen
