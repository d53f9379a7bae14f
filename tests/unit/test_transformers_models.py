"""Networks of transformers: from files alone, strictly, and never from a hub."""

import json
import pickle
import socket

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_networks import DEPTH_ANYTHING, SAM, write_files, write_record

from semcorr.errors import UserError
from semcorr.networks.transformers_models import load_model

DESCRIPTIONS = {"sam": SAM, "depth_anything": DEPTH_ANYTHING}


@pytest.fixture(params=DESCRIPTIONS)
def asset(request, tmp_path):
    """(model type, folder, network) of written files."""
    network = write_files(tmp_path / "asset", DESCRIPTIONS[request.param])
    return request.param, tmp_path / "asset", network


def change_config(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def change_tensors(folder, change):
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")


def test_what_was_written_is_loaded_without_a_connection(asset, monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError("the network was asked for")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    model_type, folder, network = asset
    loaded = load_model(model_type, write_record(folder))
    assert not loaded.training
    assert loaded.state_dict().keys() == network.state_dict().keys()
    for name, value in network.state_dict().items():
        assert loaded.state_dict()[name].dtype == value.dtype
        assert torch.equal(loaded.state_dict()[name], value), name


def test_half_precision_files_are_computed_in_float32(asset):
    model_type, folder, _ = asset
    change_tensors(folder, lambda t: t.update({k: v.half() for k, v in t.items()}))
    loaded = load_model(model_type, write_record(folder))
    assert {p.dtype for p in loaded.parameters()} == {torch.float32}


def test_a_missing_an_unexpected_and_a_misshapen_tensor_are_refused(asset):
    model_type, folder, _ = asset
    name = min(k for k in load_file(folder / "model.safetensors") if k.endswith("norm1.bias")
               or k.endswith("layer_norm1.bias"))  # fmt: skip
    value = load_file(folder / "model.safetensors")[name]
    change_tensors(folder, lambda t: t.pop(name))
    with pytest.raises(UserError, match=rf"missing keys: \['{name}'\]"):
        load_model(model_type, write_record(folder))
    change_tensors(folder, lambda t: t.update({name: value, "extra.weight": value.clone()}))
    with pytest.raises(UserError, match=r"unexpected keys: \['extra.weight'\]"):
        load_model(model_type, write_record(folder))
    change_tensors(folder, lambda t: (t.pop("extra.weight"), t.update({name: value[:-1]})))
    with pytest.raises(UserError, match=r"does not fit|mismatched keys"):
        load_model(model_type, write_record(folder))


def test_the_tensor_that_two_modules_share_may_be_written_under_either_name_or_both(tmp_path):
    network = write_files(tmp_path / "asset", SAM)
    (copy,) = network._tied_weights_keys
    change_tensors(
        tmp_path / "asset", lambda t: t.update({copy: network.state_dict()[copy].clone()})
    )
    loaded = load_model("sam", write_record(tmp_path / "asset"))
    assert torch.equal(loaded.state_dict()[copy], network.state_dict()[copy])


def test_another_network_and_a_network_elsewhere_are_refused(asset):
    model_type, folder, _ = asset
    other = next(name for name in DESCRIPTIONS if name != model_type)
    with pytest.raises(UserError, match=f"describes '{model_type}', '{other}' is needed"):
        load_model(other, write_record(folder))
    change_config(folder, backbone="facebook/dinov2-small")
    with pytest.raises(UserError, match="names a backbone elsewhere"):
        load_model(model_type, write_record(folder))


@pytest.mark.parametrize("key", ["vision_config", "mask_decoder_config", "prompt_encoder_config"])
@pytest.mark.parametrize("value", ["text", {"hidden_size": "wide"}, {"hidden_size": -3}])
def test_a_description_of_nonsense_is_refused(tmp_path, key, value):
    write_files(tmp_path / "asset", SAM)
    change_config(tmp_path / "asset", **{key: value})
    with pytest.raises(UserError, match=r"config.json"):
        load_model("sam", write_record(tmp_path / "asset"))


def test_files_that_are_no_safetensors_are_refused(tmp_path):
    folder = tmp_path / "asset"
    write_files(folder, SAM)
    (folder / "model.safetensors").write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(UserError, match="not a safetensors file"):
        load_model("sam", write_record(folder))
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(UserError, match="only safetensors"):
        load_model("sam", write_record(folder))
