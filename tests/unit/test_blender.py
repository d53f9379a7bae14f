import ast
import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from semcorr.cameras import Cameras, explicit, fibonacci, hammersley, orbit, project
from semcorr.errors import ItemError, UserError
from semcorr.geometry.mesh import Material, Mesh
from semcorr.rendering import raycast
from semcorr.rendering.blender import (
    BlenderSession,
    WorkerOptions,
    WorkerStopped,
    find_blender,
    geometry_arrays,
    open_renderer,
)
from semcorr.rendering.blender_exchange import item_request
from semcorr.rendering.blender_process import WORKER, worker_command
from semcorr.rendering.interface import Lamp, RenderOptions

FLAT = RenderOptions(samples=1, crease_deg=0.0, denoise=False)
FAULT = "SEMCORR_TEST_BLENDER_FAULT"


def box(low, high):
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], float)
    quads = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
    faces = np.array([q for a, b, c, d in quads for q in ((a, b, c), (a, c, d))])
    return np.asarray(low) + corners * np.subtract(high, low), faces


def axes_shape(vertex_colours=False):
    """A grey core with a long red arm to +X, a green one to +Y, a short blue one to +Z."""
    parts = [
        box((-0.1, -0.1, -0.1), (0.1, 0.1, 0.1)),
        box((0.1, -0.04, -0.04), (0.5, 0.04, 0.04)),
        box((-0.04, 0.1, -0.04), (0.04, 0.42, 0.04)),
        box((-0.04, -0.04, 0.1), (0.04, 0.04, 0.34)),
    ]
    vertices = np.concatenate([v for v, _ in parts])
    faces = np.concatenate([f + 8 * i for i, (_, f) in enumerate(parts)])
    colours = np.array([[0.8, 0.8, 0.8, 1], [1, 0, 0, 1], [0, 1, 0, 1], [0, 0, 1, 1]])
    if vertex_colours:
        per_vertex = np.repeat((255 * colours).astype(np.uint8), 8, axis=0)
        white = (Material((1.0, 1.0, 1.0, 1.0)),)
        return Mesh(vertices, faces, vertex_colors=per_vertex, materials=white)
    materials = tuple(Material(tuple(map(float, c))) for c in colours)
    return Mesh(vertices, faces, face_materials=np.repeat(np.arange(4), 12), materials=materials)


def textured_quad():
    """Faces the front; its picture is red left, blue right, with green in the upper half."""
    texture = np.zeros((8, 8, 4), np.uint8)
    texture[:, :4, 0] = texture[:, 4:, 2] = texture[:4, :, 1] = 255
    texture[2:, :, 3] = 255  # transparent texels must not lose their colour
    vertices = np.array([[-0.5, 0, -0.5], [0.5, 0, -0.5], [0.5, 0, 0.5], [-0.5, 0, 0.5]])
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    uvs = (vertices[:, [0, 2]] + 0.5).astype(np.float32)[faces]
    return Mesh(
        vertices, faces, corner_uvs=uvs, materials=(Material((1.0, 1.0, 1.0, 1.0), texture),)
    )


@pytest.fixture(scope="module")
def session():
    with BlenderSession(FLAT, WorkerOptions(passes=True)) as running:
        yield running


@pytest.fixture
def look(session):
    """Render with other options in the running session."""

    def render(mesh, cameras, **options):
        session.options = replace(FLAT, **options)
        try:
            return session.render(mesh, cameras)
        finally:
            session.options = FLAT

    return render


def general_cameras():
    """Not square, the principal point off the centre, pixels that are not square."""
    intrinsics = np.tile([[80.0, 0, 27.0], [0, 100.0, 41.0], [0, 0, 1]], (3, 1, 1))
    return Cameras(fibonacci(3).cam_from_world, intrinsics, height=72, width=60)


@pytest.mark.parametrize(
    ("cameras", "typical_error"),
    [(hammersley(5, resolution=64), 1e-5), (general_cameras(), 2e-5)],
    ids=["hammersley", "general"],
)
def test_both_backends_see_the_same_geometry(session, cameras, typical_error):
    views = session.render(axes_shape(), cameras)
    theirs = views.passes
    both, either = views.mask & theirs["mask"], views.mask | theirs["mask"]
    for view in range(len(cameras)):
        assert both[view].sum() / either[view].sum() >= 0.99
        assert both[view].sum() > 50
    error = np.abs(views.depth - theirs["depth"])[both]
    assert np.median(error) < typical_error
    assert np.percentile(error, 98) < 1e-3
    cosine = (views.normal * theirs["normal"]).sum(axis=-1)[both]
    assert np.median(cosine) > 0.9999
    assert np.percentile(cosine, 5) > 0.99
    # the buffers themselves are the ray caster's
    ours = raycast.render(axes_shape(), cameras, FLAT)
    for name in ("mask", "depth", "normal", "face_id", "barycentric"):
        assert getattr(views, name).tobytes() == getattr(ours, name).tobytes()


