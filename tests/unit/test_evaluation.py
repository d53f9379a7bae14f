"""Scores by hand, against sets, and the documents that hold them."""

import json
import tracemalloc

import numpy as np
import pytest

from semcorr.evaluation import bootstrap, keypoints, segmentation
from semcorr.evaluation.bootstrap import bootstrap_ci95, rounded
from semcorr.evaluation.keypoints import KeypointPair, symmetry_table
from semcorr.evaluation.segmentation import LabelledPair, class_iou, paper_iou
from semcorr.evaluation.tables import merge_documents, method_document, render, to_json

NAMES = ("back", "seat", "leg", "arm")


def pair(truth, predicted, parts=(0, 1, 2, 3), source="s", target="t", positions=None):
    truth = np.array(truth)
    positions = np.zeros((len(truth), 3)) if positions is None else np.array(positions)
    predicted = None if predicted is None else np.array(predicted)
    return LabelledPair(source, target, truth, predicted, positions, frozenset(parts))


# --- segmentation -------------------------------------------------------------------------------


def test_iou_by_hand():
    scores = class_iou(np.array([0, 0, 0, 1, 1, 2, -1]), np.array([0, 0, 1, 1, 5, -1, 0]))
    # class 0: 2 of 3; class 1: 1 of {2, 3, 4}; class 2: none; the unlabelled sample counts nowhere
    np.testing.assert_allclose(scores.iou, [2 / 3, 1 / 3, 0])
    np.testing.assert_allclose(scores.weight, [3 / 6, 2 / 6, 1 / 6])
    assert scores.weighted == pytest.approx(3 / 6 * 2 / 3 + 2 / 6 / 3)
    assert scores.mean == pytest.approx(1 / 3)
    assert scores.accuracy == pytest.approx(3 / 6)


def test_iou_of_a_class_that_the_truth_lacks():
    scores = class_iou(np.array([0, 2]), np.array([0, 1]))
    np.testing.assert_allclose(scores.iou, [1, 0, 0])
    assert scores.mean == 0.5  # over classes 0 and 2


def test_iou_equals_sets():
    generator = np.random.default_rng(0)
    truth, predicted = generator.integers(-1, 5, 400), generator.integers(-1, 6, 400)
    scores = class_iou(truth, predicted)
    labelled = set(np.flatnonzero(truth >= 0))
    for part in range(5):
        inside = set(np.flatnonzero(truth == part))
        given = set(np.flatnonzero(predicted == part)) & labelled
        assert scores.iou[part] == pytest.approx(len(inside & given) / len(inside | given))


def test_iou_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match=r"predicted: expected \(2,\), got \(3,\)"):
        class_iou(np.zeros(2, int), np.zeros(3, int))
    with pytest.raises(ValueError, match="at least one labelled element"):
        class_iou(np.array([-1]), np.array([0]))


def test_paper_iou_by_hand():
    # three cells: truth 0 0 1 by majority, prediction 0 1 1; a tie goes to the smallest id
    cells = np.array([0, 0, 0, 5, 5, 9, 9, 9, 9])
    positions = np.zeros((9, 3))
    positions[:, 0] = (cells + 0.5) / 16 - 0.5
    truth = np.array([0, 0, 1, 1, 0, 1, 1, 1, -1])
    predicted = np.array([0, 0, 1, 1, 1, 1, 1, 0, 0])
    # class 0: {cell 0} of {0, 5}, weight 2/3; class 1: {9} of {5, 9}, weight 1/3
    assert paper_iou(truth, predicted, positions) == pytest.approx(2 / 3 * 1 / 2 + 1 / 3 * 1 / 2)


