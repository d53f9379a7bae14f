"""DINOv2 B/14 without registers."""

from semcorr.networks.backbone_spec import dinov2

SPEC = dinov2("base", registers=False)
