"""An assessment of an endpoint: sealed, repeatable, within its budget to the call, never fooled by a bad server."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
pytest.importorskip("h2", reason="the extra endpoint is not installed")

from tests.few import PROGRAM
from tests.subject.endpoint_apps import UNDECLARED, endpoint_app, onnx_model, other_model
from tests.subject.oip_server import Faults, Running, Served, _bomb, self_signed

from fivefold.assess.probe import probe
from fivefold.assess.reproduce import reproduce
from fivefold.assess.run import Assessment, Options, Step, assess
from fivefold.contract.codec import canonical
from fivefold.contract.outcome import Outcome
from fivefold.errors import InputError, TrustError
from fivefold.evidence.application import newest_manifest, observe, read_folder
from fivefold.evidence.verify import verify
from fivefold.keys import store
from fivefold.manifest.digests import data_digests
from fivefold.subject.elsewhere import kept_ledger

if TYPE_CHECKING:
    from pathlib import Path

ONE = ("P3.accuracy",)
"""A check that only asks for the test rows."""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return a model, and one that answers the other way round."""
    place = tmp_path_factory.mktemp("models")
    return {"model": onnx_model(place / "m.onnx"), "other": onnx_model(place / "o.onnx", flipped=True)}


def quick(**more: Any) -> Options:
    """Return options of a small run."""
    return Options(effort="quick", **more)


def outcomes(done: Assessment) -> dict[str, Outcome]:
    """Return check id to outcome."""
    return {finding.check: finding.result.outcome for finding in done.findings}


ASKING = ("F1.gaps", "F1.individual", "F1.m", "F1.proxies", "P1.", "P2.detection", "P2.extraction", "P2.shaping", "P3.")
"""How the names of the checks begin that ask the endpoint of these applications."""


def not_run(done: Assessment) -> set[str]:
    """Return the checks that were not run."""
    return {check for check, one in outcomes(done).items() if one is Outcome.NOT_RUN}


def asking(done: Assessment) -> list[str]:
    """Return the checks that the plan gives calls."""
    return [check.check for check in done.plan.checks if check.status == "run" and "budget of" in check.cost]


def reasons(done: Assessment) -> str:
    """Return every reason, as one text."""
    return " ".join(finding.result.reason for finding in done.findings)


@pytest.mark.parametrize("kind", ["rest", "grpc"])
def test_an_endpoint_is_assessed_and_the_evidence_holds(tmp_path: Path, files: dict[str, Path], kind: str) -> None:
    """Everything that asks is measured, the budget is stated and kept, and whoever verifies makes the same plan."""
    with Running(Served(files["model"]), kind) as running:
        manifest = endpoint_app(tmp_path / "app", running.url, calls=2000)
        done = assess(manifest, quick())
        asked = len(running.served.requests)
    folder = read_folder(manifest.root / "evidence")
    application = observe(manifest.root, newest_manifest(folder, manifest.root))  # type: ignore[arg-type]
    assert verify(folder, store.read_trust(), store.utc_now(), application=application).problems == ()
    fact = done.plan.facts.model
    assert fact is not None
    assert (fact.kind, fact.task, fact.classes, fact.calls) == (kind, "binary", ("no", "yes"), 2000)
    assert fact.scores
    assert fact.deterministic
    assert fact.perturbable
    assert len(fact.observed) == 64
    assert Outcome.ERROR not in outcomes(done).values()
    assert not_run(done) == UNDECLARED
    assert outcomes(done)["P3.accuracy"] is Outcome.PASS
    assert asked <= 2000
    assert "of the budget of 2,000 calls" in next(c.cost for c in done.plan.checks if c.check == "P3.accuracy")
    assert not kept_ledger(manifest, data_digests(manifest)).stat().st_size


def test_findings_are_byte_identical_whatever_the_order_and_the_failures(
    tmp_path: Path, files: dict[str, Path]
) -> None:
    """Two workers or one, a steady server or one that fails now and then: the same bytes."""
    found = []
    with Running(Served(files["model"])) as running:
        for name, workers, faults in (("a", 1, Faults()), ("b", 2, Faults("random-500", after=30, share=0.1))):
            running.served.inferences, running.served.faults = 0, faults
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("XDG_STATE_HOME", str(tmp_path / name / "state"))
                manifest = endpoint_app(tmp_path / "app", running.url, calls=3000)
                done = assess(manifest, quick(workers=workers, evidence=tmp_path / name / "evidence"))
            found.append([canonical(finding) for finding in done.findings])
    assert found[0] == found[1]