def test_a_part_that_the_source_lacks_is_left_out_and_lowers_coverage():
    labelled = pair([0, 0, 1, 3], [0, 0, 1, 1], parts=(0, 1, 2))
    score = segmentation.score_pair(labelled)
    # the arm (3) is not counted; its sample still spoils the seat it was given
    assert score.iou == {0: 1.0, 1: 0.5}
    assert score.mean_iou == 0.75
    assert score.mean_iou_area == pytest.approx((0.5 * 1 + 0.25 * 0.5) / 0.75)
    summary = segmentation.summarise([score], NAMES, 0)
    assert summary["coverage"] == pytest.approx(2 / 3, abs=1e-6)
    assert summary["parts"] == {"back": 1.0, "seat": 0.5}


def test_summary_by_hand():
    scores = [
        segmentation.score_pair(pair([0, 0, 1, 1], [0, 0, 1, 1], target="b")),
        segmentation.score_pair(pair([0, 0, 1, 1], [0, 1, 1, 1], target="a")),
        segmentation.score_pair(pair([0, 1], None, target="c")),
        segmentation.score_pair(pair([2, 2], [0, 0], parts=(0,), target="d")),
    ]
    summary = segmentation.summarise(scores, NAMES, 0)
    second = (1 / 2 + 2 / 3) / 2
    assert summary["mean_iou"] == round((1 + second) / 2, 6)
    assert summary["parts"] == {"back": 0.75, "seat": round((1 + 2 / 3) / 2, 6)}
    assert summary["coverage"] == round(4 / 7, 6)  # c: 0 of 2, d: 0 of 1
    assert summary["targets"] == [
        {"source": "s", "target": "a", "mean_iou": round(second, 6)},
        {"source": "s", "target": "b", "mean_iou": 1.0},
    ]
    # two targets: every bootstrap mean is one of three values
    assert summary["ci95"] == [round(second, 6), 1.0]
    assert list(summary) == [
        "mean_iou",
        "ci95",
        "mean_iou_area",
        "mean_iou_paper",
        "parts",
        "coverage",
        "targets",
    ]
    shuffled = segmentation.summarise(scores[::-1], NAMES, 0)
    assert to_json(shuffled) == to_json(summary)


def test_no_pairs_at_all():
    summary = segmentation.summarise([], NAMES, 0)
    assert summary["mean_iou"] is None and summary["ci95"] == [None, None]
    assert summary["coverage"] == 0.0 and summary["targets"] == []
    summary = keypoints.summarise([], ("a",), 0)
    assert summary["acc_010"] is None and summary["per_keypoint"] == {}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"predicted": [0]}, r"predicted: expected \(2,\), got \(1,\)"),
        ({"positions": [[0, 0, 0]]}, r"positions: expected \(2, 3\), got \(1, 3\)"),
    ],
)
def test_labelled_pairs_are_checked(change, message):
    with pytest.raises(ValueError, match=message):
        pair(**{"truth": [0, 1], "predicted": [0, 1]} | change)


# --- bootstrap ----------------------------------------------------------------------------------


def test_bootstrap_draws_targets_not_pairs():
    # ten pairs of one target are one unit: nothing varies
    assert bootstrap_ci95(list(np.arange(10.0)), ["t"] * 10, 0) == [4.5, 4.5]
    low, high = bootstrap_ci95([0.0, 1.0] * 50, [str(i) for i in range(100)], 0)
    assert 0.38 < low < 0.44 and 0.56 < high < 0.62


