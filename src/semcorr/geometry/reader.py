"""The one reader of meshes: glTF, OBJ, PLY, OFF, STL in the frame and order of the file."""

import os
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
from jaxtyping import Float

from semcorr.errors import ItemError
from semcorr.geometry.formats import gltf, obj, off, ply, stl
from semcorr.geometry.formats.source import HARD_LIMIT, Source
from semcorr.geometry.mesh import Mesh
from semcorr.geometry.sampling import degenerate_faces

PARSERS: dict[str, Callable[[Source], Mesh]] = {
    ".glb": gltf.parse,
    ".gltf": gltf.parse,
    ".obj": obj.parse,
    ".ply": ply.parse,
    ".off": off.parse,
    ".stl": stl.parse,
}
MAX_COORDINATE = 1e12
# Below this share of the largest coordinate, float64 no longer resolves the shape.
MIN_RELATIVE_EXTENT = 1e-12
MIN_EXTENT = 1e-30

# What the parsers raise for malformed content: wrong words, wrong JSON types, wrong references.
_MALFORMED = (
    ValueError, KeyError, IndexError, TypeError, AttributeError, OverflowError, RecursionError,
    struct.error,
)  # fmt: skip


def read_mesh(
    path: str | Path, *, max_vertices: int | None = None, root: str | Path | None = None
) -> Mesh:
    """Read a mesh in the frame of its file.

    Vertices keep the order of the file: OBJ `v` lines (never split at texture seams), the vertex
    element of PLY, the list of OFF, the different positions of STL, the primitives of glTF one after
    another in depth-first scene order with node transforms applied. Unreferenced vertices and faces
    without area are kept; polygons are cut into fans (`polygon_of_face` leads back).

    Args:
        path: .glb, .gltf, .obj, .ply, .off or .stl (any case).
        max_vertices: larger meshes are refused; None = 50 million.
        root: folder which referenced files must not leave; None = the folder of the mesh.

    Raises:
        ItemError: the file is missing, empty, truncated, malformed, a point cloud, not finite,
            huge, without extent or area, too large, or refers to files outside of `root`.
        OSError: the file could not be read now (a retry may mend it).
    """
    source = _open(Path(path), max_vertices, root)
    mesh = _run(PARSERS[source.path.suffix.lower()], source)
    _check_shape(source, mesh)
    return mesh


def read_bytes(name: str, data: bytes, *, max_vertices: int | None = None) -> Mesh:
    """Read a mesh from memory as `read_mesh` reads a file; files beside it do not exist.

    Args:
        name: file name, whose ending says the format.
        data: the whole file.
        max_vertices: larger meshes are refused.

    Raises:
        ItemError: as `read_mesh`; a reference that leaves the folder of the file has status `outside`.
    """
    # no path of this machine lies in a folder below a file
    folder = Path(os.devnull) / "none"
    source = _source(folder / name, data, max_vertices, folder)
    mesh = _run(PARSERS[source.path.suffix.lower()], source)
    _check_shape(source, mesh)
    return mesh


def read_object_boxes(
    path: str | Path, *, root: str | Path | None = None
) -> Float[np.ndarray, "n 8 3"]:
    """Return the corners of each object's own box in the frame of the file.

    For glTF the corners of the local box of every node with a mesh, moved by the node's transform
    (loose where a node is rotated); for other formats one tight box. `world_from_file` takes them
    as `legacy_boxes` to normalise as HNSR does (its section on rendering).
    """
    source = _open(Path(path), None, root)
    if source.path.suffix.lower() in (".glb", ".gltf"):
        return _run(gltf.object_boxes, source)
    mesh = _run(PARSERS[source.path.suffix.lower()], source)
    used = mesh.vertices[np.unique(mesh.faces)]
    ends = zip(used.min(axis=0), used.max(axis=0), strict=True)
    return np.stack(np.meshgrid(*ends, indexing="ij"), axis=-1).reshape(1, 8, 3)


def _open(path: Path, max_vertices: int | None, root: str | Path | None) -> Source:
    _check_format(path)
    if not path.exists():
        raise ItemError(f"{path.name}: the file is missing", "missing")
    if not path.is_file():
        raise ItemError(f"{path.name}: is not a regular file")
    return _source(
        path, path.read_bytes(), max_vertices, path.parent if root is None else Path(root)
    )


def _check_format(path: Path) -> None:
    if path.suffix.lower() not in PARSERS:
        known = ", ".join(sorted(PARSERS))
        raise ItemError(
            f"{path.name}: unknown mesh format {path.suffix!r}, expected one of {known}"
        )


def _source(path: Path, data: bytes, max_vertices: int | None, root: Path) -> Source:
    _check_format(path)
    if not data:
        raise ItemError(f"{path.name}: the file is empty")
    return Source(path, data, root, HARD_LIMIT if max_vertices is None else max_vertices)


def _run(parser: Callable, source: Source):
    try:
        with np.errstate(all="ignore"):
            return parser(source)
    except _MALFORMED as error:
        text = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        kind = source.path.suffix[1:].lower()
        raise source.error(f"cannot be read as {kind}: {text[:200]}") from error


def _check_shape(source: Source, mesh: Mesh) -> None:
    """Refuse coordinates from which no normalised float32 shape can be made."""
    if not np.isfinite(mesh.vertices).all():
        wrong = int(np.argmin(np.isfinite(mesh.vertices).all(axis=1)))
        raise source.error(f"has NaN or infinite coordinates (vertex {wrong})")
    largest = float(np.abs(mesh.vertices).max())
    if largest > MAX_COORDINATE:
        raise source.error(
            f"has huge coordinates: {largest:.3g}, the largest allowed is {MAX_COORDINATE:.0e}"
        )
    used = mesh.vertices[np.unique(mesh.faces)]
    extent = float(np.ptp(used, axis=0).max())
    if extent <= max(MIN_EXTENT, MIN_RELATIVE_EXTENT * largest):
        raise source.error(f"has no extent: its longest side is {extent:.3g}")
    if degenerate_faces(mesh).all():
        raise source.error(f"has no area: all {len(mesh.faces)} faces are degenerate")
