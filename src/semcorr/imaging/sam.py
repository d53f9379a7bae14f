"""Kind `sam`: the object is what Segment Anything cuts out of a view's colours."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from jaxtyping import Bool, UInt8
from torch import nn

from semcorr.config.kinds.sam import Options
from semcorr.errors import ItemError
from semcorr.features.image_networks import compute_in
from semcorr.features.lifting import on_background
from semcorr.features.networks import TYPES
from semcorr.features.upstream import Upstream
from semcorr.imaging.prompts import box_around, grid_over, points_inside
from semcorr.imaging.segment_anything import largest_mask, mask_at_points, mask_in_box, see
from semcorr.networks.devices import device_of
from semcorr.networks.transformers_models import load_model
from semcorr.store.items import Arrays

# Raised by hand when what this kind computes changes, here or in what it imports
VERSION = 1
RAGGED = frozenset()


@contextmanager
def extractor(options: Options, upstream: Upstream) -> Iterator[Callable[[str], Arrays]]:
    """Load the network and yield the function id -> {mask: (views, h, w) uint8, 1 = object}."""
    torch.set_num_threads(upstream.threads)
    model = load_model("sam", upstream.weights["weights"], device_of(upstream.device))
    if TYPES[upstream.precision] != torch.float32:
        compute_in(model.vision_encoder, TYPES[upstream.precision])  # the decoder stays in float32

    def compute(item_id: str) -> Arrays:
        rgba = upstream.renders.read(item_id, ("rgba",))["rgba"]
        mask = np.stack([mask_of_view(model, view, options) for view in rgba])
        if not mask.any():
            raise ItemError("Segment Anything finds no object in any view")
        return {"mask": mask.astype(np.uint8)}

    yield compute


def mask_of_view(
    model: nn.Module, rgba: UInt8[np.ndarray, "h w 4"], options: Options
) -> Bool[np.ndarray, "h w"]:
    """Return the mask of one view; all False where its alpha says that it shows nothing.

    Args:
        model: transformers' SamModel.
        rgba: rendering with straight alpha.
        options: kind of prompt and what belongs to it.
    """
    inside = rgba[..., 3] > 127
    if not inside.any():
        return np.zeros(inside.shape, bool)
    picture = np.rint(on_background(rgba[None], options.background)[0] * 255).astype(np.uint8)
    seen = see(model, picture)
    if options.prompt == "grid" or inside.all():  # an opaque picture says nothing of an outline
        return largest_mask(
            model, seen, grid_over(*inside.shape, options.grid), options.min_quality
        )
    if options.prompt == "box":
        return mask_in_box(model, seen, box_around(inside))
    return mask_at_points(model, seen, points_inside(inside, options.points))
