"""P1.images: exact planes fall exactly where they can, transformations do what they say, squares stay squares."""

from __future__ import annotations

import numpy as np
import pytest
from tests.truth import evasion_images

from fivefold.contract.codec import canonical
from fivefold.contract.outcome import Outcome
from fivefold.errors import UnsupportedError
from fivefold.protection.evasion import images, moved, patch

from . import table_models as tables


def figures(result: object) -> dict[str, float]:
    """Return measures by name and place."""
    return {f"{one.name} {one.where}".strip(): one.value for one in result.measures}  # type: ignore[attr-defined]


@pytest.mark.parametrize(("way", "named"), [("patch", "patch"), ("light", "transformation"), ("noise", "noise")])
def test_each_way_comes_near_to_what_is_exact(way: str, named: str) -> None:
    """On a plane the robust accuracy by the attack is that of a search through everything, within two points."""
    made = evasion_images.build(4, way=way, margin=0.0)
    exact = made.thresholds["min_robust_accuracy"]
    result = images.run(made)
    one = next(each for each in result.measures if each.where == named)
    assert one.low is not None
    assert one.high is not None
    assert one.low - 0.02 <= exact <= one.high + 0.02
    assert result.canary is not None
    assert result.canary.noticed


def test_labels_alone_are_enough_for_a_patch_and_the_same_seed_gives_the_same_bytes() -> None:
    """A surrogate chooses squares; a model that falls fails."""
    both = [images.run(evasion_images.build(5, way="patch", margin=0.15, soft=False)) for _ in range(2)]
    assert both[0].outcome is Outcome.FAIL, both[0].reason
    assert canonical(both[0]) == canonical(both[1])


def test_a_patch_stays_in_one_square() -> None:
    """Whatever fell differs from the picture in no more than one square of the declared side."""
    from fivefold.protection.evasion import standard
    from fivefold.protection.evasion.hunt import Hunt
    from fivefold.protection.evasion.vectors import Vectors

    made = evasion_images.build(6, way="patch", margin=0.0, rows=200)
    stage = standard.lay_out(made)
    layout = stage.layout
    answers = layout.oracle(layout.values, np.arange(len(layout.values)))
    hunt = Hunt(
        layout.space, layout.oracle, layout.values, np.arange(len(answers)), goal=layout.goal(answers),
        limit=layout.limit,
    )  # fmt: skip
    plan = patch.Plan(side=3, places=2, steps=5, pastes=10, white=True, grey=True)
    trial = patch.attack(hunt, standard.victim(stage, Vectors.of(hunt)), plan, layout.public_values, made.rng)
    changed = (trial.found != trial.field.start)[trial.fallen].reshape(-1, *layout.space.shape).any(axis=1)
    assert len(changed) > 20
    for axis in (1, 2):
        touched = changed.any(axis=3 - axis)
        spread = touched.shape[1] - touched[:, ::-1].argmax(axis=1) - touched.argmax(axis=1)
        assert spread.max() <= 3


def test_transformations_move_pictures_as_they_say() -> None:
    """Nothing leaves a picture as it is; a shift moves rows, a half turn twice is none, light adds and is cut."""
    x = np.random.default_rng(1).random((3, 2, 8, 8)).astype(np.float32)
    none = np.zeros((3, 5))
    assert np.allclose(moved.moved(x, none), x, atol=1e-6)
    down = moved.moved(x, none + np.array([0, 0.25, 0, 0, 0]))
    assert np.allclose(down[:, :, 2:], x[:, :, :-2], atol=1e-5)
    assert np.allclose(down[:, :, :2], 0)
    turned = moved.moved(x, none + np.array([180, 0, 0, 0, 0]))
    assert np.allclose(turned, x[:, :, ::-1, ::-1], atol=1e-4)
    assert np.allclose(moved.moved(x, none + np.array([0, 0, 0, 0, 0.3])), np.minimum(x + 0.3, 1), atol=1e-6)


def test_a_table_is_no_picture() -> None:
    """The reason carries its code."""
    with pytest.raises(UnsupportedError) as caught:
        images.run(tables.context(tables.trained(1, steps=2)))
    assert caught.value.code == "evasion.picture"
