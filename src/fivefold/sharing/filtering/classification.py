"""Classification: wrong labels and backdoors, with and without rows that are known to be good."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from fivefold.errors import UnsupportedError
from fivefold.sharing.filtering.carriers import carriers
from fivefold.sharing.filtering.content import Seen, axes, parted, seen, whole
from fivefold.sharing.filtering.doubt import doubtful
from fivefold.sharing.filtering.marks import Mark, mark
from fivefold.sharing.filtering.removal import Removal, joined
from fivefold.sharing.filtering.suspects import Opinion
from fivefold.stats.growing import grown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fivefold.contract.subject import Table

FEWEST = 100
_PARTED, _WHOLE, _SURER = 0.3, 0.0, 0.5
_APART, _MORE, _CHANCE = 2.2, 1.5, 1e-3
_OFTEN, _OFTEN_TRUSTED = 0.15, 0.65
_NEARER, _FAR_MORE, _MOSTLY, _SUSPECTS = 1.7, 3.0, 0.4, 20
_SHARP, _THIRD, _HARDLY = 1.1, 0.3, 0.01
_DROP, _DROP_TRUSTED = 0.5, 0.8
_BOTH = 0.7, 0.3
_FOLDS, _TURNS, _AGREE = 3, 3, 0.5
_NEARLY = 0.95
_TREES, _LEAF = 60, 2
_TEXTS = (
    "a mark that no other rows show stands where the content contradicts the label",
    "the content contradicts the label",
    "no label",
)


@dataclass(frozen=True)
class Found:
    """What was found in labelled rows.

    Attributes:
        content: (n,) in [-1, 1], how much the content contradicts the label.
        marks: One for each class with enough suspects.
        backdoors: Those that suspects show far more often than other rows, clear of all else; in tables also:
            carried by rows that are other classes' in all else (see
            :func:`~fivefold.sharing.filtering.carriers.carriers`).
        doubtful: Marks of tables that may be planted as well as a rule of the data's own.
        near: (n,) the same contradiction without trusted rows; None where there are none.
        spared: (n,) bool, rows that are contradicted because two classes look alike, told with trusted rows;
            none that nearly bears a mark.
    """

    content: np.ndarray
    marks: tuple[Mark, ...]
    backdoors: tuple[Mark, ...]
    doubtful: tuple[Mark, ...] = ()
    near: np.ndarray | None = None
    spared: np.ndarray | None = None

    @property
    def contradicted(self) -> np.ndarray:
        """(n,) bool: rows whose content contradicts the label plainly.

        Models that begin with few trusted rows are seldom sure, so that where the nearest rows are, less is enough.
        """
        if self.near is None or self.spared is None:
            return np.asarray(self.content > _DROP)
        sure, agreed = _BOTH
        found = (self.content > _DROP_TRUSTED) | ((self.near > sure) & (self.content > agreed))
        return np.asarray(found & ~self.spared)

    @property
    def shown(self) -> np.ndarray:
        """(n,) bool: rows that show the mark of a backdoor."""
        found = np.zeros(len(self.content), dtype=bool)
        for one in self.backdoors:
            found |= one.shown
        return found

    @property
    def looked_at(self) -> np.ndarray:
        """(n,) bool: rows that show any mark, a doubtful one too; people shall look at them."""
        found = self.shown
        for one in self.doubtful:
            found |= one.shown
        return found

    @property
    def suspicion(self) -> np.ndarray:
        """(n,): contradiction of content, and above 1 where a backdoor's mark is shown."""
        found = self.content.copy()
        for one in self.backdoors:
            found[one.shown] = 1.0 + np.clip(one.score[one.shown], 0.0, None)
        return found


