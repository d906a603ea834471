"""Long: bars of 100 generated subjects with known Shapley values, a file each under ``build/bars``; writes the page.

    python -m tests.explanation.planted_long [--subjects 100] [--repeats 200] [--page]

Finished subjects bear the digest of the code, so a run that was stopped goes on. Exit 1 where a kind misses the rule.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

from tests.explanation.planted_subjects import KINDS, LOW, WIDE, bars, covered
from tests.truth.battery import REPO, _imported

FIGURES = REPO / "docs" / "figures" / "shapley-bars.md"
RULE = f"lower bound of the coverage at least {LOW:.0%}, clustered by row; mean width at most {WIDE} times 1.96 SD"


def digest() -> str:
    """Return SHA-256 over what the figures depend on: the subjects, the explainer, and the statistics they import."""
    own = [REPO / "tests" / "explanation" / "planted_subjects.py"]
    rooms = [REPO / "src" / "fivefold" / name for name in ("explanation", "stats")]
    more = sorted(one for one in _imported(own) if one.parent in rooms)
    state = hashlib.sha256()
    for path in own + more:
        state.update(path.relative_to(REPO).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return state.hexdigest()


def met(told: dict[str, float]) -> bool:
    """Return whether a row of the page keeps the rule."""
    return told["by row"] >= LOW and told["width"] <= WIDE


def page(found: list[dict[str, Any]], code: str, repeats: int) -> list[str]:
    """Return the lines of the page."""
    lines = [
        "# How often bars of Shapley values cover the truth",
        "",
        f"Written by `python -m tests.explanation.planted_long`; code {code} (SHA-256 over the subjects, the explainer",
        f"and its statistics). {len(found)} generated subjects of 3 to 30 columns over 40 to 300 background rows,",
        f"each explained {repeats} times (16, 64 or 256 pairs): bars of nominally 95 %, cells whose estimate never is",
        "off left out. Truth: the formula of a sum; each product of two or three columns enumerated by itself; all",
        f"coalitions where tanh bends the whole. Rule, for each kind: {RULE}.",
        "",
        "| subjects | number | bars | coverage | low by row | by subject | least | width / 1.96 SD | widest | rule |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    cuts = [(kind, [one for one in found if one["kind"] == kind]) for kind in KINDS]
    cuts += [(f"{pairs} pairs", [one for one in found if one["pairs"] == pairs]) for pairs in (16, 64, 256)]
    cuts += [("3 to 12 columns", [one for one in found if one["players"] <= 12]),
             ("13 to 30 columns", [one for one in found if one["players"] > 12]), ("all", found)]  # fmt: skip
    for name, part in cuts:
        some = [one for one in part if sum(one["bars"])]
        if some:
            told = covered(some)
            lines.append(
                f"| {name} | {len(some)} | {told['bars']:,.0f} | {told['coverage']:.1%} | {told['by row']:.1%} "
                f"| {told['by subject']:.1%} | {told['least']:.1%} | {told['width']:.2f} | {told['widest']:.2f} "
                f"| {'met' if met(told) else 'missed'} |"
            )
    return [*lines, ""]


def main() -> int:
    """Run what is missing and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subjects", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--out", type=Path, default=FIGURES)
    parser.add_argument("--page", action="store_true", help="write the page of what is finished")
    given = parser.parse_args()
    code = digest()
    folder = REPO / "build" / "bars" / f"{code[:12]}-{given.repeats}"
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for at in range(given.subjects):
        kind, path = KINDS[at % len(KINDS)], folder / f"{at}.json"
        if not path.exists() and not given.page:
            part = path.with_suffix(f".{os.getpid()}.part")
            part.write_text(json.dumps(bars(kind, at // len(KINDS), given.repeats)), encoding="utf-8")
            part.rename(path)
            sys.stderr.write(f"{kind} {at // len(KINDS)}\n")
        if path.exists():
            found.append(json.loads(path.read_text(encoding="utf-8")))
    if digest() != code:
        sys.exit("The code changed meanwhile; run again.")
    given.out.write_text("\n".join(page(found, code, given.repeats)), encoding="utf-8")
    return int(not all(met(covered([one for one in found if one["kind"] == kind])) for kind in KINDS))


if __name__ == "__main__":
    sys.exit(main())
