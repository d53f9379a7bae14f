"""What stays in memory under a budget of bytes."""

from dataclasses import dataclass

import numpy as np
import pytest

from semcorr.store.kept import Kept, nbytes_of


@dataclass(frozen=True)
class Pair:
    left: np.ndarray
    right: dict
    name: str = "pair"


def test_bytes_of_all_arrays_count():
    array = np.zeros(100, np.float32)
    assert nbytes_of(array) == 400
    assert nbytes_of(Pair(array, {"a": (array, [array]), "b": None})) == 1200
    assert nbytes_of("text") == nbytes_of(None) == 0
    assert nbytes_of(np.broadcast_to(np.int64(-1), 10**9)) == 8
    assert nbytes_of(array[::2]) == 200


def cycle(kept, rounds=3, keys="abcd"):
    """Ask for every key in turn; return what was made, in order."""
    made = []
    for key in keys * rounds:
        kept.get(key, lambda key=key: made.append(key) or np.zeros(100, np.uint8))
    return "".join(made)


@pytest.mark.parametrize("stay", ["recent", "first"])
def test_all_that_fits_is_made_once(stay):
    assert cycle(Kept(400, stay)) == "abcd"


def test_of_a_cycle_over_too_many_the_first_stay():
    assert cycle(Kept(250, "first")) == "abcd" + "cd" + "cd"


def test_recent_ones_stay_while_others_pass():
    kept, made = Kept(200), []
    for key in "xaxbxcxd":
        kept.get(key, lambda key=key: made.append(key) or np.zeros(100, np.uint8))
    assert made == list("xabcd")


@pytest.mark.parametrize("stay", ["recent", "first"])
def test_what_is_larger_than_the_budget_is_made_each_time_and_does_no_harm(stay):
    kept = Kept(150, stay)
    kept.get("small", lambda: np.zeros(100, np.uint8))
    for _ in range(2):
        assert len(kept.get("large", lambda: np.zeros(1000, np.uint8))) == 1000
    assert kept._bytes <= 150


def test_errors_are_not_kept():
    kept = Kept(100)
    with pytest.raises(ZeroDivisionError):
        kept.get("a", lambda: 1 / 0)
    assert kept.get("a", lambda: 1) == 1
