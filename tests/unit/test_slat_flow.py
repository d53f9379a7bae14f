"""Structured-latent flow network against a plain re-statement of its formulas."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from slat_plain import FLOW, flow_inputs, linear, normal, plain_code, plain_norm

from semcorr.errors import UserError
from semcorr.networks.sparse.voxel_set import one_shape
from semcorr.networks.trellis.loading import untrained_network
from semcorr.networks.trellis.slat_blocks import SparseResBlock
from semcorr.networks.trellis.slat_flow import SLatFlowModel


@pytest.fixture(scope="module")
def flow():
    return untrained_network("SLatFlowModel", FLOW, 2)


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
