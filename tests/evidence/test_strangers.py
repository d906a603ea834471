"""What somebody without the owner's key, or with the owner's key and little respect, may try on a finished folder."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import evidence_builder as build
import msgspec
import pytest

from fivefold.catalogue import load
from fivefold.contract.verdict import Waiver
from fivefold.errors import FivefoldError, TrustError
from fivefold.evidence import statements, waivers
from fivefold.evidence.application import read_folder
from fivefold.evidence.judge import ValidWaiver, judge
from fivefold.evidence.layout import CHECKPOINT, ENTRIES, key_path
from fivefold.evidence.verify import verify
from fivefold.keys import signing, store
from fivefold.keys import trust as trust_file
from fivefold.log import checkpoint, tree
from fivefold.plan.seal import plan_digest

if TYPE_CHECKING:
    from pathlib import Path


def reclosed(folder: Path, signer: signing.Signer, keep: int) -> None:
    """Cut the log after ``keep`` lines and sign what is left with another key."""
    lines = (folder / ENTRIES).read_bytes().splitlines()[:keep]
    (folder / ENTRIES).write_bytes(b"".join(line + b"\n" for line in lines))
    root = tree.root([tree.leaf_hash(line) for line in lines])
    said = checkpoint.Checkpoint(origin=checkpoint.origin_of("toy-app"), size=len(lines), root=root)
    (folder / CHECKPOINT).write_bytes(checkpoint.sign(said, signer))
    place = folder / key_path(signer.public.id)
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(signer.public.pem)


def test_the_owner_does_not_go_on_with_a_log_that_a_stranger_signed(tmp_path: Path) -> None:
    """A stranger cut the last attempt; the owner's next run refuses instead of signing what is left."""
    owner = build.fill(tmp_path, attempts=2)
    size = len((tmp_path / "evidence" / ENTRIES).read_bytes().splitlines())
    reclosed(tmp_path / "evidence", signing.generate(), size - 3)
    with pytest.raises(TrustError) as error:
        build.opened(tmp_path, owner)
    assert error.value.code == "evidence.not-mine"


def test_a_log_that_another_assessor_closed_is_no_clean_answer(tmp_path: Path) -> None:
    """A colleague whom the verifier trusts as assessor may have cut the end; one trusted as log keeper may close it."""
    owner, other = build.fill(tmp_path), signing.generate()
    size = len((tmp_path / "evidence" / ENTRIES).read_bytes().splitlines())
    reclosed(tmp_path / "evidence", other, size)
    for role, clean in (("assessor", False), ("log", True)):
        known = build.trusting((owner, "Ann", "assessor"), (other, "Bob", role))
        found = verify(read_folder(tmp_path / "evidence"), known, build.NOW)
        codes = {flaw.code for flaw in found.doubts}
        assert ("evidence.other-closer" not in codes) is clean


def test_a_colleague_cannot_cut_the_end_and_judge_once_more(tmp_path: Path) -> None:
    """An own statement at the end does not make the cut look like the owner's log."""
    owner, other = build.fill(tmp_path), signing.generate()
    build.befriend(owner)
    evidence, _ = build.opened(tmp_path, other)
    plan = evidence.latest()
    assert plan is not None
    said = build.verdict(plan, evidence.findings(1), now="2026-11-23T09:30:00Z")
    evidence.add_verdict(plan, said, "2026-11-23T09:30:00Z")
    known = build.trusting((owner, "Ann", "assessor"), (other, "Bob", "assessor"))
    found = verify(read_folder(tmp_path / "evidence"), known, build.NOW)
    assert "evidence.other-closer" in {flaw.code for flaw in found.doubts}


@pytest.mark.parametrize(("role", "goes_on"), [("assessor", False), ("log", True)])
def test_the_owner_goes_on_only_from_a_trusted_log_keeper(
    tmp_path: Path, role: trust_file.Role, *, goes_on: bool
) -> None:
    """To be trusted as assessor is not to be trusted with the end of somebody else's log."""
    owner, other = build.fill(tmp_path, attempts=2), signing.generate()
    reclosed(tmp_path / "evidence", other, len((tmp_path / "evidence" / ENTRIES).read_bytes().splitlines()) - 3)
    store.write_trust(trust_file.add(trust_file.Trust(), other.public, name="Bob", roles=(role,)))
    if goes_on:
        assert build.opened(tmp_path, owner)[0].attempts()
        return
    with pytest.raises(TrustError) as error:
        build.opened(tmp_path, owner)
    assert error.value.code == "evidence.not-mine"
    assert "--role log" in error.value.remedy


