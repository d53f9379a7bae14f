"""Checks of generated shapes that tests of several modules share."""

import hashlib

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from semcorr.datasets.procedural import generate, load_category

CATEGORIES = ("aeroplane", "chair", "human", "mug", "quadruped", "table")
COUNT = 24
_MADE = {}


def shapes_of(category) -> list:
    """The first shapes of one family, made once: at least one of every kind."""
    if category not in _MADE:
        count = max(COUNT, load_category(category).strata)
        _MADE[category] = [generate(category, 3, i) for i in range(count)]
    return _MADE[category]


def points_of(shape) -> dict:
    """Keypoints by name."""
    return dict(zip(shape.keypoint_names, shape.keypoints, strict=True))


def centre_of(shape, label) -> np.ndarray:
    """Mean corner of the faces with a label."""
    chosen = shape.face_labels == shape.label_names.index(label)
    return shape.mesh.triangles[chosen].reshape(-1, 3).mean(axis=0)


def digest(shape) -> str:
    """Hash of everything that a shape holds."""
    mesh, sha = shape.mesh, hashlib.sha256()
    arrays = [mesh.vertices, mesh.faces, mesh.face_materials, mesh.polygon_of_face]
    arrays += [shape.face_labels, shape.keypoints, shape.keypoint_vertices]
    arrays += [m.texture for m in mesh.materials if m.texture is not None]
    arrays += [mesh.corner_uvs] if mesh.corner_uvs is not None else []
    for array in arrays:
        sha.update(f"{array.dtype}{array.shape}".encode() + np.ascontiguousarray(array).tobytes())
    names = [shape.topology, shape.symmetry, shape.label_names, shape.keypoint_names]
    sha.update(repr([*names, [m.base_color for m in mesh.materials]]).encode())
    return sha.hexdigest()


def components(faces, count) -> np.ndarray:
    """Number of the connected component of every face, found over shared vertices."""
    edges = faces[:, [0, 1, 1, 2]].reshape(-1, 2)
    graph = coo_array((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(count, count))
    return connected_components(graph, directed=False)[1][faces[:, 0]]


def assert_closed(vertices, faces):
    """Every directed edge exists once and its reverse once; every component has volume > 0."""
    edges = faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2).astype(np.int64)
    forward = np.sort(edges[:, 0] * len(vertices) + edges[:, 1])
    backward = np.sort(edges[:, 1] * len(vertices) + edges[:, 0])
    assert np.all(np.diff(forward) > 0), "an edge is used twice in one direction"
    assert np.array_equal(forward, backward), "an edge has only one face"
    part = components(faces, len(vertices))
    a, b, c = np.moveaxis(vertices[faces], 1, 0)
    volumes = np.bincount(part, np.einsum("fi,fi->f", a, np.cross(b, c)) / 6)
    assert (volumes[np.unique(part)] > 0).all(), "a component is inside out"
