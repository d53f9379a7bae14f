"""What holds for every procedural category, and vertex identity across the poses of one individual."""

import time

import numpy as np
import pytest
import trimesh
from scipy import ndimage
from scipy.spatial import cKDTree
from shape_checks import assert_closed, components, digest

from semcorr.datasets.procedural import categories, generate, load_category
from semcorr.datasets.shapes import articulated, lofts, mug, table
from semcorr.datasets.shapes.human_plan import BUILDS
from semcorr.datasets.shapes.human_poses import POSES as HUMAN_POSES
from semcorr.datasets.shapes.quadruped_poses import POSES as QUADRUPED_POSES
from semcorr.geometry.mesh import Material

CATEGORIES = ("aeroplane", "chair", "human", "mug", "quadruped", "table")
POSED = ("human", "quadruped")
COUNT = 24
MADE = {}


def shapes_of(category):
    if category not in MADE:
        MADE[category] = [generate(category, 3, i) for i in range(COUNT)]
    return MADE[category]


@pytest.fixture(params=CATEGORIES)
def category(request):
    return request.param


@pytest.fixture
def shapes(category):
    return shapes_of(category)


@pytest.fixture
def resting(shapes):
    return [s for s in shapes if s.pose == "rest"]


def points_of(shape):
    return dict(zip(shape.keypoint_names, shape.keypoints, strict=True))


def centre_of(shape, label):
    chosen = shape.face_labels == shape.label_names.index(label)
    return shape.mesh.triangles[chosen].reshape(-1, 3).mean(axis=0)


def test_the_list_of_categories():
    assert tuple(categories()) == CATEGORIES


def test_components_are_closed(shapes):
    for shape in shapes:
        assert_closed(shape.mesh.vertices, shape.mesh.faces)


def test_world_frame(shapes):
    for shape in shapes:
        vertices = shape.mesh.vertices
        low, high = vertices.min(axis=0), vertices.max(axis=0)
        assert np.isfinite(vertices).all()
        assert (high - low).max() == pytest.approx(1.0, abs=1e-6)
        np.testing.assert_allclose(low + high, 0.0, atol=2e-7)
        assert np.array_equal(vertices, vertices.astype(np.float32)), "not exact in float32"


def test_no_face_is_degenerate_or_long(shapes):
    for shape in shapes:
        corners = shape.mesh.triangles
        edges = corners - np.roll(corners, 1, axis=1)
        areas = np.linalg.norm(np.cross(edges[:, 0], edges[:, 1]), axis=1) / 2
        name = (shape.topology, shape.pose)
        assert areas.min() > 1e-9, name
        assert np.linalg.norm(edges, axis=2).max() < 0.16, name
        assert 1000 < len(corners) < 13000, name


def test_labels(shapes):
    seen = set()
    for shape in shapes:
        assert shape.face_labels.dtype == np.int16
        assert len(shape.face_labels) == len(shape.mesh.faces)
        assert shape.face_labels.min() >= 0
        seen |= set(np.unique(shape.face_labels).tolist())
    assert seen == set(range(len(shapes[0].label_names)))


def test_one_label_and_one_material_per_component(shapes):
    for shape in shapes[:6]:
        part = components(shape.mesh.faces, len(shape.mesh.vertices))
        for number in np.unique(part):
            assert len(np.unique(shape.face_labels[part == number])) == 1
            assert len(np.unique(shape.mesh.face_materials[part == number])) == 1


def test_nothing_floats(shapes):
    for shape in shapes:
        mesh = trimesh.Trimesh(shape.mesh.vertices, shape.mesh.faces, process=False)
        points, _ = trimesh.sample.sample_surface(mesh, 150_000, seed=0)
        full = np.zeros((100, 100, 100), bool)
        full[tuple(np.floor((points + 0.5) * 100).astype(int).clip(0, 99).T)] = True
        _, pieces = ndimage.label(full, np.ones((3, 3, 3)))
        assert pieces == 1, (shape.topology, shape.pose)


def test_shapes_at_rest_are_mirror_symmetric(resting):
    for shape in resting:
        vertices = shape.mesh.vertices
        tree = cKDTree(vertices)
        away, _ = tree.query(vertices * (-1, 1, 1))
        assert away.max() < 2e-7, shape.topology


