"""Net: a net of the application, learned privately from a table in a process of its own, paid from the ledger.

What a training costs is reserved before anything is read. Of it a fiftieth goes to the number of persons, which is then
known with noise: rate of sampling, steps and noise follow from that and from what is declared. The net comes out only
if the run verified sampling, clipping and noise; what was spent stays spent.
"""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pandas as pd

from fivefold.errors import InputError, SubjectError
from fivefold.sharing.privacy import chunks, noise, training
from fivefold.sharing.privacy.loss import DELTA, RHO, Loss
from fivefold.sharing.privacy.queries import Domain
from fivefold.sharing.privacy.sgd.account import STEPS, Path, noise_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from fivefold.sharing.privacy.ledger import Ledger
    from fivefold.sharing.privacy.sgd.spec import Net
    from fivefold.sharing.privacy.training import Plan, Training
    from fivefold.subject.bench import Bench

WAY = "release.net"


class Lesson(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the process is told: (m, width) float32, (m,) int8, (n, R) int32, and how."""

    rows: bytes
    answers: bytes
    at: bytes
    shape: tuple[int, int, int]
    rate: int
    noise: float
    steps: int
    clip: float
    step: float
    momentum: float
    optimiser: str


class Outcome(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What it says: safetensors, and what the run saw of itself."""

    weights: bytes
    faults: tuple[str, ...]
    looks: int
    cut: float


def encoded(training_: Training, parts: Iterable[pd.DataFrame]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (m, width) float32 rows in [-1, 1], (m,) int8 answers and (n, R) int32 positions of each person's rows."""
    limit, rows, answers, people = chunks.Limit(training_.unit), [], [], []
    for part in parts:
        kept = limit.keep(part)
        kept = kept[kept[training_.target].notna()]
        pieces = [training.piece(kept[name], column) for name, column in training_.columns.items()]
        rows.append(np.concatenate(pieces, axis=1).astype(np.float32))
        answers.append(chunks.cells(kept[training_.target], Domain(values=(training_.positive,))) == 0)
        if training_.unit.column:
            people.append(kept[training_.unit.column].map(lambda one: str(one).strip()).to_numpy(dtype=object))
    width = training.plan(training_).width - 1
    found = np.concatenate(rows) if rows else np.zeros((0, width), dtype=np.float32)
    told = np.concatenate(answers).astype(np.int8) if answers else np.zeros(0, dtype=np.int8)
    if not training_.unit.column:
        return found, told, np.arange(len(found), dtype=np.int32)[:, None]
    codes, names = pd.factorize(np.concatenate(people) if people else np.zeros(0, dtype=object))
    at = np.full((len(names), training_.unit.rows), -1, dtype=np.int32)
    at[codes, pd.Series(codes).groupby(codes).cumcount().to_numpy()] = np.arange(len(codes))
    return found, told, at


def train(
    made: Plan, parts: Iterable[pd.DataFrame], ledger: Ledger, source: str, open_: Callable[[], Bench]
) -> tuple[bytes, str]:
    """Reserve, read, learn; return safetensors with what it cost as its metadata, and the reservation's id.

    Args:
        made: The training.
        parts: The table.
        ledger: Of the application.
        source: The data's.
        open_: Makes the application's bench.

    Raises:
        InputError: ``privacy.overdrawn`` before anything is read; ``privacy.unverified`` where the run did not see
            that it was as it should be; as :func:`training.train`.
        SubjectError: The application's function fails, or the net cannot be trained so.
    """
    wanted = made.training
    net = wanted.net
    if net is None:
        raise InputError("privacy.training", "no net is declared.", remedy="Write net: {factory: module:function}.")
    with open_() as bench:
        _rehearse(bench, net, made.width - 1)
    reservation = ledger.reserve(source, made.loss, f"net {net.factory} of {wanted.target}")
    rows, answers, at = encoded(wanted, parts)
    people = max(1, len(at) + int(noise.sample(training.count_law(made), 1)[0]))
    rate = min(STEPS, max(1, round(net.batch / people * STEPS)))
    steps = max(1, round(net.epochs * people / net.batch))
    path = Path(rate, noise_for(Loss(made.loss.rho - made.count_rho, made.loss.delta - 1), rate, steps), steps)
    with open_() as bench:
        found = _asked(bench, net, _lesson(net, path, rows, answers, at))
    if found.faults:
        raise InputError(
            "privacy.unverified",
            f"the run did not verify itself, so no epsilon holds and the net is not handed over: {found.faults[0]}",
            remedy="Train more steps or on more persons, or mend what is named. What was reserved stays spent.",
        )
    told = {
        "version": 1, "kind": "net", "reservation": reservation, "target": wanted.target, "positive": wanted.positive,
        "columns": msgspec.to_builtins(wanted.columns), "factory": net.factory,
        "loss": {"rho": made.loss.rho / RHO, "delta": made.loss.delta / DELTA},
        "path": {"rate": path.q, "noise": path.noise, "steps": steps},
        "observed": {"sampling": True, "clipping": True, "noise": True, "looks": found.looks, "cut": found.cut},
    }  # fmt: skip
    raw = _with_metadata(found.weights, told)
    ledger.released(reservation, raw)
    return raw, reservation


def _lesson(net: Net, path: Path, rows: np.ndarray, answers: np.ndarray, at: np.ndarray) -> bytes:
    lesson = Lesson(
        rows=rows.tobytes(), answers=answers.tobytes(), at=at.tobytes(), shape=(len(rows), rows.shape[1], at.shape[1]),
        rate=path.rate, noise=path.noise, steps=path.steps, clip=net.clip, step=net.rate, momentum=net.momentum,
        optimiser=net.optimiser,
    )  # fmt: skip
    return msgspec.msgpack.encode(lesson)


def _rehearse(bench: Bench, net: Net, width: int) -> None:
    """Train one step on rows of zeros, so that a net that cannot be trained is refused before anything is spent."""
    rows, at = np.zeros((16, width), dtype=np.float32), np.arange(16, dtype=np.int32)[:, None]
    _asked(bench, net, _lesson(net, Path(STEPS, 1.0, 1), rows, np.zeros(16, dtype=np.int8), at))


def _asked(bench: Bench, net: Net, body: bytes) -> Outcome:
    """Have the process learn, within limits."""
    from fivefold.subject.teaching import teach

    remedies = ("Train on fewer rows.", "Raise net.seconds or net.memory_mb, or train a smaller net.")
    task = (net.factory, WAY, body)
    return teach(bench, task, Outcome, seconds=net.seconds, memory_mb=net.memory_mb, remedies=remedies)


def _with_metadata(weights: bytes, told: dict[str, Any]) -> bytes:
    """Return safetensors with metadata; the format is a length, a JSON header and the numbers."""
    size = int.from_bytes(weights[:8], "little")
    header = json.loads(weights[8 : 8 + size])
    header["__metadata__"] = {"fivefold": json.dumps(told, ensure_ascii=False, allow_nan=False)}
    raw = json.dumps(header, ensure_ascii=False).encode()
    raw += b" " * (-len(raw) % 8)
    return len(raw).to_bytes(8, "little") + raw + weights[8 + size :]


def described(raw: bytes) -> dict[str, Any]:
    """Return what a file that :func:`train` wrote says of itself.

    Raises:
        InputError: ``privacy.training`` for another file.
    """
    try:
        header = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])
        return dict(json.loads(header["__metadata__"]["fivefold"]))
    except (ValueError, KeyError, TypeError):
        raise InputError("privacy.training", "this is no net that was trained privately here.",
                         remedy="Name a file that `fivefold model train --private` wrote.") from None  # fmt: skip


