"""Camera rigs and conventions.

A camera is OpenCV's: x right, y down, z forward. `cam_from_world` takes world points into it; pixel
(row i, column j) has its centre at (j + 0.5, i + 0.5); depth is z along the optical axis. All rigs
look at the origin, where every shape is centred with its longest side = 1 (world frame: Z up).
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Float

from semcorr.errors import UserError

GOLDEN_ANGLE = np.pi * (3.0 - np.sqrt(5.0))
FRONT_YAW = -np.pi / 2  # the front of a shape is world -Y


@dataclass(frozen=True)
class Cameras:
    """A set of pinhole cameras that share one picture size.

    Attributes:
        cam_from_world: (n, 4, 4) float64, rigid, OpenCV axes.
        intrinsics: (n, 3, 3) float64 in pixels, without skew.
        height: picture height in pixels.
        width: picture width in pixels.
    """

    cam_from_world: Float[np.ndarray, "n 4 4"]
    intrinsics: Float[np.ndarray, "n 3 3"]
    height: int
    width: int

    def __post_init__(self):
        poses = np.array(self.cam_from_world, dtype=np.float64)
        intrinsics = np.array(self.intrinsics, dtype=np.float64)
        if poses.ndim != 3 or poses.shape[1:] != (4, 4):
            raise ValueError(f"cam_from_world: expected (n, 4, 4), got {poses.shape}")
        if intrinsics.shape != (len(poses), 3, 3):
            raise ValueError(f"intrinsics: expected ({len(poses)}, 3, 3), got {intrinsics.shape}")
        if not (np.isfinite(poses).all() and np.isfinite(intrinsics).all()):
            raise ValueError("cameras: NaN or infinite matrix entries")
        turns = poses[:, :3, :3]
        if not np.allclose(turns @ turns.transpose(0, 2, 1), np.eye(3), atol=1e-6) or (
            len(poses) and np.linalg.det(turns).min() < 0
        ):
            raise ValueError("cam_from_world: expected rotations without scale or mirror")
        if np.abs(intrinsics[:, 0, 1]).max(initial=0.0) > 0 or (
            intrinsics[:, [0, 1], [0, 1]].min(initial=np.inf) <= 0
        ):
            raise ValueError("intrinsics: expected positive focal lengths and no skew")
        if self.height < 1 or self.width < 1:
            raise ValueError(f"picture size: expected at least 1x1, got {self.height}x{self.width}")
        object.__setattr__(self, "cam_from_world", poses)
        object.__setattr__(self, "intrinsics", intrinsics)
        object.__setattr__(self, "height", int(self.height))
        object.__setattr__(self, "width", int(self.width))

    def __len__(self) -> int:
        return len(self.cam_from_world)

    def select(self, view: int) -> "Cameras":
        """One camera as a set of its own."""
        one = slice(view, view + 1)
        return Cameras(self.cam_from_world[one], self.intrinsics[one], self.height, self.width)

    @property
    def world_from_cam(self) -> Float[np.ndarray, "n 4 4"]:
        """Camera-to-world matrices with OpenCV axes (columns right, down, forward, position)."""
        return rigid_inverse(self.cam_from_world)

    @property
    def world_from_cam_opengl(self) -> Float[np.ndarray, "n 4 4"]:
        """Camera-to-world matrices as Blender has them (columns right, up, back, position)."""
        return opengl_from_opencv(self.world_from_cam)

    @property
    def positions(self) -> Float[np.ndarray, "n 3"]:
        """Camera centres in the world."""
        return self.world_from_cam[:, :3, 3]


def rigid_inverse(matrices: Float[np.ndarray, "n 4 4"]) -> Float[np.ndarray, "n 4 4"]:
    """Invert rigid transforms exactly (transpose of the rotation, no linear solve)."""
    inverse = np.zeros_like(matrices)
    inverse[..., :3, :3] = np.swapaxes(matrices[..., :3, :3], -1, -2)
    inverse[..., :3, 3] = -np.einsum("...ij,...j->...i", inverse[..., :3, :3], matrices[..., :3, 3])
    inverse[..., 3, 3] = 1.0
    return inverse


def opengl_from_opencv(world_from_cam: Float[np.ndarray, "n 4 4"]) -> Float[np.ndarray, "n 4 4"]:
    """Camera-to-world matrices from OpenCV axes (y down, z forward) to OpenGL's (y up, z back)."""
    return world_from_cam * np.array([1.0, -1.0, -1.0, 1.0])


