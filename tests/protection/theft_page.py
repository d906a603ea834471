"""Page: the figures of theft as a page of documentation, made from the JSON file alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fivefold.stats.proportion import clopper_pearson

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEAD = """# Theft: how soon it is noticed

By `python -m tests.protection.power_theft` on real data: a logistic model and boosted trees of the census data (adult),
a convolutional network of 3,500 handwritten digits (mnist), and, for fewer figures, one of clothing
(fashion). The thief has 200 public rows with labels; the detector is
taught by at most 8,000 of the training rows (3,500 digits). **Fidelity is rescaled**: 0 is the best copy that he makes
of his public rows without a question, 1 is the model; on 5,000 rows held back. [Limits](../limits/theft.md).
"""


def page(known: dict[str, Any]) -> str:
    """Return the page."""
    parts = [
        _HEAD,
        *_need(known.get("need", {})),
        *_detect(known),
        *_evade(known.get("evade", {})),
        *_benign(known.get("benign", {})),
    ]
    return "\n".join([*parts, *_shape(known.get("shape", {})), *_cost(known.get("cost", {}))]).rstrip() + "\n"


def _need(found: dict[str, Any]) -> Iterator[str]:
    if not found:
        return
    yield "## Questions needed when nobody watches\n"
    yield "Exact scores; the best of linear, logistic, boosted, forest (digits: logistic, forest, network) copies.\n"
    yield "| model | attack | rescaled fidelity (questions) | needed for 0.90 | thieves |\n|---|---|---|---|---|"
    for name, kinds in found.items():
        for kind, one in kinds.items():
            shown = [pair for pair in one["curve"] if pair[0] in (100, 300, 400, 800, 1200, 4800)] or one["curve"]
            curve = ", ".join(f"{value:.2f} ({count:,})" for count, value in shown)
            need = f"{one['need']:,}" if one["need"] else "not reached"
            yield f"| {name} | {kind} | {curve} | {need} | {one['runs']} |"
    yield ""


def _detect(known: dict[str, Any]) -> Iterator[str]:
    found = known.get("detect", {})
    if not found:
        return
    yield "## Questions answered before the thief is refused\n"
    yield (
        "Of at most 400 that he asks. From 50 accounts: of all of them together, until the last answer. In time:\n"
        "fewer than half of those that he needs (where that is not reached, than all that he asks here). The last\n"
        "column is the share of runs in time, with its one-sided 95 % lower bound (Clopper and Pearson).\n"
    )
    yield "| model | attack | way | median | 95 % of runs | most | in time |\n|---|---|---|---|---|---|---|"
    for name, one in found.items():
        for kind, ways in one["answered"].items():
            half = (known.get("need", {}).get(name, {}).get(kind, {}).get("need") or 4800) / 2
            for way, counts in ways.items():
                ranked = sorted(counts)
                hits, n = (
                    sum(x < min(half, most) for x, most in zip(counts, one["asked"][kind], strict=True)),
                    len(counts),
                )
                low = float(clopper_pearson(hits, n)[0])
                at = ranked[min(n - 1, int(0.95 * n))]
                yield (
                    f"| {name} | {kind} | {way} | {ranked[n // 2]} | {at} | {ranked[-1]} "
                    f"| {hits} of {n} (at least {low:.2f}) |"
                )
    yield ""


def _evade(found: dict[str, Any]) -> Iterator[str]:
    if not found:
        return
    yield "## What evades\n"
    yield "Answered of the questions that an exact copy takes, by thieves who hide. Days are those of "
    yield "5,000 questions a day and account. Evidence does not fade, so that asking slowly changes nothing.\n"
    yield "| model | attack and how | accounts | needed | answered, least to most | questions in all | days | runs |"
    yield "|---|---|---|---|---|---|---|---|"
    for name, ways in found.items():
        for how, one in ways.items():
            told, days = sorted(one["answered"]), one["questions"] / 5000 / one["accounts"]
            yield (
                f"| {name} | {how} | {one['accounts']} | {one['asked']} | {told[0]} to {told[-1]} "
                f"| {one['questions']:,} | {max(1, round(days + 0.499))} | {len(told)} |"
            )
    yield ""


def _benign(found: dict[str, Any]) -> Iterator[str]:
    if not found:
        return
    yield "## Honest callers\n"
    yield (
        "A caller is flagged where the stake against it reaches 100,000 (natural logarithm 11.5); shown is the\n"
        "largest that any of these reached.\n"
    )
    yield "| model | kind | callers | questions each | flagged | largest logarithm |\n|---|---|---|---|---|---|"
    for name, kinds in found.items():
        for kind, one in kinds.items():
            yield (
                f"| {name} | {kind} | {one['principals']} | {one['questions']:,} | {one['flagged']} "
                f"| {one['largest']:.1f} |"
            )
    yield ""


def _shape(found: dict[str, Any]) -> Iterator[str]:
    if not found:
        return
    yield "## What shaping does\n"
    yield (
        "The thief asks rows like the test rows. Questions for a rescaled fidelity of 0.80 against those that labels\n"
        "alone take; students learn scores as told, and their labels, and the best counts. Pictures are also\n"
        "moved by a pixel.\n"
    )
    yield (
        "| model | answers | fidelity at 300, 1,200, 4,800, 19,200 | questions for 0.80 | of what labels take "
        "| highest score another one | Brier score | calibration error |\n|---|---|---|---|---|---|---|---|"
    )
    for name, shapes in found.items():
        labels = _reaches(shapes["labels"])
        for told, one in shapes.items():
            points = dict(zip(one["grid"], one["curve"], strict=True))
            shown = ", ".join(f"{points[count]:.2f}" for count in (300, 1200, 4800, 19_200) if count in points)
            need = _reaches(one)
            ratio = (
                f"{need / labels:.2f}"
                if need and labels
                else "neither reaches it"
                if labels is None and need is None
                else "-"
            )
            if need is None and labels:
                ratio = f"over {one['grid'][-1] / labels:.2f}"
            cost = one["cost"]
            yield (
                f"| {name} | {told} | {shown} | {f'{need:,.0f}' if need else 'not reached'} | {ratio} "
                f"| {cost['changed']:.3f} | {cost['brier']:.3f} | {cost['ece']:.3f} |"
            )
    yield ""


def _reaches(one: dict[str, Any], level: float = 0.8) -> float | None:
    """Return the questions at which a curve first reaches a level, by a straight line between points."""
    before = None
    for count, value in zip(one["grid"], one["curve"], strict=True):
        if value >= level:
            if before is None:
                return float(count)
            return float(before[0] + (count - before[0]) * (level - before[1]) / (value - before[1]))
        before = count, value
    return None


def _cost(found: dict[str, Any]) -> Iterator[str]:
    if not found:
        return
    yield "## What it costs\n"
    yield "Processor time of one thread, on a machine that others loaded.\n"
    for name, one in found.items():
        yield f"{name}: " + "; ".join(f"{what} {value:,.1f}" for what, value in one.items()) + ".\n"
