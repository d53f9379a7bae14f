"""Training shapes for voxel networks: procedural, turned and stretched at random, as bits."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from semcorr.datasets.procedural import generate
from semcorr.geometry.transforms import rotation_yaw
from semcorr.geometry.voxels import voxelise
from semcorr.seeds import seed_of


@dataclass(frozen=True)
class ShapeFamily:
    """A reproducible, endless list of shapes in random poses.

    Attributes:
        categories: of procedural shapes, taken in turn.
        family: seed of the shapes.
        stretch: each axis is scaled by exp of a uniform value in +-stretch, before the turn.
        resolution: cells per axis.
    """

    categories: tuple[str, ...]
    family: int
    stretch: float
    resolution: int

    def positions(self, number: int) -> tuple[Float[np.ndarray, "v 3"], Int[np.ndarray, "f 3"]]:
        """Return vertices and faces of shape `number`, turned about Z, in the unit box again."""
        category = self.categories[number % len(self.categories)]
        mesh = generate(category, self.family, number // len(self.categories)).mesh
        seed = seed_of(self.family, "training_pose", category, str(number))
        random = np.random.Generator(np.random.PCG64(seed))
        scale = np.exp(random.uniform(-self.stretch, self.stretch, 3))
        turned = (mesh.vertices * scale) @ rotation_yaw(random.uniform(0, 2 * np.pi)).T
        low, high = turned.min(axis=0), turned.max(axis=0)
        return (turned - (low + high) / 2) / (high - low).max(), mesh.faces

    def occupancy(self, numbers: range) -> dict[str, UInt8[np.ndarray, "n b"]]:
        """Return the surface voxels of shapes as bits, C order of (x, y, z), 8 cells a byte."""
        rows = []
        for number in numbers:
            rows.append(packed(*self.positions(number), self.resolution))
        return {"bits": np.stack(rows)}


def packed(
    vertices: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"], resolution: int
) -> UInt8[np.ndarray, " b"]:
    """Return the surface voxels of one shape as bits, C order of (x, y, z)."""
    grid = np.zeros((resolution,) * 3, dtype=bool)
    grid[tuple(voxelise(vertices, faces, resolution).T.astype(np.int64))] = True
    return np.packbits(grid)


def unpacked(bits: UInt8[np.ndarray, "n b"], resolution: int) -> Float[Tensor, "n 1 r r r"]:
    """Return packed occupancy as 0/1 grids, the encoder's input."""
    cells = np.unpackbits(bits, axis=1, count=resolution**3)
    return torch.from_numpy(cells.reshape(-1, 1, *(resolution,) * 3)).float()
