"""The guard as a process: which models open no port, and what clients get over HTTP."""

from __future__ import annotations

import contextlib
import gzip
import json
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import yaml
from tests.guard import signed
from tests.guard.signed import ROW
from tests.subject.apps import build, table

from fivefold.guard.tokens import Tokens
from fivefold.manifest.reader import read
from fivefold.traceability.recorder.opening import home as place_of

if TYPE_CHECKING:
    from collections.abc import Iterator

PEER = Path(__file__).resolve().parents[2] / ".venv-peers" / "schemathesis" / "bin" / "schemathesis"
COMMAND = [sys.executable, "-m", "fivefold", "guard", "serve"]


@dataclass
class Served:
    """A guard that listens.

    Attributes:
        url: Of the service.
        token: Of a caller.
        root: The application.
        process: The guard.
        grpc: Host and port for gRPC; empty: none.
    """

    url: str
    token: str
    root: Path
    process: subprocess.Popen[str]
    grpc: str = ""

    @property
    def model(self) -> str:
        return f"{self.url}/v2/models/{self.root.name}"

    def ask(self, path: str, body: Any = None, token: str | None = None, **headers: str) -> tuple[int, Any]:
        """Return status and document; ``body`` bytes are sent as they are."""
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        bearer = {"Authorization": f"Bearer {self.token if token is None else token}"}
        request = urllib.request.Request(path, data, {**bearer, **headers})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)


def infer(rows: dict[str, Any], n: int = 1, **parameters: str) -> dict[str, Any]:
    """Return a request."""
    kinds = {str: "BYTES", float: "FP64", int: "INT64"}
    inputs = [
        {"name": name, "shape": [n], "datatype": kinds[type(value)], "data": [value] * n}
        for name, value in rows.items()
    ]
    return {"id": "7", "inputs": inputs, "parameters": parameters}


@contextlib.contextmanager
def serving(root: Path, *words: str, purpose: str = "sorting") -> Iterator[Served]:
    """Serve an application as a user does."""
    token, _ = Tokens(root.name).issue(read(root), "branch-12", "caller", (purpose,), 1)
    command = [*COMMAND, str(root), "--port", "0", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"http://[^/]+", process.stdout.readline())
            assert found, "it does not listen"
            grpc = re.search(r"gRPC at (\S+)\.", process.stdout.readline()) if "--grpc-port" in words else None
            yield Served(found[0], token, root, process, grpc[1] if grpc else "")
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)


