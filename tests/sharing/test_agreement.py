"""S3, what parties agree on, and what is checked before Flower's programs are started."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fivefold.errors import InputError
from fivefold.sharing.federated import agreement, flower_run
from fivefold.sharing.federated.flower_run import Party, Secure
from fivefold.sharing.federated.terms import RoundError

if TYPE_CHECKING:
    from pathlib import Path


def _study(folder: Path, count: int = 5, **settings: float) -> tuple[Path, list[Path]]:
    made = [flower_run.make_key(f"site-{at}", folder) for at in range(count)]
    return flower_run.make_agreement(folder / "study", [line for _, line in made], settings), [key for key, _ in made]


def test_an_agreement_is_read_back_and_gives_terms(tmp_path: Path) -> None:
    """More than half of those on the roster, one number more where clients are weighted."""
    file, _ = _study(tmp_path, 5, examples=200, clip=2)
    found = agreement.read(file)
    assert (len(found.clients), found.fewest, found.examples, found.clip) == (5, 3, 200, 2.0)
    terms = found.terms(sorted(found.clients), 10, "1/1", "m")
    assert (terms.size, terms.weight, terms.least, terms.clip) == (11, 200, 3, 2.0)
    with pytest.raises(RoundError) as error:
        found.terms(sorted(found.clients)[:2], 10, "1/1", "m")
    assert error.value.code == "federated.few"


def test_keys_are_private_and_never_written_over(tmp_path: Path) -> None:
    """Mode 0600; a second key of the name is refused."""
    private, public = flower_run.make_key("site", tmp_path)
    assert private.stat().st_mode & 0o077 == 0
    assert "PRIVATE" not in public.read_text()
    for name, code in (("site", "federated.exists"), ("a b", "federated.name"), ("", "federated.name")):
        with pytest.raises(InputError) as error:
            flower_run.make_key(name, tmp_path)
        assert error.value.code == code


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("clip = 1", "clip = 0"), ("clip = 1", "clip = 'x'"), ("clip = 1", "clip = nan"), ("clip = 1", "clop = 1"),
        ("clip = 1", "least = 6"), ("clip = 1", "least = -1"), ("clip = 1", "degree = 3"), ("clip = 1", "cohorts = 2"),
        ("clip = 1", "noise = 1.0"), ("clip = 1", "noise = 1.0\nexamples = 1"), ("clip = 1", "examples = 0"),
        ("clip = 1", "delta = 1"), ("[clients]", "[clients]\nx = 'AAAA'"), ("[clients]", "[clients"),
        ("clip = 1", "examples = 1\nnoise = 1.0\nnorm = 1.0\ncolluding = 3"),
    ],
)  # fmt: skip
def test_an_agreement_that_protects_nothing_is_refused(tmp_path: Path, old: str, new: str) -> None:
    """With the file and what to do."""
    file, _ = _study(tmp_path, clip=1)
    file.write_text(file.read_text().replace(old, new))
    with pytest.raises(InputError) as error:
        agreement.read(file)
    assert error.value.code == "federated.agreement"
    assert error.value.remedy


def test_two_parties_and_doubled_keys_are_refused(tmp_path: Path) -> None:
    """Of two, each learns the other's; a key stands once."""
    with pytest.raises(InputError):
        _study(tmp_path / "two", 2)
    assert not (tmp_path / "two" / "study").exists()
    file, _ = _study(tmp_path / "five")
    text = file.read_text()
    key = text.split('"site-0" = ')[1].splitlines()[0]
    file.write_text(text + f"extra = {key}\n")
    with pytest.raises(InputError):
        agreement.read(file)


def test_who_joins_is_checked_first(tmp_path: Path) -> None:
    """Name, key, mode: before anything is started."""
    file, keys = _study(tmp_path)
    assert flower_run.joining(Party("site-1", keys[1], file, {}))
    for party in (
        Party("nobody", keys[1], file, {}), Party("site-2", keys[1], file, {}),
        Party("site-1", tmp_path / "absent.pem", file, {}), Party("site-1", keys[1], tmp_path / "absent.toml", {}),
    ):  # fmt: skip
        with pytest.raises(InputError) as error:
            flower_run.joining(party)
        assert error.value.remedy
    keys[1].chmod(0o644)
    with pytest.raises(InputError) as error:
        flower_run.joining(Party("site-1", keys[1], file, {}))
    assert error.value.code == "federated.key"


def test_without_flower_the_remedy_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a traceback."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(flower_run.sys, "executable", str(tmp_path / "python"))
    with pytest.raises(InputError) as error:
        flower_run.serve_command("127.0.0.1", 8000, Secure(), insecure=True)
    assert error.value.code == "federated.flower"
    assert "fivefold[federated]" in error.value.remedy


def test_no_connection_is_left_open_by_omission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither --insecure nor certificates: refused, for the server and for a client."""
    file, keys = _study(tmp_path)
    monkeypatch.setattr(flower_run, "program", lambda name: name)
    for start in (
        lambda: flower_run.serve_command("127.0.0.1", 8000, Secure(), insecure=False),
        lambda: flower_run.join_command("h:1", Party("site-0", keys[0], file, {}), Secure(), insecure=False),
    ):
        with pytest.raises(InputError) as error:
            start()
        assert error.value.code == "federated.tls"


@pytest.mark.parametrize("word", ["rounds", "=3", "a b=3", ""])
def test_settings_are_names_and_values(word: str) -> None:
    """Anything else is refused, and so is what Flower would not read."""
    with pytest.raises(InputError) as error:
        flower_run.settings_of([word])
    assert error.value.code == "federated.setting"
    assert flower_run.settings_of(["rounds=5", "x=a=b"]) == {"rounds": "5", "x": "a=b"}
    assert flower_run._config({"rounds": "5", "on": "true", "path": "/a b/c"}) == 'rounds=5 on=true path="/a b/c"'
    with pytest.raises(InputError):
        flower_run._config({"path": 'a"b'})


def test_what_an_agreement_protects_is_said(tmp_path: Path) -> None:
    """Without noise that the sum is open, with it the epsilon."""
    plain, _ = _study(tmp_path / "plain")
    assert "No noise" in flower_run.told(agreement.read(plain))[1]
    noised, _ = _study(tmp_path / "noised", examples=1, noise=4, norm=1)
    assert "epsilon" in flower_run.told(agreement.read(noised), 10)[1]


def test_nothing_that_is_no_app_is_run(tmp_path: Path) -> None:
    """A folder without pyproject.toml."""
    with pytest.raises(InputError) as error:
        flower_run.run_app(tmp_path, "127.0.0.1:1", {}, say=print)
    assert error.value.code == "federated.app"
