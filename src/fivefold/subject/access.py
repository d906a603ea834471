"""Access: how a model has to be asked and its answers read, found by asking it; never silently guessed.

The order of classes comes from the manifest, else from the model's ``classes_``, else from the sorted labels; it is
then held against what the model does: where it scores a class high, it must answer with that class. What cannot be
decided is an error that says what to declare.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from fivefold.contract.subject import Task  # noqa: TC001  msgspec reads the types of Access
from fivefold.errors import SubjectError
from fivefold.subject import answers, labels, undecided
from fivefold.subject.labels import distinct, ordered, text
from fivefold.subject.model import Form, Method  # noqa: TC001

if TYPE_CHECKING:
    from fivefold.subject.model import Description, Raw
    from fivefold.subject.rows import Rows

Link = Literal["", "softmax", "sigmoid"]

_MOST_GUESSED = 50
"""Whole-number targets with more distinct values are not taken for classes unless the model shows classes."""

_AGREES = 0.99


@dataclass(frozen=True)
class Known:
    """What data and manifest say before the model is asked.

    Attributes:
        labels: All labels that occur in the targets, ordered; empty: no target is declared.
        numeric: All of them are numbers.
        whole: All of them are whole numbers.
        task: As declared; empty: to be found.
        classes: As declared, in the order of the score columns; empty: to be found.
        classified: The manifest speaks of classes (``positive`` or ``alarm``).
        output: What the raw scores are, as declared (``model.output``); empty: seen from the answers.
    """

    labels: tuple[str, ...]
    numeric: bool
    whole: bool
    task: str = ""
    classes: tuple[str, ...] = ()
    classified: bool = False
    output: str = ""


@dataclass(frozen=True)
class Access:
    """How to ask a model and read its answers.

    Attributes:
        task: The task.
        classes: Labels, in the order of the probability columns that we give; empty for regression.
        form: What the model is given.
        answer: Method for labels or values; None: the highest score answers.
        score: Method for probabilities; None: there are none.
        positions: Class index of each place, where answers are places; None: they are labels (or values).
        order: Class index of each of the model's score columns.
        positive: The model gives one score column: that of the second class.
        note: Why scores are not used, or what was made of them; empty: they are used as they are, or there are none.
        link: What turns the model's scores into probabilities; empty: they are probabilities.
    """

    task: Task
    classes: tuple[str, ...]
    form: Form
    answer: Method | None
    score: Method | None = None
    positions: tuple[int, ...] | None = None
    order: tuple[int, ...] = ()
    positive: bool = False
    note: str = ""
    link: Link = ""


@dataclass
class _Tried:
    """Raw answers to the rows that the model was tried on."""

    form: Form
    rows: int
    description: Description
    answer: Method | None = None
    given: np.ndarray | None = None
    score: Method | None = None
    scores: np.ndarray | None = None
    note: str = ""
    link: Link = ""
    classes: tuple[str, ...] = field(default_factory=tuple)


def find(raw: Raw, frame: Rows, known: Known) -> Access:
    """Find out how to ask a model.

    Args:
        raw: The model.
        frame: A few hundred rows of what it will see.
        known: What data and manifest say.

    Raises:
        SubjectError: It fails on these rows, or ``model.classes`` if classes or their order cannot be decided.
    """
    tried = _try(raw, frame, known)
    if not _classified(tried, known):
        return _regression(tried, known)
    if tried.scores is not None and tried.scores.ndim == 1:
        return _one_score(tried, known)
    classes = _classes(tried, known)
    positions, order = _reading(tried, classes, known)
    access = Access(
        task="binary" if len(classes) == 2 else "multiclass",
        classes=classes,
        form=tried.form,
        answer=tried.answer,
        score=tried.score,
        positions=positions,
        order=order,
        note=tried.note,
        link=tried.link,
    )
    try:
        return _verified(access, tried, known)
    except SubjectError:
        other = _as_declared(access, tried, known)
        if other is None:
            raise
    try:
        return _verified(other, tried, known)
    except SubjectError as error:
        raise SubjectError(error.code, error.message, remedy=undecided.DISAGREES) from None


def _as_declared(access: Access, tried: _Tried, known: Known) -> Access | None:
    """Return access that reads the scores in the declared order, where the model's own ``classes_`` are wrong."""
    plain = tuple(range(len(known.classes)))
    if not tried.description.classes or len(access.order) != len(plain) or access.order == plain:
        return None
    note = "Its classes_ contradict its answers, so its scores are read in the order of model.classes."
    return replace(access, order=plain, note=f"{access.note} {note}".strip())