def test_labels_of_a_side_lie_on_that_side(resting):
    for shape in resting:
        pairs = shape.symmetry.labels
        for left, right in pairs:
            assert centre_of(shape, left)[0] > 0 > centre_of(shape, right)[0]
            np.testing.assert_allclose(
                centre_of(shape, left) * (-1, 1, 1), centre_of(shape, right), atol=1e-6
            )


def test_keypoints_are_vertices_and_left_mirrors_right(shapes):
    for shape in shapes:
        points = points_of(shape)
        there = shape.keypoint_vertices >= 0
        assert there.sum() >= 6
        assert np.array_equal(
            shape.keypoints[there], shape.mesh.vertices[shape.keypoint_vertices[there]]
        )
        assert np.isnan(shape.keypoints[~there]).all()
        assert shape.symmetry.keypoints
        for left, right in shape.symmetry.keypoints:
            assert np.isnan(points[left]).all() == np.isnan(points[right]).all()
            if shape.pose == "rest" and not np.isnan(points[left][0]):
                assert points[left][0] > 0
                np.testing.assert_allclose(points[right], points[left] * (-1, 1, 1), atol=1e-7)


def test_every_keypoint_occurs_and_orbits_hold_those_that_do(category, shapes):
    many = [*shapes, *(generate(category, 4, i) for i in range(60))]
    present = np.any([s.keypoint_vertices >= 0 for s in many], axis=0)
    missing = [n for n, p in zip(many[0].keypoint_names, present, strict=True) if not p]
    assert missing == []
    for shape in shapes:
        points = points_of(shape)
        assert all(not np.isnan(points[n][0]) for orbit in shape.symmetry.orbits for n in orbit)


def test_same_bytes_in_any_order(category):
    wanted = {i: digest(generate(category, 5, i)) for i in (0, 7, 31)}
    for i in (31, 0, 7):
        assert digest(generate(category, 5, i)) == wanted[i]
    assert len(set(wanted.values())) == 3


@pytest.mark.parametrize("seed", [0, 100])
def test_at_least_eight_topologies_in_24(category, seed):
    assert len({generate(category, seed, i).topology for i in range(24)}) >= 8


# axes, the least ratio of largest to smallest over shapes, measured over 24 individuals
SPREADS = {
    "aeroplane": (0, 1, 2.0), "human": (0, 2, 1.8), "mug": (2, 0, 2.0), "quadruped": (2, 1, 2.0),
    "table": (2, 0, 6.0), "chair": (2, 0, 4.0),
}  # fmt: skip


def test_proportions_are_wide(category):
    a, b, least = SPREADS[category]
    poses = load_category(category).poses
    sides = np.array(
        [np.ptp(generate(category, 11, poses * i).mesh.vertices, axis=0) for i in range(24)]
    )
    ratio = sides[:, a] / sides[:, b]
    assert ratio.max() / ratio.min() > least


def test_materials_vary(shapes):
    assert len({m.base_color for s in shapes for m in s.mesh.materials}) > 12
    assert any(s.mesh.corner_uvs is not None for s in shapes)
    for shape in shapes:
        assert shape.mesh.face_materials.max() < len(shape.mesh.materials)


def test_speed_of_24_shapes(category):
    generate(category, 0, 0)
    start = time.process_time()
    for i in range(24):
        generate(category, 1, i)
    spent = time.process_time() - start
    assert spent < 3.0, f"24 shapes: {spent:.2f} s of processor time"


# what is in front, above or outside of what, at rest
def test_aeroplane_flies_forwards():
    for shape in shapes_of("aeroplane"):
        points = points_of(shape)
        assert points["nose_tip"][1] < points["body_top"][1] < points["tail_tip"][1]
        assert points["wing_left_tip"][0] > 2 * points["wing_left_root_front"][0] > 0
        assert points["wing_left_root_front"][1] < points["wing_left_root_rear"][1]
        middle = shape.mesh.vertices[:, 2].min()
        assert points["body_top"][2] > middle


def test_table_stands_on_its_legs():
    for shape in shapes_of("table"):
        assert centre_of(shape, "leg")[2] < centre_of(shape, "top")[2]
        legs = shape.mesh.triangles[shape.face_labels == shape.label_names.index("leg")]
        assert legs[..., 2].min() == pytest.approx(shape.mesh.vertices[:, 2].min(), abs=0.02)
        points = points_of(shape)
        assert points["top_front_left"][1] < points["top_back_left"][1]


