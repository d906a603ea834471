"""How a model is asked and its answers read is found by asking it, and never silently guessed."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from fivefold.contract.subject import Table
from fivefold.errors import SubjectError
from fivefold.subject.access import Access, Known, find
from fivefold.subject.asked import AskedSubject
from fivefold.subject.labels import codes, natural, ordered, text, texts
from fivefold.subject.labels import find as place_of
from fivefold.subject.model import LocalModel

RNG = np.random.default_rng(0)
X = pd.DataFrame(RNG.normal(size=(400, 3)), columns=["a", "b", "c"])
TRUE = (X["a"] + 0.3 * RNG.normal(size=400) > 0).to_numpy()


def known(*labels: str, **more: Any) -> Known:
    """Return what data with these labels say."""
    numbers = all(label.replace(".", "").isdigit() for label in labels)
    return Known(labels=ordered(labels), numeric=numbers, whole=numbers, **more)


def subject(model: Any, what: Known) -> AskedSubject:
    """Return the model as a subject."""
    raw = LocalModel(model)
    return AskedSubject(raw, find(raw, X, what))


def rows() -> Table:
    """Return the rows as a table."""
    return Table("test", np.arange(400), X, TRUE.astype(np.int64), pd.DataFrame(index=X.index))


def agreement(model: Any, what: Known) -> float:
    """Return how often the subject answers with the truth, whose second class is ``TRUE``."""
    made = subject(model, what)
    found = made.predict(rows())
    if made.capabilities.scores:
        scores = made.predict_proba(rows())
        np.testing.assert_allclose(scores.sum(axis=1), 1)
        assert (scores.argmax(axis=1) == found).mean() > 0.98
    return float((found == TRUE).mean())


@pytest.mark.parametrize(
    ("labels", "shown"),
    [
        (np.where(TRUE, "yes", "no"), ("no", "yes")),
        (np.where(TRUE, 1, 0), ("0", "1")),
        (np.where(TRUE, 2.0, 1.0), ("1", "2")),
        (TRUE, ("False", "True")),
        (np.where(TRUE, 10, 9), ("9", "10")),
    ],
)
def test_a_scikit_learn_model_is_read_by_its_own_classes(labels: np.ndarray, shown: tuple[str, ...]) -> None:
    """Texts, whole numbers, whole floats, truth values; numbers sort as numbers."""
    model = LogisticRegression().fit(X, labels)
    what = Known(labels=shown, numeric=shown[0].isdigit(), whole=shown[0].isdigit())
    access = find(LocalModel(model), X, what)
    assert access.classes == shown
    assert agreement(model, what) > 0.85


class Coded:
    """Answers with places 0 and 1, as many boosters do."""

    def __init__(self, *, scores: bool = True, backwards: bool = False) -> None:
        self._inner = LogisticRegression().fit(X, TRUE.astype(int) if not backwards else (~TRUE).astype(int))
        if scores:
            self.predict_proba = self._inner.predict_proba

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        return self._inner.predict(frame)


def test_places_are_read_only_with_declared_classes() -> None:
    """Nobody can know what 0 and 1 mean for "bad" and "good"."""
    with pytest.raises(SubjectError) as caught:
        subject(Coded(), known("bad", "good"))
    assert caught.value.code == "model.classes"
    assert "model.classes" in caught.value.remedy
    assert agreement(Coded(), known("bad", "good", classes=("bad", "good"))) > 0.85
    assert agreement(Coded(backwards=True), known("bad", "good", classes=("good", "bad"))) < 0.15
    assert agreement(Coded(scores=False), known("bad", "good", classes=("bad", "good"))) > 0.85


def test_labels_1_and_2_are_not_mixed_up_with_places_0_and_1() -> None:
    """The label 1 would be the place of label 2."""
    with pytest.raises(SubjectError) as caught:
        subject(Coded(), known("1", "2"))
    assert caught.value.code == "model.classes"
    assert agreement(Coded(), known("1", "2", classes=("1", "2"))) > 0.85


class Twisted(Coded):
    """Its score columns stand in the other order than its labels."""

    def __init__(self, classes: object = None) -> None:
        super().__init__()
        inner = self._inner
        self.predict_proba = lambda frame: inner.predict_proba(frame)[:, ::-1]
        if classes is not None:
            self.classes_ = np.array(classes)


@pytest.mark.parametrize(
    ("model", "what"),
    [
        (Twisted(), known("0", "1")),
        (Twisted([0, 1]), known("0", "1")),
        (Twisted(), known("0", "1", classes=("0", "1"))),
    ],
)
def test_scores_that_contradict_the_answers_are_an_error(model: object, what: Known) -> None:
    """Whether the order was sorted, said or declared: it is held against what the model does."""
    with pytest.raises(SubjectError) as caught:
        subject(model, what)
    assert caught.value.code == "model.classes"


def test_classes_said_in_another_order_are_followed() -> None:
    """``classes_`` orders the score columns, the manifest orders ours."""
    model = Twisted([1, 0])
    assert find(LocalModel(model), X, known("0", "1")).classes == ("1", "0")
    declared = subject(model, known("0", "1", classes=("0", "1")))
    assert declared.classes == ("0", "1")
    assert (declared.predict_proba(rows()).argmax(axis=1) == declared.predict(rows())).all()


def test_a_label_that_the_model_never_saw_gets_probability_0() -> None:
    """A rare class of the test data; the rows count as errors, not as a fault of the model."""
    model = RandomForestClassifier(5, random_state=0).fit(X, np.where(TRUE, "b", "a"))
    made = subject(model, known("a", "b", "z"))
    assert made.classes == ("a", "b", "z")
    assert (made.predict_proba(rows())[:, 2] == 0).all()


def test_a_model_without_probabilities_gives_labels_only() -> None:
    """A margin is no probability."""
    access = find(LocalModel(LinearSVC().fit(X, TRUE)), X, known("False", "True"))
    assert access.score is None
    assert access.classes == ("False", "True")


class Unnormalised(Coded):
    """Gives margins under the name of probabilities."""

    def __init__(self) -> None:
        super().__init__()
        inner = self._inner
        self.predict_proba = lambda frame: inner.predict_proba(frame) * 3


def test_scores_that_do_not_sum_to_one_are_not_used_and_that_is_said() -> None:
    """Rather labels than scores that are none."""
    access = find(LocalModel(Unnormalised()), X, known("0", "1"))
    assert access.score is None
    assert "no probabilities" in access.note


@pytest.mark.parametrize(
    ("function", "what", "score"),
    [
        (lambda M: (np.asarray(M, dtype=float)[:, 0] > 0).astype(int), known("0", "1"), None),
        (lambda M: 1 / (1 + np.exp(-5 * np.asarray(M, dtype=float)[:, 0])), known("0", "1"), "call"),
        (lambda M: M["a"].to_numpy() > 0, known("False", "True"), None),
        (lambda M: np.column_stack([M[:, 0] <= 0, M[:, 0] > 0]).astype(float), known("0", "1"), "call"),
    ],
    ids=["labels of a matrix", "score of the second class", "labels of a frame", "two scores of a matrix"],
)
def test_functions_of_a_frame_or_a_matrix_are_found_out(function: Any, what: Known, score: str | None) -> None:
    """A frame is tried first, then a matrix."""
    assert find(LocalModel(function), X, what).score == score
    assert agreement(function, what) > 0.85


def test_a_single_score_for_named_classes_has_to_be_declared() -> None:
    """Which class it speaks of cannot be seen."""
    function = lambda M: 1 / (1 + np.exp(-5 * np.asarray(M, dtype=float)[:, 0]))  # noqa: E731
    with pytest.raises(SubjectError) as caught:
        subject(function, known("bad", "good"))
    assert caught.value.code == "model.classes"
    assert agreement(function, known("bad", "good", classes=("bad", "good"))) > 0.85


class Network:
    """Gives scores under the name of answers, as networks do."""

    def __init__(self, width: int) -> None:
        self._inner = LogisticRegression().fit(X, TRUE)
        self._width = width

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        scores = self._inner.predict_proba(frame)
        return scores if self._width == 2 else scores[:, 1:]


@pytest.mark.parametrize("width", [1, 2])
def test_scores_under_the_name_of_predict_are_scores(width: int) -> None:
    """One column speaks of the second class, two of both."""
    assert find(LocalModel(Network(width)), X, known("0", "1")).score == "predict"
    assert agreement(Network(width), known("0", "1")) > 0.85
    assert agreement(Network(width), known("bad", "good", classes=("bad", "good"))) > 0.85


@pytest.mark.parametrize("what", [known("0", "1"), known("bad", "good", classes=("bad", "good"))])
def test_truth_values_count_as_0_and_1(what: Known) -> None:
    """Where no class is called True."""
    assert agreement(lambda M: M["a"].to_numpy() > 0, what) > 0.85


def test_a_regressor_whose_answers_look_like_labels_is_a_regressor() -> None:
    """A deep tree repeats its targets."""
    grades = np.where(TRUE, 3, 1)
    model = DecisionTreeRegressor(random_state=0).fit(X, grades)
    assert find(LocalModel(model), X, known("1", "3")).task == "regression"
    classifier = DecisionTreeClassifier(random_state=0).fit(X, grades)
    assert find(LocalModel(classifier), X, known("1", "3")).task == "binary"


def test_a_regression_is_known_by_its_target_and_answers() -> None:
    """Real numbers, many whole numbers, or a declared task."""
    model = LinearRegression().fit(X, X["a"] * 10)
    assert find(LocalModel(model), X, Known(("0.5", "1.25"), numeric=True, whole=False)).task == "regression"
    counts = Known(tuple(str(n) for n in range(60)), numeric=True, whole=True)
    assert find(LocalModel(model), X, counts).task == "regression"
    few = Known(("1", "2", "3"), numeric=True, whole=True)
    assert find(LocalModel(model), X, few).task == "regression"
    with pytest.raises(SubjectError):
        find(LocalModel(model), X, Known(("1", "2", "3"), numeric=True, whole=True, classified=True))


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (lambda M: np.array(["a"] * (len(M) - 1)), "model.shape"),
        (lambda M: np.full((len(M), 2, 2), 0.5), "model.shape"),
        (lambda M: np.array(["q"] * len(M)), "model.classes"),
        (lambda _: None, "model.shape"),
    ],
)
def test_answers_of_a_wrong_shape_or_class_are_refused(answer: Any, code: str) -> None:
    """Before anything relies on them."""
    with pytest.raises(SubjectError) as caught:
        subject(answer, known("a", "b"))
    assert caught.value.code == code


def test_later_answers_are_checked_as_well() -> None:
    """A model that behaves while it is tried and not afterwards."""
    model = Coded()
    made = subject(model, known("0", "1"))
    model.predict = lambda frame: np.full(len(frame), 7)  # type: ignore[method-assign]
    with pytest.raises(SubjectError) as caught:
        made.predict(rows())
    assert caught.value.code == "model.class"
    model.predict_proba = lambda frame: np.full((len(frame), 2), np.nan)
    with pytest.raises(SubjectError) as caught:
        made.predict_proba(rows())
    assert caught.value.code == "model.not-finite"


def test_only_the_columns_that_a_model_was_fitted_on_are_given_to_it() -> None:
    """More columns in the file than ``feature_names_in_``, in another order."""
    model = LogisticRegression().fit(X[["b", "a"]], TRUE)
    wider = X.assign(extra="text")[["extra", "a", "c", "b"]]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = LocalModel(model).ask("predict", "frame", wider)
    assert (found == model.predict(X[["b", "a"]])).all()


def test_an_exception_is_told_by_kind_and_place_and_without_its_words() -> None:
    """The text of an exception may quote a person's data."""

    def model(_: pd.DataFrame) -> np.ndarray:
        raise ValueError("could not convert string to float: 'Braund, Mr. Owen Harris'")

    with pytest.raises(SubjectError) as caught:
        subject(model, known("a", "b"))
    assert caught.value.code == "model.raised"
    assert "ValueError at test_access.py:" in str(caught.value)
    assert "Braund" not in str(caught.value)
    assert "Braund" in caught.value.__notes__[0]


