"""Centre lines and cross-sections for swept parts; all lengths in metres."""

import numpy as np
from jaxtyping import Float


def line(start, end, step: float) -> Float[np.ndarray, "n 3"]:
    """Points from start to end at most `step` apart, at least two."""
    start, end = np.asarray(start, np.float64), np.asarray(end, np.float64)
    count = max(1, int(np.ceil(np.linalg.norm(end - start) / step - 1e-9)))
    return start + np.linspace(0.0, 1.0, count + 1)[:, None] * (end - start)


def bezier(controls, step: float) -> Float[np.ndarray, "n 3"]:
    """Bezier curve of three or four control points (k, 3), points about `step` apart."""
    level = list(np.asarray(controls, np.float64))
    length = sum(np.linalg.norm(b - a) for a, b in zip(level, level[1:], strict=False))
    t = np.linspace(0.0, 1.0, max(4, int(np.ceil(length / step))) + 1)[:, None]
    while len(level) > 1:  # de Casteljau
        level = [(1 - t) * a + t * b for a, b in zip(level, level[1:], strict=False)]
    return level[0]


def even(points: Float[np.ndarray, "n d"], step: float) -> Float[np.ndarray, "m d"]:
    """Points evenly spaced along a polyline of finer points, at most `step` apart."""
    along = np.concatenate([[0.0], np.cumsum(np.sqrt((np.diff(points, axis=0) ** 2).sum(axis=1)))])
    at = np.linspace(0.0, along[-1], max(1, int(np.ceil(along[-1] / step))) + 1)
    return np.stack([np.interp(at, along, column) for column in points.T], axis=1)


def filleted(corners, radius: float, step: float, turn: int = 4) -> Float[np.ndarray, "n 3"]:
    """Polyline through `corners` (k, 3), inner corners replaced by curves of `turn` pieces.

    The curve begins `radius` before the corner, or at 0.45 of the shorter side where that is less.
    """
    corners = np.asarray(corners, np.float64)
    u = np.linspace(0.0, 1.0, turn + 1)[:, None]
    pieces, last = [], corners[0]
    for before, corner, after in zip(corners, corners[1:], corners[2:], strict=False):
        back, ahead = before - corner, after - corner
        lengths = np.sqrt(back @ back), np.sqrt(ahead @ ahead)
        cut = min(radius, 0.45 * min(lengths))
        enter, leave = corner + back * (cut / lengths[0]), corner + ahead * (cut / lengths[1])
        pieces.append(line(last, enter, step)[:-1])
        pieces.append(((1 - u) ** 2 * enter + 2 * u * (1 - u) * corner + u**2 * leave)[:-1])
        last = leave
    pieces.append(line(last, corners[-1], step))
    return np.concatenate(pieces)


def circle(sides: int, radius: float = 1.0) -> Float[np.ndarray, "m 2"]:
    """Counter-clockwise polygon of `sides` points on a circle."""
    angle = np.arange(sides) * (2 * np.pi / sides) + np.pi / sides
    return radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def rectangle(width: float, height: float, chamfer: float = 0.2) -> Float[np.ndarray, "8 2"]:
    """Counter-clockwise rectangle with corners cut by `chamfer`, a share of the short half side."""
    a, b = width / 2, height / 2
    c = chamfer * min(a, b)
    return np.array(
        [[a, c - b], [a, b - c], [a - c, b], [c - a, b]]
        + [[-a, b - c], [-a, c - b], [c - a, -b], [a - c, -b]]
    )


def frames(path: Float[np.ndarray, "n 3"], normal=None, closed: bool = False) -> tuple:
    """Unit (normal, binormal) pairs (n, 3) along a path, with normal x binormal = tangent.

    Args:
        normal: a direction that no tangent is parallel to, such as the normal of a planar path; the
            frames then follow it. None: frames are carried along without twist (not for closed
            paths).
    """
    if closed:
        tangent = np.roll(path, -1, axis=0) - np.roll(path, 1, axis=0)
    else:
        tangent = np.empty_like(path)
        tangent[1:-1] = path[2:] - path[:-2]
        tangent[0], tangent[-1] = path[1] - path[0], path[-1] - path[-2]
    tangent /= np.sqrt((tangent**2).sum(axis=1, keepdims=True))
    if normal is None:
        first = np.eye(3)[np.argmin(np.abs(tangent[0]))]
        across = _carried(tangent, first)
    else:
        across = np.broadcast_to(np.asarray(normal, np.float64), path.shape)
    across = across - (across * tangent).sum(axis=1, keepdims=True) * tangent
    across /= np.sqrt((across**2).sum(axis=1, keepdims=True))
    return across, np.cross(tangent, across)


def _carried(tangent: Float[np.ndarray, "n 3"], first) -> Float[np.ndarray, "n 3"]:
    """Carry a direction along the tangents by projecting it anew at every point."""
    across = np.empty_like(tangent)
    current = first
    for i, t in enumerate(tangent):
        current = current - (current @ t) * t
        current = current / np.sqrt(current @ current)
        across[i] = current
    return across
