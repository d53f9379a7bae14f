"""Labels, keypoints and colours carried through a map."""

import json
from collections import Counter
from pathlib import Path

import label_transfer
import numpy as np
import pytest

from semcorr.errors import ItemError
from semcorr.geometry.part_labels import labels_from_annotation, merge_labels
from semcorr.matching.cells import CellMatches, centres
from semcorr.transfer.colours import (
    label_palette,
    spatial_rainbow,
    transfer_colours,
)
from semcorr.transfer.keypoints import transfer_keypoints
from semcorr.transfer.labels import (
    cell_labels,
    majority_labels,
    transfer_cell_labels,
    transfer_labels,
)

# --- labels -------------------------------------------------------------------------------------


def test_whole_chain_equals_plain_loops():
    inputs = label_transfer.example(900, 700)
    iou, weighted = label_transfer.fast_run(inputs)
    plain_iou, plain_weighted = label_transfer.plain_run(inputs)
    np.testing.assert_allclose(iou, plain_iou, atol=1e-12)
    assert weighted == pytest.approx(plain_weighted, abs=1e-12)
    assert 0 < weighted < 1


def test_what_tables_count_equals_plain_loops():
    inputs = label_transfer.scored_example()
    (iou, paper), (plain_iou, plain_paper) = (
        label_transfer.fast_scores(inputs),
        label_transfer.plain_scores(inputs),
    )
    assert list(iou) == list(plain_iou) == list(range(label_transfer.PARTS))
    np.testing.assert_allclose(list(iou.values()), list(plain_iou.values()), atol=1e-12)
    assert paper == pytest.approx(plain_paper, abs=1e-12)


def test_the_plain_functions_of_the_benchmark_have_parity():
    case = Path(__file__).parents[1] / "parity/fixtures/nsr/label_transfer_iou"
    annotation = json.loads((case / "source_annotation.json").read_text())
    config = json.loads((case / "case.json").read_text())["config"]
    listed = {name: np.array(points) for name, points in annotation.items()}
    with np.load(case / "inputs.npz") as inputs, np.load(case / "expected.npz") as expected:
        voxels = inputs["source_voxels64_file_order"]
        labels = label_transfer.plain_annotation(centres(voxels, 64), listed, config["labels"])
        assert labels == expected["source_voxel_labels_file_order"].tolist()
        of_cell = label_transfer.plain_cell_labels(voxels, labels, "first")
        assert list(of_cell.values()) == expected["source_cell_labels"].tolist()
        predicted = expected["target_voxel_labels_file_order"]
        parts = label_transfer.plain_cell_labels(
            inputs["target_voxels64_file_order"], predicted, "smallest"
        )
        classes = label_transfer.plain_merge(parts.values(), config["gt_labels_con"])
        assert classes == expected["target_cell_class_labels"].tolist()
        ious, weighted = label_transfer.plain_iou(
            expected["target_cell_gt_classes"].tolist(), classes
        )
        np.testing.assert_allclose(ious, expected["per_class_iou"], atol=1e-12)
        assert weighted == pytest.approx(float(expected["weighted_iou_original"]), abs=1e-12)


def test_annotation_takes_the_nearest_part_and_the_first_of_equals():
    annotation = {"seat": [[0.0, 0, 0]], "leg": [[1.0, 0, 0], [0, 2, 0]]}
    points = np.array([[0.1, 0, 0], [0.5, 0, 0], [0.9, 0, 0], [0, 1.5, 0]])
    assert labels_from_annotation(points, annotation, ["seat", "leg"]).tolist() == [0, 0, 1, 1]
    assert labels_from_annotation(points, annotation, ["leg", "seat"]).tolist() == [1, 0, 0, 0]
    assert labels_from_annotation(np.zeros((0, 3)), annotation, ["seat"]).tolist() == []


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        ({"leg": [[0, 0, 0]]}, "part 'seat' needs a list"),
        ({"seat": [], "leg": [[0, 0, 0]]}, "part 'seat' needs a list"),
        ({"seat": [[0, 0]], "leg": [[0, 0, 0]]}, r"part 'seat' needs a list of \(x, y, z\)"),
        ({"seat": [[np.nan, 0, 0]], "leg": [[0, 0, 0]]}, "part 'seat' holds NaN"),
    ],
)
def test_bad_annotations(annotation, message):
    with pytest.raises(ItemError, match=message):
        labels_from_annotation(np.zeros((1, 3)), annotation, ["seat", "leg"])


