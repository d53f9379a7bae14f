"""Coloured meshes: order, scale and position survive; equal arrays give equal bytes."""

import json
import struct

import numpy as np
import pytest
import trimesh

from semcorr.errors import UserError
from semcorr.geometry.reader import read_mesh
from semcorr.report.colours import linear_light, srgb_bytes
from semcorr.report.exports import glb_bytes, ply_bytes, write_mesh
from semcorr.report.textured import textured_glb_bytes


def odd_mesh(offset=0.0, scale=1.0):
    """A mesh that general writers reorder: doubled and unreferenced vertices."""
    rng = np.random.default_rng(3)
    vertices = rng.normal(size=(9, 3)) * scale + offset
    vertices[4] = vertices[1]
    faces = np.array([[7, 1, 0], [0, 4, 2], [5, 7, 2], [2, 1, 7]])
    colours = rng.integers(0, 256, size=(9, 3), dtype=np.uint8)
    return vertices, faces, colours


def read(path):
    loaded = trimesh.load(path, process=False)
    if isinstance(loaded, trimesh.Scene):
        (mesh,) = loaded.dump()
        return mesh
    return loaded


@pytest.mark.parametrize("suffix", [".ply", ".glb"])
@pytest.mark.parametrize("offset, scale", [(0.0, 1.0), (50.0, 250.0), (4.5e6, 2.0), (-3e-4, 1e-5)])
def test_vertices_and_faces_come_back_in_order_and_place(tmp_path, suffix, offset, scale):
    vertices, faces, colours = odd_mesh(offset, scale)
    write_mesh(tmp_path / f"a{suffix}", vertices, faces, colours)
    mesh = read(tmp_path / f"a{suffix}")
    assert mesh.vertices.shape == vertices.shape
    np.testing.assert_allclose(mesh.vertices, vertices, rtol=0, atol=2e-6 * scale)
    np.testing.assert_array_equal(mesh.faces, faces)


def test_ply_keeps_srgb_colours(tmp_path):
    vertices, faces, colours = odd_mesh()
    write_mesh(tmp_path / "a.ply", vertices, faces, colours)
    read_colours = np.asarray(read(tmp_path / "a.ply").visual.vertex_colors)
    np.testing.assert_array_equal(read_colours[:, :3], colours)
    np.testing.assert_array_equal(read_colours[:, 3], 255)


def glb_parts(data):
    """(document, binary chunk) by the layout of glTF 2.0 section 4.4."""
    magic, version, total = struct.unpack_from("<4sII", data)
    assert (magic, version, total) == (b"glTF", 2, len(data))
    length, kind = struct.unpack_from("<I4s", data, 12)
    assert kind == b"JSON" and length % 4 == 0
    document = json.loads(data[20 : 20 + length])
    size, kind = struct.unpack_from("<I4s", data, 20 + length)
    assert kind == b"BIN\0" and size % 4 == 0
    body = data[28 + length :]
    assert len(body) == size == document["buffers"][0]["byteLength"]
    return document, body


def test_glb_holds_linear_colours_and_true_bounds():
    vertices, faces, colours = odd_mesh()
    document, body = glb_parts(glb_bytes(vertices, faces, colours))
    position, colour, index = document["accessors"]
    views = document["bufferViews"]
    stored = np.frombuffer(body, "<f4", 27, views[0]["byteOffset"]).reshape(9, 3)
    np.testing.assert_array_equal(np.float32(position["min"]), stored.min(axis=0))
    np.testing.assert_array_equal(np.float32(position["max"]), stored.max(axis=0))
    light = np.frombuffer(body, "<f4", 36, views[1]["byteOffset"]).reshape(9, 4)
    np.testing.assert_array_equal(srgb_bytes(light[:, :3].astype(float)), colours)
    assert (light[:, 3] == 1).all() and (colour["count"], index["count"]) == (9, faces.size)


def test_linear_light_has_the_published_values():
    # IEC 61966-2-1: 50 % grey is 0.2140 of the light; the two pieces meet
    assert linear_light(np.uint8([128]))[0] == pytest.approx(0.21586, abs=1e-5)
    assert linear_light(np.uint8([10]))[0] == pytest.approx(10 / 255 / 12.92)
    every = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(srgb_bytes(linear_light(every)), every)


def test_bytes_depend_on_the_arrays_alone():
    for write in (ply_bytes, glb_bytes):
        vertices, faces, colours = odd_mesh()
        first = write(vertices, faces, colours)
        assert first == write(vertices.copy(order="F"), faces.astype(np.int64), colours)
        assert first != write(vertices, faces[::-1], colours)
        assert b"20" + b"26-" not in first  # no date


def test_float32_is_used_where_it_is_enough():
    vertices, faces, colours = odd_mesh()
    assert b"property float x" in ply_bytes(vertices, faces, colours)[:200]
    assert b"property double x" in ply_bytes(vertices + 4.5e6, faces, colours)[:200]


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda v, f, c: (v[:, :2], f, c), "vertices: expected"),
        (lambda v, f, c: (np.where(v == v[0, 0], np.nan, v), f, c), "NaN"),
        (lambda v, f, c: (v, f + 5, c), "do not fit 9 vertices"),
        (lambda v, f, c: (v, f[:0], c), "faces: expected"),
        (lambda v, f, c: (v, f, c / 255.0), "uint8"),
        (lambda v, f, c: (v, f, c[:-1]), "colours: expected"),
    ],
)
def test_wrong_arrays_are_refused(change, message):
    for write in (ply_bytes, glb_bytes):
        with pytest.raises(ValueError, match=message):
            write(*change(*odd_mesh()))


def test_unknown_suffix_is_the_users_error(tmp_path):
    with pytest.raises(UserError, match=r"a\.stl.*\.ply or \.glb"):
        write_mesh(tmp_path / "a.stl", *odd_mesh())


def test_a_textured_glb_splits_seams_and_reads_back(tmp_path):
    vertices = np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    # the two triangles lie apart in the texture: vertices 0 and 2 are doubled
    uvs = np.array([[[0, 0], [0.4, 0], [0.4, 0.4]], [[0.6, 0.6], [1, 1], [0.6, 1]]])
    picture = np.arange(5 * 4 * 3, dtype=np.uint8).reshape(5, 4, 3)
    path = tmp_path / "a.glb"
    path.write_bytes(textured_glb_bytes(vertices, faces, uvs, picture))
    assert path.stat().st_size % 4 == 0
    mesh = read_mesh(path)
    assert len(mesh.vertices) == 6
    np.testing.assert_allclose(mesh.triangles, vertices[faces])
    np.testing.assert_allclose(mesh.corner_uvs, uvs, atol=1e-6)
    np.testing.assert_array_equal(mesh.materials[0].texture[..., :3], picture)
    again = textured_glb_bytes(vertices, faces, uvs, picture)
    assert again == path.read_bytes()
    loaded = trimesh.load(path, force="mesh")
    np.testing.assert_array_equal(
        np.asarray(loaded.visual.material.baseColorTexture)[..., :3], picture
    )
    for wrong in (
        (vertices, faces[:0], uvs[:0]),
        (vertices, faces, uvs[:1]),
        (vertices, faces, np.full_like(uvs, np.nan)),
    ):
        with pytest.raises(ValueError, match="faces|corner_uvs"):
            textured_glb_bytes(*wrong, picture)
