"""The recorder over HTTP: the real command, real requests; what is broken is refused, what is answered is durable."""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest
from tests.subject.apps import build

from fivefold.errors import InputError
from fivefold.log import note, static
from fivefold.log.published import audit
from fivefold.traceability.recorder import messages, open_reading, open_recorder
from fivefold.traceability.recorder.nouns import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator

PEER = Path(__file__).resolve().parents[2] / ".venv-peers" / "schemathesis" / "bin" / "schemathesis"


class Running(NamedTuple):
    """A recorder as a process: its application, its address, a token."""

    root: Path
    port: int
    token: str

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, bytes, dict[str, str]]:
        """Ask once, with the token unless another is given."""
        told = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        told |= {name.replace("_", "-"): value for name, value in headers.items()}
        data = body if isinstance(body, bytes | type(None)) else json.dumps(body).encode()
        peer = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            peer.request(method, path, data, told)
            answer = peer.getresponse()
            return answer.status, answer.read(), {name.lower(): value for name, value in answer.getheaders()}
        finally:
            peer.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A recorder that serves, with keys of its own."""
    root = tmp_path_factory.mktemp("served")
    manifest = build(root / "app")
    words = [sys.executable, "-m", "fivefold", "record", "serve", "--in", str(manifest.root), "--port", "0"]
    mine = os.environ | {"XDG_CONFIG_HOME": str(root / "config")}
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=mine)
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(3)]
    port = re.search(r"http://127\.0\.0\.1:(\d+)", "".join(lines))
    assert port, lines
    (file,) = (root / "config").rglob("*.tokens")
    assert file.stat().st_mode & 0o777 == 0o600
    yield Running(manifest.root, int(port[1]), file.read_text(encoding="ascii").strip())
    process.terminate()
    process.communicate(timeout=30)


@pytest.fixture(autouse=True)
def config(served: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """The keys that the service uses."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(served.root.parent / "config"))


def found(served: Running, case: str) -> list[Any]:
    return [item for item in open_reading(served.root / "record", "app").search(case=case) if item.body]


def test_a_record_is_kept_with_its_arrays_bit_for_bit(served: Running) -> None:
    """And stands in the log when the answer comes."""
    values = np.array([1.5, np.nan])
    array = {"dtype": "<f8", "shape": [2], "data": base64.b64encode(values.tobytes()).decode()}
    record = {
        "kind": "output", "case": "loan é", "person": "Jane", "fields": {"n": 1, "deep": [{"a": None}]},
        "arrays": {"x": array, "words": ["a", None, 2.5]}, "model": "ab" * 32, "trace": "t",
    }  # fmt: skip
    status, body, _ = served.ask("POST", "/v1/record", record)
    assert status == 201
    told = json.loads(body)
    (item,) = found(served, "loan é")
    assert (item.id, item.index, item.kind) == (told["id"], told["position"], "output")
    assert item.body.tensors[0].data == values.tobytes()
    assert item.body.fields == {"n": 1, "deep": [{"a": None}]}


def test_a_batch_is_kept_in_its_order_beside_other_processes(served: Running) -> None:
    """The service writes; another process hands over at the same time."""
    records = [{"kind": "status", "case": "many", "fields": {"n": n}} for n in range(200)]
    with open_recorder(served.root / "record", "app") as other, other.open("beside") as case:
        case.output({"x": [1.0]})
        status, body, _ = served.ask("POST", "/v1/records", {"records": records})
    assert status == 201
    positions = [item["position"] for item in json.loads(body)["records"]]
    assert positions == sorted(positions)
    assert [item.body.fields["n"] for item in found(served, "many")] == list(range(200))
    assert len(found(served, "beside")) == 1


def test_cloudevents_are_taken_in_all_three_forms(served: Running) -> None:
    """What a model server logs becomes question and answer of one case."""
    event = {"specversion": "1.0", "id": "e1", "source": "s", "type": "org.example.thing", "data": {"a": 1}}
    kind = "application/cloudevents+json"
    assert served.ask("POST", "/v1/events", event, Content_Type=kind)[0] == 201
    assert served.ask("POST", "/v1/events", [event, event], Content_Type="application/cloudevents-batch+json")[0] == 201
    headers = {"ce_specversion": "1.0", "ce_id": "k1", "ce_source": "http://x", "ce_inferenceservicename": "credit"}
    for what in ("request", "response"):
        kserve = headers | {"ce_type": f"org.kubeflow.serving.inference.{what}"}
        status, _, _ = served.ask("POST", "/v1/events", b'{"instances": [[1, 2]]}', **kserve)
        assert status == 201
    assert [item.kind for item in found(served, "e1")] == ["status"] * 3
    asked, answered = found(served, "k1")
    assert (asked.kind, answered.kind) == ("input", "output")
    assert asked.body.tensors[0].data == b'{"instances": [[1, 2]]}'
    assert asked.body.fields["event"]["inferenceservicename"] == "credit"


