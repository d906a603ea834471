"""A guard in operation: too much at once, its end, its metrics, and what it tells other systems."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import threading
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from tests.guard import signed
from tests.guard.signed import ROW
from tests.guard.test_serve import infer, serving
from tests.subject.apps import RULE

from fivefold.errors import InputError
from fivefold.guard import Guard
from fivefold.guard.events import Events
from fivefold.guard.gate import Gate
from fivefold.guard.http import App
from fivefold.guard.metrics import Metrics
from fivefold.guard.service import Service
from fivefold.guard.tokens import Tokens
from fivefold.manifest import site
from fivefold.manifest.reader import read
from fivefold.traceability.recorder.opening import home as place_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SLOW = RULE.replace(
    "def predict_proba(self, frame):\n",
    "def predict_proba(self, frame):\n        if len(frame) == 3:\n            import time; time.sleep(1)\n",
)


def token_of(root: Path, role: str) -> str:
    token, _ = Tokens(root.name).issue(read(root), role, role, ("sorting",) if role == "caller" else (), 1)
    return token


def posted(root: Path, token: str, body: dict[str, Any]) -> tuple[dict[str, Any], Any]:
    """Return scope and receive of a request."""
    path = f"/v2/models/{root.name}/infer"
    headers = [(b"authorization", f"Bearer {token}".encode())]

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}

    return {"type": "http", "method": "POST", "path": path, "headers": headers}, receive


async def asked(app: App, scope: dict[str, Any], receive: Any) -> tuple[int, dict[bytes, bytes], Any]:
    """Return status, headers and document."""
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent[0]["status"], dict(sent[0]["headers"]), json.loads(sent[1]["body"])


def test_one_too_many_is_turned_away_at_once_and_counted(tmp_path: Path) -> None:
    """503 with Retry-After while two are in hand; they get their answers; the record counts those turned away."""
    root = signed.application(tmp_path / "busy", SLOW)
    token = token_of(root, "caller")
    with Guard(root) as guard:
        app = App(Service(guard, Tokens(root.name), {}, gate=Gate(2)))

        async def many() -> list[tuple[int, dict[bytes, bytes], Any]]:
            return await asyncio.gather(*(asked(app, *posted(root, token, infer(ROW, 3))) for _ in range(6)))

        began = time.monotonic()
        told = asyncio.run(many())
        assert time.monotonic() - began < 10
    statuses = sorted(status for status, _, _ in told)
    assert statuses == [200, 200, 503, 503, 503, 503]
    for status, headers, document in told:
        if status == 503:
            assert (document["code"], headers[b"retry-after"]) == ("guard.busy", b"1")
    (gap,) = place_of(read(root)).reading().search(kind="gap")
    assert gap.body.fields["refused without a record"] == 4


def test_a_fault_of_our_own_says_nothing_of_what_went_on_inside(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """500 in the protocol's form, counted."""
    token = token_of(app, "caller")
    with Guard(app) as guard:
        service = Service(guard, Tokens(app.name), {})

        def fails(*_: Any) -> Any:
            raise RuntimeError("secret detail")

        monkeypatch.setattr(service, "infer_soon", fails)
        status, _, document = asyncio.run(asked(App(service), *posted(app, token, infer(ROW))))
    assert (status, document["code"]) == (500, "guard.internal")
    assert "secret" not in json.dumps(document)


def test_what_is_in_hand_is_answered_before_it_ends(tmp_path: Path) -> None:
    """SIGTERM during a slow answer: it comes, then the port is closed, and the record ends in good order."""
    root = signed.application(tmp_path / "drained", SLOW)
    told: list[Any] = []
    with serving(root, "--allow-unattained") as served:
        asking = threading.Thread(target=lambda: told.append(served.ask(f"{served.model}/infer", infer(ROW, 3))))
        asking.start()
        time.sleep(0.5)
        served.process.send_signal(signal.SIGTERM)
        asking.join(30)
        assert served.process.wait(30) == 0
        assert told[0][0] == 200
        with pytest.raises(urllib.error.URLError):
            served.ask(f"{served.url}/v2/health/live")
    (closed,) = place_of(read(root)).reading().search(kind="status")
    assert closed.body.fields["guard"] == "closed"


def test_metrics_are_for_operators_and_hold_no_words_of_callers(app: Path) -> None:
    """Answers, refusals by code, seconds by stage; nothing that anybody wrote."""
    with serving(app, "--allow-unattained") as served:
        for _ in range(3):
            assert served.ask(f"{served.model}/infer", infer(ROW, case="case-of-jane"))[0] == 200
        served.ask(f"{served.model}/infer", infer({**ROW, "weight": 500.0}))
        served.ask(f"{served.model}/infer", infer(ROW, purpose="no such purpose"))
        served.ask(f"{served.model}/infer", infer(ROW), token="stranger")
        assert served.ask(f"{served.url}/metrics")[0] == 403
        assert served.ask(f"{served.url}/metrics", token="stranger")[0] == 401
        request = urllib.request.Request(
            f"{served.url}/metrics", headers={"Authorization": f"Bearer {token_of(app, 'operator')}"}
        )
        with urllib.request.urlopen(request) as answer:
            kind, text = answer.headers["Content-Type"], answer.read().decode()
    assert kind.startswith("text/plain; version=0.0.4")
    lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert lines["fivefold_guard_answers_total"] == "3"
    assert lines['fivefold_guard_refusals_total{code="guard.range"}'] == "1"
    assert lines['fivefold_guard_refusals_total{code="guard.purpose"}'] == "1"
    assert lines['fivefold_guard_refusals_total{code="guard.token"}'] == "2"
    assert lines['fivefold_guard_refusals_total{code="guard.role"}'] == "1"
    assert lines['fivefold_guard_stage_seconds_count{stage="model"}'] == "3"
    assert lines['fivefold_guard_stage_seconds_bucket{stage="model",le="+Inf"}'] == "3"
    assert float(lines['fivefold_guard_stage_seconds_sum{stage="model"}']) > 0
    assert lines["fivefold_guard_model_restarts_total"] == "0"
    assert "500" not in " ".join(lines)  # among the names: a sum of seconds may hold these digits
    for word in ("jane", "no such purpose", "branch-12", "stranger"):
        assert word not in text


