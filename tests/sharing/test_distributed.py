"""S3, distributed noise: how much there is, whoever drops out, and what it costs against dp-accounting."""

from __future__ import annotations

import itertools
import math

import dp_accounting
import msgspec
import numpy as np
import pytest
from dp_accounting.pld import PLDAccountant

from fivefold.errors import InputError
from fivefold.sharing.federated import distributed, quantise
from fivefold.sharing.federated.client import Client
from fivefold.sharing.federated.play import party, play
from fivefold.sharing.federated.terms import RoundError, agreed

NAMES = [f"client-{at}" for at in range(10)]
CLIENTS = party(NAMES)
_rounds = itertools.count()


def _terms(size: int = 4000, **more: float):
    options = {"noise": 1.0, "norm": 2.0, "least": 6} | more
    return agreed(NAMES, size, round=f"noise {next(_rounds)}", **options)  # type: ignore[arg-type]


def _vectors(terms, seed: int = 1):
    rng = np.random.default_rng(seed)
    updates = {name: distributed.shortened(rng.normal(size=terms.size), terms.norm) for name in NAMES}
    return updates, {name: quantise.encode(value, terms) for name, value in updates.items()}


@pytest.mark.parametrize("leave", [0, 2, 4])
def test_noise_in_the_sum_is_what_was_agreed_whoever_leaves(leave: int) -> None:
    """With four gone, as many as may be, it is the multiplier times the norm; with fewer gone, more."""
    terms = _terms()
    updates, vectors = _vectors(terms)
    found = play(terms, CLIENTS, vectors, leaves=dict.fromkeys(NAMES[:leave], 3))
    there = len(found.included)
    assert there == 10 - leave
    off = quantise.decode(found.total, terms, there) * there - np.sum(
        [updates[name] for name in found.included], axis=0
    )
    wanted = math.sqrt(terms.variance * there) * terms.clip / ((terms.levels - 1) // 2)
    assert abs(off.std() / wanted - 1) < 5 / math.sqrt(2 * terms.size)  # five deviations of a standard deviation
    assert abs(off.mean()) < 5 * wanted / math.sqrt(terms.size)
    if leave == 4:
        assert abs(wanted / (terms.norm * 1.0) - 1) < 0.01


def test_beyond_the_declared_drop_outs_no_sum_is_given() -> None:
    """Else there would be too little noise in it."""
    terms = _terms()
    with pytest.raises(RoundError) as error:
        play(terms, CLIENTS, _vectors(terms)[1], leaves=dict.fromkeys(NAMES[:5], 3))
    assert error.value.code == "federated.few"


def test_each_round_draws_afresh() -> None:
    """The same vectors twice give other sums."""
    totals = []
    for _ in range(2):
        terms = _terms()
        totals.append(play(terms, CLIENTS, _vectors(terms)[1]).total)
    assert (totals[0] != totals[1]).mean() > 0.99


@pytest.mark.parametrize(("multiplier", "rounds"), [(0.7, 1), (1.0, 1), (1.0, 20), (4.0, 100), (8.0, 300)])
def test_epsilon_agrees_with_dp_accounting(multiplier: float, rounds: int) -> None:
    """Not below the exact one of as many Gaussians (PLD), and little above it (zCDP is an upper bound)."""
    terms = _terms(size=500, noise=multiplier)
    exact = PLDAccountant()
    exact.compose(dp_accounting.GaussianDpEvent(multiplier), rounds)
    wanted = exact.get_epsilon(1e-5)
    found = distributed.epsilon_after(terms, rounds, 1e-5)
    assert wanted <= found <= 1.15 * wanted + 0.1


def test_loss_is_that_of_the_paper() -> None:
    """Proposition 14 by hand: two shares of variance 1, length 3, four numbers; t = 10 exp(-pi^2)."""
    plain = _terms(size=4)
    small = msgspec.structs.replace(
        plain, levels=3, norm=1.0, clip=1.0, variance=1, least=2, clients=("a", "b", "c")
    )  # the length is 1 + sqrt(4) / 2 = 2
    gap = 10 * math.exp(-(math.pi**2))
    wanted = min(math.sqrt(4 / 2 + gap * 4 / 2), 2 / math.sqrt(2) + gap * 2) ** 2 / 2
    assert distributed.loss(small).rho == math.ceil(wanted * 1e9)


def test_colluders_are_made_up_for() -> None:
    """Who tells his share adds nothing: the others add more, and the loss is the same."""
    honest, told = _terms(size=300), _terms(size=300, colluding=3)
    each = [math.sqrt(one.variance) * one.clip / ((one.levels - 1) // 2) for one in (honest, told)]
    assert each[1] / each[0] == pytest.approx(math.sqrt(2), rel=0.01)  # three honest ones instead of six
    assert distributed.loss(told).rho == pytest.approx(distributed.loss(honest).rho, rel=0.01)


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"weight": 2}, "count alike"), ({"norm": 3.0}, "fits the clip"), ({"norm": 0.0}, "no norm"),
        ({"variance": 0}, "no norm"), ({"variance": 1 << 40}, "table"), ({"colluding": 6}, "unknown"),
    ],
)  # fmt: skip
def test_terms_whose_noise_does_not_protect_are_refused(fields: dict, rule: str) -> None:
    """By every client on its own."""
    with pytest.raises(RoundError) as error:
        msgspec.structs.replace(_terms(), **fields).check()
    assert rule in error.value.message


