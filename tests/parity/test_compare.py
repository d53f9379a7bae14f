"""The harness itself: every rule can fail, and what it does not understand fails."""

import json
from importlib.metadata import version

import fixture_tree
import numpy as np
import pytest
from adapters.case_files import every
from cases import SYSTEMS
from compare import Arrays, compare, largest_difference, largest_relative_difference

PILLOW = (
    "exact with the listed Pillow; another resampler build: "
    "at most 1 grey level on <= 0.1 % of values"
)
MASKS = (
    "views 1-2: mean |alpha/255 - coverage| <= 0.004 with at least 4x4 samples per pixel "
    "(an independent ray caster reached 0.0007), IoU of (alpha>127) >= 0.965 (reached 0.975)"
)
TIES = (
    "exact (rows with num_equally_near==1; elsewhere any voxel at the same squared_distance is "
    "correct)"
)
BITS = "exact except voxels with |logit| below the logits tolerance (8 such voxels)"


def result(found, expected, tolerance, **more):
    """Result of one array `x`."""
    others = more.get("others", {})
    case = {
        "tolerance": {"x": tolerance, **dict.fromkeys(others, "exact")},
        "versions": {"pillow": more.get("pillow", "none")},
    }
    arrays = Arrays(
        case,
        inputs=more.get("inputs", {}),
        expected={"x": np.asarray(expected), **others},
        found={"x": np.asarray(found), **others},
    )
    return next(r for r in compare(arrays) if r.key == "x")


@pytest.mark.parametrize(
    ("found", "expected", "bounds", "passed"),
    [
        ([1.0, 2.0], [1.0, 2.0], {"max_abs": 0.0}, True),
        ([1.0, 2.1], [1.0, 2.0], {"max_abs": 0.2, "peak": 2.0, "observed": {}}, True),
        ([1.0, 2.1], [1.0, 2.0], {"max_abs": 0.05, "max_rel_to_peak": 1.0}, False),
        (1.0, 1.0 + 1e-7, {"max_rel": 1e-6}, True),
        (1.0, 1.1, {"max_rel": 1e-6}, False),
        ([np.nan], [1.0], {"max_abs": 1e9}, False),
        ([1.0], [np.inf], {"max_abs": 1e9}, False),
        ([np.inf, np.nan], [np.inf, np.nan], {"max_abs": 0.0}, True),
        ([[1.0]], [1.0], {"max_abs": 1.0}, False),
        ([1], [1.0], {"max_abs": 1.0}, False),
        ([1.0], [1.0], {"max_ulps": 4}, False),
        ([1.0], [1.0], {}, False),
    ],
)
def test_bounds(found, expected, bounds, passed):
    assert result(found, expected, bounds).passed is passed


def test_differences_say_how_large():
    assert largest_difference(np.array([1.0, 3.0]), np.array([1.5, 3.0])) == 0.5
    assert largest_relative_difference(np.array([2.2, 0.0]), np.array([2.0, 0.0])) == (
        pytest.approx(0.1)
    )
    assert largest_relative_difference(np.array([1.0]), np.array([0.0])) > 1e300
    # a thousandth of the peak counts as a hundredth of it
    small = largest_relative_difference(np.array([1.0, 0.0012]), np.array([1.0, 0.001]))
    assert small == pytest.approx(0.02)


def test_a_note_restricts_rows():
    near = {"near": np.array([1, 2])}
    bounds = {"max_abs": 0.1, "note": "rows with near==1"}
    assert result([0.0, 5.0], [0.0, 0.0], bounds, others=near).passed
    assert not result([5.0, 0.0], [0.0, 0.0], bounds, others=near).passed


@pytest.mark.parametrize("sentence", ["exact", "exact; faces lie on cell borders"])
def test_exact(sentence):
    assert result([1, 2], np.array([1, 2], np.uint8), sentence).passed
    assert not result([1, 3], np.array([1, 2], np.uint8), sentence).passed
    # not modulo the stored type
    assert not result([1, 258], np.array([1, 2], np.uint8), sentence).passed
    assert result(np.float64([0.1]), np.float32([0.1]), sentence).passed


@pytest.mark.parametrize("sentence", ["nearly exact", "not required", ""])
def test_unknown_sentences_fail(sentence):
    assert not result([1], [1], sentence).passed


