"""Appeals without processes: clusters, courses, terms, and a desk that a crash interrupts."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from fivefold.errors import InputError, StorageError
from fivefold.governance.appeals import clusters, course
from fivefold.governance.appeals.desk import Desk
from fivefold.governance.appeals.nouns import DAY, Appeal, Decided, Receipt, Terms, declared, id_of, read_receipt
from fivefold.governance.appeals.population import Decided as Row
from fivefold.governance.appeals.population import decided
from fivefold.governance.appeals.trial import Clock, Place
from fivefold.traceability.recorder.replaying import array

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Model:
    """Says yes to weights of 50 and more."""

    model, answers = "a" * 64, ("no", "yes")

    def ask(self, rows: pd.DataFrame) -> dict[str, np.ndarray]:
        return {"predict": (rows["weight"].to_numpy() >= 50).astype(np.int64)}

    def answer(self, rows: pd.DataFrame) -> list[str]:
        return [self.answers[int(one)] for one in self.ask(rows)["predict"]]

    def reason(self, rows: pd.DataFrame) -> str:
        return f"The weight ({rows['weight'].iloc[0]:g} kg)."


class Full:
    """A recorder whose disk is full."""

    def open(self, *_: Any, **__: Any) -> Any:
        raise StorageError("record.disk", "the disk is full.")


class Office:
    """A desk, its record, and decisions on it."""

    def __init__(self, folder: Path, days: int = 30) -> None:
        self.clock = Clock()
        self.place = Place(folder, np.random.default_rng(0), self.clock)
        self.days, self.recorder = days, self.place.writing()
        self.numbers = iter(range(10_000))

    def desk(self) -> Desk:
        return Desk(self.place, Terms(self.days), now=self.clock, protected=("sex",))

    def decision(self, weight: float = 40.0, sex: str = "f", reasons: tuple[str, ...] = ("Too light.",)) -> str:
        """Put a decision on record."""
        number, rows = next(self.numbers), pd.DataFrame({"weight": [weight], "sex": [sex]})
        with self.recorder.open(f"case {number}", subject=f"Jane {number}", model=Model.model) as case:
            case.input(rows)
            fields: dict[str, Any] = {
                "caller": "clerk",
                "answer": Model().answer(rows),
                "rows": 1,
                "reasons": list(reasons),
            }
            return case.add("decision", fields, batch=Model().ask(rows), wait=True)

    def filed(self, desk: Desk, record: str, **more: Any) -> Appeal:
        """File an appeal and have it examined."""
        made = desk.file(
            Receipt(self.place.application, record, "", "receipt, version 1"), 0, "a friend", "no", self.recorder
        )
        given = {"again": Model(), "why": ""} | more
        return desk.examine(made, given["again"], given["why"], self.recorder)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """An office with an open record."""
    found = Office(tmp_path)
    with contextlib.closing(found.recorder):
        yield found


def test_a_decision_that_a_crash_kept_from_the_record_goes_there_when_the_desk_is_opened_again(office: Office) -> None:
    """It stays decided, by the same reviewer, and nobody else can decide it meanwhile."""
    desk = office.desk()
    made = office.filed(desk, office.decision())
    with pytest.raises(StorageError):
        desk.decide(made.id, "rita", "change", "she is heavier", Full(), answer="yes")
    with pytest.raises(InputError, match="rita has decided"):
        desk.decide(made.id, "otto", "uphold", "I think not", office.recorder)
    again = office.desk()
    assert again.settle(office.recorder) == 1
    found = again.get(made.id)
    assert [(one.by, one.answer) for one in found.decided] == [("rita", "yes")]
    assert found.remedied == ("re-decision",)
    assert course.faults(found, office.clock.now) == ()
    assert again._queued.get(made.id).because == ""
    again.close()
    desk.close()


@pytest.mark.parametrize(
    ("who", "code"),
    [
        ("A  FRIEND", "appeal.self"),
        ("Clerk", "appeal.self"),
        ("jane 0", "appeal.self"),
        ("\uff43\uff4c\uff45\uff52\uff4b", "appeal.self"),
    ],
)
def test_nobody_reviews_what_he_decided_or_filed(office: Office, who: str, code: str) -> None:
    """However the name is written: case, spaces and width do not make another person."""
    with contextlib.closing(office.desk()) as desk:
        made = office.filed(desk, office.decision())
        with pytest.raises(InputError) as error:
            desk.decide(made.id, who, "uphold", "it is right", office.recorder)
        assert error.value.code == code


@pytest.mark.parametrize(
    ("ruling", "more", "code"),
    [
        ("mercy", {}, "appeal.ruling"),
        ("change", {"answer": "no"}, "appeal.answer"),
        ("change", {"answer": "maybe"}, "appeal.answer"),
        ("uphold", {"answer": "yes"}, "appeal.answer"),
        ("change", {"right": {"weight": "60"}}, "appeal.field"),
        ("correct", {"right": {"height": "60"}}, "appeal.field"),
        ("correct", {"right": {"weight": "heavy"}}, "appeal.field"),
        ("correct", {"right": {"weight": "nan"}}, "appeal.field"),
    ],
)
def test_a_ruling_that_cannot_be_is_refused(office: Office, ruling: str, more: dict[str, Any], code: str) -> None:
    """The appeal waits on."""
    with contextlib.closing(office.desk()) as desk:
        made = office.filed(desk, office.decision())
        with pytest.raises(InputError) as error:
            desk.decide(made.id, "rita", ruling, "so", office.recorder, again=Model(), **more)
        assert error.value.code == code
        assert desk.get(made.id).is_open


def test_corrected_data_are_asked_again_and_kept(office: Office) -> None:
    """The model's answer on the right row holds, and the right values stand in the record, sealed as the rest."""
    with contextlib.closing(office.desk()) as desk:
        made = office.filed(desk, office.decision())
        done = desk.decide(
            made.id, "rita", "correct", "a slip", office.recorder, right={"weight": "61.5"}, again=Model()
        )
        assert done.decided[0].answer == "yes"
        last = office.place.reading().get(done.records[-1])
        assert last.body is not None
        assert [(one.name, array(one).tolist()) for one in last.body.tensors] == [("weight", [61.5])]


