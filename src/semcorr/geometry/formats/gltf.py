"""glTF 2.0 (.gltf, .glb): primitives one after another in depth-first scene order."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, UInt8

from semcorr.geometry.formats.colors import bytes_from_unit, rgba
from semcorr.geometry.formats.gltf_document import Document
from semcorr.geometry.formats.gltf_materials import Looks
from semcorr.geometry.formats.gltf_scene import Placed, Scene
from semcorr.geometry.formats.source import Source
from semcorr.geometry.mesh import Material, Mesh
from semcorr.geometry.srgb import srgb_from_linear

_TRIANGLES, _STRIP, _FAN = 4, 5, 6


@dataclass(frozen=True)
class _Part:
    """One primitive in the file frame; `faces` count from its own first vertex."""

    vertices: Float[np.ndarray, "v 3"]
    faces: Int[np.ndarray, "f 3"]
    colors: UInt8[np.ndarray, "v 4"] | None
    uvs: Float[np.ndarray, "v 2"] | None
    slot: int


def parse(source: Source) -> Mesh:
    """Read the default scene: node transforms applied, skinned and morphed meshes in its pose.

    Points and lines are left out. Colours and base colour factors, linear in the file, become sRGB.
    """
    document = Document(source)
    scene = Scene(document)
    placed = scene.meshes()
    vertices, faces, points = _counts(document, placed)
    source.check_vertices(vertices)
    source.check_faces(faces)
    if not faces:
        raise source.no_faces(points)
    looks = Looks(document)
    slots: dict[int | None, int] = {}
    parts = [
        _part(document, scene, use, primitive, looks, slots)
        for use in placed
        for primitive in _surfaces(document, use)
    ]
    return _join(source, parts, tuple(looks.read(index).material for index in slots))


def object_boxes(source: Source) -> Float[np.ndarray, "n 8 3"]:
    """Return the corners of every object's local box, moved into the file frame (see frames.py)."""
    document = Document(source)
    boxes = []
    for use in Scene(document).meshes():
        positions = [
            document.array(primitive["attributes"]["POSITION"]).astype(np.float64)
            for primitive in _surfaces(document, use)
        ]
        positions = [p for p in positions if len(p)]
        if positions:
            low = np.min([p.min(axis=0) for p in positions], axis=0)
            high = np.max([p.max(axis=0) for p in positions], axis=0)
            corners = np.stack(np.meshgrid(*zip(low, high, strict=True), indexing="ij"), axis=-1)
            boxes.append(_moved(corners.reshape(8, 3), use.file_from_node))
    return np.array(boxes).reshape(-1, 8, 3)


def _surfaces(document: Document, use: Placed) -> list[dict]:
    primitives = document.get("meshes", use.mesh).get("primitives", [])
    found = [p for p in primitives if p.get("mode", _TRIANGLES) in (_TRIANGLES, _STRIP, _FAN)]
    for primitive in found:
        if "KHR_draco_mesh_compression" in primitive.get("extensions", {}):
            raise document.source.error("is compressed with Draco, which is not supported")
        if "POSITION" not in primitive.get("attributes", {}):
            raise document.source.error("has a primitive without POSITION")
    return found


def _counts(document: Document, placed: list[Placed]) -> tuple[int, int, int]:
    """Return numbers of vertices, of faces, and of points (for the message), reading nothing."""
    vertices = faces = points = 0
    for use in placed:
        for primitive in document.get("meshes", use.mesh).get("primitives", []):
            if "POSITION" in primitive.get("attributes", {}):
                points += document.count(primitive["attributes"]["POSITION"])
        for primitive in _surfaces(document, use):
            count = document.count(primitive["attributes"]["POSITION"])
            vertices += count
            indices = document.count(primitive["indices"]) if "indices" in primitive else count
            triangles = primitive.get("mode", _TRIANGLES) == _TRIANGLES
            faces += indices // 3 if triangles else max(indices - 2, 0)
    return vertices, faces, points


def _part(
    document: Document,
    scene: Scene,
    use: Placed,
    primitive: dict,
    looks: Looks,
    slots: dict[int | None, int],
) -> _Part:
    attributes = primitive["attributes"]
    local = _morphed(document, primitive, use.weights)
    if use.skin is not None and "JOINTS_0" in attributes and "WEIGHTS_0" in attributes:
        vertices, mirrored = _skinned(document, scene, use.skin, attributes, local), False
    else:
        vertices = _moved(local, use.file_from_node)
        mirrored = np.linalg.det(use.file_from_node[:3, :3]) < 0
    faces = _faces(document, primitive, len(vertices))
    if mirrored:
        # glTF: a mirroring transform reverses the order of corners
        faces = faces[:, [0, 2, 1]]
    material = primitive.get("material")
    look = looks.read(material)
    uv_name = f"TEXCOORD_{look.uv_set}"
    uvs = None
    if uv_name in attributes:
        uvs = look.uvs(_checked(document, attributes[uv_name], len(vertices), (2,)))
    slot = slots.setdefault(material, len(slots))
    return _Part(vertices, faces, _colors(document, attributes, len(vertices)), uvs, slot)


