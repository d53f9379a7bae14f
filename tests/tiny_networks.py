"""Networks of transformers in tiny configurations with seeded random weights, written as assets."""

import hashlib
import json
from pathlib import Path

import torch
from safetensors.torch import save_file

from semcorr.networks.transformers_models import CLASSES

SAM = {
    "model_type": "sam",
    "vision_config": {
        "hidden_size": 16,
        "output_channels": 8,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": 64,
        "patch_size": 8,
        "global_attn_indexes": [1],
        "window_size": 4,
        "mlp_dim": 32,
        "num_pos_feats": 4,
    },
    "prompt_encoder_config": {
        "hidden_size": 8,
        "image_size": 64,
        "patch_size": 8,
        "mask_input_channels": 4,
    },
    "mask_decoder_config": {
        "hidden_size": 8,
        "mlp_dim": 16,
        "num_attention_heads": 2,
        "iou_head_hidden_dim": 8,
    },
}
DEPTH_ANYTHING = {
    "model_type": "depth_anything",
    "backbone_config": {
        "model_type": "dinov2",
        "hidden_size": 24,
        "num_hidden_layers": 4,
        "num_attention_heads": 2,
        "image_size": 56,
        "patch_size": 14,
        "out_features": ["stage1", "stage2", "stage3", "stage4"],
        "reshape_hidden_states": False,
    },
    "reassemble_hidden_size": 24,
    "neck_hidden_sizes": [8, 8, 16, 16],
    "fusion_hidden_size": 8,
    "head_hidden_size": 8,
    "patch_size": 14,
}


def random_model(description: dict, seed: int = 0) -> torch.nn.Module:
    """Return a network whose answers depend on what it is shown: no weight is nearly 0."""
    config, network = CLASSES[description["model_type"]]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = network(config.from_dict(description)).eval()
        for name, value in model.named_parameters():
            if value.dim() > 1 and "norm" not in name:
                torch.nn.init.normal_(value, std=0.3)
    return model


def write_files(folder: Path, description: dict, seed: int = 0) -> torch.nn.Module:
    """Write config.json and model.safetensors into a folder; return the network that they hold."""
    model = random_model(description, seed)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(description))
    # a tensor that two modules share is written once, as in released files
    shared = getattr(model, "_tied_weights_keys", None) or {}
    tensors = {k: v.contiguous() for k, v in model.state_dict().items() if k not in shared}
    save_file(tensors, folder / "model.safetensors")
    return model


def write_record(folder: Path) -> Path:
    """Write the small JSON that the asset rule would write beside a folder of files; return its path."""
    files = [
        {"file": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        for path in sorted(folder.iterdir())
    ]
    record = folder.with_suffix(".json")
    record.write_text(json.dumps({"files": files}))
    return record
