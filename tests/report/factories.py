"""Plans, findings and verdicts built from the nouns of the contract, for reports that no run made."""

from __future__ import annotations

import hashlib

import msgspec

from fivefold.contract.finding import Bar, Canary, Curve, Digests, Finding, Measure, Plot, Result
from fivefold.contract.outcome import Outcome
from fivefold.contract.plan import CheckPlan, ClaimPlan, ColumnFact, DataFact, Facts, ModelFact, Plan
from fivefold.contract.verdict import AimVerdict, Blocker, ClaimVerdict, Verdict
from fivefold.report.nouns import AttemptLine, Document, WaiverLine

AIMS = (
    ("O1", "System security and controllability"),
    ("O2", "Transparency and traceability"),
    ("O3", "Privacy"),
    ("O4", "Fairness"),
    ("O5", "Data management"),
    ("O6", "Competence"),
    ("O7", "Deployment-objective assurance"),
)


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


DIGESTS = Digests(
    manifest=sha("manifest"),
    model=sha("model"),
    data={"train": sha("train"), "test": sha("test")},
    code=sha("code"),
    plan=sha("plan"),
)


def measure(name: str = "accuracy", **parts: object) -> Measure:
    """Return a judged figure; ``parts`` override."""
    default: dict[str, object] = {
        "value": 0.745,
        "low": 0.709,
        "high": 0.779,
        "threshold": 0.70,
        "direction": "min",
        "outcome": Outcome.PASS,
        "unit": "share",
        "n": 400,
    }
    return Measure(name=name, **{**default, **parts})


def canary(*, noticed: bool = True) -> Canary:
    return Canary(
        kind="labels of one group shifted",
        planted=20,
        found=20 if noticed else 3,
        clean=20,
        false_alarms=0,
        noticed=noticed,
        detail="Group sex=female, 18 % of its answers turned, drawn from the seed.",
    )


def roc() -> Plot:
    points = [i / 100 for i in range(101)]
    return Plot(
        kind="curves",
        title="members told from strangers",
        x_label="false-positive rate",
        y_label="true-positive rate",
        curves=(
            Curve(name="calibrated loss", x=tuple(points), y=tuple(p**0.85 for p in points)),
            Curve(name="chance", x=tuple(points), y=tuple(points)),
        ),
        log=True,
    )


def gaps() -> Plot:
    return Plot(
        kind="intervals",
        title="selection rate by group",
        x_label="share given the favourable answer",
        bars=(
            Bar(label="sex=female", value=0.82, low=0.75, high=0.87, n=122),
            Bar(label="sex=male", value=0.79, low=0.75, high=0.83, n=278),
            Bar(label="age_band=25 and under", value=0.66, low=0.55, high=0.75, n=67, outcome=Outcome.FAIL),
            Bar(label="age_band=26 and over", value=0.83, low=0.79, high=0.86, n=333),
        ),
        threshold=0.8,
    )


def result(outcome: Outcome = Outcome.PASS, **parts: object) -> Result:
    """Return a result with a figure, a canary and a plot; ``parts`` override."""
    default: dict[str, object] = {
        "reason": "The lower bound of the accuracy is clear of the best constant answer.",
        "measures": (measure(outcome=outcome if outcome in {Outcome.PASS, Outcome.FAIL} else Outcome.INCONCLUSIVE),),
        "canary": canary(),
        "limits": ("The figures hold for rows like the test rows, and the labels are taken as true.",),
        "remedy": "" if outcome is Outcome.PASS else "Turn on control C3, or train on more rows of this group.",
    }
    return Result(outcome=outcome, **{**default, **parts})


def finding(check: str, outcome: Outcome = Outcome.PASS, **parts: object) -> Finding:
    """Return a sealed finding of attempt 3."""
    return Finding(
        check=check,
        technique=check.partition(".")[0],
        attempt=3,
        seed=sha(check),
        effort="standard",
        mode="sealed",
        result=result(outcome, **parts),
        digests=DIGESTS,
        sandbox=("landlock", "seccomp"),
    )


def check_plan(check: str, **parts: object) -> CheckPlan:
    default: dict[str, object] = {
        "technique": check.partition(".")[0],
        "title": f"Does {check} hold?",
        "status": "run",
        "reason": "Claim 2c asks for it.",
        "claims": ("2c",),
        "binding": True,
        "thresholds": {"min_margin": 0.0},
        "options": {"min_slice": 0.1},
        "rows": 20_000,
        "seed": sha(check),
    }
    return CheckPlan(check=check, **{**default, **parts})


