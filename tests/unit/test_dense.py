"""Dense scores against a plain formulation, and the files of dense truth, broken ones included."""

import json

import numpy as np
import pytest

from semcorr.datasets import dense_files
from semcorr.datasets.procedural import vertex_group
from semcorr.errors import ItemError
from semcorr.evaluation import dense
from semcorr.evaluation.dense import CURVE, DensePair, largest_distance, score_pair, summarise


def pair_of(seed, n=60, source="s", target="t"):
    random = np.random.default_rng(seed)
    truth = random.uniform(-0.5, 0.5, (n, 3))
    predicted = truth + random.normal(0, 0.05, (n, 3))
    predicted[:5] = truth[:5]
    predicted[random.random(n) < 0.1] = np.nan
    return DensePair(source, target, truth, predicted, random.random(n))


def plain(pair):
    """The same measures with loops, as the formulas are written."""
    n = len(pair.truth)
    reach = max(np.linalg.norm(a - b) for a in pair.truth for b in pair.truth)
    errors = [np.linalg.norm(p - t) for p, t in zip(pair.predicted, pair.truth, strict=True)]
    found = [e for e in errors if np.isfinite(e)]
    area = [a for a, e in zip(pair.areas, errors, strict=True) if np.isfinite(e)]
    return {
        "curve": [sum(e <= step * reach for e in errors) / n for step in CURVE],
        "error": sum(found) / len(found),
        "squared": sum(e * e for e in found) / len(found),
        "area_error": sum(a * e for a, e in zip(area, found, strict=True)) / sum(area),
        "unmatched": (n - len(found)) / n,
    }


@pytest.mark.parametrize("seed", range(4))
def test_scores_equal_the_plain_formulation(seed):
    pair = pair_of(seed)
    score, expected = score_pair(pair), plain(pair)
    np.testing.assert_allclose(score.curve, expected["curve"], atol=1e-12)
    for name in ("error", "squared", "area_error", "unmatched"):
        assert getattr(score, name) == pytest.approx(expected[name], abs=1e-12)
    # the first five are exact unless they have no match
    assert 0 < score.within(0.0) <= score.within(0.01) <= score.within(0.2) <= 1


def test_the_largest_distance_lies_between_corners(monkeypatch):
    monkeypatch.setattr(dense, "_ROWS", 7)
    random = np.random.default_rng(1)
    for points in (
        random.normal(size=(200, 3)),
        random.normal(size=(50, 3)) * (1, 1, 0),
        random.normal(size=(50, 3)) * (1, 0, 0),
        random.normal(size=(3, 3)),
        np.zeros((4, 3)),
    ):
        expected = max(np.linalg.norm(a - b) for a in points for b in points)
        assert largest_distance(points) == pytest.approx(expected, abs=1e-12)


def test_a_map_of_nothing_misses_everything():
    truth = np.eye(3)
    score = score_pair(DensePair("s", "t", truth, np.full((3, 3), np.nan), np.ones(3)))
    assert score.unmatched == 1 and not score.curve.any() and score.error is None
    summary = summarise([score], 1, 0)
    assert summary["acc_010"] == 0 and summary["mean_error"] is None and summary["coverage"] == 0.5
    assert summarise([], 2, 0)["acc_001"] is None
    assert set(summarise([], 2, 0)["curve"]["accuracy"]) == {None}


def test_summaries_do_not_depend_on_the_order_of_pairs():
    pairs = [pair_of(seed, target=f"t{seed}") for seed in range(3)]
    scores = [score_pair(pair) for pair in pairs]
    first, again = summarise(scores, 0, 5), summarise(scores[::-1], 0, 5)
    assert first == again
    expected = np.mean([plain(pair)["curve"][5] for pair in pairs])
    assert first["acc_001"] == pytest.approx(expected, abs=1e-6)
    assert first["ci95"][0] <= first["acc_001"] <= first["ci95"][1]
    assert [row["target"] for row in first["targets"]] == ["t0", "t1", "t2"]


