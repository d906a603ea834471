"""``init``: proposes a manifest that loads, says why, never overwrites and never touches the data."""

from __future__ import annotations

import csv
import gzip
import json
import os
import pty
import random
import sys
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from fivefold.cli.main import run
from fivefold.manifest.reader import read

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Return a function that runs ``init`` and gives exit code, output and errors."""

    def call(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stopped:
            run(["init", *words])
        shown = capsys.readouterr()
        return int(stopped.value.code or 0), shown.out, shown.err

    return call


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Return a table with an id, groups by name and by value, missing texts, a copy of the target, and equal rows."""
    rng = random.Random(5)
    file = tmp_path / "people.csv"
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["nr", "Geschlecht", "grp", "Âge", "vehicle_age", "income", "result", "result2", "e-mail"])
        for number in range(300):
            truth = rng.choice(["good", "good", "bad"])
            income = rng.choice(["?", "1000", "2500.5"])
            row = [number + 1, rng.choice("wxy"), rng.choice(["male : single", "female"]), rng.randint(18, 80)]
            writer.writerow([*row, rng.randint(0, 9), income, truth, truth, f"a{number}@x.org"])
    return file


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """Return a folder with a factory and nothing else."""
    folder = tmp_path / "my app"
    folder.mkdir()
    (folder / "scorer.py").write_text("def load():\n    return None\n", encoding="utf-8")
    return folder


def test_a_proposal_names_what_it_saw(app: Path, table: Path, say: Callable[..., tuple[int, str, str]]) -> None:
    """Protected fields by name (in another language) and by value, missing texts, id, copies of the target."""
    before = table.read_bytes()
    code, shown, _ = say(
        str(app), "--data", str(table), "--target", "result", "--model", "scorer:load", "--yes", "--json"
    )
    assert code == 0
    manifest = read(app)
    data = manifest.data["test"]
    assert data.protected == ("Geschlecht", "grp", "Âge")
    assert data.missing == ("?",)
    assert data.id == "nr"
    assert set(data.drop) == {"result2", "e-mail"}
    assert "vehicle_age" not in data.protected
    assert manifest.application.id == "my-app"
    document = json.loads(shown)
    assert "is named like sex" in document["reasons"]["data.test.protected"]
    assert "repeats the target" in document["reasons"]["data.test.drop"]
    assert table.read_bytes() == before
    assert (app / "data" / "people.csv").read_bytes() == before


def test_flags_go_before_proposals(app: Path, table: Path, say: Callable[..., tuple[int, str, str]]) -> None:
    """What the user says is taken; an empty list means none."""
    words = ["--level", "4", "--output", "recommendation", "--acts", "system", "--alone", "--positive", "good"]
    words += [
        "--protected",
        "",
        "--drop",
        "income,grp",
        "--id",
        "",
        "--purpose",
        "a test: of 'quotes' #1",
        "--app-id",
        "x",
    ]
    code, _, error = say(
        str(app), "--data", str(table), "--target", "result", "--model", "scorer:load", "--yes", *words
    )
    assert code == 0, error
    manifest = read(app)
    data = manifest.data["test"]
    assert (manifest.application.level, manifest.use.acts, manifest.use.alone) == (4, "system", True)
    assert (data.positive, data.protected, data.drop, data.id) == ("good", (), ("income", "grp"), "")
    assert manifest.application.purpose == "a test: of 'quotes' #1"
    assert manifest.application.id == "x"


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".parquet", ".feather"])
def test_a_split_keeps_every_row_once(
    app: Path, table: Path, ending: str, say: Callable[..., tuple[int, str, str]]
) -> None:
    """Both parts together are the table, classes keep their share, and doing it again changes nothing."""
    source = table.with_name(f"people{ending}")
    frame = pd.read_csv(table)
    if ending == ".csv.gz":
        source.write_bytes(gzip.compress(table.read_bytes(), mtime=0))
    elif ending == ".parquet":
        frame.to_parquet(source)
    elif ending == ".feather":
        frame.to_feather(source)
    words = [str(app), "--data", str(source), "--split", "0.3", "--target", "result", "--model", "scorer:load", "--yes"]
    code, shown, error = say(*words)
    assert code == 0, error
    assert "Train the model on" in " ".join(shown.split())
    manifest = read(app)
    load = {".parquet": pd.read_parquet, ".feather": pd.read_feather}.get(ending, pd.read_csv)
    parts = {name: load(app / manifest.data[name].path) for name in ("train", "test")}
    assert len(parts["test"]) == pytest.approx(90, abs=2)
    joined = pd.concat(parts.values()).sort_values("nr").reset_index(drop=True)
    pd.testing.assert_frame_equal(joined, frame)
    shares = [part["result"].eq("good").mean() for part in parts.values()]
    assert abs(shares[0] - shares[1]) < 0.02
    stored = {name: (app / manifest.data[name].path).read_bytes() for name in parts}
    assert say(*words, "--force")[0] == 0
    assert stored == {name: (app / manifest.data[name].path).read_bytes() for name in parts}