def facts() -> Facts:
    columns = (ColumnFact(name="age", kind="integer", missing=0, distinct=53),)
    data = {name: DataFact(digest=sha(name), rows=400, columns=columns, target="credit") for name in ("train", "test")}
    model = ModelFact(digest=sha("model"), task="binary", classes=("bad", "good"), scores=True, retrains=True)
    return Facts(data=data, model=model)


def plan(checks: tuple[CheckPlan, ...] | None = None) -> Plan:
    """Return a sealed plan of attempt 3 with four checks that ran and forty that do not exist yet."""
    if checks is None:
        ran = (
            check_plan("F1.gaps", claims=(), aims=("O4",), binding=False, title="Are groups treated alike?"),
            check_plan("P3.accuracy", title="How often is the model wrong?"),
            check_plan("P3.membership", claims=("2b",), title="Can members be told from strangers?"),
            check_plan("T2.signature", claims=("4b",), title="Is the model the one that was signed?"),
        )
        missing = tuple(
            check_plan(
                f"P{1 + i % 5}.later{i:02d}",
                status="not-run",
                reason="This version does not have it yet.",
                claims=("2a",),
                title=f"Does attack {i} find a way in?",
            )
            for i in range(40)
        )
        skipped = check_plan("S3.audit", status="not-applicable", reason="There is one source party only.")
        checks = tuple(sorted((*ran, *missing, skipped), key=lambda check: check.check))
    claims = tuple(
        ClaimPlan(claim=claim, level=int(claim[0]), text=f"claim {claim}", reason="level", applies=True, needs=())
        for claim in ("1a", "2c")
    )
    return Plan(
        application="credit-example",
        level=4,
        effort="standard",
        claims=claims,
        checks=checks,
        duties=("G5 Officers pass the question bank before they act.",),
        facts=facts(),
        manifest=DIGESTS.manifest,
        model=DIGESTS.model,
        data=DIGESTS.data,
        catalogue=sha("catalogue"),
        code=DIGESTS.code,
        digest=DIGESTS.plan,
        attempt=3,
    )


def findings() -> tuple[Finding, ...]:
    """Return one finding each: failed, passed, inconclusive, passed."""
    selection = measure(
        "selection ratio",
        value=0.79,
        low=0.66,
        high=0.92,
        threshold=0.8,
        outcome=Outcome.FAIL,
        unit="ratio",
        where="age_band=25 and under against age_band=26 and over",
        n=0,
    )
    shown = tuple(
        measure(f"rate {i}", threshold=None, direction=None, outcome=None, where=f"group {i}") for i in range(6)
    )
    return (
        finding(
            "F1.gaps",
            Outcome.FAIL,
            reason="The selection ratio of the young is below the floor.",
            measures=(selection, *shown),
            plots=(gaps(),),
        ),
        finding("P3.accuracy"),
        finding("P3.membership", Outcome.INCONCLUSIVE, plots=(roc(),), canary=canary(noticed=False)),
        finding("T2.signature", measures=(), reason="The signature of Example Savings Bank holds for three files."),
    )


def claim(claim_id: str, status: str = "blocked", **parts: object) -> ClaimVerdict:
    blockers = (
        Blocker(id="P1", outcome="not-run", text="This version cannot attack it yet.", remedy="Wait for P1."),
        Blocker(id="P3.membership", outcome="inconclusive", text="AUC 0.55, bounds 0.51 to 0.62, allowed 0.60."),
    )
    return ClaimVerdict(
        claim=claim_id,
        level=int(claim_id[0]),
        text=f"what claim {claim_id} claims",
        status=status,  # type: ignore[arg-type]
        blockers=blockers if status == "blocked" else (),
        by=() if status == "blocked" else ("T2.signature",),
        **parts,
    )