def _try(raw: Raw, frame: Rows, known: Known) -> _Tried:
    """Ask everything once, with a frame and, if the model cannot read one, with a matrix."""
    description = raw.describe()
    first: Method = "call" if "call" in description.methods else description.methods[0]
    form: Form = "frame"
    try:
        given = raw.ask(first, "frame", frame)
    except SubjectError as error:
        if error.code != "model.raised":
            raise
        form = "matrix"
        try:
            given = raw.ask(first, "matrix", frame)
        except SubjectError:
            raise error from None
    tried = _Tried(form, len(frame), description)
    if first == "predict_proba":
        tried.score, tried.scores = first, _linked(tried, given, known)
    elif first == "predict" and "predict_proba" in description.methods:
        tried.answer, tried.given = first, answers.vector(given, len(frame))
        if known.output not in ("labels", "values"):
            _try_scores(raw, frame, tried, known)
    else:
        _sort(tried, first, _linked(tried, given, known))
    return tried


def _linked(tried: _Tried, given: np.ndarray, known: Known) -> np.ndarray:
    """Return scores as probabilities where they are logits: as declared, else as a network or ONNX file shows."""
    said = tried.description
    seen = said.kind != "" and not known.output and known.task != "regression" and not said.regressor
    if not (seen or known.output == "logits") or given.dtype.kind != "f" or not 0 < given.ndim < 3:
        return given
    wide = given.ndim == 2 and given.shape[1] > 1
    if known.output != "logits" and (answers.normalised(given) or not (wide or _speaks_of_two(known))):
        return given
    tried.link = "softmax" if wide else "sigmoid"
    tried.note = f"Its scores are no probabilities: they are taken for logits, and their {tried.link} is used."
    return answers.linked(given, tried.link)


def _speaks_of_two(known: Known) -> bool:
    """Return whether the target is one of two classes, so that one column of numbers can be a logit."""
    names = known.classes or known.labels
    return len(names) == 2 and bool(known.classes or known.classified or not known.numeric or names == ("0", "1"))


def _sort(tried: _Tried, method: Method, given: np.ndarray) -> None:
    """Tell scores from labels and values where one method gives all there is, as functions and networks do."""
    wide = given.ndim == 2 and given.shape[1] > 1
    flat = given if wide else answers.vector(given, tried.rows)
    numbers = flat.dtype.kind == "f" and not answers.whole(flat.ravel())
    inside = numbers and bool(np.isfinite(flat).all()) and flat.min(initial=0.0) >= 0 and flat.max(initial=0.0) <= 1
    if wide or inside:
        tried.score, tried.scores = method, flat
    if not wide:
        tried.answer, tried.given = method, flat


def _try_scores(raw: Raw, frame: Rows, tried: _Tried, known: Known) -> None:
    """Ask for probabilities; a model that has none, or none that are normalised, gives labels only."""
    try:
        given = raw.ask("predict_proba", tried.form, frame)
    except SubjectError as error:
        if error.code != "model.raised":
            raise
        tried.note = "Its predict_proba fails, so only labels are used."
        return
    given = _linked(tried, given, known)
    if given.ndim != 2 or given.dtype.kind not in "fiu":
        tried.note = "Its predict_proba gives no table of numbers, so only labels are used."
        return
    try:
        answers.scores(given, tried.rows, given.shape[1], order=range(given.shape[1]))
    except SubjectError as error:
        tried.note = f"Its scores are not used: {error.message}"
        return
    tried.score, tried.scores = "predict_proba", given


def _classified(tried: _Tried, known: Known) -> bool:
    """Return whether the answers are classes: as declared, else as target and model show."""
    if known.task:
        return known.task != "regression"
    if known.output == "values":
        return False
    if known.classes or known.classified or known.output or not known.numeric:
        return True
    said = tried.description
    shown = said.classes is not None or (tried.scores is not None and tried.scores.ndim == 2)
    if said.regressor or shown:
        return shown and not said.regressor
    if len(known.labels) == 2:
        return True
    return known.whole and 0 < len(known.labels) <= _MOST_GUESSED and _like_labels(tried, known)


def _like_labels(tried: _Tried, known: Known) -> bool:
    """Return whether answers to a target of few whole numbers are those numbers.

    Raises:
        SubjectError: ``model.task`` if they are other whole numbers, which may be places of labels or a quantity.
    """
    given = tried.given
    if tried.scores is not None or given is None or not (answers.whole(given) or given.dtype == bool):
        return False
    if not set(_given(given, known.labels)) <= set(known.labels):
        raise undecided.counts(given, known.labels)
    return True


def _regression(tried: _Tried, known: Known) -> Access:
    if tried.answer is None or tried.given is None:
        raise SubjectError("model.shape", "a regression answers with one number a row, this model gives a table.")
    if not known.numeric and known.labels:
        raise SubjectError(
            "model.task", "the target holds texts, which no regression can be held against.", remedy="Mend model.task."
        )
    answers.values(tried.given, tried.rows)
    return Access("regression", (), tried.form, tried.answer)


def _one_score(tried: _Tried, known: Known) -> Access:
    """Return access to a function that gives the probability of the second class."""
    classes = known.classes or known.labels
    if len(classes) != 2 or not (known.classes or classes in (("0", "1"), ("False", "True"))):
        why = "it gives one number between 0 and 1, and which class that speaks of is not declared"
        remedy = "Declare model.classes with two classes; it speaks of the second." if len(classes) != 2 else ""
        raise undecided.classes(why, classes, remedy=remedy)
    return Access("binary", classes, tried.form, None, tried.score, order=(0, 1), positive=True)