def waiver(role: str, until: str = "2026-12-31") -> Waiver:
    """Return an officer's waiver of claim 1b."""
    return Waiver(
        application="toy-app", claim="1b", reason="the new data arrive next month", until=until, role=role,
        issued=build.NOW,
    )  # fmt: skip


def test_a_strangers_waiver_in_the_folder_is_not_taken_up(tmp_path: Path) -> None:
    """An unlogged waiver by a key that nobody trusts stays what it is: a file that does not belong there."""
    owner, stranger = build.fill(tmp_path), signing.generate()
    made = statements.seal_waiver(waiver("legal-officer"), stranger)
    place = tmp_path / "evidence" / "waivers" / "0001.json"
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(made)
    key = tmp_path / "evidence" / key_path(stranger.public.id)
    key.write_bytes(stranger.public.pem)
    build.opened(tmp_path, owner)
    found = verify(read_folder(tmp_path / "evidence"), build.trusting((owner, "Ann", "assessor")), build.NOW)
    assert {"waivers/0001.json", key_path(stranger.public.id)} == {flaw.path for flaw in found.problems}


@pytest.mark.parametrize(
    ("trusted", "taken"), [("legal-officer", True), ("privacy-officer", False), ("assessor", False)]
)
def test_an_unlogged_waiver_is_taken_up_from_an_officer_in_that_role_only(
    tmp_path: Path, trusted: trust_file.Role, *, taken: bool
) -> None:
    """Left by a kill between file and log: repaired if the user's own trust file names its signer for this role."""
    owner, officer = build.fill(tmp_path), signing.generate()
    store.write_trust(trust_file.add(trust_file.Trust(), officer.public, name="Leo", roles=(trusted,)))
    place = tmp_path / "evidence" / "waivers" / "1b-0.json"
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(statements.seal_waiver(waiver("legal-officer"), officer))
    evidence, _ = build.opened(tmp_path, owner)
    assert ("waivers/1b-0.json" in evidence.waivers()) is taken


@pytest.mark.parametrize("until", ["20261231", "2026-W50-1", "2026-12-31T00:00:00", "2026-13-01", ""])
def test_the_last_day_of_a_waiver_has_one_form(until: str) -> None:
    """Days are compared as texts, so that no other form may stand there."""
    with pytest.raises(FivefoldError) as error:
        waivers.check(waiver("legal-officer", until))
    assert error.value.code == "waiver.until"


@pytest.mark.parametrize(
    "name",
    [
        "Zoe\u200b Zero",
        "Zoe\u00ad Zero",
        "Zoe\u200e Zero",
        "Zoe\u2060 Zero",
        "Zoe\ufe0f Zero",
        "Zo\u0435 Z\u0435ro",
        "ZOE  ZERO",
        "ZoeZero",
        "Zoe \u3164Zero",
        "Zo\u0395 Zer\u039f",
        "Zoe\u034f Zero",
        "Z\u043e\u0435 Z\u0435r\u043e",
    ],
)
def test_one_person_under_two_spellings_is_one_person(name: str) -> None:
    """Invisible characters, look-alike letters, case and spaces make nobody a second officer."""
    assert trust_file.person(name) == trust_file.person("Zoe Zero")
    assert trust_file.person("Zoe Zhero") != trust_file.person("Zoe Zero")


def test_a_name_with_invisible_characters_is_refused() -> None:
    """When a key is trusted; what cannot be seen cannot be judged."""
    with pytest.raises(FivefoldError) as error:
        trust_file.add(trust_file.Trust(), signing.generate().public, name="Zoe\u200b Zero", roles=("legal-officer",))
    assert error.value.code == "trust.invisible"
    assert "U+200B" in str(error.value)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("Zoe\u00ad Zero", "trust.invisible"),
        ("Zoe\ufe0f Zero", "trust.invisible"),
        ("Zoe\nZero", "trust.invisible"),
        ("Zo\u0435 Zero", "trust.look-alike"),
        ("\u0391nn", "trust.look-alike"),
    ],
)
def test_key_and_trust_refuse_names_that_pass_for_others(name: str, code: str) -> None:
    """The commands say why; names in one alphabet, whichever it is, are fine."""
    with pytest.raises(FivefoldError) as error:
        store.new_key("privacy-officer", name)
    assert error.value.code == code
    with pytest.raises(FivefoldError) as error:
        trust_file.add(trust_file.Trust(), signing.generate().public, name=name, roles=("legal-officer",))
    assert error.value.code == code


