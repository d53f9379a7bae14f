"""Part labels of ShapeNet shapes against values written by hand, and files that cannot be used."""

import json
import os

import numpy as np
import pytest
from shapenet_bytes import (
    BODY,
    FACE_PARTS,
    IDS,
    SYNSET,
    WING,
    points_text,
    write_points,
    write_set,
)
from shapenet_sets import context, load_truth, members, whole

from semcorr.datasets import members as item_lists
from semcorr.datasets import shapenet_items
from semcorr.datasets.context import DatasetContext, truth_to_arrays
from semcorr.datasets.shapenet import open_meshes, part_truth
from semcorr.datasets.turned import open_meshes as turned_meshes
from semcorr.datasets.turned import open_truth as turned_truth
from semcorr.errors import ItemError
from semcorr.geometry.mesh_arrays import sites_of, to_arrays
from semcorr.stages.matched.pose_pairs import true_site_labels
from semcorr.store.memory import MemoryReader

FIRST, SECOND = IDS


@pytest.fixture(autouse=True)
def _no_cache():
    shapenet_items._members.cache_clear()
    shapenet_items.points_folder.cache_clear()


@pytest.fixture
def entry(tmp_path):
    return write_set(tmp_path)


# (x, y, z) of the file -> part, read off the picture of the aeroplane
BY_HAND = [
    ((0.0, 0.05, -0.4), BODY),  # nose
    ((0.0, -0.05, 0.4), BODY),  # tail end
    ((-0.05, 0.0, 0.0), BODY),  # left side, where there is no wing
    ((0.3, 0.01, 0.1), WING),  # tip, rear edge
    ((0.2, -0.01, 0.0), WING),  # below the middle of the wing
    ((0.12, 0.01, -0.1), WING),  # front edge, near the root
]


def labels_at(truth, arrays, file_positions):
    """Return the label of positions of the file, by the same way as sites are labelled."""
    world_from_file = np.linalg.inv(arrays["file_from_world"])
    points = np.column_stack([file_positions, np.ones(len(file_positions))])
    sites = sites_of(arrays)
    sites = type(sites)((points @ world_from_file.T)[:, :3], len(points), sites.faces[:0],
                        sites.sample_face[:0], sites.sample_barycentric[:0])  # fmt: skip
    return true_site_labels(sites, truth, np.arange(len(truth.label_names) + 1)).tolist()


@pytest.mark.parametrize("mirrored", [False, True])
def test_labels_are_those_written_by_hand(entry, tmp_path, mirrored):
    write_points(tmp_path / "PartNet", FIRST, points_text(mirrored))
    arrays, truth = load_truth(entry, FIRST)
    assert truth.label_names == ("body", "wing")
    assert truth.face_labels.tolist() == FACE_PARTS
    positions, parts = zip(*BY_HAND, strict=True)
    assert labels_at(truth, arrays, positions) == list(parts)


def test_the_published_alignment_mirrors_an_asymmetric_shape(entry, tmp_path):
    """The points of the one wing come to lie on the other side: half of its labels are lost."""
    arrays, truth = load_truth(entry, FIRST, legacy_alignment=True)
    assert labels_at(truth, arrays, [(0.3, 0.01, 0.1)]) == [BODY]
    write_points(tmp_path / "PartNet", FIRST, points_text(mirrored=True))
    arrays, truth = load_truth(entry, FIRST, legacy_alignment=True)
    assert labels_at(truth, arrays, [(0.3, 0.01, 0.1)]) == [WING]


def test_parts_are_merged_into_classes_and_the_others_left_out(entry, tmp_path):
    labels = {"labels": {12: "fuselage", 15: "left wing"}}
    write_points(tmp_path / "PartNet", FIRST, points_text(labels=(12, 15)))
    for classes, names, body, wing in (
        ({}, ("fuselage", "left wing"), 0, 1),
        ({"b": ["left wing"], "a": ["fuselage"]}, ("a", "b"), 0, 1),
        ({"all": ["left wing", "fuselage"]}, ("all",), 0, 0),
        ({"wing": ["left wing"]}, ("wing",), 0, 0),
    ):
        _, truth = load_truth(entry, FIRST, classes=classes, **labels)
        assert truth.label_names == names
        assert set(truth.face_labels[:12]) == {body} and set(truth.face_labels[12:]) == {wing}
    # of a part in no class no point is left
    assert len(truth.label_points) == 50


