"""Kind `voxel_autoencoder`: states of an encoder of voxels as features of its cells, one grid per pose."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from semcorr.config.kinds.voxel_autoencoder import Options
from semcorr.features.arrays import grid_array
from semcorr.features.upstream import Upstream
from semcorr.features.voxel_encoder import encoded_voxels, means
from semcorr.networks.trellis.vae import hidden_of_cells
from semcorr.store.items import Arrays

# Raised by hand when what this kind computes changes, here or in what it imports
VERSION = 1
RAGGED = frozenset()


@contextmanager
def extractor(options: Options, upstream: Upstream) -> Iterator[Callable[[str], Arrays]]:
    """Load the encoder and yield the function id -> {grids: (poses, C, r, r, r) float16}."""
    reading = means if options.states == "mean" else hidden_of_cells
    encoded = encoded_voxels(upstream, options.untrained, reading)
    yield lambda item_id: {grid_array(None): encoded(item_id).astype(np.float16)}
