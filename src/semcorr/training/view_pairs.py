"""Which pixels of two pictures show the same surface point, across poses and proportions."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from semcorr.cameras import Cameras, project
from semcorr.geometry.mesh import Mesh
from semcorr.rendering.interface import Views

# Surface points kept per view; a pair uses some of them
POINTS = 1024
# Largest difference of depth between a point and the pixel that shows it, longest side = 1
TOLERANCE = 0.01
_FIELDS = ("rgba", "depth", "material", "pixels", "faces", "barycentric")


@dataclass(frozen=True)
class ViewArrays:
    """Views of n copies of shapes, as one batch of plain arrays.

    Attributes:
        rgba: (n, w, s, s, 4) uint8.
        depth: (n, w, s, s) float16, 0 = no hit.
        material: (n, w, s, s) int8, -1 = no hit.
        pixels: (n, w, p, 2) int16 x and y of some pixels that show the shape.
        faces: (n, w, p) int32 face that each of them shows, -1 where there are fewer.
        barycentric: (n, w, p, 3) float16.
    """

    rgba: UInt8[np.ndarray, "n w s s 4"]
    depth: Float[np.ndarray, "n w s s"]
    material: Int[np.ndarray, "n w s s"]
    pixels: Int[np.ndarray, "n w p 2"]
    faces: Int[np.ndarray, "n w p"]
    barycentric: Float[np.ndarray, "n w p 3"]

    def __len__(self) -> int:
        return len(self.rgba)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays by name."""
        return {name: getattr(self, name) for name in _FIELDS}

    @classmethod
    def of(cls, rows: list["ViewArrays"]) -> "ViewArrays":
        """Join batches."""
        return cls(**{n: np.concatenate([getattr(row, n) for row in rows]) for n in _FIELDS})


def view_arrays(views: Views, mesh: Mesh, random: np.random.Generator) -> ViewArrays:
    """Keep of one shape's views what training needs, with `POINTS` random surface pixels each."""
    count = len(views.rgba)
    pixels = np.zeros((count, POINTS, 2), np.int16)
    faces = np.full((count, POINTS), -1, np.int32)
    barycentric = np.zeros((count, POINTS, 3), np.float16)
    for view in range(count):
        y, x = np.nonzero(views.face_id[view] >= 0)
        chosen = random.permutation(len(y))[:POINTS]
        y, x = y[chosen], x[chosen]
        pixels[view, : len(y)] = np.stack([x, y], axis=1)
        faces[view, : len(y)] = views.face_id[view, y, x]
        barycentric[view, : len(y)] = views.barycentric[view, y, x]
    hit = views.face_id >= 0
    material = np.where(hit, mesh.face_materials[np.maximum(views.face_id, 0)], -1)
    return ViewArrays(
        views.rgba[None],
        views.depth.astype(np.float16)[None],
        np.minimum(material, 127).astype(np.int8)[None],
        pixels[None],
        faces[None],
        barycentric[None],
    )


@dataclass(frozen=True)
class SharedPoints:
    """Surface points that two views show.

    Attributes:
        first: (p, 2) where the first view shows them, pixels, centres at +0.5.
        second: (p, 2) the same of the second view.
        faces: (p,) face of each.
        barycentric: (p, 3) where on it.
    """

    first: Float[np.ndarray, "p 2"]
    second: Float[np.ndarray, "p 2"]
    faces: Int[np.ndarray, " p"]
    barycentric: Float[np.ndarray, "p 3"]

    def chosen(self, rows: Int[np.ndarray, " q"] | Bool[np.ndarray, " p"]) -> "SharedPoints":
        """Return some of the points."""
        return SharedPoints(
            self.first[rows], self.second[rows], self.faces[rows], self.barycentric[rows]
        )


def on_surface(
    vertices: Float[np.ndarray, "v 3"],
    triangles: Int[np.ndarray, "f 3"],
    faces: Int[np.ndarray, " p"],
    barycentric: Float[np.ndarray, "p 3"],
) -> Float[np.ndarray, "p 3"]:
    """Return positions of surface points on some copy of a shape."""
    return np.einsum("pk,pkd->pd", barycentric, vertices[triangles[faces]])


def shared_points(
    views: ViewArrays,
    first: tuple[int, int],
    second: tuple[int, int],
    second_mesh: tuple[Float[np.ndarray, "v 3"], Int[np.ndarray, "f 3"]],
    cameras: Cameras,
) -> SharedPoints:
    """Find the kept pixels of one view whose surface point another view shows too.

    Args:
        views: arrays of all copies.
        first: copy and view.
        second: copy and view; a copy of the same shape, so that faces mean the same.
        second_mesh: vertices of the second copy, and faces.
        cameras: of all copies.

    Returns:
        The points; none where the views show different sides.
    """
    kept = np.flatnonzero(views.faces[first] >= 0)
    faces = views.faces[first][kept]
    barycentric = views.barycentric[first][kept].astype(np.float64)
    positions = on_surface(*second_mesh, faces, barycentric)
    pixels, depth = (v[0] for v in project(cameras.select(second[1]), positions))
    column, row = np.floor(pixels).astype(np.int64).T
    inside = (depth > 0) & (column >= 0) & (row >= 0)
    inside &= (column < cameras.width) & (row < cameras.height)
    buffer = views.depth[second][np.where(inside, row, 0), np.where(inside, column, 0)]
    seen = inside & (np.abs(buffer.astype(np.float64) - depth) < TOLERANCE)
    points = SharedPoints(views.pixels[first][kept] + 0.5, pixels, faces, barycentric)
    return points.chosen(seen)
