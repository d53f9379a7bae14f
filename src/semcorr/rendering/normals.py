"""Shading normals that both backends share: smooth over soft edges, split at sharp ones."""

import numpy as np
from jaxtyping import Float, Int

PAIRS_AT_ONCE = 1 << 21
# Faces, or corners at the same positions, handled at a time: bounds the temporaries to some 100 MB
AT_ONCE = 1 << 19
# vertices with more corners than this (hubs of fans, collapsed geometry) are averaged without a
# crease test, which would cost the square of their number
MOST_CORNERS = 64


def face_normals(triangles: Float[np.ndarray, "f 3 3"]) -> Float[np.ndarray, "f 3"]:
    """Unit normals of triangles, counter-clockwise outside; +Z for faces without area."""
    starts = range(0, len(triangles), AT_ONCE)
    if len(starts) > 1:
        return np.concatenate([face_normals(triangles[s : s + AT_ONCE]) for s in starts])
    normals = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    flat = length[:, 0] <= 1e-300
    normals = normals / np.where(length > 1e-300, length, 1.0)
    normals[flat] = (0.0, 0.0, 1.0)
    return normals


def corner_normals(
    vertices: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"], crease_deg: float
) -> Float[np.ndarray, "f 3 3"]:
    """Unit normals of face corners.

    A corner averages the faces around its position (vertices that a file split along texture seams
    count as one) whose normals are within `crease_deg` of its own, weighted by corner angle.
    `crease_deg` 0 gives face normals, 180 smooth ones everywhere.
    """
    flat = np.empty((len(faces), 3))
    angles = np.empty((len(faces), 3))
    for start in range(0, len(faces), AT_ONCE):
        triangles = vertices[faces[start : start + AT_ONCE]]
        flat[start : start + AT_ONCE] = face_normals(triangles)
        angles[start : start + AT_ONCE] = _corner_angles(triangles)
    if crease_deg <= 0 or not len(faces):
        return np.repeat(flat[:, None], 3, axis=1)
    place = _same_position(vertices)[faces.ravel()]
    order = np.argsort(place, kind="stable")
    starts, counts = _runs(place[order])
    del place
    normals = np.empty((3 * len(faces), 3))
    for first, last in _groups_of_runs(counts):
        begin, end = starts[first], starts[last - 1] + counts[last - 1]
        corners = order[begin:end]
        runs = (starts[first:last] - begin, counts[first:last])
        normals[corners] = _at_positions(
            flat[corners // 3], angles.reshape(-1)[corners], runs, crease_deg
        )
    return normals.reshape(-1, 3, 3)


def _groups_of_runs(counts):
    """Yield (first, last) of consecutive runs that have about `AT_ONCE` corners together."""
    ends = np.cumsum(counts)
    first = 0
    while first < len(counts):
        done = ends[first - 1] if first else 0
        last = max(first + 1, int(np.searchsorted(ends, done + AT_ONCE, side="right")))
        yield first, last
        first = last


def _at_positions(flat, angles, runs, crease_deg):
    """Unit normals of corners that lie sorted by position.

    Args:
        flat: (n, 3) normals of the corners' faces.
        angles: (n,) of the corners.
        runs: start and length of every position's corners.
    """
    starts, counts = runs
    weighted = flat * angles[:, None]
    sums = np.add.reduceat(weighted, starts)
    total = np.repeat(sums, counts, axis=0)
    if crease_deg < 180:
        # where all faces are within half the crease of their mean, they are within it of each other
        mean = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-300)
        off = np.einsum("ij,ij->i", np.repeat(mean, counts, axis=0), flat)
        limit = np.cos(np.deg2rad(crease_deg) / 2.0)
        sharp = np.minimum.reduceat(off, starts) < limit
        near = _sums_within_crease(flat, weighted, (starts, counts, sharp), crease_deg)
        rows = np.isfinite(near[:, 0])
        total[rows] = near[rows]
    length = np.linalg.norm(total, axis=1, keepdims=True)
    return np.where(length > 1e-9, total / np.maximum(length, 1e-9), flat)


def _sums_within_crease(flat, weighted, runs, crease_deg):
    """Sum of weighted normals per corner over the faces within the crease.

    `runs`: start and length of every position's corners, and whether to look at it. NaN: not looked
    at, or too many corners.
    """
    starts, counts, sharp = runs
    limit = np.cos(np.deg2rad(crease_deg)) - 1e-9
    sums = np.full_like(weighted, np.nan)
    small = sharp & (counts <= MOST_CORNERS)
    # one entry per corner in sorted order: where its run starts and how long it is
    run_start, run_count = (
        np.repeat(starts[small], counts[small]),
        np.repeat(counts[small], counts[small]),
    )
    slots = np.flatnonzero(np.repeat(small, counts))
    ends = np.cumsum(run_count)
    first = 0
    while first < len(slots):
        done = ends[first - 1] if first else 0
        last = max(first + 1, int(np.searchsorted(ends, done + PAIRS_AT_ONCE, side="right")))
        amount = run_count[first:last]
        within = np.arange(amount.sum()) - np.repeat(np.cumsum(amount) - amount, amount)
        own = np.repeat(slots[first:last], amount)
        other = np.repeat(run_start[first:last], amount) + within
        close = np.einsum("ij,ij->i", flat[own], flat[other]) >= limit
        part = weighted[other] * close[:, None]
        sums[slots[first:last]] = np.add.reduceat(part, np.cumsum(amount) - amount)
        first = last
    return sums


def _corner_angles(triangles):
    """Angles of triangle corners in radians, (f, 3)."""
    after = np.roll(triangles, -1, axis=1) - triangles
    before = np.roll(triangles, 1, axis=1) - triangles
    norm = np.linalg.norm(after, axis=2) * np.linalg.norm(before, axis=2)
    cosine = np.einsum("fij,fij->fi", after, before) / np.where(norm > 0, norm, 1.0)
    return np.where(norm > 0, np.arccos(np.clip(cosine, -1.0, 1.0)), 0.0)


def _same_position(vertices):
    """Label of every vertex, equal for vertices at exactly the same position."""
    order = np.lexsort(vertices.T)
    moved = np.any(vertices[order[1:]] != vertices[order[:-1]], axis=1)
    labels = np.empty(len(vertices), dtype=np.int64)
    labels[order] = np.concatenate([[0], np.cumsum(moved)])
    return labels


def _runs(sorted_labels):
    """Start and length of every run of equal labels."""
    starts = np.flatnonzero(np.concatenate([[True], sorted_labels[1:] != sorted_labels[:-1]]))
    return starts, np.diff(np.append(starts, len(sorted_labels)))
