"""Serving: an application of a bank, signed by a key of its own, behind the real guard.

Nothing of the user's is touched: keys, trust, record and cache lie in a temporary folder that is removed at the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fivefold.cases.home import at_home
from fivefold.cases.purpose.asking import people, relabelled
from fivefold.contract.registry import provided
from fivefold.evidence import oms, signed_set
from fivefold.guard.guard import Guard
from fivefold.guard.isolated import Isolated
from fivefold.guard.nouns import Principal, RefusedError
from fivefold.keys import store
from fivefold.keys import trust as trust_file
from fivefold.manifest.digests import data_digests
from fivefold.manifest.reader import read
from fivefold.subject.bench import Bench

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import pandas as pd

PURPOSE, WRONG = "credit-scoring", "sales-campaign"
TRAIN = 3000
_ASKED = 16
_BEFORE, _AFTER = 320, 1_600
_MANIFEST = """
fivefold: 1
application: {id: case-x10, level: 4, purpose: recommend approval of a consumer loan to an officer}
use: {output: recommendation, acts: human, alone: false}
benefit: {measure: share of good loans granted, target: 0.7}
purposes: [credit-scoring]
data:
  train: {path: train.csv, target: repaid, label: {personal: [age], basis: contract, purpose: [credit-scoring]}}
features: {age: {type: integer, range: [18, 100], unit: years}}
controls: {D1: {drift: refuse}}
model: {factory: "scorer:load", signature: model.sig}
"""
_SCORER = '''
"""A credit score by a formula."""
import numpy as np


class Scorer:
    """Answers with chances."""

    classes_ = np.array([0, 1])

    def predict_proba(self, frame):
        """Return chances of no and yes."""
        raised = np.log(frame["income"]) - np.log(frame["amount"]) - 1.6 + 0.01 * (frame["age"] - 40)
        chance = 1 / (1 + np.exp(-2.5 * raised.to_numpy()))
        return np.column_stack([1 - chance, chance])


def load():
    """Return it."""
    return Scorer()
'''


@dataclass(frozen=True)
class Served:
    """What the guard did.

    Attributes:
        wrong: Requests under another purpose.
        wrong_bare: Of these, answered by the model without a guard.
        wrong_answered: Of these, answered by the guard.
        wrong_named: Of these, on record as refused for their purpose.
        honest: Rows asked for the declared purpose.
        honest_answered: Of these, answered.
        others: Rows asked under the old words that were not for it.
        others_bare: Of these, answered by the model without a guard.
        others_answered: Of these, answered by the guard.
        alarms: Alarms on record.
        why: What the first one says.
    """

    wrong: int
    wrong_bare: int
    wrong_answered: int
    wrong_named: int
    honest: int
    honest_answered: int
    others: int
    others_bare: int
    others_answered: int
    alarms: int
    why: str


def served(rng: np.random.Generator, *, wrong: int = 50) -> Served:
    """Ask the application for another purpose, honestly, and for another purpose under the old words.

    Args:
        rng: Draws who is asked about.
        wrong: Requests under another purpose.
    """
    stream = relabelled("other people", _BEFORE, _AFTER, rng)
    honest, others = stream.rows.iloc[: stream.since], stream.rows.iloc[stream.since :]
    strangers = people(wrong, rng)
    with at_home() as home:
        root = _application(home, rng)
        bare = _unguarded(root, strangers), _unguarded(root, others)
        with Guard(root) as guard:
            let_in = sum(_asked(guard, strangers.iloc[[at]], WRONG) for at in range(wrong))
            answered = _asked(guard, honest, PURPOSE), _asked(guard, others, PURPOSE)
        said, alarms = _recorded(root)
    named = sum(fields.get("refused") == "guard.purpose" for fields in said)
    return Served(
        wrong, bare[0], let_in, named, _BEFORE, answered[0], _AFTER, bare[1], answered[1], len(alarms),
        str(alarms[0]["why"]) if alarms else "",
    )  # fmt: skip


def _unguarded(root: Path, rows: pd.DataFrame) -> int:
    """Return how many rows the same model answers in its process with nothing before it."""
    manifest = read(root)
    with Bench(manifest, data_digests(manifest)) as bench:
        model = Isolated(bench, bench.probe()[0])
        try:
            return len(model.ask(rows).answers)
        finally:
            model.close()


def _asked(guard: Guard, rows: pd.DataFrame, purpose: str) -> int:
    """Ask a few rows at a time; return how many were answered."""
    asker, answered = Principal("branch-12", "caller", (PURPOSE,)), 0
    for at in range(0, len(rows), _ASKED):
        part = rows.iloc[at : at + _ASKED]
        given = {str(name): part[name].astype(object).where(part[name].notna(), None).tolist() for name in part}
        try:
            answered += len(guard.answer(asker, given, purpose=purpose).answers)
        except RefusedError as refusal:
            if refusal.code not in ("guard.purpose", "guard.drift"):
                raise
    return answered


def _recorded(root: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return what the guard's record says of decisions, and of alarms."""
    reading = provided("record.home")(read(root)).reading()
    said, alarms = ([item.body.fields for item in reading.search(kind=kind)] for kind in ("decision", "alarm"))
    return said, alarms


def _application(home: Path, rng: np.random.Generator) -> Path:
    """Write the application, and have its model signed by a key that is trusted here alone."""
    root = home / "app"
    root.mkdir()
    rows = people(TRAIN, rng)
    rows.assign(repaid=rng.integers(0, 2, len(rows))).to_csv(root / "train.csv", index=False)
    root.joinpath("fivefold.yaml").write_text(_MANIFEST, encoding="utf-8")
    root.joinpath("scorer.py").write_text(_SCORER, encoding="utf-8")
    manifest = read(root, may_lack=frozenset({"model.signature"}))
    signer = store.new_key("signer", "the bank")
    known = trust_file.read(store.read_trust())
    store.write_trust(trust_file.add(known, signer.signer.public, name="the bank", roles=("signer",)))
    bundle = oms.sign_files(signed_set.files(manifest), signer.signer, name="case-x10", ignored=("model.sig",))
    root.joinpath("model.sig").write_bytes(bundle)
    return root
