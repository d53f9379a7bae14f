"""Kind `voxel_autoencoder`: states of an encoder of voxels as features of its cells, one grid per pose."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from semcorr.config.kinds.voxel_autoencoder import Options
from semcorr.features.arrays import grid_array
from semcorr.features.networks import open_network
from semcorr.features.upstream import Upstream
from semcorr.geometry.voxels import split_yaws
from semcorr.networks.trellis.vae import encode_cells, hidden_of_cells
from semcorr.store.items import Arrays

# Raised by hand when what this kind computes changes, here or in what it imports
VERSION = 1
RAGGED = frozenset()


@contextmanager
def extractor(options: Options, upstream: Upstream) -> Iterator[Callable[[str], Arrays]]:
    """Load the encoder and yield the function id -> {grids: (poses, C, r, r, r) float16}."""
    encoder = open_network(
        "SparseStructureEncoder", upstream.weights["weights"], upstream, options.untrained
    )
    resolution = upstream.voxels.attributes["cfg"]["resolution"]

    def compute(item_id: str) -> Arrays:
        cells = split_yaws(upstream.voxels.read(item_id))
        if options.states == "mean":
            states = encode_cells(encoder, cells, resolution).mean
        else:
            states = hidden_of_cells(encoder, cells, resolution)
        return {grid_array(None): states.numpy().astype(np.float16)}

    yield compute
