"""Reading: an evidence folder, verified first, into the document that a report shows.

A pure function of bytes, trust and time. What does not verify is said in the document, never hidden; files that are
not exactly those of the log are not shown at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from fivefold.errors import InputError
from fivefold.evidence import chain as chain_
from fivefold.evidence import ledger as ledger_
from fivefold.evidence import recompute, waivers
from fivefold.evidence.layout import attempt_path
from fivefold.evidence.verify import verify
from fivefold.keys import trust as trust_file
from fivefold.keys.signing import load_public
from fivefold.report.nouns import AttemptLine, Document, Trouble, WaiverLine

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fivefold.contract.verdict import Verdict
    from fivefold.evidence.application import Observed
    from fivefold.evidence.chain import AttemptRecord, Chain
    from fivefold.evidence.flaws import Verification
    from fivefold.evidence.statements import VerdictStatement

_VERIFIED: dict[int, Literal["yes", "no", "doubt"]] = {0: "yes", 1: "no", 3: "doubt"}


def read(
    folder: Mapping[str, bytes | None],
    trust: bytes,
    now: str,
    *,
    attempt: int | None = None,
    application: Observed | None = None,
) -> Document:
    """Verify an evidence folder and return one attempt of it with all that a reader needs to judge it.

    Args:
        folder: POSIX path to bytes of every file in it; None for anything that is not a plain file.
        trust: The reader's trust file.
        now: UTC time.
        attempt: Its number; None: the newest one with a verdict.
        application: Digests of the application beside the evidence; None: not compared.

    Returns:
        The document with the newest verdict over that attempt (a waiver judges again), as it is computed again by
        the reader's trust file; as signed only where this version cannot compute it.

    Raises:
        InputError: ``evidence.none`` if there is none; ``report.attempt`` if that attempt is not there, was never
            closed, or cannot be read.
    """
    found = verify(folder, trust, now, application=application)
    known = trust_file.read(trust)
    chain = _opened(folder, trust, now)
    again = recompute.check(chain, known, now).verdicts
    number = _choose(chain, found, attempt)
    record, statement = chain.attempts[number], _newest(chain, number)
    if record.plan is None or statement is None:
        raise _unreadable(number, found)
    return Document(
        plan=record.plan,
        findings=tuple(record.findings[check] for check in sorted(record.findings)),
        verdict=_shown(chain, number, again) or statement.verdict,
        attempts=_lines(chain, again),
        waivers=_waivers(chain, known, statement, now),
        signer=_signer(found, number),
        verified=_VERIFIED[found.exit_code],
        troubles=tuple(
            Trouble(code=flaw.code, text=flaw.text, where=flaw.path)
            for flaw in (*found.problems, *found.unknown, *found.doubts)
        ),
    )


def _opened(folder: Mapping[str, bytes | None], trust: bytes, now: str) -> Chain:
    """Open every statement of an evidence folder that is exactly the one in its log.

    Args:
        folder: As in :func:`read`.
        trust: The reader's trust file.
        now: UTC time.
    """
    known = trust_file.read(trust)
    keys = {key.id: load_public(key.public.encode()) for key in known.keys} | ledger_.folder_keys(folder)
    return chain_.read(ledger_.read(folder, keys), keys, known, now)


def _lines(chain: Chain, again: Mapping[str, Verdict]) -> tuple[AttemptLine, ...]:
    """Return one line for each attempt in the evidence, oldest first."""
    return tuple(
        _line(number, record, _shown(chain, number, again)) for number, record in sorted(chain.attempts.items())
    )


def _shown(chain: Chain, number: int, again: Mapping[str, Verdict]) -> Verdict | None:
    """Return the newest verdict over an attempt, as computed again; as signed where it could not be."""
    mine = [item for item in chain.verdicts if item.statement.verdict.attempt == number]
    return again.get(mine[-1].path, mine[-1].statement.verdict) if mine else None


def _choose(chain: Chain, found: Verification, wanted: int | None) -> int:
    closed = [number for number in sorted(chain.attempts) if _newest(chain, number)]
    if wanted is None and closed:
        return closed[-1]
    if wanted is not None and wanted in chain.attempts:
        return wanted
    if not chain.attempts:
        raise _unreadable(wanted or 0, found)
    if wanted is None:
        raise InputError(
            "report.attempt", "no attempt has a verdict yet.", remedy="Finish it: run fivefold assess again."
        )
    there = ", ".join(str(number) for number in sorted(chain.attempts))
    raise InputError("report.attempt", f"there is no attempt {wanted}.", remedy=f"Choose from: {there}.")


def _unreadable(number: int, found: Verification) -> InputError:
    why = "; ".join(f"{flaw.path}: {flaw.text}" for flaw in found.problems[:3])
    what = f"attempt {number} cannot be shown" if number else "no attempt can be shown"
    because = f": {why}" if why else ": it has no verdict."
    return InputError("report.attempt", f"{what}{because}", remedy="Run fivefold verify for the whole list.")


def _newest(chain: Chain, number: int) -> VerdictStatement | None:
    mine = [item.statement for item in chain.verdicts if item.statement.verdict.attempt == number]
    return mine[-1] if mine else None


def _line(number: int, record: AttemptRecord, verdict: Verdict | None) -> AttemptLine:
    return AttemptLine(
        number=number,
        plan=record.plan.digest if record.plan else "",
        started=record.started,
        effort=record.plan.effort if record.plan else "",
        attained=verdict.attained if verdict else None,
        declared=record.plan.level if record.plan else None,
        counts=verdict.counts if verdict else {},
    )


def _waivers(chain: Chain, known: trust_file.Trust, statement: VerdictStatement, now: str) -> tuple[WaiverLine, ...]:
    reasons = {record.digest: record.waiver.reason for record in chain.waivers}
    counting = waivers.counting(chain.waivers, known, statement.now, now)
    return tuple(
        WaiverLine(claim=item.claim, until=item.until, officers=item.officers, reason=reasons.get(item.ids[0], ""))
        for item in counting
        if set(item.ids) <= set(statement.waivers)
    )


def _signer(found: Verification, number: int) -> str:
    mine = [item for item in found.signatures if item.path == attempt_path(number, "plan.json")]
    if not mine:
        return "No valid signature over this attempt's plan was found."
    item = mine[0]
    who = f"{item.name}, key {item.key[:12]}" if item.name else f"an unknown key, {item.key[:12]}"
    standing = {
        "trusted": "whom the trust file used here names in this role",
        "unknown": "whom the trust file used here does not name",
        "refused": "whom the trust file used here does not accept in this role at that time",
    }[item.standing]
    return f"Signed by {who}, as {item.role}, {standing}; {found.size} files in the log, root {found.root[:16]}."
