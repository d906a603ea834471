"""The guard in front of a server that others run: MLServer, and one that fails on demand."""

from __future__ import annotations

import contextlib
import subprocess
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
pytest.importorskip("h2", reason="the extra endpoint is not installed")

from tests.guard import signed
from tests.guard.test_serve import COMMAND, infer, loading, serving
from tests.subject.endpoint_apps import endpoint_app, onnx_model
from tests.subject.mlserver_peer import mlserver
from tests.subject.oip_server import Faults, Running, Served

from fivefold.guard import Guard, upstream
from fivefold.guard.nouns import RefusedError
from fivefold.guard.tokens import Tokens
from fivefold.traceability.recorder.opening import home as place_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROW = {"weight": 1.5, "height": -1.0, "age": 0.25}
MORE: dict[str, Any] = {
    "purposes": ["sorting", "testing"],
    "benefit": {"measure": "share sorted well", "target": 0.7},
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A model, and one that answers the other way round."""
    place = tmp_path_factory.mktemp("models")
    return onnx_model(place / "model.onnx"), onnx_model(place / "flipped.onnx", flipped=True)


@contextlib.contextmanager
def before(
    root: Path, files: tuple[Path, Path], kind: str = "rest", seconds: float = 2.0, **more: Any
) -> Iterator[tuple[Guard, Running]]:
    """A guard before a server."""
    with Running(Served(files[0], files[1], **more), kind) as running:
        manifest = endpoint_app(root / "app", running.url, more=MORE, site={"endpoint": {"seconds": seconds}})
        with Guard(manifest.root) as guard:
            yield guard, running


def ask(guard: Guard) -> Any:
    return guard.decide(ROW, caller="branch-12", purpose="sorting")


@pytest.mark.parametrize("kind", ["rest", "grpc"])
def test_what_the_server_says_goes_through_the_chain(tmp_path: Path, files: tuple[Path, Path], kind: str) -> None:
    """Answer, scores and reason; the record names the model as observed, and keeps what it said."""
    import onnxruntime as ort

    with before(tmp_path, files, kind) as (guard, _):
        decision = ask(guard)
        label, scores = ort.InferenceSession(files[0]).run(None, {"input": np.float32([list(ROW.values())])})
        assert decision.answers == (label[0],)
        assert decision.scores is not None
        assert decision.scores[0] == pytest.approx(scores[0].tolist(), abs=1e-6)
        assert decision.reasons[0].text
        with pytest.raises(RefusedError) as refused:
            guard.decide({**ROW, "weight": "heavy"}, caller="b", purpose="sorting")
        assert refused.value.code == "guard.type"
        observed, home = guard.model, place_of(guard.manifest)
    records = list(home.reading().search(case="guard", kind="model-change"))
    assert records[0].body.fields["signed by"] == "observed, not signed"
    assert records[0].body.fields["digest"] == observed
    assert len(observed) == 64


@pytest.mark.parametrize("kind", ["rest", "grpc"])
@pytest.mark.parametrize("fault", ["500", "shape", "nan", "classes", "slow", "busy"])
def test_a_server_that_fails_refuses_and_nothing_passes(
    tmp_path: Path, files: tuple[Path, Path], kind: str, fault: str
) -> None:
    """Status 503, on record; when it is well again, so is the guard."""
    with before(tmp_path, files, kind, seconds=1.0) as (guard, running):
        running.served.faults = Faults(fault, seconds=3.0)
        with pytest.raises(RefusedError) as refused:
            ask(guard)
        assert (refused.value.code, refused.value.status) == ("guard.model", 503)
        assert running.url.split("/")[2] not in str(refused.value)
        running.served.faults = Faults()
        assert ask(guard).answers
        home = place_of(guard.manifest)
    told = [item.body.fields for item in home.reading().search(kind="decision")]
    assert [fields.get("refused", "") for fields in told] == ["guard.model", ""]


@pytest.mark.parametrize("fault", ["hang-up", "nothing", "html", "redirect", "huge", "bomb", "dtype"])
def test_what_is_no_answer_is_none(tmp_path: Path, files: tuple[Path, Path], fault: str) -> None:
    """Pages, redirects, answers beyond the cap, types that are none."""
    with before(tmp_path, files) as (guard, running):
        running.served.faults = Faults(fault, to=running.url)
        with pytest.raises(RefusedError) as refused:
            ask(guard)
        assert refused.value.code == "guard.model"


def test_a_server_that_is_gone_refuses_until_it_is_back(tmp_path: Path, files: tuple[Path, Path]) -> None:
    """Connection refused."""
    with before(tmp_path, files) as (guard, running):
        running.stop()
        with pytest.raises(RefusedError) as refused:
            ask(guard)
        assert (refused.value.code, refused.value.status) == ("guard.model", 503)


def test_another_model_behind_the_same_address_stops_the_guard(
    tmp_path: Path, files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The canary rows get other answers: alarm on record, 503 from then on; opened anew it is refused as well."""
    monkeypatch.setattr(upstream, "_EVERY", 0.2)
    with Running(Served(files[0], files[1]), "rest") as running:
        manifest = endpoint_app(tmp_path / "app", running.url, more=MORE)
        with Guard(manifest.root) as guard:
            assert ask(guard).answers
            running.served.faults = Faults("swap")
            end = time.monotonic() + 10
            while not guard.stopped and time.monotonic() < end:
                time.sleep(0.1)
            assert "changed" in guard.stopped
            with pytest.raises(RefusedError) as refused:
                ask(guard)
            assert refused.value.code == "guard.stopped"
            time.sleep(0.3)
        alarms = list(place_of(manifest).reading().search(case="guard", kind="alarm"))
        assert "changed" in alarms[0].body.fields["why"]
        with pytest.raises(Exception, match="served before") as again:
            Guard(manifest.root)
        assert getattr(again.value, "code", "") == "guard.same-version"


def test_the_flag_must_name_the_declared_endpoint(tmp_path: Path, files: tuple[Path, Path]) -> None:
    """The server's address or the model's; anything else is refused before anything is asked."""
    with Running(Served(files[0]), "rest") as running:
        manifest = endpoint_app(tmp_path / "app", running.url, more=MORE)
        asked = len(running.served.requests)
        for url in ("http://127.0.0.1:9/v2/models/m", "http://127.0.0.1:9", "nonsense"):
            words = [*COMMAND, str(manifest.root), "--upstream", url, "--allow-unattained", "--port", "0"]
            ended = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
            assert (ended.returncode, "guard.upstream" in ended.stderr) == (2, True), ended.stderr
        assert len(running.served.requests) == asked
        server = running.url.partition("/v2/")[0]
        with serving(manifest.root, "--allow-unattained", "--upstream", server) as served:
            assert served.ask(f"{served.model}/infer", infer(ROW))[0] == 200
            assert served.ask(f"{served.url}/v2")[1]["model"] == "observed, not signed"
            operator, _ = Tokens(manifest.application.id).issue(manifest, "ops", "operator", (), 1)
            file = manifest.root / "fivefold.yaml"
            file.write_text(file.read_text().replace(server, "http://127.0.0.1:9"))
            status, told = loading(served, operator)  # another server gets in at no later time either
            assert (status, "guard.upstream" in told["error"]) == (409, True), told


def test_evidence_of_another_model_opens_no_port(tmp_path: Path, files: tuple[Path, Path]) -> None:
    """The endpoint was assessed, then swapped: what is seen is not what the evidence is of."""
    with Running(Served(files[0], files[1]), "rest") as running:
        manifest = endpoint_app(tmp_path / "app", running.url, more={**MORE, "use": {"output": "statistic"}})
        file = manifest.root / "fivefold.yaml"
        file.write_text(file.read_text().replace("level: 2", "level: 1"))
        assert signed.command("assess", manifest.root, "--effort", "quick") in {0, 1, 3}
        running.served.faults = Faults("swap")
        words = [*COMMAND, str(manifest.root), "--port", "0"]
        ended = subprocess.run(words, capture_output=True, text=True, timeout=90, check=False)
    assert ended.returncode == 2
    assert "guard.unattained" in ended.stderr


@pytest.mark.slow
def test_mlserver_behind_the_guard(tmp_path: Path) -> None:
    """A real one, with columns of text: the answers are its own, and every one has its record."""
    from tests.subject.endpoint_apps import numbers

    table = numbers(600, 1, texts=True).drop(columns=["group"])
    table.to_csv(tmp_path / "train.csv", index=False)
    with mlserver(tmp_path / "server", tmp_path / "train.csv", "answer") as (url, _):
        manifest = endpoint_app(tmp_path / "app", url, table=table, more=MORE)
        with Guard(manifest.root) as guard:
            for at in range(20):
                row = table.drop(columns="answer").iloc[at].to_dict()
                decision = guard.decide(row, caller="b", purpose="sorting")
                assert decision.answers[0] in ("yes", "no")
            home = place_of(manifest)
    assert len(list(home.reading().search(kind="decision"))) == 20