def test_equal_rows_fall_on_one_side(app: Path, tmp_path: Path, say: Callable[..., tuple[int, str, str]]) -> None:
    """A row that stands twice is never in both parts, which would let the test set leak."""
    file = tmp_path / "t.csv"
    rng = random.Random(1)
    rows = [f"{rng.randint(0, 60)},{rng.randint(0, 1)}" for _ in range(400)]
    file.write_text("x,y\n" + "\n".join(rows) + "\n", encoding="utf-8")
    assert say(str(app), "--data", str(file), "--split", "0.4", "--target", "y", "--yes")[0] == 0
    parts = [set((app / "data" / f"{name}.csv").read_text().splitlines()[1:]) for name in ("train", "test")]
    assert parts[0]
    assert parts[1]
    assert not parts[0] & parts[1]


def test_a_manifest_is_never_overwritten_without_force(
    app: Path, table: Path, say: Callable[..., tuple[int, str, str]]
) -> None:
    """A manifest that is there stays as it is, byte for byte."""
    (app / "fivefold.yaml").write_text("mine\n", encoding="utf-8")
    words = [str(app), "--data", str(table), "--target", "result", "--yes"]
    code, _, error = say(*words)
    assert code == 2
    assert "init.exists" in error
    assert (app / "fivefold.yaml").read_text() == "mine\n"
    assert not (app / "data").exists()
    assert say(*words, "--force")[0] == 0
    assert read(app).data["test"].target == "result"


def test_a_refused_manifest_leaves_nothing_behind(
    app: Path, table: Path, say: Callable[..., tuple[int, str, str]]
) -> None:
    """A factory that is not there: the fault is shown, and neither manifest nor data files stay."""
    words = [str(app), "--data", str(table), "--split", "0.3", "--target", "result", "--model", "scorer:lod", "--yes"]
    code, _, error = say(*words)
    assert code == 2
    assert '"load"' in error
    assert ".new" not in error
    assert [path.name for path in app.rglob("*") if path.is_file()] == ["scorer.py"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((), "init.data"),
        (("--data", "none.csv"), "init.data"),
        (("--data", "T", "--target", "rezult"), "init.target"),
        (("--data", "T", "--target", "result", "--split", "1.5"), "init.split"),
        (("--train", "T", "--target", "result", "--split", "0.5"), "init.split"),
    ],
)
def test_what_cannot_be_proposed_is_refused(
    app: Path, table: Path, words: tuple[str, ...], code: str, say: Callable[..., tuple[int, str, str]]
) -> None:
    """Missing or wrong answers give exit code 2 and a code; nothing is written."""
    status, _, error = say(str(app), *(str(table) if word == "T" else word for word in words), "--yes")
    assert status == 2
    assert code in error
    assert not (app / "fivefold.yaml").exists()


def test_a_file_of_predictions(app: Path, table: Path, say: Callable[..., tuple[int, str, str]]) -> None:
    """Predictions stand in for a model and are brought into the folder."""
    answers = table.with_name("answers.csv")
    answers.write_text("prediction\n" + "good\n" * 300, encoding="utf-8")
    words = [str(app), "--test", str(table), "--target", "result", "--predictions", str(answers), "--yes"]
    assert say(*words)[0] == 0
    model = read(app).model
    assert model is not None
    assert model.predictions == {"test": "data/answers.csv"}


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "target", "protected"),
    [
        ("adult_census/train.csv.gz", "income", {"age", "sex", "race", "native_country", "marital_status"}),
        ("german_credit/german_named.csv", "class-label", {"age", "sex", "foreign-worker", "marital-status"}),
        ("student_performance/student_por.csv", "class", {"age", "sex"}),
        ("nsl_kdd_train20/KDDTrain20.csv.gz", "", set()),
        ("house_poisoning/house-processed.csv.gz", "SalePrice", set()),
    ],
)
def test_tables_of_others(
    app: Path, shared: Path, name: str, target: str, protected: set[str], say: Callable[..., tuple[int, str, str]]
) -> None:
    """Real tables give a manifest that loads; their protected fields are found and nothing else is."""
    source = shared / name
    if not target:
        opener = gzip.open if source.name.endswith(".gz") else open
        with opener(source, "rt", encoding="utf-8") as stream:
            target = next(csv.reader(stream))[-1]
    code, _, error = say(str(app), "--data", str(source), "--target", target, "--model", "scorer:load", "--yes")
    assert code == 0, error
    assert set(read(app).data["test"].protected) == protected


