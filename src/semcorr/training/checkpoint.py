"""State of a training on disk: one file, replaced as a whole, read without running any code."""

import json
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from semcorr.store.files import write_bytes

log = logging.getLogger(__name__)

FILE = "checkpoint.safetensors"
_NOTES = "notes"


@dataclass
class Checkpoint:
    """Everything that the rest of a training depends on besides its seed.

    Attributes:
        step: number of finished steps.
        tensors: parameters, moving averages and optimiser moments, by name.
        notes: builtins (rows of the history, sums of the row that is being filled).
    """

    step: int
    tensors: dict[str, Tensor]
    notes: dict[str, Any] = field(default_factory=dict)


def write_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Replace the checkpoint of a folder; after an error (a full disk) the old one is still whole.

    Raises:
        OSError: the file could not be written.
    """
    notes = json.dumps({"step": checkpoint.step, **checkpoint.notes})
    tensors = {
        name: value.detach().cpu().contiguous() for name, value in checkpoint.tensors.items()
    }
    write_bytes(Path(folder) / FILE, save(tensors, {_NOTES: notes}))


def read_checkpoint(folder: Path) -> Checkpoint | None:
    """Return the checkpoint of a folder; None where there is none or it is damaged."""
    path = Path(folder) / FILE
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            notes = json.loads(file.metadata()[_NOTES])
            tensors = {name: file.get_tensor(name) for name in file.keys()}
            return Checkpoint(notes.pop("step"), tensors, notes)
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        log.warning("%s is damaged (%s): training starts anew", path, error)
        return None
