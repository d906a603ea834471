"""A CSV file that cannot be used is refused in the same words by the manifest, by init and by the worker."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fivefold.errors import InputError
from fivefold.manifest.columns import header
from fivefold.manifest.survey import cells, look
from fivefold.subject import even
from fivefold.subject.load import read

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TABLE = "x,c,y\n" + "".join(f"{at},é{at},{at % 2}\n" for at in range(300))


@pytest.mark.parametrize(
    ("raw", "code", "words"),
    [
        (TABLE.replace(",", ";").encode(), "data.separator", "semicolons"),
        (TABLE.replace(",", "\t").encode(), "data.separator", "tabs"),
        (TABLE.encode("utf-16"), "data.encoding", "UTF-16"),
        (TABLE.encode("latin-1"), "data.encoding", "ISO-8859-1"),
        ((TABLE + "1,2\n").encode(), "data.ragged", "line 302 of t.csv has 2 cells, the header names 3 columns"),
        ((TABLE + "1,2,3,4,5\n" + TABLE).encode(), "data.ragged", "line 302 of t.csv has 5 cells"),
        (b"", "data.empty", "is empty"),
    ],
    ids=["semicolons", "tabs", "UTF-16", "Latin-1", "short", "long", "empty"],
)
@pytest.mark.parametrize("reader", [look, read], ids=["init", "worker"])
def test_every_reader_says_the_same(
    tmp_path: Path, raw: bytes, code: str, words: str, reader: Callable[[Path], object]
) -> None:
    """Code, words and remedy do not depend on the command."""
    place = tmp_path / "t.csv"
    place.write_bytes(raw)
    with pytest.raises(InputError) as caught:
        reader(place)
    assert caught.value.code == code
    assert words in caught.value.message
    assert caught.value.remedy
    if code in ("data.separator", "data.empty") or words == "UTF-16":
        with pytest.raises(InputError) as light:
            header(place)
        assert (light.value.code, light.value.message) == (code, caught.value.message)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_quoted_commas_and_line_ends_and_empty_lines_are_no_fault(tmp_path: Path, end: str) -> None:
    """As RFC 4180 writes them; the last line needs no end."""
    lines = ["a,b", '"1,5","say ""hi"""', "", '"two\nlines",x', "3,"]
    place = tmp_path / "t.csv"
    place.write_bytes(end.join(lines).encode())
    assert len(read(place)) == 3
    assert len(list(cells(place))) == 4


@given(st.lists(st.lists(st.sampled_from(["", "a", ",", '"', "\n", "x,y"]), min_size=2, max_size=2), max_size=8))
def test_what_a_writer_quotes_is_even(rows: list[list[str]]) -> None:
    """Whatever stands in a cell, a row that the csv module wrote has its cells."""
    import csv

    page = io.StringIO()
    csv.writer(page, quoting=csv.QUOTE_ALL).writerows([["a", "b"], *rows])
    even.require(io.BytesIO(page.getvalue().encode()), "t.csv")


def test_rows_are_counted_across_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A chunk may end anywhere, also within quotes."""
    good = b'a,b\n"1,\n2",3\n' * 50
    for size in (1, 2, 3, 7, 64):
        monkeypatch.setattr(even, "_CHUNK", size)
        even.require(io.BytesIO(good), "t.csv")
        with pytest.raises(InputError) as caught:
            even.require(io.BytesIO(good + b"1\n"), "t.csv")
        assert "line 101 of t.csv has 1 cell," in caught.value.message


def test_a_file_beyond_memory_is_refused_with_both_figures(tmp_path: Path) -> None:
    """Before anything is read."""
    place = tmp_path / "t.csv"
    with place.open("wb") as file:
        file.truncate(5_000_000_000)
    with pytest.raises(InputError) as caught:
        even.require_memory(place, 6e9)
    assert caught.value.code == "data.large"
    assert "15.0 GB" in caught.value.message
    assert "6.0 GB are free" in caught.value.message
    even.require_memory(place, 16e9)
    even.require_memory(place, None)
