"""Check S3.membership: whether the server, or another client, can tell that a row is trained on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.finding import Canary, Measure, Result
from fivefold.contract.outcome import Outcome
from fivefold.sharing.federated import distributed
from fivefold.sharing.federated.declared import declared
from fivefold.sharing.federated.learner import DECAY, LOCAL_STEPS, RATE, gather, update
from fivefold.stats import auc
from fivefold.stats.judge import judge

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.sharing.federated.declared import Federation
    from fivefold.sharing.federated.learner import Rows

TOLD = "max_auc"
SERVER, CLIENT = "the server", "another client"
ROUNDS, _COLUMNS = 3, 256
_GAMES, _MOST_GAMES, _ROWS, _EMPTY = 3000, 16_000, 450_000, 1000
_CHOOSE = 4
_SHADOWS, _MOST_SHADOWS, _FEWEST_SHADOWS = 640, 64, 8
_SMALL = (1, 3)
_AT_ONCE = 1_000_000
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
    scores = _games(stage, told, context.rng, _many(stage))
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


def _many(stage: _Stage) -> int:
    """Return how many games: more where clients have few rows, where a game takes little and rows show most.

    Three of four are judged. The error of an AUC of n members and n others is about sqrt(1 / 6n) near 0.6: with 16,000
    games 0.005, so that an AUC of 0.617 is clear of 0.6 nineteen times in twenty; with 3,000 games 0.012 and 0.64.
    """
    return int(np.clip(_ROWS // max(1, int(stage.counts.mean())), _GAMES, _MOST_GAMES))


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
        mine = np.flatnonzero(rows.owner == client)
        if len(mine):
            drawn = [mine[rng.integers(0, len(mine), len(mine))] for _ in range(many)]
            shadows[client] = _each(np.stack(weights), _Teams(rows, drawn), told)
    spread = np.cov(rows.x, rowvar=False) + 0.1 * np.eye(rows.x.shape[1])
    return _Stage(rows, told, np.stack(weights), shadows, counts, np.linalg.inv(spread))


def _own(rows: Rows, client: int) -> tuple[np.ndarray, np.ndarray]:
    mine = rows.owner == client
    return rows.x[mine], rows.y[mine]


@dataclass(frozen=True)
class _Teams:
    """Rows that clients train on.

    Attributes:
        rows: Of all clients.
        drawn: Of each client the positions of its rows, one or more.
        guests: Of each client the position of a held row that stands in for the first of them; -1: none does.
    """

    rows: Rows
    drawn: list[np.ndarray]
    guests: np.ndarray | None = None

    def of(self, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return (g, n, w) rows and their (g, n) classes of clients that have equally many."""
        at = np.stack([self.drawn[one] for one in chosen])
        x, y = self.rows.x[at], self.rows.y[at]
        if self.guests is not None:
            guest = self.guests[chosen]
            there = guest >= 0
            x[there, 0], y[there, 0] = self.rows.held_x[guest[there]], self.rows.held_y[guest[there]]
        return x, y


