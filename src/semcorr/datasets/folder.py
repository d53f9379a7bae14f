"""Data sets in a folder: one item's mesh, and apart from it, its ground truth.

Meshes and truth are read by different functions, so that stages that must not see the truth cannot.
Layout (docs/datasets.md): items.csv, meshes/, labels/{id}.json, keypoints/{id}.json, symmetry.json,
matches.json and matches/ (`dense_files`).
"""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int, Int16

from semcorr.datasets import dense_files
from semcorr.datasets.context import DatasetContext, LoadMesh, LoadTruth, Truth
from semcorr.errors import ItemError
from semcorr.geometry.formats.source import is_inside
from semcorr.geometry.frames import apply, used_vertices, world_from_file
from semcorr.geometry.mesh import Mesh
from semcorr.geometry.mesh_arrays import from_arrays
from semcorr.geometry.reader import read_mesh

log = logging.getLogger(__name__)

# Of one file; memory of the votes for the labels of vertices grows with it
MAX_LABELS = 1000
# Keypoints further from their shape than so many of its longest sides are most likely in another frame
FAR_KEYPOINT = 10.0


def open_meshes(context: DatasetContext) -> LoadMesh:
    """Return the function id -> (mesh in the world frame, file_from_world)."""
    return lambda item_id: read_item_mesh(
        context.root, context.members[item_id].columns, max_vertices=context.cfg["max_vertices"]
    )


def open_truth(context: DatasetContext) -> LoadTruth:
    """Return the function id -> ground truth; without files there is none."""
    dense = _dense_truth(context)

    def load(item_id: str) -> Truth:
        arrays = context.meshes.read(item_id)
        mesh = from_arrays(arrays)
        parts: dict = {"face_labels": np.full(len(mesh.faces), -1)}
        if (labels := read_labels(context.root, item_id, mesh)) is not None:
            parts["label_names"], parts["face_labels"] = labels
        file_from_world = arrays["file_from_world"]
        if (found := read_keypoints(context.root, item_id, mesh, file_from_world)) is not None:
            parts["keypoint_names"], parts["keypoints"], parts["keypoint_vertices"] = found
            # only shapes with keypoints need it: a broken file is the reason of their rows
            parts["keypoint_symmetry"] = read_symmetry(context.root)
        return Truth(**parts, **dense(item_id, len(mesh.vertices)))

    return load


def _dense_truth(context: DatasetContext) -> Callable[[str, int], dict]:
    """Return the function (id, number of its vertices) -> `vertex_group` and `maps` of its truth."""
    root = Path(context.root)
    files = dense_files.map_files(root, context.members)
    groups = lru_cache(1)(lambda: dense_files.read_groups(_in_set(root, dense_files.SHARED)))

    def read(item_id: str, vertices: int) -> dict:
        maps = {
            source: dense_files.read_map(_in_set(root, name), vertices)
            for (source, target), name in files.items()
            if target == item_id
        }
        return {"vertex_group": groups().get(item_id, ""), "maps": maps}

    return read


def read_item_mesh(
    root: str | Path, row: Mapping[str, str], *, max_vertices: int | None = None
) -> tuple[Mesh, Float[np.ndarray, "4 4"]]:
    """Read the mesh of one row of items.csv.

    Args:
        root: folder of the data set; neither the mesh nor a file that it refers to may leave it.
        row: at least `file`; `up` and `front` default to +y and +z where absent or empty.
        max_vertices: larger meshes are refused.

    Returns:
        The mesh in the world frame, and `file_from_world` (4, 4).

    Raises:
        ItemError: status `missing` or `outside` for the path, else as `read_mesh` and `normalise`;
            the message names the file.
    """
    path = _inside(Path(root), row["file"])
    mesh = read_mesh(path, max_vertices=max_vertices, root=root)
    try:
        matrix = world_from_file(
            used_vertices(mesh), (row.get("up") or "+y").strip(), (row.get("front") or "+z").strip()
        )
    except ItemError as error:
        raise ItemError(f"{path.name}: {error.reason}", error.status) from error
    return replace(mesh, vertices=apply(matrix, mesh.vertices)), np.linalg.inv(matrix)


def read_labels(
    root: str | Path, item_id: str, mesh: Mesh
) -> tuple[tuple[str, ...], Int16[np.ndarray, " f"]] | None:
    """Read labels/{id}.json as `read_label_file` does; None where there is no such file."""
    path = _truth_file(root, "labels", item_id)
    return read_label_file(path, mesh) if path.is_file() else None


