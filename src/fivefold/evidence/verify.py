"""Verify: what an evidence folder proves to whoever holds a trust file.

A pure function of bytes, trust and time; nothing here reads a file, a clock or the network. The rules:

1. Every file is a leaf of the log and every leaf is a file; the log is the one that its checkpoint signs.
2. Every statement is signed by a key that the trust file names, in the role that this kind of file needs, at a time
   when the key was valid; otherwise the answer is "intact, but by a stranger" or worse.
3. Attempts are numbered without a gap, and nothing is added to one after its verdict.
4. Plan, seeds and verdict are computed again from what is signed, and must agree; so must the sealed page, if a
   renderer is handed in.
5. Manifest, model and data beside the evidence are the ones that the newest attempt measured.
6. With a root kept elsewhere, nothing was dropped since.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from fivefold.errors import InputError
from fivefold.evidence import chain as chain_
from fivefold.evidence import ledger as ledger_
from fivefold.evidence import pages, recompute, waivers
from fivefold.evidence.flaws import AttemptView, Flaw, Verification
from fivefold.evidence.layout import CHECKPOINT, attempt_path
from fivefold.keys import trust as trust_file
from fivefold.keys.signing import load_public

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fivefold.contract.verdict import Verdict
    from fivefold.evidence.application import Observed
    from fivefold.evidence.chain import AttemptRecord, Chain
    from fivefold.evidence.pages import Render


def verify(
    folder: Mapping[str, bytes | None],
    trust: bytes,
    now: str,
    *,
    application: Observed | None = None,
    since: bytes | None = None,
    render: Render | None = None,
) -> Verification:
    """Verify an evidence folder.

    Args:
        folder: POSIX path to bytes of every file in it; None for anything that is not a plain file.
        trust: The verifier's trust file.
        now: UTC time such as ``2026-11-23T09:30:00Z``.
        application: Digests of the application beside the evidence; None: not compared.
        since: A root kept elsewhere; None: nothing is said about dropped attempts.
        render: Makes the page that is sealed with a verdict; None: sealed pages are not compared.

    Raises:
        InputError: The trust file, ``now`` or ``since`` is malformed, or the folder holds no evidence at all.
    """
    if not any(path.startswith(("log/", "attempts/")) for path in folder):
        raise InputError("evidence.none", "there is no evidence here.", remedy="Name the folder that assess wrote.")
    trust_file.moment(now)
    known = trust_file.read(trust)
    keys = {key.id: load_public(key.public.encode()) for key in known.keys} | ledger_.folder_keys(folder)
    ledger = ledger_.read(folder, keys)
    chain = chain_.read(ledger, keys, known, now)
    problems = [*ledger.flaws, *chain.problems]
    doubts: list[Flaw] = []
    notes: list[str] = []
    _numbering(chain, problems, doubts, notes)
    _checkpointed(ledger, chain, known, doubts)
    problems += ledger_.check_since(ledger, since) if since is not None else []
    redone = recompute.check(chain, known, now)
    problems += redone.problems
    doubts += redone.doubts
    pages.compare(ledger, chain, render, problems, notes)
    notes += _notes(chain, known, now, since=since)
    problems += _application(chain, application, notes)
    return Verification(
        application=ledger.checkpoint.origin.removeprefix("fivefold/") if ledger.checkpoint else "",
        size=ledger.checkpoint.size if ledger.checkpoint else len(ledger.lines),
        root=ledger.checkpoint.root.hex() if ledger.checkpoint else "",
        attempts=tuple(
            _view(number, record, chain, redone.verdicts) for number, record in sorted(chain.attempts.items())
        ),
        signatures=tuple(chain.signatures),
        problems=tuple(dict.fromkeys(problems)),
        unknown=tuple(chain.unknown),
        doubts=tuple(doubts),
        notes=tuple(notes),
        recomputed=tuple(redone.agreed),
    )


def _numbering(chain: Chain, problems: list[Flaw], doubts: list[Flaw], notes: list[str]) -> None:
    numbers = sorted(chain.attempts)
    if not numbers:
        doubts.append(Flaw(code="evidence.empty", path="attempts", text="there is no attempt in this evidence."))
        return
    if numbers[0] > 1:
        earlier = "attempt 1 is" if numbers[0] == 2 else f"attempts 1 to {numbers[0] - 1} are"
        text = f"{earlier} not here: kept elsewhere, or deleted."
        doubts.append(Flaw(code="evidence.earlier", path="attempts", text=text))
    for before, after in pairwise(numbers):
        if after > before + 1:
            which = f"attempt {before + 1} is" if after == before + 2 else f"attempts {before + 1} to {after - 1} are"
            text = f"{which} missing between others."
            problems.append(Flaw(code="evidence.gap", path=attempt_path(before + 1, ""), text=text))
    unfinished = [number for number in numbers if chain.attempts[number].verdict is None]
    if len(unfinished) == len(numbers):
        doubts.append(Flaw(code="evidence.unfinished", path="attempts", text="no attempt has a verdict."))
    notes.extend(f"Attempt {number} was begun and has no verdict." for number in unfinished)


def _checkpointed(ledger: ledger_.Ledger, chain: Chain, trust: trust_file.Trust, doubts: list[Flaw]) -> None:
    """Doubt a log that somebody else closed than who made its newest attempt: files at its end may have been cut."""
    signer = ledger.signer
    keys = [record.key for _, record in sorted(chain.attempts.items()) if record.key]
    if signer is None or not keys or signer.id == keys[-1]:
        return
    entry = trust.find(signer.id)
    if entry is None or "log" not in entry.roles:
        text = (
            "another key closed the log than made its newest attempt, and the trust file does not name it in the role "
            "log: what it may have cut off does not show."
        )
        doubts.append(Flaw(code="evidence.other-closer", path=CHECKPOINT, text=text))


def _notes(chain: Chain, trust: trust_file.Trust, now: str, *, since: bytes | None) -> list[str]:
    found = [
        f"A waiver of claim {record.waiver.claim} does not count: {reason}"
        for record in chain.waivers
        if (reason := waivers.why_not(record, trust, now))
    ]
    for exemption in waivers.counting(chain.waivers, trust, now, now):
        names = " and ".join(exemption.officers)
        found.append(f"Claim {exemption.claim} is waived by {names} until {exemption.until}.")
    if since is None:
        found.append("No root from elsewhere was given: that nothing was dropped from the end cannot be shown.")
    return found


def _application(chain: Chain, seen: Observed | None, notes: list[str]) -> list[Flaw]:
    closed = [record for _, record in sorted(chain.attempts.items()) if record.plan and record.verdict]
    if not closed:
        return []
    if seen is None:
        notes.append("The application is not beside its evidence: manifest, model and data were not compared.")
        return []
    plan = closed[-1].plan
    if plan is None:
        return []
    found: list[Flaw] = []
    if seen.manifest != plan.manifest:
        text = "the manifest is not the one that was assessed." if seen.manifest else "the manifest is missing."
        found.append(Flaw(code="application.manifest", path="fivefold.yaml", text=text))
    for name, expected in sorted(plan.data.items()):
        actual = seen.data.get(name, "")
        if actual != expected:
            text = f"data set {name} is not the one that was assessed." if actual else f"data set {name} is missing."
            found.append(Flaw(code="application.data", path=seen.paths.get(name, name), text=text))
    if seen.model_fault:
        text = f"the model cannot be read: {seen.model_fault}"
        return [*found, Flaw(code="application.model", path="model", text=text)]
    return found + (_model(closed[-1].model_files, seen) if seen.model != plan.model else [])


def _model(assessed: dict[str, str], seen: Observed) -> list[Flaw]:
    """Name the files of the model that were changed, removed, added or swapped."""
    if not assessed:
        return [
            Flaw(code="application.model", path="model", text="the model's files are not those that were assessed.")
        ]
    owners = {value: name for name, value in assessed.items()}
    found = []
    for name in sorted(assessed.keys() | seen.files.keys()):
        now = seen.files.get(name)
        if now == assessed.get(name):
            continue
        if now is None:
            text = "this file of the model is missing."
        elif name not in assessed:
            text = "this file was added to the model."
        elif now in owners:
            text = f"this file of the model holds the content of {owners[now]}."
        else:
            text = "this file of the model is not the one that was assessed."
        found.append(Flaw(code="application.model", path=name, text=text))
    return found


def _view(number: int, record: AttemptRecord, chain: Chain, again: Mapping[str, Verdict]) -> AttemptView:
    mine = [item for item in chain.verdicts if item.statement.verdict.attempt == number]
    newest = mine[-1] if mine else None
    signed = newest.statement.verdict.attained if newest else None
    return AttemptView(
        attempt=number,
        state="closed" if record.verdict else "unfinished",
        plan=record.plan.digest if record.plan else "",
        started=record.started,
        declared=record.plan.level if record.plan else 0,
        attained=again[newest.path].attained if newest and newest.path in again else signed,
        signed=signed,
        findings={check: str(finding.result.outcome) for check, finding in sorted(record.findings.items())},
    )
