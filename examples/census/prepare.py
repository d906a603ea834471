"""Make data/train.csv from the public file: `python prepare.py train.csv.gz`; the same input gives the same bytes."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

COLUMNS = ["age", "workclass", "education", "marital_status", "occupation", "sex", "hours_per_week", "native_country"]
ROWS = 6000

table = pd.read_csv(sys.argv[1], usecols=COLUMNS, na_values=["?"])[COLUMNS]
table.iloc[:ROWS].to_csv(Path(__file__).parent / "data" / "train.csv", index=False, lineterminator="\n")
