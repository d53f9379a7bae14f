"""Texels of UV maps, padding of seams, which maps can be baked into, and unwrapping."""

import tracemalloc

import numpy as np
import pytest

from semcorr.errors import ItemError
from semcorr.geometry import texels
from semcorr.geometry.atlas import atlas_of, unwrap, why_not_own
from semcorr.geometry.mesh import Mesh
from semcorr.geometry.texels import padded, texels_of

# the unit square as two triangles, cut from lower left to upper right
SQUARE = np.array([[[0, 0], [1, 0], [1, 1]], [[0, 0], [1, 1], [0, 1]]], float)


def quad(uvs=SQUARE, faces=((0, 1, 2), (0, 2, 3))):
    return Mesh(
        [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]],
        np.array(faces),
        corner_uvs=None if uvs is None else np.asarray(uvs, np.float32),
    )


def test_texels_of_a_square_by_hand():
    texels = texels_of(SQUARE, 2)
    assert texels.texel.tolist() == [0, 1, 2, 3]
    # row 0 is the top: its left texel is in the upper triangle, those on the cut go to face 0
    assert texels.face.tolist() == [1, 0, 0, 0]
    # the lower right texel's centre (0.75, 0.25)
    np.testing.assert_allclose(texels.weights[3], [0.25, 0.5, 0.25])
    assert texels.overlap == 0.0


def plain_texels(uvs, size):
    """The texel centres inside each triangle, one by one."""
    found = {}
    for row in range(size):
        for column in range(size):
            point = np.array([(column + 0.5) / size, 1 - (row + 0.5) / size])
            for face, corners in enumerate(uvs):
                matrix = np.vstack([corners.T, np.ones(3)])
                if abs(np.linalg.det(matrix)) < 1e-12:
                    continue
                weights = np.linalg.solve(matrix, [*point, 1.0])
                if weights.min() >= -1e-9:
                    found[row * size + column] = (face, weights)
                    break
    return found


def test_texels_are_those_of_a_loop_over_all_centres():
    rng = np.random.default_rng(1)
    uvs = rng.uniform(0, 1, (12, 3, 2))
    plain = plain_texels(uvs, 24)
    texels = texels_of(uvs, 24)
    own = {
        int(t): (f, w) for t, f, w in zip(texels.texel, texels.face, texels.weights, strict=True)
    }
    assert set(plain) <= set(own)
    assert {t: f for t, (f, _) in own.items() if t in plain} == {
        t: f for t, (f, _) in plain.items()
    }
    for texel, (_, weights) in plain.items():
        np.testing.assert_allclose(own[texel][1], weights, atol=1e-9)
    assert texels.overlap > 0.05


def test_coordinates_outside_repeat_and_small_faces_get_a_texel():
    inside, outside = texels_of(SQUARE, 8), texels_of(SQUARE + [3.0, -2.0], 8)
    np.testing.assert_array_equal(inside.texel, outside.texel)
    np.testing.assert_array_equal(inside.face, outside.face)
    shifted = texels_of(SQUARE + [0.5, 0.0], 8)
    assert len(shifted.texel) == 64
    tiny = texels_of(np.array([[[0.51, 0.01], [0.52, 0.01], [0.51, 0.02]]]), 4)
    assert tiny.texel.tolist() == [14]
    np.testing.assert_allclose(tiny.weights, 1 / 3)


def test_faces_without_finite_coordinates_or_area_are_left_out_or_alone():
    uvs = np.concatenate([SQUARE, [[[np.nan, 0], [1, 0], [0, 1]]], [[[0.1, 0.1]] * 3]])
    texels = texels_of(uvs, 4)
    assert set(texels.face.tolist()) == {0, 1}
    nothing = texels_of(np.full((1, 3, 2), np.inf), 4)
    assert len(nothing.texel) == 0
    with pytest.raises(ValueError, match=r"\(f, 3, 2\)"):
        texels_of(np.zeros((2, 3)), 4)


@pytest.mark.parametrize("cells", [1, 7, 100])
def test_bounded_memory_changes_no_texel(cells, monkeypatch):
    rng = np.random.default_rng(2)
    # one face over several tiles among small ones, some of which cover no centre
    uvs = np.concatenate([rng.uniform(0, 0.1, (5, 3, 2)), rng.uniform(-1, 2, (1, 3, 2)), SQUARE])
    whole = texels_of(uvs, 9)
    monkeypatch.setattr(texels, "_CELLS", cells)
    sizes = []
    weights = texels._weights
    monkeypatch.setattr(texels, "_weights", lambda c, p: sizes.append(len(p)) or weights(c, p))
    found = texels_of(uvs, 9)
    assert max(sizes) <= cells
    for name in ("texel", "face", "weights"):
        assert np.array_equal(getattr(found, name), getattr(whole, name))
    assert found.overlap == whole.overlap


