"""An assessment from a manifest to a sealed verdict: determinism, resuming, limits, what is refused."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from tests.subject.apps import RULE, build

from fivefold.assess import facts_cache, outcomes
from fivefold.assess.lock import alone
from fivefold.assess.probe import probe
from fivefold.assess.run import Options, Step, assess
from fivefold.contract.codec import canonical
from fivefold.contract.outcome import Outcome
from fivefold.errors import FivefoldError, InputError
from fivefold.evidence.application import newest_manifest, observe, read_folder
from fivefold.evidence.verify import verify
from fivefold.keys import store
from fivefold.manifest.digests import data_digests
from fivefold.manifest.reader import read
from fivefold.subject.bench import Bench

if TYPE_CHECKING:
    from fivefold.contract.finding import Finding

TRAINED = (
    RULE
    + """
def fit(table, rng):
    assert list(table.columns)[-1] == "answer"
    assert set(table["answer"].unique()) <= {"no", "yes"}
    assert len(table.features.columns) == len(table.columns) - 1
    rng.random()
    return Model()
"""
)


def quick(**more: object) -> Options:
    """Return options of a small run."""
    return Options(effort="quick", **more)  # type: ignore[arg-type]


def bytes_of(findings: tuple[Finding, ...]) -> list[bytes]:
    """Return findings as they are sealed."""
    return [canonical(finding) for finding in findings]


def test_a_sealed_run_verifies_and_shows_no_engine_in_the_parent(tmp_path: Path) -> None:
    """Evidence of a plain application holds, with the model and the data as they are."""
    manifest = build(tmp_path / "app", protected=["team"])
    done = assess(manifest, quick())
    assert done.verdict is not None
    assert done.made_key
    folder = read_folder(manifest.root / "evidence")
    seen = verify(
        folder,
        store.read_trust(),
        store.utc_now(),
        application=observe(manifest.root, newest_manifest(folder, manifest.root)),  # type: ignore[arg-type]
    )
    assert seen.problems == ()
    assert {finding.check for finding in done.findings} == {
        check.check for check in done.plan.checks if check.status == "run"
    }
    assert all(finding.mode == "sealed" and finding.sandbox for finding in done.findings)
    assert next(item for item in done.findings if item.check == "P3.accuracy").result.outcome is Outcome.PASS


def test_findings_are_byte_identical_in_any_order_on_one_and_two_workers(tmp_path: Path) -> None:
    """The same plan and attempt give the same bytes; scheduling does not reach a finding."""
    found = []
    for workers in (1, 2):
        home = tmp_path / str(workers)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("XDG_STATE_HOME", str(home / "state"))
            manifest = build(tmp_path / "app", TRAINED, manifest={"training": {"factory": "scorer:fit"}})
            found.append(assess(manifest, quick(workers=workers, evidence=home / "evidence")))
    assert found[0].plan == found[1].plan
    assert bytes_of(found[0].findings) == bytes_of(found[1].findings)
    assert found[0].plan.facts.model is not None
    assert found[0].plan.facts.model.retrains


@pytest.mark.usefixtures("few_checks")
def test_an_interrupted_run_keeps_what_was_finished_and_goes_on(tmp_path: Path) -> None:
    """Ctrl-C after the first finding; the second run takes the attempt up and gives the same findings."""
    manifest = build(tmp_path / "app", protected=["team"])
    finished = []

    def stop(step: Step) -> None:
        if step.finding is not None:
            finished.append(step.finding)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        assess(manifest, quick(workers=1), watch=stop)
    seen: list[Step] = []
    done = assess(manifest, quick(workers=2), watch=seen.append)
    assert done.resumed
    assert done.plan.attempt == 1
    assert [step.done for step in seen if step.kind == "planned"] == [(finished[0].check,)]
    assert finished[0] in done.findings
    again = assess(manifest, quick())
    assert again.plan.attempt == 2
    assert not again.resumed


@pytest.mark.usefixtures("few_checks")
def test_a_killed_run_leaves_no_process_and_goes_on(tmp_path: Path) -> None:
    """The parent is killed with signal 9 in the middle of the checks."""
    manifest = build(tmp_path / "app", TRAINED, manifest={"training": {"factory": "scorer:fit"}}, protected=["team"])
    script = (
        "import sys, pathlib\n"
        "from fivefold.manifest.reader import read\n"
        "from fivefold.assess.run import Options, assess\n"
        "from tests.few import few\n"
        "few()\n"
        "def told(step):\n"
        "    print(step.kind, step.check, flush=True)\n"
        "assess(read(pathlib.Path(sys.argv[1])), Options(effort='quick', workers=1), watch=told)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(manifest.root)], stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        for line in run.stdout:
            if line.startswith("finished"):
                break
        os.kill(run.pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while (left := _workers(manifest.root)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not left
    done = assess(manifest, quick())
    assert done.resumed
    assert done.plan.attempt == 1
    assert done.verdict is not None


def _workers(root: Path) -> list[int]:
    """Return the worker processes whose import path or folder belongs to a run over ``root``."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            words = (place / "cmdline").read_bytes()
            parent = (place / "stat").read_text().rpartition(")")[2].split()[1]
        except OSError:
            continue
        if b"fivefold.subject.worker" in words and parent == "1":
            found.append(int(place.name))
    assert root.is_dir()
    return found


