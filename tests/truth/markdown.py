"""Markdown: the battery's counts as tables for people."""

from __future__ import annotations

from typing import Any

_HEADS = {
    "planted": "Planted at the documented size (must fail)",
    "clean": "Clean (must not fail, seldom inconclusive)",
    "between": "Between the floor and the documented size (a pass is wrong, at most 5 %)",
    "small": "Small samples of an unfair subject (a pass is wrong, at most 5 %)",
    "shown": "Shown without a demand",
}


def page(found: dict[str, Any]) -> str:
    """Return one check's page."""
    lines = [
        f"# Truth battery: {found['check']}",
        "",
        f"Documented size: {found['documented']}.",
        "",
        _heading(found),
        "",
        "| decision | count | of | demand | verdict |",
        "|---|---|---|---|---|",
    ]
    for item in found["decisions"]:
        demand = f"at {'least' if item['direction'] == 'min' else 'most'} {100 * item['demand']:g} %"
        lines.append(f"| {item['what']} | {item['count']} | {item['n']} | {demand} | {item['verdict']} |")
    for part, head in _HEADS.items():
        cells = [cell for cell in found["cells"] if cell["part"] == part]
        if not cells:
            continue
        lines += ["", f"## {head}", "", "| subjects | n | fail | pass | inconclusive | other | canary unnoticed |"]
        lines.append("|---|---|---|---|---|---|---|")
        for cell in cells:
            outcomes = dict(cell["outcomes"])
            shown = [outcomes.pop(key, 0) for key in ("fail", "pass", "inconclusive")]
            row = (cell["kind"], cell["n"], *shown, sum(outcomes.values()), cell["unnoticed"])
            lines.append("| " + " | ".join(str(value) for value in row) + " |")
    return "\n".join(lines) + "\n"


def _heading(found: dict[str, Any]) -> str:
    both = f"{found['subjects']} planted and {found['subjects']} clean subjects"
    return f"{both}, seed {found['seed']}, code `{found['code'][:16]}`."
