"""``list`` and ``explain``: everything of the catalogue can be shown and asked for, in words and as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from fivefold import catalogue
from fivefold.cli._explain import about
from fivefold.cli.main import run
from fivefold.contract import registry
from fivefold.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

CATALOGUE = catalogue.load()
EVERY_ID = [
    *CATALOGUE.rows,
    *CATALOGUE.checks,
    *CATALOGUE.claim,
    *(aim.id for aim in CATALOGUE.aims),
    *(role.id for role in CATALOGUE.roles),
    *(str(level.number) for level in CATALOGUE.levels),
]


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str, str]]:
    """Return a function that runs the command line and gives exit code, output and errors."""
    monkeypatch.setenv("COLUMNS", "100")

    def call(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stopped:
            run(list(words))
        shown = capsys.readouterr()
        return int(stopped.value.code or 0), shown.out, shown.err

    return call


def test_list_shows_every_row_and_check(say: Callable[..., tuple[int, str, str]]) -> None:
    """All 74 rows and all their checks stand there with their state."""
    code, shown, _ = say("list", "--json")
    rows = json.loads(shown)["rows"]
    assert code == 0
    assert len(rows) == 74
    checks = {check["id"]: check["state"] for row in rows for check in row["checks"]}
    assert set(checks) == set(CATALOGUE.checks)
    assert {name for name, state in checks.items() if state == "built"} == set(registry.checks())
    code, shown, _ = say("list")
    assert code == 0
    words = shown.split()
    assert all(name in words for name in CATALOGUE.rows)
    assert all(f"+{name}" in words for name in registry.checks())


def test_list_by_state(say: Callable[..., tuple[int, str, str]]) -> None:
    """Rows in the state asked for, and of other rows the checks in it; another word is refused."""
    for state in ("gap", "built"):
        _, shown, _ = say("list", "--state", state, "--json")
        rows = json.loads(shown)["rows"]
        assert rows
        for row in rows:
            assert row["state"] == state or {check["state"] for check in row["checks"]} == {state}
    built = {check["id"] for row in rows for check in row["checks"] if check["state"] == "built"}
    assert built == set(registry.checks())
    code, _, error = say("list", "--state", "done")
    assert code == 2
    assert "built, partial or gap" in error


@pytest.mark.parametrize("name", EVERY_ID)
def test_everything_can_be_explained(name: str) -> None:
    """Every row, check, claim, aim, party and level has a title and something to say."""
    found = about(name, CATALOGUE)
    assert found["title"]
    assert sum(bool(value) for value in found.values()) >= 4


@pytest.mark.parametrize("name", sorted(registry.checks()))
def test_a_built_check_says_everything(name: str) -> None:
    """Question, threat, method, limits, source and cost stand there, and every option and floor is a key."""
    found = about(name, CATALOGUE)
    assert all(found[part] for part in ("question", "threat", "method", "limits", "source", "cost", "row", "state"))
    keys = " ".join(found["manifest_keys"])
    for key in [*registry.checks()[name].options, *(floor.key for floor in CATALOGUE.checks[name].floors)]:
        assert f"checks.{name}.{key}" in keys


def test_explain_reads_any_case_and_shows_words(say: Callable[..., tuple[int, str, str]]) -> None:
    """Ids are matched in any case; the terminal shows the same parts."""
    code, shown, _ = say("explain", "p3.MEMBERSHIP")
    assert code == 0
    assert "threat" in shown
    assert "checks.P3.membership.max_auc" in shown


@pytest.mark.parametrize(("name", "near"), [("P3.acuracy", "P3.accuracy"), ("deploier", "deployer")])
def test_an_unknown_id_is_refused_with_the_nearest(
    say: Callable[..., tuple[int, str, str]], name: str, near: str
) -> None:
    """A typing error is answered with the id that was meant; exit code 2."""
    code, _, error = say("explain", name)
    assert code == 2
    assert near in error
    with pytest.raises(InputError) as caught:
        about(name, CATALOGUE)
    assert caught.value.code == "explain.unknown"
