import struct

import numpy as np
import pytest
import trimesh

from semcorr.errors import ItemError
from semcorr.geometry.reader import read_mesh


def read(tmp_path, data, name):
    (tmp_path / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    return read_mesh(tmp_path / name)


SQUARE = "0 0 0\n1 0 0\n1 1 0\n0 1 0\n"


@pytest.mark.parametrize("head", ["OFF\n4 2 0\n", "OFF 4 2 0\n", "# hello\nOFF # x\n\n4 2 0 # y\n"])
def test_off(tmp_path, head):
    mesh = read(tmp_path, head + SQUARE + "3 0 1 2\n4 0 1 2 3 255 0 0\n", "m.off")
    assert mesh.vertices.tolist() == [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]
    assert mesh.faces.tolist() == [[0, 1, 2], [0, 1, 2], [0, 2, 3]]
    assert mesh.polygon_of_face.tolist() == [0, 1, 1]
    assert mesh.vertex_colors is None


@pytest.mark.parametrize(
    "keyword, color", [("COFF", "255 0 51 255"), ("COFF", "1.0 0.0 0.2 1.0"), ("OFF", "255 0 51")]
)
def test_off_with_colors(tmp_path, keyword, color):
    rows = "".join(f"{row} {color}\n" for row in SQUARE.splitlines())
    mesh = read(tmp_path, f"{keyword}\n4 1 0\n{rows}3 0 1 2\n", "m.off")
    assert mesh.vertex_colors.tolist() == [[255, 0, 51, 255]] * 4


def test_off_with_normals_has_no_colors(tmp_path):
    rows = "".join(f"{row} 0 0 1\n" for row in SQUARE.splitlines())
    assert read(tmp_path, f"NOFF\n4 1 0\n{rows}3 0 1 2\n", "m.off").vertex_colors is None


def test_off_round_trip_with_trimesh(tmp_path):
    ball = trimesh.creation.icosphere(subdivisions=2)
    ball.export(tmp_path / "b.off")
    mesh = read_mesh(tmp_path / "b.off")
    assert np.allclose(mesh.vertices, ball.vertices, atol=1e-6)
    assert np.array_equal(mesh.faces, ball.faces)


@pytest.mark.parametrize(
    "text, reason",
    [
        ("\n", "no header"),
        ("garbage\n1 2 3", "not an OFF file"),
        ("4OFF\n1 1 0\n", "four-dimensional"),
        ("OFF BINARY\n4 1 0\n", "binary OFF"),
        ("OFF\n", "cannot be read"),
        ("OFF\n4 x 0\n", "cannot be read"),
        ("OFF\n4 0 0\n" + SQUARE, "is a point cloud: 4 points and no faces"),
        ("OFF\n4 2 0\n" + SQUARE + "3 0 1 2\n", "truncated"),
        ("OFF\n1000000000000 2 0\n", "more than the"),
        ("OFF\n4 40000000 0\n" + SQUARE, "truncated"),
        ("OFF\n-4 1 0\n", "broken header"),
        ("OFF\n4 1 0\n" + SQUARE + "3 0 1 4\n", "index 4 is out of range"),
        ("OFF\n4 1 0\n" + SQUARE + "5 0 1 2 3\n", "names 5 corners"),
        ("OFF\n4 1 0\n" + SQUARE + "2 0 1\n", "point cloud"),
        ("OFF\n4 1 0\n" + SQUARE.replace("1 1 0", "1 1") + "3 0 1 2\n", "less than three"),
    ],
)
def test_off_malformed(tmp_path, text, reason):
    with pytest.raises(ItemError, match=rf"^m\.off: .*({reason})"):
        read(tmp_path, text, "m.off")


CORNERS = np.array(
    [[[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 0, 0], [0, 1, 0], [0, 0, 1]]], np.float32
)


def binary(corners=CORNERS, claim=None, head=b"made here"):
    data = head.ljust(80, b" ") + struct.pack("<I", len(corners) if claim is None else claim)
    for triangle in corners:
        data += np.zeros(3, "<f4").tobytes() + triangle.astype("<f4").tobytes() + b"\0\0"
    return data


def ascii_stl(corners=CORNERS):
    lines = ["solid vertex"]
    for triangle in corners:
        lines += ["facet normal 0 0 0", "  outer loop"]
        lines += ["  VERTEX " + " ".join(map(str, corner)) for corner in triangle]
        lines += ["  endloop", "endfacet"]
    return "\n".join([*lines, "endsolid vertex"])


@pytest.mark.parametrize("data", [binary(), binary(head=b"solid but binary"), ascii_stl()])
def test_stl_corners_at_one_position_are_one_vertex(tmp_path, data):
    mesh = read(tmp_path, data, "m.stl")
    assert mesh.vertices.tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert mesh.faces.tolist() == [[0, 1, 2], [0, 2, 3]]


def test_stl_vertices_come_in_the_order_of_the_file_and_minus_zero_is_zero(tmp_path):
    corners = np.array(
        [[[0, 0, 1], [1, 0, 0], [0, 1, 0]], [[1, -0.0, 0], [0, -0.0, -1], [-0.0, 1, -0.0]]],
        np.float32,
    )
    mesh = read(tmp_path, binary(corners), "m.stl")
    assert mesh.faces.tolist() == [[0, 1, 2], [1, 3, 2]]
    assert np.array_equal(mesh.triangles, corners)
    assert not np.signbit(mesh.vertices[mesh.vertices == 0]).any()


def test_stl_limit_counts_merged_vertices(tmp_path):
    ball = trimesh.creation.icosphere(subdivisions=2)
    (tmp_path / "b.stl").write_bytes(ball.export(file_type="stl"))
    count = len(ball.vertices)
    mesh = read_mesh(tmp_path / "b.stl", max_vertices=count)
    assert len(mesh.vertices) == count and len(mesh.faces) == len(ball.faces)
    with pytest.raises(ItemError, match=rf"has {count} vertices, more than the 9 .*decimate"):
        read_mesh(tmp_path / "b.stl", max_vertices=9)


@pytest.mark.parametrize("kind", ["stl", "stl_ascii"])
def test_stl_round_trip_with_trimesh(tmp_path, kind):
    ball = trimesh.creation.icosphere(subdivisions=2)
    mesh = read(tmp_path, ball.export(file_type=kind), "b.stl")
    assert np.allclose(mesh.triangles, ball.triangles, atol=1e-6)


@pytest.mark.parametrize(
    "data, reason",
    [
        (b"short", "no header"),
        (binary()[:-1], "truncated: 2 triangles in the header, 1 in the file"),
        (binary(claim=2**32 - 1), "truncated"),
        (binary(CORNERS[:0]), "has no faces"),
        ("solid a\nendsolid a\n", "has no faces"),
        (ascii_stl()[:-60], "truncated|no whole triangles"),
        (ascii_stl().replace("1.0", "one", 1), "cannot be read as stl"),
        (binary(CORNERS * np.nan), "NaN"),
        (binary(CORNERS * np.float32(1e20)), "huge"),
        (binary(CORNERS * 0), "no extent"),
        (binary(CORNERS[:, [0, 1, 1]]), "degenerate"),
    ],
)
def test_stl_malformed(tmp_path, data, reason):
    with pytest.raises(ItemError, match=rf"^m\.stl: .*({reason})"):
        read(tmp_path, data, "m.stl")