@pytest.fixture(scope="module")
def served(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A guard over HTTP."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(made / "config"))
        root = signed.application(tmp_path_factory.mktemp("served") / "over-http")
        with serving(root, "--allow-unattained") as found:
            yield found


def test_a_question_gets_its_answer_and_a_receipt_that_proves(
    served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    """Tensors in, tensors out; the receipt's command makes a proof that verifies."""
    status, told = served.ask(f"{served.model}/infer", infer(ROW, 3, case="seven", subject="Jane"))
    assert status == 200
    answer, scores = told["outputs"]
    assert (answer["name"], answer["shape"], answer["datatype"], answer["data"]) == (
        "answer",
        [3],
        "BYTES",
        ["yes"] * 3,
    )
    assert scores["shape"] == [3, 2]
    assert scores["parameters"]["classes"] == ["no", "yes"]
    assert told["id"] == "7"
    receipt = told["parameters"]["receipt"]
    assert len(told["parameters"]["reasons"]) == 3
    time.sleep(0.3)
    folder = served.root.parent
    (folder / "receipt.json").write_text(json.dumps(receipt))
    assert signed.command("verify", folder / "receipt.json") == 2  # its proof is not there yet
    capsys.readouterr()
    words, _, name = receipt["prove"].partition(" > ")
    assert signed.command(*words.split()[1:], "--in", served.root) == 0
    (folder / name).write_text(capsys.readouterr().out)
    assert signed.command("verify", folder / "receipt.json") == 0
    assert receipt["record"] in capsys.readouterr().out
    for change in ({"leaf": "00" * 32}, {"application": "another"}):
        (folder / "receipt.json").write_text(json.dumps(receipt | change))
        assert signed.command("verify", folder / "receipt.json") == 1
    asked, said = place_of(read(served.root)).reading().trace(receipt["record"])
    assert (asked.body.person, said.body.fields["caller"]) == ("Jane", "branch-12")


def test_the_metadata_names_every_column_with_its_type(served: Served) -> None:
    """As the model is given them; the version is part of the address where wanted."""
    status, told = served.ask(served.model)
    assert status == 200
    assert {item["name"]: item["datatype"] for item in told["inputs"]} == {
        "weight": "FP64", "colour": "BYTES", "since": "BYTES", "count": "FP64", "team": "BYTES",
    }  # fmt: skip
    assert served.ask(f"{served.url}/v2/health/ready")[0] == 200
    assert served.ask(f"{served.model}/ready")[0] == 200
    assert served.ask(f"{served.model}/versions/2")[1] == told
    assert served.ask(f"{served.model}/versions/2/infer", infer(ROW))[0] == 200
    assert served.ask(f"{served.model}/versions/3")[0] == 404


def test_a_guarded_model_is_assessed_as_an_endpoint(served: Served, tmp_path: Path) -> None:
    """By the client that we wrote for other people's servers, with a token; the accuracy is the bare model's."""
    root = tmp_path / "outside"
    build(root, manifest={"model": {"endpoint": served.model, "classes": ["no", "yes"]}})
    (root / "token").write_text(served.token)
    (root / "site.yaml").write_text("endpoint: {token: {file: token}}\n")
    words = ("assess", str(root), "--only", "P3.accuracy", "--effort", "quick", "--json")
    ran = subprocess.run([*COMMAND[:3], *words], capture_output=True, text=True, timeout=120, check=False)
    finding = next(item for item in json.loads(ran.stdout)["findings"] if item["check"] == "P3.accuracy")
    accuracy = next(item["value"] for item in finding["result"]["measures"] if item["name"] == "accuracy")
    rows = table(300, 2)
    assert accuracy == pytest.approx(float(((rows["weight"] > 50) == (rows["answer"] == "yes")).mean()))


def test_only_liveness_is_told_to_strangers(served: Served) -> None:
    """Everything else takes a token; refusals are counted in the record."""
    for path in ("/v2", "/v2/health/ready", f"/v2/models/{served.root.name}"):
        status, told = served.ask(served.url + path, token="nobody's")
        assert (status, told["code"]) == (401, "guard.token")
    assert served.ask(f"{served.model}/infer", infer(ROW), token="")[0] == 401
    assert served.ask(f"{served.url}/v2/health/live", token="")[0] == 200


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "guard.request"),
        (b"[]", 400, "guard.request"),
        (b'{"inputs": []}', 400, "guard.request"),
        (b'{"inputs": [{"name": "weight", "shape": [1], "datatype": "FP64", "data": [NaN]}]}', 400, "guard.request"),
        (infer(ROW | {"weight": 500.0}), 400, "guard.range"),
        (infer({**ROW, "odd": 1}), 400, "guard.fields"),
        (infer(ROW, purpose="war"), 403, "guard.purpose"),
        ({"inputs": [{"name": "weight", "shape": [2], "datatype": "FP64", "data": [1.0]}]}, 400, "guard.request"),
        ({"inputs": [{"name": "weight", "shape": [-1], "datatype": "FP64", "data": []}]}, 400, "guard.request"),
        ({"inputs": [{"name": "weight", "shape": [1], "datatype": "FP64", "data": ["1.5"]}]}, 400, "guard.request"),
        ({"inputs": [{"name": "weight", "shape": [1], "datatype": "FP64", "data": [True]}]}, 400, "guard.request"),
        ({"inputs": [{"name": "weight", "shape": [1], "datatype": "FP65", "data": [1.0]}]}, 400, "guard.request"),
        ({"inputs": [{"name": "weight", "shape": [1], "datatype": "INT64", "data": [1.5]}]}, 400, "guard.request"),
        ({"inputs": [{"name": "w", "shape": [1, 1, 1], "datatype": "FP64", "data": [1.0]}]}, 400, "guard.request"),
        ({"inputs": [{"name": "weight", "shape": [1 << 24] * 60_000, "datatype": "FP64", "data": []}]}, 400,
         "guard.request"),
        ({"inputs": infer(ROW)["inputs"], "parameters": {"case": 7}}, 400, "guard.parameter"),
        ({"inputs": infer(ROW)["inputs"], "parameters": {"subject": "x" * 5000}}, 400, "guard.parameter"),
        (b"[" * 100_000, 400, "guard.request"),
        (json.dumps(infer(ROW)).replace('"id": "7"', '"id": "7", "id": "8"').encode(), 400, "guard.request"),
        (json.dumps(infer(ROW)).replace('"shape": [1]', '"shape": [1], "sh\\u0061pe": [1]', 1).encode(), 400,
         "guard.request"),
        (json.dumps(infer(ROW, purpose="war")).replace('"war"', '"war", "purpose": "sorting"').encode(), 400,
         "guard.request"),
        (json.dumps(infer(ROW)).replace('"data": [61.5]', '"data": [1.5], "data": [61.5]').encode(), 400,
         "guard.request"),
    ],
)  # fmt: skip
def test_what_is_no_question_is_refused(served: Served, body: Any, status: int, code: str) -> None:
    """In the protocol's form, with a code; the guard goes on."""
    found, told = served.ask(f"{served.model}/infer", body)
    assert (found, told["code"]) == (status, code)
    assert told["error"]


