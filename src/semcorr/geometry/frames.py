"""From the frame of a file to the world: Z up, front -Y, longest side 1, centred at the origin."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int

from semcorr.errors import ItemError
from semcorr.geometry.mesh import Mesh
from semcorr.geometry.transforms import apply, homogeneous

__all__ = [
    "AXES",
    "apply",
    "axes_rotation",
    "normalise",
    "used_box",
    "used_vertices",
    "world_from_file",
]

AXES = {
    sign + name: np.array([value * (name == axis) for axis in "xyz"], dtype=np.float64)
    for name in "xyz"
    for sign, value in (("+", 1.0), ("-", -1.0))
}


def axes_rotation(up: str = "+y", front: str = "+z") -> Float[np.ndarray, "3 3"]:
    """Return the proper rotation that takes `up` to +Z and `front` to -Y.

    The default (up +y, front +z) is (x, y, z) -> (x, -z, y).

    Raises:
        ItemError: an axis is not one of +x -x +y -y +z -z, or both lie on one line.
    """
    for role, name in (("up", up), ("front", front)):
        if name not in AXES:
            signed = next((axis for axis in (name.lower(), f"+{name.lower()}") if axis in AXES), "")
            meant = f"did you mean {signed}? " if signed else ""
            raise ItemError(f"wrong {role} axis {name!r}, {meant}expected one of {' '.join(AXES)}")
    if up[1] == front[1]:
        raise ItemError(f"up {up!r} and front {front!r} are parallel, expected two different axes")
    world_z, world_y = AXES[up], -AXES[front]
    # + 0.0 makes the zeros of the cross product positive
    return np.stack([np.cross(world_y, world_z), world_y, world_z]) + 0.0


def used_vertices(mesh: Mesh) -> Float[np.ndarray, "u 3"]:
    """Return the vertices that faces refer to, in their order."""
    return mesh.vertices[np.unique(mesh.faces)]


def used_box(
    vertices: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"]
) -> Float[np.ndarray, "2 3"]:
    """Return lower and upper corner of the box over the vertices that faces refer to.

    Raises:
        ItemError: no faces.
    """
    if not len(faces):
        raise ItemError("has no faces to take a box of")
    corners = np.asarray(vertices)[np.ravel(faces)]
    return np.stack([corners.min(axis=0), corners.max(axis=0)])


def world_from_file(
    vertices: Float[np.ndarray, "v 3"],
    up: str = "+y",
    front: str = "+z",
    legacy_boxes: Float[np.ndarray, "n 8 3"] | None = None,
) -> Float[np.ndarray, "4 4"]:
    """Return the similarity that takes a shape from the frame of its file to the world.

    The shape is turned by `axes_rotation`, then scaled by 1 / (longest side of its axis-aligned
    box) and moved so that the centre of the box is the origin: p' = scale R p + offset.

    Args:
        vertices: those of the file that count for the box: all that faces use (`used_vertices`).
        up: axis of the file that points up.
        front: axis of the file that the front of the shape looks along.
        legacy_boxes: corners of object boxes in the file frame (`read_object_boxes`); if given, the
            box is taken around them instead, as HNSR's rendering does. It is loose for rotated
            nodes, so that the shape becomes smaller than 1 and lies off the centre.

    Raises:
        ItemError: a wrong axis name, parallel axes, or a box without extent.
    """
    rotation = axes_rotation(up, front)
    points = vertices if legacy_boxes is None else np.reshape(legacy_boxes, (-1, 3))
    turned = np.asarray(points, dtype=np.float64) @ rotation.T
    if not len(turned):
        raise ItemError("has no vertices to take a box of")
    low, high = turned.min(axis=0), turned.max(axis=0)
    extent = float((high - low).max())
    if not (np.isfinite(extent) and extent > 0):
        raise ItemError(f"has no usable extent: its longest side is {extent:.3g}")
    matrix = homogeneous(rotation / extent)
    # halves first: the sum of two large coordinates must not overflow
    matrix[:3, 3] = -(0.5 * low + 0.5 * high) / extent
    return matrix


def normalise(
    mesh: Mesh,
    up: str = "+y",
    front: str = "+z",
    legacy_boxes: Float[np.ndarray, "n 8 3"] | None = None,
) -> tuple[Mesh, Float[np.ndarray, "4 4"]]:
    """Return the mesh in the world frame and `world_from_file` (4, 4). Raises as that does."""
    matrix = world_from_file(used_vertices(mesh), up, front, legacy_boxes)
    return replace(mesh, vertices=apply(matrix, mesh.vertices)), matrix
