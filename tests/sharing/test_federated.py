"""S3, secure aggregation: exact or ended, for every pattern of drop-outs and every lie."""

from __future__ import annotations

import itertools
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fivefold.errors import InputError
from fivefold.keys.ciphers import keystream
from fivefold.sharing.federated import masks, quantise, shamir
from fivefold.sharing.federated.client import Client
from fivefold.sharing.federated.graph import neighbours
from fivefold.sharing.federated.lies import LIES
from fivefold.sharing.federated.messages import Advert, Box, Masked, Request, Shares, pack, unpack
from fivefold.sharing.federated.play import Post, party, play
from fivefold.sharing.federated.terms import RoundError, agreed

from . import federated_long

NAMES = [f"client-{at}" for at in range(10)]
CLIENTS = party(NAMES)
_rounds = itertools.count()


def _terms(names: list[str] | None = None, size: int = 40, **more: object):
    return agreed(names or NAMES, size, round=f"test {next(_rounds)}", **more)  # type: ignore[arg-type]


def _vectors(names: list[str], size: int = 40, seed: int = 1) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {name: rng.integers(0, 1 << 32, size, dtype=np.uint32) for name in names}


def test_there_are_62201_patterns() -> None:
    """Ten clients, four stages, at most four drop-outs."""
    assert sum(1 for _ in federated_long.patterns()) == 62_201


@pytest.mark.parametrize("number", np.random.default_rng(20_261).choice(62_201, 40, replace=False).tolist())
def test_sum_is_exact_for_a_sample_of_patterns(number: int) -> None:
    """A sample here; ``scripts/long`` plays them all."""
    pattern = next(itertools.islice(federated_long.patterns(), number, None))
    assert federated_long.exact(pattern, number), pattern


@pytest.mark.parametrize("stage", [1, 2, 3, 4])
@pytest.mark.parametrize("count", [5, 7, 10])
def test_beyond_the_threshold_a_round_ends(stage: int, count: int) -> None:
    """Five who leave at any stage are one too many: no sum, not even in part."""
    with pytest.raises(RoundError) as error:
        play(_terms(), CLIENTS, _vectors(NAMES), leaves=dict.fromkeys(NAMES[:count], stage))
    assert error.value.code == "federated.few"


LEFT = {"n03": 1, "n10": 2, "n11": 3, "n20": 4}


@pytest.mark.parametrize(
    ("degree", "leaves"),
    [*((4, {name: stage}) for name, stage in LEFT.items()), (8, dict(list(LEFT.items())[:3])), (12, LEFT)],
)
def test_sum_is_exact_among_neighbours(degree: int, leaves: dict[str, int]) -> None:
    """A ring of 24, however it is drawn: those who leave, at whatever stage, are not half of anybody's neighbours."""
    names = [f"n{at:02}" for at in range(24)]
    found = play(_terms(names, degree=degree), party(names), vectors := _vectors(names), leaves=leaves)
    included = [name for name in names if leaves.get(name, 5) > 3]
    assert list(found.included) == included
    assert (found.total == np.add.reduce([vectors[name] for name in included], dtype=np.uint32)).all()


def test_a_neighbourhood_that_is_gone_ends_the_round() -> None:
    """Enough are left in all, but not around one client: still no sum in part."""
    names = [f"n{at:02}" for at in range(24)]
    clients, ended = party(names), 0
    for first in range(8):
        leaves = dict.fromkeys(names[first : first + 11], 4)
        try:
            play(_terms(names, degree=4), clients, _vectors(names), leaves=leaves)
        except RoundError as error:
            ended += error.code == "federated.secret"
    assert ended == 8


@pytest.mark.parametrize("lie", sorted(LIES))
def test_each_lie_of_the_server_ends_the_round(lie: str) -> None:
    """One action at one client: noticed by a client, whoever it is; an honest carrier is not blamed."""
    for victim, about in ((NAMES[0], NAMES[5]), (NAMES[9], NAMES[2])):
        with pytest.raises(RoundError):
            play(_terms(), CLIENTS, _vectors(NAMES), post=LIES[lie](victim, about))
    assert play(_terms(), CLIENTS, _vectors(NAMES), post=Post()).included == tuple(NAMES)