def verdict(**parts: object) -> Verdict:
    """Return a verdict at level 4 declared, none attained; ``parts`` override."""
    claims = (
        claim("1a", "not-applicable"),
        claim("1b"),
        claim("2a"),
        claim("2c", "satisfied"),
        claim("3a", "waived"),
        claim("4b", "satisfied"),
    )
    status = {"O4": "failed-not-binding", "O3": "held", "O1": "failed"}
    default: dict[str, object] = {
        "application": "credit-example",
        "attempt": 3,
        "attained": 0,
        "declared": 4,
        "counts": {"pass": 2, "fail": 1, "inconclusive": 1, "error": 0, "not-applicable": 1, "not-run": 40},
        "claims": claims,
        "aims": tuple(
            AimVerdict(
                aim=aim, title=title, binding=False, status=status.get(aim, "not-assessed"), text="Not assessed."
            )
            for aim, title in AIMS
        ),
        "blocks": {"1": "Claim 1b is blocked: S5 and D2 are not built.", "2": "Claim 2a is blocked: P1 is not built."},
        "summary": "Level 4 is declared and none is attained. One check failed, one could not decide.",
        "not_proved": ("That the data are what the owner says.", "That no attempt was made on another machine."),
        "plan": DIGESTS.plan,
        "exit_code": 1,
        "waivers": ("waivers/3a-0123456789abcdef.json",),
    }
    return Verdict(**{**default, **parts})


def document(**parts: object) -> Document:
    """Return a document with three attempts; ``parts`` override."""
    default: dict[str, object] = {
        "plan": plan(),
        "findings": findings(),
        "verdict": verdict(),
        "attempts": (
            AttemptLine(number=1, plan=sha("1"), started="2026-11-22T08:00:00Z", effort="quick"),
            AttemptLine(
                number=2,
                plan=sha("2"),
                started="2026-11-22T09:00:00Z",
                effort="standard",
                attained=0,
                declared=4,
                counts={"fail": 2, "pass": 1},
            ),
            AttemptLine(number=3, plan=DIGESTS.plan, started="2026-11-23T09:00:00Z", effort="standard"),
        ),
        "waivers": (WaiverLine(claim="3a", until="2027-01-31", officers=("Ada L.", "Grace H."), reason="pilot"),),
        "signer": "Signed by key 3f2a1b as assessor Ada L., which your trust file knows.",
    }
    return Document(**{**default, **parts})


HOSTILE = "<script>alert('x')</script>\"'&<img src=x onerror=alert(1)>{{7*7}}\u202eevil\x00"


def hostile() -> Document:
    """Return a document whose every free text attacks the page, with 300 figures and names without a space."""
    long = "n" * 60
    many = tuple(
        measure(
            f"{long}{i}",
            value=(i - 150) / 50,
            low=-1e9 if i % 7 == 0 else (i - 160) / 50,
            high=None if i % 5 == 0 else (i - 140) / 50,
            threshold=0.0 if i % 2 else None,
            outcome=list(Outcome)[i % 4] if i % 2 else None,
            unit=("share", "", "ratio", "rows")[i % 4],
            where=HOSTILE if i % 50 == 0 else f"{long}={long}",
            note=HOSTILE if i % 60 == 0 else "",
            n=i,
        )
        for i in range(300)
    )
    steps = tuple(float(i) for i in range(200))
    plots = (
        Plot(
            kind="intervals",
            title=HOSTILE,
            x_label=HOSTILE,
            bars=tuple(Bar(label=f"{long}{i}", value=-1.0 + i, low=-2.0 + i, high=None, n=i) for i in range(24)),
            threshold=3.0,
        ),
        Plot(
            kind="curves",
            title=HOSTILE,
            x_label=HOSTILE,
            y_label=HOSTILE,
            curves=tuple(
                Curve(name=HOSTILE, x=steps, y=tuple(10.0 ** (step - 300) for step in steps)) for _ in range(6)
            ),
            log=True,
            threshold=0.0,
        ),
        Plot(kind="curves", title="empty", x_label="x", y_label="y"),
        Plot(kind="intervals", title="empty", x_label="x"),
    )
    base = document()
    bad = finding(
        "F1.gaps", Outcome.FAIL, reason=HOSTILE, measures=many, plots=plots, remedy=HOSTILE, limits=(HOSTILE,) * 3
    )
    checks = tuple(msgspec.structs.replace(check, title=HOSTILE, reason=HOSTILE) for check in base.plan.checks)
    return msgspec.structs.replace(
        base,
        plan=msgspec.structs.replace(base.plan, checks=checks, duties=(HOSTILE,), application=HOSTILE),
        findings=(bad, *base.findings[1:]),
        verdict=verdict(application=HOSTILE, summary=HOSTILE, not_proved=(HOSTILE,), blocks={"1": HOSTILE}),
        signer=HOSTILE,
    )
