import numpy as np
import pytest
import torch

from semcorr.errors import ItemError, UserError
from semcorr.features.conditions import used_views, view_conditions
from semcorr.features.single_step import (
    SingleStep,
    perturbed_latents,
    single_step_features,
)
from semcorr.networks.backbones import build_backbone
from semcorr.networks.trellis.loading import untrained_network

ARGS = {
    "resolution": 4,
    "in_channels": 3,
    "out_channels": 3,
    "model_channels": 24,
    "cond_channels": 6,
    "num_blocks": 4,
    "num_heads": 2,
    "qk_rms_norm": True,
}


@pytest.fixture(scope="module")
def flow():
    return untrained_network("SparseStructureFlowModel", ARGS, 7)


@pytest.fixture
def latent():
    return np.random.default_rng(0).standard_normal((3, 4, 4, 4), dtype=np.float32)


@pytest.fixture
def tokens():
    return np.random.default_rng(1).standard_normal((3, 9, 6), dtype=np.float32)


def reference(flow, latent, tokens, layer, time, w, share=0.0, noise=None):
    """The published order of work: per view one conditional and one unconditional whole pass."""
    x = torch.from_numpy(latent)[None]
    if noise is not None:
        x = (1 - share) * x + share * noise
    t, total = torch.tensor([1000 * time]), 0
    for view in torch.from_numpy(tokens):
        hidden = flow(x, t, view[None], taps=range(4)).hidden[layer]
        zero = flow(x, t, torch.zeros_like(view)[None], taps=range(4)).hidden[layer]
        total = total + (1 + w) * hidden - w * zero
    mean = (total / len(tokens))[0]
    grid = np.zeros((24, 4, 4, 4), np.float32)
    for index in range(64):
        grid[:, index // 16, index // 4 % 4, index % 4] = mean[index].numpy()
    return grid


@pytest.mark.parametrize("w", [2.5, 0.0, 1.0, -0.5])
def test_equals_the_published_order_of_work(flow, latent, tokens, w):
    options = SingleStep(layers=(0, 2), timestep=11, guidance=w)
    got = single_step_features(flow, latent, tokens, options)
    assert got.shape == (2, 24, 4, 4, 4) and got.dtype == np.float32
    for row, layer in enumerate(options.layers):
        want = reference(flow, latent, tokens, layer, 11 / 12, w)
        np.testing.assert_allclose(got[row], want, atol=3e-5)


def test_splitting_the_views_changes_nothing(flow, latent, tokens, monkeypatch):
    options = SingleStep(layers=(3,))
    together = single_step_features(flow, latent, tokens, options)
    monkeypatch.setattr("semcorr.features.single_step._ACTIVATION_LIMIT", 1)
    np.testing.assert_allclose(
        single_step_features(flow, latent, tokens, options), together, atol=2e-5
    )


def passes(flow, *args):
    calls = []
    handles = [
        flow.register_forward_hook(lambda *a: calls.append("pass")),
        flow.blocks[-1].register_forward_hook(lambda *a: calls.append("last block")),
    ]
    features = single_step_features(flow, *args)
    for handle in handles:
        handle.remove()
    return features, calls


def test_only_what_is_needed_is_computed(flow, latent, tokens, monkeypatch):
    monkeypatch.setattr("semcorr.features.single_step._ACTIVATION_LIMIT", 1)
    layers = (1,)
    # Three views and one shared unconditional pass, none of them to the end.
    assert passes(flow, latent, tokens, SingleStep(layers=layers))[1] == ["pass"] * 4
    assert passes(flow, latent, tokens, SingleStep(layers=layers, guidance=0))[1] == ["pass"] * 3
    assert passes(flow, latent, None, SingleStep(layers=layers, guidance=-1))[1] == ["pass"]
    assert "last block" in passes(flow, latent, tokens, SingleStep(layers=(3,)))[1]


def test_unconditional_features_need_no_pictures(flow, latent, tokens):
    options = SingleStep(layers=(2,), guidance=-1)
    got = single_step_features(flow, latent, None, options)
    want = reference(flow, latent, tokens, 2, 11 / 12, -1)
    np.testing.assert_allclose(got[0], want, atol=2e-5)
    for missing in (None, tokens[:0]):
        with pytest.raises(UserError, match="guidance: -1"):
            single_step_features(flow, latent, missing, SingleStep(layers=(2,)))


def test_noise_is_independent_of_the_timestep(flow, latent, tokens):
    options = SingleStep(layers=(1,), timestep=11, noise=3, draws=1, guidance=0, seed=5)
    (row,) = perturbed_latents(torch.from_numpy(latent), options)
    noise = (row - 0.75 * torch.from_numpy(latent)) / 0.25
    assert abs(float(noise.mean())) < 0.3 and abs(float(noise.std()) - 1) < 0.2
    got = single_step_features(flow, latent, tokens, options)
    want = reference(flow, latent, tokens, 1, 11 / 12, 0, 0.25, noise[None])
    np.testing.assert_allclose(got[0], want, atol=2e-5)


def test_draws_are_the_same_for_all_shapes_and_averaged(flow, latent, tokens):
    three = SingleStep(layers=(1,), noise=9, timestep=9, draws=3, guidance=-1, seed=5)
    rows = perturbed_latents(torch.from_numpy(latent), three)
    others = perturbed_latents(torch.from_numpy(latent) + 1, three)
    torch.testing.assert_close(others - rows, torch.full_like(rows, 0.25))
    assert not torch.allclose(rows[0], rows[1])
    more = perturbed_latents(torch.from_numpy(latent), SingleStep(noise=9, draws=4, seed=5))
    assert torch.equal(more[:3], rows)
    reseeded = perturbed_latents(torch.from_numpy(latent), SingleStep(noise=9, draws=3, seed=6))
    assert not torch.allclose(reseeded, rows)
    clean = SingleStep(layers=(1,), timestep=9, guidance=-1)
    each = [single_step_features(flow, row, None, clean) for row in rows]
    got = single_step_features(flow, latent, None, three)
    np.testing.assert_allclose(got, np.mean(each, axis=0), atol=2e-5)
    assert np.array_equal(got, single_step_features(flow, latent, None, three))


def test_without_noise_there_is_one_clean_draw(latent):
    clean = perturbed_latents(torch.from_numpy(latent), SingleStep(noise=0, draws=8))
    assert torch.equal(clean, torch.from_numpy(latent)[None])


def test_values_that_are_not_finite_are_permanent(flow, latent, tokens):
    latent[0, 0, 0, 0] = np.nan
    with pytest.raises(ItemError, match="finite"):
        single_step_features(flow, latent, tokens, SingleStep(layers=(1,)))


@pytest.mark.parametrize(
    "wrong",
    [{"layers": ()}, {"layers": (2, 1)}, {"timestep": 13}, {"noise": -1}, {"draws": 0}]
    + [{"guidance": -2}],
)
def test_wrong_options(wrong):
    with pytest.raises(UserError):
        SingleStep(**wrong)


def test_first_picture_is_dropped_where_there_are_more():
    assert list(range(5))[used_views(5)] == [1, 2, 3, 4]
    assert list(range(1))[used_views(1)] == [0]
    encoder = build_backbone(
        "tiny_vit", {"embed_dim": 12, "depth": 1, "num_heads": 2, "img_size": 32}, 0
    ).module
    pictures = np.random.default_rng(0).integers(0, 256, (3, 20, 20, 4), dtype=np.uint8)
    pictures[..., 3] = 0
    pictures[:, 4:15, 5:12, 3] = 255
    views = view_conditions(encoder, pictures, 32)
    assert views.shape == (2, 5 + 16, 12)
    torch.testing.assert_close(views[1:], view_conditions(encoder, pictures[2:], 32))
