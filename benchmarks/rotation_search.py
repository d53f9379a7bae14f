"""Search over all rotations by chamfer distance: two trees for all of them against trees for each.

    OMP_NUM_THREADS=1 python benchmarks/rotation_search.py

The distances are the same. The whole search (1048 rotations with 128 points, 8 of them refined with 512)
is compared with the plain one: 4120 rotations, 512 points, trees for each.
"""

import argparse
import statistics
import time

import numpy as np

from semcorr.matching.rotation_search import chamfer_of_turns, search_positions
from semcorr.matching.rotations import all_rotations, turn_about_centre
from semcorr.matching.yaw import chamfer_distances, thinned


def block(seed: int) -> np.ndarray:
    """Return 4096 points of an L-shaped body, in random order."""
    generator = np.random.default_rng(seed)
    foot = generator.uniform([-0.5, -0.15, -0.4], [0.5, 0.15, -0.2], size=(2048, 3))
    arm = generator.uniform([0.3, -0.15, -0.4], [0.5, 0.3, 0.4], size=(2048, 3))
    points = generator.permutation(np.concatenate([foot, arm]))
    return points - points.mean(axis=0)


def plain(source: np.ndarray, target: np.ndarray, rotations: np.ndarray, points: int) -> np.ndarray:
    source, target = thinned(source, points), thinned(target, points)
    return chamfer_distances(source, [turn_about_centre(target, turn) for turn in rotations])


def timed(function, repeats: int) -> tuple[float, object]:
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        answer = function()
        seconds.append(time.process_time() - start)
    return statistics.median(seconds), answer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    source, rotations = block(0), all_rotations(1024)
    target = turn_about_centre(block(1), all_rotations()[3000])
    few = thinned(source, 128), thinned(target, 128)
    fast, found = timed(lambda: chamfer_of_turns(*few, rotations), repeats)
    slow, wanted = timed(lambda: plain(source, target, rotations, 128), repeats)
    assert np.allclose(found, wanted)
    print(f"chamfer distances of 1048 rotations, 128 points: {slow / fast:.1f}x ({fast:.2f} s)")
    fast, (_, chamfer) = timed(lambda: search_positions(source, target, 1024), repeats)
    slow, wanted = timed(lambda: plain(source, target, all_rotations(), 512), 1)
    print(f"the search: {slow / fast:.1f}x ({fast:.2f} s of CPU time against {slow:.2f} s)")
    print(f"least chamfer distance: {chamfer.min():.4f} against {wanted.min():.4f}")


if __name__ == "__main__":
    main()
