"""Command ``waive``: one officer's half of an exemption; with the second half the newest attempt is judged again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fivefold.cli._io import Json  # noqa: TC001  typer reads it at run time
from fivefold.cli._text import say

if TYPE_CHECKING:
    from fivefold.contract.verdict import Waiver
    from fivefold.keys.store import StoredKey
    from fivefold.keys.trust import Trust


def waive(  # noqa: PLR0917  typer's parameters
    claim: Annotated[str, typer.Argument(help="The claim, for example 2b.", metavar="CLAIM")],
    until: Annotated[
        str, typer.Option(help="Last day, at most one year ahead, for example 2026-12-31.", metavar="DAY")
    ],
    reason: Annotated[str, typer.Option(help="Why, in your words; it stands in the report.")],
    key: Annotated[
        str, typer.Option(help="Your officer's key: file, start of its id, or holder's name.", metavar="KEY")
    ],
    folder: Annotated[
        Path, typer.Argument(help="The evidence folder, or the application's.", metavar="FOLDER")
    ] = Path(),
    trust: Annotated[
        Path | None, typer.Option(help="Whom to trust (default: your own trust file).", metavar="FILE")
    ] = None,
    *,
    json: Json = False,
) -> None:
    """Let a claim pass for a while: it takes two officers with two keys, and it ends by itself."""
    from fivefold.evidence.folder import Evidence
    from fivefold.evidence.rejudge import rejudge
    from fivefold.keys import store
    from fivefold.keys import trust as trust_file

    officer = store.find(key)
    known = trust_file.read(store.read_trust(trust))
    place = _evidence(folder)
    assessor, _ = store.default_assessor()
    waiver = _waiver(claim, until, reason, officer, _application(place))
    evidence = Evidence(place, assessor, waiver.application)
    path = evidence.add_waiver(waiver, officer.signer)
    counts = any(item.claim == claim for item in evidence.exemptions(known, store.utc_now()))
    judged = rejudge(evidence, known, store.utc_now()) if counts else None
    value: dict[str, Any] = {
        "waiver": path,
        "claim": claim,
        "counts": counts,
        "verdict": judged[1] if judged else "",
        "attained": judged[0].attained if judged else None,
    }
    lines = [f"{officer.note.name} waives claim {claim} until {until}, as {officer.note.role}. Logged as {path}"]
    lines += _outcome(known, officer, counts=counts)
    if judged:
        lines.append(f"Judged again: level {judged[0].attained} of {judged[0].declared} attained.")
    say(json=json, value=value, lines=lines)


def _evidence(folder: Path) -> Path:
    from fivefold.errors import InputError

    place = folder / "evidence" if (folder / "evidence").is_dir() else folder
    if not (place / "log" / "checkpoint").is_file():
        message = f"there is no evidence in {folder}."
        raise InputError("evidence.none", message, remedy="Run fivefold assess first, or name the evidence folder.")
    return place


def _application(place: Path) -> str:
    from urllib.parse import unquote

    from fivefold.log import checkpoint

    return unquote(checkpoint.parse((place / "log" / "checkpoint").read_bytes()).origin.removeprefix("fivefold/"))


def _waiver(claim: str, until: str, reason: str, officer: StoredKey, application: str) -> Waiver:
    from fivefold.catalogue import load
    from fivefold.contract.verdict import Waiver
    from fivefold.errors import InputError
    from fivefold.evidence import waivers
    from fivefold.keys import store

    claims = [item.id for item in load().claims]
    if claim not in claims:
        raise InputError("waiver.claim", f"there is no claim {claim!r}.", remedy=f"Claims: {', '.join(claims)}.")
    role = officer.note.role
    if role not in ("privacy-officer", "legal-officer"):
        message = f"the key of {officer.note.name} is one of role {role}."
        remedy = "Use an officer's key: fivefold key new --role privacy-officer (or legal-officer)."
        raise InputError("waiver.role", message, remedy=remedy)
    made = Waiver(application=application, claim=claim, reason=reason, until=until, role=role, issued=store.utc_now())
    waivers.check(made)
    return made


def _outcome(known: Trust, officer: StoredKey, *, counts: bool) -> list[str]:
    if counts:
        return ["Two officers have signed: the claim counts as waived."]
    entry = known.find(officer.note.id)
    if entry is None or officer.note.role not in entry.roles:
        public = officer.path.with_suffix(".pub")
        command = f"fivefold trust add {public} --role {officer.note.role} --name '{officer.note.name}'"
        return [f"It does not count yet: your trust file does not name this officer. Run: {command}"]
    return ["It does not count yet: a second officer, in the other role and with another key, has to sign too."]
