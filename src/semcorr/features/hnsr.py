"""Kind `hnsr`: hidden states of the sparse-structure flow network, one grid per pose."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
from jaxtyping import Float
from torch import Tensor

from semcorr.config.kinds.hnsr import Options
from semcorr.errors import UserError
from semcorr.features.arrays import grid_array
from semcorr.features.networks import open_network
from semcorr.features.single_step import SingleStep, single_step_features
from semcorr.features.upstream import Upstream
from semcorr.store.items import Arrays

# Raised by hand when what this kind computes changes, here or in what it imports
VERSION = 1
RAGGED = frozenset()


@contextmanager
def extractor(options: Options, upstream: Upstream) -> Iterator[Callable[[str], Arrays]]:
    """Load the networks and yield the function id -> {grids: (poses, C, r, r, r) float16}.

    Each of `more_layers` is a further array of that shape, see `grid_array`.
    """
    layers = tuple(sorted({options.layer, *options.more_layers}))
    flow = open_network(
        "SparseStructureFlowModel",
        upstream.weights["weights"],
        upstream,
        options.untrained,
        blocks=layers[-1] + 1,
    )
    conditions_of = None
    if options.guidance != -1:
        conditions_of = condition_path(options, upstream)
    step = SingleStep.of(options, layers, upstream.seed)

    def compute(item_id: str) -> Arrays:
        latents = upstream.latents.read(item_id)["latents"]
        conditions = None
        if conditions_of is not None:
            if len(latents) > 1:
                raise UserError(
                    "pictures show one pose: use guidance -1 with voxels of several yaws or rotations"
                )
            conditions = conditions_of(item_id)
        grids = np.stack([single_step_features(flow, z, conditions, step) for z in latents], 1)
        return {
            grid_array(None if layer == options.layer else layer): rows.astype(np.float16)
            for layer, rows in zip(layers, grids, strict=True)
        }

    yield compute


def condition_path(options: Options, upstream: Upstream) -> Callable[[str], Float[Tensor, "v m d"]]:
    """Load the image encoder; return the function id -> condition tokens of the item's views.

    Args:
        options: with `backbone`, `image_encoder` and `image_size`.
        upstream: with renders.
    """
    # image networks take longer to import than tiny latents to go through the flow
    from semcorr.features.conditions import token_encoder, view_conditions
    from semcorr.features.image_networks import open_backbone

    backbone = open_backbone(options.backbone, upstream.weights["image_encoder"], upstream)
    encoder = token_encoder(backbone)

    def conditions_of(item_id: str) -> Float[Tensor, "v m d"]:
        pictures = upstream.renders.read(item_id, ("rgba",))["rgba"]
        return view_conditions(encoder, list(pictures), options.image_size)

    return conditions_of
