"""A mesh with a baked texture as GLB; the same arrays give the same bytes."""

import numpy as np
from jaxtyping import Float, Int, UInt8

from semcorr.report.glb import mesh_glb
from semcorr.report.png import png_bytes


def textured_glb_bytes(
    vertices: Float[np.ndarray, "v 3"],
    faces: Int[np.ndarray, "f 3"],
    corner_uvs: Float[np.ndarray, "f 3 2"],
    picture: UInt8[np.ndarray, "h w 3"],
) -> bytes:
    """A glTF 2.0 binary with one mesh and one base colour texture.

    glTF has one texture coordinate a vertex, so vertices on seams are doubled: they come in the order
    of the file's vertex, then of the coordinates.

    Args:
        vertices: in the frame of glTF.
        faces: indices.
        corner_uvs: (0, 0) = lower left of the picture (glTF counts from the top: written as 1 - v).
        picture: sRGB, row 0 = top.
    """
    vertices, faces = np.asarray(vertices, np.float64), np.asarray(faces, np.int64)
    if faces.ndim != 2 or faces.shape[1] != 3 or not len(faces):
        raise ValueError(f"faces: expected (f, 3) with f > 0, got {faces.shape}")
    if corner_uvs.shape != (len(faces), 3, 2):
        raise ValueError(f"corner_uvs: expected ({len(faces)}, 3, 2), got {corner_uvs.shape}")
    if not (np.isfinite(vertices).all() and np.isfinite(corner_uvs).all()):
        raise ValueError("vertices and corner_uvs: NaN or infinite values")
    uvs = corner_uvs.reshape(-1, 2).astype(np.float32)
    rows = np.empty(len(uvs), dtype=[("vertex", "<i8"), ("u", "<f4"), ("v", "<f4")])
    rows["vertex"], rows["u"], rows["v"] = faces.ravel(), uvs[:, 0], uvs[:, 1]
    split, corners = np.unique(rows, return_inverse=True)
    attributes = {
        "POSITION": vertices[split["vertex"]],
        "TEXCOORD_0": np.stack([split["u"], np.float32(1.0) - split["v"]], axis=1),
    }
    return mesh_glb(attributes, corners.reshape(-1, 3), png=png_bytes(picture))
