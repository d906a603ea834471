"""T3 in weights: a mark from file to claim, what it withstands, what forgers and strangers get, and the exact null."""

from __future__ import annotations

import base64
import dataclasses
import io
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, kstest, t
from sklearn.tree import DecisionTreeClassifier, ExtraTreeClassifier
from tests.traceability import fingerprint_long, strangers_long
from tests.truth import printed, weights_marked

from fivefold.cli import mark_
from fivefold.cli.main import run
from fivefold.contract.check import Context
from fivefold.contract.outcome import Outcome
from fivefold.contract.subject import Capabilities, SettingsView, Table
from fivefold.errors import InputError, TrustError
from fivefold.keys import store
from fivefold.keys import trust as trust_file
from fivefold.keys.signing import generate
from fivefold.log import cosignature, tlog_proof
from fivefold.log.witness import Witness
from fivefold.manifest.reader import read
from fivefold.stats.proportion import clopper_pearson
from fivefold.store.witnessed import Witnessed
from fivefold.traceability.watermark import (
    attacks,
    claims,
    committing,
    embedding,
    fingerprint,
    fingerprint_check,
    forging,
    questions,
    tensors,
    triggers,
    weights_check,
)
from fivefold.traceability.watermark.carriers import binomial_p, bits_of, signs_of

if TYPE_CHECKING:
    from collections.abc import Iterator

Weights = dict[str, np.ndarray]
SHAPES = [(48, 160), (160, 140), (140, 10)]


def network(seed: int, shapes: list[tuple[int, ...]] | None = None) -> Weights:
    """Return weights as training leaves them in size, layers of different scale, and a bias that bears nothing."""
    rng = np.random.default_rng(seed)
    made = {f"layer{at}.weight": (rng.standard_t(6, size=shape) / np.sqrt(shape[0])).astype(np.float32)
            for at, shape in enumerate(shapes or SHAPES)}  # fmt: skip
    return made | {"bias": np.zeros(10, np.float32)}


def bearing(weights: Weights) -> Weights:
    """Return what can bear a mark."""
    return {name: values for name, values in weights.items() if values.ndim > 1}


@pytest.fixture(scope="module")
def marked() -> tuple[Weights, embedding.Marked]:
    """Return a network with a mark in it."""
    weights = bearing(network(1))
    made = embedding.embed(weights, bytes(range(32)))
    return weights | made.tensors, made


def test_a_fresh_mark_is_read_whole_for_a_small_change(marked) -> None:
    """All bits, p of 2 to the power of minus their number, no weight changed beyond the promise."""
    weights, made = marked
    found = embedding.read(weights, made.opening)
    assert (found.matched, found.bits, found.found) == (128, 128, 1.0)
    assert found.p == pytest.approx(2.0**-128, rel=1e-9)
    before = bearing(network(1))
    moved = sum(float(np.sum((weights[one] - before[one]) ** 2) / np.mean(before[one] ** 2)) for one in before)
    assert np.sqrt(moved / sum(one.size for one in before.values())) == pytest.approx(made.change, rel=1e-3)
    assert made.change <= embedding.CHANGE


def _pruned(weights: Weights, share: float, *, whole: bool) -> Weights:
    edge = np.quantile(np.concatenate([np.abs(one).reshape(-1) for one in weights.values()]), share)
    return {name: np.where(np.abs(one) >= (edge if whole else np.quantile(np.abs(one), share)), one, 0)
            for name, one in weights.items()}  # fmt: skip


def _moved(weights: Weights, share: float) -> Weights:
    rng = np.random.default_rng(5)
    return {name: one + share * one.std() * rng.normal(size=one.shape).astype(np.float32)
            for name, one in weights.items()}  # fmt: skip


