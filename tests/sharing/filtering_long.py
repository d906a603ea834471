"""Long: every cell of the filters' benchmark, a file each under ``build/filtering``; writes filtering.md.

    python -m tests.sharing.filtering_long [--only digits fashion ...] [--seeds 3] [--held-back]

Finished pieces bear the digest of the code, so a run that was stopped goes on. MNIST is only looked at with
``--held-back``, once all else is settled.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.filtering import FIRST, KINDS, RATES, bent, house
from benchmarks.filtering_cells import beside, picture, seen
from benchmarks.filtering_others import recorded, tabled
from benchmarks.peer_env import PeerAbsentError
from tests.truth.battery import REPO, _imported

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.filtering_cells import Attack

FIGURES = REPO / "docs" / "figures" / "filtering.md"
PICTURES = ("digits", "fashion")
SOUNDS = ("patch", "tone", "blend", "flip")
Job = tuple[str, str, float, int]


def digest() -> str:
    """Return SHA-256 over what the figures depend on: the filters, what they import, and the benchmark."""
    own = sorted((REPO / "benchmarks").glob("filtering*.py"))
    within = REPO / "src" / "fivefold"
    state = hashlib.sha256()
    for path in own + sorted(
        one for one in _imported(own) if one.parent in {within / "sharing/filtering", within / "stats"}
    ):
        state.update(path.relative_to(REPO).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return state.hexdigest()


def jobs(only: list[str], seeds: int, *, held_back: bool) -> list[Job]:
    """Return the cells to run, the first seed of all of them first."""
    found: list[Job] = []
    for seed in range(FIRST, FIRST + seeds):
        found += [(name, kind, rate, seed) for name in PICTURES if name in only for kind in KINDS for rate in RATES]
        if "recordings" in only:
            found += [("recordings", kind, rate, seed) for kind in SOUNDS for rate in (0.05, 0.1)]
        if "adult" in only:
            found += [("adult", "two columns", rate, seed) for rate in RATES]
        if "clean" in only:
            found += [(name, "clean", rate, seed) for name in PICTURES for rate in RATES[:2]]
    if held_back:
        found += [("mnist", kind, rate, FIRST) for kind in KINDS for rate in RATES]
    return found


def made(job: Job) -> Attack:
    """Draw the rows of a cell."""
    name, kind, rate, seed = job
    if name == "recordings":
        return recorded(kind, rate, seed)
    return tabled(rate, seed) if name == "adult" else picture(name, kind, rate, seed)


def ask(folder: Path, name: str, make: Callable[[], Any]) -> Any:
    """Return a finished piece, or make it."""
    path = folder / f"{name}.json"
    if not path.exists():
        path.write_text(json.dumps(make()), encoding="utf-8")
        sys.stdout.write(f"{name}: {path.read_text(encoding='utf-8')[:400]}\n")
        sys.stdout.flush()
    return json.loads(path.read_text(encoding="utf-8"))


def main() -> None:
    """Run what is missing and write the page."""
    parser = argparse.ArgumentParser()
    every = [*PICTURES, "recordings", "adult", "clean", "regressions"]
    parser.add_argument("--only", nargs="*", default=every, choices=every)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--held-back", action="store_true")
    parser.add_argument("--out", type=Path, default=FIGURES)
    given = parser.parse_args()
    code = digest()
    folder = REPO / "build" / "filtering" / code[:12]
    folder.mkdir(parents=True, exist_ok=True)
    cells: dict[tuple[str, str, float], list[dict[str, Any]]] = {}
    for job in jobs(given.only, given.seeds, held_back=given.held_back):
        name = "-".join(map(str, job)).replace(" ", "_")
        one = dict(ask(folder, name, lambda job=job: asdict(seen(made(job), job[3]))))
        if job[0] in PICTURES:
            one["art"] = _art(folder, job)
        cells.setdefault(job[:3], []).append(one)
    rows = (
        ask(folder, "regressions", lambda: [asdict(one) for one in bent(range(10)) + house(range(10))])
        if ("regressions" in given.only)
        else []
    )
    if digest() != code:
        sys.exit("The code changed meanwhile; run again.")
    given.out.write_text("\n".join(page(cells, rows, code)), encoding="utf-8")


def _art(folder: Path, job: Job) -> dict[str, dict[str, float]]:
    try:
        return dict(ask(folder, "art-" + "-".join(map(str, job)), lambda: beside([made(job)])[0]))
    except PeerAbsentError as error:
        sys.stderr.write(f"{error}\n")
        return {}


if __name__ == "__main__":
    from tests.sharing.filtering_page import page

    main()
