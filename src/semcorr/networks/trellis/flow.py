"""Flow convention and Euler samplers (HNSR section 3.4): t = 0 is data, t = 1 is noise."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from semcorr.networks.trellis.dit import SparseStructureFlowModel

SIGMA_MIN = 1e-5
TIME_SCALE = 1000.0


def _per_item(t: Float[Tensor, " b"], like: Tensor) -> Tensor:
    return t.view(-1, *(1 for _ in like.shape[1:]))


def noised(
    x0: Float[Tensor, "b ..."],
    noise: Float[Tensor, "b ..."],
    t: Float[Tensor, " b"],
    sigma_min: float = SIGMA_MIN,
) -> Float[Tensor, "b ..."]:
    """Point of the path at time t: (1 - t) x0 + (sigma + (1 - sigma) t) noise.

    Args:
        x0: data.
        noise: standard normal, same shape.
        t: times in 0..1.
        sigma_min: noise left at t = 0.

    Returns:
        x_t.
    """
    t = _per_item(t, x0)
    return (1 - t) * x0 + (sigma_min + (1 - sigma_min) * t) * noise


def velocity_target(
    x0: Float[Tensor, "b ..."], noise: Float[Tensor, "b ..."], sigma_min: float = SIGMA_MIN
) -> Float[Tensor, "b ..."]:
    """Velocity that the network learns: (1 - sigma) noise - x0."""
    return (1 - sigma_min) * noise - x0


def data_estimate(
    x_t: Float[Tensor, "b ..."],
    velocity: Float[Tensor, "b ..."],
    t: float,
    sigma_min: float = SIGMA_MIN,
) -> Float[Tensor, "b ..."]:
    """Data that a velocity points to: (1 - sigma) x_t - (sigma + (1 - sigma) t) v."""
    return (1 - sigma_min) * x_t - (sigma_min + (1 - sigma_min) * t) * velocity


def schedule(steps: int, rescale_t: float = 1.0) -> Float[np.ndarray, " s"]:
    """Times 1 .. 0 of a sampler, warped towards noise: r t / (1 + (r - 1) t).

    Args:
        steps: Euler steps.
        rescale_t: r; 1 keeps the times equally spaced.

    Returns:
        (steps + 1,) float64, descending.
    """
    t = np.linspace(1.0, 0.0, steps + 1)
    return rescale_t * t / (1 + (rescale_t - 1) * t)


@dataclass(frozen=True)
class Guidance:
    """Classifier-free guidance of a sampler.

    Attributes:
        strength: w in (1 + w) v_cond - w v_zero; 0 runs the conditional pass alone.
        interval: times (both ends included) inside which guidance is applied.
    """

    strength: float = 0.0
    interval: tuple[float, float] = (0.0, 1.0)

    def active(self, t: float) -> bool:
        """Whether the step that starts at t is guided."""
        return self.strength != 0 and self.interval[0] <= t <= self.interval[1]


@dataclass(frozen=True)
class Trajectory:
    """Steps of a sampler.

    Attributes:
        times: (s + 1,) schedule.
        states: (s, b, c, r, r, r) state after each step.
        estimates: (s, b, c, r, r, r) data estimate of each step, with the guided velocity.
    """

    times: Float[np.ndarray, " s"]
    states: Tensor
    estimates: Tensor

    @property
    def samples(self) -> Tensor:
        """State after the last step, (b, c, r, r, r)."""
        return self.states[-1]


def guided_velocity(
    model: SparseStructureFlowModel,
    x: Float[Tensor, "b c r r r"],
    t: float,
    cond: Float[Tensor, "b m d"],
    guidance: Guidance,
) -> Float[Tensor, "b c r r r"]:
    """Velocity at time t under the published guidance rule."""
    time = torch.full((len(x),), TIME_SCALE * t, device=x.device)
    velocity = model(x, time, cond).velocity
    if not guidance.active(t):
        return velocity
    zero = model(x, time, torch.zeros_like(cond)).velocity
    return (1 + guidance.strength) * velocity - guidance.strength * zero


@torch.inference_mode()
def sample(
    model: SparseStructureFlowModel,
    noise: Float[Tensor, "b c r r r"],
    cond: Float[Tensor, "b m d"],
    times: Float[np.ndarray, " s"],
    guidance: Guidance | None = None,
    sigma_min: float = SIGMA_MIN,
) -> Trajectory:
    """Euler integration from noise to data: x' = x - (t - t') v.

    Args:
        model: whole network.
        noise: state at the first time.
        cond: condition tokens; the unconditional pass sees zeros.
        times: descending, see `schedule`.
        guidance: none by default.
        sigma_min: of the path.

    Returns:
        All states and data estimates.
    """
    x, states, estimates = noise, [], []
    for t, t_next in zip(times[:-1].tolist(), times[1:].tolist(), strict=True):
        velocity = guided_velocity(model, x, t, cond, guidance or Guidance())
        estimates.append(data_estimate(x, velocity, t, sigma_min))
        x = x - (t - t_next) * velocity
        states.append(x)
    return Trajectory(np.asarray(times), torch.stack(states), torch.stack(estimates))
