"""Cases handed on to other systems: XES for process mining, OTLP for tracing; the words, not the arrays."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_EXTENSIONS = {"Concept": "concept", "Time": "time", "Organizational": "org", "Identity": "identity"}
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SPAN_INTERNAL = 1
_STATUS_ERROR = 2


def grouped(records: Iterable[Any]) -> tuple[dict[str, list[Any]], int]:
    """Return the records of each case in order, cases by their first record, and how many are erased.

    Memory holds the words of all of them.
    """
    import msgspec

    cases: dict[str, list[Any]] = {}
    erased = 0
    for item in records:
        if item.body is None:
            erased += 1
            continue
        bare = msgspec.structs.replace(item, body=msgspec.structs.replace(item.body, tensors=()))
        cases.setdefault(item.body.case, []).append(bare)
    return cases, erased


def xes(records: Iterable[Any], application: str, stamp: Callable[[int], str]) -> Iterator[str]:
    """Yield the lines of an event log: a trace for each case, an event for each record.

    Source: IEEE 1849-2016 (XES), with its extensions concept, time, org and identity.
    """
    cases, erased = grouped(records)
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    yield '<log xes.version="1849-2016" xes.features="" xmlns="http://www.xes-standard.org/">'
    for name, prefix in _EXTENSIONS.items():
        uri = f"http://www.xes-standard.org/{prefix}.xesext"
        yield _xml(ET.Element("extension", {"name": name, "prefix": prefix, "uri": uri}))
    yield '<global scope="trace"><string key="concept:name" value="UNKNOWN"/></global>'
    yield (
        '<global scope="event"><string key="concept:name" value="UNKNOWN"/>'
        '<date key="time:timestamp" value="1970-01-01T00:00:00.000Z"/></global>'
    )
    yield '<classifier name="Activity" keys="concept:name"/>'
    yield _xml(_told("concept:name", application))
    yield _xml(_told("fivefold:erased", erased))
    for case, items in cases.items():
        trace = ET.Element("trace")
        trace.append(_told("concept:name", case))
        for item in items:
            trace.append(_event(item, stamp(item.at)))
        yield _xml(trace)
    yield "</log>"


def _event(item: Any, at: str) -> ET.Element:
    event, fields = ET.Element("event"), item.body.fields
    what = fields.get("what")
    event.append(_told("concept:name", f"{item.kind}: {what}" if isinstance(what, str) and what else item.kind))
    event.append(ET.Element("date", {"key": "time:timestamp", "value": at}))
    event.append(_told("identity:id", item.id))
    if isinstance(fields.get("who"), str):
        event.append(_told("org:resource", fields["who"]))
    if item.body.model:
        event.append(_told("fivefold:model", item.body.model))
    for name, value in fields.items():
        event.append(_told(f"fivefold:{name}", value))
    return event


def _told(key: str, value: Any) -> ET.Element:
    kind = "boolean" if isinstance(value, bool) else "float" if isinstance(value, float) else "string"
    kind = "int" if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63 else kind
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return ET.Element(kind, {"key": _NO_XML.sub("�", key), "value": _NO_XML.sub("�", text)})


def _xml(element: ET.Element) -> str:
    return ET.tostring(element, encoding="unicode")


def otlp(records: Iterable[Any], application: str, version: str) -> Iterator[dict[str, Any]]:
    """Yield one OTLP ``TracesData`` for each case: a span from its first record to its last, an event for each record.

    The trace id is the one that the application gave, else one that follows from the case. An alarm sets the status.

    Source: OpenTelemetry protocol 1.7, JSON encoding.
    """
    for case, items in grouped(records)[0].items():
        digest = hashlib.sha256(f"{application}\0{case}".encode()).hexdigest()
        given = next((item.body.trace for item in items if re.fullmatch("(?!0{32})[0-9a-f]{32}", item.body.trace)), "")
        alarms = [item for item in items if item.kind == "alarm"]
        span: dict[str, Any] = {
            "traceId": given or digest[:32],
            "spanId": digest[32:48],
            "name": "case",
            "kind": _SPAN_INTERNAL,
            "startTimeUnixNano": str(min(item.at for item in items)),
            "endTimeUnixNano": str(max(item.at for item in items)),
            "attributes": _attributes({"fivefold.case": case, "fivefold.model": items[-1].body.model}),
            "events": [
                {
                    "timeUnixNano": str(item.at),
                    "name": item.kind,
                    "attributes": _attributes(
                        {"fivefold.record": item.id}
                        | {f"fivefold.{name}": value for name, value in item.body.fields.items()}
                    ),
                }
                for item in items
            ],
            "status": {"code": _STATUS_ERROR, "message": "alarm"} if alarms else {},
        }
        scope = {"scope": {"name": "fivefold", "version": version}, "spans": [span]}
        resource = {"attributes": _attributes({"service.name": application})}
        yield {"resourceSpans": [{"resource": resource, "scopeSpans": [scope]}]}


def _attributes(values: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": name, "value": _value(value)} for name, value in values.items() if value not in ("", None)]


def _value(value: Any) -> dict[str, Any]:
    from math import isfinite

    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int) and -(2**63) <= value < 2**63:
        return {"intValue": str(value)}
    if isinstance(value, float) and isfinite(value):
        return {"doubleValue": value}
    return {"stringValue": str(value)}
