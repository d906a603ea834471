"""Lending: the table used for what, and where, its label does not allow, with the control T1 and without it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from fivefold.cases.home import at_home
from fivefold.errors import TrustError
from fivefold.keys import store
from fivefold.keys import trust as trust_file
from fivefold.manifest.reader import read
from fivefold.traceability.labels.binding import Saying, Steward, bind
from fivefold.traceability.labels.enforcing import enforce

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

USES = {
    "as allowed": ("statistics", "DE"),
    "to write to people": ("marketing", "DE"),
    "abroad": ("statistics", "US"),
    "by an office that is nowhere declared": ("statistics", ""),
    "both": ("marketing", "US"),
}
"""What the table is used for, and where the office is that receives it."""
_MANIFEST = """
fivefold: 1
application: {{id: case-x9-breach, level: 1, purpose: statistics of employees}}
use: {{output: statistic, acts: human, alone: false}}
benefit: {{measure: share of districts whose figures are used, target: 0.9}}
purposes: [{purpose}]
parties: {{deployer: the office, customer: bureau}}
data:
  survey: {{path: survey.csv, source: survey, label: {label}}}
sharing: [{{what: release, data: survey, with: bureau, control: S2}}]
controls: {{S2: {{epsilon: 1, delta: 1.0e-6}}{labels}}}
"""
_LABEL = "{class: confidential, personal: [diagnosis], basis: law, purpose: [statistics], region: EU, retain: 5y}"


def lent(rows: pd.DataFrame, *, guarded: bool) -> dict[str, bool]:
    """Return each of :data:`USES` to whether a release goes through.

    Args:
        rows: The survey.
        guarded: Whether the application declares the control T1.
    """
    with at_home() as home:
        root = home / "app"
        root.mkdir()
        rows.to_csv(root / "survey.csv", index=False)
        _labelled(root)
        return {name: _goes(root, *use, guarded=guarded) for name, use in USES.items()}


def _labelled(root: Path) -> None:
    """Have a steward who is trusted here alone sign the label."""
    _declare(root, "statistics", "")
    data = read(root).data["survey"]
    steward = store.new_key("steward", "the steward").signer
    known = trust_file.add(trust_file.read(store.read_trust()), steward.public, name="the steward", roles=("steward",))
    store.write_trust(known)
    said = Saying("survey", {**data.label, "source": data.source})
    bind(root / data.path, said, Steward(steward, known, store.utc_now()))


def _declare(root: Path, purpose: str, labels: str) -> None:
    text = _MANIFEST.format(purpose=purpose, label=_LABEL, labels=labels)
    root.joinpath("fivefold.yaml").write_text(text, encoding="utf-8")


def _goes(root: Path, purpose: str, region: str, *, guarded: bool) -> bool:
    where = f"{{bureau: {region}}}" if region else "{}"
    _declare(root, purpose, f", T1: {{region: DE, recipients: {where}}}" if guarded else "")
    with suppress(TrustError):
        enforce(read(root), "data release", ["survey"])
        return True
    return False
