"""Privacy budgets: never overdrawn, whoever asks at the same time; the same in a file and on a server of PostgreSQL."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fivefold.store.spent import Budget, Entry, Spent

if TYPE_CHECKING:
    from fivefold.store.server import Database

    Place = Path | Database | None


def _entry(name: str, rho: int = 1, delta: int = 0) -> Entry:
    return Entry(name, "register", "test", rho, delta, 0)


def test_what_is_reserved_is_spent(place: Place) -> None:
    """Of rho and of delta; the last unit goes, one more does not."""
    spent = Spent(place, "app")
    assert spent.budget("register") is None
    assert not spent.reserve(_entry("early"))
    assert spent.open("register", 10, 5) == Budget(10, 5)
    assert spent.reserve(_entry("a", 4, 2))
    assert not spent.reserve(_entry("b", 7, 0))
    assert not spent.reserve(_entry("c", 1, 4))
    assert spent.reserve(_entry("d", 6, 3))
    assert spent.budget("register") == Budget(10, 5, 10, 5)
    assert [entry.id for entry in spent.entries("register")] == ["a", "d"]
    spent.released("a", "digest")
    assert [entry.result for entry in spent.entries()] == ["digest", ""]
    spent.close()


def test_a_budget_shrinks_and_never_grows(place: Place) -> None:
    """Also below what is spent: then nothing more is granted."""
    spent = Spent(place, "app")
    spent.open("register", 10, 10)
    assert spent.open("register", 100, 100) == Budget(10, 10)
    spent.reserve(_entry("a", 6))
    assert spent.open("register", 3, 10) == Budget(3, 10, 6, 0)
    assert not spent.reserve(_entry("b", 1))
    spent.close()


def test_applications_and_sources_do_not_share(common: Place) -> None:
    """Each has its own budget, entries and marks."""
    one, two = Spent(common, "one"), Spent(common, "two")
    one.open("register", 1, 0)
    two.open("register", 1, 0)
    assert one.reserve(_entry("a"))
    assert two.reserve(_entry("a"))
    one.keep(["digest x"], "register")
    assert two.known(["digest x"]) == {}
    assert one.known(["digest x", "digest y"]) == {"digest x": "register"}
    one.keep(["digest x"], "another")
    assert one.known(["digest x"]) == {"digest x": "register"}
    one.close()
    two.close()


def test_a_renamed_source_takes_everything_along(place: Place) -> None:
    """Budget, spending and marks; a name that is taken is refused."""
    spent = Spent(place, "app")
    spent.open("register", 10, 0)
    spent.open("other", 10, 0)
    spent.reserve(_entry("a", 4))
    spent.keep(["data train"], "register")
    assert not spent.rename("register", "other")
    assert not spent.rename("nothing", "new")
    assert spent.rename("register", "new")
    assert spent.budget("register") is None
    assert spent.budget("new") == Budget(10, 0, 4, 0)
    assert spent.known(["data train"]) == {"data train": "new"}
    assert [entry.source for entry in spent.entries()] == ["new"]
    spent.close()


def test_threads_do_not_overdraw_by_one_unit(common: Place) -> None:
    """Eight at once from a budget of 40: exactly 40 are granted."""
    Spent(common, "app").open("register", 40, 0)
    granted: list[bool] = []

    def work(who: int) -> None:
        spent = Spent(common, "app")
        granted.extend([spent.reserve(_entry(f"{who}-{at}")) for at in range(10)])
        spent.close()

    threads = [threading.Thread(target=work, args=(who,)) for who in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spent = Spent(common, "app")
    assert sum(granted) == 40
    assert len(spent.entries()) == 40
    assert spent.budget("register") == Budget(40, 0, 40, 0)
    spent.close()


_WORKER = """
import sys
from pathlib import Path
from fivefold.errors import StorageError
from fivefold.store.server import Database
from fivefold.store.spent import Entry, Spent
place = Database(sys.argv[1]) if "://" in sys.argv[1] else Path(sys.argv[1])
while True:
    try:
        spent = Spent(place, "app")
        break
    except StorageError:  # so many begin at once
        continue
sys.stdout.write("ready\\n"); sys.stdout.flush()
at = 0
while True:
    name = f"{sys.argv[2]}-{at}"
    at += 1
    try:
        held = spent.reserve(Entry(name, "register", "storm", 1, 0, 0))
    except StorageError:  # busy: nothing stands
        continue
    if not held:
        break
    sys.stdout.write(name + "\\n"); sys.stdout.flush()
"""


def storm(
    place: Path | Database, out: Path, processes: int, budget: int, kills: int, seconds: float
) -> tuple[set[str], Spent]:
    """Reserve from many processes until the budget is spent, and kill some of them; return who was told a grant."""
    Spent(place, "app").open("register", budget, 0)
    out.mkdir()
    said = str(place) if isinstance(place, Path) else place.url
    running: list[subprocess.Popen[bytes]] = []

    def begin(who: int) -> None:
        with (out / f"{who}.txt").open("wb") as file:
            running.append(subprocess.Popen([sys.executable, "-c", _WORKER, said, str(who)], stdout=file))

    for who in range(processes):
        begin(who)
    pause = seconds / max(kills, 1)
    for at in range(kills):
        time.sleep(pause)
        victim = running[(at * 7) % len(running)]
        if victim.poll() is None:
            os.kill(victim.pid, signal.SIGKILL)
            begin(processes + at)
    for process in running:
        process.wait(timeout=600)
    lines = [line for file in out.iterdir() for line in file.read_text().splitlines(keepends=True)]
    return {line.strip() for line in lines if line.endswith("\n") and line != "ready\n"}, Spent(place, "app")


@pytest.mark.slow
def test_processes_that_are_killed_lose_nothing_and_overdraw_nothing(tmp_path: Path) -> None:
    """Whoever was told that a reservation stands finds it there; what is spent is what is there."""
    told, spent = storm(tmp_path / "l" / "spent.sqlite", tmp_path / "told", 6, 300, kills=4, seconds=2.0)
    kept = {entry.id for entry in spent.entries()}
    found = spent.budget("register")
    assert told <= kept
    assert found is not None
    assert found.spent_rho == len(kept) <= 300
    spent.close()
