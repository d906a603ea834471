"""Subjects of P3.operating-point and P3.identification: scores and decisions whose error rates are known."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.special import expit, ndtri

from fivefold.contract.subject import SettingsView

from .entry import Entry
from .floors import floors
from .subjects import Answers, context, filler, table

if TYPE_CHECKING:
    from fivefold.contract.check import Context

POINT, SEARCH = "P3.operating-point", "P3.identification"
LIMIT, GALLERY = 0.02, 1000


def scored(
    seed: int, *, error: float = 0.25, taken: float | None = None, rows: int = 4000, column: bool | None = None
) -> Context:
    """Build scores of known equal error rate.

    Args:
        seed: Decides everything that is not given.
        error: Equal error rate: scores of both kinds are normal, two quantiles of it apart.
        taken: False-match rate of the decisions, judged against a declared limit; None: no limit is declared.
        rows: Test rows.
        column: Whether the score stands in the data as a distance, or is a probability; None: drawn.
    """
    rng = np.random.default_rng([seed, 0])
    target = (rng.random(rows) < rng.uniform(0.3, 0.6)).astype(np.int64)
    value = rng.normal(size=rows) + 2 * ndtri(1 - error) * target
    in_column = bool(rng.random() < 0.5) if column is None else column
    frame = filler(rng, rows, int(rng.integers(1, 6)))
    edge = ndtri(1 - taken) if taken is not None else float(ndtri(1 - error))
    options: dict[str, object] = {}
    scores = np.column_stack([1 - expit(value), expit(value)])
    if in_column:
        frame["far"] = 5.0 - value
        options = {"score": "far", "smaller": True, "threshold": 5.0 - edge}
    elif taken is not None:
        options = {"threshold": float(expit(edge))}
    if taken is not None:
        options |= {"max_false_match": LIMIT}
    return context(
        POINT,
        Answers("binary", ("no", "yes"), (value >= edge).astype(np.int64), None if in_column else scores),
        {"test": table("test", frame, target)},
        seed,
        thresholds=floors(POINT),
        settings=SettingsView(alarm=1),
        options=options,
    )


def searched(
    seed: int,
    *,
    rate: float = 0.01,
    alike: bool | None = None,
    probes: int = 1500,
    length: int = 60,
    named: bool = True,
) -> Context:
    """Build pairs of known false-positive identification rate in a gallery of 1,000.

    Args:
        seed: Decides everything that is not given.
        rate: Share of people outside the gallery that are matched.
        alike: Whether all people are matched at one rate, or a few carry it all; None: drawn.
        probes: People who are looked for.
        length: Other people that each is compared with.
        named: Whether the data say who is looked for.
    """
    rng = np.random.default_rng([seed, 0])
    counts = rng.integers(length, length + 5, probes)
    probe = np.repeat(np.arange(probes), counts)
    same = bool(rng.random() < 0.5) if alike is None else alike
    wolf = np.ones(probes, dtype=bool) if same else rng.random(probes) < 2 * rate
    inside = rate if same else 0.5
    each = 1 - (1 - inside) ** (1 / GALLERY)
    genuine = np.repeat(np.arange(probes), 2)
    matched = rng.random(len(probe)) < each * wolf[probe]
    value = np.where(matched, rng.uniform(0.8, 1.0, len(probe)), rng.uniform(0.0, 0.8, len(probe)))
    everyone = np.concatenate([probe, genuine])
    score = np.concatenate([value, rng.uniform(0.7, 1.0, len(genuine))])
    target = np.repeat([0, 1], [len(probe), len(genuine)])
    order = rng.permutation(len(target))
    others = pd.DataFrame({"who": [f"p{code}" for code in everyone[order]]})
    frame = pd.DataFrame({"likeness": score[order]})
    return context(
        SEARCH,
        Answers("binary", ("other", "same"), (score[order] >= 0.8).astype(np.int64)),
        {"test": table("test", frame, target[order], others)},
        seed,
        thresholds=floors(SEARCH),
        settings=SettingsView(positive=1),
        options={"gallery": GALLERY, "score": "likeness"} | ({"probe": "who"} if named else {}),
    )


def pair_threshold(seed: int) -> Context:
    """Build the undefended reference: a threshold that errs in one pair of two hundred searches a gallery."""
    return searched(seed, rate=1 - (1 - 0.005) ** GALLERY, alike=True)


ENTRIES = {
    POINT: Entry(
        check=POINT,
        documented="scores that know nothing (equal error rate one half), or decisions that take 4 % of impostors "
        "where 2 % are declared, among 4,000 rows",
        planted={
            "scores that know nothing": partial(scored, error=0.5),
            "too many taken": partial(scored, error=0.2, taken=2 * LIMIT),
        },
        clean={
            "scores that know something": scored,
            "half of the declared rate taken": partial(scored, error=0.2, taken=LIMIT / 2),
        },
        between={"equal error rate 0.47": partial(scored, error=0.47)},
        small={"100 rows that know nothing": partial(scored, error=0.5, rows=100)},
        shown={"equal error rate 0.40": partial(scored, error=0.40)},
    ),
    SEARCH: Entry(
        check=SEARCH,
        documented="in a gallery of 1,000 99 % of people who are not in it are matched, seen in 1,500 searches of 60",
        planted={
            "people alike, 99 %": partial(searched, rate=0.99, alike=True),
            "a threshold for pairs": pair_threshold,
        },
        clean={
            "people alike, 1 %": partial(searched, rate=0.01, alike=True),
            "a few people matched often, 1 %": partial(searched, rate=0.01, alike=False),
        },
        between={"20 %, people alike": partial(searched, rate=0.2, alike=True)},
        small={"60 searches of 20, 99 %": partial(searched, rate=0.99, probes=60, length=20)},
        shown={"99 %, nobody named": partial(searched, rate=0.99, named=False)},
    ),
}
