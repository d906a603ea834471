"""T2.provenance and what signs it: each broken link has its own name, canaries that can fail, real applications."""

from __future__ import annotations

import base64
import json
import shutil
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest
from tests.truth.originated import KINDS, NOW, SIGNED, Application, build

from fivefold.contract.outcome import Outcome
from fivefold.contract.registry import resolve
from fivefold.errors import FivefoldError, InputError, TrustError, UnsupportedError
from fivefold.evidence import commits, links, model_provenance
from fivefold.evidence.links import There
from fivefold.traceability.lineage import making, planted

if TYPE_CHECKING:
    from collections.abc import Iterator

run = resolve("T2.provenance")
CODES = {
    "one bit of data": "provenance.other-data", "other data of the same name": "provenance.other-data",
    "one bit of the model": "provenance.other-model", "another model": "provenance.other-model",
    "one bit of code": "provenance.other-code", "code beside the named": "provenance.unnamed-code",
    "signed by another key": "trust.unknown-key", "key not trusted": "trust.unknown-key",
    "wrong role": "trust.wrong-role", "revoked": "trust.revoked", "statement cut": "evidence.malformed",
    "no statement": "provenance.none", "of another application": "provenance.other-application",
    "no people": "provenance.no-people", "blank person": "provenance.no-people",
    "no parameters": "provenance.no-parameters", "no environment": "provenance.no-environment",
    "no code": "provenance.no-code", "training data not named": "provenance.unnamed-data",
    "a data file gone": "provenance.missing", "unknown commit": "provenance.unknown-commit",
    "stale commit": "provenance.other-commit", "other factory": "provenance.other-factory",
}  # fmt: skip


@pytest.fixture
def app() -> Iterator[Application]:
    """Return an application in a repository, with a statement that holds."""
    made = Application(4, repository=True)
    yield made
    shutil.rmtree(made.root.parent)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind in CODES])
def test_each_broken_link_is_named(kind: str) -> None:
    """Every kind of break fails with its own code, in the measure of its part alone."""
    result = run(build(21, kind))
    assert result.outcome is Outcome.FAIL
    bad = [one for one in result.measures if one.outcome is Outcome.FAIL]
    assert CODES[kind] in " ".join(one.note for one in bad)
    assert CODES[kind] in result.reason
    assert result.remedy
    assert result.canary is not None
    assert result.canary.noticed
    believed = CODES[kind].startswith("provenance.") and kind != "no statement"
    assert len(bad) == (1 if believed else len(result.measures))


def test_an_intact_statement_names_all_five_kinds_and_its_signer(app: Application) -> None:
    """It passes, and says who signed and how many links of each kind hold."""
    result = run(app.context(1))
    assert result.outcome is Outcome.PASS, result.reason
    assert "owner" in result.reason
    assert [one.outcome for one in result.measures] == [Outcome.PASS] * 7
    assert all(one.n for one in result.measures)
    commit = app.made.says.named("repository")[0].digest["gitCommit"]
    assert commit == commits.head(app.root)


def test_without_model_files_it_is_unsupported(app: Application) -> None:
    """Answers without a model are not run, never not applicable."""
    with pytest.raises(UnsupportedError) as caught:
        run(replace(app.context(1), model_root=None))
    assert caught.value.code == "provenance.no-files"


def test_throw_away_keys_leave_no_trace_in_the_finding(app: Application) -> None:
    """The same bytes give the same finding."""
    assert msgspec.json.encode(run(app.context(1))) == msgspec.json.encode(run(app.context(1)))


