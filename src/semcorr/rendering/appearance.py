"""Surface colours of a mesh at points given by face and barycentric weights."""

from functools import cached_property

import numpy as np
from jaxtyping import Float, Int, UInt8

from semcorr.geometry.mesh import Mesh
from semcorr.geometry.srgb import linear_from_srgb, srgb_from_linear
from semcorr.rendering.colour import LINEAR_OF_BYTE
from semcorr.rendering.rays import blend, corners_first

# linear light over encoded values in even steps
DECODED = linear_from_srgb(np.linspace(0.0, 1.0, 8192)).astype(np.float32)


def linear_base_colors(mesh: Mesh) -> Float[np.ndarray, "m 3"]:
    """Linear base colour of every material (alpha is not used: surfaces are opaque)."""
    return linear_from_srgb(np.array([material.base_color[:3] for material in mesh.materials]))


class Appearance:
    """Albedo lookup: base colour x texture x vertex colour, multiplied in linear light.

    Textures repeat and are sampled bilinearly from a pyramid whose level fits the footprint of a
    pixel, so that one sample per pixel neither aliases nor blurs.
    """

    def __init__(self, mesh: Mesh):
        self.mesh = mesh
        self._base = np.ascontiguousarray(linear_base_colors(mesh).T, dtype=np.float32)

    @cached_property
    def _pyramids(self):
        """Per material its texture, ready for lookups, or None."""
        if self.mesh.corner_uvs is None:
            return [None] * len(self.mesh.materials)
        return [
            None if material.texture is None else _Pyramid(material.texture)
            for material in self.mesh.materials
        ]

    @cached_property
    def _uvs(self):
        return corners_first(_finite(self.mesh.corner_uvs).astype(np.float32))

    @cached_property
    def _corner_colors(self):
        colours = LINEAR_OF_BYTE[self.mesh.vertex_colors[:, :3]]
        return corners_first(colours[self.mesh.faces])

    @cached_property
    def _uv_per_area(self):
        """Texture area per world area of every face, (f,) float32; 0 for faces without area."""
        uvs, triangles = _finite(self.mesh.corner_uvs), self.mesh.triangles
        edge, other = uvs[:, 1] - uvs[:, 0], uvs[:, 2] - uvs[:, 0]
        covered = np.abs(edge[:, 0] * other[:, 1] - edge[:, 1] * other[:, 0])
        world = np.linalg.norm(
            np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]), axis=1
        )
        return np.where(world > 0, covered / np.where(world > 0, world, 1.0), 0.0).astype(
            np.float32
        )

    def albedo(
        self,
        face_id: Int[np.ndarray, " p"],
        weights: Float[np.ndarray, "3 p"],
        footprint: Float[np.ndarray, " p"],
    ) -> Float[np.ndarray, "3 p"]:
        """Linear albedo, float32.

        Args:
            face_id: faces.
            weights: barycentric weights.
            footprint: world area of the surface that each sample stands for.
        """
        weights = weights.astype(np.float32, copy=False)
        material = self.mesh.face_materials[face_id]
        colour = np.take(self._base, material, axis=1)
        if self.mesh.vertex_colors is not None:
            colour *= blend(self._corner_colors, face_id, weights)
        for index, pyramid in enumerate(self._pyramids):
            if pyramid is None:
                continue
            rows = np.flatnonzero(material == index)
            faces = face_id[rows]
            uv = blend(self._uvs, faces, weights[:, rows])
            colour[:, rows] *= _sample(pyramid, uv, self._uv_per_area[faces] * footprint[rows])
        return colour


def _finite(uvs):
    """Texture coordinates in double precision; files do hold NaN and wild values: 0 for those."""
    wide = uvs.astype(np.float64)
    return np.where(np.abs(wide) < 1e6, wide, 0.0)


class _Pyramid:
    """A texture and its 2x2 means down to one texel; levels are made when first asked for.

    Averages are taken in linear light. Lookups blend encoded values and decode the result, as
    Cycles does with 8-bit pictures.
    """

    def __init__(self, texture: UInt8[np.ndarray, "h w 4"]):
        self.shape = texture.shape[:2]
        self.depth = int(np.log2(max(self.shape))) + 1
        self._texture = texture
        self._linear = {}
        self._encoded = {}

    def level(self, number: int) -> Float[np.ndarray, "h w c"] | UInt8[np.ndarray, "h w c"]:
        """Encoded values of level `number`: 0 = the texture's bytes, others floats 0..255."""
        if number == 0:
            return self._texture
        if number not in self._encoded:
            encoded = srgb_from_linear(self._mean(number)) * 255.0
            self._encoded[number] = encoded.astype(np.float32)
        return self._encoded[number]

    def _mean(self, number):
        """Linear light of a level; the finest one, four times as large as the next, is not kept."""
        if number == 0:
            return LINEAR_OF_BYTE[self._texture[..., :3]]
        if number not in self._linear:
            self._linear[number] = _halved(_halved(self._mean(number - 1), 0), 1)
        return self._linear[number]


def _halved(picture, axis):
    """Means of pairs of rows or columns; an odd last one is left out, a single one kept."""
    size = picture.shape[axis] // 2 * 2
    if size == 0:
        return picture
    before = (slice(None),) * axis
    even, odd = (*before, slice(0, size, 2)), (*before, slice(1, size, 2))
    return picture[even] * 0.5 + picture[odd] * 0.5


def _sample(pyramid, uv, area):
    """Linear colours, (3, p); `area` = share of the texture's area that each sample covers."""
    height, width = pyramid.shape
    level = np.rint(0.5 * np.log2(np.maximum(area * (height * width), 1.0))).astype(np.int32)
    level = np.minimum(level, pyramid.depth - 1)
    encoded = np.empty((3, uv.shape[1]), dtype=np.float32)
    for number in np.flatnonzero(np.bincount(level)):
        rows = np.flatnonzero(level == number)
        encoded[:, rows] = _bilinear(pyramid.level(number), uv[:, rows])
    return DECODED[(encoded * ((len(DECODED) - 1) / 255.0) + 0.5).astype(np.int32)]


def _bilinear(texture, uv):
    """Bilinear lookup with repetition, (3, p); uv (0, 0) is the picture's lower left corner."""
    height, width = texture.shape[:2]
    x = (uv[0] - np.floor(uv[0])) * width - 0.5
    y = (1.0 - (uv[1] - np.floor(uv[1]))) * height - 0.5
    left, top = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    right, lower = (x - left).astype(np.float32), (y - top).astype(np.float32)
    columns, rows = (left % width, (left + 1) % width), (top % height, (top + 1) % height)
    texels = texture.reshape(height * width, -1)
    total = np.zeros((len(x), 3), dtype=np.float32)
    for row, down in zip(rows, (1.0 - lower, lower), strict=True):
        for column, across in zip(columns, (1.0 - right, right), strict=True):
            total += np.take(texels, row * width + column, axis=0)[:, :3] * (down * across)[:, None]
    return total.T