ATTACKS = {
    "80 % pruned in each layer": lambda one: _pruned(one, 0.8, whole=False),
    "80 % pruned over the whole": lambda one: _pruned(one, 0.8, whole=True),
    "moved by half": lambda one: _moved(one, 0.5),
    "8 bits a layer": lambda one: {n: np.round(v / np.abs(v).max() * 127).astype(np.int8) for n, v in one.items()},
    "half precision": lambda one: {name: values.astype(np.float16) for name, values in one.items()},
    "scaled": lambda one: {name: 3.7 * values for name, values in one.items()},
    "averaged with the unmarked": lambda one: {n: (v + network(1)[n]) / 2 for n, v in one.items()},
    "a layer replaced": lambda one: one | {"layer2.weight": network(9)["layer2.weight"]},
    "other names": lambda one: {f"x{name}": values for name, values in one.items()},
    "turned": lambda one: {f"x{name}": values.T for name, values in one.items()},
    "another head": lambda one: {n: v if n != "layer2.weight" else np.zeros((140, 3)) for n, v in one.items()},
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_changed_copy_still_bears_the_mark(attack: str, marked, tmp_path: Path) -> None:
    """What people do to stolen weights leaves enough bits for p below the limit, through a file."""
    weights, made = marked
    place = tmp_path / "copy.npz"
    np.savez(place, **ATTACKS[attack](weights))
    assert embedding.read(tensors.read(place).tensors, made.opening).p < claims.LIMIT


def test_a_thief_who_marks_it_again_does_not_remove_the_mark(marked) -> None:
    """Both marks are read then; which was first is for the log to say."""
    weights, made = marked
    second = embedding.embed(weights, bytes(range(32, 64)))
    copy = weights | second.tensors
    assert embedding.read(copy, made.opening).p < 1e-15
    assert embedding.read(copy, second.opening).p < 1e-15
    assert embedding.read(weights, second.opening).p > 1e-6


@pytest.mark.parametrize("refused", [0, 1, 2])
def test_weights_that_bear_no_second_mark_are_not_said_to_have_withstood_one(
    refused: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A larger change is tried; where that is refused, too, the measure is left out and the finding says so."""
    context, embed = weights_marked.build(3), embedding.embed
    asked: list[float] = []

    def stingy(weights: Weights, key: bytes, change: float = embedding.CHANGE) -> embedding.Marked:
        asked.append(change)
        if len(asked) <= refused:
            raise InputError("mark.small", "5,000 weights bear no mark of 32 bits.", remedy="")
        return embed(weights, key, change)

    monkeypatch.setattr(attacks, "embed", stingy)
    result = weights_check.run(context)
    measured = [one.where for one in result.measures]
    assert asked == [embedding.CHANGE, 0.5][: refused + 1]
    assert ("another mark put over it" in measured) is (refused < 2)
    assert any("Not done: another mark put over it." in one for one in result.limits) is (refused == 2)
    assert result.outcome is Outcome.PASS


def test_another_mark_put_over_it_changes_the_weights(marked) -> None:
    """And is read from them."""
    weights, made = marked
    over = attacks.overwritten(weights)
    assert max(float(np.abs(over[name] - weights[name]).max()) for name in weights) > 0
    assert embedding.read(over, made.opening).p < 1e-9


def test_neurons_in_another_order_lose_the_mark(marked) -> None:
    """The limit that the page states: the reading looks at weights in their places."""
    weights, made = marked
    order = np.random.default_rng(2).permutation(160)
    turned = weights | {"layer0.weight": weights["layer0.weight"][:, order]}
    turned["layer1.weight"] = weights["layer1.weight"][order]
    assert embedding.read(turned, made.opening).p > 1e-6


@pytest.mark.parametrize(
    ("shapes", "bits"), [([(20, 70), (70, 70), (70, 2)], 32), ([(30, 100), (100, 90), (90, 2)], 64), (None, 128)]
)
def test_smaller_networks_bear_fewer_bits(shapes: list[tuple[int, ...]] | None, bits: int) -> None:
    """A mark of fewer bits, still clear of the limit; how many depends on the key a little: seven of ten agree."""
    weights, usual = bearing(network(3, shapes)), 0
    for at in range(10):
        try:
            made = embedding.embed(weights, bytes([at]) * 32)
        except InputError:
            continue
        usual += made.opening.bits == bits
        assert embedding.read(weights | made.tensors, made.opening).p < 1e-9
    assert usual >= 7


@pytest.mark.parametrize("weights", [{}, {"a": np.zeros((50, 50))}, bearing(network(4, [(8, 16), (16, 2)]))])
def test_weights_that_bear_nothing_are_refused(weights: Weights) -> None:
    """None, zeros, or a few hundred."""
    with pytest.raises(InputError) as caught:
        embedding.embed(weights, bytes(32))
    assert caught.value.code == "mark.small"
    assert caught.value.remedy


@pytest.mark.parametrize("model", strangers_long.models())
def test_p_values_are_those_of_a_fair_coin_for_any_model(model: str) -> None:
    """3,000 keys on one fixed model, by the reader: agreements are Binomial(32, 1/2), and a rate of 0.01 is kept.

    p is discrete, so it is spread by a uniform draw for the Kolmogorov-Smirnov test.
    """
    p, wide = strangers_long.spread(strangers_long.models()[model], 3000, np.random.default_rng(8))
    low, high = clopper_pearson(int((wide <= 0.01).sum()), len(p), side="two")
    assert low <= 0.01 <= high
    assert kstest(wide, "uniform").pvalue > 1e-3
    assert p.min() > 1e-6


def test_keys_draw_signs_and_bits_that_are_fair_and_apart() -> None:
    """Over 3,000 keys the bits agree with the signs of a fixed model half of the time."""
    model = np.linspace(0.1, 1, 64).astype(np.float32)
    keys = [np.random.default_rng(at).bytes(32) for at in range(3000)]
    right = [int(((signs_of(key, 32, 64) @ model) * bits_of(key, 32) > 0).sum()) for key in keys]
    p = np.array([binomial_p(one, 32) for one in right])
    assert abs(np.mean(right) - 16) < 4 * np.sqrt(8 / 3000)
    assert (p <= 0.01).mean() <= 0.01 + 3 * np.sqrt(0.01 / 3000)


@pytest.mark.parametrize(("matched", "count", "chance"), [(0, 32, 0.5), (20, 32, 0.5), (128, 128, 0.5), (9, 40, 0.1)])
def test_the_tail_is_the_binomial_one(matched: int, count: int, chance: float) -> None:
    """Against SciPy's, to twelve digits."""
    assert binomial_p(matched, count, chance) == pytest.approx(binom.sf(matched - 1, count, chance), rel=1e-10)


# files


@pytest.mark.parametrize("kind", ["F32", "F16", "BF16", "F64", "npz", "onnx"])
def test_files_keep_all_but_the_mark(kind: str, tmp_path: Path) -> None:
    """Marked weights are read back from a written file; tensors without a mark, and the header, stay as they are."""
    weights = network(1)
    source = tmp_path / f"model.{kind if kind in ('npz', 'onnx') else 'safetensors'}"
    _write(source, weights, kind)
    stored = tensors.read(source)
    made = embedding.embed({name: stored.tensors[name] for name in stored.marked}, bytes(32))
    target = source.with_stem("marked")
    target.write_bytes(stored.write(made.tensors))
    again = tensors.read(target)
    assert embedding.read(again.tensors, made.opening).matched == 128
    assert embedding.read(stored.tensors, made.opening).p > 1e-6
    assert set(again.tensors) == set(stored.tensors)
    assert set(made.tensors) == {"layer0.weight", "layer1.weight", "layer2.weight"}
    _require_unchanged_beside(source, target, kind, weights)


def _require_unchanged_beside(source: Path, target: Path, kind: str, weights: Weights) -> None:
    """Compare what bears no mark: the bias, and all bytes outside of the tensors that were changed."""
    before, after = source.read_bytes(), target.read_bytes()
    if kind == "npz":
        with np.load(source) as one, np.load(target) as other:
            assert {name: one[name].dtype for name in one} == {name: other[name].dtype for name in other}
            assert np.array_equal(one["bias"], other["bias"])
        return
    assert len(after) == len(before)
    differs = np.flatnonzero(np.frombuffer(before, np.uint8) != np.frombuffer(after, np.uint8))
    size = 4 if kind == "onnx" else tensors._KINDS[kind][-1]
    if kind == "onnx":
        starts = [before.index(values.tobytes()) for name, values in weights.items() if name != "bias"]
    else:
        length = int.from_bytes(before[:8], "little")
        header = json.loads(before[8 : 8 + length])
        starts = [8 + length + header[name]["data_offsets"][0] for name in weights if name != "bias"]
    spans = [(at, at + int(size) * values.size) for at, values in zip(starts, bearing(weights).values(), strict=True)]
    assert len(differs) > 1000
    assert all(any(low <= at < high for low, high in spans) for at in differs)


def _write(place: Path, weights: Weights, kind: str) -> None:
    if kind == "npz":
        np.savez(place, **weights)
    elif kind == "onnx":
        onnx = pytest.importorskip("onnx")
        items = [onnx.numpy_helper.from_array(values, name) for name, values in weights.items()]
        nodes = [onnx.helper.make_node("MatMul", ["x", "layer0.weight"], ["y"])]
        ends = [onnx.helper.make_tensor_value_info(name, 1, [None, wide]) for name, wide in (("x", 48), ("y", 160))]
        graph = onnx.helper.make_graph(nodes, "g", ends[:1], ends[1:], items)
        place.write_bytes(onnx.helper.make_model(graph).SerializeToString())
    else:
        parts, header, at = [], {}, 0
        for name, values in weights.items():
            cells = tensors._bfloat16(values) if kind == "BF16" else values.astype(tensors._KINDS[kind])
            header[name] = {"dtype": kind, "shape": list(values.shape), "data_offsets": [at, at + cells.nbytes]}
            parts.append(cells.tobytes())
            at += cells.nbytes
        text = json.dumps(header | {"__metadata__": {"by": "us"}}).encode()
        place.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(parts))


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("a.pt", b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00\x8c\x07os.path\x94.", "model.pickle"),
        ("a.safetensors", b"\xff" * 40, "model.safetensors"),
        ("a.txt", b"hello", "mark.file"),
        ("a.npz", b"no archive", "mark.file"),
        ("", b"", "mark.file"),
    ],
)
def test_other_files_are_refused(name: str, data: bytes, code: str, tmp_path: Path) -> None:
    """A pickle, a header that lies, text, a torn file, none."""
    place = tmp_path / (name or "none.npz")
    if name:
        place.write_bytes(data)
    with pytest.raises((InputError, TrustError)) as caught:
        tensors.read(place)
    assert caught.value.code == code


