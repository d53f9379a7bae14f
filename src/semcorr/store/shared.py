"""Finished chunks that several users and checkouts share, so that each is computed once.

Why not the engine's own cache between workflows (`cache: True`): it replaces outputs by links into the
cache, so that `retry_failed` and the swap of stores would reach into what others read, and it would keep
chunks with failed rows, which nobody could then try again. Here an entry is copied (or hard-linked) both
ways, named by the key of the chunk, holds no failed row, and is checked against its own hashes when taken.
"""

import logging
import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from semcorr.store.files import digest, sync_tree
from semcorr.store.items import content_hash
from semcorr.store.manifest import Manifest, read_manifest
from semcorr.store.pack import PackedReader
from semcorr.store.shared_folders import copy_file, copy_tree, make_below, make_like_parent

log = logging.getLogger(__name__)

# The engine's variable for its own cache: one folder for all that is shared
VARIABLE = "SNAKEMAKE_OUTPUT_CACHE"
FOLDER = "semcorr"
STORE, MANIFEST = "store.zarr", "manifest.json"


@dataclass(frozen=True)
class SharedChunk:
    """The place of one chunk in the shared folder.

    Attributes:
        top: the folder that is shared; what is made below it is as open as it is.
        entry: folder of the chunk below it; there once somebody has finished the chunk.
        key: hash of all that the chunk rests on, as in its store's attributes.
    """

    top: Path
    entry: Path
    key: str

    def take(self, packed: Path) -> Manifest | None:
        """Copy the chunk to `packed` and return its manifest; None where there is no usable one."""
        if not os.path.isdir(self.entry):  # False, too, where this user may not look
            return None
        try:
            shutil.rmtree(packed, ignore_errors=True)
            copy_tree(self.entry / STORE, packed)
            manifest = read_manifest(self.entry / MANIFEST)
            self._check(PackedReader(packed), manifest)
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            log.warning("%s: not usable (%s); computing the chunk instead", self.entry, error)
            shutil.rmtree(packed, ignore_errors=True)
            return None
        log.info("taken from %s: %d items", self.entry, len(manifest.rows))
        return manifest

    def _check(self, reader: PackedReader, manifest: Manifest) -> None:
        if reader.attributes.get("key") != self.key:
            raise ValueError("made from something else")
        for index, row in enumerate(manifest.rows):
            if row.status != "ok" or content_hash(reader.read(index)) != row.sha256:
                raise ValueError(f"item {row.id} is damaged")

    def offer(self, store: Path, manifest: Path) -> None:
        """Put a finished chunk there for others; nothing where a row failed: that may be tried again."""
        if os.path.isdir(self.entry):
            return
        if not all(row.status == "ok" for row in read_manifest(manifest).rows):
            return
        # no number of a process: writers on other nodes may have the same
        partial = self.entry.with_name(f".{self.entry.name}.{secrets.token_hex(8)}.tmp")
        try:
            make_below(self.top, partial.parent)
            make_like_parent(partial)
            copy_tree(store, partial / STORE, make_like_parent)
            copy_file(manifest, partial / MANIFEST)
            sync_tree(partial)
            partial.rename(self.entry)
        except OSError as error:
            if not os.path.isdir(self.entry):  # else another writer was first
                log.warning("%s: not shared (%s)", self.entry, error)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def shared_chunk(stage: str, key: str, *more: str) -> SharedChunk | None:
    """Return the place of a chunk where `SNAKEMAKE_OUTPUT_CACHE` names a folder, else None.

    Args:
        stage: name of the stage; keys of different stages are apart.
        key: of the chunk's job.
        more: what else must be equal, though it is no parameter of the job: addresses of downloads.
    """
    folder = os.environ.get(VARIABLE, "")
    if not folder or "://" in folder:  # an object store is the engine's alone
        return None
    top = Path(folder).expanduser()
    return SharedChunk(top, top / FOLDER / stage / digest([key, *more]), key)
