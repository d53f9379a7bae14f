"""OFF and COFF (ascii): vertices and polygons in the order of the file."""

import re

import numpy as np

from semcorr.geometry.formats.colors import bytes_from_unit, rgba
from semcorr.geometry.formats.polygons import fan
from semcorr.geometry.formats.source import Source
from semcorr.geometry.formats.text import text_lines
from semcorr.geometry.mesh import Material, Mesh

_KEYWORD = re.compile(r"^(ST)?(C)?(N)?(4)?(n)?OFF$")


def parse(source: Source) -> Mesh:
    """Read an OFF file, with colours of vertices (those of faces are left out)."""
    lines = [line for line in _lines(source.data) if line]
    if not lines:
        raise source.error("is not an OFF file: it has no header")
    keyword = _KEYWORD.match(lines[0][0])
    if keyword is None:
        raise source.error(f"is not an OFF file: it begins with {lines[0][0][:20]!r}")
    if keyword[4] or keyword[5]:
        raise source.error("is a four-dimensional OFF file, which is no surface in space")
    if lines[0][1:2] and lines[0][1].upper() == "BINARY":
        raise source.error("is a binary OFF file, which is not supported: save it as text")
    lines[0] = lines[0][1:]
    lines = lines if lines[0] else lines[1:]
    vertex_count, face_count = (int(token) for token in (lines[0] if lines else [])[:2])
    _check_counts(source, vertex_count, face_count, len(lines) - 1)
    rows = lines[1 : 1 + vertex_count]
    faces = lines[1 + vertex_count : 1 + vertex_count + face_count]
    return _build(source, rows, faces, has_normals=bool(keyword[3]), has_colors=bool(keyword[2]))


def _lines(data: bytes) -> list[list[str]]:
    return [line.partition("#")[0].split() for line in text_lines(data, "latin-1")]


def _check_counts(source: Source, vertices: int, faces: int, there: int) -> None:
    if vertices < 0 or faces < 0:
        raise source.error(f"has a broken header: {vertices} vertices, {faces} faces")
    source.check_vertices(vertices)
    source.check_faces(faces)
    if vertices + faces > there:
        raise source.error(
            f"is truncated: {vertices} vertices and {faces} faces in the header, {there} lines"
        )
    if not faces:
        raise source.no_faces(vertices)


def _build(source: Source, rows: list, faces: list, has_normals: bool, has_colors: bool) -> Mesh:
    if min((len(row) for row in rows), default=3) < 3:
        raise ValueError("a vertex has less than three coordinates")
    vertices = np.array([row[:3] for row in rows], dtype=np.float64).reshape(-1, 3)
    sizes = np.array([int(face[0]) for face in faces], dtype=np.int64)
    short = [i for i, face in enumerate(faces) if not 0 <= sizes[i] < len(face)]
    if short:
        raise source.error(
            f"face {short[0]} names {sizes[short[0]]} corners but does not list them"
        )
    corners = np.array(
        [int(token) for face, n in zip(faces, sizes, strict=True) for token in face[1 : n + 1]],
        dtype=np.int64,
    )
    triangles, polygon = fan(sizes)
    if not len(triangles):
        raise source.no_faces(len(vertices))
    start = 6 if has_normals else 3
    # many writers put colours behind the position without the C in the keyword
    has_colors = has_colors or (not has_normals and all(len(row) in (6, 7) for row in rows))
    colors = _colors(rows, start) if has_colors else None
    return Mesh(
        vertices,
        source.checked_faces(corners[triangles], len(vertices)),
        polygon_of_face=polygon,
        vertex_colors=colors,
        materials=(Material((1.0, 1.0, 1.0, 1.0)),) if colors is not None else (Material(),),
    )


def _colors(rows: list, start: int) -> np.ndarray:
    width = min(min(len(row) - start for row in rows), 4)
    if width < 3:
        raise ValueError("a vertex has less than three colour values")
    words = [row[start : start + width] for row in rows]
    values = np.array(words, dtype=np.float64)
    # the format tells integers 0..255 from floats 0..1 by how they are written
    fractional = any("." in word for row in words[:1000] for word in row)
    return rgba(bytes_from_unit(values if fractional else values / 255.0))
