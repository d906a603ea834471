"""Witness and cosignatures: the protocol to the letter, and every way of going back is refused."""

from __future__ import annotations

import base64
import hashlib
import struct

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from fivefold.errors import InputError, TrustError
from fivefold.keys import signing
from fivefold.log import checkpoint as notes
from fivefold.log import cosignature, tiles, witness
from fivefold.log.book import Book
from fivefold.log.simulated import SimulatedDisk
from fivefold.store.witnessed import Witnessed

ALGORITHMS: tuple[signing.Algorithm, ...] = ("ed25519", "ml-dsa-44")
ORIGIN, NOW = "fivefold/test", 1_800_000_000


def _book(entries: int, signer: signing.Signer, salt: str = "") -> Book:
    book = Book(SimulatedDisk(), ORIGIN, signer)
    if entries:
        book.append([f"{salt}entry {number}".encode() for number in range(entries)])
    book.publish()
    return book


def _request(book: Book, old: int) -> bytes:
    assert book.published is not None
    hashes = tiles.consistency(book.disk, old, book.published.size) if old else []
    return witness.write(witness.Request(old, tuple(hashes), book.disk.read("checkpoint", 0, 1 << 16)))


def _witness(log: signing.Signer, memory: Witnessed | None = None) -> witness.Witness:
    return witness.Witness("witness.test/w1", signing.generate(), {ORIGIN: (log.public,)}, memory or Witnessed(None))


def test_a_cosignature_is_what_the_specification_says() -> None:
    """Key id, time and signed message are put together here by hand and verified with the library alone."""
    log, own = signing.generate(), signing.generate()
    point = notes.sign(notes.Checkpoint(ORIGIN, 3, bytes(32)), log)
    line = cosignature.cosign(point, "w.example/1", own, 1679315147).decode()
    dash, name, mark = line.rstrip("\n").split(" ")
    data = base64.b64decode(mark)
    raw = own.public.raw
    assert (dash, name) == ("\N{EM DASH}", "w.example/1")
    assert data[:4] == hashlib.sha256(b"w.example/1\n\x04" + raw).digest()[:4]
    assert struct.unpack(">Q", data[4:12]) == (1679315147,)
    body = point.decode().partition("\n\n")[0] + "\n"
    Ed25519PublicKey.from_public_bytes(raw).verify(data[12:], f"cosignature/v1\ntime 1679315147\n{body}".encode())
    assert cosignature.vkey("w.example/1", own.public).split("+", 2)[1] == data[:4].hex()


def test_a_cosignature_with_ml_dsa_is_what_the_specification_says() -> None:
    """The struct `cosigned_message` is put together by hand, label to root, and verified with the library alone."""
    log, own = signing.generate(), signing.generate("ml-dsa-44")
    point = notes.sign(notes.Checkpoint(ORIGIN, 20852163, bytes(range(32))), log)
    name, mark = cosignature.cosign(point, "w.example/1", own, 1679315147).decode().rstrip("\n").split(" ")[1:]
    data, raw = base64.b64decode(mark), own.public.material
    assert (name, len(raw), len(data)) == ("w.example/1", 1312, 4 + 8 + 2420)
    assert data[:4] == hashlib.sha256(b"w.example/1\n\x06" + raw).digest()[:4]
    message = b"subtree/v1\n\x00" + b"\x0bw.example/1" + struct.pack(">Q", 1679315147) + b"\x0d" + ORIGIN.encode()
    message += struct.pack(">QQ", 0, 20852163) + bytes(range(32))
    MLDSA44PublicKey.from_public_bytes(raw).verify(data[12:], message)
    vkey = cosignature.vkey("w.example/1", own.public).split("+", 2)
    assert (vkey[1], base64.b64decode(vkey[2])) == (data[:4].hex(), b"\x06" + raw)


