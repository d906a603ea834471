"""Attack: the worst point inside of each certified radius, by gradients over noise or by votes alone.

Source: Salman et al. 2019 (SmoothAdv: gradients averaged over the noise), Cohen, Rosenfeld and Kolter 2019; without
gradients the mean noise of copies that are answered otherwise points downhill (Stein's identity).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import bdtr

from fivefold.protection.evasion import surrogate

if TYPE_CHECKING:
    from fivefold.protection.evasion.pgd import Slopes
    from fivefold.protection.evasion.smooth.voting import Voters

_INSIDE = 0.999
"""Share of the radius at which points lie."""

_NEIGHBOURS = 3
_ASCENT = 8
_COPIES = 12
PROBE = 100
"""Votes at each point that is tried."""

POOL = 2000
"""Rows whose answers the attacker knows, at most."""

_TINY = 1e-12


@dataclass(frozen=True)
class Claims:
    """What is claimed: around each row no point within its radius is answered otherwise.

    Attributes:
        values: (n, d) vectors of the space.
        rows: (n,) what each was made of.
        own: (n,) class.
        radius: (n,) l2, in units of the lens, above 0.
        sigma: (n,) deviation of the noise that is voted under.
        bare: The claim is of the model's plain answers; noise only finds the way.
    """

    values: np.ndarray
    rows: np.ndarray
    own: np.ndarray
    radius: np.ndarray
    sigma: np.ndarray
    bare: bool = False


@dataclass(frozen=True)
class Known:
    """Rows whose answers the attacker knows.

    Attributes:
        values: (m, d) vectors of the space.
        answers: (m,) classes.
        model: Learned from them; None: all are answered alike.
    """

    values: np.ndarray
    answers: np.ndarray
    model: surrogate.Linear | None


class Search:
    """The worst points found so far.

    Attributes:
        by: (n, c) their change in units.
        share: (n,) share of votes of the own class there; below 0: seen to be answered otherwise.
        rival: (n,) the class that most other votes name there.
        tried: Points asked about, over all rows.
    """

    def __init__(self, voters: Voters, claims: Claims, rng: np.random.Generator) -> None:
        """Begin at the rows themselves."""
        n, c = len(claims.own), len(voters.lens.columns)
        self._voters, self._claims, self._rng = voters, claims, rng
        self.by, self.share, self.rival = np.zeros((n, c)), np.full(n, np.inf), np.zeros(n, dtype=np.int64)
        self.tried, self._trail, self._last = 0, np.zeros((n, c)), np.zeros((n, c))

    def points(self, by: np.ndarray) -> np.ndarray:
        """Return (n, d) vectors of changes (n, c): possible ones where the model itself is asked."""
        lens, values = self._voters.lens, self._claims.values
        return lens.inside(values, by) if self._claims.bare else lens.moved(values, by)

    def ask(self, aim: np.ndarray) -> None:
        """Ask about the points just inside of the radius in directions (n, c); a direction of 0 is drawn."""
        claims, n = self._claims, len(self.share)
        lost = ~aim.any(axis=1, keepdims=True)
        aim = np.where(lost, self._rng.standard_normal(aim.shape), aim)
        by = _unit(aim) * (_INSIDE * claims.radius)[:, None]
        at = self.points(by)
        votes = self._voters(at, claims.rows, PROBE, self._rng, sigma=claims.sigma, own=claims.own)
        share = votes.counts[np.arange(n), claims.own] / PROBE
        others = votes.counts.copy()
        if claims.bare:
            told = self._voters(at, claims.rows, 1, self._rng, sigma=np.zeros(n)).counts
            met = told[np.arange(n), claims.own] == 0
            share, others = np.where(met, -1.0, share), np.where(met[:, None], told, others)
        others[np.arange(n), claims.own] = -1
        self.tried += n
        self._trail = self._trail + votes.pull
        better = share < self.share
        self.by[better], self.share[better], self._last[better] = by[better], share[better], votes.pull[better]
        self.rival[better] = others[better].argmax(axis=1)

    def follow(self, turn: int) -> None:
        """Ask along the pull of all points so far, and in turn from the worst point along its own."""
        self.ask(self._trail if turn % 2 == 0 else _unit(self.by) + _unit(self._last) / (1 + turn // 2))

    def violated(self, votes: int, alpha: float) -> np.ndarray:
        """Return (n,) bool: by fresh votes, another class beats the claimed one at the worst point.

        Decided with an exact sign test at a tenth of ``alpha``, on the rival that other votes chose, so that true
        certificates are hardly ever called violated.
        """
        claims, here = self._claims, np.arange(len(self.share))
        sigma = np.zeros(len(here)) if claims.bare else claims.sigma
        counts = self._voters(self.points(self.by), claims.rows, votes, self._rng, sigma=sigma).counts
        own, rival = counts[here, claims.own], counts[here, self.rival]
        chance = bdtr(own, np.maximum(own + rival, 1), 0.5)
        return np.asarray((own + rival > 0) & (self.rival != claims.own) & (chance <= alpha / 10))


def attack(
    voters: Voters, claims: Claims, points: int, rng: np.random.Generator, *, first: np.ndarray, public: Known,
    slopes: Slopes | None = None,
) -> Search:  # fmt: skip
    """Look for the worst point inside of each radius.

    In turn: the direction that the noise of the certificate's own votes gives; a linear surrogate's, and the nearest
    known rows with another answer; with gradients an ascent of the loss averaged over the noise; then the votes'
    directions, over and over.

    Args:
        voters: The model.
        claims: What is attacked.
        points: Points to ask about for each row.
        rng: All choices.
        first: (n, c) pull of the certificate's votes; 0: none.
        public: Rows whose answers are known.
        slopes: The model's gradients; None: it gives none.
    """
    search = Search(voters, claims, rng)
    search.ask(first)
    for aim in _towards(voters, claims, public):
        search.ask(aim)
    if slopes is not None:
        _ascend(search, voters, claims, slopes, rng)
    for turn in range(max(points - search.tried // max(len(claims.own), 1), 2)):
        search.follow(turn)
    return search


def known(voters: Voters, values: np.ndarray, rng: np.random.Generator) -> Known:
    """Ask for the answers to some rows (m, d), and learn a linear surrogate from them."""
    some = values[rng.choice(len(values), min(len(values), POOL), replace=False)]
    still = np.zeros(len(some))
    told = voters(some, still.astype(np.int64), 1, rng, sigma=still).counts.argmax(axis=1)
    return Known(some, told, surrogate.linear(voters.lens.space, some, told, regression=False))


def _towards(voters: Voters, claims: Claims, public: Known) -> list[np.ndarray]:
    """Return directions to the nearest known rows that are answered otherwise, and the surrogate's to their class."""
    lens = voters.lens
    mine, theirs = lens.encode(claims.values), lens.encode(public.values)
    away = (mine**2).sum(axis=1)[:, None] + (theirs**2).sum(axis=1) - 2 * mine @ theirs.T
    away[claims.own[:, None] == public.answers] = np.inf
    many = min(_NEIGHBOURS, len(theirs))
    near = np.argsort(away, axis=1, kind="stable")[:, :many]
    has = np.isfinite(np.take_along_axis(away, near, axis=1))
    aims = [np.where(has[:, at, None], theirs[near[:, at]] - mine, 0.0) for at in range(many)]
    if public.model is None:
        return aims
    slopes = np.zeros((voters.classes, len(lens.columns)))
    slopes[public.model.answers.astype(np.int64)] = public.model.weights[:, lens.at] * lens.scale
    rival = public.answers[near[:, 0]]
    return [np.where(has[:, [0]], slopes[rival] - slopes[claims.own], 0.0), *aims]


def _ascend(search: Search, voters: Voters, claims: Claims, slopes: Slopes, rng: np.random.Generator) -> None:
    """Climb the loss averaged over the noise, l2 steps inside of the radius, cross-entropy and margin in turn."""
    lens, reach = voters.lens, (_INSIDE * claims.radius)[:, None]
    by = np.zeros_like(search.by)
    for step in range(_ASCENT):
        at, pull = search.points(by), np.zeros_like(by)
        for _ in range(_COPIES):
            noise = rng.standard_normal(by.shape) * claims.sigma[:, None]
            _, found = slopes(lens.possible(lens.moved(at, noise)), claims.rows, claims.own,
                              "margin" if step % 2 else "cross-entropy")  # fmt: skip
            pull += np.nan_to_num(found[:, lens.at] * lens.scale)
        voters.asked += _COPIES * len(by)
        by = by + _unit(pull) * reach * (2.0 / (1 + step))
        by *= np.minimum(1.0, reach / np.maximum(np.linalg.norm(by, axis=1, keepdims=True), _TINY))
        search.ask(by)


def _unit(values: np.ndarray) -> np.ndarray:
    return np.asarray(values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), _TINY))
