"""Computing a chunk: item by item, resumable, one writer, packed at the end."""

import logging
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

from semcorr.errors import ItemError
from semcorr.store.files import digest, sync, sync_tree
from semcorr.store.items import (
    Arrays,
    content_hash,
    load_failure,
    load_item,
    save_failure,
    save_item,
)
from semcorr.store.lock import FolderLock
from semcorr.store.manifest import Manifest, Row, read_manifest
from semcorr.store.pack import PackedReader, pack
from semcorr.store.shared import SharedChunk
from semcorr.store.tally import TALLY

log = logging.getLogger(__name__)

Compute = Callable[[str], Arrays]


@dataclass(frozen=True)
class ChunkJob:
    """What a chunk is made of; two jobs with equal keys give equal stores.

    Attributes:
        store: path of the Zarr directory, `{chunk}.zarr`.
        manifest: path of the manifest beside it, `{chunk}.json`.
        ids: item ids of the chunk.
        cfg: the variant's validated options.
        code: fingerprint of the code that computes the items.
        members: ids with the digests of what the item list says of them.
        inputs: content hashes of all input manifests and weights, by path.
        ragged: names of arrays whose first axis differs between items.
        attributes: further attributes of the store (frame, units ...).
        scratch: folder on a disk of this node alone in which items are collected and packed, or None:
            beside the store. What is there is lost for the next try on another node.
    """

    store: Path
    manifest: Path
    ids: tuple[str, ...]
    cfg: dict[str, Any]
    code: str
    members: tuple[Any, ...]
    inputs: dict[str, str]
    ragged: frozenset[str] = frozenset()
    attributes: dict[str, Any] = field(default_factory=dict)
    scratch: Path | None = None

    @property
    def key(self) -> str:
        """Hash of everything the items depend on; name of the part folder."""
        return digest([self.cfg, self.code, list(self.members), self.inputs])

    @property
    def part_folder(self) -> Path:
        """Folder that the writer holds locked; without `scratch` the items finished so far are in it."""
        return self.store.with_name(f"{self.store.stem}.part-{self.key}")

    @property
    def item_folder(self) -> Path:
        """Folder of the items finished so far."""
        return self.part_folder if self.scratch is None else self.scratch / f"semcorr-{self.key}"


def write_chunk(
    job: ChunkJob,
    prepare: Callable[[list[str]], Any],
    unit: str = "item",
    shared: SharedChunk | None = None,
) -> Manifest:
    """Compute what is missing of a chunk, pack it, write the manifest last.

    Args:
        job: what to compute and where it goes.
        prepare: called once with the ids still to compute, only if there are any; a context manager that
            yields the function id -> arrays (load networks, start renderers there).
        unit: noun of the progress bar.
        shared: place where others may have put the same chunk, and where it goes for them.

    Returns:
        The manifest. An `ItemError` of an item is a row of it; any other exception stops the job and
        keeps the finished items for the next try.
    """
    job.store.parent.mkdir(parents=True, exist_ok=True)
    _clear_other_parts(job)
    lock = FolderLock(job.part_folder)
    with lock:
        done = _finished(job) or _taken(job, shared)
        if done is None:
            _bring_items_to_scratch(job)
            _compute_missing(job, prepare, unit)
            done = _pack(job)
            if shared is not None:
                shared.offer(job.store, job.manifest)
        for folder in {job.part_folder, job.item_folder}:
            shutil.rmtree(folder, ignore_errors=True)
        return done


def _taken(job: ChunkJob, shared: SharedChunk | None) -> Manifest | None:
    if shared is None:
        return None
    packed = job.part_folder / "packed.zarr"
    manifest = shared.take(packed)
    if manifest is not None:
        _put_in_place(job, packed, manifest)
    return manifest


def _bring_items_to_scratch(job: ChunkJob) -> None:
    # Good rows that `retry_failed` left, or items of a try without scratch
    job.item_folder.mkdir(parents=True, exist_ok=True)
    if job.item_folder != job.part_folder:
        for path in sorted(job.part_folder.glob("*.npz")):
            shutil.copyfile(path, job.item_folder / path.name)


def _clear_other_parts(job: ChunkJob) -> None:
    # Left by a run with another configuration; its writer may still live and would overwrite our store
    for folder in sorted(job.store.parent.glob(f"{job.store.stem}.part-*")):
        if folder != job.part_folder and folder.is_dir():
            with FolderLock(folder):
                shutil.rmtree(folder, ignore_errors=True)


def _finished(job: ChunkJob) -> Manifest | None:
    # Another process finished the same job while we waited for its lock
    if not (job.manifest.exists() and job.store.exists()):
        return None
    try:
        if PackedReader(job.store).attributes.get("key") == job.key:
            return read_manifest(job.manifest)
    except (ValueError, KeyError, FileNotFoundError):
        return None
    return None


