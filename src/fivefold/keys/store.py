"""Key files: private keys of this user, mode 0600 under the XDG config folder, and secrets beside them."""

from __future__ import annotations

import contextlib
import fcntl
import getpass
import hashlib
import os
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from fivefold.errors import InputError
from fivefold.keys import trust as trust_file
from fivefold.keys.signing import Algorithm, PublicKey, Signer, generate, load_private, load_public

if TYPE_CHECKING:
    from collections.abc import Iterator


class KeyNote(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What stands beside a private key, in ``<stem>.json``; holds nothing secret."""

    id: str
    role: trust_file.Role
    name: str
    algorithm: Algorithm
    created: str
    version: int = 1


@dataclass(frozen=True)
class StoredKey:
    """A key file: its path, what is noted beside it, and the signer."""

    path: Path
    note: KeyNote
    signer: Signer


def config_folder() -> Path:
    """Return the user's config folder of Fivefold (``XDG_CONFIG_HOME/fivefold``); it may not exist yet."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "fivefold"


def keys_folder() -> Path:
    """Return the folder of key files, made with mode 0700 if needed."""
    folder = config_folder() / "keys"
    _make(folder)
    return folder


def cache_folder() -> Path:
    """Return the user's cache folder of Fivefold (``XDG_CACHE_HOME/fivefold``), made with mode 0700 if it can be."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fivefold"
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def trust_path() -> Path:
    """Return the user's own trust file; it may not exist yet."""
    return config_folder() / "trust.json"


def read_trust(path: Path | None = None) -> bytes:
    """Return the bytes of a trust file; the user's own, possibly absent (empty bytes), if no path is given.

    Raises:
        InputError: ``trust.missing`` if a path was given and cannot be read.
    """
    try:
        return (path or trust_path()).read_bytes()
    except OSError:
        if path is None:
            return b""
        raise InputError("trust.missing", f"no trust file at {path}.", remedy="Give an existing file.") from None


def write_trust(trust: trust_file.Trust, path: Path | None = None) -> Path:
    """Replace a trust file (the user's own if no path is given) in one step; return its path."""
    place = path or trust_path()
    _make(place.parent)
    _write(place, trust_file.write(trust), replace=True)
    return place


def new_key(role: trust_file.Role, name: str = "", algorithm: Algorithm | None = None) -> StoredKey:
    """Make a key and write it with its note and its public half (``.pub``).

    Args:
        role: Model signers get ECDSA P-256 (OpenSSF model signing asks for it), all others Ed25519.
        name: Who holds it; the user's login name if empty.
        algorithm: Overrides the choice by role.

    Raises:
        InputError: ``keys.algorithm`` if the role needs another algorithm; ``trust.invisible`` for an odd name.
    """
    trust_file.require_visible(name)
    chosen: Algorithm = algorithm or ("ecdsa-p256" if role == "signer" else "ed25519")
    if role == "signer" and not chosen.startswith("ecdsa"):
        raise InputError(
            "keys.algorithm", "model signatures are made with ECDSA.", remedy="Use --algorithm ecdsa-p256."
        )
    able = {"ed25519", "ml-dsa-44"} if role == "witness" else {"ed25519"}
    if (role in ("assessor", "log", "witness") or chosen == "ml-dsa-44") and chosen not in able:
        raise InputError("keys.algorithm", f"a key for the role {role} is Ed25519.", remedy="Leave --algorithm out.")
    signer = generate(chosen)
    stem = keys_folder() / f"{role}-{signer.public.short}"
    note = KeyNote(
        id=signer.public.id, role=role, name=name or login_name(), algorithm=chosen, created=utc_now(microseconds=True)
    )
    _write(stem.with_suffix(".json"), msgspec.json.encode(note) + b"\n", mode=0o600)
    _write(stem.with_suffix(".pub"), signer.public.pem, mode=0o644)
    _write(stem.with_suffix(".pem"), signer.private_pem(), mode=0o600)
    return StoredKey(path=stem.with_suffix(".pem"), note=note, signer=signer)


def own_keys() -> tuple[StoredKey, ...]:
    """Return this user's keys, oldest first.

    Raises:
        InputError: ``keys.malformed`` for a damaged key file, ``keys.mode`` for one that others can read.
    """
    found = [load(path) for path in sorted(keys_folder().glob("*.pem")) if path.with_suffix(".json").exists()]
    return tuple(sorted(found, key=lambda key: (key.note.created, key.note.id)))


def load(path: Path) -> StoredKey:
    """Read a private key; without a note beside it (a key made elsewhere) role and name are the assessor's defaults.

    Raises:
        InputError: ``keys.missing``, ``keys.malformed``, ``keys.algorithm``, or ``keys.mode`` if others can read it.
    """
    try:
        pem = path.read_bytes()
        others = path.stat().st_mode & 0o077
    except OSError:
        raise InputError("keys.missing", f"no key file at {path}.", remedy="Make one: fivefold key new.") from None
    if others:
        raise InputError("keys.mode", f"others can read the private key {path}.", remedy=f"Run: chmod 600 {path}")
    signer = load_private(pem)
    try:
        note = msgspec.json.decode(path.with_suffix(".json").read_bytes(), type=KeyNote)
    except FileNotFoundError:
        public = signer.public
        note = KeyNote(id=public.id, role="assessor", name=login_name(), algorithm=public.algorithm, created="")
    except (OSError, msgspec.DecodeError):
        raise InputError("keys.malformed", f"the note beside {path} cannot be read.") from None
    if note.id != signer.public.id:
        raise InputError("keys.malformed", f"the note beside {path} belongs to another key.")
    return StoredKey(path=path, note=note, signer=signer)


def find(reference: str) -> StoredKey:
    """Find one of the user's keys by path, by the start of its id, or by the name of its holder.

    Raises:
        InputError: ``keys.missing`` if none or several match; as :func:`load`.
    """
    path = Path(reference).expanduser()
    if path.is_file():
        return load(path if path.suffix != ".pub" else path.with_suffix(".pem"))
    matches = [
        key
        for key in own_keys()
        if (len(reference) >= 6 and key.note.id.startswith(reference.lower()))
        or trust_file.person(key.note.name) == trust_file.person(reference)
        or key.path.stem == reference
    ]
    if len(matches) == 1:
        return matches[0]
    what = "more than one key is" if matches else "no key is"
    raise InputError("keys.missing", f"{what} known as {reference!r}.", remedy=f"Keys are kept in {keys_folder()}.")


def find_public(reference: str) -> PublicKey:
    """Read a public key from a ``.pub`` (PEM) file, or take the public half of one of the user's own keys.

    Raises:
        InputError: ``keys.missing`` or ``keys.malformed``.
    """
    path = Path(reference).expanduser()
    if path.is_file():
        data = path.read_bytes()
        return load(path).signer.public if b"PRIVATE KEY" in data else load_public(data)
    return find(reference).signer.public


def default_assessor() -> tuple[Signer, bool]:
    """Return the user's oldest assessor key; make one, and trust it in the user's own trust file, if there is none.

    Returns:
        The signer, and whether it was made just now (say so to the user).

    Raises:
        InputError: As :func:`own_keys`.
    """
    with locked(keys_folder() / ".lock"):
        for key in own_keys():
            if key.note.role == "assessor" and key.note.algorithm == "ed25519":
                return key.signer, False
        made = new_key("assessor")
        trust = trust_file.read(read_trust())
        write_trust(trust_file.add(trust, made.signer.public, name=made.note.name, roles=("assessor",)))
        return made.signer, True


def application_secret(application: str) -> bytes:
    """Return 32 secret bytes of one application, made on first use and kept beside the keys."""
    folder = keys_folder() / "applications"
    _make(folder)
    path = folder / (hashlib.sha256(application.encode()).hexdigest()[:32] + ".secret")
    with locked(keys_folder() / ".lock"):
        if not path.exists():
            _write(path, secrets.token_bytes(32), mode=0o600)
        return path.read_bytes()


def keep_mark_secret(statement: bytes, secret: bytes) -> Path:
    """Keep the secret that a commitment is to, beside the keys; return its file.

    Raises:
        InputError: ``keys.exists`` if there is one.
    """
    path = _mark_secret(statement)
    _make(path.parent)
    _write(path, secret, mode=0o600)
    return path


def mark_secret(statement: bytes) -> bytes:
    """Return the secret that a commitment is to; empty if this user does not have it."""
    try:
        return _mark_secret(statement).read_bytes()
    except OSError:
        return b""


def _mark_secret(statement: bytes) -> Path:
    return config_folder() / "keys" / "marks" / f"{hashlib.sha256(statement).hexdigest()}.secret"


def login_name() -> str:
    """Return the user's login name, or ``user`` where the system has none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "user"


def utc_now(*, microseconds: bool = False) -> str:
    """Return the wall clock as UTC text; decisions take a time as argument instead."""
    now = datetime.now(UTC)
    return now.strftime("%Y-%m-%dT%H:%M:%S.%fZ" if microseconds else "%Y-%m-%dT%H:%M:%SZ")


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on ``path`` among the processes of this machine."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def write_public(path: Path, data: bytes) -> None:
    """Replace a file that others may read, in one step.

    Raises:
        InputError: ``keys.unwritable``.
    """
    try:
        _write(path, data, mode=0o644, replace=True)
    except OSError as error:
        raise InputError("keys.unwritable", f"{path} cannot be written ({error.strerror}).") from None


def write_private(path: Path, data: bytes) -> None:
    """Write a new file that only its owner reads, from its first byte on.

    Raises:
        InputError: ``keys.exists``, ``keys.unwritable``.
    """
    try:
        _write(path, data)
    except OSError as error:
        raise InputError("keys.unwritable", f"{path} cannot be written ({error.strerror}).") from None


def _make(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)


def _write(path: Path, data: bytes, *, mode: int = 0o600, replace: bool = False) -> None:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if not replace and path.exists():
            raise InputError("keys.exists", f"{path} exists already.")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
