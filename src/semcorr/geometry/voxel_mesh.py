"""Voxels as a mesh of their outer sides, for pictures."""

import numpy as np
from jaxtyping import Int

from semcorr.geometry.mesh import Mesh
from semcorr.geometry.voxels import occupancy

# Corners of a cell's side towards +x, +y, +z, counter-clockwise from outside
_UPPER = np.array(
    [
        [[1, 0, 0], [1, 1, 0], [1, 1, 1], [1, 0, 1]],
        [[0, 1, 0], [0, 1, 1], [1, 1, 1], [1, 1, 0]],
        [[0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]],
    ]
)


def voxel_mesh(cells: Int[np.ndarray, "n 3"], resolution: int) -> Mesh:
    """Sides of occupied cells that no occupied neighbour covers, wound outwards, in the world frame.

    Args:
        cells: occupied cells (x, y, z), each once, at least one.
        resolution: cells per axis.
    """
    if not len(cells):
        raise ValueError("cells: expected at least one")
    filled = np.pad(occupancy(np.asarray(cells), resolution) > 0, 1)
    quads = []
    for axis in range(3):
        for step, corners in ((1, _UPPER[axis]), (-1, _lower(axis))):
            free = filled & ~np.roll(filled, -step, axis)
            places = np.argwhere(free) - 1
            quads.append(places[:, None] + corners)
    corners = np.concatenate(quads).reshape(-1, 3)
    points, index = np.unique(corners, axis=0, return_inverse=True)
    index = index.reshape(-1, 4)
    faces = np.concatenate([index[:, [0, 1, 2]], index[:, [0, 2, 3]]])
    return Mesh(points / resolution - 0.5, faces)


def _lower(axis: int) -> Int[np.ndarray, "4 3"]:
    """Corners of the opposite side, which is wound the other way."""
    corners = _UPPER[axis][::-1].copy()
    corners[:, axis] = 0
    return corners
