"""Tokens: who may speak to a guard; only their hashes are kept, beside the user's keys."""

from __future__ import annotations

import hashlib
import os
import secrets
import time
from typing import TYPE_CHECKING, cast, get_args

import msgspec

from fivefold.errors import InputError, StorageError
from fivefold.guard.nouns import Principal, Role
from fivefold.keys import store as keys

if TYPE_CHECKING:
    from pathlib import Path

    from fivefold.manifest.nouns import Manifest

_BYTES = 32
_MOST = 10_000
_MAX_FILE = 16 << 20
_NAME = 200
_DAY = 86_400


class Token(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One token that was issued.

    Attributes:
        id: To revoke it by.
        principal: Who bears it.
        digest: SHA-256 of it, in hexadecimal.
        until: Seconds since 1970 from which on it does not count.
    """

    id: str
    principal: Principal
    digest: str
    until: int


class Tokens:
    """The tokens of one application's guard; read again whenever the file was changed.

    Threat: a stranger asks, a token is guessed, leaked from this file, or outlives its use.
    Limit: who bears a token is taken for its principal.
    """

    def __init__(self, application: str) -> None:
        """Take the file of an application; it need not be there."""
        stem = hashlib.sha256(application.encode()).hexdigest()[:32]
        self.file: Path = keys.keys_folder() / "applications" / f"{stem}.guard.json"
        self._stamp: tuple[int, int] = (0, 0)
        self._held: tuple[Token, ...] = ()
        self._by_digest: dict[str, Token] = {}

    def listed(self) -> tuple[Token, ...]:
        """Return all tokens that were issued and not revoked.

        Raises:
            InputError: ``guard.tokens`` if others may read the file, or it is malformed.
            StorageError: ``guard.tokens`` if it cannot be read.
        """
        try:
            about = self.file.stat()
        except FileNotFoundError:
            self._stamp, self._held, self._by_digest = (0, 0), (), {}
            return ()
        if about.st_mode & 0o077:
            raise InputError(
                "guard.tokens", "others may read the tokens.", where=str(self.file), remedy=f"chmod 600 {self.file}"
            )
        stamp = (about.st_ino, about.st_mtime_ns)
        if stamp != self._stamp:
            try:
                with self.file.open("rb") as file:
                    self._held = msgspec.json.decode(file.read(_MAX_FILE), type=tuple[Token, ...])
            except OSError as error:
                raise StorageError("guard.tokens", f"it cannot be read ({error.strerror}).") from None
            except msgspec.DecodeError:
                raise InputError("guard.tokens", "the file of tokens is malformed.", where=str(self.file)) from None
            self._by_digest = {one.digest: one for one in self._held}
            self._stamp = stamp
        return self._held

    def issue(
        self, manifest: Manifest, name: str, role: str, purposes: tuple[str, ...], days: int
    ) -> tuple[str, Token]:
        """Return a new token, which is nowhere kept, and what is kept of it.

        Raises:
            InputError: ``guard.role``, ``guard.purpose``, ``guard.name``, ``guard.tokens``.
            StorageError: ``guard.tokens``.
        """
        if role not in get_args(Role):
            raise InputError(
                "guard.role", f"there is no role {role[:40]!r}.", remedy=f"One of: {_listed(get_args(Role))}."
            )
        odd = [purpose for purpose in purposes if purpose not in manifest.purposes]
        if odd or (role == "caller" and not purposes):
            why = f"{odd[0][:80]!r} is no declared purpose." if odd else "a caller needs a purpose."
            raise InputError("guard.purpose", why, remedy=f"Declared are: {_listed(manifest.purposes) or 'none'}.")
        if not name.strip() or len(name) > _NAME or not name.isprintable():
            raise InputError("guard.name", f"a principal has a name of 1 to {_NAME} printable characters.")
        token = f"ff_{secrets.token_urlsafe(_BYTES)}"
        chosen = cast("Role", role)
        made = Token(
            secrets.token_hex(6), Principal(name, chosen, purposes), _digest(token), int(time.time()) + days * _DAY
        )
        with keys.locked(keys.keys_folder() / ".lock"):
            self._write((*self.listed(), made))
        return token, made

    def revoke(self, which: str) -> Token:
        """Take a token away; it does not count from the next request on.

        Raises:
            InputError: ``guard.unknown-token``.
        """
        with keys.locked(keys.keys_folder() / ".lock"):
            found = [token for token in self.listed() if token.id == which]
            if not found:
                raise InputError(
                    "guard.unknown-token", f"there is no token {which[:40]}.", remedy="Look: fivefold guard token list."
                )
            self._write(tuple(token for token in self.listed() if token.id != which))
        return found[0]

    def bearer(self, header: str) -> Principal | None:
        """Return whose token an ``Authorization`` header bears; None: nobody's.

        It is looked up by its digest, so that the time taken tells nothing of any token.

        Raises:
            InputError: As :meth:`listed`.
            StorageError: As :meth:`listed`.
        """
        scheme, _, token = header.partition(" ")
        self.listed()
        found = self._by_digest.get(_digest(token.strip()))
        counts = found is not None and found.until > time.time() and scheme.lower() == "bearer"
        return found.principal if found is not None and counts else None

    def _write(self, held: tuple[Token, ...]) -> None:
        if len(held) > _MOST:
            raise InputError("guard.tokens", f"there are {_MOST:,} tokens.", remedy="Revoke those that nobody uses.")
        beside = self.file.with_name(f".{self.file.name}.{secrets.token_hex(4)}")
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(msgspec.json.encode(held))
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self.file)
        except OSError as error:
            beside.unlink(missing_ok=True)
            raise StorageError(
                "guard.tokens", f"it cannot be written ({error.strerror}).", where=str(self.file)
            ) from None


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names)