@pytest.mark.parametrize("blind", ["model", "data", "code", "parameters", "environment", "people", "signature"])
def test_a_check_that_is_blind_to_one_part_is_inconclusive(
    blind: str, app: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The canary breaks each part: verification that overlooks one concludes nothing, whatever the statement."""
    real = links.follow

    def overlooking(*given: Any, **more: Any) -> Any:
        known, found = real(*given, **more)
        return known, tuple(msgspec.structs.replace(link, code="") if link.part == blind else link for link in found)

    monkeypatch.setattr(links, "follow", overlooking)
    result = run(app.context(1))
    assert result.outcome is Outcome.INCONCLUSIVE
    assert result.canary is not None
    assert result.canary.found < result.canary.planted


def test_a_check_that_finds_fault_with_everything_is_inconclusive(
    app: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An intact statement is held beside each broken one."""
    real = links.follow

    def strict(*given: Any, **more: Any) -> Any:
        known, found = real(*given, **more)
        return known, (*found, links.Link(part="people", name="", code="provenance.no-people"))

    monkeypatch.setattr(links, "follow", strict)
    assert run(app.context(1)).outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(
    "there",
    [
        There(application="a", files={"m": "0" * 64}, outputs=("m",)),
        There(application="a", files={"m.py": "1" * 64}, outputs=("m.py",), training="m:fit", trains=("m.py",)),
        There(application="a", files={"m": "0" * 64, "s.py": "2" * 64}, outputs=("m",), data={"train": "3" * 64}),
    ],
    ids=["a file alone", "code that is the model", "data and code"],
)
def test_every_break_is_found_in_any_application(there: There) -> None:
    """Planted at twenty places each, in applications without data, without code, and with both."""
    for seed in range(20):
        bird = planted.prove(there, np.random.default_rng(seed), NOW)
        assert bird.noticed, bird.detail
        assert bird.planted == len(planted.BREAKS)


def test_what_is_signed_says_what_slsa_asks_for(app: Application) -> None:
    """An in-toto Statement v1 with a SLSA v1 predicate: builder, build type, parameters, dependencies by digest."""
    statement = json.loads(base64.b64decode(json.loads(app.made.place.read_bytes())["payload"]))
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == "https://slsa.dev/provenance/v1"
    definition, details = statement["predicate"]["buildDefinition"], statement["predicate"]["runDetails"]
    assert definition["buildType"].startswith("https://")
    assert definition["externalParameters"]["people"]
    assert definition["internalParameters"]["environment"] or app.made.says.named("environment")
    assert all(one["digest"] and one["name"] for one in definition["resolvedDependencies"])
    assert details["builder"]["id"].startswith("https://")
    assert details["metadata"]["finishedOn"] == SIGNED
    assert {one["name"] for one in statement["subject"]} == set(app.made.files)


def test_an_earlier_statement_is_put_aside_and_can_be_found(app: Application) -> None:
    """Signing again keeps what was said of the model before."""
    before = app.made.place.read_bytes()
    made = making.declare(app.manifest, making.Saying(parameters={"seed": 2}), app.signer, NOW)
    assert made.aside is not None
    assert model_provenance.earlier(app.manifest) == {made.aside.name: before}
    assert model_provenance.stored(app.manifest) != before
    assert run(app.context(1)).outcome is Outcome.PASS


REFUSED: dict[str, dict[str, Any]] = {
    "provenance.no-parameters": {"parameters": {}},
    "provenance.no-people": {"people": {"trained": " "}},
    "provenance.file": {"data": ["data/none.csv"]},
    "provenance.commit": {"commit": "main"},
    "provenance.unknown-commit": {"commit": "a" * 40},
    "codec.not-finite": {"parameters": {"rate": float("nan")}},
}


@pytest.mark.parametrize("code", REFUSED)
def test_what_would_be_a_broken_link_is_not_signed(code: str, app: Application) -> None:
    """The command refuses, and the statement that was there stays."""
    before = app.made.place.read_bytes()
    given = {"parameters": {"seed": 1}, **REFUSED[code]}
    with pytest.raises(FivefoldError) as caught:
        making.declare(app.manifest, making.Saying(**given), app.signer, NOW)
    assert caught.value.code == code
    assert app.made.place.read_bytes() == before


@pytest.mark.parametrize("name", ["../outside.csv", "/etc/passwd", "data/linked.csv", "da\nta"])
def test_nothing_outside_the_folder_is_named_or_read(name: str, app: Application) -> None:
    """Paths that leave it, and links, are refused when signing, and not looked up for a stranger's statement."""
    (app.root / "data/linked.csv").symlink_to("/etc/hostname")
    with pytest.raises(InputError) as caught:
        making.declare(app.manifest, making.Saying(parameters={"a": 1}, code=[name]), app.signer, NOW)
    assert caught.value.code == "provenance.file"
    bad = msgspec.structs.replace(app.listed("")[0], name=name, uri=name, annotations={"kind": "data"})
    app.define(resolvedDependencies=(*app.listed(""), bad))
    there = links.look(app.manifest, app.made.place.read_bytes(), {}, {})
    assert there.others[name] == ""


def test_a_changed_tree_names_no_commit_and_a_stale_one_is_refused(app: Application) -> None:
    """Code that is in no commit is named by its digests alone."""
    before = commits.head(app.root)
    (app.root / "scorer.py").write_bytes(b"def load():\n    return 3\n")
    made = making.declare(app.manifest, making.Saying(parameters={"a": 1}), app.signer, NOW)
    assert not made.says.named("repository")
    with pytest.raises(InputError) as caught:
        making.declare(app.manifest, making.Saying(parameters={"a": 1}, commit=before), app.signer, NOW)
    assert caught.value.code == "provenance.other-commit"
    assert run(app.context(1)).outcome is Outcome.PASS


def test_where_there_is_no_repository_the_commit_is_not_looked_up(app: Application) -> None:
    """A copy without its repository holds by the digests of the code, and the finding says what was not looked up."""
    shutil.rmtree(app.root / ".git")
    result = run(app.context(1))
    assert result.outcome is Outcome.PASS
    assert any("not looked up" in text for text in result.limits)


def test_a_repository_cannot_run_anything(app: Application) -> None:
    """What the repository's own configuration names is not run by the questions that are asked of it."""
    ran = app.root / "ran"
    hook = app.root / "hook.sh"
    hook.write_text(f"#!/bin/sh\ntouch {ran}\n", encoding="utf-8")
    hook.chmod(0o755)
    with (app.root / ".git/config").open("a") as file:
        file.write(f"[core]\n\tfsmonitor = {hook}\n\tsshCommand = {hook}\n\tpager = {hook}\n")
        file.write('[remote "origin"]\n\turl = ssh://git.invalid/x.git\n\tpromisor = true\n')
        file.write("[extensions]\n\tpartialClone = origin\n")
    head = commits.head(app.root)
    assert head
    assert commits.files_at(app.root, head, ["scorer.py"])
    assert not commits.knows(app.root, "b" * 40)
    assert not ran.exists()


def test_a_password_in_the_repositorys_address_is_not_signed(app: Application) -> None:
    """The address is named without whoever may read it."""
    with (app.root / ".git/config").open("a") as file:
        file.write('[remote "origin"]\n\turl = https://jane:secret@git.example/app.git\n')
    made = making.declare(app.manifest, making.Saying(parameters={"a": 1}), app.signer, NOW)
    assert made.says.named("repository")[0].uri == "git+https://git.example/app.git"


def _at(name: str, said: dict[str, Any]) -> dict[str, Any]:
    """Say a time that is none."""
    run_ = said["runDetails"]
    return said | {"runDetails": run_ | {"metadata": run_["metadata"] | {name: "yesterday"}}}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda said: said | {"more": 1}, "provenance.malformed"),
        (lambda said: said | {"buildDefinition": said["buildDefinition"] | {"buildType": "x"}}, "provenance.malformed"),
        (lambda _: {"unused": 1}, "provenance.malformed"),
        *((partial(_at, name), "provenance.malformed") for name in ("fivefold_issued", "startedOn", "finishedOn")),
    ],
    ids=["an unknown field", "another build type", "another predicate", "signed", "begun", "ended at no time"],
)
def test_other_statements_are_refused(change: Any, code: str, app: Application) -> None:
    """What cannot be read as this version of the format is not read as something else."""
    from fivefold.evidence import envelope

    said = change(msgspec.to_builtins(app.made.says))
    data = envelope.seal(model_provenance.TYPE, app.made.files, said, app.signer)
    with pytest.raises(TrustError) as caught:
        model_provenance.opened(data, trust=app.trust, now=NOW)
    assert caught.value.code == code


def test_a_statement_from_the_future_is_refused(app: Application) -> None:
    """The signer's clock may run ahead by minutes only."""
    app.now = "2026-09-01T00:00:00Z"
    result = run(app.context(1))
    assert result.outcome is Outcome.FAIL
    assert "trust.from-the-future" in result.reason
