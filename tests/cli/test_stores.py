"""A record whose parts lie on servers: keys of people in PostgreSQL, sealed files in object storage."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.servers import objects, postgres
from tests.subject.apps import build

from fivefold.cli.main import run
from fivefold.manifest import site
from fivefold.manifest.reader import read
from fivefold.store.people import People
from fivefold.store.server import Database
from fivefold.traceability.recorder.opening import home

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers import Objects, Postgres

JANE = b"Jane Doe of Elm Street"


def _run(words: list[str]) -> int:
    """Run a command; return its exit code."""
    with pytest.raises(SystemExit) as end:
        run(words)
    return int(end.value.code or 0)


@pytest.fixture(scope="module")
def database() -> Iterator[Postgres]:
    """A server of PostgreSQL."""
    with postgres() as found:
        yield found


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Objects]:
    """A server of objects."""
    with objects(tmp_path / "objects") as found:
        yield found


@pytest.fixture
def app(tmp_path: Path, database: Postgres, storage: Objects, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An application with a record of more than a segment, whose site.yaml names both servers."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("STORE_SECRET", storage.secret)
    root = tmp_path / "app"
    build(root, manifest={"controls": {"T4": {}}})
    (root / "secrets").mkdir()
    (root / "secrets" / "database").write_text(database.fresh() + "\n")
    (root / "secrets" / "access").write_text(storage.access)
    (root / "site.yaml").write_text(f"""record:
  people: {{file: secrets/database}}
  archive: {{url: {storage.url}/app, access: {{file: secrets/access}}, secret: {{env: STORE_SECRET}}}}
""")
    with home(read(root)).writing() as recorder:
        for number in range(120):
            person = JANE.decode() if number % 2 else f"person {number}"
            with recorder.open(f"loan {number}", subject=person) as case:
                case.input({"pixels": np.full((100, 100), number, np.float64)[:, :50]})
                case.output({"score": np.array([0.5])}, name=person)
    return root


def test_the_parts_lie_where_the_site_says(app: Path, storage: Objects, capsys: pytest.CaptureFixture[str]) -> None:
    """Found, proven and erased as ever, with the sealed files away and the keys in the database."""
    assert _run(["record", "archive", "--drop", "--json", "--in", str(app)]) == 0
    moved = json.loads(capsys.readouterr().out)
    assert moved["files"] >= 1
    assert moved["size"] > 4_000_000
    assert len(list((app / "record").glob("segment-*"))) == 1
    assert len(list((storage.files / "app").glob("segment-*"))) == moved["files"]
    assert _run(["record", "search", "--case", "loan 1", "--json", "--in", str(app)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [item["kind"] for item in found] == ["input", "output"]
    assert found[1]["fields"] == {"name": JANE.decode()}
    assert _run(["record", "fsck", "--in", str(app)]) == 0
    assert _run(["record", "prove", "0", "--in", str(app)]) == 0
    proof = capsys.readouterr().out
    (app.parent / "0.tlog-proof").write_text(proof[proof.index("c2sp.org/tlog-proof") :])
    assert _run(["verify", str(app.parent / "0.tlog-proof")]) == 0
    assert _run(["record", "erase", JANE.decode(), "--in", str(app)]) == 0
    capsys.readouterr()
    assert _run(["record", "search", "--case", "loan 1", "--json", "--in", str(app)]) == 0
    assert all(item["erased"] for item in json.loads(capsys.readouterr().out))
    assert _run(["record", "fsck", "--in", str(app)]) == 0
    every = [path for path in (*app.parent.rglob("*"), *storage.files.rglob("*")) if path.is_file()]
    assert not any(JANE in path.read_bytes() for path in every)


def test_published_tiles_go_there_too(app: Path, storage: Objects, capsys: pytest.CaptureFixture[str]) -> None:
    """What was uploaded is audited by its key alone."""
    folder = app.parent / "published"
    assert _run(["record", "tiles", str(folder), "--upload", "--in", str(app)]) == 0
    assert "uploaded to" in capsys.readouterr().out
    assert _run(["record", "vkey", "--in", str(app)]) == 0
    vkey = capsys.readouterr().out.split("\n")[0].strip()
    assert _run(["record", "fsck", str(storage.files / "app" / "tiles"), "--vkey", vkey]) == 0


def test_no_key_of_a_person_is_on_this_machine(app: Path, database: Postgres) -> None:
    """The database alone has them; a lost connection stops the reading, not silently."""
    assert not list((app.parent / "config").rglob("*.people.sqlite"))
    url = (app / "secrets" / "database").read_text().strip()
    people = People(Database(url), read(app).application.id)
    assert len(people._base.ask("SELECT key_id FROM person_keys")) == 61
    people.close()
    (app / "secrets" / "database").write_text("postgresql://127.0.0.1:9/nobody?password=hidden-word")
    assert _run(["record", "search", "--in", str(app)]) == 2


def test_no_model_may_read_what_opens_them(app: Path) -> None:
    """The files of the secrets are kept from the worker; what is shown of the site has none of them."""
    manifest = read(app)
    hidden = {path.resolve() for path in site.secrets(manifest)}
    assert {(app / "secrets" / name).resolve() for name in ("database", "access")} <= hidden
    shown = repr(site.record(manifest)) + repr(home(manifest))
    assert "postgresql" not in shown
    assert site.record(manifest).secret not in shown


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("record: {archive: {url: https://h/b}}", "access and secret"),
        ("record: {people: {file: nowhere}}", "nowhere"),
        ("record: {people: {env: NOT_SET_HERE}}", "NOT_SET_HERE"),
        ("record: {people: {env: A, file: b}}", "one of file and env"),
        ("record: {people: postgresql://u:pw@h/d}", "people"),
        ("record: {keys: {file: x}}", "keys"),
    ],
)
def test_a_site_that_cannot_be_used_is_refused(
    app: Path, text: str, word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the word that is wrong; a secret written into it is not repeated."""
    (app / "site.yaml").write_text(text + "\n")
    assert _run(["record", "search", "--in", str(app)]) == 2
    told = capsys.readouterr().err
    assert word in told
    assert "pw@h" not in told


def test_without_a_storage_archiving_is_refused(app: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the remedy."""
    (app / "site.yaml").unlink()
    assert _run(["record", "archive", "--in", str(app)]) == 2
    assert "record.archive" in capsys.readouterr().err


def test_a_witness_keeps_its_memory_in_a_database(app: Path, database: Postgres) -> None:
    """The address comes from a file, never from the command line."""
    url = database.fresh()
    (app / "memory").write_text(url)
    vkey = subprocess.run(
        [sys.executable, "-m", "fivefold", "record", "vkey", "--in", str(app)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\n")[0]
    command = [sys.executable, "-m", "fivefold", "record", "witness", "--log", vkey.strip(), "--port", "0"]
    with subprocess.Popen([*command, "--database", str(app / "memory")], stdout=subprocess.PIPE, text=True) as process:
        try:
            lines = [process.stdout.readline() for _ in range(2)]
            url_of, key = re.search(r"http://\S+?(?=,)", lines[0])[0], lines[1].rpartition(": ")[2].strip()
            assert _run(["trust", "add", key, "--name", "W", "--role", "witness"]) == 0
            assert _run(["record", "cosign", "--in", str(app), "--witness", url_of]) == 0
        finally:
            process.terminate()
    assert len(database.run("SELECT size FROM fivefold.witnessed", url)) == 1
