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
from benchmarks.filtering_cells import PEER, beside, picture, seen
from benchmarks.filtering_others import recorded, tabled
from benchmarks.peer_env import PeerAbsentError
from tests.sharing.filtering_page import page
from tests.truth.battery import REPO, _imported

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.filtering_cells import Attack

FIGURES = REPO / "docs" / "figures" / "filtering.md"
PICTURES = ("digits", "fashion")
SOUNDS = ("patch", "tone", "blend", "flip")
Job = tuple[str, str, float, int]


def digest(*, peer: bool = False) -> str:
    """Return SHA-256 over what the figures depend on: the benchmark, and the filters with what they import, or ART."""
    own = sorted((REPO / "benchmarks").glob("filtering_*.py" if peer else "filtering*.py"))
    rooms = {REPO / "src" / "fivefold" / name for name in ("sharing/filtering", "stats")}
    more = [PEER] if peer else sorted(one for one in _imported(own) if one.parent in rooms)
    state = hashlib.sha256()
    for path in own + more:
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


def ask(folder: Path, name: str, make: Callable[[], Any]) -> None:
    """Make a piece, unless it is finished."""
    path = folder / f"{name}.json"
    if path.exists():
        return
    begun = path.with_suffix(".part")
    begun.write_text(json.dumps(make()), encoding="utf-8")
    begun.rename(path)
    sys.stdout.write(f"{name}: {path.read_text(encoding='utf-8')[:400]}\n")
    sys.stdout.flush()


def main() -> None:
    """Run what is missing and write the page."""
    parser = argparse.ArgumentParser()
    every = [*PICTURES, "recordings", "adult", "clean", "regressions"]
    parser.add_argument("--only", nargs="*", default=every, choices=every)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--held-back", action="store_true")
    parser.add_argument("--out", type=Path, default=FIGURES)
    parser.add_argument("--page", action="store_true", help="write the page of what is finished")
    given = parser.parse_args()
    code = digest()
    folders = [REPO / "build" / "filtering" / name for name in (code[:12], f"art-{digest(peer=True)[:12]}")]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    wanted = jobs(given.only, given.seeds, held_back=given.held_back)
    if not given.page:
        run(folders, wanted, regressions="regressions" in given.only)
    if digest() != code:
        sys.exit("The code changed meanwhile; run again.")
    cells: dict[tuple[str, str, float], list[dict[str, Any]]] = {}
    for job in wanted:
        one = finished(folders[0], name_of(job))
        if one is not None:
            cells.setdefault(job[:3], []).append(one | {"art": finished(folders[1], name_of(job))})
    given.out.write_text("\n".join(page(cells, finished(folders[0], "regressions") or [], code)), encoding="utf-8")


def run(folders: list[Path], wanted: list[Job], *, regressions: bool) -> None:
    """Make the pieces that are missing: ours, then ART's."""
    if regressions:
        ask(folders[0], "regressions", lambda: [asdict(one) for one in bent(range(10)) + house(range(10))])
    for job in wanted:
        ask(folders[0], name_of(job), lambda job=job: asdict(seen(made(job), job[3])))
    try:
        for job in wanted:
            if job[0] in PICTURES and job[1] in KINDS:
                ask(folders[1], name_of(job), lambda job=job: beside([made(job)])[0])
    except PeerAbsentError as error:
        sys.stderr.write(f"{error}\n")


def name_of(job: Job) -> str:
    """Return the name of a piece."""
    return "-".join(map(str, job)).replace(" ", "_")


def finished(folder: Path, name: str) -> Any:
    """Return a finished piece; None if it is missing."""
    path = folder / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


if __name__ == "__main__":
    main()
