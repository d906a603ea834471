"""Plan and facts: what binds, why, with which thresholds and seeds, fixed before the run."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

PLAN_VERSION = 1
FACTS_VERSION = 1

Role = Literal["caller", "callers", "operator"]
Effort = Literal["quick", "standard", "thorough"]
ModelKind = Literal["factory", "torch", "onnx", "rest", "grpc", "command", "predictions", "memory"]


class ColumnFact(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One column as the product itself read it; no values, only their number and kind."""

    name: str
    kind: Literal["number", "integer", "boolean", "string", "date", "empty"]
    missing: int
    distinct: int


class DataFact(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One data set as the product itself read it.

    Attributes:
        digest: SHA-256 of the stored bytes.
        rows: Number of rows.
        columns: In file order, target included.
        target: Name of the target column; empty if there is none.
        groups: Protected field to number of its groups with at least 10 rows.
    """

    digest: str
    rows: int
    columns: tuple[ColumnFact, ...]
    target: str = ""
    groups: dict[str, int] = {}


class ModelFact(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What probing the subject in the worker showed (not what it says of itself).

    Attributes:
        digest: Digest of the signed set; empty for a file of predictions without model.
        kind: How the model is reached (``memory`` for ``assess_model``).
        inputs: What one row is.
        task: ``binary``, ``multiclass`` or ``regression``.
        classes: Labels as text, in the order of the probability columns; empty for regression.
        scores: Gives normalised probabilities.
        retrains: ``training.factory`` is named and importable.
        deterministic: Two equal queries gave equal bytes.
        perturbable: Answers for rows that are not in the data sets (a file of predictions cannot).
        gradients: Gives gradients.
        neural: A neural network is inside; None: cannot be told from outside.
        trees: Decision trees are inside; None: cannot be told from outside.
        max_rows: Most rows in one call, as seen; 0: not limited.
        calls: Budget of calls of the whole run, as declared; 0: none.
        observed: Of an endpoint: digest of URL, TLS key, metadata and its answers to canary rows; else empty.
        error: Why probing failed; empty if it worked.
    """

    digest: str = ""
    kind: ModelKind = "factory"
    inputs: Literal["table", "image", "series", "text", "audio"] = "table"
    task: Literal["binary", "multiclass", "regression"] | None = None
    classes: tuple[str, ...] = ()
    scores: bool = False
    retrains: bool = False
    deterministic: bool = False
    perturbable: bool = False
    gradients: bool = False
    neural: bool | None = None
    trees: bool | None = None
    max_rows: int = 0
    calls: int = 0
    observed: str = ""
    error: str = ""


class Facts(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All that the product read from data and model; absent parts are None (undecided).

    Attributes:
        data: Data-set name to what was read of it.
        model: What probing it showed.
        notes: What looks wrong in the data and is measured all the same, one sentence each; nothing is decided by it.
    """

    data: dict[str, DataFact] | None = None
    model: ModelFact | None = None
    notes: tuple[str, ...] = ()
    version: int = FACTS_VERSION


class Guarding(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How a check is measured behind the application's guard.

    Attributes:
        by: Who asks: ``caller``: one fresh caller; ``callers``: one after the other;
            ``operator``: an operator, on record, whom no budget and no detection of thieves holds up.
        min_coverage: Share of clean rows that the model must answer there, or the check does not pass.
    """

    by: Role
    min_coverage: float


class CheckPlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One check in the plan.

    Attributes:
        check: Check id.
        technique: Technique id.
        title: The question that it answers.
        status: ``run``, ``not-applicable``, ``not-run`` or ``undecided`` (light plan only).
        reason: Why it has this status: the predicate and the facts read, the missing extra, the gap.
        claims: Claims that need it, for example ``("2c",)``.
        aims: Aims that need it, for example ``("O4",)``.
        binding: Whether a failure blocks a claim today.
        thresholds: Floor key to value, after tightening by the manifest.
        options: All other options of the check.
        rows: Most rows that it will use at this effort.
        seed: Hexadecimal; empty until the plan has a digest.
        cost: Words: model calls and trainings expected.
        guarded: It is measured bare and behind the application's guard, and the latter counts. Absent (not null):
            bare alone.
    """

    check: str
    technique: str
    title: str
    status: Literal["run", "not-applicable", "not-run", "undecided"]
    reason: str
    claims: tuple[str, ...] = ()
    aims: tuple[str, ...] = ()
    binding: bool = False
    thresholds: dict[str, float] = {}
    options: dict[str, Any] = {}
    rows: int = 0
    seed: str = ""
    cost: str = ""
    guarded: Guarding | msgspec.UnsetType = msgspec.UNSET


class ClaimPlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One claim that the level binds.

    Attributes:
        claim: For example ``2c``.
        level: Level whose objective it belongs to, 1 to 5.
        text: What is claimed.
        reason: Why it binds here.
        applies: False only by a closed predicate over facts; None: undecided.
        needs: All must hold; in each inner tuple any one suffices: a technique (``P3``), a part of one
            (``P3/inference``) or a check (``T2.signature``).
        faults: What the product found wrong on the manifest itself; each one blocks the claim and counts as failed.
    """

    claim: str
    level: int
    text: str
    reason: str
    applies: bool | None
    needs: tuple[tuple[str, ...], ...]
    faults: tuple[str, ...] = ()


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What will be measured, fixed and signed before the run (DESIGN, rule 4).

    Attributes:
        application: Application id.
        level: Declared level, 1 to 5.
        effort: How much is measured; less effort never gives an easier pass.
        claims: In order 1a to 5d.
        checks: In id order.
        duties: Sentences: what a person has to do, with the row id in front.
        facts: What was read; complete in a sealed plan.
        manifest: Digest of the manifest file.
        model: Digest of the model's signed set; empty if absent.
        data: Data-set name to digest.
        catalogue: Digest of the catalogue.
        code: Digest of Fivefold's source.
        digest: Digest of all fields above; seeds derive from it.
        attempt: 0 until the plan is sealed.
    """

    application: str
    level: int
    effort: Effort
    claims: tuple[ClaimPlan, ...]
    checks: tuple[CheckPlan, ...]
    duties: tuple[str, ...]
    facts: Facts
    manifest: str
    model: str
    data: dict[str, str]
    catalogue: str
    code: str
    digest: str = ""
    attempt: int = 0
    version: int = PLAN_VERSION
