"""Make data/ from the public files: `python prepare.py train.csv.gz test.csv.gz`; the same input, the same bytes.

The first 6,000 rows of the first file are the census. The first 400 of the second play rows that people vetted one by
one: they are other rows of the same survey, and nobody has vetted them in truth.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

COLUMNS = [
    "age", "workclass", "education", "education_num", "marital_status", "occupation", "relationship", "sex",
    "hours_per_week", "native_country",
]  # fmt: skip
PARTS = {"train": (1, 6000), "trusted": (2, 400)}

for name, (place, rows) in PARTS.items():
    table = pd.read_csv(sys.argv[place], usecols=COLUMNS, na_values=["?"])[COLUMNS]
    table.iloc[:rows].to_csv(Path(__file__).parent / "data" / f"{name}.csv", index=False, lineterminator="\n")
