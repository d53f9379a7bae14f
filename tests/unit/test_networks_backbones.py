import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from semcorr.errors import UserError
from semcorr.networks import backbones, torchvision_shim
from semcorr.networks.backbones import (
    Backbone,
    build_backbone,
    extract,
    get_spec,
    list_backbones,
    load_backbone,
    prepare,
)
from semcorr.networks.timm_models import create

SMALL = {"img_size": 56, "embed_dim": 12, "depth": 3, "num_heads": 2}


def small(name="dinov2_vits14_reg", seed=1):
    return build_backbone(name, SMALL, seed)


def test_torchvision_imports_beside_this_torch():
    import torchvision

    assert torchvision_shim.install() == torchvision_shim.install()
    assert torchvision.transforms.Compose([])


def test_registry():
    names = set(list_backbones())
    assert {"mobilenetv2_100", "tiny_convnext", "tiny_vit"} <= names
    assert {f"dinov2_vit{s}14{r}" for s in "sbl" for r in ("", "_reg")} <= names
    with pytest.raises(UserError, match="dinov2_vits14"):
        get_spec("dinov3")
    for name in names:
        spec = get_spec(name)
        assert spec.name == name and spec.licence


def test_shapes_of_the_published_networks():
    for name, width, depth in (("s", 384, 12), ("b", 768, 12), ("l", 1024, 24)):
        for suffix, registers in (("", 0), ("_reg", 4)):
            with torch.device("meta"):
                vit = build_backbone(f"dinov2_vit{name}14{suffix}").module
            state = vit.state_dict()
            assert state["pos_embed"].shape == (1, 1370, width) and len(vit.blocks) == depth
            assert ("register_tokens" in state) == bool(registers)
            assert state[f"blocks.{depth - 1}.ls2.gamma"].shape == (width,)
            assert vit.prefix == 1 + registers


@pytest.mark.parametrize("name", ["dinov2_vits14", "dinov2_vits14_reg"])
def test_tokens_equal_timm(name, tmp_path):
    """Same network through timm's own forward pass and layout, at the size of its table."""
    registers = 4 if name.endswith("reg") else 0
    torch.manual_seed(0)
    timm_name = f"vit_small_patch14{'_reg4' if registers else ''}_dinov2"
    theirs = create(timm_name, num_classes=0, init_values=1.0, **SMALL)
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    path = tmp_path / "timm.safetensors"
    save_file({k: v.contiguous() for k, v in theirs.state_dict().items()}, path)
    ours = load_backbone(name, path, overrides=SMALL)
    x = torch.randn(2, 3, 56, 56)
    with torch.no_grad():
        want = theirs.forward_features(x)
        tokens = ours.module(x)
        torch.testing.assert_close(ours.module.norm(tokens.prenorm), want)
    assert tokens.grid == (4, 4) and tokens.prefix == 1 + registers


def test_hub_layout_is_loaded_strictly(tmp_path):
    state = small().module.state_dict()
    hub = {k: v.clone() for k, v in state.items()} | {"mask_token": torch.zeros(1, 12)}
    assert {"register_tokens", "pos_embed", "blocks.0.ls1.gamma"} <= hub.keys()
    path = tmp_path / "hub.pth"
    torch.save(hub, path)
    loaded = load_backbone("dinov2_vits14_reg", path, overrides=SMALL)
    for key, value in loaded.module.state_dict().items():
        assert torch.equal(value, state[key])
    for change, word in (
        ({"norm.bias": None}, "norm.bias"),
        ({"extra": torch.ones(1)}, "extra"),
        ({"pos_embed": torch.ones(1, 5, 12)}, "pos_embed"),
    ):
        broken = {k: v for k, v in (hub | change).items() if v is not None}
        torch.save(broken, path)
        with pytest.raises(UserError, match=f"hub.pth.*{word}"):
            load_backbone("dinov2_vits14_reg", path, overrides=SMALL)


def test_position_table_at_other_sizes():
    vit = small().module
    assert vit.position_table((4, 4)) is vit.pos_embed
    table = vit.position_table((3, 6))
    assert table.shape == (1, 19, 12) and torch.equal(table[:, 0], vit.pos_embed[:, 0])
    grid = vit.pos_embed[:, 1:].reshape(1, 4, 4, 12).permute(0, 3, 1, 2)
    want = F.interpolate(grid, (3, 6), mode="bicubic", antialias=True)
    torch.testing.assert_close(table[0, 1:].T.reshape(12, 3, 6), want[0])
    published = small("dinov2_vits14").module  # stretched by (side + 0.1) / stored, no low-pass
    grid = published.pos_embed[:, 1:].reshape(1, 4, 4, 12).permute(0, 3, 1, 2)
    want = F.interpolate(grid, scale_factor=(3.1 / 4, 6.1 / 4), mode="bicubic")
    got = published.position_table((3, 6))
    torch.testing.assert_close(got[0, 1:].T.reshape(12, 3, 6), want[0])
    with pytest.raises(ValueError, match="multiple of 14"):
        vit(torch.zeros(1, 3, 56, 50))


def test_vit_layers():
    backbone = small()
    pictures = np.random.default_rng(0).random((2, 56, 84, 3), np.float32)
    maps = extract(backbone, pictures, ["norm", "block.1"])
    assert list(maps) == ["norm", "block.1"]
    assert maps["norm"].shape == maps["block.1"].shape == (2, 12, 4, 6)
    x = prepare(backbone.spec, pictures)
    with torch.no_grad():
        h = backbone.module.embed(x)
        for index in range(3):
            h = backbone.module.blocks[index](h)
            if index == 1:
                rows = h[:, 5:]
        normed = backbone.module.norm(h)[:, 5:]
    for row in range(4):
        for column in range(6):
            token = row * 6 + column
            torch.testing.assert_close(maps["block.1"][:, :, row, column], rows[:, token])
            torch.testing.assert_close(maps["norm"][:, :, row, column], normed[:, token])
    with pytest.raises(UserError, match="block.7"):
        extract(backbone, pictures, ["block.7"])


