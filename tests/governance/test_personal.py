"""Personal data: what is found and what is not, by form, rule, words beside it and name of its column."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.truth.floors import floors
from tests.truth.odd import odd
from tests.truth.person import CHECK, called, labelled, made, nothing, planted, unlabelled, whole
from tests.truth.subjects import context

from fivefold.contract.outcome import Outcome
from fivefold.contract.subject import SettingsView, Table
from fivefold.errors import InputError
from fivefold.governance.personal import anonymity, reading, rules, scan, verdict
from fivefold.governance.personal.check import judged, run
from fivefold.governance.personal.find import find
from fivefold.governance.personal.kinds import forms, kinds, named
from fivefold.governance.personal.mask import mask, masked
from fivefold.governance.personal.spans import Spans, Texts

from .personal_numbers import VALID

if TYPE_CHECKING:
    from pathlib import Path

KEY = b"k" * 32


def _told(text: str) -> list[tuple[str, str]]:
    """Return kind and text of each find."""
    found, data = find([text]), text.encode()
    return [
        (forms()[form].kind, data[start:end].decode())
        for form, start, end in zip(found.form.tolist(), found.start.tolist(), found.end.tolist(), strict=True)
    ]


@pytest.mark.parametrize(
    ("text", "kind", "part"),
    [
        ("write to k.müller+1@mail.example.org, please", "email", "k.müller+1@mail.example.org"),
        ("写信给 li@example.cn 谢谢", "email", "li@example.cn"),
        ("DE89 3704 0044 0532 0130 00 is mine", "iban", "DE89 3704 0044 0532 0130 00"),
        ("iban gb29nwbk60161331926819.", "iban", "gb29nwbk60161331926819"),
        ("card 4539 1488 0343 6467 was charged", "card", "4539 1488 0343 6467"),
        ("call +49 30 1234560 after nine", "phone", "+49 30 1234560"),
        ("Tel.: 0171/1234567", "phone", "0171/1234567"),
        ("(212) 555-0198 answers", "phone", "(212) 555-0198"),
        ("from 203.0.113.7 today", "ip", "203.0.113.7"),
        ("host fe80::1ff:fe23:4567:890a up", "ip", "fe80::1ff:fe23:4567:890a"),
        ("bssid aa:bb:cc:dd:ee:0f", "mac", "aa:bb:cc:dd:ee:0f"),
        ("see https://example.org/u/anna?x=1.", "url", "https://example.org/u/anna?x=1"),
        ("ssn 536-90-4412", "us-ssn", "536-90-4412"),
        ("my passport is C01X00T47", "passport", "C01X00T47"),
        ("driver's license F162823540116", "driver-licence", "F162823540116"),
        ("DNI 12345678Z", "national-id", "12345678Z"),
        ("codice fiscale RSSMRA85T10A562S", "national-id", "RSSMRA85T10A562S"),
        ("Steuer-ID 86 095 742 719", "tax-id", "86 095 742 719"),
        ("geboren am 3. März 1971 in Ulm", "birth-date", "3. März 1971"),
        ("she is 45 years old", "age", "45"),
        ("wohnt Musterstraße 12 im Hof", "address", "wohnt Musterstraße 12"),
        ("he lives at 12 Baker Street", "address", "12 Baker Street"),
        ("PLZ 80331", "postcode", "80331"),
        ("at 48.13710, 11.57540 now", "coordinates", "48.13710, 11.57540"),
        ("Dear Anna Müller, hello", "name", "Anna Müller"),
        ("seen by Dr. van den Berg", "name", "van den Berg"),
    ],
)
def test_each_kind_is_found_where_it_stands(text: str, kind: str, part: str) -> None:
    """A find has its kind and its very letters, also behind letters of more than one byte."""
    assert (kind, part) in _told(text)


@pytest.mark.parametrize(
    "text",
    [
        "order 4539 1488 0343 6468 shipped", "version 1.2.3.4 is out", "part 536-00-4412", "at 12:30:45 sharp",
        "a@b is no address", "DE88 3704 0044 0532 0130 00", "on 3.4.1971 we met", "room 80331", "12345678A",
        "pump 999-0119-5512", "999.0.113.7", "ratio 48.13", "0000000000000000", "", "x" * 30_000, "1" * 400,
    ],
)  # fmt: skip
def test_what_only_looks_like_it_is_left(text: str) -> None:
    """A wrong check digit, a version, a time, a plain date or a number without a word beside it is nothing."""
    assert _told(text) == []


def test_there_are_eighteen_kinds_and_each_has_a_form() -> None:
    """Every kind can be found in a text, and says what it is."""
    assert len(kinds()) == 18
    assert {form.kind for form in forms()} == set(kinds())
    assert all(form.holds in {*rules.RULES, "ip4", "ip6", "coordinates", ""} for form in forms())


@pytest.mark.parametrize("rule", sorted(VALID))
def test_rules_agree_with_another_implementation(rule: str) -> None:
    """Numbers that python-stdnum calls valid keep the rule; with one digit changed hardly any does."""
    numbers = list(VALID[rule])
    wrong = [number[:at] + str((int(number[at]) + 1) % 10) + number[at + 1 :] for number in numbers
             for at in range(2, len(number) - 1) if number[at].isdigit()]  # fmt: skip
    held = []
    for some in (numbers, wrong):
        texts = Texts(some)
        held.append(rules.RULES[rule](*texts.letters(Spans(texts.offsets[:-1], texts.offsets[1:]), rules.WIDTH)))
    assert held[0].all()
    assert held[1].mean() < 0.25


@given(st.lists(st.text(max_size=60), max_size=12))
@settings(max_examples=60, deadline=None)
def test_finds_lie_within_their_texts_and_do_not_overlap(texts: list[str]) -> None:
    """Whatever the texts are, control characters, gaps and other scripts included."""
    some = [text.encode(errors="replace").decode() for text in texts] + ["mail a.b@example.org or +49 30 1234560"]
    found = find([*some, None])
    sizes = np.array([*(len(text.encode()) for text in some), 0])
    assert (found.start < found.end).all()
    assert (found.end <= sizes[found.row]).all()
    same = found.row[1:] == found.row[:-1]
    assert (found.start[1:][same] >= found.end[:-1][same]).all()
    assert (found.row == len(some) - 1).sum() == 2


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("E-Mail-Adresse", "email"), ("correo", "email"), ("手机号", "phone"), ("shouji", "phone"), ("tel_nr", "phone"),
        ("geb_datum", "birth-date"), ("dateNaissance", "birth-date"), ("fecha de nacimiento", "birth-date"),
        ("data di nascita", "birth-date"), ("geboortedatum", "birth-date"), ("出生日期", "birth-date"),
        ("Nachname", "name"), ("prénom", "name"), ("apellidos", "name"), ("cognome", "name"), ("achternaam", "name"),
        ("xingming", "name"), ("customerName", "name"), ("PLZ", "postcode"), ("code_postal", "postcode"),
        ("codice fiscale", "national-id"), ("身份证", "national-id"), ("Straße", "address"), ("leeftijd", "age"),
        ("lat", "coordinates"), ("steuer_id", "tax-id"), ("reisepassnummer", "passport"),
    ],
)  # fmt: skip
def test_names_of_columns_are_understood_in_seven_languages(name: str, kind: str) -> None:
    """Cut at signs and capitals, without accents."""
    assert kind in named(name)


@pytest.mark.parametrize("name", ["product_name", "server_address", "machine_age", "file name", "x1", ""])
def test_names_of_things_tell_of_nobody(name: str) -> None:
    """The name of a product is no name of a person."""
    assert named(name) == ()


def test_a_column_is_judged_by_its_cells_and_its_name() -> None:
    """A name alone is not enough: the cells must look like it; ids with check digits by chance are none."""
    rng = np.random.default_rng(5)
    sixteen = ["".join(row) for row in rng.integers(0, 10, (400, 16)).astype(str).tolist()]
    columns = {
        "email": ["yes", "no"] * 200,
        "dob": [f"19{year}-03-0{day}" for year, day in rng.integers((40, 1), (99, 9), (400, 2)).tolist()],
        "when": [f"20{year}-03-0{day}" for year, day in rng.integers((10, 1), (25, 9), (400, 2)).tolist()],
        "k": sixteen,
        "note": ["please ask"] * 399 + ["please ask a.b@example.org about this"],
    }
    told = {one.column: one for one in judged((name, pa.array(cells)) for name, cells in columns.items())}
    assert {name for name, one in told.items() if one.personal} == {"dob", "note"}
    assert (told["dob"].kind, told["dob"].by) == ("birth-date", "name and cells")
    assert (told["note"].found, told["note"].by, told["note"].share) == ({"email": 1}, "cells", 1 / 400)


def test_a_wide_table_of_odd_columns_raises_few_alarms() -> None:
    """300 columns of dates, codes and numbers that look like something else: at most 2 % are called personal."""
    cells = odd(np.random.default_rng(77), 300, 200)
    told = judged((name, pa.array([one or None for one in some], pa.string())) for name, some in cells.items())
    assert sum(one.personal for one in told) <= 6


def _csv(path: Path, rows: int = 50) -> Path:
    frame = pd.DataFrame({
        "id": range(rows), "mail": [f"u{at}@example.org" for at in range(rows)], "amount": np.arange(rows) / 7,
        "note": ["nothing"] * (rows - 1) + ["call +49 30 1234560, then wait here"],
    })  # fmt: skip
    frame.to_csv(path, index=False)
    return path


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "parquet"])
def test_files_are_read_in_batches_with_the_same_verdict(
    tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many blocks a file is read in, the counts are those of the whole."""
    source = _csv(tmp_path / "a.csv", 400)
    file = tmp_path / f"b.{ending}"
    if ending == "parquet":
        pd.read_csv(source).to_parquet(file)
    else:
        file.write_bytes(gzip.compress(source.read_bytes()) if ending.endswith("gz") else source.read_bytes())
    once = scan.scan(file)
    monkeypatch.setattr(reading, "BLOCK", 2000)
    monkeypatch.setattr(reading, "ROWS", 37)
    parts = scan.scan(file)
    assert once.rows == parts.rows == 400
    assert [one.column for one in parts.personal()] == ["mail", "note"]
    assert [one.found for one in parts.columns] == [one.found for one in once.columns]


