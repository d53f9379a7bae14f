"""A mesh with a baked texture as GLB; the same arrays give the same bytes."""

import numpy as np
from jaxtyping import Float, Int, UInt8

from semcorr.report.exports import pack_glb
from semcorr.report.picture import png_bytes

_ARRAY_BUFFER, _ELEMENT_ARRAY_BUFFER = 34962, 34963
_UNSIGNED_INT, _FLOAT = 5125, 5126


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
    parts = [
        vertices[split["vertex"]].astype("<f4"),
        np.stack([split["u"], np.float32(1.0) - split["v"]], axis=1).astype("<f4"),
        corners.reshape(-1, 3).astype("<u4"),
    ]
    png = png_bytes(picture)
    return pack_glb(_document(parts, len(png)), b"".join(part.tobytes() for part in parts) + png)


def _document(parts: list[np.ndarray], png_size: int) -> dict:
    """The JSON of one mesh whose buffer holds positions, coordinates, indices and the picture."""
    positions, uvs, faces = parts
    views, start = [], 0
    targets = (_ARRAY_BUFFER, _ARRAY_BUFFER, _ELEMENT_ARRAY_BUFFER)
    for part, target in zip(parts, targets, strict=True):
        views.append(
            {"buffer": 0, "byteOffset": start, "byteLength": part.nbytes, "target": target}
        )
        start += part.nbytes
    views.append({"buffer": 0, "byteOffset": start, "byteLength": png_size})
    accessors = [
        {
            "bufferView": 0,
            "componentType": _FLOAT,
            "count": len(positions),
            "type": "VEC3",
            "min": positions.min(axis=0).tolist(),
            "max": positions.max(axis=0).tolist(),
        },
        {"bufferView": 1, "componentType": _FLOAT, "count": len(uvs), "type": "VEC2"},
        {"bufferView": 2, "componentType": _UNSIGNED_INT, "count": faces.size, "type": "SCALAR"},
    ]
    surface = {
        "baseColorTexture": {"index": 0},
        "metallicFactor": 0.0,
        "roughnessFactor": 1.0,
    }
    primitive = {"attributes": {"POSITION": 0, "TEXCOORD_0": 1}, "indices": 2, "material": 0}
    return {
        "asset": {"version": "2.0", "generator": "semcorr"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [primitive]}],
        "materials": [{"pbrMetallicRoughness": surface, "doubleSided": True}],
        "textures": [{"source": 0}],
        "images": [{"bufferView": 3, "mimeType": "image/png"}],
        "accessors": accessors,
        "bufferViews": views,
        "buffers": [{"byteLength": start + png_size + -(start + png_size) % 4}],
    }
