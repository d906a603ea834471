"""Making: the provenance of a model, from what its application declares and what its signer says."""

from __future__ import annotations

import platform
from dataclasses import dataclass, field
from importlib import metadata
from typing import TYPE_CHECKING, Any

from fivefold import __version__
from fivefold.errors import InputError
from fivefold.evidence import commits, links, model_provenance, signed_set, source
from fivefold.evidence.model_provenance import (
    Builder,
    Byproduct,
    Definition,
    Dependency,
    External,
    Internal,
    Metadata,
    Person,
    Provenance,
    Run,
)
from fivefold.keys import store
from fivefold.manifest.digests import data_digest
from fivefold.traceability.labels.model_label import LEARNT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from fivefold.evidence.model_provenance import Kind
    from fivefold.keys.signing import Signer
    from fivefold.manifest.nouns import Manifest

_PEOPLE = 'Say who: --person "trained=Jane Doe", or controls: {T2: {people: {trained: Jane Doe}}} in the manifest.'


@dataclass(frozen=True)
class Saying:
    """What a signer says of a model that was trained elsewhere.

    Attributes:
        parameters: Name to value.
        people: Role to name, besides those of ``controls.T2.people``.
        factory: What trained it; empty: ``training.factory`` of the manifest.
        data: Names of data sets, or paths of files; empty: the declared ones that models learn from.
        code: Paths of files, besides those of the signed set.
        environment: Path of a file that lists it; empty: this machine and this Python.
        commit: Full id; empty: the one that is checked out, if it holds the code as it is.
        repository: Address; empty: the one of ``origin``.
        finished: UTC time of the training's end; empty: not said.
    """

    parameters: Mapping[str, Any]
    people: Mapping[str, str] = field(default_factory=dict)
    factory: str = ""
    data: Sequence[str] = ()
    code: Sequence[str] = ()
    environment: str = ""
    commit: str = ""
    repository: str = ""
    finished: str = ""


@dataclass(frozen=True)
class Made:
    """What came of it.

    Attributes:
        place: Where the statement stands.
        says: What it says.
        files: Of the model, name to SHA-256.
        aside: Where the earlier statement was put; None: there was none.
    """

    place: Path
    says: Provenance
    files: dict[str, str]
    aside: Path | None


@dataclass(frozen=True)
class Training:
    """A training that the product ran itself.

    Attributes:
        way: The command that trained, for example ``fivefold model train --private``.
        parameters: Name to value.
        data: Names of the data sets that it learnt from, to their digests when they were read.
        started: UTC time.
        who: Name of the user who ran it.
        modules: Whether the application's own modules took part.
    """

    way: str
    parameters: Mapping[str, Any]
    data: Mapping[str, str]
    started: str
    who: str
    modules: bool = False


def declare(manifest: Manifest, saying: Saying, signer: Signer, now: str) -> Made:
    """Sign where the application's model comes from, as its signer says; an earlier statement is put aside.

    Args:
        manifest: The application.
        saying: What is said.
        signer: Who says so.
        now: UTC time.

    Raises:
        InputError: ``provenance.no-people``, ``provenance.no-parameters``, ``provenance.no-factory``,
            ``provenance.no-data``, ``provenance.no-code``, ``provenance.unknown-commit``, ``provenance.other-commit``,
            ``provenance.no-model``, ``provenance.file``.
        TrustError: The model's files cannot be signed.
    """
    found = signed_set.digests(manifest)
    outputs = links.outputs_of(manifest, found)
    factory = saying.factory or manifest.training
    data = tuple(_data(manifest, name) for name in saying.data or [name for name in LEARNT if name in manifest.data])
    loading = {name: digest for name, digest in found.items() if name not in outputs or len(outputs) == len(found)}
    code = {**loading, **{name: _sha256(manifest, name) for name in saying.code}}
    repository = _repository(manifest, saying, code)
    for missing, what, remedy in (
        (not found, "model", "Name the model under `model:`."),
        (not factory, "factory", "Say what trained it: --factory, or training.factory in the manifest."),
        (not data, "data", "Name what it learnt from: --data NAME or FILE."),
        (not code and not repository, "code", "Name its files: --code FILE, or training.factory in the manifest."),
        (not saying.parameters, "parameters", "Say them: --parameter seed=7; what was left at its default, too."),
    ):
        if missing:
            raise InputError(f"provenance.no-{what}", f"there is no {what} to name.", remedy=remedy)
    listed = (_dependency(saying.environment, _sha256(manifest, saying.environment), "environment"),)
    says = _provenance(
        manifest, factory, saying.parameters, _people(manifest, saying.people),
        (*data, *(_dependency(name, digest, "code") for name, digest in sorted(code.items())), *repository,
         *(listed if saying.environment else ())),
        Run(
            builder=Builder(id=model_provenance.SAID, version={"fivefold": __version__}),
            metadata=Metadata(fivefold_issued=now, finishedOn=saying.finished),
            byproducts=(Byproduct(name=model_provenance.SET, digest={"sha256": signed_set.digest(found)}),),
        ),
        {} if saying.environment else here(),
    )  # fmt: skip
    return _written(model_provenance.place_of(manifest), says, {name: found[name] for name in outputs}, signer)