@pytest.mark.parametrize(
    ("value", "shown"),
    [(1.0, "1"), (np.float32(2.0), "2"), (0.5, "0.5"), (True, "True"), (np.bool_(0), "False"), (" >50K ", ">50K"),
     (b"x", "x"), (None, None), (float("nan"), None), (pd.NA, None), (-0.0, "0")],
)  # fmt: skip
def test_labels_have_one_text_whatever_their_type(value: object, shown: str | None) -> None:
    """A file's 1 and a model's 1.0 are the same label."""
    assert text(value) == shown


def test_labels_are_ordered_coded_and_found() -> None:
    """Numbers by size; written labels are found as numbers or truth values, nothing else is guessed."""
    assert ordered(["10", "9", "9.5"]) == ("9", "9.5", "10")
    assert ordered(["b", "10", "9"]) == ("10", "9", "b")
    assert codes(texts(pd.Series([1.0, None, 2.0, 3.0])), ["2", "1"]).tolist() == [1, -1, 0, -1]
    assert place_of("1.0", ("0", "1")) == 1
    assert place_of("true", ("False", "True")) == 1
    assert place_of("YES", ("no", "yes")) is None
    assert natural(("0", "1")).dtype == np.int64
    assert natural(("False", "True")).tolist() == [False, True]
    assert natural(("0.5", "1")).tolist() == [0.5, 1.0]
    assert natural(("a", "1")).tolist() == ["a", "1"]


