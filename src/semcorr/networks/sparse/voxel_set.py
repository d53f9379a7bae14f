"""Occupied voxels of a batch of grids: who is whose neighbour, who is whose parent."""

from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from semcorr.errors import ItemError

KERNEL = 3
OFFSETS = tuple(product((-1, 0, 1), repeat=3))
CENTRE = len(OFFSETS) // 2
_LARGEST_KEY = 2**62


class Pairs(NamedTuple):
    """Voxels that see each other through one tap of a kernel.

    Attributes:
        seen: rows of the voxels that are read.
        seeing: rows of the voxels that read them; each at most once.
    """

    seen: Int[Tensor, " p"]
    seeing: Int[Tensor, " p"]


class Pooling(NamedTuple):
    """Voxels of a grid half as fine.

    Attributes:
        coarse: parents, sorted by (batch, x, y, z).
        parent: row of the parent of every fine voxel.
        children: number of fine voxels of every parent.
        octants: rows of the fine voxels in each eighth of their parents; no parent twice in one.
    """

    coarse: "VoxelSet"
    parent: Int[Tensor, " n"]
    children: Int[Tensor, " m"]
    octants: tuple[Int[Tensor, " k"], ...]


@dataclass(frozen=True, eq=False)
class VoxelSet:
    """Occupied voxels; features are (n, c) tensors whose rows are these voxels.

    Neighbours and parents are found once and kept, so that all layers of a network share them.

    Attributes:
        coords: (n, 4) int64, rows (batch, x, y, z) in any order, each once; every batch element
            0..b-1 has a voxel.
    """

    coords: Int[Tensor, "n 4"]

    def __post_init__(self):
        coords = torch.as_tensor(self.coords)
        if coords.ndim != 2 or coords.shape[1] != 4:
            raise ValueError(f"coords: expected (n, 4), got {tuple(coords.shape)}")
        if coords.is_floating_point() or coords.is_complex() or coords.dtype == torch.bool:
            raise ValueError(f"coords: expected integers, got {coords.dtype}")
        if not len(coords):
            raise ItemError("no occupied voxel")
        coords = coords.long()
        if int(coords.min()) < 0:
            raise ValueError(f"coords: expected indices from 0, got {int(coords.min())}")
        object.__setattr__(self, "coords", coords)
        self._check_rows()

    def _check_rows(self):
        if self.batches > len(self):
            raise ItemError(f"{len(self)} voxels cannot be of {self.batches} batch elements")
        sides = [int(side) for side in self.extent]
        if self.batches * (sides[0] + 2) * (sides[1] + 2) * (sides[2] + 2) > _LARGEST_KEY:
            raise ValueError(f"coords: grid of {sides} cells is too large")
        sorted_keys, _ = self._sorted
        if bool((sorted_keys[1:] == sorted_keys[:-1]).any()):
            raise ValueError("coords: a voxel is listed twice")
        missing = (torch.bincount(self.batch, minlength=self.batches) == 0).nonzero()
        if len(missing):
            raise ItemError(f"batch element {int(missing[0])} has no occupied voxel")

    def __len__(self) -> int:
        return len(self.coords)

    @property
    def batch(self) -> Int[Tensor, " n"]:
        """Batch element of every voxel."""
        return self.coords[:, 0]

    @property
    def cells(self) -> Int[Tensor, "n 3"]:
        """Indices (x, y, z)."""
        return self.coords[:, 1:]

    @cached_property
    def batches(self) -> int:
        """Number of batch elements."""
        return int(self.batch.max()) + 1

    @cached_property
    def extent(self) -> tuple[int, int, int]:
        """Cells per axis of the smallest grid from 0 that holds all voxels."""
        return tuple((self.cells.amax(0) + 1).tolist())

    @cached_property
    def rows_of_batch(self) -> tuple[Int[Tensor, " k"], ...]:
        """Rows of every batch element, in their order."""
        return tuple((self.batch == index).nonzero()[:, 0] for index in range(self.batches))

    @cached_property
    def _strides(self) -> Int[Tensor, " 4"]:
        # One empty cell on each side: a step out of the grid never lands in another row of it.
        x, y, z = (side + 2 for side in self.extent)
        return self.coords.new_tensor([x * y * z, y * z, z, 1])

    @cached_property
    def _sorted(self) -> tuple[Int[Tensor, " n"], Int[Tensor, " n"]]:
        """Keys of all voxels ascending, and the rows that they are of."""
        return ((self.coords + 1) @ self._strides).sort()

    @cached_property
    def neighbours(self) -> tuple[Pairs, ...]:
        """Pairs of every tap of a 3^3 kernel, in the order of OFFSETS (kernel index x, y, z).

        Tap (i, j, k) reads the voxel at the place + (i - 1, j - 1, k - 1), as a dense convolution
        with padding 1 does. Opposite taps are each other's pairs the other way round.
        """
        keys, rows = self._sorted
        steps = self.coords.new_tensor(OFFSETS) @ self._strides[1:]
        before = []
        for step in steps[:CENTRE]:
            wanted = keys + step
            place = torch.searchsorted(keys, wanted).clamp_(max=len(keys) - 1)
            found = keys[place] == wanted
            before.append(Pairs(rows[place[found]], rows[found]))
        everyone = torch.arange(len(self), device=self.coords.device)
        after = [Pairs(pairs.seeing, pairs.seen) for pairs in reversed(before)]
        return (*before, Pairs(everyone, everyone), *after)

    @cached_property
    def halved(self) -> Pooling:
        """Voxels of the grid half as fine, index // 2."""
        coords = torch.cat([self.batch[:, None], self.cells // 2], dim=1)
        keys = coords @ self._strides
        _, parent, children = keys.unique(return_inverse=True, return_counts=True)
        coarse = coords.new_empty(len(children), 4)
        coarse[parent] = coords  # children of one parent write the same row
        eighth = self.cells % 2 @ coords.new_tensor([4, 2, 1])
        octants = tuple((eighth == index).nonzero()[:, 0] for index in range(8))
        return Pooling(VoxelSet(coarse), parent, children, octants)

    @cached_property
    def foreign_tables(self) -> dict[str, Any]:
        """Neighbour tables that another library made and wants to see again."""
        return {}


def pool_to_parents(features: Float[Tensor, "n c"], pooling: Pooling) -> Float[Tensor, "m c"]:
    """Sum of the children / (number of children + 1), as the published networks have it.

    Not a mean: the original's scatter counts its initial zero, and the released weights rely on it.

    Args:
        features: of the fine voxels.
        pooling: see `VoxelSet.halved`.

    Returns:
        Features of the parents.
    """
    total = features.new_zeros(len(pooling.children), features.shape[1])
    for rows in pooling.octants:  # one child a parent: the order of additions is always the same
        total = total.index_add(0, pooling.parent[rows], features[rows])
    return total / (pooling.children + 1).to(features.dtype)[:, None]


def copy_to_children(features: Float[Tensor, "m c"], pooling: Pooling) -> Float[Tensor, "n c"]:
    """Features of the parents at every child, in the rows of the fine voxels."""
    return features[pooling.parent]


def one_shape(cells: Int[np.ndarray, "n 3"], device: torch.device | str = "cpu") -> VoxelSet:
    """Voxels of a batch of one shape.

    Args:
        cells: indices (x, y, z) of its occupied voxels.
        device: torch device.

    Raises:
        ItemError: there is none.
    """
    cells = np.asarray(cells)
    if cells.ndim != 2 or cells.shape[1] != 3:
        raise ValueError(f"cells: expected (n, 3), got {cells.shape}")
    return VoxelSet(torch.from_numpy(np.pad(cells.astype(np.int64), ((0, 0), (1, 0)))).to(device))
