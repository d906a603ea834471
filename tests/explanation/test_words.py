"""E5.text: a thousand reasons never contradict their credits; each kind of fault is told; two languages."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from tests.truth import worded

from fivefold.contract.outcome import Outcome
from fivefold.contract.subject import SettingsView
from fivefold.errors import InputError, UnsupportedError
from fivefold.explanation.delivered import Flip, Moved, Reason
from fivefold.explanation.words import check, wording
from fivefold.explanation.words.reading import CAUSE, CONTRADICTS, HARD, LONG, UNIT, UNREAD, Told, faults, lix
from fivefold.governance.operation import told as operation

UNITS = {"net_income": "EUR", "age": "years", "size (outer)": "mm"}
NAMES = ["net_income", "age", "size (outer)", "a", "months_in_job", "a very long name of a field that somebody chose"]
VALUES = [
    None, True, False, "none", "Dr. Jo (retired)", "because of rent", 0, -3, 1234567.891, 0.000123, 17.5, "x" * 200,
    "one two three four five six seven",
]  # fmt: skip
CLASSES = ("no", "yes, with conditions that take many words to say")


def drawn(rng: np.random.Generator) -> Reason:
    """Return a reason of up to three fields, and perhaps a flip."""
    names = rng.permutation(NAMES)[: int(rng.integers(0, 4))]
    moved = tuple(Moved(str(name), VALUES[int(rng.integers(len(VALUES)))], float(rng.normal()), 0.01) for name in names)
    flip = None
    if rng.random() < 0.5:
        flip = Flip(str(rng.choice(NAMES)), 1, VALUES[int(rng.integers(len(VALUES)))], int(rng.integers(2)))
    return Reason(moved, flip)


@pytest.mark.parametrize("language", ["en", "de"])
def test_a_thousand_reasons_say_what_their_credits_say(language: str) -> None:
    """Each on its side, by hand: the text before the opening of the other side names what has positive credit."""
    rng, words = np.random.default_rng(0), wording.languages()[language]
    made = wording.Wording({"E5": {"language": language}}, UNITS)
    for _ in range(1000):
        found = drawn(rng)
        text = made(found, CLASSES).text
        assert len(text.split()) <= wording.MOST_WORDS
        good, _, bad = text.partition(words.against)
        bad = bad.partition(words.flip.partition("{")[0])[0]
        good = good.partition(words.flip.partition("{")[0])[0]
        for one in found.moved:
            name = re.sub(r"[()_ ]+", " ", one.field).strip()[:12].strip()
            assert (name in good) is (one.credit > 0) or name == "a", text
            assert (name in bad) is (one.credit <= 0) or name == "a", text
            if isinstance(one.value, int | float) and not isinstance(one.value, bool) and one.field in UNITS:
                assert f" {UNITS[one.field]})" in text
        moved = tuple((one.field, one.value, one.credit) for one in found.moved)
        flip = None if found.flip is None else (found.flip.field, found.flip.instead)
        assert not faults(Told(text, moved, flip), UNITS) - {HARD}, text


def test_values_are_told_in_the_language() -> None:
    """Numbers with six digits, marks of the language, units; yes and no; what is missing."""
    german = wording.Wording({"E5": {"language": "de"}}, UNITS)
    english = wording.Wording({}, UNITS)
    assert (german.valued("net_income", 12345.5), english.valued("net_income", 12345.5)) == (
        "12.345,5 EUR",
        "12,345.5 EUR",
    )
    assert [english.valued("a", one) for one in (1234567.891, 1234567, 0.000123, 1e20, 30.0)] == [
        "1,234,570", "1,234,567", "0.000123", "1e+20", "30",
    ]  # fmt: skip
    assert (german.valued("a", value=True), english.valued("a", None)) == ("ja", "not given")
    reason = Reason((Moved("age", 30, 0.4, 0.0), Moved("net_income", 900.0, -0.2, 0.0)), Flip("age", 30, 41, 1))
    assert german(reason, ("ab", "zu")).text == (
        "Für diese Antwort sprach am meisten: age (30 years). Dagegen sprach: net income (900 EUR). "
        "Wäre age 41 years und alles andere gleich, so wäre die Antwort zu."
    )
    assert english(Reason(reason.moved, None), ()).text == (
        "What raised it most: age (30 years). What lowered it most: net income (900 EUR)."
    )
    with pytest.raises(InputError, match=r"controls\.E5\.language"):
        wording.Wording({"E5": {"language": "fr"}}, {})


GOOD = "What spoke for this answer most: age (30 years). What spoke against it: net income (900 EUR)."
MOVED = (("age", 30, 0.4), ("net_income", 900.0, -0.2))


@pytest.mark.parametrize(
    ("text", "moved", "flip", "found"),
    [
        (GOOD, MOVED, None, set()),
        (GOOD.replace("30", "31"), MOVED, None, {CONTRADICTS}),
        (GOOD.replace(" EUR", ""), MOVED, None, {UNIT}),
        (GOOD, MOVED[:1], None, {CONTRADICTS}),
        (GOOD, tuple((name, value, -credit) for name, value, credit in MOVED), None, {CONTRADICTS}),
        ("No single field stands out.", (), None, set()),
        ("No single field stands out.", MOVED, None, {CONTRADICTS}),
        (f"{GOOD} It fell because of it.", MOVED, None, {CAUSE, UNREAD}),
        (f"{GOOD} Dies führt zu Abzügen.", MOVED, None, {CAUSE, UNREAD}),
        ("What spoke for this answer most: town (because).", (("town", "because", 1.0),), None, set()),
        (f"{GOOD} {'We took care of it. ' * 12}", MOVED, None, {LONG, UNREAD}),
        (f"{GOOD} {'notwithstanding ' * 30}", MOVED, None, {HARD, UNREAD}),
        ("We looked at your file.", MOVED, None, {UNREAD}),
        (f"{GOOD} In truth your town spoke against it.", MOVED, None, {UNREAD}),
        (f"Your town counted. {GOOD}", MOVED, None, {UNREAD}),
        (f"{GOOD} Dagegen sprach: age (30 years).", MOVED, None, {UNREAD}),
        (f"{GOOD} What spoke for this answer most: town (A).", MOVED, None, {CONTRADICTS}),
        (f"{GOOD} No single field stands out.", MOVED, None, {CONTRADICTS}),
        ("What spoke for this answer most: town (nowhere).", (("town", "no", 1.0),), None, {CONTRADICTS}),
        ("What spoke for this answer most: town (anything).", (("town", "", 1.0),), None, {CONTRADICTS}),
        ("What spoke for this answer most: and x (1).", (("and_x", 1, 1.0),), None, set()),
        ("What spoke for this answer most: grade (a). So because.", (("grade", "a", 1.0),), None, {CAUSE, UNREAD}),
        (f"{GOOD} If age were 9 years and all else the same, the answer would be x.", MOVED, ("age", 4), {CONTRADICTS}),
        ("We looked at your file.", None, None, set()),
        (f"{GOOD} If age were 41 years and all else the same, the answer would be no.", MOVED, ("age", 41), set()),
        (f"{GOOD} If age were 41 and all else the same, the answer would be no.", MOVED, ("age", 41), {UNIT}),
        (f"{GOOD} If age were 41 years and all else the same, the answer would be no.", MOVED, None, {CONTRADICTS}),
        (f"{GOOD} If town were B and all else the same, the answer would be no.", MOVED, ("age", 41), {CONTRADICTS}),
    ],
)  # fmt: skip
def test_each_fault_is_told(text: str, moved: tuple | None, flip: tuple | None, found: set[str]) -> None:
    """Written by hand."""
    assert faults(Told(text, moved, flip), UNITS) == found


def test_lix_is_that_of_the_paper() -> None:
    """Ten words in two sentences, two of them long: 5 + 20; numbers are never long."""
    assert lix("The cat sat on it. Grandmother was not there, unfortunately.") == pytest.approx(5 + 20)
    assert lix("It was 1,234,567.89 then.") == pytest.approx(4)
    assert lix("") == 0


def test_one_contradiction_fails_whatever_the_bound_says() -> None:
    """Of 1,500 reasons one is turned round."""
    made = worded.build(3, rows=(1500, 1501))
    reasons = json.loads(made.settings.facts[check.TEXTS])
    reasons[7]["moved"] = [[name, value, -credit] for name, value, credit in reasons[7]["moved"]]
    result = check.run(replace(made, settings=SettingsView(
        facts={check.TEXTS: json.dumps(reasons)}, features=made.settings.features)))  # fmt: skip
    assert result.outcome is Outcome.FAIL
    assert "1 say otherwise" in result.reason
    assert result.measures[0].low < made.thresholds[check.FLOOR]


def test_a_blind_reader_decides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that finds no fault, and one that finds one everywhere."""
    made = worded.build(4, rows=(300, 301))
    for blind in (frozenset(), frozenset({CONTRADICTS})):
        monkeypatch.setattr(check, "faults", lambda _one, _units, told=blind: told)
        assert check.run(made).outcome is Outcome.INCONCLUSIVE


