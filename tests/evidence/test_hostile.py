"""Evidence made to harm whoever verifies it: it is answered quickly, within the folder, and without odd output."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import evidence_builder as build
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fivefold.contract.codec import canonical, digest
from fivefold.contract.plan import Facts
from fivefold.contract.verdict import Waiver
from fivefold.errors import FivefoldError, InputError, TrustError
from fivefold.evidence import envelope, layout, statements
from fivefold.evidence.application import newest_manifest, observe, read_folder
from fivefold.evidence.layout import attempt_path
from fivefold.evidence.recompute import manifest_of
from fivefold.evidence.verify import verify
from fivefold.keys import signing

if TYPE_CHECKING:
    from pathlib import Path


def test_huge_attempt_numbers_cost_nothing(tmp_path: Path) -> None:
    """A gap of a hundred million attempts is one problem."""
    signer = build.fill(tmp_path)
    evidence, _ = build.opened(tmp_path, signer)
    plan = build.plan(tmp_path, 99_999_999)
    sealed = statements.seal_plan(plan, build.NOW, signer, {})
    raw = (tmp_path / "fivefold.yaml").read_bytes()
    evidence._journal.append({"attempts/99999999/plan.json": sealed, "attempts/99999999/manifest.yaml": raw})
    found = verify(read_folder(tmp_path / "evidence"), build.trusting((signer, "Ann", "assessor")), build.NOW)
    assert [flaw.code for flaw in found.problems] == ["evidence.gap"]
    assert "attempts 2 to 99999998 are missing" in found.problems[0].text


@pytest.mark.parametrize("name", ["/dev/zero", "../../../../../../dev/zero", "/etc/passwd", "link.csv", "pipe", "."])
def test_a_manifest_in_evidence_cannot_make_verify_read_elsewhere(tmp_path: Path, name: str) -> None:
    """Devices, files out of the folder, links out of it and pipes count as missing; nothing hangs."""
    root = tmp_path / "app"
    signer = build.fill(root)
    (root / "link.csv").symlink_to("/etc/hostname")
    os.mkfifo(root / "pipe")
    folder = read_folder(root / "evidence")
    honest = newest_manifest(folder, root)
    assert honest is not None
    raw = build.MANIFEST.replace("data/test.csv", name).encode()
    manifest = manifest_of(raw, Facts(), root)
    assert observe(root, manifest).data["test"] == ""
    assert signer


@pytest.mark.parametrize("factory", ["../x:load", "/etc/passwd:load", "..:load", "a/../../x:load"])
def test_a_factory_in_evidence_cannot_leave_the_folder(tmp_path: Path, factory: str) -> None:
    """What the reader of manifests would refuse is refused by the walk as well."""
    build.application(tmp_path)
    manifest = manifest_of(build.MANIFEST.encode(), Facts(), tmp_path)
    hostile = msgspec.structs.replace(manifest, model=msgspec.structs.replace(manifest.model, factory=factory))
    seen = observe(tmp_path, hostile)
    assert seen.model_fault or set(seen.files) == {"weights/a.bin", "weights/b.bin"}


def test_links_and_odd_names_are_named_not_followed(tmp_path: Path) -> None:
    """A link to a file or a folder, a name with an escape sequence, one that is no Unicode, a pipe."""
    signer = build.fill(tmp_path)
    place = tmp_path / "evidence"
    (place / "waivers").symlink_to("/etc")
    (place / "keys" / "link.pem").symlink_to("/etc/hostname")
    (place / "a\x1b[31mred").write_text("x")
    with open(os.fsencode(place) + b"/\xff", "wb"):  # noqa: PTH123  a name that is bytes
        pass
    os.mkfifo(place / "pipe")
    found = verify(read_folder(place), build.trusting((signer, "Ann", "assessor")), build.NOW)
    names = {flaw.path for flaw in found.problems}
    assert names == {"waivers", "keys/link.pem", "a\\x1b[31mred", "\\udcff", "pipe"}
    assert canonical(found)


@pytest.mark.parametrize(
    "payload",
    [
        b"{" * 100_000,
        b'{"_type":"https://in-toto.io/Statement/v1","_type":"x","predicate":{},"predicateType":"","subject":[]}',
        b'{"_type":"https://in-toto.io/Statement/v1","predicate":{}, "predicateType":"","subject":[]}',
        b'{"_type":"https://in-toto.io/Statement/v1","predicate":{"a":1e400},"predicateType":"","subject":[]}',
        b'{"_type":"https://in-toto.io/Statement/v1","predicate":{"a":1.0},"predicateType":"","subject":[]}',
        b'{"_type":"https://in-toto.io/Statement/v1","predicate":{"a":99999999999999999999},"predicateType":"","subject":[]}',
        b'{"_type":"https://in-toto.io/Statement/v1","predicate":'
        + b"[" * 5000
        + b"]" * 5000
        + b',"predicateType":"","subject":[]}',
        b"\xff\xfe",
    ],
)
def test_a_well_signed_payload_in_another_form_is_refused(payload: bytes) -> None:
    """Twice-standing fields, spaces, huge numbers and depths: signed or not, it is not a canonical statement."""
    signer = signing.generate()
    mark = envelope.EnvelopeSignature(
        sig=envelope._base64(signer.sign(envelope.pae(envelope.PAYLOAD_TYPE, payload))), keyid=signer.public.id
    )
    whole = envelope.Envelope(payload=envelope._base64(payload), payloadType=envelope.PAYLOAD_TYPE, signatures=(mark,))
    with pytest.raises(TrustError) as error:
        envelope.unseal(canonical(whole) + b"\n", {signer.public.id: signer.public}, where="x")
    assert error.value.code == "evidence.malformed"


def test_the_envelope_agrees_with_the_reference_implementation() -> None:
    """Securesystemslib verifies what we seal."""
    from securesystemslib.dsse import Envelope
    from securesystemslib.signer import SSlibKey

    signer = signing.generate()
    data = envelope.seal("https://fivefold.dev/x/v1", {"m\u00e9": "00" * 32}, {"a": 1}, signer)
    key = SSlibKey(signer.public.id, "ed25519", "ed25519", {"public": signer.public.raw.hex()})
    assert Envelope.from_dict(msgspec.json.decode(data)).verify([key], 1)


@pytest.mark.shared
def test_the_pre_authentication_encoding_is_the_one_of_the_specification(shared: Path) -> None:
    """The protocol's own example, and its signature with the key that it gives."""
    import base64

    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    case = msgspec.json.decode((shared / "conformance" / "dsse_note_vectors.json").read_bytes())["dsse"]
    encoded = envelope.pae(case["payloadType"], case["payload_utf8"].encode())
    assert encoded == case["pae"].encode()
    raw = base64.b64decode(case["sig"])
    der = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
    ec.EllipticCurvePublicNumbers(case["X"], case["Y"], ec.SECP256R1()).public_key().verify(
        der, encoded, ec.ECDSA(hashes.SHA256())
    )
    assert envelope.pae("t", "\u00e9".encode()).startswith(b"DSSEv1 1 t 2 "), "lengths count bytes"


