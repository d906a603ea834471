"""Real models, public rows and honest traffic for measuring the detector of theft."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fivefold.contract.subject import Table
from fivefold.protection.extraction.answers import Voice
from fivefold.protection.theft import attacks
from fivefold.subject.possible import space as spaces

if TYPE_CHECKING:
    from collections.abc import Callable

    Rows = pd.DataFrame | np.ndarray

PUBLIC = 200
DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


@dataclass(frozen=True)
class Prey:
    """A model and the rows around it.

    Attributes:
        name: As the tables say.
        scores: Rows to (n, K) probabilities.
        population: What the detector learns from.
        public: Rows, with labels, of which a thief has some.
        labels: (m,) of them.
        held: Rows that honest callers ask and on which copies are judged.
        truth: (n,) labels of these.
        classes: K.
    """

    name: str
    scores: Callable[[Any], np.ndarray]
    population: Any
    public: Any
    labels: np.ndarray
    held: Any
    truth: np.ndarray
    classes: int


def take(rows: Any, where: Any) -> Any:
    """Return some rows."""
    return rows[where] if isinstance(rows, np.ndarray) else rows.iloc[where].reset_index(drop=True)


def as_table(rows: Any) -> Table:
    """Return rows as the table that attacks are made in."""
    n = len(rows)
    empty, target = pd.DataFrame(index=range(n)), np.zeros(n, dtype=np.int64)
    if isinstance(rows, np.ndarray):
        return Table("rows", np.arange(n), empty, target, empty, inputs=rows, kind="image")
    return Table("rows", np.arange(n), rows.reset_index(drop=True), target, empty)


@dataclass(frozen=True)
class Thief:
    """200 public rows and their labels.

    Attributes:
        start: What attacks begin with.
        table: The public rows.
        labels: (200,).
    """

    start: attacks.Start
    table: Table
    labels: np.ndarray

    def rows(self, values: np.ndarray, origin: np.ndarray) -> Any:
        """Return vectors as rows that can be asked."""
        made = self.start.space.decode(values, origin, self.table)
        return made.features if made.inputs is None else made.inputs

    def inputs(self, rows: Any) -> np.ndarray:
        """Return rows as what students see."""
        return self.start.inputs(self.start.space.encode(as_table(rows)))


def thief(prey: Prey, rng: np.random.Generator) -> Thief:
    """Draw the public rows of one thief."""
    chosen = rng.permutation(len(prey.public))[:PUBLIC]
    table = as_table(take(prey.public, chosen))
    is_image = table.inputs is not None
    space = spaces.of_images([table]) if is_image else spaces.of_tables([table], {})
    pool = space.encode(table)
    known = np.array([column.kind != "fixed" for column in space.columns] or [True] * pool.shape[1])
    missing = np.isnan(pool).any(axis=0) & known
    return Thief(attacks.Start(space, pool, missing, Voice("scores", prey.classes)), table, prey.labels[chosen])


@cache
def adult() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the census rows, train and test, texts as plain objects."""
    frames = []
    for name in ("train", "test"):
        frame = pd.read_csv(DATA / "adult_census" / f"{name}.csv.gz")
        texts = [column for column in frame if frame[column].dtype.kind not in "if"]
        frames.append(frame.astype(dict.fromkeys(texts, object)))
    return frames[0], frames[1]


@cache
def adult_prey(kind: str) -> Prey:
    """Return a logistic model or boosted trees of the census, learnt from 20,000 rows."""
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

    train, test = adult()
    rows, right = train.drop(columns="income"), train["income"].str.contains(">").astype(int).to_numpy()
    texts = [column for column in rows if rows[column].dtype == object]
    numbers = [column for column in rows if column not in texts]
    if kind == "logistic":
        steps = (OneHotEncoder(handle_unknown="ignore"), texts), (StandardScaler(), numbers)
        model = make_pipeline(make_column_transformer(*steps), LogisticRegression(max_iter=500))
    else:
        codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
        steps = (codes, texts), (StandardScaler(), numbers)
        model = make_pipeline(make_column_transformer(*steps), HistGradientBoostingClassifier(random_state=0))
    model.fit(rows[:20_000], right[:20_000])
    return Prey(
        f"adult, {kind}", model.predict_proba, rows[:20_000], rows[20_000:].reset_index(drop=True), right[20_000:],
        test.drop(columns="income"), test["income"].str.contains(">").astype(int).to_numpy(), 2,
    )  # fmt: skip


@cache
def digits() -> tuple[np.ndarray, np.ndarray]:
    """Return 10,000 images (n, 1, 28, 28) uint8 and their digits."""
    folder = DATA / "mnist_t10k"
    parts = []
    for name, skip in (("images-idx3", 16), ("labels-idx1", 8)):
        with gzip.open(folder / f"t10k-{name}-ubyte.gz") as file:
            parts.append(np.frombuffer(file.read()[skip:], np.uint8))
    images, labels = parts
    return images.reshape(-1, 1, 28, 28), labels.astype(np.int64)