def test_nothing_on_record_is_said() -> None:
    """No reason was given yet."""
    with pytest.raises(UnsupportedError) as told:
        check.run(replace(worded.build(5), settings=SettingsView(facts={})))
    assert told.value.code == "reason.none"


def test_what_is_read_of_the_record() -> None:
    """One reason of each decision, of the row that its id says, without the line on appeals; none that left without."""
    line = "If you think this is wrong, a person will look at it again. Keep the receipt."
    credit = {"moved": [{"field": "a", "value": 1, "credit": 0.5, "error": 0.1}],
              "flip": {"field": "a", "value": 1, "instead": 2, "answer": 0}}  # fmt: skip
    bodies = [
        {"rows": 1, "reasons": [f"What spoke for this answer most: a (1). {line}"], "credits": [credit]},
        {"rows": 1, "reasons": ["A person decides."], "credits": [None]},
        {"rows": 2, "reasons": ["only one"]},
        {"rows": 1, "reasons": ["No reason could be given."], "without reason": 1},
        {"rows": 2, "reasons": ["first", "No single field stands out."], "credits": [credit, {"moved": []}]},
        {"rows": 0, "reasons": []},
    ]
    items = [
        SimpleNamespace(index=at, id=f"{at + 1:032x}", body=SimpleNamespace(case=str(at), fields=one))
        for at, one in enumerate(bodies)
    ]
    reading = SimpleNamespace(search=lambda **_: items)
    assert check.read(operation.texts(reading, line=line)) == [
        Told("What spoke for this answer most: a (1).", (("a", 1, 0.5),), ("a", 2)),
        Told("A person decides.", None, None),
        Told("No single field stands out.", (), None),
    ]


