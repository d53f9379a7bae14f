"""Scoring of dense maps: every vertex of the target against where it belongs on the source."""

import logging
from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from semcorr.datasets.context import Truth
from semcorr.evaluation.dense import DensePair, score_pair, summarise
from semcorr.geometry.mesh_arrays import Sites
from semcorr.seeds import seed_of
from semcorr.stages.matched.pose_pairs import PosePairs

log = logging.getLogger(__name__)


def score(pairs: PosePairs, cfg: dict[str, Any]) -> dict[str, Any]:
    """Return the entry of one method and pose in dense/{experiment}.json.

    Pairs without a map, and those whose truth could not be read or contradicts the meshes, count against
    `coverage`.
    """
    found = list(dense_pairs(pairs))
    scores = [score_pair(pair) for pair in found if pair is not None]
    seed = seed_of(cfg["global_seed"], "bootstrap", cfg["category"])
    return summarise(scores, len(found) - len(scores), seed)


def dense_pairs(pairs: PosePairs) -> Iterator[DensePair | None]:
    """Yield a DensePair, on the target's vertices that faces use, or None for one that is lost."""
    for source, target, arrays in pairs.pairs():
        truth = true_map(pairs, source, target)
        if arrays is None or truth is None:
            yield None
            continue
        sites = pairs.sites(target)
        areas = vertex_areas(sites)
        rows = np.unique(sites.faces)
        rows = rows[truth[rows] >= 0]
        if not len(rows):
            yield None
            continue
        places = pairs.sites(source).positions
        predicted = places_of(places, arrays["target_to_source"][rows])
        yield DensePair(source, target, places[truth[rows]], predicted, areas[rows])


def true_map(pairs: PosePairs, source: str, target: str) -> Int[np.ndarray, " v"] | None:
    """Return the vertex of the source for every vertex of the target, -1 = none.

    None where nothing is known: a shape or its truth could not be read, or what it says does not fit the
    meshes (which is logged).
    """
    truths = [pairs.truth_of(item_id) for item_id in (source, target)]
    if None in truths:
        return None
    counts = [pairs.sites(item_id).num_vertices for item_id in (source, target)]
    found = _told(*truths, source, counts[1])
    if found is None:
        log.warning("%s, %s: no dense correspondence is known", source, target)
    elif source not in truths[1].maps and counts[0] != counts[1]:
        log.warning(
            "%s, %s: are said to share vertices, but have %d and %d", source, target, *counts
        )
        return None
    elif found.max(initial=-1) >= counts[0]:
        log.warning(
            "matches/%s__%s.npy: vertex %d, but the source has %d",
            source, target, found.max(), counts[0],
        )  # fmt: skip
        return None
    return found


def _told(of_source: Truth, of_target: Truth, source: str, vertices: int):
    if source in of_target.maps:
        return of_target.maps[source]
    if of_target.vertex_group and of_target.vertex_group == of_source.vertex_group:
        return np.arange(vertices, dtype=np.int32)
    return None


def places_of(
    positions: Float[np.ndarray, "s 3"], rows: Int[np.ndarray, " n"]
) -> Float[np.ndarray, "n 3"]:
    """Return rows of positions, NaN where the row is -1."""
    known = np.asarray(rows) >= 0
    return np.where(known[:, None], positions[np.where(known, rows, 0)], np.nan)


def vertex_areas(sites: Sites) -> Float[np.ndarray, " v"]:
    """Return a third of the area of all faces at each vertex."""
    a, b, c = np.moveaxis(sites.positions[sites.faces], 1, 0)
    areas = np.linalg.norm(np.cross(b - a, c - a), axis=1) / 6
    return np.bincount(sites.faces.ravel(), np.repeat(areas, 3), minlength=sites.num_vertices)