@pytest.mark.parametrize(
    ("headers", "body", "status", "code"),
    [
        ({"Content-Encoding": "gzip"}, b"no gzip", 400, "guard.coding"),
        ({"Content-Encoding": "gzip"}, gzip.compress(b" " * (17 << 20)), 413, "guard.413"),
        ({"Content-Encoding": "gzip"}, gzip.compress(json.dumps(infer(ROW)).encode())[:-9], 400, "guard.coding"),
        ({"Content-Encoding": "br"}, b"{}", 415, "guard.coding"),
        ({"Inference-Header-Content-Length": "9999"}, b"{}", 400, "guard.request"),
        ({"Inference-Header-Content-Length": "-1"}, b"{}", 400, "guard.request"),
        ({"Inference-Header-Content-Length": "x"}, b"{}", 400, "guard.request"),
        ({"Inference-Header-Content-Length": str(len(json.dumps(infer(ROW))))},
         json.dumps(infer(ROW)).encode() + b"more", 400, "guard.request"),
    ],
)  # fmt: skip
def test_codings_and_binary_data_that_lie_are_refused(
    served: Served, headers: dict[str, str], body: bytes, status: int, code: str
) -> None:
    """What unpacks beyond the limit, is cut off, or has more bytes than it says."""
    found, told = served.ask(f"{served.model}/infer", body, **headers)
    assert (found, told["code"]) == (status, code)


@pytest.mark.parametrize(
    ("size", "data"), [(7, b"\0" * 8), (9, b"\0" * 8), ("8", b"\0" * 8), (-1, b""), (8, b"\0" * 12), (8, b"")]
)
def test_binary_tensors_hold_what_their_shape_says(served: Served, size: object, data: bytes) -> None:
    """Eight bytes for one FP64, in the tensor and behind the JSON."""
    asked = infer(ROW)
    asked["inputs"][0] = {
        "name": "weight", "shape": [1], "datatype": "FP64", "parameters": {"binary_data_size": size},
    }  # fmt: skip
    text = json.dumps(asked).encode()
    headers = {"Inference-Header-Content-Length": str(len(text))}
    found, told = served.ask(f"{served.model}/infer", text + data, **headers)
    assert (found, told["code"]) == (400, "guard.request")


def drawn(served: Served, folder: Path, each: int) -> subprocess.CompletedProcess[str]:
    """Have schemathesis draw requests from the description that the service gives of itself."""
    words = [
        str(PEER), "run", f"{served.url}/openapi.json", "--header", f"Authorization: Bearer {served.token}",
        "--checks", "all", "--max-examples", str(each), "--seed", "7", "--workers", "1", "--no-color",
        "--exclude-checks", "positive_data_acceptance",  # columns must fit
        "--exclude-path", "/v2/health/live",  # takes no token, which is tested above
    ]  # fmt: skip
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False, timeout=3000)


def test_no_request_makes_a_server_error(served: Served, tmp_path: Path) -> None:
    """Schemathesis with all its checks; scripts/long draws 3,000 and more."""
    if not PEER.exists():
        pytest.skip("schemathesis is not installed; scripts/test installs it")
    done = drawn(served, tmp_path, 40)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    tried = re.search(r"(\d+) generated, (\d+) passed", done.stdout)
    assert tried, done.stdout[-2000:]
    assert int(tried[2]) > 200


def test_it_is_asked_under_its_own_names_only(served: Served) -> None:
    """On this machine's own address: a name that somebody made to stand for it is refused before the token is read."""
    port = served.url.rpartition(":")[2]
    for host in (f"localhost:{port}", f"127.0.0.1:{port}", "LOCALHOST"):
        assert served.ask(f"{served.url}/v2", Host=host)[0] == 200
    for host in (f"evil.example:{port}", "evil.example", ""):
        status, told = served.ask(f"{served.url}/v2", Host=host)
        assert (status, told["code"]) == (400, "guard.host")


