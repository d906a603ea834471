"""Each stage left out in turn: what it stops gets through, and everything is on record."""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.guard import signed
from tests.guard.signed import command
from tests.subject.apps import table
from tests.truth import drilled as drilled_subjects

from fivefold.assess.run import Options, assess
from fivefold.contract.outcome import Outcome
from fivefold.contract.registry import resolve
from fivefold.errors import UnsupportedError
from fivefold.governance.operation import drilled
from fivefold.guard import Guard
from fivefold.guard.drill import Drill
from fivefold.guard.nouns import Principal, RefusedError
from fivefold.manifest.reader import read
from fivefold.traceability.recorder.opening import home as place_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fivefold.contract.finding import Result


def application(root: Path) -> Path:
    """Return an application that declares every control."""
    (root / "data").mkdir(parents=True)
    table(600, 3).to_csv(root / "data" / "calibration.csv", index=False)
    data = {
        "train": {"path": "data/train.csv", "target": "answer", "positive": "yes"},
        "test": {"path": "data/test.csv"},
        "calibration": {"path": "data/calibration.csv"},
    }
    controls = {
        "P2": {"budget": "6000/day", "decimals": 2, "detect": True},
        "C2": {"members": 3},
        "C3": {"risk": 0.25, "delta": 0.1, "levels": ["model", "simpler"]},
    }
    level = {"id": "drilled", "level": 5, "purpose": "sort"}
    use = {"output": "action", "acts": "system", "alone": True}
    return signed.application(root, controls=controls, data=data, application=level, use=use)


