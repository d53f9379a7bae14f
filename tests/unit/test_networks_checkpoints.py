import pickle

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from semcorr.errors import UserError
from semcorr.networks.checkpoints import load_strict, read_tensors
from semcorr.networks.trellis.loading import Placement, network_from, untrained_network

ENCODER = {
    "in_channels": 1,
    "latent_channels": 2,
    "num_res_blocks": 1,
    "num_res_blocks_middle": 1,
    "channels": [4, 8],
}
FLOW = {
    "resolution": 2,
    "in_channels": 2,
    "out_channels": 2,
    "model_channels": 12,
    "cond_channels": 6,
    "num_blocks": 4,
    "num_heads": 2,
    "qk_rms_norm": True,
}


def load(path, blocks=None, placement=None, **changes):
    """Load what the fixtures below wrote; `changes` are of the constructor arguments."""
    name = "SparseStructureEncoder" if path.stem == "enc" else "SparseStructureFlowModel"
    args = ENCODER if path.stem == "enc" else FLOW
    return network_from(name, args | changes, path, blocks, placement)


class Bomb:
    """Writes a file as soon as anything unpickles it."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return (open, (self.path, "w"))


@pytest.fixture
def encoder_file(tmp_path):
    path = tmp_path / "enc.safetensors"
    network = untrained_network("SparseStructureEncoder", ENCODER, 3)
    network.set_dtype(torch.float16)
    save_file(network.state_dict(), path)
    return path


@pytest.fixture
def flow_file(tmp_path):
    path = tmp_path / "flow.safetensors"
    network = untrained_network("SparseStructureFlowModel", FLOW, 4)
    save_file(network.state_dict(), path)
    return path


@pytest.mark.parametrize("suffix", [".pt", ".pkl", ".safetensors"])
@pytest.mark.parametrize("raw", [True, False])
def test_pickled_code_never_runs(tmp_path, suffix, raw):
    trap, path = tmp_path / "ran", tmp_path / f"weights{suffix}"
    content = {"weight": torch.zeros(1), "bomb": Bomb(trap)}
    if raw:
        path.write_bytes(pickle.dumps(content, protocol=2))
    else:
        torch.save(content, path)
    with pytest.raises(UserError, match=path.name):
        read_tensors(path)
    assert not trap.exists()
    pickle.loads(pickle.dumps(content))
    assert trap.exists()  # the trap does work


def test_plain_torch_file_is_read(tmp_path):
    path = tmp_path / "w.pth"
    torch.save({"a": torch.arange(3.0), "b": torch.ones(2)}, path)
    assert read_tensors(path)["a"].tolist() == [0, 1, 2]
    assert set(read_tensors(path, keep=lambda key: key == "b")) == {"b"}


@pytest.mark.parametrize("content", [{"a": {"b": torch.ones(1)}}, [torch.ones(1)], {"a": 3}])
def test_only_flat_dictionaries_of_tensors(tmp_path, content):
    path = tmp_path / "w.pth"
    torch.save(content, path)
    with pytest.raises(UserError, match="w.pth"):
        read_tensors(path)


def test_broken_files_are_named(tmp_path, encoder_file):
    with pytest.raises(UserError, match="does not exist"):
        read_tensors(tmp_path / "none.safetensors")
    encoder_file.write_bytes(encoder_file.read_bytes()[:-100])
    with pytest.raises(UserError, match="enc.safetensors"):
        read_tensors(encoder_file)
    empty = tmp_path / "empty.pt"
    empty.write_bytes(b"")
    with pytest.raises(UserError, match="empty.pt"):
        read_tensors(empty)


def test_half_precision_torso_becomes_float32(encoder_file):
    stored = load_file(encoder_file)
    assert stored["blocks.0.conv1.weight"].dtype == torch.float16
    assert stored["blocks.0.norm1.weight"].dtype == stored["out_layer.2.weight"].dtype
    network = load(encoder_file)
    assert {p.dtype for p in network.parameters()} == {torch.float32}
    assert not any(p.requires_grad for p in network.parameters())
    assert torch.equal(
        network.blocks[0].conv1.weight, stored["blocks.0.conv1.weight"].to(torch.float32)
    )
    half = load(encoder_file, None, Placement("cpu", torch.bfloat16))
    assert half.blocks[0].conv1.weight.dtype == torch.bfloat16
    assert half.blocks[0].norm1.weight.dtype == half.input_layer.weight.dtype == torch.float32
    x = torch.rand(1, 1, 8, 8, 8)
    full, rough = network(x).mean, half(x).mean
    assert rough.dtype == torch.float32
    assert 0 < (full - rough).abs().max() < 0.1 * full.abs().max()


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda t: t.pop("middle_block.0.norm1.bias"), "middle_block.0.norm1.bias"),
        (lambda t: t.update(stranger=torch.ones(1)), "stranger"),
        (lambda t: t.update({"input_layer.bias": torch.ones(5)}), "input_layer.bias"),
    ],
)
def test_strict_loading_names_file_and_key(encoder_file, change, word):
    tensors = load_file(encoder_file)
    change(tensors)
    save_file(tensors, encoder_file)
    with pytest.raises(UserError) as error:
        load(encoder_file)
    assert word in str(error.value) and "enc.safetensors" in str(error.value)


def test_truncated_flow_gives_the_same_hidden_states(flow_file):
    whole = load(flow_file)
    part = load(flow_file, blocks=2)
    assert len(part.blocks) == 2 and len(whole.blocks) == 4
    x, t, cond = torch.randn(1, 2, 2, 2, 2), torch.tensor([500.0]), torch.randn(1, 3, 6)
    want = whole(x, t, cond, taps=[1]).hidden[1]
    assert torch.equal(part(x, t, cond, taps=[1], stop_after=1).hidden[1], want)
    with pytest.raises(ValueError, match="velocity"):
        part(x, t, cond)
    with pytest.raises(UserError, match="block 2"):
        part(x, t, cond, taps=[2], stop_after=2)


def test_truncated_loading_stays_strict_otherwise(flow_file):
    tensors = load_file(flow_file)
    save_file({k: v for k, v in tensors.items() if not k.startswith("blocks.3.")}, flow_file)
    assert len(load(flow_file, blocks=2).blocks) == 2
    with pytest.raises(UserError, match="blocks.3."):
        load(flow_file)
    save_file(tensors | {"blocks.4.norm2.bias": torch.ones(12)}, flow_file)
    with pytest.raises(UserError, match="blocks.4.norm2.bias"):
        load(flow_file, blocks=2)
    broken = {k: v for k, v in tensors.items() if k != "blocks.1.norm2.bias"}
    save_file(broken, flow_file)
    with pytest.raises(UserError, match="blocks.1.norm2.bias"):
        load(flow_file, blocks=2)


def test_arguments_and_classes_that_do_not_fit_are_named(flow_file):
    with pytest.raises(UserError, match="odd"):
        load(flow_file, odd=1)
    with pytest.raises(UserError, match="patch"):
        load(flow_file, patch_size=2)
    with pytest.raises(UserError, match="unknown class 'Stranger'"):
        network_from("Stranger", FLOW, flow_file)


def test_attention_switch(flow_file):
    with pytest.raises(UserError, match="xformers"):
        load(flow_file, placement=Placement(attention="xformers"))
    with pytest.raises(UserError, match="unknown"):
        load(flow_file, placement=Placement(attention="fast"))
    network = load(flow_file, placement=Placement(attention="sdpa"))
    assert network.blocks[0].self_attn.backend == "sdpa"


def test_batch_norm_counters_may_be_absent():
    module, other = nn.BatchNorm2d(3), nn.BatchNorm2d(3)
    nn.init.normal_(other.weight)
    state = other.state_dict()
    del state["num_batches_tracked"]
    assert torch.equal(load_strict(module, state, "f").weight, other.weight)
