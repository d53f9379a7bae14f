"""A configuration that has every kind of variant once and runs in a minute, with its meshes and weights."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np

# What the runs ask for: tables and pictures, the models that no experiment needs, the indices
TARGETS = ("all", "models", "datasets")
# Found through the mirror; random weights under the names of released ones, so that the shipped
# table of assets is used as it is
VAE, FLOW, ENCODER = "trellis_ss_enc", "trellis_ss_flow_img", "dinov2_vits14"
SLAT_VAE, SLAT_FLOW = "trellis_slat_enc", "trellis_slat_flow_img"
SLAT = {
    "kind": "trellis_slat",
    "voxel": "s16",
    "render": "views",
    "weights": SLAT_VAE,
    "image_encoder": ENCODER,
    "backbone": "tiny_vit",
    "image_size": 32,
}
SEGMENTER, DEPTH_GUESSER = "sam_vit_base", "depth_anything_v2_small"

# `other...` is used by nothing: it is what a changed reference can name instead
CONFIG: dict[str, Any] = {
    "seed": 0,
    "device": "cpu",
    "offline": True,
    "datasets": {
        # chunk 0 holds numbers 0, 1 and 2 (both sources), chunk 1 number 3
        "chairs": {"kind": "procedural", "category": "chair", "count": 4, "seed": 9, "chunks": 2},
        "chairs_yaw": {"kind": "turned", "from": "chairs", "yaw": "random"},
        # chunk 0 holds c (the source), d and table_a, chunk 1 holds a
        "pack": {"kind": "folder", "root": "pack", "chunks": 2},
        "extra": {"kind": "procedural", "category": "chair", "count": 2, "seed": 31},
        # model b has labelled points, a (the source) positions listed per part
        "planes": {
            "kind": "shapenet",
            "root": "pack",
            "points": "pack/points",
            "annotations": "pack/listed",
            "synset": "02691156",
            "category": "airplane",
            "labels": {"0": "seat", "1": "back", "2": "leg", "3": "arm"},
        },
        # chunk 0 holds box_b (the source) and box_c, chunk 1 holds box_d; all come from the mirror
        "net": {
            "kind": "objaverse",
            "list": "pack/net.csv",
            "chunks": 2,
            "url": "http://127.0.0.1:9/objaverse",
            "truth": "pack/net_truth",
        },
    },
    "renders": {
        "views": {
            "rig": "fibonacci",
            "views": 2,
            "resolution": 32,
            "backend": "raycast",
            "samples": 1,
        },
        "placed": {
            "rig": "explicit",
            "positions": [[0.0, -2.0, 0.2], [0.3, -2.0, 0.3]],
            "resolution": 32,
            "backend": "raycast",
            "samples": 1,
        },
    },
    "masks": {
        "outline": {"kind": "alpha", "render": "views"},
        "other": {"kind": "alpha", "render": "views", "threshold": 0.9},
        "segmented": {
            "kind": "sam",
            "render": "views",
            "weights": SEGMENTER,
            "prompt": "grid",
            "grid": 2,
            "min_quality": 0.0,
        },
        "other_segmented": {"kind": "sam", "render": "views", "weights": SEGMENTER},
    },
    "depth": {
        "exact": {"kind": "render", "render": "views"},
        "other": {"kind": "render", "render": "views"},
        "guessed": {
            "kind": "depth_anything",
            "render": "views",
            "weights": DEPTH_GUESSER,
            "size": 56,
        },
        "other_guessed": {
            "kind": "depth_anything",
            "render": "views",
            "weights": DEPTH_GUESSER,
        },
    },
    "voxels": {
        "s16": {"resolution": 16},
        "s16_yaw2": {"resolution": 16, "yaws": 2},
        "other": {"resolution": 32},
    },
    "latents": {
        "tiny": {"kind": "trellis_ss", "voxel": "s16", "weights": VAE},
        "tiny_yaw2": {"kind": "trellis_ss", "voxel": "s16_yaw2", "weights": VAE},
        "slat": SLAT,
        "other": SLAT | {"render": "placed"},
    },
    "features": {
        "states": {
            "kind": "hnsr",
            "latent": "tiny",
            "weights": FLOW,
            "render": "views",
            "image_encoder": ENCODER,
            "backbone": "tiny_vit",
            "image_size": 32,
            "timestep": 9,
            "noise": 9,
            "draws": 1,
            "layer": 0,
            "more_layers": [1],
            "guidance": 0,
        },
        "lifted": {
            "kind": "lifted",
            "render": "views",
            "backbone": "tiny_vit",
            "weights": ENCODER,
            "size": 32,
            "layers": {"norm": 1.0},
        },
        "masked": {
            "kind": "lifted",
            "render": "views",
            "mask": "outline",
            "depth": "exact",
            "backbone": "tiny_vit",
            "weights": ENCODER,
            "size": 32,
            "layers": {"norm": 1.0},
        },
        "guessed": {
            "kind": "lifted",
            "render": "views",
            "mask": "segmented",
            "depth": "guessed",
            "tolerance": 2.0,
            "backbone": "tiny_vit",
            "weights": ENCODER,
            "size": 32,
            "layers": {"norm": 1.0},
        },
        "other": {
            "kind": "lifted",
            "render": "views",
            "backbone": "tiny_vit",
            "weights": ENCODER,
            "size": 32,
            "layers": {"block.1": 1.0},
        },
        "states_yaw2": {
            "kind": "hnsr",
            "latent": "tiny_yaw2",
            "weights": FLOW,
            "layer": 0,
            "guidance": -1,
        },
        "shapes": {"kind": "voxel_autoencoder", "voxel": "s16", "weights": VAE},
        "slat_states": {
            "kind": "slat_states",
            "latent": "slat",
            "weights": SLAT_FLOW,
            "render": "views",
            "image_encoder": ENCODER,
            "backbone": "tiny_vit",
            "image_size": 32,
            "timestep": 9,
            "noise": 9,
            "draws": 1,
            "layer": 0,
            "guidance": 0,
            "normalise": "none",
        },
        "voxel_views": {
            "kind": "voxel_views",
            "voxel": "s16",
            "render": "views",
            "weights": ENCODER,
            "backbone": "tiny_vit",
            "image_size": 32,
        },
    },
    "methods": {
        "random": {"matcher": "random"},
        "spatial": {"matcher": "spatial", "align": "yaw", "yaws": 4},
        "nearest": {"matcher": "nearest", "feature": "lifted"},
        "guided": {"matcher": "guided", "feature": "masked", "yaws": 4},
        "slat_states": {"matcher": "nearest", "feature": "slat_states"},
        "voxel_views": {"matcher": "guided", "feature": "voxel_views", "yaws": 4},
        "guessed": {"matcher": "nearest", "feature": "guessed"},
        "states": {"matcher": "hierarchical", "feature": "states", "levels": 1},
        "shapes": {"matcher": "hierarchical", "feature": "shapes", "levels": 1},
        "states_yaw2": {
            "matcher": "hierarchical",
            "feature": "states_yaw2",
            "levels": 1,
            "align": "yaw",
        },
    },
    "models": {
        "vae": {
            "kind": "ss_vae",
            "samples": 4,
            "batch": 2,
            "shapes": 2,
            "validation_shapes": 1,
            "resolution": 16,
            "channels": [4, 8],
            "latent_channels": 2,
            "precision": "fp32",
        },
        "encoder": {
            "kind": "multiview_contrastive",
            "backbone": "tiny_vit",
            "datasets": ["extra"],
            "render": "placed",
            "samples": 4,
            "batch": 2,
            "size": 32,
            "points": 8,
            "held_out": 1,
            "copies": 0,
            "precision": "fp32",
        },
        "flow": {
            "kind": "ss_flow",
            "vae": "vae",
            "image_encoder": "encoder",
            "datasets": ["extra"],
            "render": "views",
            "samples": 4,
            "batch": 2,
            "shapes": 2,
            "validation_shapes": 1,
            "resolution": 16,
            "model_channels": 16,
            "blocks": 1,
            "heads": 1,
            "image_size": 32,
            "condition_share": 0.5,
            "precision": "fp32",
        },
    },
    "coseg": {
        "seats": {
            "category": "chair",
            "poses": {"aligned": "chairs", "turned": "chairs_yaw"},
            "sources": 2,
            "votes": [2],
            "methods": ["random", "spatial"],
        },
        "planes": {
            "category": "airplane",
            "poses": {"aligned": "planes"},
            "sources": 1,
            "methods": ["random"],
        },
        "downloaded": {
            "category": "chair",
            "poses": {"aligned": "net"},
            "sources": 1,
            "methods": ["random"],
        },
    },
    "keypoints": {
        "corners": {
            "category": "chair",
            "poses": {"aligned": "pack"},
            "sources": ["c"],
            "methods": [
                "nearest",
                "guided",
                "slat_states",
                "voxel_views",
                "states",
                "states_yaw2",
                "shapes",
                "guessed",
            ],
        }
    },
    "texture": {
        "paint": {
            "category": "chair",
            "poses": {"aligned": "pack"},
            "sources": ["c"],
            "methods": ["random", "spatial"],
        }
    },
}


def config(**changes: Any) -> dict[str, Any]:
    """Return a copy of the configuration; `changes` maps dotted paths (with __) to values."""
    found = deepcopy(CONFIG)
    for path, value in changes.items():
        set_at(found, path.split("__"), value)
    return found


def set_at(tree: dict[str, Any], path: list[str], value: Any) -> None:
    """Set a value deep in nested dicts."""
    *parents, last = path
    for name in parents:
        tree = tree.setdefault(name, {})
    tree[last] = value


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
# a names a material library, which names a picture; d names its buffer
ROWS = ("a,a.obj,chair,", "c,c.obj,chair,", "d,d.gltf,chair,", "table_a,table_a.obj,table,")


def write_pack(root: Path, rows=ROWS, header: str = "id,file,category,up") -> Path:
    """Write the folder set (items.csv, meshes, labels, keypoints, symmetry) and, in it, ShapeNet sets."""
    for folder in ("labels", "keypoints"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(("a", "c", "d", "table_a")):
        write_item(root, name, 1 + number / 10)
    symmetry = {"keypoints": [["seat_left", "seat_right"]], "labels": [], "orbits": []}
    (root / "symmetry.json").write_text(json.dumps(symmetry))
    write_items(root, rows, header)
    for synset in ("02691156", "03001627"):
        write_planes(root, synset)
    write_objects(root)
    return root


def write_objects(root: Path, name: str = "net") -> None:
    """Write the list of objects that the mirror has, and their labels."""
    lines = [f"{item_id},boxes/{item_id}.glb,chair,by" for item_id in OBJECTS]
    (root / f"{name}.csv").write_text("\n".join(["id,path,category,licence", *lines]) + "\n")
    (root / f"{name}_truth/labels").mkdir(parents=True, exist_ok=True)
    labels = json.dumps({"names": ["low", "high"], "faces": [0] * 6 + [1] * 6})
    for item_id in OBJECTS:
        (root / f"{name}_truth/labels/{item_id}.json").write_text(labels)


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


def write_mirror(root: Path) -> Path:
    """Write tiny networks with seeded random weights, and objects, where SEMCORR_MIRROR looks for them."""
    """Write tiny networks with seeded random weights where SEMCORR_MIRROR looks for assets."""
    import tiny_networks
    import torch
    from objaverse_site import glb
    from safetensors.torch import save_file

    from semcorr.networks.backbones import build_backbone
    from semcorr.networks.trellis.loading import untrained_network

    networks = {
        VAE: ("ckpts/ss_enc_conv3d_16l8_fp16", "SparseStructureEncoder", {
            "in_channels": 1, "latent_channels": 2, "num_res_blocks": 1, "channels": [4, 8],
            "num_res_blocks_middle": 1}),
        FLOW: ("ckpts/ss_flow_img_dit_L_16l8_fp16", "SparseStructureFlowModel", {
            "resolution": 8, "in_channels": 2, "out_channels": 2, "model_channels": 16,
            "cond_channels": 96, "num_blocks": 2, "num_heads": 1}),
        SLAT_VAE: ("ckpts/slat_enc_swin8_B_64l8_fp16", "SLatEncoder", {
            "resolution": 16, "in_channels": 96, "model_channels": 16, "latent_channels": 2,
            "num_blocks": 2, "num_heads": 1, "window_size": 4}),
        SLAT_FLOW: ("ckpts/slat_flow_img_dit_L_64l8p2_fp16", "SLatFlowModel", {
            "resolution": 16, "in_channels": 2, "out_channels": 2, "model_channels": 16,
            "cond_channels": 96, "num_blocks": 1, "num_heads": 1, "io_block_channels": [8]}),
    }  # fmt: skip
    for seed, (key, (file, name, args)) in enumerate(networks.items()):
        path = root / key / f"{file}.safetensors"
        path.parent.mkdir(parents=True)
        save_file(untrained_network(name, args, seed).state_dict(), path)
        path.with_suffix(".json").write_text(json.dumps({"name": name, "args": args}))
    (root / "objaverse/boxes").mkdir(parents=True)
    for number, item_id in enumerate(OBJECTS):
        (root / f"objaverse/boxes/{item_id}.glb").write_bytes(glb((1 + number, 1, 1)))
    tiny_networks.write_files(root / SEGMENTER, tiny_networks.SAM)
    tiny_networks.write_files(root / DEPTH_GUESSER, tiny_networks.DEPTH_ANYTHING)
    (root / ENCODER).mkdir()
    encoder = build_backbone("tiny_vit", seed=2).module
    torch.save(dict(encoder.state_dict()), root / ENCODER / "dinov2_vits14_pretrain.pth")
    return root
