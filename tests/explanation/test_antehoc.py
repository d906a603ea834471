"""`model train --explainable`: what it learns, keeps, prints, exports and refuses, by function and by command."""

from __future__ import annotations

import itertools
import json
import shutil
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from fivefold.assess.run import Options, assess
from fivefold.cli.main import run as command
from fivefold.errors import InputError
from fivefold.explanation.antehoc import additive, export, page, points, rules
from fivefold.explanation.antehoc import command as readable
from fivefold.explanation.antehoc.form import Condition, Model, Rule, Term, decode, encode, require
from fivefold.explanation.antehoc.serve import Classifier, Regressor, read
from fivefold.explanation.antehoc.steps import Lesson, fewer, short
from fivefold.manifest import reader as manifest
from fivefold.subject.files.onnx_model import OnnxModel

CREDIT = Path(__file__).resolve().parents[2] / "examples" / "credit"
LEARN = {"additive": (additive.learn, 10, 8), "points": (points.learn, 6, 4), "rules": (rules.learn, 8, 6)}
CASES = [(form, task) for form in LEARN for task in ("binary", "multiclass", "regression")]
CASES.remove(("points", "multiclass"))


def frame(n: int = 1500, seed: int = 0) -> pd.DataFrame:
    """Return numbers, texts, dates, truth values, missing cells, and names that are markup."""
    rng = np.random.default_rng(seed)
    made = pd.DataFrame({
        "amount": rng.normal(100, 30, n).round(3),
        "tiny": rng.normal(0, 1e-7, n),
        "count": pd.array(rng.integers(0, 9, n), dtype="Int64"),
        "town <b>&": np.array(["north", "a < b & c", "&lt;", 'say "x"', None], dtype=object)[rng.integers(0, 5, n)],
        "since": pd.Series(pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, n), unit="D")),
        "written": [f"20{y:02d}-0{m}-11" for y, m in zip(rng.integers(10, 24, n), rng.integers(1, 10, n), strict=True)],
        "member": rng.random(n) < 0.5,
        "same": 1.0,
        "id": [f"row {at}" for at in range(n)],
    })  # fmt: skip
    made.loc[::7, "since"] = pd.NaT
    made.loc[::9, "count"] = pd.NA
    made.loc[::5, "amount"] = np.nan
    return made


def lesson(task: str, monotone: dict[str, int] | None = None, seed: int = 0) -> Lesson:
    rows = frame(seed=seed)
    rng = np.random.default_rng(seed + 1)
    score = ((rows["amount"].fillna(130) - 100) / 20 + (rows["town <b>&"] == "north") * 2.0).to_numpy(dtype=float)
    score = score + rows["since"].isna().to_numpy() + (rows["written"] > "2018").to_numpy() * 1.5
    noisy = score + rng.logistic(size=len(rows))
    target = noisy * 1000 if task == "regression" else np.digitize(noisy, [1.0] if task == "binary" else [0.0, 2.5])
    classes = {"regression": (), "binary": ("no", "<yes>"), "multiclass": ("low", "mid", "high")}[task]
    return Lesson(rows, target, task, classes, {}, monotone or {})  # type: ignore[arg-type]


@cache
def made(form: str, task: str) -> Model:
    learn, many, cuts = LEARN[form]
    return learn(lesson(task), many, cuts, np.random.default_rng(0))


def skill(model: Model, of: Lesson) -> float:
    answers = model.answers(of.features)
    if of.task == "regression":
        return float(1 - ((answers[:, 0] - of.target) ** 2).mean() / of.target.var())
    usual = np.bincount(of.target).max() / len(of.target)
    return float(((answers.argmax(axis=1) == of.target).mean() - usual) / (1 - usual))


