"""Stage `voxels`: surface occupancy of one chunk, for every yaw of the variant."""

import numpy as np

from semcorr.config.load import entry_of
from semcorr.config.voxels import Voxel
from semcorr.geometry.frames import world_from_file
from semcorr.geometry.transforms import rotation_yaw
from semcorr.geometry.voxels import voxelise
from semcorr.stages.job import StageJob, run_alone
from semcorr.store.chunk import ChunkReader, simple, write_chunk
from semcorr.store.items import Arrays


def main(job: StageJob) -> None:
    """Write voxels/{voxel}/{dataset}/{chunk}: occupied cells, one list per yaw."""
    entry: Voxel = entry_of("voxels", job.cfg)
    meshes = ChunkReader(job.input("meshes"))

    def compute(item_id: str) -> Arrays:
        arrays = meshes.read(item_id, ("vertices", "faces"))
        return voxels_of(arrays["vertices"].astype(np.float64), arrays["faces"], entry)

    write_chunk(
        job.chunk_job(
            ragged=frozenset({"cells"}),
            frame="voxel grid, per yaw: turned_from_world",
            units="cells",
        ),
        lambda missing: simple(compute),
        unit="shape",
    )


def voxels_of(vertices: np.ndarray, faces: np.ndarray, entry: Voxel) -> Arrays:
    """Return occupied cells for every yaw.

    Args:
        vertices: (v, 3) world positions.
        faces: (f, 3).
        entry: resolution and number of yaws.

    Returns:
        cells: (n, 3) uint8, the lists of all yaws one after the other.
        cell_counts: (yaws,) int32 lengths of those lists.
        turned_from_world: (yaws, 4, 4) float64; the turned shape is centred and scaled to the unit box
            again, since a turned box sticks out of it.
    """
    cells, matrices = [], []
    for index in range(entry.yaws):
        matrix = np.eye(4)
        if index:
            matrix[:3, :3] = rotation_yaw(2 * np.pi * index / entry.yaws)
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
