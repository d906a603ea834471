"""Making and sealing a plan: what binds, why, and that nobody chooses seeds, thresholds or exemptions."""

from __future__ import annotations

import importlib
import math
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fivefold.catalogue import load
from fivefold.contract import registry
from fivefold.contract.codec import canonical, decode
from fivefold.contract.plan import DataFact, Facts, ModelFact, Plan
from fivefold.errors import InputError, ProblemsError
from fivefold.manifest.nouns import DataSet, Model
from fivefold.plan import make as make_plan
from fivefold.plan import seal
from fivefold.plan.seal import plan_digest, seed

catalogue_load = importlib.import_module("fivefold.catalogue.load")

BUILT = {"F1.gaps", "P3.accuracy", "P3.membership", "T2.signature"}


def _status(plan: Plan) -> dict[str, str]:
    return {check.check: check.status for check in plan.checks if check.check in BUILT}


def _check(plan: Plan, name: str):
    return next(check for check in plan.checks if check.check == name)


def test_light_plan_leaves_open_what_needs_an_engine(make) -> None:
    """Nothing was read: what hangs on data and model is undecided, files of the model are not."""
    assert _status(make()) == dict.fromkeys(BUILT, "undecided") | {"T2.signature": "run"}


def test_complete_facts_leave_nothing_undecided(make, facts) -> None:
    """All four checks run; everything else is a gap or tested as not applicable."""
    plan = make(facts=facts)
    assert set(_status(plan).values()) == {"run"}
    assert {check.status for check in plan.checks} == {"run", "not-run", "not-applicable"}


@pytest.mark.parametrize("level", range(1, 6))
def test_levels_are_inclusive(make, manifest, level: int) -> None:
    """A level binds the claims of its own objective and of all below."""
    plan = make(manifest(level=level))
    assert [claim.claim for claim in plan.claims] == [claim.id for claim in load().claims if claim.level <= level]


@pytest.mark.parametrize("level", range(1, 6))
def test_fairness_binds_at_every_level_through_its_aim(make, manifest, facts, level: int) -> None:
    """F1.gaps runs although no claim needs it, and binds: its aim has no gaps."""
    check = _check(make(manifest(level=level), facts), "F1.gaps")
    assert (check.status, check.claims, check.aims, check.binding) == ("run", (), ("O4",), True)


def test_every_check_of_a_needed_row_is_planned(make, facts) -> None:
    """Gaps are in the plan as not run, with the stage that brings them."""
    planned = {check.check for check in make(facts=facts).checks}
    assert {entry.id for entry in load().rows["T4"].checks} <= planned
    gap = _check(make(facts=facts), "T4.tampering")
    assert (gap.status, gap.binding) == ("not-run", True)
    assert "does not have it yet" in gap.reason


@pytest.mark.parametrize("level", [0, 6, -1])
def test_a_level_outside_1_to_5_is_refused(make, manifest, level: int) -> None:
    """Whatever the reader let through."""
    with pytest.raises(InputError) as caught:
        make(manifest(level=level))
    assert caught.value.code == "plan.level"


LACKS = [
    ({"data": {"train": DataSet(name="train", path="a", protected=("sex",))}}, "F1.gaps", "no data set `test`"),
    ({"data": {"test": DataSet(name="test", path="a")}}, "P3.membership", "no data set `train`"),
    ({"data": {"test": DataSet(name="test", path="a")}}, "F1.gaps", "protected"),
    ({"model": None}, "P3.accuracy", "no model"),
    ({"model": Model(predictions={"test": "p.csv"})}, "T2.signature", "predictions only"),
]


@pytest.mark.parametrize(("fields", "check", "said"), LACKS)
def test_what_a_check_lacks_makes_it_not_run(make, manifest, fields, check: str, said: str) -> None:
    """Leaving something out of the manifest is never not applicable: it satisfies nothing."""
    found = _check(make(manifest(**fields)), check)
    assert found.status == "not-run"
    assert said in found.reason


