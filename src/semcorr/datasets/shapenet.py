"""ShapeNetCore v2 meshes, with part labels from ShapeNet-Part points or from annotations.

Points lie apart from the mesh: they are brought into its frame and moved onto its surface voxels
(`geometry.point_alignment`), and every position of the shape gets the label of the nearest one. Layout
on disk: `datasets.shapenet_items`. Facts: HNSR's data preparation, with its published alignment under
`legacy_alignment`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from semcorr.datasets.context import DatasetContext, LoadMesh, LoadTruth, Truth
from semcorr.datasets.folder import read_item_mesh
from semcorr.datasets.part_points import inside, read_annotation, read_points
from semcorr.datasets.shapenet_items import FRONT, UP, truth_sources
from semcorr.errors import ItemError
from semcorr.geometry.frames import axes_rotation
from semcorr.geometry.mesh import Mesh
from semcorr.geometry.part_labels import labels_from_points, merge_labels
from semcorr.geometry.point_alignment import align, to_point_frame, to_world
from semcorr.geometry.voxels import voxelise

# Cells per axis of the surface voxels that points are moved onto, as published
RESOLUTION = 64
# Positions of annotations are in the published frame of voxels, whose front is another
ANNOTATION_FRONT = "+z"


def open_meshes(context: DatasetContext) -> LoadMesh:
    """Return the function id -> (mesh in the world frame, file_from_world)."""
    return lambda item_id: read_item_mesh(
        context.root, context.members[item_id].columns, max_vertices=context.cfg["max_vertices"]
    )


def open_truth(context: DatasetContext) -> LoadTruth:
    """Return the function id -> ground truth; a shape with no file has no labels."""
    sources = [(Path(root), path_of) for root, path_of in truth_sources(context.entry)]

    def load(item_id: str) -> Truth:
        arrays = context.meshes.read(item_id, ("vertices", "faces"))
        mesh = Mesh(arrays["vertices"], arrays["faces"])
        for root, path_of in sources:
            path = inside(root, Path(path_of(item_id)))
            if path.is_file():
                return part_truth(path, mesh, context.cfg)
        return Truth(face_labels=np.full(len(mesh.faces), -1))

    return load


def part_truth(path: Path, mesh: Mesh, cfg: Mapping[str, Any]) -> Truth:
    """Return the ground truth of one shape.

    Args:
        path: annotation (.json) or labelled points.
        mesh: in the world frame.
        cfg: options `labels`, `classes`, `legacy_alignment`.

    Raises:
        ItemError: the file is malformed (as `part_points` says), or names a part or label that the
            options do not.
    """
    if path.suffix == ".json":
        positions, parts = _annotated(path)
    else:
        positions, parts = _aligned(path, mesh, cfg)
    names, labels = _classes(parts, cfg["classes"])
    if not (labels >= 0).any():
        raise ItemError(f"{path.name}: none of its parts is in a class of `classes`")
    positions, labels = positions[labels >= 0], labels[labels >= 0]
    middles = mesh.triangles.mean(axis=1)
    return Truth(
        face_labels=labels_from_points(middles, positions, labels),
        label_names=names,
        label_points=positions,
        point_labels=labels,
    )


def _annotated(path: Path) -> tuple[Float[np.ndarray, "p 3"], list[str]]:
    """Return listed positions in the world, and the part of each."""
    listed = read_annotation(path)
    turn = axes_rotation(UP, FRONT) @ axes_rotation(UP, ANNOTATION_FRONT).T
    parts = [part for part, rows in listed.items() for _ in rows]
    return np.concatenate(list(listed.values())) @ turn.T, parts


def _aligned(
    path: Path, mesh: Mesh, cfg: Mapping[str, Any]
) -> tuple[Float[np.ndarray, "p 3"], list[str]]:
    """Return labelled points in the world, moved onto the mesh, and the part of each."""
    points, raw = read_points(path)
    names = {int(label): part for label, part in cfg["labels"].items()}
    for label in np.unique(raw):
        if int(label) not in names:
            raise ItemError(f"{path.name}: label {label} has no name in `labels`")
    cells = voxelise(mesh.vertices, mesh.faces, RESOLUTION)
    centres = (cells + 0.5) / RESOLUTION - 0.5
    targets = to_point_frame(centres, FRONT)
    moved = align(points, targets, legacy=cfg["legacy_alignment"])
    return to_world(moved.points, FRONT), [names[label] for label in raw.tolist()]


def _classes(
    parts: Sequence[str], classes: Mapping[str, Sequence[str]]
) -> tuple[tuple[str, ...], Int[np.ndarray, " p"]]:
    """Return the sorted names of classes and the class of every element, -1 for parts in none."""
    groups = {name: tuple(classes[name]) for name in sorted(classes)}
    groups = groups or {part: (part,) for part in sorted(set(parts))}
    order = [part for group in groups.values() for part in group]
    index_of = {part: index for index, part in enumerate(order)}
    instances = np.array([index_of.get(part, -1) for part in parts], np.int64)
    merging = [(len(group), number) for number, group in enumerate(groups.values())]
    return tuple(groups), merge_labels(instances, merging)
