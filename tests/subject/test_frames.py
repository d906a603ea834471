"""Frames: whole messages in any pieces, caps before allocation, nothing of the wrong type."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fivefold.errors import SubjectError
from fivefold.subject.worker import frames
from fivefold.subject.worker.messages import Broken, Describe, Described, Fitted, FromModel, ModelHere, ToCheck

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Return two connected sockets."""
    left, right = socket.socketpair()
    with left, right:
        yield left, right


def test_a_message_arrives_whole(pair: tuple[socket.socket, socket.socket]) -> None:
    """And as its own type."""
    frames.send(pair[0], Described(body=b"x" * 1000))
    assert frames.receive(pair[1], FromModel, frames.SMALL) == Described(body=b"x" * 1000)


@given(st.lists(st.binary(max_size=50), max_size=6), st.integers(1, 9))
def test_messages_come_out_of_any_pieces(bodies: list[bytes], step: int) -> None:
    """A stream has no borders."""
    stream = b"".join(len(body).to_bytes(8, "big") + body for body in bodies)
    reader = frames.Reader(1000)
    found = [frame for at in range(0, len(stream), step) for frame in reader.feed(stream[at : at + step])]
    assert found == bodies


@pytest.mark.parametrize("size", [2**63, 2**40, frames.SMALL + 1])
def test_a_length_beyond_the_cap_is_refused_before_anything_is_read(
    pair: tuple[socket.socket, socket.socket], size: int
) -> None:
    """A liar cannot make us allocate."""
    pair[0].sendall(size.to_bytes(8, "big"))
    with pytest.raises(SubjectError) as caught:
        frames.receive(pair[1], FromModel, frames.SMALL)
    assert caught.value.code == "frame.too-large"
    with pytest.raises(SubjectError):
        frames.Reader(frames.SMALL).feed(size.to_bytes(8, "big"))


@pytest.mark.parametrize(
    "body",
    [b"", b"\xc1", b"\x81" * 5000, msgspec.msgpack.encode({"type": "Describe"}), msgspec.msgpack.encode([1]),
     msgspec.msgpack.encode({"type": "Fitted", "more": 1}), msgspec.msgpack.encode({"type": "Broken", "code": 1})],
)  # fmt: skip
def test_what_is_no_message_is_refused(pair: tuple[socket.socket, socket.socket], body: bytes) -> None:
    """Wrong type, unknown field, another side's message, garbage."""
    pair[0].sendall(len(body).to_bytes(8, "big") + body)
    with pytest.raises(SubjectError) as caught:
        frames.receive(pair[1], FromModel, frames.SMALL)
    assert caught.value.code == "frame.malformed"


def test_a_closed_line_is_told_apart(pair: tuple[socket.socket, socket.socket]) -> None:
    """In the middle of a frame, or before one."""
    pair[0].sendall((100).to_bytes(8, "big") + b"half")
    pair[0].close()
    with pytest.raises(frames.ClosedError):
        frames.receive(pair[1], FromModel, frames.SMALL)
    with pytest.raises(frames.ClosedError):
        frames.send(pair[1], Describe())


def test_a_descriptor_travels_with_its_message(pair: tuple[socket.socket, socket.socket]) -> None:
    """The socket of a model process is handed over so."""
    reading, writing = os.pipe()
    frames.send_with(pair[0], ModelHere(), writing)
    os.close(writing)
    message, descriptor = frames.receive_with(pair[1], ToCheck, frames.SMALL)
    assert message == ModelHere()
    assert descriptor is not None
    os.write(descriptor, b"x")
    assert os.read(reading, 1) == b"x"
    os.close(descriptor)
    os.close(reading)


def test_messages_of_a_model_are_a_closed_set() -> None:
    """A model can describe, answer, say that it is trained or that it broke; nothing else."""
    for message in (Described(body=b""), Fitted(), Broken(code="c", message="m")):
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(message), type=FromModel) == message
