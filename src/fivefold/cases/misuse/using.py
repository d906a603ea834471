"""Using: what a program, an office or an application does with tables, with nothing before them and by their labels."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import reduce
from itertools import permutations
from typing import TYPE_CHECKING, Any

import pandas as pd

from fivefold.cases.misuse.desk import HOME, KEY, PEOPLE, PLACES, PURPOSES
from fivefold.errors import InputError, TrustError
from fivefold.governance.admission.rules import settled
from fivefold.guard.opening import require_declared, require_labels
from fivefold.keys import store
from fivefold.manifest.reader import read
from fivefold.traceability.labels.enforcing import enforce
from fivefold.traceability.labels.flow import Flow

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from fivefold.cases.misuse.desk import Desk
    from fivefold.manifest.nouns import Manifest

WAYS = (
    "a table is read",
    "two tables are joined",
    "what was made of two tables is read",
    "a release is given to a recipient",
    "a model is put to work",
    "a model at work is asked",
)
REFUSED = {
    "label.purpose": "purpose", "label.no-purpose": "purpose", "guard.purpose": "purpose",
    "guard.undeclared": "purpose", "label.region": "place", "label.no-region": "place",
}  # fmt: skip
"""What a refusal is about."""


@dataclass(frozen=True)
class Use:
    """One use.

    Attributes:
        way: One of :data:`WAYS`.
        tables: Whose rows.
        purpose: What for; empty: a model whose manifest does not say.
        place: Where the rows, the release or the answers go.
        served: What the model at work is for; empty: no such model.
    """

    way: str
    tables: tuple[str, ...]
    purpose: str
    place: str
    served: str = ""

    def wrong(self, desk: Desk) -> frozenset[str]:
        """Return in what it goes beyond what the people were told: ``purpose``, ``place``."""
        purposes = [self.served] if self.served else desk.purposes(self.tables)
        beyond = {"purpose": self.purpose not in purposes, "place": self.place not in desk.places(self.tables)}
        return frozenset(word for word, is_so in beyond.items() if is_so)


def drawn(way: str, desk: Desk, rng: np.random.Generator, *, rightful: bool) -> Use:
    """Draw a use that is rightful, or one that is not.

    Args:
        way: One of :data:`WAYS`.
        desk: The tables.
        rng: Draws tables, purpose and place.
        rightful: Which.
    """
    some = list(permutations(desk.given, 1 if way in (WAYS[0], WAYS[3]) else 2))
    if rightful or way == WAYS[5]:  # two that were given for nothing in common serve no purpose together
        some = [tables for tables in some if desk.purposes(tables)] or list(permutations(desk.given, 1))
    tables = some[int(rng.integers(len(some)))]
    served = str(rng.choice(desk.purposes(tables))) if way == WAYS[5] else ""
    allowed = ([served] if served else desk.purposes(tables)), ([HOME] if served else desk.places(tables))
    amiss = [False, False] if rightful else [(True, False), (False, True), (True, True)][int(rng.integers(3))]
    if not rightful and (served or len(allowed[1]) == len(PLACES)):
        amiss = [True, False]
    purpose = _one(PURPOSES, allowed[0], rng, out=amiss[0] or not allowed[0])
    if way == WAYS[4] and amiss[0] and rng.random() < 0.25:
        purpose = ""
    return Use(way, tables, purpose, _one(PLACES, allowed[1], rng, out=amiss[1]), served)


def _one(every: tuple[str, ...], allowed: list[str], rng: np.random.Generator, *, out: bool) -> str:
    return str(rng.choice([word for word in every if (word in allowed) is not out]))


def bare(use: Use, desk: Desk) -> int:
    """Return how many people's rows go into a use where nothing is asked."""
    return len(_joined([pd.read_parquet(desk.file(name)) for name in use.tables]))


