import io
import logging

import numpy as np
import pytest
import trimesh
from gltf_bytes import TRIANGLE, Gltf, simple
from PIL import Image

from semcorr.errors import ItemError
from semcorr.geometry.reader import read_mesh, read_object_boxes


def write(tmp_path, gltf, name="m.glb"):
    path = tmp_path / name
    path.write_bytes(gltf.glb() if name.endswith(".glb") else gltf.gltf())
    return path


def png(pixels):
    stream = io.BytesIO()
    Image.fromarray(np.asarray(pixels, np.uint8)).save(stream, "PNG")
    return stream.getvalue()


@pytest.mark.parametrize("name", ["m.glb", "m.gltf", "m.GLB"])
def test_triangle(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(simple().glb() if name.lower().endswith("glb") else simple().gltf())
    mesh = read_mesh(path)
    assert np.array_equal(mesh.vertices, TRIANGLE)
    assert mesh.faces.tolist() == [[0, 1, 2]]


def test_depth_first_order_nested_transforms_and_instances(tmp_path):
    gltf = Gltf()
    shared = gltf.mesh(gltf.primitive(TRIANGLE, [0, 1, 2]))
    two = gltf.mesh(gltf.primitive(TRIANGLE, [2, 1, 0]), gltf.primitive([[9, 9, 9], *TRIANGLE[1:]]))
    half = np.sqrt(0.5)
    grandchild = gltf.node(root=False, mesh=shared, scale=[2, 1, 1])
    # 90 degrees about z: x -> y
    child = gltf.node(root=False, rotation=[0, 0, half, half], children=[grandchild])
    sibling = gltf.node(root=False, mesh=two)
    gltf.node(translation=[10, 0, 0], children=[child, sibling])
    matrix = np.eye(4)
    matrix[:3, 3] = [0, 0, 5]
    gltf.node(mesh=shared, matrix=matrix.T.ravel().tolist())
    mesh = read_mesh(write(tmp_path, gltf))
    t = np.array(TRIANGLE)
    expected = [
        [[10, 0, 0], [10, 2, 0], [8, 0, 0]],
        t + [10, 0, 0],
        np.array([[9, 9, 9], *TRIANGLE[1:]]) + [10, 0, 0],
        t + [0, 0, 5],
    ]
    assert np.allclose(mesh.vertices, np.concatenate(expected))
    assert mesh.faces.tolist() == [[0, 1, 2], [5, 4, 3], [6, 7, 8], [9, 10, 11]]


def test_mirroring_node_keeps_the_outside_outside(tmp_path):
    gltf = Gltf()
    gltf.node(mesh=gltf.mesh(gltf.primitive(TRIANGLE, [0, 1, 2])), scale=[1, 1, -1])
    mesh = read_mesh(write(tmp_path, gltf))
    assert mesh.faces.tolist() == [[0, 2, 1]]


def test_strip_fan_and_interleaved_views(tmp_path):
    square = [[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]]
    gltf = Gltf()
    rows = np.zeros(4, np.dtype([("p", "<f4", 3), ("skip", "<f4", 2)]))
    rows["p"] = square
    view = gltf.view(rows.tobytes(), byteStride=20)
    position = gltf.add(
        "accessors", {"bufferView": view, "componentType": 5126, "count": 4, "type": "VEC3"}
    )
    strip = {"attributes": {"POSITION": position}, "mode": 5}
    fan = {
        "attributes": {"POSITION": position},
        "mode": 6,
        "indices": gltf.accessor([0, 1, 3, 2], "u1"),
    }
    gltf.node(mesh=gltf.mesh(strip, fan))
    mesh = read_mesh(write(tmp_path, gltf))
    assert np.array_equal(mesh.vertices[:4], square)
    assert mesh.faces.tolist() == [[0, 1, 2], [1, 3, 2], [5, 7, 4], [7, 6, 4]]
    # all four triangles face +z
    normals = np.cross(*np.diff(mesh.triangles, axis=1).swapaxes(0, 1))
    assert (normals[:, 2] > 0).all()


@pytest.mark.parametrize("kind", ["u1", "u2", "f4"])
def test_vertex_colors_are_linear_in_the_file(tmp_path, kind):
    linear = np.array([[0.0, 0.2, 1.0], [0.5, 0.5, 0.5], [1.0, 0.0, 0.001]])
    scale = {"u1": 255, "u2": 65535, "f4": 1}[kind]
    stored = np.round(linear * scale) if kind != "f4" else linear
    gltf = Gltf()
    color = gltf.accessor(stored, kind, **({} if kind == "f4" else {"normalized": True}))
    # a vertex of 3 x u1 would need padding, but nothing here depends on it
    plain = gltf.primitive(TRIANGLE)
    gltf.node(mesh=gltf.mesh(gltf.primitive(TRIANGLE, attributes={"COLOR_0": color}), plain))
    mesh = read_mesh(write(tmp_path, gltf))
    x = stored / scale
    srgb = np.where(x <= 0.0031308, 12.92 * x, 1.055 * x ** (1 / 2.4) - 0.055)
    assert np.array_equal(mesh.vertex_colors[:3, :3], np.round(srgb * 255))
    assert (mesh.vertex_colors[3:] == 255).all() and (mesh.vertex_colors[:, 3] == 255).all()
    assert mesh.materials[0].base_color == (1.0, 1.0, 1.0, 1.0)


def textured(image):
    gltf = Gltf()
    uv = gltf.accessor([[0, 0], [1, 0], [0, 1]])
    gltf.add("images", image(gltf))
    gltf.add("textures", {"source": 0})
    gltf.add(
        "materials",
        {
            "pbrMetallicRoughness": {
                "baseColorFactor": [1, 0.5, 0, 0.25],
                "baseColorTexture": {"index": 0},
            }
        },
    )
    primitive = gltf.primitive(TRIANGLE, attributes={"TEXCOORD_0": uv}, material=0)
    gltf.node(mesh=gltf.mesh(primitive, gltf.primitive(TRIANGLE)))
    return gltf


PIXELS = [[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [9, 8, 7]]]


def test_embedded_texture_and_uv_origin(tmp_path):
    gltf = textured(lambda g: {"bufferView": g.view(png(PIXELS)), "mimeType": "image/png"})
    mesh = read_mesh(write(tmp_path, gltf))
    material = mesh.materials[mesh.face_materials[0]]
    assert np.array_equal(material.texture[..., :3], PIXELS)
    assert (material.texture[..., 3] == 255).all()
    assert np.allclose(material.base_color, (1.0, 0.735357, 0.0, 1.0), atol=1e-4)
    # the origin of glTF is the upper left corner, ours the lower left
    assert np.array_equal(mesh.corner_uvs[0], [[0, 1], [1, 1], [0, 0]])
    assert mesh.materials[mesh.face_materials[1]].texture is None


def test_external_texture_and_buffer(tmp_path):
    gltf = textured(lambda g: {"uri": "my%20picture.png"})
    (tmp_path / "my picture.png").write_bytes(png(PIXELS))
    (tmp_path / "data.bin").write_bytes(gltf.data)
    (tmp_path / "m.gltf").write_bytes(gltf.gltf("data.bin"))
    mesh = read_mesh(tmp_path / "m.gltf")
    assert np.array_equal(mesh.materials[0].texture[..., :3], PIXELS)


@pytest.mark.parametrize("content", [None, b"no picture", png(PIXELS)[:45]])
def test_missing_or_broken_texture_is_a_warning(tmp_path, caplog, content):
    gltf = textured(lambda g: {"uri": "lost.png"})
    if content is not None:
        (tmp_path / "lost.png").write_bytes(content)
    with caplog.at_level(logging.WARNING):
        mesh = read_mesh(write(tmp_path, gltf))
    assert mesh.materials[0].texture is None
    assert np.allclose(mesh.materials[0].base_color, (1.0, 0.735357, 0.0, 1.0), atol=1e-4)
    assert "m.glb" in caplog.text


def test_texture_transform_and_uv_set(tmp_path):
    gltf = textured(lambda g: {"bufferView": g.view(png(PIXELS))})
    texture = gltf.document["materials"][0]["pbrMetallicRoughness"]["baseColorTexture"]
    move = {"offset": [0.5, 0.25], "scale": [2, 1], "rotation": np.pi / 2, "texCoord": 0}
    texture |= {"texCoord": 3, "extensions": {"KHR_texture_transform": move}}
    mesh = read_mesh(write(tmp_path, gltf))
    # (u, v) -> (v + .5, -2 u + .25) in the file, then v -> 1 - v
    assert np.allclose(mesh.corner_uvs[0], [[0.5, 0.75], [0.5, 2.75], [1.5, 0.75]])


def test_skin_poses_by_joints_and_ignores_the_node_of_the_mesh(tmp_path):
    gltf = Gltf()
    joints = gltf.accessor([[0, 1, 0, 0]] * 3, "u1")
    weights = gltf.accessor([[1, 0, 0, 0], [0, 1, 0, 0], [0.5, 0.5, 0, 0]])
    mesh = gltf.mesh(
        gltf.primitive(TRIANGLE, attributes={"JOINTS_0": joints, "WEIGHTS_0": weights})
    )
    second = np.eye(4)
    second[:3, 3] = [0, 0, -1]
    inverse = gltf.accessor([np.eye(4).T.ravel(), second.T.ravel()])
    child = gltf.node(root=False, translation=[0, 0, 3])
    joint = gltf.node(translation=[4, 0, 0], children=[child])
    gltf.add("skins", {"joints": [joint, child], "inverseBindMatrices": inverse})
    gltf.node(mesh=mesh, skin=0, translation=[100, 0, 0])
    vertices = read_mesh(write(tmp_path, gltf)).vertices
    # joint 0 moves by (4, 0, 0), joint 1 by (4, 0, 3 - 1)
    assert np.allclose(vertices, [[4, 0, 0], [5, 0, 2], [4, 2, 1]])


def test_morph_targets_and_sparse_accessors(tmp_path):
    gltf = Gltf()
    rows, moved = gltf.view(np.array([1], "<u2").tobytes()), gltf.view(np.ones(3, "<f4").tobytes())
    sparse = {
        "count": 1,
        "indices": {"bufferView": rows, "componentType": 5123},
        "values": {"bufferView": moved},
    }
    target = gltf.add(
        "accessors", {"componentType": 5126, "count": 3, "type": "VEC3", "sparse": sparse}
    )
    primitive = gltf.primitive(TRIANGLE, targets=[{"POSITION": target}])
    gltf.node(mesh=gltf.mesh(primitive, weights=[0.5]))
    mesh = read_mesh(write(tmp_path, gltf))
    assert np.array_equal(mesh.vertices, [[0, 0, 0], [1.5, 0.5, 0.5], [0, 2, 0]])


def test_points_and_lines_are_left_out(tmp_path):
    gltf = Gltf()
    line = gltf.primitive(TRIANGLE, mode=1)
    gltf.node(mesh=gltf.mesh(line, gltf.primitive(TRIANGLE)))
    assert len(read_mesh(write(tmp_path, gltf)).vertices) == 3
    cloud = Gltf()
    cloud.node(mesh=cloud.mesh(cloud.primitive(TRIANGLE, mode=0)))
    with pytest.raises(ItemError, match=r"m\.glb: is a point cloud: 3 points and no faces"):
        read_mesh(write(tmp_path, cloud))


def test_round_trip_with_trimesh(tmp_path):
    scene = trimesh.Scene()
    box, ball = trimesh.creation.box(), trimesh.creation.icosphere(subdivisions=1)
    turn = trimesh.transformations.rotation_matrix(0.7, [1, 2, 3], [0.1, 0, 0])
    scene.add_geometry(box, node_name="a", transform=turn)
    scene.add_geometry(ball, node_name="b", parent_node_name="a", transform=turn)
    path = tmp_path / "scene.glb"
    scene.export(path)
    mesh = read_mesh(path)
    vertices = [trimesh.transform_points(box.vertices, turn)]
    vertices.append(trimesh.transform_points(ball.vertices, turn @ turn))
    assert np.allclose(mesh.vertices, np.concatenate(vertices), atol=1e-6)
    assert np.array_equal(mesh.faces, np.concatenate([box.faces, ball.faces + len(box.vertices)]))


def test_object_boxes(tmp_path):
    gltf = Gltf()
    mesh = gltf.mesh(gltf.primitive(TRIANGLE), gltf.primitive([[0, 0, 4], *TRIANGLE[1:]]))
    gltf.node(mesh=mesh, translation=[1, 0, 0])
    gltf.node(mesh=mesh)
    boxes = read_object_boxes(write(tmp_path, gltf))
    assert boxes.shape == (2, 8, 3)
    corners = {(x, y, z) for x in (0.0, 1.0) for y in (0.0, 2.0) for z in (0.0, 4.0)}
    assert {tuple(corner) for corner in boxes[1]} == corners
    assert np.array_equal(boxes[0], boxes[1] + [1, 0, 0])


def change(**entries):
    gltf = simple()
    gltf.document |= entries
    return gltf.glb()


def node_cycle():
    gltf = simple()
    gltf.document["nodes"] = [{"children": [1]}, {"children": [0], "mesh": 0}]
    return gltf.glb()


def accessor(**entries):
    gltf = simple()
    gltf.document["accessors"][0] |= entries
    return gltf.glb()


def indices(values):
    gltf = Gltf()
    gltf.node(mesh=gltf.mesh(gltf.primitive(TRIANGLE, values)))
    return gltf.glb()


def instances():
    gltf = simple()
    gltf.document["accessors"][0]["count"] = 3
    for _ in range(40):
        gltf.node(mesh=0)
    return gltf.glb()


@pytest.mark.parametrize(
    "data, reason",
    [
        (simple().glb()[:-9], "truncated"),
        (simple().glb()[:30], "truncated"),
        (b"glTF\2\0", "truncated"),
        (b"glTF" + b"\1\0\0\0" + b"\0" * 30, "GLB version 1"),
        (b"\x00\x01garbage" * 9, "cannot be read as glb"),
        (b"[1, 2]", "no object"),
        (b"[" * 100_000, "cannot be read as glb"),
        (b'{"asset": {"version": "1.0"}}', "version 1.0"),
        (change(extensionsRequired=["KHR_draco_mesh_compression"]), "KHR_draco_mesh_compression"),
        (change(nodes=[]), r"nodes\[0\]"),
        (change(nodes="x"), "cannot be read"),
        (change(meshes=[{"primitives": [{"attributes": {}}]}]), "without POSITION"),
        (change(scenes=[]), None),
        (change(scenes=[{"nodes": []}]), "has no faces"),
        (node_cycle(), "its own ancestor"),
        (accessor(count=4), "truncated"),
        (accessor(count=10**12), "more than the"),
        (accessor(count=-1), "cannot be read|has -1"),
        (accessor(byteOffset=-4), "truncated"),
        (accessor(bufferView=17), r"bufferViews\[17\]"),
        (accessor(type="VEC2"), "expected"),
        (accessor(componentType=1), "cannot be read"),
        (indices([0, 1, 3]), "index 3 is out of range"),
        (instances(), "has 123 vertices, more than the 100 allowed"),
    ],
)
def test_malformed(tmp_path, data, reason):
    path = tmp_path / "bad.glb"
    path.write_bytes(data)
    if reason is None:  # no scene: every root node counts
        assert len(read_mesh(path).faces) == 1
        return
    with pytest.raises(ItemError, match=rf"^bad\.glb: .*({reason})"):
        read_mesh(path, max_vertices=100)


def test_missing_buffer_file_is_a_failure(tmp_path):
    (tmp_path / "m.gltf").write_bytes(simple().gltf("lost.bin"))
    with pytest.raises(ItemError, match=r"lacks its buffer file 'lost\.bin'"):
        read_mesh(tmp_path / "m.gltf")


@pytest.mark.parametrize("how", ["parent", "absolute", "symlink", "escaped"])
def test_files_outside_of_the_folder_are_refused(tmp_path, how):
    inside = tmp_path / "inside"
    inside.mkdir()
    gltf = simple()
    secret = tmp_path / "secret.bin"
    secret.write_bytes(gltf.data)
    uri = {"parent": "../secret.bin", "absolute": str(secret), "escaped": "%2e%2e/secret.bin"}
    if how == "symlink":
        (inside / "link.bin").symlink_to(secret)
    (inside / "m.gltf").write_bytes(gltf.gltf(uri.get(how, "link.bin")))
    with pytest.raises(ItemError, match="outside") as caught:
        read_mesh(inside / "m.gltf")
    assert caught.value.status == "outside"
    # a wider root, as that of a data set, lets the same file in
    assert len(read_mesh(inside / "m.gltf", root=tmp_path).faces) == 1


def test_texture_outside_of_the_folder_is_refused(tmp_path):
    with pytest.raises(ItemError, match="outside"):
        read_mesh(write(tmp_path, textured(lambda g: {"uri": "../../picture.png"})))
