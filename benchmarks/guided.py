"""Guided matching of 10 000 x 10 000 sites at 960 channels: seconds, and memory beyond the inputs.

    OMP_NUM_THREADS=2 python benchmarks/guided.py

The part after the rotation search is also compared with the plain formulation (whole matrices of
cosines and squared distances) on fewer sites.
"""

import argparse
import resource
from types import SimpleNamespace

import numpy as np
from _timing import timed
from scipy.spatial.distance import cdist

from semcorr.matching.cosine import unit_rows
from semcorr.matching.guided import match, match_aligned
from semcorr.matching.rotations import turns
from semcorr.matching.shape import Shape

OPTIONS = SimpleNamespace(temperature=0.03, sigma=0.12, position_weight=2.0, yaws=48, up="known")


def example(sites: int, channels: int) -> tuple[Shape, Shape]:
    """Return a blob with smooth features and its copy, shuffled and turned by 90 degrees."""
    generator = np.random.default_rng(0)
    points = generator.normal(size=(sites, 3))
    points *= np.array([0.5, 0.3, 0.2]) / np.linalg.norm(points, axis=1, keepdims=True)
    waves = generator.normal(size=(3, channels)).astype(np.float32) * 4
    features = np.sin(points.astype(np.float32) @ waves + generator.uniform(0, 6, channels))
    features = features.astype(np.float32)
    order = generator.permutation(sites)
    turned = points[order] @ turns(4)[1].T
    source = Shape(points, 0, site_features=features, name="source")
    return source, Shape(turned, 0, site_features=features[order], name="target")


def plain_aligned(source_features, target_features, source_sites, target_sites, weight):
    scores = target_features @ source_features.T
    scores = scores - weight * cdist(target_sites, source_sites, "sqeuclidean")
    return scores.argmax(axis=1), scores.argmax(axis=0)


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sites", type=int, default=10_000)
    parser.add_argument("--channels", type=int, default=960)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    source, target = example(arguments.sites, arguments.channels)
    before = peak_mb()
    seconds, found = timed(lambda: match(source, target, OPTIONS, 0), arguments.repeats)
    inputs = 2 * source.site_features.nbytes / 2**20
    # the target is the source turned: a right match leads to the site that was copied
    error = np.linalg.norm(
        source.sites[found.target_to_source] - target.sites @ turns(4)[1], axis=1
    )
    print(
        f"guided {arguments.sites} x {arguments.sites} sites, {arguments.channels} channels: "
        f"{seconds:.2f} s, peak {peak_mb() - before:.0f} MB above inputs ({inputs:.0f} MB), "
        f"right {np.mean(error < 1e-6):.3f}"
    )
    few = min(4000, arguments.sites)
    rows = unit_rows(source.site_features[:few]), unit_rows(target.site_features[:few])
    sites = source.sites[:few], target.sites[:few]
    fast, best = timed(lambda: match_aligned(*rows, *sites, 2.0), arguments.repeats)
    slow, plain = timed(lambda: plain_aligned(*rows, *sites, 2.0), arguments.repeats)
    equal = np.mean(best.target_to_source == plain[0]), np.mean(best.source_to_target == plain[1])
    print(
        f"criterion on {few} x {few} sites: whole matrices {slow:.2f} s, blocked {fast:.2f} s, "
        f"ratio {slow / fast:.1f}x, equal {min(equal):.4f}"
    )


if __name__ == "__main__":
    main()
