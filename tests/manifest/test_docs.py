"""The page about the manifest: each example loads, and each key of the schema is named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from fivefold.manifest.reader import read
from fivefold.manifest.schema import MANIFEST, Field

PAGE = Path(__file__).resolve().parents[2] / "docs" / "manifest.md"
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
BASE = yaml.safe_load(EXAMPLES[0])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with every file that an example names."""
    import gzip

    import pandas as pd

    (tmp_path / "data").mkdir()
    names = ["nr", "name", "sex", "age", "amount", "since", "two words", "default"]
    for name in ("train.csv", "test.csv", "answers.csv", "answers-train.csv"):
        (tmp_path / "data" / name).write_text(",".join(names) + "\n", encoding="utf-8")
    (tmp_path / "data" / "calibration.csv.gz").write_bytes(gzip.compress((",".join(names) + "\n").encode()))
    pd.DataFrame({name: ["1"] for name in names}).to_parquet(tmp_path / "data" / "test.parquet")
    for name, function in (("scorer.py", "load"), ("train.py", "fit"), ("helper.py", "help_")):
        (tmp_path / name).write_text(f"def {function}():\n    pass\n", encoding="utf-8")
    for name in ("model.json", "model.sig"):
        (tmp_path / name).write_text("{}", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("example", EXAMPLES)
def test_each_example_loads(folder: Path, example: str) -> None:
    """An example is a whole manifest, or goes into the smallest one."""
    rest = {key: value for key, value in BASE.items() if f"\n{key}:" not in f"\n{example}"}
    whole = "application:" in example
    (folder / "fivefold.yaml").write_text(example + ("" if whole else yaml.safe_dump(rest)), encoding="utf-8")
    assert read(folder).data


def keys(field: Field) -> set[str]:
    """Return every key below a field of the schema."""
    found = set(field.fields)
    for inner in (*field.fields.values(), *([field.each] if field.each else [])):
        found |= keys(inner) | set(inner.choices)
    return found


def test_each_key_is_named() -> None:
    """No key or choice of the schema is missing from the page."""
    named = set(re.findall(r"[a-z-]+", PAGE.read_text(encoding="utf-8")))
    assert not {key for key in keys(MANIFEST) if key not in named}
