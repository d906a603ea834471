"""Long: the privacy ledger under 64 processes that are killed, and the float battery in full.

``python -m tests.sharing.privacy_long`` writes ``docs/figures/privacy.md``.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
from benchmarks.dp import PINS
from benchmarks.peer_env import PeerAbsentError, ensure
from tests.servers import postgres
from tests.store.test_spent import storm

from fivefold.sharing.privacy import measured, noise, tables
from fivefold.sharing.privacy.bits import events
from fivefold.store.server import Database

FIGURE = Path(__file__).resolve().parents[2] / "docs" / "figures" / "privacy.md"
_PROCESSES, _BUDGET, _KILLS, _SECONDS = 64, 10_000, 64, 60.0
_TRIALS = 1 << 20


def _storm(place: Path | Database, what: str, folder: Path) -> str:
    begun = time.perf_counter()
    told, spent = storm(place, folder / "told", _PROCESSES, _BUDGET, _KILLS, _SECONDS)
    kept = {entry.id for entry in spent.entries()}
    budget = spent.budget("register")
    spent.close()
    assert budget is not None
    lost, over = len(told - kept), max(0, budget.spent_rho - _BUDGET)
    odd = abs(budget.spent_rho - len(kept))
    seconds = time.perf_counter() - begun
    return f"| {what} | {len(told):,} | {len(kept):,} | {over} | {lost} | {odd} | {seconds:.0f} s |"


def _ours(kind: str, scale: Fraction) -> int:
    law = tables.gaussian(scale) if kind == "gaussian" else tables.laplace(scale)
    epsilon = float(1 / scale)
    claim = (epsilon, 1e-6) if kind == "laplace" else measured.claim_of(round(0.5e9 / float(scale)))
    first, second = (noise.sample(law, _TRIALS).astype(float) + at for at in (0.0, 1.0))
    return sum(event.told for event in events(first, second, (0.0, 1.0), law.deviation, claim))


def _theirs(kind: str, scale: float) -> int:
    draw = getattr(np.random.default_rng(1), kind)
    claim = (1 / scale, 0.0) if kind == "laplace" else measured.claim_of(round(0.5e9 / scale**2))
    first, second = (draw(at, scale, _TRIALS) for at in (0.0, 1.0))
    return sum(event.told for event in events(first, second, (0.0, 1.0), scale, claim))


_OPACUS = """
import sys, numpy, torch
from opacus.optimizers.optimizer import _generate_noise
torch.manual_seed(1)
scale, count = float(sys.argv[1]), int(sys.argv[2])
both = [place + _generate_noise(scale, torch.zeros(count)) for place in (0.0, 1.0)]
numpy.save(sys.argv[3], numpy.stack([one.numpy() for one in both]))
"""


def _opacus(scale: float, folder: Path) -> str:
    """Return how many events tell sums with Opacus' default noise (float32) apart, or why it was not tried."""
    try:
        peer, out = ensure("dp", PINS), folder / "opacus.npy"
    except PeerAbsentError as error:
        return f"not tried: {error}"
    subprocess.run([peer, "-c", _OPACUS, str(scale), str(_TRIALS), out], check=True)
    first, second = np.load(out).astype(float)
    claim = measured.claim_of(round(0.5e9 / scale**2))
    return str(sum(event.told for event in events(first, second, (0.0, 1.0), scale, claim)))


def _digest() -> str:
    """Return the SHA-256 over names and bytes of the code that is measured."""
    root, found = Path(measured.__file__).parent, hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        found.update(f"{path.relative_to(root)}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return found.hexdigest()


def main() -> int:
    """Run all and write the page."""
    head = (
        f"{_PROCESSES} processes reserve one unit each from a budget of {_BUDGET:,}; {_KILLS} of them are killed "
        "(SIGKILL) at moments spread over a minute and replaced. `told`: reservations that a process was told stand; "
        "`kept`: those in the ledger afterwards, also those of processes that were killed before they could say so; "
        "`overdrawn`: units spent beyond the budget; `lost`: told and not kept; `odd`: spent and not explained."
    )
    lines = ["# Privacy: the ledger under fire, and the float battery", "", head, ""]
    lines += ["| ledger | told | kept | overdrawn | lost | odd | time |", "|---|---|---|---|---|---|---|"]
    with tempfile.TemporaryDirectory() as folder:
        lines.append(_storm(Path(folder) / "spent.sqlite", "SQLite", Path(folder)))
    with tempfile.TemporaryDirectory() as folder, postgres() as server:
        lines.append(_storm(Database(server.fresh()), "PostgreSQL", Path(folder)))
    lines += [
        "", f"Events in low-order bits that tell two neighbours apart, in 2 x {_TRIALS:,} answers each:", "",
        "| noise | scale | events |", "|---|---|---|",
    ]  # fmt: skip
    for kind, scale in (("gaussian", Fraction(1)), ("gaussian", Fraction(9)), ("gaussian", Fraction(10_000)),
                        ("laplace", Fraction(1)), ("laplace", Fraction(20)), ("laplace", Fraction(500))):  # fmt: skip
        width = scale if kind == "laplace" else Fraction(round(float(scale) ** 0.5))
        lines.append(f"| ours, discrete {kind} | {width} | {_ours(kind, scale)} |")
    for kind in ("laplace", "normal"):
        lines += [f"| numpy, {kind} | {scale:g} | {_theirs(kind, scale)} |" for scale in (1.0, 3.0, 20.0, 100.0)]
    with tempfile.TemporaryDirectory() as folder:
        lines += [f"| Opacus' default, normal in float32 | {scale:g} | {_opacus(scale, Path(folder))} |"
                  for scale in (1.0, 3.0)]  # fmt: skip
    lines += ["", f"Code of `fivefold/sharing/privacy`: SHA-256 `{_digest()}` (over names and digests of its files)."]
    FIGURE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
