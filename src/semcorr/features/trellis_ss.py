"""Kind `trellis_ss`: latents of the sparse-structure VAE encoder, one per pose (HNSR step 1)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from semcorr.config.kinds.trellis_ss import Options
from semcorr.features.upstream import Upstream
from semcorr.features.voxel_encoder import encoded_voxels, means
from semcorr.store.items import Arrays

# Raised by hand when what this kind computes changes, here or in what it imports
VERSION = 1
RAGGED = frozenset()


@contextmanager
def extractor(options: Options, upstream: Upstream) -> Iterator[Callable[[str], Arrays]]:
    """Load the encoder and yield the function id -> {latents: (poses, c, r, r, r) float32}."""
    encoded = encoded_voxels(upstream, options.untrained, means)
    yield lambda item_id: {"latents": encoded(item_id)}
