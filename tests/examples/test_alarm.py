"""The reference application of level 2: its owner signed ONNX file and trainer, and nothing private lies there."""

from __future__ import annotations

from pathlib import Path

from fivefold.evidence import oms, signed_set
from fivefold.keys.signing import load_public
from fivefold.manifest import reader

ALARM = Path(__file__).resolve().parents[2] / "examples" / "alarm-diagnosis"


def test_the_owner_signed_exactly_the_model_and_the_trainer() -> None:
    """The signature holds under owner.pub for the set that the manifest names."""
    manifest = reader.read(ALARM)
    assert manifest.model is not None
    assert manifest.model.onnx == "model.onnx"
    owner = load_public((ALARM / "owner.pub").read_bytes())
    found = oms.verify_files((ALARM / "model.sig").read_bytes(), signed_set.files(manifest), [owner])
    assert set(found.files) == {"model.onnx", "train.py"}
    assert not [path for path in ALARM.rglob("*") if path.is_file() and b"PRIVATE KEY" in path.read_bytes()]
