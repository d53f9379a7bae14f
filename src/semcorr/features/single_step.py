"""Hidden states of one flow step as features of all cells (HNSR section 4, steps 2-5)."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from semcorr.errors import ItemError, UserError
from semcorr.networks.trellis.dit import SparseStructureFlowModel
from semcorr.networks.trellis.flow import TIME_SCALE
from semcorr.seeds import seed_of

# Elements of the widest activation (perceptron) that one pass may hold: one condition at full
# width, all of them for tiny networks.
_ACTIVATION_LIMIT = 2**24
_MLP_RATIO = 4


@dataclass(frozen=True)
class SingleStep:
    """Options of the feature extraction; defaults are the published setting.

    Attributes:
        layers: blocks (0-based) whose output is taken.
        steps: length of the time schedule.
        timestep: time shown to the network, in steps.
        noise: share of noise mixed into the latent, in steps; independent of `timestep`.
        guidance: w in (1 + w) conditional - w unconditional; -1 is the unconditional pass alone.
        draws: noise draws that are averaged; without noise there is nothing to draw.
        seed: of the noise; the draws are the same for all shapes.
    """

    layers: tuple[int, ...] = (9,)
    steps: int = 12
    timestep: float = 11
    noise: float = 0
    guidance: float = 2.5
    draws: int = 1
    seed: int = 0

    def __post_init__(self):
        if not self.layers or list(self.layers) != sorted(set(self.layers)):
            raise UserError(f"layers must be ascending and different, got {self.layers}")
        if not 0 <= self.timestep <= self.steps or not 0 <= self.noise <= self.steps:
            raise UserError(f"timestep and noise must lie in 0..{self.steps} steps")
        if self.draws < 1 or self.guidance < -1:
            raise UserError("draws must be at least 1 and guidance at least -1")

    @property
    def needs_pictures(self) -> bool:
        """Whether a conditional pass is computed at all."""
        return self.guidance != -1


def perturbed_latents(
    latent: Float[Tensor, "c r r r"], options: SingleStep
) -> Float[Tensor, "d c r r r"]:
    """Latent mixed with noise, once per draw: (1 - n) z + n eps with n = noise / steps.

    Args:
        latent: clean latent.
        options: noise, steps, draws, seed.

    Returns:
        (draws, c, r, r, r); one row, the latent itself, without noise.
    """
    share = options.noise / options.steps
    if not share:
        return latent[None]
    rows = []
    for draw in range(options.draws):
        # Neither shape nor pose enters the seed: shapes stay comparable cell by cell.
        generator = np.random.default_rng(seed_of(options.seed, "hnsr_noise", str(draw)))
        noise = torch.from_numpy(generator.standard_normal(tuple(latent.shape), dtype=np.float32))
        rows.append((1 - share) * latent + share * noise.to(latent.device))
    return torch.stack(rows)


def _mean_hidden(
    flow: SparseStructureFlowModel,
    x: Float[Tensor, "1 c r r r"],
    conditions: Float[Tensor, "v m d"],
    options: SingleStep,
) -> Float[Tensor, "l n c"]:
    """Mean over conditions of the tapped hidden states, accumulated in float32."""
    time = torch.full((1,), TIME_SCALE * options.timestep / options.steps, device=x.device)
    tokens = flow.resolution**3
    batch = max(1, _ACTIVATION_LIMIT // (tokens * flow.model_channels * _MLP_RATIO))
    total = torch.zeros(len(options.layers), tokens, flow.model_channels, device=x.device)
    for part in conditions.split(batch):
        hidden = flow(x, time, part, taps=options.layers, stop_after=options.layers[-1]).hidden
        for row, layer in enumerate(options.layers):
            total[row] += hidden[layer].float().sum(0)
    return total / len(conditions)


def _guided(
    flow: SparseStructureFlowModel,
    x: Float[Tensor, "1 c r r r"],
    conditions: Float[Tensor, "v m d"] | None,
    options: SingleStep,
) -> Float[Tensor, "l n c"]:
    """(1 + w) mean_v H_v - w H_0; linear in the views, so one unconditional pass serves all."""
    w = options.guidance
    guided = 0
    if w != -1:
        guided = (1 + w) * _mean_hidden(flow, x, conditions, options)
    if w != 0:
        # All tokens of the unconditional pass are zero: attention to one equals attention to all.
        zero = torch.zeros(1, 1, flow.cond_channels, device=x.device)
        guided = guided - w * _mean_hidden(flow, x, zero, options)
    return guided


@torch.inference_mode()
def single_step_features(
    flow: SparseStructureFlowModel,
    latent: Float[Tensor | np.ndarray, "c r r r"],
    conditions: Float[Tensor | np.ndarray, "v m d"] | None,
    options: SingleStep,
) -> Float[np.ndarray, "l c r r r"]:
    """Guided features of every cell, averaged over views and noise draws.

    Args:
        flow: may hold only its first blocks.
        latent: mean of the encoder, axes (x, y, z).
        conditions: tokens of the views in use; not looked at with guidance -1.
        options: see `SingleStep`.

    Returns:
        (layers, channels, r, r, r) float32, empty cells included.

    Raises:
        UserError: conditions are needed and missing.
        ItemError: a value is not finite.
    """
    if options.needs_pictures and (conditions is None or not len(conditions)):
        raise UserError("guidance other than -1 needs pictures; set guidance: -1 to go without")
    device = flow.pos_emb.device
    latent = torch.as_tensor(latent).float().to(device)
    if options.needs_pictures:
        conditions = torch.as_tensor(conditions).float().to(device)
    draws = perturbed_latents(latent, options)
    mean = sum(_guided(flow, x[None], conditions, options) for x in draws) / len(draws)
    if not bool(mean.isfinite().all()):
        raise ItemError("features are not finite")
    side = flow.resolution
    return mean.transpose(1, 2).unflatten(2, (side, side, side)).cpu().numpy()
