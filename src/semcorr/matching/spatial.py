"""Baseline: the nearest point in space, optionally after the turn of least chamfer distance."""

import numpy as np
from jaxtyping import Float

from semcorr.matching.cells import nearest_rows
from semcorr.matching.result import SiteMatch
from semcorr.matching.rotation_search import chamfer_of_turns, search
from semcorr.matching.rotations import all_rotations, turn_about_centre, turn_into_box, turns
from semcorr.matching.shape import Shape, concentric_sites
from semcorr.matching.yaw import chamfer_distances, thinned

# distance at which confidence has fallen to exp(-1/2), in longest sides
CONFIDENCE_WIDTH = 0.12
# samples a shape in the search over all rotations: of all candidates, and of those that are left
ROUGH_POINTS, FINE_POINTS = 128, 512


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
    sites, placed, place, info = source.sites, target.sites, turn_into_box, {}
    if options.normalise == "samples":
        sites, placed = concentric_sites(source, target)
        place = turn_about_centre
    if options.align == "yaw":
        candidates = [place(placed, turn) for turn in turns(options.yaws)]
        distances = chamfer_distances(
            sites[source.sample_rows], [moved[target.sample_rows] for moved in candidates]
        )
        yaw = int(np.argmin(distances))
        placed = candidates[yaw]
        info = {"yaw": yaw, "yaws": len(candidates), "yaw_chamfer": float(distances[yaw])}
    if options.align == "rotation":
        boxed = None if options.normalise == "samples" else placed
        rotation, chamfer = _best_rotation(
            sites[source.sample_rows], placed[target.sample_rows], options.rotations, boxed
        )
        placed = place(placed, rotation)
        info = {"rotation_matrix": rotation.tolist(), "rotation_chamfer": chamfer}
    distance, there = nearest_rows(placed, sites)
    _, back = nearest_rows(sites, placed)
    confidence = np.exp(-(distance**2) / (2 * CONFIDENCE_WIDTH**2))
    return SiteMatch(there, back, confidence, info)


def _best_rotation(
    source: Float[np.ndarray, "s 3"],
    target: Float[np.ndarray, "t 3"],
    count: int,
    boxed: Float[np.ndarray, "n 3"] | None,
) -> tuple[Float[np.ndarray, "3 3"], float]:
    """Return the target's rotation of least chamfer distance, and that distance.

    Args:
        source: samples.
        target: samples.
        count: rotations to try first, beside the 24 of the box.
        boxed: all sites of the target, where each turn brings their box back to the unit box.
    """

    def closeness(points: int, corners: np.ndarray | None):
        clouds = thinned(source, points), thinned(target, points)
        return lambda rotations: -chamfer_of_turns(*clouds, rotations, corners)

    # the box of many samples is the shape's but for some percent: near enough to dismiss rotations
    rough = closeness(ROUGH_POINTS, None if boxed is None else thinned(target, FINE_POINTS))
    rotations, scores = search(all_rotations(count), rough, closeness(FINE_POINTS, boxed))
    best = int(np.argmax(scores))
    return rotations[best], -float(scores[best])
