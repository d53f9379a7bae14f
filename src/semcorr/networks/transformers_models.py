"""The one module that imports transformers (after the torchvision stand-in); everything else asks here.

Networks come from a small JSON of an asset: its `config.json` says which sizes, its safetensors what is in
them. Nothing is looked up on a hub, no code of a checkpoint runs, no other file is read.
"""

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from semcorr.errors import UserError
from semcorr.networks import torchvision_shim
from semcorr.networks.weight_files import weight_files

torchvision_shim.install()

from huggingface_hub.errors import StrictDataclassError  # noqa: E402
from transformers import (  # noqa: E402  (must follow the stand-in)
    DepthAnythingConfig,
    DepthAnythingForDepthEstimation,
    PreTrainedModel,
    SamConfig,
    SamModel,
)
from transformers.utils import logging as transformers_logging  # noqa: E402

# model_type of the description -> its configuration and its network
CLASSES = {
    "sam": (SamConfig, SamModel),
    "depth_anything": (DepthAnythingConfig, DepthAnythingForDepthEstimation),
}


def load_model(model_type: str, manifest: Path, device: str = "cpu") -> PreTrainedModel:
    """Build a network as its description says and fill it strictly.

    Args:
        model_type: key of `CLASSES`, as in `config.json`.
        manifest: small JSON of the asset.
        device: torch device.

    Returns:
        The network in evaluation mode, float32.

    Raises:
        UserError: another network, a file that is no safetensors, missing or unexpected tensors,
            tensors of a wrong shape, or a description that names a network elsewhere.
    """
    files = weight_files(manifest)
    if files.path.suffix != ".safetensors":
        raise UserError(f"{files.path}: only safetensors are read here")
    config = _configuration(model_type, files.description, manifest)
    try:
        tensors = load_file(files.path)
    except SafetensorError as error:
        raise UserError(f"{files.path}: not a safetensors file ({error})") from error
    return _filled(CLASSES[model_type][1], config, tensors, files.path).to(device).eval()


def _configuration(model_type: str, description: dict[str, Any], manifest: Path) -> Any:
    found = description.get("model_type")
    if found != model_type:
        raise UserError(f"{manifest}: config.json describes {found!r}, {model_type!r} is needed")
    if description.get("backbone") or description.get("use_pretrained_backbone"):
        raise UserError(f"{manifest}: config.json names a backbone elsewhere; give its sizes")
    try:
        return CLASSES[model_type][0].from_dict(description)
    except (TypeError, ValueError, KeyError, AttributeError, StrictDataclassError) as error:
        raise UserError(f"{manifest}: config.json describes no network: {error}") from error


def _filled(network: type[PreTrainedModel], config: Any, tensors: dict, path: Path):
    """Return the network with these tensors; every one must have its place and every place its tensor."""
    verbosity, bars = (
        transformers_logging.get_verbosity(),
        transformers_logging.is_progress_bar_enabled(),
    )
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        model, report = network.from_pretrained(
            None,
            config=config,
            state_dict=tensors,
            dtype=torch.float32,
            local_files_only=True,
            output_loading_info=True,
        )
    except (RuntimeError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"{path}: does not fit its config.json: {error}") from error
    finally:
        transformers_logging.set_verbosity(verbosity)
        if bars:
            transformers_logging.enable_progress_bar()
    for what in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        if report[what]:
            raise UserError(
                f"{path}: {what.replace('_', ' ')}: {sorted(map(str, report[what]))[:5]}"
            )
    return model
