"""Parts of procedural shapes, and what chairs have beyond the other categories (test_categories.py)."""

import dataclasses
import time

import numpy as np
import pytest
import trimesh
from shape_checks import assert_closed, components, digest

from semcorr.datasets import procedural
from semcorr.datasets.procedural import categories, generate, load_category
from semcorr.datasets.shapes import chair, curves, parts, solids
from semcorr.datasets.shapes.assembly import Assembly, projected_uvs
from semcorr.datasets.shapes.category import mirror_pairs, swap_sides
from semcorr.datasets.shapes.chair_backs import BACKS
from semcorr.datasets.shapes.chair_plan import Plan
from semcorr.errors import UserError
from semcorr.geometry.mesh import Material

COUNT = len(chair.KINDS)  # one full round: every kind of chair once


@pytest.fixture(scope="module")
def chairs():
    return [generate("chair", 3, i) for i in range(COUNT)]


CIRCLE = curves.circle(8, 0.02)
LOOP = np.stack([[np.cos(t), 0.0, np.sin(t)] for t in np.linspace(0, 6.283, 24, endpoint=False)])
SOLIDS = {
    "box": parts.box((0.4, 0.3, 0.2), 0.02, 0.1),
    "round box": parts.box((0.4, 0.3, 0.2), 1.0, 0.1, turn=3),
    "box with a step per axis": parts.box((0.4, 0.3, 0.2), 0.01, (0.4, 0.1, 0.05)),
    "cushion": parts.cushion((0.4, 0.4, 0.1), 0.06),
    "beam": parts.beam((0, 0, 0), (0.3, 0.2, 0.4), 0.04, 0.02, 0.05),
    "tube": parts.tube(curves.line((0, 0, 0), (0, 0, 0.5), 0.05), CIRCLE, (1, 0, 0)),
    "tube off the plane": parts.tube(
        curves.filleted([(0, 0, 0), (0, 0.3, 0), (0.2, 0.3, 0.3), (0.5, 0, 0.4)], 0.06, 0.05),
        curves.rectangle(0.03, 0.02),
    ),
    "tapered bow": parts.tube(
        curves.bezier([(0, 0, 0), (0, 0.3, 0), (0.2, 0.3, 0.3)], 0.1), CIRCLE, None, 0.5
    ),
    "ring": parts.ring(LOOP, CIRCLE, (0, 1, 0)),
    "ring the other way": parts.ring(LOOP[::-1], CIRCLE, (0, 1, 0)),
    "disc": parts.disc(0.2, 0.08, 0.02, 0.05, 0.03),
    "ball": parts.ball((0.3, 0.2, 0.1)),
    "mirrored": parts.beam((0, 0, 0), (0.3, 0.2, 0.4), 0.04, 0.02, 0.05).mirrored(),
}


@pytest.mark.parametrize("name", SOLIDS)
def test_part_is_closed_and_outward(name):
    solid = SOLIDS[name]
    assert_closed(solid.vertices, solid.faces)
    assert len(np.unique(components(solid.faces, len(solid.vertices)))) == 1
    assert np.array_equal(np.unique(solid.faces), np.arange(len(solid.vertices)))


def test_closedness_check_can_fail():
    solid = parts.box((1, 1, 1), 0.1, 0.5)
    with pytest.raises(AssertionError, match="one face"):
        assert_closed(solid.vertices, solid.faces[1:])
    with pytest.raises(AssertionError, match="inside out"):
        assert_closed(solid.vertices, solid.faces[:, ::-1])


def test_volumes_of_parts():
    def volume(solid):
        return trimesh.Trimesh(*solid, process=False).volume

    assert volume(parts.box((0.4, 0.3, 0.2), 1e-6, 0.1)) == pytest.approx(0.024, rel=1e-4)
    octagon = 0.5 * 8 * np.sin(np.pi / 4) * 0.02**2
    assert volume(SOLIDS["tube"]) == pytest.approx(0.5 * octagon, rel=1e-9)
    fine = parts.ball((0.3, 0.2, 0.1), 64, 63)
    assert volume(fine) == pytest.approx(4 / 3 * np.pi * 0.006, rel=0.01)
    round_ = parts.disc(0.2, 0.1, 1e-5, 0.01)
    assert volume(round_) == pytest.approx(np.pi * 0.04 * 0.1, rel=0.01)