def _checked(document: Document, accessor: int, count: int, widths: tuple[int, ...]) -> np.ndarray:
    values = document.array(accessor)
    if len(values) != count or values.shape[1] not in widths:
        raise document.source.error(
            f"accessors[{accessor}] is {values.shape}, expected ({count}, {widths[0]})"
        )
    return values.astype(np.float64)


def _morphed(
    document: Document, primitive: dict, weights: tuple[float, ...]
) -> Float[np.ndarray, "v 3"]:
    accessor = primitive["attributes"]["POSITION"]
    positions = _checked(document, accessor, document.count(accessor), (3,))
    for target, weight in zip(primitive.get("targets", []), weights, strict=False):
        if weight and "POSITION" in target:
            moves = _checked(document, target["POSITION"], len(positions), (3,))
            positions = positions + float(weight) * moves
    return positions


def _skinned(
    document: Document, scene: Scene, skin: int, attributes: dict, local: np.ndarray
) -> Float[np.ndarray, "v 3"]:
    matrices = scene.joint_matrices(skin)
    result = np.zeros_like(local)
    total = np.zeros(len(local))
    for k in range(4):  # sets JOINTS_0 .. JOINTS_3 of four joints each
        if f"JOINTS_{k}" not in attributes or f"WEIGHTS_{k}" not in attributes:
            break
        joints = _checked(document, attributes[f"JOINTS_{k}"], len(local), (4,)).astype(np.int64)
        weights = _checked(document, attributes[f"WEIGHTS_{k}"], len(local), (4,))
        if len(joints) and joints.max() >= len(matrices):
            raise document.source.error(f"refers to joint {joints.max()} of {len(matrices)}")
        for c in range(4):
            chosen = matrices[joints[:, c]]
            moved = np.einsum("vij,vj->vi", chosen[:, :3, :3], local) + chosen[:, :3, 3]
            result += weights[:, c : c + 1] * moved
        total += weights.sum(axis=1)
    return result / np.where(total > 0, total, 1.0)[:, None]


def _moved(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    if np.array_equal(matrix, np.eye(4)):
        return points
    return points @ matrix[:3, :3].T + matrix[:3, 3]


def _faces(document: Document, primitive: dict, count: int) -> Int[np.ndarray, "f 3"]:
    if "indices" in primitive:
        indices = document.array(primitive["indices"], normalise=False)[:, 0].astype(np.int64)
    else:
        indices = np.arange(count)
    mode = primitive.get("mode", _TRIANGLES)
    if mode == _TRIANGLES:
        faces = indices[: len(indices) // 3 * 3].reshape(-1, 3)
    elif mode == _STRIP:
        faces = np.stack([indices[:-2], indices[1:-1], indices[2:]], axis=1)
        faces[1::2] = faces[1::2][:, [0, 2, 1]]
    else:
        first = np.broadcast_to(indices[:1], max(len(indices) - 2, 0))
        faces = np.stack([indices[1:-1], indices[2:], first], axis=1)
    return document.source.checked_faces(faces, count)


def _colors(document: Document, attributes: dict, count: int) -> UInt8[np.ndarray, "v 4"] | None:
    if "COLOR_0" not in attributes:
        return None
    values = _checked(document, attributes["COLOR_0"], count, (3, 4))
    entry = document.get("accessors", attributes["COLOR_0"])
    if entry["componentType"] != 5126 and not entry.get("normalized"):
        # required by the format, forgotten by some writers
        values = values / (255.0 if entry["componentType"] == 5121 else 65535.0)
    values[:, :3] = srgb_from_linear(np.nan_to_num(values[:, :3]))
    return rgba(bytes_from_unit(values))


def _join(source: Source, parts: list[_Part], materials: tuple[Material, ...]) -> Mesh:
    sizes = np.array([len(part.vertices) for part in parts])
    starts = np.cumsum(sizes) - sizes
    faces = np.concatenate([p.faces + s for p, s in zip(parts, starts, strict=True)])
    slots = np.concatenate([np.full(len(p.faces), p.slot, np.int32) for p in parts])
    colors = uvs = None
    if any(part.colors is not None for part in parts):
        white = [np.full((n, 4), 255, np.uint8) for n in sizes]
        colors = np.concatenate(
            [w if p.colors is None else p.colors for p, w in zip(parts, white, strict=True)]
        )
        grey = Material()
        # without a material, the colours of vertices are the whole look
        materials = tuple(Material((1.0,) * 4) if m == grey else m for m in materials)
    if any(part.uvs is not None for part in parts):
        uvs = np.concatenate(
            [
                np.zeros((len(p.faces), 3, 2), np.float32)
                if p.uvs is None
                else np.nan_to_num(p.uvs[p.faces]).astype(np.float32)
                for p in parts
            ]
        )
    return Mesh(
        np.concatenate([part.vertices for part in parts]),
        source.checked_faces(faces, int(sizes.sum())),
        vertex_colors=colors,
        corner_uvs=uvs,
        face_materials=slots,
        materials=materials,
    )