def test_a_model_that_cannot_be_asked_makes_errors_and_the_verdict_still_comes(tmp_path: Path) -> None:
    """The signature is still checked, the reason is in the plan and in each finding, and quotes nothing."""
    source = "def load():\n    raise ValueError('Mr. Owen Harris')\n"
    manifest = build(tmp_path / "app", source)
    done = assess(manifest, quick())
    by_check = {finding.check: finding.result for finding in done.findings}
    assert by_check["P3.accuracy"].outcome is Outcome.ERROR
    assert "ValueError at scorer.py:2" in by_check["P3.accuracy"].reason
    assert by_check["T2.signature"].outcome is Outcome.FAIL
    assert "Harris" in done.notes["model"]
    assert b"Harris" not in b"".join(bytes_of(done.findings)) + canonical(done.plan)
    assert facts_cache.load(manifest, data_digests(manifest), done.plan.model) is None


@pytest.mark.usefixtures("few_checks")
def test_an_exploratory_run_seals_nothing_and_uses_no_attempt(tmp_path: Path) -> None:
    """``--only`` and ``--seed`` are for looking around."""
    manifest = build(tmp_path / "app")
    done = assess(manifest, quick(only=("P3.accuracy",)))
    other = assess(manifest, quick(only=("P3",), seed="7"))
    assert [finding.mode for finding in done.findings] == ["exploratory"]
    asked = {finding.check for finding in other.findings}
    assert {"P3.accuracy", "P3.membership"} <= asked
    assert all(check.startswith("P3.") for check in asked)
    assert done.findings[0].seed != other.findings[0].seed
    assert not (manifest.root / "evidence").exists()
    assert assess(manifest, quick()).plan.attempt == 1


@pytest.mark.parametrize(("name", "hint"), [("P3.accurracy", "P3.accuracy"), ("C1", "Checks that run")])
def test_an_unknown_check_is_refused_with_a_hint(tmp_path: Path, name: str, hint: str) -> None:
    """A misspelt check does not run as nothing."""
    manifest = build(tmp_path / "app")
    with pytest.raises(InputError) as caught:
        assess(manifest, quick(only=(name,)))
    assert caught.value.code == "assess.only"
    assert hint in caught.value.remedy


