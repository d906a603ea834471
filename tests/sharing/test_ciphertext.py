"""S4: encrypted rows give the answers of rows in the clear, at the worst row too; the server has nothing to read."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from tests.truth import ciphertext as subjects

from fivefold.errors import InputError, UnsupportedError
from fivefold.sharing.ciphertext import (
    apart,
    client,
    command,
    declared,
    engine,
    found,
    inference_check,
    key_check,
    learning,
    parameters_check,
    scorer,
    server,
    settings,
    training_check,
    worst,
)
from fivefold.sharing.ciphertext.messages import Asked, pack

pytest.importorskip("tenseal")

REPO = Path(__file__).resolve().parents[2]
COLUMNS = {"age": {"bounds": [0, 100]}, "pay": {"edges": [0, 10, 1000]}, "place": {"values": ["n", "s"]}}
"""Seven numbers."""


def _scorer(kind: str = "linear", seed: int = 1, size: float = 1.0) -> scorer.Scorer:
    rng = np.random.default_rng(seed)
    told = {"version": 1, "kind": kind, "columns": COLUMNS}
    if kind == "square":
        told |= {"hidden": (size * rng.normal(size=(3, 8)) / 3).tolist(), "weights": [0.1, 0.5, -0.7, 0.3]}
    else:
        told["weights"] = (size * rng.normal(size=8)).tolist()
    return scorer.read(json.dumps(told).encode())


def _frame(rows: int, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({
        "age": rng.uniform(-20, 120, rows), "pay": rng.choice(["5", "99", "", "many"], rows),
        "place": rng.choice(["n", "s", "w"], rows), "more": "x",
    })  # fmt: skip
    frame.loc[rng.random(rows) < 0.1, "age"] = np.nan
    return frame


@pytest.mark.parametrize("kind", ["linear", "logistic", "square"])
@pytest.mark.parametrize("rows", [1, 3000, 9000])
def test_encrypted_answers_are_those_in_the_clear(kind: str, rows: int) -> None:
    """Missing, unknown and far values included, over several ciphertexts, under contexts that were forgotten."""
    made, frame = _scorer(kind), _frame(rows)
    service = server.Service(made)
    owner = client.Owner(service.answer)
    wanted = scorer.answers(kind, scorer.scores(made, scorer.encoded(made.columns, frame)))
    assert np.abs(owner.answers(frame) - wanted).max() <= 1e-4
    service._contexts.clear()
    assert np.abs(owner.answers(frame) - wanted).max() <= 1e-4


def test_no_rows_give_no_answers() -> None:
    """An empty table is no error."""
    assert client.Owner(server.Service(_scorer()).answer).answers(_frame(0)).shape == (0,)


@pytest.mark.parametrize(("kind", "size"), [("linear", 0.01), ("linear", 1.0), ("linear", 1000.0), ("square", 1.0)])
def test_the_worst_row_that_is_searched_for_is_within_the_bound(kind: str, size: float) -> None:
    """Thousands of encryptions at the corners of the box never pass the bound, which never passes the allowed error."""
    made = _scorer(kind, seed=3, size=size)
    chosen = settings.pick(made)
    seen = worst.search(made, worst.asking(made, chosen), chosen.slots, 3, np.random.default_rng(1))
    assert 0 < seen.error <= settings.bound(chosen, made) <= settings.MOST_ERROR / 2


def test_the_search_finds_an_error_that_only_one_corner_has() -> None:
    """A fault at the one row where every sum is largest is found; a sample of a thousand rows does not hold it."""
    made = _scorer(seed=5)
    top = _largest(made)

    def ask(x: np.ndarray) -> np.ndarray:
        scores = scorer.scores(made, x)
        return scores + (scores >= top - 1e-9)

    sample = scorer.encoded(made.columns, _frame(1000).assign(age=np.linspace(1, 99, 1000)))
    assert np.abs(ask(sample) - scorer.scores(made, sample)).max() == 0
    assert worst.search(made, ask, 256, 1, np.random.default_rng(0)).error == pytest.approx(1)


def _largest(made: scorer.Scorer) -> float:
    weights = made.layers[0]
    return float(weights[0] + abs(weights[1]) + weights[2:5].max() + weights[5:8].max())


def test_the_table_is_the_one_of_seal() -> None:
    """SEAL, which was written by others, allows as many bits at each degree."""
    import tenseal.sealapi as seal

    level = seal.SEC_LEVEL_TYPE.TC128
    assert {degree: seal.CoeffModulus.MaxBitCount(degree, level) for degree in settings.STANDARD} == settings.STANDARD


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"degree": 4096, "primes": (60, 40, 60)}, "ciphertext.insecure"),
        ({"degree": 8192, "primes": (60, 60, 60, 60)}, "ciphertext.insecure"),
        ({"degree": 5000}, "ciphertext.settings"),
        ({"primes": (60,)}, "ciphertext.settings"),
        ({"primes": (100, 60)}, "ciphertext.settings"),
        ({"scale": 5}, "ciphertext.settings"),
        ({"primes": (60, 60), "scale": 12}, "ciphertext.inaccurate"),
        ({"primes": (60, 60), "scale": 40}, "ciphertext.inaccurate"),
    ],
)
def test_bad_settings_are_refused_by_both_sides(fields: dict, code: str) -> None:
    """A server does not start with them, and an owner does not encrypt under them, whatever the server says."""
    bad = settings.Settings(**({"degree": 8192, "primes": (60, 60, 60), "scale": 46, "rescale": False} | fields))
    with pytest.raises(InputError) as caught:
        server.Service(_scorer(), chosen=bad)
    assert caught.value.code == code
    service = server.Service(_scorer())
    told = {"settings": bad, "error": settings.bound(bad, _scorer())}
    service.described = msgspec.structs.replace(service.described, **told)
    with pytest.raises(InputError) as caught:
        client.Owner(service.answer)
    assert caught.value.code == code


def test_a_scorer_whose_numbers_do_not_fit_is_refused() -> None:
    """Squares of a million are not kept to 1e-4 by any secure setting of ours."""
    with pytest.raises(InputError) as caught:
        settings.pick(_scorer("square", size=1e4))
    assert caught.value.code == "ciphertext.inaccurate"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (b"[]", "ciphertext.scorer"),
        (b"{" * 9000, "ciphertext.scorer"),
        (b"x" * (scorer.MOST_BYTES + 1), "ciphertext.scorer"),
        ({"kind": "forest"}, "ciphertext.scorer"),
        ({"kind": "deep"}, "ciphertext.scorer"),
        ({"version": 2}, "ciphertext.scorer"),
        ({"more": 1}, "ciphertext.scorer"),
        ({"weights": [0.0] * 8}, "ciphertext.scorer"),
        ({"weights": [1.0] * 7}, "ciphertext.scorer"),
        ({"weights": [1e9] * 8}, "ciphertext.scorer"),
        ({"columns": {}}, "ciphertext.scorer"),
        ({"columns": {"age": {"bounds": [1, 0]}}}, "ciphertext.scorer"),
        ({"columns": {"age": {}}}, "ciphertext.scorer"),
        ({"hidden": [[1.0] * 8]}, "ciphertext.scorer"),
        ({"kind": "square"}, "ciphertext.scorer"),
    ],
)
def test_bad_scorers_are_refused(change: object, code: str) -> None:
    """Each with its code."""
    told = {"version": 1, "kind": "linear", "columns": COLUMNS, "weights": [1.0] * 8}
    raw = change if isinstance(change, bytes) else json.dumps(told | change).encode()
    with pytest.raises(InputError) as caught:
        scorer.read(raw)
    assert caught.value.code == code
    assert caught.value.remedy


def test_a_scorer_survives_its_file_and_a_private_model_is_one() -> None:
    """What is written is read; a model of `model train --private` gives the probabilities that its own room gives."""
    from fivefold.sharing.privacy import training

    made = _scorer("square")
    assert scorer.read(scorer.write(made)) == made
    told = {"version": 1, "kind": "logistic", "reservation": "r", "loss": {"rho": 1.0, "delta": 0.0}, "target": "t",
            "positive": "y", "columns": COLUMNS, "weights": np.linspace(-2, 2, 8).tolist()}  # fmt: skip
    private, frame = scorer.read(json.dumps(told).encode()), _frame(50)
    ours = scorer.answers("logistic", scorer.scores(private, scorer.encoded(private.columns, frame)))
    assert np.abs(ours - training.predict(told, frame)).max() < 1e-12


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("/v1/context", b"no context", "ciphertext.blob"),
        ("/v1/context", b"", "ciphertext.blob"),
        ("/v1/score", b"no message", "ciphertext.message"),
        ("/v1/score", pack(Asked(context="0" * 32, columns=())), "ciphertext.context"),
        ("/v1/other", b"", "ciphertext.path"),
        ("/v1/train/rows", b"\x80", "ciphertext.message"),
        ("/v1/train", b"no context", "ciphertext.blob"),
    ],
)
def test_a_server_refuses_what_it_cannot_read(path: str, body: bytes, code: str) -> None:
    """Whatever is sent is an answer with a code, and the server lives on."""
    service = server.Service(_scorer())
    with pytest.raises(InputError) as caught:
        service.answer(path, body)
    assert caught.value.code == code
    assert len(client.Owner(service.answer).answers(_frame(3))) == 3


def test_a_server_takes_no_secret_key_and_no_foreign_ciphertext() -> None:
    """A context that opens is refused; ciphertexts of other settings or too few columns are, too."""
    service = server.Service(_scorer())
    keys = engine.Keys(service.described.settings)
    with pytest.raises(InputError) as caught:
        service.answer("/v1/context", keys.secret())
    assert caught.value.code == "ciphertext.key"
    name = service.answer("/v1/context", keys.context(products=False)).decode()
    other = engine.Keys(settings.Settings(degree=4096, primes=(60, 49), scale=20, rescale=False))
    x = np.zeros((5, 7))
    for columns in (other.encrypt_rows(x), keys.encrypt_rows(x)[:-1], [b"junk"] * 7):
        with pytest.raises(InputError) as caught:
            service.answer("/v1/score", pack(Asked(context=name, columns=tuple(columns))))
        assert caught.value.code == "ciphertext.blob"


def test_the_cubic_is_off_by_no_more_than_it_says() -> None:
    """On a finer grid than it was made on, and by less than the one of the literature on [-8, 8] (Kim et al. 2018)."""
    z = np.linspace(-8, 8, 100_001)
    sigmoid = 1 / (1 + np.exp(-z))
    a, b, most = learning.cubic(8.0)
    off = np.abs(0.5 + a * z + b * z**3 - sigmoid).max()
    assert off <= most < off + 0.01
    assert off < np.abs(0.5 + 1.20096 * (z / 8) - 0.81562 * (z / 8) ** 3 - sigmoid).max()


LEARN = {"target": "label", "positive": "yes", "columns": {"a": {"bounds": [-3, 3]}, "k": {"values": ["u", "v"]}}}


def _learnable(rows: int, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"a": rng.normal(size=rows), "k": rng.choice(["u", "v", "w"], rows)})
    z = 1.5 * frame["a"] + (frame["k"] == "u") + rng.logistic(size=rows)
    frame["label"] = np.where(z > 0.3, "yes", "no")
    frame.loc[rng.random(rows) < 0.05, "a"] = np.nan
    return frame


@pytest.mark.parametrize("rows", [300, 9000])
def test_training_on_ciphertext_takes_the_steps_of_training_in_the_clear(rows: int) -> None:
    """Weights agree to 1e-6, also where rows fill more than one ciphertext, the last in part."""
    told = learning.read(LEARN | {"steps": 2})
    x, y = learning.answered(told, _learnable(rows))
    made = learning.learn(told, x, y, server.Service().answer)
    assert np.abs(made.weights - learning.in_clear(told, x, y)).max() < 1e-6
    assert (training_check.right(made.weights, x, y)).mean() > 0.7


@given(st.lists(st.floats(-50, 50), min_size=5, max_size=5))
@hypothesis_settings(max_examples=100, deadline=None)
def test_no_row_of_the_box_leaves_the_interval_of_the_cubic(weights: list[float]) -> None:
    """The furthest logit is that of some row of the box, by trying them all."""
    columns = learning.read(LEARN).columns
    w = np.array(weights)
    logits = [w[0] + sign * w[1] + w[2 + cell] for sign in (-1, 1) for cell in range(3)]
    assert learning.furthest(columns, w) == pytest.approx(max(abs(one) for one in logits))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"steps": 0}, "ciphertext.training"),
        ({"reach": 100.0}, "ciphertext.training"),
        ({"columns": {"label": {"values": ["x"]}}}, "ciphertext.training"),
        ({"columns": {}}, "ciphertext.training"),
        ({"columns": {"a": {"bounds": [3, 3]}}}, "ciphertext.training"),
        ({"more": 1}, "ciphertext.training"),
        ({"settings": {"degree": 8192, "primes": [60, 60], "scale": 20, "rescale": True}}, "ciphertext.training"),
    ],
)
def test_bad_trainings_are_refused(change: dict, code: str) -> None:
    """Each with its code."""
    with pytest.raises(InputError) as caught:
        learning.read(LEARN | change)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (_learnable(20).drop(columns="a"), "ciphertext.columns"),
        (_learnable(20).drop(columns="label"), "ciphertext.columns"),
        (_learnable(20).assign(label="no"), "ciphertext.rows"),
        (_learnable(0), "ciphertext.rows"),
    ],
)
def test_rows_that_cannot_be_learned_from_are_refused(frame: pd.DataFrame, code: str) -> None:
    """A column that lacks, and answers that are all alike."""
    with pytest.raises(InputError) as caught:
        learning.answered(learning.read(LEARN), frame)
    assert caught.value.code == code


def test_insecure_settings_of_a_training_are_refused_before_a_row_is_sent() -> None:
    """Nothing reaches the server."""
    told = learning.read(
        LEARN | {"settings": {"degree": 8192, "primes": [60, 40, 40, 40, 40, 60], "scale": 40, "rescale": True}}
    )
    x, y = learning.answered(told, _learnable(50))
    sent: list[str] = []
    with pytest.raises(InputError) as caught:
        learning.learn(told, x, y, lambda path, _: sent.append(path) or b"")
    assert caught.value.code == "ciphertext.insecure"
    assert not sent


@given(st.binary(min_size=40, max_size=200), st.integers(0, 64), st.integers(0, 9))
@hypothesis_settings(max_examples=200, deadline=None)
def test_a_piece_is_found_at_any_offset_and_nowhere_else(hay: bytes, at: int, cut: int) -> None:
    """Whatever stands around it; a piece with one byte changed is not found."""
    piece = bytes(range(100, 124))
    needles = found.Needles([("key", piece), ("short", b"abc"), ("dull", bytes(64))])
    assert len(needles) == 1
    at = min(at, len(hay))
    assert needles.search(hay[:at] + piece + hay[at:] + bytes(cut)) == {0}
    assert needles.search(hay[:at] + piece[:-1] + b"\0" + hay[at:]) == set()


def _started(folder: Path) -> tuple[subprocess.Popen[str], str]:
    """Start the real server as a user would, in a folder of its own; return it and its address."""
    (folder / "scorer.json").write_bytes(scorer.write(_scorer("logistic")))
    line = [sys.executable, "-m", "fivefold", "model", "serve", "scorer.json", "--encrypted", "--port", "0"]
    started = subprocess.Popen(line, cwd=folder, stdout=subprocess.PIPE, text=True)
    address = re.search(r"http://127\.0\.0\.1:\d+", started.stdout.readline())
    return started, address.group() if address else ""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_key_and_rows_are_in_no_byte_that_a_real_server_is_sent_or_holds(tmp_path: Path) -> None:
    """Two processes over HTTP; memory, traffic and files of the server are searched; a key that is sent is found."""
    started, address = _started(tmp_path)
    try:
        assert address
        sent: list[bytes] = []
        post = client.posting(address)

        def watched(path: str, body: bytes) -> bytes:
            sent.append(body)
            sent.append(post(path, body))
            return sent[-1]

        owner = client.Owner(watched)
        x = np.random.default_rng().uniform(-1, 1, (200, 7))
        pieces = [*found.of_key(owner.secret()), *found.of_numbers("answers", owner.scores_exact(x))]
        pieces += [piece for at in range(7) for piece in found.of_numbers("rows", x[:, at])]
        needles = found.Needles(pieces)
        assert len(needles) > 500
        files = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
        for block in (*sent, *files, *found.memory(str(started.pid))):
            assert not needles.search(block)
        with pytest.raises(InputError) as caught:
            post("/v1/context", owner.secret())
        assert caught.value.code == "ciphertext.key"
        assert needles.search(owner.secret())
    finally:
        started.send_signal(signal.SIGINT)
        code = started.wait(20)
        started.stdout.close()
    assert code == 0


def test_the_command_scores_a_file(tmp_path: Path) -> None:
    """Client and server over HTTP, from a CSV to a CSV; a file that is there is not overwritten."""
    web = server.listening(server.Service(_scorer()).answer, "127.0.0.1", 0)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    try:
        frame = _frame(100)
        frame.to_csv(tmp_path / "rows.csv", index=False)
        url = f"http://127.0.0.1:{web.server_port}"
        told = command.score(url, tmp_path / "rows.csv", tmp_path / "out.csv")
        assert told.rows == 100
        wanted = scorer.scores(_scorer(), scorer.encoded(_scorer().columns, frame))
        assert np.abs(pd.read_csv(tmp_path / "out.csv")["answer"] - wanted).max() <= 2e-4
        with pytest.raises(InputError) as caught:
            command.score(url, tmp_path / "rows.csv", tmp_path / "out.csv")
        assert caught.value.code == "ciphertext.exists"
        frame.drop(columns="age").to_csv(tmp_path / "less.csv", index=False)
        with pytest.raises(InputError) as caught:
            command.score(url, tmp_path / "less.csv", tmp_path / "none.csv")
        assert caught.value.code == "privacy.table"
    finally:
        web.shutdown()
        web.server_close()


@pytest.mark.parametrize(
    ("url", "code"),
    [("ftp://x", "ciphertext.url"), ("http://", "ciphertext.url"), ("http://a:b", "ciphertext.url"),
     ("http://h/path", "ciphertext.url"), ("nothing", "ciphertext.url"), ("http://127.0.0.1:9", "ciphertext.server")],
)  # fmt: skip
def test_addresses_that_are_none_are_refused(url: str, code: str) -> None:
    """Each with its code and remedy."""
    with pytest.raises(InputError) as caught:
        client.posting(url)("/v1/scorer", b"")
    assert caught.value.code == code
    assert caught.value.remedy


def test_a_port_that_is_taken_and_a_file_that_is_not_there_are_told(tmp_path: Path) -> None:
    """Before anything is served."""
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(InputError) as caught:
        server.listening(lambda *_: b"", "127.0.0.1", taken.getsockname()[1])
    assert caught.value.code == "ciphertext.port"
    with pytest.raises(InputError) as caught:
        command.opened(tmp_path / "none.json")
    assert caught.value.code == "ciphertext.file"


def test_without_the_library_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """`ciphertext.engine`, with what to install."""
    monkeypatch.setitem(sys.modules, "tenseal", None)
    with pytest.raises(UnsupportedError) as caught:
        server.Service(_scorer())
    assert caught.value.code == "ciphertext.engine"
    assert "fivefold[ciphertext]" in caught.value.remedy


@pytest.mark.parametrize(
    "options",
    [{"error": 1e-4}, {"model": 3}, {"model": "a", "more": 1}, {"model": "a", "error": True}, {"training": []},
     {"model": "a", "error": 0}, {"model": "a", "settings": {"degree": 8192}}, {"model": "a", "traffic": 1}],
)  # fmt: skip
def test_controls_that_cannot_be_kept_are_told(options: dict) -> None:
    """Each with `ciphertext.declared`."""
    with pytest.raises(InputError) as caught:
        declared.told(options)
    assert caught.value.code == "ciphertext.declared"


CHECKS = {
    "S4.inference": inference_check, "S4.parameters": parameters_check, "S4.key": key_check,
    "S4.training": training_check,
}  # fmt: skip


@pytest.mark.parametrize("check", sorted(CHECKS))
def test_a_check_without_its_control_is_not_run(check: str) -> None:
    """It says what to declare."""
    given_ = subjects.build(check, 1)
    bare = replace(given_, settings=replace(given_.settings, controls={}))
    with pytest.raises(UnsupportedError) as caught:
        CHECKS[check].run(bare)
    assert caught.value.code == "ciphertext.undeclared"


@pytest.mark.parametrize("check", sorted(CHECKS))
def test_findings_are_the_same_again(check: str) -> None:
    """Byte for byte, although SEAL draws a fresh key each time."""

    def made() -> object:
        given_ = subjects.learning(check, 2) if check == "S4.training" else subjects.build(check, 2)
        return CHECKS[check].run(replace(given_, rows=3000))

    assert made() == made()


@pytest.mark.slow
def test_all_four_checks_pass_in_the_confined_worker(tmp_path: Path) -> None:
    """From a manifest, by the command; the server of S4.key runs in a process that the driver starts."""
    text = (REPO / "docs" / "how-to" / "encrypted-rows.md").read_text(encoding="utf-8")
    manifest = re.search(r"^```yaml\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    named = manifest.group(1).replace(
        "source: census", "source: census, target: sex"
    )  # then it is read as class indices
    (tmp_path / "fivefold.yaml").write_text(named, encoding="utf-8")
    (tmp_path / "data").mkdir()
    table = (REPO / "examples" / "census" / "data" / "train.csv").read_bytes()
    (tmp_path / "data" / "train.csv").write_bytes(table)
    for check in sorted(CHECKS):
        line = [sys.executable, "-m", "fivefold", "assess", str(tmp_path), "--only", check]
        env = {**os.environ, "HOME": str(tmp_path / "home")}
        done = subprocess.run(line, env=env, capture_output=True, text=True, timeout=300, check=False)
        assert f"+ passed        {check}" in done.stdout, done.stdout[-1500:] + done.stderr[-1500:]


def test_a_server_apart_passes_refusals_on_and_its_end_is_told() -> None:
    """The process of the check: what it refuses keeps its code; when it is gone, that is an error of the subject."""
    from fivefold.errors import SubjectError

    setup = apart.Setup(scorer=scorer.write(_scorer()), error=1e-4)
    with apart.Elsewhere(apart.forked, setup) as there:
        with pytest.raises(InputError) as caught:
            there.post("/v1/context", b"nothing")
        assert caught.value.code == "ciphertext.blob"
        there._peer.shutdown(socket.SHUT_RDWR)
        with pytest.raises(SubjectError) as gone:
            there.post("/v1/scorer", b"")
        assert gone.value.code == "ciphertext.apart"


@pytest.mark.slow
@pytest.mark.shared
def test_a_census_is_learned_from_while_encrypted(shared: Path) -> None:
    """Adult census, 4,000 rows: accuracy on the test rows within a point of training in the clear."""
    train, test = (
        pd.read_csv(shared / "adult_census" / f"{name}.csv.gz", dtype=str, nrows=rows)
        for name, rows in (("train", 4000), ("test", None))
    )
    told = learning.read({
        "target": "income", "positive": ">50K", "steps": 3, "columns": {
            "age": {"bounds": [17, 90]}, "education_num": {"bounds": [1, 16]}, "hours_per_week": {"bounds": [0, 99]},
            "capital_gain": {"edges": [0, 1, 5000, 100000]}, "sex": {"values": ["Male", "Female"]},
            "relationship": {"values": ["Husband", "Wife", "Not-in-family", "Own-child"]},
        },
    })  # fmt: skip
    x, y = learning.answered(told, train)
    held, answers = learning.answered(told, test)
    made = learning.learn(told, x, y, server.Service().answer)
    plain = training_check.usual(x, y)
    ours, theirs = (training_check.right(one, held, answers).mean() for one in (made.weights, plain))
    assert theirs > 0.83
    assert abs(ours - theirs) < 0.01
    scored = client.Owner(server.Service(learning.scorer_of(told, made.weights)).answer).answers(test.iloc[:5000])
    assert np.abs(scored - 1 / (1 + np.exp(-held[:5000] @ made.weights))).max() <= 1e-4


@pytest.mark.slow
def test_every_command_of_the_page_works(tmp_path: Path) -> None:
    """The page on encrypted rows, in order, in a folder with its files; the answers are those in the clear."""
    text = (REPO / "docs" / "how-to" / "encrypted-rows.md").read_text(encoding="utf-8")
    blocks = {
        kind: re.findall(rf"^```{kind}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
        for kind in ("json", "yaml", "console")
    }
    (tmp_path / "scorer.json").write_text(blocks["json"][0], encoding="utf-8")
    (tmp_path / "fivefold.yaml").write_text(blocks["yaml"][0], encoding="utf-8")
    (tmp_path / "data").mkdir()
    table = (REPO / "examples" / "census" / "data" / "train.csv").read_text(encoding="utf-8")
    (tmp_path / "data" / "train.csv").write_text("\n".join(table.splitlines()[:2001]) + "\n", encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    commands = [line[2:] for block in blocks["console"] for line in block.splitlines() if line.startswith("$ ")]
    assert len(commands) == 7
    script = "set -e\ntrap 'kill $(jobs -p)' EXIT\n" + "\n".join(commands).replace("7867", port)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "HOME": str(tmp_path / "home")}
    script = script.replace("fivefold model", f"{sys.executable} -m fivefold model").replace(
        "fivefold assess", f"{sys.executable} -m fivefold assess"
    )
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300,
                          check=False)  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    made = scorer.read((tmp_path / "scorer.json").read_bytes())
    rows = pd.read_csv(tmp_path / "data" / "train.csv", dtype=str)
    wanted = scorer.answers("logistic", scorer.scores(made, scorer.encoded(made.columns, rows)))
    assert np.abs(pd.read_csv(tmp_path / "answers.csv")["answer"] - wanted).max() <= 2e-4
    assert scorer.read((tmp_path / "learned.json").read_bytes()).kind == "logistic"
