"""Scaled dot-product attention behind one switch."""

import importlib.util
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from semcorr.errors import UserError

Backend = Literal["auto", "sdpa", "xformers"]


def resolve_backend(choice: Backend, device: torch.device | str) -> Literal["sdpa", "xformers"]:
    """Turn the configured choice into the kernel that runs on this device.

    Args:
        choice: `auto` is torch's own fused attention everywhere.
        device: where the network lives.

    Returns:
        `sdpa` or `xformers`.

    Raises:
        UserError: unknown name, or xformers where it cannot run.
    """
    if choice not in ("auto", "sdpa", "xformers"):
        raise UserError(f"attention: unknown value {choice!r}, use auto, sdpa or xformers")
    if choice != "xformers":
        return "sdpa"
    if torch.device(device).type != "cuda":
        raise UserError("attention: xformers needs CUDA; use attention: auto or device: cuda")
    if importlib.util.find_spec("xformers") is None:
        raise UserError("attention: xformers is not installed; install it or use attention: auto")
    return "xformers"


def attend(
    query: Float[Tensor, "b n h d"],
    key: Float[Tensor, "b m h d"],
    value: Float[Tensor, "b m h d"],
    backend: Literal["sdpa", "xformers"] = "sdpa",
    mask: Bool[Tensor, "b 1 #n m"] | None = None,
) -> Float[Tensor, "b n h d"]:
    """Softmax attention with scale 1/sqrt(d), heads on the third axis.

    Args:
        query: queries.
        key: keys.
        value: values.
        backend: kernel, see `resolve_backend`; with a mask always torch's own.
        mask: true where a key is seen.

    Returns:
        Attended values per query.
    """
    if backend == "xformers" and mask is None:
        from xformers.ops import memory_efficient_attention

        return memory_efficient_attention(query, key, value)
    out = F.scaled_dot_product_attention(
        query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2), attn_mask=mask
    )
    return out.transpose(1, 2)
