"""Coloured meshes of an experiment, made by the target that asks for them."""

import json

import numpy as np
import pytest
import small

from semcorr.geometry.reader import read_mesh
from semcorr.store.chunk import ChunkReader

FOLDER = "results/exports/coseg/seats/spatial/turned"


@pytest.fixture(scope="module")
def exported(prepared, tmp_path_factory):
    """A copy of the prepared folder with the meshes of one method in one pose."""
    work = prepared.copy(tmp_path_factory.mktemp("exports") / "work")
    work.run(f"{FOLDER}.json", cores=1)
    return work


def test_every_pair_is_there_by_position_and_by_part(exported):
    manifest = json.loads((exported.folder / f"{FOLDER}.json").read_text())
    found = {p.relative_to(exported.folder / FOLDER).as_posix()
             for p in (exported.folder / FOLDER).rglob("*.glb")}  # fmt: skip
    ids = [f"chair_9_{n:05d}" for n in range(small.CONFIG["datasets"]["chairs"]["count"])]
    sources = ids[: small.CONFIG["coseg"]["seats"]["sources"]]
    expected = {f"{what}/{s}.glb" for what in ("map", "parts") for s in sources}
    expected |= {
        f"{what}/{s}/{t}.glb" for what in ("map", "parts") for s in sources for t in ids if s != t
    }
    assert found == expected == {row["file"] for row in manifest["files"]}
    assert (manifest["task"], manifest["pose"]) == ("coseg", "turned")
    assert all((exported.folder / path).is_file() for path in manifest["inputs"])


def test_meshes_keep_their_vertices_and_carry_colours(exported):
    meshes = ChunkReader(exported.folder / "results/meshes/chairs_yaw/0.json")
    own = meshes.read("chair_9_00001", ("vertices",))["vertices"]
    path = exported.folder / FOLDER / "map/chair_9_00000/chair_9_00001.glb"
    target = read_mesh(path)
    # glTF: the up axis is y, and the front, -y of the world, is +z
    np.testing.assert_allclose(target.vertices, own[:, [0, 2, 1]] * (1, 1, -1), atol=1e-6)
    assert len(np.unique(target.vertex_colors, axis=0)) > 20
    parts = read_mesh(exported.folder / FOLDER / "parts/chair_9_00000/chair_9_00001.glb")
    source = read_mesh(exported.folder / FOLDER / "parts/chair_9_00000.glb")
    shown = {tuple(colour) for colour in parts.vertex_colors}
    assert 1 < len(shown) < 12
    assert shown <= {tuple(colour) for colour in source.vertex_colors} | {(158, 158, 162, 255)}


def test_a_second_request_plans_nothing_and_all_can_be_asked_for(exported):
    plans = exported.server.plans([(exported, [f"{FOLDER}.json"]), (exported, ["exports"])])
    assert [plan.code for plan in plans] == [0, 0], plans[-1].text
    assert plans[0].outputs == frozenset()
    wanted = {
        f"results/exports/{task}/{name}/{method}/{pose}"
        for task in ("coseg", "keypoints")
        for name, entry in small.CONFIG[task].items()
        for method in entry["methods"]
        for pose in entry["poses"]
    } - {FOLDER}
    assert plans[1].outputs == {p for folder in wanted for p in (folder, f"{folder}.json")}


def test_exports_are_no_part_of_all(prepared):
    assert not (prepared.results / "exports").exists()