def labelled(use: Use, desk: Desk, to: Path) -> tuple[int, str]:
    """Do the same by the labels.

    Args:
        use: What is done.
        desk: The tables.
        to: A folder that is not there; what is made on the way is written into it.

    Returns:
        How many people's rows go into it, and the code of a refusal: nought and a code, or rows and nothing.
    """
    to.mkdir()
    act = {
        WAYS[0]: _join, WAYS[1]: _join, WAYS[2]: _again, WAYS[3]: _release, WAYS[4]: _put_to_work, WAYS[5]: _ask,
    }[use.way]  # fmt: skip
    try:
        return act(use, desk, to), ""
    except (TrustError, InputError) as refusal:
        if refusal.code not in REFUSED:  # no word of labels, guard or admission: a fault of the case
            raise
        return 0, refusal.code


def flow_of(desk: Desk, purposes: tuple[str, ...] = (), places: tuple[str, ...] = (), *, signs: bool = False) -> Flow:
    """Return a program's reading and writing; it is the steward's own where it signs."""
    signer = desk.steward.signer if signs else None
    return Flow(desk.steward.trust, desk.steward.now, signer, purposes=purposes, regions=places)


def _joined(frames: list[pd.DataFrame]) -> pd.DataFrame:
    return reduce(lambda one, other: one.merge(other, on=KEY), frames)


def _join(use: Use, desk: Desk, _to: Path) -> int:
    flow = flow_of(desk, (use.purpose,), (HOME, use.place))
    return len(_joined([flow.read(desk.file(name)) for name in use.tables]))


def made(tables: tuple[str, ...], desk: Desk, to: Path) -> dict[str, Any]:
    """Have the steward's own program make one table of several; return what its label says, the strictest of all.

    Raises:
        InputError: ``label.no-purpose``, ``label.no-region``.
    """
    flow = flow_of(desk, signs=True)
    frame = _joined([flow.read(desk.file(name)) for name in tables])
    flow.write(frame, to)
    return flow.fields()


def _again(use: Use, desk: Desk, to: Path) -> int:
    made(use.tables, desk, to / "train.parquet")
    return len(flow_of(desk, (use.purpose,), (HOME, use.place)).read(to / "train.parquet"))


def _release(use: Use, desk: Desk, to: Path) -> int:
    manifest = application(use, desk, to, {"region": HOME, "recipients": {"partner": use.place}}, [use.purpose])
    enforce(manifest, "data release", ["train"])
    return PEOPLE


def _put_to_work(use: Use, desk: Desk, to: Path) -> int:
    purposes = [use.purpose] if use.purpose else []
    manifest = application(use, desk, to, {"region": HOME, "serves": [use.place]}, purposes)
    require_declared(manifest)
    require_labels(manifest, served=True)
    return PEOPLE


def _ask(use: Use, desk: Desk, to: Path) -> int:
    manifest = application(use, desk, to, {"region": HOME, "serves": [use.place]}, [use.served])
    require_labels(manifest, served=True)
    settled("caller", use.purpose, (use.purpose,), manifest.purposes)
    return PEOPLE


def application(use: Use, desk: Desk, root: Path, control: dict[str, Any] | None, purposes: list[str]) -> Manifest:
    """Write an application over a labelled table, its steward trusted here, and read it.

    Args:
        use: Whose tables it is made of.
        desk: The tables.
        root: Its folder.
        control: T1; None: left out.
        purposes: What it is declared to be for.
    """
    fields = made(use.tables, desk, root / "train.parquet")
    store.write_trust(desk.steward.trust)
    source, fields["region"] = fields.pop("source"), ", ".join(fields["region"])
    root.joinpath("fivefold.yaml").write_text(json.dumps({
        "fivefold": 1,
        "application": {"id": "case-x9", "level": 2, "purpose": "whatever it is put to"},
        "use": {"output": "statistic"},
        "benefit": {"measure": "questions answered", "target": 0.5},
        **({"purposes": purposes} if purposes else {}),
        "data": {"train": {"path": "train.parquet", "source": source, "label": fields}},
        "sharing": [{"what": "release", "data": "train", "with": "partner", "control": "S2"}],
        "controls": {**({"T1": control} if control else {}), "S2": {"epsilon": 1, "delta": 1e-6}},
        "model": {"factory": "scorer:load"},
    }), encoding="utf-8")  # fmt: skip
    root.joinpath("scorer.py").write_text("def load():\n    raise SystemExit\n", encoding="utf-8")
    return read(root)
