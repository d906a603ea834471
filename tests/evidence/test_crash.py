"""Nothing acknowledged is lost, whatever instant a run is killed at; what is left over is reported, then repaired."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING

import evidence_builder as build
import pytest

from fivefold.errors import InputError, TrustError
from fivefold.evidence.application import read_folder
from fivefold.evidence.folder import Evidence
from fivefold.evidence.journal import Journal
from fivefold.evidence.verify import verify
from fivefold.keys import signing

if TYPE_CHECKING:
    from fivefold.evidence.flaws import Verification
    from fivefold.keys.signing import Signer


class Killed(BaseException):
    """Stands for the moment of a kill: nothing in the product catches it."""


def _verify(root: Path, signer: Signer) -> Verification:
    return verify(read_folder(root / "evidence"), build.trusting((signer, "Ann", "assessor")), build.NOW)


def _kill_at(step: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Make the ``step``-th system call that changes the folder the last one; return the account of them."""
    seen: list[str] = []

    def guard(name: str, real: object) -> object:
        def call(*arguments: object, **options: object) -> object:
            seen.append(name)
            if len(seen) == step:
                raise Killed
            return real(*arguments, **options)

        return call

    monkeypatch.setattr(os, "fsync", guard("fsync", os.fsync))
    monkeypatch.setattr(Path, "replace", guard("replace", Path.replace))
    return seen


@pytest.mark.parametrize("step", range(1, 17))
@pytest.mark.parametrize("stage", ["open", "add", "close"])
def test_killed_between_any_two_calls_the_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str, step: int
) -> None:
    """Kill at each sync and rename of opening, adding and closing; the next run finishes, and all of it verifies."""
    build.application(tmp_path)
    evidence, signer = build.opened(tmp_path)
    if stage != "open":
        attempt = build.begin(evidence, tmp_path)
        attempt.add(build.finding(attempt.plan, "F1.gaps"))
        if stage == "close":
            for check in sorted({*build.runs(attempt.plan)} - {"F1.gaps"}):
                attempt.add(build.finding(attempt.plan, check))
    with monkeypatch.context() as patch:
        _kill_at(step, patch)
        try:
            if stage == "open":
                build.begin(evidence, tmp_path)
            elif stage == "add":
                attempt.add(build.finding(attempt.plan, "P3.accuracy"))
            else:
                build.close(attempt)
        except Killed:
            pass
    left = _verify(tmp_path, signer) if (tmp_path / "evidence" / "log").exists() else None
    if left is not None and left.problems:
        assert {flaw.code for flaw in left.problems} <= {
            "evidence.added", "evidence.torn", "evidence.uncheckpointed", "evidence.missing",
        }  # fmt: skip
    again, _ = build.opened(tmp_path, signer)
    name = build.plan(tmp_path, 1).digest
    resumed = again.unfinished(name) or (None if again.attempts() else build.begin(again, tmp_path))
    if stage == "add" or (stage == "open" and again.attempts()):
        assert resumed is not None
    if stage == "add":
        assert "F1.gaps" in resumed.findings()
    if resumed is not None:
        build.close(resumed)
    found = _verify(tmp_path, signer)
    assert (found.problems, found.exit_code) == ((), 0)
    assert [item.attempt for item in found.attempts] == [1]


@pytest.mark.parametrize("cut", [1, 5, 40])
def test_a_torn_last_line_is_reported_and_repaired(tmp_path: Path, cut: int) -> None:
    """The line is cut, its file is taken up again, the log gets a new checkpoint; nothing is lost."""
    build.application(tmp_path)
    evidence, signer = build.opened(tmp_path)
    attempt = build.begin(evidence, tmp_path)
    before = (tmp_path / "evidence/log/checkpoint").read_bytes()
    attempt.add(build.finding(attempt.plan, "P3.accuracy"))
    entries = tmp_path / "evidence/log/entries"
    entries.write_bytes(entries.read_bytes()[:-cut])
    (tmp_path / "evidence/log/checkpoint").write_bytes(before)
    assert "evidence.torn" in {flaw.code for flaw in _verify(tmp_path, signer).problems}
    again, _ = build.opened(tmp_path, signer)
    assert "cut a torn line off the log" in again.repaired
    assert again.findings(1).keys() == {"P3.accuracy"}
    assert _verify(tmp_path, signer).problems == ()