def test_facts_are_cached_for_the_same_bytes_only(tmp_path: Path) -> None:
    """A changed file, a damaged entry or another manifest is read again."""
    manifest = build(tmp_path / "app")
    facts = probe(manifest)
    digests, model = data_digests(manifest), facts.model.digest if facts.model else ""
    assert facts_cache.load(manifest, digests, model) == facts
    assert facts_cache.load(manifest, digests | {"test": "0" * 64}, model) is None
    assert facts_cache.load(manifest, digests, "0" * 64) is None
    (entry,) = Path(os.environ["XDG_CACHE_HOME"]).rglob("*.json")
    raw = msgspec.json.decode(entry.read_bytes())
    raw["facts"]["data"]["test"]["digest"] = "0" * 64
    entry.write_bytes(msgspec.json.encode(raw))
    assert facts_cache.load(manifest, digests, model) is None
    entry.write_bytes(b"[" * 100_000)
    assert facts_cache.load(manifest, digests, model) is None


def test_facts_hold_numbers_and_kinds(tmp_path: Path) -> None:
    """Kinds, missing and distinct values as they are in the files."""
    facts = probe(build(tmp_path / "app", protected=["team"]))
    assert facts.data is not None
    columns = {column.name: column for column in facts.data["train"].columns}
    assert {name: column.kind for name, column in columns.items()} == {
        "weight": "number",
        "colour": "string", "since": "date", "count": "integer", "team": "string", "answer": "string"
    }  # fmt: skip
    assert columns["count"].missing > 0
    assert columns["colour"].distinct == 3
    assert facts.data["train"].groups == {"team": 2}
    assert facts.model is not None
    assert (facts.model.task, facts.model.classes) == ("binary", ("no", "yes"))
    assert facts.model.scores
    assert facts.model.deterministic
    assert facts.model.perturbable
    assert not facts.model.retrains


def test_data_that_change_after_the_plan_make_an_error(tmp_path: Path) -> None:
    """What is measured is what was planned."""
    manifest = build(tmp_path / "app")
    digests = data_digests(manifest)
    with (manifest.root / "data" / "test.csv").open("a") as file:
        file.write("1,red,2020-01-01,1,a,yes\n")
    with Bench(manifest, digests) as bench, pytest.raises(FivefoldError) as caught:
        bench.probe()
    assert caught.value.code == "data.changed"


def test_labels_that_do_not_occur_are_refused_with_those_that_do(tmp_path: Path) -> None:
    """A favourable class that no row has is a slip, not a fact."""
    manifest = build(tmp_path / "app", positive="Yes!")
    with pytest.raises(InputError) as caught:
        assess(manifest, quick())
    assert caught.value.code == "data.label"
    assert "no, yes" in caught.value.remedy


def test_a_key_of_another_role_does_not_sign_findings(tmp_path: Path) -> None:
    """A model signer's key is no assessor's."""
    manifest = build(tmp_path / "app")
    key = store.new_key("witness", "Wanda")
    with pytest.raises(InputError) as caught:
        assess(manifest, quick(key=key.note.id))
    assert caught.value.code == "keys.role"


@pytest.mark.usefixtures("few_checks")
def test_the_evidence_folder_may_lie_elsewhere_and_the_model_cannot_read_it(tmp_path: Path) -> None:
    """``--evidence`` inside a folder that the model may read is still out of its reach."""
    source = RULE + "\nimport os\nif os.path.exists('data/proof/log') and os.listdir('data/proof/log'):\n    1 / 0\n"
    manifest = build(tmp_path / "app", source)
    first = assess(manifest, quick(evidence=manifest.root / "data" / "proof"))
    assert first.verdict is not None
    again = assess(read(manifest.root), quick(evidence=manifest.root / "data" / "proof"))
    assert again.plan.attempt == 2
    assert again.plan.facts.model is not None
    assert again.plan.facts.model.error == ""


