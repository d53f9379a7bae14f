"""A configuration that has every kind of variant once and runs in a minute."""

from copy import deepcopy
from typing import Any

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
        # the objects of `net` by the addresses that Objaverse-XL knows; from the mirror as well
        "xl": {"kind": "objaverse_xl", "list": "pack/net.csv", "truth": "pack/xl_truth"},
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
        "s16_rotation2": {"resolution": 16, "rotations": 2},
        "other": {"resolution": 32},
        "other_rotation2": {"resolution": 32, "rotations": 2},
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
        "shapes": {"kind": "voxel_autoencoder", "voxel": "s16_rotation2", "weights": VAE},
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
        "shapes": {
            "matcher": "hierarchical",
            "feature": "shapes",
            "levels": 1,
            "align": "rotation",
        },
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
        "collected": {
            "category": "chair",
            "poses": {"aligned": "xl"},
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
    # a and c share their vertices, from c to d a map is known: three pairs
    "dense": {
        "vertices": {
            "category": "chair",
            "poses": {"aligned": "pack"},
            "sources": "all",
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
