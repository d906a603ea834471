"""X1: a sticker makes a car miss signs, its guard makes it slow down; attacks keep to their rules; the command."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from tests.cases import driving_real  # noqa: E402

from fivefold.cases.driving import applications, attacking, case, learning, road, signs  # noqa: E402
from fivefold.cases.driving.attacking import SLOW, Attacker, decided, noise, painted, sticker  # noqa: E402
from fivefold.cli.main import run  # noqa: E402
from fivefold.errors import FivefoldError  # noqa: E402
from fivefold.manifest.reader import read as read_manifest  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KINDS = len(signs.KINDS)
SIZES = {"LEARNED": 400, "TRIED": 250, "REHEARSED": 8, "EACH": 5, "OTHERS": 20, "BOARDS": 10, "EFFORT": (2, 6, 0)}
TAUGHT = {"_STUCK": 120, "_ROUNDS": 1, "_COPY": 3, "LADDER": {"risk": 0.08, "levels": ["model", "refuse"]}}
"""Of a small drive, and of what is learned for it: few rows hold no small risk."""


@pytest.fixture(scope="module")
def small() -> Callable[[pytest.MonkeyPatch], None]:
    """Return what makes drives small."""

    def made(patch: pytest.MonkeyPatch) -> None:
        for name, size in SIZES.items():
            patch.setattr(case, name, size)
        for name, size in TAUGHT.items():
            patch.setattr(learning, name, size)
        patch.setattr(case, "STEPS", 6)

    return made


@pytest.fixture(scope="module")
def met(small: Callable[[pytest.MonkeyPatch], None]) -> tuple[case.Road, case.Driven]:
    """One small drive."""
    with pytest.MonkeyPatch.context() as patch:
        small(patch)
        return case.again(4)


def net(bias: int) -> object:
    """Return a net that sees one kind in everything."""
    made = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * road.SIZE**2, KINDS))
    with torch.no_grad():
        made[1].weight.zero_()
        made[1].bias.copy_(5.0 * torch.eye(KINDS)[bias])
    return made


def test_signs_are_missed_before_and_seldom_after(met: tuple[case.Road, case.Driven]) -> None:
    """One small drive: without an attack next to nothing is missed; stickers make much missed, and after little."""
    one = met[1]
    assert one.missed(one.before["nobody attacks"]).mean() <= 0.1
    assert one.missed(one.after["nobody attacks"]).mean() <= 0.1
    assert one.missed(one.before["sticker"]).mean() >= 0.3
    assert one.missed(one.after["sticker"]).mean() <= one.missed(one.before["sticker"]).mean() - 0.2
    assert one.missed(one.after["noise"]).mean() <= one.missed(one.before["noise"]).mean()
    assert (one.before["sticker"] != SLOW).all(), "without a guard nobody slows down"
    assert one.needless(1) <= 0.3 * one.passed


def test_a_car_goes_by_what_most_frames_say() -> None:
    """Most votes win; too few of all frames, unanswered ones counted: it slows down."""
    read = np.array([[1, 1, 2, -1, -1], [1, 1, 1, 1, -1], [-1, -1, -1, -1, -1], [0, 0, 2, 2, 2]])
    assert decided(read, 3, 0.0)[[0, 1, 3]].tolist() == [1, 1, 2]
    assert decided(read, 3, 2 / 3).tolist() == [SLOW, 1, SLOW, SLOW]
    assert decided(read, 3, 0.6).tolist() == [SLOW, 1, SLOW, 2]


def test_harm_is_a_sign_that_is_neither_known_nor_slowed_down_at() -> None:
    """By hand: misread is missed, slowed down is not; a stop without a sign, and a slow-down, are needless."""
    kinds, others = np.array([0, 0, 1]), np.array([3, signs.NOTHING, 4, 0])
    quiet = np.array([3, 0, SLOW, 0])
    given = {"nobody attacks": np.array([0, SLOW, 1]), "sticker": np.array([3, SLOW, 1])}
    one = case.Driven(kinds, given, given, others, (quiet, quiet), (), (), ())  # type: ignore[arg-type]
    assert one.missed(given["sticker"]).tolist() == [True, False, False]
    assert one.needless(0) == 3


def test_frames_follow_from_sheets_and_from_nothing_else() -> None:
    """A sheet painted as it is changes nothing; one painted over changes frames where it is seen and nowhere else."""
    rng = np.random.default_rng(1)
    seen = road.approaches(np.array([0, 1, 2, 5]), rng, 4)
    assert np.allclose(painted(seen, seen.sheets), seen.frames, atol=1e-6)
    over = seen.sheets.copy()
    over[:, :, 9:15, 9:15] = 1.0
    changed = np.abs(painted(seen, over) - seen.frames).max(axis=2)
    assert (changed[..., 6:10, 6:10].max(axis=(2, 3)) > 0.05).all()
    assert changed[..., 0].max() < 0.02
    assert changed[..., -1].max() < 0.02
    assert seen.frames.min() >= 0
    assert seen.frames.max() <= 1


def test_the_same_signs_can_be_driven_past_again() -> None:
    """Other frames, the very same sheets: what a rehearsal is."""
    rng = np.random.default_rng(2)
    one = road.approaches(np.array([0, 1, 2]), rng, 3)
    two = road.approaches(one.kinds, rng, 5, one.sheets)
    assert (two.sheets == one.sheets).all()
    assert two.frames.shape[1] == 5
    assert np.abs(two.frames[:, :3] - one.frames).mean() > 0.01


def test_each_kind_looks_unlike_all_others() -> None:
    """Sheets of one kind are nearer to their own mean than to that of any other kind; boards are left out."""
    kinds = np.repeat(np.arange(signs.NOTHING), 30)
    faces = signs.sheets(kinds, np.random.default_rng(3)) * signs.covers(kinds)[:, None]
    means = np.stack([faces[kinds == kind].mean(axis=0) for kind in range(signs.NOTHING)]).reshape(signs.NOTHING, -1)
    away = ((faces.reshape(len(kinds), 1, -1) - means) ** 2).sum(axis=2)
    assert (away.argmin(axis=1) == kinds).mean() > 0.95


def test_a_sticker_is_one_square_and_noise_keeps_its_reach(met: tuple[case.Road, case.Driven]) -> None:
    """Whatever was found: outside of one square nothing changes; no pixel of a frame moves by more than the reach."""
    way, one = met
    plain = one.readers[0]
    by = Attacker(plain, 0.0, ((plain.net,),))
    rng = np.random.default_rng(6)
    faces = sticker(way.rehearsal, by, case.SQUARE, rng, (2, 6, 4))
    changed = (faces != way.rehearsal.sheets).any(axis=1)
    assert changed.any(axis=(1, 2)).sum() >= 3
    for axis in (1, 2):
        touched = changed.any(axis=3 - axis)[changed.any(axis=(1, 2))]
        spread = touched.shape[1] - touched[:, ::-1].argmax(axis=1) - touched.argmax(axis=1)
        assert spread.max() <= case.SQUARE
    frames = noise(way.signs, by, 0.03, rng, 4)
    assert np.abs(frames - way.signs.frames).max() <= 0.03 + 1e-6
    assert (plain.decide(frames, 0.0) != way.signs.kinds).sum() > (one.before["nobody attacks"] != one.kinds).sum()


def test_what_an_attacker_is_told_is_what_the_car_decides(met: tuple[case.Road, case.Driven]) -> None:
    """Slowing down counts as the sign itself, in labels and in scores; slopes are those of the frames."""
    way, one = met
    some = way.signs[np.arange(6)]
    safe = one.readers[1]
    victim = attacking.Passing(some, Attacker(safe, 2.0, ()), (safe.net,), sticker=True)
    rows, values = np.arange(6), some.sheets.reshape(6, -1)
    assert (victim.labels(values, rows) == some.kinds).all(), "nobody reaches twice all frames: the car slows down"
    assert (victim.scores(values, rows).argmax(axis=1) == some.kinds).all()
    bad = attacking.Passing(some, Attacker(learning.Reader(net(4), KINDS), 0.0, ()), (safe.net,), sticker=True)
    assert (bad.labels(values, rows) == 4).all()
    assert (bad.scores(values, rows).argmax(axis=1) == 4).all()
    losses, slope = victim.slopes(values, rows, some.kinds, "cross-entropy")
    step = values - 1e-2 * slope / np.abs(slope).max(axis=1, keepdims=True)
    assert (victim.slopes(step.astype(np.float32), rows, some.kinds, "cross-entropy")[0] < losses).all()


def test_the_command_tells_the_case(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, met: tuple[case.Road, case.Driven]
) -> None:
    """Three drives made by hand of one, as JSON: figures of before and after, bounds, and what each control does."""
    monkeypatch.setattr(case, "again", lambda _seed, _at=0: met)
    with pytest.raises(SystemExit) as leave:
        run(["case", "X1", "--runs", "3", "--seed", "3", "--json"])
    assert not leave.value.code
    told = json.loads(capsys.readouterr().out)
    assert told["id"] == "X1"
    assert told["before"][0]["count"] > told["after"][0]["count"]
    assert told["before"][0]["n"] == 3 * 3 * SIZES["EACH"]
    assert told["before"][4]["n"] == 3 * met[1].passed
    assert any(line.startswith("Missed before, sticker: ") and "95 % bounds" in line for line in told["example"])


def test_the_same_seed_gives_the_same_drive(
    monkeypatch: pytest.MonkeyPatch, small: Callable[[pytest.MonkeyPatch], None]
) -> None:
    """Drawn, learned and attacked twice: every decision and every sticker is the same; another seed's are not."""
    small(monkeypatch)
    for name, size in {"LEARNED": 100, "TRIED": 60, "EACH": 2, "OTHERS": 6, "BOARDS": 2, "EFFORT": (1, 3, 2)}.items():
        monkeypatch.setattr(case, name, size)
    monkeypatch.setattr(learning, "_STUCK", 20)
    one, two, other = case.again(4)[1], case.again(4)[1], case.again(5)[1]
    for way, decisions in one.after.items():
        assert (two.after[way] == decisions).all()
    assert (one.faces[1] == two.faces[1]).all()
    assert (one.quiet[0] == two.quiet[0]).all()
    assert not (one.faces[1] == other.faces[1]).all()