def test_large_and_unknown_requests_are_refused(served: Served) -> None:
    """More than 16 MiB, other paths, other methods."""
    assert served.ask(f"{served.model}/infer", b" " * ((16 << 20) + 1))[0] == 413
    assert served.ask(f"{served.url}/v2/models/other/infer", infer(ROW))[0] == 404
    assert served.ask(f"{served.url}/v2", infer(ROW))[0] == 405


def test_ten_thousand_rows_in_one_request(served: Served) -> None:
    """Each gets its answer."""
    rng = np.random.default_rng(0)
    weights = rng.uniform(20, 80, 10_000).round(2)
    body = infer(ROW, 10_000)
    body["inputs"][0]["data"] = weights.tolist()
    status, told = served.ask(f"{served.model}/infer", body)
    assert status == 200
    assert told["outputs"][0]["data"] == np.where(weights > 50, "yes", "no").tolist()


def test_the_metadata_says_under_which_evidence(served: Served) -> None:
    """Served all the same: shown to who asks, and recorded; no path of the machine is told."""
    told = served.ask(f"{served.url}/v2")[1]
    assert told["attained"] == 0
    assert "allow-unattained" in told["evidence"]
    assert str(served.root) not in json.dumps(told)
    opened = next(place_of(read(served.root)).reading().search(case="guard", kind="model-change"))
    assert "no evidence" in opened.body.fields["evidence"]


@pytest.mark.parametrize("spoilt", ["no evidence", "unsigned", "altered", "rolled back"])
def test_a_model_that_may_not_be_served_opens_no_port(app: Path, spoilt: str) -> None:
    """The process ends with the reason; nothing listens."""
    words = ["--allow-unattained"]
    if spoilt == "no evidence":
        words = []
    elif spoilt == "unsigned":
        (app / "m.sig").write_bytes(b"{}")
    elif spoilt == "altered":
        with (app / "scorer.py").open("a") as file:
            file.write("\n")
    else:
        with serving(app, "--allow-unattained"):
            pass
        manifest = app / "fivefold.yaml"
        manifest.write_text(manifest.read_text().replace("version: 2", "version: 1"))
    ended = subprocess.run(
        [*COMMAND, str(app), "--port", "0", *words], capture_output=True, text=True, timeout=60, check=False
    )
    codes = {"no evidence": (2, "guard.unattained"), "rolled back": (1, "guard.rolled-back")}
    code, said = codes.get(spoilt, (1, "guard.unsigned"))
    assert ended.returncode == code
    assert said in ended.stderr
    assert "http://" not in ended.stdout


def test_evidence_that_attains_the_level_opens_the_port(app: Path) -> None:
    """Level 0 is attained by any sealed attempt; evidence of another model does not count."""
    manifest = app / "fivefold.yaml"
    manifest.write_text(manifest.read_text().replace("level: 2", "level: 1"))
    assert signed.command("assess", app, "--effort", "quick") in {0, 1, 3}
    ended = subprocess.run([*COMMAND, str(app), "--port", "0"], capture_output=True, text=True, timeout=60, check=False)
    assert "guard.unattained" in ended.stderr
    assert "Level 0 is attained, 1 is wanted" in " ".join(ended.stderr.split())


def test_refusals_of_strangers_are_told_when_it_ends(app: Path) -> None:
    """One record for all of them."""
    with serving(app, "--allow-unattained") as found:
        for _ in range(5):
            found.ask(f"{found.model}/infer", infer(ROW), token="stranger")
        assert found.ask(f"{found.model}/infer", infer(ROW))[0] == 200
    (gap,) = place_of(read(app)).reading().search(kind="gap")
    assert gap.body.fields["refused without a record"] == 5


def loading(found: Served, token: str) -> tuple[int, Any]:
    """Ask for the application to be loaded again."""
    return found.ask(f"{found.url}/v2/repository/models/{found.root.name}/load", b"", token)


def release(root: Path, version: int) -> None:
    """Put a version's file beside the one that is served, name it in the manifest, and sign it."""
    (root / f"scorer_{version}.py").write_bytes((root / "scorer.py").read_bytes())
    manifest = yaml.safe_load((root / "fivefold.yaml").read_text())
    names = {"factory": f"scorer_{version}:load", "signature": f"m{version}.sig", "version": version}
    manifest["model"].update(names)
    (root / f"m{version}.sig").touch()
    beside = root / "beside.yaml"
    beside.write_text(yaml.safe_dump(manifest))
    beside.rename(root / "fivefold.yaml")
    (root / f"m{version}.sig").unlink()
    signed.sign(root)


