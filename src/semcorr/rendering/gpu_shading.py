"""Colours of surface points with torch, on any device: what `shading` computes, without shadows.

Direct light of point and area lamps, the surrounding, and base colour x texture x vertex colour.
"""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from semcorr.cameras import Cameras
from semcorr.geometry.mesh import Mesh
from semcorr.rendering.appearance import linear_base_colors
from semcorr.rendering.colour import LINEAR_OF_BYTE
from semcorr.rendering.interface import RenderOptions
from semcorr.rendering.lighting import prepare_area_lamp
from semcorr.rendering.normals import corner_normals, face_normals


class GpuShader:
    """Colours of one shape.

    Args:
        mesh: world frame.
        options: lamps, surrounding, creases; `shadows` is not looked at.
        device: torch device.

    Attributes:
        vertices: (v, 3) float64.
        faces: (f, 3) int32.
    """

    def __init__(self, mesh: Mesh, options: RenderOptions, device: str):
        self.device = device
        self.ambient = options.ambient
        self.vertices = self._on(mesh.vertices, torch.float64)
        self.faces = self._on(mesh.faces, torch.int32)
        self._triangles = self._on(mesh.triangles)
        self._flat = self._on(face_normals(mesh.triangles))
        self._smooth = self._on(corner_normals(mesh.vertices, mesh.faces, options.crease_deg))
        lamps = [lamp for lamp in options.lamps if not lamp.shines_away]
        self._point_lamps = [lamp for lamp in lamps if lamp.kind == "point"]
        self._area_lamps = [prepare_area_lamp(lamp) for lamp in lamps if lamp.kind == "area"]
        self._set_appearance(mesh)

    def _on(self, values: np.ndarray, dtype: torch.dtype = torch.float32) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(self.device, dtype)

    def _set_appearance(self, mesh: Mesh) -> None:
        self._material = self._on(mesh.face_materials, torch.long)
        self._base = self._on(linear_base_colors(mesh))
        self._colours = None
        if mesh.vertex_colors is not None:
            self._colours = self._on(LINEAR_OF_BYTE[mesh.vertex_colors[:, :3]][mesh.faces])
        self._textures, self._uvs = {}, None
        if mesh.corner_uvs is not None:
            wide = mesh.corner_uvs.astype(np.float64)
            self._uvs = self._on(np.where(np.abs(wide) < 1e6, wide, 0.0))
            self._textures = {
                number: _pyramid(self._on(LINEAR_OF_BYTE[material.texture[..., :3]]))
                for number, material in enumerate(mesh.materials)
                if material.texture is not None
            }

    def radiance(
        self,
        face: Int[Tensor, " p"],
        weights: Float[Tensor, "p 3"],
        cameras: Cameras,
        view: int,
    ) -> Float[Tensor, "p 3"]:
        """Radiance towards the camera, linear light.

        Args:
            face: faces of the points.
            weights: barycentric weights.
            cameras: the rig.
            view: index of the camera.
        """
        position = _blend(self._triangles, face, weights)
        towards = position - self._on(cameras.positions[view])
        flat, smooth = self._normals(face, weights, towards)
        light = torch.full((len(face),), self.ambient, device=self.device)
        for lamp in self._point_lamps:
            way = self._on(np.asarray(lamp.position)) - position
            square = (way * way).sum(dim=1)
            facing = (way * smooth).sum(dim=1).clamp(min=0)
            light += facing * (lamp.watts / (4 * np.pi**2)) / (square * square.sqrt())
        for lamp in self._area_lamps:
            cosine = smooth @ self._on(lamp.axis)
            table = self._on(lamp.radiance)
            node = ((cosine + 1) * ((len(table) - 1) / 2)).round().long()
            light += table[node.clamp(0, len(table) - 1)]
        footprint = _footprint(flat, towards, cameras, view)
        return self._albedo(face, weights, footprint) * light[:, None]

    def _normals(self, face, weights, towards):
        """Unit face and shading normals, both turned to the camera's side of the face."""
        flat = self._flat[face]
        smooth = _blend(self._smooth, face, weights)
        length = smooth.norm(dim=1, keepdim=True)
        smooth = torch.where(length < 1e-4, flat, smooth / length.clamp(min=1e-4))
        side = torch.where((flat * towards).sum(dim=1, keepdim=True) > 0, -1.0, 1.0)
        return flat * side, smooth * side

    def _albedo(self, face, weights, footprint):
        material = self._material[face]
        colour = self._base[material]
        if self._colours is not None:
            colour = colour * _blend(self._colours, face, weights)
        for number, pyramid in self._textures.items():
            rows = torch.nonzero(material == number)[:, 0]
            uv = _blend(self._uvs, face[rows], weights[rows])
            share = self._uv_per_area(face[rows]) * footprint[rows]
            colour[rows] = colour[rows] * _sampled(pyramid, uv, share)
        return colour

    def _uv_per_area(self, face):
        """Texture area per world area of faces; 0 for faces without area."""
        uv = self._uvs[face]
        edge, other = uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0]
        covered = (edge[:, 0] * other[:, 1] - edge[:, 1] * other[:, 0]).abs()
        corners = self._triangles[face]
        across = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        world = across.norm(dim=1)
        return torch.where(world > 0, covered / world.clamp(min=1e-30), 0.0)


