"""Kind `slat_states`: hidden states of the structured-latent flow network, on the sites of a shape."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from semcorr.config.kinds.slat_states import Options
from semcorr.errors import UserError
from semcorr.features.hnsr import condition_path
from semcorr.features.networks import open_network
from semcorr.features.single_step import SingleStep
from semcorr.features.slat_single_step import normalised_latents, slat_single_step
from semcorr.features.upstream import Upstream
from semcorr.features.voxel_source import at_sites
from semcorr.geometry.mesh_arrays import SITE_ARRAYS, sites_of
from semcorr.networks.trellis.slat_flow import SLatFlowModel
from semcorr.store.items import Arrays

# Raised by hand when what this kind computes changes, here or in what it imports
VERSION = 1
RAGGED = frozenset({"site_features"})


@contextmanager
def extractor(options: Options, upstream: Upstream) -> Iterator[Callable[[str], Arrays]]:
    """Load the networks and yield the function id -> {site_features: (n, c) float16}."""
    flow = open_network(
        "SLatFlowModel",
        upstream.weights["weights"],
        upstream,
        options.untrained,
        blocks=options.layer + 1,
    )
    conditions_of = None
    if options.guidance != -1:
        conditions_of = condition_path(options, upstream)
    step = SingleStep.of(options, (options.layer,), upstream.seed)

    def compute(item_id: str) -> Arrays:
        arrays = upstream.latents.read(item_id)
        latents = _latents_for(flow, arrays, options)
        conditions = None if conditions_of is None else conditions_of(item_id)
        states, cells = slat_single_step(flow, latents, arrays["cells"], conditions, step)
        sites = sites_of(upstream.meshes.read(item_id, SITE_ARRAYS)).positions
        rows = at_sites(states[0], cells, flow.resolution // flow.patch_size, sites)
        return {"site_features": rows.astype(np.float16)}

    yield compute


def _latents_for(flow: SLatFlowModel, arrays: Arrays, options: Options) -> np.ndarray:
    """Return what the network takes; raise UserError where it does not fit the latents."""
    resolution, channels = int(arrays["resolution"][0]), arrays["latents"].shape[1]
    if resolution != flow.resolution or channels != flow.in_channels:
        raise UserError(
            f"latent: {channels} channels on {resolution} voxels per axis, the network in weights"
            f" takes {flow.in_channels} on {flow.resolution}"
        )
    if options.normalise == "published":
        return normalised_latents(arrays["latents"])
    return arrays["latents"]
