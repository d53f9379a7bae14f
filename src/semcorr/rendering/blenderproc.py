"""BlenderProc's Blender as a renderer, through BlenderProc's own command line.

BlenderProc (GPL, with a Blender of its own that it downloads) is started as `blenderproc run script.py
request.json`, once a shape, and never imported. The script that it is given hands the request to the worker
of the `blender` backend, so that scene, light and look are the same; only whose Blender runs differs.
"""

import json
import logging
import os
import shutil
import signal
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from semcorr.cameras import Cameras
from semcorr.errors import ItemError, UserError
from semcorr.geometry.mesh import Mesh
from semcorr.rendering import raycast
from semcorr.rendering.blender import WorkerStopped, raise_reported
from semcorr.rendering.blender_exchange import (
    WorkerOptions,
    geometry_arrays,
    item_request,
    read_png,
)
from semcorr.rendering.blender_process import WORKER, WorkerTimedOut, in_two_tries, parse_event
from semcorr.rendering.interface import RenderOptions, Runtime, Views

logger = logging.getLogger(__name__)

# Raised by hand when pictures or geometry of this backend change, here or in what it imports
VERSION = 1
VARIABLE = "SEMCORR_BLENDERPROC"
REMEDY = (
    "install it into an environment of its own (pip install blenderproc==2.8.0), name its program in"
    f" {VARIABLE}, or use backend: blender or raycast"
)
# BlenderProc wants its own import first; SystemExit would end Blender before BlenderProc has
SCRIPT = """import blenderproc  # noqa: F401
import runpy
import sys

sys.argv = [{worker!r}, sys.argv[-1]]
try:
    runpy.run_path({worker!r}, run_name="__main__")
except SystemExit as end:
    if end.code:
        raise RuntimeError(f"the worker ended with code {{end.code}}") from None
"""


def script_text(worker: Path = WORKER) -> str:
    """Return the script that BlenderProc runs inside its Blender."""
    return SCRIPT.format(worker=str(worker))


def find_program() -> str:
    """Return BlenderProc's program: the variable's, else that of the path.

    Raises:
        UserError: there is none.
    """
    named = os.environ.get(VARIABLE) or "blenderproc"
    program = shutil.which(os.path.expanduser(named))
    if program is None:
        raise UserError(f"BlenderProc: no program {named!r}; {REMEDY}")
    return program


class BlenderProcRenderer:
    """One BlenderProc process per shape; use it as a context manager.

    Args:
        options: what pictures look like.
        worker: device, threads, and how long a shape may take altogether.
    """

    def __init__(self, options: RenderOptions | None = None, worker: WorkerOptions | None = None):
        self.options = options or RenderOptions()
        self.worker_options = worker or WorkerOptions()
        self._program = find_program()
        self._folder = None

    def __enter__(self) -> "BlenderProcRenderer":
        self._folder = Path(tempfile.mkdtemp(prefix="semcorr-blenderproc-"))
        (self._folder / "script.py").write_text(script_text())
        return self

    def __exit__(self, *_):
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder = None

    def render(self, mesh: Mesh, cameras: Cameras, name: str = "shape") -> Views:
        """Render a shape in the world frame.

        Colours and alpha are BlenderProc's; all geometry buffers are the ray caster's.

        Raises:
            ItemError: Blender crashed, took too long twice or reported an error on this shape.
            UserError: BlenderProc does not run, or there is no such device.
            WorkerStopped: it was killed from outside.
            OSError: for example a full disk.
        """
        if self._folder is None:
            raise RuntimeError("BlenderProcRenderer.render: use it in a `with` statement")
        views = raycast.render(mesh, cameras, self.options, colours=False)
        folder = self._folder / "item"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        geometry, request = folder / "geometry.npz", folder / "request.json"
        np.savez(geometry, **geometry_arrays(mesh, cameras, self.options.crease_deg))
        item = item_request(name, geometry, folder, cameras, self.options, self.worker_options)
        request.write_text(json.dumps({"items": [item]}))
        in_two_tries(lambda: self._run(request, name, len(cameras)))
        rgba = np.stack([read_png(folder / f"{view:03d}.png") for view in range(len(cameras))])
        shutil.rmtree(folder, ignore_errors=True)
        return replace(views, rgba=rgba)

    def _run(self, request: Path, name: str, views: int) -> None:
        """Run BlenderProc on one request and raise what went wrong as the right kind of exception."""
        command = [self._program, "run", str(self._folder / "script.py"), str(request)]
        limit = self.worker_options.start_timeout_s + views * self.worker_options.timeout_s
        with open(self._folder / "log.txt", "w+") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,  # Blender is its child: both must end
            )
            try:
                output, _ = process.communicate(timeout=limit)
            except subprocess.TimeoutExpired:
                raise WorkerTimedOut(f"{name}: BlenderProc took more than {limit:g} s") from None
            finally:
                _end(process)
            log.seek(0)
            said = log.read()
        self._judge(process.returncode, [parse_event(line) for line in output.splitlines()], name)
        logger.debug("%s", said)

    def _judge(self, code: int, events: list[dict], name: str) -> None:
        kinds = {event.get("event"): event for event in events}
        if "error" in kinds:
            raise_reported(name, kinds["error"])
        if "done" in kinds and code == 0:
            return
        if code in (-signal.SIGKILL, -signal.SIGTERM):
            raise WorkerStopped(f"{name}: BlenderProc was killed (out of memory?)")
        words = (self._folder / "log.txt").read_text(errors="replace").strip().splitlines()
        last = words[-1][:300] if words else "no message"
        if "ready" not in kinds:
            raise UserError(f"BlenderProc ended with code {code}: {last}; {REMEDY}")
        raise ItemError(f"{name}: BlenderProc ended with code {code}: {last}")


def _end(process: subprocess.Popen) -> None:
    """End what is left of a process and its children."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def open_renderer(
    options: RenderOptions | None = None, runtime: Runtime | None = None
) -> BlenderProcRenderer:
    """The backend as a context manager, like every backend's."""
    if runtime is None:
        return BlenderProcRenderer(options)
    return BlenderProcRenderer(
        options, WorkerOptions(device=runtime.device, threads=runtime.threads)
    )
