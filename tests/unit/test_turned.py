import numpy as np
import pytest
import trimesh

from semcorr.datasets.context import DatasetContext, Truth, truth_to_arrays
from semcorr.datasets.procedural import generate
from semcorr.datasets.turned import (
    angle_of,
    open_meshes,
    open_truth,
    random_rotation,
    turn,
    turn_mesh,
)
from semcorr.geometry.mesh import Mesh
from semcorr.geometry.mesh_arrays import to_arrays
from semcorr.geometry.transforms import apply, rotation_yaw
from semcorr.store.memory import MemoryReader


def test_angles_depend_on_seed_and_id_only():
    angles = np.array([angle_of(0, f"chair_{i}", "random") for i in range(400)])
    assert angles.min() >= 0 and angles.max() < 2 * np.pi
    assert np.histogram(angles, 8, (0, 2 * np.pi))[0].min() > 25
    assert angle_of(0, "chair_7", "random") == angles[7]
    assert angle_of(1, "chair_7", "random") != angles[7]
    assert angle_of(5, "anything", 90.0) == np.pi / 2


def test_turn_is_counter_clockwise_about_z():
    assert np.allclose(turn(np.array([[1.0, 0, 5]]), np.pi / 2), [[0, 1, 5]])


def test_turned_mesh_fills_the_cube_again():
    box = trimesh.creation.box(extents=[1, 0.5, 0.25])
    mesh = Mesh(np.concatenate([box.vertices, [[7, 7, 7]]]), box.faces)
    turned, matrix = turn_mesh(mesh, rotation_yaw(0.7))
    used = turned.vertices[:-1]
    assert np.isclose(np.ptp(used, axis=0).max(), 1)
    assert np.allclose(used.max(axis=0) + used.min(axis=0), 0)
    assert np.allclose(apply(matrix, mesh.vertices), turned.vertices)
    scale = np.cbrt(np.linalg.det(matrix))
    assert np.allclose(turned.vertices, scale * turn(mesh.vertices, 0.7))
    assert np.array_equal(turned.faces, mesh.faces)


def test_free_rotations_are_uniform_and_depend_on_seed_and_id_only():
    found = np.stack([random_rotation(0, f"chair_{i}") for i in range(2000)])
    np.testing.assert_allclose(
        found @ found.transpose(0, 2, 1), np.tile(np.eye(3), (2000, 1, 1)), atol=1e-12
    )
    np.testing.assert_allclose(np.linalg.det(found), 1)
    # of a uniform rotation every entry is one coordinate of a uniform direction: flat on -1..1
    for entry in found.reshape(2000, 9).T:
        assert np.histogram(entry, 8, (-1, 1))[0].min() > 190
    # and its angle has density (1 - cos) / pi, mean pi / 2 + 2 / pi
    angles = np.arccos(np.clip((np.trace(found, axis1=1, axis2=2) - 1) / 2, -1, 1))
    assert abs(angles.mean() - (np.pi / 2 + 2 / np.pi)) < 0.05
    assert np.array_equal(random_rotation(0, "chair_7"), found[7])
    assert not np.allclose(random_rotation(1, "chair_7"), found[7])


@pytest.mark.parametrize("rotation", ["yaw", "any"])
def test_keypoints_turn_with_the_mesh(rotation):
    shape = generate("chair", 3, 0)
    truth = Truth(
        face_labels=shape.face_labels,
        label_names=shape.label_names,
        keypoint_names=shape.keypoint_names,
        keypoints=shape.keypoints,
        keypoint_vertices=shape.keypoint_vertices,
    )
    context = DatasetContext(
        {"yaw": "random", "rotation": rotation},
        0,
        {},
        {},
        meshes=MemoryReader({"a": to_arrays(shape.mesh, np.eye(4), 0, "a")}),
        truth=MemoryReader({"a": truth_to_arrays(truth)}),
    )
    mesh, file_from_world = open_meshes(context)("a")
    there = open_truth(context)("a")
    seen = shape.keypoint_vertices >= 0
    places = mesh.vertices[shape.keypoint_vertices[seen]]
    np.testing.assert_allclose(there.keypoints[seen], places, atol=1e-6)
    assert np.array_equal(there.face_labels, shape.face_labels)
    assert np.array_equal(file_from_world, np.eye(4))
    # what was up stays up under a yaw, and only then
    height = np.corrcoef(mesh.vertices[:, 2], shape.mesh.vertices[:, 2])[0, 1]
    assert (height > 0.999) == (rotation == "yaw")
