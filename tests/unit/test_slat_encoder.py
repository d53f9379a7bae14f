"""Structured-latent encoder against a plain re-statement of its formulas."""

import numpy as np
import pytest
import torch
from slat_plain import (
    ENCODER,
    gelu,
    linear,
    normal,
    plain_code,
    plain_norm,
    plain_windows,
    shell,
    softmax_attention,
)

from semcorr.errors import UserError
from semcorr.networks.sparse.voxel_set import one_shape
from semcorr.networks.trellis.loading import untrained_network
from semcorr.networks.trellis.slat_encoder import SLatEncoder


def plain_encoder(state, x, voxels, args, window):
    h = linear(state, x, "input_layer") + plain_code(voxels.cells, args["model_channels"])
    for index in range(args["num_blocks"]):
        shift = 0 if index % 2 == 0 else window // 2
        places = plain_windows(voxels, window, shift)
        q, k, v = linear(state, plain_norm(h), f"blocks.{index}.attn.to_qkv").chunk(3, dim=1)
        out = torch.zeros_like(q)
        for place in set(places):
            own = torch.tensor([other == place for other in places])
            heads = (z[own].unflatten(1, (args["num_heads"], -1)) for z in (q, k, v))
            out[own] = softmax_attention(*heads).flatten(1)
        h = h + linear(state, out, f"blocks.{index}.attn.to_out")
        hidden = gelu(linear(state, plain_norm(h), f"blocks.{index}.mlp.mlp.0"))
        h = h + linear(state, hidden, f"blocks.{index}.mlp.mlp.2")
    return linear(state, plain_norm(h, 1e-5), "out_layer").chunk(2, dim=1)


@pytest.fixture(scope="module")
def encoder():
    return untrained_network("SLatEncoder", ENCODER, 1)


def test_encoder_equals_plain_reference(encoder):
    voxels = shell(seed=1)
    x = normal(len(voxels), 5)
    found = encoder(x, voxels)
    for ours, plain in zip(
        found[:2], plain_encoder(encoder.state_dict(), x, voxels, ENCODER, 4), strict=True
    ):
        torch.testing.assert_close(ours, plain, atol=3e-5, rtol=1e-4)


def test_full_attention_is_one_window_over_everything(encoder):
    """In a window as wide as the grid, unshifted, a shape's voxels all see each other."""
    voxels = shell(seed=2)
    x = normal(len(voxels), 5)
    full = SLatEncoder(**ENCODER | {"attn_mode": "full", "num_blocks": 1})
    further = ("blocks.1.", "blocks.2.")
    state = {k: v for k, v in encoder.state_dict().items() if not k.startswith(further)}
    full.load_state_dict(state)
    plain = plain_encoder(state, x, voxels, ENCODER | {"num_blocks": 1}, 12)
    torch.testing.assert_close(full(x, voxels).mean, plain[0], atol=3e-5, rtol=1e-4)


def test_shapes_of_a_batch_are_encoded_as_alone(encoder):
    voxels = shell()
    x = normal(len(voxels), 5)
    together = encoder(x, voxels, taps=[0, 2])
    assert together.hidden.keys() == {0, 2}
    for rows in voxels.rows_of_batch:
        alone = encoder(x[rows], one_shape(voxels.cells[rows].numpy()), taps=[2])
        torch.testing.assert_close(together.mean[rows], alone.mean, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(together.hidden[2][rows], alone.hidden[2], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"attn_mode": "shift_sequence"}, "attn_mode 'shift_sequence' is not supported"),
        ({"pe_mode": "rope"}, "pe_mode"),
        ({"qk_rms_norm": True}, "qk_rms_norm"),
        ({"num_heads": 5}, "do not divide into 5 heads"),
        ({"window_size": 1}, "window_size"),
    ],
)
def test_encoder_refuses_what_was_not_released(change, words):
    with pytest.raises(UserError, match=words):
        SLatEncoder(**ENCODER | change)


def test_encoder_names_wrong_inputs(encoder):
    voxels = shell()
    with pytest.raises(ValueError, match="x: expected"):
        encoder(normal(len(voxels), 4), voxels)
    with pytest.raises(ValueError, match="x: expected"):
        encoder(normal(len(voxels) - 1, 5), voxels)
    with pytest.raises(UserError, match="block 3 does not exist"):
        encoder(normal(len(voxels), 5), voxels, taps=[3])
    with pytest.raises(ValueError, match="voxel 12 outside a grid of 12"):
        encoder(normal(1, 5), one_shape(np.array([[0, 12, 0]])))
