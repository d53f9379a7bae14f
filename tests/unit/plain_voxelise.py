"""Voxelisation as one plain loop over triangles and cells: what `geometry.voxels` must equal.

Written from the rule alone (no shortcut of the fast path is shared): all 13 separating axes, all
three corners projected on each, loops left at the first axis that separates.
"""

import math

import numpy as np


def voxelise_plain(vertices, faces, resolution=64):
    limit = 0.5 - 1e-6
    points = [[min(max(float(x), -limit), limit) for x in vertex] for vertex in vertices]
    occupied = set()
    half = 0.5 / resolution
    for face in faces:
        corners = [points[index] for index in face]
        low = [math.floor(resolution * (min(c[k] for c in corners) + 0.5)) for k in range(3)]
        high = [math.floor(resolution * (max(c[k] for c in corners) + 0.5)) for k in range(3)]
        apart = max(h - lo + 1 for lo, h in zip(low, high, strict=True)) / resolution
        axes = _axes(corners, apart)
        for i in range(low[0], high[0] + 1):
            for j in range(low[1], high[1] + 1):
                for k in range(low[2], high[2] + 1):
                    if _touches(corners, axes, (i, j, k), half):
                        occupied.add((i, j, k))
    return np.array(sorted(occupied), dtype=np.uint8).reshape(-1, 3)


def _axes(corners, apart):
    """Return (axis, its absolute sum, bound of the rounding of a projection on it)."""
    p, q, r = corners
    edges = [[b - a for a, b in zip(u, v, strict=True)] for u, v in ((p, q), (q, r), (r, p))]
    longest = max(abs(x) for edge in edges for x in edge)
    slack = 1e-14 * apart
    units = [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)]
    axes = [(unit, slack) for unit in units]
    axes.append((_cross(edges[0], edges[1]), slack * longest * longest))
    axes += [(_cross(edge, unit), slack * longest) for edge in edges for unit in units]
    return [(axis, abs(axis[0]) + abs(axis[1]) + abs(axis[2]), bound) for axis, bound in axes]


def _cross(a, b):
    return (
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    )


def _touches(corners, axes, cell, half):
    x, y, z = ((index + 0.5) * 2 * half - 0.5 for index in cell)
    (px, py, pz), (qx, qy, qz), (rx, ry, rz) = corners
    px, qx, rx = px - x, qx - x, rx - x
    py, qy, ry = py - y, qy - y, ry - y
    pz, qz, rz = pz - z, qz - z, rz - z
    for (ax, ay, az), size, rounding in axes:
        reach = half * size + rounding
        p = ax * px + ay * py + az * pz
        q = ax * qx + ay * qy + az * qz
        r = ax * rx + ay * ry + az * rz
        if (p > reach and q > reach and r > reach) or (p < -reach and q < -reach and r < -reach):
            return False
    return True
