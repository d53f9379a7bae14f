import itertools

import numpy as np
import pytest

from semcorr.errors import ItemError
from semcorr.geometry.frames import AXES, axes_rotation, normalise, used_vertices, world_from_file
from semcorr.geometry.mesh import Mesh
from semcorr.geometry.transforms import apply, homogeneous, rotation_yaw


def test_default_axes_turn_as_documented():
    assert np.array_equal(axes_rotation() @ [1.0, 2.0, 3.0], [1, -3, 2])


@pytest.mark.parametrize("up, front", list(itertools.product(AXES, AXES)))
def test_all_axes(up, front):
    if up[1] == front[1]:
        with pytest.raises(ItemError, match="parallel"):
            axes_rotation(up, front)
        return
    rotation = axes_rotation(up, front)
    assert np.array_equal(rotation @ AXES[up], [0, 0, 1])
    assert np.array_equal(rotation @ AXES[front], [0, -1, 0])
    assert np.linalg.det(rotation) == 1.0


@pytest.mark.parametrize("wrong", ["y", "", "up", "+w", "+Y", "-"])
def test_wrong_axis_names(wrong):
    with pytest.raises(ItemError, match=f"wrong up axis '{wrong.replace('+', '.')}'"):
        axes_rotation(wrong, "+z")
    with pytest.raises(ItemError, match="wrong front axis"):
        axes_rotation("+y", wrong)


@pytest.mark.parametrize(("wrong", "meant"), [("z", "+z"), ("Y", "+y"), ("-X", "-x")])
def test_an_axis_without_sign_or_in_capitals_is_recognised(wrong, meant):
    with pytest.raises(ItemError) as caught:
        axes_rotation(wrong, "+z")
    assert f"wrong up axis {wrong!r}, did you mean {meant}?" in str(caught.value)


def shape():
    random = np.random.default_rng(3)
    vertices = random.normal(size=(20, 3)) * [1, 5, 2] + [100, -7, 3]
    vertices[0] = 1e5  # not used by any face
    return Mesh(vertices, np.arange(1, 19).reshape(-1, 3))


@pytest.mark.parametrize("up, front", [("+y", "+z"), ("-x", "+y"), ("+z", "-y")])
def test_box_of_used_vertices_fills_the_cube(up, front):
    mesh = shape()
    world, matrix = normalise(mesh, up, front)
    used = used_vertices(world)
    assert len(used) == 18
    assert np.isclose(np.ptp(used, axis=0).max(), 1.0, rtol=1e-12)
    assert np.allclose(used.max(axis=0) + used.min(axis=0), 0, atol=1e-12)
    assert np.allclose(apply(np.linalg.inv(matrix), world.vertices), mesh.vertices)
    assert np.allclose(matrix[:3, :3] / np.cbrt(np.linalg.det(matrix)), axes_rotation(up, front))


def test_legacy_boxes_replace_the_vertices():
    mesh = shape()
    corners = np.array(list(itertools.product((90.0, 110.0), (-20.0, 10.0), (0.0, 5.0))))
    matrix = world_from_file(used_vertices(mesh), legacy_boxes=corners[None])
    assert np.allclose(apply(matrix, corners).min(axis=0), [-1 / 3, -1 / 12, -0.5])
    assert np.allclose(apply(matrix, [100.0, -5.0, 2.5]), 0)


@pytest.mark.parametrize("vertices", [np.zeros((0, 3)), np.ones((4, 3)), np.full((2, 3), np.nan)])
def test_no_box(vertices):
    with pytest.raises(ItemError):
        world_from_file(vertices)


def test_huge_coordinates_do_not_overflow():
    matrix = world_from_file(np.array([[1.7e308, 0, 0], [1.6e308, 1, 1]]))
    assert np.isfinite(matrix).all()


def test_yaw():
    assert np.allclose(rotation_yaw(0.3) @ [1, 0, 0], [np.cos(0.3), np.sin(0.3), 0])
    for quarter in range(-8, 9):
        rotation = rotation_yaw(quarter * np.pi / 2)
        assert set(np.unique(rotation)) <= {-1.0, 0.0, 1.0}
        assert np.array_equal(
            rotation, np.linalg.matrix_power(rotation_yaw(np.pi / 2), quarter % 4)
        )
    assert np.array_equal(homogeneous(rotation_yaw(1.0))[:3, :3], rotation_yaw(1.0))
