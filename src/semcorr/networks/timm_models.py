"""The one module that imports timm (after the torchvision stand-in); everything else asks here."""

from typing import Any

from torch import nn

from semcorr.networks import torchvision_shim

torchvision_shim.install()

import timm  # noqa: E402  (must follow the line above)


def create(name: str, **kwargs: Any) -> nn.Module:
    """Build a timm model without weights; weights always come from our own loader.

    Args:
        name: timm's model name.
        kwargs: passed to the constructor.

    Returns:
        The model in evaluation mode, float32, on the current default device.
    """
    return timm.create_model(name, pretrained=False, **kwargs).eval()
