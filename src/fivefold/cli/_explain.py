"""What ``explain`` says of one id: every part comes from the catalogue or from a pack, nothing is written twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fivefold.contract import registry
from fivefold.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from fivefold.catalogue.nouns import Aim, Catalogue, CheckEntry, Claim, Predicate, Role, Technique

_SIGNS = {"eq": "is", "ne": "is not", "in": "is one of", "ge": "is at least", "le": "is at most"}


def about(name: str, catalogue: Catalogue) -> dict[str, Any]:
    """Return everything known of a row, check, claim, aim, level or party, in reading order.

    Args:
        name: Its id, in any case; a level also as a bare number.
        catalogue: The catalogue.

    Raises:
        InputError: ``explain.unknown`` with the nearest known id.
    """
    kinds: tuple[tuple[Iterable[str], Callable[[str, Catalogue], dict[str, Any]]], ...] = (
        (catalogue.rows, _row),
        (catalogue.checks, _check),
        (catalogue.claim, _claim),
        ([aim.id for aim in catalogue.aims], _aim),
        ([role.id for role in catalogue.roles], _role),
    )
    wanted = f"L{name}" if name in [str(level.number) for level in catalogue.levels] else name
    for names, explain in kinds:
        found = next((known for known in names if known.lower() == wanted.strip().lower()), None)
        if found is not None:
            return {"version": 1} | explain(found, catalogue)
    from fivefold.manifest.walk import nearest

    close = nearest(wanted, [known for names, _ in kinds for known in names])
    remedy = f'Did you mean "{close}"?' if close else "`fivefold list` shows every row and check."
    raise InputError("explain.unknown", f'"{name[:80]}" is no row, check, claim, aim, level or party.', remedy=remedy)


def _row(name: str, catalogue: Catalogue) -> dict[str, Any]:
    row = catalogue.rows[name]
    level = next((level for level in catalogue.levels if level.row == name), None)
    case = next((case for case in catalogue.challenges if case.row == name), None)
    found: dict[str, Any] = {"id": name, "title": row.title, "kind": row.kind, "state": row.state}
    if level is not None:
        found |= {"objective": level.objective, "example": level.example}
        found["claims"] = [f"{c.id}: {c.text}" for c in catalogue.claims if c.level == level.number]
    found |= {"question": row.question, "asks": row.asks}
    if case is not None:
        found |= {"attack": case.attack, "harm": case.harm, "measure": case.measure, "controls": list(case.controls)}
    built = [registry.checks()[check.id] for check in row.checks if check.id in registry.checks()]
    found |= {
        "threat": [spec.threat for spec in built],
        "method": [f"{spec.id}: {spec.method}" for spec in built],
        "limits": [f"{spec.id}: {spec.limits}" for spec in built],
        "checks": [_check_line(check, catalogue) for check in row.checks],
        "floors": [line for check in row.checks for line in _floors(check)],
        "source": [spec.source for spec in built],
        "cost": [f"{spec.id}: {spec.cost}" for spec in built],
        "applies_where": words(row.applies_when),
        "needed_by": _needed_by(row, catalogue),
        "aims": [f"{aim.id} {aim.title}" for aim in catalogue.aims if name in aim.rows],
        "duties": [duty.text for duty in row.duties],
        "manifest_keys": _row_keys(row),
        "remedy": row.remedy,
        "reached_by": list(row.commands),
    }
    return found


def _check(name: str, catalogue: Catalogue) -> dict[str, Any]:
    entry = catalogue.checks[name]
    row = catalogue.rows[entry.technique]
    spec = registry.checks().get(name)
    found: dict[str, Any] = {
        "id": name,
        "title": spec.question if spec else entry.asks,
        "row": f"{row.id} {row.title}",
        "state": entry.state,
    }
    if spec is None:
        found["coming"] = _stage(entry, catalogue)
    else:
        found |= {
            "question": spec.question,
            "threat": spec.threat,
            "method": spec.method,
            "limits": spec.limits,
            "source": spec.source,
            "needs": list(spec.needs),
            "cost": spec.cost,
            "rows_used": "at most {:,} / {:,} / {:,} (quick, standard, thorough)".format(*spec.rows)
            if any(spec.rows)
            else "",
        }
    found |= {
        "floors": list(_floors(entry)),
        "applies_where": "; and ".join(filter(None, (words(row.applies_when), words(entry.applies_when)))),
        "needed_by": _needed_by(entry, catalogue),
        "aims": [f"{aim.id} {aim.title}" for aim in catalogue.aims if row.id in aim.rows],
        "manifest_keys": list(_keys(entry)),
        "remedy": row.remedy,
    }
    return found


def _claim(name: str, catalogue: Catalogue) -> dict[str, Any]:
    claim = catalogue.claim[name]
    level = next(level for level in catalogue.levels if level.number == claim.level)
    if claim.by_path:
        needs = [
            f"the technique of each declared path: {', '.join(f'{p.what} {p.technique}' for p in catalogue.paths)}"
        ]
    else:
        needs = [_need(any_of, catalogue) for any_of in claim.needs]
    return {
        "id": name,
        "title": claim.text,
        "level": f"{level.number} {level.title}: {level.objective}",
        "needs": needs,
        "applies_where": words(claim.applies_when),
        "checks": [
            _check_line(entry, catalogue)
            for token in dict.fromkeys(token for any_of in claim.needs for token in any_of)
            for entry in catalogue.members(token)
        ],
    }


def _aim(name: str, catalogue: Catalogue) -> dict[str, Any]:
    aim: Aim = next(aim for aim in catalogue.aims if aim.id == name)
    binds = "at every level" if catalogue.binds(aim) else "not yet: until all its rows are built its checks only warn"
    rows = [f"{row} {catalogue.rows[row].title}: {catalogue.rows[row].state}" for row in aim.rows]
    return {"id": name, "title": aim.title, "binds": binds, "rows": rows}


def _role(name: str, catalogue: Catalogue) -> dict[str, Any]:
    role: Role = next(role for role in catalogue.roles if role.id == name)
    return {"id": name, "title": role.title, "duties": list(role.duties), "manifest_keys": [f"parties.{name}"]}


def words(predicate: Predicate) -> str:
    """Return a predicate as a sentence part, for example ``sharing.paths is at least 1``; empty if always true."""
    parts = []
    for any_of in predicate:
        options = []
        for condition in any_of:
            value = condition.value
            shown = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
            options.append(f"{condition.fact} {_SIGNS[condition.operator]} {shown}")
        parts.append(" or ".join(options))
    return "; and ".join(parts)


def _need(any_of: tuple[str, ...], catalogue: Catalogue) -> str:
    def one(token: str) -> str:
        row, _, part = token.partition("/")
        title = catalogue.rows[row.partition(".")[0]].title
        return f"{token} ({title}{', part ' + part if part else ''})"

    return ("one of: " if len(any_of) > 1 else "") + ", or ".join(one(token) for token in any_of)


def _needed_by(item: Technique | CheckEntry, catalogue: Catalogue) -> list[str]:
    from fivefold.catalogue.nouns import Technique

    own = {check.id for check in item.checks} if isinstance(item, Technique) else {item.id}

    def needs(claim: Claim) -> bool:
        tokens = [token for any_of in claim.needs for token in any_of]
        tokens += [path.technique for path in catalogue.paths] if claim.by_path else []
        return any(own & {entry.id for entry in catalogue.members(token)} for token in tokens)

    return [f"claim {claim.id} (level {claim.level}): {claim.text}" for claim in catalogue.claims if needs(claim)]


def _check_line(entry: CheckEntry, catalogue: Catalogue) -> str:
    spec = registry.checks().get(entry.id)
    what = spec.question if spec else f"{entry.asks} (comes with: {_stage(entry, catalogue)})"
    return f"{entry.id} [{entry.state}] {what}"


def _stage(entry: CheckEntry, catalogue: Catalogue) -> str:
    return next((stage.title for stage in catalogue.stages if stage.id == entry.coming), entry.coming)


def _floors(entry: CheckEntry) -> Iterator[str]:
    for floor in entry.floors:
        side = "at least" if floor.direction == "min" else "at most"
        yield f"{entry.id} {floor.key}: {floor.measures} {side} {floor.value:g} ({floor.source})"


def _keys(entry: CheckEntry) -> Iterator[str]:
    for floor in entry.floors:
        yield f"checks.{entry.id}.{floor.key}: tighten only"
    spec = registry.checks().get(entry.id)
    for key, option in sorted(spec.options.items()) if spec else ():
        if entry.floor(key) is None:
            default = "" if option.default is None else f" (default {option.default})"
            yield f"checks.{entry.id}.{key}: {option.help}{default}"


def _row_keys(row: Technique) -> list[str]:
    keys = [line for entry in row.checks for line in _keys(entry)]
    return keys + ([f"controls.{row.id}"] if row.kind == "technique" else [])
