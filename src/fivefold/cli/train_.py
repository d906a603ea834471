"""Command ``model train``: differentially private, on encrypted rows, groups alike, against changed rows, readable."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from fivefold.cli._io import Json  # noqa: TC001  typer reads it at run time
from fivefold.cli._text import say

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fivefold.manifest.nouns import Manifest


def train(
    where: Annotated[
        Path, typer.Option("--in", help="The application's folder, or its manifest.", metavar="FOLDER")
    ] = Path(),
    out: Annotated[
        Path | None, typer.Option(help="File for the model (default: private-model.json, and so on).", metavar="FILE")
    ] = None,
    *,
    private: Annotated[bool, typer.Option("--private", help="With differential privacy.")] = False,
    robust: Annotated[
        bool, typer.Option("--robust", help="Against changed rows: the factory's torch module, to .safetensors.")
    ] = False,
    encrypted: Annotated[
        str, typer.Option(help="On encrypted rows, by the server at this address.", metavar="URL")
    ] = "",
    fair: Annotated[
        str, typer.Option(help="With groups alike: reweigh, constraints, thresholds or blind.", metavar="METHOD")
    ] = "",
    explainable: Annotated[
        str, typer.Option(help="Readable as it is: additive, points, rules, or network.", metavar="FORM")
    ] = "",
    seed: Annotated[int, typer.Option(help="What the draws of --fair and --explainable come from.", min=0)] = 7,
    key: Annotated[str, typer.Option(help="Your signer key, for the provenance: path, start of its id, or name.")] = "",
    json: Json = False,
) -> None:
    """Learn a model: what controls.S2.training, controls.S4.training or controls.P1.training declares.

    With [bold]--private[/bold] from noisy gradients; what it costs is reserved before the data are read and is spent
    from then on, whatever happens. With [bold]--encrypted[/bold] a server computes on encrypted rows, and the key
    stays here. With [bold]--fair[/bold] groups of the first protected field are treated alike (controls.F1.aim): rows
    reweighed, constraints on the rates, thresholds by group, or a correction that asks for no group.
    With [bold]--robust[/bold] the module that model.factory makes is trained on rows that attacks have
    changed (adversarial training), in a process of its own. With [bold]--explainable[/bold] the model can be read as
    it is: a sum of steps, a card of points, a few rules, or a sum of steps that copies of your own network learn
    (controls.E1.network); features.NAME.monotone is kept. Beside the file a page (.html) is printed, and an ONNX file
    is written where onnx is installed.

    Where you have a signer key, what the model was made of is signed beside it: NAME.provenance.json, of the data, the
    code, the parameters, the environment and the people of controls.T2.people.

    Example: [bold]fivefold model train --private --in my-app[/bold]
    """
    from fivefold.assess import operating
    from fivefold.contract.registry import provided
    from fivefold.errors import InputError
    from fivefold.manifest.digests import data_digests
    from fivefold.manifest.reader import read

    if sum((private, bool(encrypted), bool(fair), robust, bool(explainable))) != 1:
        raise InputError(
            "privacy.private",
            "say one way: with differential privacy, on encrypted rows, groups alike, against changed rows, readable.",
            remedy="Give one of --private, --encrypted URL, --fair METHOD, --robust, --explainable FORM.",
        )
    ways = {"robust": robust, "readable": explainable, "shared": encrypted, "fair": fair, "private": private}
    name = next(way for way, is_given in ways.items() if is_given)
    out = out or Path(f"{name}-model.{'safetensors' if robust else 'json'}")
    if out.exists():
        raise InputError("privacy.exists", f"{out} is there already.", remedy="Name another file.")
    manifest = read(where)
    provided("labels.enforce")(manifest, "model train")
    origin = _origin(manifest, out, name, key)
    if robust:
        _robust(manifest, out, origin, json=json)
        return
    if explainable:
        _explainable(manifest, out, (explainable, seed), origin, json=json)
        return
    if encrypted:
        wanted = provided("ciphertext.learning")(manifest)
        with operating.operation(manifest, "model train", model=False) as operation:
            operation.digests |= data_digests(manifest)
            made = provided("ciphertext.learn")(manifest, encrypted)
            operation.results[wanted.data] = "learned from while encrypted"
        out.write_bytes(made)
        signed, more = origin(_plain(wanted), {wanted.data: operation.digests[wanted.data]})
        say(json=json, value={"model": str(out), "steps": wanted.steps, "provenance": signed},
            lines=[f"Learned {out} in {wanted.steps} steps on encrypted rows; the key is gone.", *more])  # fmt: skip
        return
    if fair:
        with operating.operation(manifest, "model train", model=False) as operation:
            operation.digests |= data_digests(manifest)
            made, told = provided("fairness.learn")(manifest, fair, seed)
            operation.results["train"] = f"learned from, groups of {told['protected']} alike by {fair}"
        out.write_bytes(made)
        signed, more = origin(
            {"method": fair, "seed": seed, **manifest.controls.get("F1", {})}, {"train": operation.digests["train"]}
        )
        say(json=json, value={"model": str(out), "provenance": signed, **told}, lines=[*_fair(out, told), *more])
        return
    wanted, _, _ = provided("release.learning")(manifest)
    with operating.operation(manifest, "model train", model=False) as operation:
        operation.digests |= data_digests(manifest)
        found = provided("release.learn")(manifest, provided("record.home")(manifest), operation.digests[wanted.data])
        operation.results[wanted.data] = f"learned from, reservation {found.reservation}"
    out.write_bytes(found.result)
    value = {"model": str(out), "reservation": found.reservation, "epsilon": found.epsilon, "delta": found.delta,
             "left": found.left}  # fmt: skip
    signed, more = origin(_plain(wanted), {wanted.data: operation.digests[wanted.data]})
    line = f"Learned {out}: epsilon {found.epsilon:.4g} at delta {found.delta:g}; "
    lines = [f"{line}{found.left:.0%} of the source's budget is left.", *more]
    say(json=json, value=value | {"provenance": signed}, lines=lines)


_Origin: TypeAlias = "Callable[..., tuple[Any, list[str]]]"
"""Given parameters, digests of the data and further files: signs the model's origin; returns what is said of it."""


