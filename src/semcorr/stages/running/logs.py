"""The log of a job: everything that it and its children print, in one file and at the terminal."""

import ctypes
import faulthandler
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

# how long processes that outlive the job may still print into its log, seconds
PATIENCE = 5.0


@contextmanager
def logging_to(path: Path | None) -> Iterator[None]:
    """Send log records to stderr; with a path, copy all that is printed to that file, too.

    Args:
        path: log file of the job, written anew; None where nobody asked for one.
    """
    with nullcontext() if path is None else teed(path):
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(
            logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s", "%H:%M:%S")
        )
        root = logging.getLogger()
        before = root.handlers[:], root.level
        root.handlers[:] = [handler]
        root.setLevel(logging.INFO)
        logging.captureWarnings(True)
        try:
            yield
        finally:
            root.handlers[:], root.level = before


@contextmanager
def teed(path: Path) -> Iterator[None]:
    """Copy what arrives at file descriptors 1 and 2 to a file; all of it is shown on stderr.

    The descriptors, not Python's streams: what native code, children and a crash print is in the
    file as well. A process of its own copies, so that it outlives the crash; it writes at once, so
    that progress bars move as before.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _flush()
    shown = {descriptor: os.dup(descriptor) for descriptor in (1, 2)}
    # -i: it must hear how a job ends that is interrupted. Python ignores SIGPIPE and SIGXFSZ, and so
    # does the copier: a full disk or a closed terminal stops one of its two outputs, never the job
    copier = subprocess.Popen(
        ["tee", "-i", str(path)],
        stdin=subprocess.PIPE,
        stdout=shown[2],
        stderr=shown[2],
        restore_signals=False,
    )
    for descriptor in shown:
        os.dup2(copier.stdin.fileno(), descriptor)
    copier.stdin.close()
    faulthandler.enable(file=2)
    try:
        yield
    finally:
        _flush()
        faulthandler.disable()
        for descriptor, before in shown.items():
            os.dup2(before, descriptor)
            os.close(before)
        try:
            copier.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            logging.getLogger(__name__).warning("%s: a process of the job still prints", path)


def _flush() -> None:
    """Empty the buffers of Python and of the C library."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    ctypes.CDLL(None).fflush(None)
