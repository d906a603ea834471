"""Rules: what the manifest says a model may go by, and how much."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fivefold.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fivefold.contract.subject import Table

_EXAMPLE = 'Write max_importance: ["age: 0.2"], a column of the data and a share from 0 to 1.'


@dataclass(frozen=True)
class Rule:
    """A column and the largest share of what the model knows that may hang on it.

    Attributes:
        column: Its name.
        limit: Share in [0, 1].
        forbidden: It may not be used at all; the limit is the floor of the catalogue.
        seen: Whether the model sees the column.
    """

    column: str
    limit: float
    forbidden: bool
    seen: bool


def read(options: Mapping[str, object], floor: float, test: Table) -> tuple[Rule, ...]:
    """Return the declared rules, forbidden columns first.

    Args:
        options: ``may_not_use`` (names) and ``max_importance`` (texts ``column: share``).
        floor: Largest share of a column that may not be used.
        test: The test data.

    Raises:
        InputError: ``explanation.column`` for a column that is not in the data, ``explanation.share`` for a text
            that is no column and share.
    """
    rules: dict[str, Rule] = {}
    for text in _texts(options.get("max_importance")):
        name, _, share = text.rpartition(":")
        try:
            limit = float(share)
        except ValueError:
            limit = -1.0
        if not name.strip() or not 0 <= limit <= 1:
            raise InputError("explanation.share", f'max_importance: "{text[:80]}" is no rule.', remedy=_EXAMPLE)
        rules[name.strip()] = Rule(name.strip(), limit, forbidden=False, seen=_seen(name.strip(), test))
    for name in _texts(options.get("may_not_use")):
        rules[name] = Rule(name, floor, forbidden=True, seen=_seen(name, test))
    return tuple(sorted(rules.values(), key=lambda rule: (not rule.forbidden, rule.column)))


def _texts(given: object) -> tuple[str, ...]:
    return tuple(str(one) for one in given) if isinstance(given, list | tuple) else ()


def _seen(name: str, test: Table) -> bool:
    if name in test.features.columns:
        return True
    if name not in test.others.columns:
        raise InputError(
            "explanation.column",
            f'the data have no column "{name[:80]}".',
            remedy="Name a column of the test data under may_not_use or max_importance.",
        )
    return False
