"""Check S3.membership: whether the server, or another client, can tell that a row is trained on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.finding import Canary, Measure, Result
from fivefold.contract.outcome import Outcome
from fivefold.sharing.federated import distributed
from fivefold.sharing.federated.declared import declared
from fivefold.sharing.federated.learner import gather, update
from fivefold.stats import auc
from fivefold.stats.judge import judge

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.sharing.federated.declared import Federation
    from fivefold.sharing.federated.learner import Rows

TOLD = "max_auc"
SERVER, CLIENT = "the server", "another client"
GAMES, ROUNDS, _COLUMNS = 3000, 3, 256
_SHADOWS, _MOST_SHADOWS, _FEWEST_SHADOWS = 640, 64, 8
_SMALL = (1, 3)
_REMEDY = "Leave `masking` on, let more clients or clients of more rows take part, or declare `noise` and `norm`."


@dataclass(frozen=True)
class _Stage:
    """What games are played on.

    Attributes:
        rows: Of all clients.
        told: The federation.
        weights: (r, w, k) the model at the start of each round.
        shadows: (clients, b, r, w, k) updates of each client, its rows drawn anew with replacement.
        counts: (clients,) rows of each.
        whiten: (w, w) the inverse covariance of rows, shrunk.
    """

    rows: Rows
    told: Federation
    weights: np.ndarray
    shadows: np.ndarray
    counts: np.ndarray
    whiten: np.ndarray


def run(context: Context) -> Result:
    """Judge S3.membership.

    Threat: whoever sees updates, sums or models of a few rounds tells whether somebody's row was trained on.
    Limit: a linear model, three rounds, an attacker who knows rows like these but none of those that were trained on;
        one who knows all rows but one tells more. Noise is judged as it is drawn, not by its epsilon.

    Raises:
        UnsupportedError: ``federated.undeclared``, ``federated.declared``, ``federated.robust-masked``,
            ``federated.rows``.
    """
    told = declared(context)
    stage = _stage(gather(context, told), told, context.rng)
    context.progress(0.3, "games about membership")
    floor = context.thresholds[TOLD]
    scores = _games(stage, told, context.rng)
    measures = tuple(_judged(scores[who], floor, f"AUC with which {who} tells members", told) for who in scores)
    context.progress(0.7, "a plain federation with a client of few rows")
    bird = _canary(stage, floor, context.rng)
    found = {one.outcome for one in measures}
    outcome = next((one for one in (Outcome.FAIL, Outcome.INCONCLUSIVE) if one in found), Outcome.PASS)
    figures = ", ".join(f"{who} {one.value:.2f}" for who, one in zip(scores, measures, strict=True))
    return Result(
        outcome=outcome if bird.noticed else Outcome.INCONCLUSIVE,
        reason=(
            f"Membership of a row is told with an AUC of: {figures} (0.5 is guessing), {_how(told)}."
            if bird.noticed
            else "Membership could not be told of a client of few rows either, so nothing is concluded."
        ),
        measures=measures,
        canary=bird,
        limits=("A linear model and three rounds; who knows all rows but one can tell more.",),
        remedy="" if outcome is Outcome.PASS else _REMEDY,
    )


def _how(told: Federation) -> str:
    if not told.masking:
        return "updates plain"
    return f"updates masked, with noise of {told.noise:g} times the norm" if told.noise else "updates masked"


def _stage(rows: Rows, told: Federation, rng: np.random.Generator) -> _Stage:
    if rows.x.shape[1] > _COLUMNS:  # the last column is the constant
        kept = np.append(np.sort(rng.choice(rows.x.shape[1] - 1, _COLUMNS - 1, replace=False)), rows.x.shape[1] - 1)
        rows = replace(rows, x=rows.x[:, kept], held_x=rows.held_x[:, kept])
    counts = np.bincount(rows.owner, minlength=told.clients)
    weights = [np.zeros((rows.x.shape[1], rows.classes))]
    for _ in range(ROUNDS - 1):
        sent = [update(weights[-1], *_own(rows, client)) for client in range(told.clients)]
        weights.append(weights[-1] + np.average(sent, axis=0, weights=np.maximum(counts, 1)))
    many = int(np.clip(_SHADOWS // told.clients, _FEWEST_SHADOWS, _MOST_SHADOWS))
    shadows = np.zeros((told.clients, many, ROUNDS, *weights[0].shape))
    for client in range(told.clients):
        x, y = _own(rows, client)
        for at in range(many):
            drawn = rng.integers(0, len(x), len(x)) if len(x) else np.zeros(0, dtype=np.int64)
            shadows[client, at] = _sent(weights, x[drawn], y[drawn], told)
    spread = np.cov(rows.x, rowvar=False) + 0.1 * np.eye(rows.x.shape[1])
    return _Stage(rows, told, np.stack(weights), shadows, counts, np.linalg.inv(spread))


def _own(rows: Rows, client: int) -> tuple[np.ndarray, np.ndarray]:
    mine = rows.owner == client
    return rows.x[mine], rows.y[mine]


def _sent(weights: list[np.ndarray] | np.ndarray, x: np.ndarray, y: np.ndarray, told: Federation) -> np.ndarray:
    """Return a client's (r, w, k) updates, each from the model of its round; shortened where noise is declared."""
    found = np.stack([update(one, x, y) for one in weights])
    if told.noise:
        found = np.stack([distributed.shortened(one.ravel(), told.norm).reshape(one.shape) for one in found])
    return found