@pytest.mark.usefixtures("few_checks")
def test_the_same_findings_come_out_again_only_from_the_same_model(tmp_path: Path, files: dict[str, Path]) -> None:
    """Reproduction asks the endpoint first who it is."""
    with Running(Served(files["model"], files["other"])) as running:
        manifest = endpoint_app(tmp_path / "app", running.url, calls=2000)
        done = assess(manifest, quick())
        chosen = [finding for finding in done.findings if finding.check in ONE]
        started = store.utc_now()
        (again,) = reproduce(manifest, done.plan, chosen, trust=b"", started=started)
        assert again.same
        running.served.faults = Faults("swap")
        with pytest.raises(TrustError) as caught:
            reproduce(manifest, done.plan, chosen, trust=b"", started=started)
    assert caught.value.code == "reproduce.changed"


@pytest.mark.usefixtures("few_checks")
@pytest.mark.parametrize(("most", "calls"), [(1, 120), (1, 400), (8, 60), (0, 20)])
def test_the_budget_is_kept_to_the_call(tmp_path: Path, files: dict[str, Path], most: int, calls: int) -> None:
    """What the server counted is never more than the plan stated, and what could not be asked says so."""
    with Running(Served(files["model"], most=most)) as running:
        manifest = endpoint_app(tmp_path / "app", running.url, calls=calls)
        done = assess(manifest, quick(workers=2))
        assert len(running.served.requests) <= calls
    assert set(asking(done)) <= set(outcomes(done))
    assert all(finding.result.reason for finding in done.findings)
    if not done.plan.facts.model or done.plan.facts.model.error:
        assert "budget of calls is spent" in reasons(done)


@pytest.mark.usefixtures("few_checks")
def test_site_yaml_lowers_the_budget(tmp_path: Path, files: dict[str, Path]) -> None:
    """The plan states the lower number, and the run keeps it."""
    with Running(Served(files["model"], most=20)) as running:
        manifest = endpoint_app(tmp_path / "app", running.url, calls=2000, site={"endpoint": {"calls": 90}})
        done = assess(manifest, quick())
        assert len(running.served.requests) <= 90
    assert done.plan.facts.model is not None
    assert done.plan.facts.model.calls == 90


@pytest.mark.usefixtures("few_checks")
def test_a_run_that_is_taken_up_again_has_the_rest_of_the_budget(tmp_path: Path, files: dict[str, Path]) -> None:
    """Stopped after the first finding: the finding is kept, and both runs together stay within the budget."""
    with Running(Served(files["model"], most=10)) as running:
        manifest = endpoint_app(tmp_path / "app", running.url, calls=500)

        def stop(step: Step) -> None:
            if step.kind == "finished":
                raise KeyboardInterrupt

        with contextlib.suppress(KeyboardInterrupt):
            assess(manifest, quick(workers=1), watch=stop)
        before = len(running.served.requests)
        assert before > 0
        done = assess(manifest, quick(workers=1))
        assert done.resumed
        assert before < len(running.served.requests) <= 500


@pytest.mark.usefixtures("few_checks")
def test_a_server_that_dies_half_way_leaves_the_findings_so_far(tmp_path: Path, files: dict[str, Path]) -> None:
    """What was finished stands; what was not says that the endpoint is gone."""
    with Running(Served(files["model"])) as running:
        manifest = endpoint_app(tmp_path / "app", running.url, calls=2000, site={"endpoint": {"waiting": 2}})

        def stop(step: Step) -> None:
            asked = step.kind == "finished" and step.check.startswith(ASKING)
            if asked and running.served.faults.kind == "":
                running.served.faults = Faults("nothing")
                running.stop()
                running.stop = lambda: None  # type: ignore[method-assign]

        done = assess(manifest, quick(workers=1), watch=stop)
    kinds = [outcomes(done)[check] for check in asking(done)]
    assert len(kinds) > 2
    assert kinds.count(Outcome.ERROR) == len(kinds) - 1
    assert "cannot be reached" in reasons(done) or "ended the connection" in reasons(done)


