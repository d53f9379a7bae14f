import numpy as np
import pytest
import trimesh

from semcorr.datasets.turned import turn_mesh
from semcorr.errors import ItemError
from semcorr.geometry.frames import normalise
from semcorr.geometry.mesh import Mesh
from semcorr.geometry.mesh_arrays import from_arrays, to_arrays
from semcorr.geometry.sampling import (
    degenerate_faces,
    face_areas,
    is_degenerate,
    positions_at,
    sample_surface,
)
from semcorr.geometry.transforms import rotation_yaw


def uneven():
    """Faces of very different areas, two of them without any."""
    random = np.random.default_rng(0)
    corners = random.normal(size=(12, 3, 3)) * np.geomspace(0.2, 3, 12)[:, None, None]
    corners[3, 2] = corners[3, 1]
    corners[11, 2] = 0.25 * corners[11, 0] + 0.75 * corners[11, 1]
    return Mesh(corners.reshape(-1, 3), np.arange(36).reshape(-1, 3))


def test_areas():
    box = trimesh.creation.box(extents=[1, 2, 3])
    mesh = Mesh(box.vertices, box.faces)
    assert np.allclose(face_areas(mesh), box.area_faces)
    assert np.isclose(face_areas(mesh).sum(), 22)


def test_degenerate_faces_at_any_scale_and_place():
    mesh = uneven()
    for scale in (1e-12, 1.0, 1e12):
        flat = np.flatnonzero(is_degenerate(mesh.triangles * scale))
        assert flat.tolist() == [3, 11]
    assert not is_degenerate(np.array([[[0, 0, 0], [1, 0, 0], [0.5, 1e-9, 0]]]))[0]


def test_blocks_of_faces_change_no_bit(monkeypatch):
    mesh = uneven()
    whole = 0.5 * np.linalg.norm(np.cross(*np.diff(mesh.triangles, axis=1).swapaxes(0, 1)), axis=1)
    expected = face_areas(mesh), is_degenerate(mesh.triangles), *sample_surface(mesh, 50, 1)
    np.testing.assert_allclose(expected[0], whole, atol=1e-12)
    monkeypatch.setattr("semcorr.geometry.sampling._FACES", 5)
    found = face_areas(mesh), degenerate_faces(mesh), *sample_surface(mesh, 50, 1)
    for one, other in zip(expected, found, strict=True):
        assert np.array_equal(one, other)
    assert len(degenerate_faces(Mesh(mesh.vertices, np.zeros((0, 3), int)))) == 0


def test_counts_follow_areas():
    mesh = uneven()
    face, weights = sample_surface(mesh, 20_000, 7)
    counts = np.bincount(face, minlength=len(mesh.faces))
    areas = np.where(is_degenerate(mesh.triangles), 0, face_areas(mesh))
    expected = areas / areas.sum() * len(face)
    assert counts[3] == counts[11] == 0
    # one point per equal part of the area: no face is off by more than two points
    assert np.abs(counts - expected).max() <= 2
    half = np.bincount(face[:10_000], minlength=len(areas)) - expected / 2
    used = expected > 0
    assert (half[used] ** 2 / (expected[used] / 2)).sum() < 33  # chi-square, 9 degrees, p < 1e-4
    assert weights.min() >= 0 and np.allclose(weights.sum(axis=1), 1, atol=1e-12)


def test_points_are_uniform_inside_of_a_face():
    mesh = Mesh(np.eye(3), np.array([[0, 1, 2]]))
    _, weights = sample_surface(mesh, 9000, 1)
    # cut the triangle into 9 equal ones: each cell of (floor 3a, floor 3b, floor 3c)
    cells = np.unique(np.floor(weights * 3).clip(0, 2), axis=0, return_counts=True)[1]
    assert len(cells) == 9
    assert ((cells - 1000.0) ** 2 / 1000.0).sum() < 35
    assert np.allclose(weights.mean(axis=0), 1 / 3, atol=0.01)


def test_positions_lie_on_the_surface():
    ball = trimesh.creation.icosphere(subdivisions=2)
    mesh = Mesh(ball.vertices, ball.faces)
    face, weights = sample_surface(mesh, 500, 3)
    points = positions_at(mesh, face, weights)
    plain = [sum(w * mesh.vertices[v] for w, v in zip(ws, mesh.faces[f], strict=True))
             for f, ws in zip(face, weights, strict=True)]  # fmt: skip
    assert np.allclose(points, plain)
    assert np.allclose(
        ((points - mesh.vertices[mesh.faces[face, 0]]) * ball.face_normals[face]).sum(1), 0
    )
    assert np.abs(points.mean(axis=0)).max() < 0.1


def test_same_seed_same_points():
    mesh = uneven()
    first, again, other = (sample_surface(mesh, 64, seed) for seed in (5, 5, 6))
    assert first[0].dtype == np.int32 and first[1].dtype == np.float64
    assert all(a.tobytes() == b.tobytes() for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[1], other[1])
    assert sample_surface(mesh, 0, 5)[1].shape == (0, 3)
    assert sample_surface(mesh, 4, 2**63 - 1)[0].shape == (4,)


def test_no_area():
    with pytest.raises(ItemError, match="no face"):
        sample_surface(Mesh(np.zeros((3, 3)), np.array([[0, 1, 2]])), 4, 0)
    with pytest.raises(ItemError, match="no face"):
        sample_surface(Mesh(np.zeros((0, 3)), np.zeros((0, 3), int)), 4, 0)


SLIVER = np.array([[0, 0, 0], [1, 1, 0], [0.3 + 1e-9, 0.3 - 1e-9, 0]])


def test_what_has_no_area_as_it_is_stored_is_refused_where_it_is_stored():
    mesh = normalise(Mesh(SLIVER, [[0, 1, 2]]))[0]
    assert not degenerate_faces(mesh).any()
    with pytest.raises(ItemError, match="no area: all 1 faces .* single precision"):
        to_arrays(mesh, np.eye(4), 0, "a")
    # one face that keeps its area is enough, and then turning it is no trouble
    more = np.concatenate([SLIVER, [[0.0, 0, 1]]])
    mesh = normalise(Mesh(more, [[0, 1, 2], [0, 1, 3]]))[0]
    stored = from_arrays(to_arrays(mesh, np.eye(4), 0, "a"))
    assert degenerate_faces(stored).tolist() == [True, False]
    to_arrays(turn_mesh(stored, rotation_yaw(0.5))[0], np.eye(4), 0, "a")