def network(images: np.ndarray, chances: np.ndarray, seed: int, rounds: int) -> Callable[[np.ndarray], np.ndarray]:
    """Train a small convolutional network on images and probabilities; return images to probabilities."""
    import torch
    from torch import nn

    torch.manual_seed(seed)
    torch.set_num_threads(1)
    model = nn.Sequential(
        nn.Conv2d(1, 16, 5, stride=2), nn.ReLU(), nn.Conv2d(16, 32, 3, stride=2), nn.ReLU(), nn.Flatten(),
        nn.Linear(800, 64), nn.ReLU(), nn.Linear(64, 10),
    )  # fmt: skip
    optimizer = torch.optim.Adam(model.parameters(), 2e-3)
    x, y = torch.tensor(images / 255.0, dtype=torch.float32), torch.tensor(chances, dtype=torch.float32)
    for _ in range(rounds):
        for part in torch.randperm(len(x)).split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[part]), y[part]).backward()
            optimizer.step()

    def answer(asked: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            parts = torch.tensor(asked / 255.0, dtype=torch.float32).split(2000)
            return torch.cat([model(part).softmax(dim=1) for part in parts]).double().numpy()

    return answer


@cache
def digits_prey() -> Prey:
    """Return a convolutional network of 3,500 handwritten digits."""
    images, labels = digits()
    model = network(images[:3500], np.eye(10)[labels[:3500]], 0, 20)
    return Prey(
        "mnist, CNN", model, images[:3500], images[3500:4500], labels[3500:4500], images[4500:], labels[4500:], 10
    )


@cache
def power_prey() -> Prey:
    """Return boosted trees that say whether electricity becomes dearer, learnt from 20,000 half-hours in any order."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    frame = pd.read_csv(DATA / "elec2_stream" / "elec.csv.gz")
    frame = frame.iloc[np.random.default_rng(0).permutation(len(frame))].reset_index(drop=True)
    target = frame.columns[-1]
    rows, right = frame.drop(columns=target), pd.factorize(frame[target], sort=True)[0].astype(np.int64)
    model = HistGradientBoostingClassifier(max_iter=30, random_state=0).fit(rows[:20_000], right[:20_000])
    return Prey(
        "electricity, boosted", model.predict_proba, rows[:20_000], rows[20_000:22_000].reset_index(drop=True),
        right[20_000:22_000], rows[22_000:].reset_index(drop=True), right[22_000:], 2,
    )  # fmt: skip


@cache
def fashion_prey() -> Prey:
    """Return a convolutional network of 5,000 pieces of clothing."""
    with np.load(DATA / "fashion_mnist_20k" / "fashion_mnist_20k.npz") as file:
        images, right, held, right_held = (file[name] for name in ("X_train", "y_train", "X_test", "y_test"))
    order = np.random.default_rng(0).permutation(len(images))
    images, right = images[order].reshape(-1, 1, 28, 28), right[order].astype(np.int64)
    model = network(images[:5000], np.eye(10)[right[:5000]], 0, 10)
    return Prey(
        "fashion, CNN", model, images[:8000], images[8000:], right[8000:], held.reshape(-1, 1, 28, 28),
        right_held.astype(np.int64), 10,
    )  # fmt: skip


@cache
def signs_prey() -> Prey:
    """Return a forest of traffic signs in colour; whoever asks shows other tracks than those it learnt from."""
    from sklearn.ensemble import RandomForestClassifier

    with np.load(DATA / "gtsrb_open" / "gtsrb_open.npz") as file:
        images, right, track = file["X"], file["y"].astype(np.int64), file["track"].astype(np.int64)
    part = np.empty(len(right), dtype=np.int64)
    for one in np.unique(right):  # some tracks of each sign are learnt
        part[right == one] = np.unique(track[right == one], return_inverse=True)[1] % 10
    model = RandomForestClassifier(100, random_state=0).fit(images[part < 6].reshape(-1, 3072), right[part < 6])
    taught, public, held = part < 6, part == 6, part > 6
    return Prey(
        "signs, forest", lambda rows: model.predict_proba(rows.reshape(len(rows), -1)), images[taught],
        images[public], right[public], images[held], right[held], 43,
    )  # fmt: skip


def preys() -> dict[str, Callable[[], Prey]]:
    """Return the subjects."""
    return {
        "adult, logistic": lambda: adult_prey("logistic"),
        "adult, boosted": lambda: adult_prey("boosted"),
        "mnist, CNN": digits_prey,
        "fashion, CNN": fashion_prey,
        "signs, forest": signs_prey,
        "electricity, boosted": power_prey,
    }