def test_access_is_a_value() -> None:
    """Two probes of one model give equal accounts."""
    model = LogisticRegression().fit(X, TRUE)
    first, second = (find(LocalModel(model), X, known("False", "True")) for _ in range(2))
    assert first == second
    assert isinstance(first, Access)


SECRET = "Braund 1234"


@pytest.mark.parametrize(
    ("model", "what", "code"),
    [
        (lambda M: [SECRET if at % 2 else "b" for at in range(len(M))], known("a", "b"), "model.classes"),
        (lambda M: [[1234, at] for at in range(len(M))], known("0", "1"), "model.not-normalised"),
        (lambda M: [{"id": 1234} for _ in range(len(M))], known("0", "1"), "model.type"),
        (lambda M: [[SECRET, "x"][: at % 2 + 1] for at in range(len(M))], known("a", "b"), "model.raised"),
        (lambda M: np.full(len(M), SECRET), known("1", "2", "3", classes=("1", "2", "3")), "model.classes"),
    ],
    ids=["texts", "pairs", "dictionaries", "ragged", "declared"],
)
def test_answers_are_counted_and_not_quoted(model: Any, what: Known, code: str) -> None:
    """What a model says of a person does not get into an error that is sealed."""
    with pytest.raises(SubjectError) as caught:
        subject(model, what)
    assert caught.value.code == code
    said = f"{caught.value.message} {caught.value.remedy}"
    assert "1234" not in said
    assert "Braund" not in said