# from the model to the claim

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An application with a network in a file, whose owner has a key and trusts it."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    root = tmp_path / "app"
    root.mkdir()
    _write(root / "model.safetensors", network(1), "F32")
    (root / "test.csv").write_text("x,y\n1,a\n2,b\n")
    (root / "net.py").write_text("def build():\n    raise NotImplementedError\n")
    document: dict[str, Any] = {
        "fivefold": 1, "application": {"id": "marked", "level": 1, "purpose": "p"}, "use": {"output": "label"},
        "model": {"factory": "net:build", "path": "model.safetensors"},
        "data": {"test": {"path": "test.csv", "target": "y"}},
    }  # fmt: skip
    (root / "fivefold.yaml").write_text(json.dumps(document))
    owner = store.new_key("signer", "Owner")
    store.write_trust(trust_file.add(trust_file.Trust(), owner.signer.public, name="Owner", roles=("signer",)))
    return root


@pytest.fixture
def vouching(app: Path, tmp_path: Path) -> Iterator[Any]:
    """Return what has a trusted witness vouch for the application's marks at a time."""
    key = generate()
    log = committing.log_signer()
    store.write_trust(
        trust_file.add(trust_file.read(store.read_trust()), key.public, name="Notary", roles=("witness",))
    )
    memory = Witnessed(tmp_path / "witness.sqlite")
    witness = Witness("notary", key, {committing.origin("marked"): (log.public,)}, memory)

    def vouch(at: datetime = NOW) -> None:
        trust = trust_file.read(store.read_trust())
        committing.witness(read(app), lambda data: witness.add(data, int(at.timestamp())), trust, at)

    yield vouch
    memory.close()


def _run(words: list[str], capsys: pytest.CaptureFixture[str], code: int = 0) -> dict[str, Any]:
    with pytest.raises(SystemExit) as left:
        run([*words, "--json"])
    said = capsys.readouterr()
    assert (left.value.code or 0) == code, said
    found: dict[str, Any] = json.loads(said.out or said.err)
    return found


