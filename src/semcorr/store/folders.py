"""Folders that a reader sees whole: the old one or the new one, never a mixture."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from semcorr.store.files import sync, sync_tree
from semcorr.store.lock import FolderLock


@contextmanager
def replaced_folder(folder: Path) -> Iterator[Path]:
    """Yield an empty folder beside `folder` that takes its place once everything is written.

    If the body raises, or the process is killed in it, what was at `folder` stays as it was. The
    swap is two renames, so for a moment there may be no folder; there is never half of one. A second
    writer of the same folder waits.

    Args:
        folder: where the result goes; symbolic links to it are followed and kept.
    """
    folder = Path(folder).resolve()
    new, old = (folder.with_name(f".{folder.name}.{word}") for word in ("new", "old"))
    with FolderLock(new):
        shutil.rmtree(new)  # what a killed process left
        new.mkdir()
        try:
            yield new
            sync_tree(new)
            _swap(new, folder, old)
        finally:
            shutil.rmtree(new, ignore_errors=True)


def _swap(new: Path, folder: Path, old: Path) -> None:
    shutil.rmtree(old, ignore_errors=True)
    there = folder.exists()
    if there:
        os.rename(folder, old)
    try:
        os.rename(new, folder)
    except OSError:
        if there:
            os.rename(old, folder)
        raise
    sync(folder.parent)
    shutil.rmtree(old, ignore_errors=True)
