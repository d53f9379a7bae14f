"""Kind `sam`: hints from alpha, what the network is given, which answer is taken."""

import numpy as np
import pytest
import torch
from tiny_networks import SAM, random_model, write_files, write_record
from transformers.models.sam.image_processing_pil_sam import SamImageProcessorPil

from semcorr.config.kinds.sam import Options
from semcorr.errors import ItemError
from semcorr.features.upstream import Upstream
from semcorr.imaging import sam
from semcorr.imaging.prompts import box_around, grid_over, points_inside
from semcorr.imaging.segment_anything import (
    Seen,
    enlarged,
    largest_mask,
    mask_at_points,
    mask_in_box,
    see,
    square,
)
from semcorr.store.memory import MemoryReader

SIDE = SAM["vision_config"]["image_size"]


def options(**changes):
    return Options(kind="sam", render="r", weights="sam_vit_base", **changes)


def picture(height=40, width=30, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def view(height=40, width=40, seed=0):
    """A picture whose alpha is a disc right of the middle."""
    y, x = np.mgrid[:height, :width]
    inside = np.hypot(x - 0.6 * width, y - 0.5 * height) < 0.25 * width
    return np.dstack([picture(height, width, seed), 255 * inside.astype(np.uint8)]), inside


@pytest.fixture(scope="module")
def network():
    return random_model(SAM)


def processor():
    size = {"height": SIDE, "width": SIDE}
    return SamImageProcessorPil(size={"longest_edge": SIDE}, pad_size=size)


def test_the_box_holds_the_objects_pixels_and_no_empty_row_or_column():
    inside = np.zeros((5, 7), bool)
    inside[1, 2] = inside[3, 5] = True
    np.testing.assert_array_equal(box_around(inside), [2, 1, 6, 4])
    np.testing.assert_array_equal(box_around(np.ones((5, 7), bool)), [0, 0, 7, 5])


def test_the_first_point_is_the_most_inner_one_and_all_lie_inside_and_apart():
    inside = np.zeros((40, 60), bool)
    inside[5:30, 3:28] = True
    inside[15:20, 28:55] = True  # a handle
    points = points_inside(inside, 6)
    np.testing.assert_array_equal(points[0], [15.5, 17.5])
    column, row = np.floor(points).astype(int).T
    assert inside[row, column].all()
    apart = np.linalg.norm(points[:, None] - points[None], axis=2) + 99 * np.eye(6)
    assert apart.min() > 3
    assert (points[:, 0] > 30).any(), "the handle has a point"


def test_an_object_of_few_pixels_has_few_points():
    inside = np.zeros((6, 6), bool)
    inside[2, 2:5] = True
    points = points_inside(inside, 5)
    assert sorted(map(tuple, points)) == [(2.5, 2.5), (3.5, 2.5), (4.5, 2.5)]


def test_grid_points_are_the_middles_of_equal_parts():
    np.testing.assert_array_equal(grid_over(4, 8, 2), [[2, 1], [6, 1], [2, 3], [6, 3]])


@pytest.mark.parametrize("size", [(40, 30), (30, 40), (64, 64), (90, 70)])
def test_the_network_is_given_what_its_own_preprocessing_gives_it(size):
    image = picture(*size)
    theirs = processor()(image, return_tensors="pt", do_convert_rgb=False)
    values, resized = square(image, SIDE)
    assert tuple(theirs["reshaped_input_sizes"][0].tolist()) == resized
    torch.testing.assert_close(values, theirs["pixel_values"], atol=1e-5, rtol=0)


@pytest.mark.parametrize("size", [(40, 30), (30, 40), (90, 70)])
def test_masks_come_back_as_the_networks_own_postprocessing_brings_them(size):
    logits = torch.from_numpy(np.random.default_rng(3).normal(size=(1, 1, 1, 16, 16))).float()
    _, resized = square(picture(*size), SIDE)
    theirs = processor().post_process_masks(logits, [size], [resized])[0][0, 0]
    ours = enlarged(logits[0, 0, 0], Seen(torch.zeros(0), size, resized, SIDE))
    np.testing.assert_array_equal(ours, theirs.numpy())


def test_box_and_points_are_given_in_the_coordinates_of_the_padded_square(network):
    """Against the network called as a whole, with positions scaled by hand (40 x 30 -> 64 x 48)."""
    image = picture(40, 30)
    values, resized = square(image, SIDE)
    assert resized == (64, 48)
    seen = see(network, image)
    box = np.array([3.0, 5.0, 21.0, 35.0])
    with torch.no_grad():
        whole = network(
            pixel_values=values,
            input_boxes=torch.from_numpy(box * 1.6).float().reshape(1, 1, 4),
            multimask_output=False,
        )
    expected = enlarged(whole.pred_masks[0, 0, 0], seen)
    assert 0 < expected.sum() < expected.size
    np.testing.assert_array_equal(mask_in_box(network, seen, box), expected)
    point = np.array([[10.5, 20.5]])
    with torch.no_grad():
        whole = network(
            pixel_values=values, input_points=torch.tensor([[[[10.5 * 1.6, 20.5 * 1.6]]]])
        )
    best = int(whole.iou_scores[0, 0].argmax())
    expected = enlarged(whole.pred_masks[0, 0, best], seen)
    np.testing.assert_array_equal(mask_at_points(network, seen, point), expected)


class Answers:
    """Stands for a network that answers every point with masks and qualities made by hand."""

    device = torch.device("cpu")

    def __init__(self, masks, qualities):
        self.masks, self.qualities, self.asked = masks, qualities, 0

    def __call__(self, image_embeddings, input_points, input_labels, multimask_output):
        count = input_points.shape[1]
        assert multimask_output and input_labels.shape == (1, count, 1)
        part = slice(self.asked, self.asked + count)
        self.asked += count
        self.pred_masks = torch.stack(self.masks[part])[None]
        self.iou_scores = torch.tensor(self.qualities[part])[None]
        return self


def coarse(*corners):
    logits = torch.full((16, 16), -5.0)
    top, left, bottom, right = corners
    logits[top:bottom, left:right] = 5.0
    return logits


def test_of_a_grids_answers_the_largest_good_one_that_is_not_the_background_is_taken():
    nothing, whole = coarse(0, 0, 0, 0), coarse(0, 0, 16, 16)
    part, thing, poor = coarse(4, 4, 7, 7), coarse(4, 4, 12, 12), coarse(3, 3, 14, 14)
    answers = [torch.stack([whole, part, nothing])] * 20
    answers += [torch.stack([thing, poor, part])] * 20  # beyond the first batch
    qualities = [[0.99, 0.95, 0.99]] * 20 + [[0.9, 0.5, 0.95]] * 20
    seen = Seen(torch.zeros(0), (32, 32), (64, 64), 64)
    model = Answers(answers, qualities)
    mask = largest_mask(model, seen, np.zeros((40, 2)), 0.88)
    assert model.asked == 40
    np.testing.assert_array_equal(mask, enlarged(thing, seen))
    rows = np.flatnonzero(mask.any(1))
    assert (rows[0], rows[-1]) == (8, 23)
    none = largest_mask(Answers(answers, qualities), seen, np.zeros((40, 2)), 0.995)
    assert none.shape == (32, 32) and not none.any()


def test_the_padding_is_no_part_of_a_masks_border():
    """Left half of a wide picture: it touches half of the picture's own border, not more."""
    seen = Seen(torch.zeros(0), (16, 32), (32, 64), 64)
    below = coarse(8, 0, 16, 16)  # padding alone
    left = coarse(1, 1, 8, 8)
    model = Answers([torch.stack([below, left, left])], [[0.99, 0.9, 0.9]])
    np.testing.assert_array_equal(
        largest_mask(model, seen, np.zeros((1, 2)), 0.5), enlarged(left, seen)
    )


def used(monkeypatch, rgba, **changes):
    """Return which way of asking a view with these options leads to."""
    calls = []
    monkeypatch.setattr(sam, "see", lambda model, image: image)
    for name in ("mask_in_box", "mask_at_points", "largest_mask"):
        monkeypatch.setattr(sam, name, lambda *a, name=name: calls.append((name, *a[1:])))
    sam.mask_of_view(None, rgba, options(**changes))
    ((name, image, hint, *_),) = calls
    return name, image, hint


def test_hints_come_from_the_alpha_and_from_a_grid_where_there_is_none(monkeypatch):
    rgba, inside = view()
    name, image, hint = used(monkeypatch, rgba)
    assert name == "mask_in_box"
    np.testing.assert_array_equal(hint, box_around(inside))
    assert (image[~inside] == 255).all()  # laid over white
    np.testing.assert_array_equal(image[inside], rgba[inside][:, :3])
    name, image, hint = used(monkeypatch, rgba, prompt="points", points=3, background="black")
    assert (name, hint.shape) == ("mask_at_points", (3, 2))
    assert (image[~inside] == 0).all()
    assert used(monkeypatch, rgba, prompt="grid", grid=4)[0] == "largest_mask"
    opaque = np.dstack([rgba[..., :3], np.full(inside.shape, 255, np.uint8)])
    for prompt in ("box", "points"):
        name, _, hint = used(monkeypatch, opaque, prompt=prompt, grid=4)
        assert (name, hint.shape) == ("largest_mask", (16, 2))


def compute_with(folder, rgba, precision="fp32", **changes):
    upstream = Upstream(
        MemoryReader({}),
        renders=MemoryReader({"a": {"rgba": rgba}}),
        weights={"weights": write_record(folder)},
        device="cpu",
        precision=precision,
    )
    with sam.extractor(options(**changes), upstream) as compute:
        return compute("a")["mask"]


@pytest.mark.parametrize("prompt", ["box", "points", "grid"])
def test_the_kind_gives_the_same_masks_every_time(prompt, tmp_path):
    write_files(tmp_path / "sam", SAM)
    rgba = np.stack([view(seed=1)[0], np.zeros((40, 40, 4), np.uint8), view(seed=2)[0]])
    changes = {"prompt": prompt, "grid": 3, "min_quality": 0.0}
    masks = compute_with(tmp_path / "sam", rgba, **changes)
    assert (masks.dtype, masks.shape) == (np.uint8, (3, 40, 40))
    assert not masks[1].any(), "a view that shows nothing has no object"
    assert masks[0].any() and masks[2].any() and set(np.unique(masks)) == {0, 1}
    np.testing.assert_array_equal(masks, compute_with(tmp_path / "sam", rgba, **changes))
    rounded = compute_with(tmp_path / "sam", rgba, precision="bf16", **changes)
    assert rounded.shape == masks.shape


def test_views_in_which_nothing_is_found_are_a_failed_item(tmp_path):
    write_files(tmp_path / "sam", SAM)
    with pytest.raises(ItemError, match="finds no object in any view"):
        compute_with(tmp_path / "sam", np.zeros((2, 40, 40, 4), np.uint8))