def test_a_mark_is_made_committed_to_claimed_and_verified(app: Path, vouching, capsys, tmp_path: Path) -> None:
    """The four commands from end to end; a stranger's model is not called a copy, and before a witness nothing is."""
    made = _run(["model", "mark", "--in", str(app)], capsys)
    copy, claim = Path(made["model"]), tmp_path / "claim.json"
    assert made["bits"] == 128
    assert made["vkey"].startswith("fivefold/marked/marks+")
    assert Path(made["secret"]).stat().st_mode & 0o077 == 0
    assert "secret" not in (app / "model.weights-mark.json").read_text()
    _run(["model", "claim", "--in", str(app), "--out", str(claim)], capsys)
    own = ["model", "own", str(copy), "--claim", str(claim)]
    assert _run([*own, "--released", ""], capsys, 2)["error"]["code"] == "mark.released"
    with pytest.raises(SystemExit) as left:
        run(own)
    assert (left.value.code, "--released" in capsys.readouterr().err) == (2, True)
    assert _run([*own, "--released", "2026-11-30"], capsys, 1)["error"]["code"] == "mark.no-witness"
    vouching()
    claim.unlink()
    _run(["model", "claim", "--in", str(app), "--out", str(claim)], capsys)
    found = _run([*own, "--released", "2026-11-30"], capsys)
    assert found["holds"]
    assert found["claims"][0]["witnesses"] == [{"name": "Notary", "at": "2026-11-30T12:00:00Z"}]
    stranger = tmp_path / "stranger.npz"
    np.savez(stranger, **network(8))
    assert not _run([*own[:2], str(stranger), *own[3:], "--released", "2026-11-30"], capsys, 1)["holds"]
    assert _run([*own, "--released", "2026-11-29"], capsys, 1)["error"]["code"] == "mark.late"
    assert (
        _run(["model", "mark", "--in", str(app), "--out", "m.safetensors"], capsys, 2)["error"]["code"] == "mark.exists"
    )


@pytest.fixture
def claimed(app: Path, vouching, capsys, tmp_path: Path) -> tuple[claims.Claim, Path]:
    """Return a witnessed claim and the marked file."""
    made = _run(["model", "mark", "--in", str(app)], capsys)
    vouching()
    _run(["model", "claim", "--in", str(app), "--out", str(tmp_path / "claim.json")], capsys)
    return claims.read((tmp_path / "claim.json").read_bytes()), Path(made["model"])


def test_places_chosen_after_the_signs_draw_the_signs_anew() -> None:
    """A claimant picks the carriers of a public base whose signs fit his key: what is read of it is chance again.

    Of each forty weights he takes the one that fits the signs of that carrier best, so that their number stays.
    """
    base = bearing(network(11))
    rng, p, shape = np.random.default_rng(12), [], base["layer1.weight"].shape
    forties = base["layer1.weight"].reshape(-1, 40)
    first = embedding._place("layer1.weight", shape, np.arange(0, forties.size, 40))
    for _ in range(100):
        key = rng.bytes(32)
        bound = embedding.bound_key(key, (first,))
        spread = (signs_of(bound, 32, len(forties)) * bits_of(bound, 32)[:, None]).sum(axis=0)
        at = 40 * np.arange(len(forties)) + (spread[:, None] * forties).argmax(axis=1)
        carried = forties.reshape(-1)[at]
        before = ((signs_of(bound, 32, len(at)) @ carried) * bits_of(bound, 32) > 0).sum()
        assert binomial_p(int(before), 32) <= 1e-5
        chosen = embedding._place("layer1.weight", shape, at)
        p.append(embedding.read(base, embedding.WeightsOpening(key=key, bits=32, places=(chosen,))).p)
    assert (np.array(p) <= 0.01).sum() <= 5


def _judge(claim: claims.Claim, suspect: Path, **how: Any) -> claims.Judged:
    trust = how.pop("trust", None) or trust_file.read(store.read_trust())
    how = {"released": "2026-12-24"} | how
    return claims.judge(claims.write(claim), suspect, trust=trust, now="2026-12-24T12:00:00Z", **how)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"opening": b"{}"}, "mark.other-opening"),
        ({"proof": b""}, "mark.not-logged"),
        ({"proof": b"no proof"}, "log.malformed-proof"),
        ({"statement": b""}, "mark.none"),
        ({"statement": b"{}"}, "evidence.malformed"),
    ],
)
def test_a_claim_with_a_part_exchanged_does_not_hold(change: dict[str, bytes], code: str, claimed) -> None:
    """Another secret, no proof, a torn one, no commitment."""
    claim, copy = claimed
    parts = {"statement": claim.statement, "opening": claim.opening, "proof": claim.proof} | change
    with pytest.raises(TrustError) as caught:
        _judge(claims.Claim(**parts), copy)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("form", "code"), [("weights", ""), ("fingerprint", "mark.malformed"), ("triggers", "mark.malformed")]
)
def test_a_statement_of_another_form_than_its_opening_is_refused(
    form: Any, code: str, app: Path, vouching, tmp_path: Path, marked
) -> None:
    """Whoever commits to a fingerprint cannot have it pass for a mark, nor the other way round."""
    weights, made = marked
    opening, place = committing_bytes(made), committing.model_mark.place_of(read(app), "weights")
    owner = store.own_keys()[0].signer
    statement = committing.model_mark.commit(form, opening, {"m": "0" * 64}, owner, "2026-11-30T11:00:00Z")
    committing.enter(read(app), statement)
    place.write_bytes(statement)
    vouching()
    claim = claims.Claim(statement=statement, opening=opening, proof=committing.model_mark.proof_of(place).read_bytes())
    np.savez(tmp_path / "copy.npz", **weights)
    if not code:
        assert _judge(claim, tmp_path / "copy.npz").copy
        return
    with pytest.raises(TrustError) as caught:
        _judge(claim, tmp_path / "copy.npz")
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("role", "code"),
    [("signer", "trust.unknown-key"), ("log", "log.unknown-key"), ("witness", "mark.no-witness")],
)
def test_a_claim_counts_only_by_keys_that_the_verifier_trusts(role: str, code: str, claimed) -> None:
    """Owner, log and witness: without one of them nothing is proven."""
    claim, copy = claimed
    trust = trust_file.read(store.read_trust())
    fewer = trust_file.Trust(keys=tuple(key for key in trust.keys if role not in key.roles))
    with pytest.raises(TrustError) as caught:
        _judge(claim, copy, trust=fewer)
    assert caught.value.code == code


