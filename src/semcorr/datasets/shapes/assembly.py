"""Collects the parts of one shape with their labels, materials and keypoints."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int

from semcorr.datasets.shapes.solids import Solid
from semcorr.geometry.mesh import Material, Mesh

# Positions are rounded to multiples of 2**-24: exact in float32, and last-bit differences between
# the sine and cosine of different platforms disappear.
GRID = 2.0**24
OFF_CENTRE = 1e-4  # metres; a vertex is left or right of the mirror plane only beyond this
MIRRORED = 1e-9  # metres; a box that is off its mirror plane by more belongs to a shape in a pose
ANYWHERE = ((-np.inf,) * 3, (np.inf,) * 3)


@dataclass
class Assembly:
    """A shape under construction: Z up, front -Y, the sitter's left +X, in metres.

    Attributes:
        labels: part names; parts are added by name.
        materials: appearance by role (frame, seat, ...); parts are added by role.
        step: longest edge that parts should have, metres.
    """

    labels: tuple[str, ...]
    materials: dict[str, Material]
    step: float
    parts: list[tuple[Solid, int, int]] = field(default_factory=list)
    keypoints: dict[str, Float[np.ndarray, " 3"]] = field(default_factory=dict)
    _joined: dict[str, Float[np.ndarray, "n 3"]] = field(default_factory=dict)

    def add(self, solid: Solid, label: str, role: str) -> None:
        """Add one part."""
        self.parts.append((solid, self.labels.index(label), list(self.materials).index(role)))
        self._joined.clear()

    def add_pair(self, solid: Solid, label: str, role: str) -> None:
        """Add a part and its mirror image."""
        self.add(solid, label, role)
        self.add(solid.mirrored(), label, role)

    def vertices_of(self, label: str) -> Float[np.ndarray, "n 3"]:
        """All vertices of the parts with a label, (n, 3), in metres; n may be 0."""
        if label not in self._joined:
            number = self.labels.index(label)
            found = [s.vertices for s, part, _ in self.parts if part == number]
            self._joined[label] = np.concatenate(found) if found else np.empty((0, 3))
        return self._joined[label]

    def mark(self, name: str, target, label: str) -> None:
        """Put a keypoint on the vertex of a part label nearest to `target` (3,)."""
        found = self.vertices_of(label)
        if len(found):
            self.keypoints[name] = found[np.argmin(((found - target) ** 2).sum(axis=1))]

    def mark_pair(self, name: str, target, label: str) -> None:
        """Put a keypoint left (at x > 0) and its mirror image right.

        Args:
            name: with {} in place of left and right.
            target: (3,) on the left side.
        """
        found = self.vertices_of(label)
        found = found[found[:, 0] > OFF_CENTRE]
        if len(found):
            self._set_pair(name, found[np.argmin(((found - target) ** 2).sum(axis=1))])

    def mark_corner(self, name: str, direction, label: str, within=ANYWHERE) -> None:
        """Put a pair of keypoints on the vertices farthest along `direction` and its mirror image.

        Args:
            name: with {} in place of left and right.
            direction: (3,) with positive x, weighed against the extent of the part label.
            within: lowest and highest (x, y, z) of the vertices that count, metres; leaves out what
                lies inside another part.
        """
        found = self.vertices_of(label)
        if not len(found):
            return
        low, high = found.min(axis=0), found.max(axis=0)
        inside = np.all((found >= within[0]) & (found <= within[1]), axis=1)
        found = found[inside & (found[:, 0] > OFF_CENTRE)]
        if len(found):
            share = (found - (low + high) / 2) / np.maximum(high - low, 1e-9)
            # rounding makes the choice among equals independent of the last bits
            self._set_pair(name, found[np.argmax(np.round(share @ np.asarray(direction), 9))])

    def _set_pair(self, name: str, point: Float[np.ndarray, " 3"]) -> None:
        self.keypoints[name.format("left")] = point
        self.keypoints[name.format("right")] = point * (-1.0, 1.0, 1.0)

    def finish(self) -> tuple[Mesh, Int[np.ndarray, " f"], dict[str, Float[np.ndarray, " 3"]]]:
        """Join the parts in the world frame.

        Returns:
            The mesh (longest side of its box 1, centred), the part label of every face (f,) int16,
            and the keypoints (3,) in the same frame.
        """
        starts = np.cumsum([0] + [len(s.vertices) for s, _, _ in self.parts[:-1]])
        counts = [len(s.faces) for s, _, _ in self.parts]
        points = np.concatenate([s.vertices for s, _, _ in self.parts])
        faces = np.concatenate(
            [s.faces + int(start) for (s, _, _), start in zip(self.parts, starts, strict=True)]
        )
        low, high = points.min(axis=0), points.max(axis=0)
        centre, side = (low + high) / 2, (high - low).max()
        if abs(centre[0]) < MIRRORED:
            centre[0] = 0.0  # mirror images are exact, so this is the middle already
        vertices = _on_grid((points - centre) / side)
        labels = np.repeat(np.array([part for _, part, _ in self.parts], np.int16), counts)
        roles = np.repeat(np.array([role for _, _, role in self.parts], np.int32), counts)
        materials = tuple(self.materials.values())
        textured = any(m.texture is not None for m in materials)
        mesh = Mesh(
            vertices,
            faces,
            face_materials=roles,
            materials=materials,
            corner_uvs=projected_uvs(vertices[faces]) if textured else None,
        )
        marks = {name: _on_grid((p - centre) / side) for name, p in self.keypoints.items()}
        return mesh, labels, marks


def projected_uvs(triangles: Float[np.ndarray, "f 3 3"]) -> Float[np.ndarray, "f 3 2"]:
    """Texture coordinates by projection along the axis that each face looks along most.

    Positions within +-0.5 give coordinates within 0..1: one picture spans the whole shape.
    """
    a, b, c = triangles[:, 0], triangles[:, 1], triangles[:, 2]
    axis = np.argmax(np.abs(np.cross(b - a, c - a)), axis=1)
    kept = np.array([[1, 2], [0, 2], [0, 1]])[axis]
    picked = np.take_along_axis(triangles, np.repeat(kept[:, None], 3, axis=1), axis=2)
    return (picked + 0.5).astype(np.float32)


def _on_grid(points: np.ndarray) -> np.ndarray:
    """Round to the grid of positions; + 0.0 turns -0.0 into 0.0."""
    return np.rint(points * GRID) / GRID + 0.0