def _games(
    stage: _Stage, told: Federation, rng: np.random.Generator, *, few: bool = False, absent: bool = False
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Play games; return for each onlooker the (s, n) scores of each attack, and the (n,) coins.

    Args:
        stage: Rows and shadows.
        told: How updates are sent.
        rng: Draws clients, rows and coins.
        few: The client in question has one to three other rows.
        absent: The row in question is never there, whatever the coin says.
    """
    rows = stage.rows
    noise = _noise(stage, told)
    able = np.flatnonzero(stage.counts >= 2)
    mean = stage.shadows.mean(axis=1)
    share = np.maximum(stage.counts, 1) / np.maximum(stage.counts, 1).sum()
    share = np.full(told.clients, 1 / told.clients) if told.noise else share
    found: dict[str, list[np.ndarray]] = {SERVER: [], CLIENT: []}
    coins = rng.integers(0, 2, GAMES)
    for coin in coins:
        victim, target = int(rng.choice(able)), int(rng.integers(len(rows.held_x)))
        x, y = _own(rows, victim)
        drawn = rng.integers(0, len(x), int(rng.integers(_SMALL[0], _SMALL[1] + 1)) if few else len(x))
        own_x, own_y = x[drawn], y[drawn]
        if coin and not absent:
            own_x[0], own_y[0] = rows.held_x[target], rows.held_y[target]
        sent = _sent(stage.weights, own_x, own_y, told)
        chosen = rng.integers(0, stage.shadows.shape[1], told.clients)
        others = stage.shadows[np.arange(told.clients), chosen] - mean
        others[victim] = sent - mean[victim]
        whole = np.tensordot(share, others, axes=1)
        onlooker = int(rng.choice(np.delete(np.arange(told.clients), victim)))
        views = {
            SERVER: whole + noise * rng.normal(size=whole.shape) if told.masking else others[victim],
            CLIENT: whole - share[onlooker] * others[onlooker] + noise * rng.normal(size=whole.shape),
        }
        for who, view in views.items():
            found[who].append(_scores(stage, view, rows.held_x[target], int(rows.held_y[target])))
    return {who: (np.array(scores).T, coins) for who, scores in found.items()}


def _noise(stage: _Stage, told: Federation) -> float:
    """Return the standard deviation of all clients' noise in a mean; sums of discrete Gaussians are normal here."""
    if not told.noise:
        return 0.0
    terms = told.terms(int(np.prod(stage.weights.shape[1:])), "games", noised=True)
    step = terms.clip / ((terms.levels - 1) // 2)
    return step * float(np.sqrt(terms.variance / told.clients))


def _scores(stage: _Stage, view: np.ndarray, x: np.ndarray, y: int) -> np.ndarray:
    """Return how much a view speaks for a row: along its gradient, plain and whitened, with and without its length.

    The best linear test of a shift by the row's gradient in updates of known spread (Fisher); the spread of a linear
    layer's updates is that of its rows.
    """
    total, lengths = np.zeros(2), np.zeros(2)
    white = stage.whiten @ x
    for weights, one in zip(stage.weights, view, strict=True):
        scores = x @ weights
        chances = np.exp(scores - scores.max())
        error = -chances / chances.sum()
        error[y] += 1
        for at, row in enumerate((x, white)):
            total[at] += row @ one @ error
            lengths[at] += float(row @ x) * float(error @ error)
    return np.concatenate([total, total / np.sqrt(np.maximum(lengths, 1e-12))])


def _judged(found: tuple[np.ndarray, np.ndarray], floor: float, name: str, told: Federation) -> Measure:
    """Choose the attack on the first half of the games, and judge it on the second (DeLong's error)."""
    scores, coins = found
    half = len(coins) // 2
    first, second = coins[:half] == 1, coins[half:] == 1
    tried = [auc.delong(one[:half][first], one[:half][~first])[0] for one in scores]
    best = scores[int(np.argmax(tried))][half:]
    value, error = auc.delong(best[second], best[~second])
    low, high = auc.bound(value, error, int(second.sum()), int((~second).sum()))
    return Measure(
        name=name, value=value, low=low, high=high, threshold=floor, direction="max", n=len(second),
        outcome=judge(low, high, floor, "max"), note=f"{told.clients} clients, {ROUNDS} rounds, {_how(told)}.",
    )  # fmt: skip


def _canary(stage: _Stage, floor: float, rng: np.random.Generator) -> Canary:
    """A client of two to four rows in a plain federation must be found out; a row that is never there must not be."""
    plain = replace(stage.told, masking=False, noise=0.0)
    bad = _judged(_games(stage, plain, rng, few=True)[SERVER], floor, "", plain)
    good = _judged(_games(stage, plain, rng, absent=True)[SERVER], floor, "", plain)
    caught, alarm = bad.outcome is Outcome.FAIL, good.outcome is Outcome.FAIL
    return Canary(
        kind="a plain client of few rows, and rows that are not there", planted=1, found=int(caught), clean=1,
        false_alarms=int(alarm), noticed=caught and not alarm, detail=f"AUC {bad.value:.2f} of a client of few rows.",
    )  # fmt: skip
