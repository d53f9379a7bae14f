"""Masks of views, and what a mask changes in lifted features."""

import numpy as np
import pytest
from test_lifting import sphere_scene

from semcorr.assets.table import asset_keys
from semcorr.config.kinds.alpha import Options
from semcorr.config.load import validate
from semcorr.errors import ItemError, UserError
from semcorr.features import lifted
from semcorr.features.lifting import cut_out
from semcorr.features.upstream import Upstream
from semcorr.imaging.alpha import extractor, mask_of
from semcorr.networks.backbones import build_backbone
from semcorr.store.memory import MemoryReader

OUTLINE = {"kind": "alpha", "render": "r"}
FEATURE = {
    "kind": "lifted",
    "render": "r",
    "backbone": "tiny_vit",
    "weights": "dinov2_vits14",
    "size": 32,
    "layers": {"norm": 1.0},
}


def config(**changes):
    raw = {
        "renders": {"r": {"backend": "raycast"}, "elsewhere": {"backend": "raycast"}},
        "masks": {"outline": OUTLINE},
        "depth": {"exact": {"kind": "render", "render": "r"}},
        "features": {"f": FEATURE | changes},
    }
    return validate(raw, asset_keys())


def test_the_object_is_where_alpha_reaches_the_threshold():
    alpha = np.array([[0, 127, 128, 191, 192, 255]], np.uint8)
    rgba = np.concatenate([np.zeros((1, 1, 6, 3), np.uint8), alpha[:, None, :, None]], axis=3)
    for threshold, count in ((0.001, 5), (0.5, 4), (0.75, 2), (1.0, 1)):
        mask = mask_of(rgba, threshold)
        assert (mask.dtype, mask.shape, int(mask.sum())) == (np.uint8, (1, 1, 6), count)
        np.testing.assert_array_equal(mask[0, 0], [a / 255 >= threshold for a in alpha[0]])


def test_views_without_an_object_are_a_failed_item():
    rgba = np.full((2, 3, 3, 4), 100, np.uint8)
    renders = MemoryReader({"faint": {"rgba": rgba}})
    with (
        extractor(Options(**OUTLINE), Upstream(MemoryReader({}), renders)) as compute,
        pytest.raises(ItemError, match=r"alpha of 0\.5 or more"),
    ):
        compute("faint")


def test_what_is_cut_out_is_transparent_and_hit_by_no_ray():
    rgba = np.full((1, 2, 2, 4), 200, np.uint8)
    depth = np.array([[[1.0, 2.0], [0.0, 3.0]]], np.float32)
    mask = np.array([[[1, 0], [1, 1]]], np.uint8)
    cut, rest = cut_out(rgba, depth, mask)
    np.testing.assert_array_equal(cut[0, ..., 3], [[200, 0], [200, 200]])
    np.testing.assert_array_equal(rest, [[[1.0, 0.0], [0.0, 3.0]]])
    assert (cut.dtype, rest.dtype) == (np.uint8, np.float32)
    with pytest.raises(ItemError, match="no pixel of the shape"):
        cut_out(rgba, depth, np.array([[[0, 0], [1, 0]]], np.uint8))
    with pytest.raises(ValueError, match="expected"):
        cut_out(rgba, depth, mask[:, :1])


@pytest.fixture
def lift_with(monkeypatch):
    """Function (mask, depth, options) -> features of a sphere's sites, through the kind's own extractor."""
    cameras, depth, sites = sphere_scene()
    rng = np.random.default_rng(1)
    rgba = rng.integers(0, 255, (*depth.shape, 4), dtype=np.uint8)
    rgba[..., 3] = 255 * (depth > 0)
    views = {
        "rgba": rgba,
        "depth": depth,
        "cam_from_world": cameras.cam_from_world,
        "intrinsics": cameras.intrinsics,
    }
    mesh = {
        "vertices": sites,
        "faces": np.zeros((0, 3), np.int64),
        "sample_face": np.zeros(0, np.int64),
        "sample_barycentric": np.zeros((0, 3)),
    }
    backbone = build_backbone("tiny_vit", seed=0)
    monkeypatch.setattr(lifted, "open_backbone", lambda *arguments: backbone)

    def run(mask=None, depth=None, **changes):
        upstream = Upstream(
            MemoryReader({"ball": mesh}),
            renders=MemoryReader({"ball": views}),
            masks=None if mask is None else MemoryReader({"ball": {"mask": mask}}),
            depth=None if depth is None else MemoryReader({"ball": {"depth": depth}}),
            weights={"weights": None},
        )
        named = {"mask": mask, "depth": depth}
        named = {"mask": "outline", "depth": "exact"} | {
            k: None for k, v in named.items() if v is None
        }
        options = config(**named, **changes).features["f"]
        with lifted.extractor(options, upstream) as compute:
            return compute("ball")

    return run, depth


def test_a_mask_of_all_that_is_hit_changes_nothing(lift_with):
    run, depth = lift_with
    plain, masked = run(), run((depth > 0).astype(np.uint8))
    for name in ("site_features", "hits"):
        np.testing.assert_array_equal(plain[name], masked[name])


def test_only_sites_inside_the_mask_are_seen(lift_with):
    run, depth = lift_with
    half = (depth > 0).astype(np.uint8)
    half[:, :, : depth.shape[2] // 2] = 0
    plain, masked = run(), run(half)
    assert (masked["hits"] <= plain["hits"]).all()
    assert 0 < masked["hits"].sum() < plain["hits"].sum()
    assert not np.array_equal(plain["site_features"], masked["site_features"])


def test_a_mask_of_other_views_is_refused():
    assert config(mask="outline").features["f"].mask == "outline"
    with pytest.raises(UserError, match="features.f.mask: 'outline' is of views 'r', the feature"):
        config(mask="outline", render="elsewhere")
    with pytest.raises(UserError, match="no entry 'gone' in `masks`"):
        config(mask="gone")
