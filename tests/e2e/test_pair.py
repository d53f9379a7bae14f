"""The user's own two meshes through the real workflow: `snakemake pair --config source=... target=...`."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import trimesh
import yaml
from chrome_session import ChromeSession
from page_driver import changed, half, open_ready, turn, vivid_colours

from semcorr.datasets.procedural import generate
from semcorr.geometry.reader import read_mesh

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pair folder")  # a blank in the path must not hurt
    (folder / "config").mkdir()
    config = {
        "methods": {
            "spatial": {"matcher": "spatial"},
            "spatial_yaw": {"matcher": "spatial", "align": "yaw"},
        }
    }
    (folder / "config/config.yaml").write_text(yaml.safe_dump(config))
    for index, suffix in ((0, "ply"), (1, "glb"), (2, "obj")):
        mesh = generate("chair", 5, index).mesh
        turned = mesh.vertices @ np.array(
            [[1, 0, 0], [0, 0, -1], [0, 1, 0.0]]
        )  # +y up, as files are
        moved = 37.0 * turned + np.array([1000.0, -5.0, 3.0])
        trimesh.Trimesh(moved, mesh.faces, process=False).export(folder / f"chair_{index}.{suffix}")
    return folder


def pair(folder, *keys, expect=0):
    """Run it as at a terminal: one stream of everything that is printed."""
    command = [sys.executable, "-m", "snakemake", "-s", str(ROOT / "Snakefile"), "-c2", "pair"]
    result = subprocess.run(
        [*command, "--config", *keys],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert (result.returncode == 0) == (expect == 0), result.stdout
    return result


def page_of(result):
    """The page is what the last line names, below Snakemake's own closing lines."""
    lines = result.stdout.strip().splitlines()
    assert any("Complete log" in line for line in lines[:-1])
    return Path(lines[-1])


@pytest.fixture(scope="module")
def two_chairs(folder):
    """A pair that several tests look at."""
    return pair(folder, "source=chair_0.ply", "target=chair_1.glb", "method=spatial")


def test_outputs_have_the_promised_names_types_and_frames(folder, two_chairs):
    page = folder / page_of(two_chairs)
    assert page.name == "index.html" and page.parent.parent == folder / "results/pairs"
    assert page.parent.name.startswith("chair_0_chair_1_")
    source, target = read_mesh(folder / "chair_0.ply"), read_mesh(folder / "chair_1.glb")
    to_source = np.load(page.parent / "target_to_source.npy")
    confidence = np.load(page.parent / "confidence.npy")
    assert to_source.dtype == np.int32 and to_source.shape == (len(target.vertices),)
    assert confidence.shape == to_source.shape
    assert to_source.min() >= -1 and to_source.max() < len(source.vertices)
    for side, mesh in (("source", source), ("target", target)):
        for suffix in ("ply", "glb"):
            written = read_mesh(page.parent / f"{side}.{suffix}")
            np.testing.assert_allclose(written.vertices, mesh.vertices, atol=1e-2)
            assert len(np.unique(written.vertex_colors, axis=0)) > 20
    assert (page.parent / "picture.png").stat().st_size > 10_000
    scores = json.loads((page.parent / "scores.json").read_text())
    assert scores["method"] == "spatial" and scores["matched"] > 0.99


def test_the_page_works_in_a_browser(folder, two_chairs):
    with ChromeSession(1200, 780) as browser:
        open_ready(browser, folder / page_of(two_chairs))
        before = {side: half(browser, side) for side in ("source", "target")}
        for side, pixels in before.items():
            assert vivid_colours(pixels) > 20, side
        turn(browser, "source")
        for side in ("source", "target"):
            assert changed(before[side], half(browser, side)) > 0.05, side
        assert browser.console_errors() == []


def test_spatial_map_of_a_mesh_onto_itself_is_the_identity_where_vertices_are_alone(folder):
    result = pair(folder, "source=chair_0.ply", "target=chair_0.ply", "method=spatial")
    to_source = np.load((folder / page_of(result)).parent / "target_to_source.npy")
    vertices = read_mesh(folder / "chair_0.ply").vertices
    size = np.ptp(vertices, axis=0).max()
    off = np.linalg.norm(vertices[to_source] - vertices, axis=1) / size
    assert np.quantile(off, 0.99) < 0.02


