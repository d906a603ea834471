"""Labels of data files: bound by column and group of rows, through the commands, every kind of tampering located."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from fivefold.cli.main import run
from fivefold.evidence import data_label
from fivefold.keys import store
from fivefold.keys import trust as trust_file
from fivefold.keys.signing import Signer, generate
from fivefold.traceability.labels import content, kinds, reading
from fivefold.traceability.labels.binding import Saying, Steward, bind
from fivefold.traceability.labels.examine import Examined, beside, examine

if TYPE_CHECKING:
    from pathlib import Path

NOW = "2026-11-29T12:00:00Z"
FIELDS: dict[str, Any] = {
    "class": "confidential", "personal": ["Größe"], "basis": "contract", "purpose": ["credit"], "region": ["EU"],
    "retain": "5y", "source": "bureau",
}  # fmt: skip


def table(n: int = 1000, seed: int = 5) -> pd.DataFrame:
    """Return rows of every kind, some missing, under names that say nothing."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "a": rng.integers(-(2**40), 2**40, n),
            "Größe": rng.normal(size=n),
            "c d": rng.choice(["x", "y, z", 'q"uote', "ä"], n),
            "e": pd.to_datetime("2020-01-01") + pd.to_timedelta(rng.integers(0, 10**8, n), unit="s"),
            "f": rng.integers(0, 2, n).astype(bool),
            "007": [f"{value:05d}" for value in rng.integers(0, 99_999, n)],
            "h": rng.integers(0, 200, n),
        }
    )
    frame.loc[rng.choice(n, n // 10, replace=False), "Größe"] = np.nan
    frame.loc[rng.choice(n, n // 10, replace=False), "c d"] = None
    return frame


class Desk:
    """A steward with a key, a trust file that names it, and a file that is labelled."""

    def __init__(self, path: Path, frame: pd.DataFrame | None = None) -> None:
        """Write the rows and label them."""
        self.path, self.signer = path, generate()
        self.trust = trust_file.add(trust_file.Trust(), self.signer.public, name="anna", roles=("steward",))
        self.frame = table() if frame is None else frame
        self.write(self.frame)
        self.label()

    def write(self, frame: pd.DataFrame) -> None:
        """Write rows where the data stand."""
        if self.path.suffix == ".csv":
            frame.to_csv(self.path, index=False)
        else:
            frame.to_parquet(self.path, index=False)

    def label(self, signer: Signer | None = None, path: Path | None = None, **more: Any) -> None:
        """Sign a label of what stands there."""
        said = Saying(more.pop("name", "loans"), {**FIELDS, **more.pop("fields", {})}, **more.pop("said", {}))
        bind(path or self.path, said, Steward(signer or self.signer, self.trust, NOW), **more)

    def check(self, **more: Any) -> Examined:
        """Hold the file against its label."""
        return examine(self.path, self.trust, NOW, **more)


@pytest.fixture(params=["loans.csv", "loans.parquet"])
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Desk:
    """A labelled file, as text and as columns."""
    return Desk(tmp_path / request.param)


def _kinds(found: Examined) -> set[str]:
    return {fault.kind for fault in found.faults}


def test_untouched_data_hold_and_so_do_the_same_values_in_other_files(desk: Desk, tmp_path: Path) -> None:
    """The bytes hold; written as CSV or Parquet, by pandas or Arrow, with categories, the values still do."""
    assert desk.check().same == "bytes"
    label = beside(desk.path).read_bytes()
    frame = desk.frame
    copies = {
        "one.csv": lambda path: frame.to_csv(path, index=False),
        "two.csv.gz": lambda path: frame.to_csv(path, index=False),
        "three.parquet": lambda path: frame.astype({"c d": "category", "h": "int16"}).to_parquet(path, index=False),
        "four.parquet": lambda path: parquet.write_table(pa.Table.from_pandas(frame), path, row_group_size=77),
        "five.arrow": lambda path: frame.to_feather(path, compression="uncompressed"),
    }
    for name, write in copies.items():
        path = tmp_path / name
        write(path)
        beside(path).write_bytes(label)
        found = examine(path, desk.trust, NOW)
        assert (found.faults, found.same != "") == ((), True), name


def test_an_edited_cell_is_located_to_its_column_and_group_of_rows(desk: Desk) -> None:
    """One value of each column is changed in turn: that column and those 256 rows are named, and nothing else."""
    changed = {"a": 7, "Größe": 0.5, "c d": "w", "e": pd.Timestamp("1999-01-01"), "007": "00x", "h": 9}
    for at, (column, value) in enumerate(changed.items()):
        row = [3, 255, 256, 700, 999, 512][at]
        frame = desk.frame.copy()
        frame.loc[row, column] = value
        desk.write(frame)
        found = desk.check()
        assert _kinds(found) == {"edited"}
        assert [dict(fault.cells) for fault in found.faults] == [{column: [row // 256]}]
        last = found.faults[0].builtins()["where"][0]["rows"]
        assert last == [[row // 256 * 256, row // 256 * 256 + 255]]


def test_moved_rows_and_columns_are_told_from_edits(desk: Desk) -> None:
    """Rows in another order, one column shuffled alone, two columns exchanged, columns in another order."""
    frame = desk.frame
    desk.write(frame.sample(frac=1, random_state=3))
    assert _kinds(desk.check()) == {"reordered"}
    desk.write(frame.assign(h=frame["h"].to_numpy()[::-1]))
    found = desk.check()
    assert _kinds(found) == {"edited"}
    assert list(found.faults[0].cells) == ["h"]
    desk.write(frame.assign(a=frame["h"], h=frame["a"]))
    found = desk.check()
    assert _kinds(found) == {"reordered"}
    assert "a holds h" in found.faults[0].text
    desk.write(frame[list(frame)[::-1]])
    assert _kinds(desk.check()) == {"reordered"}


def test_partial_copies_and_added_rows_are_named_with_what_still_stands(desk: Desk) -> None:
    """The first half, rows taken from the middle, every second row, some columns, rows and columns put in."""
    frame = desk.frame
    desk.write(frame[:512])
    found = desk.check()
    assert _kinds(found) == {"partial"}
    assert "first 512 rows stand" in found.faults[0].text
    desk.write(frame.drop(index=range(300, 340)))
    assert _kinds(desk.check()) == {"partial"}
    desk.write(frame[::2])
    assert _kinds(desk.check()) == {"partial"}
    desk.write(frame[["a", "h"]])
    found = desk.check()
    assert _kinds(found) == {"partial"}
    assert set(found.faults[0].cells) == set(frame) - {"a", "h"}
    desk.write(pd.concat([frame, frame[:40]]))
    assert _kinds(desk.check()) == {"added"}
    desk.write(frame.assign(more=1))
    assert _kinds(desk.check()) == {"added"}


def test_stripped_swapped_and_forged_labels_are_named(desk: Desk) -> None:
    """No label; the label of other rows; a field changed; another key; a key in another role."""
    own = beside(desk.path).read_bytes()
    beside(desk.path).unlink()
    assert _kinds(desk.check()) == {"stripped"}
    other = Desk(desk.path.with_name(f"other{desk.path.suffix}"), table(1500, 6))
    other.label(desk.signer, name="other")
    beside(desk.path).write_bytes(beside(other.path).read_bytes())
    assert _kinds(desk.check()) == {"partial"}  # nothing at hand says whose they are
    aside = desk.path.with_name("aside.label.json")
    aside.write_bytes(own)
    found = desk.check()
    assert _kinds(found) == {"swapped"}
    aside.unlink()
    beside(desk.path).write_bytes(own.replace(own[200:204], b"AAAA"))
    assert _kinds(desk.check()) == {"forged"}
    beside(desk.path).unlink()
    liar = generate()
    desk.label(liar, fields={"class": "public"})
    found = desk.check()
    assert _kinds(found) == {"forged"}
    assert found.unknown
    desk.trust = trust_file.add(desk.trust, liar.public, name="eve", roles=("signer",))
    found = desk.check()
    assert _kinds(found) == {"forged"}
    assert not found.unknown


def test_an_earlier_weaker_label_is_a_downgrade_where_a_later_one_is_known(desk: Desk, tmp_path: Path) -> None:
    """A weaker label needs a reason; the older of two is refused; a second steward's weaker one beside it, too."""
    first = beside(desk.path).read_bytes()
    with pytest.raises(Exception, match=r"label\.weaker|says less"):
        desk.label(fields={"class": "internal"})
    desk.label(fields={"class": "secret"})
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "loans.label.json").write_bytes(beside(desk.path).read_bytes())
    assert not desk.check(known=[kept]).faults
    beside(desk.path).write_bytes(first)
    assert _kinds(desk.check(known=[kept])) == {"downgraded"}
    beside(desk.path).write_bytes((kept / "loans.label.json").read_bytes())
    desk.label(fields={"class": "public"}, said={"declassified": "aggregated"})
    assert not desk.check(known=[kept]).faults
    bob = generate()
    desk.trust = trust_file.add(desk.trust, bob.public, name="bob", roles=("steward",))
    beside(desk.path).unlink()
    desk.label(bob, fields={"class": "open"})
    assert _kinds(desk.check(known=[kept])) == {"downgraded"}


def test_a_label_inside_a_parquet_file_travels_and_its_loss_shows(tmp_path: Path) -> None:
    """Copied without the side file it still holds; taken out of the schema, or that of other data, it is named."""
    desk = Desk(tmp_path / "loans.parquet")
    desk.label(inside=True)
    assert desk.check().same == "bytes"
    side = beside(desk.path).read_bytes()
    beside(desk.path).unlink()
    assert (desk.check().faults, desk.check().same) == ((), "content")
    beside(desk.path).write_bytes(side)
    whole = parquet.read_table(desk.path)
    assert parquet.read_schema(desk.path).metadata[b"pandas"]
    parquet.write_table(whole.replace_schema_metadata({}), desk.path)
    assert _kinds(desk.check()) == {"stripped"}
    other = Desk(tmp_path / "apart" / "x.parquet") if (tmp_path / "apart").mkdir() is None else desk
    other.label(desk.signer, inside=True, name="other")
    inner = parquet.read_schema(other.path).metadata[b"fivefold.label"]
    parquet.write_table(whole.replace_schema_metadata({b"fivefold.label": inner}), desk.path)
    assert _kinds(desk.check()) == {"swapped"}


def test_a_file_goes_through_the_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Key, label, unknown steward, trusted, edited, derived from two files with the strictest fields."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))

    def ran(*words: str, code: int = 0) -> dict[str, Any]:
        with pytest.raises(SystemExit) as left:
            run([*words, "--json"])
        said = capsys.readouterr()
        assert (left.value.code or 0) == code, said
        return dict(json.loads(said.out or said.err))

    path = tmp_path / "loans.csv"
    table(600).to_csv(path, index=False)
    ran("key", "new", "--role", "steward")
    assert ran("data", "label", str(path), code=2)["error"]["code"] == "label.incomplete"
    rest = ["--class", "internal", "--basis", "contract", "--purpose", "credit,audit", "--retain", "5y"]
    ran("data", "label", str(path), *rest, "--region", "EU", "--source", "bank", "--personal", "a")
    assert ran("data", "check", str(path), code=3)["unknown"]
    key = next((tmp_path / "config" / "fivefold" / "keys").glob("steward-*.pub"))
    ran("trust", "add", str(key), "--role", "steward", "--name", "anna")
    assert ran("data", "check", str(path))["same"] == "bytes"
    other = tmp_path / "income.parquet"
    table(600, 9).to_parquet(other)
    more = ["--class", "secret", "--basis", "law", "--purpose", "credit", "--retain", "90d"]
    ran("data", "label", str(other), *more, "--region", "DE", "--source", "tax", "--inside")
    made = tmp_path / "made.csv"
    table(300).to_csv(made, index=False)
    inputs = ["--from", str(path), "--from", str(other)]
    fields = ran("data", "label", str(made), *inputs)["fields"]
    assert (fields["class"], fields["purpose"], fields["region"], fields["retain"]) == (
        "secret",
        ["credit"],
        ["DE"],
        fields["retain"],
    )
    assert fields["retain"] in {"89d", "90d"}  # whole days are left, and the clock goes on
    told = ran("data", "label", str(made), *inputs, "--class", "public", code=2)
    assert told["error"]["code"] == "label.weaker"
    text = made.read_text().splitlines()
    text[3] = text[3].replace(text[3].split(",")[0], "12")
    made.write_text("\n".join(text) + "\n")
    found = ran("data", "check", str(made), code=1)
    assert found["faults"][0]["where"] == [{"column": "a", "groups": [0], "rows": [[0, 255]]}]


def test_content_does_not_hang_on_how_it_is_cut(tmp_path: Path) -> None:
    """A table in one piece and in ragged batches has one content; so have floats of either width read as labelled."""
    whole = pa.Table.from_pandas(table(3000), preserve_index=False)
    cut = pa.concat_tables([whole.slice(0, 7), whole.slice(7, 1000), whole.slice(1007)])
    assert content.bind(reading.of_table(whole)) == content.bind(reading.of_table(cut))


def test_labels_of_version_1_are_still_read(desk: Desk) -> None:
    """A label that binds the bytes alone holds; a change is named without a place."""
    digest = examine(desk.path, desk.trust, NOW).known
    assert digest is not None
    old = data_label.sign("loans", digest.digest, FIELDS, desk.signer, NOW)
    store.write_public(beside(desk.path), old)
    assert desk.check().same == "bytes"
    desk.write(desk.frame[:-1])
    assert [fault.code for fault in desk.check().faults] == ["label.data-changed"]


@pytest.mark.parametrize(
    ("kind", "column", "same"),
    [
        ("date", pa.array([0, 86_400], pa.timestamp("s")), True),
        ("date", pa.array([0, 86_401], pa.timestamp("s")), False),
        ("boolean", pa.array([1.0, 0.0]), True),
        ("boolean", pa.array([2.0, 0.0]), False),
        ("float32", pa.array([0.5, None]), True),
        ("float32", pa.array([0.1, None]), False),
        ("float32", pa.array(["0.1", ""]), True),
        ("integer", pa.array([1.0, float("nan")]), True),
        ("integer", pa.array([1.5, 2.0]), False),
        ("timestamp[us]", pa.array([1], pa.timestamp("us", "UTC")), False),
        ("timestamp[us]", pa.array([1001], pa.timestamp("ns")), False),
    ],
)
def test_a_value_that_a_kind_cannot_hold_is_not_read_as_one_that_it_can(
    kind: str, column: pa.Array, same: bool
) -> None:
    """A time in a date, a truth value of 2, digits beyond a float's: such a column is none of the labelled kind."""
    assert (kinds.read_as(column, kind) is not None) is same
