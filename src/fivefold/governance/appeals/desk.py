"""Desk: where appeals are filed, examined, decided once by somebody else, and remedied; every step is on record.

What a reviewer decided is durable beside the user's keys first, where two cannot decide the same appeal, and goes on
record then; what a crash kept from the record goes there when the desk is opened again.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from typing import TYPE_CHECKING, Any

import msgspec
import pandas as pd

from fivefold.errors import FivefoldError, InputError, StorageError
from fivefold.governance.appeals import clusters, course, population
from fivefold.governance.appeals.clusters import Cluster
from fivefold.governance.appeals.examining import Again, as_kind, plain, proven, replayed
from fivefold.governance.appeals.nouns import DIFFERS, NONE, REMEDIES, RULINGS, SAME, Appeal, Receipt, Terms, id_of
from fivefold.keys import store as keys
from fivefold.log import tlog_proof, tree
from fivefold.store.queued import Item, Queued
from fivefold.traceability.recorder.replaying import decisions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from fivefold.traceability.recorder.reading import Found
    from fivefold.traceability.recorder.replaying import Decision

LOOKS = "appeals"
"""Case of the looks for clusters."""
_MOST_TEXT = 2000
_NEVER = 1 << 62
_AT_ONCE = 100


class Held(msgspec.Struct, frozen=True):
    """A ruling until it is on record.

    Attributes:
        ruling: One of :data:`RULINGS`.
        answer: That holds from now on.
        before: That held.
        right: Corrected fields, name to value.
        model: What the model answers on the corrected row; empty: it was not asked.
    """

    ruling: str
    answer: str
    before: str
    right: dict[str, Any] = {}
    model: str = ""


class Desk:
    """The appeals of one application.

    Threat: whoever is wronged is not heard, heard by who wronged him, or heard and forgotten.
    Limit: people are told apart by the names of their tokens; one person with two names reviews himself unseen.
    """

    def __init__(
        self, home: Any, terms: Terms, *, now: Callable[[], int] = time.time_ns, protected: Sequence[str] = ()
    ) -> None:
        """Open it.

        Args:
            home: Of the application's record; its database, where one is declared, holds what is decided, too.
            terms: As declared.
            now: The clock, nanoseconds since 1970.
            protected: Names of the protected fields, by which appeals may cluster.

        Raises:
            StorageError: ``store.disk``, ``store.server``; as every method.
        """
        self._home, self._terms, self._now, self._protected = home, terms, now, tuple(protected)
        self._queued = Queued(home.people or _own(home.application), f"{home.application} (appeals)")

    def close(self) -> None:
        """Close it."""
        self._queued.close()

    def file(self, receipt: Receipt, row: int, by: str, because: str, recorder: Any) -> Appeal:
        """File an appeal against a row of a decision; it is on record when this returns. One that is there is returned.

        Raises:
            InputError: ``appeal.other`` for another application's receipt, ``appeal.receipt`` if the record is not the
                one that the receipt was given for, ``appeal.decision`` for what is no decision, ``appeal.row``,
                ``appeal.because``; ``recorder.unknown``.
        """
        if receipt.application != self._home.application:
            raise InputError("appeal.other", "this receipt is of another application.", remedy="Name its folder: --in.")
        _require_words(by, because)
        decision = self._decision(receipt)
        body = decision.body
        if body is None:
            raise InputError(
                "appeal.erased", "the person whom this decision is about was erased; nothing is left of it."
            )
        given = body.fields.get("answer")
        if decision.kind != "decision" or not isinstance(given, list):
            raise InputError("appeal.decision", "this record is no decision.", remedy="Give a receipt of an answer.")
        if not 0 <= row < len(given):
            raise InputError(
                "appeal.row", f"{len(given)} answers of this decision are on record.", remedy="Name one: --row, from 0."
            )
        name = id_of(decision.id, row)
        held = course.of(self._home.reading(), name, decision.id)
        if held is not None:
            return held
        fields = {
            "appeal": name, "step": "filed", "decision": decision.id, "row": row, "leaf": receipt.leaf, "by": by,
            "because": because.strip(), "days": self._terms.days,
        }  # fmt: skip
        with recorder.open(body.case, subject=body.person, model=body.model) as records:
            records.add("status", fields, wait=True)
        appeal = self._found(name, decision.id)
        self._enter(appeal)
        return appeal

    def get(self, name: str) -> Appeal:
        """Return an appeal.

        Raises:
            InputError: ``appeal.none``.
        """
        item = self._queued.get(name)
        return self._found(name, item.input if item is not None else "")

    def _found(self, name: str, decision: str) -> Appeal:
        found = course.of(self._home.reading(), name, decision)
        if found is None:
            raise InputError("appeal.none", f"there is no appeal {name[:40]!r}.", remedy="Look: fivefold appeal list.")
        return found

    def listed(self) -> list[Appeal]:
        """Return all appeals on record, oldest first."""
        return course.on_record(self._home.reading())

    def asked(self, appeal: Appeal) -> dict[str, Any]:
        """Return the row that an appeal is about; empty: it is not on record."""
        decision = self._whole(appeal)
        rows = decision.rows() if decision is not None else None
        return {} if not isinstance(rows, pd.DataFrame) else plain(rows.iloc[appeal.row])

    def examine(self, appeal: Appeal, again: Again | None, why: str, recorder: Any) -> Appeal:
        """Replay the decision and explain it; of what is on record, a replay that failed alone is tried again.

        Args:
            appeal: Which.
            again: The model of now; None: it cannot be asked.
            why: Then why not.
            recorder: Of the application.
        """
        if appeal.examined or appeal.decided:
            return appeal
        decision = self._whole(appeal)
        with recorder.open(appeal.case, subject=appeal.person, model=appeal.model) as records:
            said = replayed(decision, again, why) if appeal.replayed not in {SAME, DIFFERS} else {}
            if said and (not appeal.replayed or said["outcome"] != NONE):
                records.add("status", {"appeal": appeal.id, "step": "replayed", **said})
            if not appeal.explained:
                text = self._reason(appeal, decision, again)
                records.add("status", {"appeal": appeal.id, "step": "explained", "text": text}, wait=True)
        return self.get(appeal.id)

    def decide(
        self, name: str, who: str, ruling: str, because: str, recorder: Any, *, answer: str = "",
        right: dict[str, Any] | None = None, again: Again | None = None,
    ) -> Appeal:  # fmt: skip
        """Decide an appeal and remedy it; both are on record when this returns.

        Args:
            name: Its id.
            who: Who decides.
            ruling: One of :data:`RULINGS`.
            because: Why.
            recorder: Of the application.
            answer: That holds from now on; empty: the one that was given, or the model's on the corrected row.
            right: What the fields should have been, name to value.
            again: The model of now, where fields are corrected.

        Raises:
            InputError: ``appeal.none``, ``appeal.self``, ``appeal.decided``, ``appeal.unexamined``, ``appeal.ruling``,
                ``appeal.answer``, ``appeal.field``, ``appeal.because``.
            StorageError: It is not on record; it will be when the desk is opened again.
        """
        _require_words(who, because)
        appeal = self.get(name)
        self._require_free(appeal, who)
        held = self._held(appeal, ruling, answer, right or {}, again)
        self._enter(appeal)
        text = msgspec.json.encode(held).decode()
        if not self._queued.decide(name, self._now() // 1_000_000_000, who, text, because.strip()):
            raise self._decided(name)
        self.settle(recorder)
        return self.get(name)

    def settle(self, recorder: Any) -> int:
        """Put on record what is decided and not there yet, and deadlines that were missed; return how many those were.

        Each goes there at least once.
        """
        done = 0
        while items := self._queued.unrecorded(_AT_ONCE):
            for item in items:
                record = self._tell(item, recorder)
                self._queued.recorded(item.id, record)
                self._queued.forget(item.id, record)
            done += len(items)
        return done + self._alarm(recorder)

    def look(self, recorder: Any) -> list[Cluster]:
        """Look for clusters if it is time to, put those that are found on record, and return them.

        Each look is taken once; see :mod:`fivefold.governance.appeals.clusters`.
        """
        appeals = self.listed()
        look = clusters.look_of(len(appeals))
        told = self._home.reading().search(case=LOOKS)
        if not look or any(item.body is not None and item.body.fields.get("appeals") == look for item in told):
            return []
        rows = population.decided(self._home.reading(), self._protected)
        found = [one for one in clusters.clusters(rows, appeals[:look], clusters.level_of(look)) if one.found]
        with recorder.open(LOOKS) as records:
            for one in found:
                records.add("alarm", {"step": "cluster", "at": look, **msgspec.to_builtins(one)})
            records.add("status", {"step": "look", "appeals": look, "clusters": len(found)}, wait=True)
        return found

    def statistics(self) -> list[Cluster]:
        """Return every trait that appealed decisions share, as it stands now; none of them counts as found here."""
        rows = population.decided(self._home.reading(), self._protected)
        return clusters.clusters(rows, self.listed(), 0.0)

    def systemic(self) -> list[Cluster]:
        """Return the clusters that were found, from the record."""
        found = []
        for item in self._home.reading().search(case=LOOKS, kind="alarm"):
            fields = item.body.fields if item.body is not None else {}
            found.append(msgspec.convert({name: fields.get(name) for name in Cluster.__struct_fields__}, Cluster))
        return found

    def _alarm(self, recorder: Any) -> int:
        late = [one for one in self.listed() if not one.decided and not one.alarmed and self._now() > one.due]
        for one in late:
            with recorder.open(one.case, subject=one.person, model=one.model) as records:
                records.add("alarm", {"appeal": one.id, "step": "overdue", "days": one.days}, wait=True)
        return len(late)

    def _tell(self, item: Item, recorder: Any) -> str:
        appeal = course.of(self._home.reading(), item.id, item.input)
        if appeal is None:  # the person was erased meanwhile: nothing can be said of it any more
            return "none"
        held = msgspec.json.decode(item.answer, type=Held)
        about = {"appeal": item.id}
        with recorder.open(appeal.case, subject=appeal.person, model=appeal.model) as records:
            said = {"by": item.who, "ruling": held.ruling, "answer": held.answer, "because": item.because}
            told: str = records.add("action", {**about, "step": "decided", **said})
            remedy: dict[str, Any] = {"remedy": REMEDIES[held.ruling], "from": held.before, "to": held.answer}
            if held.right:
                remedy |= {"fields": sorted(held.right), "model": held.model}
            batch = {one: [value] for one, value in held.right.items()} or None
            records.add("status", {**about, "step": "remedied", **remedy}, batch=batch, wait=True)
        return told

    def _require_free(self, appeal: Appeal, who: str) -> None:
        if why := appeal.concerns(who):
            raise InputError(
                "appeal.self", f"{who[:80]!r} {why}.", remedy="Somebody else reviews it, with a reviewer's token."
            )
        if appeal.decided:
            raise self._decided(appeal.id)
        if not appeal.replayed or not appeal.explained:
            raise InputError(
                "appeal.unexamined", "this appeal was not examined yet.", remedy=f"fivefold appeal examine {appeal.id}"
            )

    def _held(self, appeal: Appeal, ruling: str, answer: str, right: dict[str, Any], again: Again | None) -> Held:
        if ruling not in RULINGS:
            raise InputError("appeal.ruling", f"{ruling[:40]!r} is no ruling.", remedy=f"One of: {', '.join(RULINGS)}.")
        if bool(right) != (ruling == "correct"):
            remedy = "Write --ruling correct with --set FIELD=VALUE, and neither without the other."
            raise InputError("appeal.field", "fields are corrected by the ruling `correct`.", remedy=remedy)
        if ruling == "uphold":
            if answer and answer != appeal.answer:
                raise InputError("appeal.answer", "the answer stands.", remedy="For another one: --ruling change.")
            return Held(ruling, appeal.answer, appeal.answer)
        model = ""
        if ruling == "correct":
            model = self._corrected(appeal, right, again)
            answer = answer or model
        elif answer == appeal.answer:
            raise InputError("appeal.answer", "this is the answer that was given.", remedy="For that: --ruling uphold.")
        _require_answer(appeal, answer)
        return Held(ruling, answer, appeal.answer, right, model)

    def _corrected(self, appeal: Appeal, right: dict[str, Any], again: Again | None) -> str:
        """Put right what the fields should have been, and return what the model answers then."""
        decision = self._whole(appeal)
        rows = decision.rows() if decision is not None else None
        if again is None or not isinstance(rows, pd.DataFrame):
            raise InputError("appeal.field", "the model cannot be asked with other data.", remedy="--ruling change")
        row = rows.iloc[appeal.row : appeal.row + 1].reset_index(drop=True)
        for name, value in right.items():
            if name not in row.columns:
                known = ", ".join(map(str, row.columns[:20]))
                raise InputError("appeal.field", f"{name[:40]!r} is no field.", remedy=f"There are: {known}.")
            right[name] = as_kind(name, value, row[name])
            row[name] = pd.Series([right[name]], dtype=row[name].dtype)
        return again.answer(row)[0]

    def _enter(self, appeal: Appeal) -> None:
        if self._queued.get(appeal.id) is not None:
            return
        since = appeal.at // 1_000_000_000
        try:
            self._queued.add([Item(appeal.id, appeal.decision, appeal.row, appeal.by, "appeal", since, _NEVER)])
        except StorageError:
            if self._queued.get(appeal.id) is None:  # else somebody else entered it at the same moment
                raise

    def _decided(self, name: str) -> InputError:
        item = self._queued.get(name)
        who = item.who if item is not None else ""
        return InputError("appeal.decided", f"{who or 'somebody'} has decided this appeal.")

    def _decision(self, receipt: Receipt) -> Found:
        """Return the record of a receipt: the one whose leaf the receipt names."""
        reading = self._home.reading()
        found: Found = reading.get(receipt.record)
        entry = tlog_proof.read(proven(reading, receipt.record)).extra
        if receipt.leaf and tree.leaf_hash(entry).hex() != receipt.leaf:
            raise InputError("appeal.receipt", "the record is another than the one that the receipt was given for.",
                             remedy="Keep both as evidence: fivefold record fsck.")  # fmt: skip
        return found

    def _whole(self, appeal: Appeal) -> Decision | None:
        """Return the decision with what was asked; None: it is not on record."""
        try:
            records = self._home.reading().trace(appeal.decision)
        except FivefoldError:
            return None
        return next((one for one in decisions(records) if one.answered.id == appeal.decision), None)

    def _reason(self, appeal: Appeal, decision: Decision | None, again: Again | None) -> str:
        """Return the reason that went out with the decision, or else one that the model gives now."""
        found = self._home.reading().get(appeal.decision)
        told = found.body.fields.get("reasons") if found.body is not None else None
        if isinstance(told, list) and appeal.row < len(told) and told[appeal.row]:
            return str(told[appeal.row])
        rows = decision.rows() if decision is not None else None
        if again is not None and isinstance(rows, pd.DataFrame) and again.model == appeal.model:
            with contextlib.suppress(FivefoldError):
                text = again.reason(rows.iloc[appeal.row : appeal.row + 1].reset_index(drop=True))
                if text:
                    return text
        return "No reason was given with this decision, and none can be given now."


def _require_words(who: str, because: str) -> None:
    if not who.strip() or len(who) > _MOST_TEXT or not 0 < len(because.strip()) <= _MOST_TEXT:
        raise InputError(
            "appeal.because", "who and why are said.", remedy="Write --by or --as NAME, and --because TEXT."
        )


def _require_answer(appeal: Appeal, answer: str) -> None:
    if appeal.answers and answer not in appeal.answers:
        raise InputError(
            "appeal.answer", f"{answer[:40]!r} is no answer.", remedy=f"There are: {', '.join(appeal.answers)}."
        )
    if not answer:
        raise InputError("appeal.answer", "no answer is given.", remedy="Write --answer ANSWER.")


def _own(application: str) -> Path:
    """Return the file beside the user's keys that holds what is decided until it is on record."""
    stem = hashlib.sha256(application.encode()).hexdigest()[:32]
    return keys.keys_folder() / "applications" / f"{stem}.appeals.sqlite"
