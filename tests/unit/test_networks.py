"""Sparse-structure networks against plain re-statements of their formulas."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from semcorr.errors import ItemError, UserError
from semcorr.networks.attention import attend
from semcorr.networks.trellis import flow
from semcorr.networks.trellis.dit import SparseStructureFlowModel, position_code
from semcorr.networks.trellis.loading import reinitialise_zero_layers, untrained_network
from semcorr.networks.trellis.vae import (
    SparseStructureDecoder,
    SparseStructureEncoder,
    decode_cells,
    encode_cells,
    hidden_of_cells,
    pixel_shuffle_3d,
)

FLOW = {
    "resolution": 3,
    "in_channels": 4,
    "out_channels": 5,
    "model_channels": 20,
    "cond_channels": 7,
    "num_blocks": 3,
    "num_heads": 2,
    "mlp_ratio": 4,
    "qk_rms_norm": True,
}
VAE = {"latent_channels": 3, "num_res_blocks": 1, "num_res_blocks_middle": 1}


@pytest.fixture
def model():
    return untrained_network("SparseStructureFlowModel", FLOW, 1)


def inputs(batch=2, tokens=6):
    g = torch.Generator().manual_seed(0)
    x = torch.randn(batch, 4, 3, 3, 3, generator=g)
    t = torch.linspace(100, 900, batch)
    return x, t, torch.randn(batch, tokens, 7, generator=g)


def softmax_attention(q, k, v):
    """(n, d), (m, d), (m, d): the formula, row by row."""
    rows = [torch.softmax(k @ row / math.sqrt(len(row)), 0) @ v for row in q]
    return torch.stack(rows)


def test_attention_is_softmax_attention():
    q, k, v = torch.randn(2, 5, 3, 4), torch.randn(2, 6, 3, 4), torch.randn(2, 6, 3, 4)
    out = attend(q, k, v)
    for b in range(2):
        for h in range(3):
            want = softmax_attention(q[b, :, h], k[b, :, h], v[b, :, h])
            torch.testing.assert_close(out[b, :, h], want)


def rms(x, gamma):
    return x / x.norm(dim=-1, keepdim=True) * gamma * math.sqrt(x.shape[-1])


def slow_block(p, h, t_emb, cond, heads=2):
    """One block on (n, c) tokens from its state dict, one head at a time (HNSR section 3.3)."""
    c = h.shape[1]
    m = F.silu(t_emb) @ p["adaLN_modulation.1.weight"].T + p["adaLN_modulation.1.bias"]
    shift_a, scale_a, gate_a, shift_f, scale_f, gate_f = m.split(c)

    def linear(x, key):
        return x @ p[key + ".weight"].T + p[key + ".bias"]

    def norm(x):
        x = x - x.mean(1, keepdim=True)
        return x / (x.square().mean(1, keepdim=True) + 1e-6).sqrt()

    d = c // heads
    q, k, v = linear(norm(h) * (1 + scale_a) + shift_a, "self_attn.to_qkv").split(c, dim=1)
    out = []
    for i in range(heads):
        s = slice(i * d, (i + 1) * d)
        qi = rms(q[:, s], p["self_attn.q_rms_norm.gamma"][i])
        ki = rms(k[:, s], p["self_attn.k_rms_norm.gamma"][i])
        out.append(softmax_attention(qi, ki, v[:, s]))
    h = h + gate_a * linear(torch.cat(out, 1), "self_attn.to_out")
    q = linear(norm(h) * p["norm2.weight"] + p["norm2.bias"], "cross_attn.to_q")
    k, v = linear(cond, "cross_attn.to_kv").split(c, dim=1)
    out = [softmax_attention(*(z[:, i * d : (i + 1) * d] for z in (q, k, v))) for i in range(heads)]
    h = h + linear(torch.cat(out, 1), "cross_attn.to_out")
    x = linear(norm(h) * (1 + scale_f) + shift_f, "mlp.mlp.0")
    x = 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    return h + gate_f * linear(x, "mlp.mlp.2")


def slow_tokens(x):
    """Input tokens in the published order."""
    side = x.shape[-1]
    rows = []
    for ix in range(side):
        for iy in range(side):
            rows.extend(x[:, ix, iy, iz] for iz in range(side))
    return torch.stack(rows)


def test_flow_network_equals_slow_reference(model):
    x, t, cond = inputs()
    out = model(x, t, cond, taps=[0, 2])
    state = model.state_dict()
    for b in range(2):
        f = torch.exp(-math.log(10000) * torch.arange(128) / 128)
        e = torch.cat([torch.cos(t[b] * f), torch.sin(t[b] * f)])
        z = F.silu(state["t_embedder.mlp.0.weight"] @ e + state["t_embedder.mlp.0.bias"])
        t_emb = state["t_embedder.mlp.2.weight"] @ z + state["t_embedder.mlp.2.bias"]
        h = slow_tokens(x[b]) @ state["input_layer.weight"].T + state["input_layer.bias"]
        h = h + state["pos_emb"]
        for index in range(3):
            prefix = f"blocks.{index}."
            p = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
            h = slow_block(p, h, t_emb, cond[b])
            if index in out.hidden:
                torch.testing.assert_close(out.hidden[index][b], h, atol=2e-5, rtol=1e-4)
        h = F.layer_norm(h, h.shape[-1:], eps=1e-5)
        v = h @ state["out_layer.weight"].T + state["out_layer.bias"]
        torch.testing.assert_close(slow_tokens(out.velocity[b]), v, atol=2e-5, rtol=1e-4)


def test_every_branch_of_an_untrained_network_matters(model):
    x, t, cond = inputs()
    hidden = model(x, t, cond, taps=[2]).hidden[2]
    for part in ("self_attn.to_out", "cross_attn.to_out", "mlp.mlp.2", "adaLN_modulation.1"):
        layer = model.blocks[1].get_submodule(part)
        weight = layer.weight.data.clone()
        layer.weight.data.zero_()
        assert (model(x, t, cond, taps=[2]).hidden[2] - hidden).abs().max() > 1e-3, part
        layer.weight.data.copy_(weight)


def test_fresh_network_starts_as_published():
    fresh = SparseStructureFlowModel(**FLOW)
    assert not fresh.out_layer.weight.any()
    assert not fresh.blocks[0].adaLN_modulation[1].weight.any()
    assert not fresh(*inputs()).velocity.any()
    assert not SparseStructureEncoder(1, channels=[4, 8], **VAE).blocks[0].conv2.weight.any()
    changed = reinitialise_zero_layers(fresh, 1)
    assert "out_layer.weight" in changed and fresh(*inputs()).velocity.any()


def test_untrained_weights_depend_on_the_seed_only():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one, two, other = (untrained_network("SparseStructureFlowModel", FLOW, s) for s in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    for key, value in one.state_dict().items():
        assert torch.equal(value, two.state_dict()[key])
    assert not torch.equal(one.blocks[0].mlp.mlp[0].weight, other.blocks[0].mlp.mlp[0].weight)


def test_early_exit_and_taps(model):
    x, t, cond = inputs()
    calls = []
    model.blocks[2].register_forward_hook(lambda *a: calls.append(1))
    out = model(x, t, cond, taps=[1], stop_after=1)
    assert out.velocity is None and not calls
    torch.testing.assert_close(out.hidden[1], model(x, t, cond, taps=[1]).hidden[1])
    assert model(x, t, cond).hidden == {} and calls
    with pytest.raises(UserError, match="block 3"):
        model(x, t, cond, taps=[3])
    with pytest.raises(ValueError, match="behind the exit"):
        model(x, t, cond, taps=[2], stop_after=1)


def test_one_latent_under_several_conditions(model):
    x, t, _ = inputs(1)
    cond = torch.randn(3, 6, 7)
    together = model(x, t, cond, taps=[2])
    for index in range(3):
        alone = model(x, t, cond[index : index + 1], taps=[2])
        torch.testing.assert_close(together.hidden[2][index], alone.hidden[2][0])
        torch.testing.assert_close(together.velocity[index], alone.velocity[0])


def test_flow_network_names_wrong_shapes(model):
    x, t, cond = inputs()
    with pytest.raises(ValueError, match=r"x: expected \(b, 4, 3, 3, 3\)"):
        model(x[:, :3], t, cond)
    with pytest.raises(ValueError, match="cond: expected"):
        model(x, t, cond[:, :, :5])
    with pytest.raises(ValueError, match="cond: expected"):
        model(x, t, cond[:1])
    with pytest.raises(UserError, match="heads"):
        SparseStructureFlowModel(**FLOW | {"num_heads": 3})


def test_position_code_by_hand():
    code = position_code(2, 20)  # three frequencies per axis, 18 values, 2 zeros
    assert code.shape == (8, 20) and not code[:, 18:].any()
    w = [10000 ** (-i / 3) for i in range(3)]
    for index in range(8):
        cell = (index // 4, index // 2 % 2, index % 2)
        want = [f(p * wi) for p in cell for f in (math.sin, math.cos) for wi in w]
        np.testing.assert_allclose(code[index, :18], want, atol=1e-6)


def test_pixel_shuffle_by_hand():
    x = torch.randn(2, 16, 2, 3, 4)
    y = pixel_shuffle_3d(x)
    assert y.shape == (2, 2, 4, 6, 8)
    for c, i, j, k in ((0, 3, 5, 7), (1, 0, 1, 2), (1, 2, 3, 6)):
        channel = c * 8 + (i % 2) * 4 + (j % 2) * 2 + k % 2
        assert torch.equal(y[:, c, i, j, k], x[:, channel, i // 2, j // 2, k // 2])


def test_encoder_axes_and_halving():
    args = {"in_channels": 1, "channels": [4, 4, 6], **VAE}
    encoder = untrained_network("SparseStructureEncoder", args, 0)
    cells = np.array([[1, 5, 9], [15, 0, 3]])
    posterior = encode_cells(encoder, [cells], 16)
    grid = torch.zeros(1, 1, 16, 16, 16)
    grid[0, 0, 1, 5, 9] = grid[0, 0, 15, 0, 3] = 1
    want = encoder(grid)
    assert posterior.mean.shape == (1, 3, 4, 4, 4)
    assert torch.equal(posterior.mean, want.mean) and torch.equal(posterior.logvar, want.logvar)
    with pytest.raises(ValueError, match="multiple of 4"):
        encoder(torch.zeros(1, 1, 6, 6, 6))


def test_several_shapes_at_once_are_the_shapes_one_by_one(monkeypatch):
    encoder = untrained_network(
        "SparseStructureEncoder", {"in_channels": 1, "channels": [4, 6], **VAE}, 0
    )
    random = np.random.default_rng(0)
    shapes = [random.integers(0, 8, (n, 3)) for n in (5, 40, 1, 17, 9)]
    alone = torch.cat([encode_cells(encoder, [cells], 8).mean for cells in shapes])
    for batch in (8**3, 2 * 8**3, 100 * 8**3):
        monkeypatch.setattr("semcorr.networks.trellis.vae.BATCH_VOXELS", batch)
        torch.testing.assert_close(encode_cells(encoder, shapes, 8).mean, alone, atol=1e-5, rtol=0)


@pytest.mark.parametrize("cells", [np.zeros((0, 3), int), np.array([[0, 0, 16]]), [[-1, 0, 0]]])
def test_bad_voxels_are_permanent(cells):
    encoder = SparseStructureEncoder(1, channels=[4, 4], **VAE)
    with pytest.raises(ItemError, match="voxel"):
        encode_cells(encoder, [np.asarray(cells)], 16)


def test_hidden_states_are_what_the_latent_is_made_of(monkeypatch):
    args = {"in_channels": 1, "channels": [4, 6], **VAE}
    encoder = untrained_network("SparseStructureEncoder", args, 0)
    shapes = [np.array([[0, 0, 0], [3, 1, 2]]), np.array([[7, 7, 7]]), np.array([[1, 2, 3]])]
    monkeypatch.setattr("semcorr.networks.trellis.vae.BATCH_VOXELS", 2 * 8**3)
    states = hidden_of_cells(encoder, shapes, 8)
    mean = encoder.out_layer(states).chunk(2, dim=1)[0]
    torch.testing.assert_close(mean, encode_cells(encoder, shapes, 8).mean, atol=1e-5, rtol=0)
    with torch.no_grad():
        next(encoder.middle_block.parameters()).fill_(torch.nan)
    with pytest.raises(ItemError, match="hidden states are not finite"):
        hidden_of_cells(encoder, shapes, 8)


def test_latent_that_is_not_finite_is_permanent():
    encoder = SparseStructureEncoder(1, channels=[4, 4], **VAE)
    torch.nn.init.constant_(encoder.out_layer[2].bias, math.nan)
    with pytest.raises(ItemError, match="finite"):
        encode_cells(encoder, [np.array([[0, 0, 0]])], 4)


def test_decoder_mirrors_and_lists_cells():
    decoder = untrained_network(
        "SparseStructureDecoder", {"out_channels": 1, "channels": [6, 4], **VAE}, 0
    )
    assert isinstance(decoder, SparseStructureDecoder)
    logits, cells = decode_cells(decoder, torch.randn(2, 3, 4, 4, 4))
    assert logits.shape == (2, 1, 8, 8, 8)
    assert cells.tolist() == [
        [b, x, y, z]
        for b in range(2)
        for x in range(8)
        for y in range(8)
        for z in range(8)
        if logits[b, 0, x, y, z] > 0
    ]
    with pytest.raises(UserError, match="norm_type"):
        SparseStructureDecoder(1, channels=[4, 4], norm_type="group", **VAE)


def test_path_and_its_inverse():
    x0, noise = torch.randn(3, 4, 2, 2, 2), torch.randn(3, 4, 2, 2, 2)
    t = torch.tensor([0.0, 0.3, 1.0])
    x_t, v = flow.noised(x0, noise, t), flow.velocity_target(x0, noise)
    torch.testing.assert_close(x_t[0], x0[0] + 1e-5 * noise[0])
    torch.testing.assert_close(x_t[2], noise[2])
    for b in range(3):
        torch.testing.assert_close(flow.data_estimate(x_t[b], v[b], float(t[b])), x0[b])


def test_schedule_is_warped_towards_noise():
    np.testing.assert_allclose(flow.schedule(4), [1, 0.75, 0.5, 0.25, 0])
    np.testing.assert_allclose(flow.schedule(2, 3.0), [1, 1.5 / 2, 0])


@pytest.mark.parametrize("strength", [0.0, 2.0])
def test_sampler_equals_plain_euler_loop(strength):
    model = untrained_network("SparseStructureFlowModel", FLOW | {"out_channels": 4}, 1)
    x, _, cond = inputs()
    guidance = flow.Guidance(strength, (0.5, 1.0))
    run = flow.sample(model, x, cond, flow.schedule(4), guidance)
    for step, t in enumerate((1.0, 0.75, 0.5, 0.25)):
        time = torch.full((2,), 1000 * t)
        v = model(x, time, cond).velocity
        if strength and t >= 0.5:
            v = 3 * v - 2 * model(x, time, torch.zeros_like(cond)).velocity
        x = x - 0.25 * v
        torch.testing.assert_close(run.states[step], x, atol=1e-5, rtol=1e-4)
    assert torch.equal(run.samples, run.states[-1]) and run.estimates.shape == run.states.shape
