"""From a map of sites to a map of any surface point: locally linear, without bridging its jumps."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.spatial import cKDTree

from semcorr.errors import ItemError
from semcorr.geometry.mesh import Mesh
from semcorr.geometry.mesh_arrays import Sites

NEIGHBOURS = 8
# How much turning a normal by 90 degrees counts against distance (longest side 1) when neighbours
# are sought: keeps the two sides of a thin board apart
NORMAL_WEIGHT = 0.08
# Matches of neighbours belong together within this many times the distance of the neighbours, and
# at least within this share of the longest side
_STRETCH, _LEAST_REACH = 3.0, 0.02
# Keeps the slope finite across the surface, where neighbours do not spread
_RIDGE = 1e-3
_ROWS = 20_000


@dataclass(frozen=True)
class SurfacePoints:
    """Points on the surface of a mesh.

    Attributes:
        face: (n,).
        weights: (n, 3) barycentric weights.
        positions: (n, 3) in the mesh's frame.
        normals: (n, 3) of the faces as wound, unit; 0 for faces without area.
    """

    face: Int[np.ndarray, " n"]
    weights: Float[np.ndarray, "n 3"]
    positions: Float[np.ndarray, "n 3"]
    normals: Float[np.ndarray, "n 3"]


def surface_points(
    mesh: Mesh, face: Int[np.ndarray, " n"], weights: Float[np.ndarray, "n 3"]
) -> SurfacePoints:
    """Return points with positions and normals."""
    face = np.asarray(face, np.int64)
    positions = np.einsum("nk,nkc->nc", weights, mesh.triangles[face])
    return SurfacePoints(face, weights, positions, _unit(_crosses(mesh))[face])


def site_normals(sites: Sites) -> Float[np.ndarray, "n 3"]:
    """Return unit normals of sites: of a sample's face, of a vertex the mean weighted by area."""
    mesh = Mesh(sites.positions[: sites.num_vertices], sites.faces)
    crosses = _crosses(mesh)
    total = np.zeros((sites.num_vertices, 3))
    for corner in range(3):
        np.add.at(total, sites.faces[:, corner], crosses)
    return np.concatenate([_unit(total), _unit(crosses)[sites.sample_face]])


def carry(
    points: SurfacePoints,
    sites: Sites,
    source_positions: Float[np.ndarray, "s 3"],
    target_to_source: Int[np.ndarray, " t"],
) -> tuple[Float[np.ndarray, "n 3"], Bool[np.ndarray, " n"]]:
    """Return where a map takes points of the target, near the source's surface, and where it is known.

    Of the nearest matched sites those count whose matches lie together with most of the others'; a
    linear map fitted to them (weighted least squares) gives the place. A map that is linear about a
    point is followed exactly, and where it jumps, one side is taken.

    Args:
        points: on the target.
        sites: of the target, world frame (longest side 1).
        source_positions: of the source's sites.
        target_to_source: a source site per target site, -1 = none.

    Returns:
        positions: (n, 3) in the source's frame, NaN where unknown.
        known: (n,) False where no site of the target has a match.
    """
    target_to_source = np.asarray(target_to_source, np.int64)
    if target_to_source.shape != (len(sites.positions),):
        raise ValueError(
            f"target_to_source: expected ({len(sites.positions)},), got {target_to_source.shape}"
        )
    if len(target_to_source) and target_to_source.max() >= len(source_positions):
        raise ValueError(
            f"target_to_source: expected indices below {len(source_positions)}, "
            f"got {target_to_source.max()}"
        )
    found = np.full(points.positions.shape, np.nan)
    matched = np.flatnonzero(target_to_source >= 0)
    if not len(matched):
        return found, np.zeros(len(found), bool)
    places = np.asarray(source_positions, np.float64)[target_to_source[matched]]
    positions = sites.positions[matched]
    normals = site_normals(sites)[matched]
    tree = cKDTree(np.concatenate([positions, NORMAL_WEIGHT * normals], axis=1))
    asked = np.concatenate([points.positions, NORMAL_WEIGHT * points.normals], axis=1)
    for start in range(0, len(asked), _ROWS):
        rows = slice(start, start + _ROWS)
        count = min(NEIGHBOURS, tree.n)
        distance, near = tree.query(asked[rows], k=count)
        distance, near = distance.reshape(-1, count), near.reshape(-1, count)
        offsets = positions[near] - points.positions[rows, None]
        found[rows] = _fitted(offsets, places[near], distance)
    return found, np.ones(len(found), bool)


def _fitted(offsets, places, distance):
    """Value at 0 of the linear map that fits `offsets` -> `places`, both (n, k, 3)."""
    width = np.maximum(distance[:, -1:], 1e-12)
    weight = np.exp(-0.5 * (2.0 * distance / width) ** 2) + 1e-6
    gaps = _distances(places)
    reach = np.maximum(_STRETCH * width, _LEAST_REACH)
    # the match that most others lie close to; far ones count alike, however far
    support = (np.minimum(gaps, reach[..., None]) * weight[:, None]).sum(axis=2)
    leader = support.argmin(axis=1)
    together = gaps[np.arange(len(gaps)), leader] <= reach
    weight = np.where(together, weight, 0.0)
    weight /= weight.sum(axis=1, keepdims=True)
    mean_offset = (weight[:, None] @ offsets)[:, 0]
    mean_place = (weight[:, None] @ places)[:, 0]
    offsets = offsets - mean_offset[:, None]
    weighted = (weight[..., None] * offsets).transpose(0, 2, 1)
    spread, cross = weighted @ offsets, weighted @ (places - mean_place[:, None])
    ridge = _RIDGE * np.trace(spread, axis1=1, axis2=2) + 1e-18
    slope = np.linalg.solve(spread + ridge[:, None, None] * np.eye(3), cross)
    step = (-mean_offset[:, None] @ slope)[:, 0]
    # never further than the neighbours' own matches spread
    length = np.linalg.norm(step, axis=1, keepdims=True)
    limit = np.linalg.norm(places - mean_place[:, None], axis=2)
    limit = np.where(weight > 0, limit, 0.0).max(axis=1)[:, None]
    return mean_place + step * np.minimum(1.0, limit / np.maximum(length, 1e-18))


def _distances(places: Float[np.ndarray, "n k 3"]) -> Float[np.ndarray, "n k k"]:
    """Distances between the k places of every row, the axes one after another to save memory."""
    squared = np.zeros((*places.shape[:2], places.shape[1]))
    for axis in range(3):
        gap = places[:, :, None, axis] - places[:, None, :, axis]
        squared += gap * gap
    return np.sqrt(squared)


def site_points(mesh: Mesh, sites: Sites) -> SurfacePoints:
    """Return sites as points of faces: a vertex as a corner of the first face that uses it.

    Vertices that no face uses get the first face and are no points of the surface: their colour
    means nothing.

    Raises:
        ItemError: the mesh has no faces.
    """
    if not len(mesh.faces):
        raise ItemError("texture: the mesh has no faces")
    corner = np.zeros(sites.num_vertices, np.int64)
    flat = mesh.faces.ravel()
    used, first = np.unique(flat, return_index=True)
    corner[used] = first
    face = np.concatenate([corner // 3, sites.sample_face])
    weights = np.concatenate([np.eye(3)[corner % 3], sites.sample_barycentric])
    return surface_points(mesh, face, weights)


def _crosses(mesh: Mesh) -> Float[np.ndarray, "f 3"]:
    corners = mesh.triangles
    return np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])


def _unit(vectors: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0)
