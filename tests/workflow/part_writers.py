"""Jobs caught while they write a chunk: found by their part folder, stopped, let on in slices to a moment.

Nothing in the package slows down for this. The moment is a number of finished items, or packing.
"""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

SLICE = 0.003  # seconds that a stopped job runs between two looks
PATIENCE = 240


def writers(results: Path, pattern: str) -> Iterator[tuple[Path, int]]:
    """Yield (part folder, pid) of the processes that write a chunk below `results/<pattern>`."""
    for lock in results.glob(f"{pattern}/.*.part-*.lock"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            pid = int(lock.read_text().split()[0])
            folder = lock.with_name(lock.name.removeprefix(".").removesuffix(".lock"))
            if alive(pid) and folder.is_dir():
                yield folder, pid


def catch(
    results: Path, patterns: Sequence[str], is_running: Callable[[], bool], said: Callable[[], str]
) -> tuple[str, Path, int]:
    """Wait for a part folder below one of the patterns and stop its writer.

    Args:
        results: where the stages write.
        patterns: folders of chunks relative to it; `*` stands for a name.
        is_running: whether the run goes on; its end fails the test.
        said: what a failure quotes.

    Returns:
        Pattern, part folder, process id of the stopped writer.
    """
    deadline = time.monotonic() + PATIENCE
    while is_running():
        assert time.monotonic() < deadline, f"no job of {patterns} in {PATIENCE} s: {said()}"
        for pattern in patterns:
            for folder, pid in writers(results, pattern):
                send(pid, signal.SIGSTOP)
                wait_until_stopped(pid)
                if folder.is_dir() and alive(pid):
                    return pattern, folder, pid
        time.sleep(0.002)
    raise AssertionError(f"the run ended before a job of {patterns} was caught: {said()}")


def advance(folder: Path, pid: int, wanted: int) -> bool:
    """Let a stopped writer go on, in slices, to a number of finished items or into packing.

    Returns:
        Whether its part folder is still there.
    """
    while alive(pid) and folder.is_dir():
        finished = len(list(folder.glob("*.npz"))) + len(list(folder.glob("*.json")))
        if finished >= wanted or (folder / "packed.zarr").exists():
            break
        send(pid, signal.SIGCONT)
        time.sleep(SLICE)
        send(pid, signal.SIGSTOP)
        wait_until_stopped(pid)
    return folder.is_dir()


def alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    return _state(pid) not in "ZX"


def wait_until_stopped(pid: int) -> None:
    """Return once a process that got SIGSTOP no longer runs."""
    for _ in range(2000):
        if _state(pid) in "TZX":
            return
        time.sleep(0.0005)


def send(pid: int, number: int) -> None:
    """Send a signal to a process that may have ended."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "X"
