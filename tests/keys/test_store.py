"""Key files: where they lie, who can read them, which one signs."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from fivefold.errors import InputError
from fivefold.keys import store, trust

if TYPE_CHECKING:
    from pathlib import Path


def test_the_default_assessor_is_made_once_and_trusted_by_its_owner() -> None:
    """The first call says that it made a key; later ones use it."""
    first, created = store.default_assessor()
    again, created_again = store.default_assessor()
    assert (created, created_again, first.public.id) == (True, False, again.public.id)
    entry = trust.read(store.read_trust()).find(first.public.id)
    assert entry is not None
    assert entry.roles == ("assessor",)


def test_two_runs_at_once_make_one_key() -> None:
    """Eight callers see the same key, and one of them made it."""
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: store.default_assessor(), range(8)))
    assert len({signer.public.id for signer, _ in found}) == 1
    assert sum(created for _, created in found) == 1


def test_private_files_are_for_the_owner_alone() -> None:
    """Keys and secrets have mode 0600, their folder 0700, and lie under the config folder."""
    made = store.new_key("privacy-officer", "Ann")
    store.application_secret("app")
    assert made.path.is_relative_to(store.config_folder())
    assert stat.S_IMODE(store.keys_folder().stat().st_mode) == 0o700
    for path in [made.path, *store.keys_folder().glob("applications/*.secret")]:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_key_that_others_can_read_is_refused() -> None:
    """The remedy names the command."""
    made = store.new_key("assessor")
    made.path.chmod(0o644)
    with pytest.raises(InputError) as error:
        store.load(made.path)
    assert error.value.code == "keys.mode"
    assert "chmod 600" in error.value.remedy


def test_the_oldest_assessor_key_signs() -> None:
    """A second key does not silently take over."""
    first = store.new_key("assessor", "Ann")
    store.new_key("assessor", "Ann")
    signer, created = store.default_assessor()
    assert (signer.public.id, created) == (first.note.id, False)


@pytest.mark.parametrize("how", ["id", "name", "path", "stem"])
def test_a_key_is_found_by(how: str) -> None:
    """Path, start of the id, holder's name or file name."""
    made = store.new_key("legal-officer", "Bo Legal")
    reference = {"id": made.note.id[:10], "name": "bo legal", "path": str(made.path), "stem": made.path.stem}[how]
    assert store.find(reference).note.id == made.note.id
    assert store.find_public(reference).id == made.note.id


def test_an_ambiguous_or_unknown_name_is_refused() -> None:
    """Nobody signs with a guessed key."""
    store.new_key("legal-officer", "Bo")
    store.new_key("privacy-officer", "Bo")
    for reference in ("Bo", "Nobody"):
        with pytest.raises(InputError) as error:
            store.find(reference)
        assert error.value.code == "keys.missing"


def test_the_secret_of_an_application_stays_and_differs_by_application() -> None:
    """32 bytes, the same each time; names cannot leave the folder."""
    first = store.application_secret("../../a")
    assert len(first) == 32
    assert store.application_secret("../../a") == first
    assert store.application_secret("b") != first
    assert len(list((store.keys_folder() / "applications").iterdir())) == 2


@pytest.mark.parametrize(
    ("role", "algorithm"), [("signer", "ed25519"), ("assessor", "ecdsa-p256"), ("log", "ecdsa-p384")]
)
def test_a_role_refuses_an_algorithm_that_it_cannot_use(role: trust.Role, algorithm: str) -> None:
    """Model signatures are ECDSA; logs and statements are Ed25519."""
    with pytest.raises(InputError) as error:
        store.new_key(role, algorithm=algorithm)
    assert error.value.code == "keys.algorithm"


def test_a_note_of_another_key_is_refused() -> None:
    """Swapped notes do not give a key another name or role."""
    one, two = store.new_key("assessor", "Ann"), store.new_key("assessor", "Bo")
    one.path.with_suffix(".json").write_bytes(two.path.with_suffix(".json").read_bytes())
    with pytest.raises(InputError) as error:
        store.load(one.path)
    assert error.value.code == "keys.malformed"


def test_a_trust_file_that_was_named_must_exist(tmp_path: Path) -> None:
    """The own one may be absent."""
    assert store.read_trust() == b""
    with pytest.raises(InputError) as error:
        store.read_trust(tmp_path / "none.json")
    assert error.value.code == "trust.missing"
