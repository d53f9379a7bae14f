"""The encoder of the sparse-structure VAE on the stored voxels of an item, all yaws at once."""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from semcorr.features.networks import open_network
from semcorr.features.upstream import Upstream
from semcorr.geometry.voxels import split_yaws
from semcorr.networks.trellis.vae import SparseStructureEncoder, encode_cells

Reading = Callable[
    [SparseStructureEncoder, Sequence[Int[np.ndarray, "n 3"]], int], Float[Tensor, "y c r r r"]
]


def means(
    encoder: SparseStructureEncoder, cells: Sequence[Int[np.ndarray, "n 3"]], resolution: int
) -> Float[Tensor, "y c r r r"]:
    """Means of the posterior, one grid a yaw."""
    return encode_cells(encoder, cells, resolution).mean


def encoded_voxels(
    upstream: Upstream, untrained: bool, reading: Reading
) -> Callable[[str], Float[np.ndarray, "y c r r r"]]:
    """Load the encoder; return the function id -> what `reading` takes of it, float32.

    Args:
        upstream: with voxels and `weights`.
        untrained: seeded random weights instead.
        reading: `means` or `networks.trellis.vae.hidden_of_cells`.
    """
    encoder = open_network(
        "SparseStructureEncoder", upstream.weights["weights"], upstream, untrained
    )
    resolution = upstream.voxels.attributes["cfg"]["resolution"]
    return lambda item_id: reading(
        encoder, split_yaws(upstream.voxels.read(item_id)), resolution
    ).numpy()
