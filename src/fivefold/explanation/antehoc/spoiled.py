"""Spoiled: pages with a known fault, and pages that say the same otherwise, for the canary of E1.faithful."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

if TYPE_CHECKING:
    from fivefold.explanation.antehoc.form import Model

KINDS = ("rounded", "hidden", "stale")
"""Numbers told in one digit; a part left out; one step or rule changed since."""
WAYS = ("turned", "moved")
"""Parts told in reverse order; a constant told as part of the base, or a rule told once more where none reaches it."""


def spoiled(model: Model, kind: str, rng: np.random.Generator) -> Model:
    """Return the model of a page with a fault.

    Args:
        model: The page as it is.
        kind: One of :data:`KINDS`.
        rng: Draws place and size.
    """
    return _list(model, kind, rng) if model.form == "rules" else _sum(model, kind, rng)


def reworded(model: Model, way: str) -> Model:
    """Return the model of another page that gives the same answers but for rounding.

    Args:
        model: The page as it is.
        way: One of :data:`WAYS`.
    """
    if way == "turned":
        rules = tuple(msgspec.structs.replace(one, when=one.when[::-1]) for one in model.rules)
        return msgspec.structs.replace(model, terms=model.terms[::-1], rules=rules)
    if model.form == "rules":
        return msgspec.structs.replace(model, rules=(*model.rules, *model.rules[:1]))
    base, terms = np.array(model.base), []
    for term in model.terms:
        adds = np.array([*term.adds, term.missing])
        apart = np.ptp(adds, axis=0)
        base += model.scale * apart
        *steps, missing = (tuple(map(float, row)) for row in adds - apart)
        terms.append(msgspec.structs.replace(term, adds=tuple(steps), missing=missing))
    return msgspec.structs.replace(model, base=tuple(map(float, base)), terms=tuple(terms))


def _list(model: Model, kind: str, rng: np.random.Generator) -> Model:
    rules, last = list(model.rules), model.otherwise
    if kind == "rounded" or not rules:
        told = _tenths if model.classes else _coarse
        coarse = [msgspec.structs.replace(one, answer=told(one.answer)) for one in rules]
        return msgspec.structs.replace(model, rules=tuple(coarse), otherwise=told(last))
    at = int(rng.integers(len(rules)))
    if kind == "hidden":
        return msgspec.structs.replace(model, rules=tuple(rules[:at] + rules[at + 1 :]))
    rules[at] = msgspec.structs.replace(rules[at], answer=rules[at].answer[::-1] if len(last) > 1 else last)
    return msgspec.structs.replace(model, rules=tuple(rules))


def _sum(model: Model, kind: str, rng: np.random.Generator) -> Model:
    terms = list(model.terms)
    if kind == "rounded" or not terms:
        coarse = [msgspec.structs.replace(one, adds=tuple(map(_coarse, one.adds))) for one in terms]
        scale = _coarse((model.scale,))[0]
        return msgspec.structs.replace(model, terms=tuple(coarse), base=_coarse(model.base), scale=scale)
    at = int(rng.integers(len(terms)))
    if kind == "hidden":
        return msgspec.structs.replace(model, terms=tuple(terms[:at] + terms[at + 1 :]))
    adds = np.array(terms[at].adds)
    spread = float(np.ptp(np.concatenate([np.array(one.adds) for one in terms]))) or 1.0
    place = rng.integers(len(adds)), rng.integers(adds.shape[1])
    adds[place] += rng.choice([-1, 1]) * rng.uniform(0.5, 1.0) * spread
    terms[at] = msgspec.structs.replace(terms[at], adds=tuple(tuple(map(float, row)) for row in adds))
    return msgspec.structs.replace(model, terms=tuple(terms))


def _coarse(values: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(float(f"{one:.1g}") for one in values)


def _tenths(chances: tuple[float, ...]) -> tuple[float, ...]:
    """Return chances in tenths that sum to 1: rounded down, the largest takes the rest."""
    told = np.floor(10 * np.array(chances)).astype(np.int64)
    told[np.argmax(chances)] += 10 - told.sum()
    return tuple(float(one) / 10 for one in told)
