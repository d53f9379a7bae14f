"""One finished item as one file: how a long job remembers what it has done."""

import hashlib
import json
import os
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from semcorr.store.files import sync, write_bytes

Arrays = dict[str, np.ndarray]


def item_path(folder: Path, item_id: str, suffix: str) -> Path:
    """Return the path of an item's file; ids may hold any character, so the name is a hash."""
    return Path(folder) / f"{hashlib.sha256(item_id.encode()).hexdigest()[:32]}{suffix}"


def save_item(folder: Path, item_id: str, arrays: Arrays) -> None:
    """Save a finished item: write, flush to disk, rename."""
    path = item_path(folder, item_id, ".npz")
    partial = path.with_suffix(".tmp")
    with open(partial, "wb") as handle:
        np.savez(handle, **arrays)
        handle.flush()
        os.fsync(handle.fileno())
    os.replace(partial, path)
    sync(folder)


def save_failure(folder: Path, item_id: str, status: str, reason: str) -> None:
    """Remember a permanent failure of an item."""
    text = json.dumps({"id": item_id, "status": status, "reason": reason})
    write_bytes(item_path(folder, item_id, ".json"), text.encode())


def load_item(folder: Path, item_id: str, names: Iterable[str] | None = None) -> Arrays | None:
    """Return a finished item's arrays (all, or those named), or None when missing or damaged."""
    path = item_path(folder, item_id, ".npz")
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in (names or archive.files)}
    except FileNotFoundError:
        return None
    except (zipfile.BadZipFile, ValueError, EOFError, KeyError):
        path.unlink(missing_ok=True)  # cut short by a crash of the machine: computed again
        return None


def load_failure(folder: Path, item_id: str) -> tuple[str, str] | None:
    """Return (status, reason) of an item that failed for good, or None."""
    try:
        row = json.loads(item_path(folder, item_id, ".json").read_text())
        return row["status"], row["reason"]
    except (FileNotFoundError, json.JSONDecodeError, KeyError):
        return None


def content_hash(arrays: Arrays) -> str:
    """Return the SHA-256 over names, types, shapes and bytes of an item's arrays."""
    total = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        total.update(f"{name}|{array.dtype.str}|{array.shape}|".encode())
        total.update(array.view(np.uint8).reshape(-1).data if array.size else b"")
    return total.hexdigest()
