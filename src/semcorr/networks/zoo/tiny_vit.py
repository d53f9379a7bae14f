"""DINOv2's layout at a size that trains on a CPU; fine patches because its pictures are small."""

from semcorr.networks.backbone_spec import BackboneSpec, Preprocessing

SPEC = BackboneSpec(
    "tiny_vit",
    "vit",
    "vit_small_patch14_reg4_dinov2",
    {
        "patch_size": 8,
        "embed_dim": 96,
        "depth": 4,
        "num_heads": 3,
        "img_size": 112,
        "reg_tokens": 4,
        "init_values": 0.1,
    },
    Preprocessing(size_multiple=8, default_size=112),
    licence="CC0-1.0",
)
