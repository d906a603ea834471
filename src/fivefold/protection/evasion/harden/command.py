"""Command: rows, ranges and recipe to a confined process of the application, weights back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from fivefold.errors import InputError, SubjectError
from fivefold.protection.evasion.harden import recipe as recipes
from fivefold.subject.possible import space as spaces
from fivefold.subject.tables import Coding, Store

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.contract.subject import Table
    from fivefold.manifest.nouns import Manifest, Model

WAY = "evasion.net"


class Lesson(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the process is told: rows (n, ...) float32, classes (n,) int64, box (3, d) float32, and how."""

    rows: bytes
    answers: bytes
    box: bytes
    shape: tuple[int, ...]
    classes: int
    link: str
    seed: int
    recipe: recipes.Recipe


class Outcome(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What it says: safetensors, and how it stood on rows held back after each epoch."""

    weights: bytes
    epoch: int
    clean: tuple[float, ...]
    robust: tuple[float, ...]


@dataclass(frozen=True)
class Hardened:
    """A net that was trained on changed rows.

    Attributes:
        weights: safetensors.
        epoch: The epoch that was taken.
        clean: Accuracy on rows held back.
        robust: Robust accuracy on them, against ten gradient steps; P1.standard measures it in earnest.
        epsilon: Reach.
        rows: Training rows.
    """

    weights: bytes
    epoch: int
    clean: float
    robust: float
    epsilon: float
    rows: int


def ready(manifest: Manifest) -> tuple[recipes.Recipe, Model]:
    """Return the recipe and the model that is trained.

    Raises:
        InputError: ``evasion.training`` for an unfit recipe, a model that is no torch factory, undeclared classes or
            absent training data.
    """
    where, model = str(manifest.file), manifest.model
    found = recipes.declared(manifest.controls.get(recipes.CONTROL, {}), where)
    if model is None or not model.factory or (model.path and not model.path.endswith(".safetensors")):
        raise InputError("evasion.training", "only the torch module of a factory is trained.", where=where,
                         remedy="Name it under model.factory; it returns a torch.nn.Module.")  # fmt: skip
    if len(model.classes) < 2:
        raise InputError("evasion.training", "the classes of the outputs are not declared.", where=where,
                         remedy="Write model.classes in the order of the outputs.")  # fmt: skip
    train = manifest.data.get("train")
    if train is None or train.kind not in ("table", "image") or not train.target:
        raise InputError("evasion.training", "there are no training rows (a table or images) with a target.",
                         where=where, remedy="Declare data.train with its target.")  # fmt: skip
    return found, model


def harden(manifest: Manifest, digest: str, seed: int = 0) -> Hardened:
    """Train the application's module on rows that attacks have changed.

    Args:
        manifest: The application's.
        digest: SHA-256 of the stored training data.
        seed: Of everything drawn.

    Raises:
        InputError: As :func:`ready`; ``evasion.training`` for rows that are no numbers or too few.
        SubjectError: The application's function fails, or the net cannot be trained so.
    """
    from fivefold.subject.bench import Bench
    from fivefold.subject.teaching import teach

    recipe, model = ready(manifest)
    store = Store(manifest.root, manifest.data, manifest.features, {"train": digest} if digest else {})
    coding = Coding("binary" if len(model.classes) == 2 else "multiclass", model.classes)
    table = store.table("train", coding)
    rng = np.random.default_rng(seed)
    known = np.flatnonzero(table.target >= 0)
    table = table.take(np.sort(rng.permutation(known)[: recipe.rows]))
    lesson, many = _lesson(table, manifest, (recipe, model), seed), len(table)
    app = msgspec.structs.replace(manifest, model=msgspec.structs.replace(model, path=""), training="")
    task = (model.factory, WAY, msgspec.msgpack.encode(lesson))
    remedies = ("Lower controls.P1.training.rows.", "Raise seconds or memory_mb, or train fewer epochs.")
    with Bench(app, {}) as bench:
        found = teach(bench, task, Outcome, seconds=recipe.seconds, memory_mb=recipe.memory_mb, remedies=remedies)
    at = found.epoch - 1
    return Hardened(found.weights, found.epoch, found.clean[at], found.robust[at], recipe.epsilon, many)


def _lesson(table: Table, manifest: Manifest, how: tuple[recipes.Recipe, Model], seed: int) -> Lesson:
    recipe, model = how
    image = table.kind == "image"
    space = spaces.of_images([table]) if image else spaces.of_tables([table], _features(manifest))
    values = space.encode(table)
    if not image and (any(one.kind != "number" for one in space.columns) or np.isnan(values).any()):
        raise InputError("evasion.training", "a torch module takes numbers, and some cells are texts or missing.",
                         where=str(manifest.file), remedy="Encode the columns and fill the gaps.")  # fmt: skip
    if len(values) < 20 or len(np.unique(table.target)) < 2:
        raise InputError("evasion.training", f"{len(values)} rows with known classes are too few to train on.",
                         where=str(manifest.file), remedy="Give rows of at least two classes.")  # fmt: skip
    low, high = np.minimum(space.low, values.min(axis=0)), np.maximum(space.high, values.max(axis=0))
    box = np.stack([low, high, space.unit / space.cost]).astype(np.float32)
    rows = values.astype(np.float32)
    shape = (len(rows), *space.shape) if image else rows.shape
    return Lesson(
        rows=rows.tobytes(), answers=table.target.astype(np.int64).tobytes(), box=box.tobytes(), shape=shape,
        classes=len(model.classes), link=model.output, seed=seed, recipe=recipe,
    )  # fmt: skip


def _features(manifest: Manifest) -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = {}
    for name, feature in manifest.features.items():
        told = {key: value for key, value in msgspec.structs.asdict(feature).items() if value not in (None, "", ())}
        found[name] = told
    return found


def inside(make: Callable[..., Any], body: bytes) -> bytes:
    """Train what the application's function makes; runs in its process.

    Raises:
        SubjectError: ``model.extra`` without torch; ``model.shape`` for no module, or outputs that fit no classes.
    """
    try:
        import torch
        from safetensors.torch import save
    except ImportError:
        raise SubjectError("model.extra", "torch is not installed.",
                           remedy="Install it: pip install 'fivefold[torch]'.") from None  # fmt: skip
    from fivefold.protection.evasion.harden import learn as trainer

    torch.set_num_threads(1)
    told = msgspec.msgpack.decode(body, type=Lesson)
    torch.manual_seed(told.seed)  # the first weights are drawn in the factory
    module = make()
    if not isinstance(module, torch.nn.Module):
        raise SubjectError("model.shape", "the factory makes no torch module.",
                           remedy="Return a torch.nn.Module.")  # fmt: skip
    rows = np.frombuffer(told.rows, dtype=np.float32).reshape(told.shape).copy()
    answers = np.frombuffer(told.answers, dtype=np.int64).copy()
    low, high, width = np.frombuffer(told.box, dtype=np.float32).reshape(3, *told.shape[1:]).copy()
    module.eval()
    with torch.no_grad():
        out = module(torch.as_tensor(rows[:64]))
    outputs = 1 if out.ndim == 1 else out.shape[-1]
    if out.ndim > 2 or (outputs != told.classes and (outputs, told.classes) != (1, 2)):
        raise SubjectError("model.shape", f"the module has {outputs} outputs for {told.classes} classes.",
                           remedy="Let its last layer have one output for each of model.classes.")  # fmt: skip
    found = trainer.learn(
        module, (rows, answers), trainer.Box(*(torch.as_tensor(one) for one in (low, high, width))), told.recipe,
        link=told.link or _link(out.numpy()), seed=told.seed,
    )  # fmt: skip
    held = {name: value.detach().clone().contiguous() for name, value in found.state.items()}
    return msgspec.msgpack.encode(
        Outcome(weights=save(held), epoch=found.epoch, clean=tuple(found.clean), robust=tuple(found.robust))
    )


def _link(out: np.ndarray) -> str:
    """Return ``probabilities`` where outputs lie in [0, 1] and sum to 1 (one output: lie there), else ``logits``."""
    inside_ = bool(((out >= 0) & (out <= 1)).all())
    alone = out.ndim == 1 or out.shape[1] == 1
    return "probabilities" if inside_ and (alone or np.allclose(out.sum(axis=1), 1, atol=1e-3)) else "logits"