def test_another_version_takes_the_place_while_callers_ask(tmp_path: Path) -> None:
    """No request fails or is answered by half a change; version and record say which model answered."""
    root = signed.application(tmp_path / "swapped")
    with serving(root, "--allow-unattained") as found:
        operator, _ = Tokens("swapped").issue(read(root), "ops", "operator", (), 1)
        release(root, 3)
        statuses: list[tuple[int, str]] = []
        end = threading.Event()

        def ask() -> None:
            while not end.is_set():
                status, told = found.ask(f"{found.model}/infer", infer(ROW))
                statuses.append((status, told.get("model_version", "") or told["code"]))

        askers = [threading.Thread(target=ask) for _ in range(3)]
        for asker in askers:
            asker.start()
        assert loading(found, found.token)[0] == 403
        assert loading(found, operator) == (200, {"name": "swapped", "version": "3"})
        while statuses[-1][1] != "3":
            time.sleep(0.01)
        end.set()
        for asker in askers:
            asker.join()
        assert {(200, "2"), (200, "3")} == set(statuses)
        assert found.ask(f"{found.model}/versions/2/infer", infer(ROW))[0] == 404
        release(root, 1)
        status, told = loading(found, operator)
        assert (status, told["code"]) == (409, "guard.reload")
        assert "guard.rolled-back" in told["error"]
        assert found.ask(f"{found.model}/infer", infer(ROW))[0] == 200
    seen = [item.body.fields for item in place_of(read(root)).reading().search(case="guard")]
    assert [one["version"] for one in seen if one.get("opened")] == [2, 3]
    assert [one["reloaded by"] for one in seen if one.get("opened") and "reloaded by" in one] == ["ops"]
    assert [one["refused"] for one in seen if one.get("guard") == "not reloaded"] == ["guard.rolled-back"]


def test_a_signal_loads_it_again_and_a_broken_manifest_changes_nothing(tmp_path: Path) -> None:
    """SIGHUP, as a service manager sends it; the process goes on either way, and both are on record."""
    root = signed.application(tmp_path / "hung-up")
    manifest = read(root)

    def told(name: str) -> list[Any]:
        found = place_of(manifest).reading().search(case="guard")
        return [one.body.fields[name] for one in found if one.body and name in one.body.fields]

    def until(name: str, n: int) -> None:
        end = time.monotonic() + 60
        while len(told(name)) < n:
            assert time.monotonic() < end
            time.sleep(0.1)

    with serving(root, "--allow-unattained") as found:
        good = (root / "fivefold.yaml").read_text()
        (root / "fivefold.yaml").write_text("fivefold: [")
        found.process.send_signal(signal.SIGHUP)
        until("refused", 1)
        assert found.ask(f"{found.model}/infer", infer(ROW))[0] == 200
        (root / "fivefold.yaml").write_text(good.replace("level: 2", "level: 1"))
        found.process.send_signal(signal.SIGHUP)
        until("reloaded by", 1)
        assert found.ask(f"{found.model}/infer", infer(ROW))[0] == 200
    assert told("refused") == ["manifest.syntax"]
    assert told("reloaded by") == ["signal"]
    assert len(set(told("manifest"))) == 2


def test_a_budget_goes_on_over_a_change_of_model(tmp_path: Path) -> None:
    """What was asked before counts after; a larger budget counts at once."""
    root = signed.application(tmp_path / "spent", controls={"P2": {"budget": "5/day"}})
    with serving(root, "--allow-unattained") as found:
        operator, _ = Tokens("spent").issue(read(root), "ops", "operator", (), 1)
        assert [found.ask(f"{found.model}/infer", infer(ROW))[0] for _ in range(4)] == [200] * 4
        release(root, 3)
        assert loading(found, operator)[0] == 200
        assert [found.ask(f"{found.model}/infer", infer(ROW))[0] for _ in range(2)] == [200, 429]
        manifest = root / "fivefold.yaml"
        manifest.write_text(manifest.read_text().replace("5/day", "6/hour"))
        assert loading(found, operator)[0] == 200
        assert [found.ask(f"{found.model}/infer", infer(ROW))[0] for _ in range(2)] == [200, 429]
