"""Options: what a manifest declares under ``controls.C2``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fivefold.adaptation.ensemble.members import MOST
from fivefold.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

_KEYS = ("members", "false_alarms")


@dataclass(frozen=True)
class Options:
    """An ensemble as declared.

    Attributes:
        members: How many models are fitted beside the model.
        false_alarms: Share of clean rows that may be alarmed.
    """

    members: int = 5
    false_alarms: float = 0.01


def read(controls: Mapping[str, Mapping[str, object]] | None) -> Options | None:
    """Return what ``controls.C2`` declares; None: it is not there.

    Raises:
        InputError: ``ensemble.option`` for an unknown key or a value out of range.
    """
    declared = (controls or {}).get("C2")
    if declared is None:
        return None
    strange = sorted(set(declared) - set(_KEYS))
    if strange:
        raise _wrong(f"controls.C2 has no key {strange[0][:40]!r}", f"Keys: {', '.join(_KEYS)}.")
    members, share = declared.get("members", 5), declared.get("false_alarms", 0.01)
    if type(members) is not int or not 2 <= members <= MOST:
        raise _wrong(f"controls.C2.members is {str(members)[:40]!r}", f"Write a whole number from 2 to {MOST}.")
    if type(share) not in (int, float) or not 0.0005 <= float(str(share)) <= 0.2:
        raise _wrong(f"controls.C2.false_alarms is {str(share)[:40]!r}", "Write a share from 0.0005 to 0.2.")
    return Options(members, float(str(share)))


def _wrong(what: str, remedy: str) -> InputError:
    return InputError("ensemble.option", f"{what}.", remedy=remedy)
