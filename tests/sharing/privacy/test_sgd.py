"""Private training of nets: gradients against those of each person alone, the account against others', the watch."""

from __future__ import annotations

import copy
import math

import dp_accounting
import numpy as np
import pytest
import torch
from dp_accounting import pld, rdp
from torch import nn
from torch.func import functional_call, grad, vmap

from fivefold.errors import InputError, UnsupportedError
from fivefold.sharing.privacy import noise
from fivefold.sharing.privacy.loss import DELTA, budget_of
from fivefold.sharing.privacy.sgd import account, train
from fivefold.sharing.privacy.sgd.clipped import Batch, Clipped

from .sgd_faults import FAULTS, losses, run


class Words(nn.Module):
    """Embedding, LayerNorm, Linear over places, grouped Conv1d."""

    def __init__(self) -> None:
        """Make it."""
        super().__init__()
        self.words, self.even, self.mix = nn.Embedding(11, 8, padding_idx=0), nn.LayerNorm(8), nn.Linear(8, 6)
        self.near, self.out = nn.Conv1d(6, 4, 3, padding=1, groups=2), nn.Linear(20, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return scores."""
        held = self.mix(self.even(self.words(x))).transpose(1, 2)
        return self.out(torch.relu(self.near(held)).flatten(1))


def _nets() -> dict[str, tuple[nn.Module, torch.Tensor]]:
    torch.manual_seed(3)
    return {
        "layers": (
            nn.Sequential(nn.Linear(7, 16), nn.ReLU(inplace=True), nn.Linear(16, 8), nn.LayerNorm(8), nn.Linear(8, 3)),
            torch.randn(24, 7),
        ),
        "pictures": (
            nn.Sequential(
                nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.GroupNorm(2, 8), nn.ReLU(),
                nn.Conv2d(8, 8, 3, groups=4, padding="same", bias=False, padding_mode="reflect"), nn.ReLU(),
                nn.Conv2d(8, 4, (1, 2), dilation=(1, 2)), nn.Flatten(), nn.LazyLinear(3),
            ),
            torch.randn(24, 3, 8, 8),
        ),
        "long series": (nn.Sequential(nn.Conv1d(2, 3, 5), nn.ReLU(), nn.Flatten(), nn.Linear(3 * 60, 3)),
                        torch.randn(24, 2, 64)),
        "words": (Words(), torch.randint(0, 11, (24, 5))),
    }  # fmt: skip


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("name", list(_nets()))
def test_the_clipped_sum_is_that_of_each_persons_own_gradient(name: str, rows: int) -> None:
    """Against torch.func, person by person, to 1e-5; some persons are cut, and some rows only fill up."""
    module, given = _nets()[name]
    module(given)
    plain, target = copy.deepcopy(module), torch.randint(0, 3, (24,))
    share = torch.rand(24) * (torch.rand(24) > 0.3)
    held = {key: value.detach() for key, value in plain.named_parameters()}

    def one(parameters: dict[str, torch.Tensor], *parts: torch.Tensor) -> torch.Tensor:
        x, y, part = parts
        return (losses(functional_call(plain, parameters, (x,)), y) * part).sum()

    parts = [value.unflatten(0, (-1, rows)) for value in (given, target, share)]
    found = vmap(grad(one), in_dims=(None, 0, 0, 0))(held, *parts)
    each = torch.cat([found[key].reshape(24 // rows, -1) for key in held], dim=1).double()
    lengths = each.norm(dim=1)
    clip = float(lengths.median())
    wanted = (each * torch.clamp(clip / lengths, max=1.0)[:, None]).sum(0)
    net = Clipped(module, clip, rows=rows)
    order = {id(p): key for key, p in module.named_parameters()}
    got = net.sum(Batch(given, target, share), losses)
    split = dict(
        zip([order[id(p)] for p in net.parameters], got.split([p.numel() for p in net.parameters]), strict=True)
    )
    assert torch.allclose(torch.cat([split[key] for key in held]).double(), wanted, atol=1e-5 * clip, rtol=1e-5)
    again, cut = net.explicit(Batch(given, target, share), losses)
    assert float((got - again).norm()) < 1e-5 * clip * 24
    assert 0.2 < cut < 0.8


def test_no_gradient_of_each_person_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is made that has persons times parameters numbers, nor persons times widths: the largest is counted."""
    largest = 0

    class Counting(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            nonlocal largest
            out = func(*args, **(kwargs or {}))
            for one in out if isinstance(out, tuple | list) else [out]:
                largest = max(largest, one.numel() if isinstance(one, torch.Tensor) else 0)
            return out

    net = Clipped(nn.Sequential(nn.Linear(30, 128), nn.ReLU(), nn.Linear(128, 64)), 1.0)
    batch = Batch(torch.randn(512, 30), torch.randint(0, 64, (512,)))
    with Counting():
        net.sum(batch, losses)
    assert 256 * 128 <= largest < 512 * 128


def test_a_row_that_is_no_number_counts_as_nothing() -> None:
    """Its gradient is left out, those of all others stay."""
    net = Clipped(nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3)), 1.0)
    x, y = torch.randn(6, 4), torch.randint(0, 3, (6,))
    x[2, 1] = math.inf
    rest = torch.tensor([0, 1, 3, 4, 5])
    one, two = net.sum(Batch(x, y), losses), net.sum(Batch(x[rest], y[rest]), losses)
    assert torch.allclose(one, two, atol=1e-6)
    assert torch.isfinite(net.explicit(Batch(x, y), losses)[0]).all()