def test_lines_of_a_text_are_cells(tmp_path: Path) -> None:
    """A text file is one column."""
    file = tmp_path / "a.txt"
    file.write_text("hello\nplease write to a.b@example.org about this\n", encoding="utf-8")
    assert [one.column for one in scan.scan(file).personal()] == ["text"]


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [("no.csv", None, "scan.file"), ("a.csv", "a,b\n1,\xe4\n".encode("latin-1"), "data.encoding"),
     ("a.csv", b"", "data.empty"), ("a.parquet", b"PAR1 nothing", "")],
)  # fmt: skip
def test_files_that_cannot_be_read_are_refused(tmp_path: Path, name: str, content: bytes | None, code: str) -> None:
    """The error says what to do."""
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError) as caught:
        scan.scan(tmp_path / name)
    assert caught.value.code.startswith(code)
    assert caught.value.remedy


def test_a_sample_says_what_it_may_have_missed(tmp_path: Path) -> None:
    """Half of the rows: the bound is that of no find in so many draws, and the draws are repeatable."""
    file = _csv(tmp_path / "a.csv", 400)
    one, two = (scan.report(file, (), 0.5, np.random.default_rng(3)) for _ in range(2))
    assert one == two
    assert 150 < one["read"] < 250
    assert one["missed"] == pytest.approx(1 - 0.05 ** (1 / one["read"]))


