"""The image encoder that trains on a CPU: convolutions need no time to learn what is near what."""

from semcorr.networks.backbone_spec import BackboneSpec, Preprocessing

SPEC = BackboneSpec(
    "tiny_convnext",
    "cnn",
    "convnext_atto",
    {
        "depths": (1, 2, 4, 1),
        "dims": (32, 64, 96, 96),
        # to the end, because its pictures are small
        "output_stride": 8,
        # layer scale opens slowly
        "ls_init_value": None,
        "head_norm_first": True,
        "num_classes": 0,
    },
    Preprocessing(size_multiple=8, default_size=112),
    licence="CC0-1.0",
)
