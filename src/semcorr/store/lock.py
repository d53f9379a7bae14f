"""An OS lock on a folder: a second writer waits and says for whom."""

import errno
import fcntl
import logging
import os
import socket
import time
from pathlib import Path

log = logging.getLogger(__name__)

# What file systems answer that have no locks (Lustre without `-o flock`, some FUSE mounts)
NO_LOCKS = (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK, errno.EINVAL)

_started_by: int | None = None


def end_if_orphaned_before_writing() -> None:
    """Make this process refuse to begin writing once the process that started it is gone.

    An orphan that writes already goes on, and a second writer waits for it. One that has not begun could
    begin after the second writer has ended, and put results of an older configuration over newer ones.
    """
    global _started_by
    _started_by = os.getppid()


class FolderLock:
    """Exclusive lock on a folder that may be removed by the process that holds it.

    A killed Snakemake leaves its child running: the lock belongs to the child and goes with it, so a
    second writer waits for as long as the first lives, and no longer.

    What is locked is a hidden file beside the folder, open for writing: NFS refuses to lock a folder, and
    a file inside could not be removed there while it is open.
    """

    def __init__(self, folder: Path):
        self.folder = Path(folder)
        self.file = self.folder.with_name(f".{self.folder.name}.lock")
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Wait until this process alone owns the folder, and create it if needed."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        while True:
            descriptor = os.open(self.file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            try:
                self._wait(descriptor)
                ours = self._still_there(descriptor)
            except BaseException:
                os.close(descriptor)
                raise
            if ours:
                break
            os.close(descriptor)  # removed in between by the process that finished
        self._descriptor = descriptor
        if _started_by not in (None, os.getppid()):
            self.release()
            raise RuntimeError(
                f"{self.folder}: the process that started this job ({_started_by}) is gone, and nothing"
                " was written yet: ending, so that nothing newer is overwritten"
            )
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()} {socket.gethostname()}\n".encode(), 0)
        self.folder.mkdir(exist_ok=True)

    def _wait(self, descriptor: int) -> None:
        told = -60.0
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() - told >= 60:
                    told = time.monotonic()
                    log.warning(
                        "%s is being written by process %s; waiting for it to end",
                        self.folder,
                        self._owner(),
                    )
                time.sleep(0.2)
            except OSError as error:
                if error.errno not in NO_LOCKS:
                    raise
                log.warning(
                    "%s: the file system has no locks (%s); two writers at once would not notice",
                    self.folder,
                    error.strerror,
                )
                return

    def _owner(self) -> str:
        try:
            pid, host = self.file.read_text().split()
        except (OSError, ValueError):
            return "(unknown)"
        return pid if host == socket.gethostname() else f"{pid} on {host}"

    def _still_there(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), os.stat(self.file))
        except FileNotFoundError:
            return False

    def release(self) -> None:
        """Give the folder free; harmless when it is gone."""
        if self._descriptor is not None:
            self.file.unlink(
                missing_ok=True
            )  # before closing: who waits sees that it is another file
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self):
        self.acquire()
        return self

    def __exit__(self, *_):
        self.release()