def test_pseudonyms_keep_the_form_and_depend_on_the_key() -> None:
    """Length, signs, digits, capitals; equal for equal letters and digits; another key gives others."""
    cells = pa.array(["Müller-Lüd, Anna 07", "DE89 3704 0044", "de8937040044", None, "DE89 3704 0044"])
    made_ = masked(cells, KEY, whole=True).to_pylist()
    assert made_[3] is None
    assert len(made_[0]) == len("Müller-Lüd, Anna 07")
    assert [letter.isupper() for letter in made_[0]] == [letter.isupper() for letter in "Mxller-Lxd, Anna 07"]
    assert [letter if not letter.isalnum() else "" for letter in made_[0]][6] == "-"
    assert made_[1] == made_[4]
    assert made_[1].replace(" ", "").lower() == made_[2]
    assert masked(cells, b"q" * 32, whole=True).to_pylist()[:3] != made_[:3]
    assert masked(cells, None, whole=True).to_pylist()[1] == "**** **** ****"


def test_of_a_free_text_only_the_finds_are_masked(tmp_path: Path) -> None:
    """What is masked is not found again, and the rest stays letter by letter."""
    file, out = _csv(tmp_path / "a.csv"), tmp_path / "b.csv"
    told = mask(file, out, [], "stars", None)
    assert told["columns"] == {"mail": "whole", "note": "finds"}
    after = pd.read_csv(out)
    assert list(after["note"])[-1] == "call +** ** *******, then wait here"
    assert list(after["id"]) == list(range(50))
    assert scan.scan(out).personal() == ()
    mask(file, tmp_path / "c.csv", ["mail"], "drop", None)
    assert list(pd.read_csv(tmp_path / "c.csv").columns) == ["id", "amount", "note"]


@pytest.mark.parametrize(
    ("out", "columns", "how", "code"),
    [("b.csv", [], "pseudonym", "mask.key"), ("a.csv", [], "stars", "mask.exists"),
     ("b.csv", ["none"], "stars", "scan.column")],
)  # fmt: skip
def test_masking_without_key_place_or_column_is_refused(
    tmp_path: Path, out: str, columns: list[str], how: str, code: str
) -> None:
    """There is no default key, and nothing is overwritten."""
    with pytest.raises(InputError) as caught:
        mask(_csv(tmp_path / "a.csv"), tmp_path / out, columns, how, None)  # type: ignore[arg-type]
    assert caught.value.code == code