def test_majority_tie_rules_by_hand():
    groups = np.array([0, 0, 0, 0, 1, 1, 1, 2])
    labels = np.array([7, 3, 3, 7, 5, -1, -1, -1])
    assert majority_labels(groups, labels, 4, "smallest").tolist() == [3, 5, -1, -1]
    assert majority_labels(groups, labels, 4, "first").tolist() == [7, 5, -1, -1]


@pytest.mark.parametrize("ties", ["first", "smallest"])
def test_majority_equals_counting(ties):
    generator = np.random.default_rng(0)
    groups, labels = generator.integers(40, size=300), generator.integers(-1, 5, size=300)
    found = majority_labels(groups, labels, 40, ties)
    tied = 0
    for group in range(40):
        counts = Counter(int(label) for label in labels[groups == group] if label >= 0)
        if not counts:
            assert found[group] == -1
            continue
        best = [label for label, count in counts.items() if count == max(counts.values())]
        tied += len(best) > 1
        assert found[group] == (best[0] if ties == "first" else min(best))
    assert tied


def test_majority_of_nothing():
    empty = np.zeros(0, int)
    assert majority_labels(empty, empty, 0).tolist() == []
    assert majority_labels(empty, empty, 2, "first").tolist() == [-1, -1]
    with pytest.raises(ValueError, match=r"groups: expected 0..1, got 2..2"):
        majority_labels(np.array([2]), np.array([0]), 2)
    with pytest.raises(ValueError, match=r"labels: expected \(1,\), got \(2,\)"):
        majority_labels(np.array([0]), np.array([0, 1]), 1)
    with pytest.raises(ValueError, match="ties: expected 'first' or 'smallest'"):
        majority_labels(np.array([0]), np.array([0]), 1, "last")


def test_cells_take_the_majority_in_file_order():
    voxels = np.array([[5, 0, 0], [1, 0, 0], [4, 1, 1], [0, 1, 0]])
    cells, labels = cell_labels(voxels, np.array([2, 1, 0, 3]), 8, 4, "first")
    assert cells.tolist() == [[0, 0, 0], [1, 0, 0]]
    assert labels.tolist() == [1, 2]
    assert cell_labels(voxels, np.array([2, 1, 0, 3]), 8, 4)[1].tolist() == [1, 0]


def test_labels_through_a_cell_map():
    matches = CellMatches(
        2, np.array([[0, 0, 0], [1, 1, 1]]), np.array([[1, 0, 0], [0, 1, 0]]), None, None
    )
    voxels = np.array([[7, 7, 7], [0, 3, 0], [0, 0, 7]])
    labels = transfer_cell_labels(voxels, matches, np.array([[1, 0, 0]]), np.array([4]), 8)
    assert labels.tolist() == [-1, 4, -1]  # unlabelled partner, labelled partner, no partner


def test_labels_through_a_map_of_sites():
    assert transfer_labels(np.array([5, -1, 6]), np.array([2, -1, 1, 0])).tolist() == [6, -1, -1, 5]
    with pytest.raises(ValueError, match="expected indices below 3, got 3"):
        transfer_labels(np.array([5, -1, 6]), np.array([3]))


def test_merging_of_parts():
    merging = [(1, 0), (2, 1), (3, 2)]
    assert merge_labels(np.array([0, 1, 2, 3, 4, 5, -1]), merging).tolist() == [
        0,
        1,
        1,
        2,
        2,
        2,
        -1,
    ]
    with pytest.raises(ValueError, match="labels: expected below 6"):
        merge_labels(np.array([6]), merging)


# --- keypoints ----------------------------------------------------------------------------------


