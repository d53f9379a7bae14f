"""Blender's Cycles as a renderer: `blender_worker.py` in a process of its own, fed with items.

The worker is GPL and talks over JSON lines, .npz, PNG and EXR only. What it can do to us is crash
or hang; either costs at most the one object it was working on, the next one gets a new worker. An object on
which it hangs gets a new worker too, once.
"""

import logging
import queue
import shutil
import signal
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from semcorr.cameras import Cameras
from semcorr.errors import ItemError, UserError
from semcorr.geometry.mesh import Mesh
from semcorr.rendering import raycast
from semcorr.rendering.blender_exchange import (
    WorkerOptions,
    geometry_arrays,
    item_request,
    read_exr,
    read_png,
)
from semcorr.rendering.blender_process import (
    REMEDY,
    BlenderInfo,
    WorkerProcess,
    WorkerTimedOut,
    find_blender,
    in_two_tries,
    load_problem,
    worker_command,
)
from semcorr.rendering.interface import RenderOptions, Runtime, Views

__all__ = [
    "BlenderInfo",
    "BlenderSession",
    "WorkerOptions",
    "WorkerStopped",
    "find_blender",
    "geometry_arrays",
    "open_renderer",
]

logger = logging.getLogger(__name__)

# Raised by hand when pictures or geometry of this backend change, here or in what it imports
VERSION = 1


class WorkerStopped(RuntimeError):
    """The worker was killed from outside (out of memory, a scheduler): a retry may mend it."""


class BlenderSession:
    """A worker kept alive for many shapes; use it as a context manager.

    Args:
        options: what pictures look like.
        worker: how the worker runs.
        on_progress: called with every event of the worker (a dictionary; "view" events have item,
            view, of, seconds).
    """

    def __init__(
        self,
        options: RenderOptions | None = None,
        worker: WorkerOptions | None = None,
        on_progress: Callable[[dict], None] | None = None,
    ):
        self.options = options or RenderOptions()
        self.worker_options = worker or WorkerOptions()
        self.version: str | None = None
        self._on_progress = on_progress
        self._command = worker_command(self.worker_options.executable)
        self._folder = None
        self._worker = None
        self._started = 0

    def __enter__(self) -> "BlenderSession":
        self._folder = Path(tempfile.mkdtemp(prefix="semcorr-blender-"))
        return self

    def __exit__(self, *_):
        self._stop(patience_s=5.0)
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder = None

    def render(self, mesh: Mesh, cameras: Cameras, name: str = "shape") -> Views:
        """Render a shape in the world frame.

        Colours and alpha are Blender's; all geometry buffers are the ray caster's.

        Raises:
            ItemError: the worker crashed, hung twice or reported an error on this shape, or the
                shape has no faces or vertices that are not finite.
            UserError: Blender does not load, or there is no such device.
            WorkerStopped: the worker was killed from outside.
            OSError: for example a full disk.
        """
        if self._folder is None:
            raise RuntimeError("BlenderSession.render: use the session in a `with` statement")
        views = raycast.render(mesh, cameras, self.options, colours=False)
        folder = self._folder / "item"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        geometry = folder / "geometry.npz"
        np.savez(geometry, **geometry_arrays(mesh, cameras, self.options.crease_deg))
        request = item_request(name, geometry, folder, cameras, self.options, self.worker_options)
        in_two_tries(lambda: self._ask(request))
        rgba = np.stack([read_png(folder / f"{view:03d}.png") for view in range(len(cameras))])
        passes = {}
        if self.worker_options.passes:
            read = [read_exr(folder / f"{view:03d}.exr") for view in range(len(cameras))]
            passes = {key: np.stack([one[key] for one in read]) for key in read[0]}
        shutil.rmtree(folder, ignore_errors=True)
        return replace(views, rgba=rgba, passes=passes)

    def _ask(self, request):
        """Have the worker, a new one if none is running, do one request."""
        self._start()
        self._worker.send(request)
        self._follow(request["name"])

    def _start(self):
        """Start a worker if none is running and wait until it has loaded Blender."""
        if self._worker is not None and self._worker.process.poll() is None:
            return
        self._stop()
        self._started += 1
        self._worker = WorkerProcess(self._command, self._folder / f"worker{self._started}.log")
        limit = self.worker_options.start_timeout_s
        try:
            event = self._worker.next_event(limit)
        except queue.Empty:
            self._stop()
            raise UserError(f"Blender did not load within {limit:.0f} s; {REMEDY}") from None
        if event is not None and event["event"] == "ready":
            self.version = event["version"]
            logger.info("Blender %s is ready (%s)", self.version, self._command[0])
            return
        problem = self._worker.last_words() if event is None else event["message"]
        self._stop()
        raise UserError(f"{load_problem(problem)[2]}; {REMEDY}")

    def _follow(self, name):
        """Pass the worker's events on until the shape is done."""
        start = time.monotonic()
        while True:
            try:
                event = self._worker.next_event(self.worker_options.timeout_s)
            except queue.Empty:
                self._stop()
                raise WorkerTimedOut(
                    f"{name}: Blender finished no view for {self.worker_options.timeout_s:g} s "
                    "and was stopped"
                ) from None
            if event is None:
                self._raise_ended(name)
            if self._on_progress is not None:
                self._on_progress(event)
            if event["event"] == "view":
                logger.info("%s: view %s of %s", name, event["view"], event["of"])
            elif event["event"] == "error":
                raise_reported(name, event)
            elif event["event"] == "done":
                logger.info("%s: rendered in %.1f s", name, time.monotonic() - start)
                return

    def _raise_ended(self, name):
        """Tell a crash (the shape's fault) from a kill (not its fault)."""
        words = self._worker.last_words()
        code = self._stop()
        if code in (-signal.SIGKILL, -signal.SIGTERM):
            raise WorkerStopped(f"{name}: the Blender worker was killed (out of memory?)")
        what = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        raise ItemError(f"{name}: Blender crashed ({what}): {words}")

    def _stop(self, patience_s=0.2):
        """End the worker, if any; returns its exit code."""
        if self._worker is None:
            return None
        code = self._worker.close(patience_s)
        self._worker = None
        return code


def open_renderer(
    options: RenderOptions | None = None, runtime: Runtime | None = None
) -> BlenderSession:
    """The backend as a context manager, like every backend's."""
    if runtime is None:
        return BlenderSession(options)
    worker = WorkerOptions(
        executable=runtime.blender, device=runtime.device, threads=runtime.threads
    )
    return BlenderSession(options, worker)


def raise_reported(name, event):
    """Raise what the worker reported as the exception of the right kind."""
    if event["kind"] == "OSError":
        raise OSError(event.get("errno") or 0, f"Blender worker: {event['message']}")
    if event["kind"] == "MemoryError" or "out of memory" in event["message"].lower():
        raise MemoryError(f"{name}: Blender worker: {event['message']}")
    if event["kind"] == "LookupError":
        raise UserError(f"Blender: {event['message']}; use device: cpu")
    raise ItemError(f"{name}: Blender: {event['kind']}: {event['message']}")
