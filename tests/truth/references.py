"""References: undefended subjects, named by the catalogue's floors, that no floor may let pass."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from . import (
    accuracy,
    admitting,
    bent,
    ciphertext,
    drifting,
    drilled,
    ensemble,
    evasion,
    evasion_tables,
    explanation_local,
    explanation_permutation,
    explanation_planted,
    extraction,
    fallback,
    federated,
    gaps,
    hit,
    individual,
    isolating,
    label_noise,
    ladder,
    marked,
    membership,
    mending,
    operating,
    operation,
    outliers,
    privacy,
    quality,
    queueing,
    served,
    streamed,
    telemetry,
    telling,
    theft,
    threats,
    trainings,
    worsened,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fivefold.contract.check import Context

    from .entry import Make


def bounding_nothing(seed: int) -> Context:
    """Build a ladder whose declared risk is that of a constant answer."""
    given = fallback.build(seed)
    options = {**(given.settings.controls or {})["C3"], "risk": 0.49}
    return replace(given, settings=replace(given.settings, controls={"C3": options}))


REFERENCES: Mapping[str, Make] = {
    "blind-watch": drifting.blind,
    "narrow-ranges": admitting.narrow,
    "waved-through": operation.waved,
    "silent": operation.silent,
    "unrecorded-stage": drilled.unrecorded,
    "open-guard": drilled.unguarded,
    "open-door": drilled.open_door,
    **{
        f"broken-{name}": partial(quality.wrecked, f"D2.{name}")
        for name in ("integrity", "accuracy", "availability", "confidentiality")
    },
    "mislabelled-table": partial(label_noise.build, rate=0.15),
    "bent-targets": partial(bent.build, rate=0.15),
    "marked-rows": partial(marked.build, rate=0.05, kind="image"),
    "untold-classes": partial(streamed.build, told=False),
    "group-by-another-rule": partial(hit.build, apart=True),
    "foreign-rows": partial(outliers.build, rate=0.15),
    "textbook-noise": privacy.textbook,
    "half-noise": privacy.half_noise,
    "noiseless-training": trainings.noiseless,
    "half-noise-training": trainings.half_noise,
    "overspent-budget": privacy.overspent,
    "drowned-release": privacy.drowned,
    "leaking-table": quality.leaking,
    "drifted-table": quality.drifted,
    "thinned-table": quality.thinned,
    "flickering-model": partial(explanation_local.build, noise=0.9),
    "deaf-explainer": explanation_planted.deaf_to_the_model,
    "forbidden-column": explanation_permutation.leaning,
    "model-of-nothing": explanation_permutation.nothing,
    "unconfined-model": isolating.unconfined,
    "bare-logistic": extraction.build,
    "undefended-linear": evasion.undefended,
    "undefended-table": evasion_tables.undefended,
    "unwatched-model": theft.unwatched,
    "foreign-callers": theft.foreign_callers,
    "bare-scores": theft.bare_scores,
    "unfair-to-a-group": partial(gaps.unfair, rows=20_000),
    "right-for-one-group": served.one_sided,
    "values-for-one-group": partial(served.values, ratio=4.0, bias=1.0, rows=20_000),
    "looks-at-the-group": partial(individual.flipping, flip=0.4),
    "looks-at-last-digits": partial(individual.flipping, ragged=0.4),
    "acts-through-a-proxy": partial(individual.proxied, beyond=0.4, both=True),
    "dear-to-mend": partial(mending.build, dear=True),
    "memorising-model": partial(membership.build, auc=0.9, retrains=False),
    "constant-answer": accuracy.constant,
    "knows-by-heart": partial(worsened.build, chance=0.0),
    "telling-model": partial(telling.build, share=0.8),
    "dealt-out-scores": partial(operating.scored, error=0.5),
    "pair-threshold": operating.pair_threshold,
    "no-ladder": ladder.nobody,
    "deaf-ladder": ladder.deaf,
    "careless-queue": queueing.careless,
    "answers-everything": fallback.everything,
    "bounds-nothing": bounding_nothing,
    "answers-nothing": fallback.nothing,
    "saturated-scores": partial(fallback.build, check=fallback.SHIFT, saturated=True),
    "other-test-rows": partial(fallback.build, check=fallback.SHIFT, moved=True),
    "noise-of-another-claim": telemetry.noisy_by_half,
    "afresh-each-time": telemetry.afresh,
    "range-too-narrow": telemetry.cut_off,
    "median-of-unlike-clients": federated.lossy,
    "mean-of-poisoned": federated.poisoned,
    "plain-updates": federated.leaking,
    "plain-small-clients": federated.readable,
    "plain-federation": federated.plain,
    "thin-ring": federated.thin,
    "clients-check-nothing": federated.unchecked,
    "key-sent-along": ciphertext.key_sent,
    "scale-too-small": ciphertext.small_scale,
    "one-step": ciphertext.one_step,
    "training-too-coarse": ciphertext.coarse,
    "insecure-modulus": ciphertext.insecure,
    "scale-too-small-declared": ciphertext.small_declared,
    "silent-detector": threats.silent,
    "crying-detector": threats.crying,
    "known-families-only": threats.known_only,
    "crying-novelty": threats.crying_novelty,
    "hands-nothing-over": threats.hands_nothing,
    "hands-much-over": threats.hands_much,
    "overrun-detector": threats.overrun,
    "joint-median": threats.unlike,
    "no-ensemble": partial(ensemble.build, "C2.detection", declared=False),
    "easy-calibration": partial(ensemble.build, "C2.detection", quiet=True),
}
"""Name under ``reference`` in the catalogue to the subject."""
