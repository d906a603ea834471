"""Labels through 20 pipelines of pandas, polars and Arrow: each output has the strictest label, or shows none."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow.compute as pc
import pytest
from pyarrow import csv, parquet
from sklearn.linear_model import LogisticRegression
from tests.traceability.test_label_files import FIELDS, NOW, Desk

from fivefold.errors import InputError, TrustError
from fivefold.traceability.labels.examine import beside, examine
from fivefold.traceability.labels.flow import Flow

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

STRICT = {
    "class": "secret",
    "purpose": ["credit", "audit"],
    "region": ["DE", "FR"],
    "personal": ["income"],
    "retain": "90d",
}
NEEDED = {"class": "secret", "purpose": ["credit"], "region": ["DE", "FR"], "retain": "90d"}


class Place:
    """Two labelled files of the same people, loans and incomes, and a flow that signs."""

    def __init__(self, root: Path) -> None:
        """Write and label both."""
        rng = np.random.default_rng(3)
        people = np.arange(400)
        loans = pd.DataFrame({"id": people, "amount": rng.normal(size=400), "kind": rng.choice(["a", "b"], 400)})
        loans["good"] = rng.random(400) < 0.5
        self.desk = Desk(root / "loans.csv", loans)
        incomes = pd.DataFrame({"id": rng.permutation(people), "income": rng.lognormal(size=400)})
        incomes.to_parquet(root / "incomes.parquet")
        self.root = root
        self.desk.label(path=root / "incomes.parquet", name="incomes", fields=STRICT)
        self.flow = Flow(self.desk.trust, NOW, self.desk.signer, purposes=("credit",))

    def both(self, library: Any) -> tuple[Any, Any]:
        """Read both files through the flow."""
        return self.flow.read(self.root / "loans.csv", library), self.flow.read(self.root / "incomes.parquet", library)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Two labelled files."""
    return Place(tmp_path)


def _merge(a: Any, b: Any) -> Any:
    return a.merge(b, on="id")


def _grouped(a: Any, b: Any) -> Any:
    return _merge(a, b).groupby("kind").agg({"income": ["mean", "max"], "amount": "sum"})


def _through_text(a: Any, b: Any) -> Any:
    return pd.read_csv(io.StringIO(_merge(a, b).to_csv(index=False)))


def _predicted(a: Any, b: Any) -> Any:
    rows = _merge(a, b)
    model = LogisticRegression().fit(rows[["amount", "income"]], rows["good"])
    return pd.DataFrame({"id": rows["id"], "score": model.predict_proba(rows[["amount", "income"]])[:, 1]})


def _lazy(a: Any, b: Any) -> Any:
    import polars as pl

    return a.lazy().join(b.lazy(), on="id").filter(pl.col("income") > 1).with_columns(twice=pl.col("income") * 2)


def _sql(a: Any, b: Any) -> Any:
    import polars as pl

    with pl.SQLContext(a=a, b=b, eager=True) as sql:
        return sql.execute("select a.kind, avg(b.income) as income from a join b on a.id = b.id group by a.kind")


def _over(a: Any, b: Any) -> Any:
    import polars as pl

    return a.join(b, on="id").with_columns(share=pl.col("income") / pl.col("income").sum().over("kind"))


def _added(a: Any, b: Any) -> Any:
    joined = a.join(b, "id")
    return joined.append_column("log", pc.ln(joined["income"]))


