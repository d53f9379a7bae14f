import math

import pytest
import torch

from semcorr.networks.trellis.dit import SparseStructureFlowModel
from semcorr.networks.trellis.loading import untrained_network
from semcorr.networks.trellis.vae import SparseStructureDecoder, SparseStructureEncoder
from semcorr.training import losses

VAE = {"latent_channels": 2, "num_res_blocks": 1, "num_res_blocks_middle": 1}


def test_reconstruction_terms_by_hand():
    logits, y = torch.tensor([[0.0, 2.0], [-1.0, 3.0]]), torch.tensor([[1.0, 1.0], [0.0, 0.0]])
    p = [1 / (1 + math.exp(-v)) for v in (0.0, 2.0, -1.0, 3.0)]
    t = [1.0, 1.0, 0.0, 0.0]
    bce = -sum(math.log(a if b else 1 - a) for a, b in zip(p, t, strict=True)) / 4
    assert losses.binary_cross_entropy(logits, y).item() == pytest.approx(bce, rel=1e-5)
    l1 = sum(abs(a - b) for a, b in zip(p, t, strict=True)) / 4
    assert losses.absolute_difference(logits, y).item() == pytest.approx(l1, rel=1e-5)
    dice = 1 - (2 * (p[0] + p[1]) + 1) / (sum(p) + 2 + 1)
    assert losses.dice(logits, y).item() == pytest.approx(dice, rel=1e-5)


def test_divergence_is_zero_only_at_the_normal():
    zero = torch.zeros(2, 3)
    assert losses.kl_divergence(zero, zero).item() == 0
    assert losses.kl_divergence(zero + 2, zero).item() == pytest.approx(2)
    assert losses.kl_divergence(zero, zero + 1).item() == pytest.approx((math.e - 2) / 2)


@pytest.mark.parametrize("kind", ["dice", "bce", "l1"])
def test_vae_loss_is_the_sum_of_its_terms(kind):
    encoder = SparseStructureEncoder(1, channels=[4, 6], **VAE)
    decoder = SparseStructureDecoder(1, channels=[6, 4], **VAE)
    occupancy = (torch.rand(2, 1, 8, 8, 8) < 0.2).float()
    noise = torch.randn(2, 2, 4, 4, 4)
    loss = losses.vae_loss((encoder, decoder), occupancy, noise, kind, 0.5)
    assert loss.total.item() == pytest.approx(loss.reconstruction.item() + 0.5 * loss.kl.item())
    mean, logvar = encoder(occupancy)
    logits = decoder(mean + torch.exp(logvar / 2) * noise)
    term = {
        "dice": losses.dice,
        "bce": losses.binary_cross_entropy,
        "l1": losses.absolute_difference,
    }[kind]
    torch.testing.assert_close(loss.reconstruction, term(logits, occupancy))
    loss.total.backward()
    assert any(p.grad.any() for p in encoder.parameters())


def test_flow_loss_falls_when_trained():
    torch.manual_seed(0)
    args = {
        "resolution": 2,
        "in_channels": 2,
        "out_channels": 2,
        "model_channels": 24,
        "cond_channels": 4,
        "num_blocks": 1,
        "num_heads": 2,
    }
    model = SparseStructureFlowModel(**args)
    x0, noise, cond = torch.randn(4, 2, 2, 2, 2), torch.randn(4, 2, 2, 2, 2), torch.randn(4, 3, 4)
    t = torch.tensor([0.2, 0.5, 0.7, 0.9])
    first = losses.flow_loss(model, x0, noise, t, cond)
    # The published initialisation predicts zero.
    assert first.item() == pytest.approx(float(((1 - 1e-5) * noise - x0).square().mean()), rel=1e-5)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(40):
        optimiser.zero_grad()
        loss = losses.flow_loss(model, x0, noise, t, cond)
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.3 * first.item()


def test_flow_loss_shows_the_network_a_thousand_t():
    args = {
        "resolution": 2,
        "in_channels": 2,
        "out_channels": 2,
        "model_channels": 12,
        "cond_channels": 4,
        "num_blocks": 1,
        "num_heads": 2,
    }
    model = untrained_network("SparseStructureFlowModel", args, 0)
    x0, noise, cond = torch.randn(1, 2, 2, 2, 2), torch.randn(1, 2, 2, 2, 2), torch.randn(1, 3, 4)
    x_t = 0.75 * x0 + (1e-5 + (1 - 1e-5) * 0.25) * noise
    v = model(x_t, torch.tensor([250.0]), cond).velocity
    want = (v - ((1 - 1e-5) * noise - x0)).square().mean()
    torch.testing.assert_close(losses.flow_loss(model, x0, noise, torch.tensor([0.25]), cond), want)


def test_times_and_dropped_conditions_are_seeded():
    draw = lambda seed: losses.sample_times(4000, torch.Generator().manual_seed(seed))  # noqa: E731
    assert torch.equal(draw(1), draw(1)) and not torch.equal(draw(1), draw(2))
    logit = torch.logit(draw(1).double())
    assert abs(float(logit.mean()) - 1) < 0.1 and abs(float(logit.std()) - 1) < 0.1
    cond = torch.ones(1000, 2, 3)
    kept = losses.drop_conditions(cond, 0.3, torch.Generator().manual_seed(0))
    rows = kept.flatten(1)
    assert ((rows == 0).all(1) | (rows == 1).all(1)).all()
    assert abs(float((rows == 0).all(1).float().mean()) - 0.3) < 0.05
    assert torch.equal(losses.drop_conditions(cond, 0.0, torch.Generator()), cond)