@pytest.mark.parametrize(
    "name", ["Zo\u00eb Zero", "\u0410\u043d\u043d\u0430", "\u0391\u03bd\u03bd\u03b1", "I\u015f\u0131k", "\u674e\u96f7"]
)
def test_honest_names_are_taken(name: str) -> None:
    """Accents, Cyrillic, Greek, Turkish and Chinese names."""
    assert store.new_key("legal-officer", name).note.name == name


def test_the_judge_counts_one_person_under_two_spellings_once(tmp_path: Path) -> None:
    """The judge compares names as the trust file does."""
    build.application(tmp_path)
    plan = build.plan(tmp_path, 1)
    for other, status in (("Zo\u0435\u200b Zero", "blocked"), ("Leo", "waived")):
        held = ValidWaiver(claim="2c", until="2026-12-31", officers=("Zoe Zero", other), ids=("a", "b"))
        said = judge(plan, (), (held,), build.NOW, load())
        assert next(claim.status for claim in said.claims if claim.claim == "2c") == status


@pytest.mark.parametrize("kind", ["checks", "claims"])
def test_an_entry_that_stands_twice_in_the_plan_is_named(tmp_path: Path, kind: str) -> None:
    """A looser one put before the true one hides nothing."""
    build.application(tmp_path)
    evidence, signer = build.opened(tmp_path)
    plan = build.plan(tmp_path, 1)
    items = getattr(plan, kind)
    edited = msgspec.structs.replace(plan, **{kind: (items[0], *items)})
    edited = msgspec.structs.replace(edited, digest=plan_digest(edited))
    attempt = evidence.open_attempt(edited, (tmp_path / "fivefold.yaml").read_bytes())
    build.close(attempt)
    found = verify(read_folder(tmp_path / "evidence"), build.trusting((signer, "Ann", "assessor")), build.NOW)
    assert any("more than once" in flaw.text for flaw in found.problems)


def program(*words: object) -> subprocess.CompletedProcess[str]:
    """Run fivefold."""
    command = [sys.executable, "-m", "fivefold", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_a_linked_evidence_folder_is_refused(tmp_path: Path) -> None:
    """It would be held against the application that the link points into, not against this one."""
    build.fill(tmp_path / "one")
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    shutil.rmtree(tmp_path / "two" / "evidence")
    (tmp_path / "two" / "evidence").symlink_to(tmp_path / "one" / "evidence")
    for words in (("verify", tmp_path / "two"), ("verify", tmp_path / "two" / "evidence"), ("gate", tmp_path / "two"),
                  ("report", tmp_path / "two", "--format", "terminal")):  # fmt: skip
        done = program(*words)
        assert done.returncode == 2, done.stdout
        assert "evidence.link" in done.stderr


def test_taking_the_manifest_away_does_not_switch_the_comparison_off(tmp_path: Path) -> None:
    """Data changed and fivefold.yaml removed: both are named; evidence that stands alone is only noted."""
    root = tmp_path / "app"
    owner = build.fill(root)
    trust = tmp_path / "trust.json"
    trust.write_bytes(build.trusting((owner, "Ann", "assessor")))
    (root / "data" / "test.csv").write_text("x\n")
    (root / "fivefold.yaml").unlink()
    done = program("verify", root / "evidence", "--trust", trust)
    assert done.returncode == 1
    assert "application.manifest" in done.stdout
    assert "application.data" in done.stdout
    shutil.move(root / "evidence", tmp_path / "evidence")
    alone = program("verify", tmp_path / "evidence", "--trust", trust)
    assert "not beside" in alone.stdout
    assert "application.manifest" not in alone.stdout


def test_the_folder_above_a_path_with_dots_is_found(tmp_path: Path) -> None:
    """``verify ..`` from inside the evidence is held against the application all the same."""
    root = tmp_path / "app"
    owner = build.fill(root)
    trust = tmp_path / "trust.json"
    trust.write_bytes(build.trusting((owner, "Ann", "assessor")))
    (root / "data" / "test.csv").write_text("x\n")
    done = program("verify", root / "evidence" / "log" / "..", "--trust", trust)
    assert "application.data" in done.stdout