@pytest.mark.parametrize(
    ("path", "body", "kind", "status"),
    [
        ("/v1/record", b"", "application/json", 400), ("/v1/record", b"{", "application/json", 400),
        ("/v1/record", b"[" * 100_000, "application/json", 400),
        ("/v1/record", b'{"kind": 1}', "application/json", 400),
        ("/v1/record", {"kind": "erasure", "case": "x"}, "application/json", 400),
        ("/v1/record", {"kind": "status", "case": ""}, "application/json", 400),
        ("/v1/record", {"kind": "status", "case": "x", "odd": 1}, "application/json", 400),
        ("/v1/record", {"kind": "status", "case": "x", "fields": {"n": 2**70}}, "application/json", 400),
        ("/v1/record", {"kind": "status", "case": "x", "arrays": {"a": [2**70]}}, "application/json", 400),
        ("/v1/record", {"kind": "status", "case": "x", "arrays": {"a": {"dtype": "<f8", "shape": [2], "data": "AAAA"}}},
         "application/json", 400),
        ("/v1/record", {"kind": "status", "case": "x", "arrays": {"a": {"dtype": "|O8", "shape": [0], "data": ""}}},
         "application/json", 400),
        ("/v1/record", {"kind": "status", "case": "x", "arrays": {"a": {"dtype": "<f8", "shape": [0], "data": "?"}}},
         "application/json", 400),
        ("/v1/record", b"kind=status", "application/x-www-form-urlencoded", 415),
        ("/v1/record", b" " * ((16 << 20) + 1), "application/json", 413),
        ("/v1/records", {"records": []}, "application/json", 400),
        ("/v1/records", {"records": [{"kind": "status", "case": "x"}] * 1001}, "application/json", 400),
        ("/v1/records", {"records": [{"kind": "status", "case": "half"}, {"kind": "status", "case": ""}]},
         "application/json", 400),
        ("/v1/events", {"a": 1}, "application/json", 415),
        ("/v1/events", {"specversion": "0.3", "id": "x", "source": "s", "type": "t"},
         "application/cloudevents+json", 400),
        ("/v1/events", {"specversion": "1.0", "id": "x", "source": "s"}, "application/cloudevents+json", 400),
        ("/v1/events", [], "application/cloudevents-batch+json", 400),
        ("/v1/events", {"specversion": "1.0", "id": "x", "source": "s", "type": "t", "data_base64": "?"},
         "application/cloudevents+json", 400),
        ("/v1/nothing", {}, "application/json", 404),
    ],
)  # fmt: skip
def test_what_cannot_be_kept_is_refused_with_its_reason(
    served: Running, path: str, body: Any, kind: str, status: int
) -> None:
    """A status, a code, a sentence; nothing of what went on inside; nothing is kept of a batch that is half wrong."""
    try:
        said, answer, _ = served.ask("POST", path, body, Content_Type=kind)
    except (BrokenPipeError, ConnectionResetError):
        assert status == 413  # refused while it was still being sent
        return
    assert said == status, answer
    assert b"Traceback" not in answer
    assert set(json.loads(answer)) == {"code", "message", "remedy"}
    assert not found(served, "half")


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer wrong", "Basic {token}", "bearer {token}x", "Bearer é"])
@pytest.mark.parametrize(("method", "path"), [("POST", "/v1/record"), ("GET", "/checkpoint"), ("GET", "/tile/0/000")])
def test_without_a_token_nothing_is_done(served: Running, header: str, method: str, path: str) -> None:
    """For reading as for writing."""
    body = {"kind": "status", "case": "stranger"} if method == "POST" else None
    told = header.replace("{token}", served.token).encode().decode("latin-1")
    status, _, headers = served.ask(method, path, body, Authorization=told)
    assert status == 401
    assert headers["www-authenticate"] == "Bearer"
    assert not found(served, "stranger")