def test_a_decision_that_cannot_be_replayed_says_why(office: Office) -> None:
    """Another model, no model, no answer on record: each in words, and the appeal goes on."""

    class Other(Model):
        model = "b" * 64

    with contextlib.closing(office.desk()) as desk:
        other = office.filed(desk, office.decision(), again=Other())
        assert (other.replayed, "another model" in other.why) == ("none", True)
        gone = office.filed(desk, office.decision(), again=None, why="the file is gone")
        assert (gone.replayed, gone.why) == ("none", "the file is gone")
        assert desk.examine(gone, Model(), "", office.recorder).replayed == "same"  # tried once more, it can
        silent = office.filed(desk, office.decision(reasons=("",)))
        assert silent.explained == "The weight (40 kg)."


def test_a_missed_deadline_is_a_finding_and_the_appeal_can_still_be_decided(office: Office) -> None:
    """It is on record once, and stays a fault when somebody decides late."""
    with contextlib.closing(office.desk()) as desk:
        made = office.filed(desk, office.decision())
        office.clock.now += 31 * DAY
        assert course.faults(made, office.clock.now) == (course.LATE,)
        assert desk.settle(office.recorder) == 1
        assert desk.settle(office.recorder) == 0
        done = desk.decide(made.id, "rita", "uphold", "it is right", office.recorder)
        assert done.alarmed
        assert course.faults(done, office.clock.now) == (course.LATE,)


def test_appeals_that_come_from_one_group_are_a_systemic_finding_once(office: Office) -> None:
    """Eight of ten women who were refused appeal, no man does; the look is taken once, and stays on record."""
    with contextlib.closing(office.desk()) as desk:
        women = [office.decision(sex="f") for _ in range(10)]
        for _ in range(30):
            office.decision(sex="m")
        for record in women[:8]:
            office.filed(desk, record)
        assert {(one.kind, one.trait) for one in desk.look(office.recorder)} == {("group", "sex=f")}
        assert desk.look(office.recorder) == []
        (found,) = desk.systemic()
        assert (found.appealed, found.decisions) == (8, 10)


def _rows(rng: np.random.Generator, n: int) -> list[Row]:
    """Return decisions in which groups differ in how often they are refused, and in nothing else."""
    made = []
    for at in range(n):
        sex, field, rule = rng.choice(["f", "m"]), rng.choice(["age", "amount", "job"]), rng.choice(["model", "rules"])
        refused = rng.random() < (0.6 if sex == "f" else 0.2)
        made.append(Row(f"{at:032x}", 0, at, "no" if refused else "yes", "m", str(rule), str(field), {"sex": str(sex)}))
    return made