@pytest.mark.usefixtures("few_checks")
def test_a_model_that_changes_during_the_run_voids_what_it_touches(tmp_path: Path, files: dict[str, Path]) -> None:
    """The canary rows get other answers: no finding of that check or a later one is made."""
    with Running(Served(files["model"], files["other"])) as running:
        manifest = endpoint_app(tmp_path / "app", running.url, calls=2000)

        def swap(step: Step) -> None:
            if step.kind == "finished" and step.check.startswith(ASKING):
                running.served.faults = Faults("swap")

        done = assess(manifest, quick(workers=1), watch=swap)
    void = [finding for finding in done.findings if "the model changed during the run" in finding.result.reason.lower()]
    assert len(void) == len(asking(done)) - 1 > 1
    assert all(finding.result.outcome is Outcome.ERROR for finding in void)


def test_a_model_that_changes_within_a_check_voids_it(tmp_path: Path, files: dict[str, Path]) -> None:
    """It was itself at the start, and somebody else at the end."""
    with Running(Served(files["model"], files["other"])) as running:
        manifest = endpoint_app(tmp_path / "app", running.url, calls=2000)
        probe(manifest)
        learned = running.served.inferences
        running.served.inferences, running.served.faults = 0, Faults("swap", after=learned + 1)
        done = assess(manifest, quick(only=ONE))
    (finding,) = done.findings
    assert finding.result.outcome is Outcome.ERROR
    assert "model changed during the run" in finding.result.reason


BAD = [
    ("classes", "class|answers with"),
    ("shape", "wrongly shaped"),
    ("500", "failed"),
    ("huge", "passes"),
    ("bomb", "passes"),
    ("dtype", "datatype"),
    ("redirect", "sends elsewhere"),
    ("html", "page for people"),
    ("hang-up", "ended the connection"),
    ("slow", "did not answer within"),
    ("busy", "fewer calls"),
]


def test_scores_that_are_no_numbers_are_never_judged(tmp_path: Path, files: dict[str, Path]) -> None:
    """NaN from the start: labels alone are used, and that is said. NaN later: an error."""
    with Running(Served(files["model"])) as running:
        manifest = endpoint_app(tmp_path / "app", running.url, calls=2000)
        running.served.faults = Faults("nan")
        done = assess(manifest, quick(only=ONE))
        assert any("scores are not used" in limit for limit in done.findings[0].result.limits)
        running.served.faults, running.served.inferences = Faults(), 0
        probe(manifest)
        running.served.faults = Faults("nan", after=running.served.inferences)
        running.served.inferences = 0
        done = assess(manifest, quick(only=ONE))
    assert done.findings[0].result.outcome is Outcome.ERROR


@pytest.mark.parametrize("from_the_start", [True, False])
@pytest.mark.parametrize(("kind", "words"), BAD)
def test_a_bad_server_costs_the_check_and_says_why(
    tmp_path: Path, files: dict[str, Path], kind: str, words: str, from_the_start: bool
) -> None:
    """Bad from the start, or after the probe: an error with its reason, never a judgement."""
    import re

    site = {"endpoint": {"seconds": 0.5, "waiting": 1.5}}
    _bomb()
    with Running(Served(files["model"])) as running:
        manifest = endpoint_app(tmp_path / "app", running.url, calls=2000, site=site)
        faults = Faults(kind, seconds=1.0, to="http://169.254.169.254/v2/models/m/infer")
        if not from_the_start:
            probe(manifest)
            faults.after, running.served.inferences = running.served.inferences, 0
        running.served.faults = faults
        done = assess(manifest, quick(only=ONE))
    (finding,) = done.findings
    assert finding.result.outcome is Outcome.ERROR
    assert re.search(words, finding.result.reason), finding.result.reason


def test_answers_in_another_order_than_the_rows_are_noticed(tmp_path: Path, files: dict[str, Path]) -> None:
    """Each answer is plausible, and belongs to another row."""
    with Running(Served(files["model"])) as running:
        running.served.faults = Faults("reversed")
        done = assess(endpoint_app(tmp_path / "app", running.url), quick(only=ONE))
    assert outcomes(done)["P3.accuracy"] is Outcome.ERROR
    assert "not in the order of the rows" in reasons(done)


def test_a_model_that_is_another_for_a_while_is_noticed(tmp_path: Path, files: dict[str, Path]) -> None:
    """It was itself at the start and at the end of the check, and somebody else between."""
    with Running(Served(files["model"], files["other"], most=1)) as running:
        manifest = endpoint_app(tmp_path / "app", running.url)
        probe(manifest)
        begun = running.served.inferences + 8
        running.served.inferences = 0
        running.served.faults = Faults("swap", after=begun + 120, until=begun + 240)
        done = assess(manifest, quick(only=ONE))
        assert running.served.inferences > begun + 240 or outcomes(done)["P3.accuracy"] is Outcome.ERROR
    assert "model changed during the run" in reasons(done)


