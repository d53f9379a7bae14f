"""What the stage of matches loads of a shape whose features come in several poses."""

from types import SimpleNamespace

import numpy as np
import pytest

from semcorr.datasets.procedural import generate
from semcorr.geometry.mesh_arrays import to_arrays
from semcorr.stages.matched.shape_loader import ShapeLoader
from semcorr.stages.voxels import voxels_of
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
