"""Subjects of A1.answers: drawn answers about use, and a declared level below or not below what they ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from fivefold.catalogue.classify import Answers, options, propose
from fivefold.contract.subject import SettingsView

from .entry import Entry
from .subjects import context

if TYPE_CHECKING:
    from fivefold.contract.check import Context

CHECK = "A1.answers"


def _made(seed: int, *, short: bool) -> Context:
    rng = np.random.default_rng([seed, 0])
    while True:
        answers = Answers(**{name: some[int(rng.integers(len(some)))] for name, some in options().items()})
        level = propose(answers).level
        if level > 1 or not short:
            break
    declared = int(rng.integers(1, level)) if short else int(rng.integers(level, 6))
    settings = SettingsView(level=declared, use=msgspec.to_builtins(answers))
    return context(CHECK, None, {}, seed, thresholds={}, settings=settings)


ENTRY = Entry(
    check=CHECK,
    documented="a level declared one or more below what the answers ask for",
    planted={"declared too low": lambda seed: _made(seed, short=True)},
    clean={"declared high enough": lambda seed: _made(seed, short=False)},
)
