"""Check P1.certificate: certify test rows, attack each inside of its radius, count certificates that do not hold."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from msgspec.structs import replace as replaced
from threadpoolctl import threadpool_limits

from fivefold.contract.finding import Curve, Measure, Plot, Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import UnsupportedError
from fivefold.protection.evasion import setting, standard
from fivefold.protection.evasion.smooth import attack, canary, certify
from fivefold.protection.evasion.smooth.options import Options, read
from fivefold.protection.evasion.smooth.voting import Voters, lens
from fivefold.stats.judge import judge
from fivefold.stats.proportion import clopper_pearson

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.contract.finding import Canary
    from fivefold.contract.subject import Table

FLOOR = "max_violations"
_CELLS = 2_000_000
"""Most numbers in the rows that are attacked together."""

_ASCENT = 96
_SPARE = 10
"""Calls of one block of rows besides those at points."""

_WORK = 20_000_000_000
"""Most numbers that are drawn and asked about in all, the planted model's aside: a quarter of an hour of one core."""

_FEWEST = 50
_TINY = 1e-9
_POINTS = 60
_REMEDY = {
    Outcome.FAIL: "Take the certificate back. The model must answer each copy by itself, always alike: no statistics "
    "of the batch, no noise drawn once a call, nothing that changes with time. Of the application's own radii: derive "
    "them again.",
    Outcome.INCONCLUSIVE: "Bring more test rows or assess with more effort; train on noised rows (deviation sigma), "
    "lower sigma or raise votes where too few rows are certified.",
}


@dataclass(frozen=True)
class _Seen:
    """What came of n rows.

    Attributes:
        bare: (n,) answers of the model itself.
        top: (n,) class that is claimed.
        radius: (n,) certified radius; 0: abstained.
        broken: (n,) bool, certificate violated.
        tried: Points asked about.
    """

    bare: np.ndarray
    top: np.ndarray
    radius: np.ndarray
    broken: np.ndarray
    tried: int


def run(context: Context) -> Result:
    """Measure the share of certificates that a point inside of their radius violates.

    Threat: a certified radius is relied on that does not hold: an input within it is answered otherwise.
    Limit: a certificate speaks of the noised numbers alone, and of l2; a violation that the attack does not find is not
    counted.

    Args:
        context: Needs a classifier that answers for changed rows, ``test``, and ``controls.P1.certificate``; threshold
            ``max_violations``.

    Raises:
        UnsupportedError: ``evasion.certificate`` if none is declared; ``evasion.quantity`` for values; see
            :func:`fivefold.protection.evasion.setting.lay_out` and
            :func:`fivefold.protection.evasion.smooth.voting.lens`.
        InputError: ``evasion.certificate`` for options out of range.
        SubjectError: The model misbehaved.
    """
    options = read(context.settings.controls)
    if options is None:
        raise UnsupportedError("evasion.certificate", "no certificate is declared.",
                               remedy="Declare controls.P1.certificate, for example {sigma: 0.25}.")  # fmt: skip
    if context.subject is not None and context.subject.task == "regression":
        raise UnsupportedError("evasion.quantity", "certificates are of classes, and this model answers with values.")
    with threadpool_limits(limits=1, user_api="blas"):
        return _run(context, options)


@dataclass(frozen=True)
class _Stage:
    """What is certified and attacked, and how.

    Attributes:
        layout: The user's rows and model.
        voters: The same model, asked about noised copies.
        options: Of the certificate.
        points: Tried inside of each radius.
        public: Rows whose answers the attacker knows.
    """

    layout: setting.Setting
    voters: Voters
    options: Options
    points: int
    public: attack.Known

    @property
    def white(self) -> bool:
        """Whether the model gives gradients."""
        return self.layout.subject.capabilities.gradients