def test_anonymity_counts_as_pandas_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Classes, the smallest, rows below k, without a column, and different secrets, over several batches."""
    rng = np.random.default_rng(2)
    frame = pd.DataFrame({"age": rng.integers(20, 40, 900), "sex": rng.choice(["f", "m"], 900),
                          "ill": rng.choice(["yes", "no"], 900, p=[0.1, 0.9])})  # fmt: skip
    frame.to_csv(tmp_path / "a.csv", index=False)
    monkeypatch.setattr(reading, "BLOCK", 1000)
    told = anonymity.anonymity(tmp_path / "a.csv", ["age", "sex"], 20, "ill")
    sizes = frame.groupby(["age", "sex"]).size()
    assert (told["rows"], told["classes"], told["smallest"]) == (900, len(sizes), sizes.min())
    assert told["below"] == sizes[sizes < 20].sum()
    assert told["without"]["sex"] == sum(size for size in frame.groupby("age").size() if size < 20)
    assert told["diversity"] == frame.groupby(["age", "sex"])["ill"].nunique().min()
    with pytest.raises(InputError):
        anonymity.anonymity(tmp_path / "a.csv", [], 5)


@pytest.mark.parametrize("spoil", [planted, whole, called], ids=["in texts", "a column", "a name"])
def test_the_check_fails_on_unlabelled_people(spoil: object) -> None:
    """Identifiers in a text, a column of them, a column named so."""
    assert run(made(4, spoil)).outcome is Outcome.FAIL  # type: ignore[arg-type]


@pytest.mark.parametrize("spoil", [nothing, labelled], ids=["nobody", "labelled"])
def test_the_check_passes_where_all_is_labelled(spoil: object) -> None:
    """The canary noticed what was planted and let clean cells be."""
    result = run(made(5, spoil))  # type: ignore[arg-type]
    assert result.outcome is Outcome.PASS
    assert result.canary is not None
    assert (result.canary.found, result.canary.false_alarms) == (result.canary.planted, 0)


def test_the_reference_subject_is_refused_with_what_and_where() -> None:
    """Names and addresses without a label: the finding names the columns and quotes no cell."""
    result = run(unlabelled(9))
    assert result.outcome is Outcome.FAIL
    assert "Nachname" in result.reason
    assert "@" not in str(result)


def test_a_vague_name_is_left_to_a_person() -> None:
    """A column called `name` with words may be anybody's or anything's: inconclusive."""
    frame = pd.DataFrame({"name": ["Anna", "Bert", "Cleo", "Dora"] * 100, "n": np.arange(400.0)})
    table = Table("train", np.arange(400), frame, np.zeros(400, dtype=np.int64), pd.DataFrame(index=frame.index))
    given_ = context(CHECK, None, {"train": table}, 3, thresholds=floors(CHECK), settings=SettingsView())
    assert run(given_).outcome is Outcome.INCONCLUSIVE
    named_ = SettingsView(personal=("name",))
    labelled_ = context(CHECK, None, {"train": table}, 3, thresholds=floors(CHECK), settings=named_)
    assert run(labelled_).outcome is Outcome.PASS


def test_counts_over_batches_add_up() -> None:
    """Two halves give what the whole gives."""
    cells = pa.array([f"u{at}@example.org" for at in range(40)] + ["x"] * 40)
    one, two = verdict.Column("c"), verdict.Column("c")
    verdict.count({"c": one}, {"c": cells})
    verdict.count({"c": two}, {"c": cells.slice(0, 30)})
    verdict.count({"c": two}, {"c": cells.slice(30)})
    assert one.verdict() == two.verdict()


def test_what_has_no_text_form_in_arrow_is_read_all_the_same(tmp_path: Path) -> None:
    """Lists, and bytes of which some are no UTF-8, hide nothing from a scan."""
    people = [f"anna{at}@example.org" for at in range(60)]
    held = pa.table(
        {
            "several": pa.array([[one, "x"] for one in people]),
            "raw": pa.array([b"\xff\xfe", *(one.encode() for one in people[1:])], pa.binary()),
            "nothing": pa.array([[1, 2]] * 60),
        }
    )
    pq.write_table(held, tmp_path / "held.parquet")
    told = {one.column: one for one in scan.scan(tmp_path / "held.parquet").columns}
    assert {name: one.kind for name, one in told.items()} == {"several": "email", "raw": "email", "nothing": ""}
    assert told["raw"].found["email"] == 59
