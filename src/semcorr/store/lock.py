"""An OS lock on a folder: a second writer waits and says for whom."""

import fcntl
import logging
import os
import time
from pathlib import Path

log = logging.getLogger(__name__)

PID_FILE = "writer.pid"


class FolderLock:
    """Exclusive lock on a folder that may be removed by the process that holds it.

    A killed Snakemake leaves its child running: the lock belongs to the child and goes with it, so a
    second writer waits for as long as the first lives, and no longer.
    """

    def __init__(self, folder: Path):
        self.folder = Path(folder)
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Create the folder if needed and wait until this process alone owns it."""
        while True:
            self.folder.mkdir(parents=True, exist_ok=True)
            try:
                descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
            except FileNotFoundError:
                continue  # removed in between by the process that finished
            self._wait(descriptor)
            if self._still_there(descriptor):
                self._descriptor = descriptor
                (self.folder / PID_FILE).write_text(f"{os.getpid()}\n")
                return
            os.close(descriptor)

    def _wait(self, descriptor: int) -> None:
        told = 0.0
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() - told > 60:
                    told = time.monotonic()
                    log.warning(
                        "%s is being written by process %s; waiting for it to end",
                        self.folder,
                        self._owner(),
                    )
                time.sleep(0.2)

    def _owner(self) -> str:
        try:
            return (self.folder / PID_FILE).read_text().strip()
        except OSError:
            return "(unknown)"

    def _still_there(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), os.stat(self.folder))
        except FileNotFoundError:
            return False

    def release(self) -> None:
        """Give the folder free; harmless when it is gone."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self):
        self.acquire()
        return self

    def __exit__(self, *_):
        self.release()
