"""What every renderer takes and gives."""

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from semcorr.cameras import Cameras
from semcorr.errors import UserError
from semcorr.geometry.mesh import Mesh

VIEW_TRANSFORMS = ("standard", "filmic")


@dataclass(frozen=True)
class Lamp:
    """One light. Lamps radiate like Blender's: `watts` over the whole lamp.

    Attributes:
        kind: "point" (in all directions) or "area" (a square in the XY plane, shining along -Z).
        position: world position of the lamp's centre.
        watts: radiant flux.
        size: side of an area lamp.
    """

    kind: str
    position: tuple[float, float, float]
    watts: float
    size: float = 0.0

    def __post_init__(self):
        if self.kind not in ("point", "area"):
            raise UserError(f"lamp: unknown kind {self.kind!r}; expected point or area")
        if self.kind == "area" and (self.size <= 0 or abs(self.position[2]) < 1.0):
            raise UserError("lamp: an area lamp needs a size and a height of at least 1 (or -1)")

    @property
    def shines_away(self) -> bool:
        """Whether no light falls on a shape around the origin: area lamps below it."""
        return self.kind == "area" and self.position[2] < 0.0


# HNSR's render script: a point lamp and two area lamps that its object scale of 100 makes 25 wide
# (Blender's default lamp is 0.25). The lower one is not turned, so it shines away from the shape.
PUBLISHED_LAMPS = (
    Lamp("point", (4.0, 1.0, 6.0), 1000.0),
    Lamp("area", (0.0, 0.0, 10.0), 10000.0, 25.0),
    Lamp("area", (0.0, 0.0, -10.0), 1000.0, 25.0),
)


@dataclass(frozen=True)
class RenderOptions:
    """What a picture looks like, in both backends; the defaults give HNSR's lights at 16 samples.

    Attributes:
        samples: samples per pixel (box filter one pixel wide).
        lamps: lights.
        ambient: radiance of the grey surrounding (Blender's default world).
        view_transform: "filmic" (default of the Blender 3.0 that HNSR used) or "standard" (plain
            sRGB; the published lights need an exposure of about -1.75 there).
        exposure: stops applied before the view transform.
        crease_deg: edges sharper than this are hard; 0 = flat shading, 180 = all smooth.
        shadows: lamps are hidden by the shape itself.
        denoise: Blender only: OpenImageDenoise over the samples, as published.
        seed: Blender only: of Cycles' sampling.
    """

    samples: int = 16
    lamps: tuple[Lamp, ...] = PUBLISHED_LAMPS
    ambient: float = 0.05
    view_transform: str = "filmic"
    exposure: float = 0.0
    crease_deg: float = 40.0
    shadows: bool = True
    denoise: bool = True
    seed: int = 0

    def __post_init__(self):
        if self.samples < 1:
            raise UserError(f"render: samples must be at least 1, got {self.samples}")
        if self.view_transform not in VIEW_TRANSFORMS:
            raise UserError(
                f"render: unknown view transform {self.view_transform!r}; "
                f"expected one of {', '.join(VIEW_TRANSFORMS)}"
            )


@dataclass(frozen=True)
class Views:
    """Pictures of one shape; row 0 is the top.

    Face ids, barycentrics, depth and normals belong to the ray through the pixel's centre and come
    from the ray caster in every backend; rgba is what the backend made of it.

    Attributes:
        cameras: the n cameras.
        rgba: (n, h, w, 4) uint8, sRGB, straight alpha; transparent pixels are 0.
        mask: (n, h, w) bool, the centre ray hits.
        depth: (n, h, w) float32 along the optical axis, 0 = no hit.
        normal: (n, h, w, 3) float32 world unit shading normal on the camera's side, 0 = no hit.
        face_id: (n, h, w) int32 index into `mesh.faces`, -1 = no hit.
        barycentric: (n, h, w, 3) float32 weights of the face's corners, 0 = no hit.
        passes: the backend's own "mask", "depth" and "normal" where they were asked for.
    """

    cameras: Cameras
    rgba: UInt8[np.ndarray, "n h w 4"]
    mask: Bool[np.ndarray, "n h w"]
    depth: Float[np.ndarray, "n h w"]
    normal: Float[np.ndarray, "n h w 3"]
    face_id: Int[np.ndarray, "n h w"]
    barycentric: Float[np.ndarray, "n h w 3"]
    passes: dict[str, np.ndarray] = field(default_factory=dict)


class Renderer(Protocol):
    """A backend that is ready to render one shape after the other."""

    def render(self, mesh: Mesh, cameras: Cameras, name: str = "shape") -> Views:
        """Render a shape in the world frame; `name` is what messages call it."""
        ...


class Runtime(Protocol):
    """What a backend needs to know of the machine; a job's runtime has these, among others."""

    device: str
    threads: int
    blender: str | None