def test_vit_leaves_after_the_last_layer():
    backbone, ran = small(), []
    for index, block in enumerate(backbone.module.blocks):
        block.register_forward_hook(lambda *a, index=index: ran.append(index))
    extract(backbone, np.zeros((1, 56, 56, 3), np.uint8), ["block.0", "block.1"])
    assert ran == [0, 1]


def cnn() -> Backbone:
    return build_backbone("mobilenetv2_100", seed=0)


def test_cnn_layers_by_name():
    backbone = cnn()
    pictures = np.random.default_rng(0).integers(0, 256, (1, 65, 65, 3), dtype=np.uint8)
    maps = extract(backbone, pictures, ["blocks.5.1.bn2", "blocks.4.2"])
    assert maps["blocks.5.1.bn2"].shape == (1, 960, 3, 3)
    assert maps["blocks.4.2"].shape == (1, 96, 5, 5)
    x = torch.from_numpy(pictures).permute(0, 3, 1, 2) / 127.5 - 1
    with torch.no_grad():
        module = backbone.module
        h = module.bn1(module.conv_stem(x))
        for stage in module.blocks[:4]:
            h = stage(h)
        for block in module.blocks[4][:3]:
            h = block(h)
        torch.testing.assert_close(maps["blocks.4.2"], h)
        block = module.blocks[5][1]
        h = block.bn1(block.conv_pw(module.blocks[5][0](h)))
        torch.testing.assert_close(maps["blocks.5.1.bn2"], block.bn2(block.conv_dw(h)))
    assert not any(m._forward_hooks for m in backbone.module.modules())


def test_cnn_leaves_once_everything_is_seen():
    backbone, ran = cnn(), []
    backbone.module.conv_head.register_forward_hook(lambda *a: ran.append(1))
    pictures = np.zeros((1, 33, 33, 3), np.uint8)
    extract(backbone, pictures, ["blocks.4.2"])
    assert not ran
    extract(backbone, pictures, ["bn2"])
    assert ran
    with pytest.raises(UserError, match="feature map"):
        extract(backbone, pictures, ["classifier"])
    with pytest.raises(UserError, match="blocks.4.2"):
        extract(backbone, pictures, ["blocks.4.22"])


def test_cells_of_the_cnn_lie_on_pixels():
    """A change of one pixel moves the cells around it symmetrically (sizes 32k + 1)."""
    backbone, size = cnn(), 129
    base = np.full((1, size, size, 3), 0.5, np.float32)
    dot = base.copy()
    dot[0, 64, 64] = 1.0  # the middle pixel = the middle cell of 9 x 9
    flipped = dot[:, ::-1, ::-1].copy()
    assert np.array_equal(dot, flipped)
    maps = [extract(backbone, p, ["blocks.3.0.conv_dw"])["blocks.3.0.conv_dw"] for p in (base, dot)]
    change = (maps[1] - maps[0]).abs().sum(1)[0]
    assert change.shape == (9, 9) and change.argmax() == 4 * 9 + 4
    rows = torch.nonzero(change.sum(1))[:, 0]
    assert rows.min() + rows.max() == 8


def test_preprocessing():
    spec = get_spec("mobilenetv2_100")
    picture = np.array([0, 51, 255], np.uint8) * np.ones((1, 33, 33, 1), np.uint8)
    out = prepare(spec, picture)
    torch.testing.assert_close(out[0, :, 5, 5], torch.tensor([-1.0, -0.6, 1.0]))
    assert prepare(spec, picture, 65).shape == (1, 3, 65, 65)
    with pytest.raises(UserError, match="use 225 or 257"):
        prepare(spec, picture, 256)
    with pytest.raises(ValueError, match=r"\(b, h, w, 3\)"):
        prepare(spec, picture[0])
    vit = prepare(get_spec("dinov2_vits14"), picture / np.float32(255), 28)
    want = (np.array([0, 0.2, 1]) - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
    np.testing.assert_allclose(vit[0, :, 9, 9], want, atol=1e-5)


def test_tiny_network_is_tiny_and_seeded():
    one, two, other = (build_backbone("tiny_vit", seed=s).module for s in (1, 1, 2))
    assert sum(p.numel() for p in one.parameters()) < 600_000
    for a, b in zip(one.parameters(), two.parameters(), strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(one.cls_token, other.cls_token)
    maps = extract(build_backbone("tiny_vit", seed=1), np.zeros((1, 112, 112, 3)), ["block.3"])
    assert maps["block.3"].shape == (1, 96, 14, 14)
    assert backbones.get_spec("tiny_vit").preprocessing.size_multiple == 8


@pytest.mark.parametrize(("name", "layer"), [("tiny_vit", "norm"), ("tiny_convnext", "norm_pre")])
def test_what_a_training_works_on_is_what_features_tap(name, layer):
    backbone = build_backbone(name, seed=1)
    pictures = np.random.default_rng(0).random((2, 64, 64, 3))
    want = extract(backbone, pictures, [layer], 64)[layer]
    got = backbones.last_map(backbone, backbones.prepare(backbone.spec, pictures))
    torch.testing.assert_close(got.detach(), want)
    assert got.requires_grad
