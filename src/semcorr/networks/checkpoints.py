"""Reading weights without ever running code from a file, and loading them strictly."""

import logging
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from semcorr.errors import UserError

log = logging.getLogger(__name__)


def read_tensors(path: str | Path, keep: Callable[[str], bool] | None = None) -> dict[str, Tensor]:
    """Read a flat key -> tensor file.

    Args:
        path: a `.safetensors` file, or a torch file (`.pt`, `.pth`, `.bin`) that holds one flat
            dictionary of tensors, read with `weights_only=True`: pickled code never runs.
        keep: tells which keys to read; in safetensors files the others cost no time and no memory.

    Returns:
        Tensors on the CPU in their stored types.

    Raises:
        UserError: the file is missing, truncated, holds anything but tensors, or pickled objects.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: weights file does not exist; fetch or train it first")
    read = _read_safetensors if path.suffix == ".safetensors" else _read_torch
    return read(path, keep or (lambda key: True))


def _read_safetensors(path: Path, keep: Callable[[str], bool]) -> dict[str, Tensor]:
    try:
        with safe_open(path, framework="pt") as file:
            return {key: file.get_tensor(key) for key in sorted(file.keys()) if keep(key)}
    except SafetensorError as error:
        raise UserError(
            f"{path}: not a whole safetensors file ({error}); fetch it again"
        ) from error


def _read_torch(path: Path, keep: Callable[[str], bool]) -> dict[str, Tensor]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, EOFError, RuntimeError, ValueError) as error:
        if isinstance(error, torch.OutOfMemoryError):
            raise
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"{path}: refused, not a plain file of tensors ({reason}); "
            "convert it to safetensors, pickled objects are never loaded"
        ) from error
    if not isinstance(content, Mapping) or not all(
        isinstance(key, str) and isinstance(value, Tensor) for key, value in content.items()
    ):
        raise UserError(
            f"{path}: expected one flat dictionary of tensors, convert it to safetensors"
        )
    return {key: value for key, value in content.items() if keep(key)}


def load_strict(
    module: nn.Module,
    tensors: Mapping[str, Tensor],
    source: str | Path,
    dtype: torch.dtype = torch.float32,
) -> nn.Module:
    """Give a module its weights: every key present, none left over, every shape equal.

    Args:
        module: may live on the meta device (then it is built without its random weights).
        tensors: key -> tensor; floating types are cast to `dtype` (released torsos are float16).
        source: file that error messages name.
        dtype: floating type of all parameters afterwards.

    Returns:
        The module, in evaluation mode.

    Raises:
        UserError: naming the file and the first offending key.
    """
    expected = module.state_dict()
    # Old files lack the step counters of batch norms, which evaluation never reads.
    counters = {key for key in expected if key.endswith("num_batches_tracked")}
    tensors = {key: torch.zeros((), dtype=torch.long) for key in counters} | dict(tensors)
    missing = sorted(expected.keys() - tensors.keys())
    unexpected = sorted(tensors.keys() - expected.keys())
    if missing:
        raise UserError(f"{source}: key {missing[0]!r} is missing ({len(missing)} missing in all)")
    if unexpected:
        raise UserError(f"{source}: unexpected key {unexpected[0]!r} ({len(unexpected)} in all)")
    state = {}
    for key, want in expected.items():
        have = tensors[key]
        if have.shape != want.shape:
            raise UserError(
                f"{source}: key {key!r} has shape {tuple(have.shape)}, expected {tuple(want.shape)}"
            )
        state[key] = have.to(dtype) if have.is_floating_point() else have
    trainable = {name for name, value in module.named_parameters() if value.requires_grad}
    module.load_state_dict(state, strict=True, assign=True)
    for name, value in module.named_parameters():
        value.requires_grad_(name in trainable)
    log.debug("loaded %d tensors from %s", len(state), source)
    return module.eval()
