import numpy as np
import pytest
import torch
from PIL import Image

from semcorr.errors import ItemError, UserError
from semcorr.features.conditions import (
    condition_tokens,
    crop_box,
    normalised,
    prenorm_tokens,
    prepare_picture,
    token_encoder,
)
from semcorr.networks.backbones import build_backbone
from semcorr.networks.dino import DinoViT


@pytest.fixture(scope="module")
def encoder():
    return build_backbone(
        "dinov2_vits14_reg", {"img_size": 56, "embed_dim": 12, "depth": 2, "num_heads": 2}, 0
    ).module.requires_grad_(False)


def disc(height=60, width=80, radius=15, centre=(30, 42)):
    y, x = np.mgrid[:height, :width]
    inside = (y - centre[0]) ** 2 + (x - centre[1]) ** 2 <= radius**2
    rgba = np.random.default_rng(0).integers(0, 256, (height, width, 4), dtype=np.uint8)
    rgba[..., 3] = inside * 255
    return rgba


def test_crop_box_by_hand():
    alpha = np.zeros((50, 60), np.uint8)
    alpha[10:21, 5:36] = 205  # rows 10..20, columns 5..35: w = 30, h = 10
    alpha[40, 50] = 204  # not object
    assert crop_box(alpha) == (20 - 18, 15 - 18, 20 + 18, 15 + 18)
    alpha[10:21, 36] = 255  # w = 31: int(37.2) = 37, half 18, centre 20.5
    assert crop_box(alpha) == (2.5, -3, 38.5, 33)


def test_prepared_picture_equals_the_rule_pixel_by_pixel():
    rgba = disc()
    left, top, right, bottom = (round(v) for v in crop_box(rgba[..., 3]))
    canvas = np.zeros((bottom - top, right - left, 4), np.uint8)
    for i in range(top, bottom):
        for j in range(left, right):
            if 0 <= i < rgba.shape[0] and 0 <= j < rgba.shape[1]:
                canvas[i - top, j - left] = rgba[i, j]
    resized = np.asarray(Image.fromarray(canvas).resize((28, 28), Image.Resampling.LANCZOS))
    want = np.zeros((28, 28, 3), np.uint8)
    for i, j, c in np.ndindex(want.shape):
        value = np.float32(resized[i, j, c]) / np.float32(255)
        value *= np.float32(resized[i, j, 3]) / np.float32(255)
        want[i, j, c] = int(value * np.float32(255))
    assert np.array_equal(prepare_picture(rgba, 28), want)
    assert want[0, 0].tolist() == [0, 0, 0] and want[14, 14].any()


def test_pictures_without_object_are_permanent():
    rgba = disc()
    rgba[..., 3] = 255
    with pytest.raises(ItemError, match="background"):
        prepare_picture(rgba)
    rgba[..., 3] = 200
    with pytest.raises(ItemError, match="no object"):
        prepare_picture(rgba)
    rgba[3, 3, 3] = 255
    with pytest.raises(ItemError, match="single pixel"):
        prepare_picture(rgba)
    with pytest.raises(ValueError, match="uint8"):
        prepare_picture(rgba.astype(np.float32))


def test_tokens_are_taken_before_the_norm(encoder):
    pictures = np.random.default_rng(1).integers(0, 256, (2, 56, 56, 3), dtype=np.uint8)
    tokens = prenorm_tokens(encoder, pictures)
    assert tokens.shape == (2, 1 + 4 + 16, 12)
    torch.testing.assert_close(tokens, encoder(normalised(pictures)).prenorm)
    condition = condition_tokens(encoder, pictures)
    mean = tokens.mean(-1, keepdim=True)
    spread = (tokens.var(-1, unbiased=False, keepdim=True) + 1e-5).sqrt()
    torch.testing.assert_close(condition, (tokens - mean) / spread)
    assert not torch.allclose(condition, encoder.norm(tokens), atol=1e-6)  # eps differs


def test_other_sizes_and_registers(encoder):
    picture = np.random.default_rng(2).integers(0, 256, (1, 28, 70, 3), dtype=np.uint8)
    tokens = prenorm_tokens(encoder, picture)
    assert tokens.shape == (1, 5 + 2 * 5, 12)
    # Registers stand behind CLS and have no position: without blocks they are the parameters.
    embedded = encoder.embed(normalised(picture))
    torch.testing.assert_close(embedded[0, 1:5], encoder.register_tokens[0])
    torch.testing.assert_close(embedded[0, 0], (encoder.cls_token + encoder.pos_embed[:, :1])[0, 0])


def test_normalisation():
    picture = np.array([[[[0, 128, 255]]]], np.uint8)
    want = (np.array([0, 128, 255]) / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    np.testing.assert_allclose(normalised(picture).flatten(), want, rtol=1e-5)


def test_an_encoder_without_tokens_is_refused():
    assert isinstance(token_encoder(build_backbone("tiny_vit", seed=0)), DinoViT)
    with pytest.raises(UserError, match="tiny_convnext is no vision transformer"):
        token_encoder(build_backbone("tiny_convnext", seed=0))