def test_every_support_of_tables_is_reachable():
    legs = {name for kind in table.KINDS for name in kind.legs.split()}
    assert set(table.TABLE_SUPPORTS) <= legs
    assert legs - {"cabinets"} <= set(table.CARRIERS)
    assert {name for kind in table.KINDS for name in kind.tops.split()} == set(table.TOPS)


def test_mug_is_hollow_and_its_handle_does_not_show_inside():
    for i in range(42):
        rng = np.random.default_rng(i)
        kind = mug.KINDS[i % len(mug.KINDS)]
        plan = mug.draw_plan(kind, np.random.default_rng(i))
        draft = mug.build(i % len(mug.KINDS), rng)
        solid, _, _ = draft.assembly.parts[0]
        whole = np.pi / 4 * plan.height
        volume = trimesh.Trimesh(*solid, process=False).volume
        assert 0 < volume < 0.6 * whole
        handle = draft.assembly.vertices_of("handle")
        inner = plan.radius(np.clip(handle[:, 2], 0, plan.height)) - 0.9 * plan.thick
        assert (np.hypot(handle[:, 0], handle[:, 1]) > inner).all(), draft.topology


def test_quadruped_looks_forwards_and_stands():
    for shape in shapes_of("quadruped"):
        if shape.pose != "rest":
            continue
        points = points_of(shape)
        assert points["muzzle_tip"][1] < points["torso3_top"][1] < points["torso_top"][1]
        assert points["torso_top"][1] < points["tail_tip"][1]
        low = shape.mesh.vertices[:, 2].min()
        for end in ("front", "back"):
            assert points[f"left_{end}_foot_tip"][2] < low + 0.08
            heights = [
                centre_of(shape, f"left_{end}_{p}")[2] for p in ("upper_leg", "lower_leg", "foot")
            ]
            assert heights == sorted(heights, reverse=True)


def test_human_stands_upright_and_looks_forwards():
    for shape in shapes_of("human"):
        if shape.pose != "rest":
            continue
        points = points_of(shape)
        assert points["nose_tip"][1] < 0.5 * (points["neck_front"] + points["neck_back"])[1]
        assert points["left_toe"][1] < points["left_heel"][1]
        assert points["left_knee_front"][1] < points["left_knee_back"][1]
        heights = [points[n][2] for n in ("head_top", "neck_front", "navel", "crotch", "left_toe")]
        assert heights == sorted(heights, reverse=True)


@pytest.mark.parametrize("category", POSED)
def test_names_are_those_of_the_rigged_sets(category):
    shape = shapes_of(category)[0]
    expected = {
        "quadruped": (
            18,
            22,
            {"left_front_upper_leg", "tail"},
            {"neck2_top", "left_back_leg_outer"},
        ),
        "human": (16, 27, {"left_lowerarm", "hips"}, {"back_at_navel", "left_middle_finger_tip"}),
    }[category]
    assert (len(shape.label_names), len(shape.keypoint_names)) == expected[:2]
    assert expected[2] <= set(shape.label_names) and expected[3] <= set(shape.keypoint_names)


@pytest.mark.parametrize("category", POSED)
def test_poses_of_an_individual_share_vertices(category):
    for first in range(0, 24, 3):
        rest, *posed = shapes_of(category)[first : first + 3]
        assert rest.pose == "rest" and rest.individual == first // 3
        assert len({rest.pose, *(s.pose for s in posed)}) == 3
        for shape in posed:
            assert shape.individual == rest.individual and shape.topology == rest.topology
            assert np.array_equal(shape.mesh.faces, rest.mesh.faces)
            assert np.array_equal(shape.face_labels, rest.face_labels)
            assert np.array_equal(shape.keypoint_vertices, rest.keypoint_vertices)
            assert [m.base_color for m in shape.mesh.materials] == [
                m.base_color for m in rest.mesh.materials
            ]
            moved = np.abs(shape.mesh.vertices - rest.mesh.vertices).max()
            assert moved > 0.02, "the pose is another one"


