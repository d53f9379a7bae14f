"""What every store says of itself: enough to know how its numbers were made without the configuration."""

import json

import pytest
import small

from semcorr.store.chunk import ChunkReader

NAMES = {"schema", "key", "cfg", "inputs", "seed", "weights_sha256", "frame", "units"}
# store -> weights that its variant used: field of the entry -> asset
STORES = {
    "meshes/pack/0": {},
    "truth/pack/0": {},
    "renders/views/pack/0": {},
    "masks/outline/pack/0": {},
    "masks/segmented/pack/0": {"weights": small.SEGMENTER},
    "depth/exact/pack/0": {},
    "depth/guessed/pack/0": {"weights": small.DEPTH_GUESSER},
    "voxels/s16/pack/0": {},
    "latents/tiny/pack/0": {"weights": small.VAE},
    "features/lifted/pack/0": {"weights": small.ENCODER},
    "features/states/pack/0": {"weights": small.FLOW, "image_encoder": small.ENCODER},
    "features/states_yaw2/pack/0": {"weights": small.FLOW},
    "features/shapes/pack/0": {"weights": small.VAE},
    "matches/nearest/corners/aligned/1": {},
}


@pytest.mark.parametrize("name", STORES)
def test_attributes_of_a_store(name, prepared):
    found = ChunkReader(prepared.results / f"{name}.json").attributes
    assert found.keys() == NAMES
    assert (found["schema"], found["seed"]) == (1, small.CONFIG["seed"])
    assert found["cfg"]["global_seed"] == 0
    assert all(isinstance(found[n], str) and found[n] for n in ("frame", "units"))
    assert found["weights_sha256"] == {
        field: tensors_sha256(prepared, asset) for field, asset in STORES[name].items()
    }


def tensors_sha256(work, asset):
    """Return the hash that an asset's record gives for its file of tensors."""
    files = json.loads((work.results / f"assets/{asset}.json").read_text())["files"]
    (found,) = [f["sha256"] for f in files if f["file"].endswith((".safetensors", ".pth"))]
    return found
