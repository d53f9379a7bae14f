"""Labels and keypoints that `pair` carries: read and checked before anything is computed."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from semcorr.datasets.folder import read_keypoint_file, read_label_file
from semcorr.geometry.mesh import Mesh


@dataclass(frozen=True)
class Annotations:
    """What is known of the source.

    Attributes:
        label_names: names of the parts.
        face_labels: (f,) index into `label_names` per triangle, -1 = none; None without labels.
        keypoint_names: names of the keypoints.
        keypoints: (k, 3) in the world frame, NaN = absent; None without keypoints.
    """

    label_names: tuple[str, ...] = ()
    face_labels: Int[np.ndarray, " f"] | None = None
    keypoint_names: tuple[str, ...] = ()
    keypoints: Float[np.ndarray, "k 3"] | None = None


def read_annotations(
    labels: Path | None,
    keypoints: Path | None,
    source: Mesh,
    file_from_world: Float[np.ndarray, "4 4"],
) -> Annotations:
    """Read the files of `labels=` and `keypoints=`.

    Args:
        labels: JSON of part labels, or None.
        keypoints: JSON of keypoints, or None.
        source: mesh that they belong to, in the world frame.
        file_from_world: leads back to the frame of its file.

    Raises:
        ItemError: a file is malformed or does not fit the mesh; the message names it.
        OSError: a file cannot be read.
    """
    found: dict = {}
    if labels is not None:
        # resolved: messages name the file's folder
        found["label_names"], found["face_labels"] = read_label_file(labels.resolve(), source)
    if keypoints is not None:
        found["keypoint_names"], found["keypoints"], _ = read_keypoint_file(
            keypoints.resolve(), source, file_from_world
        )
    return Annotations(**found)
