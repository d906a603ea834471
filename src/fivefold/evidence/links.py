"""Links: a model's provenance held against the files that are there; what does not hold is named."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Literal

import msgspec

from fivefold.errors import TrustError
from fivefold.evidence import commits, envelope, model_provenance, signed_set
from fivefold.evidence.model_provenance import SEEN, Known, Provenance

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from fivefold.evidence.model_provenance import Dependency
    from fivefold.keys.trust import Trust
    from fivefold.manifest.nouns import Manifest

Part = Literal["signature", "model", "data", "code", "parameters", "environment", "people"]
PARTS: tuple[Part, ...] = ("signature", "model", "data", "code", "parameters", "environment", "people")
_MOST = 2000
"""Most files outside the signed set and the data that are looked up."""


class There(msgspec.Struct, frozen=True, kw_only=True):
    """What lies in an application now.

    Attributes:
        application: Its id.
        files: The signed set, name to SHA-256.
        outputs: Those of them that are the model itself; the others load or train it.
        training: ``module:function`` that is declared to train it; empty: none is.
        trains: Files of that module or package.
        data: Declared data set to digest.
        others: Further files that the statement names, to SHA-256; empty: not there.
        commit: Of the commit that the statement names: ``known``, ``unknown``, or ``no repository``; empty: it names
            none.
        committed: Files of the application as they are at that commit, to SHA-256.
    """

    application: str
    files: dict[str, str]
    outputs: tuple[str, ...]
    training: str = ""
    trains: tuple[str, ...] = ()
    data: dict[str, str] = {}
    others: dict[str, str] = {}
    commit: str = ""
    committed: dict[str, str] = {}


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """One link of the chain.

    Attributes:
        part: Which kind it is of.
        name: What it leads to.
        code: What is wrong; empty: it holds.
        text: What is wrong, in words; or a remark on one that holds.
    """

    part: Part
    name: str
    code: str = ""
    text: str = ""


def look(manifest: Manifest, statement: bytes, files: Mapping[str, str], data: Mapping[str, str]) -> There:
    """Return what there is of what a statement names; its signature is not looked at here.

    Args:
        manifest: The application.
        statement: As stored, by whomever.
        files: The signed set, name to SHA-256.
        data: Declared data set to digest.
    """
    module = manifest.training.partition(":")[0].partition(".")[0]
    named = unread(statement)
    others: dict[str, str] = {}
    commit, committed = "", dict[str, str]()
    if named is not None:
        listed = [one for one in named.buildDefinition.resolvedDependencies if "sha256" in one.digest and _is_file(one)]
        for one in listed[:_MOST]:
            if one.name not in files and one.name not in others:
                others[one.name] = sha256_below(manifest, one.name)
        for one in named.named("repository")[:1]:
            commit, committed = _commit(manifest, one.digest.get("gitCommit", ""), named)
    return There(
        application=manifest.application.id, files=dict(files), outputs=outputs_of(manifest, files),
        training=manifest.training, data=dict(data), others=others, commit=commit, committed=committed,
        trains=tuple(name for name in files if module and (name == f"{module}.py" or name.startswith(f"{module}/"))),
    )  # fmt: skip


def origin(manifest: Manifest, files: Mapping[str, str], data: Mapping[str, str]) -> dict[str, bytes]:
    """Return what checks that follow the provenance are handed: ``statement``, ``there``, and earlier statements.

    ``there`` is the message pack of :class:`There`: files that a statement names are read here, no check may. Earlier
    statements go by the names of their files, the newest 64. Empty where there are no files of a model.
    """
    if not files:
        return {}
    statement = model_provenance.stored(manifest)
    there = msgspec.msgpack.encode(look(manifest, statement, files, data))
    return {**model_provenance.earlier(manifest), "statement": statement, "there": there}


def outputs_of(manifest: Manifest, files: Iterable[str]) -> tuple[str, ...]:
    """Return the files of a signed set that are the model itself; all of them where none is named apart from code."""
    model = manifest.model
    below = (model.path, *model.predictions.values()) if model else ()
    found = tuple(name for name in files if any(_within(name, top) for top in below if top))
    return found or tuple(files)


def follow(statement: bytes, there: There, *, trust: Trust, now: str) -> tuple[Known | None, tuple[Link, ...]]:
    """Follow a statement to the model and to everything that it names.

    Args:
        statement: As stored; empty: there is none.
        there: What it is held against.
        trust: The verifier's.
        now: UTC time.

    Returns:
        The statement, None where it is not to be believed, and every link. Nothing of one that is not believed is
        followed.
    """
    try:
        known = model_provenance.opened(statement, trust=trust, now=now)
    except TrustError as error:
        return None, (Link(part="signature", name="", code=error.code, text=error.message),)
    return known, (
        _signature(known, there), *_model(known, there), *_data(known, there), *_code(known, there),
        *_rest(known, there),
    )  # fmt: skip


def broken(links: tuple[Link, ...]) -> tuple[Link, ...]:
    """Return the links that do not hold."""
    return tuple(link for link in links if link.code)


def _signature(known: Known, there: There) -> Link:
    said = known.says.buildDefinition.externalParameters.application
    if said != there.application:
        return Link(part="signature", name=known.signer, code="provenance.other-application",
                    text=f"the statement is of the application {said[:80]!r}.")  # fmt: skip
    return Link(part="signature", name=known.signer)


def _model(known: Known, there: There) -> Iterator[Link]:
    """Hold the model's files against those that were made; one may have another name since.

    What the product trained may lie in several formats, of which one is served; what a signer says is of all files.
    """
    gone = {name: known.files[name] for name in sorted(known.files.keys() - there.files.keys())}
    for name in there.outputs:
        if name in known.files and known.files[name] != there.files[name]:
            yield Link(part="model", name=name, code="provenance.other-model",
                       text="these are not the bytes that were made then.")  # fmt: skip
            continue
        then = name if name in known.files else next((old for old in gone if gone[old] == there.files[name]), "")
        gone.pop(then, None)
        if then:
            yield Link(part="model", name=name, text="" if then == name else f"made as {then}")
        else:
            yield Link(part="model", name=name, code="provenance.unnamed-model", text="the statement is not of it.")
    for name in gone if known.says.runDetails.builder.id != SEEN else ():
        yield Link(part="model", name=name, code="provenance.missing", text="the file is not part of the model now.")


def _data(known: Known, there: There) -> Iterator[Link]:
    named = known.says.named("data")
    if not named:
        yield Link(part="data", name="", code="provenance.no-data", text="no data set is named.")
    for one in named:
        found = there.others.get(one.name, "") if _is_file(one) else there.data.get(one.name.removeprefix("data."), "")
        yield _held(one, found, "data")
    if named and "train" in there.data and "data.train" not in {one.name for one in named}:
        yield Link(part="data", name="data.train", code="provenance.unnamed-data",
                   text="these training data are declared, and the statement does not name them.")  # fmt: skip


def _code(known: Known, there: There) -> Iterator[Link]:
    named, factory = known.says.named("code"), known.says.buildDefinition.externalParameters.factory
    if not named and not known.says.named("repository"):
        yield Link(part="code", name="", code="provenance.no-code", text="no code is named.")
    for one in named:
        if _is_file(one):
            yield _held(one, there.files.get(one.name, there.others.get(one.name, "")), "code")
        else:
            yield Link(part="code", name=one.name, text=one.uri)
    if there.training and factory != there.training and known.says.runDetails.builder.id != SEEN:
        yield Link(part="code", name=factory[:80], code="provenance.other-factory",
                   text=f"{there.training} is declared to train the model.")  # fmt: skip
    elif factory == there.training:
        for name in sorted(set(there.trains) - {one.name for one in named}):
            yield Link(part="code", name=name, code="provenance.unnamed-code", text="it trains, and is not named.")
    yield from _repository(known, there)


def _repository(known: Known, there: There) -> Iterator[Link]:
    """Hold the code against the commit: the commit has to hold each named file as it was."""
    for one in known.says.named("repository")[:1]:
        name = f"commit {one.digest.get('gitCommit', '')[:12]}"
        if there.commit == "unknown":
            yield Link(part="code", name=name, code="provenance.unknown-commit",
                       text="the repository around the application does not hold it.")  # fmt: skip
            continue
        files = [item for item in known.says.named("code") if _is_file(item)]
        differing = [item.name for item in files if there.committed.get(item.name) != item.digest.get("sha256")]
        if there.commit == "known" and differing:
            yield Link(part="code", name=name, code="provenance.other-commit",
                       text=f"it does not hold the code that was named: {', '.join(differing)[:200]}.")  # fmt: skip
        else:
            yield Link(part="code", name=name,
                       text="" if there.commit == "known" else "not looked up: no repository here")  # fmt: skip


def _rest(known: Known, there: There) -> Iterator[Link]:
    made = known.says.buildDefinition
    parameters, people = made.externalParameters.parameters, made.externalParameters.people
    if parameters:
        yield from (Link(part="parameters", name=name, text=str(value)[:200]) for name, value in parameters.items())
    else:
        yield Link(part="parameters", name="", code="provenance.no-parameters", text="no parameter is named.")
    files = known.says.named("environment")
    yield from (_held(one, there.others.get(one.name, ""), "environment") for one in files)
    words = {name: value for name, value in made.internalParameters.environment.items() if value}
    if not words and not files:
        yield Link(part="environment", name="", code="provenance.no-environment", text="no environment is named.")
    yield from (
        Link(part="environment", name=name, text=f"{len(value)} packages" if isinstance(value, dict) else str(value))
        for name, value in words.items()
    )
    if not people:
        yield Link(part="people", name="", code="provenance.no-people", text="nobody is named.")
    for person in people:
        blank = not person.name.strip() or not person.role.strip()
        text = "a name or a role is blank." if blank else person.role
        yield Link(part="people", name=person.name, code="provenance.no-people" if blank else "", text=text)


def _held(one: Dependency, found: str, part: Part) -> Link:
    """Hold what is there against what was named."""
    if not found:
        return Link(part=part, name=one.name, code="provenance.missing", text=f"{one.uri or one.name} is not there.")
    if found != one.digest.get("sha256"):
        return Link(part=part, name=one.name, code=f"provenance.other-{part}",
                    text=f"{one.uri or one.name} holds other bytes than then.")  # fmt: skip
    return Link(part=part, name=one.name, text=one.uri)


def _is_file(one: Dependency) -> bool:
    """Return whether it is a file by its name from the manifest's folder, neither a declared data set nor a package."""
    return one.name == one.uri


