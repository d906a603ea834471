"""Canary: certificates that lie, of a linear model on the user's own rows, and honest ones of the same model."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from fivefold.contract.finding import Canary
from fivefold.protection.evasion import planted
from fivefold.protection.evasion.smooth import attack, certify
from fivefold.protection.evasion.smooth.voting import Voters, Votes
from fivefold.stats.proportion import clopper_pearson

if TYPE_CHECKING:
    from fivefold.protection.evasion.pgd import Slopes
    from fivefold.protection.evasion.setting import Setting
    from fivefold.protection.evasion.smooth.options import Options
    from fivefold.protection.evasion.smooth.voting import Lens

MOST = 60
_LEAST = 20
_FAR = 4.0
_FEW = 30
_WIDEST = 6.0


def prove(
    setting: Setting, lens: Lens, options: Options, effort: tuple[int, float, bool], rng: np.random.Generator
) -> Canary:
    """Plant a linear model, state radii of it honestly and in ways that lie, and attack both.

    Args:
        setting: The user's rows.
        lens: What is noised of them.
        options: Of the certificate.
        effort: Points asked about for each row, share of violated certificates that is too large, and whether the
            user's model gives gradients.
        rng: The model, its rows, the noise, and how large the lie is.
    """
    points, floor, white = effort
    model = _linear(setting, rng)
    length = float(np.linalg.norm(model.slopes()[lens.columns] * lens.scale))
    if not length:
        return Canary(kind="a planted linear model", planted=1, found=0, clean=1, false_alarms=0, noticed=False,
                      detail="No linear model of these rows looks at a number that is noised.")  # fmt: skip
    start = setting.public_values[rng.permutation(len(setting.public_values))[:MOST]]
    if not options.radius:  # without ranges the share is Phi(distance / sigma): what holds is known exactly
        lens = replace(lens, free=True)
        start = _placed(start, lens, model, _FAR * options.sigma, rng)
    voters = Voters(lens, model, 2, setting.oracle.max_rows)
    public = attack.known(voters, setting.public_values, rng)
    place = np.zeros(len(start), dtype=np.int64)
    away = np.abs(model.score(start)) / length
    by = float(rng.uniform(1.8, 2.5))
    if options.radius:
        own, none = model(start, place), np.zeros((len(start), len(lens.columns)))
        good, honest = certify.Certificates(own, 0.99 * away, none), "the distance to its plane"
        bad = {f"{by:.2f} times that": replace(good, radius=by * good.radius)}
    else:
        good, honest = certify.certify(voters, start, place, options, rng), "certificates by the book"
        bad = {
            f"radii {by:.2f} times what holds": replace(good, radius=np.where(good.sure, by * away, 0.0)),
            "votes without noise": replace(good, radius=_still(good, options)),
            f"{_FEW} votes that choose and bound, and no bound": _plain(voters, start, place, options, rng),
        }

    def misses(one: certify.Certificates) -> tuple[int, int]:
        kept = np.flatnonzero(one.sure)
        claims = claimed(start[kept], place[kept], one, kept, options)
        slopes: Slopes | None = model.slopes_of if white else None
        search = attack.attack(voters, claims, points, rng, first=one.pull[kept], public=public, slopes=slopes)
        return int(search.violated(options.deciding, options.alpha).sum()), len(kept)

    told = {name: misses(one) for name, one in bad.items()}
    wrong, many = misses(good)
    found = sum(bool(hits) and float(clopper_pearson(hits, n)[0]) > floor for hits, n in told.values())
    alarm = int(bool(wrong) and float(clopper_pearson(wrong, many)[0]) > options.alpha)
    each = "; ".join(f"{name}: {hits} of {n}" for name, (hits, n) in told.items())
    return Canary(
        kind="certificates that lie, of a linear model fitted to these rows",
        planted=len(bad), found=found, clean=1, false_alarms=alarm,
        noticed=found == len(bad) and not alarm and many >= _LEAST,
        detail=f"Violated: {each}. Known-good: {honest}, {wrong} of {many}.",
    )  # fmt: skip


def claimed(
    values: np.ndarray, rows: np.ndarray, one: certify.Certificates, kept: np.ndarray, options: Options
) -> attack.Claims:
    """Return the claims of the certificates at ``kept`` as the attack takes them."""
    reach = one.radius[kept]
    bare = bool(options.radius)
    sigma = reach / _FAR if bare else np.full(len(kept), options.sigma)
    return attack.Claims(values, rows, one.top[kept], reach, sigma, bare)


def _linear(setting: Setting, rng: np.random.Generator) -> planted.LinearModel:
    known, pool = setting.public.target, setting.public_values
    common = int(np.bincount(known[known >= 0]).argmax()) if (known >= 0).any() else 0
    model = planted.fit(setting.space, pool, known == common, rng, regression=False)
    return replace(model, offset=model.offset - float(np.median(model.score(pool))))


def _placed(
    values: np.ndarray, lens: Lens, model: planted.LinearModel, far: float, rng: np.random.Generator
) -> np.ndarray:
    """Return rows moved across to drawn distances of at most ``far`` units from the plane, where certificates count."""
    pull, score = model.slopes()[lens.columns] * lens.scale, model.score(values)
    length = float(np.linalg.norm(pull))
    wanted = np.where(score > 0, 1, -1) * rng.uniform(0.1, 1.0, len(values)) * far * length
    return lens.moved(values, ((wanted - score) / length**2)[:, None] * pull)


def _still(good: certify.Certificates, options: Options) -> np.ndarray:
    """Return the radii that votes give which all agree because no noise was drawn."""
    low, _ = clopper_pearson(options.votes, options.votes, 1 - options.alpha)
    return np.full(len(good.top), options.sigma * float(ndtri(low)))


def _plain(
    voters: Voters, values: np.ndarray, rows: np.ndarray, options: Options, rng: np.random.Generator
) -> certify.Certificates:
    """Return radii from the plain share of few votes, which also chose the class."""
    sigma = np.full(len(values), options.sigma)
    votes = voters(values, rows, _FEW, rng, sigma=sigma)
    votes = voters(values, rows, _FEW, rng, sigma=sigma, own=votes.counts.argmax(axis=1))
    return certify.Certificates(votes.counts.argmax(axis=1), _without(votes, options), votes.pull)


def _without(votes: Votes, options: Options) -> np.ndarray:
    share = votes.counts.max(axis=1) / votes.counts.sum(axis=1)
    return np.asarray(options.sigma * np.clip(ndtri(share), 0.0, _WIDEST))
