"""Colours: the published rainbow by its formula, palettes, grey for what is unknown."""

import numpy as np

from semcorr.report.colours import (
    LABEL_PALETTE,
    NO_MATCH,
    carried_colours,
    confidence_colours,
    confidence_range,
    label_colours,
    method_colours,
    position_colours,
)


def test_position_colours_tell_every_corner_of_the_box_apart():
    corners = np.stack(np.meshgrid([0, 1], [0, 1], [0, 1]), -1).reshape(-1, 3).astype(float)
    colours = position_colours(corners).astype(int)
    apart = np.abs(colours[:, None] - colours[None]).sum(-1) + 999 * np.eye(8, dtype=int)
    assert apart.min() > 60
    # the scale is that of the box and not of the points
    box = np.array([[0.0] * 3, [1.0] * 3])
    np.testing.assert_array_equal(position_colours(corners[:1], box), position_colours(corners)[:1])
    np.testing.assert_array_equal(position_colours(corners * 1e6 + 7), position_colours(corners))


def test_labels_take_the_palette_then_repeat_darker():
    colours = label_colours(np.array([0, 8, 9, -1]))
    np.testing.assert_array_equal(colours[:2], LABEL_PALETTE[[0, 8]])
    assert (colours[2] < LABEL_PALETTE[0]).all()
    np.testing.assert_array_equal(colours[3], NO_MATCH)
    assert len(np.unique(label_colours(np.arange(18)), axis=0)) == 18


def test_carried_colours_follow_the_map_and_leave_grey():
    source = np.random.default_rng(1).integers(0, 256, (5, 3), dtype=np.uint8)
    carried = carried_colours(source, np.array([4, -1, 0]))
    np.testing.assert_array_equal(carried, [source[4], NO_MATCH, source[0]])


def test_confidence_scale():
    low, high = confidence_range(np.array([np.nan, 0.2, 0.4, np.inf]))
    assert 0.2 <= low < high <= 0.4
    assert confidence_range(np.full(4, np.nan)) == (0.0, 1.0)
    low, high = confidence_range(np.full(9, 0.3))
    assert low < 0.3 < high
    colours = confidence_colours(np.array([0.0, 1.0, np.nan, -5.0]), 0.0, 1.0)
    np.testing.assert_array_equal(colours[0], colours[3])
    np.testing.assert_array_equal(colours[2], NO_MATCH)
    assert colours[1].sum() > colours[0].sum()


def test_baselines_are_grey_and_methods_differ():
    colours = method_colours(["random", "hnsr_tiny", "guided_tiny", "spatial_yaw"])
    assert len(set(colours.values())) == 4
    grey = {name for name, c in colours.items() if c[1:3] == c[3:5] == c[5:7]}
    assert grey == {"random", "spatial_yaw"}