def test_box_lattice_against_counting_cells():
    for cells in ((1, 1, 1), (2, 3, 4), (5, 1, 2)):
        lattice, faces = solids.box_lattice(*cells)
        nx, ny, nz = cells
        assert len(faces) == 4 * (nx * ny + ny * nz + nz * nx)
        assert len(np.unique(lattice, axis=0)) == len(lattice) == len(faces) / 2 + 2  # Euler
        a, b, c = np.moveaxis(lattice[faces].astype(float), 1, 0)
        assert np.einsum("fi,fi->", a, np.cross(b, c)) / 6 == pytest.approx(nx * ny * nz)


def test_edges_of_parts_keep_to_the_step():
    solid = parts.box((1.0, 0.7, 0.3), 0.02, 0.1)
    corners = solid.vertices[solid.faces]
    sides = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2)
    assert sides.max() <= 0.1 * np.sqrt(2) + 1e-9
    assert (
        np.linalg.norm(np.diff(curves.line((0, 0, 0), (1, 1, 0), 0.3), axis=0), axis=1).max() <= 0.3
    )


def test_even_spacing():
    fine = np.stack([np.cos(np.linspace(0, 1.5, 400)), np.sin(np.linspace(0, 1.5, 400))], axis=1)
    gaps = np.linalg.norm(np.diff(curves.even(fine, 0.2), axis=0), axis=1)
    np.testing.assert_allclose(gaps, 1.5 / 8, rtol=0.01)