def test_a_missing_extra_is_not_run(make, facts) -> None:
    """The reason names the extra and how to get it."""
    plan = make(facts=facts, installed=lambda extra: extra != "assess")
    assert set(_status(plan).values()) == {"not-run"}
    assert "pip install 'fivefold[assess]'" in _check(plan, "P3.accuracy").reason


def test_a_model_that_failed_its_probe_is_still_put_before_the_checks(make, facts) -> None:
    """So that the finding says error, with the reason, and not that nothing was tried."""
    broken = msgspec.structs.replace(facts, model=ModelFact(digest="m", error="it crashed"))
    assert set(_status(make(facts=broken)).values()) == {"run"}


def test_an_empty_table_is_not_measured(make, facts) -> None:
    """No rows, no check."""
    empty = facts.data | {"test": DataFact(digest="test-digest", rows=0, columns=())}
    found = _check(make(facts=msgspec.structs.replace(facts, data=empty)), "P3.accuracy")
    assert (found.status, "no rows" in found.reason) == ("not-run", True)


@pytest.mark.parametrize(("part", "value"), [("data_digests", {"train": "x", "test": "y"}), ("model_digest", "n")])
def test_facts_of_other_bytes_are_refused(make, facts, part: str, value) -> None:
    """Facts that were read before the data or the model changed decide nothing."""
    with pytest.raises(InputError) as caught:
        make(facts=facts, **{part: value})
    assert caught.value.code == "plan.stale-facts"


NEVER_APPLIES = [("5c", "C4", {}), ("5d", "C1", {})]


@pytest.mark.parametrize(("claim", "row", "fields"), NEVER_APPLIES)
def test_claims_that_do_not_apply_say_what_was_read(make, manifest, claim: str, row: str, fields) -> None:
    """5c needs something that learns, 5d something that acts."""
    plan = make(manifest(level=5, **fields))
    found = next(one for one in plan.claims if one.claim == claim)
    assert found.applies is False
    assert "(read: false)" in found.reason
    assert {check.status for check in plan.checks if check.technique == row} == {"not-applicable"}


@pytest.mark.parametrize(
    ("claim", "fields"), [("5c", {"training": "t:fit"}), ("5d", {"output": "action"}), ("5d", {"acts": "system"})]
)
def test_claims_that_apply(make, manifest, claim: str, fields) -> None:
    """The same claims for an application that learns or acts."""
    plan = make(manifest(level=5, **fields))
    assert next(one for one in plan.claims if one.claim == claim).applies is True


def test_ownership_binds_until_the_model_is_known(make, facts) -> None:
    """Nobody can tell yet whether a network is inside: 4c stays and is not run, also with complete facts."""
    plan = make(facts=facts)
    assert next(claim for claim in plan.claims if claim.claim == "4c").applies is True
    assert {check.status for check in plan.checks if check.technique == "T3"} == {"not-run"}


def test_a_gap_is_not_run_whatever_its_predicate_hangs_on(manifest) -> None:
    """What this version lacks is not called undecided: reading the model would not bring it."""
    folder = Path(catalogue_load.__file__).parent
    texts = {name: (folder / name).read_bytes() for name in catalogue_load.FILES}
    rows, old = "rows/e_traceability.toml", b'{ id = "T2.trace", state = "gap",'
    assert texts[rows].count(old) == 1
    texts[rows] = texts[rows].replace(old, old + b' applies_when = [[["model.neural", "eq", true]]],')
    digests = {"train": "train-digest", "test": "test-digest"}
    plan = make_plan(
        manifest(), catalogue_load.parse(texts), None, data_digests=digests, model_digest="m", code="c",
        installed=lambda _: True,
    )  # fmt: skip
    found = _check(plan, "T2.trace")
    assert (found.status, "does not have it yet" in found.reason) == ("not-run", True)


# thresholds


def test_floors_are_the_default(make) -> None:
    """Without a word in the manifest, the catalogue's floors hold and the pack's defaults are filled in."""
    assert _check(make(), "F1.gaps").thresholds == {
        "min_selection_ratio": 0.80,
        "max_tpr_gap": 0.10,
        "max_fpr_gap": 0.10,
    }
    assert _check(make(), "P3.accuracy").options["min_slice"] == 0.10


