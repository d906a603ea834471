"""``verify --reproduce``: checks of the newest attempt run again on the application beside the evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fivefold.cli._io import console
from fivefold.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from fivefold.assess.reproduce import Reproduction


def run(
    wanted: list[str],
    place: Path,
    files: Mapping[str, bytes | None],
    root: Path | None,
    trust: Path | None,
    *,
    quiet: bool,
) -> tuple[Reproduction, ...]:
    """Run checks again.

    Args:
        wanted: Check ids, or ``all`` for every check that ran.
        place: The evidence folder.
        files: Its files.
        root: The application's folder; None: it is not known.
        trust: The trust file; None: the user's own.
        quiet: Show no progress.

    Raises:
        InputError: The application or a finding is not there.
        TrustError: The application or this version is not what was assessed.
    """
    from fivefold.assess.reproduce import reproduce
    from fivefold.keys import store
    from fivefold.manifest.reader import read as read_manifest
    from fivefold.report.read import read

    if root is None:
        raise InputError(
            "reproduce.application", "the application is not beside its evidence.", remedy="Name it: --application."
        )
    given = store.read_trust(trust)
    document = read(files, given, store.utc_now())
    ran = {check.check for check in document.plan.checks if check.status == "run"}
    names = ran if "all" in wanted else set(wanted)
    chosen = [finding for finding in document.findings if finding.check in names & ran]
    lacking = sorted(names - {finding.check for finding in chosen})
    if lacking:
        raise InputError(
            "reproduce.check",
            f"there is no sealed finding of {', '.join(lacking)}.",
            remedy=f"Those that ran: {', '.join(sorted(ran)) or 'none'}.",
        )
    started = next(line.started for line in document.attempts if line.number == document.plan.attempt)
    screen = console(error=True)
    with screen.status("Running the checks again") as status:

        def tell(check: str, share: float, text: str) -> None:
            if not quiet:
                status.update(f"Running again: {check} {share:.0%} {text}")

        return reproduce(
            read_manifest(root), document.plan, chosen, trust=given, started=started, evidence=place, tell=tell
        )


def lines(found: Iterable[Reproduction]) -> list[str]:
    """Return what came of it, for the terminal."""
    shown = [""]
    for item in found:
        shown.append(f"  run again: {item.check}: {'the same, byte for byte' if item.same else 'DIFFERS'}")
        shown += [f"    {text}" for text in item.differences]
    return shown
