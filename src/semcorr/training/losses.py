"""Losses of the sparse-structure VAE and of its flow network (HNSR section 4, "Training")."""

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from semcorr.networks.trellis.dit import SparseStructureFlowModel
from semcorr.networks.trellis.flow import SIGMA_MIN, TIME_SCALE, noised, velocity_target
from semcorr.networks.trellis.vae import SparseStructureDecoder, SparseStructureEncoder

Reconstruction = Literal["dice", "bce", "l1"]


def binary_cross_entropy(logits: Tensor, target: Tensor) -> Float[Tensor, ""]:
    """Mean binary cross-entropy on logits."""
    return F.binary_cross_entropy_with_logits(logits, target)


def absolute_difference(logits: Tensor, target: Tensor) -> Float[Tensor, ""]:
    """Mean |sigmoid(logits) - target|."""
    return (logits.sigmoid() - target).abs().mean()


def dice(logits: Tensor, target: Tensor) -> Float[Tensor, ""]:
    """1 - (2 sum(p y) + 1) / (sum p + sum y + 1), sums over the whole batch."""
    p = logits.sigmoid()
    return 1 - (2 * (p * target).sum() + 1) / (p.sum() + target.sum() + 1)


_RECONSTRUCTION = {"bce": binary_cross_entropy, "l1": absolute_difference, "dice": dice}


def kl_divergence(mean: Tensor, logvar: Tensor) -> Float[Tensor, ""]:
    """0.5 mean(mean^2 + exp(logvar) - logvar - 1): distance from the standard normal."""
    return 0.5 * (mean.square() + logvar.exp() - logvar - 1).mean()


@dataclass(frozen=True)
class VaeLoss:
    """Terms of the VAE's loss, all scalars.

    Attributes:
        total: reconstruction + weight * kl; the one to differentiate.
        reconstruction: the chosen term.
        kl: unweighted.
    """

    total: Tensor
    reconstruction: Tensor
    kl: Tensor


def vae_loss(
    networks: tuple[SparseStructureEncoder, SparseStructureDecoder],
    occupancy: Float[Tensor, "b 1 r r r"],
    noise: Float[Tensor, "b c s s s"],
    kind: Reconstruction = "dice",
    kl_weight: float = 1e-3,
) -> VaeLoss:
    """Encode, sample z = mean + exp(logvar / 2) * noise, decode, compare.

    Args:
        networks: encoder and decoder.
        occupancy: 0/1 grids.
        noise: standard normal, of the latent's shape.
        kind: reconstruction term.
        kl_weight: weight of the divergence.

    Returns:
        Total and its terms.
    """
    encoder, decoder = networks
    mean, logvar = encoder(occupancy)
    logits = decoder(mean + (0.5 * logvar).exp() * noise)
    reconstruction = _RECONSTRUCTION[kind](logits.float(), occupancy)
    kl = kl_divergence(mean.float(), logvar.float())
    return VaeLoss(reconstruction + kl_weight * kl, reconstruction, kl)


def sample_times(
    count: int, generator: torch.Generator, mean: float = 1.0, std: float = 1.0
) -> Float[Tensor, " b"]:
    """Logit-normal times: sigmoid of a normal, more of them near noise.

    Args:
        count: how many.
        generator: of the draw.
        mean: of the normal.
        std: of the normal.

    Returns:
        Times in 0..1.
    """
    return (mean + std * torch.randn(count, generator=generator)).sigmoid()


def drop_conditions(
    cond: Float[Tensor, "b m d"], share: float, generator: torch.Generator
) -> Float[Tensor, "b m d"]:
    """Set the condition of some samples to zeros, the unconditional input.

    Args:
        cond: condition tokens.
        share: probability of each sample.
        generator: of the draw, on the CPU.

    Returns:
        Tokens, some rows zero.
    """
    kept = torch.rand(len(cond), generator=generator) >= share
    return cond * kept.to(cond).view(-1, 1, 1)


def flow_loss(
    model: SparseStructureFlowModel,
    x0: Float[Tensor, "b c r r r"],
    noise: Float[Tensor, "b c r r r"],
    t: Float[Tensor, " b"],
    cond: Float[Tensor, "b m d"],
    sigma_min: float = SIGMA_MIN,
) -> Float[Tensor, ""]:
    """Mean squared error of the velocity; the network sees 1000 t.

    Args:
        model: whole network.
        x0: latents.
        noise: standard normal.
        t: times in 0..1.
        cond: condition tokens, used as given.
        sigma_min: of the path.

    Returns:
        Scalar loss.
    """
    velocity = model(noised(x0, noise, t, sigma_min), TIME_SCALE * t, cond).velocity
    return F.mse_loss(velocity.float(), velocity_target(x0, noise, sigma_min))
