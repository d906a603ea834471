"""Options: what a manifest declares under ``controls.P5``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fivefold.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

_MOST_LEFT = 1000


@dataclass(frozen=True)
class Options:
    """A detector as declared.

    Attributes:
        false_alarms: Share of benign flows that may be alarmed.
        leave: Columns that it does not use, for example those that need the payload read.
        benign: Label of the benign class; empty: what the data sets say.
    """

    false_alarms: float = 0.02
    leave: tuple[str, ...] = ()
    benign: str = ""


def read(controls: Mapping[str, Mapping[str, object]] | None) -> Options | None:
    """Return what ``controls.P5`` declares; None: it is not there.

    Raises:
        InputError: ``threats.option`` for an unknown key or a value out of range.
    """
    declared = (controls or {}).get("P5")
    if declared is None:
        return None
    strange = sorted(set(declared) - {"false_alarms", "leave", "benign"})
    if strange:
        raise _wrong(f"controls.P5 has no key {strange[0][:40]!r}", "Keys: false_alarms, leave, benign.")
    share, leave = declared.get("false_alarms", 0.02), declared.get("leave") or ()
    if type(share) not in (int, float) or not 0.0005 <= float(str(share)) <= 0.2:
        raise _wrong(f"controls.P5.false_alarms is {str(share)[:40]!r}", "Write a share from 0.0005 to 0.2.")
    if not isinstance(leave, list | tuple) or len(leave) > _MOST_LEFT:
        raise _wrong("controls.P5.leave is no list of columns", "Write the names of columns, such as [hot, urgent].")
    return Options(float(str(share)), tuple(str(name) for name in leave), str(declared.get("benign", "")))


def benign_of(classes: tuple[str, ...], positive: str | None, alarm: str | None, named: str = "") -> int | None:
    """Return the index of the benign class; None: nothing says which it is.

    Args:
        classes: Labels of the target.
        positive: Label of the favourable class, if declared.
        alarm: Label of the class to detect, if declared.
        named: Label that options name; empty: none.
    """
    wanted = named or positive
    if wanted is not None and wanted in classes:
        return classes.index(wanted)
    if not named and alarm in classes and len(classes) == 2:
        return 1 - classes.index(str(alarm))
    return None


def _wrong(what: str, remedy: str) -> InputError:
    return InputError("threats.option", f"{what}.", remedy=remedy)
