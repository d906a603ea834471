"""Trust: the verifier's own list of keys, each with name, roles, validity and revocation.

Rules (pure functions of bytes, key id and time; nothing here reads a file or a clock):

1. The trust file belongs to whoever verifies; it is never read from evidence.
2. A key counts only in the roles written beside it.
3. A signature counts only if its claimed time lies inside the key's validity, before its revocation and not in the
   future. Claimed times are those of the signer's clock: a stolen key can claim an earlier one. Where a key was
   stolen, revoke it from a time before the theft.
4. Two officers are two keys and two names; names are compared without regard to case, width, spaces, characters
   that nobody can see, and letters of other alphabets that look like Latin ones.
"""

from __future__ import annotations

import json
import re
import unicodedata
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, get_args

import msgspec

from fivefold.errors import InputError, TrustError, UnknownSignerError
from fivefold.keys.signing import PublicKey, load_public

Role = Literal["assessor", "signer", "steward", "privacy-officer", "legal-officer", "log", "witness"]
ROLES: tuple[Role, ...] = get_args(Role)
OFFICERS: tuple[Role, ...] = ("privacy-officer", "legal-officer")

MAX_TRUST = 1 << 20
"""Largest trust file in bytes."""

SKEW = timedelta(minutes=10)
"""How far a signer's clock may run ahead of the verifier's."""

_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")


class TrustedKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One key of the trust file.

    Attributes:
        id: Key id; must be the digest of ``public``.
        name: The person or machine that holds it.
        roles: What it may sign.
        public: PEM text.
        valid_from: UTC time; empty: always.
        valid_until: UTC time; empty: no end.
        revoked: UTC time from which nothing that it signs counts; empty: not revoked.
    """

    id: str
    name: str
    roles: tuple[Role, ...]
    public: str
    valid_from: str = ""
    valid_until: str = ""
    revoked: str = ""


class Trust(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole trust file: keys in the order of their addition, ids unique."""

    keys: tuple[TrustedKey, ...] = ()
    version: int = 1

    def find(self, key_id: str) -> TrustedKey | None:
        """Return the entry of a key, or None."""
        return next((key for key in self.keys if key.id == key_id), None)


def read(data: bytes) -> Trust:
    """Read a trust file; empty bytes are an empty file.

    Raises:
        InputError: ``trust.malformed``, ``trust.newer``, ``trust.duplicate`` or ``trust.id``.
    """
    if not data.strip():
        return Trust()
    trust = _decode(data)
    if trust.version != 1:
        raise InputError(
            "trust.newer", "the trust file was written by a newer version.", remedy="Use a newer Fivefold."
        )
    if len({key.id for key in trust.keys}) != len(trust.keys):
        raise InputError(
            "trust.duplicate", "a key stands twice in the trust file.", remedy="Remove one of the entries."
        )
    for key in trust.keys:
        for text in (key.valid_from, key.valid_until, key.revoked):
            if text:
                moment(text)
        if not person(key.name) or not key.roles:
            raise InputError("trust.malformed", f"key {key.id[:12]} has no name or no role in the trust file.")
        if load_public(key.public.encode()).id != key.id:
            raise InputError("trust.id", f"key {key.id[:12]} in the trust file does not have this id.")
    return trust


def write(trust: Trust) -> bytes:
    """Return the trust file as readable JSON."""
    return json.dumps(msgspec.to_builtins(trust), indent=2, ensure_ascii=False).encode() + b"\n"


def add(
    trust: Trust,
    key: PublicKey,
    *,
    name: str,
    roles: tuple[Role, ...],
    valid_from: str = "",
    valid_until: str = "",
) -> Trust:
    """Return ``trust`` with a key added, or with roles added to a key that is already there under this name.

    Raises:
        InputError: ``trust.duplicate`` if the key is there under another name, is revoked or has other dates;
            ``trust.malformed`` if the name or the roles are empty; ``trust.time`` for malformed times.
    """
    for text in (valid_from, valid_until):
        if text:
            moment(text)
    if not person(name) or not roles:
        raise InputError("trust.malformed", "a trusted key needs a name and at least one role.")
    require_visible(name)
    wanted = TrustedKey(
        id=key.id, name=name, roles=roles, public=key.pem.decode(), valid_from=valid_from, valid_until=valid_until
    )
    old = trust.find(key.id)
    if old is None:
        return msgspec.structs.replace(trust, keys=(*trust.keys, wanted))
    if (
        old.revoked
        or person(old.name) != person(name)
        or (old.valid_from, old.valid_until) != (valid_from, valid_until)
    ):
        raise InputError(
            "trust.duplicate",
            f"this key is already there as {old.name!r}" + (", revoked." if old.revoked else "."),
            remedy="Use another key, or edit the trust file by hand.",
        )
    merged = msgspec.structs.replace(old, roles=tuple(dict.fromkeys((*old.roles, *roles))))
    return _replace(trust, merged)


