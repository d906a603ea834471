"""All entries, by check id."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from .entry import Entry

_QUALITY = ("integrity", "accuracy", "availability", "confidentiality", "coverage", "leakage", "drift")

MODULES = {
    **{f"D2.{name}": "quality" for name in _QUALITY},
    **{f"E1.{name}": "readable" for name in ("faithful", "constraints", "cost")},
    "E2.local": "explanation_local",
    "E2.counterfactual": "explanation_counterfactual",
    "E2.surrogate": "explanation_nearby",
    "E3.dependence": "explanation_dependence",
    "E3.permutation": "explanation_permutation",
    "E3.sensitivity": "explanation_sensitivity",
    "E3.surrogate": "explanation_surrogate",
    "E2.shapley": "explanation_enumerated",
    "E4.experts": "explanation_experts",
    "E4.fooling": "explanation_fooling",
    "E4.planted": "explanation_planted",
    "E4.randomisation": "explanation_randomisation",
    "E4.fidelity": "explanation_fidelity",
    "E4.stability": "explanation_stability",
    "E4.agreement": "explanation_agreement",
    "A1.answers": "level",
    "C3.ladder": "ladder",
    "C3.queue": "queueing",
    "C3.risk": "fallback",
    "C3.shift": "fallback",
    "A1.observed": "operation",
    "C5.stages": "drilled",
    "D1.admission": "admitting",
    "D1.benefit": "operation",
    "E5.delivery": "operation",
    "E5.text": "worded",
    "T2.admission": "drilled",
    "D1.drift": "drifting",
    **{f"C2.{name}": "ensemble" for name in ("detection", "adaptive", "drift")},
    "P1.blackbox": "evasion",
    "P1.certificate": "certified",
    "P1.detection": "detected",
    "P1.gradient": "evasion_gradient",
    "P1.honesty": "evasion_honesty",
    "P1.images": "evasion_images",
    "P1.standard": "evasion_standard",
    "P1.tables": "evasion_tables",
    "P1.series": "evasion_waves",
    "P1.text": "evasion_texts",
    "F1.challenge": "appealing",
    "F1.drift": "drifted",
    "G3.personal-data": "person",
    "F1.gaps": "gaps",
    "F1.individual": "individual",
    "F1.metrics": "served",
    "F1.mitigation": "mending",
    "F1.proxies": "individual",
    "J6.profiles": "profiles",
    "P2.benign": "theft",
    "P2.detection": "theft",
    "P2.extraction": "extraction",
    "P2.isolation": "isolating",
    "P2.shaping": "theft",
    "P3.accuracy": "accuracy",
    "P3.attribute": "telling",
    "P3.backdoor": "triggered",
    "P3.corruption": "worsened",
    "P3.faults": "faulty",
    "P3.identification": "operating",
    "P3.inversion": "remembering",
    "P3.operating-point": "operating",
    "P3.membership": "membership",
    "P3.property": "composed",
    **{f"S2.{name}": "privacy" for name in ("noise", "release", "ledger", "utility")},
    "S2.training": "trainings",
    **{
        f"S3.{name}": "federated"
        for name in ("aggregation", "server", "accuracy", "poisoning", "leakage", "membership")
    },
    **{f"S4.{name}": "ciphertext" for name in ("key", "inference", "training", "parameters")},
    **{f"S6.{name}": "telemetry" for name in ("audit", "repeats", "estimates")},
    "S5.backdoor": "marked",
    "S5.label-noise": "label_noise",
    "S5.outliers": "outliers",
    "S5.regression": "bent",
    "S5.removals": "hit",
    "S5.stream": "streamed",
    **{f"P5.{name}": "threats" for name in ("known", "unseen", "open-set", "throughput", "joint")},
    "T1.labels": "labels",
    "T1.tampering": "tampering",
    "T1.propagation": "propagation",
    "T1.enforcement": "enforcement",
    "T2.signature": "signature",
    "T2.provenance": "originated",
    "T2.trace": "traced",
    "T3.weights": "weights_marked",
    "T3.behaviour": "taught",
    "T3.fingerprint": "printed",
    "T3.commitment": "committed",
    "T3.accusation": "accusing",
    "T4.record": "record",
}
"""Check id to the module of this package that makes its subjects."""


def entry(check: str) -> Entry:
    """Return a check's entry: ``ENTRY`` of its module, or the one of ``ENTRIES`` in a module for several checks."""
    module = import_module(f"{__package__}.{MODULES[check]}")
    return cast("Entry", module.ENTRIES[check] if hasattr(module, "ENTRIES") else module.ENTRY)
