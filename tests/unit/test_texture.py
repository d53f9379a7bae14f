"""Texture transfer on hand-made shapes: dense, at vertices, baked, by parts; malformed inputs."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import cKDTree

from semcorr.errors import ItemError
from semcorr.geometry.atlas import Atlas, atlas_of
from semcorr.geometry.closest import Surface
from semcorr.geometry.mesh import Material, Mesh
from semcorr.geometry.mesh_arrays import sites_of, to_arrays
from semcorr.geometry.texels import texels_of
from semcorr.transfer.carry import carry, site_normals, site_points, surface_points
from semcorr.transfer.cycle import cycle_distance
from semcorr.transfer.parts import best_rotation, by_parts
from semcorr.transfer.texture import (
    UNMATCHED,
    Paint,
    bake,
    colours_at,
    dense,
    has_texture,
    vertex_colours,
)

# lower left red, lower right green, upper left blue, upper right white
QUADRANTS = np.array(
    [[[0, 0, 255, 255], [255] * 4], [[255, 0, 0, 255], [0, 255, 0, 255]]], np.uint8
)
PICTURE = np.repeat(np.repeat(QUADRANTS, 32, axis=0), 32, axis=1)


def sheet(cells=6, material=None, uvs=True):
    """A square in the plane y = 0 (x across, z up), cut into cells, with its texture."""
    grid = np.linspace(-0.5, 0.5, cells + 1)
    x, z = np.meshgrid(grid, grid)
    vertices = np.stack([x.ravel(), np.zeros(x.size), z.ravel()], axis=1)
    corner = np.arange(cells * (cells + 1)).reshape(cells, cells + 1)[:, :-1].ravel()
    faces = np.concatenate(
        [
            np.stack([corner, corner + 1, corner + cells + 2], axis=1),
            np.stack([corner, corner + cells + 2, corner + cells + 1], axis=1),
        ]
    )
    own = (vertices[:, [0, 2]] + 0.5)[faces].astype(np.float32)
    material = Material((1.0,) * 4, PICTURE) if material is None else material
    return Mesh(vertices, faces, corner_uvs=own if uvs else None, materials=(material,))


def sites(mesh, name="a"):
    return sites_of(to_arrays(mesh, np.eye(4), 0, name))


@pytest.fixture(scope="module")
def square():
    mesh = sheet()
    return mesh, sites(mesh)


def identity(mesh, own):
    return dense(Surface(mesh), own, own.positions, np.arange(len(own.positions)))


def test_colours_of_known_points(square):
    mesh, _ = square
    points = np.array([[-0.25, 0, -0.25], [0.25, 0, -0.25], [-0.25, 0, 0.25], [0.25, 0, 0.25]])
    face, weights, _ = Surface(mesh).closest(points + [0, 0.1, 0])
    expected = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]]
    np.testing.assert_allclose(Paint(mesh).at(face, weights), expected, atol=1e-3)
    # base colour x texture, in linear light: half of the light is 188 of 255
    dim = replace(mesh, materials=(Material((0.735357, 1.0, 1.0, 1.0), PICTURE),))
    np.testing.assert_allclose(Paint(dim).at(face, weights)[0], [0.735357, 0, 0], atol=2e-3)
    # coordinates repeat, and those that are not finite count as 0: the lower left corner
    again = replace(mesh, corner_uvs=mesh.corner_uvs + np.float32(7.0))
    np.testing.assert_allclose(Paint(again).at(face, weights), expected, atol=1e-3)
    lost = replace(mesh, corner_uvs=np.full_like(mesh.corner_uvs, np.nan))
    assert np.isfinite(Paint(lost).at(face, weights)).all()


def test_a_shape_without_texture_has_the_colours_of_its_materials_and_vertices():
    plain = sheet(material=Material((0.2, 0.4, 0.6, 1.0)))
    face, weights = np.array([0, 5]), np.full((2, 3), 1 / 3)
    np.testing.assert_allclose(Paint(plain).at(face, weights), [[0.2, 0.4, 0.6]] * 2, atol=1e-6)
    assert not has_texture(plain)
    assert has_texture(sheet()) and not has_texture(sheet(uvs=False))
    painted = replace(plain, vertex_colors=np.full((len(plain.vertices), 4), 255, np.uint8))
    assert has_texture(painted)


def test_the_identity_gives_the_texture_back(square):
    mesh, own = square
    atlas = atlas_of(mesh, 64)
    assert not atlas.unwrapped
    baked = bake(Paint(mesh), identity(mesh, own), mesh, atlas, 64)
    assert baked.coverage == 1.0
    difference = np.abs(baked.picture.astype(int) - PICTURE[..., :3])
    # the edges of the picture's quadrants and the outermost texels are blended with their neighbours
    inner = np.r_[2:30, 34:62]
    assert difference[np.ix_(inner, inner)].max() <= 2


def test_a_map_that_is_linear_is_followed(square):
    mesh, own = square
    moved = own.positions @ np.diag([0.5, 1.0, 2.0]) + [0.1, 0.2, -0.3]
    texels = texels_of(mesh.corner_uvs, 50)
    points = surface_points(mesh, texels.face, texels.weights)
    places, known = carry(points, own, moved, np.arange(len(moved)))
    assert known.all()
    expected = points.positions @ np.diag([0.5, 1.0, 2.0]) + [0.1, 0.2, -0.3]
    error = np.linalg.norm(places - expected, axis=1)
    # only at the rim, where neighbours lie on one side, the step is limited
    rim = np.abs(points.positions).max(axis=1) > 0.46
    assert np.percentile(error[~rim], 95) < 1e-3
    assert error[~rim].max() < 0.01 and error.max() < 0.03


def test_a_map_that_jumps_takes_one_side_and_ignores_single_strays(square):
    mesh, own = square
    left = own.positions[:, 0] < 0
    moved = own.positions + np.where(left[:, None], [0.0, 0, 0], [10.0, 0, 0])
    index = np.arange(len(moved))
    stray = np.random.default_rng(0).choice(len(moved), len(moved) // 50, replace=False)
    index[stray] = index[::-1][stray]
    texels = texels_of(mesh.corner_uvs, 40)
    points = surface_points(mesh, texels.face, texels.weights)
    places, _ = carry(points, own, moved, index)
    side = np.where(points.positions[:, 0] < 0, 0.0, 10.0)
    away = np.linalg.norm(
        places - points.positions - np.stack([side, 0 * side, 0 * side], 1), axis=1
    )
    clear = np.abs(points.positions[:, 0]) > 0.04
    assert (away[clear] < 0.05).mean() > 0.995
    # nowhere in between
    assert ((places[:, 0] < 1.0) | (places[:, 0] > 9.0)).all()


def test_the_two_sides_of_a_thin_board_stay_apart():
    front = sheet(4)
    count = len(front.vertices)
    vertices = np.concatenate([front.vertices, front.vertices + [0, 0.004, 0]])
    board = Mesh(vertices, np.concatenate([front.faces, front.faces[:, ::-1] + count]))
    own = sites(board)
    moved = own.positions + np.where(own.positions[:, 1:2] > 0.002, [0, 0, 5.0], [0, 0, 0])
    face = np.arange(len(board.faces))
    points = surface_points(board, face, np.full((len(face), 3), 1 / 3))
    places, _ = carry(points, own, moved, np.arange(len(moved)))
    assert (places[: len(front.faces), 2] < 1).all()
    assert (places[len(front.faces) :, 2] > 4).all()


def test_vertices_have_the_colours_of_their_matches_and_grey_without_any(square):
    mesh, own = square
    target = Mesh(mesh.vertices[:, [2, 1, 0]] * [1, 1, -1], mesh.faces)
    there = sites(target)
    # turned by 90 degrees about y: each site's match lies where it came from
    back = there.positions[:, [2, 1, 0]] * [-1, 1, 1]
    match = cKDTree(own.positions).query(back)[1]
    follow = dense(Surface(mesh), there, own.positions, match)
    colours = vertex_colours(Paint(mesh), follow, target, there)
    assert colours.shape == (len(target.vertices), 3)
    corners = [np.abs(target.vertices - c).sum(1).argmin() for c in
               ([-0.3, 0, 0.3], [-0.3, 0, -0.3], [0.3, 0, 0.3], [0.3, 0, -0.3])]  # fmt: skip
    # red (-,-) goes to (-, +), green (+,-) to (-,-), blue (-,+) to (+,+), white to (+,-)
    expected = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]
    np.testing.assert_allclose(colours[corners], expected, atol=4)
    nothing = dense(Surface(mesh), there, own.positions, np.full(len(match), -1))
    grey = vertex_colours(Paint(mesh), nothing, target, there)
    np.testing.assert_array_equal(grey, np.tile(UNMATCHED, (len(grey), 1)))


def test_a_target_without_uv_is_unwrapped_and_reads_back_the_same(square):
    mesh, own = square
    target = replace(mesh, corner_uvs=None)
    atlas = atlas_of(target, 96)
    assert atlas.unwrapped and atlas.reason == "no texture coordinates"
    baked = bake(Paint(mesh), identity(mesh, own), target, atlas, 96)
    shown = replace(
        target,
        corner_uvs=baked.corner_uvs.astype(np.float32),
        materials=(
            Material((1.0,) * 4, np.dstack([baked.picture, np.full((96, 96), 255, np.uint8)])),
        ),
    )
    face, weights = own.sample_face, own.sample_barycentric
    x, z = own.positions[own.num_vertices :, [0, 2]].T
    # off the edges of the quadrants, and off the rim, where the source's texture repeats
    near, far = np.minimum(np.abs(x), np.abs(z)), np.maximum(np.abs(x), np.abs(z))
    clear = (near > 0.03) & (far < 0.48)
    error = np.abs(Paint(shown).at(face, weights) - Paint(mesh).at(face, weights))
    assert error[clear].max() < 0.02


def test_seams_are_padded():
    mesh = sheet(1)
    uvs = mesh.corner_uvs.astype(np.float64) * 0.5 + 0.25
    own = sites(mesh)
    baked = bake(Paint(mesh), identity(mesh, own), mesh, Atlas(uvs, False, ""), 64, padding=5)
    inside, beyond = baked.picture[40, 17], baked.picture[40, 12]
    np.testing.assert_array_equal(inside, beyond)
    np.testing.assert_array_equal(baked.picture[0, 0], baked.picture[63, 63])


def two_parts(gap, tall):
    """A lower and an upper sheet: parts 0 and 1, `gap` apart, the upper one `tall` times as high."""
    one = sheet(3)
    upper = one.vertices * [1, 1, tall] + [0, 0, 1 + gap]
    return Mesh(
        np.concatenate([one.vertices, upper]),
        np.concatenate([one.faces, one.faces + len(one.vertices)]),
        corner_uvs=np.concatenate([one.corner_uvs, one.corner_uvs]),
        materials=one.materials,
    ), np.repeat([0, 1], len(one.faces))


def test_parts_are_laid_over_parts_however_noisy_the_map():
    source, labels = two_parts(0.2, 1.0)
    target, target_faces = two_parts(0.7, 0.5)
    here, there = sites(target, "t"), sites(source, "s")
    rng = np.random.default_rng(0)
    near = cKDTree(there.positions).query(here.positions * [1, 1, 0.9])[1]
    noisy = np.where(
        rng.random(len(near)) < 0.2, rng.permutation(len(near)) % len(there.positions), near
    )
    of_vertices = (np.arange(here.num_vertices) >= here.num_vertices // 2).astype(int)
    site_labels = np.concatenate([of_vertices, target_faces[here.sample_face]])
    nothing = dense(Surface(source), here, there.positions, np.full(len(noisy), -1))
    follow = by_parts(source, there, labels, here, site_labels, noisy, nothing)
    face = np.arange(len(target.faces))
    points = surface_points(target, face, np.full((len(face), 3), 1 / 3))
    found, weights, known = follow(points)
    assert known.all()
    np.testing.assert_array_equal(labels[found], target_faces)
    places = np.einsum("nk,nkc->nc", weights, source.triangles[found])
    # the same place in the part: its upper half is half as high and lies 0.5 higher
    expected = points.positions.copy()
    upper = target_faces == 1
    expected[upper, 2] = (points.positions[upper, 2] - 1.7) / 0.5 + 1.2
    assert np.abs(places - expected).max() < 0.08


def test_points_of_parts_that_the_source_lacks_follow_the_map(square):
    mesh, own = square
    labels = np.where(np.arange(len(own.positions)) % 2, 3, -1)
    follow = by_parts(
        mesh, own, np.zeros(len(mesh.faces), int), own, labels,
        np.arange(len(labels)), identity(mesh, own),
    )  # fmt: skip
    points = site_points(mesh, own)
    face, weights, known = follow(points)
    assert known.all()
    places = np.einsum("nk,nkc->nc", weights, mesh.triangles[face])
    np.testing.assert_allclose(places, own.positions, atol=5e-3)


def test_the_best_rotation_is_found_and_is_no_mirror():
    rng = np.random.default_rng(3)
    target = rng.normal(size=(40, 3)) * [3, 2, 1]
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    turn *= np.linalg.det(turn)
    np.testing.assert_allclose(best_rotation(target @ turn.T + 7, target), turn, atol=1e-9)
    assert np.linalg.det(best_rotation(target * [1, 1, -1], target)) == pytest.approx(1.0)
    np.testing.assert_array_equal(best_rotation(target[:2], target[:2]), np.eye(3))
    line = np.outer(np.arange(5.0), [1, 0, 0])
    np.testing.assert_array_equal(best_rotation(line, line), np.eye(3))


def test_cycle_distances_by_hand():
    points = np.array([[0.0, 0, 0], [1, 0, 0], [0, 2, 0], [0, 0, 0]])
    there, back = np.array([0, 1, 1, -1]), np.array([0, 2, 3])
    np.testing.assert_allclose(cycle_distance(points, there, back), [0, np.sqrt(5), 0, np.nan])
    lost = cycle_distance(points, np.zeros(4, int), np.array([-1]))
    assert np.isnan(lost).all()
    with pytest.raises(ValueError, match="expected"):
        cycle_distance(points, np.zeros(3, int), back)


def test_malformed_inputs_are_refused_with_a_reason(square):
    mesh, own = square
    empty = Mesh(mesh.vertices, np.zeros((0, 3), int))
    with pytest.raises(ItemError, match="no faces"):
        Paint(empty)
    with pytest.raises(ItemError, match="no faces"):
        site_points(empty, replace(own, faces=empty.faces))
    points = site_points(mesh, own)
    with pytest.raises(ValueError, match="target_to_source: expected"):
        carry(points, own, own.positions, np.zeros(3, int))
    with pytest.raises(ValueError, match="indices below 10"):
        carry(points, own, own.positions[:10], np.full(len(own.positions), 10))
    with pytest.raises(ItemError, match="no texel"):
        bake(
            Paint(mesh), identity(mesh, own), mesh,
            Atlas(np.full((len(mesh.faces), 3, 2), np.nan), False, ""), 8,
        )  # fmt: skip


def test_faces_without_area_do_no_harm():
    mesh = sheet(2)
    faces = np.concatenate([mesh.faces, [[0, 0, 1], [3, 3, 3]]])
    uvs = np.concatenate([mesh.corner_uvs, np.full((2, 3, 2), np.nan, np.float32)])
    flat = Mesh(mesh.vertices, faces, corner_uvs=uvs, materials=mesh.materials)
    own = sites(flat)
    assert np.isfinite(site_normals(own)).all()
    atlas = atlas_of(flat, 32)
    assert atlas.unwrapped
    baked = bake(Paint(flat), identity(flat, own), flat, atlas, 32)
    assert baked.coverage == 1.0
    colours, known = colours_at(Paint(flat), identity(flat, own), site_points(flat, own))
    assert known.all() and len(np.unique(colours, axis=0)) > 3
