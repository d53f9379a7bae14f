"""Structured-latent networks against plain re-statements of their formulas."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from semcorr.errors import UserError
from semcorr.networks.sparse.attention import attend_in_groups, groups_of, window_ids
from semcorr.networks.sparse.voxel_set import VoxelSet, one_shape
from semcorr.networks.trellis.layers import position_code_at
from semcorr.networks.trellis.loading import Placement, network_from, untrained_network
from semcorr.networks.trellis.slat_blocks import SparseResBlock
from semcorr.networks.trellis.slat_encoder import SLatEncoder
from semcorr.networks.trellis.slat_flow import SLatFlowModel

ENCODER = {
    "resolution": 12,
    "in_channels": 5,
    "model_channels": 24,
    "latent_channels": 3,
    "num_blocks": 3,
    "num_heads": 2,
    "window_size": 4,
}
FLOW = {
    "resolution": 12,
    "in_channels": 3,
    "out_channels": 2,
    "model_channels": 20,
    "cond_channels": 7,
    "num_blocks": 3,
    "num_heads": 2,
    "io_block_channels": [6],
    "qk_rms_norm": True,
}


def shell(batches=2, side=12, seed=0):
    """Voxels of random thick shells, shuffled."""
    generator = np.random.default_rng(seed)
    grid = np.indices((side,) * 3).reshape(3, -1).T
    rows = []
    for batch in range(batches):
        radius = np.linalg.norm(grid + 0.5 - side / 2 + generator.normal(size=3), axis=1)
        cells = grid[np.abs(radius - side / 3) < 0.4]
        cells = cells[generator.random(len(cells)) < 0.5]
        rows.append(np.pad(cells, ((0, 0), (1, 0)), constant_values=batch))
    rows = np.concatenate(rows)
    return VoxelSet(torch.from_numpy(rows[generator.permutation(len(rows))]))


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def plain_windows(voxels, window, shift):
    return [
        (b, *((index + shift) // window for index in cell)) for b, *cell in voxels.coords.tolist()
    ]


def softmax_attention(q, k, v):
    """(n, h, d): the formula, one row and one head at a time."""
    out = torch.zeros_like(q)
    for row in range(len(q)):
        for head in range(q.shape[1]):
            scores = k[:, head] @ q[row, head] / math.sqrt(q.shape[2])
            out[row, head] = torch.softmax(scores, 0) @ v[:, head]
    return out


@pytest.mark.parametrize(("window", "shift"), [(4, 0), (4, 2), (5, 2), (12, 6), (1, 0)])
def test_windows(window, shift):
    voxels = shell()
    ids, plain = window_ids(voxels, window, shift).tolist(), plain_windows(voxels, window, shift)
    assert len(set(zip(ids, plain, strict=True))) == len(set(ids)) == len(set(plain))
    with pytest.raises(ValueError, match="shift"):
        window_ids(voxels, window, window)


def test_attention_stays_inside_of_groups_of_all_sizes():
    """Sizes 1 to 60, so that there are buckets with and without padding."""
    generator = np.random.default_rng(0)
    sizes = [1, 1, 2, 7, 8, 8, 9, 20, 33, 33, 60]
    ids = torch.from_numpy(generator.permutation(np.repeat(np.arange(len(sizes)), sizes)))
    groups = groups_of(ids)
    assert {b.kept is None for b in groups.buckets} == {True, False}
    q, k, v = (normal(len(ids), 2, 3, seed=s) for s in range(3))
    out = attend_in_groups(q, k, v, groups)
    for group in range(len(sizes)):
        own = ids == group
        torch.testing.assert_close(out[own], softmax_attention(q[own], k[own], v[own]))
    with pytest.raises(ValueError, match="groups: of"):
        attend_in_groups(q[1:], k[1:], v[1:], groups)


def test_padding_is_bounded():
    """No bucket holds more than a quarter more rows than members, beyond eight a group."""
    sizes = np.arange(1, 400)
    groups = groups_of(torch.from_numpy(np.repeat(sizes, sizes)))
    for bucket in groups.buckets:
        if bucket.kept is not None:
            members = bucket.kept.sum(1)
            assert (bucket.rows.shape[1] <= torch.maximum(members * 1.25, members + 8)).all()


def test_gradients_flow_through_groups():
    ids = torch.tensor([0, 1, 0, 0, 1, 2])
    values = [normal(6, 1, 2, seed=s).double().requires_grad_() for s in range(3)]
    assert torch.autograd.gradcheck(lambda *x: attend_in_groups(*x, groups_of(ids)), values)


# -- encoder ----------------------------------------------------------------------------------


def linear(state, x, key):
    return x @ state[f"{key}.weight"].T + state[f"{key}.bias"]


def plain_norm(x, eps=1e-6):
    x = x - x.mean(1, keepdim=True)
    return x / (x.square().mean(1, keepdim=True) + eps).sqrt()


def gelu(x):
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def plain_code(cells, channels):
    count = channels // 6
    rows = []
    for cell in cells.tolist():
        row = []
        for place in cell:
            phases = [place * 10000 ** (-i / count) for i in range(count)]
            row += [math.sin(p) for p in phases] + [math.cos(p) for p in phases]
        rows.append(row + [0.0] * (channels - len(row)))
    return torch.tensor(rows)


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


# -- flow -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def flow():
    return untrained_network("SLatFlowModel", FLOW, 2)


def flow_inputs(batches=2, seed=0):
    voxels = shell(batches, seed=seed)
    t = torch.linspace(100, 900, batches)
    return normal(len(voxels), 3), voxels, t, normal(batches, 5, 7, seed=1)


def dense_grid(x, voxels, side):
    grid = x.new_zeros(1, x.shape[1], side, side, side)
    grid[0][:, *voxels.cells.T] = x.T
    return grid


def plain_conv(state, x, voxels, key, side):
    weight = state[f"{key}.conv.weight"].permute(0, 4, 1, 2, 3)
    grid = F.conv3d(dense_grid(x, voxels, side), weight, state[f"{key}.conv.bias"], padding=1)
    return grid[0][:, *voxels.cells.T].T


def plain_res(state, x, voxels, emb, side, skip):
    scale, shift = linear(state, F.silu(emb), "emb_layers.1").chunk(2)
    h = plain_norm(x) * state["norm1.weight"] + state["norm1.bias"]
    h = plain_conv(state, F.silu(h), voxels, "conv1", side)
    h = F.silu(plain_norm(h) * (1 + scale) + shift)
    h = plain_conv(state, h, voxels, "conv2", side)
    return h + (linear(state, x, "skip_connection") if skip else x)


def below(state, prefix):
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}


def plain_flow(model, x, cells, t, cond):
    """One shape; the transformer's blocks are those of the sparse-structure flow network."""
    state, fine = model.state_dict(), one_shape(cells)
    parents = sorted({tuple(c // 2 for c in cell) for cell in cells.tolist()})
    coarse = one_shape(np.array(parents))
    parent = torch.tensor([parents.index(tuple(c // 2 for c in cell)) for cell in cells.tolist()])
    emb = model.t_embedder(t)[0]
    h = first = plain_res(
        below(state, "input_blocks.0."), linear(state, x, "input_layer"), fine, emb, 12, False
    )
    pooled = torch.stack(
        [h[parent == p].sum(0) / ((parent == p).sum() + 1) for p in range(len(parents))]
    )
    h = second = plain_res(below(state, "input_blocks.1."), pooled, coarse, emb, 6, True)
    h, hidden = (h + plain_code(coarse.cells, 20))[None], []
    for block in model.blocks:
        h = block(h, emb[None], cond)
        hidden.append(h[0])
    h = torch.cat([h[0], second], 1)[parent]
    h = plain_res(below(state, "out_blocks.0."), h, fine, emb, 12, True)
    h = torch.cat([h, first], 1)
    h = plain_res(below(state, "out_blocks.1."), h, fine, emb, 12, True)
    return linear(state, plain_norm(h, 1e-5), "out_layer"), hidden, parents


def test_flow_equals_plain_reference(flow):
    x, voxels, t, cond = flow_inputs()
    found = flow(x, voxels, t, cond, taps=range(3))
    for index, rows in enumerate(voxels.rows_of_batch):
        one = slice(index, index + 1)
        velocity, hidden, parents = plain_flow(
            flow, x[rows], voxels.cells[rows].numpy(), t[one], cond[one]
        )
        torch.testing.assert_close(found.velocity[rows], velocity, atol=5e-5, rtol=1e-4)
        own = found.tokens.rows_of_batch[index]
        assert found.tokens.cells[own].tolist() == [list(p) for p in parents]
        for block in range(3):
            torch.testing.assert_close(
                found.hidden[block][0, own], hidden[block], atol=5e-5, rtol=1e-4
            )


def test_early_exit_and_several_conditions(flow):
    x, voxels, t, _ = flow_inputs(1)
    cond = normal(3, 5, 7, seed=4)
    together = flow(x, voxels, t, cond, taps=[1], stop_after=1)
    assert together.velocity is None and together.hidden[1].shape[0] == 3
    for index in range(3):
        alone = flow(x, voxels, t, cond[index : index + 1], taps=[1])
        torch.testing.assert_close(together.hidden[1][index], alone.hidden[1][0])
    with pytest.raises(UserError, match="block 3"):
        flow(x, voxels, t, cond[:1], taps=[3])
    with pytest.raises(ValueError, match="behind the exit"):
        flow(x, voxels, t, cond[:1], taps=[2], stop_after=1)
    with pytest.raises(ValueError, match="cond: expected"):
        flow(x, voxels, t, cond)  # a velocity of each, one voxel set: not made for


def test_every_layer_of_an_untrained_flow_matters(flow):
    x, voxels, t, cond = flow_inputs()
    before = flow(x, voxels, t, cond).velocity
    for name, parameter in flow.named_parameters():
        if name.endswith("to_qkv.bias") or name.endswith("to_kv.bias"):
            continue  # a key's bias shifts all scores of a query alike
        kept = parameter.data.clone()
        parameter.data.mul_(1.5).add_(0.1)
        apart = (flow(x, voxels, t, cond).velocity - before).abs().max()
        parameter.data.copy_(kept)
        assert apart > 1e-5, name


def test_two_levels_above_the_transformer():
    args = FLOW | {"io_block_channels": [4, 6], "patch_size": 4, "num_io_res_blocks": 3}
    model = untrained_network("SLatFlowModel", args, 3)
    assert [b.resample for b in model.input_blocks] == ["none", "none", "down"] * 2
    assert [b.resample for b in model.out_blocks] == ["up", "none", "none"] * 2
    x, voxels, t, cond = flow_inputs()
    found = model(x, voxels, t, cond)
    assert found.velocity.shape == (len(voxels), 2)
    assert {tuple(c) for c in found.tokens.coords.tolist()} == {
        (b, x // 4, y // 4, z // 4) for b, x, y, z in voxels.coords.tolist()
    }


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"pe_mode": "rope"}, "pe_mode"),
        ({"share_mod": True}, "share_mod"),
        ({"use_skip_connection": False}, "use_skip_connection"),
        ({"num_heads": 3}, "do not divide into 3 heads"),
        ({"patch_size": 4}, "patch_size 4 does not fit 1"),
        ({"io_block_channels": []}, "does not fit 0"),
        ({"num_io_res_blocks": 0}, "num_io_res_blocks"),
    ],
)
def test_flow_refuses_what_was_not_released(change, words):
    with pytest.raises(UserError, match=words):
        SLatFlowModel(**FLOW | change)


def test_flow_names_wrong_inputs(flow):
    x, voxels, t, cond = flow_inputs()
    for call, words in (
        ((x[:, :2], voxels, t, cond), "x: expected"),
        ((x, voxels, t[:1], cond), "t: expected"),
        ((x, voxels, t, cond[:1]), "cond: expected"),
        ((x, voxels, t, cond[:, :, :5]), "cond: expected"),
        ((x, voxels, t, cond[0]), "cond: expected"),
    ):
        with pytest.raises(ValueError, match=words):
            flow(*call)


def test_scale_comes_before_shift():
    block = SparseResBlock(2, 3, 2)
    torch.nn.init.zeros_(block.emb_layers[1].weight)
    with torch.no_grad():
        block.emb_layers[1].bias.copy_(torch.tensor([-1.0, -1.0, 3.0, 4.0]))
        block.conv2.conv.weight.zero_()
        block.conv2.conv.weight[:, 1, 1, 1] = torch.eye(2)
    voxels = one_shape(np.array([[0, 0, 0], [5, 5, 5]]))
    x = normal(2, 2)
    # scale -1 wipes the normed values out; what is left is the shift
    expected = x + F.silu(torch.tensor([3.0, 4.0]))
    torch.testing.assert_close(block(x, voxels, torch.zeros(1, 3)), expected)


# -- files ------------------------------------------------------------------------------------


def test_position_code_is_that_of_the_dense_network():
    from semcorr.networks.trellis.dit import position_code

    code = position_code(3, 20)
    cells = torch.tensor([[0, 1, 2], [2, 2, 0]])
    assert torch.equal(position_code_at(cells, 20), code[[0 * 9 + 1 * 3 + 2, 2 * 9 + 2 * 3]])


@pytest.fixture
def files(tmp_path, encoder, flow):
    """Released form: torso in float16."""
    found = {}
    for name, args, seed in (("SLatEncoder", ENCODER, 1), ("SLatFlowModel", FLOW, 2)):
        network = untrained_network(name, args, seed)
        network.set_dtype(torch.float16)
        found[name] = tmp_path / f"{name}.safetensors"
        save_file(network.state_dict(), found[name])
    return found


def test_released_files_load_strictly(files):
    state = untrained_network("SLatFlowModel", FLOW, 2).state_dict()
    loaded = network_from("SLatFlowModel", FLOW, files["SLatFlowModel"])
    assert loaded.state_dict().keys() == state.keys() and "pos_emb" not in state
    assert loaded.input_blocks[0].conv1.conv.weight.dtype == torch.float32
    for key, value in loaded.state_dict().items():
        torch.testing.assert_close(value, state[key], atol=1e-3, rtol=1e-3)
    with pytest.raises(UserError, match="is missing"):
        network_from("SLatEncoder", ENCODER | {"num_blocks": 4}, files["SLatEncoder"])
    with pytest.raises(UserError, match="unexpected key 'blocks.2"):
        network_from("SLatEncoder", ENCODER | {"num_blocks": 2}, files["SLatEncoder"])
    with pytest.raises(UserError, match="shape"):
        network_from("SLatFlowModel", FLOW | {"in_channels": 4}, files["SLatFlowModel"])
    with pytest.raises(UserError, match="do not fit"):
        network_from("SLatEncoder", ENCODER | {"depth": 4}, files["SLatEncoder"])


def test_published_sizes_have_the_published_keys():
    """Counts of tensors and parameters as the specification has them; nothing is allocated."""
    with torch.device("meta"):
        enc = SLatEncoder(64, 1024, 768, 8, 12, 12)
        flow = SLatFlowModel(
            64, 8, 1024, 1024, 8, 24, 16, io_block_channels=[128], qk_rms_norm=True
        )
    for network, tensors, millions in ((enc, 100, 85.82), (flow, 526, 600.43)):
        assert len(network.state_dict()) == tensors
        total = sum(p.numel() for p in network.parameters())
        assert total / 1e6 == pytest.approx(millions, abs=0.006)


def test_first_blocks_only(files):
    x, voxels, t, cond = flow_inputs()
    whole = network_from("SLatFlowModel", FLOW, files["SLatFlowModel"])
    part = network_from("SLatFlowModel", FLOW, files["SLatFlowModel"], blocks=2)
    assert len(part.blocks) == 2
    found = part(x, voxels, t, cond, taps=[1], stop_after=1).hidden[1]
    assert torch.equal(found, whole(x, voxels, t, cond, taps=[1]).hidden[1])
    with pytest.raises(ValueError, match="pass stop_after"):
        part(x, voxels, t, cond)


def test_bfloat16_is_close_and_ends_in_float32(files):
    placement = Placement(dtype=torch.bfloat16)
    for name, args, inputs in (
        ("SLatEncoder", ENCODER, lambda: (normal(len(shell()), 5), shell())),
        ("SLatFlowModel", FLOW, flow_inputs),
    ):
        exact = network_from(name, args, files[name])(*inputs())[0]
        rough = network_from(name, args, files[name], placement=placement)(*inputs())[0]
        assert rough.dtype == torch.float32
        apart = float((rough - exact).norm() / exact.norm())
        assert 1e-4 < apart < 0.05, (name, apart)