@pytest.mark.parametrize("more", [{"norm": 0.0}, {"colluding": 6}, {"noise": 1e6}, {"noise": math.nan}])
def test_noise_that_cannot_be_had_is_refused(more: dict) -> None:
    """No norm, nobody honest, more than a table holds."""
    with pytest.raises(RoundError) as error:
        _terms(**more)
    assert error.value.code == "federated.terms"


def test_an_update_that_is_too_long_is_not_sent() -> None:
    """The noise would not hide it; one that is shortened is."""
    terms = _terms(size=50)
    long = np.full(50, terms.norm * 0.9)
    with pytest.raises(InputError) as error:
        distributed.noisy(quantise.encode(long, terms), terms)
    assert error.value.code == "federated.norm"
    short = distributed.shortened(long, terms.norm)
    distributed.noisy(quantise.encode(short, terms), terms)
    assert np.linalg.norm(short) == pytest.approx(terms.norm)
    with pytest.raises(InputError):
        distributed.shortened(np.array([1.0, math.nan]), 1.0)


def test_no_noise_no_figure() -> None:
    """A loss is told of noise alone."""
    with pytest.raises(InputError) as error:
        distributed.loss(agreed(NAMES, 5, round="plain"))
    assert error.value.code == "federated.noise"


def test_a_round_goes_on_from_what_was_kept() -> None:
    """Each stage in a process of its own: a client is put down and taken up between any two."""

    class Put(Client):
        def _again(self) -> None:
            fresh = Client(self.name, self._signer, self._roster, self._terms, set())
            fresh.resume(self.kept())
            self.__dict__ = fresh.__dict__

        def share(self, adverts):
            self._again()
            return super().share(adverts)

        def mask(self, boxes, vector):
            self._again()
            return super().mask(boxes, vector)

        def unmask(self, request):
            self._again()
            return super().unmask(request)

    terms = agreed(NAMES, 30, round="put down", degree=4)
    rng = np.random.default_rng(3)
    vectors = {name: rng.integers(0, 1 << 32, 30, dtype=np.uint32) for name in NAMES}
    found = play(terms, CLIENTS, vectors, leaves={NAMES[3]: 3, NAMES[7]: 4}, client=Put)
    wanted = np.add.reduce([vectors[name] for name in NAMES if name != NAMES[3]], dtype=np.uint32)
    assert (found.total == wanted).all()
    made = Client(NAMES[0], CLIENTS.signers[NAMES[0]], {n: s.public for n, s in CLIENTS.signers.items()}, terms, set())
    made.advertise()
    other = Client(
        NAMES[0], CLIENTS.signers[NAMES[0]], {n: s.public for n, s in CLIENTS.signers.items()},
        msgspec.structs.replace(terms, round="another"), set(),
    )  # fmt: skip
    for data in (made.kept(), b"\xc1", b""):
        with pytest.raises(RoundError) as error:
            other.resume(data)
        assert error.value.code == "federated.kept"
