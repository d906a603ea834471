"""Where a decision comes from, and what came of data: as lines, as values, as W3C PROV and as OpenLineage events."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fivefold.manifest.nouns import Manifest

_PRODUCER = "https://fivefold.dev/openlineage/v1"
_SPEC = "https://openlineage.io/spec"
_EVENT = f"{_SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent"
_SPACE = uuid.UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")  # RFC 9562: names that are addresses
_ANSWERS = ("decision", "output")


def tracer_of(manifest: Manifest, trust: Path | None) -> Any:
    """Return what traces an application's decisions, by the verifier's trust file."""
    from fivefold.contract.registry import provided
    from fivefold.keys import store
    from fivefold.keys import trust as trust_file

    return provided("lineage.tracer")(manifest, trust_file.read(store.read_trust(trust)), store.utc_now())


def record_of(which: str) -> str:
    """Return the record that is meant: the one of a receipt's file, else what was given.

    Raises:
        InputError: ``appeal.receipt`` for a file that is no receipt.
    """
    from fivefold.contract.registry import provided

    path = Path(which)
    if not which.endswith(".json") or not path.is_file() or path.stat().st_size > 1 << 20:
        return which
    return str(provided("appeals.receipt")(path.read_bytes()).record)


def origins(found: list[Any], tracer: Any) -> list[tuple[Any, Any]]:
    """Return each answer of a case with the way back from its model; of a case without files of a model: none."""
    answers = [one for one in found if one.kind in _ANSWERS and one.body is not None]
    decided = [one for one in answers if one.kind == _ANSWERS[0]] or answers
    return [(one, tracer.back(one.body.model)) for one in decided if "refused" not in one.body.fields]


def value(answer: Any, walked: Any, tracer: Any) -> dict[str, Any]:
    """Return the way back from one answer as plain values."""
    return {
        "record": answer.id, "model": walked.model, "served": walked.served, "signer": _signer(walked),
        "statement": tracer.place(walked.statement) if walked.statement else "",
        "links": [_link(one, since=False) for one in walked.links] + [_link(one, since=True) for one in walked.since],
        "broken": len(walked.broken),
    }  # fmt: skip


def lines(answer: Any, walked: Any, tracer: Any) -> list[str]:
    """Return the way back from one answer in words."""
    served = "served now" if walked.served else "not the one that is served now"
    said = [f"Where record {answer.index} comes from:"]
    said += [f"  model        {walked.model[:16]}, {served}"] if walked.model else []
    if walked.known is not None:
        said.append(f"  statement    {tracer.place(walked.statement)}, signed by {walked.known.signer}")
    for link in (one for one in walked.links if not one.code and one.part not in ("signature", "parameters")):
        said.append(f"  {link.part:<12} {link.name}{f' ({link.text})' if link.text else ''}")
    named = [f"{one.name}={one.text}" for one in walked.links if one.part == "parameters" and not one.code]
    said += [f"  parameters   {', '.join(named)[:400]}"] if named else []
    said += [f"  since then   {one.part} {one.name}: {one.text} [{one.code}]" for one in walked.since]
    said += [f"  BROKEN       {one.part} {one.name}: {one.text} [{one.code}]" for one in walked.broken]
    return said if walked.broken else [*said, "  Every link holds."]


def ahead(name: str, tracer: Any, reading: Any, stamp: Callable[[int], str]) -> tuple[list[dict[str, Any]], list[str]]:
    """Return what came of a data set, file, commit or person, as values and in words."""
    values: list[dict[str, Any]] = []
    said: list[str] = []
    for model, statement, decisions in tracer.forward(name, reading):
        place = tracer.place(statement)
        values.append({
            "model": model, "statement": place,
            "decisions": [{"record": one.id, "index": one.index, "at": stamp(one.at)} for one in decisions],
        })  # fmt: skip
        said.append(f"{name} -> {place} -> model {model[:16]} -> {len(decisions):,} decisions on record")
        said += [f"  {one.index:>8} {stamp(one.at)} {one.id}" for one in decisions[:20]]
        said += [f"  and {len(decisions) - 20:,} more (--json has all)"] if len(decisions) > 20 else []
    return values, said or [f"No trusted statement here names {name[:200]}."]


def prov(document: dict[str, Any], told: list[tuple[Any, Any]]) -> dict[str, Any]:
    """Add to a PROV-JSON document of a case where its answers come from.

    Models, data and code are entities, trainings activities, people agents. Source: W3C PROV-DM (2013).
    """
    parts: dict[str, dict[str, Any]] = {
        part: document.setdefault(part, {}) for part in (
            "entity", "activity", "agent", "used", "wasGeneratedBy", "wasDerivedFrom", "wasAssociatedWith",
        )
    }  # fmt: skip
    for answer, walked in told:
        if not walked.model:
            continue
        model = f"ff:set-{walked.model[:32]}"
        parts["entity"][model] = {"prov:type": "ff:model", "prov:label": "model", "ff:sha256": walked.model}
        parts["wasDerivedFrom"][f"_:answer-{answer.index}"] = {
            "prov:generatedEntity": f"ff:record-{answer.id}", "prov:usedEntity": model,
        }  # fmt: skip
        if walked.known is not None:
            _training(parts, model, walked.known)
    return {
        "prefix": document["prefix"],
        **{part: held for part, held in document.items() if held and part != "prefix"},
    }


def _training(parts: dict[str, dict[str, Any]], model: str, known: Any) -> None:
    training = f"ff:training-{known.own[:32]}"
    times = known.says.runDetails.metadata
    made = known.says.buildDefinition
    parts["activity"][training] = {
        "prov:label": made.externalParameters.factory,
        **({"prov:startTime": times.startedOn} if times.startedOn else {}),
        **({"prov:endTime": times.finishedOn} if times.finishedOn else {}),
    }  # fmt: skip
    parts["wasGeneratedBy"][f"_:made-{known.own[:32]}"] = {"prov:entity": model, "prov:activity": training}
    for one in made.resolvedDependencies:
        digest = next(iter(one.digest.values()))
        name = f"ff:{one.annotations['kind']}-{digest[:32]}"
        parts["entity"][name] = {"prov:type": f"ff:{one.annotations['kind']}", "prov:label": one.uri or one.name,
                                 "ff:digest": digest}  # fmt: skip
        parts["used"][f"_:used-{known.own[:16]}-{digest[:32]}"] = {"prov:activity": training, "prov:entity": name}
    for person in made.externalParameters.people:
        agent = f"ff:person-{uuid.uuid5(_SPACE, person.name).hex}"
        parts["agent"][agent] = {"prov:type": "prov:Person", "prov:label": person.name}
        parts["wasAssociatedWith"][f"_:{person.role.encode().hex()[:32]}-{known.own[:16]}"] = {
            "prov:activity": training, "prov:agent": agent, "prov:role": person.role,
        }  # fmt: skip


def openlineage(told: list[tuple[Any, Any]], application: str, stamp: Callable[[int], str]) -> Iterator[dict[str, Any]]:
    """Yield OpenLineage run events (2-0-2): the training that made each model, then each answer that came of it."""
    space = f"fivefold/{application}"
    trained: set[str] = set()
    for answer, walked in told:
        model = _dataset(space, f"model/{walked.model}", walked.model)
        if walked.known is not None and walked.known.own not in trained:
            trained.add(walked.known.own)
            yield from _trained(space, walked.known, model)
        job: tuple[str, str, dict[str, Any]] = (space, "decision", {})
        run, at = uuid.uuid5(_SPACE, f"{space}/record/{answer.id}"), stamp(answer.at)
        yield _event("START", at, run, job, [], [])
        yield _event("COMPLETE", at, run, job, [model] if walked.model else [],
                     [_dataset(space, f"record/{answer.id}", answer.id)])  # fmt: skip


def _trained(space: str, known: Any, model: dict[str, Any]) -> Iterator[dict[str, Any]]:
    made, times = known.says.buildDefinition, known.says.runDetails.metadata
    inputs = [
        _dataset(space, one.uri or one.name, one.digest["sha256"]) for one in made.resolvedDependencies
        if "sha256" in one.digest and one.annotations["kind"] != "repository"
    ]  # fmt: skip
    owners = [{"name": person.name, "type": person.role} for person in made.externalParameters.people]
    facets = {"ownership": _facet("1-0-0/OwnershipJobFacet.json#/$defs/OwnershipJobFacet", owners=owners)}
    for one in known.says.named("repository")[:1]:
        commit = one.digest["gitCommit"]
        facets["sourceCodeLocation"] = _facet(
            "1-0-0/SourceCodeLocationJobFacet.json#/$defs/SourceCodeLocationJobFacet", type="git", version=commit,
            url=one.uri if "://" in one.uri else f"git:{commit}", **({"repoUrl": one.uri} if one.uri else {}),
        )  # fmt: skip
    run, job = uuid.uuid5(_SPACE, f"{space}/training/{known.own}"), (space, made.externalParameters.factory, facets)
    ended = times.finishedOn or times.fivefold_issued
    yield _event("START", times.startedOn or ended, run, job, [], [])
    yield _event("COMPLETE", ended, run, job, inputs, [model])


def _event(  # noqa: PLR0917  the parts of an event, in their order
    kind: str, at: str, run: uuid.UUID, job: tuple[str, str, dict[str, Any]], inputs: list[dict[str, Any]],
    outputs: list[dict[str, Any]],
) -> dict[str, Any]:  # fmt: skip
    space, name, facets = job
    return {
        "eventType": kind, "eventTime": at, "producer": _PRODUCER, "schemaURL": _EVENT, "run": {"runId": str(run)},
        "job": {"namespace": space, "name": name, "facets": facets}, "inputs": inputs, "outputs": outputs,
    }  # fmt: skip


def _dataset(space: str, name: str, digest: str) -> dict[str, Any]:
    version = _facet("1-0-0/DatasetVersionDatasetFacet.json#/$defs/DatasetVersionDatasetFacet", datasetVersion=digest)
    return {"namespace": space, "name": name, "facets": {"version": version}}


def _facet(schema: str, **fields: Any) -> dict[str, Any]:
    return {"_producer": _PRODUCER, "_schemaURL": f"{_SPEC}/facets/{schema}", **fields}


def _signer(walked: Any) -> str:
    return str(walked.known.signer) if walked.known is not None else ""


def _link(link: Any, *, since: bool) -> dict[str, Any]:
    return {"part": link.part, "name": link.name, "code": link.code, "text": link.text, "since": since}
