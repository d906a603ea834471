"""Commands ``data release``, ``data budget`` and ``data rename-source``: what is shared, and what it costs people."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fivefold.cli._io import Json  # noqa: TC001  typer reads it at run time
from fivefold.cli._text import say

_In = Annotated[Path, typer.Option("--in", help="The application's folder, or its manifest.", metavar="FOLDER")]


def release(
    queries: Annotated[
        Path | None, typer.Argument(help="File of queries (default: controls.S2.release).", metavar="[QUERIES]")
    ] = None,
    where: _In = Path(),
    out: Annotated[Path, typer.Option(help="File for the result.", metavar="FILE")] = Path("release.json"),
    owner: Annotated[
        Path | None, typer.Option(help="File for exact figures beside released ones; yours alone.", metavar="FILE")
    ] = None,
    *,
    cost: Annotated[
        bool, typer.Option("--cost", help="Only say what it would cost; nothing is read or spent.")
    ] = False,
    json: Json = False,
) -> None:
    """Release statistics with discrete noise, paid from the privacy budget of the data's source.

    What it costs is reserved before the data are read and is spent from then on, whatever happens.

    Example: [bold]fivefold data release queries.yaml --in my-app[/bold]
    """
    from fivefold.assess import operating
    from fivefold.contract.codec import canonical
    from fivefold.contract.registry import provided
    from fivefold.errors import InputError
    from fivefold.keys import store
    from fivefold.manifest.digests import data_digests
    from fivefold.manifest.reader import read

    manifest = read(where)
    if cost:
        epsilon, delta = provided("release.cost")(manifest, queries)
        value = {"epsilon": epsilon, "delta": delta}
        say(json=json, value=value, lines=[f"It would cost epsilon {epsilon:.4g} at delta {delta:g}."])
        return
    for file in (out, owner):
        if file is not None and file.exists():
            raise InputError("privacy.exists", f"{file} is there already.", remedy="Name another file.")
    asked, _, _ = provided("release.ready")(manifest, queries)
    provided("labels.enforce")(manifest, "data release", [asked.data])
    with operating.operation(manifest, "data release", model=False) as operation:
        operation.digests |= data_digests(manifest)
        digest = operation.digests[asked.data]
        found = provided("release.run")(manifest, queries, provided("record.home")(manifest), digest)
        operation.results[asked.data] = f"released, reservation {found.reservation}"
    out.write_bytes(found.result)
    if owner is not None:
        store.write_private(owner, canonical(found.owner) + b"\n")
    value = {"result": str(out), "reservation": found.reservation, "epsilon": found.epsilon, "delta": found.delta,
             "left": found.left}  # fmt: skip
    line = f"Released to {out}: epsilon {found.epsilon:.4g} at delta {found.delta:g}; "
    line += f"{found.left:.0%} of the source's budget is left."
    say(json=json, value=value, lines=[line, *([f"Exact figures, for you alone: {owner}"] if owner else [])])


def budget(where: _In = Path(), *, json: Json = False) -> None:
    """Show what each source may lose, what is spent of it, and by which releases.

    Example: [bold]fivefold data budget --in my-app[/bold]
    """
    from fivefold.contract.registry import provided
    from fivefold.manifest.reader import read

    manifest = read(where)
    found = provided("release.budgets")(manifest, provided("record.home")(manifest))
    lines = []
    for source in found:
        lines.append(
            f"{source['source']}: rho {source['spent_rho']:.6f} of {source['rho']:.6f} spent "
            f"(epsilon {source['spent_epsilon']:.4g})"
        )
        lines += [f"  {one['id'][:12]}  rho {one['rho']:.6f}  {one['what']}" for one in source["releases"]]
    say(json=json, value=found, lines=lines or ["No data set names its source."])


def rename_source(  # noqa: PLR0917  typer's parameters
    old: Annotated[str, typer.Argument(help="The source's name so far.", metavar="OLD")],
    new: Annotated[str, typer.Argument(help="Its name from now on.", metavar="NEW")],
    reason: Annotated[str, typer.Option(help="Why, in your words.")],
    key: Annotated[str, typer.Option(help="Your officer's key: file, start of its id, or name.", metavar="KEY")],
    where: _In = Path(),
    trust: Annotated[Path | None, typer.Option(help="Trust file (default: your own).", metavar="FILE")] = None,
    *,
    json: Json = False,
) -> None:
    """Rename a source in the privacy ledger: two officers, two keys; what is spent goes with it.

    Example: [bold]fivefold data rename-source census census-2026 --reason "the register was renamed" --key anna[/bold]
    """
    from fivefold.contract.registry import provided
    from fivefold.keys import store
    from fivefold.keys import trust as trust_file
    from fivefold.manifest.reader import read

    manifest, now = read(where), store.utc_now()
    officer = store.find(key)
    known = trust_file.read(store.read_trust(trust))
    said = provided("release.renaming")(
        application=manifest.application.id, old=old, new=new, reason=reason, role=officer.note.role, issued=now
    )
    place = provided("release.place")(provided("record.home")(manifest))
    done, officers = provided("release.vote")(place, said, officer, known, now)
    line = (
        f"Renamed: {old} is {new} from now on."
        if done
        else "It does not count yet: two officers whom the trust file names, in both roles, have to sign."
    )
    say(json=json, value={"renamed": done, "officers": officers}, lines=[line])
