"""Power of the detector of theft and of shaping, on real data; writes ``docs/figures/theft.json`` and ``theft.md``.

``python -m tests.protection.power_theft PART [--subject NAME] [--runs N]`` (parts: ``--help``); each part is kept
in the JSON file and the page is written anew from all of them. Run from the repository's root, with the data beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from typing import TYPE_CHECKING, Any

import numpy as np
from tests.protection import theft_page
from tests.protection.theft_subjects import network, preys, take, thief
from tests.truth.battery import REPO, code_digest

from fivefold.protection.extraction import students
from fivefold.protection.extraction.answers import Voice
from fivefold.protection.theft import attacks, learning, traffic
from fivefold.protection.theft.detector import Detector
from fivefold.protection.theft.shaping import Shaping, identities
from fivefold.protection.theft.stream import Honest, Stream

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.protection.theft_subjects import Prey, Thief

FIGURES = REPO / "docs" / "figures"
GRID = (50, 75, 100, 150, 200, 300, 400, 600, 800, 1200, 1600, 2400, 3200, 4800)
LONG = (*GRID, 6400, 9600, 12_800, 19_200)
"""Questions of a thief whom nobody notices."""
WAYS = {"alone": 0, "1:1": 1, "1:9": 9, "50 accounts": 0, "50 accounts beside 50 honest new ones": 0}
SHAPES = {
    "full": Shaping(), "labels": None, "decimals 2": Shaping(decimals=2), "decimals 1": Shaping(decimals=1),
    "top 1, decimals 1": Shaping(top=1, decimals=1), "noise 0.5, decimals 2": Shaping(noise=0.5, decimals=2),
    "noise 1, decimals 1": Shaping(noise=1.0, decimals=1), "noise 1.5, decimals 1": Shaping(noise=1.5, decimals=1),
    "noise 2, decimals 1": Shaping(noise=2.0, decimals=1),
    "top 1, noise 1.5, decimals 1": Shaping(top=1, noise=1.5, decimals=1),
}  # fmt: skip
HIDDEN = {
    "19 honest questions beside each": (1, 19, 0), "49 beside each": (1, 49, 0),
    "10 accounts that asked 300 honest questions before": (10, 0, 300), "50 such accounts": (50, 0, 300),
}  # fmt: skip
"""How a thief hides: accounts, honest questions beside each of his, honest questions of each account before."""
_CAP = 400


def stream(prey: Prey, who: Thief, kind: str, most: int, rng: np.random.Generator) -> tuple[Any, np.ndarray]:
    """Return the first questions of an attack, and the answers."""
    asking, rows, told = attacks.KINDS[kind](who.start, rng), [], []
    try:
        values, origin = next(asking)
        while sum(map(len, told)) < most:
            rows.append(who.rows(values, origin))
            told.append(prey.scores(rows[-1]))
            values, origin = asking.send(told[-1])
    except StopIteration:
        pass
    joined = np.concatenate(rows) if isinstance(rows[0], np.ndarray) else _joined(rows)
    return take(joined, np.arange(min(most, len(joined)))), np.concatenate(told)[:most]


def _joined(rows: list[Any]) -> Any:
    import pandas as pd

    return pd.concat(rows, ignore_index=True)


def copies(prey: Prey, who: Thief, voice: Voice, seed: int) -> dict[str, Callable[[Any, np.ndarray], Any]]:
    """Return students: rows and answers to a function from rows to scores, or None."""
    names = ("linear", "logistic", "boosted", "forest") if prey.classes == 2 else ("logistic", "forest")

    def usual(name: str) -> Callable[[Any, np.ndarray], Any]:
        def fit(rows: Any, told: np.ndarray) -> Any:
            made = students.fit(name, who.inputs(rows), told, voice, seed)
            return None if made is None else lambda asked: made(who.inputs(asked))

        return fit

    made = {name: usual(name) for name in names}
    if prey.classes > 2:
        made["network"] = lambda rows, told: network(rows, told, seed, max(10, min(60, 40_000 // len(rows))))
    return made


def blind(prey: Prey, who: Thief, held: Any, said: np.ndarray) -> float:
    """Return the fidelity of the best copy from public rows and labels alone."""
    labels = np.eye(prey.classes)[who.labels]
    public = who.table.features if who.table.inputs is None else who.table.inputs
    voice = Voice("labels", prey.classes)
    made = [fit(public, labels) for fit in copies(prey, who, voice, 0).values()]
    found = [float((one(held).argmax(axis=1) == said).mean()) for one in made if one is not None]
    return max(*found, float((said == np.bincount(said).argmax()).mean()))


def need(prey: Prey, runs: int) -> dict[str, Any]:
    """Return, for each attack, fidelity against questions of a thief nobody stops, the best of runs and students."""
    held = take(prey.held, np.arange(5000))
    said = prey.scores(held).argmax(axis=1)
    found: dict[str, Any] = {}
    for kind in attacks.KINDS:
        curve: dict[int, float] = {}
        for run in range(runs):
            rng = np.random.default_rng([1, run])
            who = thief(prey, rng)
            rows, told = stream(prey, who, kind, GRID[-1], rng)
            base = blind(prey, who, held, said)
            if kind == "equation solving":
                solved = students.solved(who.inputs(rows), told, who.start.voice)
                raw = float((solved(who.inputs(held)).argmax(axis=1) == said).mean()) if solved else 0.0
                curve[len(rows)] = max(curve.get(len(rows), -9.0), (raw - base) / (1 - base))
                continue
            for count in GRID[:: 1 if prey.classes == 2 else 3] + GRID[-1:]:
                part = take(rows, np.arange(min(count, len(rows))))
                made = [fit(part, told[: len(part)]) for fit in copies(prey, who, who.start.voice, run).values()]
                raw = max(float((one(held).argmax(axis=1) == said).mean()) for one in made if one is not None)
                curve[count] = max(curve.get(count, -9.0), (raw - base) / (1 - base))
        enough = [count for count, value in sorted(curve.items()) if value >= 0.9]
        found[kind] = {"curve": sorted(curve.items()), "need": enough[0] if enough else None, "runs": runs}
    return found


def answered(detector: Detector, cells: Any, unlike: np.ndarray, way: str, beside: tuple[Any, np.ndarray]) -> int:
    """Return how many questions of an attack were answered before nothing more was."""
    count, at, others = 0, 0, WAYS[way]
    for row in range(len(cells)):
        part = slice(row, row + 1)
        name = f"thief {row % 50}" if way.startswith("50") else "thief"
        if "honest" in way:
            detector.screened(f"honest {row % 50}", beside[0].take(part), beside[1][part])
        for _ in range(others):
            detector.screened(name, beside[0].take(slice(at, at + 1)), beside[1][at : at + 1])
            at += 1
        state = detector.screened(name, cells.take(part), unlike[part])
        if state == "flagged" and not way.startswith("50"):
            return count
        count += state == "passed"
    return count


def kept(name: str, make: Callable[[], Any]) -> Any:
    """Return a piece of a long run that was made before by the same code, or make and keep it."""
    folder = REPO / "build" / "theft" / code_digest("P2.detection")
    file = folder / f"{name.replace(' ', '-').replace(',', '')}.json"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(f".{os.getpid()}")
        part.write_text(json.dumps(make()))
        part.rename(file)
    return json.loads(file.read_text())


def detect(prey: Prey, runs: int) -> dict[str, Any]:
    """Return, for each attack and way, how many questions were answered in each run."""
    found: dict[str, Any] = {kind: {way: [] for way in WAYS} for kind in attacks.KINDS}
    asked: dict[str, list[int]] = {kind: [] for kind in attacks.KINDS}
    for start in range(0, runs, 10):
        numbers = range(start, min(start + 10, runs))
        told = kept(f"detect {prey.name} {start}-{numbers[-1]}", lambda numbers=numbers: _detected(prey, numbers))
        for kind in attacks.KINDS:
            asked[kind] += told["asked"][kind]
            for way in WAYS:
                found[kind][way] += told["answered"][kind][way]
    return {"answered": found, "asked": asked, "runs": runs}


def _detected(prey: Prey, runs: range) -> dict[str, Any]:
    """Return what :func:`detect` does, of runs that share what the guard learned."""
    found: dict[str, Any] = {kind: {way: [] for way in WAYS} for kind in attacks.KINDS}
    asked: dict[str, list[int]] = {kind: [] for kind in attacks.KINDS}
    profile = None
    for run in runs:
        rng = np.random.default_rng([2, run])
        if profile is None:
            rows = take(prey.population, np.sort(rng.permutation(len(prey.population))[:8000]))
            profile = learning.learn(rows, rng)
        who = thief(prey, rng)
        for kind in attacks.KINDS:
            rows, _ = stream(prey, who, kind, _CAP, rng)
            asked[kind].append(len(rows))
            cells = profile.coding.cells(rows)
            unlike = profile.unlikely(cells)
            others = traffic.honest(prey.held, "interactive", 9 * len(rows), rng)
            beside = profile.coding.cells(others)
            odd = profile.unlikely(beside)
            for way in WAYS:
                found[kind][way].append(answered(Detector(profile), cells, unlike, way, (beside, odd)))
    return {"answered": found, "asked": asked}


def evade(prey: Prey, runs: int) -> dict[str, Any]:
    """Return how many questions of a thief who hides were answered: behind honest rows, and from accounts of old."""
    found: dict[str, Any] = {}
    for run in range(runs):
        rng = np.random.default_rng([5, run])
        rows = take(prey.population, np.sort(rng.permutation(len(prey.population))[:8000]))
        profile, who = learning.learn(rows, rng), thief(prey, rng)
        for kind, most in (("equation solving", 67), ("uniform noise", 75)):
            rows, _ = stream(prey, who, kind, most, rng)
            cells = profile.coding.cells(rows)
            unlike = profile.unlikely(cells)
            others = traffic.honest(prey.held, "interactive", 15_000, rng)
            beside = profile.coding.cells(others)
            odd = profile.unlikely(beside)
            for how, (accounts, mixed, before) in HIDDEN.items():
                detector, count, at, flagged = Detector(profile), 0, 0, set()
                for name in range(accounts):
                    part = slice(at, at + before)
                    at += before
                    if before:
                        detector.screened(f"thief {name}", beside.take(part), odd[part])
                for row in range(len(cells)):
                    name = f"thief {row % accounts}"
                    part = slice(at, at + mixed)
                    at += mixed
                    if name in flagged:
                        continue
                    if mixed:
                        detector.screened(name, beside.take(part), odd[part])
                    state = detector.screened(name, cells.take(slice(row, row + 1)), unlike[row : row + 1])
                    flagged |= {name} if state == "flagged" else set()
                    count += state == "passed"
                one = found.setdefault(f"{kind}, {how}", {"answered": [], "asked": len(cells), "accounts": accounts})
                one["answered"].append(count)
                one["questions"] = accounts * before + len(cells) * (1 + mixed)
    return found


def benign(prey: Prey, runs: int, count: int) -> dict[str, Any]:
    """Return, for each kind of honest caller, how many of so many were flagged within ``count`` questions."""
    found: dict[str, Any] = {}
    for position, kind in enumerate(traffic.KINDS):
        levels: list[float] = []
        for start in range(0, runs, 50):
            numbers = range(start, min(start + 50, runs))
            name = f"benign {prey.name} {kind} {count} {start}-{numbers[-1]}"
            levels += kept(name, lambda seeds=(position, numbers), kind=kind: _levels(prey, kind, count, *seeds))
        flagged = sum(level >= -np.log(1e-5) for level in levels)
        found[kind] = {"principals": runs, "questions": count, "flagged": int(flagged), "largest": max(levels)}
    return found


def _levels(prey: Prey, kind: str, count: int, position: int, runs: range) -> list[float]:
    """Return the highest evidence against each of some honest callers before whom the guard learned once."""
    levels, profile = [], None
    for run in runs:
        rng = np.random.default_rng([3, position, run])
        if profile is None:
            rows = take(prey.population, np.sort(rng.permutation(len(prey.population))[:8000]))
            profile = learning.learn(rows, rng)
        cells = profile.coding.cells(traffic.honest(prey.held, kind, count, rng))
        levels.append(float(Stream(profile).add(profile, Honest(), cells, profile.unlikely(cells))[0]))
    return levels


def shape(prey: Prey, runs: int, only: str) -> dict[str, Any]:
    """Return fidelity against honest-looking questions for each shaping, and what it costs honest users."""
    shapes = {name: shaping for name, shaping in SHAPES.items() if not only or name in only.split("; ")}
    held = take(prey.held, np.arange(5000))
    scores = prey.scores(held)
    said, truth = scores.argmax(axis=1), prey.truth[:5000]
    grid = LONG if prey.classes == 2 else (100, 300, 600, 1200, 2400, 4800, 9600)
    asked = _asked(prey)
    found: dict[str, Any] = {}
    for name, shaping in shapes.items():
        out = np.eye(prey.classes)[said]
        if shaping is not None:
            out = shaping.scores(scores, identities(held, b"key"))
        cost = {
            "changed": float((out.argmax(axis=1) != said).mean()),
            "brier": float(((out - np.eye(prey.classes)[truth]) ** 2).sum(axis=1).mean()),
            "ece": _ece(out, truth),
        }
        found[name] = {"cost": cost, "curve": [0.0] * len(grid), "grid": grid, "runs": runs}
    for run in range(runs):
        rng = np.random.default_rng([4, run])
        who = thief(prey, rng)
        base = blind(prey, who, held, said)
        rest = take(asked, rng.permutation(len(asked))[: grid[-1]])
        told = prey.scores(rest)
        ids = identities(rest, b"key")
        for name, shaping in shapes.items():
            answers = np.eye(prey.classes)[told.argmax(axis=1)] if shaping is None else shaping.scores(told, ids)
            voice = Voice("labels" if shaping is None else "scores", prey.classes)
            for at, count in enumerate(grid):
                part = take(rest, np.arange(min(count, len(rest))))
                made = [fit(part, answers[: len(part)]) for fit in copies(prey, who, voice, run).values()]
                if shaping is not None:  # a thief may also learn from the labels alone
                    labels = np.eye(prey.classes)[answers[: len(part)].argmax(axis=1)]
                    simple = Voice("labels", prey.classes)
                    made += [fit(part, labels) for fit in copies(prey, who, simple, run).values()]
                raw = max(float((one(held).argmax(axis=1) == said).mean()) for one in made if one is not None)
                found[name]["curve"][at] += (raw - base) / (1 - base) / runs
    return found


def _asked(prey: Prey) -> Any:
    """Return rows that nobody judges copies on; pictures also moved by a pixel each way, since there are but 1,500."""
    parts = [take(prey.held, slice(5000, None)), prey.public]
    if not isinstance(prey.held, np.ndarray):
        return _joined(parts)
    images, steps = np.concatenate(parts), (-1, 0, 1)
    return np.concatenate([np.roll(images, (down, right), axis=(2, 3)) for down in steps for right in steps])


def _ece(scores: np.ndarray, truth: np.ndarray) -> float:
    sure, right = scores.max(axis=1), scores.argmax(axis=1) == truth
    bins = np.minimum((sure * 15).astype(int), 14)
    return float(sum(abs((right[bins == b] - sure[bins == b]).sum()) for b in range(15)) / len(sure))


def cost(prey: Prey) -> dict[str, Any]:
    """Return microseconds of processor time for single rows and batches, and bytes a caller."""
    rows = take(prey.population, np.arange(min(8000, len(prey.population))))
    began = time.thread_time()
    profile = learning.learn(rows, np.random.default_rng(0))
    found: dict[str, Any] = {"learning, s": time.thread_time() - began}
    asked = take(prey.held, np.arange(5000))
    singles = [take(asked, slice(at, at + 1)) for at in range(400)]
    for callers in (100, 100_000):
        detector = Detector(profile, callers=100_000)
        cells, unlike = profile.coding.cells(singles[0]), profile.unlikely(profile.coding.cells(singles[0]))
        for at in range(callers):
            detector.screened(f"old {at}", cells, unlike)
        for at, row in enumerate(singles):  # callers known by now
            detector.screen(f"busy {at % 4}", row)
        began = time.thread_time()
        for at, row in enumerate(singles):
            detector.screen(f"busy {at % 4}", row)
        found[f"single row beside {callers:,} callers, us"] = 1e6 * (time.thread_time() - began) / len(singles)
    detector = Detector(profile)
    began = time.thread_time()
    detector.screen("batch", asked)
    found["row of a batch of 5,000, us"] = 1e6 * (time.thread_time() - began) / len(asked)
    found["bytes a caller, at most"] = detector._callers["batch"].stream.nbytes
    return found


def main() -> None:
    """Run a part and write the page."""
    parser = argparse.ArgumentParser()
    parser.add_argument("part", choices=("need", "detect", "evade", "benign", "shape", "cost", "page"))
    parser.add_argument("--subject", default="")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", default="", help="shapings, with '; ' between them; others are kept")
    parser.add_argument("--questions", type=int, default=10_000)
    told = parser.parse_args()
    path = FIGURES / "theft.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    for name, make in preys().items():
        if told.part == "page" or told.subject not in ("", name):
            continue
        prey = make()
        done = {
            "need": lambda prey=prey: need(prey, told.runs), "detect": lambda prey=prey: detect(prey, told.runs),
            "evade": lambda prey=prey: evade(prey, told.runs),
            "benign": lambda prey=prey: benign(prey, told.runs, told.questions),
            "shape": lambda prey=prey: shape(prey, told.runs, told.only), "cost": lambda prey=prey: cost(prey),
        }[told.part]()  # fmt: skip
        known = json.loads(path.read_text()) if path.exists() else {}  # another part may have been written meanwhile
        part = known.setdefault(told.part, {})
        part[name] = part.get(name, {}) | done if told.only else done
        path.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")
    (FIGURES / "theft.md").write_text(theft_page.page(known))


if __name__ == "__main__":
    main()