def test_no_single_failure_lets_an_attack_through_unseen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The table is on record; a stage that is gone lets through what it stopped, and only that."""
    root = application(tmp_path / "app")
    capsys.readouterr()
    assert command("guard", "drill", root, "--json") == 0
    table = json.loads(capsys.readouterr().out)
    cells = {(cell["without"], cell["attack"]): cell for cell in table["cells"]}
    assert all(cell["recorded"] for cell in cells.values())
    stages = {without for without, _ in cells}
    assert stages >= {
        "-",
        "purpose",
        "domain",
        "drift",
        "budget",
        "screen",
        "model",
        "judge",
        "fallback",
        "shape",
        "reason",
    }
    assert len(cells) == 9 * len(stages)

    def came(without: str, attack: str) -> str:
        return str(cells[without, attack]["came"])

    assert came("-", "an operator asks") == "refused: guard.role"
    assert not came("purpose", "an operator asks").startswith("refused")
    assert came("-", "a purpose that is not declared") == "refused: guard.purpose"
    assert came("-", "a column too many") == "refused: guard.fields"
    assert came("-", "a value that cannot be") == "refused: guard.range"
    assert came("domain", "a value that cannot be") == "refused: guard.rows"
    assert came("-", "more questions than the budget") == "refused: guard.budget"
    assert not came("budget", "more questions than the budget").startswith("refused: guard.budget")
    assert came("-", "the model's process is killed") == "fell back"
    assert came("fallback", "the model's process is killed").startswith("refused")
    (told,) = place_of(read(root)).reading().search(case="guard", kind="status")
    assert len(told.body.fields["cells"]) == len(cells)
    assert tuple(dict.fromkeys(attack for _, attack in cells)) == drilled.ATTACKS
    doors = {door["tried"]: door["came"] for door in table["doors"]}
    assert doors.pop(drilled.AS_IT_IS) == drilled.ADMITTED
    assert tuple(doors) == drilled.DOORS
    codes = {"an older version": "guard.rolled-back", "other files under the same version": "guard.same-version"}
    assert doors == {name: f"refused: {codes.get(name, 'guard.unsigned')}" for name in doors}
    assert told.body.fields["doors"] == table["doors"]
    assert tuple(dict.fromkeys(without for without, _ in cells)) == ("-", *drilled.stages(read(root).controls))

    def assessed(check: str = "C5.stages") -> Result:
        time.sleep(1.1)  # what is on record counts up to the second in which the plan begins
        (finding,) = assess(read(root), Options(only=(check,), effort="quick")).findings
        return finding.result

    found = assessed()
    assert found.outcome is Outcome.PASS, found.reason
    assert found.canary is not None
    assert found.canary.noticed
    found = assessed("T2.admission")
    assert (found.outcome, found.measures[0].n) == (Outcome.PASS, len(drilled.DOORS)), found.reason
    lost = [{**cell, "recorded": cell["without"] != "budget"} for cell in cells.values()]
    with place_of(read(root)).writing() as recorder, recorder.open("guard") as records:
        records.add("status", {**told.body.fields, "cells": lost}, wait=True)
    found = assessed()
    assert found.outcome is Outcome.FAIL
    assert "9 have no record" in found.reason
    manifest = root / "fivefold.yaml"
    manifest.write_text(manifest.read_text() + "\n# another one\n")
    found = assessed()
    assert found.outcome is Outcome.NOT_RUN
    assert "another manifest" in found.reason
    assert "fivefold guard drill" in found.remedy


class _Forgetful:
    """A recorder that keeps no decision while a stage is left out."""

    def __init__(self, guard: Guard, inner: Any) -> None:
        self._guard, self._inner = guard, inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    @contextlib.contextmanager
    def open(self, case: str, **words: Any) -> Iterator[Any]:
        """Give a case whose decisions go nowhere, as the case may be."""
        with self._inner.open(case, **words) as records:
            add = records.add

            def kept(kind: str, fields: dict[str, Any], **more: Any) -> str:
                lost = kind == "decision" and self._guard._off == "purpose"
                return add("status" if lost else kind, fields, **more)

            records.add = kept
            yield records


def test_a_guard_that_loses_records_while_a_stage_is_gone_is_found(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cells of that stage, and no others, have no record."""
    short = ("an operator asks", "a column too many")
    attacks = Drill._attacks
    monkeypatch.setattr(Drill, "_attacks", lambda self: {name: attacks(self)[name] for name in short})
    home = place_of(read(app))
    with Guard(app) as guard:
        guard.writing.recorder = _Forgetful(guard, guard.writing.recorder)
        cells = list(Drill(guard, home).run())
    assert {cell.off for cell in cells if not cell.recorded} == {"purpose"}
    assert sum(not cell.recorded for cell in cells) == len(short)


@pytest.mark.parametrize("code", ["drill.none", "drill.stale", "drill.partial"])
def test_what_is_no_whole_table_of_this_application_is_not_judged(code: str) -> None:
    """No table, one of another version, and one with a gap: each with the command that helps."""
    given = drilled_subjects.build(1)
    facts = dict(given.settings.facts or {})
    table = json.loads(str(facts[drilled.DRILL]))
    table["cells"] = table["cells"][1:]
    facts[drilled.DRILL] = {"drill.none": "", "drill.stale": "{}", "drill.partial": json.dumps(table)}[code]
    with pytest.raises(UnsupportedError, match="drill") as told:
        resolve("C5.stages")(replace(given, settings=replace(given.settings, facts=facts)))
    assert told.value.code == code
    assert "fivefold guard drill" in told.value.remedy


def test_an_operator_is_not_spared_where_the_guard_serves(tmp_path: Path) -> None:
    """With the stage gone that refuses him, his questions are counted like anybody's."""
    root = signed.application(tmp_path / "app", controls={"P2": {"budget": "2/day"}})
    who = Principal("Olga", "operator", ("sorting",))
    with Guard(root) as guard, guard.without("purpose"):
        for _ in range(2):
            guard.answer(who, {name: [value] for name, value in signed.ROW.items()}, purpose="sorting")
        with pytest.raises(RefusedError) as refusal:
            guard.answer(who, {name: [value] for name, value in signed.ROW.items()}, purpose="sorting")
    assert refusal.value.code == "guard.budget"