def test_a_round_is_not_played_twice_and_no_stage_either() -> None:
    """A server that replays terms, or asks once more, learns nothing."""
    terms = _terms()
    play(terms, CLIENTS, _vectors(NAMES))
    with pytest.raises(RoundError) as error:
        play(terms, CLIENTS, _vectors(NAMES))
    assert error.value.code == "federated.replayed"

    class Again(Post):
        def request(self, name: str, request: Request) -> Request:
            return request

    made: list = []

    class Kept(Client):
        def __init__(self, *given: Any, **named: Any) -> None:
            super().__init__(*given, **named)
            made.append(self)

    play(_terms(), CLIENTS, _vectors(NAMES), post=Again(), client=Kept)
    with pytest.raises(RoundError) as error:
        made[0].unmask(Request(alive=tuple(NAMES), dropped=()))
    assert error.value.code == "federated.stage"
    assert not made[0]._held


def test_wrong_shares_never_give_a_wrong_sum() -> None:
    """One client's false shares are got round where enough are left; where not, the round ends."""

    class Wrong(Client):
        def unmask(self, request: Request) -> Shares:
            said = super().unmask(request)
            if self.name != NAMES[0]:
                return said
            return msgspec.structs.replace(said, seeds={name: bytes(32) for name in said.seeds})

    vectors = _vectors(NAMES)
    found = play(_terms(), CLIENTS, vectors, client=Wrong)
    assert (found.total == np.add.reduce(list(vectors.values()), dtype=np.uint32)).all()
    with pytest.raises(RoundError) as error:
        play(_terms(), CLIENTS, vectors, leaves=dict.fromkeys(NAMES[6:], 4), client=Wrong)
    assert error.value.code == "federated.secret"


def test_a_masked_vector_says_nothing_of_its_own() -> None:
    """Of a vector of zeros every bit is set about half of the time."""
    seen: list[Masked] = []
    from fivefold.sharing.federated import play as module

    real = module.Server

    class Watching(real):  # type: ignore[misc, valid-type]
        def collect(self, masked: list[Masked]) -> dict[str, Request]:
            seen.extend(masked)
            return super().collect(masked)

    module.Server = Watching  # type: ignore[misc]
    try:
        play(_terms(size=20_000), CLIENTS, {name: np.zeros(20_000, dtype=np.uint32) for name in NAMES})
    finally:
        module.Server = real  # type: ignore[misc]
    for one in seen:
        bits = np.unpackbits(np.frombuffer(one.vector, dtype=np.uint8).reshape(-1, 4), axis=1)
        assert np.abs(bits.mean(axis=0) - 0.5).max() < 0.02


@settings(max_examples=60, deadline=None)
@given(secret=st.binary(min_size=1, max_size=40), holders=st.integers(1, 255), data=st.data())
def test_any_threshold_of_shares_gives_the_secret(secret: bytes, holders: int, data: st.DataObject) -> None:
    """Whichever they are; one share less gives something else (a chance of 2**-8 a byte)."""
    threshold = data.draw(st.integers(1, holders))
    shares = shamir.split(secret, holders, threshold)
    chosen = data.draw(st.permutations(range(holders)))[:threshold]
    assert shamir.join({at: shares[at] for at in chosen}) == secret
    if threshold > 1 and len(secret) > 8:
        assert shamir.join({at: shares[at] for at in chosen[1:]}) != secret


def test_the_field_is_that_of_aes() -> None:
    """FIPS 197, section 4.2: {57} x {83} = {c1}, {57} x {13} = {fe}."""
    first, second = np.array([0x57, 0x57, 0], dtype=np.uint8), np.array([0x83, 0x13, 7], dtype=np.uint8)
    assert shamir.times(first, second).tolist() == [0xC1, 0xFE, 0]


