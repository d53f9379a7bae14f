"""Features of voxels from views: pictures, places, samples, means, and the sites that get them."""

import numpy as np
import pytest
import torch

from semcorr.cameras import orbit
from semcorr.errors import ItemError
from semcorr.features.voxel_features import (
    samples_of_views,
    voxel_features,
    voxel_places,
    whole_picture,
)
from semcorr.features.voxel_source import at_sites
from semcorr.geometry.voxels import cell_of_points, centres
from semcorr.networks.backbones import build_backbone

SIZE = 32
CAMERAS = orbit(3, 2.0, 40.0, 48, elevations=(15.0, -10.0))


@pytest.fixture(scope="module")
def encoder():
    return build_backbone("tiny_vit", seed=4).module.requires_grad_(False)


@pytest.fixture(scope="module")
def pictures():
    return list(np.random.default_rng(0).integers(0, 256, (3, 48, 48, 4), dtype=np.uint8))


def points(count=7, reach=0.5):
    return np.random.default_rng(1).uniform(-reach, reach, (count, 3))


def test_pictures_are_laid_on_black_without_rounding():
    rgba = np.zeros((20, 20, 4), np.uint8)
    rgba[...] = (200, 100, 50, 128)
    picture = whole_picture(rgba, 10)
    assert picture.shape == (10, 10, 3) and picture.dtype == np.float32
    # resizing weights colours by alpha and comes back to 8 bits: up to a grey level
    colour = picture[4, 4] * 255 / (128 / 255)
    np.testing.assert_allclose(colour, [200, 100, 50], atol=1.001)
    np.testing.assert_allclose(colour, colour.round(), atol=1e-3)
    # half a grey level is no whole one: nothing was rounded after that
    assert np.abs(picture[4, 4] * 255 - (picture[4, 4] * 255).round()).max() > 0.01
    # nothing is cropped: the object's place stays
    rgba[...] = 0
    rgba[:, :10] = 255
    picture = whole_picture(rgba, 20)
    assert picture[:, :9].min() == 1 and picture[:, 11:].max() == 0


@pytest.mark.parametrize("shape", [(4, 4, 3), (4, 4), (1, 4, 4, 4)])
def test_pictures_without_alpha_are_refused(shape):
    with pytest.raises(ValueError, match="expected"):
        whole_picture(np.zeros(shape, np.uint8))
    with pytest.raises(ValueError, match="float64"):
        whole_picture(np.zeros((4, 4, 4)))


def test_places_are_the_projection_by_hand():
    places = voxel_places(CAMERAS, points())
    assert places.dtype == torch.float32 and places.shape == (3, 7, 2)
    for view in range(3):
        for row, point in enumerate(points()):
            x, y, z, _ = CAMERAS.cam_from_world[view] @ [*point, 1]
            half = np.tan(np.deg2rad(20))
            expected = [0.5 + 0.5 * x / z / half, 0.5 + 0.5 * y / z / half]
            np.testing.assert_allclose(places[view, row], expected, atol=1e-6)
    assert torch.equal(voxel_places(CAMERAS, np.zeros((1, 3))), torch.full((3, 1, 2), 0.5))


def plain_sample(grid, x, y):
    """Bilinear value of (c, h, w) at a place in 0..1; zero beyond the border."""
    c, h, w = grid.shape
    px, py = x * w - 0.5, y * h - 0.5
    i, j = int(np.floor(py)), int(np.floor(px))
    out = np.zeros(c)
    for row, share_y in ((i, i + 1 - py), (i + 1, py - i)):
        for column, share_x in ((j, j + 1 - px), (j + 1, px - j)):
            if 0 <= row < h and 0 <= column < w:
                out += share_x * share_y * grid[:, row, column]
    return out


def test_samples_and_their_mean(encoder, pictures):
    places = voxel_places(CAMERAS, points(7, 0.8))
    assert bool((places < 0).any() or (places > 1).any()), "a point leaves a picture"
    total = 0
    for view, found in enumerate(samples_of_views(encoder, pictures, places, SIZE)):
        picture = torch.from_numpy(whole_picture(pictures[view], SIZE)).permute(2, 0, 1)
        mean, std = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
        picture = (picture - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]
        tokens = encoder(picture[None])
        grid = tokens.patches(tokens.prenorm)[0].numpy()
        expected = [plain_sample(grid, *place) for place in places[view].double().tolist()]
        np.testing.assert_allclose(found, expected, atol=2e-5)
        total = total + np.array(expected)
    mean = voxel_features(encoder, pictures, CAMERAS, points(7, 0.8), SIZE)
    assert mean.dtype == np.float32 and view == 2
    np.testing.assert_allclose(mean, total / 3, atol=2e-5)


def test_what_cannot_be_read_off_is_permanent(encoder, pictures):
    with pytest.raises(ItemError, match="behind a camera"):
        voxel_features(encoder, pictures, CAMERAS, CAMERAS.positions[:1] * 1.1, SIZE)
    with pytest.raises(ItemError, match="0 voxels"):
        voxel_features(encoder, pictures, CAMERAS, np.zeros((0, 3)), SIZE)
    with pytest.raises(ItemError, match="0 views"):
        voxel_features(encoder, [], CAMERAS, points(), SIZE)
    with pytest.raises(ValueError, match="pictures: expected 3, got 2"):
        voxel_features(encoder, pictures[:2], CAMERAS, points(), SIZE)


def test_features_that_are_not_finite_are_permanent(encoder, pictures):
    broken = build_backbone("tiny_vit", seed=4).module.requires_grad_(False)
    broken.cls_token.fill_(float("nan"))
    with pytest.raises(ItemError, match="not finite"):
        voxel_features(broken, pictures, CAMERAS, points(), SIZE)


def test_sites_get_the_nearest_occupied_cell():
    cells = np.array([[0, 0, 0], [3, 3, 3], [7, 0, 7]])
    features = np.arange(3.0)[:, None]
    sites = np.concatenate([centres(cells, 8), centres(cells, 8) + 0.05, [[0.5, -0.5, 0.45]]])
    assert at_sites(features, cells, 8, sites)[:, 0].tolist() == [0, 1, 2, 0, 1, 2, 2]
    # a site in a free cell is nearest to what lies beside it
    site = centres(np.array([[3, 3, 4]]), 8)
    assert cell_of_points(site, 8).tolist() == [[3, 3, 4]]
    assert at_sites(features, cells, 8, site).tolist() == [[1.0]]
