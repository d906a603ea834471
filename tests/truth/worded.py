"""Subjects of E5.text: records of reasons, worded by hand here, of which some share is spoilt in one way."""

from __future__ import annotations

import json
from functools import partial

import numpy as np

from fivefold.contract.subject import SettingsView

from .entry import Entry
from .floors import floors
from .subjects import context

CHECK = "E5.text"
_FIELDS = {
    "income": "EUR",
    "age": "years",
    "savings_account": "",
    "months_employed": "months",
    "has_phone": "",
    "town": "",
}
_OPENINGS = {
    "en": ("What spoke for this answer most:", "What spoke against it:", "and", "yes", "no"),
    "de": ("Für diese Antwort sprach am meisten:", "Dagegen sprach:", "und", "ja", "nein"),
}
SPOILT = ("turned", "left out", "unit", "cause", "long", "value")


def _cell(rng: np.random.Generator, name: str) -> object:
    if name == "has_phone":
        return bool(rng.random() < 0.5)
    if name in ("savings_account", "town"):
        return str(rng.choice(["none", "little", "north side", "(unknown)"]))
    return float(np.round(rng.uniform(1, 90_000), int(rng.integers(0, 3))))


def _said(value: object, unit: str, language: str) -> str:
    if isinstance(value, bool):
        return _OPENINGS[language][3 if value else 4]
    if isinstance(value, str):
        return value.strip("()")
    text = f"{value:,.6g}"
    if language == "de":
        text = text.replace(",", " ").replace(".", ",").replace(" ", ".")
    return f"{text} {unit}".strip()


def reason(rng: np.random.Generator, language: str, spoilt: str = "") -> dict[str, object]:
    """Return one reason with its credits, spoilt in one way."""
    good, bad, last, _, _ = _OPENINGS[language]
    names = [str(one) for one in rng.permutation(list(_FIELDS))[:3]]
    if spoilt == "unit":
        names[0] = str(rng.choice(["income", "age", "months_employed"]))
        names = list(dict.fromkeys(names))
    moved = [[name, _cell(rng, name), float(rng.choice([-1, 1]) * rng.uniform(0.01, 1))] for name in names]
    if spoilt == "value":
        names[0] = moved[0][0] = "income"
        moved[0][1] = 1234.0
        moved = moved[:1] + [one for one in moved[1:] if one[0] != "income"]
    parts = []
    for opening, positive in ((good, True), (bad, False)):
        listed = [
            f"{name.replace('_', ' ')} ({_said(value, '' if spoilt == 'unit' else _FIELDS[name], language)})"
            for name, value, credit in moved if (credit > 0) is positive
        ]  # fmt: skip
        if listed:
            parts.append(f"{opening} {f' {last} '.join(filter(None, [', '.join(listed[:-1]), listed[-1]]))}.")
    text = " ".join(parts)
    if spoilt == "turned":
        moved = [[name, value, -credit] for name, value, credit in moved]
    elif spoilt == "left out":
        moved = [*moved, ["shoe_size", 40.0, 0.2]]
    elif spoilt == "value":
        moved[0][1] = 1243.0
    elif spoilt == "cause":
        text += {"en": " It was refused because of that.", "de": " Das ist wegen dieser Angaben so."}[language]
    elif spoilt == "long":
        text += " We looked at all that you told us, and we took our time." * 5
    return {"text": text, "moved": moved, "flip": None}


def build(seed: int, spoilt: str = "", share: float = 0.06, rows: tuple[int, int] = (500, 2000)) -> object:
    """Build a record in which a share of the reasons is spoilt in one way."""
    rng = np.random.default_rng([seed, 0])
    language = ("en", "de")[int(rng.integers(2))]
    n = int(rng.integers(*rows))
    which = rng.random(n) < (share if spoilt else 0.0)
    told = [reason(rng, language, spoilt if bad else "") for bad in which]
    settings = SettingsView(
        facts={"operation.reasons": json.dumps(told)}, features={name: {"unit": unit} for name, unit in _FIELDS.items()}
    )
    return context(CHECK, None, {}, seed, thresholds=floors(CHECK), settings=settings)


def foreign(seed: int) -> object:
    """Build a record whose reasons are worded in another way."""
    made = build(seed)
    told = json.loads(made.settings.facts["operation.reasons"])
    for one in told:
        one["text"] = "Your file was looked at by us."
    return context(
        CHECK,
        None,
        {},
        seed,
        thresholds=floors(CHECK),
        settings=SettingsView(facts={"operation.reasons": json.dumps(told)}),
    )


ENTRY = Entry(
    check=CHECK,
    documented="six reasons in a hundred spoilt in one way, of 500 decisions or more, in English or German",
    planted={one: partial(build, spoilt=one) for one in SPOILT},
    clean={"as the credits say": build},
    small={"40 decisions, causes": partial(build, spoilt="cause", rows=(30, 41)), "other words": foreign},
)

turned = partial(build, spoilt="turned", share=0.5)
