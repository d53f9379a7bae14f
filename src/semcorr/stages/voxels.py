"""Stage `voxels`: surface occupancy of one chunk, for every pose of the variant."""

import numpy as np

from semcorr.config.load import entry_of
from semcorr.config.voxels import Voxel
from semcorr.geometry.frames import world_from_file
from semcorr.geometry.transforms import homogeneous
from semcorr.geometry.voxels import voxelise
from semcorr.matching.rotations import pose_rotations, turns
from semcorr.stages.running.job import StageJob, run_alone
from semcorr.store.chunk import ChunkReader, simple, write_chunk
from semcorr.store.items import Arrays


def main(job: StageJob) -> None:
    """Write voxels/{voxel}/{dataset}/{chunk}: occupied cells, one list per pose."""
    entry: Voxel = entry_of("voxels", job.cfg)
    meshes = ChunkReader(job.input("meshes"))

    def compute(item_id: str) -> Arrays:
        arrays = meshes.read(item_id, ("vertices", "faces"))
        return voxels_of(arrays["vertices"].astype(np.float64), arrays["faces"], entry)

    write_chunk(
        job.chunk_job(
            ragged=frozenset({"cells"}),
            frame="voxel grid, per pose: turned_from_world",
            units="cells",
        ),
        lambda missing: simple(compute),
        unit="shape",
    )


def voxels_of(vertices: np.ndarray, faces: np.ndarray, entry: Voxel) -> Arrays:
    """Return occupied cells for every pose (`yaws` or `rotations` of them).

    Args:
        vertices: (v, 3) world positions.
        faces: (f, 3).
        entry: resolution and number of poses.

    Returns:
        cells: (n, 3) uint8, the lists of all poses one after the other.
        cell_counts: (poses,) int32 lengths of those lists.
        turned_from_world: (poses, 4, 4) float64; the turned shape is centred and scaled to the unit box
            again, since a turned box sticks out of it.
    """
    cells, matrices = [], []
    poses = pose_rotations(entry.rotations) if entry.rotations > 1 else turns(entry.yaws)
    for index, rotation in enumerate(poses):
        matrix = homogeneous(rotation) if index else np.eye(4)
        if index:
            turned = vertices[np.unique(faces)] @ matrix[:3, :3].T
            matrix = world_from_file(turned, up="+z", front="-y") @ matrix
        turned = vertices @ matrix[:3, :3].T + matrix[:3, 3]
        cells.append(voxelise(turned, faces, entry.resolution))
        matrices.append(matrix)
    return {
        "cells": np.concatenate(cells),
        "cell_counts": np.array([len(c) for c in cells], np.int32),
        "turned_from_world": np.stack(matrices),
    }


if __name__ == "__main__":
    run_alone(main, main.__doc__)
