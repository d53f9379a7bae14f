"""Scoring of texture transfer: base colours of the source carried to the target and back."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float

from semcorr.evaluation.texture import TexturePair, round_trip_colours, score_pair, summarise
from semcorr.seeds import seed_of
from semcorr.stages.matched.pose_pairs import PosePairs
from semcorr.transfer.carry import site_points
from semcorr.transfer.texture import Paint, has_texture

# Labels and keypoints do not matter here
NEEDS_TRUTH = False


def score(pairs: PosePairs, cfg: dict[str, Any]) -> dict[str, Any]:
    """Return the entry of one method and pose in texture/{experiment}.json.

    Pairs whose source has no texture are left out: there is nothing to carry. Pairs without a map
    count against `coverage`.
    """
    lost = 0
    scores = []
    for pair in texture_pairs(pairs):
        if pair is None:
            lost += 1
        else:
            scores.append(score_pair(pair))
    return summarise(scores, lost, seed_of(cfg["global_seed"], "bootstrap", cfg["category"]))


def texture_pairs(pairs: PosePairs) -> Iterator[TexturePair | None]:
    """Yield a TexturePair, on the source's samples, for every pair whose source has a texture.

    None for a pair without a map whose source may not be there at all.
    """
    colours_of = lru_cache(1)(lambda source: site_colours(pairs, source))
    for source, target, arrays in pairs.pairs():
        if arrays is None:
            yield None
            continue
        colours = colours_of(source)
        if colours is None:
            continue
        returned = round_trip_colours(
            colours, arrays["target_to_source"], arrays["source_to_target"]
        )
        samples = slice(pairs.sites(source).num_vertices, None)
        yield TexturePair(source, target, colours[samples], returned[samples])


def site_colours(pairs: PosePairs, item_id: str) -> Float[np.ndarray, "n 3"] | None:
    """Return sRGB base colours in 0..1 of a shape's sites; None where it has no texture."""
    mesh = pairs.mesh(item_id)
    if not has_texture(mesh):
        return None
    points = site_points(mesh, pairs.sites(item_id))
    return Paint(mesh).at(points.face, points.weights)
