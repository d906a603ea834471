"""P1.text: what the attack finds is what is exact, and what it changes is little, and readable."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.truth.evasion_texts import CHECK, build

from fivefold.contract.outcome import Outcome
from fivefold.contract.registry import resolve
from fivefold.errors import UnsupportedError
from fivefold.protection.evasion.texts import check
from fivefold.protection.evasion.texts.attack import Campaign, Victim, attack
from fivefold.protection.evasion.texts.planted import fit
from fivefold.protection.evasion.texts.words import cut, variants

TEXT = "Dear Sir, the GOOD parcel -- worth 1'000.00 € -- was late; Ärger über Straße! 你好世界 and so on."


@pytest.mark.parametrize(("scores", "within"), [(True, 0.02), (False, 0.08)])
def test_the_attack_comes_near_to_what_is_exact(scores, within):
    """Never below it, since nothing stronger is possible; above it by little."""
    made = build(2, scores=scores, rows=150)
    exact = made.thresholds["min_robust_accuracy"]
    result = resolve(CHECK)(made)
    assert exact - 1e-9 <= result.measures[0].value <= exact + within
    assert result.canary.noticed


def test_a_text_is_its_pieces_and_a_change_touches_one_word():
    """Punctuation, spaces and other scripts stay; words keep their first letter, or are synonyms of the same case."""
    text = cut(TEXT)
    assert str(text) == TEXT
    assert [text.pieces[at] for at in text.places][:5] == ["Dear", "Sir", "the", "GOOD", "parcel"]
    rng = np.random.default_rng(0)
    for place in text.places:
        for word in variants(text.pieces[place], rng):
            made = str(text.put(place, word))
            assert made != TEXT
            assert str(cut(made)) == made
            old = text.pieces[place]
            near = word[:1] == old[:1] and abs(len(word) - len(old)) <= 1
            assert near or (word.isupper() and word.lower() in {"fine", "decent"}), (old, word)
    assert {"FINE", "DECENT"} <= set(variants("GOOD", rng))
    assert variants("", rng) == ()
    assert str(cut("")) == ""
    assert cut("").places == ()


def _nothing(_victim, _campaign, _rng, _told=None):
    """Change nothing."""


def _claims_all(_victim, campaign, _rng, _told=None):
    """Say that every text fell."""
    campaign.fallen[:] = True


@pytest.mark.parametrize("broken", [_nothing, _claims_all])
def test_a_broken_attack_is_not_believed(monkeypatch, broken):
    """One that fells nothing misses the doomed, one that fells all fells the safe: neither is a pass or a failure."""
    monkeypatch.setattr(check, "attack", broken)
    result = resolve(CHECK)(build(2, margin=-0.3, rows=60))
    assert not result.canary.noticed
    assert result.canary.clean > 30
    assert (result.canary.false_alarms > 0) is (broken is _claims_all)
    assert result.outcome is Outcome.INCONCLUSIVE


def test_budgets_are_kept():
    """No more words, and no more questions by a set, than are allowed; nobody falls who cannot."""
    rng = np.random.default_rng(1)
    texts = [" ".join(rng.choice(["alpha", "bravo", "charlie", "delta"], 30)) for _ in range(20)]
    asked = np.zeros(20, dtype=int)

    def answer(given, rows):
        np.add.at(asked, rows, 1)
        return np.zeros(len(given), dtype=bool), np.array([float(text.count("alpha")) for text in given])

    campaign = Campaign([cut(text) for text in texts], np.full(20, 3), 80)
    attack(Victim(answer), campaign, rng)
    assert not campaign.fallen.any()
    assert (campaign.changed <= 3).all()
    assert (asked <= 80 + 8).all()
    for text, now in zip(texts, campaign.texts, strict=True):
        differ = sum(one != other for one, other in zip(text.split(), str(now).split(), strict=True))
        assert differ <= 3


def test_what_cannot_be_attacked_says_so():
    """Values, other data, few rows, a small budget of calls; missing texts are empty ones."""
    made = build(3, rows=60)
    rows = made.tables("test")

    class Endpoint(type(made.subject)):
        @property
        def capabilities(self):
            return replace(super().capabilities, calls_left=30, max_rows=10)

    subject = made.subject
    cases = {
        "evasion.rows": replace(made, tables={"test": rows.take(np.arange(5))}.__getitem__),
        "evasion.inputs": replace(made, tables={"test": replace(rows, kind="table")}.__getitem__),
        "evasion.budget": replace(made, subject=Endpoint(subject.weights, subject.offset, scores=True)),
        "evasion.subject": replace(made, subject=None),
    }
    for code, given in cases.items():
        with pytest.raises(UnsupportedError) as caught:
            resolve(CHECK)(given)
        assert caught.value.code == code
    gaps = rows.with_features(rows.features.mask(np.arange(60)[:, None] % 7 == 0))
    result = resolve(CHECK)(replace(made, tables={"test": gaps, "train": made.tables("train")}.__getitem__))
    assert result.outcome is not Outcome.ERROR


def test_the_surrogate_learns_the_words():
    """On another half of the texts it agrees with the model in seven of ten."""
    made = build(5)
    train, test = made.tables("train"), made.tables("test")
    guess = fit(list(train.features["note"]), made.subject.predict(train))
    assert (guess.answers(list(test.features["note"])) == made.subject.predict(test)).mean() > 0.7
