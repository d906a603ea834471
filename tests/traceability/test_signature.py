"""T2.signature: what is refused and with which reason, canaries, peers."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.truth.signature import KINDS, NOW, Model, _planted

from fivefold.contract.codec import canonical
from fivefold.contract.outcome import Outcome
from fivefold.contract.registry import resolve
from fivefold.errors import UnsupportedError
from fivefold.evidence import oms
from fivefold.keys import trust as trust_file
from fivefold.traceability.signature import canary, check

if TYPE_CHECKING:
    from pathlib import Path

run = resolve("T2.signature")

CODES = {
    "changed": "oms.changed-file",
    "older bytes": "oms.changed-file",
    "swapped": "oms.swapped-file",
    "extra": "oms.extra-file",
    "removed": "oms.missing-file",
    "symlink": "model.symlink",
    "outside name": "model.name",
    "unsigned": "oms.unsigned",
    "other key": "trust.unknown-key",
    "key not trusted": "trust.unknown-key",
    "revoked": "trust.revoked",
    "expired": "trust.expired",
    "wrong role": "trust.wrong-role",
    "truncated": "oms.malformed",
    "signature bit": "oms.bad-signature",
}


@pytest.fixture
def model() -> Model:
    """Return a signed model in a folder of its own."""
    return Model(3)


@pytest.mark.parametrize("kind", KINDS)
def test_each_fault_fails_with_its_own_reason(kind: str) -> None:
    """Every kind of fault is refused, and the finding says which it is."""
    result = run(_planted(8, kind))
    assert result.outcome is Outcome.FAIL
    assert CODES[kind] in result.measures[0].note
    assert result.remedy
    assert result.canary is not None
    assert result.canary.noticed


def test_good_signature_passes_and_names_the_signer(model: Model) -> None:
    """The reason says who signed, as the verifier's own trust file names them."""
    result = run(model.context(1))
    assert result.outcome is Outcome.PASS
    assert "owner" in result.reason
    assert result.measures[0].n == len(model.content)


def test_stranger_is_told_how_to_be_trusted(model: Model) -> None:
    """A good signature by a key that the trust file does not name fails with the command to add it."""
    result = run(model.context(1, trust_file.Trust()))
    assert result.outcome is Outcome.FAIL
    assert "a key that you do not trust" in result.reason
    assert "fivefold trust add" in result.remedy


def test_no_trust_file_trusts_nobody(model: Model) -> None:
    """Absent trust is empty trust."""
    assert run(replace(model.context(1), trust=None)).outcome is Outcome.FAIL


def test_no_model_file_is_unsupported(model: Model) -> None:
    """Answers without a model are not-run with a reason, never not-applicable."""
    with pytest.raises(UnsupportedError) as caught:
        run(replace(model.context(1), model_root=None))
    assert caught.value.code == "signature.no-model"
    assert caught.value.remedy


def test_validity_is_judged_at_the_time_of_the_run(model: Model) -> None:
    """The same bytes pass before the key's end and fail after it."""
    trust = trust_file.add(
        trust_file.Trust(), model.signer.public, name="owner", roles=("signer",), valid_until="2026-12-01T00:00:00Z"
    )
    given = model.context(1, trust)
    assert run(given).outcome is Outcome.PASS
    (model.folder / "scratch2").mkdir()
    later = replace(given, now="2027-01-01T00:00:00Z", scratch=model.folder / "scratch2")
    assert run(later).outcome is Outcome.FAIL


@pytest.mark.parametrize("make", ["folder", "fifo"])
def test_links_to_folders_and_special_files_are_refused(model: Model, make: str) -> None:
    """A link to a folder or a pipe inside the snapshot is refused before anything is hashed."""
    if make == "folder":
        (model.root / "d9").symlink_to(model.folder)
    else:
        os.mkfifo(model.root / "pipe")
    result = run(model.context(1))
    assert result.outcome is Outcome.FAIL
    assert ("model.symlink" if make == "folder" else "model.special") in result.measures[0].note


@pytest.mark.parametrize("name", [b"bad\xff", b"two\nlines", b"back\\slash"])
@pytest.mark.parametrize("link", [True, False])
def test_names_that_read_differently_elsewhere_are_refused(name: bytes, link: bool, model: Model) -> None:
    """A file name that is not plain text is refused, and the finding can still be written."""
    place = model.root / os.fsdecode(name)
    if link:
        place.symlink_to(model.folder)
    else:
        place.write_bytes(b"x")
    result = run(model.context(1))
    assert result.outcome is Outcome.FAIL
    assert "model.name" in result.measures[0].note
    assert canonical(result)


def test_result_is_the_same_whatever_throw_away_keys_are_drawn(model: Model) -> None:
    """Random keys of the canary leave no trace in the finding."""
    first = canonical(run(model.context(1)))
    (model.folder / "scratch").rmdir()
    assert canonical(run(model.context(1))) == first


@pytest.mark.parametrize("name", list(canary.KINDS))
def test_every_planted_kind_is_a_fault(name: str, model: Model, tmp_path: Path) -> None:
    """Each kind of the canary, planted alone in many places, is refused by the real verification."""
    for seed in range(5):
        copy_root = tmp_path / f"{seed}" / "model"
        for file, data in model.content.items():
            path = copy_root / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        bundle = oms.sign_files(model.content, model.signer)
        trust = trust_file.write(model.trusted)
        assert check.inspect(copy_root, bundle, trust, NOW).code == ""
        copy = canary._Copy(copy_root, bundle, trust, model.signer, np.random.default_rng(seed))
        changed_bundle, changed_trust = canary.KINDS[name](copy)
        assert check.inspect(copy_root, changed_bundle, changed_trust, NOW).code != ""


@pytest.mark.parametrize("content", [{"only": b""}, {"a": b"same", "b": b"same"}, {"one.json": b"x"}])
def test_canaries_work_on_the_smallest_models(content: dict[str, bytes], tmp_path: Path) -> None:
    """One file, an empty file, equal files: every planted fault is still a fault."""
    root, scratch = tmp_path / "model", tmp_path / "scratch"
    root.mkdir()
    scratch.mkdir()
    for name, data in content.items():
        (root / name).write_bytes(data)

    def inspect(folder: Path, signature: bytes | None, trust: bytes) -> str:
        return check.inspect(folder, signature, trust, NOW).code

    for seed in range(6):
        bird = canary.run(root, scratch, inspect, np.random.default_rng(seed), kinds=len(canary.KINDS))
        assert bird.noticed, bird.detail
        assert bird.planted == len(canary.KINDS)


@pytest.mark.parametrize("answer", ["", "always.refused"])
def test_a_verification_that_has_one_answer_is_caught(
    answer: str, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A verifier that accepts everything, or refuses everything, makes the finding inconclusive."""
    monkeypatch.setattr(check, "inspect", lambda *_: check.Seen(answer, "always the same"))
    assert run(model.context(1)).outcome is Outcome.INCONCLUSIVE
