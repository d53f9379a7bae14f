import struct
import time

import numpy as np
import pytest
import trimesh
from PIL import Image

from semcorr.errors import ItemError
from semcorr.geometry.reader import read_mesh

CORNERS = [(0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (1.0, 1.0, 0.0), (0.0, 1.0, 0.0)]


def header(kind, vertices, faces, vertex_extra="", face="list uchar int vertex_indices", extra=""):
    return (
        f"ply\nformat {kind} 1.0\ncomment made here\n{extra}element vertex {vertices}\n"
        f"property float x\nproperty float y\nproperty float z\n{vertex_extra}"
        f"element face {faces}\nproperty {face}\nend_header\n"
    ).encode()


def read(tmp_path, data, **options):
    (tmp_path / "m.ply").write_bytes(data)
    return read_mesh(tmp_path / "m.ply", **options)


def body(order, polygons, corners=CORNERS):
    data = b"".join(struct.pack(order + "3f", *corner) for corner in corners)
    for polygon in polygons:
        data += struct.pack(f"{order}B{len(polygon)}i", len(polygon), *polygon)
    return data


@pytest.mark.parametrize(
    "polygons", [[(0, 1, 2), (0, 2, 3)], [(0, 1, 2, 3)], [(0, 1, 2, 3), (0, 1, 2)]]
)
@pytest.mark.parametrize("kind", ["ascii", "binary_little_endian", "binary_big_endian"])
def test_encodings_and_polygons(tmp_path, kind, polygons):
    data = header(kind, 4, len(polygons))
    if kind == "ascii":
        rows = [*CORNERS, *((len(p), *p) for p in polygons)]
        data += "\n".join(" ".join(map(str, row)) for row in rows).encode()
    else:
        data += body("<" if "little" in kind else ">", polygons)
    mesh = read(tmp_path, data)
    assert np.array_equal(mesh.vertices, CORNERS)
    expected = [(p[0], p[i], p[i + 1]) for p in polygons for i in range(1, len(p) - 1)]
    assert [tuple(face) for face in mesh.faces] == expected
    owners = [n for n, p in enumerate(polygons) for _ in range(len(p) - 2)]
    assert mesh.polygon_of_face.tolist() == owners


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("length", ["uchar", "ushort", "uint", "short"])
@pytest.mark.parametrize("value", ["uchar", "ushort", "int"])
def test_byte_order_of_lists_of_any_type(tmp_path, order, length, value):
    code = {"uchar": "B", "short": "h", "ushort": "H", "int": "i", "uint": "I"}
    kind = "binary_little_endian" if order == "<" else "binary_big_endian"
    data = header(kind, 4, 3, face=f"list {length} {value} vertex_indices") + body(order, [])
    for polygon in ((0, 1, 2, 3), (0, 1, 2), (1, 2, 3)):
        count = len(polygon)
        data += struct.pack(f"{order}{code[length]}{count}{code[value]}", count, *polygon)
    assert read(tmp_path, data).faces.tolist() == [[0, 1, 2], [0, 2, 3], [0, 1, 2], [1, 2, 3]]


@pytest.mark.parametrize(
    "kind, values",
    [("uchar", (255, 128, 0)), ("ushort", (65535, 128 * 257, 0)), ("float", (1, 128 / 255, 0))],
)
@pytest.mark.parametrize("alpha", [False, True])
def test_vertex_colors(tmp_path, kind, values, alpha):
    names = ["red", "green", "blue"] + (["alpha"] if alpha else [])
    values = values + ((values[0],) if alpha else ())
    extra = "".join(f"property {kind} {name}\n" for name in names)
    code = {"uchar": "B", "ushort": "H", "float": "f"}[kind]
    data = header("binary_little_endian", 4, 1, extra)
    for corner in CORNERS:
        data += struct.pack(f"<3f{len(names)}{code}", *corner, *values)
    data += struct.pack("<B3i", 3, 0, 1, 2)
    mesh = read(tmp_path, data)
    assert mesh.vertex_colors.tolist() == [[255, 128, 0, 255]] * 4
    assert mesh.materials[0].base_color == (1.0, 1.0, 1.0, 1.0)


def test_coordinates_per_vertex_and_picture(tmp_path):
    Image.new("RGB", (3, 2), (9, 8, 7)).save(tmp_path / "my skin.png")
    extra = "property float s\nproperty float t\n"
    data = header("ascii", 4, 1, extra, extra="comment TextureFile my skin.png\n")
    data += "\n".join(f"{x} {y} {z} {x} {y}" for x, y, z in CORNERS).encode() + b"\n4 0 1 2 3\n"
    mesh = read(tmp_path, data)
    assert mesh.corner_uvs[1].tolist() == [[0, 0], [1, 1], [0, 1]]
    assert mesh.materials[0].texture.shape == (2, 3, 4)


def test_coordinates_per_corner_and_several_pictures(tmp_path):
    for name, color in (("a.png", (1, 1, 1)), ("b.png", (2, 2, 2))):
        Image.new("RGB", (1, 1), color).save(tmp_path / name)
    face = (
        "list uchar int vertex_indices\nproperty list uchar float texcoord\nproperty int texnumber"
    )
    data = header(
        "ascii", 4, 2, face=face, extra="comment TextureFile a.png\ncomment TextureFile b.png\n"
    )
    data += "\n".join(" ".join(map(str, c)) for c in CORNERS).encode()
    data += b"\n3 0 1 2 6 0 0 1 0 1 1 1\n3 0 2 3 6 0 0 .5 .5 0 1 0\n"
    mesh = read(tmp_path, data)
    assert mesh.corner_uvs[1].tolist() == [[0, 0], [0.5, 0.5], [0, 1]]
    assert [mesh.materials[i].texture[0, 0, 0] for i in mesh.face_materials] == [2, 1]


def test_other_elements_and_properties_are_skipped(tmp_path):
    data = b"ply\r\nformat binary_little_endian 1.0\r\nelement camera 2\r\nproperty double f\r\n"
    data += b"property list uchar short w\r\nelement vertex 3\r\nproperty double z\r\n"
    data += b"property double y\r\nproperty uchar quality\r\nproperty double x\r\n"
    data += b"element face 1\r\nproperty uchar flags\r\nproperty list uint ushort vertex_index\r\n"
    data += b"element nothing 1000000000000\r\nend_header\r\n"
    data += struct.pack("<dB2hdB", 1.0, 2, 3, 4, 1.0, 0)
    for x, y, z in CORNERS[:3]:
        data += struct.pack("<ddBd", z, y, 7, x)
    data += struct.pack("<BI3H", 1, 3, 0, 1, 2)
    mesh = read(tmp_path, data)
    assert np.array_equal(mesh.vertices, CORNERS[:3])
    assert mesh.faces.tolist() == [[0, 1, 2]]


@pytest.mark.parametrize("encoding", ["ascii", "binary"])
def test_round_trip_with_trimesh(tmp_path, encoding):
    ball = trimesh.creation.icosphere(subdivisions=2)
    colors = np.random.default_rng(0).integers(0, 256, (len(ball.vertices), 4), dtype=np.uint8)
    ball.visual.vertex_colors = colors
    (tmp_path / "m.ply").write_bytes(ball.export(file_type="ply", encoding=encoding))
    mesh = read_mesh(tmp_path / "m.ply")
    assert np.allclose(mesh.vertices, ball.vertices, atol=1e-6)
    assert np.array_equal(mesh.faces, ball.faces)
    assert np.array_equal(mesh.vertex_colors, colors)


LITTLE = "binary_little_endian"
GOOD = header(LITTLE, 4, 1) + body("<", [(0, 1, 2)])
HUGE = 10**12


def cloud():
    data = b"ply\nformat ascii 1.0\nelement vertex 2\nproperty float x\nproperty float y\n"
    return data + b"property float z\nend_header\n0 0 0\n1 1 1\n"


@pytest.mark.parametrize(
    "data, reason",
    [
        (GOOD[:-1], "truncated"),
        (GOOD[:-14], "truncated"),
        (GOOD[:-30], "truncated"),
        (GOOD[:90], "no end"),
        (b"plywood", "does not begin"),
        (b"\x93garbage" * 50, "does not begin"),
        (cloud(), "is a point cloud: 2 points and no faces"),
        (header("ascii", 4, 0), "is a point cloud: 4 points"),
        (header("ascii", 0, 0), "has no faces"),
        (header("ascii", 4, -1), "negative count"),
        (header("utf", 4, 1), "cannot be read as ply"),
        (header("ascii", 4, 1, "property quad q\n"), "unknown type 'quad'"),
        (header("ascii", 4, 1, face="list float int vertex_indices"), "fractional length"),
        (header("ascii", 4, 1, face="list uchar int corners") + b"0 " * 12 + b"0", "lack the list"),
        (header("ascii", 4, 1) + b"0 0 x " * 4 + b"3 0 1 2", "cannot be read"),
        (header("ascii", 4, 1) + b"0 " * 12 + b"-3 0 1 2", "negative length"),
        (header("ascii", 4, 1) + b"0 " * 12 + b"900 0 1 2", "truncated"),
        (header("ascii", 4, 1) + b"0 " * 9, "truncated"),
        (header("ascii", 3, 1) + b"0 0 0 1 0 0 0 1 0 3 0 1 1e300", "does not fit"),
        (header(LITTLE, 4, 1) + body("<", [(0, 1, 4)]), "index 4 is out of range"),
        (header(LITTLE, 4, 1) + body("<", [(0, 1, -1)]), "index -1 is out of range"),
        (header(LITTLE, 4, 1) + body("<", [(0, 1)]), "is a point cloud"),
        (header(LITTLE, 1, 1) + body("<", [(0, 0, 0)], [(np.inf,) * 3]), "infinite"),
        (header(LITTLE, HUGE, 1) + b"\0" * 99, "vertices, more than the 50000000"),
        (header(LITTLE, 3, HUGE) + b"\0" * 99, "faces, more than"),
        (header(LITTLE, 40_000_000, 1) + b"\0" * 99, "truncated"),
        (header(LITTLE, 3, 90_000_000) + b"\0" * 99, "truncated"),
        (header("ascii", 40_000_000, 1) + b"0 " * 99, "truncated"),
        (header(LITTLE, 3, 1, face="list uint int vertex_indices") + b"\xff" * 99,
         "truncated"),
        (header(LITTLE, 3, 1, face="list char int vertex_indices") + b"\0" * 36
         + b"\xff" * 40, "negative length"),
    ],
)  # fmt: skip
def test_malformed(tmp_path, data, reason):
    start = time.monotonic()
    with pytest.raises(ItemError, match=rf"^m\.ply: .*({reason})"):
        read(tmp_path, data)
    assert time.monotonic() - start < 2


def test_max_vertices_is_checked_in_the_header(tmp_path):
    data = header("ascii", 5_000_000, 1)
    with pytest.raises(ItemError, match="has 5000000 vertices, more than the 200000 allowed"):
        read(tmp_path, data, max_vertices=200_000)
