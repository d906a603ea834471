"""Command ``model train``: learned with differential privacy, elsewhere on encrypted rows, or with groups alike."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from fivefold.cli._io import Json  # noqa: TC001  typer reads it at run time
from fivefold.cli._text import say


def train(
    where: Annotated[
        Path, typer.Option("--in", help="The application's folder, or its manifest.", metavar="FOLDER")
    ] = Path(),
    out: Annotated[Path, typer.Option(help="File for the model.", metavar="FILE")] = Path("private-model.json"),
    *,
    private: Annotated[bool, typer.Option("--private", help="With differential privacy.")] = False,
    encrypted: Annotated[
        str, typer.Option(help="On encrypted rows, by the server at this address.", metavar="URL")
    ] = "",
    fair: Annotated[
        str, typer.Option(help="With groups alike: reweigh, constraints, thresholds or blind.", metavar="METHOD")
    ] = "",
    seed: Annotated[int, typer.Option(help="What the draws of --fair come from.", min=0)] = 7,
    json: Json = False,
) -> None:
    """Learn a logistic regression: what controls.S2.training or controls.S4.training declares.

    With [bold]--private[/bold] from noisy gradients; what it costs is reserved before the data are read and is spent
    from then on, whatever happens. With [bold]--encrypted[/bold] a server computes on encrypted rows, and the key
    stays here. With [bold]--fair[/bold] groups of the first protected field are treated alike (controls.F1.aim): rows
    reweighed, constraints on the rates, thresholds by group, or a correction that asks for no group.

    Example: [bold]fivefold model train --private --in my-app[/bold]
    """
    from fivefold.assess import operating
    from fivefold.contract.registry import provided
    from fivefold.errors import InputError
    from fivefold.manifest.digests import data_digests
    from fivefold.manifest.reader import read

    if sum((private, bool(encrypted), bool(fair))) != 1:
        raise InputError(
            "privacy.private", "a model is trained with differential privacy, on encrypted rows, or with groups alike.",
            remedy="Give one of --private, --encrypted URL, --fair METHOD.",
        )  # fmt: skip
    if out.exists():
        raise InputError("privacy.exists", f"{out} is there already.", remedy="Name another file.")
    manifest = read(where)
    if encrypted:
        wanted = provided("ciphertext.learning")(manifest)
        with operating.operation(manifest, "model train", model=False) as operation:
            operation.digests |= data_digests(manifest)
            made = provided("ciphertext.learn")(manifest, encrypted)
            operation.results[wanted.data] = "learned from while encrypted"
        out.write_bytes(made)
        say(json=json, value={"model": str(out), "steps": wanted.steps},
            lines=[f"Learned {out} in {wanted.steps} steps on encrypted rows; the key is gone."])  # fmt: skip
        return
    if fair:
        with operating.operation(manifest, "model train", model=False) as operation:
            operation.digests |= data_digests(manifest)
            made, told = provided("fairness.learn")(manifest, fair, seed)
            operation.results["train"] = f"learned from, groups of {told['protected']} alike by {fair}"
        out.write_bytes(made)
        say(json=json, value={"model": str(out), **told}, lines=_fair(out, told))
        return
    wanted, _, _ = provided("release.learning")(manifest)
    with operating.operation(manifest, "model train", model=False) as operation:
        operation.digests |= data_digests(manifest)
        found = provided("release.learn")(manifest, provided("record.home")(manifest), operation.digests[wanted.data])
        operation.results[wanted.data] = f"learned from, reservation {found.reservation}"
    out.write_bytes(found.result)
    value = {"model": str(out), "reservation": found.reservation, "epsilon": found.epsilon, "delta": found.delta,
             "left": found.left}  # fmt: skip
    line = f"Learned {out}: epsilon {found.epsilon:.4g} at delta {found.delta:g}; "
    say(json=json, value=value, lines=[f"{line}{found.left:.0%} of the source's budget is left."])


def _fair(out: Path, told: dict[str, Any]) -> list[str]:
    """Say what was learned, and rates and accuracy beside those of the same model as it is."""
    word = {"selection": "selection rates", "tpr": "true-positive rates"}[told["aim"]]
    lines = [f"Learned {out} by {told['method']}; {word} by {told['protected']} on data.{told['judged on']}:"]
    for name in ("plain", "fair"):
        rates = ", ".join(f"{group} {rate:.1%}" for group, rate in told[name]["rates"].items())
        lines.append(f"  {name:<6} accuracy {told[name]['accuracy']:.1%}; {rates}")
    if told["asks for the group"]:
        lines.append("This model asks for the group at decision time.")
    return lines
