"""Outcomes: what came out of the worker, bound into a finding; a crash, limit or lie is that check's error alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from fivefold.contract import registry
from fivefold.contract.codec import canonical
from fivefold.contract.finding import Digests, Finding, Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import InputError
from fivefold.subject.calls import SPENT
from fivefold.subject.worker.messages import Done, Failed
from fivefold.subject.worker.running import ENDED_BY_ITSELF

if TYPE_CHECKING:
    from fivefold.contract.plan import CheckPlan, Plan
    from fivefold.subject.worker.running import Ended

Mode = Literal["sealed", "exploratory", "in-process"]

_MODEL_GONE = ("model.ended", "model.protocol")
_MEND = "Mend the model or its factory, then run again."


def finding(
    check: CheckPlan,
    plan: Plan,
    result: Result,
    *,
    mode: Mode,
    protections: tuple[str, ...],
    bare: Result | msgspec.UnsetType = msgspec.UNSET,
) -> Finding:
    """Bind a result to its plan, attempt, seed and digests; ``bare``: as measured without the guard."""
    limits = (*result.limits, *missing(protections)) if mode != "in-process" else result.limits
    return Finding(
        check=check.check,
        technique=check.technique,
        attempt=plan.attempt,
        seed=check.seed,
        effort=plan.effort,
        mode=mode,
        result=msgspec.structs.replace(result, limits=tuple(dict.fromkeys(limits))),
        digests=Digests(manifest=plan.manifest, model=plan.model, data=plan.data, code=plan.code, plan=plan.digest),
        sandbox=protections,
        bare=bare,
    )


def missing(protections: tuple[str, ...]) -> tuple[str, ...]:
    """Return in words which protections this machine lacks."""
    lacking = []
    if not any(name.startswith("landlock") for name in protections):
        lacking.append(
            "This machine has no Landlock: the model's code could read every file that the assessor may read, "
            "keys and evidence included."
        )
    if "limits" not in protections:
        lacking.append("This system shows no process's memory: only the time of the model was limited.")
    if "seccomp" not in protections:
        lacking.append(
            "No system-call filter was in force (libseccomp or pyseccomp is missing): "
            "the model's code could open connections and start programs."
        )
    return tuple(lacking)


def result(ended: Ended) -> Result:
    """Return what a check's processes said, or why there is no result."""
    outcome = ended.outcome
    if isinstance(outcome, Done):
        return _believed(outcome)
    return failed(outcome, ended.reason)


def unprobed(reason: str) -> Result:
    """Return the result of a check whose model already failed when it was probed."""
    return Result(outcome=Outcome.ERROR, reason=f"The model could not be asked. {reason}", remedy=_MEND)


def asks_model(check: str) -> bool:
    """Return whether a check puts questions to the model."""
    return any(need.startswith(("model.predict", "model.scores")) for need in registry.checks()[check].needs)


def failed(said: Failed, reason: str) -> Result:
    """Return the result of a check that came to nothing."""
    message = said.message
    if said.code in _MODEL_GONE:
        message = f"{reason or ENDED_BY_ITSELF}." if reason or said.code == "model.ended" else message
    text = f"{message[:1].upper()}{message[1:]}"
    text = f"{text} ({said.where})" if said.where else text
    if said.kind == "import":
        return Result(
            outcome=Outcome.NOT_RUN, reason=text, remedy="Install the engines: pip install 'fivefold[assess]'."
        )
    if said.kind == "unsupported" or said.code == SPENT:
        return Result(outcome=Outcome.NOT_RUN, reason=text, remedy=said.remedy)
    return Result(outcome=Outcome.ERROR, reason=text, remedy=said.remedy or _MEND)


def _believed(done: Done) -> Result:
    try:
        said = msgspec.msgpack.decode(done.body, type=Result)
        canonical(said)
    except (msgspec.DecodeError, UnicodeDecodeError, InputError):
        return Result(
            outcome=Outcome.ERROR,
            reason="The check gave a result that cannot be written (a number that is not finite, or a wrong type).",
            remedy="Report this as a fault of the check.",
        )
    return said
