"""Direct light on diffuse surfaces, close to what Cycles computes for the same lamps.

Lamps are far away compared with the shape (longest side 1). A point lamp is exact. An area lamp's
unshadowed light is a table over the angle between normal and lamp, its soft shadow the visible
share of one of 4 x 4 lamp points per sample, so that 16 neighbouring samples see the whole lamp.
Vectors are stored component first, (3, p), as in `rays`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from semcorr.rendering.interface import Lamp
from semcorr.rendering.rays import dot

PATTERNS = 16
TABLE_NODES = 2049
LAMP_GRID = 24
# (origins, vectors from them to the lamp) -> True where the way is blocked
Blocked = Callable[[Float[np.ndarray, "3 p"], Float[np.ndarray, "3 p"]], Bool[np.ndarray, " p"]]


@dataclass(frozen=True)
class SurfacePoints:
    """What light needs to know of p points.

    Attributes:
        position: (3, p) float32 world positions, moved off the surface towards the camera.
        normal: (3, p) float32 shading normals on the camera's side.
        pattern: (p,) which of the 16 lamp points a sample looks at.
    """

    position: Float[np.ndarray, "3 p"]
    normal: Float[np.ndarray, "3 p"]
    pattern: Int[np.ndarray, " p"]


def point_radiance(
    lamp: Lamp, points: SurfacePoints, blocked: Blocked | None
) -> Float[np.ndarray, " p"]:
    """Radiance of a white diffuse surface under a point lamp: P cos / (4 pi^2 r^2)."""
    towards = np.asarray(lamp.position, dtype=np.float32)[:, None] - points.position
    square = dot(towards, towards)
    facing = np.maximum(dot(towards, points.normal), 0.0)
    radiance = facing * np.float32(lamp.watts / (4.0 * np.pi**2)) / (square * np.sqrt(square))
    return _shadowed(radiance, points.position, towards, blocked)


def _shadowed(radiance, origins, towards, blocked):
    """Set `radiance` to 0 where something stands between; what is dark anyway costs no ray."""
    if blocked is not None:
        lit = np.flatnonzero(radiance > 0)
        radiance[lit[blocked(origins[:, lit], towards[:, lit])]] = 0.0
    return radiance


@dataclass(frozen=True)
class AreaLamp:
    """A square lamp prepared for shading.

    Attributes:
        axis: (3,) unit direction from the origin to the lamp.
        radiance: radiance of a white diffuse surface, tabulated over the cosine of its normal with
            the axis, -1..1 in even steps.
        points: (3, 16) lamp points that shadow rays go to.
        strength: (16,) relative light that each of them sends to the origin.
    """

    axis: Float[np.ndarray, " 3"]
    radiance: Float[np.ndarray, " k"]
    points: Float[np.ndarray, "3 16"]
    strength: Float[np.ndarray, " 16"]


def prepare_area_lamp(lamp: Lamp) -> AreaLamp:
    """Tabulate an area lamp that stands above the origin, averaged over turns about its axis."""
    fine, solid_angle = _lamp_points(lamp, LAMP_GRID)
    direction = fine / np.linalg.norm(fine, axis=1, keepdims=True)
    axis = np.asarray(lamp.position) / np.linalg.norm(lamp.position)
    side = np.cross(axis, np.eye(3)[np.argmin(np.abs(axis))])
    side /= np.linalg.norm(side)
    nodes = np.linspace(-1.0, 1.0, 65)
    turns = np.arange(8) * (2.0 * np.pi / 8)
    around = np.cos(turns)[:, None] * side + np.sin(turns)[:, None] * np.cross(axis, side)
    normals = nodes[:, None, None] * axis + np.sqrt(1 - nodes**2)[:, None, None] * around
    falling = (np.maximum(normals @ direction.T, 0.0) @ solid_angle).mean(axis=1)
    emitted = lamp.watts / (np.pi * lamp.size**2)
    table = np.interp(np.linspace(-1.0, 1.0, TABLE_NODES), nodes, falling * emitted / np.pi)
    coarse, weight = _lamp_points(lamp, 4)
    return AreaLamp(
        axis.astype(np.float32),
        table.astype(np.float32),
        np.ascontiguousarray(coarse.T, dtype=np.float32),
        (weight / weight.mean()).astype(np.float32),
    )


def _lamp_points(lamp, count):
    """Centres of count x count cells of a lamp and the solid angle of each seen from the origin."""
    steps = ((np.arange(count) + 0.5) / count - 0.5) * lamp.size
    x, y = np.meshgrid(steps, steps, indexing="ij")
    points = np.stack([x.ravel(), y.ravel(), np.zeros(count**2)], axis=1) + lamp.position
    distance = np.linalg.norm(points, axis=1)
    return points, (lamp.size / count) ** 2 * points[:, 2] / distance**3


def area_radiance(lamp: AreaLamp, points: SurfacePoints) -> Float[np.ndarray, " p"]:
    """Radiance of a white diffuse surface under an area lamp without shadows."""
    cosine = points.normal.T @ lamp.axis
    node = np.clip((cosine + 1.0) * ((TABLE_NODES - 1) / 2) + 0.5, 0, TABLE_NODES - 1)
    return lamp.radiance[node.astype(np.int32)]


def area_shares(
    lamp: AreaLamp, points: SurfacePoints, blocked: Blocked
) -> tuple[Float[np.ndarray, " p"], Float[np.ndarray, " p"]]:
    """Light that each point's own lamp point would bring, and what of it arrives.

    Summed over points with different patterns, arrived / sent is the visible share of the lamp.
    """
    towards = np.take(lamp.points, points.pattern, axis=1) - points.position
    facing = np.maximum(dot(towards, points.normal), 0.0)
    sent = facing / np.sqrt(dot(towards, towards)) * lamp.strength[points.pattern]
    return sent, _shadowed(sent.copy(), points.position, towards, blocked)


def mean_over_neighbours(
    sent: Float[np.ndarray, " p"],
    arrived: Float[np.ndarray, " p"],
    pixel: Int[np.ndarray, " p"],
    surface: Float[np.ndarray, "4 p"],
    shape: tuple[int, int],
) -> Float[np.ndarray, " p"]:
    """Visible share of a lamp: arrived / sent over the 4 x 4 pixels around each pixel.

    Only neighbours on the same surface count: normals (`surface[:3]`) within about 25 degrees and
    depths (`surface[3]`) within 2 %. Pixels whose whole surroundings are lit are not looked at.

    Args:
        sent: see `area_shares`, per covered pixel.
        arrived: likewise.
        pixel: flat index of every covered pixel in the grid.
        surface: normal and depth of every covered pixel.
        shape: rows and columns of the grid.
    """
    wide = shape[1] + 3
    row, column = np.divmod(pixel, shape[1])
    padded = (row + 2) * wide + column + 2
    missing = np.zeros((shape[0] + 3) * wide, np.float32)
    missing[padded] = sent - arrived
    around = sum(np.roll(missing, shift) for shift in (2, 1, 0, -1))
    around = sum(np.roll(around, shift * wide) for shift in (2, 1, 0, -1))
    share = np.ones_like(sent)
    shaded = np.flatnonzero(around[padded] > 0)
    if not len(shaded):
        return share
    grid = np.zeros((6, (shape[0] + 3) * wide), np.float32)
    grid[:4, padded], grid[4, padded], grid[5, padded] = surface, sent, arrived
    own, place = surface[:, shaded], padded[shaded]
    total_sent = np.zeros(len(shaded), np.float32)
    total_arrived = np.zeros(len(shaded), np.float32)
    for step in (row * wide + column for row in range(-2, 2) for column in range(-2, 2)):
        other = np.take(grid, place + step, axis=1)
        same = dot(other[:3], own[:3]) > 0.9
        same &= np.abs(other[3] - own[3]) < 0.02 * own[3]
        total_sent += other[4] * same
        total_arrived += other[5] * same
    share[shaded] = total_arrived / np.maximum(total_sent, 1e-9)
    return share