def _classes(tried: _Tried, known: Known) -> tuple[str, ...]:
    if known.classes:
        if known.labels and not set(known.labels) & set(known.classes):
            why = f"model.classes declares {undecided.named(known.classes)}, and none of them is a label of the data"
            raise undecided.classes(why, known.labels)
        lacking = [name for name in known.labels if name not in known.classes]
        return (*known.classes, *lacking)
    said = tried.description
    if said.trouble:
        raise undecided.classes(said.trouble, known.labels)
    if said.classes is not None:
        own = tuple(text(value) or "" for value in said.classes)
        tried.classes = own
        if len(set(own)) < len(own):
            raise undecided.classes("its classes_ are not distinct", known.labels)
        strange, unseen = set(known.labels) - set(own), set(own) - set(known.labels)
        if strange and unseen:
            raise _other_classes(own, ordered(strange), tried, known)
        return (*own, *ordered(strange))
    return _sorted(tried, known)


def _other_classes(own: tuple[str, ...], strange: tuple[str, ...], tried: _Tried, known: Known) -> SubjectError:
    """Return the error of ``classes_`` that are not the labels of the data."""
    why = f"its classes_ hold {len(own)} labels, among them not {undecided.named(strange)} of the data"
    given = tried.given
    if given is None or set(_given(given, known.labels)) <= set(known.labels):
        return undecided.classes(why, known.labels)
    return undecided.foreign(given, known.labels)


def _sorted(tried: _Tried, known: Known) -> tuple[str, ...]:
    """Return the labels of the data, if the model answers with them; else nobody knows what its numbers mean."""
    given = None if tried.given is None else set(_given(tried.given, known.labels))
    if tried.given is not None and given is not None and not given <= set(known.labels):
        raise undecided.foreign(tried.given, known.labels)
    if tried.scores is not None and tried.scores.shape[1] != len(known.labels):
        why = f"it gives {tried.scores.shape[1]} scores, the data hold {undecided.held(known.labels)}"
        raise undecided.classes(why, known.labels)
    counted = known.labels == tuple(str(place) for place in range(len(known.labels)))
    if given is None and not counted:
        raise undecided.classes("it gives scores only, and no labels to tell their order by", known.labels)
    if len(known.labels) < 2:
        why = f"the data hold one label only ({undecided.named(known.labels)})"
        raise undecided.classes(why, (), remedy="Give rows of the other classes, or declare all in model.classes.")
    return known.labels


def _reading(tried: _Tried, classes: tuple[str, ...], known: Known) -> tuple[tuple[int, ...] | None, tuple[int, ...]]:
    """Return how answers that are places are read (None: they are labels), and what each score column is for."""
    own = tried.classes or tuple(text(value) or "" for value in tried.description.classes or ())
    place = {name: index for index, name in enumerate(classes)}
    inside = set(own) <= set(place)
    named = tuple(place[name] for name in own if name in place) if own and inside else ()
    usual = len(named or known.classes or classes)
    width = tried.scores.shape[1] if tried.scores is not None and tried.scores.ndim == 2 else usual
    order = named if len(named) == width else tuple(range(width))
    if width > len(classes) or width != usual:
        wanted = undecided.named(known.classes or known.labels)
        raise undecided.classes(f"it gives {width} scores for the classes {wanted}", known.labels)
    if tried.given is None:
        return None, order
    given = _given(tried.given, classes)
    if set(given) <= set(classes):
        return None, order
    whole = answers.whole(answers.counted(tried.given, classes))
    if known.classes and whole and all(0 <= float(name) < width for name in given):
        return order, order
    raise undecided.foreign(tried.given, known.labels, declared=known.classes)


def _verified(access: Access, tried: _Tried, known: Known) -> Access:
    """Hold scores against answers: rows answered with a class must score it higher than the other rows do.

    Raises:
        SubjectError: ``model.classes`` if they contradict each other.
    """
    if tried.scores is None:
        return access
    scores = answers.scores(tried.scores, tried.rows, len(access.classes), order=access.order)
    if tried.given is None:
        return access
    said = answers.indices(tried.given, tried.rows, access.classes, positions=access.positions)
    if not (known.classes or tried.description.classes) and float((scores.argmax(axis=1) == said).mean()) < _AGREES:
        raise undecided.classes(
            "its highest score and its answer disagree under every order that is known", known.labels
        )
    for index in np.unique(said):
        chosen = said == index
        if chosen.all():
            continue
        if scores[chosen, index].mean() <= scores[~chosen, index].mean() and np.ptp(scores[:, index]) > 0:
            order = access.order if access.positions is None else ()
            raise undecided.contradiction(int(index), order, access.classes, (*known.classes, *known.labels))
    return access


def _given(given: np.ndarray, classes: tuple[str, ...]) -> tuple[str, ...]:
    """Return the distinct answers as text."""
    return distinct(labels.texts(answers.counted(given, classes)))
