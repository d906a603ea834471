"""Admission: the stages that let in who asks for a declared purpose, with input as declared (row D1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from fivefold.contract.registry import provided
from fivefold.guard.nouns import OPERATOR, Passage, RefusedError
from fivefold.guard.quick import Quick

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fivefold.manifest.nouns import Feature
    from fivefold.subject.rows import Rows


class Purpose:
    """Lets through who is a caller and asks for a declared purpose that is also its own."""

    name = "purpose"

    def __init__(self, purposes: tuple[str, ...], *, operators: bool = False) -> None:
        """Take the declared purposes; ``operators``: they may ask, too, which they may in an assessment alone."""
        self._purposes, self._operators = purposes, operators
        self._settled, self._unfit = provided("admission.settled"), provided("admission.unfit")

    def __call__(self, passage: Passage) -> None:
        """Settle the purpose: as asked, else the only one of the principal.

        Raises:
            RefusedError: ``guard.role``, ``guard.purpose``.
        """
        principal = passage.principal
        role = "caller" if self._operators and principal.role == OPERATOR else principal.role
        try:
            passage.purpose = self._settled(role, passage.purpose, principal.purposes, self._purposes)
        except self._unfit as error:
            raise _refused(error) from None


class Domain:
    """Lets through rows with the declared columns, types and ranges; a value that is missing only where some were.

    Limit: a value that is possible and wrong passes.
    """

    name = "domain"

    def __init__(self, example: Rows, features: Mapping[str, Feature], missing: frozenset[str]) -> None:
        """Take what is known; see :class:`fivefold.governance.admission.rules.Domain`."""
        self._rules, self._unfit = provided("admission.domain")(example, features, missing), provided("admission.unfit")
        self._quick = Quick(example, features) if isinstance(example, pd.DataFrame) else None

    def __call__(self, passage: Passage) -> None:
        """Make rows of what was given.

        Raises:
            RefusedError: ``guard.rows``, ``guard.fields``, ``guard.type``, ``guard.missing``, ``guard.range``.
        """
        admitted = self._quick(passage.given, self._rules.most) if self._quick is not None else None
        if admitted is not None:
            passage.admitted = admitted
            return
        try:
            passage.admitted = self._rules.admit(passage.given)
        except self._unfit as error:
            raise _refused(error) from None


def _refused(error: RefusedError) -> RefusedError:
    told = RefusedError(error.code, error.message, status=error.status, remedy=error.remedy, field=error.field)
    return told.of(getattr(error, "rows", None))
