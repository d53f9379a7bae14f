"""Wavefront OBJ: vertices in the order of the `v` lines, never split at texture seams."""

import logging

import numpy as np

from semcorr.geometry.formats.colors import bytes_from_unit, rgba
from semcorr.geometry.formats.mtl import read_library
from semcorr.geometry.formats.pictures import Pictures
from semcorr.geometry.formats.polygons import fan
from semcorr.geometry.formats.references import library_names
from semcorr.geometry.formats.source import Source
from semcorr.geometry.formats.text import logical_lines, text_lines
from semcorr.geometry.mesh import Material, Mesh

log = logging.getLogger(__name__)


class _Content:
    """What the lines of the file hold, still as words and numbers."""

    def __init__(self):
        self.positions: list[list[str]] = []
        self.uvs: list[list[str]] = []
        self.sizes: list[int] = []  # corners per polygon
        self.corners: list[int] = []  # vertex index per corner
        self.corner_uv: list[int] = []  # uv index per corner, -1 = none
        self.polygon_material: list[int] = []
        self.material_names: list[str | None] = []
        self.libraries: list[str] = []


def parse(source: Source) -> Mesh:
    """Read an OBJ file with its material libraries (Kd, d, map_Kd) and colours of vertices."""
    # words of a file cost ten times its size: what is too large is refused before they are read
    source.check_vertices(source.data.count(b"\nv ") + source.data.startswith(b"v "))
    source.check_faces(source.data.count(b"\nf "))
    content = _read_lines(source)
    count = len(content.positions)
    if not content.sizes:
        raise source.no_faces(count)
    triangles, polygon = fan(np.array(content.sizes))
    if not len(triangles):
        raise source.no_faces(count)
    vertices, colors = _vertices(content)
    corners = np.array(content.corners, dtype=np.int64)
    materials, of_slot = _materials(source, content, white=colors is not None)
    return Mesh(
        vertices,
        source.checked_faces(corners[triangles], count),
        polygon_of_face=polygon,
        vertex_colors=colors,
        corner_uvs=_corner_uvs(source, content, triangles),
        face_materials=of_slot[np.array(content.polygon_material)[polygon]].astype(np.int32),
        materials=materials,
    )


def _read_lines(source: Source) -> _Content:
    content = _Content()
    slots: dict[str | None, int] = {}
    name: str | None = None
    for number, line in logical_lines(text_lines(source.data)):
        words = line.split()
        if not words:
            continue
        key = words[0]
        if key == "v":
            content.positions.append(words[1:])
        elif key == "vt":
            content.uvs.append(words[1:3])
        elif key == "f":
            slot = slots.setdefault(name, len(slots))
            try:
                _add_face(content, words[1:])
            except ValueError as error:
                raise source.error(f"line {number}: {error}") from error
            content.polygon_material.append(slot)
        elif key == "usemtl":
            name = line.split(None, 1)[1].strip() if len(words) > 1 else None
        elif key == "mtllib":
            content.libraries.append(line.split(None, 1)[1].strip() if len(words) > 1 else "")
    source.check_vertices(len(content.positions))
    content.material_names = list(slots)
    return content


def _add_face(content: _Content, words: list[str]) -> None:
    for word in words:
        if word.startswith("#"):
            words = words[: words.index(word)]
            break
        parts = word.split("/")
        content.corners.append(_absolute(parts[0], len(content.positions), "vertex"))
        has_uv = len(parts) > 1 and parts[1]
        content.corner_uv.append(_absolute(parts[1], len(content.uvs), "vt") if has_uv else -1)
    content.sizes.append(len(words))


def _absolute(word: str, there: int, kind: str) -> int:
    """Turn an index of the file (from 1; negative: back from the last read) into one from 0."""
    index = int(word)
    if index == 0 or index < -there:
        raise ValueError(f"{kind} index {index} is out of range: {there} were read so far")
    return index - 1 if index > 0 else there + index


def _vertices(content: _Content) -> tuple[np.ndarray, np.ndarray | None]:
    if min(len(words) for words in content.positions) < 3:
        raise ValueError("a vertex has less than three coordinates")
    vertices = np.array([words[:3] for words in content.positions], dtype=np.float64)
    # "x y z r g b" (or "x y z w r g b" with a weight): every vertex has a colour, or none counts
    widths = {len(words) for words in content.positions}
    if not widths <= {6, 7} or len(widths) != 1:
        return vertices, None
    values = np.array([words[-3:] for words in content.positions], dtype=np.float64)
    return vertices, rgba(bytes_from_unit(values / 255.0 if values.max() > 1.0 else values))


def _corner_uvs(source: Source, content: _Content, triangles: np.ndarray) -> np.ndarray | None:
    indices = np.array(content.corner_uv, dtype=np.int64)
    if not len(content.uvs) or indices.max() < 0:
        return None
    if indices.max() >= len(content.uvs):
        raise source.error(
            f"vt index {indices.max() + 1} is out of range: the file has {len(content.uvs)}"
        )
    table = np.zeros((len(content.uvs) + 1, 2))  # the last row serves corners without uv
    for k in (0, 1):
        table[:-1, k] = [float(words[k]) if len(words) > k else 0.0 for words in content.uvs]
    return np.nan_to_num(table[indices[triangles]]).astype(np.float32)


def _materials(
    source: Source, content: _Content, white: bool
) -> tuple[tuple[Material, ...], np.ndarray]:
    """Return the materials and, for every name that faces use, the index of its material."""
    pictures = Pictures(source)
    known: dict[str, Material] = {}
    for reference in content.libraries:
        # one line may name several libraries, and a name may contain spaces
        for part in library_names(reference, source.has):
            known.update(read_library(source, part, pictures))
    plain = Material((1.0, 1.0, 1.0, 1.0)) if white else Material()
    for name in content.material_names:
        if name is not None and name not in known and known:
            log.warning("%s: material %s is not in its library", source.path.name, name)
    materials = tuple(known.get(name, plain) for name in content.material_names)
    return materials, np.arange(len(materials))
