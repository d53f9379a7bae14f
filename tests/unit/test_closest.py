"""Closest points on a surface, against a loop over all triangles and by hand."""

import numpy as np
import pytest

from semcorr.errors import ItemError
from semcorr.geometry.closest import Surface, closest_on_triangles
from semcorr.geometry.mesh import Mesh

CORNER = np.array([[[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]])


def plain_distance(point, triangle):
    """Distance to a triangle by cases: the plane, or one of three segments."""
    a, b, c = triangle
    normal = np.cross(b - a, c - a)
    best = np.inf
    for start, end in ((a, b), (b, c), (c, a)):
        edge = end - start
        length = edge @ edge
        place = np.clip((point - start) @ edge / length, 0, 1) if length else 0.0
        best = min(best, np.linalg.norm(start + place * edge - point))
    if normal @ normal > 0:
        foot = point - normal * ((point - a) @ normal) / (normal @ normal)
        sides = [np.cross(e - s, foot - s) @ normal for s, e in ((a, b), (b, c), (c, a))]
        if min(sides) >= 0:
            best = min(best, np.linalg.norm(foot - point))
    return best


@pytest.mark.parametrize(
    ("point", "weights", "squared"),
    [
        ((0.25, 0.25, 2.0), (0.5, 0.25, 0.25), 4.0),  # inside
        ((1.0, 1.0, 0.0), (0.0, 0.5, 0.5), 0.5),  # the long edge
        ((-1.0, -1.0, 0.0), (1.0, 0.0, 0.0), 2.0),  # a corner
        ((0.5, -2.0, 0.0), (0.5, 0.5, 0.0), 4.0),  # an edge
    ],
)
def test_feet_of_known_points(point, weights, squared):
    found, distance = closest_on_triangles(np.array([point]), CORNER)
    np.testing.assert_allclose(found, [weights], atol=1e-12)
    np.testing.assert_allclose(distance, [squared], atol=1e-12)


def soup(rng, count=60):
    """Triangles of very different sizes, large and needle-like ones among them."""
    centres = rng.uniform(-0.5, 0.5, (count, 1, 3))
    size = 10.0 ** rng.uniform(-3, 0, (count, 1, 1))
    triangles = centres + size * rng.normal(size=(count, 3, 3))
    triangles[:5, 2] = triangles[:5, 1] + 1e-3 * rng.normal(size=(5, 3))
    return Mesh(triangles.reshape(-1, 3), np.arange(3 * count).reshape(-1, 3))


def test_the_same_as_a_loop_over_all_triangles():
    rng = np.random.default_rng(0)
    mesh = soup(rng)
    points = np.concatenate(
        [rng.uniform(-3, 3, (150, 3)), mesh.vertices[:30], rng.normal(size=(20, 3)) * 50]
    )
    face, weights, distance = Surface(mesh).closest(points)
    plain = [min(plain_distance(p, t) for t in mesh.triangles) for p in points]
    np.testing.assert_allclose(distance, plain, atol=1e-9)
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, atol=1e-9)
    assert weights.min() >= 0
    places = np.einsum("nk,nkc->nc", weights, mesh.triangles[face])
    np.testing.assert_allclose(np.linalg.norm(places - points, axis=1), distance, atol=1e-9)


def test_only_the_chosen_faces_and_none_without_area():
    mesh = Mesh(
        [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 5], [1, 0, 5], [0, 1, 5]],
        [[0, 1, 2], [3, 4, 5], [0, 0, 3], [3, 3, 3]],
    )
    points = np.array([[0.1, 0.1, 0.0], [0.1, 0.1, 2.4]])
    assert Surface(mesh).closest(points)[0].tolist() == [0, 0]
    face, _, distance = Surface(mesh, np.array([1, 2])).closest(points)
    assert face.tolist() == [1, 1]
    np.testing.assert_allclose(distance, [5.0, 2.6])
    for faces in (np.array([2, 3]), np.zeros(0, int)):
        with pytest.raises(ItemError, match="has an area"):
            Surface(mesh, faces)
    with pytest.raises(ItemError, match="has an area"):
        Surface(Mesh(mesh.vertices, np.zeros((0, 3), int)))


def test_wrong_points_are_refused():
    surface = Surface(Mesh(CORNER[0], [[0, 1, 2]]))
    assert surface.closest(np.zeros((0, 3)))[0].shape == (0,)
    with pytest.raises(ValueError, match="NaN"):
        surface.closest(np.array([[0, np.nan, 0]]))
    with pytest.raises(ValueError, match=r"\(n, 3\)"):
        surface.closest(np.zeros(3))