@pytest.mark.parametrize("name", ["F1.gaps", "F1"])
def test_a_manifest_tightens(make, manifest, name: str) -> None:
    """Under the check's id or, where the key is the check's alone, under the row's."""
    found = _check(make(manifest(checks={name: {"max_tpr_gap": 0.05}})), "F1.gaps")
    assert found.thresholds["max_tpr_gap"] == 0.05
    assert found.thresholds["max_fpr_gap"] == 0.10


def test_the_checks_id_goes_before_the_rows(make, manifest) -> None:
    """Both written: the nearer one counts."""
    checks = {"F1": {"max_tpr_gap": 0.05}, "F1.gaps": {"max_tpr_gap": 0.02}}
    assert _check(make(manifest(checks=checks)), "F1.gaps").thresholds["max_tpr_gap"] == 0.02


def test_an_option_is_handed_on(make, manifest) -> None:
    """Options of the pack are no thresholds."""
    found = _check(make(manifest(checks={"P3": {"max_slice_excess": 0.05}})), "P3.accuracy")
    assert found.options["max_slice_excess"] == 0.05
    assert "max_slice_excess" not in found.thresholds


def test_a_key_of_two_checks_counts_for_both_through_the_row(make, manifest) -> None:
    """Under the row's id it holds for each check that has it; under a check's id for that one, and goes first."""
    specs = dict(registry.checks())
    shared = specs["P3.accuracy"].options["min_slice"]
    specs["P3.membership"] = msgspec.structs.replace(specs["P3.membership"], options={"min_slice": shared})
    through_row = make(manifest(checks={"P3": {"min_slice": 0.3}}), specs=specs)
    through_both = make(manifest(checks={"P3": {"min_slice": 0.3}, "P3.membership": {"min_slice": 0.2}}), specs=specs)
    for plan, wanted in ((through_row, 0.3), (through_both, 0.2)):
        assert _check(plan, "P3.membership").options["min_slice"] == wanted
        assert _check(plan, "P3.accuracy").options["min_slice"] == 0.3


LOOSE = [("max_tpr_gap", 0.11), ("min_selection_ratio", 0.79), ("max_fpr_gap", float("nan")), ("max_fpr_gap", "0.05")]


@pytest.mark.parametrize(("key", "value"), LOOSE)
def test_a_looser_threshold_is_refused(make, manifest, key: str, value) -> None:
    """With its line, as the reader of manifests does."""
    declared = manifest(checks={"F1.gaps": {key: value}}, lines={f"checks.F1.gaps.{key}": 12})
    with pytest.raises(ProblemsError) as caught:
        make(declared)
    assert [(one.code, one.where) for one in caught.value.problems] == [("plan.looser-than-floor", "fivefold.yaml:12")]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(value=st.floats(allow_nan=True, allow_infinity=True))
def test_no_plan_is_looser_than_the_floor(make, manifest, value: float) -> None:
    """Property: refused, or at least as strict."""
    try:
        plan = make(manifest(checks={"P3.membership": {"max_auc": value}}))
    except ProblemsError:
        assert not (math.isfinite(value) and value <= 0.60)
    else:
        assert _check(plan, "P3.membership").thresholds["max_auc"] <= 0.60


# purity, digest, seeds


def test_the_same_inputs_give_the_same_bytes(make, facts) -> None:
    """Pure: whoever verifies makes the plan again and compares."""
    assert canonical(make(facts=facts)) == canonical(make(facts=facts))


def test_a_plan_survives_its_own_bytes(make, facts) -> None:
    """Written and read back, plan and digest are the same."""
    plan = seal(make(facts=facts), 3)
    again = decode(canonical(plan), Plan, what="plan.json")
    assert canonical(again) == canonical(plan)
    assert plan_digest(again) == plan.digest