def answer(folder: Path, replies: list[str]) -> tuple[int, str]:
    """Run ``init`` on a terminal of its own, give one reply to each question, and return exit code and screen."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, "-m", "fivefold", "init", str(folder)])
    screen = b""
    for reply in [*replies, None]:
        while reply is None or not screen.rstrip().endswith(b":"):
            try:
                part = os.read(terminal, 4096)
            except OSError:
                break
            if not part:
                break
            screen += part
        if reply is not None:
            os.write(terminal, f"{reply}\n".encode())
            screen += b"\n(answered)"
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), screen.decode()


@pytest.mark.parametrize(("last", "code"), [("y", 0), ("n", 2)])
def test_questions_on_a_terminal(app: Path, table: Path, last: str, code: int) -> None:
    """Without flags it asks, shows the proposal, and writes only what was agreed to."""
    replies = [str(table), "", "", "", "scorer:load", "label", "human", "a test", last]
    status, screen = answer(app, replies)
    assert status == code, screen
    assert "is named like sex" in screen
    if code == 0:
        assert read(app).application.purpose == "a test"
    else:
        assert [path.name for path in app.rglob("*") if path.is_file()] == ["scorer.py"]


@pytest.mark.parametrize(
    ("url", "plain"),
    [
        ("https://models.example.org/v2/models/m", False),
        ("grpcs://models.example.org:8001/m", False),
        ("http://localhost:8080/prefix/v2/models/m/versions/3", False),
        ("http://models.example.org/v2/models/m", True),
    ],
)
def test_a_url_is_proposed_as_an_endpoint(
    say: Callable[..., tuple[int, str, str]], table: Path, tmp_path: Path, url: str, plain: bool
) -> None:
    """With a budget of calls; nothing is asked; an unencrypted way to another machine is said."""
    folder = tmp_path / "app"
    code, shown, _ = say(str(folder), "--data", str(table), "--target", "result", "--model", url, "--yes")
    assert code == 0
    model = read(folder).model
    assert model is not None
    assert (model.endpoint, model.calls) == (url, 5000)
    assert ("not encrypted" in shown) is plain


@pytest.mark.parametrize(
    "url", ["http://models.example.org/predict", "ftp://a/v2/models/m", "https://me:secret@a.org/v2/models/m"]
)
def test_a_url_that_is_no_endpoint_is_refused(
    say: Callable[..., tuple[int, str, str]], table: Path, tmp_path: Path, url: str
) -> None:
    """It says what a URL looks like, and writes nothing."""
    folder = tmp_path / "app"
    code, _, told = say(str(folder), "--data", str(table), "--target", "result", "--model", url, "--yes")
    assert code == 2
    assert "/v2/models/" in told or "site.yaml" in told
    assert not (folder / "fivefold.yaml").exists()


def test_labels_that_training_lacks_are_said(tmp_path: Path, say: Callable[..., tuple[int, str, str]]) -> None:
    """A slip of spelling in the test's target is named before anything is measured."""
    for name, label in (("train", "yes"), ("test", "Yes")):
        rows = "".join(f"{at},{label if at % 2 else 'no'}\n" for at in range(40))
        (tmp_path / f"{name}.csv").write_text(f"x,y\n{rows}", encoding="utf-8")
    code, shown, _ = say(
        str(tmp_path), "--train", "train.csv", "--test", "test.csv", "--target", "y", "--yes", "--json"
    )
    assert code == 0
    assert any('"Yes" (20 rows, perhaps "yes" is meant)' in note for note in json.loads(shown)["notes"])


def _two(folder: Path, header: str, row: Callable[[int], str]) -> list[str]:
    """Write train and test of 60 rows each and return the words of a run that names them."""
    for name in ("train", "test"):
        (folder / f"{name}.csv").write_text(
            header + "\n" + "".join(row(at) + "\n" for at in range(60)), encoding="utf-8"
        )
    return [str(folder), "--train", "train.csv", "--test", "test.csv", "--target", "y", "--yes", "--json"]


