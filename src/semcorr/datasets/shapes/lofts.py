"""Closed parts with a varying cross-section: bodies, limbs, wings; all lengths in metres.

As in `parts`, every function returns one closed, outward oriented component.
"""

import numpy as np
from jaxtyping import Float

from semcorr.datasets.shapes import curves
from semcorr.datasets.shapes.solids import Solid, stack_faces

ACROSS = (1.0, 0.0, 0.0)
CAP_ANGLES = np.radians((66.0, 38.0))  # rings of a rounded end, from the tip inwards


def outline(sides: int, power: float = 2.0) -> Float[np.ndarray, "m 2"]:
    """Counter-clockwise superellipse within the unit square: 2 is a circle, 4 a rounded square."""
    circle = _circle(sides)
    bent = np.sign(circle) * np.abs(circle) ** (2 / power)
    return bent / np.abs(bent).max(axis=0)


def aerofoil(sides: int = 12) -> Float[np.ndarray, "m 2"]:
    """Counter-clockwise wing section in the unit square: blunt at x = -1, thin at x = 1."""
    x, z = _circle(sides).T
    return np.stack([x, z * (0.55 - 0.45 * x)], axis=1)


def loft(
    centres: Float[np.ndarray, "n 3"],
    across,
    up,
    widths,
    heights,
    section: Float[np.ndarray, "m 2"],
) -> Solid:
    """Sections stacked along a path, with flat ends.

    Args:
        centres: (n, 3) centre of each section.
        across, up: (n, 3) or (3,) axes of the section's plane; across x up points along the path.
        widths, heights: (n,) half extents along the two axes.
        section: (m, 2) counter-clockwise outline within -1..1.
    """
    rings = _rings(centres, across, up, widths, heights, section)
    poles = np.stack([centres[0], centres[-1]])
    vertices = np.concatenate([rings.reshape(-1, 3), poles])
    return Solid(vertices, stack_faces(len(centres), len(section)))


def rounded(
    path: Float[np.ndarray, "n 3"],
    widths,
    heights,
    sides: int = 12,
    normal=ACROSS,
    power: float = 2.0,
    cap: float = 1.0,
) -> Solid:
    """Body along an open path with domed ends, which reach beyond the path's end points.

    Args:
        path: (n, 3) centre line, no point repeated.
        widths, heights: (n,) or scalar half extents along the normal and the binormal.
        sides: vertices around.
        normal: see `curves.frames`; no tangent may be parallel to it.
        power: see `outline`.
        cap: length of a dome as a share of the smaller half extent at its end.
    """
    path = np.asarray(path, np.float64)
    across, up = curves.frames(path, normal)
    along = np.cross(across, up)
    size = np.stack(
        [np.broadcast_to(np.asarray(v, np.float64), len(path)) for v in (widths, heights)]
    )
    rise, shrink = np.sin(CAP_ANGLES), np.cos(CAP_ANGLES)
    first, last = cap * size[:, 0].min(), cap * size[:, -1].min()
    centres = np.concatenate(
        [
            path[0] - first * rise[:, None] * along[0],
            path,
            path[-1] + last * rise[::-1, None] * along[-1],
        ]
    )
    ends = len(CAP_ANGLES)
    across, up = (np.concatenate([[v[0]] * ends, v, [v[-1]] * ends]) for v in (across, up))
    size = np.concatenate([size[:, :1] * shrink, size, size[:, -1:] * shrink[::-1]], axis=1)
    rings = _rings(centres, across, up, *size, outline(sides, power))
    poles = np.stack([path[0] - first * along[0], path[-1] + last * along[-1]])
    vertices = np.concatenate([rings.reshape(-1, 3), poles])
    return Solid(vertices, stack_faces(len(centres), sides))


def limb(
    start,
    end,
    radii,
    step: float,
    sides: int = 12,
    flat: float = 1.0,
    normal=ACROSS,
    power: float = 2.0,
) -> Solid:
    """Straight limb with ball ends around its two joints.

    Args:
        radii: radius at equal distances from start to end, two numbers or more.
        flat: half extent along the binormal as a share of that along the normal.
    """
    path = curves.line(start, end, step)
    share = np.linspace(0.0, 1.0, len(path))
    widths = smooth(share, radii)
    return rounded(path, widths, flat * widths, sides, normal, power)


def smooth(share: Float[np.ndarray, " n"], values) -> Float[np.ndarray, " n"]:
    """Values at equal distances over 0..1, read at `share` from a curve that never overshoots.

    Cubic pieces whose slopes are the harmonic means of those of the neighbouring chords, 0 at
    extremes (Fritsch and Butland 1984).
    """
    values = np.asarray(values, np.float64)
    rise = np.diff(values)
    product, total = rise[:-1] * rise[1:], rise[:-1] + rise[1:]
    inner = np.where(product > 0, 2 * product / np.where(product > 0, total, 1.0), 0.0)
    slope = np.concatenate([rise[:1], inner, rise[-1:]])
    place = np.clip(np.asarray(share, np.float64), 0.0, 1.0) * len(rise)
    left = np.minimum(place.astype(int), len(rise) - 1)
    t = place - left
    low, high = values[left], values[left + 1]
    bend = t * (1 - t) * ((1 - t) * slope[left] - t * slope[left + 1])
    return low + (high - low) * t * t * (3 - 2 * t) + bend


def _circle(sides: int) -> Float[np.ndarray, "m 2"]:
    """Polygon with vertices on the axes (sides a multiple of 4), so that middle lines have some."""
    angle = np.arange(sides) * (2 * np.pi / sides)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return np.where(np.abs(circle) < 1e-12, 0.0, circle)


def _rings(centres, across, up, widths, heights, section) -> Float[np.ndarray, "n m 3"]:
    across, up = (np.broadcast_to(np.asarray(v, np.float64), centres.shape) for v in (across, up))
    widths, heights = (
        np.broadcast_to(np.asarray(v, np.float64), len(centres))[:, None, None]
        for v in (widths, heights)
    )
    x, y = section[None, :, :1], section[None, :, 1:]
    return centres[:, None] + widths * x * across[:, None] + heights * y * up[:, None]
