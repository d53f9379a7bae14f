"""Where networks run, and what is said when the GPU that was asked for cannot be used."""

import logging
import os
import socket

import torch

from semcorr.errors import UserError

log = logging.getLogger(__name__)

# Set by Slurm in a job that was given GPUs
ALLOCATED = ("SLURM_JOB_GPUS", "SLURM_STEP_GPUS", "SLURM_GPUS_ON_NODE")


def device_of(choice: str) -> str:
    """Return the torch device of `auto | cpu | cuda`.

    A job that was given a GPU and cannot use it would run for days on the CPU without a word: with
    `auto` it says so, with `cuda` it ends.

    Raises:
        UserError: `cuda`, and no CUDA device can be used; the message says where and why.
    """
    if choice == "cpu":
        return "cpu"
    if torch.cuda.is_available():
        return "cuda"
    if choice == "cuda":
        raise UserError(
            f"device: cuda, but no CUDA device is available on {socket.gethostname()}: {why_no_cuda()}."
            " Run on a node with a GPU (docs/cluster.md), or set `device: auto` or `device: cpu`"
        )
    if given := _allocation():
        log.warning(
            "Slurm gave this job a GPU (%s), but none can be used on %s: %s. Running on the CPU, many"
            " times slower; mend the node or the installation, or set `device: cpu`, so that no GPU"
            " is reserved",
            given,
            socket.gethostname(),
            why_no_cuda(),
        )
    return "cpu"


def _allocation() -> str:
    named = ((name, os.environ.get(name, "")) for name in ALLOCATED)
    return next((f"{name}={value}" for name, value in named if value not in ("", "0")), "")


def why_no_cuda() -> str:
    """Return what is known of why torch finds no CUDA device."""
    if not torch.version.cuda:
        return f"torch {torch.__version__} is built without CUDA"
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1", "NoDevFiles"):
        return f"CUDA_VISIBLE_DEVICES={os.environ['CUDA_VISIBLE_DEVICES']} hides all of them"
    return f"torch {torch.__version__} (CUDA {torch.version.cuda}) finds no device or no driver"
