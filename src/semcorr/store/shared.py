"""Finished chunks that several users and checkouts share, so that each is computed once.

Why not the engine's own cache between workflows (`cache: True`): it replaces outputs by links into the
cache, so that `retry_failed` and the swap of stores would reach into what others read, and it would keep
chunks with failed rows, which nobody could then try again. Here an entry is copied (or hard-linked) both
ways, named by the key of the chunk, holds no failed row, and is checked against its own hashes when taken.
"""

import logging
import os
import shutil
from dataclasses import dataclass
from os import link
from pathlib import Path

from semcorr.store.files import digest, sync_tree
from semcorr.store.items import content_hash
from semcorr.store.manifest import Manifest, read_manifest
from semcorr.store.pack import PackedReader

log = logging.getLogger(__name__)

# The engine's variable for its own cache: one folder for all that is shared
VARIABLE = "SNAKEMAKE_OUTPUT_CACHE"
FOLDER = "semcorr"
STORE, MANIFEST = "store.zarr", "manifest.json"


@dataclass(frozen=True)
class SharedChunk:
    """The place of one chunk in the shared folder.

    Attributes:
        entry: its folder; there once somebody has finished the chunk.
        key: hash of all that the chunk rests on, as in its store's attributes.
    """

    entry: Path
    key: str

    def take(self, packed: Path) -> Manifest | None:
        """Copy the chunk to `packed` and return its manifest; None where there is no usable one."""
        if not self.entry.is_dir():
            return None
        try:
            shutil.rmtree(packed, ignore_errors=True)
            shutil.copytree(self.entry / STORE, packed, copy_function=_link_or_copy)
            manifest = read_manifest(self.entry / MANIFEST)
            self._check(PackedReader(packed), manifest)
        except (OSError, ValueError, KeyError, RuntimeError, shutil.Error) as error:
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
        if self.entry.exists() or not all(r.status == "ok" for r in read_manifest(manifest).rows):
            return
        partial = self.entry.with_name(f".{self.entry.name}.{os.getpid()}.tmp")
        try:
            self.entry.parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(store, partial / STORE, copy_function=_link_or_copy)
            shutil.copyfile(manifest, partial / MANIFEST)
            sync_tree(partial)
            partial.rename(self.entry)
        except (OSError, shutil.Error) as error:
            if not self.entry.is_dir():  # else another writer was first
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
    return SharedChunk(Path(folder).expanduser() / FOLDER / stage / digest([key, *more]), key)


def _link_or_copy(source: str, target: str) -> None:
    # stores are never edited, only replaced: both names may share their bytes
    try:
        link(source, target)
    except OSError:  # another disk, another owner
        shutil.copyfile(source, target)
