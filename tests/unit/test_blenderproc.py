"""The BlenderProc backend, with a stand-in for BlenderProc that runs the generated script in our Blender."""

import ast
import json
import stat
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from test_raycast import axes_shape

from semcorr.cameras import orbit
from semcorr.errors import ItemError, UserError
from semcorr.rendering import raycast
from semcorr.rendering.blender import BlenderSession, WorkerStopped
from semcorr.rendering.blender_exchange import WorkerOptions
from semcorr.rendering.blender_process import WORKER
from semcorr.rendering.blenderproc import (
    REMEDY,
    VARIABLE,
    BlenderProcRenderer,
    find_program,
    open_renderer,
    script_text,
)
from semcorr.rendering.interface import RenderOptions

ROOT = Path(__file__).resolve().parents[2]
FLAT = RenderOptions(samples=1, crease_deg=0.0, denoise=False)
BLENDER_PYTHON = ROOT / ".venv-blender/bin/python"


def program(path, text):
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture
def blenderproc(tmp_path, monkeypatch):
    """Function (shell text) -> the program that the backend finds; "$1" is what it is asked to do."""

    def make(text):
        path = program(tmp_path / "blenderproc", f"#!/bin/bash\n{text}\n")
        monkeypatch.setenv(VARIABLE, str(path))
        return path

    return make


def test_the_script_begins_with_the_import_that_blenderproc_asks_for():
    text = script_text()
    assert text.splitlines()[0].startswith("import blenderproc")
    tree = ast.parse(text)
    imported = {
        a.name for node in ast.walk(tree) if isinstance(node, ast.Import) for a in node.names
    }
    assert imported == {"blenderproc", "runpy", "sys"}, "nothing of semcorr runs inside Blender"
    assert str(WORKER) in text


def run_script(tmp_path, worker_text):
    """Run the generated script on a worker of our own, with a module that is called blenderproc."""
    (tmp_path / "blenderproc.py").write_text("")
    worker = tmp_path / "it's a worker.py"  # a name that has to be quoted
    worker.write_text(worker_text)
    (tmp_path / "script.py").write_text(script_text(worker))
    command = ["python3", str(tmp_path / "script.py"), "the request.json"]
    return subprocess.run(command, capture_output=True, text=True)


def test_the_script_hands_the_request_to_the_worker_and_its_failure_back(tmp_path):
    done = run_script(tmp_path, "import sys\nprint(sys.argv[1:], __name__)\nsys.exit(0)\n")
    assert (done.returncode, done.stdout) == (0, "['the request.json'] __main__\n"), done.stderr
    done = run_script(tmp_path, "import sys\nsys.exit(1)\n")
    assert done.returncode != 0
    assert "the worker ended with code 1" in done.stderr


def test_pictures_are_those_of_the_blender_backend(blenderproc, tmp_path):
    """The stand-in runs the script as BlenderProc would, in the Python that has bpy."""
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules/blenderproc.py").write_text("")
    blenderproc(
        f'[ "$1" = run ] || exit 9\nshift\n'
        f'PYTHONPATH={tmp_path}/modules exec "{BLENDER_PYTHON}" -P "$@"'
    )
    cameras = orbit(2, resolution=32)
    with open_renderer(FLAT) as renderer:
        views = renderer.render(axes_shape(), cameras, name="axes")
        assert views.rgba.shape == (2, 32, 32, 4)
    with BlenderSession(FLAT) as session:
        expected = session.render(axes_shape(), cameras)
    np.testing.assert_array_equal(views.rgba, expected.rgba)
    ours = raycast.render(axes_shape(), cameras, FLAT)
    for name in ("mask", "depth", "normal", "face_id", "barycentric"):
        assert getattr(views, name).tobytes() == getattr(ours, name).tobytes()
    assert not renderer._folder


def render_with(**worker):
    with BlenderProcRenderer(FLAT, WorkerOptions(**worker)) as renderer:
        renderer.render(axes_shape(), orbit(1, resolution=16), name="axes")


def test_the_request_says_what_is_wanted(blenderproc, tmp_path):
    blenderproc(f'cp "$3" {tmp_path}/seen.json; exit 3')
    with pytest.raises(UserError):
        render_with(device="cpu", threads=3)
    (item,) = json.loads((tmp_path / "seen.json").read_text())["items"]
    assert (item["name"], item["width"], item["height"], item["threads"]) == ("axes", 16, 16, 3)
    assert item["device"] == "cpu" and item["samples"] == 1


READY = """echo '{"event": "ready", "version": "4.2"}'"""


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("echo 'no such Blender' >&2; exit 4", UserError, "code 4: no such Blender; install it"),
        (f"{READY}; echo oh >&2; exit 5", ItemError, "axes: BlenderProc ended with code 5: oh"),
        (f"{READY}; exit 0", ItemError, "axes: BlenderProc ended with code 0: no message"),
        (f"{READY}; kill -9 $$", WorkerStopped, "killed"),
        (
            """echo '{"event": "error", "kind": "ValueError", "message": "bad normals"}'; exit 1""",
            ItemError,
            "axes: Blender: ValueError: bad normals",
        ),
        (
            """echo '{"event": "error", "kind": "OSError", "errno": 28, "message": "full"}'""",
            OSError,
            "full",
        ),
    ],
)
def test_what_goes_wrong_is_told_apart(blenderproc, text, error, message):
    blenderproc(text)
    with pytest.raises(error, match=message):
        render_with()


def test_a_shape_that_takes_too_long_is_a_failed_item_and_leaves_no_process(blenderproc, tmp_path):
    blenderproc(f"sleep 600 & echo $! > {tmp_path}/child; wait")
    with pytest.raises(ItemError, match="took more than 3 s, twice"):
        render_with(start_timeout_s=2, timeout_s=1)
    child = int((tmp_path / "child").read_text())
    deadline = time.monotonic() + 120  # a killed process ends when it is next given the processor
    while _runs(child):
        assert time.monotonic() < deadline, f"{child} lives on"
        time.sleep(0.1)


def test_a_shape_that_takes_too_long_once_is_tried_again(blenderproc, tmp_path):
    first = f"[ -e {tmp_path}/tried ] || {{ touch {tmp_path}/tried; exec sleep 600; }}"
    blenderproc(f"{first}\n{READY}; echo oh >&2; exit 5")
    with pytest.raises(ItemError, match="axes: BlenderProc ended with code 5: oh"):
        render_with(start_timeout_s=4, timeout_s=1)


def _runs(pid):
    try:
        return "zombie" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_without_blenderproc_the_message_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv(VARIABLE, str(tmp_path / "gone"))
    with pytest.raises(UserError, match="no program .*gone") as caught:
        find_program()
    assert REMEDY in str(caught.value)
    monkeypatch.delenv(VARIABLE)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="no program 'blenderproc'"):
        open_renderer()