def test_a_newer_statement_is_refused_as_such(tmp_path: Path) -> None:
    """A version that we do not know is not half understood."""
    signer = build.fill(tmp_path)
    evidence, _ = build.opened(tmp_path, signer)
    newer = envelope.seal("https://fivefold.dev/waiver/v2", {"application": "00" * 32}, {"waiver": {}}, signer)
    evidence._journal.append({"waivers/new.json": newer})
    found = verify(read_folder(tmp_path / "evidence"), build.trusting((signer, "Ann", "assessor")), build.NOW)
    assert [(flaw.code, flaw.path) for flaw in found.problems] == [("evidence.newer", "waivers/new.json")]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.sampled_from(["log/entries", "log/checkpoint", "attempts/0001/plan.json", "keys/" + "0" * 64 + ".pem", "x"])
        | st.text(max_size=20),
        st.none() | st.binary(max_size=200),
        max_size=5,
    ),
    st.none() | st.binary(max_size=80),
)
def test_any_bytes_are_answered(folder: dict[str, bytes | None], since: bytes | None) -> None:
    """Whatever the folder holds, verify answers or refuses with a code; it never breaks, and it never passes."""
    try:
        found = verify(folder, b"", build.NOW, since=since)
    except InputError:
        return
    assert found.exit_code == 1


@given(st.binary(max_size=300))
def test_any_line_of_a_log_is_read_or_refused(line: bytes) -> None:
    """Only exactly canonical lines are read."""
    try:
        entry = layout.read_entry(line, 1)
    except FivefoldError as error:
        assert error.code == "evidence.malformed-log"  # noqa: PT017
    else:
        assert entry.line() == line


def test_a_waiver_that_ended_since_is_not_a_clean_pass(tmp_path: Path) -> None:
    """The verdict held when it was judged; today it would not."""
    build.application(tmp_path)
    evidence, signer = build.opened(tmp_path)
    officers = [(signing.generate(), "Pia", "privacy-officer"), (signing.generate(), "Leo", "legal-officer")]
    for officer, _, role in officers:
        terms = {"reason": "until the next release", "until": "2026-11-25", "issued": "2026-11-23T09:00:00Z"}
        evidence.add_waiver(Waiver(application="toy-app", claim="2c", role=role, **terms), officer)
    attempt = build.begin(evidence, tmp_path)
    for check in build.runs(attempt.plan):
        attempt.add(build.finding(attempt.plan, check))
    from fivefold.keys import trust as trust_file

    trust = build.trusting((signer, "Ann", "assessor"), *officers)
    counting = evidence.exemptions(trust_file.read(trust), attempt.started)
    attempt.close(build.verdict(attempt.plan, attempt.findings(), counting, attempt.started), None)
    folder = read_folder(tmp_path / "evidence")
    assert verify(folder, trust, "2026-11-25T12:00:00Z").exit_code == 0
    later = verify(folder, trust, build.NOW)
    assert ([flaw.code for flaw in later.doubts], later.exit_code) == (["verdict.waiver-ended"], 3)


def test_a_verdict_judged_for_another_time_is_caught(tmp_path: Path) -> None:
    """An owner cannot pick a day on which an old waiver still counted."""
    build.application(tmp_path)
    evidence, signer = build.opened(tmp_path)
    attempt = build.begin(evidence, tmp_path)
    build_now = "2026-10-01T00:00:00Z"
    for check in build.runs(attempt.plan):
        attempt.add(build.finding(attempt.plan, check))
    attempt.close(build.verdict(attempt.plan, attempt.findings(), now=build_now), None, now=build_now)
    found = verify(read_folder(tmp_path / "evidence"), build.trusting((signer, "Ann", "assessor")), build.NOW)
    assert [(flaw.code, flaw.path) for flaw in found.problems] == [("verdict.time", attempt_path(1, "verdict.json"))]


def test_a_public_key_under_a_false_name_is_named(tmp_path: Path) -> None:
    """A key file whose name is not its digest is not used, even if it is logged."""
    signer = build.fill(tmp_path)
    evidence, _ = build.opened(tmp_path, signer)
    path = f"keys/{digest(b'x')}.pem"
    evidence._journal.append({path: signing.generate().public.pem})
    found = verify(read_folder(tmp_path / "evidence"), build.trusting((signer, "Ann", "assessor")), build.NOW)
    assert [(flaw.code, flaw.path) for flaw in found.problems] == [("evidence.key", path)]