@pytest.mark.parametrize(
    "change, message",
    [
        ({"truth": np.zeros((0, 3))}, "truth"),
        ({"predicted": np.zeros((2, 3))}, "predicted"),
        ({"areas": np.zeros(2)}, "areas"),
    ],
)
def test_wrong_shapes_are_refused(change, message):
    arrays = {"truth": np.eye(3), "predicted": np.eye(3), "areas": np.ones(3)}
    with pytest.raises(ValueError, match=message):
        DensePair("s", "t", **(arrays | change))


# -- files ----------------------------------------------------------------------------------------


def test_groups_and_known_pairs(tmp_path):
    path = tmp_path / "matches.json"
    assert dense_files.read_groups(path) == {}
    path.write_text(json.dumps({"shared_topology": [["a", "b", "c"], ["d"]], "note": 1}))
    groups = dense_files.read_groups(path)
    assert groups == {"a": "a", "b": "a", "c": "a", "d": "d"}
    everything = ["a", "b", "d", "e"]
    pairs = dense_files.known_pairs(groups, {("e", "d"), ("x", "d"), ("e", "e")}, everything, "abd")
    assert pairs == [("a", "b"), ("b", "a"), ("e", "d")]


@pytest.mark.parametrize(
    "text, message",
    [
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "not a list of lists"),
        ('{"shared_topology": ["a"]}', "not a list of lists"),
        ('{"shared_topology": [[]]}', "not a list of lists"),
        ('{"shared_topology": [["a", 1]]}', "not a list of lists"),
        ('{"shared_topology": [["a", "b"], ["b"]]}', "'b' is listed twice"),
    ],
)
def test_broken_groups_are_refused(tmp_path, text, message):
    (tmp_path / "matches.json").write_text(text)
    with pytest.raises(ItemError, match=message):
        dense_files.read_groups(tmp_path / "matches.json")


def test_names_of_maps_are_cut_where_two_ids_result(tmp_path):
    folder = tmp_path / "matches"
    folder.mkdir()
    for name in ("a__b.npy", "a__x__y.npy", "x__y__x__z.npy", "nobody__b.npy", "a__b.txt"):
        (folder / name).touch()
    ids = ("a", "b", "x__y", "x__z")
    assert dense_files.map_files(tmp_path, ids) == {
        ("a", "b"): "matches/a__b.npy",
        ("a", "x__y"): "matches/a__x__y.npy",
        ("x__y", "x__z"): "matches/x__y__x__z.npy",
    }
    assert dense_files.truth_names(tmp_path, ids, ["b"]) == ["matches.json", "matches/a__b.npy"]
    assert dense_files.map_files(tmp_path / "none", ids) == {}


def test_maps_are_read_and_broken_ones_refused(tmp_path):
    path = tmp_path / "a__b.npy"
    np.save(path, np.array([2, -1, 0], np.int64))
    found = dense_files.read_map(path, 3)
    assert found.dtype == np.int32 and found.tolist() == [2, -1, 0]
    with pytest.raises(ItemError, match=r"matches/a__b.npy: expected 4 integers"):
        dense_files.read_map(path, 4)
    for wrong, message in (
        (np.array([0.0, 1, 2]), "expected 3 integers"),
        (np.array([[0, 1, 2]]), "expected 3 integers"),
        (np.array([0, -2, 1]), "vertices -2..1"),
        (np.array([0, 2**40, 1]), "-1 is none"),
        (np.array([0, "a", None], object), "is not a NumPy array"),
    ):
        np.save(path, wrong)
        with pytest.raises(ItemError, match=message):
            dense_files.read_map(path, 3)
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(ItemError, match="is not a NumPy array"):
        dense_files.read_map(path, 3)
    path.write_bytes(b"")
    with pytest.raises(ItemError, match="is not a NumPy array"):
        dense_files.read_map(path, 3)
    with open(path, "wb") as file:
        np.savez(file, np.arange(3))
    with pytest.raises(ItemError, match="is an archive"):
        dense_files.read_map(path, 3)


def test_shapes_of_one_individual_share_their_vertices():
    assert vertex_group("human_8_00003") == vertex_group("human_8_00005") == "human_8_1"
    assert (
        vertex_group("human_8_00006") == "human_8_2"
        and vertex_group("human_9_00003") != "human_8_1"
    )
    assert vertex_group("chair_8_00003") == ""