PIPELINES: dict[str, tuple[str, Callable[[Any, Any], Any]]] = {
    "pandas merge": ("pandas", _merge),
    "pandas group": ("pandas", _grouped),
    "pandas concat": ("pandas", lambda a, b: pd.concat([a.set_index("id"), b.set_index("id")], axis=1)),
    "pandas map": ("pandas", lambda a, b: a.assign(income=a["id"].map(b.set_index("id")["income"]))),
    "pandas arithmetic": ("pandas", lambda a, b: pd.DataFrame({"x": a["amount"] * b["income"]})),
    "pandas pivot": ("pandas", lambda a, b: _merge(a, b).pivot_table(index="kind", columns="good", values="income")),
    "pandas melt": ("pandas", lambda a, b: _merge(a, b).melt(id_vars="id", value_vars=["amount", "income"])),
    "pandas numpy": ("pandas", lambda a, b: pd.DataFrame(np.linalg.svd(_merge(a, b)[["amount", "income"]])[2])),
    "pandas text": ("pandas", _through_text),
    "scores of a model": ("pandas", _predicted),
    "polars join": ("polars", lambda a, b: a.join(b, on="id")),
    "polars lazy": ("polars", _lazy),
    "polars group": ("polars", lambda a, b: a.join(b, on="id").group_by("kind").mean()),
    "polars window": ("polars", _over),
    "polars sql": ("polars", _sql),
    "polars to pandas": ("polars", lambda a, b: a.join(b, on="id").to_pandas()),
    "arrow join": ("arrow", lambda a, b: a.join(b, "id")),
    "arrow group": ("arrow", lambda a, b: a.join(b, "id").group_by("kind").aggregate([("income", "mean")])),
    "arrow filter": ("arrow", lambda a, b: a.filter(pc.is_in(a["id"], b["id"]))),
    "arrow column": ("arrow", _added),
}


@pytest.mark.parametrize("name", PIPELINES)
def test_a_pipeline_carries_the_strictest_label(place: Place, name: str) -> None:
    """Two files are read, joined or reckoned with, and written: the output holds, and says what both need."""
    library, made = PIPELINES[name]
    if library == "polars":
        pytest.importorskip("polars")
    out = place.root / ("out.csv" if "group" in name else "out.parquet")
    place.flow.write(made(*place.both(library)), out)
    found = examine(out, place.desk.trust, NOW)
    assert found.known is not None
    assert not found.faults
    assert {key: found.known.label.fields[key] for key in NEEDED} == NEEDED
    assert {origin.name for origin in found.known.label.origins} == {"loans", "incomes"}


WRITERS: dict[str, tuple[str, Callable[[Any, Any, Path], Any]]] = {
    "pandas": ("pandas", lambda a, b, out: _merge(a, b).to_parquet(out)),
    "pandas text": ("pandas", lambda a, _, out: a.to_csv(out.with_suffix(".csv"))),
    "polars": ("polars", lambda a, b, out: a.join(b, on="id").write_parquet(out)),
    "arrow": ("arrow", lambda a, b, out: parquet.write_table(a.join(b, "id"), out)),
    "arrow alone": ("arrow", lambda _, b, out: parquet.write_table(b, out)),
    "arrow text": ("arrow", lambda _, b, out: csv.write_csv(b, out.with_suffix(".csv"))),
}


@pytest.mark.parametrize("name", WRITERS)
def test_what_is_written_past_the_flow_is_not_lost_silently(place: Place, name: str) -> None:
    """The library's own writer leaves no label that holds: the check says so, and the next flow refuses the file."""
    library, write = WRITERS[name]
    if library == "polars":
        pytest.importorskip("polars")
    write(*place.both(library), place.root / "out.parquet")
    out = next(place.root.glob("out.*"))
    assert [fault.kind for fault in examine(out, place.desk.trust, NOW).faults] == ["stripped"]
    with pytest.raises(TrustError, match=r"no label"):
        Flow(place.desk.trust, NOW).read(out)


def test_an_output_may_be_said_to_be_of_fewer_inputs(place: Place) -> None:
    """With derive the label is that of the inputs named; a frame that carries another's counts all the same."""
    loans, incomes = place.both("pandas")
    mine = place.flow.derive([loans], loans[["kind"]].value_counts().reset_index())
    place.flow.write(mine, place.root / "counts.csv")
    found = examine(place.root / "counts.csv", place.desk.trust, NOW).known
    assert found is not None
    assert (found.label.fields["class"], found.label.fields["region"]) == (FIELDS["class"], ["EU"])
    sly = place.flow.derive([loans], incomes.copy())
    sly.attrs = incomes.attrs
    place.flow.write(sly, place.root / "sly.csv")
    sly_known = examine(place.root / "sly.csv", place.desk.trust, NOW).known
    assert sly_known is not None
    assert sly_known.label.fields["class"] == "secret"