def test_what_it_hands_out_is_a_log_that_holds(served: Running) -> None:
    """Checkpoint, tiles and entry bundles, read and verified as any published log is; full tiles last for ever."""
    records = [{"kind": "status", "case": "tiles", "fields": {"n": n}} for n in range(700)]
    assert served.ask("POST", "/v1/records", {"records": records})[0] == 201
    until = time.monotonic() + 20  # the next checkpoint
    while (point := served.ask("GET", "/checkpoint"))[0] != 200 or int(point[1].split(b"\n")[1]) < 700:
        assert time.monotonic() < until
        time.sleep(0.05)
    code = [sys.executable, "-m", "fivefold", "record", "vkey", "--in", str(served.root)]
    key = note.parse_vkey(subprocess.run(code, capture_output=True, text=True, check=True).stdout.strip())

    def source(path: str, most: int) -> bytes | None:
        status, body, headers = served.ask("GET", f"/{path}")
        if status == 404:
            return None
        assert status == 200
        assert len(body) <= most
        lasting = path.startswith("tile/") and ".p/" not in path
        assert headers["cache-control"] == ("public, max-age=31536000, immutable" if lasting else "no-cache")
        return body

    done = audit(source, key)
    assert done.faults == ()
    assert done.size >= 700
    for path in (
        "0/999",
        "9/000",
        "0/000.p/256",
        "0/x000/000",
        "0/0",
        "entries/000.p/0",
        "../checkpoint",
        "0/%2e%2e/lock",
    ):
        assert served.ask("GET", f"/tile/{path}")[0] == 404, path
    assert static.path_of(0, 0) == "tile/0/000"


def test_its_interface_is_described(served: Running) -> None:
    """Without a token; the kinds are those that may be handed over."""
    status, body, _ = served.ask("GET", "/openapi.json", Authorization="")
    assert status == 200
    told = json.loads(body)
    kinds = told["components"]["schemas"]["Given"]["properties"]["kind"]["enum"]
    assert sorted(kinds) == sorted(set(KINDS) - {"erasure"})
    assert messages.openapi() == told


def test_a_slow_client_hinders_nobody(served: Running) -> None:
    """It has fifteen seconds; the others are served meanwhile."""
    with socket.create_connection(("127.0.0.1", served.port)) as slow:
        slow.sendall(
            f"POST /v1/record HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {served.token}\r\n"
            "Content-Type: application/json\r\nContent-Length: 10\r\n\r\n{".encode()
        )
        assert served.ask("POST", "/v1/record", {"kind": "status", "case": "quick"})[0] == 201


def test_no_request_makes_a_server_error(served: Running, tmp_path: Path) -> None:
    """Schemathesis, from the description that the service gives of itself; all its checks."""
    if not PEER.exists():
        pytest.skip("schemathesis is not installed; scripts/test installs it")
    place, token = f"http://127.0.0.1:{served.port}/openapi.json", f"Authorization: Bearer {served.token}"
    words = [
        str(PEER), "run", place, "--header", token, "--checks", "all", "--max-examples", "25", "--seed", "7",
        "--workers", "1", "--no-color", "--exclude-checks", "positive_data_acceptance",  # bytes must fit their shape
    ]  # fmt: skip
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    tried = re.search(r"(\d+) generated, (\d+) passed", done.stdout)
    assert tried, done.stdout[-2000:]
    assert int(tried[2]) > 200


@pytest.mark.parametrize("spoil", ["open", "short"])
def test_tokens_that_are_no_secret_are_refused(tmp_path: Path, spoil: str) -> None:
    """A file that others may read, a token that can be guessed."""
    manifest = build(tmp_path / "app")
    file = tmp_path / "tokens"
    file.write_text("x" * (40 if spoil == "open" else 8) + "\n", encoding="ascii")
    file.chmod(0o644 if spoil == "open" else 0o600)
    words = [sys.executable, "-m", "fivefold", "record", "serve", "--in", str(manifest.root), "--tokens", str(file)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert "token" in done.stderr


def test_without_tokens_there_is_no_service() -> None:
    """An empty file is no permission for everybody."""
    from fivefold.log.simulated import SimulatedDisk
    from fivefold.traceability.recorder.record_http import Service

    with pytest.raises(InputError) as error:
        Service(None, SimulatedDisk(), ())  # type: ignore[arg-type]
    assert error.value.code == "record.tokens"