def test_missing_arrays_and_tolerances_fail():
    case = {"tolerance": {"a": "exact", "gone": "exact"}}
    expected = {"a": np.zeros(1), "b": np.zeros(1)}
    results = {r.key: r for r in compare(Arrays(case, {}, expected, {"b": np.zeros(1)}))}
    assert results.keys() == {"a", "b", "gone"}
    assert not any(r.passed for r in results.values())


def test_ties_may_go_to_any_voxel_as_near():
    voxels = {"source_voxels32": np.array([[0, 0, 0], [2, 0, 0], [9, 9, 9]], np.uint8)}
    others = {
        "num_equally_near": np.array([1, 2]),
        "squared_distance": np.array([0, 1]),
        "query_voxel": np.array([[0, 0, 0], [1, 0, 0]], np.int16),
    }
    expected = np.array([[0, 0, 0], [0, 0, 0]], np.uint8)

    def passes(*rows):
        found = np.array(rows, np.uint8)
        return result(found, expected, TIES, inputs=voxels, others=others).passed

    assert passes([0, 0, 0], [0, 0, 0])
    assert passes([0, 0, 0], [2, 0, 0])
    assert not passes([2, 0, 0], [0, 0, 0])
    assert not passes([0, 0, 0], [9, 9, 9])
    # as near, but not occupied
    assert not passes([0, 0, 0], [1, 1, 0])


def test_bits_may_flip_where_the_logit_is_small():
    logits = np.full((1, 1, 2, 2, 2), 3.0)
    logits[0, 0, 0, 0, 1] = -5e-5
    expected = np.packbits(np.ones(8, np.uint8))

    def passes(values, bits):
        extra = {"_logits": values}
        bounds = {"logits_strided2": {"max_abs": 1e-4}}
        others = {"logits_strided2": np.zeros(1)}
        case = {"tolerance": {"x": BITS, **bounds}}
        arrays = Arrays(case, {}, {"x": expected, **others}, {"x": bits, **others, **extra})
        return compare(arrays)[0].passed

    assert passes(logits, np.packbits((logits > 0).ravel()))
    assert not passes(logits, expected)  # not the bits of these logits
    wrong = logits.copy()
    wrong[0, 0, 1, 1, 1] = -3.0
    assert not passes(wrong, np.packbits((wrong > 0).ravel()))


def test_coordinates_follow_the_found_bits():
    logits = np.array([1.0, -1e-6, 1.0, 1.0, -1.0, 1.0, 1.0, 1.0]).reshape(1, 1, 2, 2, 2)
    found_bits = np.packbits((logits > 0).ravel())
    rows = np.argwhere(logits > 0)[:3, [0, 2, 3, 4]].astype(np.int32)

    def passes(bits, coordinates):
        found = {"x": coordinates, "occupied_bits": found_bits, "_logits": logits}
        expected = {"x": rows, "occupied_bits": bits}
        case = {"tolerance": {"x": "follows occupied_bits", "occupied_bits": "exact"}}
        return compare(Arrays(case, {}, expected, found))[0].passed

    assert passes(found_bits, rows)
    assert not passes(found_bits, rows[::-1])
    assert passes(np.packbits(np.ones(8, np.uint8)), rows)
    assert not passes(np.packbits(np.ones(8, np.uint8)), rows + 1)


def test_pictures_of_another_pillow_may_differ_a_little():
    expected = np.full(2000, 7, np.uint8)
    found = expected.copy()
    found[0] = 8
    assert result(found, expected, PILLOW).passed
    assert not result(found, expected, PILLOW, pillow=version("pillow")).passed
    found[0] = 9
    assert not result(found, expected, PILLOW).passed
    found[:3] = 8
    assert not result(found, expected, PILLOW).passed


def test_partitions_are_equal_whatever_the_ids():
    rule = "exact (as a partition: same rows grouped together, ids may differ)"
    expected = np.array([0, 0, 1, 2, 2], np.int32)
    assert result([7, 7, 3, 0, 0], expected, rule).passed
    assert not result([7, 7, 3, 3, 3], expected, rule).passed  # two groups are one
    assert not result([7, 7, 3, 0, 1], expected, rule).passed  # one group is two
    assert not result([7, 3, 3, 0, 0], expected, rule).passed  # as many, others
    assert not result([7, 7, 3, 0], expected, rule).passed


