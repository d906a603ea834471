"""Scenario profiles for ``init``: shown by themselves, and what their rules still ask of a manifest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fivefold.cli._text import say
from fivefold.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fivefold.catalogue.profiles import Profile


def profile_of(name: str) -> Profile | None:
    """Return the profile of that name; None for an empty one.

    Raises:
        InputError: ``init.scenario`` if there is none.
    """
    from fivefold.catalogue.profiles import NAMES, profile
    from fivefold.manifest.walk import suggest

    if name and name not in NAMES:
        raise InputError("init.scenario", f'there is no profile "{name[:80]}".', remedy=suggest(name, NAMES))
    return profile(name) if name else None


def show(found: Profile, *, json: bool) -> None:
    """Show a profile: what it proposes and why."""
    say(json=json, value={"version": 1, "profile": found}, lines=list(_lines(found)))


def _lines(found: Profile) -> Iterator[str]:
    use = found.use
    yield f"Profile {found.id}: {', '.join(found.examples)}."
    yield ""
    yield f"Level {found.level}. {found.because}"
    words = [use.output, f"{use.acts} acts", "alone" if use.alone else "not alone"]
    words += ["can be undone" if use.reversible else "cannot be undone", f"within {use.within}"]
    yield f"  by these answers: {', '.join(words)}"
    yield ""
    yield "Looked at first"
    yield from (f"  {part.check:<18} {part.name}. {part.because}" for part in found.dimensions)
    yield ""
    yield "Harms, and what stands against them"
    yield from (f"  {harm.who} {harm.what} ({', '.join(harm.rows)})" for harm in found.harms)
    yield ""
    yield "Protected besides sex, age, origin, religion, disability and marital status"
    yield from (f"  {part.kind}, for example `{part.words[0]}`. {part.because}" for part in found.protected)
    yield ""
    yield "Rules that bind whoever names this scenario (J6.profiles)"
    yield from (f"  {rule.id}: {rule.because} {rule.remedy}" for rule in found.rules)
    for demand in found.demands:
        side = "at least" if demand.direction == "min" else "at most"
        yield f"  {demand.check} {demand.key} {side} {demand.value:g}. {demand.because}"
    yield ""
    yield f"Next: fivefold init FOLDER --scenario {found.id} --data TABLE --target COLUMN --model MODEL"


def open_rules(file: Path) -> list[str]:
    """Return what the rules of a manifest's scenario still ask, one sentence each."""
    from fivefold.catalogue.profiles import NAMES, profile
    from fivefold.manifest.reader import read
    from fivefold.plan import facts
    from fivefold.plan.profile import in_force, rulings

    manifest = read(file)
    name = manifest.application.scenario
    if name not in NAMES:
        return []
    ruled = rulings(profile(name), facts.read(manifest, None), in_force(manifest))
    return [
        f"Profile {name} still asks: {ruling.remedy} {ruling.because}" for ruling in ruled if ruling.holds is not True
    ]
