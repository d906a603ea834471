"""Check S2.training: planted persons bound from below what a training gives away; our own trainer watches itself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pandas as pd

from fivefold.contract.finding import Canary, Measure, Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import UnsupportedError
from fivefold.sharing.privacy import canaries, measured, noise, training
from fivefold.sharing.privacy.declared import declared
from fivefold.sharing.privacy.loss import DELTA, RHO, epsilon_of
from fivefold.stats.judge import judge

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fivefold.contract.check import Context
    from fivefold.sharing.privacy.training import Training

FLOOR, APART = "max_proved", "max_apart"
_FEWEST = 500
_MOST_SCORES = 8
_MANY = {"quick": 1000, "standard": 3000, "thorough": 10_000}
_MOST_STEPS, _RATE, _AWAY = 2000, 0.1, 1.5
_ROWS = 4000
_FAR = 1 << 18
_REMEDY = "Do not hand the model on: noise, clipping or sampling of its training is not what is claimed."
_LIMITS = (
    "One run, one way of attack: a bound from below. A pass says that nothing was found where half the noise would be.",
)


@dataclass(frozen=True)
class Claim:
    """What a training claims.

    Attributes:
        epsilon: At delta.
        delta: That.
        apart: How far it may set a canary apart, in deviations; 0: it does not say enough for that.
    """

    epsilon: float
    delta: float
    apart: float


@dataclass(frozen=True)
class Seen:
    """What canaries showed, and what can be planted in their place.

    Attributes:
        claim: Of the training.
        included: (m,) bool.
        scores: (m, k).
        faults: What the run saw of itself; None: it does not look.
        plant: Whether with half of the noise: (included, scores) of another run.
        what: It, in words.
    """

    claim: Claim
    included: np.ndarray
    scores: np.ndarray
    faults: tuple[str, ...] | None
    plant: Callable[[bool], tuple[np.ndarray, np.ndarray]]
    what: str


def run(context: Context) -> Result:
    """Audit a training.

    Threat: a training claims an epsilon and adds too little noise, forgets to clip, or uses noise again.
    Limit: a bound from below by one run; of a foreign trainer nothing but its outputs is seen.

    Args:
        context: ``controls.S2.training`` and its data, or canaries of another trainer; thresholds ``max_proved``,
            ``max_apart``.

    Raises:
        UnsupportedError: ``privacy.undeclared``, ``privacy.canaries``, ``privacy.column``, ``privacy.extra``.
    """
    seen = _foreign(context) or _own(context)
    context.progress(0.5, "guessing who was in")
    found = canaries.audit(seen.included, seen.scores, seen.claim.delta)
    floors = context.thresholds
    apart = _apart(found, seen, floors[APART])
    measures = [_proved(found, seen, floors[FLOOR]), *apart, *_watched(seen)]
    proof = _prove(seen, floors)
    outcomes = {one.outcome for one in measures} | (set() if apart else {Outcome.INCONCLUSIVE})
    outcome = next(one for one in (Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.PASS) if one in outcomes)
    outcome = outcome if proof.noticed else Outcome.INCONCLUSIVE
    return Result(
        outcome=outcome, reason=_reason(outcome, proof, found, seen), measures=tuple(measures), canary=proof,
        limits=_LIMITS, remedy=_REMEDY if outcome is Outcome.FAIL else "",
    )  # fmt: skip


def _proved(found: canaries.Audit, seen: Seen, floor: float) -> Measure:
    ratio = min(found.epsilon / seen.claim.epsilon, 1e9)
    return Measure(
        name="epsilon that is proved, against the claim", value=ratio, low=ratio, high=ratio, threshold=floor,
        direction="max", outcome=judge(ratio, ratio, floor, "max"), unit="ratio", n=len(seen.included), where=seen.what,
        note=f"At least {found.epsilon:.3g} at 99.5 %, whatever the noise: {found.right} of {found.guesses} guesses "
        f"right; claimed is {seen.claim.epsilon:.3g} at delta {seen.claim.delta:.3g}.",
    )  # fmt: skip


def _apart(found: canaries.Audit, seen: Seen, floor: float) -> list[Measure]:
    if not seen.claim.apart:
        return []
    low, value, high = ((max(part, 0.0) / seen.claim.apart) ** 2 for part in (found.low, found.apart, found.high))
    return [Measure(
        name="loss of the sum of steps, against the claim", value=value, low=low, high=high, threshold=floor,
        direction="max", outcome=judge(low, high, floor, "max"), unit="ratio", n=len(seen.included),
        note=f"Canaries that are in stand {found.apart:.3f} deviations off; a Gaussian training as claimed allows "
        f"{seen.claim.apart:.3f}. Half the noise is 4.",
    )]  # fmt: skip


def _watched(seen: Seen) -> list[Measure]:
    if seen.faults is None:
        return []
    count = float(len(seen.faults))
    return [Measure(
        name="faults that the run saw of itself", value=count, low=count, high=count, threshold=0.5, direction="max",
        outcome=judge(count, count, 0.5, "max"), unit="faults",
        note="; ".join(seen.faults) or "Sampling, clipping and the order of noise were seen to be as claimed.",
    )]  # fmt: skip


def _flagged(included: np.ndarray, scores: np.ndarray, claim: Claim, floors: Mapping[str, float]) -> bool:
    found = canaries.audit(included, scores, claim.delta)
    by_proof = found.epsilon > floors[FLOOR] * claim.epsilon
    return by_proof or (claim.apart > 0 and (max(found.low, 0.0) / claim.apart) ** 2 > floors[APART])


def _prove(seen: Seen, floors: Mapping[str, float]) -> Canary:
    found, alarms = (int(_flagged(*seen.plant(fault), seen.claim, floors)) for fault in (True, False))
    return Canary(
        kind="half the noise", planted=1, found=found, clean=1, false_alarms=alarms,
        noticed=bool(found) and not alarms,
        detail=f"A training with half of the noise, judged by {len(seen.included)} canaries as here; the clean case "
        "has all of it.",
    )  # fmt: skip


def _reason(outcome: Outcome, proof: Canary, found: canaries.Audit, seen: Seen) -> str:
    if not proof.noticed:
        return (
            "Half of the noise would not be noticed here, or honest noise is called too little, so nothing is "
            "concluded: take more canaries, and say noise, rate and steps of the training."
        )
    if seen.faults:
        return f"The run saw a fault of its own: {seen.faults[0]}"
    if outcome is Outcome.FAIL:
        return f"The training gives away more than it claims: {found.right} of {found.guesses} guesses were right."
    if outcome is Outcome.PASS:
        return "Planted persons are no easier to tell than the claim allows; half the noise would have been noticed."
    return "It stays open whether the training keeps to its claim."


def _foreign(context: Context) -> Seen | None:
    """Return canaries of another trainer, where ``controls.S2.canaries`` names them.

    Raises:
        UnsupportedError: ``privacy.canaries`` where they cannot be read as such.
    """
    told: Mapping[str, Any] | None = measured.options(context).get(measured.CANARIES)
    if told is None:
        return None
    try:
        name, cost = str(told["data"]), told["loss"]
        epsilon, delta = float(cost["epsilon"]), float(cost.get("delta", 0.0))
        parts = [float(told.get(key, 0.0)) for key in ("rate", "noise", "steps")]
    except (KeyError, TypeError, ValueError):
        raise _misread() from None
    if not (epsilon > 0 and 0 <= delta < 1 and min(parts) >= 0 and parts[0] <= 1):
        raise _misread()
    table = context.tables(name)
    both = pd.concat([table.features, table.others], axis=1)
    columns = [column for column in both.columns if column != "included" and both[column].dtype.kind in "iuf"]
    if "included" not in both or not columns:
        raise UnsupportedError("privacy.canaries", f"data.{name} needs a column `included` and one of scores.",
                               remedy="Write 0 or 1, and a number that is higher for one that looks in.")  # fmt: skip
    coins = pd.to_numeric(both["included"], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    scores = both[sorted(columns, key=lambda one: one != "score")[:_MOST_SCORES]].to_numpy(dtype=np.float64)
    share = float(np.mean(coins == 1))
    fair = np.isin(coins, (0.0, 1.0)).all() and abs(share - 0.5) < 3 / np.sqrt(max(len(coins), 1))
    if len(coins) < _FEWEST or not fair or not np.isfinite(scores).all():
        raise UnsupportedError(
            "privacy.canaries", f"data.{name} holds no {_FEWEST} canaries, in by a fair coin, with finite scores.",
            remedy="Throw a coin for each canary before the training, and score all of them after it.",
        )  # fmt: skip
    most = canaries.most_apart(parts[0], parts[1], int(parts[2])) if min(parts) > 0 else 0.0
    claim = Claim(epsilon, delta, most)
    mu, rng = most or canaries.gaussian_apart(epsilon, max(delta, 1e-9)), context.rng

    def plant(fault: bool) -> tuple[np.ndarray, np.ndarray]:
        coin = rng.random(len(coins)) < 0.5
        return coin, (rng.normal(0, 0.5 if fault else 1.0, len(coins)) + mu * coin)[:, None]

    return Seen(claim, coins == 1, scores, None, plant, "canaries of another trainer")


def _misread() -> UnsupportedError:
    return UnsupportedError(
        "privacy.canaries", "controls.S2.canaries is not understood.",
        remedy="Write canaries: {data: NAME, loss: {epsilon: 1, delta: 1e-5}, rate: 0.01, noise: 1.1, steps: 900}.",
    )  # fmt: skip


def _own(context: Context) -> Seen:
    told = declared({key: value for key, value in measured.options(context).items() if key not in measured.OTHERS})
    if told.training is None:
        raise UnsupportedError("privacy.undeclared", "no private training is declared.",
                               remedy="Write it under controls.S2.training, or name canaries.")  # fmt: skip
    wanted = told.training
    frame = _frame(context, wanted)
    return _net(context, wanted, frame) if wanted.net is not None else _regression(context, wanted, frame)


def _frame(context: Context, wanted: Training) -> pd.DataFrame:
    """Return at most 4,000 rows of the columns that are learned from, each as if it were a person."""
    table = context.tables(wanted.data)
    take = min(len(table), _ROWS, context.rows)
    at = np.sort(context.rng.choice(len(table), take, replace=False))
    found: dict[str, Any] = {}
    for name in wanted.columns:
        if name not in table.features.columns and name not in table.others.columns:
            raise UnsupportedError("privacy.column", f"the column {name[:60]!r} is not there.",
                                   remedy="Name columns of its data set.")  # fmt: skip
        found[name] = table.column(name).iloc[at].reset_index(drop=True)
    return pd.DataFrame(found, index=pd.RangeIndex(take))


def _net(context: Context, wanted: Training, frame: pd.DataFrame) -> Seen:
    """Run our own trainer at the declared rate of sampling and noise, watched, with canaries among the rows."""
    try:
        from fivefold.sharing.privacy.sgd import probe, train
    except ImportError:
        raise UnsupportedError("privacy.extra", "torch is not installed.",
                               remedy="Install it: pip install 'fivefold[torch]'.") from None  # fmt: skip
    from fivefold.sharing.privacy.sgd.account import Path, noise_for

    net, made = wanted.net, training.plan(wanted)
    if net is None:
        raise UnsupportedError("privacy.undeclared", "no net is declared.", remedy="Write controls.S2.training.net.")
    people = max(1, len(context.tables(wanted.data)))
    rate, steps = train.rate_of(min(1.0, net.batch / people)), max(1, round(net.epochs * people / net.batch))
    budget = made.loss._replace(rho=made.step_rho)
    full = Path(rate, noise_for(budget, rate, steps), steps)
    asked = max(full.q, _RATE)  # many canaries take part, so that few steps are enough
    count = int(min(_MOST_STEPS, max(50, np.ceil((_AWAY * full.noise / asked) ** 2))))
    path = Path(train.rate_of(asked), full.noise, count)
    delta = budget.delta / DELTA
    claim = Claim(path.epsilon(delta), delta, canaries.most_apart(path.q, path.noise, path.steps))
    pieces = [training.piece(frame[name], column) for name, column in wanted.columns.items()]
    rows = np.concatenate(pieces, axis=1).astype(np.float32)
    answers = context.rng.integers(0, 2, len(rows))
    recipe, draw = train.Recipe(path, clip=net.clip, step=0.0, momentum=0.0), noise.seeded(context.rng)

    def once(fault: bool) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
        def halved(own: Any) -> Any:
            return replace(own, noise=lambda step, d: own.noise(step, d) // 2)

        many = _MANY[context.effort]
        included, out, found = probe.probe(
            rows, answers, many, recipe, context.rng, draw=draw, change=halved if fault else None
        )
        return included, canaries.scores(out), found.observed.faults

    included, scores, faults = once(False)  # noqa: FBT003
    what = f"{path.steps} steps of our trainer, noise {path.noise:.3g} as declared, rate {path.q:.3g}"
    return Seen(claim, included, scores, faults, lambda fault: once(fault)[:2], what)


def _regression(context: Context, wanted: Training, frame: pd.DataFrame) -> Seen:
    """Run the private regression with canaries, each a row of a column of its own."""
    made, many = training.plan(wanted), _MANY[context.effort] // 2
    frame = frame.iloc[:_FEWEST]
    steps = int(min(_MOST_STEPS, max(1, np.ceil(_AWAY**2 / 2 / (made.step_rho / RHO)))))
    part = replace(made, training=msgspec.structs.replace(wanted, unit=type(wanted.unit)()), width=made.width + many)
    rows, _ = training.encoded(wanted, [frame.assign(**{wanted.target: 0})])
    answers = context.rng.integers(0, 2, len(rows)).astype(np.int8)
    rho = made.step_rho * steps / RHO
    delta = 1e-6
    claim = Claim(epsilon_of(rho, delta), delta, float(np.sqrt(2 * rho)))
    draw, law = noise.seeded(context.rng), part.law

    def drawn(size: int) -> np.ndarray:
        return noise.sample(law, size, draw)

    def once(fault: bool) -> tuple[np.ndarray, np.ndarray]:
        included = context.rng.random(many) < 0.5
        ids = np.flatnonzero(included)
        held = np.zeros((len(rows) + len(ids), part.width), dtype=np.int16)
        held[: len(rows), : made.width] = rows
        held[len(rows) + np.arange(len(ids)), made.width + ids] = 1 << 10
        told = np.concatenate([answers, np.ones(len(ids), dtype=np.int8)])
        weights = np.zeros(part.width, dtype=np.int64)
        weights[made.width :] = -_FAR  # where a canary moves the gradient most
        out = [
            training.noisy(part, held, told, weights, lambda d: drawn(d) // (2 if fault else 1)) for _ in range(steps)
        ]
        return included, canaries.scores(-np.array(out)[:, made.width :])

    return Seen(claim, *once(False), None, once, f"{steps} gradients of our regression, noise as declared")  # noqa: FBT003
