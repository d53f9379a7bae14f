"""Hidden states of one step of the structured-latent flow network, at its tokens."""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from semcorr.errors import ItemError, UserError
from semcorr.features.single_step import SingleStep, conditions_on, guided_states
from semcorr.networks.sparse.voxel_set import one_shape
from semcorr.networks.trellis.flow import TIME_SCALE
from semcorr.networks.trellis.slat_flow import SLatFlowModel
from semcorr.seeds import seed_of

# Of the released encoder's latents (HNSR section 3.6, normalisation)
PUBLISHED_MEAN = np.float32(
    [
        -2.1687545776367188,
        -0.004347046371549368,
        -0.13352349400520325,
        -0.08418072760105133,
        -0.5271206498146057,
        0.7238689064979553,
        -1.1414450407028198,
        1.2039363384246826,
    ]
)
PUBLISHED_STD = np.float32(
    [
        2.377650737762451,
        2.386378288269043,
        2.124418020248413,
        2.1748552322387695,
        2.663944721221924,
        2.371192216873169,
        2.6217446327209473,
        2.684523105621338,
    ]
)


def normalised_latents(latents: Float[np.ndarray, "n c"]) -> Float[np.ndarray, "n c"]:
    """Latents of the released encoder as the released flow network takes them: (z - mean) / std.

    Raises:
        UserError: they have other than eight channels.
    """
    if latents.shape[1] != len(PUBLISHED_MEAN):
        raise UserError(
            f"normalise: published is for {len(PUBLISHED_MEAN)} channels, the latents have"
            f" {latents.shape[1]}: set normalise: none"
        )
    return (latents - PUBLISHED_MEAN) / PUBLISHED_STD


def perturbed_rows(
    latents: Float[Tensor, "n c"],
    cells: Int[np.ndarray, "n 3"],
    resolution: int,
    options: SingleStep,
) -> Float[Tensor, "d n c"]:
    """Latents mixed with noise, once per draw: (1 - n) z + n eps with n = noise / steps.

    The noise of a cell is the same for all shapes.

    Args:
        latents: clean latents.
        cells: of their voxels.
        resolution: voxels per axis.
        options: noise, steps, draws, seed.

    Returns:
        (draws, n, c); one row, the latents themselves, without noise.
    """
    share = options.noise / options.steps
    if not share:
        return latents[None]
    rows = []
    for draw in range(options.draws):
        generator = np.random.default_rng(seed_of(options.seed, "slat_noise", str(draw)))
        shape = (resolution, resolution, resolution, latents.shape[1])
        noise = generator.standard_normal(shape, dtype=np.float32)[tuple(cells.T)]
        rows.append((1 - share) * latents + share * torch.from_numpy(noise).to(latents.device))
    return torch.stack(rows)


@torch.inference_mode()
def slat_single_step(
    flow: SLatFlowModel,
    latents: Float[np.ndarray, "n c"],
    cells: Int[np.ndarray, "n 3"],
    conditions: Float[Tensor | np.ndarray, "v m d"] | None,
    options: SingleStep,
) -> tuple[Float[np.ndarray, "l m c"], Int[np.ndarray, "m 3"]]:
    """Guided hidden states of every token, averaged over views and noise draws.

    Args:
        flow: may hold only its first transformer blocks.
        latents: normalised latents.
        cells: of their voxels.
        conditions: tokens of the views in use; not looked at with guidance -1.
        options: see `SingleStep`; layers are transformer blocks.

    Returns:
        (layers, m, channels) float32, and the cells of the tokens in the grid `flow.patch_size`
        times coarser.

    Raises:
        UserError: conditions are needed and missing.
        ItemError: no voxel, or a value that is not finite.
    """
    device = next(flow.parameters()).device
    conditions = conditions_on(device, conditions, options)
    voxels = one_shape(cells, device)
    tokens = voxels
    for _ in range(flow.patch_size.bit_length() - 1):
        tokens = tokens.halved.coarse
    time = torch.full((1,), TIME_SCALE * options.timestep / options.steps, device=device)
    last = options.layers[-1]

    def guided(x: Float[Tensor, "n c"]) -> Float[Tensor, "l m c"]:
        def hidden_of(part: Float[Tensor, "v m d"]) -> dict[int, Tensor]:
            return flow(x, voxels, time, part, taps=options.layers, stop_after=last).hidden

        return guided_states(hidden_of, flow, len(tokens), conditions, options)

    rows = torch.from_numpy(latents).float().to(device)
    draws = perturbed_rows(rows, np.asarray(cells, np.int64), flow.resolution, options)
    mean = sum(guided(x) for x in draws) / len(draws)
    if not bool(mean.isfinite().all()):
        raise ItemError("features are not finite")
    return mean.cpu().numpy(), tokens.cells.cpu().numpy()