def opencv_from_opengl(world_from_cam: Float[np.ndarray, "n 4 4"]) -> Float[np.ndarray, "n 4 4"]:
    """Camera-to-world matrices from OpenGL (Blender) axes to OpenCV's; its own inverse."""
    return opengl_from_opencv(world_from_cam)


def intrinsics_of(fov_rad: float, resolution: int) -> Float[np.ndarray, "3 3"]:
    """Pixel intrinsics of a square picture whose two axes both see `fov_rad`."""
    focal = resolution / 2.0 / np.tan(fov_rad / 2.0)
    centre = resolution / 2.0
    return np.array([[focal, 0.0, centre], [0.0, focal, centre], [0.0, 0.0, 1.0]])


def radical_inverse(index: int, base: int = 2) -> float:
    """Van der Corput: the digits of `index` mirrored at the radix point."""
    value, scale = 0.0, 1.0 / base
    while index:
        index, digit = divmod(index, base)
        value += digit * scale
        scale /= base
    return value


def hammersley_yaw_pitch(
    views: int, offset: tuple[float, float] = (0.0, 0.0)
) -> Float[np.ndarray, "n 2"]:
    """Directions of HNSR's Hammersley rig: (yaw, pitch) in radians.

    The first coordinate is warped so that fewer views look from below. The yaw is not reduced
    modulo 2 pi. Source: the render script published with HNSR (and TRELLIS).
    """
    index = np.arange(views)
    u = index / views + offset[0] / views
    v = np.array([radical_inverse(int(i)) for i in index]) + offset[1]
    u = np.where(u < 0.25, 2.0 * u, 2.0 * u / 3.0 + 1.0 / 3.0)
    if len(u) and (u.min() < 0.0 or u.max() > 1.0):
        raise UserError(f"hammersley: offset {tuple(offset)} leaves the sphere; first value: 0..1")
    pitch = np.arccos(1.0 - 2.0 * u) - np.pi / 2.0
    return np.stack([2.0 * np.pi * v, pitch], axis=1)


def positions_on_sphere(
    yaw_pitch: Float[np.ndarray, "n 2"], radius: float | Float[np.ndarray, " n"]
) -> Float[np.ndarray, "n 3"]:
    """World positions of (yaw, pitch) in radians at `radius` from the origin."""
    yaw, pitch = yaw_pitch.T
    unit = [np.cos(yaw) * np.cos(pitch), np.sin(yaw) * np.cos(pitch), np.sin(pitch)]
    return np.stack(unit, axis=1) * np.reshape(radius, (-1, 1))


def look_at_origin(
    yaw_pitch: Float[np.ndarray, "n 2"],
    radius: float | Float[np.ndarray, " n"],
    fov_deg: float,
    resolution: int,
) -> Cameras:
    """Cameras at (yaw, pitch) that look at the origin with a level horizon.

    Columns of the OpenGL camera-to-world matrix: right = (-sin yaw, cos yaw, 0), up = back x right,
    back = position / radius. A look-at with up = Z is singular at the poles; this is not.
    """
    yaw = yaw_pitch[:, 0]
    back = positions_on_sphere(yaw_pitch, 1.0)
    right = np.stack([-np.sin(yaw), np.cos(yaw), np.zeros_like(yaw)], axis=1)
    world_from_cam = np.zeros((len(yaw_pitch), 4, 4))
    world_from_cam[:, :3, 0] = right
    world_from_cam[:, :3, 1] = np.cross(back, right)
    world_from_cam[:, :3, 2] = back
    world_from_cam[:, :3, 3] = positions_on_sphere(yaw_pitch, radius)
    world_from_cam[:, 3, 3] = 1.0
    intrinsics = np.tile(intrinsics_of(np.deg2rad(fov_deg), resolution), (len(yaw), 1, 1))
    poses = rigid_inverse(opencv_from_opengl(world_from_cam))
    return Cameras(poses, intrinsics, resolution, resolution)


