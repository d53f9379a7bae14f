import logging
import struct
import zlib

import numpy as np
import pytest
import trimesh
from PIL import Image

from semcorr.errors import ItemError
from semcorr.geometry.reader import read_mesh

SQUARE = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\n"


def read(tmp_path, text, name="m.obj", **options):
    (tmp_path / name).write_bytes(text.encode())
    return read_mesh(tmp_path / name, **options)


def test_order_of_v_lines_is_kept_at_seams_and_for_unused_vertices(tmp_path):
    text = (
        "# comment\nv 5 5 5\n" + SQUARE + "vt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\nvt .5 .5\n"
        "vn 0 0 1\no a\nf 2/1/1 3/2/1 4/3/1\ng b\nf 2/5/1 4/3/1 5/4/1\ns off\nl 1 2\n"
    )
    mesh = read(tmp_path, text)
    assert mesh.vertices.tolist() == [[5, 5, 5], [0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]
    assert mesh.faces.tolist() == [[1, 2, 3], [1, 3, 4]]
    assert mesh.corner_uvs.tolist() == [[[0, 0], [1, 0], [1, 1]], [[0.5, 0.5], [1, 1], [0, 1]]]
    assert mesh.vertex_colors is None


def test_polygons_negative_indices_continuation_and_short_faces(tmp_path):
    text = SQUARE + "f -4 -3 \\\n -2 -1\nf 1 2\nv 2 2 2\nf 1// 2//5 -1\nf 1 2 3 4 5 # 6\n"
    mesh = read(tmp_path, text)
    assert mesh.faces.tolist() == [
        [0, 1, 2], [0, 2, 3], [0, 1, 4], [0, 1, 2], [0, 2, 3], [0, 3, 4],
    ]  # fmt: skip
    assert mesh.polygon_of_face.tolist() == [0, 0, 2, 3, 3, 3]
    assert mesh.corner_uvs is None


def test_vertex_colors(tmp_path):
    text = "v 0 0 0 1 0 0\nv 1 0 0 0 .5 0\r\nv 0 1 0 0 0 1\nf 1 2 3\n"
    mesh = read(tmp_path, text)
    assert mesh.vertex_colors.tolist() == [[255, 0, 0, 255], [0, 128, 0, 255], [0, 0, 255, 255]]
    assert mesh.materials[0].base_color == (1.0, 1.0, 1.0, 1.0)
    weighted = read(tmp_path, "v 0 0 0 1\nv 1 0 0 1\nv 0 1 0 1\nf 1 2 3\n")
    assert weighted.vertex_colors is None


MTL = (
    "newmtl red one\nKd 1 .5 0\nd .25\n\n"
    "newmtl painted\nKd 1 1 1\nmap_Kd -s 2 2 1 -o 0 my picture.png\n"
)
WITH_MTL = "mtllib look.mtl\n" + SQUARE + "usemtl red one\nf 1 2 3\nusemtl painted\nf 1 3 4\n"


def test_materials_and_picture(tmp_path):
    pixels = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    Image.fromarray(pixels).save(tmp_path / "my picture.png")
    (tmp_path / "look.mtl").write_text(MTL)
    mesh = read(tmp_path, WITH_MTL)
    red, painted = (mesh.materials[i] for i in mesh.face_materials)
    assert red.base_color == (1.0, 0.5, 0.0, 0.25) and red.texture is None
    assert np.array_equal(painted.texture[..., :3], pixels)
    assert (painted.texture[..., 3] == 255).all()


def test_missing_picture_and_missing_library_are_warnings(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        mesh = read(tmp_path, WITH_MTL)
    assert "look.mtl is missing" in caplog.text and len(mesh.faces) == 2
    (tmp_path / "look.mtl").write_text(MTL)
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        mesh = read(tmp_path, WITH_MTL)
    assert "m.obj: texture my picture.png is missing" in caplog.text
    assert mesh.materials[mesh.face_materials[1]].base_color == (1.0, 1.0, 1.0, 1.0)
    assert mesh.materials[mesh.face_materials[1]].texture is None


def test_library_in_a_folder_names_pictures_from_there(tmp_path):
    (tmp_path / "sub").mkdir()
    Image.new("RGB", (2, 2), (1, 2, 3)).save(tmp_path / "sub" / "p.png")
    (tmp_path / "sub" / "look.mtl").write_text("newmtl a\nmap_Kd p.png\n")
    mesh = read(tmp_path, "mtllib sub\\look.mtl\n" + SQUARE + "usemtl a\nf 1 2 3\n")
    assert mesh.materials[0].texture[0, 0].tolist() == [1, 2, 3, 255]


@pytest.mark.parametrize("reference", ["../p.png", "/etc/hostname", "link.png", "..\\p.png"])
def test_picture_outside_of_the_folder_is_refused(tmp_path, reference):
    folder = tmp_path / "inside"
    folder.mkdir()
    Image.new("RGB", (2, 2)).save(tmp_path / "p.png")
    (folder / "link.png").symlink_to(tmp_path / "p.png")
    (folder / "look.mtl").write_text(f"newmtl a\nmap_Kd {reference}\n")
    with pytest.raises(ItemError, match="m.obj: .*outside") as caught:
        read(folder, "mtllib look.mtl\n" + SQUARE + "usemtl a\nf 1 2 3\n")
    assert caught.value.status == "outside"


@pytest.mark.parametrize("reference", ["loop.png", "x" * 300 + ".png"])
def test_loops_of_links_and_endless_names_are_refused(tmp_path, reference):
    (tmp_path / "loop.png").symlink_to("loop.png")
    (tmp_path / "look.mtl").write_text(f"newmtl a\nmap_Kd {reference}\n")
    with pytest.raises(ItemError, match="m.obj: refers to"):
        read(tmp_path, "mtllib look.mtl\n" + SQUARE + "usemtl a\nf 1 2 3\n")


def test_picture_too_large_to_decode_is_a_warning(tmp_path, caplog):
    header = struct.pack(">II5B", 30_000, 30_000, 8, 6, 0, 0, 0)
    chunk = (
        struct.pack(">I", 13) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    )
    (tmp_path / "p.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk)
    (tmp_path / "look.mtl").write_text("newmtl a\nmap_Kd p.png\n")
    mesh = read(tmp_path, "mtllib look.mtl\n" + SQUARE + "usemtl a\nf 1 2 3\n")
    assert mesh.materials[0].texture is None and "not usable" in caplog.text


def test_picture_at_a_path_of_another_system_is_missing_not_refused(tmp_path, caplog):
    (tmp_path / "look.mtl").write_text("newmtl a\nmap_Kd C:\\Users\\me\\p.png\n")
    mesh = read(tmp_path, "mtllib look.mtl\n" + SQUARE + "usemtl a\nf 1 2 3\n")
    assert mesh.materials[0].texture is None


def test_round_trip_with_trimesh(tmp_path):
    ball = trimesh.creation.icosphere(subdivisions=2)
    ball.export(tmp_path / "ball.obj", digits=9)
    mesh = read_mesh(tmp_path / "ball.obj")
    assert np.allclose(mesh.vertices, ball.vertices, atol=1e-8)
    assert np.array_equal(mesh.faces, ball.faces)


@pytest.mark.parametrize(
    "text, reason",
    [
        ("", "is empty"),
        ("\0\1\2 nothing here", "has no faces"),
        (SQUARE, "is a point cloud: 4 points and no faces"),
        (SQUARE + "f 1 2\n", "is a point cloud"),
        (SQUARE + "f 1 2 5\n", "index 4 is out of range"),
        (SQUARE + "f 1 2 0\n", "line 5: vertex index 0"),
        (SQUARE + "f 1 2 -5\n", "line 5: vertex index -5"),
        (SQUARE + "f 1/1 2/1 3/1\n", None),
        (SQUARE + "vt 0 0\nf 1/1 2/1 3/2\n", "vt index 2 is out of range"),
        (SQUARE + f"f 1 2 {2**32 + 1}\n", "out of range"),
        (SQUARE + "f a b c\n", "line 5"),
        ("v 0 0\n" * 3 + "f 1 2 3\n", "less than three coordinates"),
        ("v x y z\n" * 3 + "f 1 2 3\n", "cannot be read as obj"),
        (SQUARE + "v nan 0 0\nf 1 2 3\n", "NaN or infinite coordinates .vertex 4"),
        ("v 1e400 0 0\n" + SQUARE + "f 1 2 3\n", "NaN or infinite"),
        (SQUARE + "v 2e12 0 0\nf 1 2 3\n", "huge coordinates: 2e.12"),
        (SQUARE + "f 1 1 1\n", "has no extent"),
        (SQUARE + "f 1 2 1\n", "all 1 faces are degenerate"),
        ("v 0 0 0\nv .1 .1 .1\nv .3 .3 .3\nf 1 2 3\n", "degenerate"),
        ("v 1e9 0 0\nv 1000000000.0000001 0 0\nv 1e9 1e-7 0\nf 1 2 3\n", "no extent"),
        ("v 0 0 0\nv 1e-35 0 0\nv 0 1e-35 0\nf 1 2 3\n", "no extent"),
    ],
)
def test_malformed(tmp_path, text, reason):
    if reason is None:  # a uv that the file lacks altogether is no reason to refuse the shape
        assert read(tmp_path, text).corner_uvs is None
        return
    with pytest.raises(ItemError, match=rf"^m\.obj: .*({reason})"):
        read(tmp_path, text)


def test_max_vertices(tmp_path):
    assert len(read(tmp_path, SQUARE + "f 1 2 3\n", max_vertices=4).vertices) == 4
    with pytest.raises(ItemError, match="has 4 vertices, more than the 3 allowed"):
        read(tmp_path, SQUARE + "f 1 2 3\n", max_vertices=3)


def test_too_many_vertices_are_counted_before_words_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr("semcorr.geometry.formats.obj._read_lines", None)
    with pytest.raises(ItemError, match="has 4 vertices, more than the 3 allowed"):
        read(tmp_path, SQUARE + "f 1 2 3\n", max_vertices=3)


def test_tiny_and_far_shapes_are_fine(tmp_path):
    assert len(read(tmp_path, "v 0 0 0\nv 1e-9 0 0\nv 0 1e-9 0\nf 1 2 3\n").faces) == 1
    assert len(read(tmp_path, "v 1e6 0 0\nv 1000001 0 0\nv 1e6 1 0\nf 1 2 3\n").faces) == 1


def test_missing_unknown_and_irregular_files(tmp_path):
    with pytest.raises(ItemError, match=r"no\.obj: the file is missing") as caught:
        read_mesh(tmp_path / "no.obj")
    assert caught.value.status == "missing"
    with pytest.raises(ItemError, match=r"m\.pkl: unknown mesh format '\.pkl'"):
        read_mesh(tmp_path / "m.pkl")
    (tmp_path / "dir.obj").mkdir()
    with pytest.raises(ItemError, match="not a regular file"):
        read_mesh(tmp_path / "dir.obj")
