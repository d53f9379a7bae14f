"""Baseline: the nearest point in space, optionally after the yaw of least chamfer distance."""

import numpy as np

from semcorr.matching.cells import nearest_rows
from semcorr.matching.result import SiteMatch
from semcorr.matching.rotations import turn_into_box, turns
from semcorr.matching.shape import Shape
from semcorr.matching.yaw import chamfer_distances

# distance at which confidence has fallen to exp(-1/2), in longest sides
CONFIDENCE_WIDTH = 0.12


def match(source: Shape, target: Shape, options, seed: int) -> SiteMatch:
    """Match every site to the nearest site of the other shape.

    Args:
        source: sites.
        target: sites; with `align: yaw` turned by the best of `options.yaws` yaws and put back into
            the unit box, as if it had been read in that orientation.
        options: `align` ("none" or "yaw"), `yaws`.
        seed: unused.

    Returns:
        Both directions; confidence falls with distance as a Gaussian.
    """
    sites, info = target.sites, {}
    if options.align == "yaw":
        rotations = turns(options.yaws)
        candidates = [turn_into_box(target.samples, turn, target.sites) for turn in rotations]
        distances = chamfer_distances(source.samples, candidates)
        yaw = int(np.argmin(distances))
        sites = turn_into_box(target.sites, rotations[yaw])
        info = {"yaw": yaw, "yaws": len(rotations), "yaw_chamfer": float(distances[yaw])}
    distance, there = nearest_rows(sites, source.sites)
    _, back = nearest_rows(source.sites, sites)
    confidence = np.exp(-(distance**2) / (2 * CONFIDENCE_WIDTH**2))
    return SiteMatch(there, back, confidence, info)
