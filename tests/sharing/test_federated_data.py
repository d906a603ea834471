"""S3 on real data: four hospitals, six speakers; what training apart costs and what the server can read."""

from __future__ import annotations

import io
import wave
import zipfile
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from tests.truth.subjects import context

from fivefold.contract.outcome import Outcome
from fivefold.contract.subject import SettingsView, Table
from fivefold.sharing.federated import accuracy, leakage

if TYPE_CHECKING:
    from pathlib import Path

    from fivefold.contract.check import Context

SITES = ("cleveland", "hungarian", "switzerland", "va")
COLUMNS = [
    "age",
    "sex",
    "cp",
    "trestbps",
    "chol",
    "fbs",
    "restecg",
    "thalach",
    "exang",
    "oldpeak",
    "slope",
    "ca",
    "thal",
    "num",
]


def _hospitals(shared: Path) -> Table:
    parts = []
    for site in SITES:
        path = shared / "heart_disease_4sites" / f"processed.{site}.data"
        parts.append(pd.read_csv(path, names=COLUMNS, na_values="?").assign(site=site))
    frame = pd.concat(parts, ignore_index=True)
    target = (frame["num"] > 0).to_numpy().astype(np.int64)
    others = frame[["site"]]
    return Table("train", np.arange(len(frame)), frame[COLUMNS[:-1]], target, others)


def _speakers(shared: Path) -> Table:
    sounds, digits, speakers = [], [], []
    with zipfile.ZipFile(shared / "fsdd_480" / "fsdd_480.zip") as archive:
        for name in sorted(one for one in archive.namelist() if one.endswith(".wav")):
            with wave.open(io.BytesIO(archive.read(name))) as sound:
                raw = np.frombuffer(sound.readframes(sound.getnframes()), dtype="<i2").astype(np.float32) / 32768
            sounds.append(np.pad(raw[:6000], (0, max(0, 6000 - len(raw)))))
            digit, speaker, _ = name.rsplit("/", 1)[-1].split("_")
            digits.append(int(digit))
            speakers.append(speaker)
    others = pd.DataFrame({"speaker": speakers})
    empty = pd.DataFrame(index=others.index)
    target = np.array(digits, dtype=np.int64)
    return Table("train", np.arange(len(digits)), empty, target, others, np.stack(sounds), "audio")


def _context(check: str, table: Table, seed: int, floor: dict[str, float], **options: object) -> Context:
    settings = SettingsView(level=1, controls={"S3": options})
    return context(check, None, {"train": table}, seed, thresholds=floor, settings=settings)


@pytest.mark.shared
def test_four_hospitals_lose_little_by_training_apart(shared: Path) -> None:
    """920 patients at four sites: the federated model is within the floor of the pooled one, or too near it to say."""
    table, floor = _hospitals(shared), {accuracy.LOSS: 0.05}
    found = [
        accuracy.run(_context("S3.accuracy", table, seed, floor, by="site", rounds=40, malicious=0))
        for seed in range(5)
    ]
    assert Outcome.FAIL not in {one.outcome for one in found}, [one.reason for one in found]
    assert np.mean([one.measures[0].value for one in found]) < 0.03
    assert np.mean([one.measures[2].value for one in found]) > 0.75


@pytest.mark.shared
def test_a_patient_is_read_off_a_plain_update_and_not_off_a_masked_one(shared: Path) -> None:
    """The same rows, with and without masking."""
    table, floor = _hospitals(shared), {leakage.RECOVERED: 0.05}
    masked, plain = (
        leakage.run(_context("S3.leakage", table, 1, floor, by="site", masking=masking)) for masking in (True, False)
    )
    assert masked.outcome is Outcome.PASS, masked.reason
    assert plain.outcome is Outcome.FAIL, plain.reason


@pytest.mark.shared
def test_six_speakers_lose_little_by_training_apart(shared: Path) -> None:
    """Spoken digits, a client a speaker."""
    found = accuracy.run(
        _context("S3.accuracy", _speakers(shared), 1, {accuracy.LOSS: 0.05}, by="speaker", rounds=60, malicious=0)
    )
    assert found.outcome is not Outcome.FAIL, found.reason
    assert (found.measures[0].value or 0.0) < 0.08
