"""Commands ``data label`` and ``data check``: labels signed over the bytes of the data, and verified."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from fivefold.cli._io import EXIT_DONE, EXIT_FAILED, EXIT_INCONCLUSIVE, Json
from fivefold.cli._own import own_key
from fivefold.cli._text import say

_Where = Annotated[Path, typer.Argument(help="The application's folder, or its manifest.")]


def label(
    application: _Where = Path(),
    key: Annotated[str, typer.Option(help="Your steward key: path, start of its id, or name.")] = "",
    json: Json = False,
) -> None:
    """Sign the label of each data set, as the manifest declares it, over the data's bytes.

    It is written beside the data as [bold]NAME.label.json[/bold]. An incomplete label is refused with what is lacking.

    Example: [bold]fivefold key new --role steward && fivefold data label my-app[/bold]
    """
    from fivefold.assess import operating
    from fivefold.errors import Problem, ProblemsError
    from fivefold.evidence import data_label
    from fivefold.keys import store
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
    with operating.operation(manifest, "data label", model=False) as operation:
        operation.digests |= data_digests(manifest)
        for name, digest in operation.digests.items():
            place = data_label.place_of(manifest, name)
            store.write_public(place, data_label.sign(name, digest, fields[name], chosen.signer, now))
            operation.results[name] = f"labelled by {chosen.note.name}"
            made.append(str(place))
    lines = [f"Labelled {len(made)} data sets as {chosen.note.name}, key {chosen.note.id[:12]}.", *made]
    say(json=json, value={"labels": made, "key": chosen.note.id, "steward": chosen.note.name}, lines=lines)


def check(
    application: _Where = Path(),
    trust: Annotated[Path | None, typer.Option(help="Trust file (default: your own).", metavar="FILE")] = None,
    json: Json = False,
) -> None:
    """Verify that a steward whom you trust labelled exactly these bytes as the manifest says.

    Exit code 1 if not; 3 if that is only because you do not know the steward.

    Example: [bold]fivefold data check my-app[/bold]
    """
    from fivefold.assess import operating
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
            operation.results[name] = row["code"] or "holds"
            found.append(row)
    lines = [f"data.{row['data']}: " + ("holds" if row["holds"] else f"{row['why']} [{row['code']}]") for row in found]
    say(json=json, value=found, lines=lines)
    codes = {row["code"] for row in found if not row["holds"]}
    sys.exit(EXIT_DONE if not codes else EXIT_INCONCLUSIVE if codes == {"trust.unknown-key"} else EXIT_FAILED)
