"""The mirror of the small configuration: tiny networks and objects under the names of released ones."""

import json
from pathlib import Path

import small
import small_pack


def write_mirror(root: Path) -> Path:
    """Write tiny networks with seeded random weights, and objects, where SEMCORR_MIRROR looks for them."""
    import tiny_networks
    import torch
    from objaverse_site import glb
    from safetensors.torch import save_file

    from semcorr.networks.backbones import build_backbone
    from semcorr.networks.trellis.loading import untrained_network

    networks = {
        small.VAE: ("ckpts/ss_enc_conv3d_16l8_fp16", "SparseStructureEncoder", {
            "in_channels": 1, "latent_channels": 2, "num_res_blocks": 1, "channels": [4, 8],
            "num_res_blocks_middle": 1}),
        small.FLOW: ("ckpts/ss_flow_img_dit_L_16l8_fp16", "SparseStructureFlowModel", {
            "resolution": 8, "in_channels": 2, "out_channels": 2, "model_channels": 16,
            "cond_channels": 96, "num_blocks": 2, "num_heads": 1}),
        small.SLAT_VAE: ("ckpts/slat_enc_swin8_B_64l8_fp16", "SLatEncoder", {
            "resolution": 16, "in_channels": 96, "model_channels": 16, "latent_channels": 2,
            "num_blocks": 2, "num_heads": 1, "window_size": 4}),
        small.SLAT_FLOW: ("ckpts/slat_flow_img_dit_L_64l8p2_fp16", "SLatFlowModel", {
            "resolution": 16, "in_channels": 2, "out_channels": 2, "model_channels": 16,
            "cond_channels": 96, "num_blocks": 1, "num_heads": 1, "io_block_channels": [8]}),
    }  # fmt: skip
    for seed, (key, (file, name, args)) in enumerate(networks.items()):
        path = root / key / f"{file}.safetensors"
        path.parent.mkdir(parents=True)
        save_file(untrained_network(name, args, seed).state_dict(), path)
        path.with_suffix(".json").write_text(json.dumps({"name": name, "args": args}))
    for number, item_id in enumerate(small_pack.OBJECTS):
        of_xl = small_pack.xl_id(small_pack.PAGE.format(item_id))
        for place in (f"objaverse/boxes/{item_id}", f"objaverse_xl/smithsonian/objects/{of_xl}"):
            (root / place).parent.mkdir(parents=True, exist_ok=True)
            (root / f"{place}.glb").write_bytes(glb((1 + number, 1, 1)))
    tiny_networks.write_files(root / small.SEGMENTER, tiny_networks.SAM)
    tiny_networks.write_files(root / small.DEPTH_GUESSER, tiny_networks.DEPTH_ANYTHING)
    (root / small.ENCODER).mkdir()
    encoder = build_backbone("tiny_vit", seed=2).module
    torch.save(dict(encoder.state_dict()), root / small.ENCODER / "dinov2_vits14_pretrain.pth")
    return root