def test_colours_are_where_the_arms_project_to(look):
    cameras = explicit([(1.2, 1.5, 0.9), (1.0, 1.3, 1.4)], resolution=64)
    pixels = project(cameras, np.array([[0.45, 0, 0], [0, 0.38, 0], [0, 0, 0.3]]))[0]
    for mesh in (axes_shape(), axes_shape(vertex_colours=True)):
        views = look(mesh, cameras, samples=4)
        for view in range(2):
            for channel in range(3):
                column, row = pixels[view, channel].astype(int)
                seen = views.rgba[view, row, column, :3].astype(int)
                assert np.argmax(seen) == channel and seen.max() - np.median(seen) > 60


def test_both_backends_paint_alike(look):
    cameras = orbit(2, resolution=64, elevations=(35.0, 15.0))
    for mesh in (axes_shape(), axes_shape(vertex_colours=True)):
        views = look(mesh, cameras, samples=64)
        ours = raycast.render(mesh, cameras, replace(FLAT, samples=16)).rgba.astype(int)
        theirs = views.rgba.astype(int)
        assert np.abs(ours[..., 3] - theirs[..., 3]).mean() < 1.0
        solid = (ours[..., 3] == 255) & (theirs[..., 3] == 255)
        difference = (ours - theirs)[solid][:, :3]
        assert np.abs(difference).mean() < 10
        assert np.abs(difference.mean(axis=0)).max() < 5


def test_a_texture_is_not_mirrored(look):
    front = explicit([(0.0, -2.0, 0.0)], resolution=64)
    options = {"lamps": (Lamp("point", (0, -6, 0), 2000.0),), "view_transform": "standard"}
    theirs = look(textured_quad(), front, **options).rgba[0]
    bright = theirs[..., :3] > 100
    assert bright[20, 20].tolist() == [True, True, False]
    assert bright[20, 44].tolist() == [False, True, True]
    assert bright[44, 20].tolist() == [True, False, False]
    assert bright[44, 44].tolist() == [False, False, True]
    ours = raycast.render(textured_quad(), front, replace(FLAT, **options)).rgba[0]
    inside = (slice(8, -8), slice(8, -8))
    assert np.abs(ours[inside].astype(int) - theirs[inside]).mean() < 3


def test_the_view_transforms_are_the_same_curves(look):
    """A plain quad under one lamp: both backends give the same grey for every brightness."""
    front = explicit([(0.0, -2.0, 0.0)], resolution=16)
    quad = replace(textured_quad(), materials=(Material((0.9, 0.5, 0.2, 1.0)),))
    for transform in ("standard", "filmic"):
        for exposure in (-3.0, 0.0, 2.0):
            options = {
                "lamps": (Lamp("point", (0, -6, 0), 2000.0),),
                "view_transform": transform,
                "exposure": exposure,
            }
            theirs = look(quad, front, **options).rgba[0, 8, 8].astype(int)
            ours = raycast.render(quad, front, replace(FLAT, **options)).rgba[0, 8, 8].astype(int)
            assert np.abs(theirs - ours).max() <= 2, (transform, exposure, theirs, ours)


def test_two_workers_give_the_same_bytes_whatever_their_threads():
    cameras = hammersley(2, resolution=48)
    options = RenderOptions(samples=4, seed=7)
    results = []
    for threads in (1, 2):
        with BlenderSession(options, WorkerOptions(threads=threads)) as session:
            results.append(session.render(axes_shape(), cameras).rgba.tobytes())
            results.append(session.render(axes_shape(), cameras).rgba.tobytes())
    assert len(set(results)) == 1


def test_every_view_is_reported():
    events = []
    with BlenderSession(FLAT, on_progress=events.append) as session:
        session.render(axes_shape(), hammersley(3, resolution=16), name="axes")
    views = [event for event in events if event["event"] == "view"]
    assert [(e["item"], e["view"], e["of"]) for e in views] == [("axes", k, 3) for k in (1, 2, 3)]
    assert all(event["seconds"] > 0 for event in views)
    assert events[-1]["event"] == "done"


