"""Check S2.utility: whether the noise leaves the declared figures of use."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fivefold.contract.finding import Bar, Canary, Measure, Plot, Result
from fivefold.contract.outcome import Outcome
from fivefold.sharing.privacy import measured, noise, release
from fivefold.stats.judge import judge

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.sharing.privacy.queries import Query

FLOOR = "max_error"
_TIMES = {"quick": 30, "standard": 60, "thorough": 200}
_DRAWS = 1 << 25
_LIMIT = (
    "The error is against these very rows. It is shown with one figure: an exact one would tell the exact answer. This "
    "finding is evidence, not a private release."
)
_REMEDY = (
    "Give the query a larger weight or the release more of the budget, ask for fewer cells, narrower bounds or fewer "
    "queries; with few people in the data, publish less."
)


def run(context: Context) -> Result:
    """Measure the error that the noise adds.

    Threat: figures are private and useless, and somebody decides by them.
    Limit: the error is that of noise, bounds and the limit on a person's rows against these very rows, not against the
    world; and it is shown with one figure only, since an exact error would tell the exact answer.

    Args:
        context: ``controls.S2.release`` and its data; threshold ``max_error``.

    Raises:
        UnsupportedError: ``privacy.undeclared``, ``privacy.column``.
    """
    _, asked = measured.own(context)
    rows = measured.frame(context, asked)
    totals = release.total(asked, [rows])
    true = release.exact(asked, totals)
    draw = noise.seeded(context.rng)
    cells = sum(vector.size for vector in asked.vectors) + 1
    times = max(10, min(_TIMES[context.effort], _DRAWS // cells))
    errors: dict[str, list[float]] = {query.name: [] for query in asked.release.queries}
    covered: list[float] = []
    for at in range(times):
        _once(asked, totals, true, draw, (errors, covered))
        context.progress((at + 1) / times, "releasing in the dry")
    floor = context.thresholds[FLOOR]
    measures = tuple(_measure(name, np.array(found), floor) for name, found in errors.items())
    proof = _prove(errors, floor, context.rng)
    said = {one.outcome for one in measures}
    outcome = next(one for one in (Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.PASS) if one in said)
    outcome = outcome if proof.noticed else Outcome.INCONCLUSIVE
    order = sorted(measures, key=lambda one: -(one.value or 0.0))
    return Result(
        outcome=outcome,
        reason=_reason(outcome, proof, order),
        measures=(*order, _cover(covered, asked.release.confidence)),
        canary=proof,
        plots=(Plot(kind="intervals", title="Error that the noise adds", x_label="relative error", threshold=floor,
                    bars=tuple(Bar(label=one.where, value=one.value or 0.0, low=one.low, high=one.high, n=one.n)
                               for one in order[:24])),),
        limits=(_LIMIT,),
        remedy=_REMEDY if outcome is Outcome.FAIL else "",
    )  # fmt: skip


def _once(
    asked: release.Asked, totals: release.Totals, true: list[dict[str, Any]], draw: noise.Bytes,
    into: tuple[dict[str, list[float]], list[float]],
) -> None:  # fmt: skip
    errors, covered = into
    given = release.noisy(asked, totals, draw)
    for one, counts in zip(asked.groups, totals.counts, strict=True):
        one.counts = counts
    told = release.said(asked, given, [one.shown(draw) for one in asked.groups])
    for query, said, exact in zip(asked.release.queries, told, true, strict=True):
        if query.what == "synthetic":
            mine = [
                (noisy - vector.rounded(sums), sums) for vector, noisy, sums in
                zip(asked.vectors, given, totals.sums, strict=True) if vector.query == query.name
            ]  # fmt: skip
            errors[query.name].append(float(np.abs(mine[0][0]).sum() / (2 * max(mine[0][1].sum(), 1))))
            continue
        errors[query.name].append(_error(query, said, exact))
        if "threshold" not in said:
            hits = [a["low"] - 1e-9 <= b["value"] <= a["high"] + 1e-9
                    for a, b in zip(said["cells"], exact["cells"], strict=True)]  # fmt: skip
            covered.append(sum(hits) / len(hits))


def _error(query: Query, said: dict[str, Any], exact: dict[str, Any]) -> float:
    """Return the error of a query: relative, for cells half of what was moved, for positions a share of the bounds."""
    if "threshold" in said:
        shown = {str(cell["cell"]): cell["value"] for cell in said["cells"]}
        true = {str(cell["cell"]): cell["value"] for cell in exact["cells"]}
        off = sum(abs(shown.get(key, 0) - value) for key, value in true.items())
        return float(off / (2 * max(sum(true.values()), 1)))
    one = np.array([cell["value"] for cell in said["cells"]], dtype=float)
    two = np.array([cell["value"] for cell in exact["cells"]], dtype=float)
    if query.what in ("mean", "quantiles", "variance") or (query.what == "table" and query.of == "mean"):
        low, high = query.bounds or (0.0, 1.0)
        width = (high - low) ** 2 / 4 if query.what == "variance" else high - low
        if query.what == "table":
            inner = np.array(["other" not in cell["cell"].values() for cell in exact["cells"]])
            one, two = (one[inner], two[inner]) if inner.any() else (one, two)
        return float(np.abs(one - two).mean() / width)
    whole = float(np.abs(two).sum())
    off = float(np.abs(one - two).sum()) / (1 if len(two) == 1 else 2)
    return off / whole if whole else math.inf


def _measure(name: str, errors: np.ndarray, floor: float) -> Measure:
    finite = np.minimum(errors, 1e6)
    value = float(finite.mean())
    reach = 1.7 * float(finite.std(ddof=1)) / math.sqrt(len(finite))
    low, high = _shown(value - reach, up=False), _shown(value + reach)
    return Measure(
        name="error that the noise adds", value=min(_shown(value), high), low=low, high=high, threshold=floor,
        direction="max", outcome=judge(low, high, floor, "max"), unit="ratio", n=len(errors), where=f"query {name}",
    )  # fmt: skip


def _shown(value: float, *, up: bool = True) -> float:
    """Return a figure rounded to one digit, away from what would look better."""
    if value <= 0:
        return 0.0
    place = 10.0 ** math.floor(math.log10(value))
    digits = math.ceil(value / place - 1e-9) if up else math.floor(value / place + 1e-9)
    return float(f"{digits * place:.1g}")


def _cover(covered: list[float], stated: float) -> Measure:
    value = float(np.mean(covered)) if covered else None
    return Measure(
        name="exact figures within the stated intervals", value=value, unit="share", n=len(covered),
        note=f"Stated is {stated:.0%}; intervals of quotients are wider than that by construction.",
    )  # fmt: skip


def _prove(errors: dict[str, list[float]], floor: float, rng: np.random.Generator) -> Canary:
    """Scale these very errors (normal ones for those that are mostly 0) to three times the floor and to a third."""
    shapes = [_shape(np.array(found), rng) for found in errors.values()]
    bad = [_measure("planted", shape * 3 * floor, floor).outcome is Outcome.FAIL for shape in shapes]
    good = [_measure("planted", shape * floor / 3, floor).outcome is Outcome.FAIL for shape in shapes]
    return Canary(
        kind="noise that drowns a figure", planted=len(bad), found=sum(bad), clean=len(good), false_alarms=sum(good),
        noticed=bool(bad) and sum(bad) >= 0.9 * len(bad) and not sum(good),
        detail="The errors of each query (normal ones where they are mostly 0), scaled to three times the floor and to "
        "a third of it.",
    )  # fmt: skip


def _shape(found: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    if not np.isfinite(found).all() or found.std() >= found.mean():
        found = np.abs(rng.normal(size=len(found)))
    return np.asarray(found / found.mean())


def _reason(outcome: Outcome, proof: Canary, order: list[Measure]) -> str:
    if not proof.noticed:
        return "Noise that drowns a figure was not noticed, so nothing is concluded."
    worst = order[0]
    said = f"the noise moves {worst.where} by {worst.value or 0.0:g} or less on average"
    if outcome is Outcome.FAIL:
        return f"Some figures drown in noise: it moves {worst.where} by more than half of {worst.value or 0.0:g}."
    return (
        f"The figures stay of use: at worst {said}." if outcome is Outcome.PASS else f"It stays open: at worst {said}."
    )
