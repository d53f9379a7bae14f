"""What a category module provides: the constant CATEGORY."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from semcorr.datasets.shapes.assembly import Assembly


@dataclass(frozen=True)
class SymmetryOrbits:
    """Names that symmetry exchanges.

    Stores keep `keypoints` alone, which `acc_010_symmetry` is defined by; the rest describes a shape
    to those who call `generate`.

    Attributes:
        keypoints: pairs (left, right) of keypoints that the mirror x -> -x swaps.
        labels: pairs of part labels that it swaps (none where parts are not told apart by side).
        orbits: sets of keypoints that the symmetry of the shape makes interchangeable: the mirror
            pairs, or all four legs of a stool that looks the same from all sides.
    """

    keypoints: tuple[tuple[str, str], ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    orbits: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Draft:
    """One drawn shape before it is put into the world frame.

    Attributes:
        assembly: its parts in metres, Z up, front -Y, the sitter's left +X.
        topology: name of its construction; equal names mean the same kinds of parts.
        orbits: see `SymmetryOrbits.orbits`, for this shape.
        pose: of a category with poses, (number, generator) -> name of the pose and the parts in it;
            number 0 is `assembly` as it stands. The generator is the same for all numbers.
    """

    assembly: Assembly
    topology: str
    orbits: tuple[tuple[str, ...], ...] = field(default=())
    pose: Callable[[int, np.random.Generator], tuple[str, Assembly]] | None = None


@dataclass(frozen=True)
class Category:
    """A grammar of shapes.

    Attributes:
        labels: part names, in the order of the label numbers.
        keypoints: keypoint names, shared by all shapes of the category.
        strata: number of kinds of shapes; `strata` shapes with consecutive numbers show each once.
        build: (stratum, generator) -> Draft; all randomness comes from the generator.
        poses: shapes with this many consecutive numbers are one individual in different poses, with
            the same vertices and faces; 1 = every shape is an individual of its own.
    """

    labels: tuple[str, ...]
    keypoints: tuple[str, ...]
    strata: int
    build: Callable[[int, np.random.Generator], Draft]
    poses: int = 1

    @property
    def symmetry(self) -> SymmetryOrbits:
        """What holds for every shape of the category: the mirror pairs."""
        pairs = mirror_pairs(self.keypoints)
        return SymmetryOrbits(pairs, mirror_pairs(self.labels), pairs)


def mirror_pairs(names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Pairs of names that differ by the word left or right, left one first."""
    swapped = {name: swap_sides(name) for name in names}
    return tuple((a, b) for a, b in swapped.items() if "left" in a and b in swapped)


def swap_sides(name: str) -> str:
    """The name with the words left and right exchanged."""
    words = {"left": "right", "right": "left"}
    return "_".join(words.get(word, word) for word in name.split("_"))