def test_a_frame_carries_its_label_into_another_flow(place: Place) -> None:
    """Through pandas attributes and the schema of Arrow; a frame of which nothing is known is refused."""
    _, incomes = place.both("pandas")
    other = Flow(place.desk.trust, NOW, place.desk.signer)
    assert other.fields(incomes[incomes["income"] > 1])["class"] == "secret"
    table = place.flow.read(place.root / "incomes.parquet", "arrow")
    assert Flow(place.desk.trust, NOW).fields(table.slice(3, 9).select(["income"]))["retain"] == "90d"
    with pytest.raises(InputError, match=r"without a label") as refused:
        Flow(place.desk.trust, NOW, place.desk.signer).write(pd.DataFrame({"a": [1]}), place.root / "out.csv")
    assert refused.value.code == "label.lost"
    assert not (place.root / "out.csv").exists()
    incomes.attrs = {"fivefold.origins": {"origins": [{"name": "x"}]}}
    with pytest.raises(InputError, match=r"cannot be read"):
        other.fields(incomes)


def test_a_model_and_what_it_answers_have_the_label_of_its_training_data(place: Place) -> None:
    """A model file is labelled; a flow that uses it gives the answers that label."""
    place.both("pandas")
    model = place.root / "model.onnx"
    model.write_bytes(b"weights")
    place.flow.label(model)
    other = Flow(place.desk.trust, NOW, place.desk.signer)
    other.use(model)
    other.write(pd.DataFrame({"score": [0.5, 0.1]}), place.root / "scores.parquet")
    found = examine(place.root / "scores.parquet", place.desk.trust, NOW).known
    assert found is not None
    assert found.label.fields["class"] == "secret"


def test_saying_less_needs_the_stewards_reason(place: Place) -> None:
    """A weaker label is refused, written with a reason, and a label that says less without one is a downgrade."""
    loans, _ = place.both("pandas")
    counts = loans["kind"].value_counts().reset_index()
    out = place.root / "counts.csv"
    with pytest.raises(InputError, match=r"says less"):
        place.flow.write(counts, out, fields={"class": "public"})
    assert not out.exists()
    place.flow.write(counts, out, fields={"class": "public"}, declassified="counts with noise, epsilon 1")
    found = examine(out, place.desk.trust, NOW)
    assert not found.faults
    assert found.known is not None
    assert found.known.label.declassified == "counts with noise, epsilon 1"


def test_reading_is_refused_outside_purpose_and_region_and_where_a_label_does_not_hold(place: Place) -> None:
    """Another purpose, a region outside, edited data; and nothing in common means nothing may be made of both."""
    for said, code in ((Flow(place.desk.trust, NOW, purposes=("marketing",)), "label.purpose"),
                       (Flow(place.desk.trust, NOW, regions=("US",)), "label.region")):  # fmt: skip
        with pytest.raises(TrustError) as refused:
            said.read(place.root / "loans.csv")
        assert refused.value.code == code
    assert len(Flow(place.desk.trust, NOW, regions=("DE",)).read(place.root / "loans.csv", "arrow")) == 400
    far = place.root / "far.csv"
    place.desk.frame[:50].to_csv(far, index=False)
    place.desk.label(path=far, name="far", fields={"region": ["US"]})
    place.flow.read(far)
    place.flow.read(place.root / "loans.csv")
    with pytest.raises(InputError, match=r"no region in common"):
        place.flow.fields()
    beside(far).unlink()
    with pytest.raises(TrustError):
        place.flow.read(far)
