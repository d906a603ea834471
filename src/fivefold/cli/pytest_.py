"""pytest plug-in: ``pytest --fivefold my-app`` turns sealed evidence into tests, one per check and one for the level.

A check that failed or broke is a failed test, one that is inconclusive too (a build that does not know must not be
green); one that was not run is skipped with its reason. Nothing is measured unless ``--fivefold-assess`` is given.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from fivefold.contract.finding import Finding


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options; nothing else of Fivefold is imported unless one is given."""
    group = parser.getgroup("fivefold", "Fivefold: evidence about a machine-learning application")
    group.addoption("--fivefold", action="append", default=[], metavar="APP", help="Test this application's evidence.")
    group.addoption("--fivefold-min-level", type=int, default=None, metavar="N", help="Level that must be attained.")
    group.addoption("--fivefold-assess", action="store_true", help="Assess first (quick effort), then test.")


def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Append the tests of each application that was named."""
    for name in config.getoption("--fivefold"):
        items.extend(_items(session, Path(name), config))


class EvidenceItem(pytest.Item):
    """One test over evidence: ``outcome`` and ``reason`` were decided when it was collected."""

    def __init__(self, *, outcome: str, reason: str, **more: Any) -> None:
        """Keep what was found."""
        super().__init__(**more)
        self._outcome, self._reason = outcome, reason

    def runtest(self) -> None:
        """Fail, skip or pass as the evidence says."""
        if self._outcome in ("not-run", "not-applicable"):
            pytest.skip(f"{self._outcome}: {self._reason}")
        if self._outcome != "pass":
            pytest.fail(f"{self._outcome}: {self._reason}", pytrace=False)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Name the test as pytest shows it."""
        return self.path, None, self.name


def _items(session: pytest.Session, application: Path, config: pytest.Config) -> list[EvidenceItem]:
    from fivefold.cli.gate import sealed
    from fivefold.errors import FivefoldError
    from fivefold.keys import store
    from fivefold.report.admission import admit

    try:
        if config.getoption("--fivefold-assess"):
            _assess(application)
        document = sealed(application, None, None)
    except FivefoldError as error:
        raise pytest.UsageError(f"{application}: {error}") from None
    found = admit(document, store.utc_now(), min_level=config.getoption("--fivefold-min-level"))
    made = [_item(session, application, finding) for finding in document.findings]
    reasons = [
        reason for reason in found.reasons if not reason.startswith(tuple(item.check for item in document.findings))
    ]
    outcome, reason = ("fail", " ".join(reasons)) if reasons else ("pass", "")
    name = f"{application}::level-{found.wanted}"
    return [*made, EvidenceItem.from_parent(session, name=name, outcome=outcome, reason=reason)]


def _item(session: pytest.Session, application: Path, finding: Finding) -> EvidenceItem:
    said = finding.result
    name = f"{application}::{finding.check}"
    made: EvidenceItem = EvidenceItem.from_parent(session, name=name, outcome=str(said.outcome), reason=said.reason)
    return made


def _assess(application: Path) -> None:
    from fivefold.assess.run import Options, assess
    from fivefold.cli._sealed import sealed_page
    from fivefold.manifest.reader import read

    assess(read(application), Options(effort="quick"), render=sealed_page)
