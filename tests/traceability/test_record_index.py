"""The keyed index: it finds what reading everything finds, keeps up, forgets, and tells a thief nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.subject.apps import build

from fivefold.cli.main import run
from fivefold.keys import signing
from fivefold.log.simulated import SimulatedDisk
from fivefold.store.index import Index
from fivefold.store.people import People
from fivefold.traceability.recorder import Reading, Recorder, open_reading, open_recorder, reading
from fivefold.traceability.recorder.secrets_ import Secrets

if TYPE_CHECKING:
    from pathlib import Path

MODELS = ("a" * 64, "b" * 64, "")


@pytest.fixture(autouse=True)
def _always_indexed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Make an index of small records too, in a cache of this test."""
    monkeypatch.setattr(reading, "_SMALL", 0)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


class Parts:
    """A record on a simulated disk with an index in memory, and the same read without it."""

    def __init__(self) -> None:
        """Begin it."""
        self.disk, self.people = SimulatedDisk(), People(None, "app")
        self.signer, self.index = signing.generate(), Index(None)
        self.secrets = Secrets(bytes(32), self.people)
        self.told: list[float] = []

    def record(self, rng: np.random.Generator, cases: int, first: int = 0) -> None:
        """Record cases with words of all kinds, one of them too large for an entry."""
        ticks = iter(range(first * 10, 1 << 40))
        with Recorder(
            self.disk, "fivefold/app/record", self.signer, self.secrets,
            clock=lambda: next(ticks), queued=True, segment_bytes=3000,
        ) as recorder:  # fmt: skip
            for at in range(first, first + cases):
                person = f"Jane {rng.integers(4)}" if rng.random() < 0.7 else ""
                with recorder.open(f"case {at % 17}", subject=person, model=MODELS[rng.integers(3)]) as case:
                    case.input({"x": np.zeros(20_000 if at == first else 2)})
                    case.add("decision", {"good": bool(rng.integers(2)), "n": int(rng.integers(3)), "share": 0.5})
                    case.add("outcome", {"outcome": str(rng.choice(["paid", "defaulted"]))})

    def both(self, **wanted: Any) -> tuple[list[str], list[str]]:
        """Return the ids found by the index and by reading everything."""
        by = Reading(self.disk, self.secrets, index=lambda: self.index, tell=self.told.append)
        plain = Reading(self.disk, self.secrets)
        return [item.id for item in by.search(**wanted)], [item.id for item in plain.search(**wanted)]


WANTED: list[dict[str, Any]] = [
    {"case": "case 3"}, {"case": "case 3", "kind": "decision"}, {"person": "Jane 1"}, {"kind": "outcome"},
    {"model": MODELS[1]}, {"model": MODELS[0], "person": "Jane 2"}, {"fields": {"outcome": "defaulted"}},
    {"fields": {"good": "true", "n": "2"}}, {"fields": {"share": "0.5"}, "case": "case 1"}, {"since": 150},
    {"since": 100, "until": 200}, {"until": 90, "kind": "input"}, {"until": 0}, {}, {"case": "nobody's"},
    {"person": "Jane 0", "fields": {"outcome": "paid"}, "since": 50}, {"fields": {"outcome": "lost"}},
    {"kind": "no kind"}, {"model": "c" * 64},
]  # fmt: skip


def test_it_finds_what_reading_everything_finds() -> None:
    """By each condition and by several, over many segments, before and after more was recorded."""
    parts, rng = Parts(), np.random.default_rng(1)
    parts.record(rng, 40)
    for more in (0, 25, 25):
        if more:
            parts.record(rng, more, first=100 + more)
        found = [parts.both(**wanted) for wanted in WANTED]
        assert all(one == other for one, other in found), [w for w, (a, b) in zip(WANTED, found, strict=True) if a != b]
        assert sum(len(one) for one, _ in found) > 300
    assert parts.told[-1] == 1.0


def test_records_and_cases_are_found_by_id_and_position() -> None:
    """As without an index; ids that are none are refused."""
    parts = Parts()
    parts.record(np.random.default_rng(2), 30)
    by, plain = Reading(parts.disk, parts.secrets, index=lambda: parts.index), Reading(parts.disk, parts.secrets)
    for item in list(plain.search())[::7]:
        assert by.get(item.id) == by.get(str(item.index)) == plain.get(item.id)
        assert by.trace(item.id) == plain.trace(item.id)
    for reference in ("f" * 32, "99999", "-1", "", "é", "²", "1" * 40):
        with pytest.raises(Exception, match="there is no record"):
            by.get(reference)


def test_another_log_at_the_same_place_is_indexed_anew() -> None:
    """A record that was restored, or begun again: what stood in the index is not believed."""
    parts, rng = Parts(), np.random.default_rng(3)
    parts.record(rng, 30)
    assert parts.both(case="case 3")[0]
    parts.disk = SimulatedDisk()
    parts.record(rng, 20)
    for wanted in WANTED:
        one, other = parts.both(**wanted)
        assert one == other


def test_what_an_erased_person_said_leaves_the_index() -> None:
    """Model and words are forgotten, in the file too; the case is still found, and says erased."""
    parts = Parts()
    with Recorder(parts.disk, "fivefold/app/record", parts.signer, parts.secrets) as recorder:
        for person in ("Jane", "John"):
            with recorder.open(f"case of {person}", subject=person, model=MODELS[0]) as case:
                case.add("outcome", {"outcome": "defaulted"}, wait=True)
        found = Reading(parts.disk, parts.secrets, index=lambda: parts.index)
        assert len(list(found.search(fields={"outcome": "defaulted"}))) == 2
        recorder.erase("Jane")
    found.catch_up()
    tag = parts.secrets.tag("field", "outcome\0defaulted")
    assert parts.index.find([tag]) == [1]
    assert parts.index.find([parts.secrets.tag("model", MODELS[0])]) == [1]
    assert [item.body for item in found.search(case="case of Jane")] == [None]


