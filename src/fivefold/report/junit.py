"""JUnit XML, as build servers read it: one case per check and one for the level.

Nothing that is not a pass looks like one: ``fail`` is a failure, ``error`` and ``inconclusive`` are errors (a build
that does not know must not be green), ``not-run`` and a tested ``not-applicable`` are skipped with the reason.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

from fivefold.contract.outcome import Outcome

if TYPE_CHECKING:
    from fivefold.contract.finding import Finding
    from fivefold.manifest.nouns import Manifest
    from fivefold.report.nouns import Document

_TAGS = {
    Outcome.FAIL: "failure",
    Outcome.ERROR: "error",
    Outcome.INCONCLUSIVE: "error",
    Outcome.NOT_RUN: "skipped",
    Outcome.NOT_APPLICABLE: "skipped",
}
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold."""


def write(document: Document, manifest: Manifest | None = None, place: str = "fivefold.yaml") -> bytes:  # noqa: ARG001
    """Return the suite; see :meth:`fivefold.report.formats.Format.write`."""
    cases = [_case(finding) for finding in document.findings]
    cases.append(_level(document))
    suite = ET.Element("testsuite", name=_clean(f"fivefold {document.verdict.application}"))
    for tag, name in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        suite.set(name, str(sum(case.find(tag) is not None for case in cases)))
    suite.set("tests", str(len(cases)))
    suite.set("time", "0")
    started = next((line.started for line in document.attempts if line.number == document.verdict.attempt), "")
    if started:
        suite.set("timestamp", started.rstrip("Z"))
    suite.extend(cases)
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root, " ")
    made: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return made + b"\n"


def _case(finding: Finding) -> ET.Element:
    case = ET.Element("testcase", classname=f"fivefold.{finding.technique}", name=finding.check, time="0")
    tag = _TAGS.get(finding.result.outcome)
    if tag:
        said = ET.SubElement(case, tag, message=_clean(f"{finding.result.outcome}: {finding.result.reason}"))
        if tag != "skipped":
            said.set("type", str(finding.result.outcome))
        said.text = _clean(finding.result.remedy)
    return case


def _level(document: Document) -> ET.Element:
    """Return the case of the declared level, and of whether the evidence verifies."""
    verdict = document.verdict
    case = ET.Element("testcase", classname="fivefold.verdict", name=f"level {verdict.declared}", time="0")
    if document.verified == "no":
        ET.SubElement(case, "error", message="The evidence does not verify.", type="evidence")
    elif verdict.attained < verdict.declared:
        text = f"Level {verdict.attained} of {verdict.declared} is attained."
        said = ET.SubElement(case, "failure", message=text, type="not-attained")
        said.text = _clean("\n".join(verdict.blocks.values()))
    return case


def _clean(text: str) -> str:
    return _ILLEGAL.sub("?", text.encode("utf-8", "replace").decode())