def learned(manifest: Manifest, made: Sequence[Path], training: Training, signer: Signer, now: str) -> Made:
    """Sign where a model comes from that the product has just trained, beside it.

    Args:
        manifest: The application.
        made: Files that were written: the model, and the same one in other formats.
        training: How.
        signer: Who ran it.
        now: UTC time.

    Raises:
        TrustError: The model's files cannot be signed.
    """
    root = manifest.root.resolve()
    places = [one.resolve() for one in made]
    named = {one.relative_to(root).as_posix() if one.is_relative_to(root) else one.name: one for one in places}
    data = [
        Dependency(name=f"data.{one}", uri=manifest.data[one].path, digest={"sha256": digest},
                   annotations={"kind": "data"})
        for one, digest in training.data.items()
    ]  # fmt: skip
    own = Dependency(name="fivefold", uri=f"pkg:pypi/fivefold@{__version__}", digest={"sha256": source.code()},
                     annotations={"kind": "code"})  # fmt: skip
    found = signed_set.digests(manifest) if training.modules else {}
    code = [_dependency(one, digest, "code") for one, digest in found.items() if one.endswith(".py")]
    says = _provenance(
        manifest, training.way, training.parameters, _people(manifest, {"ran": training.who}), (*data, own, *code),
        Run(
            builder=Builder(id=model_provenance.SEEN, version={"fivefold": __version__}),
            metadata=Metadata(fivefold_issued=now, startedOn=training.started, finishedOn=now),
        ),
        here(),
    )  # fmt: skip
    digests = {name: signed_set.sha256(one) for name, one in named.items()}
    return _written(model_provenance.beside(made[0]), says, digests, signer)


def here() -> dict[str, Any]:
    """Return this machine and this Python: versions, and every package that is installed."""
    packages = {one.name: one.version for one in metadata.distributions() if one.name}
    return {
        "python": platform.python_version(), "implementation": platform.python_implementation(),
        "platform": platform.platform(), "packages": dict(sorted(packages.items())),
    }  # fmt: skip


def _provenance(  # noqa: PLR0917  the parts of a statement, in their order
    manifest: Manifest, factory: str, parameters: Mapping[str, Any], people: tuple[Person, ...],
    made_of: tuple[Dependency, ...], run: Run, environment: dict[str, Any],
) -> Provenance:  # fmt: skip
    return Provenance(
        buildDefinition=Definition(
            buildType=model_provenance.BUILD,
            externalParameters=External(
                application=manifest.application.id, factory=factory, parameters=dict(parameters), people=people
            ),
            internalParameters=Internal(environment=environment),
            resolvedDependencies=made_of,
        ),
        runDetails=run,
    )


def _written(place: Path, says: Provenance, files: dict[str, str], signer: Signer) -> Made:
    data = model_provenance.seal(says, files, signer)
    aside = model_provenance.kept(place)
    store.write_public(place, data)
    return Made(place, says, files, aside)


def _people(manifest: Manifest, more: Mapping[str, str]) -> tuple[Person, ...]:
    declared = manifest.controls.get("T2", {}).get("people") or {}
    named = {str(role): str(name) for role, name in {**declared, **more}.items()}
    blank = [role for role, name in named.items() if not name.strip() or not role.strip()]
    if not named or blank:
        raise InputError("provenance.no-people", "nobody is named." if not named else "a name or a role is blank.",
                         remedy=_PEOPLE)  # fmt: skip
    return tuple(Person(role=role, name=name) for role, name in named.items())


def _data(manifest: Manifest, name: str) -> Dependency:
    if name in manifest.data:
        digest = {"sha256": data_digest(manifest.root, manifest.data[name])}
        return Dependency(
            name=f"data.{name}", uri=manifest.data[name].path, digest=digest, annotations={"kind": "data"}
        )
    return _dependency(name, _sha256(manifest, name), "data")


def _dependency(name: str, digest: str, kind: Kind) -> Dependency:
    return Dependency(name=name, uri=name, digest={"sha256": digest}, annotations={"kind": kind})


def _sha256(manifest: Manifest, name: str) -> str:
    """Return the digest of a file below the manifest's folder, empty for no name.

    Raises:
        InputError: ``provenance.file``.
    """
    found = links.sha256_below(manifest, name) if name else ""
    if name and not found:
        raise InputError("provenance.file", f"{name[:200]} is no file below the folder of the manifest.",
                         remedy="Name it from there, with /, and without `..` and links.")  # fmt: skip
    return found


def _repository(manifest: Manifest, saying: Saying, code: Mapping[str, str]) -> tuple[Dependency, ...]:
    """Name the commit that holds the code as it is; one that is asked for has to."""
    commit = saying.commit or commits.head(manifest.root)
    if not commit:
        return ()
    if saying.commit and not commits.is_commit(commit):
        raise InputError("provenance.commit", "this is no full id of a commit.", remedy="See: git rev-parse HEAD.")
    here = commits.in_repository(manifest.root)
    if here and not commits.knows(manifest.root, commit):
        raise InputError("provenance.unknown-commit", f"the repository does not hold the commit {commit[:12]}.",
                         remedy="Name one that it holds, or leave --commit out.")  # fmt: skip
    held = commits.files_at(manifest.root, commit, code) if here else dict(code)
    if any(held.get(name) != digest for name, digest in code.items()):
        if not saying.commit:
            return ()
        raise InputError("provenance.other-commit", f"the commit {commit[:12]} does not hold the code as it is.",
                         remedy="Commit the code, or name the commit that it is of.")  # fmt: skip
    address = saying.repository or commits.origin(manifest.root)
    uri = f"git+{address}" if "://" in address else address
    return (Dependency(name="repository", uri=uri, digest={"gitCommit": commit}, annotations={"kind": "repository"}),)
