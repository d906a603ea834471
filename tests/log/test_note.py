"""Signed notes and checkpoints: one form only, and known keys must hold."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fivefold.errors import FivefoldError, InputError, TrustError
from fivefold.keys import signing
from fivefold.log import checkpoint, note

ONE, TWO = signing.generate(), signing.generate()
SAID = checkpoint.Checkpoint(origin="fivefold/app", size=7, root=bytes(range(32)))
SIGNED = checkpoint.sign(SAID, ONE)


def _code(data: bytes, *keys: signing.PublicKey) -> str:
    try:
        checkpoint.verify(data, keys or (ONE.public,))
    except FivefoldError as error:
        return error.code
    return "ok"


def test_a_checkpoint_is_read_back_with_its_signer() -> None:
    """Also beside the signature of a witness whom we do not know, and of one whom we do."""
    assert checkpoint.verify(SIGNED, (TWO.public, ONE.public)) == (SAID, ONE.public)
    both = note.sign(SAID.text, (("witness.example", TWO), (SAID.origin, ONE)))
    assert checkpoint.verify(both, (ONE.public,)) == (SAID, ONE.public)
    _, signers = note.verify(both, (note.NoteKey("witness.example", TWO.public), note.NoteKey(SAID.origin, ONE.public)))
    assert [key.name for key in signers] == ["witness.example", SAID.origin]


def test_an_unknown_key_and_a_broken_signature_are_told_apart() -> None:
    """The right name with another key is unknown; the right key over other text is broken."""
    assert _code(SIGNED, TWO.public) == "log.unknown-key"
    assert _code(SIGNED.replace(b"\n7\n", b"\n8\n")) == "log.bad-signature"
    assert _code(SIGNED.replace("— fivefold/app".encode(), "— fivefold/other".encode())) == "log.unknown-key"


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data[:-1],
        lambda data: data + b"x",
        lambda data: data.replace(b"\n\n", b"\n"),
        lambda data: data.replace("— ".encode(), b"- "),
        lambda data: b"\xff" + data,
        lambda data: b"\x00" + data,
        lambda data: data.replace(b"=\n", b"\n", 1) if b"=\n\n" not in data else data[:-2] + b"\n",
        lambda data: data + data.split(b"\n\n")[1] * 101,
        lambda data: b"a" * (1 << 20) + data,
    ],
)
def test_any_other_form_is_no_note(change: object) -> None:
    """Missing newline, ASCII dash, control characters, too many signatures, too large."""
    assert _code(change(SIGNED)) in {"log.malformed-note", "log.malformed-checkpoint"}


@pytest.mark.parametrize(
    "text",
    [
        "fivefold/app\n07\n{root}\n",
        "fivefold/app\n-7\n{root}\n",
        "fivefold/app\n+7\n{root}\n",
        "fivefold/app\n7 \n{root}\n",
        "fivefold/app\n\u0667\n{root}\n",
        "fivefold/app\n7\n{root}\nmore\n",
        "fivefold/app\n7\nAAAA\n",
        "fivefold/app\n7\n{root}=\n",
        "\n7\n{root}\n",
        "fivefold/app\n7\n",
        "fivefold/app\n99999999999999999999\n{root}\n",
    ],
)
def test_a_checkpoint_has_exactly_one_form(text: str) -> None:
    """Well signed, but not origin, size and root as we write them."""
    whole = text.replace("{root}", base64.b64encode(SAID.root).decode())
    name = whole.split("\n", maxsplit=1)[0] or "x"
    assert _code(note.sign(whole, ((name, ONE),))) == "log.malformed-checkpoint"


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    """The parser never breaks."""
    try:
        note.parse(data)
    except TrustError as error:
        assert error.code == "log.malformed-note"  # noqa: PT017


@pytest.mark.parametrize(("name", "text"), [("a b", "t\n"), ("a+b", "t\n"), ("", "t\n"), ("a", "t"), ("a", "t\x07\n")])
def test_what_could_not_be_read_back_is_not_signed(name: str, text: str) -> None:
    """Names with spaces or plus signs, texts without a newline at the end or with control characters."""
    with pytest.raises(InputError) as error:
        note.sign(text, ((name, ONE),))
    assert error.value.code == "log.note"


def test_odd_application_ids_have_a_name_that_a_note_can_hold() -> None:
    """Spaces, plus signs and slashes are percent-encoded; different ids have different names."""
    ids = ["a b", "a+b", "a/b", "a%20b", "ä"]
    names = [checkpoint.origin_of(name) for name in ids]
    assert len(set(names)) == len(ids)
    for name in names:
        assert (
            checkpoint.verify(checkpoint.sign(checkpoint.Checkpoint(name, 0, bytes(32)), ONE), (ONE.public,))[0].origin
            == name
        )


def test_a_verifier_key_survives_its_text() -> None:
    """Written and read back; an ECDSA key has none."""
    key = note.NoteKey("example.com/log", ONE.public)
    assert note.parse_vkey(key.vkey) == key
    with pytest.raises(InputError):
        _ = note.NoteKey("x", signing.generate("ecdsa-p256").public).vkey
