"""Whatever the text, the reader gives a manifest or a refusal that names the fault; never anything else."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fivefold.errors import InputError, ProblemsError
from fivefold.manifest import scenario
from fivefold.manifest.reader import parse, read
from fivefold.manifest.schema import MANIFEST
from fivefold.manifest.stored import stored_columns

if TYPE_CHECKING:
    from fivefold.manifest.nouns import Manifest

SETTINGS = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
KEYS = sorted({"data", "train", "test", "path", "a", "0", *MANIFEST.fields, *MANIFEST.fields["model"].fields})
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(["data/train.csv", "data/test.csv", "../x", "scorer:load", "label", "age < 3", "S2", "loop/x"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), inner, max_size=4),
    ),
    max_leaves=12,
)


def outcome(app: Path, raw: bytes) -> Manifest | InputError:
    """Return what reading these bytes gives; anything but a manifest or a refusal ends the test."""
    (app / "fivefold.yaml").write_bytes(raw)
    found: Manifest | InputError
    try:
        found = read(app)
    except InputError as error:
        found = error
    if isinstance(found, ProblemsError):
        assert found.problems
        assert all(problem.code and problem.remedy and problem.field for problem in found.problems)
        assert all(int(problem.where.rpartition(":")[2]) >= 1 for problem in found.problems)
    return found


@SETTINGS
@given(raw=st.binary(max_size=300))
def test_any_bytes(app: Path, raw: bytes) -> None:
    """Noise is refused."""
    assert isinstance(outcome(app, raw), InputError)


@SETTINGS
@given(document=st.dictionaries(st.sampled_from(sorted(MANIFEST.fields)), VALUES, max_size=8))
def test_any_values_under_known_keys(app: Path, document: dict[str, object]) -> None:
    """Known keys with values of any type and depth are read or refused."""
    outcome(app, yaml.safe_dump(document, allow_unicode=True).encode("utf-8", "surrogatepass"))


@SETTINGS
@given(data=st.data())
def test_a_good_manifest_with_one_value_replaced(app: Path, data: st.DataObject) -> None:
    """A single odd value at any place of a good manifest is read or refused, and parsing agrees with reading."""
    good = yaml.safe_load((Path(__file__).resolve().parents[2] / "examples/credit/fivefold.yaml").read_text("utf-8"))
    place = good
    for _ in range(data.draw(st.integers(0, 3))):
        inner = [key for key, value in place.items() if isinstance(value, dict)]
        if not inner:
            break
        place = place[data.draw(st.sampled_from(sorted(inner)))]
    place[data.draw(st.sampled_from(sorted(place)))] = data.draw(VALUES)
    outcome(app, yaml.safe_dump(good, allow_unicode=True).encode("utf-8", "surrogatepass"))


@SETTINGS
@given(text=st.text(alphabet="abc:,[]{}&*!|>'\"-?# \n\t0.%@`", max_size=60))
def test_any_text_of_yaml_signs(app: Path, text: str) -> None:
    """Texts made of YAML's own signs are read or refused, by both entries."""
    assert isinstance(outcome(app, text.encode()), InputError)
    with pytest.raises(ProblemsError):
        parse(text.encode(), app, {})


@SETTINGS
@given(text=st.text(max_size=60) | st.text(alphabet="ab<>=!&|()[]\"'`, 019.-\\", max_size=60))
def test_any_scenario(text: str) -> None:
    """An expression is parsed or refused; what is parsed names its columns."""
    code, named = "", ()
    try:
        named = scenario.columns(scenario.parse(text))
    except InputError as error:
        code = error.code
    assert named or code == "scenario.syntax"


@SETTINGS
@given(raw=st.binary(max_size=200), ending=st.sampled_from([".parquet", ".arrow"]), length=st.integers(0, 300))
def test_any_bytes_as_a_stored_table(app: Path, raw: bytes, ending: str, length: int) -> None:
    """A damaged Parquet or Arrow file is refused, also where its frame is whole."""
    magic = b"PAR1" if ending == ".parquet" else b"ARROW1"
    file = app / f"x{ending}"
    for content in (raw, magic + raw + struct.pack("<I", length) + magic, b"\xff\xff\xff\xff" + raw):
        file.write_bytes(content)
        code, found = "", None
        try:
            found = stored_columns(file)
        except InputError as error:
            code = error.code
        assert found is not None or code == "manifest.unreadable"
