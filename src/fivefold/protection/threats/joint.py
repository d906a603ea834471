"""Check P5.joint: detectors that learn together without sharing traffic, against alone and all flows in one place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np
from threadpoolctl import threadpool_limits

from fivefold.contract.finding import Bar, Canary, Measure, Plot, Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import InputError, UnsupportedError
from fivefold.protection.threats import encoding, figures
from fivefold.protection.threats.setting import FEWEST_FLOWS, lay_out
from fivefold.stats.judge import judge
from fivefold.stats.paired import tango
from fivefold.stats.proportion import wilson

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.contract.subject import Table
    from fivefold.protection.threats.encoding import Encoding

USES = "federate.joint"
LOSS, GAIN = "max_joint_loss", "min_joint_gain"
_STEPS, _LEVELS = 8, 16
_REMEDY = "Train for more rounds (controls.S3.rounds), or with `robust: mean` where no client is malicious."
_Z = 1.6449


class Federation(Protocol):
    """Clients who train together; see :class:`fivefold.sharing.federated.joint.Joint`."""

    clients: int
    data: str

    def owners(self, table: Table, rng: np.random.Generator) -> np.ndarray:
        """Return (n,) the client that holds each row."""
        ...

    def together(
        self, x: np.ndarray, y: np.ndarray, owner: np.ndarray, classes: int, rng: np.random.Generator
    ) -> np.ndarray:
        """Return (w, k) weights learned together."""
        ...

    def apart(self, x: np.ndarray, y: np.ndarray, classes: int) -> np.ndarray:
        """Return (w, k) weights learned of these rows alone."""
        ...


@dataclass(frozen=True)
class Flows:
    """Flows of all clients, as the model sees them.

    Attributes:
        x: (n, w), the last column 1.
        y: (n,) 1 for threats, 0 for benign flows.
        owner: (n,) client.
        held_x: (m, w) test flows.
        held_y: (m,) as ``y``.
    """

    x: np.ndarray
    y: np.ndarray
    owner: np.ndarray
    held_x: np.ndarray
    held_y: np.ndarray

    def right(self, weights: np.ndarray) -> np.ndarray:
        """Return (m,) bool, test flows that a model answers rightly."""
        return np.asarray((self.held_x @ weights).argmax(axis=1) == self.held_y)


def run(context: Context) -> Result:
    """Measure what learning together is worth, and what it costs.

    Threat: every site sees some families only, and traffic may not leave it.
    Limit: the model is a softmax model of this product's over cells of each column; which cells there are, and
    the values of texts, count as agreed beforehand.

    Args:
        context: Needs ``train`` and ``test``; thresholds ``max_joint_loss`` and ``min_joint_gain``; ``uses`` S3's
            federation.

    Raises:
        UnsupportedError: As the federation, and :func:`fivefold.protection.threats.setting.lay_out`.
    """
    with threadpool_limits(limits=1):
        return _run(context)


def _run(context: Context) -> Result:
    federation = cast("Federation", context.uses[USES](context))  # type: ignore[operator]
    setting = lay_out(context)
    if setting.train is None or federation.data != setting.train.name:
        raise UnsupportedError("threats.train", "clients of controls.S3 hold another data set than train.",
                               remedy="Let controls.S3.data be train.")  # fmt: skip
    told = encoding.fit(setting.train.features, setting.options.leave if setting.options else ())
    grid = _grid(told, told(setting.train.features))
    flows = Flows(
        _inputs(told(setting.train.features), grid), (setting.train.target != setting.benign).astype(np.int64),
        federation.owners(setting.train, context.rng), _inputs(told(setting.test.features), grid),
        setting.bad.astype(np.int64),
    )  # fmt: skip
    context.progress(0.2, "learning together")
    try:
        joint = flows.right(federation.together(flows.x, flows.y, flows.owner, 2, context.rng))
    except InputError as error:
        raise UnsupportedError(error.code, error.message, remedy=error.remedy) from None
    central = flows.right(federation.apart(flows.x, flows.y, 2))
    context.progress(0.5, "learning alone")
    sites = [at for at in range(federation.clients) if int((flows.owner == at).sum()) >= FEWEST_FLOWS]
    alone = np.array([flows.right(federation.apart(flows.x[flows.owner == at], flows.y[flows.owner == at], 2))
                      for at in sites])  # fmt: skip
    if not len(alone):
        raise UnsupportedError("threats.rows", "no client of the federation holds 30 flows.")
    return _result(context, federation, flows, (joint, central, alone))


def _result(
    context: Context, federation: Federation, flows: Flows, right: tuple[np.ndarray, np.ndarray, np.ndarray]
) -> Result:
    joint, central, alone = right
    lost = _lost(central, joint, context.thresholds[LOSS])
    gain = _gain(joint, alone, context.thresholds[GAIN])
    proof = _prove(context, federation, flows, central)
    outcome = figures.decided(lost, gain) if proof.noticed else Outcome.INCONCLUSIVE
    shown = [figures.share("accuracy", part, where=where) for part, where in
             ((joint, "together"), (central, "all flows in one place"))]  # fmt: skip
    shown.append(Measure(name="accuracy", value=float(alone.mean()), unit="share", n=alone.shape[1],
                         where="alone, mean over clients"))  # fmt: skip
    for where, mine in (("together", joint), ("all flows in one place", central)):
        shown.append(figures.share("threats missed", ~mine[flows.held_y == 1], where=where))
        shown.append(figures.share("false alarms", ~mine[flows.held_y == 0], where=where))
    text = (
        f"Learning together {joint.mean():.3f} of {len(joint):,} test flows are told rightly, alone "
        f"{alone.mean():.3f} (mean over {len(alone)} clients), in one place {central.mean():.3f}."
    )
    bars = [_bar("together", joint), _bar("all flows in one place", central)]
    bars += [_bar(f"client {at + 1} alone", one) for at, one in enumerate(alone[:20])]
    judged = (lost, gain) if proof.noticed else figures.opened(lost, gain)
    return Result(
        outcome=outcome, reason=text if proof.noticed else f"Clients with changed labels were not noticed. {text}",
        measures=(*judged, *shown), canary=proof,
        plots=(Plot(kind="intervals", title="accuracy on test flows", x_label="accuracy", bars=tuple(bars)),),
        limits=(*figures.LIMITS, "The model is a softmax model of this product's, trained alike everywhere."),
        remedy="" if outcome is Outcome.PASS else _REMEDY,
    )  # fmt: skip


def _lost(central: np.ndarray, joint: np.ndarray, floor: float) -> Measure:
    """Return by how much fewer flows the joint model answers rightly than the central one (Tango 1998)."""
    only1, only2, n = int((central & ~joint).sum()), int((joint & ~central).sum()), len(joint)
    low, high = (float(part) for part in tango(only1, only2, n))
    return Measure(
        name="accuracy lost against all flows in one place", value=(only1 - only2) / n, low=low, high=high,
        threshold=floor, direction="max", outcome=judge(low, high, floor, "max"), unit="share", n=n,
    )  # fmt: skip


def _gain(joint: np.ndarray, alone: np.ndarray, floor: float) -> Measure:
    """Return how much accuracy a client gains on average, over test flows, the clients being given."""
    gain = joint.astype(np.float64) - alone.mean(axis=0)
    half = _Z * float(gain.std(ddof=1)) / float(np.sqrt(len(gain)))
    low, high = float(gain.mean()) - half, float(gain.mean()) + half
    return Measure(
        name="accuracy gained against learning alone", value=float(gain.mean()), low=low, high=high, threshold=floor,
        direction="min", outcome=judge(low, high, floor, "min"), unit="share", n=len(gain), note="Mean over clients.",
    )  # fmt: skip


def _prove(context: Context, federation: Federation, flows: Flows, central: np.ndarray) -> Canary:
    """Let most clients learn from changed labels, which must be noticed; learn centrally in another order."""
    rng = context.rng
    count = round(float(rng.uniform(0.6, 0.9)) * federation.clients)
    turned = np.isin(flows.owner, rng.choice(federation.clients, count, replace=False))
    try:
        spoilt = flows.right(federation.together(flows.x, np.where(turned, 1 - flows.y, flows.y), flows.owner, 2, rng))
    except InputError:
        spoilt = ~central
    order = rng.permutation(len(flows.y))
    again = flows.right(federation.apart(flows.x[order], flows.y[order], 2))
    bad = _lost(central, spoilt, context.thresholds[LOSS]).outcome is Outcome.FAIL
    good = _lost(central, again, context.thresholds[LOSS]).outcome is Outcome.FAIL
    return Canary(
        kind="clients that learn from changed labels, and flows of one place in another order", planted=1,
        found=int(bad), clean=1, false_alarms=int(good), noticed=bad and not good,
        detail=f"{count} of {federation.clients} clients; {central.mean() - spoilt.mean():.2f} of the answers lost.",
    )  # fmt: skip


def _bar(label: str, right: np.ndarray) -> Bar:
    low, high = wilson(int(right.sum()), len(right))
    return Bar(label=label, value=float(right.mean()), low=float(low), high=float(high), n=len(right))


def _grid(told: Encoding, values: np.ndarray) -> list[np.ndarray]:
    """Return the edges of each column's cells: between texts, or at eighths of its values."""
    grid = []
    for place, column in enumerate(told.columns):
        if column.levels:
            grid.append(np.arange(min(len(column.levels), _LEVELS)) + 0.5)
        else:
            grid.append(np.unique(np.quantile(values[:, place], np.linspace(0, 1, _STEPS + 1)[1:-1])))
    return grid


def _inputs(values: np.ndarray, grid: list[np.ndarray]) -> np.ndarray:
    """Return (n, w): 1 in the cell of each value, scaled so that squares of a row add up to 16; last column 1."""
    parts = []
    for place, edges in enumerate(grid):
        cell = np.searchsorted(edges, values[:, place], side="right")
        parts.append(cell[:, None] == np.arange(len(edges) + 1))
    scale = 4.0 / np.sqrt(len(grid))
    return np.column_stack([*(part * scale for part in parts), np.ones(len(values))])
