"""Files of glTF 2.0 in one piece: one mesh with its attributes, and a picture if it has one."""

import json
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float, Int

_GLB_HEADER = struct.Struct("<III")
_CHUNK_HEADER = struct.Struct("<II")
_ARRAY_BUFFER, _ELEMENT_ARRAY_BUFFER = 34962, 34963
_UNSIGNED_INT, _FLOAT = 5125, 5126


def mesh_glb(
    attributes: Mapping[str, Float[np.ndarray, "v c"]],
    faces: Int[np.ndarray, "f 3"],
    *,
    png: bytes | None = None,
    translation: Float[np.ndarray, "3"] | None = None,
) -> bytes:
    """Return the file of one mesh whose material is matt and seen from both sides.

    Args:
        attributes: POSITION, and others by their names in glTF, one row a vertex.
        faces: indices.
        png: picture of base colours, for TEXCOORD_0.
        translation: of the node, in double precision.
    """
    parts = [np.asarray(values, "<f4") for values in attributes.values()]
    parts.append(np.asarray(faces, "<u4"))
    chunks = [part.tobytes() for part in parts] + ([png] if png else [])
    node: dict[str, Any] = {"mesh": 0}
    if translation is not None and np.any(translation):
        node["translation"] = np.asarray(translation, np.float64).tolist()
    primitive = {
        "attributes": {name: place for place, name in enumerate(attributes)},
        "indices": len(attributes),
        "material": 0,
    }
    views = _views(chunks, len(attributes))
    document = {
        "asset": {"version": "2.0", "generator": "semcorr"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [node],
        "meshes": [{"primitives": [primitive]}],
        "materials": [_material(textured=png is not None)],
    }
    if png is not None:
        document |= {
            "textures": [{"source": 0}],
            "images": [{"bufferView": len(parts), "mimeType": "image/png"}],
        }
    length = sum(map(len, chunks))
    document |= {
        "accessors": [_accessor(part, place, parts) for place, part in enumerate(parts)],
        "bufferViews": views,
        "buffers": [{"byteLength": length + -length % 4}],
    }
    return _packed(document, b"".join(chunks))


def _views(chunks: list[bytes], attributes: int) -> list[dict]:
    """Where each attribute, the indices and the picture lie in the buffer."""
    targets = [_ARRAY_BUFFER] * attributes + [_ELEMENT_ARRAY_BUFFER]
    views, start = [], 0
    for place, chunk in enumerate(chunks):
        view = {"buffer": 0, "byteOffset": start, "byteLength": len(chunk)}
        views.append(view | ({"target": targets[place]} if place < len(targets) else {}))
        start += len(chunk)
    return views


def _accessor(part: np.ndarray, place: int, parts: list[np.ndarray]) -> dict:
    if place == len(parts) - 1:
        kind = {"componentType": _UNSIGNED_INT, "count": part.size, "type": "SCALAR"}
        return {"bufferView": place} | kind
    kind = {"componentType": _FLOAT, "count": len(part), "type": f"VEC{part.shape[1]}"}
    found = {"bufferView": place} | kind
    if place == 0:  # the standard asks for the box of positions
        found |= {"min": part.min(axis=0).tolist(), "max": part.max(axis=0).tolist()}
    return found


def _material(textured: bool) -> dict:
    surface: dict[str, Any] = {"baseColorTexture": {"index": 0}} if textured else {}
    surface |= {"metallicFactor": 0.0, "roughnessFactor": 1.0}
    return {"pbrMetallicRoughness": surface, "doubleSided": True}


def _packed(document: dict, body: bytes) -> bytes:
    """The container of glTF 2.0: a header, the JSON, and the buffer, each a multiple of 4 bytes."""
    text = json.dumps(document, separators=(",", ":")).encode("ascii")
    text += b" " * (-len(text) % 4)
    body += b"\0" * (-len(body) % 4)
    total = _GLB_HEADER.size + 2 * _CHUNK_HEADER.size + len(text) + len(body)
    return b"".join(
        [
            _GLB_HEADER.pack(0x46546C67, 2, total),  # "glTF"
            _CHUNK_HEADER.pack(len(text), 0x4E4F534A),  # "JSON"
            text,
            _CHUNK_HEADER.pack(len(body), 0x004E4942),  # "BIN"
            body,
        ]
    )
