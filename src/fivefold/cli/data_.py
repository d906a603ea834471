"""Commands ``data label`` and ``data check``: labels signed over the data of an application or a file, and verified."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fivefold.cli._io import EXIT_DONE, EXIT_FAILED, EXIT_INCONCLUSIVE, Json
from fivefold.cli._labelled import check_file, is_data, label_file, lines_of
from fivefold.cli._own import own_key
from fivefold.cli._text import say

if TYPE_CHECKING:
    from fivefold.keys.trust import Trust
    from fivefold.manifest.nouns import Manifest

_Where = Annotated[Path, typer.Argument(help="The application's folder, its manifest, or a data file.")]


def label(  # noqa: PLR0917  typer's parameters
    where: _Where = Path(),
    key: Annotated[str, typer.Option(help="Your steward key: path, start of its id, or name.")] = "",
    class_: Annotated[str, typer.Option("--class", help="Of a file: public, internal, confidential, secret...")] = "",
    personal: Annotated[str, typer.Option(help="Of a file: personal columns, parted by commas.")] = "",
    basis: Annotated[str, typer.Option(help="Of a file: on what basis the data are held.")] = "",
    purpose: Annotated[str, typer.Option(help="Of a file: purposes, parted by commas.")] = "",
    region: Annotated[str, typer.Option(help="Of a file: where the data must stay, for example EU.")] = "",
    retain: Annotated[str, typer.Option(help="Of a file: how long they are kept, for example 5y.")] = "",
    source: Annotated[str, typer.Option(help="Of a file: the party or system that they come from.")] = "",
    name: Annotated[str, typer.Option(help="Of a file: the data's name (default: the file's).")] = "",
    made_of: Annotated[
        list[Path] | None, typer.Option("--from", help="Labelled file that a file was made of; the strictest counts.")
    ] = None,
    declassify: Annotated[str, typer.Option(help="Why a label may say less than before, in your words.")] = "",
    *,
    inside: Annotated[bool, typer.Option("--inside", help="Write it into a Parquet file's schema, too.")] = False,
    json: Json = False,
) -> None:
    """Sign the label of each data set, as the manifest declares it, or of one file, as you say.

    It is written beside the data as [bold]NAME.label.json[/bold], bound to the bytes and, of tables, to each column in
    groups of rows. Refused are incomplete labels, and those that say less than before without a reason.

    Example: [bold]fivefold key new --role steward && fivefold data label my-app[/bold]

    A file: [bold]fivefold data label loans.parquet --from customers.csv --from income.parquet[/bold]
    """
    if is_data(where):
        said = {
            "class": class_, "personal": personal, "basis": basis, "purpose": purpose, "region": region,
            "retain": retain, "source": source,
        }  # fmt: skip
        value = label_file(
            where, said, key=key, name=name, made_of=made_of or [], declassify=declassify, inside=inside
        )  # fmt: skip
        lines = [f"Labelled {where} as {value['steward']}, key {value['key'][:12]}.", *value["labels"]]
        say(json=json, value=value, lines=lines)
        return
    _label_application(where, key, declassify, json=json)


def _label_application(application: Path, key: str, declassify: str, *, json: bool) -> None:
    from fivefold.assess import operating
    from fivefold.contract.registry import provided
    from fivefold.errors import Problem, ProblemsError
    from fivefold.evidence import data_label
    from fivefold.keys import store
    from fivefold.keys import trust as trust_file
    from fivefold.manifest.digests import data_digests
    from fivefold.manifest.reader import read

    manifest = read(application)
    fields = {name: {**data.label, "source": data.source} for name, data in manifest.data.items()}
    lacking = {name: data_label.lacking(said) for name, said in fields.items()}
    problems = tuple(
        Problem(
            code="label.incomplete",
            where=str(manifest.file),
            field=f"data.{name}.label",
            message=f"does not say: {', '.join(names)}.",
            remedy="Write label: {class: internal, personal: [], basis: ..., purpose: [...], region: ..., "
            "retain: 5y} and source: ... there.",
        )
        for name, names in lacking.items()
        if names
    )
    if problems:
        raise ProblemsError(problems)
    chosen = own_key("steward", key)
    now, made = store.utc_now(), []
    steward = provided("labels.steward")(chosen.signer, trust_file.read(store.read_trust(None)), now)
    with operating.operation(manifest, "data label", model=False) as operation:
        operation.digests |= data_digests(manifest)
        for name, digest in operation.digests.items():
            said = provided("labels.said")(name, fields[name], declassified=declassify)
            place = provided("labels.bind")(manifest.root / manifest.data[name].path, said, steward, digest=digest)
            operation.results[name] = f"labelled by {chosen.note.name}"
            made.append(str(place))
    own = trust_file.add(trust_file.Trust(), chosen.signer.public, name=chosen.note.name, roles=("steward",))
    model = provided("labels.carry")(manifest, steward, own)
    lines = [f"Labelled {len(made)} data sets as {chosen.note.name}, key {chosen.note.id[:12]}.", *made]
    value = {"labels": made, "key": chosen.note.id, "steward": chosen.note.name, "model": str(model or "")}
    lines += [f"The model has the strictest label of its training data: {model}"] if model else []
    say(json=json, value=value, lines=lines)


def check(
    where: _Where = Path(),
    trust: Annotated[Path | None, typer.Option(help="Trust file (default: your own).", metavar="FILE")] = None,
    known: Annotated[
        list[Path] | None, typer.Option(help="Of a file: labels, or folders of them, kept elsewhere.")
    ] = None,
    *,
    json: Json = False,
) -> None:
    """Verify that a steward whom you trust labelled exactly these data, and name what was done to them and where.

    Exit code 1 if it does not hold; 3 if that is only because you do not know the steward.

    Example: [bold]fivefold data check my-app[/bold]

    A file: [bold]fivefold data check loans.parquet --known labels/[/bold]
    """
    if is_data(where):
        found = check_file(where, trust, known or [])
        say(json=json, value=found, lines=lines_of(found))
        sys.exit(EXIT_DONE if found["holds"] else EXIT_INCONCLUSIVE if found["unknown"] else EXIT_FAILED)
    _check_application(where, trust, json=json)


def _check_application(application: Path, trust: Path | None, *, json: bool) -> None:
    from fivefold.assess import operating
    from fivefold.contract.registry import provided
    from fivefold.errors import TrustError
    from fivefold.evidence import data_label
    from fivefold.keys import store
    from fivefold.keys import trust as trust_file
    from fivefold.manifest.digests import data_digests
    from fivefold.manifest.reader import read

    manifest = read(application)
    known, now = trust_file.read(store.read_trust(trust)), store.utc_now()
    labels, found = data_label.stored(manifest), []
    with operating.operation(manifest, "data check", model=False) as operation:
        operation.digests |= data_digests(manifest)
        for name, digest in operation.digests.items():
            data = manifest.data[name]
            row: dict[str, Any] = {"data": name, "holds": True, "code": "", "why": ""}
            try:
                data_label.verify(
                    labels[name], name, digest, declared={**data.label, "source": data.source}, trust=known, now=now
                )
            except TrustError as error:
                row |= {"holds": False, "code": error.code, "why": error.message}
                row["faults"] = _located(manifest, name, known, now) if error.code == "label.data-changed" else []
            operation.results[name] = row["code"] or "holds"
            found.append(row)
    model = provided("labels.model")(manifest, known, now) if all(row["holds"] for row in found) else ""
    if model:
        found.append({"data": data_label.MODEL, "holds": False, "code": "label.model", "why": model})
    lines = []
    for row in found:
        lines.append(f"data.{row['data']}: " + ("holds" if row["holds"] else f"{row['why']} [{row['code']}]"))
        lines += lines_of({"holds": False, **row})[1:] if row.get("faults") else []
    say(json=json, value=found, lines=lines)
    codes = {row["code"] for row in found if not row["holds"]}
    sys.exit(EXIT_DONE if not codes else EXIT_INCONCLUSIVE if codes == {"trust.unknown-key"} else EXIT_FAILED)


def _located(manifest: Manifest, name: str, trust: Trust, now: str) -> list[Any]:
    """Return what was done to a data set whose bytes are not those that were labelled, and where."""
    from fivefold.contract.registry import provided

    path = manifest.root / manifest.data[name].path
    if not path.is_file():
        return []
    faults: list[Any] = provided("labels.examine")(path, trust, now).builtins()["faults"]
    return faults
