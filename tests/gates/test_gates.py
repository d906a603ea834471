"""Every gate refuses a bad build and lets a good one through: the command, pytest, pre-commit and the action."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from fivefold.contract.outcome import Outcome
from fivefold.report.admission import admit

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "tests" / "report"))

from factories import document, finding, verdict  # noqa: E402  they lie beside the report's tests

PEER = REPO / ".venv-peers" / "exports" / "bin"
BIN = Path(sys.executable).parent
NOW = "2026-11-23T12:00:00Z"


def run(*words: object, at: Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a program with the environment's own tools first on the path."""
    path = {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(
        [str(word) for word in words], cwd=at, env=os.environ | path | (env or {}), capture_output=True, text=True,
        timeout=300, check=False,
    )  # fmt: skip


def test_the_command_lets_good_evidence_through_and_refuses_bad(good: Path, bad: Path) -> None:
    """Level 0 asks for no failed check only; the declared level is not attained by anybody today."""
    assert run("fivefold", "gate", good, "--min-level", 0, at=good).returncode == 0
    below = run("fivefold", "gate", good, at=good)
    assert below.returncode == 3
    assert "Level 0 is attained, 2 is wanted" in below.stdout
    refused = run("fivefold", "gate", bad, "--min-level", 0, "--json", at=bad)
    assert refused.returncode == 1
    assert json.loads(refused.stdout)["admission"]["failed"] is True


def test_the_command_refuses_evidence_of_other_bytes_or_none(good: Path) -> None:
    """One answer changed after the assessment; then no evidence at all."""
    (good / "answers.csv").write_text((good / "answers.csv").read_text("utf-8").replace("yes", "no", 1), "utf-8")
    changed = run("fivefold", "gate", good, "--min-level", 0, at=good)
    assert changed.returncode == 1
    assert "answers.csv" in changed.stdout
    shutil.rmtree(good / "evidence")
    assert run("fivefold", "gate", good, "--min-level", 0, at=good).returncode == 2


def test_a_stranger_sees_no_clean_answer(good: Path, tmp_path: Path) -> None:
    """Evidence that nobody signed whom the reader trusts is not let through, and not called failed either."""
    nobody = tmp_path / "nobody.json"
    nobody.write_text("")
    assert run("fivefold", "gate", good, "--min-level", 0, "--trust", nobody, at=good).returncode == 3


@pytest.mark.parametrize(
    ("started", "days", "admitted"),
    [("2026-11-20T12:00:00Z", 5, True), ("2026-11-10T12:00:00Z", 5, False), ("2026-11-10T12:00:00Z", 0, True),
     ("2027-01-01T00:00:00Z", 5, False), ("", 5, False)],
)  # fmt: skip
def test_old_evidence_is_stale(started: str, days: float, *, admitted: bool) -> None:
    """A date in the future, or none, is as bad as an old one."""
    import msgspec

    made = document(findings=(finding("P3.accuracy", Outcome.PASS),), verdict=verdict(attained=0), verified="yes")
    lines = tuple(msgspec.structs.replace(line, started=started) for line in made.attempts)
    made = msgspec.structs.replace(made, attempts=lines)
    found = admit(made, NOW, min_level=0, days=days)
    assert (not found.reasons) is admitted
    assert not found.failed


@pytest.mark.parametrize("outcome", list(Outcome))
def test_only_failures_and_errors_count_as_failed(outcome: Outcome) -> None:
    """What is not known does not attain a level; it is no failure."""
    made = document(findings=(finding("P3.accuracy", outcome),), verdict=verdict(attained=0), verified="yes")
    assert admit(made, NOW, min_level=0).failed is (outcome in (Outcome.FAIL, Outcome.ERROR))


def test_pytest_passes_a_good_build_and_fails_a_bad_one(good: Path, bad: Path, tmp_path: Path) -> None:
    """The real pytest, with the plug-in found by its entry point."""
    words = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--fivefold-min-level", 0, "--fivefold")
    passed = run(*words, good, at=tmp_path)
    assert passed.returncode == 0, passed.stdout
    assert "passed" in passed.stdout
    failed = run(*words, bad, at=tmp_path)
    assert failed.returncode == 1
    assert "P3.accuracy" in failed.stdout
    assert run(*words, tmp_path / "nothing", at=tmp_path).returncode == 4


def test_pytest_without_the_option_imports_nothing_of_ours(tmp_path: Path) -> None:
    """Somebody who only has us installed pays nothing."""
    (tmp_path / "test_it.py").write_text(
        "import sys\n"
        "def test_light():\n"
        "    assert not {'numpy', 'fivefold.report', 'fivefold.assess'} & set(sys.modules)\n"
    )
    assert run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", at=tmp_path).returncode == 0


@pytest.mark.slow
def test_pre_commit_refuses_files_with_personal_data(tmp_path: Path) -> None:
    """The hook that scans is handed the files of a commit, all at once."""
    pytest.importorskip("pre_commit", reason="pre-commit is not installed")
    hooks = yaml.safe_load((REPO / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    (hook,) = (hook for hook in hooks if hook["id"] == "fivefold-scan")
    local = {name: told for name, told in hook.items() if name != "additional_dependencies"} | {"language": "system"}
    place, home = tmp_path / "repo", {"PRE_COMMIT_HOME": str(tmp_path / "pre-commit")}
    place.mkdir()
    config = yaml.safe_dump({"repos": [{"repo": "local", "hooks": [local]}]})
    (place / ".pre-commit-config.yaml").write_text(config, encoding="utf-8")
    (place / "numbers.csv").write_text("a,b\n" + "1,2\n" * 40, encoding="utf-8")
    assert run("git", "init", "-q", at=place).returncode == 0
    run("git", "add", "-A", at=place)
    assert run(sys.executable, "-m", "pre_commit", "run", at=place, env=home).returncode == 0
    rows = "".join(f"anna{at}@example.org,{at}\n" for at in range(40))
    (place / "people.csv").write_text("contact,b\n" + rows, encoding="utf-8")
    run("git", "add", "-A", at=place)
    done = run(sys.executable, "-m", "pre_commit", "run", at=place, env=home)
    assert done.returncode == 1
    assert "people.csv" in done.stdout


@pytest.mark.slow
def test_pre_commit_refuses_a_commit_of_a_bad_build(good: Path, bad: Path, tmp_path: Path) -> None:
    """The real pre-commit in a real repository, with the hooks that we publish."""
    pytest.importorskip("pre_commit", reason="pre-commit is not installed")
    hooks = yaml.safe_load((REPO / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    for application, code in ((good, 0), (bad, 1)):
        place = tmp_path / f"repo-{code}"
        shutil.copytree(application, place / "app")
        local = [
            hook | {"language": "system", "args": ["app", *(["--min-level", "0"] if "gate" in hook["id"] else [])]}
            for hook in hooks
            if hook["id"] in ("fivefold-plan", "fivefold-gate")
        ]
        config = {"repos": [{"repo": "local", "hooks": local}]}
        (place / ".pre-commit-config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
        git = {f"GIT_{who}_{what}": "x@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        assert run("git", "init", "-q", at=place).returncode == 0
        run("git", "add", "-A", at=place)
        home = {"PRE_COMMIT_HOME": str(tmp_path / "pre-commit")}
        assert run(sys.executable, "-m", "pre_commit", "install", at=place, env=home).returncode == 0
        done = run("git", "commit", "-q", "-m", "a build", at=place, env=home | git)
        assert (done.returncode != 0) is bool(code), done.stdout + done.stderr
        if code:
            assert "Fivefold gate" in done.stderr + done.stdout


def test_pre_commit_refuses_a_manifest_that_cannot_be_read(good: Path) -> None:
    """The hook's command on a broken manifest."""
    (good / "fivefold.yaml").write_text("fivefold: 1\napplicaton: {}\n", encoding="utf-8")
    assert run("fivefold", "plan", good, at=good).returncode == 2


def steps() -> list[dict[str, str]]:
    """Return the steps of the action."""
    return yaml.safe_load((REPO / "action.yml").read_text(encoding="utf-8"))["runs"]["steps"]


def test_no_input_is_pasted_into_a_script_of_the_action() -> None:
    """Inputs reach scripts as environment variables only, so that nobody can write shell into them."""
    assert all("${{" not in step["run"] for step in steps())


@pytest.mark.parametrize(
    ("which", "mode", "code"), [("good", "gate", 0), ("bad", "gate", 1), ("good", "assess", 0), ("bad", "assess", 1)]
)
def test_the_action_refuses_a_bad_build(
    which: str, mode: str, code: int, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """The action's own script, run by bash as the runner does; summary, SARIF and JUnit are written either way."""
    application: Path = request.getfixturevalue(which)
    script = next(step for step in steps() if step["name"] == "Run")["run"]
    env = {
        "FIVEFOLD_APPLICATION": str(application), "FIVEFOLD_MODE": mode, "FIVEFOLD_EFFORT": "quick",
        "FIVEFOLD_MIN_LEVEL": "0", "FIVEFOLD_TRUST": "", "TMPDIR": str(tmp_path),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"), "GITHUB_OUTPUT": str(tmp_path / "output"),
    }  # fmt: skip
    done = run("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script, at=tmp_path, env=env)
    assert done.returncode == code, done.stdout + done.stderr
    assert "P3.accuracy" in (tmp_path / "summary.md").read_text(encoding="utf-8")
    written = dict(line.split("=", 1) for line in (tmp_path / "output").read_text(encoding="utf-8").splitlines())
    assert json.loads(Path(written["sarif"]).read_bytes())["version"] == "2.1.0"
    assert "<testsuites>" in Path(written["junit"]).read_text(encoding="utf-8")


def test_the_action_fits_the_schema_of_actions() -> None:
    """Held against GitHub's schema by an outside tool."""
    tool = PEER / "check-jsonschema"
    if not tool.exists():
        pytest.skip(f"the environment of outside readers is not there ({tool}); scripts/test makes it")
    done = run(tool, "--builtin-schema", "vendor.github-actions", REPO / "action.yml", at=REPO)
    assert done.returncode == 0, done.stdout
