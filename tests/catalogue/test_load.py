"""Loading: what is malformed or contradicts itself is refused, and the digest covers every byte."""

from __future__ import annotations

from importlib.resources import files

import pytest

from fivefold.catalogue.load import FILES, parse
from fivefold.errors import InternalError


def _texts() -> dict[str, bytes]:
    folder = files("fivefold.catalogue")
    return {name: folder.joinpath(name).read_bytes() for name in FILES}


def _changed(name: str, old: str, new: str) -> dict[str, bytes]:
    texts = _texts()
    text = texts[name].decode()
    assert old in text
    return texts | {name: text.replace(old, new, 1).encode()}


def test_every_file_of_the_package_is_read() -> None:
    """No TOML file lies beside the list of files."""
    folder = files("fivefold.catalogue")
    found = {entry.name for entry in folder.iterdir() if entry.name.endswith(".toml")}
    found |= {f"rows/{entry.name}" for entry in folder.joinpath("rows").iterdir() if entry.name.endswith(".toml")}
    assert found == set(FILES)


def test_the_digest_covers_every_byte() -> None:
    """One byte more in any file gives another digest."""
    whole = parse(_texts()).digest
    others = {parse(_texts() | {name: _texts()[name] + b"\n"}).digest for name in FILES}
    assert len(others | {whole}) == len(FILES) + 1


LEVELS, SHARING, FAIR = "levels.toml", "rows/b_sharing.toml", "rows/h_governance.toml"
FAULTS = [
    (LEVELS, 'needs = [["S5"], ["D2"]]', 'needs = [["S5"], ["D9"]]', "names no check"),
    (LEVELS, '["T1/enforcement", "S1"]', '["T1/nothing", "S1"]', "names no check"),
    (LEVELS, 'needs = [["P1"]]', "needs = []", "needs nothing"),
    (LEVELS, 'id = "1b"', 'id = "1a"', "listed twice"),
    (LEVELS, '["sharing.paths", "ge", 1]', '["sharing.paths", "in", 1]', "wrong shape"),
    (LEVELS, '["sharing.paths", "ge", 1]', '["sharing.paths", "eval", 1]', "malformed"),
    (LEVELS, '["sharing.paths", "ge", 1]', '["os.system", "eq", 1]', "malformed"),
    (LEVELS, 'applies_when = [[["sharing.paths", "ge", 1]]]', "applies_when = [[]]", "never hold"),
    (LEVELS, 'technique = "S3"', 'technique = "S9"', "unknown row"),
    (SHARING, 'id = "S2.noise"', 'id = "S3.noise"', "stands in row"),
    (SHARING, 'id = "S2.noise"', 'id = "S2.audit", new = 1, state2 = "S2.noise"', "malformed"),
    (SHARING, 'id = "S2.ledger"', 'id = "S2.noise"', "listed twice"),
    (SHARING, 'id = "S1.package", state = "gap", coming = "scenes"', 'id = "S1.package", state = "gap"', "comes"),
    (SHARING, 'id = "S1.package", state = "gap"', 'id = "S1.package", state = "built"', "its pack says"),
    (SHARING, 'id = "S1.package", state = "gap"', 'id = "S1.package", state = "done"', "malformed"),
    (FAIR, 'key = "max_tpr_gap"', 'key = "max_fpr_gap"', "floor twice"),
    (FAIR, 'id = "D1"', 'id = "D2"', "listed twice"),
    ("aims.toml", '"V1", "V3"', '"V1", "V9"', "unknown row"),
    ("cases.toml", "[[challenge]]", "[[chalenge]]", "unknown table"),
    ("cases.toml", 'row = "X1"', "row = ", "malformed"),
]


@pytest.mark.parametrize(("name", "old", "new", "said"), FAULTS)
def test_a_fault_is_refused(name: str, old: str, new: str, said: str) -> None:
    """Every kind of contradiction stops the build, in words."""
    with pytest.raises(InternalError, match=said) as caught:
        parse(_changed(name, old, new))
    assert caught.value.code == "catalogue.malformed"


def test_members_of_an_unknown_token() -> None:
    """Neither row nor part nor check: an error, not an empty answer that would satisfy a claim."""
    catalogue = parse(_texts())
    for token in ("Z1", "P3/nothing", "P3.nothing"):
        with pytest.raises(KeyError):
            catalogue.members(token)


def test_members_of_a_part() -> None:
    """A part stands for its checks alone."""
    found = {entry.id for entry in parse(_texts()).members("P3/inference")}
    assert found == {"P3.membership", "P3.attribute", "P3.inversion", "P3.property"}