def test_annotations_count_before_points_and_are_in_the_published_frame(entry, tmp_path):
    """Positions of voxels with the front at +Y: (x, y, z) of the file is (x, -z, y) / 0.8 there."""
    home = tmp_path / "test" / SYNSET
    home.mkdir(parents=True)
    annotation = {
        "body1": [[-0.15625, -0.5, 0.0], [-0.15625, 0.0, 0.0], [-0.15625, 0.5, 0.0]],
        "wing1": [[0.03125, 0.0, 0.0], [0.21875, 0.0, 0.0]],
    }
    (home / f"{FIRST}.json").write_text(json.dumps(annotation))
    changes = {
        "annotations": str(tmp_path / "test"),
        "classes": {"body": ["body1", "body"], "wing": ["wing1", "wing"]},
    }
    arrays, truth = load_truth(entry, FIRST, **changes)
    assert len(truth.label_points) == 5
    positions, parts = zip(*BY_HAND, strict=True)
    assert labels_at(truth, arrays, positions) == list(parts)
    assert len(load_truth(entry, SECOND, **changes)[1].label_points) == 118
    datasets = whole(entry, **changes)
    files = item_lists.truth_files(datasets["planes"], list(members(entry).values()))
    assert [os.path.basename(f) for f in files] == [
        f"{FIRST}.json", f"{FIRST}.txt", f"{SECOND}.txt"]  # fmt: skip


@pytest.mark.parametrize("layout", [f"{SYNSET}_airplane/points", SYNSET, f"{SYNSET}/points"])
def test_layouts_of_points(tmp_path, layout):
    (tmp_path / f"{SYNSET}0/points").mkdir(parents=True)  # no folder of this synset
    (tmp_path / layout).mkdir(parents=True)
    assert shapenet_items.points_folder(str(tmp_path), SYNSET) == str(tmp_path / layout)


def test_a_shape_without_points_has_no_labels(entry, tmp_path):
    os.remove(tmp_path / f"PartNet/{SYNSET}_airplane/points/{FIRST}.txt")
    _, truth = load_truth(entry, FIRST)
    assert truth.label_names == () and set(truth.face_labels) == {-1}
    assert load_truth(entry, FIRST, points=None, labels={})[1].label_names == ()


ROW = "0.1 0.2 0.3 0 1 0 1.0\n"
MALFORMED = {
    "letters": (ROW + "0.1 0.2 zero 0 1 0 1.0\n", "is not 7 numbers a line"),
    "columns missing": (("0.1 0.2 0.3 1.0\n") * 4, "has 4 columns"),
    "columns too many": ((ROW.strip() + " 5\n") * 4, "has 8 columns"),
    "another count in one row": (ROW * 3 + "0.1 0.2 0.3 0 1 0\n", "is not 7 numbers a line"),
    "cut off": (ROW * 3 + "0.1 0.2", "is not 7 numbers a line"),
    "NaN": (ROW + "nan 0.2 0.3 0 1 0 1.0\n", r"NaN or infinite positions \(point 1\)"),
    "infinite": ("0 0 inf 0 1 0 1.0\n", "NaN or infinite positions"),
    "label NaN": (ROW + "0.5 0.2 0.3 0 1 0 nan\n", "label nan of point 1"),
    "label a fraction": (ROW + "0.5 0.2 0.3 0 1 0 0.5\n", "label 0.5 of point 1"),
    "label negative": (ROW + "0.5 0.2 0.3 0 1 0 -1\n", "label -1.0 of point 1"),
    "label huge": (ROW + "0.5 0.2 0.3 0 1 0 1e300\n", "of point 1 is no number of 0..1000"),
    "label without a name": (ROW + "0.5 0.2 0.3 0 1 0 7\n", "label 7 has no name in `labels`"),
    "empty": ("", "has no points"),
    "blank": ("\n \n", "has no points"),
    "one place": (ROW * 3, "no usable extent"),
    "commas": ("0.1,0.2,0.3,0,1,0,1\n", "is not 7 numbers a line"),
}


