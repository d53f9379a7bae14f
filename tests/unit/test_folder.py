import json

import numpy as np
import pytest

from semcorr.datasets.folder import read_item_mesh, read_keypoints, read_labels, read_symmetry
from semcorr.errors import ItemError
from semcorr.geometry.transforms import apply

# a quadrilateral and two triangles, in another place and size than the world's
OBJ = "v 1 1 3\nv 3 1 3\nv 3 5 3\nv 1 5 3\nv 2 3 4\nv 90 90 90\nf 1 2 3 4\nf 1 2 5\nf 3 4 5\n"
ROW = {"id": "a", "file": "meshes/a.obj", "up": "+y", "front": "+z"}


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "set"
    for folder in ("meshes", "labels", "keypoints"):
        (root / folder).mkdir(parents=True)
    (root / "meshes" / "a.obj").write_text(OBJ)
    return root


def write(root, kind, content):
    text = content if isinstance(content, str) else json.dumps(content)
    (root / kind / "a.json").write_text(text)


def test_mesh_in_the_world_frame(root):
    mesh, file_from_world = read_item_mesh(root, ROW)
    assert np.allclose(mesh.vertices[0], [-0.25, 0.125, -0.5])
    assert np.allclose(mesh.vertices[2], [0.25, 0.125, 0.5])
    assert np.allclose(mesh.vertices[4], [0, -0.125, 0])
    assert np.allclose(apply(file_from_world, mesh.vertices)[:2], [[1, 1, 3], [3, 1, 3]])
    default, _ = read_item_mesh(root, {"file": "meshes/a.obj", "up": "", "front": ""})
    assert np.array_equal(default.vertices, mesh.vertices)
    other, _ = read_item_mesh(root, ROW | {"up": "+z", "front": "-y"})
    assert np.allclose(other.vertices[2], [0.25, 0.5, -0.125])


@pytest.mark.parametrize(
    "change, status, reason",
    [
        ({"file": "meshes/b.obj"}, "missing", "meshes/b.obj: the file is missing"),
        ({"file": "../b.obj"}, "outside", "leaves the folder"),
        ({"file": "/etc/hostname"}, "outside", "leaves the folder"),
        ({"file": "meshes/link.obj"}, "outside", "leaves the folder"),
        ({"up": "y"}, "failed", "a.obj: wrong up axis 'y'"),
        ({"up": "+z", "front": "-z"}, "failed", "a.obj: up '.z' and front '-z' are parallel"),
    ],
)
def test_wrong_rows(root, change, status, reason):
    (root.parent / "b.obj").write_text(OBJ)
    (root / "meshes" / "link.obj").symlink_to(root.parent / "b.obj")
    with pytest.raises(ItemError, match=reason) as caught:
        read_item_mesh(root, ROW | change)
    assert caught.value.status == status


def test_max_vertices_and_materials_elsewhere_in_the_set(root):
    with pytest.raises(ItemError, match="more than the 5"):
        read_item_mesh(root, ROW, max_vertices=5)
    (root / "look.mtl").write_text("newmtl a\nKd 1 0 0\n")
    (root / "meshes" / "a.obj").write_text("mtllib ../look.mtl\nusemtl a\n" + OBJ)
    assert read_item_mesh(root, ROW)[0].materials[0].base_color == (1.0, 0.0, 0.0, 1.0)


def test_labels_of_polygons(root):
    mesh, _ = read_item_mesh(root, ROW)
    assert read_labels(root, "a", mesh) is None
    write(root, "labels", {"names": ["seat", "leg"], "faces": [1, "seat", -1]})
    names, labels = read_labels(root, "a", mesh)
    assert names == ("seat", "leg")
    assert labels.dtype == np.int16 and labels.tolist() == [1, 1, 0, -1]


def test_labels_of_vertices_by_majority(root):
    mesh, _ = read_item_mesh(root, ROW)
    # triangles 0 1 2, 0 2 3, 0 1 4, 2 3 4
    for entries, expected in (
        ([2, 1, 1, 2, 0, 0], [1, 2, 0, 0]),
        ([None, -1, 1, 2, 2, 0], [-1, 1, -1, 2]),
        ([2, 1, 0, 0, 1, 0], [0, 0, 1, 0]),
    ):
        write(root, "labels", {"names": ["a", "b", "c"], "vertices": entries})
        assert read_labels(root, "a", mesh)[1].tolist() == expected


@pytest.mark.parametrize(
    "content, reason",
    [
        ("{", "is not JSON"),
        ("", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "expected an object"),
        ({"faces": [0, 0, 0]}, "'names'"),
        ({"names": "ab", "faces": [0, 0, 0]}, "'names'"),
        ({"names": ["a", "a"], "faces": [0, 0, 0]}, "twice"),
        ({"names": ["a", "\ud800"], "faces": [0, 0, 0]}, "half of a surrogate pair"),
        (
            {"names": [f"part {n}" for n in range(40_000)], "faces": [39_999, 0, 0]},
            "has 40000 label names, more than 1000",
        ),
        ({"names": ["a"], "faces": [10**400, 0, 0]}, "out of range"),
        ({"names": ["a"]}, "needs one of"),
        ({"names": ["a"], "faces": [], "vertices": []}, "needs one of"),
        ({"names": ["a"], "faces": [0, 0]}, "has 2 labels, but the mesh has 3 faces"),
        ({"names": ["a"], "faces": [0, 0, 0, 0]}, "has 4 labels, but the mesh has 3 faces"),
        ({"names": ["a"], "vertices": [0]}, "has 1 labels, but the mesh has 6 vertices"),
        ({"names": ["a"], "faces": 5}, "has int labels"),
        ({"names": ["a"], "faces": [0, 1, 0]}, r"label 1 is out of range .faces\[1\]"),
        ({"names": ["a"], "faces": [0, -2, 0]}, "label -2 is out of range"),
        ({"names": ["a"], "faces": [0, 0, "b"]}, r"unknown label 'b' .faces\[2\]"),
        ({"names": ["a"], "faces": [0, 0.0, 0]}, "unknown label 0.0"),
        ({"names": ["a"], "faces": [0, True, 0]}, "unknown label True"),
        ({"names": ["a"], "faces": [0, [0], 0]}, "unknown label"),
    ],
)
def test_malformed_labels(root, content, reason):
    mesh, _ = read_item_mesh(root, ROW)
    write(root, "labels", content)
    with pytest.raises(ItemError, match=rf"^labels/a\.json: .*({reason})"):
        read_labels(root, "a", mesh)


