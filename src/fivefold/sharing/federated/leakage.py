"""Check S3.leakage: rows rebuilt from what the server of a federation is sent, against a plain one as planted case."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.finding import Canary, Measure, Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import UnsupportedError
from fivefold.sharing.federated import quantise
from fivefold.sharing.federated.aggregation import Eyes, share_of, watching
from fivefold.sharing.federated.declared import declared
from fivefold.sharing.federated.learner import LOCAL_STEPS, update
from fivefold.sharing.federated.play import Party, party, play
from fivefold.sharing.filtering.columns import encoded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fivefold.contract.check import Context
    from fivefold.contract.subject import Table
    from fivefold.sharing.federated.declared import Federation
    from fivefold.sharing.federated.terms import Terms

RECOVERED = "max_recovered"
_NEAR, _ENOUGH = 0.05, 0.5
_CLIENTS, _ROWS, _COLUMNS = 8, 20, 1024
_OTHERS = 400
"""Rows that what is rebuilt must be farther from than from its own."""
_REMEDY = "Leave `masking` on: the server then sees a sum alone."


@dataclass(frozen=True)
class _Scene:
    """Rows that clients train on.

    Attributes:
        x: (n, w) numbers, the last column 1.
        y: (n,) class indices.
        classes: How many.
        usual: (w - 1,) the commonest value of each column, which anybody would guess.
    """

    x: np.ndarray
    y: np.ndarray
    classes: int
    usual: np.ndarray


def run(context: Context) -> Result:
    """Judge S3.leakage.

    Threat: whoever runs the server rebuilds rows from the updates that clients send.
    Limit: a linear model, a client with one row, one step: the best case for the attack on a single update. Deep models
        leak less readily and in other ways.

    Raises:
        UnsupportedError: ``federated.undeclared``, ``federated.declared``, ``federated.robust-masked``,
            ``federated.rows``.
    """
    told = declared(context)
    few = replace(told, clients=min(told.clients, _CLIENTS), degree=0)
    scene = _scene(context, told)
    clients = party(list(few.terms(1, "names").clients), context.rng.bytes)
    floor, victims = context.thresholds[RECOVERED], context.rows
    hits, shares = _attacked(scene, few, clients, victims, context)
    whole = share_of(
        "clients whose row the server rebuilds", (hits, victims), floor, "max",
        f"Half of the cells that nobody would guess, to a twentieth of their spread, nearer than to {_OTHERS} other "
        f"rows; {few.clients} clients.",
    )  # fmt: skip
    shown = Measure(
        name="cells rebuilt", value=float(np.mean(shares)), unit="share", n=victims, note="Of those nobody would guess."
    )
    context.progress(0.6, "a plain federation")
    bird = _canary(scene, few, clients, max(victims // 2, 20), context)
    outcome = whole.outcome or Outcome.INCONCLUSIVE
    return Result(
        outcome=outcome if bird.noticed else Outcome.INCONCLUSIVE,
        reason=(
            f"From what the server is sent, the row of {hits} of {victims} clients can be rebuilt."
            if bird.noticed
            else "Rows could not be rebuilt from a plain federation either, so nothing is concluded."
        ),
        measures=(whole, shown),
        canary=bird,
        limits=("A linear model and clients of one row: what leaks from one update leaks most here.",),
        remedy="" if outcome is Outcome.PASS else _REMEDY,
    )


def rebuilt(view: np.ndarray, row: np.ndarray, usual: np.ndarray) -> float:
    """Return the largest share of a row's unusual cells that stand in an update, over the classes' columns.

    The gradient of a linear layer is the row times one number, and that number is the bias's gradient (Phong et al.
    2018, section 3); so each column divided by its last entry is a candidate.

    Args:
        view: (w, k) an update, or what stands in its place.
        row: (w,) the truth, its last entry 1.
        usual: (w - 1,) what anybody would guess.
    """
    odd = np.abs(row[:-1] - usual) > _NEAR
    if not odd.any():
        return 0.0
    return float((np.abs(_candidates(view) - row[:-1, None]) <= _NEAR)[odd].mean(axis=0).max())


def _candidates(view: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(view[:-1] / view[-1])


def nearness(views: Sequence[np.ndarray], rows: np.ndarray, usual: np.ndarray) -> np.ndarray:
    """Return (n,) how near the closest candidate comes to each row's unusual cells: 1 at every cell, 0 beyond reach.

    Args:
        views: Each (w, k).
        rows: (n, w), the last entry of each 1.
        usual: (w - 1,).
    """
    odd = np.abs(rows[:, :-1] - usual) > _NEAR
    found = np.zeros(len(rows))
    for candidate in np.column_stack([_candidates(view) for view in views]).T:
        away = np.nan_to_num(np.abs(rows[:, :-1] - candidate), nan=np.inf)
        near = np.where(odd, np.maximum(1 - away / _NEAR, 0.0), 0.0)
        found = np.maximum(found, near.sum(axis=1) / np.maximum(odd.sum(axis=1), 1))
    return found


def _is_told(scene: _Scene, views: Sequence[np.ndarray], row: np.ndarray, context: Context) -> tuple[bool, float]:
    """Return whether a row is rebuilt, and the share of its unusual cells that are.

    Narrow rows come about by chance; so what is rebuilt must be nearer to this row than to all others that were drawn.
    """
    share = max(rebuilt(view, row, scene.usual) for view in views)
    if share < _ENOUGH:
        return False, share
    others = scene.x[context.rng.choice(len(scene.x), min(len(scene.x), _OTHERS), replace=False)]
    others = others[(np.abs(others - row) > _NEAR).any(axis=1)]
    near = nearness(views, np.vstack([row, others]), scene.usual)
    return bool((near[0] > near[1:]).all()), share


def _scene(context: Context, told: Federation) -> _Scene:
    try:
        table = context.tables(told.data)
    except KeyError:
        raise UnsupportedError("federated.rows", f"there is no data set {told.data}.") from None
    known = np.flatnonzero(table.target >= 0) if table.target.dtype.kind in "iu" else np.zeros(0, dtype=np.int64)
    if len(known) < 5 * _ROWS or len(np.unique(table.target[known])) < 2:
        raise UnsupportedError("federated.rows", f"{told.data} has {len(known)} rows of a known class.")
    part = table.take(np.sort(context.rng.choice(known, min(len(known), 4000), replace=False)))
    x = _numbers(part)
    x = x[:, :_COLUMNS]
    if not x.shape[1]:
        raise UnsupportedError("federated.rows", f"{told.data} has no column that varies.")
    usual = np.median(x, axis=0)
    return _Scene(np.column_stack([x, np.ones(len(x))]), part.target, int(part.target.max()) + 1, usual)


def _numbers(table: Table) -> np.ndarray:
    """Return (n, w): pixels as they are, anything else as :func:`encoded` makes it."""
    if table.kind == "image" and table.inputs is not None:
        pixels = table.inputs.reshape(len(table), -1).astype(np.float64)
        return pixels / (255.0 if table.inputs.dtype == np.uint8 else max(float(np.abs(pixels).max()), 1e-12))
    return np.clip(encoded(table).astype(np.float64), -5, 5)


def _attacked(
    scene: _Scene, told: Federation, clients: Party, victims: int, context: Context
) -> tuple[int, list[float]]:  # fmt: skip
    """Return of how many victims the row is rebuilt, and the share of cells of each."""
    told_of = []
    for number in range(victims):
        row, views = _round(scene, told, clients, f"leak {number} {context.rng.integers(1 << 62)}", context)
        told_of.append(_is_told(scene, views, scene.x[row], context))
    return sum(hit for hit, _ in told_of), [share for _, share in told_of]


def _round(
    scene: _Scene, told: Federation, clients: Party, name: str, context: Context
) -> tuple[int, list[np.ndarray]]:  # fmt: skip
    """Play one round in which the first client has one row; return the row and what the server can look at."""
    rng, weights = context.rng, np.zeros((scene.x.shape[1], scene.classes))
    drawn = rng.permutation(len(scene.x))
    row = int(drawn[0])
    changes = [update(weights, scene.x[[row]], scene.y[[row]], 1)]
    for at in range(1, told.clients):
        own = drawn[1 + (at * _ROWS) % (len(drawn) - 1 - _ROWS) :][:_ROWS]
        changes.append(update(weights, scene.x[own], scene.y[own], LOCAL_STEPS))
    mean = np.mean(changes, axis=0)
    if not told.masking:
        return row, [changes[0], mean]
    clip = float(max(np.abs(one).max() for one in changes)) * 1.001
    terms = _clipped(told.terms(weights.size, name), clip)
    names = terms.clients
    vectors = {one: quantise.encode(change.ravel(), terms) for one, change in zip(names, changes, strict=True)}
    eyes: list[Eyes] = []
    found = play(terms, clients, vectors, server=watching(eyes))
    sent = np.frombuffer(eyes[0].sent[names[0]], dtype="<u4")
    views = [quantise.decode(sent, terms, 1), quantise.decode(found.total, terms, len(found.included))]
    return row, [view.reshape(weights.shape) for view in views]


def _clipped(terms: Terms, clip: float) -> Terms:
    import msgspec

    return msgspec.structs.replace(terms, clip=clip)


def _canary(scene: _Scene, told: Federation, clients: Party, victims: int, context: Context) -> Canary:
    """A plain federation must be found out; a masked one of which the victim is not part must not be."""
    floor = context.thresholds[RECOVERED]
    hits, _ = _attacked(scene, replace(told, masking=False), clients, victims, context)
    bad = share_of("", (hits, victims), floor, "max").outcome is Outcome.FAIL
    alarms = 0
    for number in range(victims):
        _, views = _round(scene, replace(told, masking=True), clients, f"not there {number}", context)
        other = scene.x[int(context.rng.integers(len(scene.x)))]
        alarms += _is_told(scene, views, other, context)[0]
    good = share_of("", (alarms, victims), floor, "max").outcome is Outcome.FAIL
    return Canary(
        kind="a plain federation, and rows that are not there", planted=1, found=int(bad), clean=1,
        false_alarms=int(good), noticed=bad and not good, detail=f"{hits} of {victims} rebuilt from plain updates.",
    )  # fmt: skip
