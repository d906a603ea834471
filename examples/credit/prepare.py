"""Make data/*.csv from the public file of German credit; the same input gives the same bytes.

    python prepare.py german_named.csv

The input is `experiments/data/german_data_credit.csv` of https://github.com/tailequy/fairness_dataset at commit
abb5a18b822ba56a221c5311082e192e85000b95. What is changed: columns get plain names, odd spellings of categories are
mended, the label is written good/bad, an age band is added, and the rows are split.
"""

import csv
import hashlib
import sys
from pathlib import Path

SOURCE_SHA256 = "61effc34f9ef78ffeeb350141608c2e8ec9bf8978b64c29dbd16bb7a19bf763f"
SALT = "credit-split-1"
SPLIT = {"train": 0.5, "calibration": 0.1, "test": 0.4}

COLUMNS = {
    "checking-account": "checking_account",
    "duration": "duration_months",
    "credit-history": "credit_history",
    "purpose": "purpose",
    "credit-amount": "amount",
    "savings-account": "savings",
    "employment-since": "employed_since",
    "installment-rate": "installment_rate",
    "other-debtors": "other_debtors",
    "residence-since": "residence_since",
    "property": "property",
    "age": "age",
    "other-installment": "other_installments",
    "housing": "housing",
    "existing-credits": "existing_credits",
    "job": "job",
    "numner-people-provide-maintenance-for": "dependants",
    "telephone": "telephone",
    "foreign-worker": "foreign_worker",
    "sex": "sex",
    "marital-status": "marital_status",
    "class-label": "credit",
}

VALUES = {
    "checking_account": {"<0 DM": "overdrawn", "0 <= <200 DM": "0 to 200 DM", ">= 200 DM": "200 DM or more"},
    "savings": {
        "<100 DM": "under 100 DM",
        "100 <= <500 DM": "100 to 500 DM",
        "500 <= < 1000 DM": "500 to 1000 DM",
        ">= 1000 DM": "1000 DM or more",
        "no savings account": "none known",
    },
    "employed_since": {
        "<1 years": "under 1 year",
        "1<= < 4 years": "1 to 4 years",
        "4<= <7 years": "4 to 7 years",
        ">=7 years": "7 years or more",
    },
    "job": {
        "unskilled - resident": "unskilled, resident",
        "unemployed/ unskilled  - non-resident": "unskilled, non-resident",
        "skilled employee / official": "skilled",
        "management/ highly qualified employee": "management",
    },
    "property": {
        "savings agreement/life insurance": "life insurance",
        "unknown / no property": "none known",
        "car or other": "car or other",
    },
    "telephone": {"none": "no"},
    "credit": {"1": "good", "0": "bad"},
}


def age_band(age: int) -> str:
    """Return the band used for the fairness check; the edge is the one of Kamiran and Calders (2009)."""
    return "25 and under" if age <= 25 else "26 and over"


def read(path: Path) -> list[dict[str, str]]:
    """Return the rows with plain names and mended categories, in file order."""
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != SOURCE_SHA256:
        sys.exit(f"{path} is not the file that this script was written for (SHA-256 differs).")
    rows = []
    for raw in csv.DictReader(data.decode("utf-8").splitlines()):
        row = {COLUMNS[name]: value.strip() for name, value in raw.items()}
        row = {name: VALUES.get(name, {}).get(value, value) for name, value in row.items()}
        credit = row.pop("credit")
        rows.append({**row, "age_band": age_band(int(row["age"])), "credit": credit})
    return rows


def order(position: int) -> str:
    """Return a row's place in the draw: a hash of its position, so that no library's generator is needed."""
    return hashlib.sha256(f"{SALT}:{position}".encode()).hexdigest()


def split(rows: list[dict[str, str]]) -> dict[str, list[int]]:
    """Draw the three sets within each label, so that each has the same share of bad credits."""
    parts: dict[str, list[int]] = {name: [] for name in SPLIT}
    for label in ("good", "bad"):
        drawn = sorted((i for i, row in enumerate(rows) if row["credit"] == label), key=order)
        start = 0
        for name, share in SPLIT.items():
            stop = start + round(share * len(drawn))
            parts[name] += drawn[start:stop]
            start = stop
    return {name: sorted(chosen) for name, chosen in parts.items()}


def main() -> None:
    """Write the three files."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = Path(__file__).resolve().parent / "data"
    folder.mkdir(exist_ok=True)
    rows = read(Path(sys.argv[1]))
    for name, chosen in split(rows).items():
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows[i] for i in chosen)
        print(f"data/{name}.csv: {len(chosen)} rows")


if __name__ == "__main__":
    main()