def _within(name: str, top: str) -> bool:
    clean = top.removeprefix("./").rstrip("/")
    return name == clean or name.startswith(f"{clean}/")


def unread(statement: bytes) -> Provenance | None:
    """Read what a statement names before anybody believes it."""
    with contextlib.suppress(TrustError, msgspec.DecodeError, RecursionError):
        if 0 < len(statement) <= model_provenance.MAX_BYTES:
            body = envelope.parse(statement, where="provenance").body()
            return msgspec.json.decode(body, type=_Statement).predicate
    return None


class _Statement(msgspec.Struct):
    predicate: Provenance


def sha256_below(manifest: Manifest, name: str) -> str:
    """Return the digest of a file below the manifest's folder; empty: it is not there, or leads elsewhere."""
    with contextlib.suppress(TrustError, OSError, RuntimeError):
        path = manifest.root / signed_set.require_name(name)
        if path.resolve().is_relative_to(manifest.root.resolve()):
            return signed_set.sha256(path)
    return ""


def _commit(manifest: Manifest, commit: str, named: Provenance) -> tuple[str, dict[str, str]]:
    if not commits.in_repository(manifest.root):
        return "no repository", {}
    if not commits.knows(manifest.root, commit):
        return "unknown", {}
    names = [one.name for one in named.named("code") if _is_file(one)][:_MOST]
    safe = [name for name in names if _safe(name)]
    return "known", commits.files_at(manifest.root, commit, safe)


def _safe(name: str) -> bool:
    with contextlib.suppress(TrustError):
        return bool(signed_set.require_name(name))
    return False
