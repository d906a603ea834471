"""S6: the device keeps its promise in whole numbers, remembers, and the server's figures cover the truth."""

from __future__ import annotations

import ast
import json
import math
import random
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from decimal import Decimal, localcontext
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import hadamard
from tests.truth import telemetry
from tests.truth.subjects import table as table_of

from fivefold.contract.outcome import Outcome
from fivefold.errors import InputError, SubjectError, UnsupportedError
from fivefold.sharing.telemetry import asked, audit, device, estimate, estimates, fleet, game, repeats, reports
from fivefold.sharing.telemetry.declared import told
from fivefold.sharing.telemetry.device import Device, DeviceError, Question, randomise
from fivefold.sharing.telemetry.source import Source

from .power_telemetry import audited

COLOURS = ("red", "green", "blue", "grey")
WORD = 1 << 64


def _bits(*draws: int):
    """Return a source that gives these numbers in turn."""
    left = list(draws)
    return lambda _count: left.pop(0)


def _said(question: Question, values: list, seed: int = 1) -> reports.Reports:
    bits = random.Random(seed).getrandbits
    return reports.read(question, [Device(question, bits=bits, most=99).report(value) for value in values])


def test_the_client_is_one_file_of_the_standard_library(tmp_path: Path) -> None:
    """It can be shipped alone: copied elsewhere, run without any package, it reports."""
    source = Path(device.__file__)
    names = {
        (node.module or "").split(".")[0] if isinstance(node, ast.ImportFrom) else node.names[0].name
        for node in ast.walk(ast.parse(source.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert names <= set(sys.stdlib_module_names) | {"__future__"}
    shutil.copy(source, tmp_path / "telemetry.py")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import telemetry as t\n"
        "print(t.Device(t.Question('c', 'oue', 1.0, values=('a', 'b')), 'state.json').report('a'))"
    )
    done = [
        subprocess.run([sys.executable, "-I", "-S", "-c", code], cwd=tmp_path, capture_output=True, check=True).stdout
        for _ in range(2)
    ]
    assert done[0] == done[1]
    assert json.loads(done[0])["v"] == 1


def test_randomness_is_the_operating_systems_unless_a_test_says_otherwise() -> None:
    """Two devices of a shipped kind differ; the default source is ``secrets``."""
    question = Question("c", "oue", 0.1, values=tuple(map(str, range(200))))
    assert Device(question).report("1") != Device(question).report("1")
    assert Device.__init__.__kwdefaults__["bits"].__self__ is device.secrets._sysrand


@settings(max_examples=200, deadline=None)
@given(epsilon=st.floats(0.01, 16.0))
def test_the_chance_of_a_flip_never_exceeds_the_loss(epsilon: float) -> None:
    """(2**64 - flip) / flip is at most e**epsilon, and nearly that much: less than 2**-53 off."""
    flip = Question("c", "mean", epsilon).flip
    with localcontext(prec=80):
        odds = Decimal(epsilon).exp()
        assert Decimal(WORD - flip) / Decimal(flip) <= odds
        assert Decimal(flip) - WORD / (odds + 1) <= 2**11


@settings(max_examples=200, deadline=None)
@given(value=st.floats(-1e300, 1e300), low=st.floats(-1e6, 1e6), wide=st.floats(1e-3, 1e9))
def test_every_number_is_answered_within_the_flips(value: float, low: float, wide: float) -> None:
    """Whatever the value, a word below ``flip`` says 1 and one from 2**64 - flip says 0."""
    question = Question("c", "mean", 0.7, low=low, high=low + wide)
    assert randomise(question, value, _bits(question.flip - 1)) == {"bit": 1}
    assert randomise(question, value, _bits(WORD - question.flip)) == {"bit": 0}


@pytest.mark.parametrize(("value", "share"), [(2.0, 0.0), (4.5, 0.25), (12.0, 1.0), (99, 1.0), (None, 0.5)])
def test_a_number_moves_the_chance_on_a_straight_line(value: float | None, share: float) -> None:
    """The threshold between 1 and 0 lies where it must, to the last unit."""
    question = Question("c", "mean", 1.0, low=2.0, high=12.0)
    edge = question.flip + math.floor(share * 4) * ((WORD - 2 * question.flip) // 4)
    assert randomise(question, value, _bits(edge - 5)) == {"bit": 1}
    assert randomise(question, value, _bits(edge + 5)) == {"bit": 0}


@pytest.mark.parametrize("value", [*COLOURS, "none of them"])
def test_hadamard_response_is_even_within_each_half(value: str) -> None:
    """All draws enumerated: a column where the row holds 1 is drawn with the one chance, any other with the other."""
    question = Question("c", "hadamard", 1.0, values=COLOURS)
    row = hadamard(question.size)[question.row(value)]
    for word, sign in ((question.flip, 1), (question.flip - 1, -1)):
        drawn = Counter(randomise(question, value, _bits(column, word))["y"] for column in range(question.size))
        assert drawn == dict.fromkeys(np.flatnonzero(row == sign).tolist(), 2)


def test_unary_encoding_flips_each_bit_by_itself() -> None:
    """The true value is 1 for words below one half, all others below ``flip``; a value not listed has no true one."""
    question = Question("c", "oue", 1.0, values=COLOURS)
    words = [question.flip - 1, question.flip, WORD // 2 - 1, WORD // 2]
    packed = sum(word << 64 * at for at, word in enumerate(words))
    assert randomise(question, "grey", _bits(packed))["bits"] == "1"
    assert randomise(question, "blue", _bits(packed))["bits"] == "5"
    assert randomise(question, "pink", _bits(packed))["bits"] == "1"


@pytest.mark.parametrize("value", [math.nan, math.inf, "7", True])
def test_what_is_no_number_is_not_reported(value: object) -> None:
    """Never quietly clipped."""
    with pytest.raises(DeviceError) as error:
        randomise(Question("c", "mean", 1.0), value)  # type: ignore[arg-type]
    assert error.value.code == "device.value"


@pytest.mark.parametrize(
    "fields",
    [
        {"way": "rappor"}, {"epsilon": 0.0}, {"epsilon": math.nan}, {"epsilon": True}, {"values": ()},
        {"values": ("a", "a")}, {"way": "mean", "low": 1.0, "high": 1.0}, {"way": "top", "alphabet": "aa"},
        {"way": "top", "length": 0}, {"way": "top", "step": 4}, {"draws": 0},
    ],
)  # fmt: skip
def test_a_question_that_cannot_be_kept_is_refused(fields: dict) -> None:
    """At once, on device and server alike."""
    with pytest.raises(DeviceError) as error:
        Question(**{"name": "c", "way": "oue", "epsilon": 1.0, "values": COLOURS} | fields)
    assert error.value.code == "device.question"


def test_a_device_repeats_itself_until_the_period_ends_and_then_it_is_spent(tmp_path: Path) -> None:
    """Restarts and other values change nothing; the number of fresh draws in a life is what was agreed."""
    question = Question("c", "oue", 1.0, values=tuple(map(str, range(100))), draws=2)
    first = Device(question, tmp_path / "s").report("1", period=3)
    assert {Device(question, tmp_path / "s").report(str(at), period=3) for at in range(20)} == {first}
    second = Device(question, tmp_path / "s").report("1", period=9)
    assert second != first
    for period, code in ((10, "device.spent"), (8, "device.period"), (True, "device.period")):
        with pytest.raises(DeviceError) as error:
            Device(question, tmp_path / "s").report("1", period=period)
        assert error.value.code == code
    assert Device(question, tmp_path / "s").report("2", period=9) == second


@pytest.mark.parametrize("text", ["", "{}", "[1]", "null", '{"question": "x", "report": "y", "period": 0, "drawn": 1}'])
def test_a_state_that_cannot_be_read_is_not_drawn_again(tmp_path: Path, text: str) -> None:
    """A damaged file, or one of another question, ends reporting: it does not refill the loss."""
    (tmp_path / "s").write_text(text)
    with pytest.raises(DeviceError) as error:
        Device(Question("c", "oue", 1.0, values=COLOURS), tmp_path / "s")
    assert error.value.code == "device.state"


def test_a_state_that_cannot_be_written_lets_nothing_out(tmp_path: Path) -> None:
    """First remembered, then said."""
    held = Device(Question("c", "oue", 1.0, values=COLOURS), tmp_path / "gone" / "s")
    with pytest.raises(DeviceError) as error:
        held.report("red")
    assert error.value.code == "device.state"
    assert held._kept == {}


def test_the_owner_of_a_device_caps_what_a_server_may_ask() -> None:
    """A question of more than ``most`` over the whole life is refused."""
    with pytest.raises(DeviceError):
        Device(Question("c", "mean", 1.0, draws=9))
    assert Device(Question("c", "mean", 1.0, draws=9), most=9.0).report(0.5)


def test_transform_is_the_hadamard_matrix() -> None:
    """Against SciPy's matrix."""
    counts = np.random.default_rng(1).integers(0, 9, 64)
    assert (estimate.transform(counts) == hadamard(64) @ counts).all()


@pytest.mark.parametrize("text", ["", "{}", "[]", "nan", '{"v":1}', "\u00e9", b"\xff"])
def test_malformed_reports_are_counted_and_left_out(text: str | bytes) -> None:
    """Neither believed nor passed over."""
    question = Question("c", "oue", 1.0, values=COLOURS)
    good = Device(question).report("red")
    more = good.replace('"v": 1', '"v": 2'), good.replace("}", ', "extra": 1}'), good.replace('"bits": "', '"bits": "f')
    other = Device(replace(question, epsilon=2.0)).report("red")
    found = reports.read(question, [text, good, *more, other])
    assert (len(found), found.refused, found.kept.tolist()) == (1, 5, [1])


@pytest.mark.parametrize("way", ["oue", "hadamard"])
@pytest.mark.parametrize("epsilon", [0.5, 4.0])
def test_frequencies_cover_the_truth(way: str, epsilon: float) -> None:
    """All intervals of a round at once, in at least as many rounds as 95 % allows (exact bound at 1 in 10,000)."""
    question = Question("c", way, epsilon, values=COLOURS)
    truth, held = np.array([0.5, 0.3, 0.15, 0.0]), 0
    rng = np.random.default_rng(7)
    for seed in range(60):
        values = rng.choice([*COLOURS, "unlisted"], 800, p=[*truth, 0.05]).tolist()
        found = estimate.frequencies(_said(question, values, seed))
        held += bool(((found.low <= truth) & (truth <= found.high)).all())
    assert held >= 49


def test_estimates_on_many_reports_are_near() -> None:
    """50,000 devices: within four standard errors, and the mean too."""
    rng = np.random.default_rng(3)
    values = rng.choice(COLOURS, 50_000, p=[0.6, 0.3, 0.1, 0.0])
    found = estimate.frequencies(_said(Question("c", "hadamard", 1.0, values=COLOURS), values.tolist()))
    estimated = found.values  # noqa: PD011  estimates, no frame
    assert np.abs(estimated - [0.6, 0.3, 0.1, 0.0]).max() < 4 * 2.2 / math.sqrt(50_000)
    numbers = rng.normal(5.0, 1.0, 50_000)
    mean = estimate.mean(_said(Question("m", "mean", 1.0, low=0.0, high=10.0), numbers.tolist()))
    assert mean.low[0] <= numbers.mean() <= mean.high[0]
    assert mean.high[0] - mean.low[0] < 0.25


def test_common_strings_are_found_without_knowing_them() -> None:
    """Those above what is detectable are found; no made-up string is; the intervals hold."""
    words = ["aurora.example", "b", "caf\u00e9", *[f"rare{at}" for at in range(400)]]
    shares = np.array([0.4, 0.25, 0.15, *[0.2 / 400] * 400])
    question = Question("site", "top", 2.0)
    rng = np.random.default_rng(5)
    values = rng.choice(words, 60_000, p=shares).tolist()
    found = estimate.top(_said(question, values), 5)
    assert estimate.detectable(question, 60_000) < 0.13
    assert set(found.names) == {"aurora.examp", "b", "caf\r"}
    truth = dict(zip(("aurora.examp", "b", "caf\r"), (0.4, 0.25, 0.15), strict=True))
    for name, low, high in zip(found.names, found.low, found.high, strict=True):
        assert low - 0.01 <= truth[name] <= high + 0.01


def test_reports_of_another_question_are_not_estimated() -> None:
    """An error with a code, not a figure."""
    with pytest.raises(InputError) as error:
        estimate.mean(_said(Question("c", "oue", 1.0, values=COLOURS), ["red"]))
    assert error.value.code == "telemetry.reports"


@pytest.mark.parametrize(("epsilon", "wanted"), [(1.1, Outcome.FAIL), (1.0, Outcome.PASS)])
def test_a_tenth_too_much_is_caught(epsilon: float, wanted: Outcome) -> None:
    """Each way once; how often of 100 stands in the docs, by ``tests.sharing.power_telemetry``."""
    assert [audited(way, epsilon, 11) for way in ("oue", "mean")] == [wanted, wanted]


def test_the_game_bounds_what_it_plays() -> None:
    """A device that says the truth in one report of fifty shows more than it claims; a broken report is an error."""
    question, bits = Question("c", "hadamard", 1.0, values=COLOURS), random.Random(2).getrandbits

    def leaking(asked: Question, value: object) -> list[str]:
        strong = replace(asked, epsilon=9.0)
        chosen = strong if bits(8) < 20 else asked
        body = {"v": 1, "q": asked.digest[:16], **randomise(chosen, value, bits)}  # type: ignore[arg-type]
        return [json.dumps(body)]

    loss = game.play(fleet.one_by_one(leaking), [question], 40_000, np.random.default_rng(1))
    assert loss.low > 1.0
    with pytest.raises(SubjectError):
        game.play(fleet.one_by_one(lambda *_: ["{}"]), [question], 100, np.random.default_rng(1))


_QUESTIONS = [
    Question("c", "oue", 1.0, values=COLOURS),
    Question("c", "oue", 1.0, values=tuple(map(str, range(300)))),
    Question("c", "hadamard", 0.3, values=("only",)),
    Question("c", "hadamard", 1.0, values=tuple(map(str, range(300)))),
    Question("c", "mean", 2.0, low=-1.0, high=4.5),
    Question("c", "top", 2.0, length=5),
    Question("c", "top", 2.0, length=64, step=1, alphabet="ab"),
]


@pytest.mark.parametrize("permanent", [True, False])
@pytest.mark.parametrize("question", _QUESTIONS, ids=lambda one: f"{one.way}{len(one.values)}-{one.length}")
def test_a_fleet_says_what_its_devices_say(question: Question, permanent: bool) -> None:
    """Bit for bit, from the same seed, across blocks of random bytes; the client is asked for the first ones only."""
    listed = question.values[:7]  # noqa: PD011  a question's, no frame's
    text, numbers = (*listed, "caf\u00e9", None, "abbabaababab"), (-7, -1.0, 0.1, 4.5, 1e9, None)
    values: list = list(numbers if question.way == "mean" else text)
    rng, calls = np.random.default_rng(5), []

    def client(asked: Question, value: object, bits: object) -> list[str]:
        calls.append(value)
        made = [Device(asked, most=99, bits=bits) for _ in range(1 if permanent else 3)]  # type: ignore[arg-type]
        return [one.report(value) for one in (made * 3 if permanent else made)]  # type: ignore[arg-type]

    held = fleet.Values(question, values)
    found = fleet.Fleet(held, client, Source(rng), 1 if permanent else 3, 3)
    at = np.random.default_rng(6).integers(0, len(values), 3000)
    said = found(at[:2500]), found(at[2500:])
    assert len(calls) == fleet.ITSELF
    if question.way == "top":  # whose groups are drawn again for all devices at once: other bytes, same law
        return
    bits = Source(np.random.default_rng(5))
    want = fleet.one_by_one(lambda asked, value: client(asked, value, bits))(held)(at)
    assert len(want) == len(said[0]) == 3
    for time, one in enumerate(want):
        assert (np.concatenate([part[time].answers for part in said]) == one.answers).all()


def test_strings_of_a_fleet_are_those_of_devices() -> None:
    """Beyond the ones that are compared: groups and answers spread as the client's do (chi-square at 1 in 10,000)."""
    question, rng = Question("c", "top", 1.0, length=4), np.random.default_rng(8)
    ours = asked.reporting(rng)(fleet.Values(question, ["abc", "b"]))(np.zeros(60_000, dtype=np.int64))[0]
    assert np.abs(np.bincount(ours.groups) - [15_000, 15_000, 30_000]).max() < 4 * 123
    rows = np.array([question.row(device.prefix(question, "abc", at), at) for at in range(3)])[ours.groups]
    right = (np.bitwise_count(rows & ours.answers) % 2 == 0).mean()
    assert abs(right - math.e / (1 + math.e)) < 4 * math.sqrt(0.2 / 60_000)
    assert len(np.unique(ours.answers)) > 30_000


@pytest.mark.parametrize("fault", ["weak", "one of forty", "more bits", "unread"])
def test_a_client_that_says_anything_else_is_asked_for_every_device(
    monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """The client that is installed is what is judged, not what it should say."""
    given_ = replace(telemetry.build("S6.audit", 5), rows=8000)
    honest, odd = device.randomise, random.Random(1)
    strong = {"weak": 1.0, "one of forty": 1 / 40, "more bits": 0.0, "unread": 1.0}[fault]
    asked_: list[object] = []

    def randomised(question: Question, value: object, bits: object) -> dict:
        asked_.append(value)
        if fault == "more bits":
            bits(8)  # type: ignore[operator]
        sure = replace(question, epsilon=min(3 * question.epsilon, 16.0)) if odd.random() < strong else question
        return {} if fault == "unread" else honest(sure, value, bits)  # type: ignore[arg-type]

    monkeypatch.setattr(device, "randomise", randomised)
    if fault == "unread":
        with pytest.raises(SubjectError):
            audit.run(given_)
        return
    found = audit.run(given_).measures[0]
    assert len(asked_) > found.n + 2 * fleet.ITSELF
    assert (found.outcome is Outcome.FAIL) is (fault == "weak")


def test_a_device_that_does_not_repeat_itself_fails_whatever_is_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    """``permanent: true`` is declared, the client draws afresh each time."""
    report = Device.report

    def afresh(self: Device, value: object, period: int = 0) -> str:
        self._kept = {}
        return report(self, value, period)  # type: ignore[arg-type]

    monkeypatch.setattr(Device, "report", afresh)
    given_ = replace(telemetry.build("S6.repeats", 5), rows=2000)
    found = repeats.run(given_)
    assert found.measures[0].outcome is Outcome.FAIL


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"epsilon": 1.0}, "collect"),
        ({"epsilon": 0, "collect": [{"column": "a", "as": "mean", "range": [0, 1]}]}, "epsilon"),
        ({"epsilon": 1.0, "collect": [{"column": "a", "as": "mean"}]}, "range"),
        ({"epsilon": 1.0, "collect": [{"column": "a", "as": "median"}]}, "as"),
        ({"epsilon": 1.0, "collect": [{"column": "a", "as": "frequency"}]}, "values"),
        ({"epsilon": 1.0, "collect": [{"column": "a", "as": "top", "count": 0}]}, "count"),
        ({"epsilon": 1.0, "noise": 3, "collect": []}, "noise"),
        ({"epsilon": 1.0, "collect": [{"column": "a", "as": "mean", "range": [0, 1]}] * 2}, "twice"),
    ],
)
def test_a_control_that_cannot_be_kept_is_not_measured(options: dict, word: str) -> None:
    """The option is named."""
    with pytest.raises(UnsupportedError) as error:
        told(options)
    assert error.value.code == "telemetry.declared"
    assert word in error.value.message


def test_what_is_not_declared_is_not_measured() -> None:
    """Without controls.S6 there is nothing to ask."""
    given_ = telemetry.build("S6.audit", 1)
    with pytest.raises(UnsupportedError) as error:
        audit.run(replace(given_, settings=replace(given_.settings, controls={})))
    assert error.value.code == "telemetry.undeclared"


def test_columns_that_add_up_beyond_the_claim_fail() -> None:
    """Each column keeps to the claim alone; together they do not."""
    given_ = telemetry.build("S6.audit", 3)
    frame = given_.tables("train").features
    both = [
        {"column": frame.columns[0], "as": "frequency", "values": list(telemetry.WORDS), "epsilon": 1.0},
        {"column": frame.columns[1], "as": "mean", "range": [0, 100], "epsilon": 1.0},
    ]
    controls = {"S6": {"epsilon": 1.0, "collect": both}}
    found = audit.run(replace(given_, rows=20_000, settings=replace(given_.settings, controls=controls)))
    assert found.outcome is Outcome.FAIL
    assert "2 columns" in found.reason


def test_same_seed_same_finding() -> None:
    """Deterministic although the client is asked (rule 8)."""
    first, second = (audit.run(replace(telemetry.build("S6.audit", 4), rows=5000)) for _ in range(2))
    assert first == second


def test_a_column_that_is_not_there_is_named() -> None:
    """Not run, with the column."""
    given_ = telemetry.build("S6.estimates", 1)
    controls = {"S6": {"epsilon": 1.0, "collect": [{"column": "absent", "as": "mean", "range": [0, 1]}]}}
    with pytest.raises(UnsupportedError) as error:
        estimates.run(replace(given_, settings=replace(given_.settings, controls=controls)))
    assert error.value.code == "telemetry.column"
    assert "absent" in error.value.message


@pytest.mark.parametrize(("value", "text"), [(3.0, "3"), (3.5, "3.5"), ("x", "x"), (None, None), (float("nan"), None)])
def test_cells_are_texts_as_the_manifest_writes_them(value: object, text: str | None) -> None:
    """Whole numbers have no point, gaps are no values."""
    assert estimates.text_of(value) == text


@pytest.mark.parametrize(("way", "epsilon", "wanted"), [("oue", 1.3, Outcome.FAIL), ("hadamard", 1.3, Outcome.FAIL)])
def test_reports_of_another_maker_are_audited_by_their_texts(way: str, epsilon: float, wanted: Outcome) -> None:
    """Whatever their form: a trial with too little noise fails, one with as much as claimed never does."""
    given_ = telemetry.build("S6.audit", 2)
    controls = {"S6": {**given_.settings.controls["S6"], "epsilon": 1.0, "trial": "trial"}}  # type: ignore[index]
    for true, want in ((epsilon, {wanted}), (1.0, {Outcome.PASS, Outcome.INCONCLUSIVE})):
        question = Question("c", way, true, values=COLOURS)
        bits, rng = random.Random(3).getrandbits, np.random.default_rng(3)
        values = rng.choice(["red", "blue"], 60_000)
        rows = [json.dumps(randomise(question, value, bits)) for value in values.tolist()]
        table = table_of("trial", pd.DataFrame({"value": values, "report": rows}), np.zeros(60_000, dtype=np.int64))
        both = {"trial": table, "train": given_.tables("train")}
        settings_ = replace(given_.settings, controls=controls)
        found = audit.run(replace(given_, tables=both.__getitem__, settings=settings_))
        assert found.outcome in want, found.reason
