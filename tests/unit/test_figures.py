"""Poses of one individual, bones that move parts, and the lofts that figures are made of."""

import numpy as np
import pytest
import trimesh
from shape_checks import assert_closed, shapes_of

from semcorr.datasets.procedural import generate
from semcorr.datasets.shapes import articulated, lofts
from semcorr.datasets.shapes.human_plan import BUILDS
from semcorr.datasets.shapes.human_poses import POSES as HUMAN_POSES
from semcorr.datasets.shapes.quadruped_poses import POSES as QUADRUPED_POSES
from semcorr.geometry.mesh import Material

POSED = ("human", "quadruped")


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