@pytest.mark.usefixtures("few_checks")
def test_a_model_whose_answers_vary_is_told_from_one_that_changed(tmp_path: Path, files: dict[str, Path]) -> None:
    """Noise on the scores: every finding says that figures may differ. Another model is noticed all the same."""
    with Running(Served(files["model"], files["other"])) as running:
        running.served.faults = Faults("noise")
        manifest = endpoint_app(tmp_path / "app", running.url, calls=2000)
        done = assess(manifest, quick(workers=1))
        assert done.plan.facts.model is not None
        assert not done.plan.facts.model.deterministic
        assert not [name for name in asking(done) if outcomes(done)[name] is Outcome.ERROR], reasons(done)
        said = next(finding.result.limits for finding in done.findings if finding.check == "P3.accuracy")
        assert any("got different answers" in limit for limit in said)
        running.served.faults = Faults("noise")
        running.served.inferences = 0
        probe(manifest)
        learned, running.served.inferences = running.served.inferences, 0
        running.served.faults = Faults("swap", after=learned + 1)
        done = assess(manifest, quick(only=ONE))
    assert outcomes(done)["P3.accuracy"] is Outcome.ERROR


@pytest.mark.parametrize(
    ("task", "model"),
    [("regression", {}), ("multiclass", {}), ("logits", {"output": "logits"})],
)
@pytest.mark.parametrize("kind", ["rest", "grpc"])
def test_every_task_is_assessed(
    tmp_path: Path, task: str, model: dict[str, Any], kind: str, request: pytest.FixtureRequest
) -> None:
    """Values, three classes, and logits where they are declared; over gRPC without the dearest checks."""
    if kind == "grpc":
        request.getfixturevalue("few_checks")
    file, rows = other_model(tmp_path / "m.onnx", task)
    with Running(Served(file), kind) as running:
        manifest = endpoint_app(tmp_path / "app", running.url, calls=2000, table=rows, **model)
        done = assess(manifest, quick())
    assert done.plan.facts.model is not None
    assert done.plan.facts.model.task == ("regression" if task == "regression" else "multiclass")
    assert outcomes(done)["P3.accuracy"] is Outcome.PASS
    assert Outcome.ERROR not in outcomes(done).values(), reasons(done)
    # values have no scores; three classes have no single threshold
    values = UNDECLARED - {"P3.backdoor"} | {"P2.shaping"}
    expected = values if task == "regression" else UNDECLARED | {"P3.operating-point"}
    assert not_run(done) == expected & set(outcomes(done))


def test_an_application_may_train_what_is_served_elsewhere(tmp_path: Path, files: dict[str, Path]) -> None:
    """A training function beside an endpoint: retrained models run here, in processes without a network."""
    train = """
import socket
from sklearn.linear_model import LogisticRegression

def fit(table, rng):
    try:
        socket.create_connection(("127.0.0.1", 9), timeout=1)
    except PermissionError:
        return LogisticRegression().fit(table.features, table.target)
    raise RuntimeError("there is a network")
"""
    with Running(Served(files["model"])) as running:
        (tmp_path / "app").mkdir()
        (tmp_path / "app" / "train.py").write_text(train)
        manifest = endpoint_app(
            tmp_path / "app", running.url, calls=2000, rows=400, more={"training": {"factory": "train:fit"}}
        )
        done = assess(manifest, quick(only=("P3.membership",)))
    assert done.plan.facts.model is not None
    assert done.plan.facts.model.retrains
    assert outcomes(done)["P3.membership"] in (Outcome.PASS, Outcome.INCONCLUSIVE), reasons(done)


def test_a_strangers_certificate_is_not_spoken_to(tmp_path: Path, files: dict[str, Path]) -> None:
    """No call is made; with the authority named in site.yaml it works."""
    certificate = self_signed(tmp_path, "own", "127.0.0.1")
    with Running(Served(files["model"]), "rest", certificate) as running:
        stranger = assess(endpoint_app(tmp_path / "a", running.url), quick(only=ONE))
        assert "certificate does not hold" in reasons(stranger)
        assert running.served.requests == []
        manifest = endpoint_app(tmp_path / "b", running.url, site={"endpoint": {"ca": str(certificate[0])}})
        done = assess(manifest, quick(only=ONE))
    assert outcomes(done)["P3.accuracy"] is Outcome.PASS


