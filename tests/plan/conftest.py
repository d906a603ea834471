"""Manifests and facts made by hand for the plan's tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fivefold.catalogue import load
from fivefold.contract.plan import DataFact, Facts, ModelFact, Plan
from fivefold.manifest.nouns import Application, DataSet, Manifest, Model, Use
from fivefold.plan import make as make_plan

MakeManifest = Callable[..., Manifest]


@pytest.fixture
def manifest() -> MakeManifest:
    """Return a maker of manifests; keyword arguments replace fields, ``level`` the declared one."""

    def make(*, level: int = 4, output: str = "recommendation", acts: str = "human", **fields: Any) -> Manifest:
        base: dict[str, Any] = {
            "root": Path("/app"),
            "file": Path("/app/fivefold.yaml"),
            "raw": b"",
            "digest": "ab" * 32,
            "application": Application(id="a", level=level),
            "use": Use(output=output, acts=acts),
            "data": {
                "train": DataSet(name="train", path="train.csv"),
                "test": DataSet(name="test", path="test.csv", protected=("sex",)),
            },
            "model": Model(factory="scorer:load", path="model.json"),
        }
        return Manifest(**(base | fields))

    return make


@pytest.fixture
def facts() -> Facts:
    """Return complete facts of a binary classifier."""
    data = {name: DataFact(digest=f"{name}-digest", rows=100, columns=()) for name in ("train", "test")}
    model = ModelFact(digest="m", task="binary", classes=("no", "yes"), scores=True, perturbable=True)
    return Facts(data=data, model=model)


@pytest.fixture
def make(manifest: MakeManifest) -> Callable[..., Plan]:
    """Return a maker of plans with everything installed; arguments as for :func:`fivefold.plan.make`."""

    def plan(declared: Manifest | None = None, facts: Facts | None = None, **more: Any) -> Plan:
        inputs: dict[str, Any] = {
            "data_digests": {"train": "train-digest", "test": "test-digest"},
            "model_digest": "m",
            "code": "c",
            "installed": lambda _: True,
        }
        return make_plan(declared or manifest(), load(), facts, **(inputs | more))

    return plan
