"""Kind `trellis_slat`: structured latents, one row per occupied voxel (HNSR section 3.6)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch

from semcorr.config.kinds.trellis_slat import Options
from semcorr.errors import ItemError, UserError
from semcorr.features.networks import open_network
from semcorr.features.upstream import Upstream
from semcorr.features.voxel_source import voxel_source
from semcorr.networks.sparse.voxel_set import one_shape
from semcorr.store.items import Arrays

# Raised by hand when what this kind computes changes, here or in what it imports
VERSION = 1
RAGGED = frozenset({"cells", "latents"})


@contextmanager
def extractor(options: Options, upstream: Upstream) -> Iterator[Callable[[str], Arrays]]:
    """Load the encoders and yield the function id -> arrays.

    Arrays: cells (n, 3) uint8 occupied voxels; latents (n, c) float32, not normalised;
    resolution (1,) int32, voxels per axis.
    """
    encoder = open_network("SLatEncoder", upstream.weights["weights"], upstream, options.untrained)
    resolution = upstream.voxels.attributes["cfg"]["resolution"]
    if resolution != encoder.resolution:
        raise UserError(
            f"voxel: {resolution} voxels per axis, the encoder in weights works on"
            f" {encoder.resolution}"
        )
    image_encoder, size = upstream.weights["image_encoder"], options.image_size
    read = voxel_source(options.backbone, image_encoder, size, upstream)

    @torch.inference_mode()
    def compute(item_id: str) -> Arrays:
        cells, features = read(item_id)
        if features.shape[1] != encoder.in_channels:
            raise UserError(
                f"backbone: {options.backbone} gives {features.shape[1]} channels, the encoder"
                f" in weights takes {encoder.in_channels}"
            )
        device = next(encoder.parameters()).device
        # The published encoder was trained on features stored in half precision
        rows = torch.from_numpy(features.astype(np.float16)).float().to(device)
        mean = encoder(rows, one_shape(cells, device)).mean.float().cpu()
        if not bool(mean.isfinite().all()):
            raise ItemError("latents are not finite")
        return {
            "cells": cells,
            "latents": mean.numpy(),
            "resolution": np.array([resolution], np.int32),
        }

    yield compute
