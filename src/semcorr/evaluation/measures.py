"""The number that stands for each task in charts, sweeps and on the terminal."""

from typing import NamedTuple


class Measure(NamedTuple):
    """Key of a task's summaries, its name, and the end of its scale (it starts at 0)."""

    key: str
    name: str
    most: float


MEASURES = {
    "coseg": Measure("mean_iou", "part mean IoU", 1.0),
    "keypoints": Measure("acc_010", "keypoints within 0.1", 1.0),
    "texture": Measure("psnr", "PSNR of the round trip in dB", 40.0),
    "dense": Measure("acc_001", "vertices within 1 %", 1.0),
}
