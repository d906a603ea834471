"""Screening: who asks what no honest caller asks is refused from then on (row P2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fivefold.contract.registry import provided
from fivefold.errors import InputError
from fivefold.guard.block import Block
from fivefold.guard.nouns import Passage, RefusedError
from fivefold.subject.batch import unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from fivefold.guard.nouns import Answering

ALARM = "theft"
"""Field of an alarm that names the caller who was taken for a thief."""
_FEWEST = 100
_VARIANTS = 15


class Screen:
    """Watches each caller's admitted rows, and new callers together; see :mod:`fivefold.protection.theft.detector`.

    Refused questions count as well, so that asking on does not help. Who was taken for a thief stays so over restarts,
    by the alarms in the record; evidence that led to no alarm is lost with a restart.
    """

    name = "screen"

    def __init__(
        self, detector: Any, alarm: Callable[[dict[str, Any]], None], flagged: Callable[[], Iterable[str]]
    ) -> None:
        """Take a detector.

        Args:
            detector: Of the application.
            alarm: Puts an alarm on record.
            flagged: Gives who was taken for a thief, as the record says.
        """
        self._detector, self._alarm, self._flagged = detector, alarm, flagged
        detector.restore(flagged())

    def follow(self, _: Screen) -> None:
        """Go on from the stage that stood here before: whom it took for a thief stays one."""
        self._detector.restore(self._flagged())

    def __call__(self, passage: Passage) -> None:
        """Take the rows in.

        Raises:
            RefusedError: ``guard.theft``: the caller is taken for a thief (403), or new callers together look like one
                and this request is like theirs (429).
        """
        admitted = passage.admitted
        if admitted is None:
            return
        caller = passage.principal.name
        found = None
        if isinstance(admitted, Block):
            found = self._detector.screen_numbers(caller, admitted.names, admitted.values)
        if found is None:
            found = self._detector.screen(caller, passage.rows)
        passage.notes["theft"] = {"state": found.state, "evidence": found.evidence, "against": found.against}
        if found.first:
            about = {ALARM: caller, "evidence": found.evidence, "asked": found.asked, "new callers": found.pooled}
            self._alarm(about)
        if found.state == "flagged":
            raise RefusedError(
                "guard.theft",
                "this caller asks what copies the model, and nothing is answered any more.",
                status=403,
                remedy="Talk to the owner of the service; the limits of detection are in its documentation.",
            )
        if found.state == "held":
            raise RefusedError(
                "guard.theft",
                "new callers together ask what copies the model; this question is like theirs.",
                status=429,
                remedy="Ask about real cases; questions like these are answered again later.",
            )


def screening(
    options: Mapping[str, Any],
    isolated: Answering,
    alarm: Callable[[dict[str, Any]], None],
    flagged: Callable[[], Iterable[str]],
) -> Screen:
    """Return the stage that the control P2 declares.

    Args:
        options: ``detect: true`` and, if wanted, ``variants`` (of one row, that an honest caller may ask).
        isolated: The model and what it knows of the training data.
        alarm: As for :class:`Screen`.
        flagged: As for :class:`Screen`.

    Raises:
        InputError: ``guard.detect`` where the options cannot be enforced or there are too few rows to learn from.
    """
    variants = options.get("variants", _VARIANTS)
    if options["detect"] is not True or type(variants) is not int or not 1 <= variants <= 10_000:
        raise InputError(
            "guard.detect", "controls.P2.detect or variants cannot be read.",
            remedy="Write `detect: true` and, if wanted, `variants: 15` (1 to 10,000).",
        )  # fmt: skip
    population = isolated.way.population
    rows = unpack(population) if population is not None else None
    if rows is None or len(rows) < _FEWEST:
        raise InputError(
            "guard.detect", "controls.P2.detect needs rows to learn from.",
            remedy=f"Declare data.train, a table or images, of at least {_FEWEST} rows.",
        )  # fmt: skip
    return Screen(provided("theft.detector")(rows, 0, variants=variants), alarm, flagged)