def on_record(made: object, reasons: list[dict]) -> object:
    """Return the check's result for other reasons."""
    settings = SettingsView(facts={check.TEXTS: json.dumps(reasons)}, features=made.settings.features)
    return check.run(replace(made, settings=settings))


@pytest.mark.parametrize("share", [0.04, 1.0])
def test_what_no_credit_says_passes_nothing(share: float) -> None:
    """A sentence more in some reasons, or reasons of which no credits are on record."""
    made = worded.build(6, rows=(600, 601))
    reasons = json.loads(made.settings.facts[check.TEXTS])
    assert on_record(made, reasons).outcome is Outcome.PASS
    for one in reasons[: int(share * len(reasons))]:
        one["text"] += " Your town did not count."
    assert on_record(made, reasons).outcome is Outcome.INCONCLUSIVE
    bare = [{**one, "moved": None, "flip": None, "text": "Your file was looked at."} for one in reasons]
    assert on_record(made, bare).outcome is Outcome.INCONCLUSIVE


def test_names_that_are_hard_to_read_are_a_fault_and_not_of_the_check() -> None:
    """Every reason names a field in long words: it is found, the canary holds. A one-letter value hides no cause."""
    made = worded.build(7, rows=(400, 401))
    hard = "notwithstanding considerations regarding disbursements"
    text = f"What spoke for this answer most: {hard} (a)."
    reasons = [{"text": text, "moved": [[hard, "a", 0.3]], "flip": None}] * 400
    result = on_record(made, reasons)
    assert result.canary.noticed, result.canary
    assert result.outcome is Outcome.FAIL
