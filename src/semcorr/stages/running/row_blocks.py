"""Rows that take long to compute, block by block on disk: a killed job goes on where it was."""

import logging
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from tqdm import tqdm

from semcorr.store.items import Arrays, load_item, save_item

log = logging.getLogger(__name__)

ROWS = 128


class RowBlocks:
    """Computes and remembers blocks of rows in a folder (see `semcorr.training.materials.Cached`).

    Args:
        folder: of the blocks; belongs to this process alone.
        workers: processes for functions that may run in others.
    """

    def __init__(self, folder: Path, workers: int = 1):
        self.folder, self.workers = Path(folder), workers

    def __call__(
        self, name: str, count: int, compute: Callable[[range], Arrays], parallel: bool = False
    ) -> Arrays:
        """Return arrays of `count` rows: those on disk, and the rest from `compute`.

        Args:
            name: of the blocks' files.
            count: number of rows.
            compute: numbers of rows -> arrays with as many rows; with `parallel` it must be picklable.
            parallel: several processes may call it.
        """
        blocks = [range(s, min(s + ROWS, count)) for s in range(0, count, ROWS)]
        self.folder.mkdir(parents=True, exist_ok=True)
        missing = [b for b in blocks if load_item(self.folder, _id(name, b)) is None]
        if missing and len(missing) < len(blocks):
            log.info("%s: %d of %d blocks are done", name, len(blocks) - len(missing), len(blocks))
        progress = tqdm(
            total=count,
            initial=count - sum(map(len, missing)),
            desc=name,
            unit="row",
            mininterval=2,
        )
        with progress:
            for block, rows in self._results(missing, compute, parallel):
                save_item(self.folder, _id(name, block), rows)
                progress.update(len(block))
        found = [load_item(self.folder, _id(name, block)) for block in blocks]
        return {key: np.concatenate([rows[key] for rows in found]) for key in found[0]}

    def _results(self, missing, compute, parallel):
        if not parallel or self.workers == 1 or len(missing) < 2:
            yield from ((block, compute(block)) for block in missing)
            return
        # Spawned, not forked: the parent's threads (torch, zarr) must not be copied
        with ProcessPoolExecutor(self.workers, mp_context=get_context("spawn")) as pool:
            yield from zip(missing, pool.map(compute, missing), strict=True)


def _id(name: str, block: range) -> str:
    return f"{name}:{block.start}-{block.stop}"