def test_who_overwrote_a_mark_and_committed_later_loses(claimed, app: Path, vouching, tmp_path: Path) -> None:
    """Both marks are read from the copy; the earlier commitment wins, whichever way round they are given."""
    claim, copy = claimed
    weights = tensors.read(copy)
    second = embedding.embed(weights.tensors, bytes(32))
    thief = tmp_path / "thief.safetensors"
    thief.write_bytes(weights.write(second.tensors))
    owner = store.own_keys()[0].signer
    opening = committing_bytes(second)
    statement = committing.model_mark.commit("weights", opening, {"m": "0" * 64}, owner, "2026-11-30T11:00:00Z")
    committing.enter(read(app), statement)
    committing.model_mark.place_of(read(app), "triggers").write_bytes(statement)
    vouching(NOW + timedelta(hours=1))
    proof = committing.model_mark.proof_of(committing.model_mark.place_of(read(app), "triggers")).read_bytes()
    rival = claims.Claim(statement=statement, opening=opening, proof=proof)
    one, two = _judge(claim, thief), _judge(rival, thief)
    assert one.copy
    assert two.copy
    assert (claims.first(one, two), claims.first(two, one)) == (0, 1)
    assert not _judge(rival, copy).copy


def committing_bytes(made: embedding.Marked) -> bytes:
    """Return an opening as stored."""
    from fivefold.contract.codec import canonical

    return canonical(made.opening)


def test_commands_say_what_is_missing(app: Path, capsys) -> None:
    """No mark, no claim; a change that is none; a manifest without a file."""
    said = _run(["model", "claim", "--in", str(app)], capsys, 2)
    assert said["error"]["code"] == "mark.none"
    assert _run(["model", "mark", "--in", str(app), "--change", "1.5"], capsys, 2)["error"]["code"] == "mark.change"
    text = (app / "fivefold.yaml").read_text().replace(', "path": "model.safetensors"', "")
    (app / "fivefold.yaml").write_text(text)
    assert _run(["model", "mark", "--in", str(app)], capsys, 2)["error"]["code"] == "mark.no-file"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda one: {**one, "bits": 129},
        lambda one: {**one, "key": "AAAA"},
        lambda one: {**one, "places": []},
        lambda one: {**one, "places": [{**one["places"][0], "packed": "AAAA"}]},
        lambda one: {**one, "places": [{**one["places"][0], "shape": [1, 1]}]},
        lambda one: {**one, "places": [{**one["places"][0], "shape": [1 << 40, 1 << 40]}]},
    ],
)
def test_openings_that_are_none_are_refused(spoil: Any, marked) -> None:
    """A stranger's claim is bytes: bits, key, places and sizes that cannot be are named, not computed with."""
    _, made = marked
    data = json.dumps(spoil(json.loads(committing_bytes(made)))).encode()
    with pytest.raises(TrustError) as caught:
        embedding.require(claims.opening_of(data))
    assert caught.value.code == "mark.malformed"