@pytest.mark.parametrize(("form", "task"), CASES)
def test_it_learns_is_stored_printed_and_read_back(form: str, task: str) -> None:
    """On other rows it beats the usual answer by far; JSON and page both give the very model; missing and new cells."""
    model = require(made(form, task))
    assert skill(model, lesson(task, seed=5)) > 0.25
    assert decode(encode(model)) == model
    assert page.read(page.render(model)) == model
    odd = pd.DataFrame({name: [None, "never seen", ""] for name in frame().columns})
    assert np.isfinite(model.answers(odd)).all()
    served = read(encode(model))
    if isinstance(served, Regressor):
        assert np.array_equal(served.predict(odd), model.answers(odd)[:, 0])
    else:
        assert np.allclose(served.predict_proba(frame()).sum(axis=1), 1)
        assert set(served.predict(frame())) <= set(model.classes)


@pytest.mark.parametrize(("form", "task"), CASES)
def test_the_onnx_file_answers_the_same(form: str, task: str, tmp_path: Path) -> None:
    """With missing cells and texts that were never seen; dates have no type there, which is said."""
    given_ = lesson(task)
    if any(kind == "date" for _, kind in made(form, task).columns):
        with pytest.raises(InputError) as caught:
            export.onnx_bytes(made(form, task))
        assert caught.value.code == "antehoc.dates"
    given_ = Lesson(given_.features.drop(columns=["since", "written"]), *vars_of(given_))
    learn, many, cuts = LEARN[form]
    model = learn(given_, many, cuts, np.random.default_rng(0))
    (tmp_path / "m.onnx").write_bytes(export.onnx_bytes(model))
    network = OnnxModel(tmp_path / "m.onnx")
    rows = given_.features.copy()
    rows.loc[::4, "town <b>&"] = "elsewhere"
    rows.loc[1::4, "member"] = False
    told = network(rows) if task == "regression" else network.predict_proba(rows)
    assert np.allclose(told, model.answers(rows), atol=1e-9)
    if task != "regression":
        assert network.predict(rows).tolist() == Classifier(model).predict(rows).tolist()


def vars_of(given_: Lesson) -> tuple:  # type: ignore[type-arg]
    return given_.target, given_.task, given_.classes, given_.types, given_.monotone


@pytest.mark.parametrize("task", ["binary", "regression"])
@pytest.mark.parametrize("form", list(LEARN))
def test_declared_directions_hold_for_every_pair(form: str, task: str) -> None:
    """Raising `amount`, or a date, in any row, never moves the score the wrong way; the data say otherwise of one."""
    signs = {"amount": 1, "since": -1, "written": -1}  # of `written` the data say up
    learn, many, cuts = LEARN[form]
    model = learn(lesson(task, signs), many, cuts, np.random.default_rng(0))
    rows = frame(60, 3)
    for name, sign in signs.items():
        grid = frame(400, 4)[name].dropna().drop_duplicates().sort_values()[::4]
        asked = rows.loc[rows.index.repeat(len(grid))].reset_index(drop=True)
        asked[name] = np.tile(grid.to_numpy(), len(rows))
        score = model.answers(asked)[:, -1].reshape(len(rows), len(grid))
        assert (np.diff(score, axis=1) * sign >= -1e-12).all(), name
    assert np.ptp(model.answers(rows)[:, -1]) > 0


def test_a_scoring_table_holds_whole_points_and_loses_little() -> None:
    """At most ten points a step, none below 0, and nearly the accuracy of the sum that it was made of."""
    model = made("points", "binary")
    told = np.array([one for term in model.terms for row in (*term.adds, term.missing) for one in row])
    assert np.all(told == told.astype(int))
    assert told.min() == 0
    assert told.max() <= 10
    assert skill(model, lesson("binary", seed=5)) > skill(made("additive", "binary"), lesson("binary", seed=5)) - 0.1


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text.replace("</h1>", "</h1><!-- x -->"),
        lambda text: text.replace('<td class="n">', '<td class="n" hidden>', 1),
        lambda text: text.replace("svg{", "svg{display:none;"),
        lambda text: text.replace("<path", '<path d="M0 0"/><path', 1),
        lambda text: text.replace("</html>", "<script>1</script></html>"),
        lambda text: text.replace(" below ", " under ", 1),
        lambda text: text[: len(text) // 2],
        lambda _text: "",
        lambda _text: "<tr><td>1<td>2",
        lambda text: text.replace("<dd>additive", "<dd>rules"),
    ],
)
def test_a_page_that_shows_anything_else_is_refused(spoil) -> None:
    """Hidden cells, other pictures, comments, scripts, half a page: nothing is taken for the printed model."""
    whole = page.render(made("additive", "binary"))
    assert page.read(whole)
    with pytest.raises(InputError) as caught:
        page.read(spoil(whole))
    assert caught.value.code == "antehoc.page"


TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
NUMBER = st.floats(-1e6, 1e6).map(lambda one: round(one, 3)) | st.just(-0.0)


@st.composite
def models(draw: st.DrawFn) -> Model:
    """Draw a model of any form, with any names."""
    task = draw(st.sampled_from(["binary", "multiclass", "regression"]))
    count = {"binary": 2, "multiclass": draw(st.integers(3, 5)), "regression": 0}[task]
    classes = tuple(draw(st.lists(TEXT, min_size=count, max_size=count, unique=True)))
    columns = draw(st.lists(TEXT, min_size=1, max_size=4, unique=True))
    if draw(st.booleans()):
        answer = st.tuples(NUMBER)
        if count:
            weights = st.tuples(*[st.integers(0, 999)] * count).filter(any)
            answer = weights.map(lambda many: tuple(one / sum(many) for one in many))
        some = st.builds(
            Condition, column=st.sampled_from(columns), kind=st.just("text"), test=st.just("is"), name=TEXT
        )
        number = st.builds(Condition, column=st.sampled_from(columns), kind=st.just("number"),
                           test=st.sampled_from(["from", "below"]), cut=NUMBER)  # fmt: skip
        lacks = st.builds(Condition, column=st.sampled_from(columns), kind=st.sampled_from(["text", "date"]),
                          test=st.just("missing"))  # fmt: skip
        rule = st.builds(Rule, when=st.lists(some | number | lacks, min_size=1, max_size=3).map(tuple), answer=answer)
        return Model(form="rules", task=task, classes=classes, rules=tuple(draw(st.lists(rule, max_size=4))),
                     otherwise=draw(answer))  # fmt: skip
    wide = count if task == "multiclass" else 1
    row = st.tuples(*[NUMBER] * wide)
    terms = []
    for column in columns:
        kind = draw(st.sampled_from(["number", "date", "text"]))
        cut = st.integers(-20000, 40000).map(float) if kind == "date" else NUMBER
        marks = draw(st.lists(TEXT if kind == "text" else cut, max_size=4, unique=True))
        field = {"names": tuple(marks)} if kind == "text" else {"cuts": tuple(sorted(marks))}
        size = len(marks) + 1
        adds = draw(st.lists(row, min_size=size, max_size=size).map(tuple))
        terms.append(Term(column=column, kind=kind, adds=adds, missing=draw(row), **field))
    return Model(form="additive", task=task, classes=classes, base=draw(row), terms=tuple(terms),
                 scale=draw(NUMBER))  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(models())
def test_every_model_is_read_from_its_page(model: Model) -> None:
    """Whatever the names are: markup, blanks, line ends."""
    assert page.read(page.render(require(model))) == model


@pytest.mark.parametrize(("low", "high", "told"), [(29, 30, 30), (0.1234561, 0.1234579, 0.123457), (-5, 3, -1),
                                                   (1e9 + 1, 1e9 + 2, 1e9 + 2)])  # fmt: skip
def test_edges_have_few_digits(low: float, high: float, told: float) -> None:
    """The edge lies above the lower neighbour and not above the upper one."""
    assert short(low, high) == told
    assert low < told <= high