def test_a_face_over_many_tiles_is_unwrapped_in_little_memory():
    steps = np.linspace(0, 0.9, 20)
    points = np.stack(np.meshgrid(steps, steps, indexing="ij"), -1).reshape(-1, 2)
    corner = (np.arange(19)[:, None] * 20 + np.arange(19)).ravel()
    faces = np.concatenate([corner[:, None] + [0, 20, 21], corner[:, None] + [0, 21, 1]])
    uvs = points[faces]
    # without area in the texture, and one face of 722: nothing else refuses it
    uvs[5] = [[0, 0], [500, 500], [250, 250]]
    mesh = Mesh(np.c_[points, np.zeros(len(points))], faces, corner_uvs=np.float32(uvs))
    tracemalloc.start()
    assert why_not_own(mesh) == "a face over 500 tiles of the texture"
    assert tracemalloc.get_traced_memory()[1] < 1e8
    tracemalloc.stop()
    assert atlas_of(mesh, 64).unwrapped


def test_padding_repeats_the_nearest_colour_and_then_the_mean():
    picture = np.zeros((1, 8, 1), np.uint8)
    known = np.zeros((1, 8), bool)
    picture[0, [1, 6], 0], known[0, [1, 6]] = (10, 30), True
    assert padded(picture, known, 1)[0, :, 0].tolist() == [10, 10, 10, 20, 20, 30, 30, 30]
    assert padded(picture, known, 9)[0, :, 0].tolist() == [10, 10, 10, 10, 30, 30, 30, 30]
    with pytest.raises(ValueError, match="at least one"):
        padded(picture, ~(known | True), 1)


@pytest.mark.parametrize(
    ("uvs", "reason"),
    [
        (SQUARE, ""),
        (SQUARE + 5.0, ""),
        (None, "no texture coordinates"),
        (np.where(SQUARE == 1, np.nan, SQUARE), "not finite"),
        (2.0 * SQUARE, "more than once"),
        (np.stack([SQUARE[0], SQUARE[0][[1, 2, 0]]]) * 0.5, "overlaps itself in 100%"),
        (np.stack([SQUARE[0], np.full((3, 2), 0.3)]), "50% of the surface without area"),
    ],
    ids=["own", "shifted", "none", "nan", "repeating", "mirrored", "palette"],
)
def test_which_uv_maps_can_be_baked_into(uvs, reason):
    mesh = quad(uvs)
    assert reason in why_not_own(mesh)
    assert bool(why_not_own(mesh)) == bool(reason)
    atlas = atlas_of(mesh, 32)
    assert atlas.unwrapped == bool(reason)
    assert len(texels_of(atlas.corner_uvs, 32).texel) > 32 * 32 * 0.3


def test_unwrapping_is_one_to_one_the_same_every_time_and_keeps_the_order_of_faces():
    box = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], float)
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = [f for a, b, c, d in quads for f in ((a, b, c), (a, c, d))]
    # a face without area in the middle, and a frame far from the origin
    mesh = Mesh(box * 40 + 1000, [*faces[:6], (0, 0, 1), *faces[6:]])
    uvs = unwrap(mesh, 128)
    assert uvs.shape == (13, 3, 2)
    assert uvs.min() >= 0 and uvs.max() <= 1
    assert not uvs[6].any()
    assert texels_of(np.delete(uvs, 6, axis=0), 128).overlap == 0.0
    edge, other = uvs[:, 1] - uvs[:, 0], uvs[:, 2] - uvs[:, 0]
    area = np.abs(edge[:, 0] * other[:, 1] - edge[:, 1] * other[:, 0])
    area = np.delete(area, 6)
    # all faces of a cube are as large in the texture
    np.testing.assert_allclose(area, area.mean(), rtol=0.05)
    np.testing.assert_array_equal(uvs, unwrap(mesh, 128))


def test_what_cannot_be_unwrapped_is_refused():
    points = [[0, 0, 0], [1, 0, 0], [2, 0, 0]]
    for faces in ([[0, 1, 2]], np.zeros((0, 3), int)):
        with pytest.raises(ItemError, match="no face of the mesh has an area"):
            atlas_of(Mesh(points, faces), 32)
