"""P3.corruption: images, tables, series and sound get worse in ways that are known, and the figures follow."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.fft import dctn
from tests.truth.worsened import CHECK, Keeper, build

from fivefold.contract.outcome import Outcome
from fivefold.contract.registry import resolve
from fivefold.contract.subject import Capabilities, SettingsView, Table
from fivefold.errors import UnsupportedError
from fivefold.protection.corruption import lenses, pixels, sensors, sound, weather, worse


def rng():
    return np.random.default_rng(3)


def smooth(n=6, shape=(3, 32, 32)):
    """Images that are clouds: they have edges and flat parts as real ones have."""
    return np.stack([weather.clouds(shape[0], shape[1:], 1.5, np.random.default_rng(at)) for at in range(n)])


def off(one, other):
    return float(np.abs(one.astype(np.float64) - other).mean())


@pytest.mark.parametrize("name", list(worse.IMAGES))
@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 28, 28), (4, 9, 17), (3, 64, 48)])
def test_images_of_any_shape_keep_shape_type_and_range_and_change(name, shape):
    """Every corruption at every severity, bytes and numbers; the same seed gives the same pixels."""
    images = smooth(3, shape)
    for severity in range(5):
        made = worse.images(images, name, severity, rng())
        assert made.shape == images.shape
        assert made.dtype == np.float32
        assert 0 <= made.min() <= made.max() <= 1
        assert off(made, images) > 1e-4
    whole = (images * 255).round().astype(np.uint8)
    made = worse.images(whole, name, 2, rng())
    assert made.dtype == np.uint8
    assert np.array_equal(made, worse.images(whole, name, 2, rng()))


@pytest.mark.parametrize("name", [name for name in worse.IMAGES if name not in ("elastic", "glass blur")])
def test_images_get_worse_with_severity(name):
    """The distance to the image as it is grows from the first to the last severity (two corruptions change kind)."""
    images = smooth(8)
    assert off(worse.images(images, name, 4, rng()), images) > off(worse.images(images, name, 0, rng()), images)


def test_noise_has_the_size_that_is_stated():
    """Standard deviation of normal noise, share of impulses, variance of counted photons."""
    grey = np.full((4, 1, 64, 64), 0.5, dtype=np.float32)
    assert pixels.gaussian_noise(grey, 4, rng()).std() == pytest.approx(0.10, rel=0.03)
    assert (pixels.impulse_noise(grey, 4, rng()) != 0.5).mean() == pytest.approx(0.07, rel=0.1)
    assert pixels.shot_noise(grey, 4, rng()).var() == pytest.approx(0.5 / 50, rel=0.05)


def test_jpeg_leaves_only_multiples_of_its_steps():
    """In the frequency domain of each block what is left are whole multiples of the table at that quality."""
    grey = smooth(2, (1, 16, 16))
    made = pixels.jpeg(grey, 4, rng())
    blocks = (made * 255 - 128).reshape(2, 1, 2, 8, 2, 8).swapaxes(3, 4)
    steps = np.floor(pixels._LUMINANCE * 1.25 + 0.5)
    ratio = dctn(blocks, axes=(4, 5), norm="ortho") / steps
    assert np.abs(ratio - ratio.round()).max() < 1e-2


def test_a_blur_keeps_the_mean_and_a_flat_image():
    """Kernels sum to one and edges are mirrored."""
    flat = np.full((2, 3, 20, 20), 0.3, dtype=np.float32)
    for blur in (lenses.defocus_blur, lenses.motion_blur, lenses.zoom_blur, lenses.glass_blur, lenses.elastic):
        assert np.allclose(blur(flat, 3, rng()), 0.3, atol=1e-5)


FRAME = pd.DataFrame(
    {
        "small": np.arange(200, dtype=np.int8) % 100,
        "whole": pd.array([None if at % 9 == 0 else at for at in range(200)], dtype="Int64"),
        "big": np.arange(200, dtype=np.uint64) * np.uint64(2**56),
        "real": np.where(np.arange(200) % 7 == 0, np.nan, np.linspace(-5, 5, 200)),
        "flag": np.arange(200) % 2,
        "yes": np.arange(200) % 2 == 0,
        "text": ["a", "b"] * 100,
        "day": pd.date_range("2024-01-01", periods=200),
        "same": np.ones(200),
    }
)


@pytest.mark.parametrize("fault", sensors.NAMES)
def test_faults_of_a_table_keep_types_and_touch_sensors_only(fault):
    """Whole numbers stay whole and within their type, flags, texts, dates and constants stay as they are."""
    known = sensors.sensors(FRAME)
    assert [one.name for one in known] == ["small", "whole", "big", "real"]
    changed = []
    for severity in range(5):
        made = sensors.table(FRAME, known, fault, severity, np.random.default_rng(severity))
        assert list(made.dtypes) == list(FRAME.dtypes)
        assert made[["flag", "yes", "text", "day", "same"]].equals(FRAME[["flag", "yes", "text", "day", "same"]])
        assert np.isfinite(made["real"].dropna()).all()
        changed.append(sum((made[name].fillna(-99) != FRAME[name].fillna(-99)).mean() for name in ("small", "real")))
    assert changed[-1] > changed[0] > 0


@pytest.mark.parametrize("fault", sensors.NAMES)
def test_faults_of_series_leave_the_end_of_short_ones_alone(fault):
    """A series that has ended stays ended; some channel changes, not every one at first."""
    inputs = rng().normal(size=(30, 10, 40)).astype(np.float32)
    inputs[:10, :, 25:] = np.nan
    made = sensors.series(inputs, fault, 0, rng())
    assert made.dtype == np.float32
    assert np.array_equal(np.isnan(made), np.isnan(inputs))
    touched = (np.nan_to_num(made) != np.nan_to_num(inputs)).any(axis=2).sum(axis=1)
    assert touched.max() == 1
    assert touched.mean() > 0.5
    assert (np.nan_to_num(sensors.series(inputs, fault, 4, rng())) != np.nan_to_num(inputs)).any(axis=2).sum() > 60


@pytest.mark.parametrize("kind", sound.NAMES)
def test_sound_stays_within_range_and_gets_worse(kind):
    """Recordings of any length, silence and constant ones included."""
    time = np.arange(4000) / 8000
    inputs = (0.5 * np.sin(2 * np.pi * np.array([[200.0], [350.0], [500.0]]) * time)).astype(np.float32)
    first, last = (sound.sound(inputs, kind, at, rng()) for at in (0, 4))
    assert off(last, inputs) > off(first, inputs) > 0
    assert np.abs(last).max() <= 1
    silent = sound.sound(np.zeros((2, 64), dtype=np.float32), kind, 4, rng())
    assert np.isfinite(silent).all()


def test_noise_lies_as_far_below_the_sound_as_is_stated():
    """Signal to noise in dB."""
    inputs = rng().normal(size=(5, 5000)).astype(np.float32)
    made = sound.mixed(inputs, rng().normal(size=(5, 5000)).astype(np.float32)[::-1], 10.0)
    ratio = (inputs**2).mean(axis=1) / ((made - inputs) ** 2).mean(axis=1)
    assert np.allclose(10 * np.log10(ratio), 10, atol=0.1)


def test_missed_detections_are_judged_by_the_worst_corruption():
    """A limit that is declared fails for a model that keeps little, and passes for one that keeps all."""
    for chance, outcome in ((0.5, Outcome.FAIL), (1.0, Outcome.PASS)):
        given = build(5, chance=chance, rows=300)
        result = resolve(CHECK)(replace(given, options={**given.options, "max_missed": 0.1}))
        worst = next(one for one in result.measures if one.name == "missed-detection rate" and one.threshold)
        assert worst.outcome is outcome
        assert "worst of 5" in worst.where
        assert result.outcome is outcome
    bare = replace(given, settings=SettingsView(), options={**given.options, "max_missed": 0.1})
    assert resolve(CHECK)(bare).outcome is Outcome.INCONCLUSIVE


def test_a_higher_severity_may_be_judged():
    """The judged figure names its severity, and all five are shown."""
    given = build(6, kind="series")
    result = resolve(CHECK)(replace(given, options={**given.options, "severity": 4}))
    assert "severity 4" in result.measures[0].note
    assert {one.where[-1] for one in result.measures if "severity" in one.where} == set("12345")


def test_regression_counts_answers_within_the_tolerance():
    """A linear model of numbers: right rows are those within it, and a stuck sensor moves some out."""

    class Line:
        classes, task = (), "regression"
        capabilities = Capabilities(scores=False, retrains=False, perturbable=True)

        def predict(self, asked):
            return asked.features.sum(axis=1).to_numpy()

    frame = pd.DataFrame(rng().normal(size=(400, 3)), columns=list("abc"))
    rows = Table("test", np.arange(400), frame, frame.sum(axis=1).to_numpy(), pd.DataFrame(index=frame.index))
    given = replace(build(7), subject=Line(), tables={"test": rows}.__getitem__)
    result = resolve(CHECK)(given)
    assert 0.3 < result.measures[0].value < 0.95
    assert any("tolerance" in text for text in result.limits)


def test_a_budget_of_calls_leaves_the_judged_severity():
    """Few calls: fewer severities, named; too few: not run."""
    given = build(8, kind="image", rows=200)

    def limited(calls):
        class Budget(Keeper):
            @property
            def capabilities(self):
                return Capabilities(scores=False, retrains=False, perturbable=True, calls_left=calls)

        return replace(given, subject=Budget(**{name: getattr(given.subject, name) for name in
                                                ("stored", "chance", "classes", "seed")}))  # fmt: skip

    result = resolve(CHECK)(limited(70))
    assert any("severities 1, 5 only" in text for text in result.limits)
    with pytest.raises(UnsupportedError, match="calls are left"):
        resolve(CHECK)(limited(20))


def test_what_has_no_sensor_is_not_run():
    """A table of texts, a text data set, and a model that is hardly ever right."""
    given = build(9)
    texts = pd.DataFrame({"a": ["x", "y"] * 100})
    rows = Table("test", np.arange(200), texts, np.zeros(200, dtype=np.int64), pd.DataFrame(index=texts.index))

    class Zero:
        classes, task = ("a", "b"), "binary"
        capabilities = Capabilities(scores=False, retrains=False, perturbable=True)

        def predict(self, asked):
            return np.zeros(len(asked), dtype=np.int64)

    for table, match in ((rows, "sensor"), (replace(rows, kind="text"), "texts"),
                         (replace(rows, target=np.ones(200, dtype=np.int64)), "rightly")):  # fmt: skip
        with pytest.raises(UnsupportedError, match=match):
            resolve(CHECK)(replace(given, subject=Zero(), tables={"test": table}.__getitem__))


def test_the_same_seed_gives_the_same_result():
    """Determinism, rule 8."""
    assert resolve(CHECK)(build(10)) == resolve(CHECK)(build(10))
