"""DINOv2 S/14 without registers."""

from semcorr.networks.backbone_spec import dinov2

SPEC = dinov2("small", registers=False)