def test_the_cuts_that_are_kept_lose_least() -> None:
    """Against all ways to take three of nine cuts: the squared error over the rows is the least."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        term = Term(column="x", kind="number", cuts=tuple(map(float, range(9))), adds=((0.0,),) * 10, missing=(0.0,))
        shape, codes = rng.normal(size=(11, 2)), rng.integers(0, 10, 300)

        def error(cuts: tuple[float, ...], shape: np.ndarray = shape, codes: np.ndarray = codes) -> float:
            run = np.searchsorted(np.array(cuts), codes - 1.0, side="right")
            told = shape[codes]
            return float(sum(((told[run == at] - told[run == at].mean(axis=0)) ** 2).sum() for at in np.unique(run)))

        kept = fewer(term, shape, codes, 3).cuts
        assert len(kept) == 3
        assert error(kept) == pytest.approx(min(map(error, itertools.combinations(term.cuts, 3))))


@pytest.mark.parametrize(
    ("form", "task", "signs", "code"),
    [
        ("points", "multiclass", {}, "antehoc.points"),
        ("additive", "multiclass", {"amount": 1}, "antehoc.monotone"),
        ("rules", "multiclass", {"amount": 1}, "antehoc.monotone"),
        ("additive", "binary", {"town <b>&": 1}, "antehoc.monotone"),
    ],
)
def test_what_makes_no_sense_is_refused(form: str, task: str, signs: dict[str, int], code: str) -> None:
    """With a remedy."""
    learn, many, cuts = LEARN[form]
    with pytest.raises(InputError) as caught:
        learn(lesson(task, signs), many, cuts, np.random.default_rng(0))
    assert caught.value.code == code
    assert caught.value.remedy


def test_columns_that_say_nothing_are_refused_and_wide_tables_are_cut() -> None:
    """Only ids and constants: no model. Three hundred columns: ten are printed, the ones that matter among them."""
    bare = frame()[["same", "id"]]
    with pytest.raises(InputError) as caught:
        additive.learn(Lesson(bare, np.arange(1500) % 2, "binary", ("a", "b"), {}, {}), 5, 5, np.random.default_rng(0))
    assert caught.value.code == "antehoc.columns"
    rng = np.random.default_rng(0)
    wide = pd.DataFrame(rng.normal(size=(600, 300)), columns=[f"c{at}" for at in range(300)])
    target = (wide["c7"] + wide["c8"] > 0).to_numpy().astype(int)
    model = additive.learn(Lesson(wide, target, "binary", ("a", "b"), {}, {}), 10, 8, rng)
    assert len(model.terms) <= 10
    assert {"c7", "c8"} <= {term.column for term in model.terms[:2]}


def credit(tmp_path: Path, **features: dict[str, str]) -> Path:
    """Copy examples/credit, with more said of its features."""
    app = tmp_path / "app"
    shutil.copytree(CREDIT, app)
    told = yaml.safe_load((app / "fivefold.yaml").read_text())
    for name, more in features.items():
        told["features"].setdefault(name, {}).update(more)
    (app / "fivefold.yaml").write_text(yaml.safe_dump(told))
    return app


def ran(*arguments: str) -> int:
    with pytest.raises(SystemExit) as leave:
        command([*arguments])
    return int(leave.value.code or 0)


def test_the_command_writes_model_page_and_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On examples/credit with a declared direction: the page is the model's; twice gives the same bytes."""
    app = credit(tmp_path, duration_months={"monotone": "down"})
    base = ["model", "train", "--explainable", "points", "--in", str(app), "--json", "--out"]
    assert ran(*base, str(tmp_path / "card.json")) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["judged rows"] > 100
    assert told["low"] <= told["lost"] <= told["high"]
    model = decode((tmp_path / "card.json").read_bytes())
    assert model.classes == ("bad", "good")
    assert page.read((tmp_path / "card.html").read_text()) == model
    assert OnnxModel(tmp_path / "card.onnx")
    assert ran(*base, str(tmp_path / "card.json")) == 2  # it is there already
    assert ran(*base, str(tmp_path / "again.json")) == 0
    for end in ("json", "html", "onnx"):
        assert (tmp_path / f"again.{end}").read_bytes() == (tmp_path / f"card.{end}").read_bytes()
    assert ran("model", "train", "--explainable", "luck", "--in", str(app), "--out", str(tmp_path / "x.json")) == 2
    assert ran(*base, str(tmp_path / "x.html")) == 2
    for raw in (b"{}", b"[" * 10, encode(model).replace(b'"version": 1', b'"version": 9')):
        with pytest.raises(InputError) as caught:
            decode(raw)
        assert caught.value.code == "antehoc.model"


