"""Kind `trellis_ss`: latents of the sparse-structure VAE encoder, one per yaw (HNSR step 1)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch

from semcorr.config.kinds.trellis_ss import Options
from semcorr.errors import ItemError
from semcorr.features.networks import open_network
from semcorr.features.upstream import Upstream
from semcorr.geometry.voxels import occupancy, split_yaws
from semcorr.store.items import Arrays

RAGGED = frozenset()


@contextmanager
def extractor(options: Options, upstream: Upstream) -> Iterator[Callable[[str], Arrays]]:
    """Load the encoder and yield the function id -> {latents: (yaws, c, r, r, r) float32}."""
    encoder = open_network(
        "SparseStructureEncoder", upstream.weights["weights"], upstream, options.untrained
    )
    resolution = upstream.voxels.attributes["cfg"]["resolution"]

    def compute(item_id: str) -> Arrays:
        cells = split_yaws(upstream.voxels.read(item_id))
        return {"latents": np.stack([encode(encoder, c, resolution) for c in cells])}

    yield compute


@torch.inference_mode()
def encode(encoder, cells: np.ndarray, resolution: int) -> np.ndarray:
    """Return the mean latent of one occupancy.

    Args:
        encoder: SparseStructureEncoder.
        cells: (n, 3) occupied voxels.
        resolution: voxels per axis.

    Returns:
        (c, r, r, r) float32; not sampled, not normalised (HNSR section 3.2).

    Raises:
        ItemError: the latent is not finite.
    """
    device = next(encoder.parameters()).device
    grid = torch.from_numpy(occupancy(cells, resolution))[None, None].float().to(device)
    latent = encoder(grid).mean[0].float().cpu().numpy()
    if not np.isfinite(latent).all():
        raise ItemError("latent is not finite")
    return latent