def test_labels_and_keypoints_are_carried(folder):
    shape = generate("chair", 5, 0)
    labels = {"names": list(shape.label_names), "faces": shape.face_labels.tolist()}
    (folder / "labels.json").write_text(json.dumps(labels))
    vertices = [int(v) for v in shape.keypoint_vertices]
    points = {"names": list(shape.keypoint_names), "vertices": vertices}
    (folder / "points.json").write_text(json.dumps(points))
    result = pair(
        folder,
        "source=chair_0.ply",
        "target=chair_2.obj",
        "method=spatial_yaw",
        "labels=labels.json",
        "keypoints=points.json",
        "out=here",
    )
    assert (folder / page_of(result)).resolve() == (folder / "here/index.html").resolve()
    carried = json.loads((folder / "here/target_labels.json").read_text())
    target = read_mesh(folder / "chair_2.obj")
    assert len(carried["vertices"]) == len(target.vertices)
    assert set(carried["vertices"]) - {-1} <= set(range(len(shape.label_names)))
    assert len(set(carried["vertices"])) > 2
    moved = json.loads((folder / "here/target_keypoints.json").read_text())
    inside = [p for p in moved["points"] if p is not None]
    assert len(inside) == sum(v >= 0 for v in vertices)
    low, high = target.vertices.min(axis=0), target.vertices.max(axis=0)
    assert all(
        (np.array(p) >= low - 1e-3).all() and (np.array(p) <= high + 1e-3).all() for p in inside
    )


def test_a_list_of_pairs_goes_on_after_bad_ones(folder):
    (folder / "cloud.ply").write_text(
        "ply\nformat ascii 1.0\nelement vertex 2\nproperty float x\nproperty float y\n"
        "property float z\nend_header\n0 0 0\n1 1 1\n"
    )
    rows = (
        "cloud.ply,chair_0.ply",
        "gone.ply,chair_0.ply",
        "chair_0.ply",
        "chair_0.ply,chair_2.obj",
    )
    (folder / "list.csv").write_text("\n".join(["source,target", *rows]) + "\n")
    result = pair(folder, "pairs=list.csv", "method=spatial", expect=1)
    assert "cloud.ply: is a point cloud" in result.stdout
    assert "source=gone.ply: there is no such file" in result.stdout
    assert "list.csv, row 3: target is empty" in result.stdout
    assert "3 of 4 pairs failed" in result.stdout
    assert "Traceback" not in result.stdout
    assert list((folder / "results/pairs").glob("chair_0_chair_2_*/index.html"))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (("source=chair_0.ply",), "pair needs target="),
        (("source=nothing.glb", "target=chair_0.ply"), "source=nothing.glb: there is no such file"),
        (("source=chair_0.ply", "target=chair_2.obj", "method=sptial"), "there is no such method"),
        (("source=chair_0.ply", "target=chair_2.obj", "method=spatial", "up=+w"), "+w"),
        (
            ("source=chair_0.ply", "target=chair_2.obj", "method=spatial", "out=chair_0.ply"),
            "is a file; name a folder",
        ),
        (
            ("source=cloud.ply", "target=chair_0.ply", "method=spatial"),
            "cloud.ply: is a point cloud",
        ),
    ],
)
def test_wrong_requests_get_one_clear_line(folder, keys, message):
    result = pair(folder, *keys, expect=1)
    assert message in result.stdout
    assert "Traceback" not in result.stdout


def test_more_than_200000_vertices_are_refused_with_a_remedy(folder):
    count = 200_001
    header = (
        f"ply\nformat binary_little_endian 1.0\nelement vertex {count}\nproperty float x\n"
        "property float y\nproperty float z\nelement face 1\n"
        "property list uchar int vertex_indices\nend_header\n"
    )
    body = np.random.default_rng(0).random((count, 3)).astype("<f4").tobytes()
    body += b"\x03" + np.array([0, 1, 2], "<i4").tobytes()
    (folder / "huge.ply").write_bytes(header.encode() + body)
    result = pair(folder, "source=huge.ply", "target=chair_0.ply", "method=spatial", expect=1)
    assert "huge.ply" in result.stdout and "200" in result.stdout
    assert "Traceback" not in result.stdout