@pytest.mark.parametrize(("form", "rows"), [("additive", 500), ("rules", 300)])
def test_the_black_box_is_taught_the_very_rows(
    form: str, rows: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that the model learned from, a rule list from fewer; what is thinned are the rows that both answer."""
    taught: list[Lesson] = []

    def told(lesson_: Lesson, _rng: np.random.Generator):
        taught.append(lesson_)
        return "all the same", lambda frame: np.zeros(len(frame), dtype=np.int64)

    monkeypatch.setattr(readable, "rival", told)
    monkeypatch.setattr(readable, "_MOST_JUDGED", 80)
    monkeypatch.setattr(rules, "MOST_ROWS", 300)
    made_ = readable.learn(manifest.read(credit(tmp_path)), form, 0)
    assert made_.told["rows"] == len(taught[0].target) == rows
    assert made_.told["judged rows"] == 80


def deployed(app: Path, form: str, *, network: bool) -> None:
    """Train on the application and deploy what came out, as its manifest's model, with its page."""
    assert ran("model", "train", "--explainable", form, "--in", str(app), "--out", str(app / "card.json")) == 0
    told = yaml.safe_load((app / "fivefold.yaml").read_text())
    (app / "reader.py").write_text(
        "from pathlib import Path\nfrom fivefold.explanation.antehoc.serve import read\n"
        "def load():\n    return read(Path('card.json').read_bytes())\n"
    )
    told["model"] = {"factory": "reader:load", "path": "card.json"}
    if network:
        told["model"] = {"path": "card.onnx"}
    told["model"]["files"] = ["card.html"]
    told["controls"] = {"E1": {"page": "card.html"}}
    (app / "fivefold.yaml").write_text(yaml.safe_dump(told))


def outcomes(app: Path, *only: str) -> dict[str, tuple[str, dict[str, float | None]]]:
    done = assess(manifest.read(app), Options(effort="quick", only=only))
    return {
        one.check: (str(one.result.outcome), {item.name: item.value for item in one.result.measures})
        for one in done.findings
    }


def test_what_is_trained_is_served_and_measured(tmp_path: Path) -> None:
    """From a manifest, in the product's own worker, as ONNX: faithful, directions kept, and the cost is told."""
    app = credit(tmp_path, duration_months={"monotone": "down"}, amount={"monotone": "down"})
    deployed(app, "points", network=True)
    found = outcomes(app, "E1.faithful", "E1.constraints", "E1.cost")
    assert found["E1.faithful"][1]["rows that the page answers otherwise"] == 0
    assert found["E1.constraints"][1]["rows from which a wrong move was found"] == 0
    assert found["E1.constraints"][1]["printed steps that go the wrong way"] == 0
    assert found["E1.faithful"][0] == found["E1.constraints"][0] == "pass"
    cost = found["E1.cost"][1]
    assert cost["accuracy lost"] is not None
    assert abs(cost["accuracy lost"]) < 0.15
    usual = pd.read_csv(next((app / "data").glob("test*")))["credit"].value_counts(normalize=True).max()
    assert (cost["accuracy of the model"] or 0) > usual


def test_a_page_that_is_old_fails_and_one_that_cannot_be_read_is_no_pass(tmp_path: Path) -> None:
    """Served by a factory; one step of one column was changed since the page was printed."""
    app = credit(tmp_path)
    deployed(app, "additive", network=False)
    text = (app / "card.html").read_text()
    model = page.read(text)
    first = model.terms[0]
    old = replace(first, adds=((first.adds[0][0] + 1.0,), *first.adds[1:]))
    (app / "card.html").write_text(page.render(replace(model, terms=(old, *model.terms[1:]))))
    assert outcomes(app, "E1.faithful")["E1.faithful"][0] == "fail"
    (app / "card.html").write_text(text.replace("</h1>", " </h1>"))
    assert outcomes(app, "E1.faithful")["E1.faithful"][0] in ("not-run", "error")
