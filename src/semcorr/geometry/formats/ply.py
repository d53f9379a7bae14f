"""PLY (ascii, binary of both byte orders): vertices in the order of the vertex element."""

import numpy as np

from semcorr.geometry.formats.colors import bytes_from_any, rgba
from semcorr.geometry.formats.pictures import Pictures
from semcorr.geometry.formats.ply_body import Ragged, Table, Truncated, read_body
from semcorr.geometry.formats.ply_header import Header, read_header
from semcorr.geometry.formats.polygons import fan
from semcorr.geometry.formats.source import Source
from semcorr.geometry.formats.text import without_mark
from semcorr.geometry.mesh import Material, Mesh

_COLORS = (
    ("red", "green", "blue"),
    ("r", "g", "b"),
    ("diffuse_red", "diffuse_green", "diffuse_blue"),
)
_UVS = (("s", "t"), ("u", "v"), ("texture_u", "texture_v"), ("texture_s", "texture_t"))
_WHITE = (1.0, 1.0, 1.0, 1.0)


def parse(source: Source) -> Mesh:
    """Read a PLY file: polygons, colours of vertices, texture coordinates, TextureFile comments."""
    data = without_mark(source.data)
    header = read_header(data)
    counts = {element.name: element.count for element in header.elements}
    source.check_vertices(counts.get("vertex", 0))
    source.check_faces(counts.get("face", 0))
    if not counts.get("face"):
        if counts.get("tristrips"):
            raise source.error("stores triangle strips, which are not supported: save it as faces")
        raise source.no_faces(counts.get("vertex", 0))
    try:
        tables = read_body(data, header)
    except Truncated as error:
        raise source.error(str(error)) from error
    vertex, face = tables.get("vertex", {}), tables["face"]
    if not all(axis in vertex for axis in "xyz"):
        raise source.error("has no positions: its vertices lack x, y or z")
    vertices = np.stack([np.asarray(vertex[axis], np.float64) for axis in "xyz"], axis=1)
    return _build(source, header, vertices, vertex, face)


def _build(
    source: Source, header: Header, vertices: np.ndarray, vertex: Table, face: Table
) -> Mesh:
    lists = face.get("vertex_indices", face.get("vertex_index"))
    if not isinstance(lists, Ragged):
        raise source.error("has no polygons: its faces lack the list vertex_indices")
    triangles, polygon = fan(lists.sizes)
    if not len(triangles):
        raise source.no_faces(len(vertices))
    faces = source.checked_faces(lists.values.astype(np.int64)[triangles], len(vertices))
    colors = _vertex_colors(vertex)
    materials, of_polygon = _materials(source, header, face, colors is not None)
    return Mesh(
        vertices,
        faces,
        polygon_of_face=polygon,
        vertex_colors=colors,
        corner_uvs=_corner_uvs(vertex, face, lists.sizes, faces, triangles),
        face_materials=None if of_polygon is None else of_polygon[polygon].astype(np.int32),
        materials=materials,
    )


def _vertex_colors(vertex: Table) -> np.ndarray | None:
    for names in _COLORS:
        if all(isinstance(vertex.get(name), np.ndarray) for name in names):
            names = (*names, "alpha") if isinstance(vertex.get("alpha"), np.ndarray) else names
            return rgba(np.stack([bytes_from_any(vertex[name]) for name in names], axis=1))
    return None


def _corner_uvs(
    vertex: Table, face: Table, sizes: np.ndarray, faces: np.ndarray, triangles: np.ndarray
) -> np.ndarray | None:
    """Take coordinates per corner (list `texcoord` of faces) before coordinates per vertex."""
    per_corner = face.get("texcoord")
    if isinstance(per_corner, Ragged) and (per_corner.sizes == 2 * sizes).all():
        return np.nan_to_num(per_corner.values.reshape(-1, 2)[triangles]).astype(np.float32)
    for names in _UVS:
        if all(isinstance(vertex.get(name), np.ndarray) for name in names):
            uvs = np.stack([vertex[name] for name in names], axis=1).astype(np.float32)
            return np.nan_to_num(uvs[faces])
    return None


def _materials(
    source: Source, header: Header, face: Table, colored: bool
) -> tuple[tuple[Material, ...], np.ndarray | None]:
    """Return one material per picture and, with several, the material of every polygon."""
    if not header.pictures:
        return (Material(_WHITE) if colored else Material(),), None
    pictures = Pictures(source)
    found = [pictures.from_file(name) for name in header.pictures]
    materials = tuple(Material(_WHITE, p) if p is not None else Material() for p in found)
    number = face.get("texnumber")
    if len(materials) == 1 or not isinstance(number, np.ndarray):
        return materials, None
    return materials, np.clip(number.astype(np.int64), 0, len(materials) - 1)