def real(one: Mark, often: float) -> bool:
    """Return whether a mark is one that no honest row explains."""
    from scipy.stats import fisher_exact

    (mine, n), (others, m) = one.counts
    share, other = mine / n, others / max(m, 1)
    clear = one.apart >= _APART and share >= max(often, _MORE * other)
    plain = one.apart >= _NEARER and share >= max(_MOSTLY, often, _FAR_MORE * other) and one.suspects >= _SUSPECTS
    if not (clear or plain):
        return False
    return bool(fisher_exact([[mine, n - mine], [others, m - others]], alternative="greater").pvalue < _CHANCE)


def sharp(one: Mark, often: float) -> bool:
    """Return whether nearly all suspects show a mark, though some honest rows of their class look as if they did.

    Faint patterns do this. Labels that were only changed do not: nothing sets such rows apart from other classes' rows.
    """
    (mine, n), (others, m) = one.counts
    many = one.suspects >= _SUSPECTS and mine / n >= max(often, _THIRD) and others <= _HARDLY * m
    return many and one.apart >= _SHARP


def filtered(table: Table, rng: np.random.Generator, trusted: Table | None = None) -> Removal:
    """Say which rows of a classification are left out before anything is learned from them.

    Threat: labels changed by carelessness or on purpose; rows of other classes that carry a mark and a wrong label, so
    that a model gives that label to whatever carries the mark.
    Limit: a mark on rows whose label is right (clean label) is not found. Where most rows of a region are bad, they
    are the rule there, unless trusted rows say otherwise.

    Args:
        table: n rows, at least 100 with a label; rows without one are left out.
        rng: Draws folds, columns and trees.
        trusted: 50 rows or more that are known to be good, of the same columns; they are never left out.

    Raises:
        UnsupportedError: ``filter.task`` for values or a single class, ``filter.rows`` for too few rows.
    """
    if table.target.dtype.kind != "i":
        raise UnsupportedError("filter.task", "the target is a value, not a class.")
    known = np.flatnonzero(table.target >= 0)
    if len(known) < FEWEST and trusted is None:
        raise UnsupportedError("filter.rows", f"fewer than {FEWEST} training rows have a label.")
    if len(np.unique(table.target[known])) < 2 and trusted is None:
        raise UnsupportedError("filter.task", "all training rows have one label.")
    found = look(table.take(known), rng, trusted)
    suspicion = np.full(len(table), np.inf)
    suspicion[known] = found.suspicion
    reasons = np.full(len(table), 2)
    reasons[known] = np.where(found.shown, 0, np.where(found.contradicted, 1, -1))
    return Removal(
        kept=reasons < 0, suspicion=suspicion, reasons=reasons, texts=_TEXTS,
        notes=tuple(f"class index {one.code}: {int(one.shown.sum())} rows show a mark" for one in found.backdoors),
    )  # fmt: skip


def look(table: Table, rng: np.random.Generator, trusted: Table | None = None) -> Found:
    """Return what is found in n labelled rows; see :func:`filtered`."""
    both, n = joined(table, trusted)
    _, label = np.unique(both.target, return_inverse=True)
    codes, classes = np.unique(both.target), int(label.max()) + 1
    given = seen(both, rng)
    if not given.fine.shape[1]:
        raise UnsupportedError("filter.columns", "no column of the training data varies.")
    near = whole(given, label, classes, rng)
    parts = parted(given, label, classes, rng)
    views = [(near, _WHOLE, _OFTEN), (near, _SURER, _OFTEN), (parts, _PARTED, _OFTEN)]
    content, spared = near, None
    if trusted is not None:
        trusting = _trusting(given, label, n, classes, rng)
        content, spared = trusting.suspicion, doubtful(trusting)[:n]
        views = [(content, _WHOLE, _OFTEN_TRUSTED), (content, _SURER, _OFTEN_TRUSTED), *views]
    mine = given.take(np.arange(n))
    marks, backdoors, doubts = [], [], []
    for code in range(classes):
        best: tuple[int, Mark] | None = None
        for sure, one in _marks(mine, label[:n], views, code, rng, once=trusted is None and not given.table):
            if best is None or (sure, one.apart) > (best[0], best[1].apart):
                best = sure, one
            told = carriers(given, label, one, code, rng) if sure and given.table else None
            if told is None:
                continue
            carried = replace(one, code=int(codes[code]), shown=told.shown)
            if told.foreign:
                backdoors.append(carried)
                break
            doubts += [] if told.honest else [carried]
        if best is None:
            continue
        marks.append(replace(best[1], code=int(codes[code])))
        if best[0] and not given.table:  # with trusted rows: of all views the one in which the mark is clearest
            backdoors.append(marks[-1])
    found = {one.code for one in backdoors}
    doubts = [one for one in doubts if one.code not in found]
    return Found(
        content[:n].astype(np.float64), tuple(marks), tuple(backdoors), tuple(doubts),
        None if spared is None else near[:n], None if spared is None else spared & ~borne(both.target[:n], backdoors),
    )  # fmt: skip


