"""Texture transfer by parts: every part of the target looks like the same part of the source."""

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import cKDTree

from semcorr.geometry.closest import Surface
from semcorr.geometry.mesh import Mesh
from semcorr.geometry.mesh_arrays import Sites
from semcorr.transfer.carry import NORMAL_WEIGHT, SurfacePoints, site_normals
from semcorr.transfer.texture import Follow

# Of a part that is flat along an axis; keeps the scale finite
_LEAST_SPREAD = 1e-3


def best_rotation(
    source: Float[np.ndarray, "n 3"], target: Float[np.ndarray, "n 3"]
) -> Float[np.ndarray, "3 3"]:
    """Return the proper rotation that takes centred target points closest to their source points.

    Kabsch (1976): from the singular vectors of the cross-covariance. Fewer than 3 points, or points
    without spread, give the identity.
    """
    if len(source) < 3:
        return np.eye(3)
    left, values, right = np.linalg.svd(
        (source - source.mean(axis=0)).T @ (target - target.mean(axis=0))
    )
    if values[1] <= 1e-12 * max(values[0], 1e-300):
        return np.eye(3)
    mirror = np.linalg.det(left @ right)
    return left @ np.diag([1.0, 1.0, 1.0 if mirror > 0 else -1.0]) @ right


def by_parts(
    source: Mesh,
    source_sites: Sites,
    source_face_labels: Int[np.ndarray, " f"],
    target_sites: Sites,
    target_labels: Int[np.ndarray, " t"],
    target_to_source: Int[np.ndarray, " t"],
    otherwise: Follow,
) -> Follow:
    """Return the transfer by parts.

    One rotation for the whole shape is fitted to the map. Then a part of the target is laid over the
    source's part of the same label: common mean, and the same spread along each axis of the source.
    Closest points are sought on that part alone. So only the labels and one rotation are taken from
    the map, and its noise does not reach the texture.

    Args:
        source: world frame.
        source_sites: its sites.
        source_face_labels: part per face, -1 = none.
        target_sites: sites of the target.
        target_labels: part per target site (carried from the source, or known), -1 = none.
        target_to_source: map of sites, -1 = none; for the rotation.
        otherwise: the transfer of points without a part, or whose part the source lacks.
    """
    labels, to_source = np.asarray(target_labels), np.asarray(target_to_source)
    samples = slice(target_sites.num_vertices, None)
    matched = np.flatnonzero(to_source[samples] >= 0) + target_sites.num_vertices
    rotation = best_rotation(
        source_sites.positions[to_source[matched]], target_sites.positions[matched]
    )
    labels = labels[samples]
    target_samples = target_sites.positions[samples]
    laid = _laid(source, source_sites, source_face_labels, target_samples @ rotation.T, labels)
    normals = site_normals(target_sites)[samples]
    tree = cKDTree(np.concatenate([target_samples, NORMAL_WEIGHT * normals], axis=1))

    def follow(points: SurfacePoints):
        asked = np.concatenate([points.positions, NORMAL_WEIGHT * points.normals], axis=1)
        part = labels[tree.query(asked)[1]]
        face, weights = np.zeros(len(part), np.int64), np.zeros((len(part), 3))
        found = np.zeros(len(part), bool)
        for label, (surface, scale, offset) in laid.items():
            rows = np.flatnonzero(part == label)
            places = (points.positions[rows] @ rotation.T) * scale + offset
            face[rows], weights[rows], _ = surface.closest(places)
            found[rows] = True
        rest = np.flatnonzero(~found)
        if len(rest):
            chosen = SurfacePoints(
                points.face[rest],
                points.weights[rest],
                points.positions[rest],
                points.normals[rest],
            )
            face[rest], weights[rest], found[rest] = otherwise(chosen)
        return face, weights, found

    return follow


def _laid(
    source: Mesh,
    source_sites: Sites,
    face_labels: Int[np.ndarray, " f"],
    turned: Float[np.ndarray, "n 3"],
    labels: Int[np.ndarray, " n"],
) -> dict[int, tuple[Surface, np.ndarray, np.ndarray]]:
    """Return {part: (its surface, scale, offset)}: the source's place of a turned target point."""
    source_labels = face_labels[source_sites.sample_face]
    source_samples = source_sites.positions[source_sites.num_vertices :]
    found = {}
    for part in np.unique(labels[labels >= 0]):
        there, here = source_samples[source_labels == part], turned[labels == part]
        if len(there):
            surface = Surface(source, np.flatnonzero(face_labels == part))
            scale = (there.std(axis=0) + _LEAST_SPREAD) / (here.std(axis=0) + _LEAST_SPREAD)
            found[int(part)] = (surface, scale, there.mean(axis=0) - scale * here.mean(axis=0))
    return found
