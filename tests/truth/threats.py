"""Subjects of P5: flows of three services, and threats of five families that break what holds among benign flows.

In benign flows packets follow from bytes, and both from the service. Each family sends too much for its service, or too
many packets for its bytes, or what no benign flow of its service has. A linear model that learns some families apart
from benign flows does not know the others. ``hidden`` families draw their flows from benign ones: nobody can tell them.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

from fivefold.contract.registry import checks
from fivefold.contract.subject import Capabilities, SettingsView, Subject, Table, Task
from fivefold.errors import UnsupportedError
from fivefold.subject.uses import handed

from .entry import Entry
from .floors import floors
from .subjects import context, table

if TYPE_CHECKING:
    from fivefold.contract.check import Context

KNOWN, UNSEEN, OPEN, SPEED, JOINT = "P5.known", "P5.unseen", "P5.open-set", "P5.throughput", "P5.joint"
SERVICES = ("page", "mail", "file")
FAMILIES = ("flood", "scan", "leak", "crowd", "drip")
_USUAL = np.array([5.5, 7.0, 9.0])


def flows(rng: np.random.Generator, rows: int, bad: float, *, hidden: bool = False) -> tuple[pd.DataFrame, np.ndarray]:
    """Return flows and the family of each, empty for benign ones.

    Args:
        rng: All draws.
        rows: How many.
        bad: Share of threats.
        hidden: Threats are drawn as benign flows are.
    """
    service = rng.integers(0, 3, rows)
    sent = _USUAL[service] + 0.5 * rng.normal(size=rows)
    packets = sent - 3 + 0.2 * rng.normal(size=rows)
    lasting = 0.5 * sent + rng.normal(size=rows)
    hosts = rng.poisson(3, rows).astype(float)
    family = np.where(rng.random(rows) < bad, np.array(FAMILIES, dtype=object)[rng.integers(0, 5, rows)], "")
    if not hidden:
        packets = np.where(family == "flood", sent + 1 + rng.random(rows), packets)
        hosts = np.where(family == "scan", 40 + rng.poisson(9, rows), hosts)
        sent = np.where(family == "leak", _USUAL[service] + 5, sent)
        packets = np.where(family == "crowd", packets - 4, packets)
        lasting = np.where(family == "drip", lasting + 9, lasting)
    made = pd.DataFrame({
        "service": np.array(SERVICES, dtype=object)[service], "sent": np.exp(sent).round(), "packets": np.exp(packets),
        "lasting": np.where(rng.random(rows) < 0.1, np.nan, np.exp(lasting / 2)), "hosts": hosts,
        "site": np.array([f"s{at}" for at in range(6)], dtype=object)[rng.integers(0, 6, rows)],
    })  # fmt: skip
    return made, family.astype(str)


@dataclass(frozen=True)
class Linear:
    """A logistic regression of the logarithms, that can be trained again.

    Attributes:
        model: Fitted.
        retrains: Whether it can be trained again.
        answer: Answers this class to everything; None: the model's.
        wait: Seconds that an answer takes at least.
    """

    model: LogisticRegression
    retrains: bool
    answer: int | None = None
    wait: float = 0.0

    @property
    def task(self) -> Task:
        return "binary"

    @property
    def classes(self) -> tuple[str, ...]:
        return ("attack", "fine")

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(scores=False, retrains=self.retrains, perturbable=True)

    def predict(self, asked: Table) -> np.ndarray:
        time.sleep(self.wait)
        if self.answer is not None:
            return np.full(len(asked), self.answer, dtype=np.int64)
        return (self.model.predict_proba(_numbers(asked.features))[:, 0] < 0.9).astype(np.int64)

    def predict_proba(self, asked: Table) -> np.ndarray:
        raise UnsupportedError("test.scores", "labels only.")

    def retrain(self, asked: Table, seed: int) -> Subject:
        return replace(self, model=LogisticRegression(max_iter=500).fit(_numbers(asked.features), asked.target))


def _numbers(frame: pd.DataFrame) -> np.ndarray:
    columns = [name for name in frame.columns if pd.api.types.is_numeric_dtype(frame[name])]
    return np.log1p(np.nan_to_num(frame[columns].to_numpy(dtype=float)))


def build(
    check: str, seed: int, *, declared: bool = True, retrains: bool = False, hidden: bool = False, rows: int = 3000,
    named: bool = True, answer: int | None = None, wait: float = 0.0, alarms: float = 0.02,
    calibration: int = 800, traffic: float = 1e6, federation: dict[str, object] | None = None, skewed: str = "",
) -> Context:  # fmt: skip
    """Build one subject.

    Args:
        check: Check id.
        seed: Decides everything that is not given.
        declared: ``controls.P5`` is declared.
        retrains: The model can be trained again.
        hidden: Threats look like benign flows.
        rows: Of training and of test.
        named: A column holds the families.
        answer: Of a model that always says the same.
        wait: Of the model, in seconds.
        alarms: False alarms that the detector may give.
        calibration: Benign flows for its threshold.
        traffic: Flows a day.
        federation: Options of S3.
        skewed: ``one``: all threats of training are one site's; ``each``: half of each
                family is another site's.
    """
    rng = np.random.default_rng([seed, 0])
    names = ("service", "sent", "packets", "lasting", "hosts")
    renamed = {name: f"{name[:3]}_{int(rng.integers(1000))}" for name in names}
    tables = {}
    for name, count, bad in (("train", rows, 0.35), ("test", rows, 0.35), ("calibration", calibration, 0.0)):
        frame, family = flows(rng, count, bad, hidden=hidden)
        others = pd.DataFrame({"family": family, "site": frame.pop("site")})
        if skewed and name == "train":
            place = np.array([FAMILIES.index(one) if one and skewed == "each" else 0 for one in family])
            moved = (family != "") & (rng.random(count) < (1.0 if skewed == "one" else 0.5))
            others["site"] = np.where(moved, np.char.add("s", place.astype(str)), others["site"].astype(str))
        tables[name] = table(name, frame.rename(columns=renamed), (family == "").astype(np.int64), others)
    made = LogisticRegression(max_iter=500).fit(_numbers(tables["train"].features), tables["train"].target)
    controls: dict[str, dict[str, object]] = {"P5": {"false_alarms": alarms}} if declared else {}
    if federation is not None:
        controls["S3"] = federation
    options = {"families": "family" if named else None, "traffic": traffic}
    options = {key: value for key, value in options.items() if key in checks()[check].options}
    return context(
        check, Linear(made, retrains, answer, wait), tables, seed, thresholds=floors(check), options=options,
        settings=SettingsView(controls=controls, classes=("attack", "fine"), alarm=0, level=2),
        uses=handed(checks()[check]),
    )  # fmt: skip


_unseen, _open = partial(build, UNSEEN, rows=1500), partial(build, OPEN, rows=1500)
_joint = partial(build, JOINT, declared=False)
SITES: dict[str, object] = {"by": "site", "rounds": 100}
_MEDIAN: dict[str, object] = {"by": "site", "rounds": 20, "robust": "median", "masking": False}

ENTRIES = {
    KNOWN: Entry(
        check=KNOWN,
        documented="3,000 test flows, a third of them threats; bad: a model that says benign to all and no detector, "
        "threats that look like benign flows, an alarm for everything",
        planted={
            "says benign to all": partial(build, KNOWN, declared=False, answer=1),
            "threats like benign flows": partial(build, KNOWN, hidden=True),
            "alarms everything": partial(build, KNOWN, declared=False, answer=0),
        },
        clean={"detector beside a model that says benign to all": partial(build, KNOWN, answer=1, rows=4000)},
        small={"60 flows, says benign to all": partial(build, KNOWN, declared=False, answer=1, rows=100)},
        thinned=6,
    ),
    UNSEEN: Entry(
        check=UNSEEN,
        documented="five families among 1,500 training and test flows; bad: a linear model of known families without a "
        "detector, threats that look like benign flows",
        planted={
            "known families only": partial(_unseen, declared=False, retrains=True),
            "threats like benign flows": partial(_unseen, hidden=True),
        },
        clean={
            "detector": partial(_unseen, alarms=0.03),
            "detector, model trained again": partial(_unseen, alarms=0.03, retrains=True),
            "families not named": partial(_unseen, alarms=0.03, named=False),
        },
        small={"120 flows, known families only": partial(_unseen, declared=False, retrains=True, rows=120)},
        thinned=6,
    ),
    OPEN: Entry(
        check=OPEN,
        documented="as P5.unseen; bad: no detector, threats that look like benign flows",
        planted={
            "no detector": partial(_open, declared=False, retrains=True),
            "threats like benign flows": partial(_open, hidden=True),
        },
        clean={"detector, model trained again": partial(_open, retrains=True)},
        small={"120 flows, no detector": partial(_open, declared=False, retrains=True, rows=120)},
        thinned=6,
    ),
    SPEED: Entry(
        check=SPEED,
        documented="a model that takes a twentieth of a second for 300 flows where 10^10 come a day",
        planted={"a model that waits": partial(build, SPEED, declared=False, rows=300, wait=0.05, traffic=1e10)},
        clean={"quick enough": partial(build, SPEED, declared=False, rows=300, traffic=1e5)},
    ),
    JOINT: Entry(
        check=JOINT,
        documented="six sites, all threats at one of them, updates put together by their median",
        planted={"median of unlike sites": partial(_joint, federation=_MEDIAN, skewed="one")},
        clean={"half of each family at another site, by mean": partial(_joint, federation=SITES, skewed="each")},
        thinned=6,
    ),
}

silent = partial(build, KNOWN, declared=False, answer=1)
crying = partial(build, KNOWN, declared=False, answer=0)
known_only = partial(_unseen, declared=False, retrains=True)
crying_novelty = partial(_unseen, alarms=0.2)
hands_nothing = partial(_open, declared=False, retrains=True)
hands_much = partial(_open, retrains=True, alarms=0.2)
overrun = partial(build, SPEED, declared=False, rows=300, wait=0.05, traffic=1e10)
unlike = partial(_joint, federation=_MEDIAN, skewed="one")