def test_the_metrics_are_read_by_prometheus_own_parser() -> None:
    """Families, types and buckets; codes that nobody expects end in one label."""
    parser = pytest.importorskip("prometheus_client.parser", reason="prometheus-client is not installed")
    metrics = Metrics()
    metrics("answer", {"stages": {"model": 3.0, "domain": 0.05}})
    for at in range(500):
        metrics("refusal", {"code": f"code-{at}"})
    metrics("alarm", {"why": "it changed"})
    found = {one.name: one for one in parser.text_string_to_metric_families(metrics.text({"answering": 1.0}).decode())}
    assert found["fivefold_guard_answers"].type == "counter"
    assert found["fivefold_guard_stage_seconds"].type == "histogram"
    assert found["fivefold_guard_answering"].samples[0].value == 1
    refusals = {sample.labels["code"]: sample.value for sample in found["fivefold_guard_refusals"].samples}
    assert (len(refusals), refusals["other"], sum(refusals.values())) == (201, 300, 500)
    buckets = {
        sample.labels["le"]: sample.value
        for sample in found["fivefold_guard_stage_seconds"].samples
        if sample.name.endswith("_bucket") and sample.labels["stage"] == "model"
    }
    assert (buckets["0.0025"], buckets["0.005"], buckets["+Inf"]) == (0, 1, 1)


@contextlib.contextmanager
def listening(*statuses: int) -> Iterator[tuple[str, list[tuple[dict[str, str], Any]]]]:
    """A system that is told, and what it got; it answers with these statuses, the last one for good."""
    got: list[tuple[dict[str, str], Any]] = []
    ahead = list(statuses) or [204]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            return None

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.append((dict(self.headers), json.loads(body)))
            self.send_response(ahead.pop(0) if len(ahead) > 1 else ahead[0])
            self.send_header("Content-Length", "0")
            self.end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/hook?x=1", got
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_refusals_are_told_as_cloud_events(app: Path) -> None:
    """With code, field and record; no value, no caller; with the token of site.yaml."""
    with listening() as (url, got):
        (app / "secret").write_text("tell-me")
        (app / "site.yaml").write_text(f"events: {{url: '{url}', token: {{file: secret}}}}\n")
        with serving(app, "--allow-unattained") as served:
            told = served.ask(f"{served.model}/infer", infer({**ROW, "weight": 500.0}, subject="Jane"))[1]
            assert served.ask(f"{served.model}/infer", infer(ROW))[0] == 200
            served.ask(f"{served.model}/infer", infer(ROW), token="stranger")
    assert [event["data"] for _, event in got] == [
        {"code": "guard.range", "field": "weight"}, {"code": "guard.token"},
    ]  # fmt: skip
    headers, event = got[0]
    assert headers["Content-Type"].startswith("application/cloudevents+json")
    assert headers["Authorization"] == "Bearer tell-me"
    assert (event["specversion"], event["type"], event["source"]) == (
        "1.0", "fivefold.guard.refusal", "/fivefold/guard/app",
    )  # fmt: skip
    assert event["subject"] == told["id"]
    assert "Jane" not in json.dumps(event)


def test_a_system_that_fails_is_told_again_and_one_that_is_gone_costs_nobody_time() -> None:
    """Three tries; the queue is bounded; what could not be told is counted; calling it never waits."""
    with listening(500, 204) as (url, got):
        events = Events(site.EventsSite(url=url), "app")
        events("refusal", {"code": "guard.range"})
        events("answer", {"record": "1"})
        events.close()
        assert [event["data"]["code"] for _, event in got] == ["guard.range", "guard.range"]
        assert got[0][1]["id"] == got[1][1]["id"]
        assert events.lost == 0
    gone = Events(site.EventsSite(url="http://127.0.0.1:9/"), "app")
    began = time.perf_counter()
    for _ in range(1500):
        gone("alarm", {"why": "it changed"})
    assert time.perf_counter() - began < 1.0
    assert gone.lost >= 400
    gone.close()


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("ftp://example.org/", "guard.events"),
        ("https://user:word@example.org/", "guard.events"),
        ("http://169.254.169.254/latest", "endpoint.host"),
        ("http://192.0.2.7/hook", "endpoint.plain"),
    ],
)
def test_events_go_nowhere_that_they_may_not(url: str, code: str) -> None:
    """The rules of endpoints: no address of the link, nothing in the clear to another machine."""
    with pytest.raises(InputError) as refused:
        Events(site.EventsSite(url=url), "app")
    assert refused.value.code == code
