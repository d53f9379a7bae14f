"""Part ground truth of one object, vectorised, against the plain loop over its voxels.

    python benchmarks/part_truth.py [--repeats 5] [--points 2600]

From the text of the labelled points to one label per surface voxel, with the published alignment; both
formulations are given the same text and voxels and are checked equal. Times are CPU seconds of one
thread, median of all repeats. The last line is the corrected alignment, which has no plain
counterpart: what one object and 40 000 objects take.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from _timing import timed

from semcorr.datasets.part_points import read_points
from semcorr.datasets.procedural import generate
from semcorr.geometry.part_labels import labels_from_points
from semcorr.geometry.point_alignment import align, to_point_frame
from semcorr.geometry.sampling import positions_at, sample_surface
from semcorr.geometry.voxels import voxelise

RESOLUTION, OBJECTS = 64, 40_000


def example(count: int) -> tuple[str, np.ndarray]:
    """Return labelled points of a chair as text, and its surface voxels in the point frame."""
    shape = generate("chair", 100, 0)
    face, barycentric = sample_surface(shape.mesh, count, 0)
    points = to_point_frame(positions_at(shape.mesh, face, barycentric)) * (-1, 1, -1)
    labels = shape.face_labels[face]
    lines = [
        f"{x:.6f} {y:.6f} {z:.6f} 0.0 1.0 0.0 {label:.6f}\n"
        for (x, y, z), label in zip(points, labels, strict=True)
    ]
    cells = voxelise(shape.mesh.vertices, shape.mesh.faces, RESOLUTION)
    return "".join(lines), to_point_frame((cells + 0.5) / RESOLUTION - 0.5)


def fast(path: Path, voxels: np.ndarray, legacy: bool = True) -> np.ndarray:
    points, labels = read_points(path)
    return labels_from_points(voxels, align(points, voxels, legacy).points, labels)


def plain(path: Path, voxels: np.ndarray) -> np.ndarray:
    rows = [line.split() for line in path.read_text().splitlines()]
    points = np.array([[-float(row[0]), float(row[1]), float(row[2])] for row in rows])
    labels = [int(float(row[6])) for row in rows]
    low, high = points.min(axis=0), points.max(axis=0)
    points = (points - (low + high) / 2) / (high - low).max()
    shift = voxels.mean(axis=0) - points.mean(axis=0)
    points = points + (shift[0], shift[1], 0.0)
    found = []
    for voxel in voxels:
        squared = ((points - voxel) ** 2).sum(axis=1)
        found.append(labels[int(squared.argmin())])
    return np.array(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--points", type=int, default=2600, help="of one object")
    options = parser.parse_args()
    text, voxels = example(options.points)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "points.txt"
        path.write_text(text)
        fast(path, voxels)
        ours, labels = timed(lambda: fast(path, voxels), options.repeats, time.process_time)
        slow, expected = timed(lambda: plain(path, voxels), options.repeats, time.process_time)
        whole, _ = timed(
            lambda: fast(path, voxels, legacy=False), options.repeats, time.process_time
        )
    print(
        f"part truth, {options.points} points, {len(voxels)} voxels: plain {slow:.3f} s,"
        f" vectorised {ours:.4f} s, ratio {slow / ours:.1f}x,"
        f" equal {bool(np.array_equal(labels, expected))}"
    )
    print(
        f"with the corrected alignment: {whole:.4f} s an object,"
        f" {OBJECTS * whole / 3600:.1f} h of one core for {OBJECTS} objects"
    )


if __name__ == "__main__":
    main()
