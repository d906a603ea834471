"""Command ``model train``: a model that is learned with differential privacy, or elsewhere on encrypted rows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

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
    json: Json = False,
) -> None:
    """Learn a logistic regression: what controls.S2.training or controls.S4.training declares.

    With [bold]--private[/bold] from noisy gradients; what it costs is reserved before the data are read and is spent
    from then on, whatever happens. With [bold]--encrypted[/bold] a server computes on encrypted rows, and the key
    stays here.

    Example: [bold]fivefold model train --private --in my-app[/bold]
    """
    from fivefold.assess import operating
    from fivefold.contract.registry import provided
    from fivefold.errors import InputError
    from fivefold.manifest.digests import data_digests
    from fivefold.manifest.reader import read

    if private == bool(encrypted):
        raise InputError("privacy.private", "this version trains with differential privacy, or on encrypted rows.",
                         remedy="Give --private, or --encrypted URL.")  # fmt: skip
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
