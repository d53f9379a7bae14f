"""Weights and options that do not fit: one line each, exit code 1, the other methods unharmed."""

import os
import pickle
from collections import OrderedDict

import harness
import pytest
import small
import small_mirror
import small_pack

# asset key -> what is wrong with its file
PICKLE, SHAPE, GOOD = "dinov2_vits14", "dinov2_vitb14", "dinov2_vits14_reg"
FILES = {
    PICKLE: "dinov2_vits14_pretrain.pth",
    SHAPE: "dinov2_vitb14_pretrain.pth",
    GOOD: "dinov2_vits14_reg4_pretrain.pth",
}
LIFTED = small.CONFIG["features"]["lifted"]
TINY = {"kind": "hnsr", "latent": "shipped", "weights": "ss_flow_tiny", "layer": 0, "draws": 1}
CONFIG = {
    "device": "cpu",
    "offline": True,
    "datasets": {"pack": {"kind": "folder", "root": "pack"}},
    "renders": {"views": small.CONFIG["renders"]["views"]},
    "voxels": {"s16": {"resolution": 16}, "s32": {"resolution": 32}},
    "latents": {
        "tiny": {"kind": "trellis_ss", "voxel": "s16", "weights": small.VAE},
        "shipped": {"kind": "trellis_ss", "voxel": "s32", "weights": "ss_vae_tiny"},
    },
    "features": {
        "of_pickle": LIFTED | {"weights": PICKLE},
        "of_shape": LIFTED | {"weights": SHAPE},
        "of_good": LIFTED | {"weights": GOOD},
        "of_key": {"kind": "hnsr", "latent": "tiny", "weights": small.FLOW, "layer": 0,
                   "guidance": -1},
        "of_shipped": TINY | {"guidance": -1},
    },
    "methods": {
        "spatial": {"matcher": "spatial"},
        "good": {"matcher": "nearest", "feature": "of_good"},
        "bad_pickle": {"matcher": "nearest", "feature": "of_pickle"},
        "bad_shape": {"matcher": "nearest", "feature": "of_shape"},
        "bad_key": {"matcher": "hierarchical", "feature": "of_key", "levels": 1},
        "too_deep": {"matcher": "hierarchical", "feature": "of_shipped", "levels": 5},
    },
    "keypoints": {
        "corners": {
            "category": "chair",
            "poses": {"aligned": "pack"},
            "sources": ["c"],
            "targets": ["d"],
            "methods": ["spatial", "good", "bad_pickle", "bad_shape", "bad_key", "too_deep"],
        }
    },
}  # fmt: skip
BAD = ("bad_pickle", "bad_shape", "bad_key", "too_deep")


class Bomb:
    """Makes a folder as soon as anything unpickles it."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def write_bad_mirror(root, bomb):
    """Write released names with a missing key, a wrong shape, and a pickle that runs code."""
    import torch
    from safetensors.torch import load_file, save_file

    small_mirror.write_mirror(root)
    flow = next((root / small.FLOW).rglob("*.safetensors"))
    tensors = load_file(flow)
    del tensors[LOST]
    save_file(tensors, flow)
    encoder = torch.load(root / small.ENCODER / FILES[PICKLE], weights_only=True)
    for key, content in (
        (GOOD, encoder),
        (SHAPE, OrderedDict(encoder) | {WRONG: torch.zeros(3, 5)}),
    ):
        (root / key).mkdir()
        torch.save(content, root / key / FILES[key])
    (root / PICKLE / FILES[PICKLE]).write_bytes(pickle.dumps({"weight": Bomb(bomb)}))


LOST, WRONG = "input_layer.weight", "norm.weight"


@pytest.fixture(scope="module")
def run(tmp_path_factory, repository):
    """One run of all methods that goes on after failures."""
    place = tmp_path_factory.mktemp("bad_weights")
    write_bad_mirror(place / "mirror", place / "bomb")
    work = harness.Work(place / "work", repository, {"SEMCORR_MIRROR": str(place / "mirror")})
    small_pack.write_pack(work.folder / "pack")
    work.write_config(CONFIG)
    scores = [f"results/keypoints/corners/{name}.json" for name in CONFIG["methods"]]
    return work, work.run(*scores, "--keep-going", succeeds=False), place


def test_every_problem_is_one_line_that_names_what_to_change(run):
    work, finished, place = run
    assert finished.code == 1
    flow = "results/assets/trellis_ss_flow_img/ckpts/ss_flow_img_dit_L_16l8_fp16.safetensors"
    for message in (
        f"results/assets/{PICKLE}/{FILES[PICKLE]}: refused, not a plain file of tensors",
        f"results/assets/{SHAPE}/{FILES[SHAPE]}: key {WRONG!r} has shape (3, 5), expected",
        f"{flow}: key {LOST!r} is missing (1 missing in all)",
        "methods.too_deep.levels: 5 halve the grid 4 times, but the feature's grid has 8 cells"
        " a side; set levels to at most 4",
    ):
        assert message in finished.text, message
    assert "Traceback (most recent call last)" not in finished.text, finished.text


def test_code_in_a_pickle_never_runs(run):
    _, _, place = run
    assert not (place / "bomb").exists()


def test_the_other_methods_are_scored(run):
    work, _, _ = run
    made = {path.stem for path in (work.results / "keypoints/corners").glob("*.json")}
    assert made == set(CONFIG["methods"]) - set(BAD)
