"""Finding Blender, and one running `blender_worker.py` as a pair of pipes."""

import json
import logging
import os
import queue
import re
import shutil
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from semcorr.errors import ItemError, UserError

logger = logging.getLogger(__name__)

WORKER = Path(__file__).with_name("blender_worker.py")
REMEDY = (
    "install it with `python3.11 -m venv .venv-blender && .venv-blender/bin/pip install "
    "-r requirements-blender.txt`, name one in SEMCORR_BLENDER (a Python with bpy, or a Blender "
    "executable), or do without: `make demo RENDER=raycast` (backend: raycast)"
)


class WorkerTimedOut(RuntimeError):
    """Nothing came for too long: the shape's fault or that of a machine with too much to do."""


def in_two_tries(work: Callable[[], None]) -> None:
    """Do the work on one shape; what hangs gets a second try, for which `work` starts a new process.

    A time-out alone must not fail a shape for good: a busy machine has them too. A shape that hangs each
    time, on the other hand, must not keep its whole chunk from ever being finished.

    Raises:
        ItemError: both tries timed out.
    """
    try:
        work()
    except WorkerTimedOut as error:
        logger.warning("%s; trying once more with a new process", error)
        try:
            work()
        except WorkerTimedOut as again:
            raise ItemError(f"{again}, twice") from None


@dataclass(frozen=True)
class BlenderInfo:
    """Result of looking for Blender.

    Attributes:
        command: program and fixed arguments that would be started.
        version: Blender's version, or None if it does not load.
        missing_library: shared library that it lacks, or None.
        problem: one line that says what is wrong, or None.
    """

    command: tuple[str, ...]
    version: str | None = None
    missing_library: str | None = None
    problem: str | None = None


def worker_command(executable: str | None = None) -> tuple[str, ...]:
    """Program and arguments that run the worker.

    Args:
        executable: see `WorkerOptions`.

    Raises:
        UserError: there is no such program.
    """
    named = executable or os.environ.get("SEMCORR_BLENDER")
    if named:
        program = shutil.which(os.path.expanduser(named))
        if program is None:
            raise UserError(f"Blender: {named!r} is not an executable; {REMEDY}")
    else:
        places = (Path.cwd(), Path(__file__).resolve().parents[3])
        candidates = [place / ".venv-blender" / "bin" / "python" for place in places]
        program = next((str(path) for path in candidates if os.access(path, os.X_OK)), None)
        if program is None:
            raise UserError(f"Blender: no .venv-blender in {Path.cwd()}; {REMEDY}")
    if Path(program).name.lower().startswith("blender"):
        return (program, "-b", "--factory-startup", "-P", str(WORKER), "--")
    # -P: the worker's neighbours in this folder must not shadow what Blender imports
    return (program, "-P", str(WORKER))


def find_blender(executable: str | None = None, timeout_s: float = 60.0) -> BlenderInfo:
    """Load Blender in a process of its own and report its version or what is missing."""
    try:
        command = worker_command(executable)
    except UserError as error:
        return BlenderInfo((), problem=str(error))
    try:
        answer = subprocess.run(
            [*command, "--version"],
            capture_output=True,
            text=True,
            timeout=timeout_s,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        return BlenderInfo(command, problem=f"Blender did not load within {timeout_s:.0f} s")
    except OSError as error:
        return BlenderInfo(command, problem=f"{command[0]} does not start: {error.strerror}")
    for line in answer.stdout.splitlines():
        event = parse_event(line)
        if event.get("event") == "version":
            return BlenderInfo(command, version=event["version"])
        if event.get("event") == "error":
            return BlenderInfo(command, *load_problem(event["message"]))
    last = (answer.stderr.strip().splitlines() or ["no message"])[-1]
    return BlenderInfo(command, problem=f"Blender ended with code {answer.returncode}: {last}")


def load_problem(message: str) -> tuple[None, str | None, str]:
    """Version, missing library and problem of a `BlenderInfo` for an import error."""
    library = re.match(r"(\S+): cannot open shared object file", message)
    if library:
        return None, library[1], f"Blender lacks the shared library {library[1]}"
    return None, None, f"Blender does not load: {message}"


def parse_event(line: str) -> dict:
    """A worker's JSON line as a dictionary, empty for anything else."""
    try:
        event = json.loads(line)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}


class WorkerProcess:
    """One running worker process: lines in, events out, never waiting for longer than asked."""

    def __init__(self, command: tuple[str, ...], log_path: Path):
        self.log_path = log_path
        with open(log_path, "wb") as log:
            self.process = subprocess.Popen(
                [*command, "-"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self._events = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            event = parse_event(line)
            if event.get("event"):
                self._events.put(event)
        self._events.put(None)

    def send(self, item: dict) -> None:
        """Hand over one item; a worker that is gone shows when it is next listened to."""
        try:
            self.process.stdin.write(json.dumps(item) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            logger.debug("the Blender worker ended before it got %s", item["name"])

    def next_event(self, timeout_s):
        """The next event; None if the process has ended; raises `queue.Empty` on a time-out."""
        return self._events.get(timeout=timeout_s)

    def last_words(self) -> str:
        """The last line of the log."""
        lines = self.log_path.read_text(errors="replace").strip().splitlines()
        return lines[-1].strip()[:300] if lines else "no message"

    def close(self, patience_s: float = 5.0) -> int:
        """End the process: politely by closing its input, then by force. Returns the exit code."""
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            logger.debug("the Blender worker had closed its input")
        try:
            self.process.wait(patience_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        return self.process.returncode
