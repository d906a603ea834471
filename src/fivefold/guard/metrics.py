"""Metrics: what a guard did so far, in Prometheus' text format; no label holds what a caller wrote.

Source: Prometheus text-based exposition format 0.0.4.
"""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

KIND = "text/plain; version=0.0.4; charset=utf-8"
BOUNDS = (0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0)
"""Upper bounds of a stage's seconds."""
_MOST = 200


class Metrics:
    """Counts; an observer of a guard, see :attr:`fivefold.guard.guard.Guard.observers`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers = self._alarms = 0
        self._refusals: Counter[str] = Counter()
        self._buckets: dict[str, list[int]] = {}
        self._seconds: Counter[str] = Counter()

    def __call__(self, kind: str, fields: Mapping[str, Any]) -> None:
        """Count one: an ``answer``, a ``refusal`` (also one without a record), or an ``alarm``."""
        with self._lock:
            if kind == "answer":
                self._answers += 1
            elif kind == "alarm":
                self._alarms += 1
            else:
                code = str(fields.get("code", ""))
                self._refusals[code if code in self._refusals or len(self._refusals) < _MOST else "other"] += 1
            for stage, cost in fields.get("stages", {}).items():
                self._timed(stage, cost / 1000)

    def _timed(self, stage: str, seconds: float) -> None:
        held = self._buckets.setdefault(stage, [0] * (len(BOUNDS) + 1))
        held[next((at for at, bound in enumerate(BOUNDS) if seconds <= bound), len(BOUNDS))] += 1
        self._seconds[stage] += seconds  # type: ignore[assignment]

    def text(self, gauges: Mapping[str, float]) -> bytes:
        """Return them all.

        Args:
            gauges: Name to what it is now, without the prefix.
        """
        with self._lock:
            lines = [
                *_family("answers_total", "counter", [("", self._answers)]),
                *_family("alarms_total", "counter", [("", self._alarms)]),
                *_family(
                    "refusals_total", "counter",
                    [(f'{{code="{code}"}}', count) for code, count in sorted(self._refusals.items())],
                ),
                *_family("stage_seconds", "histogram", self._histogram()),
            ]  # fmt: skip
        for name, value in gauges.items():
            lines += _family(name, "counter" if name.endswith("_total") else "gauge", [("", value)])
        return ("\n".join(lines) + "\n").encode()

    def _histogram(self) -> list[tuple[str, float]]:
        found: list[tuple[str, float]] = []
        for stage, held in sorted(self._buckets.items()):
            total = 0
            for bound, count in zip((*BOUNDS, "+Inf"), held, strict=True):
                total += count
                found.append((f'_bucket{{stage="{stage}",le="{bound}"}}', total))
            found += [(f'_sum{{stage="{stage}"}}', self._seconds[stage]), (f'_count{{stage="{stage}"}}', total)]
        return found


def _family(name: str, kind: str, samples: Iterable[tuple[str, float]]) -> list[str]:
    name = f"fivefold_guard_{name}"
    return [f"# TYPE {name} {kind}", *(f"{name}{rest} {value:.9g}" for rest, value in samples)]
