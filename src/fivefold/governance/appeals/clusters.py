"""Clusters: whether appeals come from one group, field, rule or model more often than chance makes it.

Who appeals hangs on the answer: those who were refused do. So decisions are compared within the same answer. One looks
at 4, 8, 16, ... appeals, the j-th time with an error of 5 % / (j (j + 1)), corrected for all that is compared (Holm):
over all looks ever, a cluster is found where there is none with a chance of at most 5 %.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pandas as pd

from fivefold.fairness.gaps.groups import field
from fivefold.stats.excess import excess_p
from fivefold.stats.multiple import holm
from fivefold.stats.proportion import clopper_pearson

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fivefold.governance.appeals.nouns import Appeal
    from fivefold.governance.appeals.population import Decided

ALPHA = 0.05
FIRST = 4
"""Appeals at the first look."""
KINDS = ("group", "field", "rule", "model")


class Cluster(msgspec.Struct, frozen=True, kw_only=True):
    """Appeals against decisions that share a trait.

    Attributes:
        kind: ``group``, ``field``, ``rule`` or ``model``.
        trait: For example ``sex=female``; of a model the first 16 letters of its digest.
        appealed: Decisions with it that were appealed.
        decisions: With it.
        changed: Appeals against them in which the answer was changed.
        reviewed: Appeals against them that were decided.
        low: Lower bound (95 %, exact) of the share that is appealed.
        high: Upper bound.
        p: Chance that at least as many were appealed, corrected for all traits that are compared.
        found: Whether that is small enough for this look.
    """

    kind: str
    trait: str
    appealed: int
    decisions: int
    changed: int
    reviewed: int
    low: float
    high: float
    p: float
    found: bool = False


def look_of(appeals: int) -> int:
    """Return after how many of so many appeals one looked last: a power of two, at least 4; 0: not yet."""
    return 0 if appeals < FIRST else 1 << (appeals.bit_length() - 1)


def level_of(look: int) -> float:
    """Return the error of the look at so many appeals."""
    j = look.bit_length() - FIRST.bit_length() + 1
    return ALPHA / (j * (j + 1))


def clusters(rows: Sequence[Decided], appeals: Sequence[Appeal], level: float) -> list[Cluster]:
    """Return every trait that some appealed decision has and some other has not, the most striking first.

    Args:
        rows: Decided rows.
        appeals: That are looked at.
        level: Largest corrected p-value of a cluster that counts as found.
    """
    known = {(one.decision, one.row): one for one in appeals}
    challenged = np.array([(one.decision, one.row) in known for one in rows], dtype=bool)
    reviewed = {key: bool(one.decided) for key, one in known.items()}
    changed = {key: bool(one.decided) and one.decided[0].answer != one.answer for key, one in known.items()}
    answers = np.array([one.answer for one in rows], dtype=object)
    made = []
    for kind, trait, has in _traits(rows):
        hits = has & challenged
        if not hits.any() or has.all():
            continue
        mine = [(rows[at].decision, rows[at].row) for at in np.flatnonzero(hits).tolist()]
        low, high = (float(bound) for bound in clopper_pearson(int(hits.sum()), int(has.sum())))
        made.append(Cluster(
            kind=kind, trait=trait, appealed=int(hits.sum()), decisions=int(has.sum()),
            changed=sum(changed[key] for key in mine), reviewed=sum(reviewed[key] for key in mine), low=low, high=high,
            p=_p(has, challenged, answers),
        ))  # fmt: skip
    corrected = holm([one.p for one in made]).tolist() if made else []
    found = [msgspec.structs.replace(one, p=p, found=p <= level) for one, p in zip(made, corrected, strict=True)]
    return sorted(found, key=lambda one: (one.p, one.kind, one.trait))


def _p(has: np.ndarray, challenged: np.ndarray, answers: np.ndarray) -> float:
    tables = [
        ((has & challenged)[same].sum(), challenged[same].sum(), has[same].sum(), same.sum())
        for same in (answers == answer for answer in dict.fromkeys(answers.tolist()))
    ]
    hits, drawn, have, total = np.array(tables, dtype=np.int64).T
    return excess_p(hits, drawn, have, total)


def _traits(rows: Sequence[Decided]) -> Iterable[tuple[str, str, np.ndarray]]:
    """Yield kind, trait and (n,) which rows have it."""
    plain = {"field": [one.field for one in rows], "rule": [one.rule for one in rows],
             "model": [one.model[:16] for one in rows]}  # fmt: skip
    for kind, values in plain.items():
        column = np.array(values, dtype=object)
        yield from ((kind, value, column == value) for value in sorted(set(values)) if value)
    grouped: dict[str, list[object]] = defaultdict(list)
    for name in sorted({name for one in rows for name in one.groups}):
        grouped[name] = [one.groups.get(name) for one in rows]
    for name, told in grouped.items():
        kinds = Counter(type(value) for value in told if value is not None)
        numbers = set(kinds) <= {int, float}
        cut = field(name, pd.Series(told, dtype="float64" if numbers else "object"), np.zeros(len(rows), dtype=int))
        yield from (("group", label, cut.codes == code) for code, label in enumerate(cut.labels))