def test_a_crash_and_a_hang_cost_one_shape_each(monkeypatch):
    cameras = hammersley(1, resolution=16)
    with BlenderSession(FLAT, WorkerOptions(timeout_s=60)) as session:
        good = session.render(axes_shape(), cameras, name="good").rgba
        first = session._worker.process.pid
        session._stop()
        monkeypatch.setenv(FAULT, "crash:bad")
        with pytest.raises(ItemError, match=r"bad: Blender crashed \(signal SIGABRT\)"):
            session.render(axes_shape(), cameras, name="bad")
        after = session.render(axes_shape(), cameras, name="next").rgba
        assert session._worker.process.pid != first
        np.testing.assert_array_equal(good, after)

        session._stop()
        monkeypatch.setenv(FAULT, "hang:bad")
        session.worker_options = replace(session.worker_options, timeout_s=2.0)
        start = time.monotonic()
        with pytest.raises(
            ItemError, match="bad: Blender finished no view for 2 s and was stopped, twice"
        ):
            session.render(axes_shape(), cameras, name="bad")
        assert time.monotonic() - start < 60
        session.worker_options = replace(session.worker_options, timeout_s=60.0)
        np.testing.assert_array_equal(good, session.render(axes_shape(), cameras, name="next").rgba)


STUB = """#!{python}
import json, pathlib, sys, time
import numpy as np
from PIL import Image

def say(**event):
    print(json.dumps(event), flush=True)

tries = pathlib.Path({tries!r})
say(event="ready", version="stub")
for line in sys.stdin:
    item = json.loads(line)
    tries.write_text(tries.read_text() + item["name"] + chr(10))
    if tries.read_text().split().count(item["name"]) <= {hangs}:
        time.sleep(600)
    picture = np.full((item["height"], item["width"], 4), 255, np.uint8)
    Image.fromarray(picture).save(pathlib.Path(item["out"]) / "000.png")
    say(event="done")
"""


@pytest.fixture
def hanging(tmp_path):
    """Function (number of tries that hang) -> (worker, file with a line per try)."""

    def make(hangs):
        tries = tmp_path / "tries"
        tries.write_text("")
        stub = tmp_path / "python"
        stub.write_text(STUB.format(python=sys.executable, tries=str(tries), hangs=hangs))
        stub.chmod(stub.stat().st_mode | stat.S_IXUSR)
        # long enough for the second try on a machine with much to do
        return WorkerOptions(executable=str(stub), timeout_s=6.0), tries

    return make


def test_a_shape_that_hangs_once_is_rendered_by_a_new_worker(hanging):
    worker, tries = hanging(1)
    with BlenderSession(FLAT, worker) as session:
        views = session.render(axes_shape(), hammersley(1, resolution=16), name="slow")
        assert session._started == 2
    assert (views.rgba == 255).all()
    assert tries.read_text().split() == ["slow", "slow"]


def test_a_shape_that_hangs_twice_fails_and_is_not_tried_for_ever(hanging):
    worker, tries = hanging(2)
    worker = replace(worker, timeout_s=1.0)
    with BlenderSession(FLAT, worker) as session:
        with pytest.raises(ItemError, match="slow: Blender finished no view for 1 s .*, twice"):
            session.render(axes_shape(), hammersley(1, resolution=16), name="slow")
    assert tries.read_text().split() == ["slow", "slow"]


def test_a_killed_worker_is_not_the_shapes_fault(monkeypatch):
    monkeypatch.setenv(FAULT, "hang:victim")
    with BlenderSession(FLAT) as session:
        session.render(axes_shape(), hammersley(1, resolution=16))
        pid = session._worker.process.pid
        threading.Timer(0.5, os.kill, (pid, signal.SIGKILL)).start()
        with pytest.raises(WorkerStopped, match="victim"):
            session.render(axes_shape(), hammersley(1, resolution=16), name="victim")


def test_an_error_inside_the_worker_is_the_shapes_and_the_worker_goes_on(session, monkeypatch):
    session.render(axes_shape(), hammersley(1, resolution=16))
    pid = session._worker.process.pid
    broken = geometry_arrays(axes_shape(), hammersley(1, resolution=16), 0.0)
    del broken["faces"]
    with monkeypatch.context() as patch:
        patch.setattr("semcorr.rendering.blender.geometry_arrays", lambda *_: broken)
        with pytest.raises(ItemError, match="odd: Blender: KeyError"):
            session.render(axes_shape(), hammersley(1, resolution=16), name="odd")
    assert session.render(axes_shape(), hammersley(1, resolution=16)).rgba.any()
    assert session._worker.process.pid == pid


def test_a_picture_that_cannot_be_written_is_not_the_shapes_fault(session, monkeypatch):
    def elsewhere(*arguments):
        item = item_request(*arguments)
        return {**item, "out": item["geometry"] + "/below_a_file"}

    with monkeypatch.context() as patch:
        patch.setattr("semcorr.rendering.blender.item_request", elsewhere)
        with pytest.raises(OSError, match="Blender worker"):
            session.render(axes_shape(), hammersley(1, resolution=16))
    assert session.render(axes_shape(), hammersley(1, resolution=16)).rgba.any()


