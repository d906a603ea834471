"""Declared: what ``controls: {S6: ...}`` asks of devices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fivefold.errors import UnsupportedError
from fivefold.sharing.telemetry.device import DeviceError, Question

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fivefold.contract.check import Context

ROW = "S6"
MOST_QUESTIONS = 32
_KEYS = {
    "frequency": ("values", "way"),
    "mean": ("range",),
    "top": ("alphabet", "length", "step", "count"),
}


@dataclass(frozen=True)
class Telemetry:
    """What is collected of every person.

    Attributes:
        epsilon: Loss that is claimed for all columns of a person together, of one draw.
        questions: One for each column; their names are the columns.
        counts: Question name to how many strings are asked for (``top``).
        data: Data set whose rows stand for the people.
        permanent: Whether a device repeats its report instead of drawing afresh.
        draws: Most fresh reports in a device's life.
        trial: Data set with reports of other makers' devices; empty: our client is what is shipped.
    """

    epsilon: float
    questions: tuple[Question, ...]
    counts: Mapping[str, int]
    data: str
    permanent: bool
    draws: int
    trial: str = ""


def declared(context: Context) -> Telemetry:
    """Read the control.

    Raises:
        UnsupportedError: ``telemetry.undeclared`` without it; ``telemetry.declared`` if it cannot be kept.
    """
    options = (context.settings.controls or {}).get(ROW)
    if not options:
        raise UnsupportedError(
            "telemetry.undeclared", "controls.S6 is not declared: nothing says what devices report.",
            remedy="Declare controls.S6 with epsilon and collect.",
        )  # fmt: skip
    return told(options)


def told(options: Mapping[str, Any]) -> Telemetry:
    """Read the control's options.

    Raises:
        UnsupportedError: ``telemetry.declared``, with the option that is wrong.
    """
    unknown = sorted(set(options) - {"epsilon", "collect", "data", "permanent", "draws", "trial"})
    collect, draws = options.get("collect"), options.get("draws", 1)
    permanent = options.get("permanent", True)
    if unknown:
        raise _fault(f"there is no option {unknown[0]!r}")
    if not _is_number(options.get("epsilon")) or not 0.01 <= options["epsilon"] <= 16:
        raise _fault("epsilon is not a number from 0.01 to 16")
    if not isinstance(collect, list | tuple) or not 1 <= len(collect) <= MOST_QUESTIONS:
        raise _fault(f"collect is not a list of 1 to {MOST_QUESTIONS} columns")
    if not isinstance(permanent, bool):
        raise _fault("permanent is neither true nor false")
    each = float(options["epsilon"]) / len(collect)
    questions = tuple(_question(item, each, draws) for item in collect)
    names = [question.name for question in questions]
    if len(set(names)) < len(names):
        raise _fault("collect names a column twice")
    counts = {str(item["column"]): item.get("count", 10) for item in collect if item["as"] == "top"}
    return Telemetry(
        float(options["epsilon"]), questions, counts, str(options.get("data", "train")), permanent, int(draws),
        str(options.get("trial", "")),
    )  # fmt: skip


def _question(item: Any, each: float, draws: Any) -> Question:
    if not isinstance(item, dict) or not isinstance(item.get("column"), str) or item.get("as") not in _KEYS:
        raise _fault(f"each part of collect has a column, and `as` one of {', '.join(_KEYS)}")
    name, kind = item["column"], item["as"]
    unknown = sorted(set(item) - {"column", "as", "epsilon", *_KEYS[kind]})
    if unknown:
        raise _fault(f"{name}: there is no option {unknown[0]!r} of {kind}")
    fields: dict[str, Any] = {"name": name, "epsilon": item.get("epsilon", each), "draws": draws}
    if kind == "frequency":
        fields |= {"way": item.get("way", "oue"), "values": tuple(str(one) for one in item.get("values") or ())}
    elif kind == "mean":
        ends = item.get("range")
        if not isinstance(ends, list | tuple) or len(ends) != 2:
            raise _fault(f"{name}: a mean needs its range, two public numbers")
        fields |= {"way": "mean", "low": ends[0], "high": ends[1]}
    else:
        count = item.get("count", 10)
        if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= 100:
            raise _fault(f"{name}: count is not a whole number from 1 to 100")
        fields |= {"way": "top", **{key: item[key] for key in ("alphabet", "length", "step") if key in item}}
    try:
        return Question(**fields)
    except DeviceError as error:
        raise _fault(str(error).rstrip(".")) from None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _fault(text: str) -> UnsupportedError:
    return UnsupportedError("telemetry.declared", f"controls.S6 cannot be kept: {text}.", remedy="Mend controls.S6.")