def test_what_the_owner_did_not_make_is_not_taken_up(tmp_path: Path) -> None:
    """Unlogged files by a stranger, of another place, or for a closed attempt stay out, and verify names them."""
    build.application(tmp_path)
    evidence, signer = build.opened(tmp_path)
    attempt = build.begin(evidence, tmp_path)
    for check in sorted({*build.runs(attempt.plan)} - {"F1.gaps"}):
        attempt.add(build.finding(attempt.plan, check))
    attempt.close(build.verdict(attempt.plan, attempt.findings(), now=attempt.started), build.REPORT)
    folder = tmp_path / "evidence"
    late = "attempts/0001/statements/F1.gaps.json"
    from fivefold.evidence import statements

    (folder / late).write_bytes(
        statements.seal_finding(attempt.plan, build.finding(attempt.plan, "F1.gaps"), build.NOW, signer)
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path / "elsewhere"))
        build.fill(tmp_path / "two", signing.generate())
    stranger = tmp_path / "two" / "evidence"
    (folder / "attempts/0002").mkdir()
    shutil.copy(stranger / "attempts/0001/plan.json", folder / "attempts/0002/plan.json")
    shutil.copy(folder / "attempts/0001/plan.json", folder / "attempts/0002/manifest.yaml")
    (folder / "attempts/0001/more.txt").write_text("x")
    again, _ = build.opened(tmp_path, signer)
    assert again.repaired == ()
    names = {flaw.path for flaw in _verify(tmp_path, signer).problems if flaw.code == "evidence.added"}
    assert names == {late, "attempts/0002/plan.json", "attempts/0002/manifest.yaml", "attempts/0001/more.txt"}


def test_a_log_that_was_tampered_with_gets_no_new_checkpoint(tmp_path: Path) -> None:
    """Cut, reordered, extended with a stranger's file, or another application's: opening refuses with its code."""
    signer = build.fill(tmp_path)
    folder = tmp_path / "evidence"
    lines = (folder / "log/entries").read_bytes().splitlines(keepends=True)
    forged = lines[-1].replace(b"report.html", b"verdict.json").replace(b'"report"', b'"verdict"')
    for edit, code in (
        (lines[:-1], "evidence.truncated"),
        ([*lines[:-2], lines[-1], lines[-2]], "evidence.rewritten"),
        ([*lines, forged], "evidence.not-mine"),
        ([*lines, b"{}\n"], "evidence.malformed-log"),
    ):
        (folder / "log/entries").write_bytes(b"".join(edit))
        before = (folder / "log/checkpoint").read_bytes()
        with pytest.raises(TrustError) as error:
            build.opened(tmp_path, signer)
        assert error.value.code == code
        assert (folder / "log/checkpoint").read_bytes() == before
    (folder / "log/entries").write_bytes(b"".join(lines))
    with pytest.raises(TrustError) as other:
        Evidence(folder, signer, "another-app")
    assert other.value.code == "evidence.other-application"


def test_a_folder_that_holds_something_else_is_refused(tmp_path: Path) -> None:
    """A mistyped path does not become evidence."""
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(InputError) as error:
        Evidence(tmp_path, signing.generate(), "app")
    assert error.value.code == "evidence.not-evidence"
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(InputError):
        Evidence(tmp_path / "link", signing.generate(), "app")


