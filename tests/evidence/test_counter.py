"""The number of attempts, remembered apart from the evidence."""

from __future__ import annotations

from fivefold.evidence import counter


def test_the_number_only_grows_and_belongs_to_one_application() -> None:
    """Lower numbers change nothing; another application starts at 0; names cannot leave the folder."""
    assert counter.attempts("../../a") == 0
    counter.record("../../a", 3)
    counter.record("../../a", 2)
    assert (counter.attempts("../../a"), counter.attempts("b")) == (3, 0)


def test_a_damaged_note_counts_from_the_folder() -> None:
    """A broken state file is not a reason to stop: the evidence itself still says how many there were."""
    counter.record("a", 3)
    counter._file("a", ".json").write_text("{")
    assert counter.attempts("a") == 0


def test_ids_that_differ_by_case_count_as_one() -> None:
    """Another spelling of the same application buys no fresh number, also not after an earlier version's count."""
    counter.record("Toy-App", 3)
    assert counter.attempts("toy-APP") == 3
    counter.record("toy-app", 4)
    assert counter.attempts("Toy-App") == 4
    old = counter._folder() / ("0" * 32 + ".json")
    old.write_text('{"application":"TOY-app","attempts":9,"version":1}')
    assert counter.attempts("toy-app") == 9