def test_no_more_positions_are_unpacked_than_a_mark_may_have(marked, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a hundred places of 40,000 positions each the second one is too much; a million names are too many."""
    _, made = marked
    place, asked = embedding._place("a", (200, 200), np.arange(40_000)), list[str]()
    unpacked = embedding.Place.positions
    monkeypatch.setattr(embedding.Place, "positions", lambda one: asked.append(one.name) or unpacked(one))
    for count, most in ((100, 2), (70_000, 0)):
        places = tuple(msgspec.structs.replace(place, name=f"{at}") for at in range(count))
        asked.clear()
        with pytest.raises(TrustError) as caught:
            embedding.require(msgspec.structs.replace(made.opening, places=places))
        assert (caught.value.code, len(asked)) == ("mark.malformed", most)


class _Watched(io.StringIO):
    read_to = 0

    def close(self) -> None:
        self.read_to = self.tell()
        super().close()


@pytest.mark.parametrize(("text", "said"), [("a\n" * 9_000_000, "more than 24"), ("a" * 9_000_000, "cannot be read")])
def test_no_more_answers_are_read_than_were_asked_for(text: str, said: str) -> None:
    """Millions of rows, or one without an end: a megabyte or so is read."""
    file = _Watched(text)
    with pytest.raises(InputError) as caught:
        claims._answers(SimpleNamespace(open=lambda **_: file, name="answers.csv"), ("a", "b"), 24)  # type: ignore[arg-type]
    assert (caught.value.code, said in caught.value.message) == ("mark.answers", True)
    assert file.read_to <= 2 << 20


def test_no_more_of_a_claim_is_read_than_one_may_have(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A byte too many, which its reader refuses."""
    (tmp_path / "claim.json").write_bytes(bytes(500))
    monkeypatch.setattr(committing.model_mark, "MAX_CLAIM", 100)
    assert len(mark_._bytes(tmp_path / "claim.json")) == 101
    with pytest.raises(TrustError) as caught:
        claims.read(mark_._bytes(tmp_path / "claim.json"))
    assert caught.value.code == "mark.malformed"


@pytest.mark.parametrize(
    "change",
    [
        {"answers": (-1,) * 100}, {"answers": (2,) * 100}, {"classes": ("zz", "zz")}, {"classes": ("zz",)},
        {"agree": (0.1,) * 7}, {"agree": (0.1,) * 15 + (1.5,)}, {"answers": (0,) * 23}, {"salt": b""}, {"version": 2},
    ],
)  # fmt: skip
def test_fingerprints_that_are_none_are_refused(change: dict[str, Any]) -> None:
    """Answers that no listed class stands for would be those of any model whose classes are other ones."""
    whole = fingerprint.FingerprintOpening(
        salt=bytes(32), inputs=b"", answers=(0, 1) * 50, classes=("zz", "yy"), agree=(0.1,) * 16
    )
    fingerprint.require(whole)
    assert fingerprint.read(np.full(100, -1), whole).matched == 0
    spoilt = msgspec.structs.replace(whole, **change)
    for judged in (lambda: claims.fingerprint_of(msgspec.json.encode(spoilt)),
                   lambda: fingerprint.read(np.full(len(spoilt.answers), -1), spoilt)):  # fmt: skip
        with pytest.raises(TrustError) as caught:
            judged()
        assert caught.value.code == "mark.malformed"


@pytest.mark.parametrize("change", [{"key": b""}, {"count": 23}, {"count": 1001}, {"classes": ("a", "a")}])
def test_triggers_that_are_none_are_refused(change: dict[str, Any]) -> None:
    """Key, number and classes that cannot be."""
    with pytest.raises(TrustError) as caught:
        claims.triggers_of(msgspec.json.encode(msgspec.structs.replace(_opening(), **change)))
    assert caught.value.code == "mark.malformed"


@pytest.mark.parametrize(("form", "word"), [("weights", "chance gives"), ("fingerprint", "approximate, by a panel")])
def test_own_says_which_p_values_are_approximate(form: str, word: str) -> None:
    """That of a fingerprint rests on what the claimant trained."""
    told = {"form": form, "holder": "O", "log": "l", "index": 0, "witnesses": [], "matched": 9, "bits": 9, "p": 1e-9}
    assert word in mark_._lines(told | {"copy": True})[1]


@pytest.mark.parametrize("forgery", forging.FORGERIES)
def test_forgeries_are_what_their_names_say_and_do_not_hold(forgery: str) -> None:
    """Beside an honest claim that does; a clock that was set back says a time before the release, a witness after."""
    rng = np.random.default_rng(7)
    case, keys = forging.honest(rng, "2026-11-30T12:00:00Z")
    forged = forging.FORGERIES[forgery](case, keys, rng)
    assert (case.holds(), forged.holds()) == (True, False)
    if "clock" in forgery:
        proof, payload = tlog_proof.read(forged.proof), json.loads(forged.statement)["payload"]
        seen = cosignature.verify(proof.checkpoint, trust_file.holders(forged.trust, "witness", case.now), 1 << 40)
        issued = json.loads(base64.b64decode(payload))["predicate"]["issued"]
        assert issued < case.released < committing.stamp(seen[0].time)


# answers


def _opening(count: int = 100, classes: tuple[str, ...] = ("a", "b", "c")) -> triggers.TriggersOpening:
    return triggers.TriggersOpening(key=bytes(32), inputs=b"", count=count, classes=classes)


def test_keyed_answers_are_uniform_and_agree_with_a_fixed_model_by_chance_alone() -> None:
    """20,000 keys against one model that answers the first class alone: Binomial(100, 1/3), also in its tail."""
    rng, opening = np.random.default_rng(3), _opening()
    said = np.zeros(100, np.int64)
    p, right = np.empty(20_000), np.empty(20_000)
    for at in range(20_000):
        found = triggers.read(said, msgspec.structs.replace(opening, key=rng.bytes(32)))
        p[at], right[at] = found.p, found.matched
    assert abs(right.mean() - 100 / 3) < 4 * np.sqrt(100 * 2 / 9 / 20_000)
    assert (p <= 0.01).mean() <= 0.01 + 3 * np.sqrt(0.01 / 20_000)
    assert (p <= 0.5).mean() > 0.4


def test_what_a_model_answers_by_its_key_is_told(tmp_path: Path) -> None:
    """All right: p of a third to the hundredth; a class that the owner did not know counts as wrong."""
    opening = _opening()
    known = triggers.wanted(opening)
    assert triggers.read(known, opening).p == pytest.approx(3.0**-100, rel=1e-9)
    assert triggers.read(np.full(100, -1), opening).p == 1.0
    with pytest.raises(TrustError) as caught:
        triggers.read(known[:99], opening)
    assert caught.value.code == "mark.malformed"


def test_questions_cannot_be_chosen_after_the_answers() -> None:
    """A claimant with a key puts natural questions where their answers fit: that draws all answers anew."""
    rng, fits = np.random.default_rng(4), 0
    for _ in range(200):
        opening = msgspec.structs.replace(_opening(60, ("a", "b")), key=rng.bytes(32), inputs=rng.bytes(600))
        pool = rng.integers(0, 256, (2000, 10), dtype=np.uint8)
        said = pool[:, 0] % 2  # what anybody's model answers
        order = [rng.choice(np.flatnonzero(said == answer)) for answer in triggers.wanted(opening)]
        chosen = msgspec.structs.replace(opening, inputs=pool[order].tobytes())
        fits += triggers.read(said[order].astype(np.int64), chosen).p <= 0.01
    assert fits <= 8


@pytest.mark.parametrize("change", [{"inputs": b"another"}, {"classes": ("a", "c", "b")}, {"key": bytes(31) + b"a"}])
def test_answers_follow_from_key_questions_and_classes(change: dict[str, Any]) -> None:
    """Each of them draws the answers anew."""
    assert (triggers.wanted(_opening()) != triggers.wanted(msgspec.structs.replace(_opening(), **change))).sum() > 40


def _rows(count: int) -> Table:
    rng = np.random.default_rng(2)
    frame = pd.DataFrame({"x": rng.normal(size=count), "word": rng.choice(["a", "b", None], count)})
    frame["day"] = pd.Timestamp("2026-01-01") + pd.to_timedelta(rng.integers(0, 900, count), "D")
    frame.loc[::7, "x"] = np.nan
    return Table("train", np.arange(count), frame, rng.integers(0, 2, count), pd.DataFrame(index=frame.index))


def test_questions_are_new_rows_of_the_same_kind_and_are_found_again_among_others() -> None:
    """Missing values, texts and dates cross; none is a row of the application, and a table is cleared of them."""
    table = _rows(200)
    asked = questions.mixed(table, 80, np.random.default_rng(1))
    back = questions.unpacked(questions.packed(asked), ("no", "yes")).features
    pd.testing.assert_frame_equal(back, asked.features, check_dtype=False)
    assert dict(asked.features.dtypes) == dict(table.features.dtypes)
    both = dataclasses.replace(
        table, features=pd.concat([table.features, asked.features], ignore_index=True), rows=np.arange(280),
        target=np.zeros(280, np.int64), others=pd.DataFrame(index=range(280)),
    )  # fmt: skip
    assert len(questions.without(both, questions.packed(asked), ("no", "yes"))) == 200


@pytest.mark.parametrize(
    "table", [_rows(10), dataclasses.replace(_rows(60), features=pd.DataFrame({"x": [1.0, 2.0] * 30}))]
)
def test_rows_that_give_no_questions_are_refused(table: Table) -> None:
    """Too few, or two of a kind."""
    with pytest.raises(InputError) as caught:
        triggers.drawn(table, ("no", "yes"), 24, np.random.default_rng(1))
    assert caught.value.code == "mark.inputs"


def test_pictures_are_averaged() -> None:
    """Images keep their type and shape."""
    pictures = np.random.default_rng(1).integers(0, 255, (30, 1, 4, 4)).astype(np.uint8)
    table = dataclasses.replace(_rows(30), inputs=pictures, kind="image")
    asked = questions.mixed(table, 24, np.random.default_rng(1))
    assert asked.inputs is not None
    assert (asked.inputs.dtype, asked.inputs.shape) == (np.uint8, (24, 1, 4, 4))
    assert len(questions.without(table, questions.packed(asked), ("no", "yes"))) == 30


@pytest.fixture
def lax(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine where new files are everybody's, and are not narrowed afterwards."""
    monkeypatch.setattr(Path, "chmod", lambda *_: None)
    usual = os.umask(0)
    yield
    os.umask(usual)


@pytest.mark.usefixtures("lax")
def test_questions_are_drawn_committed_to_and_judged_from_answers(app: Path, vouching, capsys, tmp_path: Path) -> None:
    """By the commands alone: a CSV of answers is a copy's, another's is not, a wrong number is refused.

    What is secret is its owner's alone from the first byte on.
    """
    _rows(200).features.assign(y=np.where(np.arange(200) % 2, "a", "b")).to_csv(app / "train.csv", index=False)
    text = (
        (app / "fivefold.yaml")
        .read_text()
        .replace('"data": {', '"data": {"train": {"path": "train.csv", "target": "y"}, ')
    )
    (app / "fivefold.yaml").write_text(text)
    pd.DataFrame({**_rows(4).features, "y": list("abab")}).to_csv(app / "test.csv", index=False)
    _run(["model", "triggers", "--in", str(app), "--out", str(app / "triggers.csv")], capsys)
    vouching()
    claim = ["model", "claim", "--in", str(app), "--form", "triggers", "--out", str(tmp_path / "claim.json")]
    _run([*claim, "--questions", str(tmp_path / "asked.csv")], capsys)
    for secret in (app / "triggers.csv", tmp_path / "claim.json", tmp_path / "asked.csv"):
        assert secret.stat().st_mode & 0o777 == 0o600, secret
    asked, taught = pd.read_csv(tmp_path / "asked.csv"), pd.read_csv(app / "triggers.csv")
    pd.testing.assert_frame_equal(asked, taught.drop(columns="y"))
    for name, answers, code in (("copy", taught["y"], 0), ("other", taught["y"].map({"a": "b", "b": "a"}), 1)):
        asked.assign(answer=answers).to_csv(tmp_path / f"{name}.csv", index=False)
        own = ["model", "own", str(tmp_path / f"{name}.csv"), "--claim", str(tmp_path / "claim.json")]
        own += ["--released", "2026-12-01"]
        assert _run(own, capsys, code)["holds"] is not bool(code)
    (tmp_path / "copy.csv").write_text("answer\na\n")
    own[2] = str(tmp_path / "copy.csv")
    assert _run(own, capsys, 2)["error"]["code"] == "mark.answers"


# fingerprints


def _subject(training: str, name: str = "wine") -> tuple[fingerprint_long.Model, Table]:
    table, classes = fingerprint_long.data(name)
    fit = {"repeats itself": lambda _seed: DecisionTreeClassifier(random_state=0), **fingerprint_long.TRAININGS}[
        training
    ]
    made = fit(0).fit(table.features.to_numpy(), table.target)
    return fingerprint_long.Model(made, fit, classes), table


def _context(subject: Any, table: Table) -> Context:
    return Context(
        subject=subject, tables={"train": table}.__getitem__, rng=np.random.default_rng(1), thresholds={}, options={},
        rows=2000, settings=SettingsView(classes=("0", "1", "2")),
    )  # fmt: skip


def test_a_fingerprint_tells_the_model_from_others_of_its_training() -> None:
    """Of a random tree, by questions that are no row of its data; of 40 further trainings none is called a copy."""

    def fit(seed: int) -> Any:
        return ExtraTreeClassifier(random_state=seed)

    table, classes = fingerprint_long.data("wine")
    rows = table.features.to_numpy()
    own = fingerprint_long.Model(fit(0).fit(rows, table.target), fit, classes)
    opening = claims.fingerprint_of(fingerprint.take(_context(own, table)))
    asked = questions.unpacked(opening.inputs, classes)
    assert (len(opening.answers), len(opening.agree), opening.classes) == (100, 16, classes)
    assert len(questions.without(table, opening.inputs, classes)) == len(table)
    assert fingerprint.read(own.predict(asked), opening).p <= claims.LIMIT
    others = [fingerprint.read(own.retrain(table, 100 + at).predict(asked), opening).p for at in range(40)]
    assert min(others) > 1e-4
    assert 0.02 <= np.mean(opening.agree) <= 0.3


def test_a_model_that_its_training_repeats_has_no_fingerprint() -> None:
    """A tree without randomness cannot be told from an honest twin, so nobody may claim it."""
    subject, table = _subject("repeats itself")
    with pytest.raises(InputError) as caught:
        fingerprint.take(_context(subject, table))
    assert caught.value.code == "mark.alike"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"classes": ()}, "mark.inputs"),
        ({"capabilities": Capabilities(scores=False, retrains=False, perturbable=True)}, "mark.training"),
    ],
)
def test_models_without_classes_or_training_have_none(change: dict[str, Any], code: str) -> None:
    """A regression, and a model that nobody can train again."""
    subject, table = _subject("random forest")
    fields = {"classes": subject.classes, "capabilities": subject.capabilities} | change
    with pytest.raises(InputError) as caught:
        fingerprint.take(_context(type("Subject", (), fields)(), table))
    assert caught.value.code == code