def test_an_ml_dsa_key_signs_for_a_witness_alone_and_a_line_without_a_time_says_nothing() -> None:
    """It cannot sign a log's checkpoint; time 0 does not claim the newest; names beyond a length byte are refused."""
    log, own = signing.generate(), signing.generate("ml-dsa-44")
    with pytest.raises(InputError):
        notes.sign(notes.Checkpoint(ORIGIN, 3, bytes(32)), own)
    point = notes.sign(notes.Checkpoint(ORIGIN, 3, bytes(32)), log)
    timeless = cosignature.merge(point, cosignature.cosign(point, "w", own, 0))
    assert cosignature.verify(timeless, (own.public,), NOW) == ()
    other = signing.generate()
    old = cosignature.merge(point, cosignature.cosign(point, "w", other, 0))
    assert [found.time for found in cosignature.verify(old, (other.public,), NOW)] == [0], "Ed25519 always says so"
    with pytest.raises(InputError, match="255"):
        cosignature.cosign(point, "w" * 256, own, NOW)
    both = cosignature.merge(timeless, cosignature.cosign(point, "w", signing.generate(), NOW))
    both = cosignature.merge(both, cosignature.cosign(point, "w", own, NOW))
    assert [found.key for found in cosignature.verify(both, (own.public,), NOW)] == [own.public]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_changed_checkpoint_time_or_signature_is_refused_and_strangers_are_passed_over(
    algorithm: signing.Algorithm,
) -> None:
    """A line of a known witness must hold; lines of others say nothing."""
    log, own, other = signing.generate(), signing.generate(algorithm), signing.generate(algorithm)
    point = notes.sign(notes.Checkpoint(ORIGIN, 3, bytes(32)), log)
    both = cosignature.merge(point, cosignature.cosign(point, "w", own, NOW))
    assert [found.time for found in cosignature.verify(both, (own.public,), NOW)] == [NOW]
    assert cosignature.verify(both, (other.public,), NOW) == ()
    assert notes.verify(both, (log.public,))[0].size == 3
    for bad in (both.replace(b"\n3\n", b"\n4\n"), both[:-10] + b"AAAAAAA=\n"):
        with pytest.raises(TrustError):
            cosignature.verify(bad, (own.public,), NOW)
    with pytest.raises(TrustError, match="future"):
        cosignature.verify(both, (own.public,), NOW - 3600)
    with pytest.raises(InputError):
        cosignature.cosign(point, "a name", own, NOW)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_witness_follows_a_growing_log(algorithm: signing.Algorithm) -> None:
    """Each checkpoint is cosigned once the proof from the last one holds; the state survives a restart."""
    log, memory = signing.generate(), Witnessed(None)
    own = witness.Witness("witness.test/w1", signing.generate(algorithm), {ORIGIN: (log.public,)}, memory)
    book = _book(0, log)
    old = 0
    for size in (0, 1, 2, 255, 256, 257, 1000):
        if size > book.size:
            book.append([f"entry {number}".encode() for number in range(book.size, size)])
            book.publish()
        reply = own.add(_request(book, old), NOW)
        assert reply.status == 200, reply
        assert reply.body.startswith("\N{EM DASH} witness.test/w1 ".encode())
        old = size
    kept = own.latest(ORIGIN)
    assert kept is not None
    assert notes.verify(kept, (log.public,))[0].size == 1000
    again = own.add(_request(book, 1000), NOW)
    assert again.status == 200, "the same checkpoint may be cosigned again"


def test_what_does_not_continue_is_refused() -> None:
    """A rewritten, forked, shortened or replayed log, an unknown one, a foreign key and a lying proof."""
    log = signing.generate()
    own = _witness(log)
    book = _book(300, log)
    assert own.add(_request(book, 0), NOW).status == 200
    stale = own.add(_request(book, 0), NOW)
    assert (stale.status, stale.body, stale.type) == (409, b"300\n", "text/x.tlog.size")
    forked = own.add(_request(_book(300, log, "other "), 300), NOW)
    assert forked.status == 409
    assert own.add(_request(_book(400, log, "other "), 300), NOW).status == 422
    assert own.add(_request(_book(200, log), 200), NOW).status == 409
    assert own.add(_request(_book(200, log), 100), NOW).status == 409
    assert own.add(_request(_book(400, signing.generate()), 300), NOW).status == 403
    point = notes.sign(notes.Checkpoint("fivefold/else", 1, bytes(32)), log)
    assert own.add(witness.write(witness.Request(0, (), point)), NOW).status == 404
    small = book.disk.read("checkpoint", 0, 1 << 16)
    assert own.add(witness.write(witness.Request(301, (), small)), NOW).status == 400
    whole = _book(400, log)
    asked = witness.read(_request(whole, 300))
    for hashes in (asked.hashes[:-1], (*asked.hashes, bytes(32)), asked.hashes[::-1]):
        assert own.add(witness.write(witness.Request(300, hashes, asked.checkpoint)), NOW).status == 422
    assert own.add(_request(whole, 300), NOW).status == 200, "the true continuation is still cosigned"


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
def test_garbage_is_refused(data: bytes) -> None:
    """No bytes make it fail other than with 400."""
    assert _witness(signing.generate()).add(b"old 0\n\n" + data, NOW).status == 400
    assert _witness(signing.generate()).add(data, NOW).status == 400


def test_lines_of_others_are_not_taken_on() -> None:
    """What a witness keeps bears the log's signature and its own, nothing that a client slipped in."""
    log, stranger = signing.generate(), signing.generate()
    own, book = _witness(log), _book(5, log)
    point = book.disk.read("checkpoint", 0, 1 << 16)
    dirty = cosignature.merge(point, cosignature.cosign(point, "stranger", stranger, NOW))
    assert own.add(witness.write(witness.Request(0, (), dirty)), NOW).status == 200
    kept = own.latest(ORIGIN)
    assert kept is not None
    assert b"stranger" not in kept