def _appeal(row: Row) -> Appeal:
    return Appeal(id=id_of(row.decision, 0), decision=row.decision, row=0, case="c", at=1, days=30, answer=row.answer)


def test_appeals_at_random_are_rarely_called_systemic() -> None:
    """Who was refused appeals, and one group is refused more often: over all looks at most 5 % find anything."""
    wrong, trials = 0, 60
    for seed in range(trials):
        rng = np.random.default_rng(seed)
        rows = _rows(rng, 400)
        weights = np.array([5.0 if row.answer == "no" else 1.0 for row in rows])
        order = rng.choice(len(rows), 64, replace=False, p=weights / weights.sum())
        appeals = [_appeal(rows[at]) for at in order.tolist()]
        looks = (4, 8, 16, 32, 64)
        wrong += any(
            one.found for look in looks for one in clusters.clusters(rows, appeals[:look], clusters.level_of(look))
        )
    assert wrong <= 6  # the 95 % quantile of 60 trials at 5 %


def test_the_error_of_all_looks_together_is_five_per_cent() -> None:
    """1/(j (j + 1)) sums to 1."""
    assert sum(clusters.level_of(1 << j) for j in range(2, 200)) == pytest.approx(0.05, rel=0.01)
    assert [clusters.look_of(n) for n in (0, 3, 4, 7, 8, 100)] == [0, 0, 4, 4, 8, 64]


def test_protected_fields_are_found_in_the_question_or_beside_the_decision(office: Office) -> None:
    """The word `group` of an outcome counts where the model is not given the field."""
    office.decision(sex="m")
    record = office.decision(sex="f")
    with office.recorder.open("case 1") as case:
        case.add("outcome", {"group": {"sex": "other"}}, wait=True)
    found = decided(office.place.reading(), ("sex",))
    assert [one.groups["sex"] for one in found] == ["m", "other"]
    assert found[1].decision == record


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"replayed": ""}, course.UNREPLAYED),
        ({"replayed": "same", "now": "b" * 64}, course.UNREPLAYED),
        ({"replayed": "none", "why": ""}, course.UNREPLAYED),
        ({"explained": ""}, course.UNEXPLAINED),
        ({"deciders": ("clerk", "rita")}, course.SELF),
        ({"by": "Rita"}, course.SELF),
        ({"remedied": ()}, course.UNREMEDIED),
        ({"days": 0}, course.LATE),
        ({"answer": ""}, course.UNKNOWN),
    ],
)
def test_each_fault_of_a_course_is_named(change: dict[str, Any], fault: str) -> None:
    """A sound course has none; one thing wrong is one fault."""
    from msgspec import structs

    sound = Appeal(
        id="x", decision="d", row=0, case="c", by="Jane", at=DAY, days=30, answer="no", model="a" * 64,
        deciders=("clerk",), replayed="same", now="a" * 64, explained="So.", remedied=("none",),
        decided=(Decided(by="rita", at=2 * DAY, ruling="uphold", answer="no", because="so"),),
    )  # fmt: skip
    assert course.faults(sound, 90 * DAY) == ()
    assert course.faults(structs.replace(sound, **change), 90 * DAY) == (fault,)
    assert course.faults(structs.replace(sound, days=300), 90 * DAY, 1) == ()
    late = structs.replace(sound.decided[0], at=20 * DAY)
    assert course.faults(structs.replace(sound, days=300, decided=(late,)), 90 * DAY, 10) == (course.LATE,)


@pytest.mark.parametrize(
    "given", [{"days": 0}, {"days": 366}, {"days": "30"}, {"hours": 3}, {"to": "a\nb"}, {"to": "x" * 201}]
)
def test_terms_that_cannot_be_are_refused(given: dict[str, Any]) -> None:
    """With the code and what to write."""
    with pytest.raises(InputError) as error:
        declared({"F1": {"appeal": given}})
    assert error.value.code == "appeal.option"
    assert "days: 30" in error.value.remedy


def test_terms_are_off_unless_declared() -> None:
    """Without numbers there are 30 days."""
    assert declared({"F1": {"aim": "tpr"}}) is None
    assert declared({"F1": {"appeal": {}}}) == Terms(30)


@pytest.mark.parametrize("data", [b"", b"{}", b"[1]", b'{"kind": "receipt, version 1", "record": "../x"}', b"\xff"])
def test_what_is_no_receipt_is_refused(data: bytes) -> None:
    """Nothing in it is used."""
    with pytest.raises(InputError) as error:
        read_receipt(data)
    assert error.value.code == "appeal.receipt"