def test_the_parent_loads_no_engine(tmp_path: Path) -> None:
    """Whoever holds the keys runs neither engines nor foreign code."""
    manifest = build(tmp_path / "app")
    script = (
        "import sys, pathlib\n"
        "from fivefold.manifest.reader import read\n"
        "from fivefold.assess.run import Options, assess\n"
        "from tests.few import few\n"
        "few()\n"
        "assess(read(pathlib.Path(sys.argv[1])), Options(effort='quick'))\n"
        "print(sorted({'numpy', 'pandas', 'scipy', 'sklearn', 'pyarrow', 'scorer'} & set(sys.modules)))\n"
    )
    ran = subprocess.run([sys.executable, "-c", script, str(manifest.root)], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


@pytest.mark.usefixtures("few_checks")
def test_one_application_is_assessed_once_at_a_time(tmp_path: Path) -> None:
    """Two runs would take up the same attempt."""
    manifest = build(tmp_path / "app")
    with alone(manifest.application.id), pytest.raises(InputError) as caught:
        assess(manifest, quick())
    assert caught.value.code == "assess.running"
    assert assess(manifest, quick()).plan.attempt == 1


@pytest.mark.usefixtures("few_checks")
def test_a_page_that_cannot_be_made_costs_nobody_the_verdict(tmp_path: Path) -> None:
    """The findings are sealed; the reason is told."""
    manifest = build(tmp_path / "app")

    def broken(*_: object) -> bytes:
        raise RuntimeError("no ink")

    done = assess(manifest, quick(), render=broken)
    assert done.verdict is not None
    assert "no ink" in done.notes["report"]
    assert not list((manifest.root / "evidence").rglob("report.html"))


@pytest.mark.usefixtures("few_checks")
def test_an_unsteady_model_is_shown_as_such(tmp_path: Path) -> None:
    """Answers that change from call to call."""
    source = (
        RULE
        + """
import itertools
count = itertools.count()
steady = Model.predict_proba
def unsteady(self, frame):
    scores = steady(self, frame)
    shift = 0.01 * (next(count) % 7)
    scores = scores * (1 - shift)
    scores[:, 0] += shift
    return scores
Model.predict_proba = unsteady
"""
    )
    manifest = build(tmp_path / "app", source)
    done = assess(manifest, quick())
    assert done.plan.facts.model is not None
    assert not done.plan.facts.model.deterministic
    accuracy = next(finding for finding in done.findings if finding.check == "P3.accuracy")
    assert any("Two equal questions" in text for text in accuracy.result.limits)


@pytest.mark.usefixtures("few_checks")
def test_protections_that_a_machine_lacks_are_said_in_each_finding(tmp_path: Path) -> None:
    """Without Landlock and seccomp a finding does not look like one with them."""
    manifest = build(tmp_path / "app")
    done = assess(manifest, quick())
    check = next(check for check in done.plan.checks if check.check == "P3.accuracy")
    result = done.findings[0].result
    bare = outcomes.finding(check, done.plan, result, mode="sealed", protections=("processes", "limits"))
    whole = outcomes.finding(
        check, done.plan, result, mode="sealed", protections=("processes", "limits", "landlock-7", "seccomp")
    )
    assert [word for word in ("Landlock", "system-call filter") if word in " ".join(bare.result.limits)] == [
        "Landlock",
        "system-call filter",
    ]
    assert whole.result == result
    nothing = outcomes.missing(("processes",))
    assert any("only the time" in text for text in nothing)


@pytest.mark.usefixtures("few_checks")
def test_the_parent_outlives_its_worker(tmp_path: Path) -> None:
    """Somebody ends the fork server: that check is an error, the next one runs in a new worker."""
    manifest = build(tmp_path / "app", protected=["team"])
    killed = []

    def kill(step: Step) -> None:
        if step.kind == "progress" and not killed:
            children = subprocess.run(
                ["ps", "--ppid", str(os.getpid()), "-o", "pid=,args="], capture_output=True, text=True, check=True
            )
            lines = [line.split() for line in children.stdout.splitlines() if "subject.worker" in line]
            killed.extend(int(words[0]) for words in lines)
            os.kill(killed[0], signal.SIGKILL)

    done = assess(manifest, quick(workers=1), watch=kill)
    outcomes_ = [finding.result.outcome for finding in done.findings]
    assert len(killed) == 1
    assert outcomes_.count(Outcome.ERROR) == 1
    assert len(outcomes_) > 2
