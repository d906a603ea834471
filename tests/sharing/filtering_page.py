"""Page: what the filters' long run found, as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from benchmarks.filtering import FLOORS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Cell = list[dict[str, Any]]
_NAMES = {"digits": "Digits", "fashion": "Fashion-MNIST", "mnist": "MNIST, held back", "recordings": "Recordings",
          "adult": "Adult census", "clean": "Clean labels"}  # fmt: skip
_HEAD = """# What the filters find, and what is left of the harm

Written by `python -m tests.sharing.filtering_long`; code {code} (SHA-256 over the filters and the benchmark).
Thresholds were chosen on seeds 0 to 2; shown are seeds 3 and up, the mean over them and in brackets the worst.
Without / with 200 trusted rows (recordings: 50). Victim: a network of one layer of 64 (adult: boosted trees), taught
three times each. *Lost*: accuracy after the clean rows less that after the filtered ones.
"""


def page(cells: Mapping[tuple[str, str, float], Cell], rows: list[dict[str, Any]], code: str) -> list[str]:
    """Return the lines of the page."""
    lines = _HEAD.format(code=code).splitlines()
    sets: dict[str, dict[tuple[str, str, float], Cell]] = {}
    for key, cell in cells.items():
        sets.setdefault("clean" if key[1] == "clean" else key[0], {})[key] = cell
    for name, held in sets.items():
        lines += ["", f"## {_NAMES[name]}", "", *_ranked(held), "", *_harm(held), "", *_hit(held)]
    if rows:
        lines += ["", "## Regressions", "", "| | figure | peer | floor | |", "|---|---|---|---|---|"]
        lines += [_row(one) for one in rows]
    return [*lines, ""]


def _row(one: dict[str, Any]) -> str:
    peer = "" if one["peer"] is None else f"{one['peer']:.3g} {one['unit']}"
    figure = one["ours"] if one["peer"] is None else one["ours"] / one["peer"]
    floor = ("at most " if one["direction"] == "max" else "at least ") + f"{one['floor']:g}"
    return f"| {one['name']} | {figure:.3f} | {peer} | {floor if one['required'] else 'stated'} | {one['note']} |"


def _ranked(held: Mapping[tuple[str, str, float], Cell]) -> list[str]:
    art = any(one.get("art") for cell in held.values() for one in cell)
    beside = (" ART: activation clustering | ART: spectral signatures |", "---|---|") if art else ("", "")
    lines = [f"| AUC | draws | none trusted | trusted | floors |{beside[0]}", f"|---|---|---|---|---|{beside[1]}"]
    for key, cell in held.items():
        floors = FLOORS.get(key[:2])
        told = "stated" if floors is None else f"{floors[0] or 'stated'} / {floors[1]}"
        line = f"| {_where(key)} | {len(cell)} | {_both(cell, 'auc', min)} | {told} |"
        if art:
            for name in ("activation clustering", "spectral signatures"):
                values = [one["art"][name]["auc"] for one in cell if one.get("art")]
                line += f" {np.mean(values):.3f} |" if values else " not run |"
        lines.append(line)
    return lines


def _harm(held: Mapping[tuple[str, str, float], Cell]) -> list[str]:
    lines = [
        "| attack success, % | clean | before | after | after, trusted | accuracy, % | before | lost | lost, trusted |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for key, cell in held.items():
        got = [_per_cent(cell, lambda one, at=at: one["success"][at], max if at != 1 else min) for at in range(4)]
        if key[1] == "flip" and key[0] != "fashion":
            got = ["-"] * 4
        right = [_per_cent(cell, lambda one, at=at: one["right"][at], None) for at in (0, 1)]
        lost = [_per_cent(cell, lambda one, at=at: one["right"][0] - one["right"][at], max) for at in (2, 3)]
        lines.append(f"| {_where(key)} | {' | '.join([*got, *right, *lost])} |")
    return lines


def _hit(held: Mapping[tuple[str, str, float], Cell]) -> list[str]:
    lines = [
        "| rows left out, % | bad | trusted | good | trusted | most of | trusted | accuracy lost in | trusted |",
        "|---|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for key, cell in held.items():
        found = [_per_cent(cell, lambda one, at=at, what=what: one[what][at], None)
                 for what in ("caught", "wrongly") for at in (0, 1)]  # fmt: skip
        for what in ("hit", "lost"):
            for at in (0, 1):
                share, name = max(one[what][at] for one in cell)
                found.append(f"{name}: {100 * share:.1f}")
        lines.append(f"| {_where(key)} | {' | '.join(found)} |")
    return lines


def _where(key: tuple[str, str, float]) -> str:
    return f"{key[0] + ', ' if key[1] == 'clean' else ''}{key[1]} {key[2]:.0%}"


def _both(cell: Cell, what: str, worst: Callable[..., float]) -> str:
    parts = [[one[what][at] for one in cell] for at in (0, 1)]
    return " | ".join(f"{np.mean(part):.3f} ({worst(part):.3f})" for part in parts)


def _per_cent(cell: Cell, get: Callable[[dict[str, Any]], float], worst: Callable[..., float] | None) -> str:
    values = [100 * get(one) for one in cell]
    return f"{np.mean(values):.1f}" + ("" if worst is None or len(values) == 1 else f" ({worst(values):.1f})")
