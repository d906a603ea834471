"""Emitted YAML says the same when it is read again, whatever the texts are."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fivefold.manifest.emit import emit, scalar
from fivefold.manifest.tree import grow

TEXTS = st.one_of(
    st.text(min_size=1, max_size=20),
    st.text(alphabet="ab1 .:#-?&*!|>'\"%@`{}[],~=<\\/", min_size=1, max_size=12),
    st.sampled_from(
        ["no", "Yes", "null", "~", "1", "1.0", "0x1", "1e3", ".inf", "2024-01-01", "<<", "a: b", "- a", " a"]
    ),
).filter(lambda text: all(unicodedata.category(c) not in ("Cc", "Cs", "Cf") for c in text))


@settings(max_examples=200, deadline=None)
@given(text=TEXTS)
def test_any_text_comes_back_as_a_text(text: str) -> None:
    """As value, as key and in a list; quotes are set wherever YAML would read something else."""
    node, problems = grow(emit({"k": text, text + "_": [text]}, {}, "x").encode(), "f")
    assert not problems
    assert node is not None
    assert node.fields is not None
    assert node.fields["k"].value == text
    items = node.fields[text + "_"].items
    assert items is not None
    assert items[0].value == text


@pytest.mark.parametrize("value", [True, False, 3, -1, 0.25, 1e-7, 1e300])
def test_numbers_and_truth_values_keep_their_type(value: float) -> None:
    """They are written plain and read back equal."""
    node, _ = grow(f"a: {scalar(value)}".encode(), "f")
    assert node is not None
    assert node.fields is not None
    found = node.fields["a"].value
    assert found == value
    assert type(found) is type(value)


def test_a_reason_stands_above_its_key_and_cannot_break_out() -> None:
    """Line breaks in a reason, which may quote a column name, do not end the comment."""
    text = emit({"a": {"b": 1}}, {"a.b": "because\nx: 1\r\u2028y: 2"}, "head")
    node, problems = grow(text.encode(), "f")
    assert not problems
    assert node is not None
    assert node.fields is not None
    assert list(node.fields) == ["a"]
    assert "  # because" in text
