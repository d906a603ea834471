"""People whose term is over are forgotten, by keyed hash only; the others are not, and every proof holds."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from tests.subject.apps import build

from fivefold.keys.store import own_keys
from fivefold.log.audit import audit
from fivefold.log.disk import Folder
from fivefold.traceability.recorder import open_reading, open_recorder
from fivefold.traceability.recorder.opening import log_signer

if TYPE_CHECKING:
    from pathlib import Path

DAY = 86_400 * 10**9


def command(root: Path, *words: str) -> tuple[int, dict[str, Any], str]:
    words = (sys.executable, "-m", "fivefold", "record", "retention", "--in", str(root), "--json", *words)
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, json.loads(done.stdout) if done.stdout else {}, done.stderr


def filled(place: Path) -> None:
    """Two people of long ago, one of whom came again, one of today, and records about nobody."""
    now = time.time_ns()
    with open_recorder(place, "app") as recorder:
        recorder._clock = lambda: now - 400 * DAY  # type: ignore[union-attr]
        for name in ("Old", "Again", ""):
            with recorder.open(f"then {name}", subject=name) as case:
                case.output({"x": [1.0]})
        recorder._clock = time.time_ns  # type: ignore[union-attr]
        for name in ("Again", "New"):
            with recorder.open(f"now {name}", subject=name) as case:
                case.output({"x": [1.0]})


@pytest.mark.parametrize("running", [False, True])
def test_only_who_was_silent_for_the_term_is_forgotten(tmp_path: Path, *, running: bool) -> None:
    """Also beside a process that writes; a look first changes nothing; a second time there is nobody left."""
    manifest = build(tmp_path / "app", manifest={"controls": {"T4": {"retain": "1y"}}})
    root, place = manifest.root, manifest.root / "record"
    filled(place)
    holder = open_recorder(place, "app") if running else None
    assert command(root)[1] == {"people": 1, "term": "1y", "keys": 0}
    assert command(root, "apply")[1] == {"people": 1, "term": "1y", "keys": 1}
    assert command(root, "--apply")[1]["people"] == 0
    if holder is not None:
        holder.close()
    reading = open_reading(place, "app")
    cases = ("then Old", "then Again", "then ", "now Again", "now New")
    gone = {case: [item.body is None for item in reading.search(case=case)] for case in cases}
    assert gone == {case: [case == "then Old"] for case in cases}
    (notice,) = reading.search(kind="erasure")
    assert notice.body is not None
    assert notice.body.fields["term"] == "1y"
    assert "Old" not in str(notice.body)
    assert audit(Folder(place), (log_signer().public,)).faults == ()


@pytest.mark.parametrize("term", ["", "2", "y", "two years", "-1y", "2.5y", "99999d", "²y"])
def test_a_term_that_is_none_is_refused(tmp_path: Path, term: str) -> None:
    """With the remedy."""
    manifest = build(tmp_path / "app")
    filled(manifest.root / "record")
    code, _, error = command(manifest.root, "--term", term, "--apply")
    assert code == 2
    assert "recorder.term" in error


def test_a_person_who_comes_again_after_that_has_a_new_key(tmp_path: Path) -> None:
    """What was forgotten stays so."""
    place = tmp_path / "record"
    filled(place)
    with open_recorder(place, "app") as recorder:
        people = open_reading(place, "app").silent_since(time.time_ns() - 366 * DAY)
        assert recorder.expire(people, "1y") == 1
        with recorder.open("back", subject="Old") as case:
            case.output({"x": [2.0]})
    reading = open_reading(place, "app")
    assert [item.body is None for item in reading.search(person="Old")] == [True, False]
    assert reading.audit((log_signer().public,)).faults == ()


def test_a_store_of_keys_put_back_from_a_copy_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The person can be read again, and the audit says so; erased once more, it holds."""
    import shutil

    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    place = tmp_path / "record"
    with open_recorder(place, "app") as recorder:
        for person in ("Jane", "John"):
            with recorder.open("loan", subject=person) as case:
                case.status(seen=True)
    (store,) = (tmp_path / "config").rglob("*.people.sqlite")
    shutil.copy(store, tmp_path / "copy")
    keys = tuple(key.signer.public for key in own_keys())
    with open_recorder(place, "app") as recorder:
        recorder.erase("Jane")
    assert open_reading(place, "app").audit(keys).faults == ()
    for path in store.parent.glob(f"{store.name}*"):
        path.unlink()
    shutil.copy(tmp_path / "copy", store)
    assert [fault.code for fault in open_reading(place, "app").audit(keys).faults] == ["recorder.back"]
    with open_recorder(place, "app") as recorder:
        recorder.erase("Jane")
        with recorder.open("loan", subject="Jane") as case:
            case.status(seen="with a new key, after she came back herself")
    assert open_reading(place, "app").audit(keys).faults == ()
