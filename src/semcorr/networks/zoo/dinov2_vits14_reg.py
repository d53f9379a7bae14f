"""DINOv2 S/14 with registers."""

from semcorr.networks.backbone_spec import dinov2

SPEC = dinov2("small", registers=True)