@pytest.mark.parametrize("category", POSED)
def test_rigid_parts_keep_their_edges_in_every_pose(category):
    # a foot follows one bone: all its edges scale by the same factor (the unit box)
    rest, *posed = shapes_of(category)[:3]
    foot = [i for i, name in enumerate(rest.label_names) if name.endswith("foot")][0]
    faces = rest.mesh.faces[rest.face_labels == foot]
    lengths = [
        np.linalg.norm(s.mesh.vertices[faces[:, 0]] - s.mesh.vertices[faces[:, 1]], axis=1)
        for s in (rest, *posed)
    ]
    for other in lengths[1:]:
        ratio = other / lengths[0]
        np.testing.assert_allclose(ratio, np.median(ratio), rtol=1e-3)


def test_all_poses_occur():
    seen = {c: {generate(c, 21, i).pose for i in range(90)} for c in POSED}
    assert seen == {"human": {"rest", *HUMAN_POSES}, "quadruped": {"rest", *QUADRUPED_POSES}}
    assert {"stand", "walk", "sit", "arms_up"} <= seen["human"] and len(BUILDS) >= 8


def figure():
    fig = articulated.Figure(("{}_arm",), {"x": Material()}, 0.1)
    fig.labels = ("left_arm", "right_arm")
    fig.bone("root", (0, 0, 0))
    fig.bone("{}_arm", (0.2, 0, 1), "root")
    solid = lofts.limb((0.2, 0, 1), (1.2, 0, 1), (0.1, 0.1), 0.2, 8, normal=(0, 1, 0))
    fig.attach_pair(solid, "{}_arm", "x", "{}_arm")
    fig.mark_pair("{}_hand", (2, 0, 1), "left_arm")
    return fig


def test_bones_turn_about_their_joints_and_carry_what_is_below():
    posed = figure().posed({"left_arm": (0, -90, 0)})
    np.testing.assert_allclose(posed.keypoints["left_hand"], (0.2, 0, 2.1), atol=1e-9)
    np.testing.assert_allclose(posed.keypoints["right_hand"], (-1.3, 0, 1), atol=1e-9)
    posed = figure().posed({"root": (0, 0, 90), "left_arm": (0, -90, 0)})
    np.testing.assert_allclose(posed.keypoints["left_hand"], (0, 0.2, 2.1), atol=1e-9)


def test_mirrored_turns_give_mirrored_figures():
    posed = figure().posed(articulated.both("{}_arm", 20, 30, -40))
    left, right = (solid.vertices for solid, _, _ in posed.parts)
    np.testing.assert_allclose(right, left * (-1, 1, 1), atol=1e-12)


def test_unknown_bones_are_named():
    with pytest.raises(ValueError, match="third_arm"):
        figure().posed({"third_arm": (1, 0, 0)})


LOFTS = {
    "limb": lofts.limb((0, 0, 0), (0.3, 0.2, -0.5), (0.1, 0.06, 0.02), 0.05),
    "rounded square": lofts.rounded(np.array([[0, 0, 0], [0, -1, 0]]), 0.2, 0.1, 16, power=5),
    "wing": lofts.loft(
        np.array([[-1, 0, 0], [0, 0.1, 0], [1, 0, 0]]), (0, 1, 0), (0, 0, 1),
        (0.2, 0.3, 0.2), (0.02, 0.03, 0.02), lofts.aerofoil(),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LOFTS)
def test_lofts_are_closed_and_outward(name):
    assert_closed(LOFTS[name].vertices, LOFTS[name].faces)


def test_volume_of_a_limb():
    solid = lofts.limb((0, 0, 0), (0, 0, 1), (0.1, 0.1), 0.1, 64)
    ball = 4 / 3 * np.pi * 0.1**3
    volume = trimesh.Trimesh(*solid, process=False).volume
    assert volume == pytest.approx(np.pi * 0.01 + ball, rel=0.03)


def test_smooth_goes_through_the_values_without_overshoot():
    values = np.array([0.2, 1.0, 0.9, 0.9, 0.1])
    fine = lofts.smooth(np.linspace(0, 1, 401), values)
    np.testing.assert_allclose(fine[::100], values)
    assert fine.max() <= 1.0 + 1e-12 and fine.min() >= 0.1 - 1e-12
    np.testing.assert_allclose(lofts.smooth(np.array([0.3]), (0, 1, 2, 3)), 0.9)
    steps = np.diff(fine[:101])
    assert (steps > 0).all()
