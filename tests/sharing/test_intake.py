"""Ingestion: bad rows wait in a durable quarantine with a reason, and an officer alone lets them in, once."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path  # noqa: TC003

import numpy as np
import pytest
from tests.truth import hit, streamed

from fivefold.contract.outcome import Outcome
from fivefold.contract.registry import resolve
from fivefold.errors import InputError, StorageError, UnsupportedError
from fivefold.sharing.filtering.choose import spoilt
from fivefold.sharing.filtering.intake import Intake
from fivefold.store.held import Held, Row


def door(place: Path | None, *, values: bool = False) -> tuple[Intake, Held, np.ndarray, np.ndarray]:
    """Return an intake after a batch with ten bad rows: which were let in, and which are bad."""
    rng = np.random.default_rng(31)
    table = streamed.build(32, values=values).tables("train")
    store = Held(place, "app")
    intake = Intake(table.take(np.arange(1000)), store, ("ada",), rng)
    batch = table.take(np.arange(1000, 1100))
    wrong = np.isin(np.arange(100), np.arange(0, 100, 10))
    return intake, store, intake.admit(spoilt(batch, wrong, rng), "sensor 4", 5), wrong


@pytest.mark.parametrize("values", [False, True])
def test_bad_rows_wait_with_a_reason_and_are_there_again(tmp_path: Path, *, values: bool) -> None:
    """Most bad rows are held, most others come in, and the quarantine outlives the process."""
    _, store, admitted, wrong = door(tmp_path / "held.sqlite", values=values)
    store.close()
    again = Held(tmp_path / "held.sqlite", "app")
    waiting = again.waiting()
    assert len(waiting) == (~admitted).sum()
    assert (~admitted)[wrong].mean() >= 0.7
    assert admitted[~wrong].mean() >= 0.9
    assert all(row.reason and row.source == "sensor 4" for row in waiting)
    assert json.loads(waiting[0].body)["values"]
    assert not Held(tmp_path / "held.sqlite", "another").waiting()


@pytest.mark.parametrize(
    ("verdict", "officer", "because", "code"),
    [
        ("released", "eve", "I say so", "quarantine.officer"),
        ("released", "ada", "  ", "quarantine.because"),
        ("eaten", "ada", "hungry", "quarantine.verdict"),
    ],
)
def test_who_may_not_decide_is_refused(verdict: str, officer: str, because: str, code: str) -> None:
    """A stranger, no reason, a word that is no verdict."""
    intake, store, _, _ = door(None)
    one = store.waiting()[0].id
    with pytest.raises(InputError) as told:
        intake.decide(one, verdict, officer, because, 6)
    assert told.value.code == code
    assert store.waiting()[0].id == one


def test_an_officer_decides_once() -> None:
    """A released row waits no more, says who and why, and is not decided again."""
    intake, store, _, _ = door(None)
    one = store.waiting()[0].id
    row = intake.decide(one, "released", "ada", "checked with the clinic", 6)
    assert (row.verdict, row.who, row.because, row.decided) == ("released", "ada", "checked with the clinic", 6)
    assert one not in {other.id for other in store.waiting()}
    with pytest.raises(InputError) as told:
        intake.decide(one, "dropped", "ada", "on second thoughts", 7)
    assert told.value.code == "quarantine.row"


def test_nothing_comes_in_where_the_quarantine_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that cannot write: the batch is refused, not let through."""
    intake, store, _, _ = door(None)

    def full(_rows: list[Row]) -> None:
        raise StorageError("store.disk", "the disk is full.")

    monkeypatch.setattr(store, "add", full)
    batch = streamed.build(33).tables("train").take(np.arange(50))
    with pytest.raises(StorageError):
        intake.admit(batch, "sensor 4", 8)


def test_an_open_door_is_not_run() -> None:
    """With the intake declared it passes; without it there is nothing to measure, and that is said."""
    assert resolve(streamed.CHECK)(streamed.build(34)).outcome is Outcome.PASS
    with pytest.raises(UnsupportedError, match="no filter at ingestion") as told:
        resolve(streamed.CHECK)(streamed.build(34, declared=False))
    assert told.value.code == "filter.intake"


def test_whom_no_filter_hits_is_not_asked() -> None:
    """No filter is declared, so nobody is hit: not run, with the remedy."""
    given = hit.build(35)
    with pytest.raises(UnsupportedError) as told:
        resolve(hit.CHECK)(replace(given, settings=replace(given.settings, controls={})))
    assert told.value.code == "filter.undeclared"
