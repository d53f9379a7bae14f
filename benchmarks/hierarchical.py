"""Coarse-to-fine matching: vectorised against plain loops (16^3 grid, 736 x 352 cells, 3 levels).

    OMP_NUM_THREADS=1 python benchmarks/hierarchical.py

Pooling is left out of both; both directions are searched. The plain function is the specification
word for word: for every target cell, over every occupied source cell that the coarser level allows,
the cosine.
"""

import argparse

import numpy as np
from _timing import timed

from semcorr.matching.hierarchical import match_pooled, pool_levels

COSINE_EPS = 1e-8


def plain_cosine(a: np.ndarray, b: np.ndarray) -> float:
    lengths = max(float(np.linalg.norm(a)), COSINE_EPS) * max(float(np.linalg.norm(b)), COSINE_EPS)
    return float(np.dot(a, b)) / lengths


def plain_occupied(cells: np.ndarray, factor: int) -> list[tuple[int, int, int]]:
    return sorted({(int(x) // factor, int(y) // factor, int(z) // factor) for x, y, z in cells})


def plain_match(
    source_grids: tuple[np.ndarray, ...],
    target_grids: tuple[np.ndarray, ...],
    source_cells: np.ndarray,
    target_cells: np.ndarray,
    radius: float,
) -> list[dict[tuple, tuple[tuple, float, float]]]:
    """Return per level {target cell: (source cell, cosine, runner-up gap)}, by loops."""
    finest = source_grids[-1].shape[-1]
    levels: list[dict] = []
    for source, target in zip(source_grids, target_grids, strict=True):
        factor = finest // source.shape[-1]
        sources = plain_occupied(source_cells, factor)
        found: dict = {}
        for cell in plain_occupied(target_cells, factor):
            feature = target[:, cell[0], cell[1], cell[2]]
            allowed = None
            if levels:
                parent = tuple(index // 2 for index in cell)
                allowed = set()
                for other, (partner, _, _) in levels[-1].items():
                    squared = sum((a - b) ** 2 for a, b in zip(parent, other, strict=True))
                    if squared <= radius**2 + 1e-9:
                        allowed.add(partner)
            best, cosine, second = None, -np.inf, -np.inf
            for candidate in sources:
                if allowed is not None and tuple(i // 2 for i in candidate) not in allowed:
                    continue
                value = plain_cosine(feature, source[:, candidate[0], candidate[1], candidate[2]])
                if value > cosine:
                    best, cosine, second = candidate, value, cosine
                else:
                    second = max(second, value)
            found[cell] = (best, cosine, cosine - second)
        levels.append(found)
    return levels


def surface_cells(resolution: int, count: int, seed: int) -> np.ndarray:
    """Return `count` cells of the grid that lie nearest to a random ellipsoid's surface."""
    generator = np.random.default_rng(seed)
    axes = np.indices((resolution,) * 3).reshape(3, -1).T
    radii = resolution * generator.uniform(0.3, 0.48, size=3)
    level = np.linalg.norm((axes + 0.5 - resolution / 2) / radii, axis=1)
    return axes[np.sort(np.argsort(np.abs(level - 1), kind="stable")[:count])]


def example(channels: int, source_count: int = 736, target_count: int = 352):
    """Return pooled grids and occupied cells of both sides."""
    generator = np.random.default_rng(0)
    grids = [generator.normal(size=(channels, 16, 16, 16)).astype(np.float32) for _ in range(2)]
    cells = surface_cells(16, source_count, 1), surface_cells(16, target_count, 2)
    return pool_levels(grids[0], 3), pool_levels(grids[1], 3), *cells


def compare(channels: int, repeats: int) -> None:
    source, target, source_cells, target_cells = example(channels)
    match_pooled(source, target, source_cells, target_cells)
    fast, (answer, _) = timed(
        lambda: match_pooled(source, target, source_cells, target_cells), repeats
    )
    slow, (plain, _) = timed(
        lambda: (
            plain_match(source, target, source_cells, target_cells, 1.0),
            plain_match(target, source, target_cells, source_cells, 1.0),
        ),
        repeats,
    )
    equal = all(
        plain[level][tuple(cell)][0] == tuple(partner)
        for level, record in enumerate(answer)
        for cell, partner in zip(
            record.target_cells.tolist(), record.source_cells.tolist(), strict=True
        )
    )
    print(
        f"hierarchical {len(source_cells)} x {len(target_cells)} cells, {channels} channels: "
        f"plain {slow:.3f} s, vectorised {fast:.4f} s, ratio {slow / fast:.0f}x, equal {equal}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument(
        "--channels",
        type=int,
        nargs="+",
        default=[24, 1024],
        help="24 = the parity case with these cells, 1024 = published width",
    )
    arguments = parser.parse_args()
    for channels in arguments.channels:
        compare(channels, arguments.repeats)


if __name__ == "__main__":
    main()
