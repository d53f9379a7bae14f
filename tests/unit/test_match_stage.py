"""What the stage of matches loads of a shape and what it matches."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from test_failed_truth import OBJ, Chain

from semcorr.datasets.procedural import generate
from semcorr.geometry.mesh_arrays import to_arrays
from semcorr.stages.matched.shape_loader import ShapeLoader
from semcorr.stages.voxels import voxels_of
from semcorr.store.chunk import ChunkReader
from semcorr.store.memory import MemoryReader

POSES = 3


@pytest.fixture(scope="module")
def stores():
    """Chunks of one chair: mesh, voxels in three poses, features that tell the pose."""
    mesh = generate("chair", 5, 0).mesh
    entry = SimpleNamespace(resolution=8, yaws=1, rotations=POSES)
    grids = np.repeat(np.arange(POSES, dtype=np.float16), 2 * 4**3).reshape(POSES, 2, 4, 4, 4)
    return {
        "meshes": to_arrays(mesh, np.eye(4), 0, "a"),
        "voxels": voxels_of(mesh.vertices, mesh.faces, entry),
        "features": {"grids": grids},
    }


def test_the_stage_matches_surfaces(tmp_path, monkeypatch):
    scores = []
    for name, litter in (("clean", ""), ("littered", "v 0.5 0.5 2\nv 0.5 0.5 0.1\n" * 20)):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        chain = Chain(Path())
        (chain.root / "a.obj").write_text(OBJ + litter)
        scores.append(chain.maps().scores())
    assert scores[0] == scores[1] and scores[0]["mean_iou"] > 0.9
    for method in ("spatial", "random"):
        stored = ChunkReader(Path(f"results/matches/{method}/blocks/aligned/0.json"))
        found = np.concatenate([stored.read(i)["target_to_source"] for i in stored.ids])
        assert not ((found >= 8) & (found < 48)).any()


@pytest.mark.parametrize(("poses", "expected"), [(None, POSES), (1, 1)])
def test_sources_keep_the_poses_that_are_matched(stores, poses, expected):
    attributes = {"cfg": {"resolution": 8}}
    readers = {n: {"a": MemoryReader({"a": stored}, attributes)} for n, stored in stores.items()}
    shape = ShapeLoader("grids", **readers, poses=poses).load("a")
    assert shape.grids.shape == (expected, 2, 4, 4, 4)
    assert shape.grids.dtype == np.float16
    assert poses is None or shape.grids.base is None  # no view of all poses
    assert len(shape.voxels) == len(shape.turned_from_world) == expected
    counts = stores["voxels"]["cell_counts"]
    assert [len(v) for v in shape.voxels] == counts[:expected].tolist()
    assert (shape.grids[-1] == expected - 1).all()
    assert np.array_equal(shape.turned_sites(0), shape.sites)
