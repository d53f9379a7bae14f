"""Baseline: the nearest point in space, optionally after the turn of least chamfer distance."""

import numpy as np

from semcorr.matching.cells import nearest_rows
from semcorr.matching.result import SiteMatch
from semcorr.matching.rotation_search import search_positions
from semcorr.matching.rotations import turn_about_centre, turn_into_box, turns
from semcorr.matching.shape import Shape, concentric_sites
from semcorr.matching.yaw import chamfer_distances

# distance at which confidence has fallen to exp(-1/2), in longest sides
CONFIDENCE_WIDTH = 0.12


def match(source: Shape, target: Shape, options, seed: int) -> SiteMatch:
    """Match every site to the nearest site of the other shape.

    Args:
        source: sites.
        target: sites; with `align: yaw` turned by the best of `options.yaws` yaws, with `align: rotation`
            by the best rotation that is found from 24 + `options.rotations` ones.
        options: `align` ("none", "yaw", "rotation"), `yaws`, `rotations`, `normalise` ("box": as they
            are; a turned target is put back into the unit box, as if it had been read in that
            orientation; "samples": see `shape.concentric_sites`).
        seed: unused.

    Returns:
        Both directions; confidence falls with distance as a Gaussian.
    """
    sites, placed, info = source.sites, target.sites, {}
    place, boxed = turn_into_box, target.sites
    if options.normalise == "samples":
        sites, placed = concentric_sites(source, target)
        place, boxed = turn_about_centre, None
    if options.align == "yaw":
        candidates = [place(placed, turn) for turn in turns(options.yaws)]
        distances = chamfer_distances(
            sites[source.sample_rows], [moved[target.sample_rows] for moved in candidates]
        )
        yaw = int(np.argmin(distances))
        placed = candidates[yaw]
        info = {"yaw": yaw, "yaws": len(candidates), "yaw_chamfer": float(distances[yaw])}
    if options.align == "rotation":
        rotations, chamfers = search_positions(
            sites[source.sample_rows], placed[target.sample_rows], options.rotations, boxed
        )
        best = int(np.argmin(chamfers))
        placed = place(placed, rotations[best])
        info = {
            "rotation_matrix": rotations[best].tolist(),
            "rotation_chamfer": float(chamfers[best]),
        }
    distance, there = nearest_rows(placed, sites)
    _, back = nearest_rows(sites, placed)
    confidence = np.exp(-(distance**2) / (2 * CONFIDENCE_WIDTH**2))
    return SiteMatch(there, back, confidence, info)
