"""Subjects of T2.trace: applications with a record whose decisions lead to signed origins and back, or do not."""

from __future__ import annotations

import shutil
from functools import partial
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from fivefold.contract.subject import SettingsView
from fivefold.evidence import links, signed_set
from fivefold.keys import trust as trust_file
from fivefold.keys.signing import generate
from fivefold.log.simulated import SimulatedDisk
from fivefold.manifest.digests import data_digests
from fivefold.store.people import People
from fivefold.traceability.lineage import making, tracing
from fivefold.traceability.recorder import Reading, Recorder
from fivefold.traceability.recorder.secrets_ import Secrets

from .entry import Entry
from .floors import floors
from .originated import NOW, SIGNED, Application, spoil
from .subjects import context

if TYPE_CHECKING:
    from fivefold.contract.check import Context

CHECK = "T2.trace"
BROKEN = ("one bit of data", "no statement", "key not trusted", "no people",
          "one bit of the statement", "another model", "no parameters", "unknown commit")  # fmt: skip
KINDS = (
    *BROKEN, "a model that nobody signed for", "decisions without a model", "earlier statement lost",
    "earlier statement by a stranger", "not found forward",
)  # fmt: skip


def record(models: list[str], *, erased: int = 0) -> tracing.Sample:
    """Record decisions by each model, some before and some after a reading, and return what is read of them."""
    disk, secrets = SimulatedDisk(), Secrets(bytes(32), People(None, "app"))
    with Recorder(disk, "fivefold/app/record", generate(), secrets) as recorder:
        for number, model in enumerate(models):
            with recorder.open(f"case {number}", subject=f"person {number}", model=model) as case:
                case.input({"x": np.array([float(number)])})
                case.add("decision", {"answer": ["yes"], "rows": 1}, batch={"y": np.array([1.0])}, wait=True)
        for number in range(erased):
            recorder.erase(f"person {number}")
    return tracing.sample(Reading(disk, secrets))


def build(seed: int, kind: str = "", *, erased: int = 0, silent: bool = False) -> Context:
    """Return the context of an application that served two models, broken in one way if one is named."""
    app = Application(seed, repository=True if "commit" in kind else None)
    rng = app.rng
    try:
        before = signed_set.digest(signed_set.digests(app.manifest))
        (app.root / app.any_model()).write_bytes(rng.bytes(150))
        made = making.declare(app.manifest, making.Saying(parameters={"seed": 2}), app.signer, SIGNED)
        after = signed_set.digest(signed_set.digests(app.manifest))
        app.made = made
        models = [before if rng.random() < 0.4 else after for _ in range(int(rng.integers(3, 30)))] + [before, after]
        where = int(rng.integers(len(models)))
        if kind in BROKEN:
            spoil(app, kind)
        elif kind == "a model that nobody signed for":
            models[where] = rng.bytes(32).hex()
        elif kind == "decisions without a model":
            models[where] = ""
        elif kind == "earlier statement lost":
            assert made.aside is not None
            made.aside.unlink()
        elif kind == "earlier statement by a stranger":
            assert made.aside is not None
            said = links.unread(made.aside.read_bytes())
            made.aside.write_bytes(making.model_provenance.seal(said, app.made.files, generate()))
        sample = tracing.Sample(models=(), decisions=(), forward=()) if silent else record(models, erased=erased)
        if kind == "not found forward":
            longest = max(range(len(sample.forward)), key=lambda at: len(sample.forward[at]))
            forward = [ids[1:] if at == longest else ids for at, ids in enumerate(sample.forward)]
            sample = msgspec.structs.replace(sample, forward=tuple(forward))
        origin = links.origin(app.manifest, signed_set.digests(app.manifest), data_digests(app.manifest))
        facts = {tracing.SAMPLE: msgspec.json.encode(sample).decode()}
        return context(
            CHECK, None, {}, seed, thresholds=floors(CHECK), settings=SettingsView(facts=facts), model_root=app.root,
            origin=origin, trust=trust_file.write(app.trust), now=NOW,
        )  # fmt: skip
    finally:
        shutil.rmtree(app.root.parent)


def unsigned(seed: int) -> Context:
    """Nobody ever signed where the model comes from."""
    return build(seed, "no statement")


ENTRY = Entry(
    check=CHECK,
    documented="one broken link, or one decision that leads nowhere, of any of these kinds: " + ", ".join(KINDS),
    planted={kind: partial(build, kind=kind) for kind in KINDS},
    clean={"two models, each with its statement": build, "some people erased": partial(build, erased=2)},
    shown={"nothing on record": partial(build, silent=True)},
)
