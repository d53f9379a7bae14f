"""A mesh of five million faces through meshes, voxels and views, in bounded memory.

Every stage runs as a process of its own, as a job does, so that its peak is its own.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from semcorr.store.chunk import ChunkReader

SIDE = 1582  # points a side of a grid: 2 (SIDE - 1)^2 faces
FACES = 2 * (SIDE - 1) ** 2
VERTICES = SIDE**2
GLOBAL = {"global_seed": 0, "global_precision": "fp32"}
VIEWS = {"rig": "fibonacci", "views": 1, "resolution": 64, "backend": "raycast", "samples": 1}
# stage -> (cfg, what its rule asks for in MB, what must be enough)
STAGES = {
    "meshes": ({"kind": "folder", "max_vertices": VERTICES}, 2000, 1100),
    "voxels": ({"resolution": 64, "yaws": 1}, 2000, 800),
    "render": (VIEWS, 4000, 2200),
}


def write_sheet(path: Path) -> None:
    """Write a waved sheet as binary PLY."""
    x = np.linspace(0, 1, SIDE, dtype=np.float32)
    across, along = np.meshgrid(x, x, indexing="ij")
    height = 0.2 * np.sin(9 * across) * np.cos(7 * along)
    vertices = np.stack([across, along, height], axis=-1).astype("<f4")
    corner = (np.arange(SIDE - 1)[:, None] * SIDE + np.arange(SIDE - 1)).ravel()
    upper = np.stack([corner, corner + SIDE, corner + 1], axis=1)
    lower = np.stack([corner + 1, corner + SIDE, corner + SIDE + 1], axis=1)
    rows = np.empty(FACES, dtype=[("size", "u1"), ("corners", "<i4", 3)])
    rows["size"], rows["corners"] = 3, np.concatenate([upper, lower])
    axes = "".join(f"property float {axis}\n" for axis in "xyz")
    head = (
        f"ply\nformat binary_little_endian 1.0\nelement vertex {VERTICES}\n{axes}"
        f"element face {FACES}\nproperty list uchar int vertex_indices\nend_header\n"
    )
    with open(path, "wb") as handle:
        handle.write(head.encode())
        handle.write(vertices.tobytes())
        handle.write(rows.tobytes())


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("large")
    write_sheet(folder / "sheet.ply")
    (folder / "items.csv").write_text("id,file\nsheet,sheet.ply\n")
    return folder


def run(root: Path, stage: str, cfg: dict) -> int:
    """Run one stage on the sheet; return its peak memory in MB as it logs it."""
    entry = {"kind": "folder", "root": str(root), "items": "items.csv", "chunks": 1}
    job = {
        "inputs": {} if stage == "meshes" else {"meshes": [f"{root}/meshes/0.json"]},
        "outputs": {"store": f"{root}/{stage}/0.zarr", "manifest": f"{root}/{stage}/0.json"},
        "cfg": cfg | GLOBAL,
        "members": [["sheet", ""]],
        "wildcards": {"dataset": "large", "chunk": "0"},
        "config": {"datasets": {"large": entry}},
    }
    (root / f"{stage}.json").write_text(json.dumps(job))
    command = [sys.executable, "-m", f"semcorr.stages.{stage}", f"{root}/{stage}.json"]
    done = subprocess.run([*command, "--threads", "1"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return int(re.search(r"peak memory (\d+) MB", done.stderr)[1])


@pytest.mark.timeout(1800)  # 40 s of CPU time, on a machine that may have others to serve
def test_five_million_faces_need_no_more_memory_than_the_rules_ask_for(root, record_property):
    for stage, (cfg, asked, enough) in STAGES.items():
        peak = run(root, stage, cfg)
        record_property("print: five million faces", f"{stage:8} peak {peak} MB of {asked}")
        assert peak < enough <= asked, stage
    mesh = ChunkReader(root / "meshes/0.json")
    shapes = mesh.manifest.by_id["sheet"].shapes
    assert (shapes["vertices"][0], shapes["faces"][0]) == (VERTICES, FACES)
    assert shapes["sample_face"] == [4096]
    assert ChunkReader(root / "voxels/0.json").read("sheet")["cell_counts"][0] > 64**2
    assert ChunkReader(root / "render/0.json").read("sheet")["mask"].sum() > 100


def test_larger_than_allowed_is_refused_before_memory_is_spent(root):
    cfg = {"kind": "folder", "max_vertices": 2_000_000}
    peak = run(root, "meshes", cfg)
    row = ChunkReader(root / "meshes/0.json").manifest.by_id["sheet"]
    assert row.status == "failed"
    assert f"has {VERTICES} vertices, more than the 2000000 allowed: decimate it" in row.reason
    assert peak < 500
