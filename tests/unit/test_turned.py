import numpy as np
import trimesh

from semcorr.datasets.turned import angle_of, turn, turn_mesh
from semcorr.geometry.mesh import Mesh
from semcorr.geometry.transforms import apply


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
    turned, matrix = turn_mesh(mesh, 0.7)
    used = turned.vertices[:-1]
    assert np.isclose(np.ptp(used, axis=0).max(), 1)
    assert np.allclose(used.max(axis=0) + used.min(axis=0), 0)
    assert np.allclose(apply(matrix, mesh.vertices), turned.vertices)
    scale = np.cbrt(np.linalg.det(matrix))
    assert np.allclose(turned.vertices, scale * turn(mesh.vertices, 0.7))
    assert np.array_equal(turned.faces, mesh.faces)
