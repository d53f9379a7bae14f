"""MobileNetV2 as timm has it, with TensorFlow's padding."""

from semcorr.networks.backbone_spec import HALF, BackboneSpec, Preprocessing

# 'same' padding is TensorFlow's; at 32k+1 pixels it is symmetric and every cell has a centre
SPEC = BackboneSpec(
    "mobilenetv2_100",
    "cnn",
    "mobilenetv2_100",
    {"pad_type": "same"},
    Preprocessing(HALF, HALF, 32, 1, 257, "bilinear", cells_at_corners=True),
)
