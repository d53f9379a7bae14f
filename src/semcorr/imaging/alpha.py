"""Kind `alpha`: the object is where its rendering is opaque enough."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
from jaxtyping import UInt8

from semcorr.config.kinds.alpha import Options
from semcorr.errors import ItemError
from semcorr.features.upstream import Upstream
from semcorr.store.items import Arrays

RAGGED = frozenset()


@contextmanager
def extractor(options: Options, upstream: Upstream) -> Iterator[Callable[[str], Arrays]]:
    """Yield the function id -> {mask: (views, h, w) uint8, 1 = object}."""

    def compute(item_id: str) -> Arrays:
        rgba = upstream.renders.read(item_id, ("rgba",))["rgba"]
        return {"mask": mask_of(rgba, options.threshold)}

    yield compute


def mask_of(rgba: UInt8[np.ndarray, "n h w 4"], threshold: float) -> UInt8[np.ndarray, "n h w"]:
    """Return 1 where alpha is at least the threshold, else 0.

    Args:
        rgba: renderings with straight alpha.
        threshold: 0..1.

    Raises:
        ItemError: no pixel of any view is the object's.
    """
    mask = rgba[..., 3] >= 255 * threshold
    if not mask.any():
        raise ItemError(f"no pixel of any view has an alpha of {threshold:g} or more")
    return mask.astype(np.uint8)