def hammersley(
    views: int = 5,
    radius: float = 2.0,
    fov_deg: float = 40.0,
    resolution: int = 512,
    offset: tuple[float, float] = (0.0, 0.0),
) -> Cameras:
    """HNSR's rig (defaults are the published ones); view 0 looks straight up from below."""
    return look_at_origin(hammersley_yaw_pitch(views, offset), radius, fov_deg, resolution)


def orbit(
    views: int,
    radius: float = 2.0,
    fov_deg: float = 40.0,
    resolution: int = 512,
    elevations: tuple[float, ...] = (20.0,),
) -> Cameras:
    """Cameras at even yaws, in turn on rings at the given elevations (degrees above the horizon).

    The first view is the front on the first ring; no two views share a yaw.
    """
    if not elevations:
        raise UserError("orbit: `elevations` is empty; give at least one, e.g. [20]")
    index = np.arange(views)
    yaw = FRONT_YAW + 2.0 * np.pi * index / views
    pitch = np.deg2rad(np.asarray(elevations, dtype=np.float64))[index % len(elevations)]
    return look_at_origin(np.stack([yaw, pitch], axis=1), radius, fov_deg, resolution)


def fibonacci(
    views: int, radius: float = 2.0, fov_deg: float = 40.0, resolution: int = 512
) -> Cameras:
    """A golden-angle spiral: equal areas of the sphere per camera, from the top down."""
    index = np.arange(views)
    pitch = np.arcsin(1.0 - (2.0 * index + 1.0) / views)
    yaw = FRONT_YAW + GOLDEN_ANGLE * index
    return look_at_origin(np.stack([yaw, pitch], axis=1), radius, fov_deg, resolution)


def explicit(
    positions: Float[np.ndarray, "n 3"] | None = None,
    cam_from_world: Float[np.ndarray, "n 4 4"] | None = None,
    fov_deg: float = 40.0,
    resolution: int = 512,
) -> Cameras:
    """Cameras at given world positions looking at the origin, or with given OpenCV matrices."""
    if (positions is None) == (cam_from_world is None):
        raise UserError("explicit cameras: give either `positions` or matrices")
    if cam_from_world is not None:
        poses = np.asarray(cam_from_world, dtype=np.float64)
        intrinsics = np.tile(intrinsics_of(np.deg2rad(fov_deg), resolution), (len(poses), 1, 1))
        return Cameras(poses, intrinsics, resolution, resolution)
    places = np.asarray(positions, dtype=np.float64).reshape(-1, 3)
    radius = np.linalg.norm(places, axis=1)
    if not np.isfinite(places).all() or not len(places) or radius.min() < 1e-6:
        raise UserError("explicit cameras: positions must be finite and away from the origin")
    yaw = np.arctan2(places[:, 1], places[:, 0])
    pitch = np.arcsin(np.clip(places[:, 2] / radius, -1.0, 1.0))
    return look_at_origin(np.stack([yaw, pitch], axis=1), radius, fov_deg, resolution)


