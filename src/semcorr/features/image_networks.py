"""Opening the image network that a variant names."""

from pathlib import Path

import torch

from semcorr.errors import UserError
from semcorr.features.networks import device_of
from semcorr.features.upstream import Upstream
from semcorr.networks.backbones import Backbone, load_backbone
from semcorr.networks.weight_files import weight_files


def open_backbone(name: str, manifest: Path, upstream: Upstream) -> Backbone:
    """Load an image network of the registry.

    Args:
        name: registry name.
        manifest: small JSON of the weights.
        upstream: device, threads.

    Raises:
        UserError: the weights were trained for another network; see also `load_backbone`.
    """
    torch.set_num_threads(upstream.threads)
    files = weight_files(manifest)
    overrides = dict(files.description.get("args", {}))
    trained = overrides.pop("backbone", name)
    if trained != name:
        raise UserError(f"{manifest}: holds weights of {trained}, set backbone: {trained}")
    return load_backbone(name, files.path, device_of(upstream.device), overrides)