@pytest.mark.parametrize("what", MALFORMED)
def test_malformed_points_are_rows_with_a_reason(entry, tmp_path, what):
    text, reason = MALFORMED[what]
    write_points(tmp_path / "PartNet", FIRST, text)
    with pytest.raises(ItemError, match=reason) as refused:
        load_truth(entry, FIRST)
    assert refused.value.status == "failed"
    assert load_truth(entry, SECOND)[1].label_names  # the others are not harmed


def test_points_that_are_no_text_or_too_large(entry, tmp_path, monkeypatch):
    path = write_points(tmp_path / "PartNet", FIRST)
    path.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(ItemError, match="is no text"):
        load_truth(entry, FIRST)
    monkeypatch.setattr("semcorr.datasets.part_points.MAX_BYTES", 100)
    path.write_text(ROW * 5)
    with pytest.raises(ItemError, match="larger than the 100 bytes allowed"):
        load_truth(entry, FIRST)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "expected an object of parts"),
        ("{}", "expected an object of parts"),
        ('{"wing": []}', "part 'wing' is not a list"),
        ('{"wing": [[0, 1]]}', "part 'wing' is not a list"),
        ('{"wing": [["a", 0, 1]]}', "part 'wing' is not a list"),
        ('{"wing": {"x": 1}}', "part 'wing' is not a list"),
        ('{"wing": [[0, 0, 0], [0, 0]]}', "part 'wing' is not a list"),
        ('{"wing": [[0, 0, NaN]]}', "part 'wing' holds NaN"),
        ('{"wing": [[1' + "0" * 400 + ", 0, 0]]}", "part 'wing'"),
        ('{"rudder": [[0, 0, 0]]}', "none of its parts is in a class"),
    ],
)
def test_malformed_annotations_are_rows_with_a_reason(entry, tmp_path, content, reason):
    home = tmp_path / "test" / SYNSET
    home.mkdir(parents=True)
    (home / f"{FIRST}.json").write_text(content)
    changes = {"annotations": str(tmp_path / "test"), "classes": {"wing": ["wing"]}}
    with pytest.raises(ItemError, match=reason):
        load_truth(entry, FIRST, **changes)


def test_points_that_leave_their_folder_are_refused(entry, tmp_path):
    path = write_points(tmp_path / "PartNet", FIRST)
    path.rename(tmp_path / "secret.txt")
    path.symlink_to(tmp_path / "secret.txt")
    found = list(members(entry).values())
    files = item_lists.truth_files(whole(entry)["planes"], found)
    assert [os.path.basename(f) for f in files] == [f"{SECOND}.txt"]
    with pytest.raises(ItemError) as refused:
        load_truth(entry, FIRST)
    assert refused.value.status == "outside"


def test_part_truth_is_the_same_every_time(entry, tmp_path):
    mesh, _ = open_meshes(context(entry))(FIRST)
    path = tmp_path / f"PartNet/{SYNSET}_airplane/points/{FIRST}.txt"
    cfg = whole(entry)["planes"]
    first, second = (truth_to_arrays(part_truth(path, mesh, cfg)) for _ in range(2))
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_labels_turn_with_a_turned_shape(entry):
    arrays, truth = load_truth(entry, FIRST)
    reader, of_truth = (MemoryReader({FIRST: a}) for a in (arrays, truth_to_arrays(truth)))
    turned = DatasetContext(
        {"yaw": 30.0, "rotation": "yaw"}, 0, {}, {}, meshes=reader, truth=of_truth
    )
    mesh, _ = turned_meshes(turned)(FIRST)
    there = turned_truth(turned)(FIRST)
    sites = sites_of(to_arrays(mesh, np.eye(4), 0, FIRST))
    before = true_site_labels(sites_of(arrays), truth, np.arange(3))
    after = true_site_labels(sites, there, np.arange(3))
    vertices = sites.num_vertices
    assert np.array_equal(after[:vertices], before[:vertices])
    assert np.mean(after == before) > 0.99  # a sample may fall into the next triangle
    # not turned along, the points would label other places
    wrong = true_site_labels(sites, truth, np.arange(3))
    assert np.mean(wrong == before) < 0.97
