"""Kind `trellis_ss`: latents of the sparse-structure VAE encoder, one per pose (HNSR step 1)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from semcorr.config.kinds.trellis_ss import Options
from semcorr.features.networks import open_network
from semcorr.features.upstream import Upstream
from semcorr.geometry.voxels import split_yaws
from semcorr.networks.trellis.vae import encode_cells
from semcorr.store.items import Arrays

# Raised by hand when what this kind computes changes, here or in what it imports
VERSION = 1
RAGGED = frozenset()


@contextmanager
def extractor(options: Options, upstream: Upstream) -> Iterator[Callable[[str], Arrays]]:
    """Load the encoder and yield the function id -> {latents: (poses, c, r, r, r) float32}."""
    encoder = open_network(
        "SparseStructureEncoder", upstream.weights["weights"], upstream, options.untrained
    )
    resolution = upstream.voxels.attributes["cfg"]["resolution"]

    def compute(item_id: str) -> Arrays:
        cells = split_yaws(upstream.voxels.read(item_id))
        return {"latents": encode_cells(encoder, cells, resolution).mean.numpy()}

    yield compute
