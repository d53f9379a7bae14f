"""Closed watertight parts: boxes, beams, tubes, rings, lathed bodies, cushions.

Every function returns a `Solid`: one closed component, outward oriented, with positive volume, cut
finely enough (`step`, metres) that values on its vertices make sense.
"""

import numpy as np
from jaxtyping import Float

from semcorr.datasets.shapes import curves
from semcorr.datasets.shapes.solids import Solid, box_lattice, loop_faces, stack_faces


def box(size, bevel: float, step, turn: int = 1) -> Solid:
    """Box with rounded edges around the origin.

    Args:
        size: (3,) full side lengths.
        bevel: radius of the edges, cut down to 0.48 of the shortest side.
        step: longest edge of a face, one number or one per axis (3,).
        turn: pieces of an eighth of a circle along a rounded edge.
    """
    half = np.asarray(size, np.float64) / 2
    radius = min(bevel, 0.96 * half.min())
    arc = radius * np.tan(np.linspace(0.0, np.pi / 4, turn + 1)[1:])
    ticks = []
    for h, edge in zip(half - radius, np.broadcast_to(step, 3), strict=True):
        count = max(1, int(np.ceil(2 * h / edge - 1e-9)))
        flat = np.linspace(-h, h, count + 1)
        flat = (flat - flat[::-1]) / 2  # exactly symmetric, so that mirrored vertices exist
        ticks.append(np.concatenate([-h - arc[::-1], flat, h + arc]))
    lattice, faces = box_lattice(*(len(t) - 1 for t in ticks))
    points = np.stack([t[lattice[:, axis]] for axis, t in enumerate(ticks)], axis=1)
    core = np.clip(points, radius - half, half - radius)
    out = points - core
    out *= radius / np.sqrt((out**2).sum(axis=1, keepdims=True))
    return Solid(core + out, faces)


def cushion(size, step: float, puff: float = 0.3, turn: int = 2) -> Solid:
    """Pillow around the origin: a box with round edges, swollen in z.

    Args:
        size: (3,) full side lengths before swelling.
        puff: growth of the thickness in the middle, as a share of size[2].
    """
    width, depth, height = size
    solid = box(size, min(0.45 * min(size), 0.05), step, turn)
    p = solid.vertices.copy()
    middle = (1 - (2 * p[:, 0] / width) ** 2) * (1 - (2 * p[:, 1] / depth) ** 2)
    p[:, 2] *= 1 + puff * np.clip(middle, 0, None)
    return Solid(p, solid.faces)


def beam(start, end, width: float, height: float, step: float, up=(0.0, 0.0, 1.0)) -> Solid:
    """Bevelled bar from start to end; `height` is measured along `up`, `width` across."""
    start, end = np.asarray(start, np.float64), np.asarray(end, np.float64)
    along = end - start
    length = np.linalg.norm(along)
    along = along / length
    up = np.asarray(up, np.float64)
    up = up - (up @ along) * along
    up /= np.linalg.norm(up)
    axes = np.stack([along, np.cross(up, along), up])
    solid = box((length, width, height), 0.15 * min(width, height), step)
    return Solid(solid.vertices @ axes + (start + end) / 2, solid.faces)


def tube(
    path: Float[np.ndarray, "n 3"],
    section: Float[np.ndarray, "m 2"],
    normal=None,
    scale: Float[np.ndarray, " n"] | float = 1.0,
) -> Solid:
    """Section swept along an open path, with flat ends.

    Args:
        path: (n, 3) centre line, no point repeated.
        section: (m, 2) counter-clockwise outline; its axes are the frame's normal and binormal.
        normal: see `curves.frames`.
        scale: (n,) size of the section along the path.
    """
    rings = _rings(path, section, curves.frames(path, normal), scale)
    vertices = np.concatenate([rings.reshape(-1, 3), path[:1], path[-1:]])
    return Solid(vertices, stack_faces(len(path), len(section)))


def ring(path: Float[np.ndarray, "n 3"], section: Float[np.ndarray, "m 2"], normal) -> Solid:
    """Section swept along a closed path (its last point is not its first): a torus-like ring."""
    rings = _rings(path, section, curves.frames(path, normal, closed=True), 1.0)
    return Solid(rings.reshape(-1, 3), loop_faces(len(path), len(section)))


def lathe(profile: Float[np.ndarray, "k 2"], sides: int) -> Solid:
    """Body of revolution about z.

    Args:
        profile: (k, 2) radius and height, from the axis at the bottom outwards and up to the axis;
            its first and last radius must be 0, all others positive.
        sides: number of vertices around.
    """
    profile = np.asarray(profile, np.float64)
    around = curves.circle(sides)
    inner = profile[1:-1]
    rings = np.empty((len(inner), sides, 3))
    rings[:, :, :2] = inner[:, None, :1] * around
    rings[:, :, 2] = inner[:, 1:]
    poles = np.array([[0.0, 0.0, profile[0, 1]], [0.0, 0.0, profile[-1, 1]]])
    return Solid(np.concatenate([rings.reshape(-1, 3), poles]), stack_faces(len(inner), sides))


def disc(radius: float, height: float, bevel: float, step: float, puff: float = 0.0) -> Solid:
    """Round slab around the origin with softened rim, its top raised by `puff` in the middle."""
    h, b = height / 2, min(bevel, 0.45 * height, 2 * step)
    inner = radius - b
    # twelve sides at least; a multiple of four has vertices in mirrored positions
    sides = 4 * max(3, int(np.ceil(2 * np.pi * radius / (4 * step))))
    share = np.linspace(0.0, 1.0, max(2, int(np.ceil(inner / step))) + 1)
    below = np.stack([share * inner, np.full(len(share), -h)], axis=1)
    above = np.stack([share * inner, h + puff * (1 - share**2)], axis=1)[::-1]
    x, z = inner + 0.7 * b, h - 0.3 * b
    wall = np.linspace(b - h, h - b, max(1, int(np.ceil(2 * (h - b) / step))) + 1)
    wall = np.stack([np.full(len(wall), radius), wall], axis=1)
    return lathe(np.concatenate([below, [[x, -z]], wall, [[x, z]], above]), sides)


def ball(radii, sides: int = 10, rings: int = 5) -> Solid:
    """Ellipsoid around the origin with semi-axes `radii` (3,)."""
    angle = np.linspace(-np.pi / 2, np.pi / 2, rings + 2)
    profile = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    profile[[0, -1], 0] = 0.0
    return lathe(profile, sides).scaled(radii)


def _rings(path, section, frame, scale) -> Float[np.ndarray, "n m 3"]:
    """Section placed in the frame of every path point."""
    across, binormal = frame
    size = np.broadcast_to(np.asarray(scale, np.float64), (len(path),))[:, None, None]
    x, y = section[None, :, :1], section[None, :, 1:]
    return path[:, None] + size * (x * across[:, None] + y * binormal[:, None])
