"""Options: what a manifest declares under ``controls.P1.certificate``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fivefold.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping


_LEAST = 1000
_PLAIN = 25


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A certificate as declared.

    Attributes:
        sigma: Deviation of the noise; of a picture as a share of the pixels' range, of a table in deviations of each
            column of the training rows.
        votes: Answers to noised copies of a row that bound the share of its class.
        select: Answers before these that choose the class.
        alpha: Chance that a certificate may be wrong.
        radius: Column of the test rows that holds radii which the application's own certificate states, in the units of
            ``sigma`` (l2); then nothing is smoothed. Empty: none.
    """

    sigma: float = 0.25
    votes: int = 1000
    select: int = 100
    alpha: float = 0.001
    radius: str = ""

    @property
    def cost(self) -> int:
        """Answers of the model that one certified answer takes."""
        return self.select + self.votes

    @property
    def deciding(self) -> int:
        """Answers that decide at the worst point; of the bare model, which is hardly random, a few are enough."""
        return _PLAIN if self.radius else max(self.votes, _LEAST)


_RANGES = {"sigma": (0.001, 10.0), "votes": (50, 1_000_000), "select": (10, 100_000), "alpha": (1e-6, 0.01)}


def read(controls: Mapping[str, Mapping[str, object]] | None) -> Options | None:
    """Return what ``controls.P1.certificate`` declares; None: it is not there.

    Raises:
        InputError: ``evasion.certificate`` for an unknown key or a figure out of range.
    """
    told = (controls or {}).get("P1", {}).get("certificate")
    if told is None:
        return None
    try:
        found = msgspec.convert(told, Options)
    except msgspec.ValidationError as error:
        raise InputError("evasion.certificate", f"controls.P1.certificate: {error}",
                         remedy=f"It may hold: {', '.join(_RANGES)}, radius.") from None  # fmt: skip
    for name, (low, high) in _RANGES.items():
        if not low <= getattr(found, name) <= high:
            raise InputError("evasion.certificate", f"controls.P1.certificate.{name} is out of range.",
                             remedy=f"Say {low:g} to {high:g}.")  # fmt: skip
    return found