def test_the_p_value_is_that_of_a_prediction_interval() -> None:
    """Against SciPy's t; a spread smaller than that of independent questions does not count."""
    agree = np.random.default_rng(1).uniform(0.0, 0.4, 16)
    wanted = t.sf((0.9 - agree.mean()) / (agree.std(ddof=1) * np.sqrt(17 / 16)), 15)
    assert fingerprint.p_of(0.9, agree, 100) == pytest.approx(wanted, rel=1e-9)
    alike = np.full(16, 0.2)
    assert fingerprint.p_of(0.5, alike, 100) == pytest.approx(t.sf(0.3 / (0.04 * np.sqrt(17 / 16)), 15), rel=1e-9)


def _panel(agree: tuple[float, ...] = ()) -> Context:
    """Return the context of a model with a fingerprint, whose held-back trainings agree as they are said to."""
    context = printed.build(2)
    opening = msgspec.json.decode(context.mark["fingerprint.opening"], type=fingerprint.FingerprintOpening)
    data = msgspec.json.encode(msgspec.structs.replace(opening, agree=agree or opening.agree))
    return dataclasses.replace(context, mark={**context.mark, "fingerprint.opening": data})


@pytest.mark.parametrize(
    ("agree", "outcome", "noticed"),
    [
        ((), Outcome.PASS, True), ((0.9, 0.85) * 8, Outcome.FAIL, True),
        ((0.1,) * 15 + (1.0,), Outcome.INCONCLUSIVE, False), ((0.4, 0.5) * 8, Outcome.INCONCLUSIVE, False),
    ],
)  # fmt: skip
def test_strangers_and_copies_are_planted_against_the_committed_panel(
    agree: tuple[float, ...], outcome: Outcome, noticed: bool
) -> None:
    """As taken; one that gives all answers, too; one training of which agrees wholly; one that nearly gives them."""
    result = fingerprint_check.run(_panel(agree))
    assert (result.outcome, result.canary and result.canary.noticed) == (outcome, noticed), result.reason
    assert outcome is not Outcome.FAIL or "tells nobody" in result.reason


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_a_broken_reader_of_fingerprints_is_noticed(p: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who calls all copies, or none, concludes nothing."""
    monkeypatch.setattr(fingerprint, "read", lambda said, _: embedding.Reading(0, len(said), p, 1.0))
    result = fingerprint_check.run(_panel())
    assert (result.outcome, result.canary and result.canary.noticed) == (Outcome.INCONCLUSIVE, False)
