"""S3 on Flower: a real SuperLink and SuperNodes, Flower's own messages, and the commands of the page."""

from __future__ import annotations

import contextlib
import json
import math
import re
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.subject.oip_server import self_signed

from .flower_peer import PEER, REPO, flower, kept, ran

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).resolve().parent


def _json(script: str, folder: Path) -> dict:
    flower()
    done = ran([str(PEER), str(HERE / script), str(folder)], folder, seconds=1700)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert isinstance(found, dict)
    return found


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_ten_supernodes_with_drop_outs_train_as_fedavg_does(tmp_path: Path) -> None:
    """One leaves at each stage, one SuperNode is killed, one client ends itself: FedAvg's weights, to half a step.

    Participants: whoever sent a masked vector, also where it left after.
    """
    rounds = _json("flower_driver.py", tmp_path)["rounds"]
    names = {f"site-{at}" for at in range(10)}
    assert [set(one["names"]) for one in rounds] == [
        names - {"site-0", "site-1", "site-2"},
        names - {"site-4", "site-9"},
    ]
    for one in rounds:
        assert one["off"] <= one["bound"]
        assert one["moved"] > 1000 * one["bound"]


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """What the mod and the strategy do with Flower's messages, in one process."""
    return _json("flower_inside.py", tmp_path_factory.mktemp("inside"))


@pytest.mark.slow
def test_a_client_refuses_what_was_not_agreed(inside: dict) -> None:
    """Each odd message is answered with its code; evaluation is handed on."""
    assert inside["refusals"] == {
        "unmasked": "federated.unmasked", "evaluate": "answered", "clip": "federated.terms",
        "other run": "federated.terms", "no terms": "federated.terms", "few": "federated.terms", "good": "answered",
        "again": "federated.replayed", "out of turn": "federated.stage", "no stage": "federated.message",
        "after an end": "federated.stage",
    }  # fmt: skip


@pytest.mark.slow
def test_a_client_that_is_given_another_model_does_not_train_on_it(inside: dict) -> None:
    """It leaves, and the sum is that of the others, exactly weighted: mean of 0.01, 0.03, 0.04, 0.05 each round."""
    found = inside["lied to"]
    assert [text.partition(":")[0] for text in found["errors"]] == ["federated.model"] * 2
    assert found["rounds"] == [["c00", "c02", "c03", "c04"]] * 2
    assert found["w"] == pytest.approx([2 * 0.0325] * 5, abs=1e-4)


@pytest.mark.slow
def test_no_round_no_model(inside: dict) -> None:
    """More rows than agreed: each client says so, and the run ends with an error, not with a model of zeros."""
    assert inside["too many rows"] == ["federated.ended", "federated.examples"]


@pytest.mark.slow
def test_strategies_that_look_at_single_updates_are_refused(inside: dict) -> None:
    """Krum, a median, and noise that the server adds to each."""
    assert inside["refused"] == ["federated.robust-masked"] * 3


@pytest.mark.slow
def test_a_median_works_on_cohorts(inside: dict) -> None:
    """Five masked sums of three, and Flower's own median of their means."""
    found = inside["cohorts"]
    assert found["sums"] == 5
    assert found["w"] == pytest.approx([found["median"]] * 5, abs=1e-4)


@pytest.mark.slow
def test_a_client_that_is_started_again_is_still_that_client(inside: dict) -> None:
    """A SuperNode gets a new number; the name goes with it."""
    assert inside["restarted"] == [[f"c{at:02}" for at in range(5)]] * 2


@pytest.mark.slow
def test_noise_of_all_clients_is_in_the_model(inside: dict) -> None:
    """Six of six there, shares made for four: the mean has sqrt(6 / 4) / 6 times the norm."""
    assert inside["noise"] == pytest.approx(math.sqrt(6 / 4) / 6, rel=0.05)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_command_of_the_page_does_what_it_says(tmp_path: Path) -> None:
    """The page's commands in order in an empty folder: keys, agreement, a rehearsal with three SuperNodes."""
    flower()
    page = (REPO / "docs" / "how-to" / "federated.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```console\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    for line in block.splitlines():
        words, _, wanted = line.removeprefix("$ ").partition("  # exit ")
        done = ran(["bash", "-c", words], tmp_path)
        assert done.returncode == int(wanted or 0), f"{line}\n{done.stdout[-1500:]}\n{done.stderr[-1500:]}"
    assert (tmp_path / "model.npz").exists()


def _reachable(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def _until(there: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < end
        time.sleep(0.2)


def _living(folder: Path) -> list[str]:
    """Return the programs of Flower that still run with a file or folder of this test."""
    found = []
    for place in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if f"HOME={folder}".encode() in place.read_bytes().split(b"\0"):
                found.append(place.with_name("cmdline").read_bytes().replace(b"\0", b" ").decode())
    return [one for one in found if "flower-super" in one]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_server_and_its_clients_over_tls_end_when_they_are_told(tmp_path: Path) -> None:
    """``federate serve``, ``join`` and ``run`` as programs of their own; SIGTERM leaves nothing of Flower's running."""
    flower()
    federate = [str(PEER.with_name("fivefold")), "federate"]
    for name in "abc":
        assert not ran([*federate, "key", name], tmp_path).returncode
        rows = [f"{18 + 7 * at % 70},{1700 * at % 200_000},{at % 2}" for at in range(60)]
        (tmp_path / f"{name}.csv").write_text("\n".join(["age,income,default", *rows]) + "\n")
    assert not ran([*federate, "new", "study", "a.client", "b.client", "c.client"], tmp_path).returncode
    pem, secret = self_signed(tmp_path, "superlink", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    secure = ["--cert", str(pem), "--key", str(secret), "--ca", str(pem), "--port", str(port)]
    with contextlib.ExitStack() as stack:
        stack.enter_context(kept([*federate, "serve", *secure], tmp_path))
        _until(lambda: _reachable(port))
        for name in "abc":
            own = ["--name", name, "--key", f"{name}.pem", "--federation", "study/federation.toml", "--ca", str(pem)]
            words = [*federate, "join", f"127.0.0.1:{port}", *own, "--set", f"data={tmp_path / name}.csv"]
            stack.enter_context(kept(words, tmp_path))
        settings = {"rounds": 1, "clients": 3, "federation": tmp_path / "study" / "federation.toml",
                    "result": tmp_path / "model.npz"}  # fmt: skip
        words = [*federate, "run", "study/app", "--server", f"127.0.0.1:{port}", "--ca", str(pem)]
        for name, value in settings.items():
            words += ["--set", f"{name}={value}"]
        done = ran(words, tmp_path)
        assert not done.returncode, done.stdout[-1500:] + done.stderr[-1500:]
        assert "a sum of 3 of 3 clients" in done.stdout
        assert _living(tmp_path)
    _until(lambda: not _living(tmp_path))
    assert not _reachable(port)
    assert (tmp_path / "model.npz").exists()
