"""Guarding: which checks are measured bare and behind the application's guard, and who asks there (pure).

A guard can be opened only where purpose, benefit and lawful ground are declared and the model runs here; it is worth
measuring where a control is declared that changes what a caller gets. Elsewhere the bare model counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import UNSET

from fivefold.contract.plan import Guarding

if TYPE_CHECKING:
    from msgspec import UnsetType

    from fivefold.contract.plan import Facts
    from fivefold.contract.registry import CheckSpec
    from fivefold.manifest.nouns import Manifest

LEAST = 0.9
"""Share of clean rows that the model must answer behind the guard: one that refuses everything stands every attack.

Source: our own choice.
"""
_SHAPES = ("budget", "decimals", "detect", "flips", "noise", "step", "top")


def behind(spec: CheckSpec | None, manifest: Manifest, facts: Facts | None) -> Guarding | UnsetType:
    """Return how a check is measured behind the guard, too; unset: it is measured bare alone."""
    if spec is None or not spec.guarded or lacking(manifest, facts):
        return UNSET
    return Guarding(by=spec.guarded, min_coverage=LEAST)


def apart(spec: CheckSpec | None, manifest: Manifest, facts: Facts | None) -> str:
    """Return why a check is measured bare alone though a guard's control is declared, in words; empty: it is not so."""
    if spec is None or not spec.guarded or not enforced(manifest):
        return ""
    why = lacking(manifest, facts)
    return f"It is measured bare alone, though a guard's control is declared: {why}." if why else ""


def lacking(manifest: Manifest, facts: Facts | None) -> str:
    """Return why nothing is measured behind a guard, in words; empty: it is."""
    if not enforced(manifest):
        return "no control is declared that a guard enforces (P2, P5, C2 or C3)"
    personal = any(data.label.get("personal") and not data.label.get("basis") for data in manifest.data.values())
    if not manifest.purposes or not manifest.benefit or personal:
        return "a guard opens only where purposes, benefit and the lawful ground of personal data are declared"
    model = manifest.model
    if model is None or not (model.factory or model.onnx):
        return "the model does not run here: an endpoint, a command or a file of predictions has its guard elsewhere"
    if any(data.kind != "table" for data in manifest.data.values()):
        return "only tables are asked through a guard here"
    return "" if facts is None or facts.model is None or not facts.model.error else "the model does not answer"


def enforced(manifest: Manifest) -> bool:
    """Return whether a control is declared that changes what a caller gets."""
    shapes = manifest.controls.get("P2", {})
    beside = bool({"P5", "C2", "C3"} & set(manifest.controls))
    return any(shapes.get(key) for key in _SHAPES) or "decimals" in shapes or beside
