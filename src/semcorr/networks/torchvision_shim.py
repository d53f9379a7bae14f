"""Lets torchvision's CUDA wheel be imported beside a CPU build of torch.

The wheel on the package index is built for CUDA. Its Python part adds fake kernels to two custom
operators without looking whether the extension that defines them could be loaded, so the import
stops with "operator torchvision::nms does not exist". timm needs torchvision only for picture
transforms, which use none of its operators: declaring their schemas is enough.
"""

import importlib.util
from pathlib import Path

import torch

_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_OPERATORS = ("nms", "qnms")
# A torch Library forgets its declarations as soon as it is collected.
_declared: list[torch.library.Library] = []


def install() -> bool:
    """Declare torchvision's operators where its extension does not load; call before importing it.

    Returns:
        True if stand-in declarations are in place, False if they are not needed (no torchvision, or
        its extension loads, as it does beside the matching CUDA build of torch).
    """
    if _declared:
        return True
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None or _extension_loads(Path(spec.origin).parent):
        return False
    library = torch.library.Library("torchvision", "FRAGMENT")
    for operator in _OPERATORS:
        library.define(operator + _SCHEMA)
    _declared.append(library)
    return True


def _extension_loads(package: Path) -> bool:
    extension = package / "_C.so"
    if not extension.exists():
        return False
    try:
        torch.ops.load_library(str(extension))
    except OSError:
        return False
    return True
