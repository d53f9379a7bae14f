"""Depth variants: exact from the renderer, guessed by Depth Anything, and what lifting does with them."""

import numpy as np
import pytest
import torch
from test_imaging import FEATURE, lift_with  # noqa: F401  (a fixture)
from tiny_networks import DEPTH_ANYTHING, random_model, write_files, write_record
from transformers.models.dpt.image_processing_pil_dpt import DPTImageProcessorPil

from semcorr.assets.table import asset_keys
from semcorr.config.kinds.depth_anything import Options
from semcorr.config.load import validate
from semcorr.errors import ItemError, UserError
from semcorr.features.upstream import Upstream
from semcorr.imaging import depth_anything
from semcorr.imaging.depth_anything import fitted, inverse_depth, network_input
from semcorr.networks.backbone_spec import IMAGENET_MEAN, IMAGENET_STD
from semcorr.stages.running.chunk_variants import kind_module
from semcorr.store.memory import MemoryReader

PATCH = DEPTH_ANYTHING["patch_size"]


def picture(height=40, width=40, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def views():
    rng = np.random.default_rng(1)
    depth = rng.uniform(1.5, 2.5, (2, 40, 40)).astype(np.float32)
    depth[:, :, :10] = 0
    rgba = rng.integers(0, 256, (2, 40, 40, 4), dtype=np.uint8)
    rgba[..., 3] = 255 * (depth > 0)
    return {"rgba": rgba, "depth": depth}


def test_exact_depth_is_the_renderers():
    module = kind_module("depth", "render")
    entry = module.Options(kind="render", render="r")
    renders = MemoryReader({"a": views()})
    with module.extractor(entry, Upstream(MemoryReader({}), renders)) as compute:
        found = compute("a")
    assert found.keys() == {"depth"}
    np.testing.assert_array_equal(found["depth"], views()["depth"])


def test_the_network_is_given_what_its_own_preprocessing_gives_it():
    """For square pictures: released settings are bicubic, whole patches of 14, ImageNet's mean."""
    theirs = DPTImageProcessorPil(
        size={"height": 56, "width": 56},
        keep_aspect_ratio=True,
        ensure_multiple_of=PATCH,
        resample=3,
        image_mean=list(IMAGENET_MEAN),
        image_std=list(IMAGENET_STD),
    )
    image = picture(90, 90)
    expected = theirs(image, return_tensors="pt")["pixel_values"]
    torch.testing.assert_close(network_input(image, 56, PATCH), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("shape", "size", "expected"),
    [((40, 40), 56, (56, 56)), ((40, 60), 56, (56, 84)), ((30, 20), 30, (42, 28)), ((9, 9), 14, (14, 14))],
)  # fmt: skip
def test_sides_are_whole_patches(shape, size, expected):
    assert network_input(picture(*shape), size, PATCH).shape[2:] == expected


def test_a_guess_is_given_the_scale_of_the_view_and_only_where_it_is_hit():
    rng = np.random.default_rng(0)
    exact = rng.uniform(1, 3, (6, 8)).astype(np.float32)
    exact[2, 3:5] = 0
    guess = np.where(exact > 0, 7.5 / np.maximum(exact, 1) - 3, 1e6).astype(np.float32)
    depth = fitted(guess, exact)
    assert depth.dtype == np.float32
    np.testing.assert_allclose(depth, exact, rtol=1e-5)
    np.testing.assert_array_equal(depth == 0, exact == 0)


def test_the_fit_is_the_least_squares_fit_of_inverse_depth():
    rng = np.random.default_rng(0)
    exact = rng.uniform(1, 3, (9, 9))
    guess = 1 / exact + rng.normal(0, 0.02, exact.shape)
    columns = np.stack([guess.ravel(), np.ones(guess.size)], axis=1)
    scale, offset = np.linalg.lstsq(columns, 1 / exact.ravel(), rcond=None)[0]
    expected = 1 / (scale * guess + offset)
    np.testing.assert_allclose(fitted(guess, exact), expected, rtol=1e-5)


def test_a_guess_that_says_nothing_is_a_plane_and_one_behind_the_camera_is_no_hit():
    exact = np.array([[1.0, 2.0], [0.0, 4.0]])
    flat = fitted(np.full((2, 2), 0.3), exact)
    np.testing.assert_allclose(flat[exact > 0], 3 / (1 + 0.5 + 0.25), rtol=1e-6)
    # seven at depth 1 and one far off at nearly infinite depth: the fit goes below 0 there
    exact = np.array([[1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 50.0, 60.0]])
    guess = np.array([[1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.5, -3.0]])
    depth = fitted(guess, exact)
    assert depth[0, 8] == 0 and (depth[0, :7] > 0).all()
    assert not fitted(np.zeros((2, 2)), np.zeros((2, 2))).any()


def options(**changes):
    base = {"kind": "depth_anything", "render": "r", "weights": "depth_anything_v2_small"}
    return Options(**base | {"size": 56} | changes)


def compute_with(folder, precision="fp32", **changes):
    upstream = Upstream(
        MemoryReader({}),
        renders=MemoryReader({"a": views()}),
        weights={"weights": write_record(folder)},
        device="cpu",
        precision=precision,
    )
    with depth_anything.extractor(options(**changes), upstream) as compute:
        return compute("a")


def test_the_kind_gives_both_depths_the_same_every_time(tmp_path):
    network = write_files(tmp_path / "deep", DEPTH_ANYTHING)
    found = compute_with(tmp_path / "deep")
    assert found.keys() == {"depth", "inverse_depth"}
    for values in found.values():
        assert (values.dtype, values.shape) == (np.float32, (2, 40, 40))
    hit = views()["depth"] > 0
    assert not found["depth"][~hit].any()
    assert np.ptp(found["inverse_depth"]) > 0
    white = np.where(hit[0][..., None], views()["rgba"][0, ..., :3], 255).astype(np.uint8)
    np.testing.assert_array_equal(found["inverse_depth"][0], inverse_depth(network, white, 56))
    again = compute_with(tmp_path / "deep")
    for name, values in found.items():
        np.testing.assert_array_equal(values, again[name])
    rounded = compute_with(tmp_path / "deep", precision="bf16")["inverse_depth"]
    np.testing.assert_allclose(rounded, found["inverse_depth"], atol=0.1 * np.ptp(rounded))


def test_a_guess_comes_back_at_the_pictures_size():
    network = random_model(DEPTH_ANYTHING)
    assert inverse_depth(network, picture(30, 50), 28).shape == (30, 50)


def test_guesses_that_are_not_finite_are_a_failed_item(tmp_path, monkeypatch):
    write_files(tmp_path / "deep", DEPTH_ANYTHING)
    monkeypatch.setattr(depth_anything, "inverse_depth", lambda *a: np.full((40, 40), np.nan))
    with pytest.raises(ItemError, match="not finite"):
        compute_with(tmp_path / "deep")


def test_the_same_depth_as_a_variant_changes_nothing(lift_with):  # noqa: F811
    run, depth = lift_with
    plain, same = run(), run(depth=depth)
    for name in ("site_features", "hits"):
        np.testing.assert_array_equal(plain[name], same[name])


def test_sites_are_seen_by_the_variants_depth_within_the_tolerance(lift_with):  # noqa: F811
    run, depth = lift_with
    away = np.where(depth > 0, depth + np.float32(1.5), 0).astype(np.float32)
    with pytest.raises(ItemError, match="no view shows any"):
        run(depth=away)
    wide = run(depth=away, tolerance=1.6)
    assert wide["hits"].sum() > 0
    half = depth.copy()
    half[:, :, : depth.shape[2] // 2] = 0
    assert 0 < run(depth=half)["hits"].sum() < run()["hits"].sum()


def test_a_depth_of_other_views_is_refused():
    def config(**changes):
        raw = {
            "renders": {"r": {"backend": "raycast"}, "elsewhere": {"backend": "raycast"}},
            "depth": {"exact": {"kind": "render", "render": "r"}},
            "features": {"f": FEATURE | changes},
        }
        return validate(raw, asset_keys())

    assert config(depth="exact").features["f"].depth == "exact"
    with pytest.raises(UserError, match="features.f.depth: 'exact' is of views 'r', the feature"):
        config(depth="exact", render="elsewhere")
    with pytest.raises(UserError, match="no entry 'gone' in `depth`"):
        config(depth="gone")