def test_frames_are_right_handed_and_do_not_twist():
    path = curves.bezier([(0, 0, 0), (0, 0.4, 0.1), (0.3, 0.4, 0.6), (0.6, 0, 0.6)], 0.02)
    across, binormal = curves.frames(path)
    tangent = np.gradient(path, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    np.testing.assert_allclose(np.cross(across, binormal)[1:-1], tangent[1:-1], atol=1e-6)
    assert (across[1:] * across[:-1]).sum(axis=1).min() > 0.97


def test_to_back_keeps_orientation_and_lengths():
    rng = np.random.default_rng(0)
    for kind in chair.KINDS:
        plan: Plan = chair.draw_plan(kind, rng)
        s, t = rng.uniform(-0.9, 0.9, 50) * plan.half_back, rng.uniform(0, 1, 50) * plan.back_height
        p, h = np.stack([s, t, 0 * s], axis=1), 1e-6
        steps = [(plan.to_back(p + h * e) - plan.to_back(p - h * e)) / (2 * h) for e in np.eye(3)]
        assert (np.einsum("vi,vi->v", steps[0], np.cross(steps[1], steps[2])) > 0.2).all()
        np.testing.assert_allclose(np.linalg.norm(steps[2], axis=1), 1.0, atol=0.05)


def test_labels_are_those_of_the_topology(chairs):
    for shape in chairs:
        _, back, arms, _ = shape.topology.split("/")
        wanted = {"seat", "leg"} | ({"back"} if back != "none" else set())
        wanted |= {"arm"} if arms != "none" else set()
        names = np.array(shape.label_names)
        assert shape.label_names == ("back", "seat", "leg", "arm")
        assert shape.face_labels.dtype == np.int16
        assert len(shape.face_labels) == len(shape.mesh.faces)
        assert set(names[np.unique(shape.face_labels)]) == wanted, shape.topology


def test_chair_stands_upright_and_faces_forward(chairs):
    for shape in chairs:
        centre = {
            name: shape.mesh.triangles[shape.face_labels == i].reshape(-1, 3).mean(axis=0)
            for i, name in enumerate(shape.label_names)
            if (shape.face_labels == i).any()
        }
        assert centre["leg"][2] < centre["seat"][2]
        legs = shape.mesh.triangles[shape.face_labels == 2]
        assert legs[..., 2].min() == pytest.approx(shape.mesh.vertices[:, 2].min(), abs=0.02)
        if "back" in centre:
            assert centre["back"][2] > centre["seat"][2]
            assert centre["back"][1] > centre["seat"][1], "the back is behind, at +Y"


def test_keypoints_lie_on_their_part(chairs):
    prefix = {"back": "back", "seat": "seat", "leg": "leg", "base": "leg", "arm": "arm"}
    for shape in chairs:
        assert shape.keypoints.shape == (len(shape.keypoint_names), 3)
        for name, point, vertex in zip(
            shape.keypoint_names, shape.keypoints, shape.keypoint_vertices, strict=True
        ):
            if vertex < 0:
                assert np.isnan(point).all()
                continue
            assert np.array_equal(point, shape.mesh.vertices[vertex])
            around = shape.face_labels[(shape.mesh.faces == vertex).any(axis=1)]
            label = shape.label_names.index(prefix[name.split("_")[0]])
            assert (around == label).all(), (shape.topology, name)


def test_front_keypoints_are_in_front(chairs):
    for shape in chairs:
        points = dict(zip(shape.keypoint_names, shape.keypoints, strict=True))
        for front, back in (
            ("seat_front_left", "seat_back_left"),
            ("leg_front_left_tip", "leg_back_left_tip"),
            ("arm_front_left", "arm_back_left"),
        ):
            if not np.isnan(points[front][0] + points[back][0]):
                assert points[front][1] < points[back][1], (shape.topology, front)
        if not np.isnan(points["back_top_left"][0]):
            assert points["back_top_left"][2] > points["back_bottom_left"][2] + 0.02


def test_presence_of_keypoints_follows_the_topology(chairs):
    for shape in chairs:
        legs, back, arms, _ = shape.topology.split("/")
        there = {
            name
            for name, vertex in zip(shape.keypoint_names, shape.keypoint_vertices, strict=True)
            if vertex >= 0
        }
        assert {"seat_front_left", "seat_back_right", "seat_center"} <= there
        assert ("back_top_left" in there) == (back != "none")
        assert ("arm_front_left" in there) == (arms != "none")
        if legs not in ("star", "disc", "tripod"):
            assert {"leg_front_left_tip", "leg_back_right_tip"} <= there


def test_orbits(chairs):
    sizes = set()
    for shape in chairs:
        back = shape.topology.split("/")[1]
        points = dict(zip(shape.keypoint_names, shape.keypoints, strict=True))
        for orbit in shape.symmetry.orbits:
            sizes.add((back == "none", len(orbit)))
            assert len(set(orbit)) == len(orbit)
            if len(orbit) == 4:  # the same place up to the two mirrors of the part itself
                spots = np.array([points[name] for name in orbit])
                spots = np.abs(spots - spots.mean(axis=0) * (1, 1, 0))
                np.testing.assert_allclose(spots, np.broadcast_to(spots[0], (4, 3)), atol=1e-6)
    assert (True, 4) in sizes and (False, 2) in sizes and (False, 4) not in sizes


def test_names_of_sides():
    assert swap_sides("leg_front_left_tip") == "leg_front_right_tip"
    assert mirror_pairs(("a_left", "b", "a_right")) == (("a_left", "a_right"),)


def test_families_and_shapes_are_disjoint():
    seen = [digest(generate("chair", seed, i)) for seed in (1, 2, 100) for i in range(20)]
    assert len(set(seen)) == len(seen)


@pytest.mark.parametrize("seed", [0, 1, 100, 424242])
def test_at_least_twelve_topologies_in_24(seed):
    shapes = [generate("chair", seed, i) for i in range(24)]
    assert len({s.topology for s in shapes}) >= 14
    assert len({s.topology.split("/")[0] for s in shapes}) >= 6
    assert len({s.topology.split("/")[1] for s in shapes}) >= 6


def test_one_round_deals_every_kind_once(monkeypatch):
    dealt = []
    whole = load_category("chair")

    def build(stratum, rng):
        dealt.append(stratum)
        return whole.build(stratum, rng)

    spied = dataclasses.replace(whole, build=build)
    monkeypatch.setattr(procedural, "load_category", lambda name: spied)
    for i in range(COUNT):
        procedural.generate("chair", 9, i)
    assert sorted(dealt) == list(range(COUNT)) and dealt != sorted(dealt)


def test_proportions_are_wide():
    shapes = [generate("chair", 11, i) for i in range(48)]
    sides = np.array([np.ptp(s.mesh.vertices, axis=0) for s in shapes])
    tall, deep = sides[:, 2] / sides[:, 0], sides[:, 1] / sides[:, 0]
    assert tall.max() / tall.min() > 4
    assert deep.max() / deep.min() > 2
    seat = [np.ptp(s.mesh.vertices[:, 2][s.mesh.faces[s.face_labels == 1]]) for s in shapes]
    assert max(seat) / min(seat) > 4


def test_materials_vary_and_some_have_textures():
    shapes = [generate("chair", 13, i) for i in range(COUNT)]
    textured = [s for s in shapes if s.mesh.corner_uvs is not None]
    assert 1 <= len(textured) < COUNT / 2
    for shape in textured:
        assert (shape.mesh.corner_uvs >= 0).all() and (shape.mesh.corner_uvs <= 1).all()
        pictures = [m.texture for m in shape.mesh.materials if m.texture is not None]
        assert pictures and all(p.dtype == np.uint8 and 32 <= len(p) <= 64 for p in pictures)
    colours = {m.base_color for s in shapes for m in s.mesh.materials}
    assert len(colours) > COUNT
    for shape in shapes:
        used = np.unique(shape.mesh.face_materials)
        assert used.min() >= 0 and used.max() < len(shape.mesh.materials)


def test_projected_uvs_against_one_face_at_a_time():
    triangles = np.random.default_rng(0).uniform(-0.5, 0.5, (40, 3, 3))
    uvs = projected_uvs(triangles)
    for triangle, uv in zip(triangles, uvs, strict=True):
        normal = np.cross(triangle[1] - triangle[0], triangle[2] - triangle[0])
        kept = [axis for axis in range(3) if axis != np.argmax(np.abs(normal))]
        np.testing.assert_allclose(uv, triangle[:, kept] + 0.5, atol=1e-6)


def test_assembly_leaves_out_keypoints_of_missing_parts():
    asm = Assembly(("a", "b"), {"x": Material()}, 0.1)
    asm.add_pair(parts.box((0.2, 0.2, 0.2), 0.01, 0.1).moved((0.3, 0, 0)), "a", "x")
    asm.mark("b_middle", (0, 0, 0), "b")
    asm.mark_pair("b_{}", (0, 0, 0), "b")
    asm.mark_corner("b_corner_{}", (1, 0, 0), "b")
    asm.mark_corner("a_corner_{}", (1, 1, 1), "a", ((0, 0, 5.0), (1, 1, 6.0)))
    asm.mark_pair("a_{}", (0.2, 0, 0), "a")
    mesh, labels, marks = asm.finish()
    assert set(marks) == {"a_left", "a_right"}
    assert set(labels.tolist()) == {0} and len(mesh.faces) == len(labels)


def test_every_construction_is_reachable():
    names = [set(" ".join(column).split()) for column in list(zip(*chair.KINDS, strict=True))[1:]]
    assert names[0] == set(chair.SUPPORTS)
    assert names[1] - {"none"} == set(BACKS)
    assert names[2] - {"none"} == set(chair.ARMS)
    assert names[3] == set(chair.SEATS)


@pytest.mark.parametrize(
    "name", ["sofa", "parts", "assembly", "chair_backs", "../x", "", "os.path"]
)
def test_unknown_category_lists_those_there_are(name):
    with pytest.raises(UserError, match="there are .*chair"):
        generate(name, 0, 0)


def test_categories_are_modules_with_the_constant():
    assert "chair" in categories()
    assert not {"parts", "assembly", "category"} & set(categories())


def test_negative_index():
    with pytest.raises(UserError, match="index"):
        generate("chair", 0, -1)


def test_speed():
    generate("chair", 0, 0)
    times = []
    for i in range(1, 41):
        start = time.process_time()
        generate("chair", 0, i)
        times.append(time.process_time() - start)
    median = np.median(times)  # about 4 ms on an idle core
    assert median < 0.02, f"one chair: median {1e3 * median:.1f} ms of processor time"
