"""Released files of the structured-latent networks: keys, strict loading, first blocks, types."""

import pytest
import torch
from safetensors.torch import save_file
from slat_plain import ENCODER, FLOW, flow_inputs, normal, shell

from semcorr.errors import UserError
from semcorr.networks.trellis.layers import position_code_at
from semcorr.networks.trellis.loading import Placement, network_from, untrained_network
from semcorr.networks.trellis.slat_encoder import SLatEncoder
from semcorr.networks.trellis.slat_flow import SLatFlowModel


def test_position_code_is_that_of_the_dense_network():
    from semcorr.networks.trellis.dit import position_code

    code = position_code(3, 20)
    cells = torch.tensor([[0, 1, 2], [2, 2, 0]])
    assert torch.equal(position_code_at(cells, 20), code[[0 * 9 + 1 * 3 + 2, 2 * 9 + 2 * 3]])


@pytest.fixture
def files(tmp_path):
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