def test_a_full_disk_gives_an_error_with_a_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The finding is refused, the folder stays sound, and the same finding goes in once there is room."""
    build.application(tmp_path)
    evidence, signer = build.opened(tmp_path)
    attempt = build.begin(evidence, tmp_path)

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(InputError) as error:
            attempt.add(build.finding(attempt.plan, "P3.accuracy"))
    assert error.value.code == "evidence.unwritable"
    assert error.value.remedy
    again, _ = build.opened(tmp_path, signer)
    resumed = again.unfinished(attempt.plan.digest)
    assert resumed is not None
    build.close(resumed)
    assert _verify(tmp_path, signer).exit_code == 0


def test_only_the_same_plan_and_key_resume(tmp_path: Path) -> None:
    """Another plan, another key or a closed attempt begin anew."""
    build.application(tmp_path)
    evidence, signer = build.opened(tmp_path)
    attempt = build.begin(evidence, tmp_path)
    build.befriend(signer)
    assert evidence.unfinished("00" * 32) is None
    assert build.opened(tmp_path)[0].unfinished(attempt.plan.digest) is None
    resumed = build.opened(tmp_path, signer)[0].unfinished(attempt.plan.digest)
    assert resumed is not None
    assert (resumed.plan, resumed.started, resumed.number) == (attempt.plan, attempt.started, 1)
    build.close(resumed)
    assert evidence.unfinished(attempt.plan.digest) is None


@pytest.mark.parametrize("change", ["attempt", "manifest", "application", "undecided"])
def test_a_plan_that_is_not_the_next_one_is_not_opened(tmp_path: Path, change: str) -> None:
    """Wrong number, other manifest, other application, or not sealed."""
    import msgspec

    build.application(tmp_path)
    evidence, _ = build.opened(tmp_path)
    plan = build.plan(tmp_path, 2 if change == "attempt" else 1)
    if change == "application":
        plan = msgspec.structs.replace(plan, application="other")
    if change == "undecided":
        checks = (msgspec.structs.replace(plan.checks[0], status="undecided"), *plan.checks[1:])
        plan = msgspec.structs.replace(plan, checks=checks)
    raw = b"other" if change == "manifest" else (tmp_path / "fivefold.yaml").read_bytes()
    with pytest.raises(InputError) as error:
        evidence.open_attempt(plan, raw)
    assert error.value.code == "evidence.attempt"
    assert not (tmp_path / "evidence").exists()


def test_findings_and_verdicts_of_other_attempts_are_refused(tmp_path: Path) -> None:
    """Exploratory runs are never sealed; a check that the plan does not run has no finding."""
    import msgspec

    build.application(tmp_path)
    evidence, _ = build.opened(tmp_path)
    attempt = build.begin(evidence, tmp_path)
    good = build.finding(attempt.plan, "P3.accuracy")
    for change in ({"mode": "exploratory"}, {"attempt": 2}, {"check": "S5.harm"}):
        with pytest.raises(InputError) as error:
            attempt.add(msgspec.structs.replace(good, **change))
        assert error.value.code == "evidence.attempt"
    verdict = msgspec.structs.replace(build.verdict(attempt.plan, {}), attempt=2)
    with pytest.raises(InputError):
        attempt.close(verdict, None)


def test_two_writers_do_not_tear_the_log(tmp_path: Path) -> None:
    """Two attempts of one application, open at once, append in turn; both verify."""
    build.application(tmp_path)
    one, signer = build.opened(tmp_path)
    first = build.begin(one, tmp_path)
    two, _ = build.opened(tmp_path, signer)
    second = build.begin(two, tmp_path)
    for check in build.runs(first.plan):
        first.add(build.finding(first.plan, check))
        second.add(build.finding(second.plan, check))
    build.close(second)
    build.close(first)
    found = _verify(tmp_path, signer)
    assert (found.problems, [item.attempt for item in found.attempts]) == ((), [1, 2])


WORKER = """
    import sys
    sys.path.insert(0, {tests!r})
    from pathlib import Path
    import evidence_builder as build
    from fivefold.keys import signing
    root = Path({root!r})
    signer = signing.load_private((root / "key.pem").read_bytes())
    while True:
        evidence, _ = build.opened(root, signer)
        attempt = evidence.unfinished(build.plan(root, 1).digest) or build.begin(evidence, root)
        done = attempt.findings()
        for check in build.runs(attempt.plan):
            if check not in done:
                attempt.add(build.finding(attempt.plan, check))
                print(attempt.number, check, flush=True)
        attempt.close(build.verdict(attempt.plan, attempt.findings(), now=attempt.started), build.REPORT)
"""


@pytest.mark.slow
def test_killed_at_random_no_acknowledged_finding_is_lost(tmp_path: Path) -> None:
    """A process that assesses without end is killed 12 times; each finding that it announced is in the evidence."""
    build.application(tmp_path)
    signer = signing.generate()
    (tmp_path / "key.pem").write_bytes(signer.private_pem())
    script = textwrap.dedent(WORKER).format(tests=str(Path(__file__).parent), root=str(tmp_path))
    draw = random.Random(3)
    announced: set[tuple[int, str]] = set()
    for _ in range(12):
        log = tmp_path / "out.txt"
        with log.open("wb") as out:
            worker = subprocess.Popen([sys.executable, "-c", script], stdout=out, stderr=subprocess.PIPE)
            while not log.stat().st_size and worker.poll() is None:
                time.sleep(0.01)
            time.sleep(0.3 * draw.random())
            worker.send_signal(signal.SIGKILL)
            errors = worker.communicate()[1]
        assert not errors, errors.decode()
        for line in log.read_text().splitlines():
            number, _, check = line.partition(" ")
            announced.add((int(number), check))
    assert announced
    evidence, _ = build.opened(tmp_path, signer)
    held = {(number, check) for number in evidence.attempts() for check in evidence.findings(number)}
    assert announced <= held
    found = _verify(tmp_path, signer)
    assert list(found.problems) == []


def test_a_journal_writes_only_files_of_the_layout(tmp_path: Path) -> None:
    """No caller can write elsewhere through it."""
    journal = Journal(tmp_path, "fivefold/app", signing.generate())
    for path in ("../x", "log/entries", "a", "attempts/1/plan.json", "attempts/0001/../plan.json"):
        with pytest.raises(InputError):
            journal.append({path: b""})
    assert list(tmp_path.rglob("*")) == []