def test_keypoints_follow_the_map():
    source = np.array([[0.0, 0, 0], [1, 0, 0], [2, 0, 0]])
    target = np.array([[0.0, 5, 0], [0, 6, 0]])
    keypoints = np.array([[0.9, 0.1, 0], [np.nan] * 3, [2.1, 0, 0], [-1, 0, 0]])
    found = transfer_keypoints(keypoints, source, target, np.array([0, 1, -1]))
    expected = [[0, 6, 0], [np.nan] * 3, [np.nan] * 3, [0, 5, 0]]
    np.testing.assert_array_equal(found, expected)
    assert transfer_keypoints(np.zeros((0, 3)), source, target, np.zeros(3, int)).shape == (0, 3)


def test_keypoints_refuse_what_does_not_fit():
    with pytest.raises(ValueError, match=r"source_to_target: expected \(1,\), got \(2,\)"):
        transfer_keypoints(np.zeros((1, 3)), np.zeros((1, 3)), np.zeros((1, 3)), np.zeros(2, int))
    with pytest.raises(ValueError, match=r"source_keypoints: expected \(k, 3\)"):
        transfer_keypoints(np.zeros(3), np.zeros((1, 3)), np.zeros((1, 3)), np.zeros(1, int))


# --- colours ------------------------------------------------------------------------------------


def plain_rainbow(points):
    """HNSR section 6.1, point by point and axis by axis."""
    ends = [
        ((255, 0, 0), (0, 255, 255)),
        ((0, 255, 0), (255, 0, 255)),
        ((0, 0, 255), (255, 255, 0)),
    ]
    low, high = points.min(axis=0), points.max(axis=0)
    rows = []
    for point in points:
        total = np.zeros(3)
        for axis, (start, end) in enumerate(ends):
            n = (point[axis] - low[axis]) / (high[axis] - low[axis] + 1e-8)
            total += (1 - n) * np.array(start) + n * np.array(end)
        rows.append(np.rint(total / 3))
    return np.array(rows)


def test_rainbow_corners_by_hand():
    colours = spatial_rainbow(np.array([[0, 0, 0], [10, 20, 30], [10, 0, 0]]))
    third = 1 / 3
    np.testing.assert_allclose(colours[0], [third] * 3, atol=1e-6)
    np.testing.assert_allclose(colours[1], [2 * third] * 3, atol=1e-6)
    # x at its end (0,1,1), y at its start (0,1,0), z at its start (0,0,1)
    np.testing.assert_allclose(colours[2], [0, 2 * third, 2 * third], atol=1e-6)
    assert colours.dtype == np.float32
    assert spatial_rainbow(np.zeros((0, 3))).shape == (0, 3)
    assert np.isfinite(spatial_rainbow(np.ones((4, 3)))).all()
    points = np.random.default_rng(0).integers(0, 64, size=(200, 3)).astype(float)
    np.testing.assert_allclose(255 * spatial_rainbow(points), plain_rainbow(points), atol=0.51)


def test_palette_is_published_then_distinct():
    palette = label_palette(30)
    np.testing.assert_allclose(palette[0] * 255, (196, 151, 178))
    np.testing.assert_allclose(palette[8] * 255, (157, 195, 231))
    np.testing.assert_array_equal(palette[:5], label_palette(5))
    assert palette.min() >= 0 and palette.max() <= 1
    distances = np.linalg.norm(palette[:, None] - palette[None], axis=2) + np.eye(30)
    assert distances.min() > 0.03
    assert label_palette(0).shape == (0, 3)


def test_colours_follow_the_map():
    colours = np.array([[1.0, 0, 0], [0, 1, 0]])
    found = transfer_colours(colours, np.array([1, -1, 0]), missing=(0, 0, 1))
    assert found.tolist() == [[0, 1, 0], [0, 0, 1], [1, 0, 0]]
    with pytest.raises(ValueError, match="expected indices below 2, got 2"):
        transfer_colours(colours, np.array([2]))
    with pytest.raises(ValueError, match=r"source_colours: expected \(s, 3\)"):
        transfer_colours(np.zeros((2, 4)), np.array([0]))