def _blend(corners: Tensor, face: Tensor, weights: Tensor) -> Tensor:
    """Barycentric interpolation of values at face corners, (f, 3, c) -> (p, c)."""
    return (corners[face] * weights[..., None]).sum(dim=1)


def _footprint(flat: Tensor, towards: Tensor, cameras: Cameras, view: int) -> Tensor:
    """World area that a pixel covers on the surface, limited at grazing angles."""
    length = towards.norm(dim=1)
    cosine = ((flat * towards).sum(dim=1).abs() / length).clamp(min=0.1)
    forward = torch.from_numpy(cameras.cam_from_world[view, 2, :3]).to(towards)
    depth = towards @ forward
    fx, fy = cameras.intrinsics[view, 0, 0], cameras.intrinsics[view, 1, 1]
    return depth * depth * float(1 / (fx * fy)) / cosine


def _pyramid(texture: Float[Tensor, "h w 3"]) -> list[Tensor]:
    """Encoded values of a texture in linear light and of its 2x2 means, down to one texel.

    Averages are taken in linear light. Lookups blend encoded values and decode the result, as Cycles
    does with 8-bit pictures.
    """
    levels = [texture]
    while max(levels[-1].shape[:2]) > 1:
        window = tuple(min(2, side) for side in levels[-1].shape[:2])
        planes = levels[-1].permute(2, 0, 1)[None]
        levels.append(functional.avg_pool2d(planes, window)[0].permute(1, 2, 0))
    return [_encoded(level) for level in levels]


def _encoded(linear: Tensor) -> Tensor:
    """Linear light 0..1 to sRGB (see `geometry.srgb`)."""
    curved = 1.055 * linear.clamp(min=0.0031308) ** (1 / 2.4) - 0.055
    return torch.where(linear <= 0.0031308, 12.92 * linear, curved)


def _decoded(encoded: Tensor) -> Tensor:
    """The way back."""
    curved = ((encoded.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4
    return torch.where(encoded <= 0.04045, encoded / 12.92, curved)


def _sampled(pyramid: list[Tensor], uv: Float[Tensor, "p 2"], share: Tensor) -> Tensor:
    """Bilinear lookups, linear light; `share` = share of the texture that a sample covers."""
    height, width = pyramid[0].shape[:2]
    level = (0.5 * torch.log2((share * (height * width)).clamp(min=1))).round().long()
    level = level.clamp(max=len(pyramid) - 1)
    colour = torch.empty((len(uv), 3), device=uv.device)
    for number in level.unique().tolist():
        rows = torch.nonzero(level == number)[:, 0]
        colour[rows] = _bilinear(pyramid[number], uv[rows])
    return _decoded(colour)


def _bilinear(texture: Float[Tensor, "h w 3"], uv: Float[Tensor, "p 2"]) -> Float[Tensor, "p 3"]:
    """Blend four texels; uv (0, 0) is the picture's lower left corner."""
    height, width = texture.shape[:2]
    x, y = uv[:, 0].frac(), uv[:, 1].frac()
    x, y = (x + (x < 0)) * width - 0.5, (1 - (y + (y < 0))) * height - 0.5
    left, top = x.floor().long(), y.floor().long()
    right, lower = (x - left)[:, None], (y - top)[:, None]
    total = torch.zeros((len(uv), 3), device=uv.device)
    for row, down in ((top, 1 - lower), (top + 1, lower)):
        for column, across in ((left, 1 - right), (left + 1, right)):
            total += texture[row % height, column % width] * down * across
    return total
