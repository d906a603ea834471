"""The battery in small, and the rules that keep it honest."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from fivefold import catalogue
from fivefold.contract import registry
from fivefold.contract.finding import Result
from fivefold.contract.outcome import Outcome

from . import battery, long
from .__main__ import main
from .battery import Cell, decide
from .entries import MODULES, entry
from .entry import Entry
from .markdown import page
from .references import REFERENCES
from .subjects import with_thresholds

CHECKS = sorted(registry.checks())
VACUOUS = {"min": 1e-6, "max": 1.0}


def test_every_registered_check_has_an_entry() -> None:
    """A check that registers without subjects of known truth fails the build."""
    assert set(registry.checks()) == set(MODULES)
    for check in MODULES:
        assert entry(check).check == check
        assert entry(check).planted
        assert entry(check).clean


def test_every_check_the_catalogue_calls_built_has_an_entry() -> None:
    """The catalogue cannot call a check built that the battery does not know."""
    assert {item.id for item in catalogue.load().checks.values() if item.state == "built"} == set(MODULES)


OFTEN_OPEN = {"P3.backdoor"}
"""Checks that leave one of few planted subjects open: six are run."""


@pytest.mark.parametrize("check", CHECKS)
def test_small_battery(check: str) -> None:
    """A planted and a clean subject of each kind, 3 to 6: no wrong pass, no false alarm; of six at most one miss."""
    kinds = max(len(entry(check).planted), len(entry(check).clean))
    subjects = 6 if check in OFTEN_OPEN else min(max(kinds, 3), 6)
    cells = battery.run(entry(check), subjects, seed=20_261, parts=("planted", "clean"))
    odd = [line for cell in cells for line in cell.odd]
    counted = {decision.what: decision.count for decision in decide(entry(check), cells)}
    assert counted["wrong passes"] == 0, odd
    assert counted["false alarms"] == 0, odd
    assert counted["found"] >= subjects - (subjects == 6), odd


@pytest.mark.parametrize("check", CHECKS)
def test_small_samples_of_bad_subjects_do_not_pass(check: str) -> None:
    """A handful of rows never buys a pass for a subject that is bad."""
    small = battery.run(entry(check), 12, seed=5, parts=("small",))
    assert sum(cell.outcomes["pass"] for cell in small) == 0


FLOORS = [(check.id, floor.key) for check, floor in catalogue.load().floors() if check.state == "built"]


ONE_OF_MANY = {"F1.drift", "P1.images", "S3.membership", "S5.outliers", "S5.removals"}
"""Checks that judge several kinds, groups or ways by one floor; what is bad in one need not be in another."""


@pytest.mark.parametrize(("check", "key"), FLOORS)
def test_undefended_reference_passes_no_floor(check: str, key: str) -> None:
    """A floor that the undefended reference subject passes is invalid; each floor is judged with the others open."""
    entry_ = catalogue.load().checks[check]
    mine = entry_.floor(key)
    assert mine is not None
    assert mine.reference in REFERENCES, f"no subject is built for {mine.reference}"
    alone = {item.key: VACUOUS[item.direction] for item in entry_.floors} | {key: mine.value}
    result = registry.resolve(check)(with_thresholds(REFERENCES[mine.reference](11), alone))
    assert result.outcome is not Outcome.PASS, result.reason
    assert result.canary is not None
    judged = [m for m in result.measures if m.threshold == mine.value and m.direction == mine.direction]
    assert judged
    bad = [m.outcome is not Outcome.PASS for m in judged if not m.where or "and" not in m.where]
    assert any(bad) if check in ONE_OF_MANY else all(bad)


@pytest.mark.parametrize(
    ("check", "module"), [(one, name) for one, names in battery._BORROWED.items() for name in names]
)
def test_digest_covers_subjects_of_other_modules(check: str, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What another entry's module makes of subjects counts, too."""
    before, read = battery.code_digest(check), Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: read(path) + b"#" * (path.name == f"{module}.py"))
    assert battery.code_digest(check) != before


def _says(outcome: Outcome) -> registry.Check:
    return lambda _context: Result(outcome=outcome, reason="always the same")


