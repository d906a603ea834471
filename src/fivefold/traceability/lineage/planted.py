"""Planted: statements about an application's own files with one link broken, for the canary of T2.provenance."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import msgspec

from fivefold.contract.finding import Canary
from fivefold.evidence import links, model_provenance
from fivefold.evidence.model_provenance import (
    Builder,
    Definition,
    Dependency,
    External,
    Internal,
    Metadata,
    Person,
    Provenance,
    Run,
)
from fivefold.keys import trust as trust_file
from fivefold.keys.signing import Signer, generate

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from fivefold.evidence.links import There
    from fivefold.keys.trust import Trust

_COMMIT = "c" * 40


@dataclass(frozen=True)
class Case:
    """A statement, who is trusted, and what it is held against."""

    says: Provenance
    files: dict[str, str]
    signer: Signer
    trust: Trust
    there: There


def honest(there: There, rng: np.random.Generator, now: str) -> Case:
    """Return an intact statement about files that are there, with data and code that are drawn where there are none."""
    signer = generate()
    data = dict(there.data) or {"train": hashlib.sha256(rng.bytes(16)).hexdigest()}
    loading = {name: digest for name, digest in there.files.items() if name not in there.outputs}
    own = loading or {"canary.py": hashlib.sha256(rng.bytes(16)).hexdigest()}
    code = {**own, **{name: there.files[name] for name in there.trains}}
    here = msgspec.structs.replace(
        there, data=data, others={name: digest for name, digest in code.items() if name not in there.files},
        commit="known", committed=code,
    )  # fmt: skip
    made_of = (
        *(_named(f"data.{name}", f"{name}.csv", digest, "data") for name, digest in data.items()),
        *(_named(name, name, digest, "code") for name, digest in code.items()),
        Dependency(name="repository", digest={"gitCommit": _COMMIT}, annotations={"kind": "repository"}),
    )
    says = Provenance(
        buildDefinition=Definition(
            buildType=model_provenance.BUILD,
            externalParameters=External(
                application=there.application, factory=there.training or "train:fit",
                parameters={"seed": int(rng.integers(1000))}, people=(Person(role="trained", name="canary"),),
            ),
            internalParameters=Internal(environment={"python": "3"}),
            resolvedDependencies=made_of,
        ),
        runDetails=Run(
            builder=Builder(id=model_provenance.SAID, version={}), metadata=Metadata(fivefold_issued=now)
        ),
    )  # fmt: skip
    trust = trust_file.add(trust_file.Trust(), signer.public, name="canary", roles=("signer",))
    return Case(says, {name: there.files[name] for name in there.outputs}, signer, trust, here)


def _named(name: str, uri: str, digest: str, kind: str) -> Dependency:
    return Dependency(name=name, uri=uri, digest={"sha256": digest}, annotations={"kind": kind})


def other(digest: str, rng: np.random.Generator) -> str:
    """Return a digest with one digit changed."""
    at = int(rng.integers(len(digest)))
    return digest[:at] + "0123456789abcdef"[(int(digest[at], 16) + 1 + int(rng.integers(15))) % 16] + digest[at + 1 :]


def _one(names: list[str], rng: np.random.Generator) -> str:
    return names[int(rng.integers(len(names)))]


def _definition(case: Case, **changed: Any) -> Case:
    made = msgspec.structs.replace(case.says.buildDefinition, **changed)
    return replace(case, says=msgspec.structs.replace(case.says, buildDefinition=made))


def _external(case: Case, **changed: Any) -> Case:
    held = case.says.buildDefinition.externalParameters
    return _definition(case, externalParameters=msgspec.structs.replace(held, **changed))


def _made_of(case: Case, kind: str, rng: np.random.Generator, change: Callable[[Dependency], Any]) -> Case:
    """Change one dependency of a kind, drawn; None leaves it out."""
    listed = case.says.buildDefinition.resolvedDependencies
    victim = _one([one.name for one in listed if one.annotations["kind"] == kind], rng)
    changed = [change(one) if one.name == victim else one for one in listed]
    return _definition(case, resolvedDependencies=tuple(one for one in changed if one is not None))


def _digest_of(kind: str) -> Callable[[Case, np.random.Generator], Case]:
    def spoil(case: Case, rng: np.random.Generator) -> Case:
        return _made_of(
            case, kind, rng,
            lambda one: msgspec.structs.replace(one, digest={"sha256": other(one.digest["sha256"], rng)}),
        )  # fmt: skip

    return spoil


def _without(kind: str) -> Callable[[Case, np.random.Generator], Case]:
    def spoil(case: Case, _: np.random.Generator) -> Case:
        listed = case.says.buildDefinition.resolvedDependencies
        gone = {kind, "repository"} if kind == "code" else {kind}
        return _definition(case, resolvedDependencies=tuple(o for o in listed if o.annotations["kind"] not in gone))

    return spoil


def _model_digest(case: Case, rng: np.random.Generator) -> Case:
    victim = _one(list(case.files), rng)
    return replace(case, files={**case.files, victim: other(case.files[victim], rng)})


def _data_gone(case: Case, rng: np.random.Generator) -> Case:
    victim = _one(list(case.there.data), rng)
    held = {name: digest for name, digest in case.there.data.items() if name != victim}
    return replace(case, there=msgspec.structs.replace(case.there, data=held))


def _commit(state: str) -> Callable[[Case, np.random.Generator], Case]:
    def spoil(case: Case, rng: np.random.Generator) -> Case:
        held = dict(case.there.committed)
        victim = _one(list(held), rng)
        held[victim] = other(held[victim], rng)
        return replace(case, there=msgspec.structs.replace(case.there, commit=state, committed=held))

    return spoil


def _role(case: Case, _: np.random.Generator) -> Case:
    other = trust_file.add(trust_file.Trust(), case.signer.public, name="canary", roles=("witness",))
    return replace(case, trust=other)


BREAKS: dict[str, tuple[str, Callable[[Case, np.random.Generator], Case]]] = {
    "another digest of the model": ("model", _model_digest),
    "another digest of data": ("data", _digest_of("data")),
    "another digest of code": ("code", _digest_of("code")),
    "data that are gone": ("data", _data_gone),
    "no data named": ("data", _without("data")),
    "no code named": ("code", _without("code")),
    "no parameters named": ("parameters", lambda case, _: _external(case, parameters={})),
    "no environment named": (
        "environment", lambda case, _: _definition(case, internalParameters=Internal(environment={}))
    ),
    "nobody named": ("people", lambda case, _: _external(case, people=())),
    "a commit that nobody has": ("code", _commit("unknown")),
    "a commit with other code": ("code", _commit("known")),
    "another signer": ("signature", lambda case, _: replace(case, signer=generate())),
    "a signer in another role": ("signature", _role),
}  # fmt: skip
"""Kind of break to the part of the chain that it is in, and what plants it."""


def followed(case: Case, now: str) -> tuple[links.Link, ...]:
    """Return the links of a case."""
    statement = model_provenance.seal(case.says, case.files, case.signer)
    return links.follow(statement, case.there, trust=case.trust, now=now)[1]


def prove(there: There, rng: np.random.Generator, now: str) -> Canary:
    """Break statements about these very files in each way, one link each, and follow an intact one beside each."""
    missed, alarms = [], 0
    for kind, (part, spoil) in BREAKS.items():
        case = honest(there, rng, now)
        alarms += bool(links.broken(followed(case, now)))
        found = links.broken(followed(spoil(case, rng), now))
        if {link.part for link in found} != {part}:
            missed.append(kind)
    return Canary(
        kind="a broken link",
        planted=len(BREAKS),
        found=len(BREAKS) - len(missed),
        clean=len(BREAKS),
        false_alarms=alarms,
        noticed=not missed and not alarms,
        detail=f"Missed: {', '.join(missed)}." if missed else f"Found where it was: {', '.join(BREAKS)}.",
    )