CHANGES = [
    {"effort": "quick"},
    {"code": "d"},
    {"data_digests": {"train": "train-digest", "test": "test-digest", "calibration": "z"}},
    {"installed": lambda _: False},
]


@pytest.mark.parametrize("change", CHANGES)
def test_every_input_is_in_the_digest(make, facts, change) -> None:
    """Another effort, code, data set or installation is another plan."""
    assert make(facts=facts, **change).digest != make(facts=facts).digest


@pytest.mark.parametrize(
    "fields",
    [
        {"digest": "cd" * 32},
        {"level": 3},
        {"checks": {"F1": {"max_tpr_gap": 0.05}}},
        {"checks": {"P3.accuracy": {"min_slice": 0.2}}},
    ],
)
def test_every_word_of_the_manifest_is_in_the_digest(make, manifest, fields) -> None:
    """The manifest's own digest, level, thresholds and options."""
    assert make(manifest(**fields)).digest != make(manifest()).digest


def test_digest_ignores_attempt_and_seeds_only(make, facts) -> None:
    """Sealing changes neither; any other edit shows."""
    plan = make(facts=facts)
    sealed = seal(plan, 7)
    assert sealed.digest == plan.digest == plan_digest(sealed)
    looser = msgspec.structs.replace(sealed.checks[0], thresholds={"max_auc": 0.9})
    assert plan_digest(msgspec.structs.replace(sealed, checks=(looser, *sealed.checks[1:]))) != plan.digest


def test_seeds_follow_from_digest_attempt_and_check() -> None:
    """Golden value of sha256sum over the three parts, each with a newline."""
    assert seed("ab", 1, "F1.gaps") == "5c7144121948b485c415fb9087a2f59d7252037bb4a687261f6310eb774292d8"


def test_each_check_and_attempt_has_its_own_seed(make, facts) -> None:
    """No two checks share a seed, and a second attempt draws anew; what does not run has none."""
    first, second = seal(make(facts=facts), 1), seal(make(facts=facts), 2)
    seeds = [check.seed for plan in (first, second) for check in plan.checks if check.status == "run"]
    assert len(set(seeds)) == len(seeds) >= 8
    assert {check.seed for check in first.checks if check.status != "run"} == {""}


def test_an_undecided_plan_is_not_sealed(make) -> None:
    """Facts come first."""
    with pytest.raises(InputError) as caught:
        seal(make(), 1)
    assert caught.value.code == "plan.undecided"


@pytest.mark.parametrize("attempt", [0, -1])
def test_attempts_count_from_one(make, facts, attempt: int) -> None:
    """There is no attempt 0."""
    with pytest.raises(InputError) as caught:
        seal(make(facts=facts), attempt)
    assert caught.value.code == "plan.attempt"


def test_an_edited_plan_is_not_sealed(make, facts) -> None:
    """Dropping a check after the plan was made shows at once."""
    plan = make(facts=facts)
    with pytest.raises(InputError) as caught:
        seal(msgspec.structs.replace(plan, checks=plan.checks[1:]), 1)
    assert caught.value.code == "plan.changed"


# duties


def test_duties_name_their_row_and_go_away_when_done(make, manifest) -> None:
    """A signed model needs no reminder to sign it."""
    unsigned = make(manifest()).duties
    signed = make(manifest(model=Model(factory="s:l", path="m", signature="m.sig"))).duties
    assert {duty.split(":")[0] for duty in unsigned} - {duty.split(":")[0] for duty in signed} == {"T2"}


def test_a_level_without_need_of_a_signature_has_no_such_duty(make, manifest) -> None:
    """Duties start at their level."""
    assert not [duty for duty in make(manifest(level=1)).duties if duty.startswith("T2")]


def test_partial_facts_decide_what_they_can(make, facts) -> None:
    """Data were read, the model was not: what needs the model only is open."""
    plan = make(facts=Facts(data=facts.data))
    assert _status(plan) == dict.fromkeys(BUILT, "undecided") | {"T2.signature": "run"}
    assert "model has not been probed" in _check(plan, "P3.accuracy").reason
