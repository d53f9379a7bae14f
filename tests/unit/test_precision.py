"""`precision` of image networks: bf16 changes their arithmetic, fp32 nothing."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from semcorr.features.image_networks import NORMS, open_backbone
from semcorr.features.upstream import Upstream
from semcorr.networks.backbones import build_backbone, extract, load_backbone
from semcorr.store.memory import MemoryReader

LAYERS = {"tiny_vit": ("block.1", "norm"), "mobilenetv2_100": ("blocks.2.0.bn3", "blocks.4.2")}
SIZES = {"tiny_vit": 32, "mobilenetv2_100": 65}


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """{backbone: small JSON of seeded random weights}."""
    folder = tmp_path_factory.mktemp("assets")
    found = {}
    for name in LAYERS:
        (folder / name).mkdir()
        state = build_backbone(name, seed=1).module.state_dict()
        save_file({k: v.contiguous() for k, v in state.items()}, folder / name / "w.safetensors")
        found[name] = folder / f"{name}.json"
        found[name].write_text(json.dumps({"files": [{"file": "w.safetensors", "sha256": ""}]}))
    return found


def opened(name, weights, precision):
    upstream = Upstream(MemoryReader({}), precision=precision, device="cpu", threads=1)
    return open_backbone(name, weights[name], upstream)


def maps_of(backbone, name):
    pictures = np.random.default_rng(0).random((2, SIZES[name], SIZES[name], 3), np.float32)
    return extract(backbone, pictures, LAYERS[name])


@pytest.mark.parametrize("name", LAYERS)
def test_fp32_is_the_network_as_it_was(name, weights):
    plain = load_backbone(name, weights[name].with_suffix("") / "w.safetensors")
    expected, found = maps_of(plain, name), maps_of(opened(name, weights, "fp32"), name)
    for layer in LAYERS[name]:
        assert torch.equal(found[layer], expected[layer])


@pytest.mark.parametrize("name", LAYERS)
def test_bf16_rounds_the_maps_and_keeps_their_type(name, weights):
    exact = maps_of(opened(name, weights, "fp32"), name)
    rough = maps_of(opened(name, weights, "bf16"), name)
    for layer in LAYERS[name]:
        assert rough[layer].dtype == torch.float32
        apart = (rough[layer] - exact[layer]).norm() / exact[layer].norm()
        assert 1e-4 < apart < 0.05, (layer, apart)


@pytest.mark.parametrize("name", LAYERS)
def test_bf16_is_used_by_products_and_not_by_norms(name, weights):
    backbone = opened(name, weights, "bf16")
    types = {"products": set(), "norms in": set(), "norms out": set()}

    def note(module, inputs, output):
        if isinstance(module, NORMS):
            types["norms in"].add(inputs[0].dtype)
            types["norms out"].add(output.dtype)
        else:
            types["products"].add(output.dtype)

    for module in backbone.module.modules():
        if isinstance(module, (*NORMS, nn.Linear, nn.Conv2d)):
            module.register_forward_hook(note)
    maps_of(backbone, name)
    assert types == {
        "products": {torch.bfloat16},
        "norms in": {torch.float32},
        "norms out": {torch.float32},
    }


def test_tokens_that_leave_the_image_encoder_are_float32(weights):
    tokens = opened("tiny_vit", weights, "bf16").module(torch.rand(1, 3, 32, 32))
    assert tokens.prenorm.dtype == torch.float32
