"""Texture transfer: base colours of the source on the target, at vertices or baked into its UV map.

Dense: a point of the target follows the map, and the closest point of the source's surface gives its
base colour. By parts: see `transfer.parts`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from semcorr.errors import ItemError
from semcorr.geometry.atlas import Atlas
from semcorr.geometry.closest import Surface
from semcorr.geometry.mesh import Mesh
from semcorr.geometry.mesh_arrays import Sites
from semcorr.geometry.sampling import face_areas
from semcorr.geometry.srgb import srgb_from_linear
from semcorr.geometry.texels import padded, texels_of
from semcorr.rendering.appearance import Appearance
from semcorr.transfer.carry import SurfacePoints, carry, site_points, surface_points
from semcorr.transfer.colours import UNMATCHED

# From points of the target to (face, weights) on the source and which of them are known
Follow = Callable[
    [SurfacePoints],
    tuple[Int[np.ndarray, " n"], Float[np.ndarray, "n 3"], Bool[np.ndarray, " n"]],
]


@dataclass(frozen=True)
class Baked:
    """A texture for the target.

    Attributes:
        picture: (size, size, 3) uint8 sRGB, row 0 = top.
        corner_uvs: (f, 3, 2) float64, (0, 0) = lower left.
        coverage: share of the texels on the surface that have a match.
    """

    picture: UInt8[np.ndarray, "s s 3"]
    corner_uvs: Float[np.ndarray, "f 3 2"]
    coverage: float


class Paint:
    """Base colours of a mesh at points of its faces: material x texture x vertex colour.

    Textures repeat; texture coordinates that are not finite count as 0; a mesh without a texture has
    the colours of its materials and vertices.

    Raises:
        ItemError: the mesh has no faces.
    """

    def __init__(self, mesh: Mesh):
        if not len(mesh.faces):
            raise ItemError("texture: the mesh has no faces")
        self._appearance = Appearance(mesh)

    def at(
        self,
        face: Int[np.ndarray, " n"],
        weights: Float[np.ndarray, "n 3"],
        footprint: Float[np.ndarray, " n"] | float = 0.0,
    ) -> Float[np.ndarray, "n 3"]:
        """Return sRGB colours in 0..1.

        Args:
            face: faces.
            weights: barycentric weights.
            footprint: area of the surface that a point stands for (0 = the point alone); a texture
                finer than that is averaged.
        """
        area = np.broadcast_to(np.asarray(footprint, np.float32), (len(face),))
        linear = self._appearance.albedo(face, np.ascontiguousarray(weights.T), area)
        return srgb_from_linear(linear.T.astype(np.float64))


def has_texture(mesh: Mesh) -> bool:
    """Tell whether the mesh has more to carry than one plain colour a material."""
    pictures = any(material.texture is not None for material in mesh.materials)
    return mesh.vertex_colors is not None or (pictures and mesh.corner_uvs is not None)


def dense(
    surface: Surface,
    sites: Sites,
    source_positions: Float[np.ndarray, "s 3"],
    target_to_source: Int[np.ndarray, " t"],
) -> Follow:
    """Return the dense transfer: the place that the map gives, snapped to the source's surface.

    Args:
        surface: of the source.
        sites: of the target.
        source_positions: of the source's sites.
        target_to_source: -1 = none.
    """

    def follow(points: SurfacePoints):
        places, known = carry(points, sites, source_positions, target_to_source)
        face, weights = np.zeros(len(known), np.int64), np.zeros((len(known), 3))
        face[known], weights[known], _ = surface.closest(places[known])
        return face, weights, known

    return follow


def colours_at(
    paint: Paint,
    follow: Follow,
    points: SurfacePoints,
    footprint: Float[np.ndarray, " n"] | float = 0.0,
) -> tuple[UInt8[np.ndarray, "n 3"], Bool[np.ndarray, " n"]]:
    """Return the source's colours at points of the target as sRGB bytes, and where they are known."""
    face, weights, known = follow(points)
    area = np.broadcast_to(np.asarray(footprint, np.float64), (len(known),))
    colours = np.tile(np.array(UNMATCHED, np.uint8), (len(known), 1))
    found = paint.at(face[known], weights[known], area[known])
    colours[known] = np.rint(255.0 * found).astype(np.uint8)
    return colours, known


def vertex_colours(
    paint: Paint, follow: Follow, mesh: Mesh, sites: Sites
) -> UInt8[np.ndarray, "v 3"]:
    """Return the source's colours at the vertices of the target; grey where there is no match.

    Args:
        paint: of the source.
        follow: from the target to the source (`dense` or `parts.by_parts`).
        mesh: the target.
        sites: of the target.
    """
    points = site_points(mesh, sites)
    count = sites.num_vertices
    # positions from the sites: vertices that no face uses keep theirs
    vertices = SurfacePoints(
        points.face[:count],
        points.weights[:count],
        sites.positions[:count],
        points.normals[:count],
    )
    return colours_at(paint, follow, vertices)[0]


def bake(
    paint: Paint, follow: Follow, mesh: Mesh, atlas: Atlas, size: int, padding: int = 4
) -> Baked:
    """Bake the source's colours into a texture of the target.

    Every texel whose centre lies on the surface is transferred on its own and stands for its area of
    the surface; around the seams the nearest colour goes on for `padding` texels.

    Args:
        paint: of the source.
        follow: from the target to the source.
        mesh: the target.
        atlas: where the target's faces lie in the texture.
        size: texels a side.
        padding: texels.

    Raises:
        ItemError: no texel shows the surface.
    """
    texels = texels_of(atlas.corner_uvs, size)
    if not len(texels.texel):
        raise ItemError("texture: no texel of the UV map shows the surface")
    points = surface_points(mesh, texels.face, texels.weights)
    footprint = _area_per_texel(mesh, atlas, size)[texels.face]
    colours, known = colours_at(paint, follow, points, footprint)
    picture = np.zeros((size * size, 3), np.uint8)
    covered = np.zeros(size * size, bool)
    picture[texels.texel], covered[texels.texel] = colours, True
    picture = padded(picture.reshape(size, size, 3), covered.reshape(size, size), padding)
    return Baked(picture, atlas.corner_uvs, float(known.mean()))


def _area_per_texel(mesh: Mesh, atlas: Atlas, size: int) -> Float[np.ndarray, " f"]:
    """Area of the surface that a texel of every face stands for; at most the face's own."""
    uvs = atlas.corner_uvs
    edge, other = uvs[:, 1] - uvs[:, 0], uvs[:, 2] - uvs[:, 0]
    texels = 0.5 * np.abs(edge[:, 0] * other[:, 1] - edge[:, 1] * other[:, 0]) * size * size
    return face_areas(mesh) / np.maximum(texels, 1.0)
