"""Data sets whose items are turned, about the up axis or freely, before anything else sees them."""

from dataclasses import replace
from math import radians, tau
from typing import Literal

import numpy as np
from jaxtyping import Float

from semcorr.datasets.context import (
    DatasetContext,
    LoadMesh,
    LoadTruth,
    Truth,
    truth_from_arrays,
)
from semcorr.geometry.frames import used_vertices, world_from_file
from semcorr.geometry.mesh import Mesh
from semcorr.geometry.mesh_arrays import from_arrays
from semcorr.geometry.transforms import (
    apply,
    homogeneous,
    rotation_yaw,
    rotations_of_quaternions,
)
from semcorr.seeds import seed_of


def angle_of(seed: int, item_id: str, yaw: Literal["random"] | float) -> float:
    """Return the angle of one item in radians: from (seed, item id), or `yaw` degrees for all."""
    if yaw == "random":
        return seed_of(seed, "turned", item_id) / 2**63 * tau
    return radians(float(yaw))


def random_rotation(seed: int, item_id: str) -> Float[np.ndarray, "3 3"]:
    """Return the rotation of one item, uniform over all rotations, from (seed, item id)."""
    # a normal vector has no preferred direction: its unit quaternion is uniform on SO(3)
    generator = np.random.default_rng(seed_of(seed, "turned", "any", item_id))
    quaternion = generator.standard_normal(4)
    return rotations_of_quaternions(quaternion / np.linalg.norm(quaternion))


def turn(points_world: Float[np.ndarray, "n 3"], angle: float) -> Float[np.ndarray, "n 3"]:
    """Turn points by `angle` radians about +Z through the origin; nothing is scaled."""
    return np.asarray(points_world, np.float64) @ rotation_yaw(angle).T


def turn_mesh(
    mesh: Mesh, rotation: Float[np.ndarray, "3 3"]
) -> tuple[Mesh, Float[np.ndarray, "4 4"]]:
    """Turn a mesh of the world frame and bring it back into the unit box.

    The box of a turned shape has other sides, so that it is scaled and centred anew: without that,
    parts could leave the cube of the voxels, and the size of a shape would tell how it was turned.

    Returns:
        The turned mesh, and `turned_from_world` (4, 4), which takes keypoints along.
    """
    fitted = world_from_file(used_vertices(mesh) @ rotation.T, "+z", "-y")
    matrix = fitted @ homogeneous(rotation)
    return replace(mesh, vertices=apply(matrix, mesh.vertices)), matrix


def open_meshes(context: DatasetContext) -> LoadMesh:
    """Return the function id -> (turned mesh in the world frame, identity).

    The turned mesh counts as the file: a way back to the file it was turned from would hold the
    rotation, which no later stage may read.
    """

    def load(item_id: str) -> tuple[Mesh, np.ndarray]:
        mesh, _ = _turn_item(context, item_id, context.meshes.read(item_id))
        return mesh, np.eye(4)

    return load


def open_truth(context: DatasetContext) -> LoadTruth:
    """Return the function id -> ground truth with keypoints and labelled points turned along."""

    def load(item_id: str) -> Truth:
        truth = truth_from_arrays(context.truth.read(item_id))
        _, matrix = _turn_item(context, item_id, context.meshes.read(item_id))
        return replace(
            truth,
            keypoints=apply(matrix, truth.keypoints),
            label_points=apply(matrix, truth.label_points),
        )

    return load


def _turn_item(context: DatasetContext, item_id: str, arrays) -> tuple[Mesh, np.ndarray]:
    if context.cfg["rotation"] == "any":
        rotation = random_rotation(context.seed, item_id)
    else:
        rotation = rotation_yaw(angle_of(context.seed, item_id, context.cfg["yaw"]))
    return turn_mesh(from_arrays(arrays), rotation)
