"""Pages: the report that was sealed with a verdict, made once more from what is signed, and compared byte for byte.

The renderer is handed in by a face, since evidence knows no report. It is given the chain as it stood when the page was
made: everything that the log holds before the verdict.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from fivefold.catalogue import load
from fivefold.contract.codec import canonical
from fivefold.contract.verdict import Verdict
from fivefold.evidence.chain import Chain
from fivefold.evidence.flaws import Flaw
from fivefold.evidence.layout import REPORT_SUBJECT, attempt_path, place
from fivefold.evidence.source import code

if TYPE_CHECKING:
    from fivefold.evidence.ledger import Ledger

Render = Callable[[int, Verdict, Chain], bytes]
"""Makes the page of an attempt: its number, its verdict, and the chain before the verdict was logged."""


def before(chain: Chain, ledger: Ledger, index: int) -> Chain:
    """Return the chain as it stood when the log had ``index`` entries."""
    known = {here.attempt for entry in ledger.entries[:index] if (here := place(entry.path))}
    return Chain(
        attempts={number: record for number, record in chain.attempts.items() if number in known},
        waivers=[item for item in chain.waivers if item.index < index],
        verdicts=[item for item in chain.verdicts if item.index < index],
    )


def plain(verdict: Verdict) -> Verdict:
    """Return a verdict as it reads once it was sealed, so that a page does not hang on how it was made."""
    return msgspec.json.decode(canonical(verdict), type=Verdict)


def compare(ledger: Ledger, chain: Chain, render: Render | None, problems: list[Flaw], notes: list[str]) -> None:
    """Make every sealed page again that this version can make, and name those that say something else."""
    skipped = []
    for number, record in sorted(chain.attempts.items()):
        path = attempt_path(number, REPORT_SUBJECT)
        if record.plan is None or record.verdict is None or path not in ledger.sound:
            continue
        at = next((item.index for item in chain.verdicts if item.path == attempt_path(number, "verdict.json")), None)
        same = (record.plan.code, record.plan.catalogue) == (code(), load().digest)
        if render is None or at is None or not same:
            skipped.append(str(number))
            continue
        try:
            made = render(number, record.verdict.verdict, before(chain, ledger, at))
        except Exception:  # noqa: BLE001  forged parts may hold what no page can show; they are named elsewhere
            problems.append(Flaw(code="report.differs", path=path, text="no such page follows from what is signed."))
            continue
        if made != ledger.sound[path]:
            text = "the sealed page is not the one that follows from what is signed: do not read it."
            problems.append(Flaw(code="report.differs", path=path, text=text))
    if skipped:
        which = f"attempt {skipped[0]}" if len(skipped) == 1 else f"attempts {', '.join(skipped)}"
        why = "another version made it" if render is not None else "no page is made here"
        notes.append(f"The sealed page of {which} was not compared ({why}); `fivefold report` makes a fresh one.")
