"""Model provenance: what a model was made of, how, where and by whom, signed; SLSA provenance v1 in in-toto."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from glob import escape
from typing import TYPE_CHECKING, Any, Literal, get_args

import msgspec

from fivefold.errors import InputError, TrustError
from fivefold.evidence import envelope, signed_set
from fivefold.keys import trust as trust_file
from fivefold.keys.signing import load_public

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from fivefold.keys.signing import Signer
    from fivefold.keys.trust import Trust
    from fivefold.manifest.nouns import Manifest

TYPE = "https://slsa.dev/provenance/v1"
BUILD = "https://fivefold.dev/model-training/v1"
"""Says how ``externalParameters``, ``internalParameters`` and dependencies are to be read."""
SEEN, SAID = "https://fivefold.dev/model-train/v1", "https://fivefold.dev/model-provenance/v1"
"""Who says so: the product, which trained the model itself, or the signer, of a model trained elsewhere."""
FILE = "model.provenance.json"
ENDING = ".provenance.json"
SET = "signed-set"
MAX_BYTES = 4 << 20
_EARLIER = 64
Kind = Literal["data", "code", "environment", "repository"]
KINDS: tuple[Kind, ...] = get_args(Kind)
_MAKE = "Make it: fivefold model provenance."


class Dependency(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """Something that the model was made of: a resource descriptor of in-toto.

    Attributes:
        name: ``data.NAME`` of a declared data set; else the file's name from the manifest's folder.
        digest: ``sha256``, or ``gitCommit`` of a repository.
        annotations: ``kind`` says which kind it is.
        uri: Path, or address.
    """

    name: str
    digest: dict[str, str]
    annotations: dict[str, str]
    uri: str = ""


class Person(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Who had which part in it, for example ``trained`` or ``approved``."""

    role: str
    name: str


