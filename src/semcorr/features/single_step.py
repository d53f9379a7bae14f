"""Hidden states of one flow step as features of all cells (HNSR section 4, steps 2-5)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from semcorr.errors import ItemError, UserError
from semcorr.networks.trellis.dit import SparseStructureFlowModel
from semcorr.networks.trellis.flow import TIME_SCALE
from semcorr.seeds import seed_of

# Elements of the widest activation (perceptron) that one pass may hold: one condition at full
# width, all of them for tiny networks.
_ACTIVATION_LIMIT = 2**24
_MLP_RATIO = 4

# Conditions (v, m, d) -> block -> hidden states (v, n, c) of one latent under each of them
HiddenStates = Callable[[Tensor], dict[int, Tensor]]


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

    @classmethod
    def of(cls, options: Any, layers: tuple[int, ...], seed: int) -> "SingleStep":
        """Take all but layers and seed out of the options of a feature entry, by their names."""
        names = ("steps", "timestep", "noise", "guidance", "draws")
        return cls(layers=layers, seed=seed, **{name: getattr(options, name) for name in names})

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
    hidden_of: HiddenStates, conditions: Float[Tensor, "v m d"], layers: tuple[int, ...], batch: int
) -> Float[Tensor, "l n c"]:
    """Mean over conditions of the tapped hidden states, accumulated in float32."""
    total = None
    for part in conditions.split(batch):
        hidden = hidden_of(part)
        sums = torch.stack([hidden[layer].float().sum(0) for layer in layers])
        total = sums if total is None else total + sums
    return total / len(conditions)


def guided_states(
    hidden_of: HiddenStates,
    flow: nn.Module,
    tokens: int,
    conditions: Float[Tensor, "v m d"] | None,
    options: SingleStep,
) -> Float[Tensor, "l n c"]:
    """(1 + w) mean_v H_v - w H_0; linear in the views, so one unconditional pass serves all.

    Args:
        hidden_of: a pass of `flow` that taps `options.layers`.
        flow: its widths and its device.
        tokens: rows of a hidden state.
        conditions: tokens of the views in use; not looked at with guidance -1.
        options: see `SingleStep`.

    Returns:
        float32, one row per layer.
    """
    w = options.guidance
    batch = max(1, _ACTIVATION_LIMIT // (tokens * flow.model_channels * _MLP_RATIO))
    guided = 0
    if w != -1:
        guided = (1 + w) * _mean_hidden(hidden_of, conditions, options.layers, batch)
    if w != 0:
        # All tokens of the unconditional pass are zero: attention to one equals attention to all.
        device = next(flow.parameters()).device
        zero = torch.zeros(1, 1, flow.cond_channels, device=device)
        guided = guided - w * _mean_hidden(hidden_of, zero, options.layers, batch)
    return guided


def conditions_on(
    device: torch.device | str,
    conditions: Float[Tensor | np.ndarray, "v m d"] | None,
    options: SingleStep,
) -> Float[Tensor, "v m d"] | None:
    """Return the conditions as float32 on a device, None where they are not looked at.

    Raises:
        UserError: they are needed and missing.
    """
    if not options.needs_pictures:
        return None
    if conditions is None or not len(conditions):
        raise UserError("guidance other than -1 needs pictures; set guidance: -1 to go without")
    return torch.as_tensor(conditions).float().to(device)


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
    device = flow.pos_emb.device
    conditions = conditions_on(device, conditions, options)
    latent = torch.as_tensor(latent).float().to(device)
    time = torch.full((1,), TIME_SCALE * options.timestep / options.steps, device=device)
    side, last = flow.resolution, options.layers[-1]

    def guided(x: Float[Tensor, "c r r r"]) -> Float[Tensor, "l n c"]:
        def hidden_of(part: Float[Tensor, "v m d"]) -> dict[int, Tensor]:
            return flow(x[None], time, part, taps=options.layers, stop_after=last).hidden

        return guided_states(hidden_of, flow, side**3, conditions, options)

    draws = perturbed_latents(latent, options)
    mean = sum(guided(x) for x in draws) / len(draws)
    if not bool(mean.isfinite().all()):
        raise ItemError("features are not finite")
    return mean.transpose(1, 2).unflatten(2, (side, side, side)).cpu().numpy()
