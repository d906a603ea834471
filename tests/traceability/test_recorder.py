"""The recorder: what is handed over is read back bit for bit, sealed, erasable, proven."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pandas as pd
import pytest

from fivefold.errors import InputError, StorageError, TrustError
from fivefold.keys import signing
from fivefold.log import checkpoint, tlog_proof
from fivefold.log.book import CHECKPOINT
from fivefold.log.simulated import SimulatedDisk
from fivefold.store.people import People
from fivefold.traceability.recorder import Reading, Recorder, open_reading, open_recorder
from fivefold.traceability.recorder.nouns import Body, Leaf, bound, entry_of, leaf_of, new_id
from fivefold.traceability.recorder.secrets_ import Secrets

if TYPE_CHECKING:
    from pathlib import Path

    from fivefold.traceability.recorder.service import Remote

SIGNER = signing.generate()
ORIGIN = "fivefold/app/record"


class Parts:
    """A recorder on a simulated disk, with what it is made of."""

    def __init__(self) -> None:
        self.disk = SimulatedDisk()
        self.secrets = Secrets(bytes(32), People(None, "app"))
        self.reading = Reading(self.disk, self.secrets)

    def recorder(self) -> Recorder:
        return Recorder(self.disk, ORIGIN, SIGNER, self.secrets)

    def faults(self, *kept: bytes) -> set[str]:
        return {fault.code for fault in self.reading.audit((SIGNER.public,), kept).faults}


def _decide(recorder: Recorder | Remote, number: int) -> None:
    with recorder.open(f"loan {number}", subject=f"Jane {number}", model="ab" * 32) as case:
        case.input({"income": np.array([1.5 * number]), "job": ["clerk"]})
        case.status(mode="normal")
        case.output({"score": np.array([0.25], dtype=np.float32)})
        case.action("officer-7", "override", "income was wrong")


def test_a_case_is_read_back_bit_for_bit() -> None:
    """Kinds in order, each linked to the one before it, arrays with type and shape."""
    parts = Parts()
    with parts.recorder() as recorder:
        for number in range(3):
            _decide(recorder, number)
    found = list(parts.reading.search(case="loan 1"))
    assert [item.kind for item in found] == ["input", "status", "output", "action"]
    bodies = [item.body for item in found]
    assert bodies[0] is not None
    income, job = bodies[0].tensors
    assert np.frombuffer(income.data, income.dtype).reshape(income.shape).tolist() == [1.5]
    assert msgspec.msgpack.decode(job.data) == ["clerk"]
    assert [body.links for body in bodies if body] == [(), *((item.id,) for item in found[:-1])]
    assert {body.model for body in bodies if body} == {"ab" * 32}
    assert parts.reading.trace(found[2].id) == found
    assert parts.reading.get("4") == found[0]
    assert len(list(parts.reading.search(person="Jane 2"))) == 4
    assert len(list(parts.reading.search(kind="action"))) == 3
    assert parts.faults() == set()


@pytest.mark.parametrize(
    "value",
    [np.arange(6, dtype="<i2").reshape(2, 3), np.array([np.nan, 1.0]), np.array(["2026-01-01"], dtype="M8[D]"),
     np.array([True]), np.array([1, None, "a", np.int64(3)], dtype=object), pd.Series(["x", None]),
     pd.Series(pd.Categorical(["a", "b"])), pd.Series([1, None], dtype="Int64"), [1, "two", None], np.zeros((0, 3))],
    ids=str,
)  # fmt: skip
def test_arrays_of_all_kinds_are_kept(value: object) -> None:
    """And read back with the bytes they had."""
    parts = Parts()
    with parts.recorder() as recorder, recorder.open("one") as case:
        case.input({"a b": value})
    (found,) = parts.reading.search(case="one")
    assert found.body is not None
    (tensor,) = found.body.tensors
    if isinstance(value, np.ndarray) and value.dtype != object:
        assert (tensor.dtype, tensor.shape, tensor.data) == (value.dtype.str, value.shape, value.tobytes())
    elif tensor.dtype == "text":
        assert len(msgspec.msgpack.decode(tensor.data)) == tensor.shape[0]


def test_a_body_larger_than_an_entry_lies_in_a_blob() -> None:
    """Read back whole; a blob that is altered or gone is named."""
    parts = Parts()
    image = np.random.default_rng(1).bytes(200_000)
    with parts.recorder() as recorder, recorder.open("one", subject="Jane") as case:
        case.input({"image": np.frombuffer(image, "u1")})
    (found,) = parts.reading.search()
    assert found.body is not None
    assert found.body.tensors[0].data == image
    (blob,) = [name for name in parts.disk.names() if name.startswith("blob-")]
    assert image[:50] not in parts.disk.files()[blob]
    parts.disk.spoil(blob, lambda data: data[:-1])
    assert parts.faults() == {"recorder.blob"}


def test_an_erased_person_is_nowhere_and_every_proof_holds() -> None:
    """No body, no plaintext, and a proof from before the erasure still verifies."""
    parts = Parts()
    with parts.recorder() as recorder:
        for number in range(3):
            _decide(recorder, number)
    before = parts.reading.prove("4")
    with parts.recorder() as recorder:
        assert recorder.erase("Jane 1") == 1
        assert recorder.erase("Nobody") == 0
    assert [item.body for item in parts.reading.search(case="loan 1")] == [None] * 4
    assert all(item.body for item in parts.reading.search(case="loan 2"))
    everything = b"".join(parts.disk.files().values())
    assert not any(word in everything for word in (b"Jane", b"loan", b"officer", b"clerk", b"income"))
    for data in (before, parts.reading.prove("4")):
        proof = tlog_proof.read(data)
        tlog_proof.verify(proof, proof.extra, (SIGNER.public,))
    assert [item.kind for item in parts.reading.search(kind="erasure")] == ["erasure"] * 2
    assert parts.faults() == set()
    with parts.recorder() as recorder:
        _decide(recorder, 1)
    assert sum(item.body is None for item in parts.reading.search(case="loan 1")) == 4


def test_a_sealed_body_cannot_be_moved_to_another_record() -> None:
    """Its id, kind, time, case and person are bound to it."""
    parts = Parts()
    with parts.recorder() as recorder:
        _decide(recorder, 1)
    leaves = [leaf for _, leaf in parts.reading.leaves()]
    moved = msgspec.structs.replace(leaves[1], sealed=leaves[2].sealed)
    with pytest.raises(TrustError) as error:
        parts.reading.found(1, moved)
    assert error.value.code == "recorder.sealed"


def test_what_breaks_off_is_recorded() -> None:
    """The exception goes on, the case says so."""
    parts = Parts()
    with parts.recorder() as recorder, pytest.raises(ZeroDivisionError), recorder.open("one") as case:
        case.status(step=1 // 0)
    (found,) = parts.reading.search(case="one")
    assert found.kind == "alarm"
    assert found.body is not None
    assert found.body.fields == {"broke off": "ZeroDivisionError"}


def test_what_cannot_be_kept_is_refused() -> None:
    """Empty cases, batches that are none, fields without a plain form."""
    parts = Parts()
    with parts.recorder() as recorder:
        with pytest.raises(InputError) as error:
            recorder.open("")
        assert error.value.code == "recorder.case"
        case = recorder.open("one")
        for act, code in (
            (lambda: case.input([1, 2]), "recorder.batch"),
            (lambda: case.input({"a": object}), "recorder.batch"),
            (lambda: case.status(what=object()), "recorder.fields"),
            (lambda: recorder.erase(""), "recorder.person"),
        ):
            with pytest.raises(InputError) as error:
                act()
            assert error.value.code == code
    with pytest.raises(InputError) as error:
        parts.reading.get("17")
    assert error.value.code == "recorder.unknown"


def test_a_record_put_back_to_an_older_state_is_noticed_by_who_kept_a_checkpoint() -> None:
    """Without one it is not, and the documentation says so."""
    parts = Parts()
    with parts.recorder() as recorder:
        _decide(recorder, 1)
    older = parts.disk.files()
    with parts.recorder() as recorder:
        _decide(recorder, 2)
    newer = parts.disk.read(CHECKPOINT, 0, 1 << 16)
    reading = Reading(SimulatedDisk.of(older), parts.secrets)
    assert reading.audit((SIGNER.public,)).faults == ()
    assert [fault.code for fault in reading.audit((SIGNER.public,), (newer,)).faults] == ["log.truncated"]


def test_a_reader_is_not_hindered_and_keys_lie_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a real folder; other writers are the service's (see its own tests)."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    place = tmp_path / "app" / "record"
    with pytest.raises(InputError) as missing:
        open_reading(place, "app")
    assert missing.value.code == "recorder.none"
    with open_recorder(place, "app") as recorder:
        _decide(recorder, 1)
        assert len(list(open_reading(place, "app").search(case="loan 1"))) == 4
    assert checkpoint.parse((place / CHECKPOINT).read_bytes()).size == 4
    with open_recorder(place, "app") as recorder:
        recorder.erase("Jane 1")
    assert not any(item.body for item in open_reading(place, "app").search(case="loan 1"))


def test_a_failing_disk_is_told_to_who_waits() -> None:
    """An output that is not durable does not return."""
    parts = Parts()
    recorder = parts.recorder()
    case = recorder.open("one")
    parts.disk.fail_at = parts.disk.operations + 1
    with pytest.raises(StorageError):
        case.output({"a": [1]})
    recorder.close()


@pytest.mark.parametrize("size", [0, 1, 28, 255, 256, 300, 65_000])
@pytest.mark.parametrize("person", [b"", bytes(16)])
def test_an_entry_made_in_parts_is_the_leaf_packed(size: int, person: bytes) -> None:
    """Byte for byte what the message pack of the whole leaf is, with a body in it or in a blob."""
    for sealed, blob in ((b"s" * size, b""), (b"", b"b" * 32)):
        at = 1_795_791_157_834_478_741
        leaf = Leaf(1, bytes(range(16)), "model-change", at, b"c" * 16, person, b"k" * 16, sealed, blob)
        made = entry_of(bound(leaf), sealed, blob)
        assert made == msgspec.msgpack.encode(leaf)
        assert leaf_of(0, made) == leaf


def test_ids_are_version_seven_and_in_order_of_time() -> None:
    """RFC 9562: version, variant, milliseconds first; no two alike, drawn here or handed over."""
    ids = [uuid.UUID(bytes=new_id(1_795_791_157_834_478_741 + 10**6 * at)) for at in range(200)]
    assert {(one.version, one.variant) for one in ids} == {(7, uuid.RFC_4122)}
    assert ids == sorted(ids)
    assert ids[0].int >> 80 == 1_795_791_157_834
    assert len({new_id(0) for _ in range(1000)}) == 1000
    high = uuid.UUID(bytes=new_id(0, b"\xff" * 10))
    assert (high.version, high.variant, high.int >> 80) == (7, uuid.RFC_4122, 0)


def test_no_nonce_of_a_batch_is_used_twice() -> None:
    """Sealed bodies begin with their nonce; ids differ too."""
    parts = Parts()
    with parts.recorder() as recorder:
        made = [("decision", Body(case="one", person=f"Jane {at % 3}", fields={"same": 1})) for at in range(500)]
        names, ticket = recorder.submit_all(made)
        ticket.wait()
    leaves = [leaf for _, leaf in parts.reading.leaves()]
    assert len({leaf.sealed[:12] for leaf in leaves}) == len(set(names)) == len(leaves) == 500
