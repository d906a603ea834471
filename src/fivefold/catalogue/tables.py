"""The catalogue as Markdown tables for the documentation: ``python -m fivefold.catalogue.tables FILE`` renews them.

A table stands between ``<!-- table: NAME -->`` and ``<!-- end -->``; a test compares what stands there with the data.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from fivefold.catalogue.load import load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from fivefold.catalogue.nouns import Catalogue, Claim, Predicate

_BLOCK = re.compile(r"<!-- table: (\w+) -->\n.*?<!-- end -->", re.DOTALL)


def render(text: str, catalogue: Catalogue) -> str:
    """Return ``text`` with every table between its marks made anew.

    Raises:
        KeyError: There is no table of that name.
    """
    return _BLOCK.sub(
        lambda found: f"<!-- table: {found[1]} -->\n\n{_TABLES[found[1]](catalogue)}\n\n<!-- end -->", text
    )


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _rows(catalogue: Catalogue) -> str:
    def built(checks: int, done: int, *, without: bool) -> str:
        return "no check of its own" if without else f"{done} of {checks}"

    return _table(
        ("row", "what", "state", "checks built"),
        (
            (
                row.id,
                row.title,
                row.state,
                built(len(row.checks), sum(one.state == "built" for one in row.checks), without=not row.checks),
            )
            for row in catalogue.techniques
        ),
    )


def _claims(catalogue: Catalogue) -> str:
    def needs(claim_needs: tuple[tuple[str, ...], ...]) -> str:
        return "; and ".join(" or ".join(any_of) for any_of in claim_needs) or "the technique of each sharing path"

    return _table(
        ("claim", "level", "what is claimed", "needs", "applies"),
        (
            (claim.id, str(claim.level), claim.text, needs(claim.needs), _where(claim, catalogue))
            for claim in catalogue.claims
        ),
    )


def _where(claim: Claim, catalogue: Catalogue) -> str:
    """A claim applies where its own predicate holds and one of the rows that it needs applies."""
    rows = [catalogue.rows[catalogue.members(token)[0].technique] for any_of in claim.needs for token in any_of]
    if claim.applies_when or not all(row.applies_when for row in rows):
        return _predicate(claim.applies_when)
    return f"where {' or '.join(row.id for row in rows)} applies"


def _floors(catalogue: Catalogue) -> str:
    words = {"min": "at least", "max": "at most"}
    return _table(
        ("check", "key", "floor", "of what", "source"),
        (
            (check.id, f"`{floor.key}`", f"{words[floor.direction]} {floor.value:g}", floor.measures, floor.source)
            for check, floor in catalogue.floors()
        ),
    )


def _predicates(catalogue: Catalogue) -> str:
    found = [(row.id, row.applies_when) for row in catalogue.techniques]
    found += [(check.id, check.applies_when) for row in catalogue.techniques for check in row.checks]
    return _table(
        ("row or check", "applies where"), ((name, _predicate(predicate)) for name, predicate in found if predicate)
    )


def _aims(catalogue: Catalogue) -> str:
    return _table(
        ("aim", "what", "rows", "binds"),
        (
            (aim.id, aim.title, ", ".join(aim.rows), "yes" if catalogue.binds(aim) else "not yet")
            for aim in catalogue.aims
        ),
    )


def _predicate(predicate: Predicate) -> str:
    signs = {"eq": "is", "ne": "is not", "in": "is one of", "ge": "at least", "le": "at most"}
    return (
        "; and ".join(
            " or ".join(f"`{one.fact}` {signs[one.operator]} {str(one.value).lower()}" for one in any_of)
            for any_of in predicate
        )
        or "always"
    )


_TABLES: dict[str, Callable[[Catalogue], str]] = {
    "rows": _rows,
    "claims": _claims,
    "floors": _floors,
    "predicates": _predicates,
    "aims": _aims,
}


if __name__ == "__main__":
    for name in sys.argv[1:]:
        page = Path(name)
        page.write_text(render(page.read_text(encoding="utf-8"), load()), encoding="utf-8")