def test_bootstrap_weights_targets_by_their_pairs():
    low, high = bootstrap_ci95([1.0, 1.0, 1.0, 0.0], ["a", "a", "a", "b"], 3)
    assert (low, high) == (0.0, 1.0)
    values, targets = (
        [1.0, 1.0, 1.0, 0.0] * 30,
        [str(i // 4 * 2 + (i % 4 == 3)) for i in range(120)],
    )
    low, high = bootstrap_ci95(values, targets, 3)
    assert low < 0.75 < high


def test_bootstrap_is_seeded_and_blind_to_order():
    generator = np.random.default_rng(0)
    values, targets = generator.random(40), [f"t{i % 9}" for i in range(40)]
    first = bootstrap_ci95(values, targets, 5)
    order = generator.permutation(40)
    assert bootstrap_ci95(values[order], [targets[i] for i in order], 5) == first
    assert bootstrap_ci95(values, targets, 6) != first
    with pytest.raises(ValueError, match="targets: expected 1, got 2"):
        bootstrap_ci95([1.0], ["a", "b"], 0)


@pytest.mark.parametrize("count", [1, 2, 7, 130, 1001])
@pytest.mark.parametrize("entries", [1, 999, 1 << 18])
def test_bootstrap_in_blocks_of_draws_equals_all_draws_at_once(count, entries, monkeypatch):
    monkeypatch.setattr(bootstrap, "_ENTRIES", entries)
    generator = np.random.default_rng(count)
    group = np.sort(np.concatenate([np.arange(count), generator.integers(count, size=2 * count)]))
    values = generator.random(len(group))
    values = values[np.lexsort((values, group))]
    sums, pairs = np.bincount(group, weights=values), np.bincount(group)
    drawn = np.random.default_rng(4).integers(count, size=(200, count))
    means = sums[drawn].sum(axis=1) / pairs[drawn].sum(axis=1)
    expected = np.percentile(means, [2.5, 97.5]).tolist()
    assert bootstrap_ci95(values, [f"{i:05d}" for i in group], 4, draws=200) == expected


def test_bootstrap_of_many_targets_needs_little_memory():
    values, targets = np.arange(10_000.0), [str(i) for i in range(10_000)]
    tracemalloc.start()
    bootstrap_ci95(values, targets, 0, draws=500)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6  # all draws at once: 80 MB


def test_rounding():
    assert rounded({"a": (np.float32(0.5), -0.0, 1 / 3, np.int64(3), None, True)}) == {
        "a": [0.5, 0.0, 0.333333, 3, None, True]
    }
    assert str(rounded(-1e-9)) == "0.0"
    with pytest.raises(ValueError, match="expected finite numbers"):
        rounded([float("nan")])
    with pytest.raises(ValueError, match="expected numbers"):
        rounded({1, 2})


# --- keypoints ----------------------------------------------------------------------------------

POINTS = ("nose", "left_ear", "right_ear", "tail")
NAN = [np.nan] * 3


def keypoint_pair(predicted, in_source=(True, True, True, True), target="t"):
    truth = np.array([[0, 0, 0], [0.1, 0, 0.5], [-0.1, 0, 0.5], NAN])
    predicted = None if predicted is None else np.array(predicted, float)
    return KeypointPair("s", target, truth, predicted, np.array(in_source))


def test_symmetry_table():
    table = symmetry_table(POINTS, [("left_ear", "right_ear"), ("left_eye", "right_eye")])
    expected = np.eye(4, dtype=bool)
    expected[1, 2] = expected[2, 1] = True
    np.testing.assert_array_equal(table, expected)


def test_keypoints_by_hand():
    table = symmetry_table(POINTS, [("left_ear", "right_ear")])
    # nose off by .05, left ear on the right one, right ear without prediction, tail not in target
    score = keypoints.score_pair(
        keypoint_pair([[0, 0.05, 0], [-0.1, 0, 0.5], NAN, [0, 0, 0]]), table
    )
    np.testing.assert_allclose(score.error, [0.05, 0.2, np.inf])
    np.testing.assert_allclose(score.symmetric_error, [0.05, 0, np.inf])
    summary = keypoints.summarise([score], POINTS, 0)
    assert summary["acc_005"] == summary["acc_010"] == round(1 / 3, 6)
    assert summary["acc_010_symmetry"] == round(2 / 3, 6)
    assert summary["mean_error"] == 0.125
    assert summary["per_keypoint"] == {"nose": 1.0, "left_ear": 0.0, "right_ear": 0.0}
    assert summary["coverage"] == 1.0
    curve = summary["curve"]
    assert len(curve["thresholds"]) == len(curve["accuracy"]) == 21
    assert curve["thresholds"][5] == 0.05 and curve["thresholds"][-1] == 0.2
    assert curve["accuracy"][4] == 0 and curve["accuracy"][5] == round(1 / 3, 6)
    assert curve["accuracy"][20] == round(2 / 3, 6)
    assert summary["targets"] == [{"source": "s", "target": "t", "acc_010": round(1 / 3, 6)}]


def test_keypoints_that_the_source_lacks_lower_coverage():
    table = symmetry_table(POINTS, [])
    exact = [[0, 0, 0], [0.1, 0, 0.5], NAN, NAN]
    scores = [
        keypoints.score_pair(keypoint_pair(exact, (True, True, False, True)), table),
        keypoints.score_pair(keypoint_pair(None, target="u"), table),
    ]
    summary = keypoints.summarise(scores, POINTS, 0)
    assert summary["acc_010"] == 1.0 and summary["coverage"] == round(2 / 6, 6)
    assert [row["target"] for row in summary["targets"]] == ["t"]


def test_accuracy_is_a_mean_over_pairs_not_over_keypoints():
    table = symmetry_table(POINTS, [])
    scores = [
        keypoints.score_pair(
            keypoint_pair([[0, 0, 0], NAN, NAN, NAN], (1 == 1, False, False, False)), table
        ),
        keypoints.score_pair(keypoint_pair([[1, 1, 1]] * 4, target="u"), table),
    ]
    assert keypoints.summarise(scores, POINTS, 0)["acc_010"] == 0.5


def test_keypoint_pairs_are_checked():
    with pytest.raises(ValueError, match=r"predicted: expected \(4, 3\), got \(1, 3\)"):
        keypoint_pair([[0, 0, 0]])
    with pytest.raises(ValueError, match=r"in_source: expected \(4,\), got \(1,\)"):
        keypoint_pair(None, (True,))
    with pytest.raises(ValueError, match=r"symmetry: expected \(4, 4\), got \(2, 2\)"):
        keypoints.score_pair(keypoint_pair(None), np.eye(2, dtype=bool))


# --- tables -------------------------------------------------------------------------------------


def document(method, value, inputs=None, experiment="chair"):
    poses = {"aligned": {"mean_iou": value}, "random_yaw": {"mean_iou": None}}
    return method_document(experiment, "chair", method, poses, inputs or {"b": "2", "a": "1"})


def test_merging_keeps_the_frame_and_the_order_of_methods():
    documents = [document("spatial", 0.5), document("guided", 1 / 3, {"c": "3"})]
    merged = merge_documents(documents, ["guided", "spatial"])
    assert list(merged) == ["schema", "experiment", "category", "methods", "inputs"]
    assert list(merged["methods"]) == ["guided", "spatial"]
    assert merged["methods"]["guided"]["aligned"]["mean_iou"] == 0.333333
    assert list(merged["inputs"].items()) == [("a", "1"), ("b", "2"), ("c", "3")]
    text = to_json(merged)
    assert json.loads(text) == merged and text.endswith("}\n")
    assert to_json(merge_documents(documents[::-1], ["guided", "spatial"])) == text


@pytest.mark.parametrize(
    ("documents", "methods", "message"),
    [
        ([], [], "at least one"),
        ([document("a", 0.1), document("a", 0.2)], ["a"], "'a' twice"),
        ([document("a", 0.1)], ["a", "b"], r"methods: expected \['a', 'b'\], got \['a'\]"),
        (
            [document("a", 0.1), document("b", 0.1, experiment="x")],
            ["a", "b"],
            "experiment: expected",
        ),
        ([document("a", 0.1), document("b", 0.1, {"a": "9"})], ["a", "b"], "a has two hashes"),
    ],
)
def test_merging_refuses(documents, methods, message):
    with pytest.raises(ValueError, match=message):
        merge_documents(documents, methods)


def test_rendered_tables():
    merged = merge_documents(
        [document("spatial", 0.5), document("guided", 0.75)], ["spatial", "guided"]
    )
    assert render(merged) == (
        "method   aligned  random_yaw\n"
        "----------------------------\n"
        "spatial   0.500            -\n"
        "guided    0.750*           -\n"
    )
