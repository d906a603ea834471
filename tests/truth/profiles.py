"""Subjects of J6.profiles: statements of a manifest that keep every rule of a profile, or break one to three of them.

Written without the product's predicates: each rule's fact is set by hand from the table below.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.subject import SettingsView

from .entry import Entry
from .subjects import context

if TYPE_CHECKING:
    from fivefold.contract.check import Context

CHECK = "J6.profiles"

RULES: dict[str, tuple[tuple[str, object, object], ...]] = {
    "health": (("data.alarm", True, False), ("data.protected", 2, 1), ("data.basis", True, False),
               ("data.personal", True, False), ("application.alone", False, True)),
    "retail": (("manifest.purpose", True, False), ("data.basis", True, False), ("data.protected", 1, 0)),
    "transport": (("data.alarm", True, False), ("manifest.scenarios", 2, 1), ("model.signed", True, False)),
    "manufacturing": (("data.alarm", True, False), ("model.signed", True, False)),
    "city": (("data.protected", 2, 1), ("manifest.parties", 3, 2), ("data.regions", 1, 0),
             ("manifest.purpose", True, False)),
    "finance": (("data.positive", True, False), ("data.protected", 1, 0), ("data.basis", True, False),
                ("manifest.parties", 2, 1)),
    "energy": (("manifest.scenarios", 1, 0), ("manifest.parties", 2, 1), ("model.signed", True, False)),
    "carrier": (("data.alarm", True, False), ("manifest.scenarios", 1, 0), ("data.regions", 1, 0)),
    "internal": (("data.protected", 1, 0), ("data.basis", True, False), ("manifest.purpose", True, False),
                 ("application.alone", False, True)),
}  # fmt: skip
"""Profile to (fact, least value that keeps the rule, value that breaks it)."""

DEMANDS = {
    "health": ("P3.membership", "max_auc", 0.57, 0.58),
    "retail": ("P3.membership", "max_auc", 0.59, 0.595),
    "transport": ("P1.blackbox", "min_robust_accuracy", 0.6, 0.59),
    "manufacturing": ("P2.extraction", "max_fidelity_gain", 0.4, 0.41),
    "city": ("F1.gaps", "min_selection_ratio", 0.85, 0.84),
    "internal": ("F1.gaps", "min_selection_ratio", 0.85, 0.84),
}
"""Profile to (check, key, value that keeps the demand, value that breaks it)."""


def _made(seed: int, *, breaks: bool) -> Context:
    rng = np.random.default_rng([seed, 0])
    name = sorted(RULES)[int(rng.integers(len(RULES)))]
    facts: dict[str, object] = {
        "application.level": 4, "application.acts": False, "application.alone": False, "data.personal": True,
        "data.basis": True, "data.protected": 2 + int(rng.integers(3)), "data.regions": 1 + int(rng.integers(2)),
        "data.alarm": True, "data.positive": True, "model.classifies": True, "model.signed": True,
        "manifest.purpose": True, "manifest.parties": 3 + int(rng.integers(3)),
        "manifest.scenarios": 2 + int(rng.integers(3)),
    }  # fmt: skip
    rules = RULES[name]
    facts |= {fact: kept for fact, kept, _ in rules if rng.random() < 0.5}
    thresholds = {}
    if name in DEMANDS:
        check, key, kept, broken = DEMANDS[name]
        loose = breaks and rng.random() < 0.3
        thresholds = {check: {key: broken if loose else kept}}
        breaks = breaks and not loose
    if breaks:
        for index in rng.choice(len(rules), size=int(rng.integers(1, min(3, len(rules)) + 1)), replace=False):
            facts[rules[index][0]] = rules[index][2]
    settings = SettingsView(level=4, scenario=name, facts=facts, thresholds=thresholds)  # type: ignore[arg-type]
    return context(CHECK, None, {}, seed, thresholds={}, settings=settings)


ENTRY = Entry(
    check=CHECK,
    documented="one statement or threshold that a rule of the profile asks for, missing or too loose",
    planted={"a rule broken": lambda seed: _made(seed, breaks=True)},
    clean={"every rule kept": lambda seed: _made(seed, breaks=False)},
)