def read_label_file(path: Path, mesh: Mesh) -> tuple[tuple[str, ...], Int16[np.ndarray, " f"]]:
    """Read a file of part labels of the mesh's triangles.

    The file has `names` and either `faces` (one entry per polygon of the mesh file) or `vertices`
    (one per vertex). An entry is an index into `names`, a name, or -1 / null for no label.
    Labels of vertices become labels of triangles by majority; without one, the smallest label wins.

    Returns:
        The names and one label per triangle (-1 = none).

    Raises:
        ItemError: malformed, a wrong number of entries, an unknown name, an index out of range.
    """
    content = _load(path)
    names = _names(path, content)
    if len(names) > MAX_LABELS:
        raise _error(path, f"has {len(names)} label names, more than {MAX_LABELS}")
    kinds = [kind for kind in ("faces", "vertices") if kind in content]
    if len(kinds) != 1:
        raise _error(path, "needs one of 'faces' and 'vertices'")
    polygons = int(mesh.polygon_of_face.max()) + 1 if len(mesh.faces) else 0
    expected = polygons if kinds[0] == "faces" else len(mesh.vertices)
    labels = _label_indices(path, content[kinds[0]], names, expected, kinds[0])
    if kinds[0] == "faces":
        return names, labels[mesh.polygon_of_face]
    return names, _majority(labels[mesh.faces])


def read_keypoints(
    root: str | Path, item_id: str, mesh: Mesh, file_from_world: Float[np.ndarray, "4 4"]
) -> tuple[tuple[str, ...], Float[np.ndarray, "k 3"], Int[np.ndarray, " k"]] | None:
    """Read keypoints/{id}.json as `read_keypoint_file` does; None where there is no such file."""
    path = _truth_file(root, "keypoints", item_id)
    return read_keypoint_file(path, mesh, file_from_world) if path.is_file() else None


def read_keypoint_file(
    path: Path, mesh: Mesh, file_from_world: Float[np.ndarray, "4 4"]
) -> tuple[tuple[str, ...], Float[np.ndarray, "k 3"], Int[np.ndarray, " k"]]:
    """Read a file of named points of the shape; the log warns of points far away from it.

    The file has `names` and `points` (file frame, null = absent), `vertices` (-1 or null = absent),
    or both. Without `points` a keypoint lies at its vertex, without `vertices` it takes the nearest
    vertex that a face uses.

    Args:
        path: JSON file.
        mesh: as `read_item_mesh` returns it (world frame).
        file_from_world: likewise.

    Returns:
        Names, points in the world frame (k, 3; NaN = absent), and vertices (k,; -1 = absent).

    Raises:
        ItemError: malformed, lists of different lengths, a vertex out of range.
    """
    content = _load(path)
    names = _names(path, content)
    if "points" not in content and "vertices" not in content:
        raise _error(path, "needs 'points' or 'vertices'")
    points, vertices = None, None
    if "vertices" in content:
        vertices = _vertex_indices(path, content["vertices"], len(names), len(mesh.vertices))
    if "points" in content:
        points = apply(np.linalg.inv(file_from_world), _points(path, content["points"], len(names)))
        _warn_of_far_points(path, names, points)
    if points is None:
        points = np.where(vertices[:, None] >= 0, mesh.vertices[vertices], np.nan)
    if vertices is None:
        vertices = _nearest(mesh, points)
    return names, points, vertices.astype(np.int32)


def read_symmetry(root: str | Path) -> list[list[str]]:
    """Read `keypoints` of symmetry.json: groups of keypoints that the category's mirror exchanges.

    The format's other keys, `labels` and `orbits`, are not read: no score needs them.

    Returns:
        Groups of names; empty without the file.

    Raises:
        ItemError: malformed, or a link that leaves the folder (status `outside`).
    """
    path = _in_set(Path(root), "symmetry.json")
    groups = (_load(path) or {}).get("keypoints", [])
    whole = isinstance(groups, list) and all(
        isinstance(group, list) and all(isinstance(name, str) for name in group) for group in groups
    )
    if not whole:
        raise _error(path, "'keypoints' is not a list of lists of names")
    return groups


def _in_set(root: Path, name: str) -> Path:
    path = root / name
    if not is_inside(path, root):
        raise ItemError(f"{name}: leaves the folder of the data set", "outside")
    return path


def _inside(root: Path, name: str) -> Path:
    path = _in_set(root, name)
    if not path.is_file():
        raise ItemError(f"{name}: the file is missing", "missing")
    return path


def _truth_file(root: str | Path, kind: str, item_id: str) -> Path:
    folder = Path(root) / kind
    path = folder / f"{item_id}.json"
    if path.parent != folder or not is_inside(path, Path(root)):
        raise ItemError(f"{kind}/{item_id}.json: leaves the folder of the data set", "outside")
    return path