def test_values_rounded_to_float16_may_be_a_step_apart():
    rule = "at most one float16 step + 5e-5 (the unrounded values may differ by 5e-5)"
    expected = np.array([1.0, 1e-6], np.float16)
    assert result(np.float32([1.0009, 4e-5]), expected, rule).passed
    assert not result(np.float32([1.0021, 0.0]), expected, rule).passed  # two steps
    assert not result(np.float32([1.0, 7e-5]), expected, rule).passed
    assert not result(np.float32([np.nan, 0.0]), expected, rule).passed
    assert not result(np.float32([1e30, 0.0]), expected, rule).passed


def test_silhouettes():
    expected = np.zeros((3, 32, 32), np.uint8)
    expected[:, 8:24, 8:24] = 255
    close, shifted, faint = expected.copy(), expected.copy(), expected.copy()
    close[0] = 0  # this view is not required
    close[1, 8, 8] = 200
    shifted[2] = np.roll(expected[2], 1, axis=0)
    faint[1] = np.minimum(expected[1], 250)
    assert result(close, expected, MASKS).passed
    assert not result(shifted, expected, MASKS).passed
    assert not result(faint, expected, MASKS).passed


@pytest.mark.parametrize(
    ("name", "stride", "rows", "kept"),
    [
        ("a_strided", 7, 15, 7),
        ("a_strided33", None, 16, 33),
        ("a_strided", 34, 16, 34),
        ("a_strided", 3, 171, 3),
        ("a_strided", 99, 64, 8),
    ],
)
def test_strides(name, stride, rows, kept):
    count = 100 if kept == 7 else 512
    case = {"expected": {name: ["float32", [rows]]}, "stride": stride}
    found = every(np.arange(count), case, name)
    assert len(found) == rows and found[1] == kept
    with pytest.raises(ValueError, match="no stride"):
        every(np.arange(5), {"expected": {name: ["float32", [4]]}}, name)


def test_cases_of_another_root(tmp_path, monkeypatch):
    """Unknown cases of an implemented system are compared (and fail), other systems are reported."""
    later = "another_day"
    monkeypatch.setitem(SYSTEMS["nsr"].later, later, "a reason")
    for place in ("nsr/voxelise", "nsr/brand_new", f"nsr/{later}", "other/one", "other/two"):
        folder = tmp_path / place
        folder.mkdir(parents=True)
        (folder / "case.json").write_text(json.dumps({}))
    names = [folder.name for folder in fixture_tree.to_compare(tmp_path)]
    assert names == ["brand_new", "voxelise"]
    lines = fixture_tree.not_compared(tmp_path)
    assert lines[0].startswith(f"nsr-{later}: later")
    assert lines[1] == "other: no adapter yet (2 cases)"


MARGIN = "exact where gap > 1e-5"
BOUND = "upper bound (x1.02)"
ANY = "not required; a correct 2-parameter alignment must reach an objective <= o*1.02"


def test_labels_may_differ_only_near_a_tie():
    gaps = {"gap": np.array([1e-6, 1.0, 1.0])}
    assert result([9, 1, 2], [0, 1, 2], MARGIN, others=gaps).passed
    assert not result([0, 1, 3], [0, 1, 2], MARGIN, others=gaps).passed


def test_an_objective_is_bounded_from_above_and_its_solution_free():
    assert result(1.0, 2.0, BOUND).passed and result(2.03, 2.0, BOUND).passed
    assert not result(2.05, 2.0, BOUND).passed
    assert result([9.0], [0.0], ANY, others={"o": np.array(2.0)}).passed
    worse = Arrays({"tolerance": {"x": ANY}}, {}, {"x": np.zeros(1), "o": np.array(2.0)},
                   {"x": np.zeros(1), "o": np.array(2.1)})  # fmt: skip
    assert not compare(worse)[0].passed


def test_what_informs_needs_the_shape_alone():
    assert "0.5000" in result([1, 2], [1, 3], "informational (several optima exist)").error
    assert not result([1], [1, 3], "informational").passed