def _each(weights: np.ndarray, teams: _Teams, told: Federation) -> np.ndarray:
    """Return (g, r, w, k) updates of clients, each from the (r, w, k) model of its round, shortened for noise.

    They are those of :func:`~fivefold.sharing.federated.learner.update`, of clients with equally many rows at a time.
    """
    sizes = np.array([len(one) for one in teams.drawn])
    found = np.zeros((len(sizes), *weights.shape))
    for size in np.unique(sizes):
        equal = np.flatnonzero(sizes == size)
        parts = min(len(equal), -(-len(equal) * int(size) * weights.shape[1] // _AT_ONCE))
        for chosen in np.array_split(equal, parts):
            x, y = teams.of(chosen)
            for turn, one in enumerate(weights):
                found[chosen, turn] = _updates(one, x, y)
    if told.noise:
        for one in found.reshape(-1, *weights.shape[1:]):
            one[:] = distributed.shortened(one.ravel(), told.norm).reshape(one.shape)
    return found


def _updates(weights: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return (g, w, k) updates of g clients with (g, n, w) rows of (g, n) classes."""
    wanted = np.eye(weights.shape[1])[y]
    turned, now = x.transpose(0, 2, 1), np.repeat(weights[None], len(x), axis=0)
    for _ in range(LOCAL_STEPS):
        scores = x @ now
        scores -= scores.max(axis=2, keepdims=True)
        chances = np.exp(scores)
        chances /= chances.sum(axis=2, keepdims=True)
        now -= RATE * (turned @ (chances - wanted) / x.shape[1] + DECAY * now)
    return np.asarray(now - weights)


def _games(
    stage: _Stage, told: Federation, rng: np.random.Generator, count: int, *, few: bool = False, absent: bool = False
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Play games; return for each onlooker the (s, n) scores of each attack, and the (n,) coins.

    Args:
        stage: Rows and shadows.
        told: How updates are sent.
        rng: Draws clients, rows and coins.
        count: How many games.
        few: The client in question has one to three other rows.
        absent: The row in question is never there, whatever the coin says.
    """
    rows, every = stage.rows, np.arange(told.clients)
    noise = _noise(stage, told)
    able = np.flatnonzero(stage.counts >= 2)
    mean = stage.shadows.mean(axis=1)
    share = np.maximum(stage.counts, 1) / np.maximum(stage.counts, 1).sum()
    share = np.full(told.clients, 1 / told.clients) if told.noise else share
    coins = rng.integers(0, 2, count)
    found: dict[str, list[np.ndarray]] = {SERVER: [], CLIENT: []}
    owned = [np.flatnonzero(rows.owner == client) for client in every]
    games = max(1, _AT_ONCE // mean[0].size)
    for start in range(0, count, games):
        part = coins[start : start + games]
        n = len(part)
        victims, targets = rng.choice(able, n), rng.integers(0, len(rows.held_x), n)
        sizes = rng.integers(_SMALL[0], _SMALL[1] + 1, n) if few else stage.counts[victims]
        drawn = [owned[who][rng.integers(0, len(owned[who]), size)] for who, size in zip(victims, sizes, strict=True)]
        guests = np.where((part == 1) & (not absent), targets, -1)
        sent = _each(stage.weights, _Teams(rows, drawn, guests), told) - mean[victims]
        chosen = rng.integers(0, stage.shadows.shape[1], (n, told.clients))
        onlookers = (victims + rng.integers(1, told.clients, n)) % told.clients
        whole, seen = np.zeros_like(sent), np.zeros_like(sent)
        for client in every:
            others = stage.shadows[client, chosen[:, client]] - mean[client]
            others[victims == client] = sent[victims == client]
            others *= share[client]
            whole += others
            others[onlookers == client] = 0.0  # who looks on knows its own part
            seen += others
        views = {
            SERVER: whole + noise * rng.normal(size=whole.shape) if told.masking else sent,
            CLIENT: seen + noise * rng.normal(size=seen.shape),
        }
        for who, view in views.items():
            found[who].append(_scores(stage, view, rows.held_x[targets], rows.held_y[targets]))
    return {who: (np.concatenate(scores).T, coins) for who, scores in found.items()}


def _noise(stage: _Stage, told: Federation) -> float:
    """Return the standard deviation of all clients' noise in a mean; sums of discrete Gaussians are normal here."""
    if not told.noise:
        return 0.0
    terms = told.terms(int(np.prod(stage.weights.shape[1:])), "games", noised=True)
    step = terms.clip / ((terms.levels - 1) // 2)
    return step * float(np.sqrt(terms.variance / told.clients))


def _scores(stage: _Stage, view: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return (n, 4) how much (n, r, w, k) views speak for rows: along their gradients, plain, whitened, by length.

    The best linear test of a shift by the row's gradient in updates of known spread (Fisher); the spread of a linear
    layer's updates is that of its rows.
    """
    total, lengths = np.zeros((len(x), 2)), np.zeros((len(x), 2))
    white = x @ stage.whiten.T
    for turn, weights in enumerate(stage.weights):
        scores = x @ weights
        chances = np.exp(scores - scores.max(axis=1, keepdims=True))
        error = -chances / chances.sum(axis=1, keepdims=True)
        error[np.arange(len(y)), y] += 1
        for at, row in enumerate((x, white)):
            total[:, at] += np.einsum("nw,nwk,nk->n", row, view[:, turn], error, optimize=False)
            lengths[:, at] += np.einsum("nw,nw->n", row, x) * np.einsum("nk,nk->n", error, error)
    return np.concatenate([total, total / np.sqrt(np.maximum(lengths, 1e-12))], axis=1)


def _judged(found: tuple[np.ndarray, np.ndarray], floor: float, name: str, told: Federation) -> Measure:
    """Choose the attack on the first quarter of the games, and judge it on the others (DeLong's error)."""
    scores, coins = found
    part = len(coins) // _CHOOSE
    first, second = coins[:part] == 1, coins[part:] == 1
    tried = [auc.delong(one[:part][first], one[:part][~first])[0] for one in scores]
    best = scores[int(np.argmax(tried))][part:]
    value, error = auc.delong(best[second], best[~second])
    low, high = auc.bound(value, error, int(second.sum()), int((~second).sum()))
    return Measure(
        name=name, value=value, low=low, high=high, threshold=floor, direction="max", n=len(second),
        outcome=judge(low, high, floor, "max"), note=f"{told.clients} clients, {ROUNDS} rounds, {_how(told)}.",
    )  # fmt: skip


def _canary(stage: _Stage, floor: float, rng: np.random.Generator) -> Canary:
    """A client of two to four rows in a plain federation must be found out; a row that is never there must not be."""
    plain = replace(stage.told, masking=False, noise=0.0)
    bad = _judged(_games(stage, plain, rng, _GAMES, few=True)[SERVER], floor, "", plain)
    good = _judged(_games(stage, plain, rng, _EMPTY, absent=True)[SERVER], floor, "", plain)
    caught, alarm = bad.outcome is Outcome.FAIL, good.outcome is Outcome.FAIL
    return Canary(
        kind="a plain client of few rows, and rows that are not there", planted=1, found=int(caught), clean=1,
        false_alarms=int(alarm), noticed=caught and not alarm, detail=f"AUC {bad.value:.2f} of a client of few rows.",
    )  # fmt: skip