@pytest.mark.parametrize("length", [1, 7, 1 << 15, (1 << 15) + 1, 70_000])
def test_masks_are_the_keystream_and_cancel(length: int) -> None:
    """In pieces or in one: AES-CTR from counter 0; added and taken away they leave nothing."""
    found = np.zeros(length, dtype=np.uint32)
    masks.apply(found, [bytes(range(16))], [])
    whole = keystream(bytes(range(16)), bytes(16), bytes(4 * length))
    assert found.tobytes() == whole
    masks.apply(found, [b"k" * 16], [b"k" * 16, bytes(range(16))])
    assert not found.any()


@pytest.mark.parametrize("bad", [1.01, -1.01, np.nan, np.inf])
def test_what_would_be_clipped_is_an_error(bad: float) -> None:
    """Never cut off in silence; the figure is named."""
    values = np.zeros(40)
    values[7] = bad
    with pytest.raises(InputError) as error:
        quantise.encode(values, _terms())
    assert error.value.code == "federated.clipped"


@settings(max_examples=50, deadline=None)
@given(clip=st.floats(1e-3, 1e3), seed=st.integers(0, 99), weight=st.integers(1, 50), narrow=st.booleans())
def test_decoded_means_are_within_half_a_step(clip: float, seed: int, *, weight: int, narrow: bool) -> None:
    """Weighted means of float32 and float64, the ends of the range among them."""
    rng = np.random.default_rng(seed)
    terms = _terms(NAMES[:3], clip=clip, weight=50)
    values = rng.uniform(-clip, clip, (3, 40)).astype(np.float32 if narrow else np.float64)
    values = np.clip(values, -np.nextafter(np.float32(clip), np.float32(0)), None) if narrow else values
    values[:, :2] = (-clip, clip) if not narrow else values[:, :2]
    weights = [weight, 1, 50]
    total = np.add.reduce([quantise.encode(row, terms, one) for row, one in zip(values, weights, strict=True)])
    wanted = np.average(values.astype(np.float64), axis=0, weights=weights)
    assert np.abs(quantise.decode(total, terms, sum(weights)) - wanted).max() <= quantise.bound(terms) * 1.01


@pytest.mark.parametrize("degree", [2, 6, 20])
def test_neighbours_are_mutual_and_as_many_as_agreed(degree: int) -> None:
    """And others under another directory."""
    names = tuple(f"n{at:03}" for at in range(50))
    found = neighbours(names, degree, b"one")
    assert all(len(found[name]) == degree and name not in found[name] for name in names)
    assert all(name in found[other] for name in names for other in found[name])
    assert found != neighbours(names, degree, b"two")


@pytest.mark.parametrize(
    "fields",
    [{"threshold": 5}, {"threshold": 11}, {"least": 5}, {"degree": 3}, {"clip": 0.0}, {"levels": 1 << 30}, {"size": 0}],
)
def test_terms_that_do_not_protect_are_refused(fields: dict) -> None:
    """By every client on its own."""
    with pytest.raises(RoundError) as error:
        play(msgspec.structs.replace(_terms(), **fields), CLIENTS, _vectors(NAMES))
    assert error.value.code == "federated.terms"


@pytest.mark.parametrize("kind", [Advert, Box, Masked, Request, Shares])
@pytest.mark.parametrize("data", [b"", b"\x80", b"\xc1", pack(Request(alive=("a",), dropped=())) + b"\0"])
def test_messages_that_cannot_be_read_end_the_round(kind: type, data: bytes) -> None:
    """Whatever came."""
    with pytest.raises(RoundError):
        unpack(data, kind)


def test_messages_survive_the_way() -> None:
    """Packed and read back."""
    message = Shares(name="a", seeds={"b": b"1"}, keys={})
    assert unpack(pack(message), Shares) == message
