"""Battery: run a check's subjects, count what it said, decide by one-sided 95 % bounds."""

from __future__ import annotations

import ast
import hashlib
import shutil
import tempfile
import time
import zlib
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from fivefold.contract.codec import canonical
from fivefold.contract.outcome import Outcome
from fivefold.contract.registry import checks, packs, resolve
from fivefold.errors import FivefoldError
from fivefold.stats.proportion import clopper_pearson

from .entries import MODULES
from .floors import floors

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fivefold.contract.registry import CheckSpec

    from .entry import Entry, Make

REPO = Path(__file__).resolve().parent.parent.parent
PARTS = ("planted", "clean", "between", "small", "shown")


@dataclass
class Cell:
    """One kind of subject and what the check said of it."""

    part: str
    kind: str
    outcomes: Counter[str] = field(default_factory=Counter)
    unnoticed: int = 0
    seconds: float = 0.0
    odd: list[str] = field(default_factory=list)

    @property
    def n(self) -> int:
        return sum(self.outcomes.values())

    def plain(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return vars(self) | {"n": self.n, "outcomes": dict(sorted(self.outcomes.items()))}


@dataclass(frozen=True)
class Decision:
    """A rate against its demand: ``met`` or ``refuted`` by the one-sided 95 % bound, else ``open``."""

    what: str
    count: int
    n: int
    demand: float
    direction: str
    verdict: str


def seed_of(seed: int, check: str, kind: str, index: int) -> int:
    """Return the seed of one subject."""
    return int(np.random.SeedSequence([seed, zlib.crc32(f"{check}/{kind}".encode()), index]).generate_state(1)[0])


_BORROWED = {"T3.accusation": ("printed", "taught", "weights_marked"), "T3.fingerprint": ("taught",)}
"""Modules of this package that make subjects for another's entry."""


def code_digest(check: str) -> str:
    """Return SHA-256 over what a check's counts depend on: its module, what that imports, floors, its subjects.

    Of other rooms only those that do numeric steps; not the nouns of the contract, for what is handed to a check counts
    by what the check does with it.
    """
    spec = checks()[check]
    module = Path(*spec.implementation.partition(":")[0].split("."))
    folder = module.parent
    below = ["contract", "stats", "subject/possible", folder.relative_to("fivefold").as_posix()]
    if "traceability" in folder.parts:
        below += ["keys", "evidence/oms.py", "evidence/envelope.py", "evidence/signed_set.py"]
    if folder.name == "personal":
        below += ["governance/quality/reading.py"]
    if folder.name in ("attribute", "property"):
        below += ["protection/membership"]
    if folder.name == "property":
        below += ["protection/attribute/levels.py"]
    if folder.name in ("operating", "corruption", "faults", "property", "backdoor"):
        below += ["protection/accuracy/sample.py"]
    if "explanation" in folder.parts:
        below += [f"explanation/{name}.py" for name in ("asking", "explainer", "known", "players", "store", "told")]
    if folder.name == "surrogate":
        below += ["explanation/antehoc"]
    if folder.name == "sensitivity":
        below += ["explanation/permutation/rules.py"]
    if "adaptation" in folder.parts:
        below += ["adaptation/encoding.py", "adaptation/figures.py", "subject/rows.py", "protection"]
    own = [REPO / "src" / module.with_suffix(".py")]
    own += [REPO / "src" / Path(*target.partition(":")[0].split(".")).with_suffix(".py") for target in _used(spec)]
    own += [REPO / "tests" / "truth" / f"{name}.py" for name in ("floors", "subjects", MODULES[check])]
    places = [REPO / "src" / "fivefold" / name for name in (*below, "errors.py")]
    nouns = {REPO / "src" / "fivefold" / "contract" / f"{name}.py" for name in ("check", "finding", "guarded", "plan")}
    found = sorted(_imported(own) - nouns)
    paths = own + [path for path in found if any(path.is_relative_to(place) for place in places)]
    if folder.name == "personal":
        paths += [REPO / "src" / folder / "kinds.toml", REPO / "tests" / "truth" / "odd.py"]
    paths += [REPO / "tests" / "truth" / f"{name}.py" for name in _BORROWED.get(check, ())]
    told = msgspec.to_builtins(spec)
    told.pop("guarded", None)  # who asks behind a guard; these subjects have none
    state = hashlib.sha256(canonical([told, floors(check)]))
    for path in paths:
        state.update(path.relative_to(REPO).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return state.hexdigest()


def _used(spec: CheckSpec) -> list[str]:
    """Return where what a check is handed by name is implemented."""
    provided = {name: target for pack in packs() for name, target in pack.provides.items()}
    return [checks()[name].implementation if name in checks() else provided[name] for name in spec.uses]


def _imported(files: Iterable[Path]) -> set[Path]:
    """Return the modules of fivefold that files import, directly or not, wherever in a file that stands.

    Not the registry: what it says of a check is part of the digest anyway.
    """
    found: set[Path] = set()
    ahead = list(files)
    while ahead:
        for node in ast.walk(ast.parse(ahead.pop().read_text(encoding="utf-8"))):
            if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith("fivefold"):
                continue
            module = REPO / "src" / Path(*str(node.module).split("."))
            names = [module, *(module / name.name for name in node.names)]
            candidates = {path for name in names for path in (name.with_suffix(".py"), name / "__init__.py")}
            new = {path for path in candidates if path.is_file() and path.name != "registry.py"} - found
            found |= new
            ahead += new
    return found


def run(entry: Entry, subjects: int, seed: int, parts: tuple[str, ...] = PARTS) -> list[Cell]:
    """Run ``subjects`` planted and as many clean ones, spread over their kinds; fewer in each other cell."""
    return [
        run_cell(entry, part, kind, [seed_of(seed, entry.check, kind, index) for index in range(count)])
        for part, kind, count in plan(entry, subjects, parts)
    ]


def plan(entry: Entry, subjects: int, parts: tuple[str, ...] = PARTS) -> list[tuple[str, str, int]]:
    """Return how many subjects of each part and kind make up a run."""
    cells = []
    for part in parts:
        kinds = list(getattr(entry, part))
        for position, kind in enumerate(kinds):
            share = subjects // len(kinds) + (position < subjects % len(kinds))
            count = share if part in ("planted", "clean") else max(1, subjects // entry.thinned)
            cells.append((part, kind, count))
    return cells


def run_cell(entry: Entry, part: str, kind: str, seeds: list[int]) -> Cell:
    """Put the subjects of one kind before the real check."""
    make: Make = getattr(entry, part)[kind]
    check, cell, began = resolve(entry.check), Cell(part, kind), time.process_time()
    for seed in seeds:
        context = make(seed)
        try:
            result = check(context)
            cell.outcomes[str(result.outcome)] += 1
            cell.unnoticed += result.canary is not None and not result.canary.noticed
            wanted = {"planted": Outcome.FAIL, "clean": Outcome.PASS}.get(part, result.outcome)
            if result.outcome is not wanted and len(cell.odd) < 5:
                cell.odd.append(f"seed {seed}: {result.outcome}: {result.reason[:200]}")
        except FivefoldError as error:
            cell.outcomes["error"] += 1
            if len(cell.odd) < 5:
                cell.odd.append(f"seed {seed}: {error.code}: {error}")
        finally:
            if entry.scratch and context.scratch is not None:
                _clear(context.scratch.parent)
    cell.seconds = time.process_time() - began
    return cell


def _clear(folder: Path) -> None:
    """Delete a subject's folder, which its maker made beside no other.

    Raises:
        ValueError: It is the folder for everybody's temporary files, or one above it.
    """
    shared = Path(tempfile.gettempdir()).resolve()
    if shared.is_relative_to(folder.resolve()):
        raise ValueError(f"{folder} is not a subject's own folder.")
    shutil.rmtree(folder)


def decide(entry: Entry, cells: list[Cell]) -> list[Decision]:
    """Compare the counts with what the check must reach."""

    def count(part: str, outcome: str) -> int:
        return sum(cell.outcomes[outcome] for cell in cells if cell.part == part)

    planted = sum(cell.n for cell in cells if cell.part == "planted")
    clean = sum(cell.n for cell in cells if cell.part == "clean")
    rates = entry.rates
    made = []
    if planted:
        made += [
            _decide("found", count("planted", "fail"), planted, rates.found, "min", entry),
            _decide("wrong passes", count("planted", "pass"), planted, 0.005, "max", entry),
        ]
    if clean:
        made.append(_decide("false alarms", count("clean", "fail"), clean, rates.alarms, "max", entry))
    for cell in cells:
        if cell.part == "clean" and cell.n and rates.inconclusive is not None:
            stuck = cell.n - cell.outcomes["pass"] - cell.outcomes["fail"]
            made.append(_point(f"inconclusive: {cell.kind}", stuck, cell.n, rates.inconclusive))
        if cell.part in ("between", "small") and cell.n:
            what = f"wrong passes, {cell.kind}"
            made.append(_point(what, cell.outcomes["pass"], cell.n, rates.wrong_between))
    return made


def _decide(what: str, count: int, n: int, demand: float, direction: str, entry: Entry) -> Decision:
    if entry.rates.as_points:
        good = count / n >= demand if direction == "min" else count / n <= demand
        return Decision(what, count, n, demand, direction, "met" if good else "refuted")
    low, high = (float(bound) for bound in clopper_pearson(count, n))
    if direction == "min":
        verdict = "met" if low >= demand else "refuted" if high < demand else "open"
    else:
        verdict = "met" if high <= demand else "refuted" if low > demand else "open"
    return Decision(what, count, n, demand, direction, verdict)


def _point(what: str, count: int, n: int, demand: float) -> Decision:
    low = float(clopper_pearson(count, n)[0])
    verdict = "met" if count / n <= demand else "refuted" if low > demand else "open"
    return Decision(what, count, n, demand, "max", verdict)


def document(entry: Entry, cells: list[Cell], subjects: int, seed: int) -> dict[str, Any]:
    """Return everything as plain values for JSON."""
    return {
        "check": entry.check,
        "documented": entry.documented,
        "subjects": subjects,
        "seed": seed,
        "code": code_digest(entry.check),
        "cells": [cell.plain() for cell in cells],
        "decisions": [asdict(decision) for decision in decide(entry, cells)],
    }
