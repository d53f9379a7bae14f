"""Coloured meshes as files: binary PLY and GLB with the vertices exactly as given, in their order.

Own writers, because general libraries merge, reorder or date what they write: here the same arrays
give the same bytes. Positions stay in the frame of the caller (for `pair`: the frame of the file).
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float, Int, UInt8

from semcorr.errors import UserError
from semcorr.report.colours import linear_light
from semcorr.report.glb import mesh_glb


def write_mesh(
    path: Path,
    vertices: Float[np.ndarray, "v 3"],
    faces: Int[np.ndarray, "f 3"],
    colours: UInt8[np.ndarray, "v 3"],
) -> None:
    """Write a coloured mesh as the format that the suffix names (.ply or .glb)."""
    path = Path(path)
    writers = {".ply": ply_bytes, ".glb": glb_bytes}
    if path.suffix.lower() not in writers:
        raise UserError(f"{path.name}: coloured meshes are written as .ply or .glb")
    path.write_bytes(writers[path.suffix.lower()](vertices, faces, colours))


def ply_bytes(
    vertices: Float[np.ndarray, "v 3"],
    faces: Int[np.ndarray, "f 3"],
    colours: UInt8[np.ndarray, "v 3"],
) -> bytes:
    """A binary little-endian PLY with red, green, blue, alpha (sRGB) a vertex.

    Coordinates are `float` where that is exact enough to give back the same float32, else `double`
    (large offsets, as in surveyed scans, lose their detail in float32).
    """
    vertices, faces, colours = _checked(vertices, faces, colours)
    kind, code = ("float", "<f4") if _fits_float32(vertices) else ("double", "<f8")
    header = ["ply", "format binary_little_endian 1.0", f"element vertex {len(vertices)}"]
    header += [f"property {kind} {axis}" for axis in "xyz"]
    header += [f"property uchar {channel}" for channel in ("red", "green", "blue", "alpha")]
    header += [f"element face {len(faces)}", "property list uchar int vertex_indices", "end_header"]
    rows = np.empty(len(vertices), dtype=[("xyz", code, 3), ("rgba", "u1", 4)])
    rows["xyz"] = vertices
    rows["rgba"] = colours
    polygons = np.empty(len(faces), dtype=[("count", "u1"), ("corners", "<i4", 3)])
    polygons["count"] = 3
    polygons["corners"] = faces
    return ("\n".join(header) + "\n").encode("ascii") + rows.tobytes() + polygons.tobytes()


def glb_bytes(
    vertices: Float[np.ndarray, "v 3"],
    faces: Int[np.ndarray, "f 3"],
    colours: UInt8[np.ndarray, "v 3"],
) -> bytes:
    """A glTF 2.0 binary with one mesh and COLOR_0 (float, linear light as glTF 2.0 3.7.2.1 says).

    glTF positions are float32: a mesh far from the origin is stored about its centre, and the node
    carries the centre as its translation (a double in JSON), so that detail and position survive.
    No normals are written: readers then shade flat, as glTF prescribes.
    """
    vertices, faces, colours = _checked(vertices, faces, colours)
    offset = np.zeros(3)
    if not _fits_float32(vertices):
        offset = (vertices.min(axis=0) + vertices.max(axis=0)) / 2.0
    attributes = {"POSITION": vertices - offset, "COLOR_0": _linear_rgba(colours)}
    return mesh_glb(attributes, faces, translation=offset)


def _checked(vertices, faces, colours):
    """Check shapes and ranges; colours become (v, 4) with full alpha."""
    vertices = np.asarray(vertices, dtype=np.float64)
    faces = np.asarray(faces)
    colours = np.asarray(colours)
    if vertices.ndim != 2 or vertices.shape[1] != 3 or len(vertices) == 0:
        raise ValueError(f"vertices: expected (v, 3) with v > 0, got {vertices.shape}")
    if not np.isfinite(vertices).all():
        raise ValueError("vertices: NaN or infinite coordinates")
    if faces.ndim != 2 or faces.shape[1] != 3 or len(faces) == 0:
        raise ValueError(f"faces: expected (f, 3) with f > 0, got {faces.shape}")
    if faces.min() < 0 or faces.max() >= len(vertices):
        raise ValueError(
            f"faces: indices {faces.min()}..{faces.max()} do not fit {len(vertices)} vertices"
        )
    if colours.dtype != np.uint8 or colours.shape not in ((len(vertices), 3), (len(vertices), 4)):
        raise ValueError(
            f"colours: expected uint8 ({len(vertices)}, 3 or 4), "
            f"got {colours.dtype} {colours.shape}"
        )
    if colours.shape[1] == 3:
        colours = np.concatenate([colours, np.full((len(colours), 1), 255, np.uint8)], axis=1)
    return vertices, faces, colours


def _fits_float32(vertices: Float[np.ndarray, "v 3"]) -> bool:
    """Whether float32 keeps every coordinate to a millionth of the longest side."""
    with np.errstate(over="ignore"):
        error = np.abs(vertices.astype(np.float32).astype(np.float64) - vertices).max()
    return bool(error <= 1e-6 * np.ptp(vertices, axis=0).max())


def _linear_rgba(colours: UInt8[np.ndarray, "v 4"]) -> Float[np.ndarray, "v 4"]:
    """SRGB bytes to linear light in 0..1; alpha is linear already."""
    return np.concatenate([linear_light(colours[:, :3]), colours[:, 3:] / 255.0], axis=1)
