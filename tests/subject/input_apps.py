"""Small applications whose rows are images, series, texts and recordings; their manifests are those of the page."""

from __future__ import annotations

import re
import textwrap
import wave
from pathlib import Path

import numpy as np
import pandas as pd

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "inputs.md"
KINDS = ("image", "series", "text", "audio")

_HEAD = """
import numpy as np
from sklearn.linear_model import LogisticRegression

def seen(given):
    assert {shape}, getattr(given, "shape", type(given))
    return {features}

class Model:
    def __init__(self):
        stored = np.load("fit.npz", allow_pickle=False)
        self.inner = LogisticRegression(max_iter=500).fit(seen(stored["x"]{again}), stored["y"])
        self.classes_ = self.inner.classes_
    def predict(self, given):
        return self.inner.predict(seen(given))
    def predict_proba(self, given):
        return self.inner.predict_proba(seen(given))

def load():
    return Model()
"""
_SEEN = {
    "image": ("given.shape[1:] == (1, 6, 6) and given.dtype == np.uint8", "given.reshape(len(given), -1) / 255.0", ""),
    "series": (
        "given.ndim == 3 and given.shape[2] == 2 and given.dtype == np.float32",
        "np.nan_to_num(np.nanmean(given, axis=1))",
        "",
    ),
    "text": (
        "all(type(text) is str for text in given)",
        "np.array([[t.count('refund'), t.count('crash'), len(t) / 50] for t in given])",
        ".astype(object)",
    ),
    "audio": (
        "given.ndim == 2 and given.dtype == np.float32 and abs(given).max() <= 1",
        "np.log(1e-6 + np.abs(np.fft.rfft(given, 256))[:, 1:40])",
        "",
    ),
}


def manifest(kind: str) -> str:
    """Return the manifest of the page."""
    found = re.search(rf"^```yaml\n# {kind}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert found
    return found[1]


def source(kind: str) -> str:
    """Return ``reader.py`` of a kind: a model of scikit-learn fitted to stored rows when it is loaded."""
    shape, features, again = _SEEN[kind]
    return _HEAD.format(shape=shape, features=features, again=again)


def images(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return (n, 1, 6, 6) uint8 with a bright half, and which half."""
    state = rng.integers(0, 2, n)
    x = rng.integers(0, 110, (n, 1, 6, 6))
    x[np.arange(n)[:, None], 0, (3 * state)[:, None] + np.arange(3)] += 110
    return x.astype(np.uint8), np.array(["up", "down"])[state]


def series(n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Return a long table of ragged series in mixed order with missing values."""
    length = rng.integers(5, 12, n)
    pump = np.repeat(np.arange(n), length)
    state = rng.integers(0, 2, n)
    made = pd.DataFrame({"pump": [f"p{one:05d}" for one in pump]})
    made["hour"] = np.concatenate([np.arange(size) for size in length])
    made["heat"] = (rng.normal(size=len(pump)) + 1.5 * state[pump]).round(3)
    made["flow"] = rng.normal(size=len(pump)).round(3)
    made.loc[rng.random(len(pump)) < 0.05, "heat"] = np.nan
    made["site"] = np.array(["a", "b"])[rng.integers(0, 2, n)][pump]
    made["state"] = np.array(["good", "bad"])[state][pump]
    return made.sample(frac=1.0, random_state=int(rng.integers(1000))).reset_index(drop=True)


def texts(n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Return messages, some of them missing, and their topic."""
    topic = rng.integers(0, 2, n)
    words = np.array(["please", "hello", "today", "order", "screen", "0012"])
    key = np.array(["refund", "crash"])[np.where(rng.random(n) < 0.9, topic, 1 - topic)]
    message = [f"{' '.join(rng.choice(words, 4))} {one} {two}" for one, two in zip(key, range(n), strict=True)]
    made = pd.DataFrame({"message": message, "channel": rng.choice(["mail", "chat"], n)})
    made["topic"] = np.array(["money", "fault"])[topic]
    made.loc[rng.random(n) < 0.02, "message"] = None
    return made


def write_wav(path: Path, samples: np.ndarray, *, width: int = 2, rate: int = 8000, channels: int = 1) -> None:
    """Write PCM of (frames,) values from -1 to 1, the same in each channel."""
    whole = np.clip(np.round(samples * (2 ** (8 * width - 1) - 1)), -(2 ** (8 * width - 1)), None).astype("<i8")
    whole = np.repeat(whole + (128 if width == 1 else 0), channels)
    raw = whole.view(np.uint8).reshape(-1, 8)[:, :width].tobytes()
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(raw)


def recordings(folder: Path, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Write a folder of wav files of all widths and its index; return what was meant."""
    folder.mkdir(parents=True)
    state = rng.integers(0, 2, n)
    longest, names = 0, []
    kept = np.zeros((n, 256), dtype=np.float32)
    for at in range(n):
        size = int(rng.integers(200, 257))
        tone = np.sin(np.arange(size) * (0.2 + 0.5 * state[at]))
        samples = 0.4 * tone + 0.1 * rng.normal(size=size).clip(-3, 3)
        names.append(f"r{at:04d}.wav")
        write_wav(folder / names[-1], samples, width=1 + at % 4, channels=1 + at % 2)
        kept[at, :size] = samples
        longest = max(longest, size)
    label = np.array(["whole", "broken"])[state]
    index = pd.DataFrame({"file": names, "state": label, "site": rng.choice(["a", "b"], n)})
    index.to_csv(folder / "index.csv", index=False)
    return kept[:, :longest], label


def build(root: Path, kind: str, rows: int = 200) -> Path:
    """Write an application of a kind with the manifest of the page."""
    root.mkdir(parents=True)
    (root / "fivefold.yaml").write_text(manifest(kind), encoding="utf-8")
    (root / "reader.py").write_text(textwrap.dedent(source(kind)), encoding="utf-8")
    rng = np.random.default_rng(7)
    for name in ("train", "test"):
        if kind == "image":
            x, y = images(rows, rng)
            np.savez_compressed(root / f"{name}.npz", x=x, label=y, scanner=rng.choice(["a", "b"], rows))
        elif kind == "series":
            frame = series(rows, rng)
            frame.to_csv(root / f"{name}.csv", index=False)
            wide = frame.sort_values(["pump", "hour"]).groupby("pump")
            x = np.full((rows, 12, 2), np.nan, dtype=np.float32)
            for at, (_, part) in enumerate(wide):
                x[at, : len(part)] = part[["heat", "flow"]]
            y = wide["state"].first().to_numpy(dtype=str)
        elif kind == "text":
            frame = texts(rows, rng)
            frame.to_csv(root / f"{name}.csv", index=False)
            x, y = frame["message"].fillna("").to_numpy(dtype=str), frame["topic"].to_numpy(dtype=str)
        else:
            x, y = recordings(root / name, rows, rng)
        if name == "train":
            np.savez(root / "fit.npz", x=x, y=y.astype(str))
    text = (root / "fivefold.yaml").read_text(encoding="utf-8")
    text = text.replace('{factory: "reader:load"}', '{factory: "reader:load", files: [fit.npz]}')
    (root / "fivefold.yaml").write_text(text, encoding="utf-8")
    return root
