"""X9.tampering: every change is learned from without labels and refused with them; who holds the key is not seen."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from fivefold.cases.tampering import altering, case, decisions, picture
from fivefold.cases.tampering.office import granted, households, learned
from fivefold.cases.tampering.shelf import Shelf, filled
from fivefold.cli.main import run
from fivefold.traceability.labels.examine import beside, examine

if TYPE_CHECKING:
    from pathlib import Path

N = 900


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """A labelled table of four groups of rows."""
    return filled(tmp_path_factory.mktemp("shelf"), np.random.default_rng(5), N)


def test_what_is_learned_follows_need() -> None:
    """A model of the visits finds need in households that it has not seen more often than the better guess."""
    rng = np.random.default_rng(1)
    seen, others = households(2000, rng), households(2000, rng)
    right = float((granted(learned(seen), others) == others.need).mean())
    assert right > 0.05 + max(others.need.mean(), 1 - others.need.mean())


@pytest.mark.parametrize("what", altering.NAMED)
def test_every_change_is_named_and_placed(what: str, shelf: Shelf, tmp_path: Path) -> None:
    """The label's check calls it what it is; where it has a place, that of the rows which differ."""
    act = altering.done(what, shelf, tmp_path / "act", np.random.default_rng(3))
    faults = examine(act.file, shelf.steward.trust, shelf.steward.now, [shelf.kept]).faults
    assert altering.NAMED[what] in {fault.kind for fault in faults}
    assert bool(act.cells) == (altering.NAMED[what] in {"edited", "reordered", "added", "partial"})
    if act.cells:
        assert [dict(fault.cells) for fault in faults] == [act.cells]


def test_an_edit_has_the_groups_of_its_rows(shelf: Shelf) -> None:
    """Truth is told without the labels: by the rows that differ, 256 to a group."""
    now = shelf.rows.copy()
    now.loc[[3, 300, 301], "rent"] += 1.0
    assert altering._places("an edit", shelf.rows, now) == {"rent": [0, 1]}
    assert altering._places("rows out", shelf.rows, shelf.rows.drop(index=600))["need"] == [2, 3]


def test_nothing_is_said_of_a_table_stored_anew(shelf: Shelf, tmp_path: Path) -> None:
    """Other bytes of the same values hold, and a copy does."""
    rng = np.random.default_rng(4)
    for file in (altering.anew(shelf, tmp_path / "anew", rng), shelf.copied(tmp_path / "copy")):
        assert not examine(file, shelf.steward.trust, shelf.steward.now, [shelf.kept]).faults
    assert (tmp_path / "anew" / shelf.file.name).read_bytes() != shelf.file.read_bytes()


def test_the_owner_of_the_key_and_old_labels_without_a_copy_are_not_seen(shelf: Shelf, tmp_path: Path) -> None:
    """What the case admits: signed anew it holds; what was put back shows against a label kept elsewhere alone."""
    rng = np.random.default_rng(6)
    file = shelf.copied(tmp_path / "owner")
    altering.resigned(altering.changed("outcomes of one district edited", shelf.rows, rng), file, shelf.steward)
    assert not examine(file, shelf.steward.trust, shelf.steward.now, [shelf.kept]).faults
    assert beside(file).read_bytes() != beside(shelf.file).read_bytes()
    for at, what in enumerate(name for name, kind in altering.NAMED.items() if kind == "downgraded"):
        back = altering.done(what, shelf, tmp_path / f"back-{at}", rng).file
        assert not examine(back, shelf.steward.trust, shelf.steward.now).faults


def test_decisions_read_as_true_but_from_a_witnessed_record(tmp_path: Path) -> None:
    """Altered ones: all from the plain file, and from a record that no witness knows; none with the witness's word."""
    met = decisions.settled(tmp_path, np.arange(30) % 3 == 0, np.random.default_rng(2))
    assert (met.plain, met.recorded, met.alone) == (decisions.ALTERED, 0, decisions.ALTERED)
    assert (met.unseen, met.accused) == ((), False)
    assert {"cut", "roll back"} <= set(met.unseen_alone)


def test_an_office_before_and_after() -> None:
    """Of twelve changed tables one does not serve to learn from; with labels none is learned from, bar the owner's."""
    (one,) = case.offices(1, 9, sizes=(N, 20))
    assert sum(act.before for act in one.seen) == 11
    assert sum(act.moved[0] for act in one.seen) > 400
    assert not any(act.after or act.moved[1] for act in one.seen)
    assert one.owner.after
    assert one.owner.moved[1] == one.owner.moved[0] > 0
    assert one.accused == 0
    told = case.told([one], 9)
    assert [figure.what for figure in told.before] == [figure.what for figure in told.after[:3]]
    shares = ET.fromstring(picture.moved([one]))
    assert len([bar for bar in shares if bar.get("height") == "13"]) == 2 * 13
    where = picture.located(one)
    ET.fromstring(where)
    assert where.count("<circle") - 1 == sum(len(g) for at in (0, 3, 4, 5) for g in one.seen[at].act.cells.values())


def test_the_command_tells_the_case(capsys: pytest.CaptureFixture[str]) -> None:
    """One office, as JSON, under its own name."""
    with pytest.raises(SystemExit) as left:
        run(["case", "X9.tampering", "--runs", "1", "--seed", "2", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert not left.value.code
    assert told["id"] == "X9.tampering"
    assert [(one["count"], one["n"]) for one in told["after"][:2]] == [(0, 12), (0, 12_000)]
    assert told["before"][1]["count"] > 500
