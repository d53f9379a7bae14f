"""Starting and stopping daemons that end with the tests; what the parts of a cluster share."""

import contextlib
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import psutil

SECONDS = 60  # until something that was started answers
_PR_SET_PDEATHSIG = 1


class NoSlurm(Exception):
    """Slurm is not there or does not start here; the text says why."""


def path_with_daemons() -> str:
    """Return PATH with the folders that hold daemons."""
    return os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"])


def missing_programs(names: tuple[str, ...]) -> list[str]:
    """Return those of the programs that are not installed."""
    return [name for name in names if shutil.which(name, path=path_with_daemons()) is None]


def end_with_parent() -> None:
    """Have this process terminated when the one that started it ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def start_daemon(command: list[str], output: Path, **environment: str) -> subprocess.Popen:
    """Start a daemon in the foreground, as a child that ends with this process; it prints to a file."""
    with open(output, "w") as stream:
        return subprocess.Popen(
            [shutil.which(command[0], path=path_with_daemons()), *command[1:]],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            env=os.environ | environment,
            preexec_fn=end_with_parent,
            start_new_session=True,
        )


def stop_daemon(process: subprocess.Popen) -> None:
    """Terminate a daemon, and kill it if it does not end in 20 s."""
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def processes_of(folder: Path) -> dict[psutil.Process, str]:
    """Return {process: command line} of others that name something in a folder or work there."""
    found = {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            words = process.cmdline()
            inside = process.cwd().startswith(str(folder))
            if process.pid != os.getpid() and (inside or any(str(folder) in w for w in words)):
                found[process] = " ".join(words)
    return found


def free_ports(count: int) -> list[int]:
    """Return ports of this machine that nothing listens at."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def wait(condition, failure: str, seconds: float = SECONDS) -> None:
    """Wait until a condition holds.

    Raises:
        NoSlurm: it does not hold in time.
    """
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise NoSlurm(failure)
        time.sleep(0.2)
