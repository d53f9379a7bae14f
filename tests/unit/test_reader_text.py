"""Text files as editors and old programs leave them: byte order marks, CR line ends, letters."""

import struct

import numpy as np
import pytest

from semcorr.geometry.reader import read_mesh

POINTS = ("0 0 0", "1 0 0", "1 1 0", "0 1 0.5")
FILES = {
    "m.obj": ["v " + p for p in POINTS] + ["f 1 2 \\", "3", "f 1 3 4", "# end"],
    "m.off": ["OFF", "# \N{LATIN CAPITAL LETTER A WITH RING ABOVE}ngstrom", "4 2 0", *POINTS,
              "3 0 1 2", "3 0 2 3"],
    "m.ply": ["ply", "format ascii 1.0", "comment by \N{LATIN CAPITAL LETTER A WITH RING ABOVE}sa",
              "element vertex 4", "property float x", "property float y", "property float z",
              "element face 2", "property list uchar int vertex_indices", "end_header", *POINTS,
              "3 0 1 2", "3 0 2 3"],
    "m.stl": ["solid vertex 1 2 3"]
    + [word for corners in ((0, 1, 2), (0, 2, 3))
       for word in ("facet normal 0 0 1", "outer loop", *("vertex " + POINTS[c] for c in corners),
                    "endloop", "endfacet")]
    + ["endsolid"],
}  # fmt: skip
STYLES = {
    "plain": ("", "\n"),
    "mark": ("\ufeff", "\n"),
    "cr": ("", "\r"),
    "crlf": ("", "\r\n"),
    "mark and cr": ("\ufeff", "\r"),
}


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", FILES)
def test_marks_and_line_ends_change_nothing(tmp_path, name, style):
    mark, end = STYLES[style]
    (tmp_path / name).write_bytes((mark + end.join(FILES[name]) + end).encode())
    mesh = read_mesh(tmp_path / name)
    corners = np.array([[float(x) for x in p.split()] for p in POINTS])
    np.testing.assert_array_equal(mesh.vertices, corners.astype(mesh.vertices.dtype))
    assert mesh.faces.tolist() == [[0, 1, 2], [0, 2, 3]]


@pytest.mark.parametrize("style", STYLES)
def test_material_libraries(tmp_path, style):
    mark, end = STYLES[style]
    library = ["newmtl red", "Kd 1 0 0", "newmtl blue", "Kd 0 0 1"]
    (tmp_path / "m.mtl").write_bytes((mark + end.join(library) + end).encode())
    lines = ["mtllib m.mtl", *FILES["m.obj"][:4], "usemtl red", "f 1 2 3", "usemtl blue", "f 1 3 4"]
    (tmp_path / "m.obj").write_bytes((mark + end.join(lines)).encode())
    mesh = read_mesh(tmp_path / "m.obj")
    colors = [mesh.materials[slot].base_color for slot in mesh.face_materials]
    assert colors == [(1.0, 0.0, 0.0, 1.0), (0.0, 0.0, 1.0, 1.0)]


def test_a_binary_body_after_a_header_of_cr_lines(tmp_path):
    """A line feed among its bytes is none."""
    header = [line.replace("ascii", "binary_little_endian") for line in FILES["m.ply"][:10]]
    points = [(10.0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0.5)]
    data = "\r".join(header).encode() + b"\r" + b"".join(struct.pack("<3f", *p) for p in points)
    data += b"".join(struct.pack("<B3i", 3, *face) for face in ((0, 1, 2), (0, 2, 3)))
    assert b"\n" not in data
    (tmp_path / "m.ply").write_bytes(data)
    assert read_mesh(tmp_path / "m.ply").vertices.tolist() == [list(p) for p in points]
    (tmp_path / "m.ply").write_bytes(data.replace(struct.pack("<f", 10.0), b"\n\n\nA"))
    assert read_mesh(tmp_path / "m.ply").vertices[1:].tolist() == [list(p) for p in points[1:]]
