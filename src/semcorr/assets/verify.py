"""How far bytes are verified: our hash, the hub's id of them, or nothing but the first sight."""

import hashlib
import re
from pathlib import Path

from semcorr.assets.download import WrongContentError
from semcorr.assets.part import Received

_SHA256 = re.compile(r"[0-9a-f]{64}")
_SHA1 = re.compile(r"[0-9a-f]{40}")


def hash_of(path: Path) -> str:
    """Return the sha256 of a file."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def compare(received: Received, expected: str) -> None:
    """Raise `WrongContentError` if a hash is expected and the bytes have another."""
    if expected and received.sha256 != expected:
        raise WrongContentError(f"sha256 is {received.sha256}, expected {expected}")


def hub_label(received: Received, path: Path) -> str:
    """Compare a file with the hub's id of it and return `hub-lfs`, `hub-git` or `first-use`.

    The hub names large files by their sha256 (`X-Linked-Etag`) and small ones by git's blob id
    (`ETag`), which is the same evidence in another hash.
    """
    told = received.provenance
    if _SHA256.fullmatch(told.linked_etag):
        if told.linked_etag != received.sha256:
            raise WrongContentError(f"sha256 is {received.sha256}, the hub says {told.linked_etag}")
        return "hub-lfs"
    blob = next((e for e in (told.linked_etag, told.origin_etag) if _SHA1.fullmatch(e)), None)
    if blob is None:
        return "first-use"
    found = git_blob_id(path)
    if found != blob:
        raise WrongContentError(f"git blob id is {found}, the hub says {blob}")
    return "hub-git"


def git_blob_id(path: Path) -> str:
    """Return git's name of a file's content: sha1 of `blob`, the size, a zero byte, the bytes."""
    header = f"blob {path.stat().st_size}\0"
    hasher = hashlib.sha1(header.encode(), usedforsecurity=False)
    with path.open("rb") as handle:
        while block := handle.read(1 << 20):
            hasher.update(block)
    return hasher.hexdigest()
