"""Closed triangle surfaces and the three patterns of faces that all parts are made of."""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int


class Solid(NamedTuple):
    """A closed, outward oriented triangle surface.

    Attributes:
        vertices: (v, 3) float64, metres.
        faces: (f, 3) int32, counter-clockwise seen from outside.
    """

    vertices: Float[np.ndarray, "v 3"]
    faces: Int[np.ndarray, "f 3"]

    def moved(self, offset) -> "Solid":
        """The solid shifted by `offset` (3,) metres."""
        return Solid(self.vertices + np.asarray(offset, np.float64), self.faces)

    def scaled(self, factors) -> "Solid":
        """The solid stretched by positive `factors` (3,) about the origin."""
        return Solid(self.vertices * np.asarray(factors, np.float64), self.faces)

    def mirrored(self) -> "Solid":
        """Its mirror image x -> -x, turned inside out again so that it stays outward oriented."""
        return Solid(self.vertices * (-1.0, 1.0, 1.0), self.faces[:, ::-1])

    def warped(self, warp: Callable) -> "Solid":
        """The solid with its vertices moved by `warp`, (v, 3) -> (v, 3), which keeps handedness."""
        return Solid(warp(self.vertices), self.faces)


@lru_cache(maxsize=1024)
def stack_faces(rings: int, sides: int) -> Int[np.ndarray, "f 3"]:
    """Faces of `rings` rings of `sides` vertices each, closed by a pole vertex at either end.

    Vertex i * sides + j is point j of ring i; rings * sides is the pole before the first ring and
    rings * sides + 1 the pole after the last. Outward where ring points run counter-clockwise about
    the direction from the first ring to the last.
    """
    j = np.arange(sides)
    k = (j + 1) % sides
    walls = _walls(np.arange(rings - 1), np.arange(1, rings), sides)
    first = np.stack([np.full(sides, rings * sides), k, j], axis=1)
    last = (rings - 1) * sides
    final = np.stack([np.full(sides, rings * sides + 1), last + j, last + k], axis=1)
    return _frozen(np.concatenate([walls, first, final]))


@lru_cache(maxsize=1024)
def loop_faces(rings: int, sides: int) -> Int[np.ndarray, "f 3"]:
    """Faces of a closed loop of rings (a torus); vertices and orientation as in `stack_faces`."""
    here = np.arange(rings)
    return _frozen(_walls(here, (here + 1) % rings, sides))


@lru_cache(maxsize=1024)
def box_lattice(nx: int, ny: int, nz: int) -> tuple[Int[np.ndarray, "v 3"], Int[np.ndarray, "f 3"]]:
    """Surface of a block of nx x ny x nz cells: lattice position per vertex, outward faces."""
    counts = (nx, ny, nz)
    number = np.full((nx + 1, ny + 1, nz + 1), -1)
    position = np.stack(np.meshgrid(*(np.arange(c + 1) for c in counts), indexing="ij"), axis=-1)
    outside = np.any((position == 0) | (position == counts), axis=-1)
    number[outside] = np.arange(outside.sum())
    faces = []
    for axis in range(3):
        sheet = np.moveaxis(number, axis, 0)
        for end, grid in ((0, sheet[0]), (1, sheet[-1])):
            a, b, c, d = grid[:-1, :-1], grid[1:, :-1], grid[1:, 1:], grid[:-1, 1:]
            quads = np.stack([a, b, c, d], axis=-1).reshape(-1, 4)
            # the two remaining axes are right-handed about x and z, left-handed about y
            if (end == 1) == (axis == 1):
                quads = quads[:, ::-1]
            faces += [quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]
    return _frozen(position[outside]), _frozen(np.concatenate(faces))


def _walls(here, there, sides: int) -> Int[np.ndarray, "f 3"]:
    """Two triangles per quad between ring here[i] and ring there[i]."""
    j = np.arange(sides)
    k = (j + 1) % sides
    here, there = here[:, None] * sides, there[:, None] * sides
    a, b, c, d = (x.reshape(-1) for x in (here + j, here + k, there + k, there + j))
    return np.concatenate([np.stack([a, b, c], axis=1), np.stack([a, c, d], axis=1)])


def _frozen(array: np.ndarray) -> np.ndarray:
    """A read-only int32 copy, safe to keep in a cache."""
    array = np.ascontiguousarray(array, dtype=np.int32)
    array.setflags(write=False)
    return array
