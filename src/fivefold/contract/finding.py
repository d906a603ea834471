"""Finding: what one check measured, with interval, threshold, canary and digests."""

from __future__ import annotations

from typing import Literal

import msgspec

from fivefold.contract.outcome import Outcome

FINDING_VERSION = 1


class Measure(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One measured figure.

    Attributes:
        name: Term of the field, for example ``balanced accuracy``.
        value: Point estimate; None if it could not be formed.
        low: One-sided 95 % lower bound; None if there is none.
        high: One-sided 95 % upper bound; None if there is none.
        threshold: What it is judged against; None: shown, not judged.
        direction: ``min``: should be at least the threshold, ``max``: at most.
        outcome: The judgement; None where ``threshold`` is None.
        unit: ``share``, ``ratio``, ``rows``, ... ; empty for pure numbers.
        n: Rows (or pairs) that the figure rests on.
        where: The part of the data, for example ``scenario young`` or ``sex=female against sex=male``; empty: all.
        note: One sentence for the reader, for example why it is not judged.
    """

    name: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    threshold: float | None = None
    direction: Literal["min", "max"] | None = None
    outcome: Outcome | None = None
    unit: str = ""
    n: int = 0
    where: str = ""
    note: str = ""


class Canary(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The proof that a check can fail, run in the user's own setting (DESIGN, rule 2).

    Attributes:
        kind: What was planted, for example ``labels of one group shifted``.
        planted: Known-bad cases tried.
        found: Known-bad cases that the check noticed.
        clean: Known-good cases tried.
        false_alarms: Known-good cases that it flagged.
        noticed: Whether recall and false alarms are good enough to believe the measurement.
        detail: One sentence: place, size and rate, as drawn from the seed.
    """

    kind: str
    planted: int
    found: int
    clean: int
    false_alarms: int
    noticed: bool
    detail: str = ""


class Bar(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One row of an interval plot."""

    label: str
    value: float
    low: float | None = None
    high: float | None = None
    n: int = 0
    outcome: Outcome | None = None


class Curve(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One line of a curve plot; at most 200 points."""

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]


class Plot(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A picture as data; the report draws it.

    Attributes:
        kind: ``intervals`` (one bar a row) or ``curves``.
        title: What the reader sees, as a sentence fragment.
        x_label: Name and unit of the horizontal axis.
        y_label: Name and unit of the vertical axis (curves only).
        bars: For ``intervals``; at most 24.
        curves: For ``curves``; at most 6.
        threshold: Drawn as a line if given.
        log: Both axes logarithmic (curves only).
    """

    kind: Literal["intervals", "curves"]
    title: str
    x_label: str
    y_label: str = ""
    bars: tuple[Bar, ...] = ()
    curves: tuple[Curve, ...] = ()
    threshold: float | None = None
    log: bool = False


class Result(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a check returns; the runner binds it into a :class:`Finding`.

    Attributes:
        outcome: The judgement over all judged measures, after the canary.
        reason: One or two plain sentences: what decided.
        measures: All figures, judged ones first.
        canary: None only if the outcome is ``error``, ``not-run`` or ``not-applicable``.
        plots: At most 4.
        limits: What this measurement cannot show, in this very setting.
        remedy: Which control to turn on or what to change; empty if it passed.
    """

    outcome: Outcome
    reason: str
    measures: tuple[Measure, ...] = ()
    canary: Canary | None = None
    plots: tuple[Plot, ...] = ()
    limits: tuple[str, ...] = ()
    remedy: str = ""


class Digests(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """SHA-256 of everything that the finding depends on.

    Attributes:
        manifest: The manifest file.
        model: The signed set of the model (see :mod:`fivefold.subject.snapshot`); empty if absent.
        data: Data-set name to digest of its stored bytes.
        code: Fivefold's own source and the pack that holds the check.
        plan: The plan core.
    """

    manifest: str
    model: str
    data: dict[str, str]
    code: str
    plan: str


class Finding(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A result bound to its plan, attempt, seed and digests; deterministic (DESIGN, rule 8).

    Attributes:
        check: Check id, for example ``P3.accuracy``.
        technique: Technique id, for example ``P3``.
        attempt: Number of the attempt, from 1.
        seed: Hexadecimal, derived from plan digest, attempt and check id.
        effort: ``quick``, ``standard`` or ``thorough``.
        mode: ``sealed``, ``exploratory`` (``--only``, ``--seed``) or ``in-process`` (object in memory).
        result: What the check returned.
        digests: What it depends on.
        sandbox: Protections in force, for example ``landlock``, ``seccomp``; missing ones are in the result's limits.
        bare: Where ``result`` was measured behind the application's guard: the same without it. Absent (not null)
            otherwise. ``result`` is what counts.
    """

    check: str
    technique: str
    attempt: int
    seed: str
    effort: str
    mode: Literal["sealed", "exploratory", "in-process"]
    result: Result
    digests: Digests
    sandbox: tuple[str, ...] = ()
    bare: Result | msgspec.UnsetType = msgspec.UNSET
    version: int = FINDING_VERSION