def inputs(told: dict[str, Any], rows: pd.DataFrame) -> np.ndarray:
    """Return (n, width) float32 rows as the net was trained on them.

    Args:
        told: As :func:`described`.
        rows: With the columns that it was learned from.

    Raises:
        KeyError: A column is missing.
    """
    columns = {name: msgspec.convert(made, training.Column, strict=False) for name, made in told["columns"].items()}
    return np.concatenate([training.piece(rows[name], made) for name, made in columns.items()], axis=1).astype("f4")


def inside(make: Callable[..., Any], body: bytes) -> bytes:
    """Train what the application's function makes; runs in its process.

    Raises:
        UnsupportedError: ``privacy.layer``.
        SubjectError: ``model.extra`` without torch, ``model.shape`` for a function that makes no module.
    """
    try:
        import torch
        from safetensors.torch import save
        from torch.nn import functional
    except ImportError:
        raise SubjectError("model.extra", "torch is not installed.",
                           remedy="Install it: pip install 'fivefold[torch]'.") from None  # fmt: skip
    from fivefold.sharing.privacy.sgd import train as trainer

    told = msgspec.msgpack.decode(body, type=Lesson)
    count, width, most = told.shape
    module = make(width)
    if not isinstance(module, torch.nn.Module):
        raise SubjectError("model.shape", "the factory makes no torch module.",
                           remedy="Return a torch.nn.Module; it is called with the number of inputs.")  # fmt: skip
    given = torch.from_numpy(np.frombuffer(told.rows, dtype=np.float32).reshape(count, width).copy())
    target = torch.from_numpy(np.frombuffer(told.answers, dtype=np.int8).astype(np.int64))
    at = torch.from_numpy(np.frombuffer(told.at, dtype=np.int32).reshape(-1, most).astype(np.int64))
    recipe = trainer.Recipe(
        Path(told.rate, told.noise, told.steps), clip=told.clip, step=told.step, momentum=told.momentum,
        optimiser="adam" if told.optimiser == "adam" else "sgd",
    )  # fmt: skip

    def losses(out: Any, answer: Any) -> Any:
        if out.ndim != 2 or out.shape[1] != 2:
            raise SubjectError("model.shape", "the net does not give two outputs for each row.",
                               remedy="Let its last layer have two outputs.")  # fmt: skip
        return functional.cross_entropy(out, answer, reduction="none")

    rows = trainer.Rows(given, target, None if most == 1 else at)
    found = trainer.learn(module, rows, losses, recipe, rng=np.random.default_rng(secrets.randbits(64)))
    held = {name: value.detach().clone().contiguous() for name, value in module.state_dict().items()}
    return msgspec.msgpack.encode(
        Outcome(weights=save(held), faults=found.observed.faults, looks=found.observed.looks, cut=found.observed.cut)
    )
