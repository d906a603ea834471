"""Records handed on to other systems: CloudEvents and W3C PROV."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_NAMESPACE = "https://fivefold.invalid/ns#"


def cloudevents(
    records: Iterable[Any], application: str, value: Callable[[Any], dict[str, Any]], stamp: Callable[[int], str]
) -> Iterator[dict[str, Any]]:
    """Yield one CloudEvent 1.0 for each record: the words, not the arrays."""
    for item in records:
        yield {
            "specversion": "1.0",
            "id": item.id,
            "source": f"fivefold/{application}/record",
            "type": f"fivefold.record.{item.kind}",
            "time": stamp(item.at),
            "datacontenttype": "application/json",
            "data": value(item),
        }


def prov(records: Iterable[Any], stamp: Callable[[int], str]) -> dict[str, Any]:
    """Return a PROV-JSON document: cases are activities, records entities, models, persons who act, and people agents.

    Source: W3C PROV-DM (2013); PROV-JSON, W3C member submission. What was erased stands as an entity without content.
    """
    document: dict[str, dict[str, Any]] = {
        part: {} for part in ("entity", "activity", "agent", "used", "wasGeneratedBy", "wasDerivedFrom",
                              "wasAssociatedWith", "wasAttributedTo")
    }  # fmt: skip
    for item in records:
        name = f"ff:record-{item.id}"
        document["entity"][name] = {"prov:type": f"ff:{item.kind}", "ff:position": item.index, "ff:at": stamp(item.at)}
        if item.body is None:
            document["entity"][name]["ff:erased"] = True
            continue
        _told(document, item, name, stamp(item.at))
    return {"prefix": {"ff": _NAMESPACE}, **{part: held for part, held in document.items() if held}}


def _told(document: dict[str, dict[str, Any]], item: Any, name: str, at: str) -> None:
    body = item.body
    case = _qualified(document["activity"], "case", body.case)
    times = document["activity"][case]
    times["prov:startTime"] = min(at, times.get("prov:startTime", at))
    times["prov:endTime"] = max(at, times.get("prov:endTime", at))
    relation = "used" if item.kind in ("input", "sensor") else "wasGeneratedBy"
    document[relation][f"_:{relation}-{item.index}"] = {"prov:activity": case, "prov:entity": name, "prov:time": at}
    for link in body.links:
        document["wasDerivedFrom"][f"_:from-{item.index}-{link}"] = {
            "prov:generatedEntity": name, "prov:usedEntity": f"ff:record-{link}",
        }  # fmt: skip
    if body.model:
        model = _qualified(document["agent"], "model", body.model, {"prov:type": "prov:SoftwareAgent"})
        document["wasAssociatedWith"][f"_:by-{case}-{model}"] = {"prov:activity": case, "prov:agent": model}
    if isinstance(who := body.fields.get("who"), str) and who:
        person = _qualified(document["agent"], "agent", who)
        document["wasAttributedTo"][f"_:who-{item.index}"] = {"prov:entity": name, "prov:agent": person}


def _qualified(held: dict[str, Any], kind: str, label: str, more: dict[str, Any] | None = None) -> str:
    """Return the name of a thing, which stands in ``held`` from then on; any label makes a valid name."""
    import hashlib

    name = f"ff:{kind}-{hashlib.sha256(label.encode()).hexdigest()[:16]}"
    held.setdefault(name, {"prov:label": label, **(more or {})})
    return name
