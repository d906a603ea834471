"""The trust file: what may be written there, and which signatures count."""

from __future__ import annotations

import json

import msgspec
import pytest

from fivefold.errors import FivefoldError, InputError, TrustError, UnknownSignerError
from fivefold.keys import signing, trust

KEY = signing.generate().public
OTHER = signing.generate().public
NOW = "2026-11-23T12:00:00Z"


def _with(**changes: object) -> trust.Trust:
    made = trust.add(trust.Trust(), KEY, name="Ann", roles=("assessor",))
    return msgspec.structs.replace(made, keys=(msgspec.structs.replace(made.keys[0], **changes),))


def _code(known: trust.Trust, role: trust.Role = "assessor", signed: str = NOW) -> str:
    try:
        trust.standing(known, KEY.id, role, signed, NOW)
    except FivefoldError as error:
        return error.code
    return "ok"


@pytest.mark.parametrize(
    ("changes", "signed", "code"),
    [
        ({}, NOW, "ok"),
        ({"valid_from": "2026-11-23T12:00:00Z"}, NOW, "ok"),
        ({"valid_from": "2026-11-23T12:00:01Z"}, NOW, "trust.not-yet-valid"),
        ({"valid_until": "2026-11-23T12:00:00Z"}, NOW, "ok"),
        ({"valid_until": "2026-11-23T11:59:59Z"}, NOW, "trust.expired"),
        ({"revoked": "2026-11-23T12:00:00Z"}, NOW, "trust.revoked"),
        ({"revoked": "2026-11-23T12:00:00Z"}, "2026-11-23T11:59:59Z", "ok"),
        ({}, "2026-11-23T12:09:59Z", "ok"),
        ({}, "2026-11-23T12:10:01Z", "trust.from-the-future"),
        ({}, "yesterday", "trust.time"),
        ({}, "2026-11-23T12:00:00", "trust.time"),
        ({"roles": ("signer",)}, NOW, "trust.wrong-role"),
    ],
)
def test_a_signature_counts_only_inside_role_and_time(changes: dict[str, object], signed: str, code: str) -> None:
    """Each limit decides at its own second."""
    assert _code(_with(**changes), signed=signed) == code


def test_a_key_that_is_not_there_is_unknown_not_wrong() -> None:
    """The caller can tell a stranger from a broken promise."""
    with pytest.raises(UnknownSignerError) as error:
        trust.standing(trust.Trust(), KEY.id, "assessor", NOW, NOW)
    assert error.value.code == "trust.unknown-key"


def test_what_was_written_is_read_back() -> None:
    """Writing and reading give the same value; nothing at all is an empty file."""
    known = trust.add(_with(), OTHER, name="Bö", roles=("privacy-officer", "log"), valid_until=NOW)
    assert trust.read(trust.write(known)) == known
    assert trust.read(b" \n") == trust.Trust()


def test_revocation_never_moves_forward() -> None:
    """A later revocation does not bring back what an earlier one took."""
    known = trust.revoke(_with(), KEY.id, "2026-11-20T00:00:00Z")
    assert trust.revoke(known, KEY.id, NOW).keys[0].revoked == "2026-11-20T00:00:00Z"
    with pytest.raises(InputError) as error:
        trust.revoke(known, OTHER.id, NOW)
    assert error.value.code == "trust.no-such-key"
    with pytest.raises(InputError):
        trust.add(known, KEY, name="Ann", roles=("assessor",))


def test_roles_are_added_to_the_same_person_only() -> None:
    """One key has one holder."""
    assert trust.add(_with(), KEY, name="ann ", roles=("signer",)).keys[0].roles == ("assessor", "signer")
    with pytest.raises(InputError) as error:
        trust.add(_with(), KEY, name="Eve", roles=("signer",))
    assert error.value.code == "trust.duplicate"


@pytest.mark.parametrize(
    ("edit", "code"),
    [
        (lambda d: d["keys"].append(d["keys"][0]), "trust.duplicate"),
        (lambda d: d["keys"][0].update(id="00" * 32), "trust.id"),
        (lambda d: d["keys"][0].update(public=OTHER.pem.decode()), "trust.id"),
        (lambda d: d["keys"][0].update(public="x"), "keys.malformed"),
        (lambda d: d["keys"][0].update(roles=["king"]), "trust.malformed"),
        (lambda d: d["keys"][0].update(roles=[]), "trust.malformed"),
        (lambda d: d["keys"][0].update(name=" "), "trust.malformed"),
        (lambda d: d["keys"][0].update(more=1), "trust.malformed"),
        (lambda d: d["keys"][0].update(revoked="soon"), "trust.time"),
        (lambda d: d.update(version=2), "trust.newer"),
    ],
)
def test_a_file_that_contradicts_itself_is_refused(edit: object, code: str) -> None:
    """No half-understood trust file is used."""
    document = json.loads(trust.write(_with()))
    edit(document)
    with pytest.raises(InputError) as error:
        trust.read(json.dumps(document).encode())
    assert error.value.code == code


@pytest.mark.parametrize("data", [b"{", b"[]", b'{"keys":[],"keys":[]}', b"\xff", b"[" * 100_000, b"x" * (1 << 21)])
def test_bytes_that_are_no_trust_file_are_refused(data: bytes) -> None:
    """Also fields that stand twice, deep nesting and oversized files."""
    with pytest.raises(InputError) as error:
        trust.read(data)
    assert error.value.code == "trust.malformed"


def test_holders_lists_the_keys_valid_now() -> None:
    """Revoked, expired and differently-roled keys are left out."""
    known = trust.add(_with(roles=("signer",)), OTHER, name="Bo", roles=("signer",), valid_until="2026-01-01T00:00:00Z")
    assert [key.id for key in trust.holders(known, "signer", NOW)] == [KEY.id]
    assert trust.holders(trust.revoke(known, KEY.id, NOW), "signer", NOW) == ()


def test_names_are_compared_as_people_read_them() -> None:
    """Case, width and spaces make no second officer."""
    assert trust.person(" Ann  LEE") == trust.person("\uff41\uff4e\uff4e lee")
    assert trust.person("Ann Lee") != trust.person("Anna Lee")


def test_an_unknown_signer_is_a_trust_error() -> None:
    """Callers that know no strangers still fail closed."""
    assert issubclass(UnknownSignerError, TrustError)
