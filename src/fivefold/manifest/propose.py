"""Propose: a manifest from a table and a model, with the reason of each proposal; nothing is decided silently."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fivefold.catalogue import classify
from fivefold.errors import InputError
from fivefold.manifest.guess_form import guess_form
from fivefold.manifest.guess_missing import guess_missing, labels, some
from fivefold.manifest.survey import Column, look
from fivefold.manifest.unseen import unseen
from fivefold.manifest.words import is_word, protected_kind, reaches_a_person, tokens, value_kind, words

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from fivefold.catalogue.profiles import Profile
    from fivefold.manifest.guess_form import Form
    from fivefold.manifest.survey import Survey

OUTPUTS = {1: "statistic", 2: "label", 3: "forecast", 4: "recommendation", 5: "decision"}

"""Level to an output that usually asks for it."""

_UNSIGNED = (
    "The model is not signed yet (T2). Its owner signs it: `fivefold key new --role signer`, `fivefold model sign`, "
    "which adds `signature:` to the manifest. Whoever trusts that key says so: `fivefold trust add`."
)
_CLASSES = 100
_FEW = 20
"""Fewest rows on which distinct values mean an identifier."""


@dataclass(frozen=True)
class Answers:
    """What the user said; empty parts are proposed.

    Attributes:
        app: Application id.
        root: Folder of the manifest.
        sets: Data-set name to path relative to ``root``.
        target: Target column.
        model: Entries of ``model:``, for example ``{"factory": "scorer:load"}``.
        training: ``module:function`` or empty.
        use: Given parts of ``use:``.
        level: Declared level; None: proposed.
        purpose: Purpose in a sentence.
        settings: Given parts of the first data set: kind, input, time, positive, alarm, protected, drop, id, missing.
        profile: Of the scenario; None: none is named.
        said: Why ``model`` looks as it does; empty: the user said it so.
    """

    app: str
    root: Path
    sets: Mapping[str, str]
    target: str
    model: Mapping[str, Any] = field(default_factory=dict)
    training: str = ""
    use: Mapping[str, Any] = field(default_factory=dict)
    level: int | None = None
    purpose: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    profile: Profile | None = None
    said: str = ""


@dataclass(frozen=True)
class Proposal:
    """A manifest and why it looks like this.

    Attributes:
        document: Nested plain values, in the order in which they are written.
        reasons: Dotted path to a sentence.
        notes: What the user should look at, one sentence each.
    """

    document: dict[str, Any]
    reasons: dict[str, str]
    notes: tuple[str, ...]


def propose(answers: Answers) -> Proposal:
    """Return a manifest for the data and model named; only the data files are read.

    Raises:
        InputError: A data file cannot be read.
    """
    reasons: dict[str, str] = {}
    notes: list[str] = []
    first = next(name for name in ("train", "test", *answers.sets) if name in answers.sets)
    survey = look(answers.root / answers.sets[first], answers.target)
    _require_rows(survey, answers, first)
    form = guess_form(answers.root / answers.sets[first], survey, answers.settings, answers.target)
    settings, found = _settings(survey, answers, form, f"data.{first}")
    reasons |= found
    told = settings if first == "train" else form.entries  # what `train` says of its form holds for the others too
    data = {
        name: {"path": path} | (settings if name == first else {} if first == "train" else told)
        for name, path in answers.sets.items()
    }
    use = _use(answers, reasons)
    document: dict[str, Any] = {
        "fivefold": 1,
        "application": {"id": answers.app} | _level(answers, use, reasons, notes),
        "use": use,
        "data": data,
    }
    if answers.training:
        document["training"] = {"factory": answers.training}
    if answers.model:
        document["model"] = dict(answers.model)
        reasons |= {"model": answers.said} if answers.said else {}
        notes += [_UNSIGNED] if answers.model.keys() & {"factory", "path", "predictions"} else []
    else:
        notes.append("No model is named yet: add `model:` with `factory:` or `predictions:`.")
    document |= _demands(answers, reasons)
    notes += form.notes
    notes += _notes(survey, answers, settings)
    notes += () if "missing" in answers.settings else guess_missing(survey, answers.target)[1]
    _require_labels(survey, answers)
    notes += _unseen(survey, answers, first)
    return Proposal(document=document, reasons=reasons, notes=tuple(notes))


def guess_target(survey: Survey) -> str:
    """Return the column that is named like a target, or an empty text; the last of several."""
    known = words("targets")
    named = [column.name for column in survey.columns if set(tokens(column.name)) & set(known)]
    exact = [name for name in named if name.casefold() in known]
    return (exact or named or [""])[-1]


def _level(answers: Answers, use: Mapping[str, Any], reasons: dict[str, str], notes: list[str]) -> dict[str, Any]:
    import msgspec

    asked = classify.propose(msgspec.convert(dict(use), classify.Answers))
    level = answers.level or asked.level
    if answers.level is None:
        reasons["application.level"] = (
            f"Proposed by the answers under `use:`. {' '.join(asked.reasons)} Higher levels include all lower ones."
        )
    elif level < asked.level:
        notes.append(
            f"Level {level} is declared, but the answers under `use:` ask for {asked.level}: {asked.reasons[0]} "
            "`fivefold assess` will say so (A1)."
        )
    found: dict[str, Any] = {"level": level}
    if answers.purpose:
        found["purpose"] = answers.purpose
    if answers.profile:
        found["scenario"] = answers.profile.id
        examples = ", ".join(answers.profile.examples[:3])
        reasons["application.scenario"] = f"Its profile ({examples} ...) proposes what follows, and its rules bind."
    return found


def _use(answers: Answers, reasons: dict[str, str]) -> dict[str, Any]:
    use, profile = dict(answers.use), answers.profile
    if "output" not in use and profile is not None:
        usual = {name: getattr(profile.use, name) for name in classify.options()}
        reasons["use"] = f"Proposed by the profile {profile.id}: {profile.because}"
        use = usual | use
    elif "output" not in use:
        use["output"] = OUTPUTS[answers.level or 2]
        reasons["use.output"] = (
            "Proposed from the level: statistic, label, score, forecast, recommendation, decision or action."
        )
    alone = use["output"] in ("decision", "action")
    use.setdefault("acts", "system" if alone else "human")
    if "alone" not in use:
        use["alone"] = alone
        reasons["use.alone"] = f"Proposed: a {use['output']} usually {'acts' if alone else 'waits for a person'}."
    return {key: use[key] for key in classify.options() if key in use}


def _demands(answers: Answers, reasons: dict[str, str]) -> dict[str, Any]:
    """Return ``checks:`` with the thresholds that the profile tightens."""
    found: dict[str, dict[str, float]] = {}
    if answers.profile is None:
        return {}
    for demand in answers.profile.demands:
        found.setdefault(demand.check, {})[demand.key] = demand.value
        reasons[f"checks.{demand.check}"] = f"Tightened by the profile {answers.profile.id}. {demand.because}"
    return {"checks": found} if found else {}


def _settings(survey: Survey, answers: Answers, form: Form, place: str) -> tuple[dict[str, Any], dict[str, str]]:
    given = answers.settings
    reasons = {f"{place}.{key}": why for key, why in form.reasons.items()}
    settings: dict[str, Any] = form.entries | ({"target": answers.target} if answers.target else {})
    settings |= {key: given[key] for key in ("positive", "alarm") if given.get(key)}
    others = [column for column in survey.columns if column.name not in {answers.target, *form.columns}]
    protected = _protected(others, answers.profile)
    kept = set(given.get("protected", protected))
    unfit = {name: why for name, why in form.unfit.items() if name not in kept}
    proposals: tuple[tuple[str, dict[str, str]], ...] = (
        ("id", {} if "id" in settings else _ids(others, survey.rows)),
        ("drop", _drops(others, survey, answers.profile) | unfit),
        ("protected", protected),
        ("missing", guess_missing(survey, answers.target)[0]),
    )
    for key, why in proposals:
        if key == "drop" and settings.get("id"):
            why.pop(settings["id"], None)
        if key in given and key not in form.entries:
            if given[key]:
                settings[key] = given[key]
        elif why:
            settings[key] = next(iter(why)) if key == "id" else list(why)
            reasons[f"{place}.{key}"] = "Proposed: " + "; ".join(f"{name} {text}" for name, text in why.items()) + "."
    reached = [c.name for c in others if reaches_a_person(c.name)]
    if answers.profile is not None:
        reached += [c.name for c in others if _among(c.name, answers.profile.identifiers)]
    personal = [*settings.get("protected", ()), *reached]
    if personal:
        settings["label"] = {"personal": list(dict.fromkeys(personal))}
        reasons[f"{place}.label"] = (
            "Proposed: these columns describe persons. Add class, basis, purpose, region and retain."
        )
    return settings, reasons


def _protected(columns: list[Column], profile: Profile | None) -> dict[str, str]:
    found = {}
    for column in columns:
        if column.kind == "empty":
            continue
        named, valued = protected_kind(column.name), value_kind(column.values)
        special = (
            next((part for part in profile.protected if _among(column.name, part.words)), None) if profile else None
        )
        if named or valued:
            found[column.name] = f"is named like {named}" if named else f"has values like {valued}"
        elif special is not None:
            found[column.name] = f"is named like {special.kind} ({special.because[:1].lower()}{special.because[1:-1]})"
    return found


def _among(name: str, words: tuple[str, ...]) -> bool:
    """Whether a column is named by one of the entries: all words of it stand in the name."""
    own = tokens(name)
    return any(all(is_word(part, own) for part in entry.split()) for entry in words)


def _ids(columns: list[Column], rows: int) -> dict[str, str]:
    found = {}
    for column in columns:
        named = bool(set(tokens(column.name)) & set(words("ids"))) or not column.name.strip()
        whole = column.unique and column.filled == rows >= _FEW and column.kind in ("integer", "string")
        if whole and (named or _counts(column, rows)):
            found[column.name] = "differs in every row" + (" and is named like an identifier" if named else "")
    return dict(list(found.items())[:1])


def _counts(column: Column, rows: int) -> bool:
    """Whether the values are just a running number."""
    if column.kind != "integer":
        return False
    try:
        numbers = sorted(int(float(text)) for text in column.seen)
    except (ValueError, OverflowError):
        return False
    return numbers == list(range(numbers[0], numbers[0] + rows))


def _drops(columns: list[Column], survey: Survey, profile: Profile | None) -> dict[str, str]:
    found = {}
    for column in columns:
        identifies = profile is not None and _among(column.name, profile.identifiers)
        if survey.rows >= _FEW and column.same == survey.rows:
            found[column.name] = "repeats the target"
        elif column.unique and column.filled == survey.rows >= _FEW and reaches_a_person(column.name):
            found[column.name] = "names a person"
        elif identifies:
            found[column.name] = "leads to a person or thing"
    return found


def _unseen(survey: Survey, answers: Answers, first: str) -> tuple[str, ...]:
    """Return sentences on labels that the training data lack, where the target looks like a set of classes."""
    target = survey.column(answers.target)
    if (
        first != "train"
        or not survey.whole
        or target is None
        or len(labels(target)) > (_FEW if target.kind == "string" else 2)
    ):
        return ()
    counts = {"train": _labels(target)}
    for name in answers.sets:
        other = look(answers.root / answers.sets[name]).column(answers.target) if name != first else None
        if other is not None:
            counts[name] = _labels(other)
    return unseen(counts)


def _labels(column: Column) -> dict[str, int]:
    """Return labels as they are compared: without blanks around them, whole numbers without a point."""
    found: dict[str, int] = {}
    for text in sorted(labels(column)):
        label = text.strip()
        label = label.split(".")[0] if column.kind == "integer" else label
        found[label] = found.get(label, 0) + column.counts[text]
    return found


def _is_class(target: Column) -> bool:
    """Whether a target looks like a set of classes: few texts, or very few numbers."""
    most = {"string": 20, "integer": 10, "number": 2}.get(target.kind, 0)
    return 0 < len(labels(target)) <= most


def _require_rows(survey: Survey, answers: Answers, first: str) -> None:
    """Check that no table is empty: hardly any check could run, and nothing could be proposed.

    Raises:
        InputError: ``init.rows``.
    """
    for name, path in answers.sets.items():
        rows = survey.rows if name == first else look(answers.root / path, rows=1).rows
        if not rows:
            raise InputError("init.rows", f"{path} has no rows, only a header.", remedy="Name a table with rows.")


def _require_labels(survey: Survey, answers: Answers) -> None:
    """Check that ``positive`` and ``alarm`` are labels of the target, as far as it was seen.

    Raises:
        InputError: ``init.label``.
    """
    target = survey.column(answers.target)
    if target is None or not survey.whole or len(labels(target)) > _CLASSES:
        return
    known = {_plain(text) for text in labels(target)}
    for key in ("positive", "alarm"):
        label = answers.settings.get(key)
        if label and _plain(label) not in known:
            shown = ", ".join(sorted(labels(target))[:20])
            message = f'--{key} is "{label}", which is no label of the target "{answers.target}".'
            raise InputError("init.label", message, remedy=f"Its labels are: {shown}.")


def _plain(label: str) -> str:
    """Return a label as it is compared: numbers by value, truth values whatever their capitals."""
    text = label.strip()
    if text.lower() in ("true", "false"):
        return text.lower()
    try:
        return repr(float(text))
    except ValueError:
        return text


def _headless(survey: Survey) -> bool:
    """Whether the first line looks like a row: many of its texts stand below it again."""
    names = [column.name for column in survey.columns]
    if names[:1] in (["0"], ["1"]):
        return False
    repeated = sum(column.name in column.counts for column in survey.columns)
    return survey.rows >= _FEW and repeated > len(names) / 3


def _notes(survey: Survey, answers: Answers, settings: Mapping[str, Any]) -> list[str]:
    notes = []
    if not survey.whole:
        notes.append(f"Proposals rest on the first {survey.rows:,} rows.")
    if not settings.get("protected"):
        notes.append("No column looks protected: if one tells of a group of people, name it under `protected:`.")
    target = survey.column(answers.target)
    if target is not None and _is_class(target) and "positive" not in settings:
        shown = ", ".join(sorted(labels(target))[:5])
        notes.append(
            f"If one class ({shown}) is favourable to people, name it as `positive:`; one to detect, as `alarm:`."
        )
    if "test" not in answers.sets:
        notes.append("No data set `test` is named: without rows that the model has not seen, hardly any check can run.")
    elif "train" not in answers.sets:
        notes.append(
            "Only `test` is named: it must hold rows that the model was not trained on. Add `train:` for more checks."
        )
    if _headless(survey):
        notes.append("The first line looks like data: it must name the columns.")
    constant = [column.name for column in survey.columns if len(column.values) < 2]
    if constant:
        notes.append(f"The same value stands in every row of {some(constant)}.")
    return notes