def make_cameras(
    *,
    rig: str = "hammersley",
    views: int = 5,
    radius: float = 2.0,
    fov_deg: float = 40.0,
    resolution: int = 512,
    elevations: tuple[float, ...] = (20.0,),
    positions: tuple[tuple[float, float, float], ...] = (),
    offset: tuple[float, float] = (0.0, 0.0),
) -> Cameras:
    """Build the rig named in the configuration; options that a rig does not have are ignored.

    Args:
        rig: hammersley, orbit, fibonacci or explicit.
        views: number of cameras (not for `explicit`).
        radius: distance from the origin (not for `explicit`).
        fov_deg: field of view of both picture axes, degrees.
        resolution: side of the square picture, pixels.
        elevations: rings of `orbit`, degrees.
        positions: world positions of `explicit`.
        offset: shift of the `hammersley` sequence.

    Raises:
        UserError: unknown rig or impossible options.
    """
    common = {"fov_deg": fov_deg, "resolution": resolution}
    rigs = {
        "hammersley": partial(hammersley, views, radius, offset=tuple(offset), **common),
        "orbit": partial(orbit, views, radius, elevations=tuple(elevations), **common),
        "fibonacci": partial(fibonacci, views, radius, **common),
        "explicit": partial(explicit, positions, **common),
    }
    if rig not in rigs:
        raise UserError(f"unknown camera rig {rig!r}; expected one of {', '.join(rigs)}")
    if rig != "explicit" and views < 1:
        raise UserError(f"camera rig {rig!r}: expected at least one view, got {views}")
    return rigs[rig]()


def pixel_rays(
    cameras: Cameras,
    view: int,
    pixels: Float[np.ndarray, "p 2"] | None = None,
    window: tuple[slice, slice] = (slice(None), slice(None)),
) -> tuple[Float[np.ndarray, " 3"], Float[np.ndarray, "... 3"]]:
    """Rays of one view, scaled so that the ray parameter *is* the depth.

    Args:
        cameras: the rig.
        view: index of the camera.
        pixels: (p, 2) positions (x, y) in pixels, centres at +0.5; all pixel centres if None.
        window: rows and columns whose pixel centres are wanted, where `pixels` is None.

    Returns:
        The camera centre (3,), and world directions (h, w, 3) of the window, or (p, 3) for given
        pixels; every direction has length 1 along the optical axis: point = centre + depth *
        direction.
    """
    world_from_cam = rigid_inverse(cameras.cam_from_world[view])
    (fx, _, cx), (_, fy, cy), _ = cameras.intrinsics[view]
    turn = world_from_cam[:3, :3]
    if pixels is not None:
        x, y = (pixels[:, 0] - cx) / fx, (pixels[:, 1] - cy) / fy
        directions = x[:, None] * turn[:, 0] + y[:, None] * turn[:, 1] + turn[:, 2]
        return world_from_cam[:3, 3], directions
    x = (np.arange(cameras.width)[window[1]] + 0.5 - cx) / fx
    y = (np.arange(cameras.height)[window[0]] + 0.5 - cy) / fy
    rows = y[:, None] * turn[:, 1] + turn[:, 2]
    return world_from_cam[:3, 3], rows[:, None] + (x[:, None] * turn[:, 0])[None]


def project(
    cameras: Cameras, points: Float[np.ndarray, "p 3"]
) -> tuple[Float[np.ndarray, "n p 2"], Float[np.ndarray, "n p"]]:
    """Project world points into every view.

    Returns:
        Pixel positions (n, p, 2) as (x, y) with centres at +0.5, and depths (n, p); a point with
        depth <= 0 lies behind its camera and its pixel means nothing.
    """
    points = np.asarray(points, dtype=np.float64)
    turns, shifts = cameras.cam_from_world[:, :3, :3], cameras.cam_from_world[:, :3, 3]
    local = np.einsum("nij,pj->npi", turns, points) + shifts[:, None]
    depth = local[..., 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        plane = local[..., :2] / depth[..., None]
    focal = cameras.intrinsics[:, [0, 1], [0, 1]]
    return plane * focal[:, None] + cameras.intrinsics[:, None, :2, 2], depth