def _compute_missing(job: ChunkJob, prepare, unit: str) -> None:
    folder = job.item_folder
    missing = [
        i for i in job.ids if load_failure(folder, i) is None and load_item(folder, i) is None
    ]
    if len(missing) < len(job.ids):
        log.info("resuming: %d of %d %ss are done", len(job.ids) - len(missing), len(job.ids), unit)
    if not missing:
        return
    start, failed = time.monotonic(), 0
    with prepare(missing) as compute:
        ready = time.monotonic()
        for item_id in tqdm(missing, unit=unit, desc=str(job.store.parent), mininterval=2):
            try:
                save_item(folder, item_id, compute(item_id))
            except ItemError as error:
                log.warning("%s: %s (%s)", item_id, error.reason, error.status)
                save_failure(folder, item_id, error.status, error.reason)
                failed += 1
        TALLY.seconds += time.monotonic() - ready
    TALLY.items += len(missing)
    TALLY.failed += failed
    seconds = time.monotonic() - start
    log.info(
        "%d %ss (%d failed) in %.1f s, %.2f s/%s",
        len(missing), unit, failed, seconds, seconds / len(missing), unit,
    )  # fmt: skip


def _pack(job: ChunkJob) -> Manifest:
    folder = job.item_folder
    rows = []
    for item_id in sorted(job.ids):
        failure = load_failure(folder, item_id)
        if failure is not None:
            rows.append(Row(item_id, *failure))
            continue
        arrays = load_item(folder, item_id)
        shapes = {name: list(array.shape) for name, array in sorted(arrays.items())}
        rows.append(Row(item_id, "ok", "", content_hash(arrays), shapes))
    manifest = Manifest(tuple(rows))
    packed = folder / "packed.zarr"
    shutil.rmtree(packed, ignore_errors=True)
    attributes = {
        "schema": 1,
        "key": job.key,
        "cfg": job.cfg,
        "inputs": job.inputs,
        **job.attributes,
    }
    pack(
        packed,
        manifest.ok_ids,
        lambda i, names: load_item(folder, i, names),
        job.ragged,
        attributes,
    )
    if job.scratch is not None:
        shutil.rmtree(job.part_folder / packed.name, ignore_errors=True)
        packed = Path(shutil.copytree(packed, job.part_folder / packed.name))
    _put_in_place(job, packed, manifest)
    return manifest


def _put_in_place(job: ChunkJob, packed: Path, manifest: Manifest) -> None:
    sync_tree(packed)  # the manifest must never be all that a power cut leaves
    # Two writers of other configurations hold other part folders: together they could leave the store of
    # one with the manifest of the other
    with FolderLock(job.store.with_name(f".{job.store.stem}.swap")) as lock:
        job.manifest.unlink(missing_ok=True)
        shutil.rmtree(job.store, ignore_errors=True)
        packed.rename(job.store)
        sync(job.store.parent)
        manifest.write(job.manifest)
        lock.folder.rmdir()


@contextmanager
def simple(compute: Compute) -> Iterator[Compute]:
    """Wrap a function that needs no preparation for `write_chunk`."""
    yield compute


def retry_failed(store: Path, manifest: Path) -> int:
    """Make a chunk ready for computing its failed rows again; good rows are kept.

    Moves the good rows back into the part folder and deletes manifest and store, so that the next run
    plans the chunk and computes only what had failed.

    Returns:
        Number of rows to compute again; 0 leaves the chunk as it is.
    """
    table = read_manifest(manifest)
    failed = [row for row in table.rows if row.status != "ok"]
    if not failed:
        return 0
    reader = ChunkReader(manifest, store)
    folder = store.with_name(f"{store.stem}.part-{reader.attributes['key']}")
    with FolderLock(folder):
        for item_id in table.ok_ids:
            save_item(folder, item_id, reader.read(item_id))
        manifest.unlink()
        shutil.rmtree(store)
    return len(failed)


class ChunkReader:
    """Reads the items of a finished chunk by id."""

    def __init__(self, manifest: Path, store: Path | None = None):
        self.manifest = read_manifest(manifest)
        self._store = Path(store) if store is not None else Path(manifest).with_suffix(".zarr")
        self._packed: PackedReader | None = None
        self._index = {item_id: n for n, item_id in enumerate(self.manifest.ok_ids)}

    @property
    def packed(self) -> PackedReader:
        """The store itself, opened at the first use."""
        if self._packed is None:
            self._packed = PackedReader(self._store)
        return self._packed

    @property
    def attributes(self) -> dict[str, Any]:
        """Attributes of the store."""
        return self.packed.attributes

    @property
    def ids(self) -> list[str]:
        """Ids of the items that are there."""
        return self.manifest.ok_ids

    def read(self, item_id: str, names: Iterable[str] | None = None) -> Arrays:
        """Return an item's arrays.

        Raises:
            ItemError: the item failed upstream (status `upstream_failed`, with the first reason).
        """
        if item_id not in self._index:
            row = self.manifest.by_id.get(item_id)
            reason = f"{row.status}: {row.reason}" if row else "not in the chunk"
            if row and row.status == "upstream_failed":
                reason = row.reason
            raise ItemError(reason, "upstream_failed")
        return self.packed.read(self._index[item_id], names)

    def read_all(self) -> dict[str, Arrays]:
        """Return all arrays of all items that are there, by id: for stores of small items."""
        return dict(zip(self.ids, self.packed.read_all(), strict=True)) if self.ids else {}
