"""The one in-memory form of a shape: triangles over the vertices of the file, with its appearance."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int, UInt8


@dataclass(frozen=True)
class Material:
    """Appearance of a set of faces.

    Attributes:
        base_color: RGBA in 0..1, sRGB-encoded, multiplied with the texture where there is one.
        texture: (h, w, 4) uint8 sRGB picture, row 0 = top, or None. uv (0, 0) is its lower left corner.
    """

    base_color: tuple[float, float, float, float] = (0.8, 0.8, 0.8, 1.0)
    texture: UInt8[np.ndarray, "h w 4"] | None = None


@dataclass(frozen=True)
class Mesh:
    """A triangle mesh that keeps the vertex order of its file.

    Attributes:
        vertices: (v, 3) float64 positions; the frame is the owner's (file frame or world frame).
        faces: (f, 3) int32 vertex indices, counter-clockwise seen from outside.
        polygon_of_face: (f,) int32 index of the file's face (polygon) that a triangle was cut from.
        vertex_colors: (v, 4) uint8 sRGB RGBA, or None.
        corner_uvs: (f, 3, 2) float32 texture coordinates of face corners (origin lower left), or None.
        face_materials: (f,) int32 index into `materials`.
        materials: at least one.
    """

    vertices: Float[np.ndarray, "v 3"]
    faces: Int[np.ndarray, "f 3"]
    polygon_of_face: Int[np.ndarray, " f"] | None = None
    vertex_colors: UInt8[np.ndarray, "v 4"] | None = None
    corner_uvs: Float[np.ndarray, "f 3 2"] | None = None
    face_materials: Int[np.ndarray, " f"] | None = None
    materials: tuple[Material, ...] = field(default_factory=lambda: (Material(),))

    def __post_init__(self):
        vertices = np.ascontiguousarray(self.vertices, dtype=np.float64)
        faces = np.ascontiguousarray(self.faces, dtype=np.int32)
        if vertices.ndim != 2 or vertices.shape[1] != 3:
            raise ValueError(f"vertices: expected (v, 3), got {vertices.shape}")
        if faces.ndim != 2 or faces.shape[1] != 3:
            raise ValueError(f"faces: expected (f, 3), got {faces.shape}")
        if len(faces) and (faces.min() < 0 or faces.max() >= len(vertices)):
            raise ValueError(
                f"faces: indices {faces.min()}..{faces.max()} do not fit {len(vertices)} vertices"
            )
        set_ = object.__setattr__
        set_(self, "vertices", vertices)
        set_(self, "faces", faces)
        count = len(faces)
        if self.polygon_of_face is None:
            set_(self, "polygon_of_face", np.arange(count, dtype=np.int32))
        if self.face_materials is None:
            set_(self, "face_materials", np.zeros(count, np.int32))
        for name in ("polygon_of_face", "face_materials"):
            if len(getattr(self, name)) != count:
                raise ValueError(f"{name}: expected ({count},), got {getattr(self, name).shape}")
        if self.corner_uvs is not None and self.corner_uvs.shape != (count, 3, 2):
            raise ValueError(f"corner_uvs: expected ({count}, 3, 2), got {self.corner_uvs.shape}")
        if self.vertex_colors is not None and self.vertex_colors.shape != (len(vertices), 4):
            raise ValueError(
                f"vertex_colors: expected ({len(vertices)}, 4), got {self.vertex_colors.shape}"
            )

    @property
    def triangles(self) -> Float[np.ndarray, "f 3 3"]:
        """Corner positions of every face, (f, 3, 3)."""
        return self.vertices[self.faces]
