"""Every variant of the census by sealed attempts: `python -m tests.examples.census_long`, some minutes."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.examples.census_variants import VARIANTS, made

SEEDS = 3


def claims(folder: Path, effort: str = "standard") -> dict[str, str]:
    """Return claim to its status, by a sealed attempt."""
    command = [sys.executable, "-m", "fivefold", "assess", str(folder), "--effort", effort, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1800, check=False)
    told = json.loads(done.stdout)
    return {claim["claim"]: claim["status"] for claim in told.get("verdict", told)["claims"]}


def main() -> None:
    """Print each variant with what its attempts said; leave with 1 where one said anything else than it should."""
    wrong = 0
    with tempfile.TemporaryDirectory() as place:
        for name, variant in {"as it is": None, **VARIANTS}.items():
            wanted = {"1a": "satisfied", "1b": "satisfied", "1c": "blocked"}
            wanted |= {variant.claim: "blocked"} if variant else {}
            for seed in range(SEEDS):
                said = claims(made(Path(place) / f"{name}-{seed}".replace(" ", "-"), variant, seed))
                wrong += said != wanted
                print(f"{name}, {seed}: {said} {'' if said == wanted else 'WRONG'}", flush=True)  # noqa: T201
    sys.exit(int(wrong > 0))


if __name__ == "__main__":
    main()