def test_without_torch_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason carries its code and the remedy."""
    monkeypatch.setattr(case, "find_spec", lambda _name: None)
    with pytest.raises(FivefoldError) as caught:
        case.run(1, 1)
    assert caught.value.code == "case.extra"
    assert "fivefold[torch]" in caught.value.remedy


def test_what_is_written_are_two_applications_and_two_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, met: tuple[case.Road, case.Driven]
) -> None:
    """Manifests that can be read; stored nets read the stored frames as those of the case; pictures can be shown."""
    from importlib.util import module_from_spec, spec_from_file_location

    from safetensors.torch import load_file

    monkeypatch.setattr(applications, "again", lambda _seed: met)
    told = case.Told("X1", "", (), case._figures([met[1]], 0), case._figures([met[1]], 1), (), (), 4)
    out = tmp_path / "x1"
    applications.write(out, told)
    for which, reader in zip(("before", "after"), met[1].readers, strict=True):
        manifest = read_manifest(out / which)
        assert manifest.application.id == f"signs-{which}"
        assert ("C3" in manifest.controls) == (which == "after")
        spec = spec_from_file_location("net", out / which / "net.py")
        assert spec is not None
        assert spec.loader is not None
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        stored = module.build()
        stored.load_state_dict(load_file(str(out / which / "net.safetensors")))
        with np.load(out / which / "data" / "test.npz") as rows:
            read = learning.Reader(stored, KINDS).ask(rows["frame"])[0]
            assert (read == reader.ask(learning.flat(met[0].others)[0])[0]).mean() > 0.99
            assert (np.array(signs.KINDS)[read] == rows["kind"]).mean() > 0.8
    drawn = ET.fromstring((out / "frames.svg").read_text(encoding="utf-8"))
    assert sum(one.tag.endswith("image") for one in drawn) == 6 * 9
    assert "After" in "".join(ET.fromstring((out / "shares.svg").read_text(encoding="utf-8")).itertext())


@pytest.mark.slow
@pytest.mark.shared
def test_on_real_tracks_signs_are_missed_before_and_less_after(
    shared: Path, monkeypatch: pytest.MonkeyPatch, small: Callable[[pytest.MonkeyPatch], None]
) -> None:
    """GTSRB: tracks are dealt whole, stop and priority signs are attacked, and the guard makes less of them missed."""
    small(monkeypatch)
    whole = driving_real.tracks(shared / "gtsrb_open")
    assert np.allclose(painted(whole, whole.sheets), whole.frames, atol=1e-6)
    way = driving_real.road(whole, np.random.default_rng(1))
    parts = (way.learned, way.tried, way.signs, way.others)
    assert sum(map(len, parts)) == len(whole)
    assert len(np.unique(np.concatenate([each.sheets.reshape(len(each), -1).sum(axis=1) for each in parts]))) > 400
    some = np.arange(0, len(way.signs), 2)
    few = replace(way, learned=driving_real.frames(way.learned, np.arange(0, 20, 2)), signs=way.signs[some],
                  rehearsal=way.rehearsal[some])  # fmt: skip
    one = case.driven(few, np.random.default_rng(1), side=8)
    assert one.missed(one.before["sticker"]).mean() >= 0.3
    assert one.missed(one.after["sticker"]).mean() <= one.missed(one.before["sticker"]).mean() - 0.2