def _marks(
    given: Seen,
    label: np.ndarray,
    views: list[tuple[np.ndarray, float, float]],
    code: int,
    rng: np.random.Generator,
    *,
    once: bool,
) -> Iterator[tuple[int, Mark]]:
    """Yield what sets apart the suspects of a class in each view; 2: no honest row explains it, 1: it is sharp, 0.

    With ``once`` nothing more is looked for after the first that is sure.
    """
    for view, cut, often in views:
        suspect = view[: len(label)] > cut
        one = mark(given, label, suspect, code, rng)
        if one is None:
            continue
        sure = 2 * real(one, often)
        if not (sure or given.table) and sharp(one, often):
            one, sure = replace(one, shown=one.shown & suspect), 1
        yield sure, one
        if sure and once:
            return


def borne(target: np.ndarray, backdoors: list[Mark]) -> np.ndarray:
    """Return (n,) bool, rows of a marked class that bear more of its mark than nearly all rows of other classes do.

    Not enough to show it, but where such a row is contradicted as well, that is no honest doubt: one marked row that is
    left among 4,000 may be enough for a backdoor.
    """
    found = np.zeros(len(target), dtype=bool)
    for one in backdoors:
        mine = target == one.code
        found |= mine & (one.score > np.quantile(one.score[~mine], _NEARLY))
    return found


def _trusting(given: Seen, label: np.ndarray, n: int, classes: int, rng: np.random.Generator) -> Opinion:
    """Return what models say of (n + t) rows that begin with the trusted rows and take in what agrees with them."""
    at = given.fine if given.table else axes(given.fine, rng)
    at = (at - at.mean(axis=0)) / (at.std(axis=0).max() + 1e-9 if not given.table else at.std(axis=0) + 1e-9)
    fold = rng.permutation(np.arange(len(label)) % _FOLDS)
    good = np.arange(len(label)) >= n
    chances = _vote(at, label, good, at, classes, rng)
    for _ in range(_TURNS):
        agreed = good | (chances[np.arange(len(label)), label] > _AGREE)
        chances = np.zeros_like(chances)
        for turn in range(_FOLDS):
            taught = agreed & ((fold != turn) | good)
            chances[fold == turn] = _vote(at, label, taught, at[fold == turn], classes, rng)
    return Opinion(chances, label)


def _vote(  # noqa: PLR0917
    at: np.ndarray, label: np.ndarray, taught: np.ndarray, asked: np.ndarray, classes: int, rng: np.random.Generator
) -> np.ndarray:
    """Return (m, K) mean chances of trees, of a logistic model and of a radial one."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    found = np.zeros((len(asked), classes))
    present = np.unique(label[taught])
    if len(present) < 2:
        found[:, present] = 1.0
        return found
    seed = int(rng.integers(2**31))
    forest = grown(at[taught], label[taught], trees=_TREES, leaf=_LEAF, features="sqrt", seed=seed)
    found[:, present] += forest.shares(asked) / 2
    linear = LogisticRegression(max_iter=100)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        linear.fit(at[taught], label[taught])
    found[:, present] += linear.predict_proba(asked) / 2
    return found