def test_a_shape_without_faces_never_reaches_the_worker(session):
    with pytest.raises(ItemError, match="no faces"):
        session.render(Mesh(np.zeros((3, 3)), np.zeros((0, 3), int)), hammersley(1, resolution=16))


def test_a_request_file_is_rendered_too(tmp_path):
    cameras = hammersley(2, resolution=16)
    items = []
    for name in ("one", "two"):
        folder, geometry = tmp_path / name, tmp_path / f"{name}.npz"
        folder.mkdir()
        np.savez(geometry, **geometry_arrays(axes_shape(), cameras, 0.0))
        items.append(item_request(name, geometry, folder, cameras, FLAT, WorkerOptions()))
    (tmp_path / "request.json").write_text(json.dumps({"items": items}))
    answer = subprocess.run(
        [*worker_command(), str(tmp_path / "request.json")], capture_output=True, text=True
    )
    assert answer.returncode == 0
    events = [json.loads(line) for line in answer.stdout.splitlines()]
    assert [e["event"] for e in events] == ["ready", "view", "view", "done", "view", "view", "done"]
    assert (tmp_path / "two" / "001.png").stat().st_size > 0


def program(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_a_blender_executable_gets_its_own_arguments(tmp_path):
    """A stand-in that checks Blender's options and then runs the worker with our Python."""
    python = worker_command()[0]
    text = f'[ "$1 $2 $3" = "-b --factory-startup -P" ] || exit 9\nshift 3\nexec {python} -P "$@"'
    blender = program(tmp_path / "blender", text)
    assert find_blender(blender).version.startswith("4.5")
    with BlenderSession(FLAT, WorkerOptions(executable=blender)) as session:
        assert session.render(axes_shape(), hammersley(1, resolution=16)).rgba.any()


def test_find_blender_says_what_is_there(monkeypatch):
    found = find_blender()
    assert found.version.startswith("4.5.15") and found.problem is None
    monkeypatch.setenv("SEMCORR_BLENDER", found.command[0])
    assert find_blender().version == found.version


@pytest.mark.parametrize(
    ("text", "library", "problem"),
    [
        (
            'echo \'{"event": "error", "kind": "ImportError", "message": '
            '"libXi.so.6: cannot open shared object file: No such file or directory"}\'; exit 3',
            "libXi.so.6",
            "lacks the shared library libXi.so.6",
        ),
        (
            'echo \'{"event": "error", "kind": "ImportError", "message": "No module named bpy"}\'',
            None,
            "does not load: No module named bpy",
        ),
        ("echo oh dear >&2; exit 4", None, "ended with code 4: oh dear"),
        ("exec sleep 30", None, "did not load within 1 s"),
    ],
    ids=["library", "no_bpy", "other", "slow"],
)
def test_a_blender_that_does_not_load(tmp_path, text, library, problem):
    python = program(tmp_path / "python", text)
    patience = 1.0 if "sleep" in text else 60.0
    found = find_blender(python, timeout_s=patience)
    assert found.version is None and found.missing_library == library
    assert problem in found.problem
    with (
        BlenderSession(FLAT, WorkerOptions(executable=python, start_timeout_s=patience)) as session,
        pytest.raises(UserError, match="make demo RENDER=raycast"),
    ):
        session.render(axes_shape(), hammersley(1, resolution=16))


def test_no_blender_at_all(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMCORR_BLENDER", str(tmp_path / "nothing"))
    with pytest.raises(UserError, match="make demo RENDER=raycast"):
        BlenderSession(FLAT)
    assert "nothing" in find_blender().problem
    monkeypatch.delenv("SEMCORR_BLENDER")
    monkeypatch.setattr("semcorr.rendering.blender_process.__file__", "/a/b/c/d/e/f.py")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"no \.venv-blender"):
        worker_command()


def test_the_backend_opens_with_a_jobs_runtime():
    class Runtime:
        device, threads, blender = "auto", 2, None

    with open_renderer(FLAT, Runtime()) as renderer:
        assert renderer.worker_options.threads == 2
        assert renderer.render(axes_shape(), hammersley(1, resolution=16), name="a").rgba.any()


def test_the_worker_stands_alone():
    text = WORKER.read_text()
    assert text.startswith("# SPDX-License-Identifier: GPL-3.0-or-later\n")
    names = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names.append(node.module)
    assert "bpy" in names and not any(name.startswith("semcorr") for name in names)
    for path in Path(WORKER).parents[1].rglob("*.py"):
        if path != WORKER:
            assert "import bpy" not in path.read_text()
            assert "blender_worker import" not in path.read_text()