def revoke(trust: Trust, key_id: str, since: str) -> Trust:
    """Return ``trust`` with a key revoked from ``since`` on; an earlier revocation stays.

    Raises:
        InputError: ``trust.no-such-key``; ``trust.time`` for a malformed time.
    """
    moment(since)
    old = trust.find(key_id)
    if old is None:
        raise InputError(
            "trust.no-such-key", f"no key {key_id[:12]} in the trust file.", remedy="See: fivefold trust list."
        )
    if old.revoked and moment(old.revoked) <= moment(since):
        return trust
    return _replace(trust, msgspec.structs.replace(old, revoked=since))


def standing(trust: Trust, key_id: str, role: Role, signed: str, now: str) -> TrustedKey:
    """Return the key's entry if it may sign in ``role`` at the claimed time ``signed``.

    Raises:
        UnknownSignerError: ``trust.unknown-key``: the verifier does not know the key.
        TrustError: ``trust.wrong-role``, ``trust.revoked``, ``trust.expired``, ``trust.not-yet-valid``,
            ``trust.from-the-future``.
    """
    key = trust.find(key_id)
    if key is None:
        raise UnknownSignerError(
            "trust.unknown-key",
            f"key {key_id[:12]} is not in the trust file.",
            remedy="If you know its holder, add it: fivefold trust add FILE --role ROLE --name NAME.",
        )
    if role not in key.roles:
        raise TrustError("trust.wrong-role", f"{key.name} ({key_id[:12]}) may not sign as {role}.")
    time = moment(signed)
    if time > moment(now) + SKEW:
        raise TrustError("trust.from-the-future", f"signed at {signed}, which is later than now.")
    if key.revoked and time >= moment(key.revoked):
        raise TrustError("trust.revoked", f"the key of {key.name} ({key_id[:12]}) is revoked since {key.revoked}.")
    if key.valid_from and time < moment(key.valid_from):
        raise TrustError("trust.not-yet-valid", f"the key of {key.name} was not valid before {key.valid_from}.")
    if key.valid_until and time > moment(key.valid_until):
        raise TrustError("trust.expired", f"the key of {key.name} was valid until {key.valid_until}.")
    return key


def holders(trust: Trust, role: Role, now: str) -> tuple[PublicKey, ...]:
    """Return the keys that may sign in ``role`` at ``now``, in file order."""
    found = []
    for key in trust.keys:
        try:
            standing(trust, key.id, role, now, now)
        except TrustError:
            continue
        found.append(load_public(key.public.encode()))
    return tuple(found)


def person(name: str) -> str:
    """Return a name in the form in which two names are compared.

    Case, width, spaces and characters that nobody can see are dropped, and Cyrillic and Greek letters that look like
    Latin ones are taken for them: one person under two spellings is one. The table is a small one of our own and not
    complete (Unicode TS 39 has thousands of pairs; an ``l`` for an ``I`` passes).
    """
    seen = "".join(letter for letter in unicodedata.normalize("NFKC", name) if not unseen(letter))
    folded = unicodedata.normalize("NFKC", seen).casefold().translate(_LOOKS_LIKE)
    return "".join(folded.split())