def test_classes_that_a_model_says_are_not_quoted() -> None:
    """They come from the model as its answers do."""
    model = Coded()
    model.classes_ = np.array([SECRET, "b"])  # type: ignore[attr-defined]
    with pytest.raises(SubjectError) as caught:
        subject(model, known("a", "b"))
    assert "Braund" not in f"{caught.value.message} {caught.value.remedy}"


def test_a_later_stranger_is_described_by_range() -> None:
    """The label is no class: a number's range is told, a text is counted, and a count is proposed to be declared."""
    numbers = (lambda M: np.where(np.asarray(M)[:, 0] > 9, 57, 1), known("1", "2", "3", task="multiclass"))
    access = find(LocalModel(numbers[0]), X, numbers[1])
    with pytest.raises(SubjectError) as caught:
        AskedSubject(LocalModel(numbers[0]), access).predict(replace(rows(), features=X + 100))
    assert caught.value.code == "model.class"
    assert "one whole number" in caught.value.message
    assert "model.task: regression" in caught.value.remedy


def score(frame: Any) -> np.ndarray:
    """Return the chance of ``TRUE``."""
    return 1 / (1 + np.exp(-5 * np.asarray(frame, dtype=float)[:, 0]))


@pytest.mark.parametrize(
    ("model", "labels", "remedy"),
    [
        (lambda M: (score(M) > 0.5).astype(int), ("1", "2"), "declare model.classes"),
        (lambda M: np.asarray(M)[:, 0], ("-1", "1"), "model.output: logits"),
        (lambda M: np.log(score(M) / (1 - score(M))), ("0", "1"), "model.output: logits"),
        (lambda M: 100 * score(M), ("0", "1"), "percents"),
        (lambda M: np.asarray(M)[:, 0], ("0.5", "1.5"), "model.task: regression"),
        (lambda M: (score(M) > 0.5).astype(int) + 5, ("0", "1"), "model.task: regression"),
    ],
)
def test_two_values_are_two_classes_and_answers_that_do_not_fit_an_error(
    model: Any, labels: tuple[str, ...], remedy: str
) -> None:
    """Never silently a regression; a declared one is."""
    what = Known(labels, numeric=True, whole=labels != ("0.5", "1.5"))
    with pytest.raises(SubjectError) as caught:
        subject(model, what)
    assert caught.value.code == "model.classes"
    assert remedy in caught.value.remedy
    assert find(LocalModel(model), X, replace(what, task="regression")).task == "regression"