@pytest.mark.usefixtures("few_checks")
def test_the_rate_of_site_yaml_is_kept_over_all_processes(tmp_path: Path, files: dict[str, Path]) -> None:
    """Two checks at a time ask no more often than one."""
    import time

    with Running(Served(files["model"])) as running:
        manifest = endpoint_app(tmp_path / "app", running.url, calls=200, site={"endpoint": {"rate": 20}})
        begun = time.monotonic()
        assess(manifest, quick(workers=2))
        took, asked = time.monotonic() - begun, len(running.served.requests)
    assert took >= (asked - 1) / 20


@pytest.mark.usefixtures("few_checks")
@pytest.mark.parametrize("kind", ["rest", "grpc"])
def test_ctrl_c_ends_everything_at_once(tmp_path: Path, files: dict[str, Path], kind: str) -> None:
    """The program is stopped while an endpoint lets it wait: no process is left, and the run can be taken up again."""
    import os
    import signal
    import subprocess
    import time

    with Running(Served(files["model"]), kind) as running:
        manifest = endpoint_app(tmp_path / "app", running.url, calls=500)
        running.served.faults = Faults("slow", after=20, seconds=60.0)
        command = [*PROGRAM, "assess", str(manifest.root), "--effort", "quick"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(os.environ))
        while running.served.inferences <= 20 and process.poll() is None:
            time.sleep(0.05)
        begun = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) != 0
        assert time.monotonic() - begun < 15
        before = len(running.served.requests)
        running.served.faults = Faults()
        done = assess(manifest, quick())
        assert done.resumed
        assert before < len(running.served.requests) <= 500
    assert outcomes(done)["P3.accuracy"] is Outcome.PASS


def test_nobody_there_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    """No server at all: the checks that need one say so, the others run."""
    manifest = endpoint_app(
        tmp_path / "app", "http://127.0.0.1:9/v2/models/m", calls=100, site={"endpoint": {"waiting": 0.5}}
    )
    done = assess(manifest, quick())
    assert not_run(done) == UNDECLARED - {"F1.challenge", "P3.backdoor"}  # they ask for the model first
    assert outcomes(done)["P3.accuracy"] is Outcome.ERROR
    assert "cannot be reached" in reasons(done)


@pytest.mark.parametrize(
    ("url", "model", "site", "code"),
    [
        ("http://192.0.2.1/v2/models/m", {}, {}, "endpoint.plain"),
        ("grpc://192.0.2.1:8001/m", {}, {}, "endpoint.plain"),
        ("http://169.254.169.254/v2/models/m", {"plain": True, "private": True}, {}, "endpoint.host"),
        ("https://0.0.0.0/v2/models/m", {}, {}, "endpoint.host"),
        ("https://models.example.org/v2/models/m", {}, {"hosts": ["other.example.org"]}, "site.host"),
        ("https://192.0.2.1/v2/models/m", {}, {"token": {"env": "NO_SUCH_VARIABLE"}}, "site.token"),
        ("http://192.0.2.1/v2/models/m", {"plain": True}, {"token": {"env": "HOME"}}, "site.token"),
    ],
)
def test_what_may_not_be_spoken_to_is_refused_before_anything_runs(
    tmp_path: Path, url: str, model: dict[str, Any], site: dict[str, Any], code: str
) -> None:
    """No plain text to other machines, no addresses of this link, no host outside the list, no token in the clear."""
    manifest = endpoint_app(tmp_path / "app", url, site={"endpoint": site}, **model)
    with pytest.raises(InputError) as caught:
        assess(manifest, quick())
    assert caught.value.code == code


@pytest.mark.usefixtures("few_checks")
def test_no_token_stands_in_the_evidence(tmp_path: Path, files: dict[str, Path]) -> None:
    """The token is read from its file, sent to the endpoint, and written nowhere."""
    secret = "kept-secret-4711"
    with Running(Served(files["model"], token=secret)) as running:
        manifest = endpoint_app(tmp_path / "app", running.url, site={"endpoint": {"token": {"file": "token"}}})
        (manifest.root / "token").write_text(secret + "\n")
        done = assess(manifest, quick())
    assert outcomes(done)["P3.accuracy"] is Outcome.PASS
    written = [path for path in (manifest.root / "evidence").rglob("*") if path.is_file()]
    assert written
    assert not any(secret.encode() in path.read_bytes() for path in written)