def test_keypoints(root):
    mesh, file_from_world = read_item_mesh(root, ROW)
    assert read_keypoints(root, "a", mesh, file_from_world) is None
    points, vertices = [[3, 5, 3], None, [2, 3, 4]], [2, -1, 4]
    for content in ({"points": points, "vertices": vertices}, {"points": points},
                    {"vertices": [2, None, 4]}):  # fmt: skip
        write(root, "keypoints", {"names": ["x", "y", "z"], **content})
        names, world, found = read_keypoints(root, "a", mesh, file_from_world)
        assert names == ("x", "y", "z")
        assert found.tolist() == [2, -1, 4] and found.dtype == np.int32
        assert np.allclose(world[[0, 2]], mesh.vertices[[2, 4]])
        assert np.isnan(world[1]).all()


def test_keypoints_far_from_their_shape_are_named_in_the_log(root, caplog):
    mesh, file_from_world = read_item_mesh(root, ROW)
    points = [[3, 5, 3], [9000, 5, 3], None]
    write(root, "keypoints", {"names": ["near", "far", "absent"], "points": points})
    assert read_keypoints(root, "a", mesh, file_from_world)[1].shape == (3, 3)
    (message,) = caplog.messages
    assert message.startswith("keypoints/a.json: keypoint 'far' lies ")


def test_nearest_vertex_is_one_that_a_face_uses(root):
    mesh, file_from_world = read_item_mesh(root, ROW)
    write(root, "keypoints", {"names": ["x"], "points": [[90, 90, 90]]})
    assert read_keypoints(root, "a", mesh, file_from_world)[2][0] != 5


@pytest.mark.parametrize(
    "content, reason",
    [
        ({"names": ["x"]}, "needs 'points' or 'vertices'"),
        ({"names": ["x"], "points": []}, "list of 1 entries"),
        ({"names": ["x"], "vertices": [0, 1]}, "list of 1 entries"),
        ({"names": ["x"], "points": [[0, 0]]}, r"points\[0\] is not three finite"),
        ({"names": ["x"], "points": [["a", 0, 0]]}, "three finite"),
        ('{"names": ["x"], "points": [[NaN, 0, 0]]}', "three finite"),
        ({"names": ["x"], "points": [[10**400, 0, 0]]}, r"points\[0\] is not three finite"),
        ({"names": ["x"], "vertices": [10**400]}, "out of range"),
        ('{"names": ["x"], "points": [[1' + "0" * 5000 + ", 0, 0]]}", "is not JSON"),
        ({"names": ["x"], "vertices": [6]}, "vertex 6 is out of range"),
        ({"names": ["x"], "vertices": [-2]}, "vertex -2 is out of range"),
        ({"names": ["x"], "vertices": [0.5]}, "vertex 0.5 is out of range"),
        ("nonsense", "is not JSON"),
    ],
)
def test_malformed_keypoints(root, content, reason):
    mesh, file_from_world = read_item_mesh(root, ROW)
    write(root, "keypoints", content)
    with pytest.raises(ItemError, match=rf"^keypoints/a\.json: .*({reason})"):
        read_keypoints(root, "a", mesh, file_from_world)


@pytest.mark.parametrize("item_id", ["../labels/a", "/etc/passwd", "x/y"])
def test_ids_cannot_leave_the_folder(root, item_id):
    mesh, _ = read_item_mesh(root, ROW)
    with pytest.raises(ItemError, match="leaves the folder"):
        read_labels(root, item_id, mesh)


def test_symmetry(root):
    assert read_symmetry(root) == []
    (root / "symmetry.json").write_text('{"keypoints": [["l", "r"]], "labels": [["a", "b"]]}')
    assert read_symmetry(root) == [["l", "r"]]
    for wrong in ('{"keypoints": [["a", 1]]}', '{"keypoints": "ab"}', "[1]", "x"):
        (root / "symmetry.json").write_text(wrong)
        with pytest.raises(ItemError, match="symmetry.json"):
            read_symmetry(root)


@pytest.mark.parametrize("name", ["labels/a.json", "keypoints/a.json", "symmetry.json"])
def test_links_of_truth_cannot_leave_the_folder(root, name):
    mesh, file_from_world = read_item_mesh(root, ROW)
    target = root.parent / "secret.json"
    target.write_text('{"names": ["x"], "vertices": [0], "keypoints": [["left", "right"]]}')
    (root / name).symlink_to(target)
    read = {
        "labels/a.json": lambda: read_labels(root, "a", mesh),
        "keypoints/a.json": lambda: read_keypoints(root, "a", mesh, file_from_world),
        "symmetry.json": lambda: read_symmetry(root),
    }[name]
    with pytest.raises(ItemError, match=f"{name}: leaves the folder") as caught:
        read()
    assert caught.value.status == "outside"
