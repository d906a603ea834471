"""Small sealed evidence over a real application folder, made with the real planner, judge and sealer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fivefold.catalogue import load
from fivefold.cli._sealed import sealed_page
from fivefold.contract.finding import Canary, Digests, Finding, Measure, Result
from fivefold.contract.outcome import Outcome
from fivefold.contract.plan import ColumnFact, DataFact, Facts, ModelFact, Plan
from fivefold.evidence import signed_set, source
from fivefold.evidence.folder import Attempt, Evidence
from fivefold.evidence.judge import judge
from fivefold.keys import signing, store, trust
from fivefold.manifest.digests import data_digests
from fivefold.manifest.reader import read
from fivefold.plan import make, seal

if TYPE_CHECKING:
    from pathlib import Path

    from fivefold.contract.verdict import Verdict
    from fivefold.evidence.judge import ValidWaiver
    from fivefold.keys.signing import Signer
    from fivefold.manifest.nouns import Manifest

NOW = "2026-12-01T00:00:00Z"
REPORT = b"<!doctype html><title>report</title>\n"
MANIFEST = """\
fivefold: 1
application: {id: toy-app, level: 2, purpose: score a loan}
use: {output: score}
data:
  train: {path: data/train.csv, target: y, positive: "1", protected: [sex], source: bank}
  test: {path: data/test.csv}
model: {factory: "scorer:load", path: weights, signature: model.sig}
checks:
  P3.membership: {max_auc: 0.58}
"""


class Clock:
    """A clock that ticks one second at each reading."""

    def __init__(self, hour: int = 9) -> None:
        """Start at a full hour of one day."""
        self.ticks = hour * 3600

    def __call__(self) -> str:
        """Tick."""
        self.ticks += 1
        hours, rest = divmod(self.ticks, 3600)
        return f"2026-11-23T{hours % 24:02d}:{rest // 60:02d}:{rest % 60:02d}Z"


def application(root: Path) -> Path:
    """Write an application: manifest, two tables, weights and the module that loads them."""
    files = {
        "fivefold.yaml": MANIFEST,
        "data/train.csv": "x,sex,y\n1,f,0\n2,m,1\n3,f,1\n",
        "data/test.csv": "x,sex,y\n4,f,0\n5,m,1\n",
        "weights/a.bin": "aaaa",
        "weights/b.bin": "bbbb",
        "scorer.py": "def load(): ...\n",
        "model.sig": "{}",
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def facts(manifest: Manifest, digests: dict[str, str], model: str) -> Facts:
    """Return what a probe of the toy application would read."""
    columns = tuple(ColumnFact(name=name, kind="string", missing=0, distinct=2) for name in ("x", "sex", "y"))
    data = {
        name: DataFact(digest=digests[name], rows=3, columns=columns, target="y", groups={"sex": 2})
        for name in manifest.data
    }
    return Facts(
        data=data, model=ModelFact(digest=model, task="binary", classes=("0", "1"), scores=True, perturbable=True)
    )


def plan(root: Path, attempt: int, effort: str = "standard") -> Plan:
    """Return the sealed plan that follows from an application's folder."""
    manifest = read(root)
    digests = data_digests(manifest)
    model = signed_set.digest(signed_set.digests(manifest))
    made = make(
        manifest,
        load(),
        facts(manifest, digests, model),
        data_digests=digests,
        model_digest=model,
        code=source.code(),
        installed=lambda _: True,
        effort=effort,
    )
    return seal(made, attempt)


def figures(of: Plan, check: str, outcome: Outcome = Outcome.PASS) -> tuple[Measure, ...]:
    """Return one judged figure for each threshold of a check, clear of it on the side that the outcome says."""
    planned = next(item for item in of.checks if item.check == check)
    floors = planned.thresholds or {"max_auc": 0.58}
    side = {Outcome.PASS: 1, Outcome.FAIL: -1}.get(outcome, 0)
    made = []
    for key, floor in floors.items():
        good = (1 if key.startswith("min") else -1) * side
        value = floor + 0.1 * good
        made.append(
            Measure(
                name=key.partition("_")[2],
                value=value,
                low=value - 0.02,
                high=value + 0.02,
                threshold=floor,
                direction="min" if key.startswith("min") else "max",
                outcome=outcome,
            )
        )
    return tuple(made)


def finding(of: Plan, check: str, outcome: Outcome = Outcome.PASS) -> Finding:
    """Return a finding of a plan."""
    planned = next(item for item in of.checks if item.check == check)
    canary = Canary(kind="planted", planted=3, found=3, clean=3, false_alarms=0, noticed=True)
    return Finding(
        check=check,
        technique=planned.technique,
        attempt=of.attempt,
        seed=planned.seed,
        effort=of.effort,
        mode="sealed",
        result=Result(outcome=outcome, reason="measured.", measures=figures(of, check, outcome), canary=canary),
        digests=Digests(manifest=of.manifest, model=of.model, data=of.data, code=of.code, plan=of.digest),
    )


def verdict(of: Plan, findings: dict[str, Finding], waivers: tuple[ValidWaiver, ...] = (), now: str = "") -> Verdict:
    """Return the verdict that follows."""
    return judge(of, tuple(findings.values()), waivers, now or Clock()(), load())


def runs(of: Plan) -> list[str]:
    """Return the checks that a plan runs."""
    return list(dict.fromkeys(check.check for check in of.checks if check.status == "run"))


def close(attempt: Attempt, report: bytes | None = REPORT, *, pages: Evidence | None = None) -> None:
    """Add what findings are missing, judge and close; with ``pages``, seal the page that assess would."""
    done = attempt.findings()
    for check in runs(attempt.plan):
        if check not in done:
            attempt.add(finding(attempt.plan, check))
    said = verdict(attempt.plan, attempt.findings(), now=attempt.started)
    page = sealed_page(attempt.plan, (), said, pages) if pages else report
    attempt.close(said, page)


def opened(root: Path, signer: Signer | None = None) -> tuple[Evidence, Signer]:
    """Open the evidence beside an application with a key and a ticking clock."""
    chosen = signer or signing.generate()
    return Evidence(root / "evidence", chosen, "toy-app", Clock()), chosen


def befriend(*signers: Signer) -> None:
    """Name keys as keepers of the log in the user's own trust file, so that their logs are continued."""
    known = trust.read(store.read_trust())
    for number, signer in enumerate(signers):
        known = trust.add(known, signer.public, name=f"colleague {number}", roles=("log",))
    store.write_trust(known)


def begin(evidence: Evidence, root: Path, change: dict[str, object] | None = None) -> Attempt:
    """Begin the next attempt; ``change`` replaces fields of the plan before it is signed, as a liar would."""
    sealed = plan(root, evidence.next_attempt())
    if change:
        sealed = msgspec.structs.replace(sealed, **change)
    manifest = read(root)
    return evidence.open_attempt(sealed, manifest.raw, signed_set.digests(manifest))


def fill(root: Path, signer: Signer | None = None, attempts: int = 1) -> Signer:
    """Write an application if there is none, and closed attempts; return the key."""
    if not (root / "fivefold.yaml").exists():
        application(root)
    evidence, chosen = opened(root, signer)
    for _ in range(attempts):
        close(begin(evidence, root))
    return chosen


def trusting(*holders: tuple[Signer, str, trust.Role]) -> bytes:
    """Return a trust file with one entry for each (signer, name, role)."""
    known = trust.Trust()
    for signer, name, role in holders:
        known = trust.add(known, signer.public, name=name, roles=(role,))
    return trust.write(known)