@pytest.mark.parametrize(
    ("outcome", "what"),
    [(Outcome.PASS, "wrong passes"), (Outcome.FAIL, "false alarms"), (Outcome.INCONCLUSIVE, "found")],
)
def test_battery_refutes_a_check_that_always_says_the_same(
    outcome: Outcome, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The battery itself can fail: a check with one answer is refuted."""
    monkeypatch.setattr(battery, "resolve", lambda _check: _says(outcome))
    cells = battery.run(entry("F1.gaps"), 40, seed=1, parts=("planted", "clean"))
    verdicts = {decision.what: decision.verdict for decision in decide(entry("F1.gaps"), cells)}
    assert verdicts[what] == "refuted"


@pytest.mark.parametrize(
    ("found", "alarms", "passes", "verdicts"),
    [
        (580, 6, 0, ("met", "met", "met")),
        (577, 6, 0, ("open", "met", "met")),
        (540, 30, 12, ("refuted", "refuted", "refuted")),
    ],
)
def test_decisions_are_one_sided_bounds(found: int, alarms: int, passes: int, verdicts: tuple[str, str, str]) -> None:
    """600 + 600: 580 found, 6 false alarms and 0 wrong passes are just enough (Clopper and Pearson 1934)."""
    bare = Entry(check="F1.gaps", documented="", planted={"p": _never}, clean={"c": _never})
    planted, clean = Cell("planted", "p"), Cell("clean", "c")
    planted.outcomes.update({"fail": found, "pass": passes, "inconclusive": 600 - found - passes})
    clean.outcomes.update({"fail": alarms, "pass": 600 - alarms})
    said = {decision.what: decision.verdict for decision in decide(bare, [planted, clean])}
    assert (said["found"], said["false alarms"], said["wrong passes"]) == verdicts


def _never(_seed: int) -> None:
    raise AssertionError


def test_same_seed_gives_the_same_counts() -> None:
    """The battery is deterministic, so a figure in the docs can be had again."""
    first = battery.run(entry("F1.gaps"), 6, seed=3, parts=("planted",))
    second = battery.run(entry("F1.gaps"), 6, seed=3, parts=("planted",))
    assert [(cell.kind, cell.outcomes, cell.odd) for cell in first] == [
        (cell.kind, cell.outcomes, cell.odd) for cell in second
    ]


def test_command_writes_json_and_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line runs one check and leaves counts with the digest of the code."""
    target = tmp_path / "out.json"
    arguments = "--check T2.signature --subjects 15 --seed 2 --quiet --json"
    monkeypatch.setattr(sys, "argv", ["truth", *arguments.split(), str(target)])
    assert main() == 0
    found = json.loads(target.read_text())
    assert found["code"] == battery.code_digest("T2.signature")
    assert sum(cell["n"] for cell in found["cells"] if cell["part"] == "planted") == 15
    assert "| found | 15 | 15 |" in page(found)


def test_pieces_of_the_long_run_add_up_and_are_not_run_twice(tmp_path: Path) -> None:
    """Two workers' pieces are the same subjects as one plain run; a second start does nothing."""
    for worker in (0, 1):
        long.work(tmp_path, ["T2.signature"], 45, 2, worker=worker, workers=2)
    times = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert len(times) == len(long.pieces(["T2.signature"], 45))
    long.work(tmp_path, ["T2.signature"], 45, 2, worker=0, workers=1)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == times
    plain = battery.run(entry("T2.signature"), 45, 2)
    merged = long.merge(tmp_path, "T2.signature", 45)
    assert [(cell.kind, cell.outcomes) for cell in merged] == [(cell.kind, cell.outcomes) for cell in plain]


@pytest.mark.parametrize("check", CHECKS)
def test_digest_covers_the_very_function_that_is_run(check: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change in the check's own module gives its figures another digest."""
    before = battery.code_digest(check)
    read = Path.read_bytes
    module = Path(registry.resolve(check).__code__.co_filename)  # type: ignore[attr-defined]
    monkeypatch.setattr(Path, "read_bytes", lambda path: read(path) + b"#" * (path.name == module.name))
    assert battery.code_digest(check) != before