def test_where_the_hashes_are_damaged_everything_is_read() -> None:
    """The index cannot say what it covers then: nothing is passed over, before it was begun and after."""
    for begun in (False, True):
        parts, rng = Parts(), np.random.default_rng(4)
        parts.record(rng, 30)
        if begun:
            assert parts.both(case="case 3")[0]
        parts.disk.truncate("hashes-0", 32 * 20)
        for wanted in WANTED:
            one, other = parts.both(**wanted)
            assert one == other


def test_erasing_begins_no_index() -> None:
    """Where nobody searched, there is nothing to forget, and an erasure does not wait for an index to be made."""
    parts = Parts()
    parts.record(np.random.default_rng(5), 10)
    Reading(parts.disk, parts.secrets, index=lambda: parts.index).catch_up()
    assert parts.index.covered() == (0, b"")


def test_a_thief_of_the_index_reads_nothing(tmp_path: Path) -> None:
    """No name, case, model, word or value stands in it."""
    manifest = build(tmp_path / "app")
    with (
        open_recorder(manifest.root / "record", "app") as recorder,
        recorder.open("secret-case-77", subject="Jane Doe", model="deadbeef" * 8) as case,
    ):
        case.add("outcome", {"outcome": "defaulted-on-loan"}, wait=True)
    found = open_reading(manifest.root / "record", "app")
    assert len(list(found.search(fields={"outcome": "defaulted-on-loan"}, person="Jane Doe"))) == 1
    (file,) = (tmp_path / "cache" / "fivefold" / "record-index").glob("*.sqlite")
    raw = b"".join(part.read_bytes() for part in file.parent.iterdir())
    for word in (b"secret-case-77", b"Jane", b"deadbeef", b"defaulted", b"outcome", bytes.fromhex("deadbeef" * 8)):
        assert word not in raw
    assert file.stat().st_mode & 0o077 == 0
    assert not list((manifest.root / "record").glob("*index*"))


@pytest.mark.parametrize("fault", ["garbage", "folder", "unwritable", "cut"])
def test_a_spoiled_index_hinders_nobody(tmp_path: Path, fault: str) -> None:
    """It is made again, or everything is read."""
    manifest = build(tmp_path / "app")
    place = tmp_path / "cache" / "fivefold" / "record-index"
    with open_recorder(manifest.root / "record", "app") as recorder:
        for at in range(5):
            with recorder.open(f"case {at}") as case:
                case.action("officer", "looked")
    assert len(list(open_reading(manifest.root / "record", "app").search(case="case 3"))) == 1
    (file,) = place.glob("*.sqlite")
    for part in place.iterdir():
        part.unlink()
    if fault == "garbage":
        file.write_bytes(b"no base at all" * 100)
    elif fault == "folder":
        file.mkdir()
    elif fault == "cut":
        file.write_bytes(b"SQLite format 3\0" + bytes(50))
    else:
        place.rmdir()
        place.write_text("a file where the folder should be")
    found = open_reading(manifest.root / "record", "app")
    assert [item.body.case for item in found.search(case="case 3") if item.body] == ["case 3"]
    found.catch_up()


_SEARCH = """
import sys
from pathlib import Path
from fivefold.traceability.recorder import open_reading, reading
reading._SMALL = 0
print(len(list(open_reading(Path(sys.argv[1]), "app").search(kind="action"))))
"""


def test_four_processes_catch_up_together(tmp_path: Path) -> None:
    """Each finds everything, and nothing stands twice."""
    manifest = build(tmp_path / "app")
    with open_recorder(manifest.root / "record", "app", queued=True) as recorder:
        for at in range(1000):
            with recorder.open(f"case {at}") as case:
                case.action("officer", "looked")
    command = [sys.executable, "-c", _SEARCH, str(manifest.root / "record")]
    every = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ) for _ in range(4)]
    assert [process.communicate(timeout=120)[0].strip() for process in every] == ["1000"] * 4


def test_the_command_takes_words_and_a_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Together with the other conditions; a word without a value is refused; erasing leaves the index at once."""
    monkeypatch.chdir(tmp_path)
    manifest = build(tmp_path / "app")
    with open_recorder(manifest.root / "record", manifest.application.id) as recorder:
        for at, outcome in enumerate(["paid", "defaulted", "defaulted"]):
            with recorder.open(f"loan {at}", subject=f"Jane {at}", model=MODELS[at % 2]) as case:
                case.add("outcome", {"outcome": outcome, "late": True}, wait=True)

    def say(*words: str, code: int = 0) -> Any:
        with pytest.raises(SystemExit) as left:
            run(["record", *words, "--in", "app", "--json"])
        said = capsys.readouterr()
        assert (left.value.code or 0) == code, said
        return json.loads(said.out or said.err)

    found = say("search", "--field", "outcome=defaulted", "--field", "late=true")
    assert [item["case"] for item in found] == ["loan 1", "loan 2"]
    found = say("search", "--field", "outcome=defaulted", "--model", MODELS[0])
    assert [item["case"] for item in found] == ["loan 2"]
    assert say("search", "--field", "outcome", code=2)["error"]["code"] == "record.field"
    say("erase", "Jane 2")
    (file,) = (tmp_path / "cache" / "fivefold" / "record-index").glob("*.sqlite")
    secrets = open_reading(manifest.root / "record", manifest.application.id)._secrets
    assert Index(file).find([secrets.tag("field", "outcome\0defaulted")]) == [1]