class Twice(nn.Module):
    """A layer that is used twice."""

    def __init__(self) -> None:
        """Make it."""
        super().__init__()
        self.one = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return scores."""
        return self.one(self.one(x))


class Tied(nn.Module):
    """Two layers of one parameter."""

    def __init__(self) -> None:
        """Make it."""
        super().__init__()
        self.one, self.two = nn.Linear(4, 4), nn.Linear(4, 4)
        self.two.weight = self.one.weight


class InPlace(nn.Module):
    """The output of a layer is changed."""

    def __init__(self) -> None:
        """Make it."""
        super().__init__()
        self.one, self.two = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return scores."""
        held = self.one(x)
        held = self.two(held)
        return held.mul_(2.0)


@pytest.mark.parametrize(
    ("module", "word"),
    [
        (nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4)), "mixes the rows"),
        (nn.Sequential(nn.Linear(4, 4), nn.InstanceNorm1d(4)), "mixes the rows"),
        (nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.1)), "numbers of its own"),
        (nn.Sequential(nn.Linear(4, 4), nn.PReLU()), "of a kind that is not handled"),
        (nn.LSTM(4, 4), "of a kind that is not handled"),
        (nn.Embedding(4, 4, max_norm=1.0), "max_norm"),
        (nn.ReLU(), "no parameters"),
        (Tied(), "share a parameter"),
        (Twice(), "used twice"),
        (InPlace(), "changed in place"),
    ],
)
def test_a_net_that_cannot_be_trained_so_is_refused_with_the_remedy(module: nn.Module, word: str) -> None:
    """Whatever would make a person's gradient another one than is counted."""
    with pytest.raises(UnsupportedError) as caught:
        Clipped(module, 1.0).sum(Batch(torch.randn(6, 4), torch.randint(0, 4, (6,))), losses)
    assert caught.value.code == "privacy.layer"
    assert word in caught.value.message
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("q", "s", "t"), [(256 / 60000, 1.1, 14062), (0.01, 0.8, 1000), (0.1, 3.0, 200), (1.0, 20.0, 50)]
)
def test_the_account_agrees_with_another_one(q: float, s: float, t: int) -> None:
    """Whole orders against dp-accounting's; what the ledger is told is never less than its exact curve."""
    path = account.Path(train.rate_of(q), s, t)
    event = dp_accounting.SelfComposedDpEvent(
        dp_accounting.PoissonSampledDpEvent(path.q, dp_accounting.GaussianDpEvent(s)), t
    )
    orders = rdp.RdpAccountant(list(range(2, 513)))
    orders.compose(event)
    assert path.epsilon(1e-5) == pytest.approx(orders.get_epsilon(1e-5), rel=1e-6)
    exact = pld.PLDAccountant()
    exact.compose(event)
    told = path.loss(1e-6)
    for delta in (2e-6, 1e-5, 1e-4):
        assert told.epsilon(delta) >= exact.get_epsilon(delta) * 0.999
    assert told.epsilon(1e-5) < 1.35 * exact.get_epsilon(1e-5)


