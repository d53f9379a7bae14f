"""Search for a rotation: many candidates by a cheap score, then the best of them by small turns."""

from collections.abc import Callable, Iterator

import numpy as np
from jaxtyping import Float
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from semcorr.matching.rotations import all_rotations, boxes_after_turns
from semcorr.matching.yaw import thinned

Rotations = Float[np.ndarray, "k 3 3"]
# rotation candidates -> (k,) larger is better
Score = Callable[[Rotations], Float[np.ndarray, " k"]]

# candidates that are refined, and how far apart they are: further modes of a symmetric shape stay in
KEPT = 8
APART = 25.0
# degrees of the turns about the three axes that refine a candidate, one round each
STEPS = (10.0, 5.0, 2.5)
# samples a shape in chamfer distances: of all candidates, and of those that are left
ROUGH_POINTS, FINE_POINTS = 128, 512
# positions moved at a time: bounds the temporaries to some 20 MB
_ROWS = 1 << 18


def search(
    candidates: Rotations,
    rough: Score,
    fine: Score,
    kept: int = KEPT,
    steps: tuple[float, ...] = STEPS,
) -> tuple[Rotations, Float[np.ndarray, " n"]]:
    """Return up to `kept` different rotations with their scores, each the best of its neighbourhood.

    Args:
        candidates: to try with `rough`; the first of equals wins.
        rough: cheap score of all candidates.
        fine: score of those that are left.
        kept: how many of them, at least `APART` degrees from each other.
        steps: degrees; a candidate moves to the best of six small turns as long as one is better,
            once per step.
    """
    found = candidates[apart(candidates, rough(candidates), kept)]
    scores = fine(found)
    for step in steps:
        around = _small_turns(step)[None] @ found[:, None]
        tried = fine(around.reshape(-1, 3, 3)).reshape(len(found), -1)
        best = tried.argmax(axis=1)
        rows = np.arange(len(found))
        better = tried[rows, best] > scores
        found = np.where(better[:, None, None], around[rows, best], found)
        scores = np.where(better, tried[rows, best], scores)
    return found, scores


def search_positions(
    source: Float[np.ndarray, "s 3"],
    target: Float[np.ndarray, "t 3"],
    count: int,
    boxed: Float[np.ndarray, "n 3"] | None = None,
) -> tuple[Rotations, Float[np.ndarray, " n"]]:
    """Return different rotations that put the target on the source, with their chamfer distances.

    Args:
        source: samples, in random order.
        target: the same.
        count: rotations to try first, beside the 24 of the box.
        boxed: all sites of the target, whose box each turn brings back to the unit box; None leaves
            centre and size as they are.
    """

    def closeness(points: int, corners: np.ndarray | None) -> Score:
        clouds = thinned(source, points), thinned(target, points)
        return lambda rotations: -chamfer_of_turns(*clouds, rotations, corners)

    # the box of many samples is the shape's but for some percent: near enough to dismiss rotations
    rough = closeness(ROUGH_POINTS, None if boxed is None else thinned(target, FINE_POINTS))
    rotations, scores = search(all_rotations(count), rough, closeness(FINE_POINTS, boxed))
    return rotations, -scores


def apart(
    rotations: Rotations, scores: Float[np.ndarray, " k"], count: int, degrees: float = APART
) -> list[int]:
    """Return rows of the best rotations, best first, no two closer than `degrees`."""
    chosen: list[int] = []
    least_trace = 1 + 2 * np.cos(np.radians(degrees))
    free = np.ones(len(rotations), dtype=bool)
    for row in np.argsort(-scores, kind="stable"):
        if free[row]:
            chosen.append(int(row))
            if len(chosen) == count:
                break
            free &= np.einsum("kij,ij->k", rotations, rotations[row]) <= least_trace
    return chosen


def _small_turns(degrees: float) -> Float[np.ndarray, "6 3 3"]:
    axes = np.concatenate([np.eye(3), -np.eye(3)])
    return Rotation.from_rotvec(np.radians(degrees) * axes).as_matrix()


def chamfer_of_turns(
    source: Float[np.ndarray, "s 3"],
    target: Float[np.ndarray, "t 3"],
    rotations: Rotations,
    boxed: Float[np.ndarray, "n 3"] | None = None,
) -> Float[np.ndarray, " k"]:
    """Return the symmetric chamfer distance (`yaw.chamfer_distances`) of the source to turned targets.

    The target's tree stays as it is: the way back is asked for in its frame, with the source turned.

    Args:
        source: points.
        target: points, turned about the origin by each of `rotations`.
        rotations: applied as rotation @ point.
        boxed: points whose box each turn brings back to the unit box (`rotations.turn_into_box`); None
            leaves centre and size as they are.
    """
    source_tree, target_tree = cKDTree(source), cKDTree(target)
    distances = np.empty(len(rotations))
    rows = len(source) + len(target) + (0 if boxed is None else len(boxed))
    for block in _blocks(len(rotations), rows):
        turns = rotations[block]
        centre, side = np.zeros((len(turns), 3)), np.ones(len(turns))
        if boxed is not None:
            centre, side = boxes_after_turns(boxed, turns)
        centre, side = centre[:, None], side[:, None, None]
        moved = (target @ turns.transpose(0, 2, 1) - centre) / side
        # rows times a rotation are turned back by it
        back = (source * side + centre) @ turns
        there = source_tree.query(moved.reshape(-1, 3))[0].reshape(len(turns), -1)
        home = target_tree.query(back.reshape(-1, 3))[0].reshape(len(turns), -1)
        distances[block] = (there.mean(axis=1) + home.mean(axis=1) / side[:, 0, 0]) / 2
    return distances


def _blocks(count: int, rows: int) -> Iterator[slice]:
    step = max(1, _ROWS // max(rows, 1))
    for start in range(0, count, step):
        yield slice(start, start + step)
