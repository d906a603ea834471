"""Command ``model train``: with differential privacy, elsewhere on encrypted rows, or against changed rows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fivefold.cli._io import Json  # noqa: TC001  typer reads it at run time
from fivefold.cli._text import say

if TYPE_CHECKING:
    from fivefold.manifest.nouns import Manifest


def train(
    where: Annotated[
        Path, typer.Option("--in", help="The application's folder, or its manifest.", metavar="FOLDER")
    ] = Path(),
    out: Annotated[Path, typer.Option(help="File for the model.", metavar="FILE")] = Path("private-model.json"),
    *,
    private: Annotated[bool, typer.Option("--private", help="With differential privacy.")] = False,
    robust: Annotated[
        bool, typer.Option("--robust", help="Against changed rows: the factory's torch module, to .safetensors.")
    ] = False,
    encrypted: Annotated[
        str, typer.Option(help="On encrypted rows, by the server at this address.", metavar="URL")
    ] = "",
    json: Json = False,
) -> None:
    """Learn a model: what controls.S2.training, controls.S4.training or controls.P1.training declares.

    With [bold]--private[/bold] from noisy gradients; what it costs is reserved before the data are read and is spent
    from then on, whatever happens. With [bold]--encrypted[/bold] a server computes on encrypted rows, and the key
    stays here. With [bold]--robust[/bold] the module that model.factory makes is trained on rows that attacks have
    changed (adversarial training), in a process of its own.

    Example: [bold]fivefold model train --private --in my-app[/bold]
    """
    from fivefold.assess import operating
    from fivefold.contract.registry import provided
    from fivefold.errors import InputError
    from fivefold.manifest.digests import data_digests
    from fivefold.manifest.reader import read

    if private + bool(encrypted) + robust != 1:
        raise InputError("privacy.private", "this version trains with differential privacy, on encrypted rows, or "
                         "against changed rows.", remedy="Give --private, --encrypted URL, or --robust.")  # fmt: skip
    if out.exists():
        raise InputError("privacy.exists", f"{out} is there already.", remedy="Name another file.")
    manifest = read(where)
    if robust:
        _robust(manifest, out, json=json)
        return
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


def _robust(manifest: Manifest, out: Path, *, json: bool) -> None:
    from fivefold.assess import operating
    from fivefold.contract.registry import provided
    from fivefold.manifest.digests import data_digests

    provided("evasion.ready")(manifest)
    with operating.operation(manifest, "model train", model=False) as operation:
        operation.digests |= data_digests(manifest)
        made = provided("evasion.harden")(manifest, operation.digests["train"])
        operation.results["train"] = f"learned from against changes of {made.epsilon:g}"
    out.write_bytes(made.weights)
    value = {"model": str(out), "epoch": made.epoch, "rows": made.rows, "epsilon": made.epsilon, "clean": made.clean,
             "robust": made.robust}  # fmt: skip
    first = f"Learned {out} from {made.rows} rows against changes of {made.epsilon:g}; epoch {made.epoch} was taken."
    second = (
        f"On rows held back: accuracy {made.clean:.1%}, robust accuracy {made.robust:.1%} against ten gradient steps."
    )
    say(json=json, value=value, lines=[first, second, "P1.standard measures it in earnest."])
