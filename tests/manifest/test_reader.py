"""The reader: what a manifest may say, and each fault with its code, line, field and remedy."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from fivefold.errors import InputError, Problem, ProblemsError
from fivefold.manifest.digests import data_digests
from fivefold.manifest.reader import parse, read
from fivefold.manifest.tree import MAX_BYTES, MAX_PROBLEMS

if TYPE_CHECKING:
    from pathlib import Path


def change(app: Path, old: str, new: str) -> None:
    """Replace one piece of the manifest; the piece must be there."""
    file = app / "fivefold.yaml"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")


def faults(path: Path) -> tuple[Problem, ...]:
    """Return the problems of a manifest that must be refused."""
    with pytest.raises(ProblemsError) as caught:
        read(path)
    return caught.value.problems


def test_a_manifest_without_fault_becomes_a_value(app: Path) -> None:
    """Everything declared arrives, and test takes from train what it does not say itself."""
    manifest = read(app)
    assert (manifest.application.id, manifest.application.level) == ("shop", 4)
    assert manifest.data["test"].target == "bought"
    assert manifest.data["test"].protected == ("sex",)
    assert manifest.model is not None
    assert manifest.model.factory == "scorer:load"
    assert manifest.digest == hashlib.sha256((app / "fivefold.yaml").read_bytes()).hexdigest()
    assert manifest.lines["data.train.protected"] == 5
    assert read(app / "fivefold.yaml") == manifest


def test_application_use_data_and_model_are_enough(app: Path) -> None:
    """No key beside these four is needed, not even the version."""
    text = (
        "application: {id: a, level: 1}\nuse: {output: statistic}\n"
        "data: {test: {path: data/test.csv, target: bought}}\nmodel: {predictions: data/test.csv}\n"
    )
    (app / "fivefold.yaml").write_text(text, encoding="utf-8")
    manifest = read(app)
    assert manifest.model is not None
    assert manifest.model.predictions == {"test": "data/test.csv"}
    assert manifest.use.acts == "human"


def test_everything_of_the_design_is_kept(app: Path) -> None:
    """Keys that no check of this version reads are kept as written."""
    with (app / "fivefold.yaml").open("a", encoding="utf-8") as file:
        file.write(
            "benefit: {measure: share of good loans, target: 0.7}\n"
            "purposes: [credit-scoring]\n"
            "parties: {deployer: Bank, lawmaker: State}\n"
            "sharing: [{what: release, data: train, with: bureau, control: S2}]\n"
            "features: {age: {type: integer, range: [18, 100], immutable: true, unit: years}, amount: {cost: 2.0}}\n"
            'training: {factory: "scorer:load"}\n'
            'scenarios: {young: "age < 25", large: "amount > 10000 and sex == \\"f\\""}\n'
            "controls: {S5: {trusted: x.parquet}, C3: {risk: 0.05, levels: [model, human]}}\n"
            "checks: {P1: {epsilon: 0.1}, P3.membership: {max_auc: 0.55}, F1: {max_tpr_gap: 0.05}}\n"
            "packs: []\n"
        )
    manifest = read(app)
    assert manifest.sharing[0].to == "bureau"
    assert manifest.features["age"].range == (18.0, 100.0)
    assert manifest.controls["C3"] == {"risk": 0.05, "levels": ("model", "human")}
    assert manifest.checks["F1"] == {"max_tpr_gap": 0.05}
    assert manifest.benefit["target"] == 0.7
    assert manifest.training == "scorer:load"


def test_labels_stay_text(app: Path) -> None:
    """``no``, ``1`` and ``2024-01-01`` are labels, not a truth value, a number or a date."""
    change(app, "protected: [sex]", "protected: [sex], positive: no, alarm: 1, missing: ['?', NA, 2024-01-01]")
    data = read(app).data["test"]
    assert (data.positive, data.alarm, data.missing) == ("no", "1", ("?", "NA", "2024-01-01"))


def test_data_digests_are_those_of_the_stored_bytes(app: Path) -> None:
    """The digest is SHA-256 of the file as it lies there."""
    manifest = read(app)
    with (app / "data" / "test.csv").open("a", encoding="utf-8") as file:  # the fixture's two files are the same
        file.write("\n")
    expected = hashlib.sha256((app / "data" / "test.csv").read_bytes()).hexdigest()
    assert data_digests(manifest)["test"] == expected
    (app / "data" / "test.csv").unlink()
    with pytest.raises(InputError, match="cannot be read") as caught:
        data_digests(manifest)
    assert caught.value.code == "manifest.unreadable"


FAULTS = [
    ("fivefold: 1", "fivefold: 2", "version", "fivefold", 1, "newer Fivefold"),
    ("use:", "uses: {}\nuse:", "unknown-key", "uses", 3, '"use"'),
    ("level: 4", "level: 6", "range", "application.level", 2, "from 1 to 5"),
    ("level: 4", "level: 0", "range", "application.level", 2, "from 1 to 5"),
    ("level: 4", 'level: "4"', "type", "application.level", 2, "whole number"),
    ("level: 4", "level: 4.5", "type", "application.level", 2, "whole number"),
    ("level: 4", "level: .nan", "not-finite", "application.level", 2, "finite"),
    ("level: 4, ", "", "absent", "application.level", 2, "Add `level:`"),
    ("id: shop", "id: a shop", "form", "application.id", 2, "letters"),
    ("id: shop", "id: [shop]", "type", "application.id", 2, "text"),
    ("purpose: recommend a loan", 'purpose: "a\\x07"', "control-character", "application.purpose", 2, "Remove"),
    ("purpose: recommend a loan", 'purpose: "a\\u202e"', "control-character", "application.purpose", 2, "Remove"),
    ("purpose: recommend a loan", "purpose: ~", "type", "application.purpose", 2, "text"),
    ("output: recommendation", "output: recomendation", "choice", "use.output", 3, '"recommendation"'),
    ("output: recommendation", "output: label, alone: 1", "type", "use.alone", 3, "true or false"),
    ("  test:", "  tests:", "unknown-key", "data.tests", 6, '"test"'),
    ("path: data/test.csv", "path: data/tset.csv", "missing-file", "data.test.path", 6, '"data/test.csv"'),
    ("path: data/test.csv", "path: ../outside.csv", "path-leaves", "data.test.path", 6, "below the folder"),
    ("path: data/test.csv", "path: data/../../outside.csv", "path-leaves", "data.test.path", 6, "below the folder"),
    ("path: data/test.csv", "path: /etc/passwd", "path-absolute", "data.test.path", 6, "Copy"),
    ("path: data/test.csv", "path: 'C:\\x.csv'", "path-absolute", "data.test.path", 6, "Copy"),
    ("path: data/test.csv", "path: https://x.org/y.csv", "path-absolute", "data.test.path", 6, "Copy"),
    ("path: data/test.csv", "path: ~/y.csv", "path-absolute", "data.test.path", 6, "Copy"),
    ("path: data/test.csv", "path: data/link.csv", "path-link", "data.test.path", 6, "copy"),
    ("path: data/test.csv", "path: data/inner.csv", "path-reserved", "data.test.path", 6, "Move"),
    ("path: data/test.csv", "path: evidence/x.csv", "path-reserved", "data.test.path", 6, "Move"),
    ("path: data/test.csv", "path: data", "not-a-file", "data.test.path", 6, "file"),
    ("path: data/test.csv", "path: scorer.py", "data-format", "data.test.path", 6, ".csv"),
    ("path: data/test.csv", "path: data/train.csv", "same-file", "data.test.path", 6, "--split"),
    ("path: data/test.csv", "kind: image, path: data/test.csv", "kind-differs", "data.test.kind", 6, "same kind"),
    ("target: bought", "target: baught", "target-absent", "data.train.target", 5, '"bought"'),
    ("path: data/test.csv", "path: data/test.csv, target: y", "target-absent", "data.test.target", 6, "age"),
    ("[sex]", "[sex, raze]", "unknown-column", "data.train.protected", 5, "age"),
    ("[sex]", "[sex, sex]", "twice", "data.train.protected", 5, "once"),
    ("[sex]", "sex", "type", "data.train.protected", 5, "[sex]"),
    ("[sex]", "[sex, bought]", "role", "data.train.protected", 5, "protected"),
    ("[sex]", "[sex], drop: [agee]", "unknown-column", "data.train.drop", 5, '"age"'),
    ("[sex]", "[sex], id: number", "unknown-column", "data.train.id", 5, "age"),
    ("[sex]", "[sex], label: {personal: [agee]}", "unknown-column", "data.train.label.personal", 5, '"age"'),
    ("[sex]", "[sex], label: {retain: always}", "form", "data.train.label.retain", 5, "d, w, m or y"),
    ("path: model.json", "path: .", "path", "model.path", 7, "in it"),
    ("path: model.json", "path: data/..", "path-leaves", "model.path", 7, "below the folder"),
    ("scorer:load", "evidence.x:load", "path-reserved", "model.factory", 7, "Move"),
    ("scorer:load", "scorer", "factory", "model.factory", 7, "module:function"),
    ("scorer:load", "scorer:import", "factory", "model.factory", 7, "module:function"),
    ("scorer:load", "scorer.load()", "factory", "model.factory", 7, "module:function"),
    ("scorer:load", "os:system", "missing-file", "model.factory", 7, "scorer"),
    ("scorer:load", "scorer:lead", "factory", "model.factory", 7, '"load"'),
    ("scorer:load", "broken:load", "factory-syntax", "model.factory", 7, "line"),
    ("model: {factory", "model: {predictions: data/test.csv, factory", "model-kind", "model.predictions", 7, "one"),
    ('factory: "scorer:load", ', "", "model-kind", "model", 7, "factory"),
    ('factory: "scorer:load"', "endpoint: http://x", "endpoint", "model.endpoint", 7, "v2/models"),
    ('factory: "scorer:load"', "endpoint: ftp://x/v2/models/m", "endpoint", "model.endpoint", 7, "http"),
    ('factory: "scorer:load"', "endpoint: http://u:p@x/v2/models/m", "endpoint", "model.endpoint", 7, "site.yaml"),
    ('factory: "scorer:load"', "endpoint: grpc://x/m", "endpoint", "model.endpoint", 7, "port"),
    ('factory: "scorer:load"', "command: perl", "type", "model.command", 7, "arguments"),
    ('factory: "scorer:load"', "command: [../x]", "path-leaves", "model.command", 7, "below"),
    ('factory: "scorer:load"', 'factory: "scorer:load", calls: 50', "model-calls", "model.calls", 7, "out"),
    ("model: {", "features: {agee: {unit: y}}\nmodel: {", "unknown-column", "features.agee", 7, '"age"'),
    ("model: {", "features: {age: {range: [9, 1]}}\nmodel: {", "range", "features.age.range", 7, "smallest"),
    ("model: {", "features: {age: {range: [0, .inf]}}\nmodel: {", "not-finite", "features.age.range", 7, "finite"),
    ("model: {", 'scenarios: {x: "age <"}\nmodel: {', "scenario", "scenarios.x", 7, "age < 25"),
    ("model: {", 'scenarios: {x: "agee < 3"}\nmodel: {', "unknown-column", "scenarios.x", 7, '"age"'),
    ("model: {", "checks: {P3.membership: {max_auc: 0.7}}\nmodel: {", "looser-than-floor",
     "checks.P3.membership.max_auc", 7, "at most 0.6"),
    ("model: {", "checks: {F1: {min_selection_ratio: 0.5}}\nmodel: {", "looser-than-floor",
     "checks.F1.min_selection_ratio", 7, "at least 0.8"),
    ("model: {", "checks: {P3.membership: {max_acu: 0.5}}\nmodel: {", "unknown-key",
     "checks.P3.membership.max_acu", 7, '"max_auc"'),
    ("model: {", "checks: {P3.membershap: {}}\nmodel: {", "unknown-check", "checks.P3.membershap", 7, "P3.membership"),
    ("model: {", "checks: {P3.accuracy: {min_slice: 2}}\nmodel: {", "range", "checks.P3.accuracy.min_slice", 7, "0.02"),
    ("model: {", "checks: {P3.accuracy: {min_slice: a}}\nmodel: {", "type",
     "checks.P3.accuracy.min_slice", 7, "number"),
    ("model: {", "controls: {S99: {a: 1}}\nmodel: {", "unknown-control", "controls.S99", 7, "S"),
    ("model: {", "controls: {S3: {maskin: true}}\nmodel: {", "unknown-key", "controls.S3.maskin", 7, '"masking"'),
    ("model: {", "controls: {S3: {drop: 0.6}}\nmodel: {", "range", "controls.S3.drop", 7, "0.49"),
    ("model: {", "controls: {S3: {robust: best}}\nmodel: {", "range", "controls.S3.robust", 7, "multi-krum"),
    ("model: {", "controls: {S3: {clients: ten}}\nmodel: {", "type", "controls.S3.clients", 7, "whole number"),
    ("model: {", "controls: {S6: {epsilon: 20}}\nmodel: {", "range", "controls.S6.epsilon", 7, "16"),
    ("model: {", "controls: {S6: {collect: age}}\nmodel: {", "type", "controls.S6.collect", 7, "list"),
    ("model: {", "controls: {S2: {epsilon: 1, delta: 1.0e-6, release: 3}}\nmodel: {", "type", "controls.S2.release", 7,
     "keys"),
    ("model: {", "sharing: [{what: release, data: trian}]\nmodel: {", "unknown-set", "sharing.0.data", 7, '"train"'),
    ("model: {", "controls: {S5: {trusted: trian}}\nmodel: {", "unknown-set", "controls.S5.trusted", 7, '"train"'),
    ("model: {", "parties: {deployr: a}\nmodel: {", "unknown-key", "parties.deployr", 7, '"deployer"'),
    ("model: {", "purposes: &a [x]\nmodel: {", "anchor", "purposes", 7, "Write"),
    ("model: {", "purposes: *a\nmodel: {", "alias", "purposes", 7, "Write"),
    ("model: {", "<<: {a: 1}\nmodel: {", "merge-key", "<<", 7, "Write"),
    ("model: {", "purposes: !!python/object:os.system [x]\nmodel: {", "tag", "purposes", 7, "plain"),
    ("model: {", "application: {}\nmodel: {", "duplicate-key", "application", 7, "one of the two"),
    ("model: {", "? [a]\n: 1\nmodel: {", "key", "(file)", 7, "Name"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "code", "field", "line", "remedy"), FAULTS)
def test_each_fault_names_line_field_and_remedy(
    app: Path, old: str, new: str, code: str, field: str, line: int, remedy: str
) -> None:
    """The expected fault is there, at its line and field, with words that help."""
    change(app, old, new)
    found = faults(app)
    matching = [problem for problem in found if problem.code == f"manifest.{code}" and problem.field == field]
    assert matching, [str(problem) for problem in found]
    assert matching[0].where == f"{app / 'fivefold.yaml'}:{line}"
    assert remedy in matching[0].remedy


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"application: \xff", "encoding"),
        ("application: {}".encode("utf-16"), "encoding"),
        (b"a: \x01", "control-character"),
        (b"a: [", "syntax"),
        (b"\ta: 1", "syntax"),
        (b"%YAML 9.9\n---\na: 1", "syntax"),
        (b"a: 1\n---\nb: 2", "documents"),
        (b"", "empty"),
        (b"# nothing\n", "empty"),
        (b"- a\n- b\n", "type"),
        (b"a" * (MAX_BYTES + 1), "size"),
        (b"a: " + b"[" * 5000, "depth"),
        (b"a:\n" + b"".join(b"  " * level + b"b:\n" for level in range(1, 200)), "depth"),
        (b"a: &x [1]\nb: &y [*x, *x]\nc: [*y, *y]\n", "anchor"),
        (b"application: {level: " + b"9" * 39 + b"}", "range"),
    ],
)
def test_text_that_is_no_manifest_is_refused(app: Path, raw: bytes, code: str) -> None:
    """Damaged or hostile text gives a fault, never another exception."""
    (app / "fivefold.yaml").write_bytes(raw)
    assert f"manifest.{code}" in {problem.code for problem in faults(app)}


def test_all_faults_come_at_once_in_file_order(app: Path) -> None:
    """One reading shows the faults of every section."""
    for old, new in [
        ("level: 4", "level: 9"),
        ("output: rec", "output: dec"),
        ("data/test.csv", "no.csv"),
        ("load", "x"),
    ]:
        change(app, old, new)
    found = faults(app)
    assert [problem.where.rpartition(":")[2] for problem in found] == ["2", "3", "6", "7"]


def test_a_folder_without_manifest_is_refused_with_a_remedy(tmp_path: Path) -> None:
    """Neither a folder without a manifest nor a path that is not there gives a traceback."""
    for path in (tmp_path, tmp_path / "none" / "fivefold.yaml", tmp_path / "\0"):
        with pytest.raises(InputError) as caught:
            read(path)
        assert caught.value.code in ("manifest.not-found", "manifest.unreadable")
        assert "init" in caught.value.remedy


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (b"", "empty"),
        (b"\xff\xfe\n", "encoding"),
        (b"age,age,sex,bought\n", "duplicate-column"),
        (b"age;sex;bought\n", "separator"),
    ],
)
def test_a_table_whose_header_does_not_serve_is_refused(app: Path, header: bytes, code: str) -> None:
    """The first line of a CSV file must name each column once, in UTF-8, with commas."""
    (app / "data" / "test.csv").write_bytes(header)
    assert f"manifest.{code}" in {problem.code for problem in faults(app)}


def test_a_damaged_archive_is_refused(app: Path) -> None:
    """A gzip file that breaks off or is damaged inside gives a fault, not another exception."""
    import gzip

    whole = gzip.compress(b"age,sex,amount,bought\n" * 50)
    change(app, "data/test.csv", "data/test.csv.gz")
    for raw in (b"", whole[:12], whole[:10] + b"\xff" * 20 + whole[30:], b"age,sex\n"):
        (app / "data" / "test.csv.gz").write_bytes(raw)
        assert {"manifest.unreadable", "manifest.empty"} & {problem.code for problem in faults(app)}


def test_a_signature_may_be_lacking_while_it_is_made(app: Path) -> None:
    """``model sign`` reads a manifest whose signature file is still to come."""
    change(app, "path: model.json", "path: model.json, signature: model.sig")
    assert {problem.code for problem in faults(app)} == {"manifest.missing-file"}
    model = read(app, may_lack=frozenset({"model.signature"})).model
    assert model is not None
    assert model.signature == "model.sig"


def test_parsing_bytes_alone_gives_the_same_manifest(app: Path) -> None:
    """Whoever verifies evidence has the bytes and the columns, and gets the same declarations."""
    (app / "data" / "calibration.csv").write_text("age,amount,bought\n", encoding="utf-8")
    change(app, "model:", "  calibration: {path: data/calibration.csv}\nmodel:")
    manifest = read(app)
    assert manifest.data["calibration"].protected == ()
    every = ("age", "sex", "amount", "bought")
    columns = {"train": every, "test": every, "calibration": ("age", "amount", "bought")}
    parsed = parse(manifest.raw, manifest.root, columns)
    assert parsed.data == manifest.data
    assert parsed.digest == manifest.digest


def test_the_example_is_without_fault() -> None:
    """The application that ships with the project can be read."""
    from pathlib import Path

    example = Path(__file__).resolve().parents[2] / "examples" / "credit"
    assert read(example).application.level == 4


def test_reading_stops_after_many_faults(app: Path) -> None:
    """A file of nothing but faults is answered with the first of them."""
    text = (app / "fivefold.yaml").read_text(encoding="utf-8")
    (app / "fivefold.yaml").write_text(text + "".join(f"k{n}: 1\n" for n in range(20_000)), encoding="utf-8")
    assert len(faults(app)) == MAX_PROBLEMS
