"""Shapes with joints: parts follow bones, so that one individual can be put into many poses.

Vertices and faces keep their numbers in every pose: vertex identity is the dense ground truth.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from semcorr.datasets.shapes.assembly import Assembly
from semcorr.datasets.shapes.solids import Solid

Turns = Mapping[str, tuple[float, float, float] | np.ndarray]
MIRROR = np.array((-1.0, 1.0, 1.0))


class Bone(NamedTuple):
    """A joint at rest, metres, and the bone that carries it (None = the root)."""

    joint: np.ndarray
    parent: str | None


class Skin(NamedTuple):
    """What a part follows: vertex i lies `along[i]` of the way through the list of bones."""

    bones: tuple[str, ...]
    along: Float[np.ndarray, " v"]


@dataclass
class Figure(Assembly):
    """An assembly at rest whose parts follow bones.

    Names of bones, labels and keypoints hold {} in place of left and right where there are two.

    Attributes:
        bones: by name, parents before children.
        skins: one per part.
    """

    bones: dict[str, Bone] = field(default_factory=dict)
    skins: list[Skin] = field(default_factory=list)

    def bone(self, name: str, joint, parent: str | None = None) -> None:
        """Add a bone that turns about `joint` (3,); a name with {} adds the left and the right one."""
        joint = np.asarray(joint, np.float64)
        if "{}" not in name:
            self.bones[name] = Bone(joint, parent)
            return
        for side, mirror in (("left", 1.0), ("right", MIRROR)):
            above = parent.format(side) if parent else None
            self.bones[name.format(side)] = Bone(joint * mirror, above)

    def attach(self, solid: Solid, label: str, role: str, *bones: str, along=None) -> None:
        """Add one part that follows one bone, or several with `along` (v,) in 0..len(bones) - 1."""
        self.add(solid, label, role)
        place = np.zeros(len(solid.vertices)) if along is None else np.asarray(along, np.float64)
        self.skins.append(Skin(bones, place))

    def attach_pair(self, solid: Solid, label: str, role: str, *bones: str, along=None) -> None:
        """Add a part on the left and its mirror image, each with the names of its side."""
        for side, part in (("left", solid), ("right", solid.mirrored())):
            names = (name.format(side) for name in bones)
            self.attach(part, label.format(side), role, *names, along=along)

    def posed(self, turns: Turns) -> Assembly:
        """The figure with its bones turned, as an assembly with the same parts in the same order.

        Args:
            turns: by bone, about the world's axes at rest: (x, y, z) degrees, see `rotation`, or a
                matrix (3, 3); a turn is carried on to all bones below.
        """
        transforms = self._transforms(turns)
        moved = []
        for (solid, label, role), skin in zip(self.parts, self.skins, strict=True):
            vertices = _skinned(solid.vertices, skin, transforms)
            moved.append((Solid(vertices, solid.faces), label, role))
        points = {
            name: moved[part][0].vertices[vertex]
            for name, (part, vertex) in self._marked_vertices().items()
        }
        return Assembly(self.labels, self.materials, self.step, moved, points)

    def _transforms(self, turns: Turns) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """(rotation, shift) by bone, from rest to the pose."""
        unknown = set(turns) - set(self.bones)
        if unknown:
            raise ValueError(f"no such bones: {', '.join(sorted(unknown))}")
        found = {}
        for name, bone in self.bones.items():
            own = turns.get(name, (0.0, 0.0, 0.0))
            own = own if isinstance(own, np.ndarray) else rotation(own)
            shift = bone.joint - own @ bone.joint
            if bone.parent is not None:
                above, offset = found[bone.parent]
                own, shift = above @ own, above @ shift + offset
            found[name] = own, shift
        return found

    def _marked_vertices(self) -> dict[str, tuple[int, int]]:
        """(part, vertex) of every keypoint at rest."""
        found = {}
        for name, point in self.keypoints.items():
            for number, (solid, _, _) in enumerate(self.parts):
                same = np.flatnonzero((solid.vertices == point).all(axis=1))
                if len(same):
                    found[name] = number, int(same[0])
                    break
        return found


def rotation(degrees: tuple[float, float, float]) -> Float[np.ndarray, "3 3"]:
    """Right-handed turn about y, then x, then z, as a matrix for columns."""
    x, y, z = np.radians(degrees)
    cx, sx, cy, sy, cz, sz = np.cos(x), np.sin(x), np.cos(y), np.sin(y), np.cos(z), np.sin(z)
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return about_z @ about_x @ about_y


def both(name: str, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> dict:
    """Turns of a pair of bones that mirror each other; the angles are the left one's."""
    return {name.format("left"): (x, y, z), name.format("right"): (x, -y, -z)}


def _skinned(vertices, skin: Skin, transforms) -> Float[np.ndarray, "v 3"]:
    """Vertices under the transforms of the two bones that they lie between, blended linearly."""
    moved = np.stack([vertices @ transforms[b][0].T + transforms[b][1] for b in skin.bones])
    last = len(skin.bones) - 1
    low = np.minimum(skin.along.astype(int), last)
    high = np.minimum(low + 1, last)
    share = (skin.along - low)[:, None]
    rows = np.arange(len(vertices))
    return (1 - share) * moved[low, rows] + share * moved[high, rows]