def _error(path: Path, reason: str) -> ItemError:
    return ItemError(f"{path.parent.name}/{path.name}: {reason}")


def _load(path: Path) -> dict | None:
    """Return the object that a file holds, None where there is no file."""
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise _error(path, f"is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise _error(path, f"expected an object, got {type(content).__name__}")
    return content


def _names(path: Path, content: dict) -> tuple[str, ...]:
    names = content.get("names")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise _error(path, "'names' is not a list of strings")
    if len(set(names)) != len(names):
        raise _error(path, "'names' has a name twice")
    if any(0xD800 <= ord(letter) <= 0xDFFF for name in names for letter in name):
        raise _error(path, "'names' has half of a surrogate pair, which is no text")
    return tuple(names)


def _is_index(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _label_indices(
    path: Path, entries: object, names: tuple[str, ...], expected: int, kind: str
) -> Int16[np.ndarray, " n"]:
    if not isinstance(entries, list) or len(entries) != expected:
        found = len(entries) if isinstance(entries, list) else type(entries).__name__
        raise _error(path, f"{kind!r} has {found} labels, but the mesh has {expected} {kind}")
    index_of = {name: index for index, name in enumerate(names)} | {None: -1}
    labels = np.empty(expected, dtype=np.int16)
    for position, entry in enumerate(entries):
        if not _is_index(entry):
            if not (entry is None or isinstance(entry, str)) or entry not in index_of:
                raise _error(path, f"unknown label {entry!r} ({kind}[{position}])")
            entry = index_of[entry]
        if not -1 <= entry < len(names):
            raise _error(
                path, f"label {entry} is out of range ({kind}[{position}]): {len(names)} names"
            )
        labels[position] = entry
    return labels


def _majority(labels: Int16[np.ndarray, "f 3"]) -> Int16[np.ndarray, " f"]:
    """Return the label of at least two corners, else the smallest that is a label."""
    first, second, third = labels.T
    alone = np.where(labels < 0, np.iinfo(np.int16).max, labels).min(axis=1)
    return np.where((first == second) | (first == third), first,
                    np.where(second == third, second, alone)).astype(np.int16)  # fmt: skip


def _vertex_indices(path: Path, entries: object, count: int, there: int) -> Int[np.ndarray, " k"]:
    if not isinstance(entries, list) or len(entries) != count:
        raise _error(path, f"'vertices' is not a list of {count} entries, one per name")
    for entry in entries:
        if entry is not None and not (_is_index(entry) and -1 <= entry < there):
            raise _error(path, f"vertex {entry!r} is out of range: the mesh has {there} vertices")
    return np.array([-1 if entry is None else entry for entry in entries], dtype=np.int64)


def _points(path: Path, entries: object, count: int) -> Float[np.ndarray, "k 3"]:
    if not isinstance(entries, list) or len(entries) != count:
        raise _error(path, f"'points' is not a list of {count} entries, one per name")
    points = np.full((count, 3), np.nan)
    for position, entry in enumerate(entries):
        if entry is None:
            continue
        if not _is_point(entry):
            raise _error(path, f"points[{position}] is not three finite numbers")
        points[position] = entry
    return points


def _warn_of_far_points(
    path: Path, names: tuple[str, ...], points: Float[np.ndarray, "k 3"]
) -> None:
    sides = np.linalg.norm(points, axis=1)  # in the world frame the longest side is 1
    for index in np.flatnonzero(sides > FAR_KEYPOINT):
        log.warning(
            "%s/%s: keypoint %r lies %.3g longest sides from its shape; points are in the frame of"
            " the mesh file",
            path.parent.name, path.name, names[index], sides[index],
        )  # fmt: skip


def _is_point(entry: object) -> bool:
    numbers = isinstance(entry, list) and all(isinstance(x, int | float) for x in entry)
    try:
        return numbers and len(entry) == 3 and bool(np.isfinite(np.array(entry, np.float64)).all())
    except OverflowError:  # an integer of hundreds of digits
        return False


def _nearest(mesh: Mesh, points: Float[np.ndarray, "k 3"]) -> Int[np.ndarray, " k"]:
    used = np.unique(mesh.faces)
    vertices = np.full(len(points), -1, dtype=np.int64)
    for index in np.flatnonzero(np.isfinite(points).all(axis=1)):
        distance = ((mesh.vertices[used] - points[index]) ** 2).sum(axis=1)
        vertices[index] = used[np.argmin(distance)]
    return vertices
