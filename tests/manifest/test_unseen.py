"""Labels that the training data lack are named, with their rows and what may be meant."""

from __future__ import annotations

from fivefold.manifest.unseen import unseen


def test_a_slip_of_spelling_is_named_with_what_is_meant() -> None:
    """Capitals, blanks and signs apart, it is the same word."""
    told = unseen({"train": {"yes": 5, "no": 5}, "test": {"Yes ": 3, "no": 4, "maybe": 1}})
    assert told == (
        (
            'The target of data.test has labels that data.train lacks: "Yes " (3 rows, perhaps "yes" is meant), '
            '"maybe" (1 row). A model trained on data.train cannot answer with them.'
        ),
    )


def test_many_and_long_labels_are_cut() -> None:
    """Four are named, and no more than forty letters of each."""
    (told,) = unseen({"train": {"a": 1}, "test": {f"{at}{'x' * 60}": 1 for at in range(9)}})
    assert "and 5 more" in told
    assert "x" * 41 not in told


def test_equal_labels_and_no_training_data_say_nothing() -> None:
    """Nothing is compared where there is nothing to compare with."""
    assert unseen({"train": {"a": 1, "b": 1}, "test": {"a": 1}}) == ()
    assert unseen({"test": {"a": 1}}) == ()