def test_each_remedy_for_two_values_works() -> None:
    """Declared classes read places; declared logits are linked."""
    what = Known(("1", "2"), numeric=True, whole=True, classes=("1", "2"))
    assert agreement(lambda M: (score(M) > 0.5).astype(int), what) > 0.85
    logits = Known(("-1", "1"), numeric=True, whole=True, classes=("-1", "1"), output="logits")
    assert agreement(lambda M: 5 * np.asarray(M)[:, 0], logits) > 0.85
    assert (
        agreement(lambda M: np.where(score(M) > 0.5, 1.5, 0.5), Known(("0.5", "1.5"), numeric=True, whole=False)) > 0.85
    )


def test_rounded_counts_are_undecided_and_can_be_declared() -> None:
    """Whole answers that are no label: places of labels or a quantity, which is said, and either can be declared."""
    model = lambda M: np.round(2 * np.asarray(M)[:, 0] + 9).astype(int)  # noqa: E731
    what = Known(tuple(str(n) for n in range(5, 11)), numeric=True, whole=True)
    with pytest.raises(SubjectError) as caught:
        subject(model, what)
    assert caught.value.code == "model.task"
    assert "between 5 and 10" in caught.value.message
    assert "model.task: regression" in caught.value.remedy
    assert subject(model, replace(what, task="regression")).task == "regression"


def test_wrong_classes_of_the_model_are_overruled_by_declared_ones() -> None:
    """Its ``classes_`` contradict its answers: the order to declare is said, and holds once it is declared."""
    model = Coded()
    model.classes_ = np.array(["yes", "no"])  # type: ignore[attr-defined]
    inner = model._inner
    model.predict = lambda frame: np.where(inner.predict(frame) == 1, "yes", "no")  # type: ignore[method-assign]
    with pytest.raises(SubjectError) as caught:
        subject(model, known("no", "yes"))
    assert "model.classes: [no, yes]" in caught.value.remedy
    what = known("no", "yes", classes=("no", "yes"))
    assert agreement(model, what) > 0.85
    assert "contradict" in find(LocalModel(model), X, what).note


def test_declared_classes_that_are_no_labels_are_refused() -> None:
    """A declaration that fits nothing in the data would only make every answer wrong."""
    with pytest.raises(SubjectError) as caught:
        subject(lambda M: np.where(score(M) > 0.5, "no", "yes"), known("no", "yes", classes=("NO", "YES")))
    assert "none of them is a label of the data" in caught.value.message


def test_answers_in_other_capitals_are_told_as_such() -> None:
    """Declaring classes would not mend it, so it is not proposed."""
    for declared in ((), ("no", "yes")):
        with pytest.raises(SubjectError) as caught:
            subject(lambda M: np.where(score(M) > 0.5, "YES", "NO"), known("no", "yes", classes=declared))
        assert "capitals" in caught.value.remedy
        assert "eclare model.classes" not in caught.value.remedy


def test_labels_alone_are_read_with_fewer_declared_classes_than_labels() -> None:
    """A label of the data that is not declared is one that the model never answers with."""
    model = lambda M: np.where(score(M) > 0.5, "b", "a")  # noqa: E731
    assert subject(model, known("a", "b", "z", classes=("a", "b"))).classes == ("a", "b", "z")