def _run(context: Context, options: Options) -> Result:
    stage, rng = _lay_out(context, options), context.rng
    layout = stage.layout
    bare = np.asarray(layout.oracle(layout.values, np.arange(len(layout.values))), dtype=np.int64)
    told = _told(layout.sample, options)
    size, parts = max(1, _CELLS // layout.values.shape[1]), []
    for begin in range(0, len(bare), size):
        here = np.arange(begin, min(begin + size, len(bare)))
        context.progress(0.05 + 0.75 * begin / len(bare), "certifying and attacking")
        if told is None:
            made = certify.certify(stage.voters, layout.values[here], here, options, rng)
        else:
            none = np.zeros((len(here), len(stage.voters.lens.columns)))
            made = certify.Certificates(bare[here], told[here], none)
        parts.append(_attacked(stage, here, made, rng))
    top, radius, broken = (np.concatenate([one[at] for one in parts]) for at in range(3))
    seen = _Seen(bare, top, radius, broken, sum(one[3] for one in parts))
    context.progress(0.85, "attacking certificates that lie")
    effort = stage.points, context.thresholds[FLOOR], stage.white
    return _result(
        stage, context.thresholds[FLOOR], seen, canary.prove(layout, stage.voters.lens, options, effort, rng)
    )


def _lay_out(context: Context, options: Options) -> _Stage:
    points = context.options.get("points")
    points = int(points) if isinstance(points, int | float) else 25
    cost = options.cost + points * attack.PROBE + options.deciding + _ASCENT
    layout = setting.lay_out(replace(context, options={"queries": cost, "epsilon": _TINY}))
    glass = lens(layout.space, _train(context))
    voters = Voters(glass, layout.oracle, len(layout.subject.classes), layout.oracle.max_rows)
    layout = _afforded(layout, voters.step, cost, points)
    return _Stage(layout, voters, options, points, attack.known(voters, layout.public_values, context.rng))


def _afforded(layout: setting.Setting, step: int, cost: int, points: int) -> setting.Setting:
    """Return the setting with as many rows as time and the calls that are left allow, calls not full counted.

    Raises:
        UnsupportedError: ``evasion.budget`` if that is none; ``evasion.certificate`` if rows are too wide.
    """
    able, left = _WORK // (cost * layout.values.shape[1]), layout.oracle.calls_left
    if able < _FEWEST:
        raise UnsupportedError(
            "evasion.certificate", f"rows of {layout.values.shape[1]} numbers are too wide to be attacked in time.",
            remedy="Lower `votes`, or certify smaller pictures.",
        )  # fmt: skip
    if left is None:
        return _cut(layout, able)
    blocks = -(-layout.values.size // _CELLS)
    able = min(able, (left - blocks * (points + _SPARE) - -(-attack.POOL // step)) * step // cost)
    if able < 1:
        raise UnsupportedError("evasion.budget", f"the {left} calls that may be used certify and attack no row.",
                               remedy="Raise `model.calls`, or lower `votes` or `points`.")  # fmt: skip
    return _cut(layout, able)


def _cut(layout: setting.Setting, rows: int) -> setting.Setting:
    kept = np.arange(min(rows, len(layout.values)))
    return replace(layout, sample=layout.sample.take(kept), values=layout.values[kept])


def _train(context: Context) -> Table:
    try:
        return context.tables("train")
    except KeyError:
        return context.tables("test")


def _told(sample: Table, options: Options) -> np.ndarray | None:
    """Return (n,) radii that the application's own certificate states, 0 where it abstains; None: it states none."""
    if not options.radius:
        return None
    try:
        cells = sample.column(options.radius)
        found = np.asarray(cells.to_numpy(dtype=np.float64, na_value=np.nan))
    except (KeyError, ValueError, TypeError):
        raise UnsupportedError(
            "evasion.certificate", f"the test rows have no numbers in a column {options.radius[:40]!r}.",
            remedy="Name the column that holds the radii; the model need not see it (`drop`).",
        ) from None  # fmt: skip
    return np.where(np.isfinite(found) & (found > 0), found, 0.0)


def _attacked(
    stage: _Stage, here: np.ndarray, made: certify.Certificates, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Return what is claimed of rows, whether it is violated, and the points tried."""
    layout, options = stage.layout, stage.options
    kept, broken = np.flatnonzero(made.sure), np.zeros(len(here), dtype=bool)
    if not len(kept):
        return made.top, made.radius, broken, 0
    search = attack.attack(
        stage.voters, canary.claimed(layout.values[here[kept]], here[kept], made, kept, options), stage.points, rng,
        first=made.pull[kept], public=stage.public, slopes=standard.slopes_of(layout) if stage.white else None,
    )  # fmt: skip
    broken[kept] = search.violated(options.deciding, options.alpha)
    return made.top, made.radius, broken, search.tried


def _result(stage: _Stage, floor: float, seen: _Seen, proof: Canary) -> Result:
    options, judged = stage.options, _judged(seen, floor, stage.options.alpha)
    outcome = Outcome.FAIL if len(judged) > 1 else judged[0].outcome or Outcome.INCONCLUSIVE
    if not proof.noticed:
        outcome, judged = Outcome.INCONCLUSIVE, [replaced(judged[0], outcome=Outcome.INCONCLUSIVE)]
    right, name = seen.top == stage.layout.sample.target, "claimed" if options.radius else "certified"
    return Result(
        outcome=outcome, reason=_reason(judged[0], seen, proof, (name, options.alpha)),
        measures=(*judged, *_shown(stage.layout, options, seen, right, name)), canary=proof,
        plots=(_plot(seen, right, name),), limits=_limits(stage), remedy=_REMEDY.get(outcome, ""),
    )  # fmt: skip


def _judged(seen: _Seen, floor: float, alpha: float) -> list[Measure]:
    """Return the share of violated certificates against the floor, and, where that fails, against alpha."""
    broken = seen.broken[seen.radius > 0]
    low, high = (float(one) for one in clopper_pearson(int(broken.sum()), len(broken)))
    main = Measure(
        name="certificates violated", value=float(broken.mean()) if len(broken) else None, low=low, high=high,
        threshold=floor, direction="max", outcome=judge(low, high, floor, "max"), unit="share", n=len(broken),
        note="At the worst point found a fresh vote, decided with confidence, names another class.",
    )  # fmt: skip
    if low <= alpha:
        return [main]
    note = "More than alpha leaves to chance (binomial limit at 95 %)."
    return [main, replaced(main, name="certificates violated, against alpha", threshold=alpha,
                           outcome=Outcome.FAIL, note=note)]  # fmt: skip


def _reason(main: Measure, seen: _Seen, proof: Canary, told: tuple[str, float]) -> str:
    name, alpha = told
    broken = (
        f"{int(seen.broken.sum())} of {main.n} {name} rows are answered otherwise at a point inside of their radius"
    )
    text = (
        f"{broken}, of {seen.tried:,} points attacked: at most {main.high:.2%}; the floor is {main.threshold:.2%}, "
        f"alpha {alpha:g}."
    )
    if not main.n:
        text = f"No row is {name}: all {len(seen.radius)} are abstained from."
    if not proof.noticed:
        return f"Planted certificates that lie were not told from honest ones; the attack is not believed. {text}"
    return text


def _shown(layout: setting.Setting, options: Options, seen: _Seen, right: np.ndarray, name: str) -> list[Measure]:
    sure, bare = seen.radius > 0, seen.bare == layout.sample.target
    found = [_share("accuracy of the model itself", bare), _share("abstained", ~sure)]
    if not options.radius:
        found.insert(0, _share("accuracy of smoothed answers", right & sure, note="An abstention counts as wrong."))
    return [
        *found,
        *(
            _share(f"{name} accuracy", right & (seen.radius >= at) & sure, where=f"radius {at:.3g}")
            for at in _steps(seen, options)
        ),
        Measure(name="median radius", value=float(np.median(seen.radius[sure])) if sure.any() else None,
                n=int(sure.sum()), note="Of the rows that are not abstained from."),
        Measure(name="points attacked", value=float(seen.tried), unit="points", n=int(sure.sum())),
        Measure(name="answers of the model for one answer", value=1.0 if options.radius else float(options.cost)),
        Measure(name="questions in all", value=float(layout.oracle.asked), unit="rows", n=layout.oracle.asked),
    ]  # fmt: skip


def _steps(seen: _Seen, options: Options) -> list[float]:
    """Return the radii at which accuracy is shown: half, once and twice sigma, or quartiles of what is claimed."""
    if not options.radius:
        return [share * options.sigma for share in (0.5, 1.0, 2.0)]
    known = seen.radius[seen.radius > 0]
    return np.unique(np.quantile(known, [0.25, 0.5, 0.75])).tolist() if len(known) else []


def _share(name: str, hits: np.ndarray, *, where: str = "", note: str = "") -> Measure:
    low, high = (float(one) for one in clopper_pearson(int(hits.sum()), len(hits)))
    return Measure(name=name, value=float(hits.mean()), low=low, high=high, unit="share", n=len(hits), where=where,
                   note=note)  # fmt: skip


def _plot(seen: _Seen, right: np.ndarray, name: str) -> Plot:
    x = np.linspace(0.0, float(seen.radius.max(initial=0.0)) or 1.0, _POINTS)
    good = np.where(right & (seen.radius > 0), seen.radius, -1.0)
    y = (good[:, None] >= x).mean(axis=0)
    return Plot(
        kind="curves", title=f"Rows answered rightly and {name} for a radius", x_label="l2 radius",
        y_label=f"{name} accuracy", curves=(Curve(name=name, x=tuple(x.tolist()), y=tuple(y.tolist())),),
    )  # fmt: skip


def _limits(stage: _Stage) -> tuple[str, ...]:
    layout, columns = stage.layout, len(stage.voters.lens.columns)
    unit = "the range of the pixels" if not layout.space.columns else "deviations of each column over the training rows"
    told = [f"Radii are l2 distances over {columns} numbers, in units of {unit}; nothing is said of other changes."]
    if left := len(layout.space.columns) - columns if layout.space.columns else 0:
        told.append(f"{left} features are not noised (immutable, categories, flags, dates): they may not be changed.")
    if layout.total > len(layout.values):
        told.append(f"{len(layout.values)} of {layout.total} rows were drawn at random.")
    if not stage.options.radius:
        told.append("The certificate is of the vote under noise, not of the bare model.")
    return (*told, "A violation that the attack does not find is not counted.", *layout.notes)
