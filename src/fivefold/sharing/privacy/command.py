"""Command: a release of an application's data set, from its manifest, a file of queries and its ledger."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from fivefold.errors import InputError
from fivefold.manifest.nouns import Model
from fivefold.sharing.privacy import chunks, release, training
from fivefold.sharing.privacy.declared import Declared, declared, read_file
from fivefold.sharing.privacy.ledger import Ledger, place_of
from fivefold.sharing.privacy.loss import DELTA, RHO, Loss
from fivefold.sharing.privacy.sgd import net
from fivefold.subject.bench import Bench

if TYPE_CHECKING:
    from pathlib import Path

    from fivefold.manifest.nouns import DataSet, Manifest
    from fivefold.sharing.privacy.queries import Release
    from fivefold.sharing.privacy.training import Training

CONTROL = "S2"


@dataclass(frozen=True)
class Released:
    """What a release gave.

    Attributes:
        result: JSON, for whoever receives it.
        owner: The figures without noise beside the released ones; for the owner alone.
        reservation: Its id in the ledger.
        epsilon: What it costs at the delta of the budget.
        delta: That delta.
        left: Share of the budget's rho that is left.
    """

    result: bytes
    owner: list[dict[str, Any]]
    reservation: str
    epsilon: float
    delta: float
    left: float


def ready(manifest: Manifest, file: Path | None) -> tuple[Release, Declared, DataSet]:
    """Return what is asked, of which data set.

    Args:
        manifest: The application's.
        file: Of queries; None: those of ``controls.S2.release``.

    Raises:
        InputError: ``privacy.undeclared`` where nothing is asked, or no path of the manifest releases the data set;
            as :func:`declared` and :func:`read_file`; ``privacy.kind`` for data that are no table.
    """
    told = declared(manifest.controls.get(CONTROL, {}), str(manifest.file))
    asked = read_file(file) if file else told.release
    if asked is None:
        raise InputError("privacy.undeclared", "nothing is asked.", where=str(manifest.file),
                         remedy="Name a file of queries, or write them under controls.S2.release.")  # fmt: skip
    return asked, told, _shared(manifest, asked.data, "release")


def _shared(manifest: Manifest, name: str, what: str) -> DataSet:
    """Return a data set that a path of the manifest shares in this way.

    Raises:
        InputError: ``privacy.undeclared``, ``privacy.kind``.
    """
    if name not in manifest.data:
        raise InputError("privacy.undeclared", f"there is no data set {name[:60]!r}.", where=str(manifest.file),
                         remedy=f"Name one of: {', '.join(manifest.data)}.")  # fmt: skip
    if not any(path.what == what and path.data == name for path in manifest.sharing):
        raise InputError(
            "privacy.undeclared",
            f"no path of `sharing:` is a {what} of data.{name}.",
            where=str(manifest.file),
            remedy=f"Write sharing: [{{what: {what}, data: {name}, with: ..., control: S2}}].",
        )
    data = manifest.data[name]
    if data.kind != "table":
        raise InputError("privacy.kind", f"data.{name} holds no table but {data.kind} data.",
                         remedy="Share tables this way.")  # fmt: skip
    return data


def learning(manifest: Manifest) -> tuple[Training, Declared, DataSet]:
    """Return what is to be learned privately, of which data set.

    Raises:
        InputError: ``privacy.undeclared``, ``privacy.kind``; as :func:`declared`.
    """
    told = declared(manifest.controls.get(CONTROL, {}), str(manifest.file))
    if told.training is None:
        raise InputError("privacy.undeclared", "no private training is declared.", where=str(manifest.file),
                         remedy="Write it under controls.S2.training.")  # fmt: skip
    return told.training, told, _shared(manifest, told.training.data, "training")


def learn(manifest: Manifest, home: Any, digest: str) -> Released:
    """Learn a logistic regression privately; the result is the model as JSON.

    Args:
        manifest: The application's.
        home: Of the application's record.
        digest: SHA-256 of the data's stored bytes.

    Raises:
        InputError: As :func:`learning`, :meth:`Ledger.open`, :func:`training.train`.
        StorageError: ``store.disk``, ``store.server``.
    """
    wanted, told, data = learning(manifest)
    made = training.plan(wanted)
    ledger = Ledger(place_of(home), manifest.application.id)
    try:
        ledger.open(data.source, told.budget, [f"data {data.name}", f"digest {digest}"])
        parts = chunks.parts(manifest.root / data.path, wanted.read_columns(), data.missing)
        if wanted.net is None:
            raw = training.train(made, parts, ledger, data.source)
            reservation = json.loads(raw)["reservation"]
        else:
            model = Model(factory=wanted.net.factory, files=manifest.model.files if manifest.model else ())
            app = msgspec.structs.replace(manifest, model=model, training="")
            raw, reservation = net.train(made, parts, ledger, data.source, lambda: Bench(app, {}))
        budget = ledger.budget(data.source)
    finally:
        ledger.close()
    left = 1 - budget.spent_rho / budget.rho if budget else 0.0
    return Released(raw, [], reservation, made.loss.epsilon(told.delta), told.delta, left)


def cost(manifest: Manifest, file: Path | None) -> tuple[float, float]:
    """Return what a release would cost, as epsilon and delta; nothing is read or spent."""
    asked, told, _ = ready(manifest, file)
    return release.ask(asked).loss.epsilon(told.delta), told.delta


def run(manifest: Manifest, file: Path | None, home: Any, digest: str) -> Released:
    """Release.

    Args:
        manifest: The application's.
        file: Of queries; None: those of the manifest.
        home: Of the application's record; its database, where one is declared, holds the ledger, too.
        digest: SHA-256 of the data's stored bytes.

    Raises:
        InputError: As :func:`ready`, :meth:`Ledger.open`, :func:`release.run`.
        StorageError: ``store.disk``, ``store.server``.
    """
    asked, told, data = ready(manifest, file)
    made = release.ask(asked)
    ledger = Ledger(place_of(home), manifest.application.id)
    try:
        ledger.open(data.source, told.budget, [f"data {data.name}", f"digest {digest}"])
        parts = chunks.parts(manifest.root / data.path, asked.columns(), data.missing)
        raw, totals, reservation = release.run(made, parts, ledger, data.source)
        budget = ledger.budget(data.source)
    finally:
        ledger.close()
    left = 1 - budget.spent_rho / budget.rho if budget else 0.0
    return Released(raw, _beside(raw, release.exact(made, totals)), reservation, made.loss.epsilon(told.delta),
                    told.delta, left)  # fmt: skip


def _beside(raw: bytes, exact: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return released and exact figures side by side; groups that were not shown are there with the exact one alone."""
    found = []
    for told, true in zip(json.loads(raw)["answers"], exact, strict=True):
        if told["what"] == "synthetic":
            continue
        shown = {str(cell.get("cell")): cell for cell in told["cells"]} if "threshold" in told else {}
        for at, cell in enumerate(true["cells"]):
            one = shown.get(str(cell.get("cell"))) if "threshold" in told else told["cells"][at]
            named = {key: cell[key] for key in ("cell", "quantile") if key in cell}
            found.append({"query": told["name"], **named, "exact": cell["value"],
                          "released": None if one is None else one["value"]})  # fmt: skip
    return found


def budgets(manifest: Manifest, home: Any) -> list[dict[str, Any]]:
    """Return each declared source's budget, what is spent and by what."""
    told = declared(manifest.controls.get(CONTROL, {}), str(manifest.file))
    ledger = Ledger(place_of(home), manifest.application.id)
    try:
        found = []
        for source in dict.fromkeys(data.source for data in manifest.data.values() if data.source):
            budget = ledger.budget(source)
            rho, delta = (budget.rho, budget.delta) if budget else told.budget
            spent = Loss(budget.spent_rho, budget.spent_delta) if budget else Loss(0, 0)
            entries = [
                {"id": one.id, "what": one.what, "rho": one.rho / RHO, "delta": one.delta / DELTA, "at": one.at,
                 "result": one.result}
                for one in ledger.entries(source)
            ]  # fmt: skip
            epsilon = spent.epsilon(told.delta) if spent.rho else 0.0
            found.append({"source": source, "rho": rho / RHO, "delta": delta / DELTA, "spent_rho": spent.rho / RHO,
                          "spent_epsilon": epsilon, "releases": entries})  # fmt: skip
        return found
    finally:
        ledger.close()