def test_the_golden_path_of_the_field_costs_what_is_known() -> None:
    """60,000 rows, batches of 256, noise 1.1, 60 rounds, delta 1e-5: 3.01 by the conversion of Mironov 2017."""
    path = account.Path(train.rate_of(256 / 60000), 1.1, 60 * 60000 // 256)
    g = path.steps * account._moments(path.rate, path.noise)[2:]
    k = np.arange(2, len(g) + 2)
    assert ((g + math.log(1e5)) / (k - 1)).min() == pytest.approx(3.01, abs=0.05)
    assert path.epsilon(1e-5) < 3.01


@pytest.mark.parametrize("epsilon", [0.3, 1.0, 4.0])
def test_the_least_noise_keeps_to_the_loss(epsilon: float) -> None:
    """And 1 % less does not."""
    budget = budget_of(epsilon, 1e-6)
    rate = train.rate_of(0.004)
    found = account.noise_for(budget, rate, 1500)
    assert account.Path(rate, found, 1500).loss(budget.delta / DELTA).rho <= budget.rho
    assert account.Path(rate, found * 0.99, 1500).loss(budget.delta / DELTA).rho > budget.rho
    assert account.Path(rate, found, 1500).epsilon(1e-6) <= epsilon


def test_poisson_samples_are_binomial_and_repeat_from_one_source() -> None:
    """Mean and spread of sizes; the same bits give the same persons."""
    rate = train.rate_of(0.05)
    draw = noise.seeded(np.random.default_rng(5))
    sizes = [len(train.poisson(4000, rate, draw)) for _ in range(400)]
    assert abs(np.mean(sizes) - 200) < 5 * math.sqrt(190 / 400)
    assert 0.75 < np.var(sizes) / 190 < 1.3
    one, two = (train.poisson(4000, rate, noise.seeded(np.random.default_rng(6))) for _ in range(2))
    assert (one == two).all()
    with pytest.raises(InputError):
        train.rate_of(0.0)


def test_a_person_is_drawn_by_32_bits_that_are_below_the_rate() -> None:
    """The first 8 of each, then the other 24 of those whose first 8 are the rate's."""
    rate = 0x02AB_CDEF
    tails = [0x00AB_CDEE, 0x00AB_CDEF, 0x00AB_CDF0, 0x0000_0000]
    given = iter(
        [bytes([1, 2, 2, 2, 2, 3, 255, 0]), b"".join((tail << 8 | 0x77).to_bytes(4, "little") for tail in tails)]
    )
    assert train.poisson(8, rate, lambda size: next(given)[:size]).tolist() == [0, 1, 4, 7]
    assert train.poisson(5, 1 << 32).tolist() == [0, 1, 2, 3, 4]
    draw = noise.seeded(np.random.default_rng(8))
    taken = len(train.poisson(1_000_000, rate, draw))
    assert abs(taken - 1e6 * rate / 2**32) < 6 * math.sqrt(1e6 * rate / 2**32)


def test_batches_and_noise_that_are_drawn_ahead_are_each_used_once() -> None:
    """Some steps are drawn at once: none comes twice, batches are in range, in order, and of all persons."""
    recipe = train.Recipe(account.Path(train.rate_of(0.01), 1.0, 10))
    parts = train.parts_of(recipe, 5000, 200, noise.seeded(np.random.default_rng(9)))
    batches = [parts.sample(step) for step in range(150)]
    assert len({one.tobytes() for one in batches}) == 150
    assert all((np.diff(one) > 0).all() and one.min() >= 0 and one.max() < 5000 for one in batches)
    turns = np.bincount(np.concatenate(batches), minlength=5000)
    assert 1.2 < turns.mean() < 1.8
    assert turns[:50].sum() > 0 < turns[-50:].sum()
    assert len({parts.noise(step, 200).tobytes() for step in range(2000)}) == 2000


@pytest.mark.parametrize("count", [1, 63, 64, 129, 300])
def test_blocks_change_nothing_but_memory(count: int) -> None:
    """Whatever the size, with rows of persons that stay together; nothing for an empty batch."""
    for rows in (1, 3):
        net = Clipped(nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3)), 0.1, rows=rows)
        batch = Batch(torch.randn(count * rows, 4), torch.randint(0, 3, (count * rows,)), torch.rand(count * rows))
        for _ in range(2):
            assert torch.allclose(net.sum(batch, losses).double(), net.explicit(batch, losses)[0], atol=1e-4)
        assert not net.sum(Batch(batch.given[:0], batch.target[:0]), losses).any()


@pytest.mark.parametrize("fault", list(FAULTS))
def test_a_fault_is_seen_and_no_epsilon_is_given(fault: str) -> None:
    """Three runs with each fault; the run names it."""
    for seed in range(3):
        found = run(seed, fault)
        assert found.observed.faults
        assert found.epsilon(1e-5) is None


def test_a_run_without_a_fault_is_verified() -> None:
    """Eight runs."""
    for seed in range(8):
        found = run(seed)
        assert found.observed.faults == ()
        assert found.epsilon(1e-5) == found.path.epsilon(1e-5)
        assert found.observed.looks >= 2


def test_a_run_that_is_too_short_to_be_judged_gives_no_epsilon() -> None:
    """What cannot be told is not claimed."""
    assert run(1, steps=2).epsilon(1e-5) is None
    assert "too few" in run(1, people=40).observed.sampling


def test_nobody_moves_the_grid_by_more_than_is_counted() -> None:
    """With and without a person, after rounding: at most deviation over noise."""
    torch.manual_seed(2)
    net = Clipped(nn.Sequential(nn.Linear(9, 40), nn.ReLU(), nn.Linear(40, 3)), 0.2)
    recipe = train.Recipe(account.Path(train.rate_of(0.1), 1.3, 10), clip=0.2)
    law, unit = train.grid(recipe, net.size)
    x, y = torch.randn(200, 9) * 5, torch.randint(0, 3, (200,))
    for who in range(20):
        rest = torch.arange(200) != who
        both = [
            net.sum(Batch(x[k], y[k]), losses).double() / unit for k in (torch.arange(200), torch.nonzero(rest)[:, 0])
        ]
        moved = float((both[0].round() - both[1].round()).norm())
        assert moved <= law.deviation / 1.3
