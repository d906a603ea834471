"""Simulate a mobile network's alarm windows with known root causes; writes data/{train,calibration,test}.csv.

    python simulate.py

The network: 6 core nodes, 30 aggregation nodes, 240 sites, as a tree, each site with a region, a vendor and a backhaul
(fibre or microwave). An incident has one root cause and spreads over the tree as such causes do; what operations sees
of it is a window of 15 minutes: how many alarms of each kind, where in the tree, which came first, and the
measurements of that quarter of an hour. Alarms get lost, unrelated ones mix in, and telemetry is missing at times.
Nothing here is taken from a real network.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

CAUSES = ("power-failure", "link-cut", "hardware-fault", "misconfiguration", "congestion", "weather")
SHARES = (0.24, 0.16, 0.20, 0.12, 0.18, 0.10)
ALARMS = ("mains_lost", "battery_low", "link_down", "bit_errors", "board_fault", "cell_down", "high_load", "kpi_drop")
SIZES = {"train": 3200, "calibration": 800, "test": 2400}
#                      mains  batt  link  bits  board cell  load  kpi
RATES = np.array([
    [2.6, 1.8, 1.4, 0.1, 0.1, 2.2, 0.2, 0.6],  # power-failure
    [0.1, 0.1, 3.2, 0.5, 0.1, 2.4, 0.7, 0.8],  # link-cut
    [0.1, 0.1, 0.5, 0.4, 2.0, 1.3, 0.2, 0.7],  # hardware-fault
    [0.0, 0.0, 0.3, 0.1, 0.2, 0.7, 0.5, 2.4],  # misconfiguration
    [0.0, 0.0, 0.2, 0.2, 0.1, 0.3, 2.8, 1.9],  # congestion
    [0.4, 0.2, 0.9, 2.6, 0.1, 0.8, 0.3, 1.0],  # weather
])  # fmt: skip
"""Mean number of alarms of each kind per affected site, by cause."""

REGIONS = ("north", "coast", "valley", "city")
VENDORS = ("A", "B", "C")


def incidents(rng: np.random.Generator, n: int) -> pd.DataFrame:
    """Return n windows, one line each, with their root cause."""
    cause = rng.choice(len(CAUSES), n, p=SHARES)
    region = rng.choice(len(REGIONS), n, p=(0.2, 0.25, 0.2, 0.35))
    microwave = rng.random(n) < np.array([0.6, 0.4, 0.5, 0.15])[region]
    storm = rng.random(n) < np.where(cause == 5, 0.8, np.where(cause == 0, 0.3, 0.12))
    cause = np.where((cause == 5) & ~microwave & (rng.random(n) < 0.7), 1, cause)
    spread = np.array([3.0, 6.0, 1.2, 2.0, 2.5, 4.0])[cause]
    sites = 1 + rng.poisson(spread * rng.lognormal(0.0, 0.5, n))
    rates = 0.6 * RATES[cause] + 0.4 * RATES.mean(axis=0)
    counts = rng.poisson(rates * sites[:, None] * rng.lognormal(0.0, 0.6, (n, len(ALARMS))))
    counts = rng.binomial(counts, 0.7) + rng.poisson(0.5, counts.shape)
    hour = np.where(cause == 4, (18 + rng.normal(0, 2.5, n)) % 24, rng.uniform(0, 24, n)).round(1)
    load = np.clip(rng.normal(0.45, 0.15, n) + 0.2 * np.exp(-(((hour - 19) / 4) ** 2)) + 0.25 * (cause == 4), 0.02, 1.0)
    change = np.where(cause == 3, rng.exponential(3.0, n), rng.exponential(60.0, n))
    frame = pd.DataFrame({f"n_{name}": counts[:, at] for at, name in enumerate(ALARMS)})
    frame["sites"] = sites
    frame["tree_depth"] = np.clip(np.where(cause == 1, rng.integers(1, 3, n), rng.integers(2, 4, n)), 1, 3)
    order = rng.exponential(1.0, counts.shape) / (counts + 0.02)
    frame["first_alarm"] = np.array(ALARMS)[order.argmin(axis=1)]
    frame["hour"] = hour
    frame["load"] = load.round(3)
    frame["hours_since_change"] = change.round(1)
    frame["temperature_c"] = (rng.normal(24, 6, n) + 9 * (cause == 2) * (rng.random(n) < 0.5)).round(1)
    frame["wind_ms"] = np.where(storm, rng.gamma(9.0, 2.0, n), rng.gamma(3.0, 1.5, n)).round(1)
    frame["backhaul"] = np.where(microwave, "microwave", "fibre")
    frame["vendor"] = np.array(VENDORS)[rng.choice(3, n, p=(0.5, 0.3, 0.2))]
    frame["region"] = np.array(REGIONS)[region]
    for column, share in (("temperature_c", 0.08), ("wind_ms", 0.12), ("load", 0.04)):
        frame.loc[rng.random(n) < share, column] = np.nan
    frame["root_cause"] = np.array(CAUSES)[cause]
    return frame


def main() -> None:
    """Write the three files."""
    rng = np.random.Generator(np.random.PCG64(2026))
    folder = Path(__file__).parent / "data"
    folder.mkdir(exist_ok=True)
    for name, rows in SIZES.items():
        incidents(rng, rows).to_csv(folder / f"{name}.csv", index=False)


if __name__ == "__main__":
    main()
