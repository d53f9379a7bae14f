"""From item files to one packed Zarr directory and back.

Quantities of one shape are one array with the item axis first, sharded by whole items. Ragged ones (per
vertex, per face) are one array sharded by rows plus `<name>__offsets` (n+1). Few files whatever the number
of items, and a folder an array: Zarr counts on file systems that dislike small files.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from semcorr.store.items import Arrays

# 60 with the time stamp that Snakemake leaves in every folder that a job makes
MAX_FILES = 59
CHUNK_BYTES = 4 << 20
OFFSETS = "__offsets"


def pack(
    path: Path,
    ids: list[str],
    load: Callable[[str, list[str] | None], Arrays],
    ragged: Iterable[str],
    attributes: dict[str, Any],
) -> None:
    """Write all items into a new Zarr v3 directory.

    Args:
        path: directory to create.
        ids: items in the order of the item axis.
        load: (item id, names or None for all) -> arrays; all items have the same names and types.
        ragged: names of arrays whose first axis differs between items.
        attributes: written with the root group at its creation.

    Raises:
        ValueError: an array's type or trailing shape differs between items.
    """
    group = zarr.create_group(path, zarr_format=3, attributes=attributes)
    if not ids:
        return
    first = load(ids[0], None)
    ragged = set(ragged) & set(first)
    files_left = MAX_FILES - 1
    names = sorted(first)
    shards = max(1, files_left // (len(names) + len(ragged)) - 1)
    for name in names:
        writer = _write_ragged if name in ragged else _write_fixed
        writer(group, name, ids, load, shards)


def _write_fixed(group, name, ids, load, shards) -> None:
    example = load(ids[0], [name])[name]
    per_shard = -(-len(ids) // shards)
    array = _create(group, name, (len(ids), *example.shape), example.dtype, 1, per_shard)
    for start in range(0, len(ids), per_shard):
        rows = [load(i, [name])[name] for i in ids[start : start + per_shard]]
        for item_id, row in zip(ids[start:], rows, strict=False):
            if row.shape != example.shape or row.dtype != example.dtype:
                raise ValueError(
                    f"{name} of {item_id}: expected {example.shape} {example.dtype},"
                    f" got {row.shape} {row.dtype}"
                )
        array[start : start + len(rows)] = np.stack(rows)


def _write_ragged(group, name, ids, load, shards) -> None:
    example = load(ids[0], [name])[name]
    lengths = []
    for item_id in ids:
        row = load(item_id, [name])[name]
        if row.shape[1:] != example.shape[1:] or row.dtype != example.dtype:
            raise ValueError(
                f"{name} of {item_id}: expected (n, {example.shape[1:]}) {example.dtype},"
                f" got {row.shape} {row.dtype}"
            )
        lengths.append(len(row))
    offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    _create(group, name + OFFSETS, offsets.shape, offsets.dtype, len(offsets), len(offsets))[:] = (
        offsets
    )
    total = int(offsets[-1])
    row_bytes = max(1, example.dtype.itemsize * int(np.prod(example.shape[1:], dtype=np.int64)))
    chunk = max(1, min(CHUNK_BYTES // row_bytes, max(total, 1)))
    per_shard = -(-max(total, 1) // shards)
    per_shard = -(-per_shard // chunk) * chunk
    array = _create(group, name, (total, *example.shape[1:]), example.dtype, chunk, per_shard)
    _fill_by_shard(array, (load(i, [name])[name] for i in ids), per_shard)


def _fill_by_shard(array, rows: Iterable[np.ndarray], per_shard: int) -> None:
    # A shard is written once and whole: rewriting a shard for every item would read and pack it again
    waiting: list[np.ndarray] = []
    held, start = 0, 0
    for row in rows:
        waiting.append(row)
        held += len(row)
        while held >= per_shard:
            block = np.concatenate(waiting)
            array[start : start + per_shard] = block[:per_shard]
            start += per_shard
            waiting, held = [block[per_shard:]], held - per_shard
    if held:
        array[start : start + held] = np.concatenate(waiting)


def _create(group, name, shape, dtype, chunk: int, shard: int):
    trailing = tuple(max(1, n) for n in shape[1:])
    return group.create_array(
        name,
        shape=shape,
        dtype=dtype,
        chunks=(chunk, *trailing),
        shards=(max(shard, chunk), *trailing),
        # c.0.0.0, not c/0/0/0: with a folder for every axis a store of views had 180 folders
        chunk_key_encoding={"name": "default", "separator": "."},
        compressors=zarr.codecs.ZstdCodec(level=1),
        fill_value=0,
    )


class PackedReader:
    """Reads single items of a packed store."""

    def __init__(self, path: Path):
        self.group = zarr.open_group(path, mode="r", zarr_format=3)
        # by folder, not by walking the group: Snakemake leaves a time stamp file that Zarr warns about
        names = sorted(p.parent.name for p in Path(path).glob("*/zarr.json"))
        self._arrays = {name: self.group[name] for name in names}
        self._offsets = {
            name.removesuffix(OFFSETS): array[:]
            for name, array in self._arrays.items()
            if name.endswith(OFFSETS)
        }

    @property
    def attributes(self) -> dict[str, Any]:
        """Attributes of the root group."""
        return dict(self.group.attrs)

    @property
    def names(self) -> list[str]:
        """Names of the arrays of an item."""
        return sorted(name for name in self._arrays if not name.endswith(OFFSETS))

    def read(self, index: int, names: Iterable[str] | None = None) -> Arrays:
        """Return the arrays (all, or those named) of the item at `index`."""
        return {name: self._read(name, index) for name in (names or self.names)}

    def read_all(self) -> list[Arrays]:
        """Return the arrays of all items, in their order: one read an array, not one an item."""
        columns = {name: self._split(name) for name in self.names}
        count = max((len(values) for values in columns.values()), default=0)
        return [{name: values[n] for name, values in columns.items()} for n in range(count)]

    def _split(self, name: str) -> list[np.ndarray]:
        whole = np.asarray(self._arrays[name][:])
        if name in self._offsets:
            return np.split(whole, self._offsets[name][1:-1])
        return list(whole)

    def _read(self, name: str, index: int) -> np.ndarray:
        if name in self._offsets:
            start, end = self._offsets[name][index : index + 2]
            return self._arrays[name][int(start) : int(end)]
        return np.asarray(self._arrays[name][index])