def _origin(manifest: Manifest, out: Path, way: str, key: str) -> _Origin:
    """Choose the signer before anything is trained, and return what signs afterwards."""
    from fivefold.cli.provenance_ import signer_of, trained
    from fivefold.contract.registry import provided
    from fivefold.keys import store

    chosen, started = signer_of(key), store.utc_now()

    def sign(parameters: Mapping[str, Any], data: Mapping[str, str], *more: Path) -> tuple[Any, list[str]]:
        option = {"readable": "explainable", "shared": "encrypted"}.get(way, way)
        how = {
            "way": f"fivefold model train --{option}", "parameters": parameters, "data": data, "started": started,
            "who": provided("data.who")(), "modules": way == "robust",
        }  # fmt: skip
        return trained(manifest, (out, *more), how, chosen)

    return sign


def _plain(wanted: Any) -> dict[str, Any]:
    import msgspec

    made: dict[str, Any] = msgspec.to_builtins(wanted)
    return made


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


def _explainable(manifest: Manifest, out: Path, how: tuple[str, int], origin: _Origin, *, json: bool) -> None:
    """Write the model, its page and its ONNX file; say what it loses against a black box on other rows."""
    from fivefold.assess import operating
    from fivefold.contract.registry import provided
    from fivefold.errors import InputError
    from fivefold.manifest.digests import data_digests

    page, network = out.with_suffix(".html"), out.with_suffix(".onnx")
    for place in (page, network):
        if place == out or place.exists():
            raise InputError("privacy.exists", f"{place} is there already.",
                             remedy="Name another file, for example card.json.")  # fmt: skip
    with operating.operation(manifest, "model train", model=False) as operation:
        operation.digests |= data_digests(manifest)
        made = provided("antehoc.learn")(manifest, *how)
        operation.results["train"] = f"learned from, in the form {how[0]}"
    out.write_bytes(made.model)
    page.write_bytes(made.page)
    told = made.told
    value = {"model": str(out), "page": str(page), "onnx": str(network) if made.onnx else "", **told}
    lines = [f"Learned {out} from {told['rows']} rows: {told['columns']} columns, {told['lines']} lines on {page}."]
    if "lost" in told:
        lines.append(
            f"On data.test: {told['measure']} against {told['black box kind']} {told['lost']:.1%} "
            f"({told['low']:.1%} to {told['high']:.1%}); {told['mine']:.1%} and {told['black box']:.1%}."
        )
    formats = [network] if made.onnx else []
    if made.onnx:
        network.write_bytes(made.onnx)
        lines.append(f"{network} answers the same.")
    else:
        lines.append(f"No ONNX file: {told['without onnx']}")
    value["provenance"], more = origin(
        {"form": how[0], "seed": how[1], **manifest.controls.get("E1", {})},
        {"train": operation.digests["train"]},
        *formats,
    )
    lines += more
    say(json=json, value=value, lines=[*lines, "E1.faithful, E1.constraints and E1.cost measure it in earnest."])


def _robust(manifest: Manifest, out: Path, origin: _Origin, *, json: bool) -> None:
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
    chosen = {"epsilon": made.epsilon, "epoch": made.epoch, **manifest.controls.get("P1", {})}
    value["provenance"], more = origin(chosen, {"train": operation.digests["train"]})
    first = f"Learned {out} from {made.rows} rows against changes of {made.epsilon:g}; epoch {made.epoch} was taken."
    second = (
        f"On rows held back: accuracy {made.clean:.1%}, robust accuracy {made.robust:.1%} against ten gradient steps."
    )
    say(json=json, value=value, lines=[first, second, "P1.standard measures it in earnest.", *more])
