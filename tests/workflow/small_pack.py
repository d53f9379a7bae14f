"""The folder set of the small configuration: boxes as meshes, with every kind of ground truth."""

import json
import uuid
from pathlib import Path

import numpy as np

PARTS = {  # name -> lower and upper corner, file frame (up +y, front +z)
    "seat": ((-0.4, 0.0, -0.4), (0.4, 0.1, 0.4)),
    "back": ((-0.4, 0.1, -0.4), (0.4, 0.9, -0.3)),
    "leg": ((-0.4, -0.6, 0.3), (-0.3, 0.0, 0.4)),
    "arm": ((0.3, 0.1, -0.3), (0.4, 0.3, 0.4)),
}
CORNERS = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)])
QUADS = np.array(
    [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
)


def boxes(scale: float = 1.0) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Return vertices (v, 3), triangles (f, 3) and the part of every triangle of a chair of boxes."""
    vertices, faces, labels = [], [], []
    triangles = np.concatenate([QUADS[:, [0, 1, 2]], QUADS[:, [0, 2, 3]]])
    for number, (low, high) in enumerate(PARTS.values()):
        low, high = np.array(low), np.array(high) * (scale, 1, 1)
        faces.append(triangles + len(CORNERS) * number)
        vertices.append(low + CORNERS * (high - low))
        labels += [number] * len(triangles)
    return np.concatenate(vertices), np.concatenate(faces), labels


def obj_text(vertices: np.ndarray, faces: np.ndarray) -> str:
    """Return a mesh as OBJ."""
    lines = [f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in vertices]
    return "\n".join(lines + [f"f {a + 1} {b + 1} {c + 1}" for a, b, c in faces]) + "\n"


def write_gltf(path: Path, vertices: np.ndarray, faces: np.ndarray) -> None:
    """Write a mesh as glTF whose buffer lies beside it under a name that needs percent-encoding."""
    positions, corners = vertices.astype("<f4"), faces.astype("<u4")
    data = positions.tobytes() + corners.tobytes()
    path.with_name(f"{path.stem} data.bin").write_bytes(data)
    views = [
        {"buffer": 0, "byteOffset": 0, "byteLength": positions.nbytes},
        {"buffer": 0, "byteOffset": positions.nbytes, "byteLength": corners.nbytes},
    ]
    accessors = [
        {"bufferView": 0, "componentType": 5126, "count": len(positions), "type": "VEC3"},
        {"bufferView": 1, "componentType": 5125, "count": corners.size, "type": "SCALAR"},
    ]
    document = {
        "asset": {"version": "2.0"},
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1}]}],
        "accessors": accessors,
        "bufferViews": views,
        "buffers": [{"uri": f"{path.stem}%20data.bin", "byteLength": len(data)}],
    }
    path.write_text(json.dumps(document))


def write_material(root: Path, name: str) -> str:
    """Write a material library with a picture in a sub-folder; return the lines that use it."""
    from PIL import Image

    (root / "paint").mkdir(exist_ok=True)
    Image.new("RGB", (2, 2), (200, 120, 40)).save(root / f"paint/{name}.png")
    library = f"newmtl wood\nKd 1 1 1\nmap_Kd -clamp on {name}.png\n"
    (root / f"paint/{name}.mtl").write_text(library)
    return f"mtllib paint/{name}.mtl\nusemtl wood\n"


OBJECTS = ("box_b", "box_c", "box_d")
PAGE = "https://3d-api.si.edu/content/document/{}.glb"
# a names a material library, which names a picture; d names its buffer
ROWS = ("a,a.obj,chair,", "c,c.obj,chair,", "d,d.gltf,chair,", "table_a,table_a.obj,table,")


def xl_id(identifier: str) -> str:
    """Return the id of an object of Objaverse-XL: the UUID under which its package keeps the file."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, identifier))


def write_pack(root: Path, rows=ROWS, header: str = "id,file,category,up") -> Path:
    """Write the folder set (items.csv, meshes and all ground truth) and, in it, ShapeNet sets."""
    for folder in ("labels", "keypoints", "matches"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(("a", "c", "d", "table_a")):
        write_item(root, name, 1 + number / 10)
    symmetry = {"keypoints": [["seat_left", "seat_right"]], "labels": [], "orbits": []}
    (root / "symmetry.json").write_text(json.dumps(symmetry))
    (root / "matches.json").write_text(json.dumps({"shared_topology": [["a", "c"]]}))
    np.save(root / "matches/c__d.npy", np.arange(len(boxes()[0])))
    write_items(root, rows, header)
    for synset in ("02691156", "03001627"):
        write_planes(root, synset)
    write_objects(root)
    return root


def write_objects(root: Path, name: str = "net") -> None:
    """Write the list of objects that the mirror has, under both kinds of names, and their labels."""
    head = "id,path,category,licence,identifier"
    lines = [f"{i},boxes/{i}.glb,chair,by,{PAGE.format(i)}" for i in OBJECTS]
    (root / f"{name}.csv").write_text("\n".join([head, *lines]) + "\n")
    labels = json.dumps({"names": ["low", "high"], "faces": [0] * 6 + [1] * 6})
    of_xl = [xl_id(PAGE.format(i)) for i in OBJECTS]
    for folder, ids in ((f"{name}_truth", OBJECTS), ("xl_truth", of_xl)):
        (root / folder / "labels").mkdir(parents=True, exist_ok=True)
        for item_id in ids:
            (root / folder / f"labels/{item_id}.json").write_text(labels)


def write_items(root: Path, rows, header: str = "id,file,category,up") -> None:
    """Write the item list."""
    (root / "items.csv").write_text("\n".join([header, *rows]) + "\n")


def write_item(root: Path, name: str, scale: float) -> None:
    """Write one mesh with its labels and keypoints."""
    vertices, faces, labels = boxes(scale)
    if name == "d":
        write_gltf(root / f"{name}.gltf", vertices, faces)
    else:
        material = write_material(root, name) if name == "a" else ""
        (root / f"{name}.obj").write_text(material + obj_text(vertices, faces))
    label_file = {"names": list(PARTS), "faces": labels}
    (root / f"labels/{name}.json").write_text(json.dumps(label_file))
    points = {"names": ["seat_left", "seat_right", "top"], "vertices": [4, 0, 11]}
    (root / f"keypoints/{name}.json").write_text(json.dumps(points))


def write_planes(root: Path, synset: str) -> None:
    """Write two models of one synset, points of one, an annotation of the other, and their list."""
    (root / "planes.txt").write_text("a\nb\n")
    home = root / f"points/{synset}_things/points"
    for folder in (home, root / "listed" / synset):
        folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(("a", "b")):
        vertices, faces, _ = boxes(1 + number / 10)
        models = root / synset / name / "models"
        models.mkdir(parents=True, exist_ok=True)
        (models / "model_normalized.obj").write_text(obj_text(vertices, faces))
        corners = vertices.reshape(len(PARTS), len(CORNERS), 3)
        if name == "a":
            # the published frame of voxels: (x, -z, y) of the file, centred, longest side (1.5) 1
            placed = (corners - (0, 0.15, 0))[..., [0, 2, 1]] * (1, -1, 1) / 1.5
            listed = dict(zip(PARTS, placed.tolist(), strict=True))
            (root / f"listed/{synset}/a.json").write_text(json.dumps(listed))
        else:  # v1 has its front at +X, v2 at -Z
            lines = [f"{-z} {y} {x} 0 1 0 {n}.0" for n, c in enumerate(corners) for x, y, z in c]
            (home / "b.txt").write_text("\n".join(lines) + "\n")