class External(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What those who trained chose.

    Attributes:
        application: Its id.
        factory: What trained: ``module:function``, or a command.
        parameters: Name to value.
        people: At least one.
    """

    application: str
    factory: str
    parameters: dict[str, Any]
    people: tuple[Person, ...]


class Internal(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where it was trained: ``python``, ``platform``, and names of packages to versions."""

    environment: dict[str, Any]


class Definition(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """SLSA's ``buildDefinition``."""

    buildType: str  # noqa: N815  the field's name in SLSA
    externalParameters: External  # noqa: N815
    internalParameters: Internal  # noqa: N815
    resolvedDependencies: tuple[Dependency, ...]  # noqa: N815


class Builder(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Who says so (:data:`SEEN`, :data:`SAID`), and its version."""

    id: str
    version: dict[str, str]


class Metadata(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """Times in UTC: of the signature by the signer's clock, and of the training's begin and end where known."""

    fivefold_issued: str
    startedOn: str = ""  # noqa: N815
    finishedOn: str = ""  # noqa: N815


class Byproduct(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The signed set that the model is served as: :data:`SET` and its digest, which the record names."""

    name: str
    digest: dict[str, str]


class Run(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """SLSA's ``runDetails``."""

    builder: Builder
    metadata: Metadata
    byproducts: tuple[Byproduct, ...] = ()


class Provenance(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The predicate; its subjects are the model's files."""

    buildDefinition: Definition  # noqa: N815
    runDetails: Run  # noqa: N815

    def named(self, kind: Kind) -> tuple[Dependency, ...]:
        """Return the dependencies of one kind."""
        return tuple(one for one in self.buildDefinition.resolvedDependencies if one.annotations.get("kind") == kind)

    @property
    def served(self) -> str:
        """Digest of the signed set, by which decisions on record name the model; empty: it was not one yet."""
        return next((one.digest.get("sha256", "") for one in self.runDetails.byproducts if one.name == SET), "")


@dataclass(frozen=True)
class Known:
    """A statement whose signature holds, by a signer who is trusted.

    Attributes:
        says: The predicate.
        files: Files of the model, name to SHA-256.
        key: Id of the signer's key.
        signer: The holder's name in the trust file.
        own: SHA-256 of the envelope.
    """

    says: Provenance
    files: dict[str, str]
    key: str
    signer: str
    own: str


def place_of(manifest: Manifest) -> Path:
    """Return the file that holds the statement: ``controls.T2.provenance``, or ``model.provenance.json``.

    Raises:
        InputError: ``provenance.place`` for a file outside the manifest's folder.
    """
    name = str(manifest.controls.get("T2", {}).get("provenance") or FILE)
    place = (manifest.root / name).resolve()
    if not place.is_relative_to(manifest.root.resolve()) or place == manifest.root.resolve():
        raise InputError(
            "provenance.place", "controls.T2.provenance leaves the folder of the manifest.", where=str(manifest.file),
            remedy=f"Name a file below it, for example {FILE}.",
        )  # fmt: skip
    return place


def beside(model: Path) -> Path:
    """Return the file for the statement of a model that was just made."""
    return model.with_name(model.stem + ENDING)


def stored(manifest: Manifest) -> bytes:
    """Return the statement as stored; empty: there is none, or it cannot be read; one that is too large is cut."""
    return read(place_of(manifest))


def earlier(manifest: Manifest) -> dict[str, bytes]:
    """Return statements of earlier models that stand beside the one of now: names to bytes, the newest 64 files."""
    place = place_of(manifest)
    found = [one for one in place.parent.glob(f"{escape(_stem(place))}.*{ENDING}") if one != place and one.is_file()]
    newest = sorted(found, key=lambda one: (one.stat().st_mtime_ns, one.name))[-_EARLIER:]
    return {one.name: read(one) for one in newest}


def kept(place: Path) -> Path | None:
    """Move a statement aside, under its digest, so that decisions of that model can still be walked back."""
    data = read(place)
    if not data:
        return None
    aside = place.with_name(f"{_stem(place)}.{hashlib.sha256(data).hexdigest()[:16]}{ENDING}")
    place.replace(aside)
    return aside


def read(place: Path) -> bytes:
    """Return a file's bytes, cut where it is too large; empty: it cannot be read."""
    try:
        with place.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError:
        return b""


def _sound(says: Provenance) -> bool:
    """Return whether it is of this version, its times are some, and each dependency has a kind and its digest."""
    listed, when = says.buildDefinition.resolvedDependencies, says.runDetails.metadata
    try:
        for one in (when.fivefold_issued, *filter(None, (when.startedOn, when.finishedOn))):
            trust_file.moment(one)
    except InputError:
        return False
    return says.buildDefinition.buildType == BUILD and all(
        one.annotations.get("kind") in KINDS
        and ("gitCommit" if one.annotations["kind"] == "repository" else "sha256") in one.digest
        for one in listed
    )


def _stem(place: Path) -> str:
    return place.name.removesuffix(ENDING) if place.name.endswith(ENDING) else place.stem


def seal(says: Provenance, files: Mapping[str, str], signer: Signer) -> bytes:
    """Return the signed statement.

    Args:
        says: The predicate.
        files: Files of the model, name to SHA-256.
        signer: Signs it.

    Raises:
        InputError: ``provenance.size`` for more than 4 MiB; ``provenance.no-model`` without a file.
        TrustError: ``model.name``.
    """
    if not files:
        raise InputError("provenance.no-model", "there is no model file.", remedy="Name the model under `model:`.")
    for name in files:
        signed_set.require_name(name)
    data = envelope.seal(TYPE, dict(files), says, signer)
    if len(data) > MAX_BYTES:
        raise InputError("provenance.size", "a statement has at most 4 MiB.", remedy="Name fewer files.")
    return data


def opened(data: bytes, *, trust: Trust, now: str) -> Known:
    """Check that a trusted signer signed a statement, and read it.

    Args:
        data: As stored; empty: there is none.
        trust: The verifier's.
        now: UTC time.

    Raises:
        TrustError: ``provenance.none``, ``provenance.malformed``; as :func:`fivefold.evidence.envelope.unseal` and
            :func:`fivefold.keys.trust.standing`.
    """
    if not data:
        raise TrustError("provenance.none", "there is no statement of where the model comes from.", remedy=_MAKE)
    if len(data) > MAX_BYTES:
        raise TrustError("provenance.malformed", "the statement is larger than 4 MiB.")
    marks = envelope.parse(data, where="provenance").signatures
    keyid = marks[0].keyid if marks else ""
    key = trust_file.standing(trust, keyid, "signer", now, now)
    found = envelope.unseal(data, {keyid: load_public(key.public.encode())}, where="provenance")
    try:
        says = msgspec.json.decode(found.predicate, type=Provenance)
    except (msgspec.DecodeError, RecursionError):
        says = None
    if says is None or found.kind != TYPE or not found.subjects or not _sound(says):
        raise TrustError("provenance.malformed", "this is no statement of where a model comes from.")
    trust_file.standing(trust, keyid, "signer", says.runDetails.metadata.fivefold_issued, now)
    return Known(says, found.subjects, keyid, key.name, hashlib.sha256(data).hexdigest())
