"""Command ``verify``: evidence checked offline, every file that does not hold named."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fivefold.cli._io import Json  # noqa: TC001  typer reads it at run time
from fivefold.cli._text import say

if TYPE_CHECKING:
    from fivefold.evidence.application import Observed
    from fivefold.evidence.flaws import AttemptView, Verification
    from fivefold.manifest.nouns import Manifest

_ANSWERS = {
    0: "All of it holds, and every signer is one you trust.",
    1: "It does NOT hold.",
    3: "Nothing was changed, but this is not a clean answer.",
}


def verify(
    folder: Annotated[
        Path,
        typer.Argument(
            help="Evidence folder, or the application's, a file of `record prove`, or a receipt.", metavar="FOLDER"
        ),
    ] = Path(),
    trust: Annotated[
        Path | None, typer.Option(help="Whom to trust (default: your own trust file).", metavar="FILE")
    ] = None,
    since: Annotated[
        str,
        typer.Option(
            help="A kept copy of log/checkpoint, or 'SIZE ROOT': prove that nothing was dropped.", metavar="ROOT"
        ),
    ] = "",
    application: Annotated[
        Path | None,
        typer.Option(help="The application's folder (default: the one around the evidence).", metavar="FOLDER"),
    ] = None,
    reproduce: Annotated[
        list[str] | None,
        typer.Option(
            help="Also run this check of the newest attempt again and compare (repeatable; 'all').", metavar="CHECK"
        ),
    ] = None,
    *,
    json: Json = False,
) -> None:
    """Check evidence offline: who signed what in which role, and what was changed.

    Exit code 0: all holds and the signers are known. 1: something does not hold. 3: intact, but by an unknown signer,
    or not enough for a clean answer.
    """
    from fivefold.cli._sealed import page
    from fivefold.evidence.application import read_folder
    from fivefold.evidence.verify import verify as verify_folder
    from fivefold.keys import store

    if folder.is_file():
        from fivefold.cli import _proof

        sys.exit(_proof.verify(folder, trust, json=json))
    place = _evidence(folder)
    files = read_folder(place)
    root = application or beside(place, files)
    found = verify_folder(
        files,
        store.read_trust(trust),
        store.utc_now(),
        application=_observed(root, files) if root else None,
        since=_root(since) if since else None,
        render=page,
    )
    value: dict[str, object] = {"verification": found}
    lines, code = _lines(found, place), found.exit_code
    if reproduce:
        from fivefold.cli import _reproduce

        redone = _reproduce.run(reproduce, place, files, root, trust, quiet=json)
        value["reproduced"] = redone
        lines += _reproduce.lines(redone)
        code = code if all(item.same for item in redone) else 1
    value |= {"verdict": _ANSWERS[code], "exit_code": code}
    say(json=json, value=value, lines=[*lines, "", _ANSWERS[code]])
    sys.exit(code)


def _evidence(folder: Path) -> Path:
    from fivefold.errors import InputError

    place = folder / "evidence" if (folder / "fivefold.yaml").is_file() and (folder / "evidence").is_dir() else folder
    if not place.is_dir():
        raise InputError("evidence.none", f"there is no folder {folder}.", remedy="Name the folder that assess wrote.")
    refuse_link(place)
    return place


def refuse_link(place: Path) -> None:
    """Refuse an evidence folder that is a link: it would be held against the application that the link points into.

    Raises:
        InputError: ``evidence.link``.
    """
    from fivefold.errors import InputError

    if place.is_symlink():
        remedy = "Name the folder that it points to, with --application if that lies elsewhere."
        raise InputError("evidence.link", f"{place} is a link, not an evidence folder.", remedy=remedy)


def beside(place: Path, files: dict[str, bytes | None]) -> Path | None:
    """Return the application's folder around an evidence folder; None if the evidence stands alone.

    It is the application if its manifest is there, or anything that the logged manifest names: taking the manifest
    away must not switch the comparison off.
    """
    from fivefold.evidence.application import newest_manifest

    root = place.resolve().parent
    if (root / "fivefold.yaml").is_file():
        return root
    manifest = newest_manifest(files, root)
    return root if manifest is not None and any((root / name).exists() for name in _named(manifest)) else None


def _named(manifest: Manifest) -> list[str]:
    """Return the files and folders that a manifest names inside its application."""
    names = [item.path for item in manifest.data.values()]
    if model := manifest.model:
        names += [model.path, model.signature, *model.files, *model.predictions.values()]
    return [name for name in names if name]


def _root(since: str) -> bytes:
    path = Path(since)
    try:
        return path.read_bytes() if path.is_file() else since.encode()
    except OSError:
        return since.encode()


def _observed(root: Path, files: dict[str, bytes | None]) -> Observed | None:
    """Read the application's digests, by the manifest of the newest closed attempt."""
    from fivefold.evidence.application import newest_manifest, observe

    manifest = newest_manifest(files, root)
    return observe(root, manifest) if manifest is not None else None


def _lines(found: Verification, place: Path) -> list[str]:
    lines = [
        f"{place}: application {found.application or 'unknown'}, {found.size} files in the log, root {found.root[:16]}"
    ]
    lines += _section("Does not hold", found.problems)
    lines += _section("Signed by a stranger", found.unknown)
    lines += _section("Not clear", found.doubts)
    lines.append("")
    lines += [f"  {text}" for text in _signers(found)]
    for attempt in found.attempts:
        outcome = _outcome(attempt)
        results = ", ".join(f"{check} {result}" for check, result in attempt.findings.items()) or "no findings"
        lines.append(f"  attempt {attempt.attempt}, begun {attempt.started}: {outcome} ({results})")
    lines += [f"  computed again and equal: {text}" for text in found.recomputed]
    lines += [f"  note: {text}" for text in found.notes]
    return lines


def _outcome(attempt: AttemptView) -> str:
    if attempt.attained is None:
        return "no verdict yet"
    said = "" if attempt.signed == attempt.attained else f"; its verdict says level {attempt.signed}"
    return f"level {attempt.attained} of {attempt.declared} attained{said}"


def _section(title: str, flaws: Any) -> list[str]:
    if not flaws:
        return []
    return ["", f"{title}:", *(f"  {flaw.path}: {flaw.text} [{flaw.code}]" for flaw in flaws)]


def _signers(found: Verification) -> list[str]:
    """Sum up who signed what: one line for each key, role and standing."""
    groups: dict[tuple[str, str, str, str], dict[str, int]] = {}
    for item in found.signatures:
        kinds = groups.setdefault((item.name, item.key, item.role, item.standing), {})
        kinds[item.kind] = kinds.get(item.kind, 0) + 1
    lines = []
    for (name, key, role, standing), kinds in groups.items():
        what = ", ".join(f"{count} {kind}{'s' if count > 1 else ''}" for kind, count in kinds.items())
        who = name or "somebody unknown"
        lines.append(f"signed by {who} ({key[:12]}) as {role}, {standing}: {what}")
    return lines