@pytest.mark.parametrize(
    ("header", "row", "missing"),
    [
        ("x,y", lambda at: f"{at % 7},{'NA' if at % 2 else 'no'}", None),
        ("land,y", lambda at: f"{('NA', 'DE', 'FR', 'IT', 'ZA', 'AO')[at % 6]},{at % 2}", None),
        ("land,y", lambda at: f"{('NA', 'DE', 'FR', 'IT')[at % 4]},{at % 2}", None),
        ("town,y", lambda at: f"{('NA', 'Oslo', 'Rome', 'Lima', 'Bonn', 'Bern')[at % 6]},{at % 2}", ["NA"]),
        ("x,y", lambda at: f"{'?' if at % 5 == 0 else at},{'?' if at % 9 == 0 else 'ab'[at % 2]}", ["?"]),
    ],
    ids=["a class", "a country", "one of four", "a gap among towns", "a sign in the target"],
)
def test_only_what_means_a_missing_value_is_proposed(
    tmp_path: Path, say: Callable[..., tuple[int, str, str]], header: str, row: Callable[[int], str], missing: object
) -> None:
    """A class of the target and a code among codes stay what they are, and the user is told."""
    code, shown, error = say(*_two(tmp_path, header, row))
    assert code == 0, error
    assert list(read(tmp_path).data["train"].missing) == (missing or [])
    told = [note for note in json.loads(shown)["notes"] if "name it under `missing:`" in note]
    assert len(told) == (missing is None)


def test_a_label_that_the_target_lacks_is_refused(tmp_path: Path, say: Callable[..., tuple[int, str, str]]) -> None:
    """Its labels are shown; a number or truth value written in another way is found."""
    words = _two(tmp_path, "x,y", lambda at: f"{at % 7},{'yes' if at % 2 else 'no'}")
    for flag in ("--positive", "--alarm"):
        code, _, error = say(*words, flag, "maybe")
        assert code == 2
        assert "init.label" in error
        assert "no, yes" in error
    assert not (tmp_path / "fivefold.yaml").exists()
    words = _two(tmp_path, "x,y", lambda at: f"{at % 7},{at % 2}.0")
    assert say(*words, "--positive", "1")[0] == 0


def test_a_refused_proposal_cites_no_line_of_a_file_that_is_not_there(
    tmp_path: Path, say: Callable[..., tuple[int, str, str]]
) -> None:
    """The field is named; a line number would point into nothing."""
    words = _two(tmp_path, "x,y", lambda at: f"{at % 7},{at % 2}")
    code, _, error = say(*words, "--model", "nowhere:load")
    assert code == 2
    assert "(not written)" in error
    assert "fivefold.yaml:" not in error


def test_comments_stay_comments_however_narrow_the_screen(
    tmp_path: Path, say: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is shown can be pasted: no line of a comment loses its sign."""
    monkeypatch.setenv("COLUMNS", "60")
    words = _two(tmp_path, "x,sex,age,y", lambda at: f"{at % 7},{'mf'[at % 2]},{at},{at % 2}")
    _, shown, _ = say(*[word for word in words if word != "--json"])
    manifest = shown[: shown.index("Written:")]
    assert manifest.strip() == (tmp_path / "fivefold.yaml").read_text(encoding="utf-8").strip()


@pytest.mark.parametrize("empty", ["train", "test"])
def test_a_table_without_rows_is_refused(tmp_path: Path, say: Callable[..., tuple[int, str, str]], empty: str) -> None:
    """Nothing could be proposed from it, and hardly anything measured on it."""
    words = _two(tmp_path, "x,y", lambda at: f"{at % 7},{at % 2}")
    (tmp_path / f"{empty}.csv").write_text("x,y\n", encoding="utf-8")
    code, _, error = say(*words)
    assert code == 2
    assert "init.rows" in error
    assert f"{empty}.csv has no rows" in error


def test_a_quantity_is_not_asked_for_a_favourable_class(
    tmp_path: Path, say: Callable[..., tuple[int, str, str]]
) -> None:
    """Grades from 0 to 19 are no classes to choose from; a sex told by m and w is seen."""
    _, shown, _ = say(*_two(tmp_path, "x,g,y", lambda at: f"{at % 7},{'mw'[at % 2]},{at % 20}"))
    told = json.loads(shown)
    assert not any("favourable" in note for note in told["notes"])
    assert list(read(tmp_path).data["train"].protected) == ["g"]