def require_visible(name: str) -> None:
    """Refuse a name with characters that nobody can see, or with letters of two alphabets that look alike.

    Raises:
        InputError: ``trust.invisible`` or ``trust.look-alike``.
    """
    odd = next((one for one in name if unseen(one) or unicodedata.category(one) in ("Cc", "Zl", "Zp")), "")
    if odd:
        message = f"the name holds the invisible character U+{ord(odd):04X}."
        raise InputError("trust.invisible", message, remedy="Write the name without it.")
    for word in name.split():
        latin = [letter for letter in word if "LATIN" in unicodedata.name(letter, "")]
        alike = next((one for one in word if one not in latin and ord(one.casefold()[0]) in _LOOKS_LIKE), "")
        if latin and alike:
            message = f"{word!r} mixes Latin letters with U+{ord(alike):04X}, which looks like one."
            raise InputError("trust.look-alike", message, remedy="Write the word in one alphabet.")


def unseen(letter: str) -> bool:
    """Whether a character shows nothing: format, control, unassigned, variation selector, filler or blank."""
    point = ord(letter)
    odd = unicodedata.category(letter) in ("Cf", "Cc", "Co", "Cn", "Cs") and not letter.isspace()
    return odd or any(first <= point <= last for first, last in _IGNORABLE)


_IGNORABLE = (
    (0x034F, 0x034F), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x2800, 0x2800), (0x3164, 0x3164),
    (0xFE00, 0xFE0F), (0xFFA0, 0xFFA0), (0xE0100, 0xE01EF),
)  # fmt: skip
"""Characters of other kinds that show nothing (Unicode's Default_Ignorable_Code_Point, and the blank pattern)."""

_LOOKS_LIKE = {
    ord(letter): latin
    for letter, latin in (
        # Cyrillic
        ("\u0430", "a"), ("\u0432", "b"), ("\u0441", "c"), ("\u0501", "d"), ("\u0435", "e"), ("\u04bb", "h"),
        ("\u043d", "h"), ("\u0456", "i"), ("\u0458", "j"), ("\u043a", "k"), ("\u04cf", "l"), ("\u043c", "m"),
        ("\u043e", "o"), ("\u0440", "p"), ("\u051b", "q"), ("\u0455", "s"), ("\u0442", "t"), ("\u0475", "v"),
        ("\u051d", "w"), ("\u0445", "x"), ("\u0443", "y"), ("\u04af", "y"), ("\u0433", "r"), ("\u0437", "3"),
        # Greek
        ("\u03b1", "a"), ("\u03b2", "b"), ("\u03b5", "e"), ("\u03b7", "h"), ("\u03b9", "i"), ("\u03ba", "k"),
        ("\u03bc", "m"), ("\u03bd", "n"), ("\u03bf", "o"), ("\u03c1", "p"), ("\u03c3", "o"), ("\u03c4", "t"),
        ("\u03c5", "u"), ("\u03c7", "x"), ("\u03b3", "y"), ("\u03b6", "z"), ("\u03f2", "c"), ("\u03f3", "j"),
        # Latin
        ("\u0131", "i"), ("\u0237", "j"), ("\u0251", "a"), ("\u0261", "g"),
    )
}  # fmt: skip
"""Small letters of other alphabets (after folding case), and the Latin ones that they, or their capitals, look like."""


def moment(text: str) -> datetime:
    """Read a UTC time such as ``2026-11-23T09:30:00Z``.

    Raises:
        InputError: ``trust.time`` for any other form.
    """
    try:
        if _MOMENT.fullmatch(text):
            return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        pass
    raise InputError("trust.time", f"{text[:40]!r} is not a time.", remedy="Write UTC as 2026-11-23T09:30:00Z.")


def _replace(trust: Trust, entry: TrustedKey) -> Trust:
    keys = tuple(entry if key.id == entry.id else key for key in trust.keys)
    return msgspec.structs.replace(trust, keys=keys)


def _decode(data: bytes) -> Trust:
    remedy = "Mend the file, or make a new one with: fivefold trust add."
    if len(data) > MAX_TRUST:
        raise InputError("trust.malformed", "the trust file is larger than 1 MiB.", remedy=remedy)
    try:
        return msgspec.convert(json.loads(data, object_pairs_hook=_once), Trust)
    except (ValueError, RecursionError, msgspec.ValidationError) as error:
        reason = str(error) if isinstance(error, msgspec.ValidationError) else "not JSON, or a field stands twice"
        raise InputError("trust.malformed", f"the trust file cannot be read: {reason}.", remedy=remedy) from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found
