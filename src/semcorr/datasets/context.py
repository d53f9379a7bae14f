"""What the module of a data set's kind is given, and the ground truth record that it returns."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from semcorr.datasets.members import Member, root_of
from semcorr.geometry.mesh import Mesh
from semcorr.store.chunk import ChunkReader
from semcorr.store.items import Arrays

LoadMesh = Callable[[str], tuple[Mesh, np.ndarray]]


@dataclass(frozen=True)
class DatasetContext:
    """One chunk of a data set as its kind sees it.

    Attributes:
        cfg: the entry's validated options.
        seed: global seed.
        entry: the whole entry, with the planning keys (root, chunks ...).
        members: rows of the item list by id.
        raw: reader of the chunk's downloads (meshes of a set that is downloaded).
        meshes: reader of the chunk's meshes (truth), or of the set that is turned (meshes).
        truth: reader of the truth of the set that is turned.
    """

    cfg: dict[str, Any]
    seed: int
    entry: Mapping[str, Any]
    members: Mapping[str, Member]
    raw: ChunkReader | None = None
    meshes: ChunkReader | None = None
    truth: ChunkReader | None = None

    @property
    def root(self) -> str:
        """Folder of a folder set."""
        return root_of(self.entry)


@dataclass(frozen=True)
class Truth:
    """Ground truth of one shape.

    Attributes:
        label_names: part names.
        face_labels: (f,) index into label_names per triangle, -1 = none.
        keypoint_names: k names.
        keypoints: (k, 3) world positions, NaN = absent.
        keypoint_vertices: (k,) vertex of each, -1 = absent.
        keypoint_symmetry: groups of keypoint names that the category's mirror exchanges.
        label_points: (p, 3) world positions with labels, where parts are known at points; a vertex or
            sample then has the label of the nearest one, and `face_labels` are those of the faces'
            middles. None (p = 0) where parts are known by faces.
        point_labels: (p,) index into label_names of each, >= 0.
        vertex_group: name that shapes with the same vertices in the same order share; "" = alone.
        maps: source id -> (v,) vertex of that source for every vertex of this shape, -1 = none.
    """

    face_labels: Int[np.ndarray, " f"]
    label_names: tuple[str, ...] = ()
    keypoint_names: tuple[str, ...] = ()
    keypoints: Float[np.ndarray, "k 3"] = field(default_factory=lambda: np.zeros((0, 3)))
    keypoint_vertices: Int[np.ndarray, " k"] = field(default_factory=lambda: np.zeros(0, np.int32))
    keypoint_symmetry: Sequence[Sequence[str]] = ()
    label_points: Float[np.ndarray, "p 3"] = field(default_factory=lambda: np.zeros((0, 3)))
    point_labels: Int[np.ndarray, " p"] = field(default_factory=lambda: np.zeros(0, np.int16))
    vertex_group: str = ""
    maps: Mapping[str, Int[np.ndarray, " v"]] = field(default_factory=dict)


LoadTruth = Callable[[str], Truth]
TRUTH_RAGGED = frozenset(
    "face_labels label_names keypoints keypoint_vertices keypoint_names keypoint_symmetry"
    " label_points point_labels dense map_vertices".split()
)


def truth_to_arrays(truth: Truth) -> Arrays:
    """Return the arrays of a store of ground truth."""
    return {
        "label_names": encode(list(truth.label_names)),
        "face_labels": np.asarray(truth.face_labels, np.int16),
        "keypoint_names": encode(list(truth.keypoint_names)),
        "keypoints": np.asarray(truth.keypoints, np.float64).reshape(-1, 3),
        "keypoint_vertices": np.asarray(truth.keypoint_vertices, np.int32),
        "keypoint_symmetry": encode(truth.keypoint_symmetry),
        "label_points": np.asarray(truth.label_points, np.float64).reshape(-1, 3),
        "point_labels": np.asarray(truth.point_labels, np.int16),
        "dense": encode({"vertex_group": truth.vertex_group, "sources": list(truth.maps)}),
        # one map after another, each with as many rows as the shape has vertices
        "map_vertices": np.concatenate(
            [np.zeros(0, np.int32), *truth.maps.values()], dtype=np.int32
        ),
    }


def truth_from_arrays(arrays: Arrays) -> Truth:
    """Return what `truth_to_arrays` stored."""
    dense = decode(arrays["dense"])
    maps = np.split(arrays["map_vertices"], len(dense["sources"]) or 1)
    return Truth(
        face_labels=arrays["face_labels"].astype(np.int64),
        label_names=tuple(decode(arrays["label_names"])),
        keypoint_names=tuple(decode(arrays["keypoint_names"])),
        keypoints=arrays["keypoints"],
        keypoint_vertices=arrays["keypoint_vertices"],
        keypoint_symmetry=decode(arrays["keypoint_symmetry"]),
        label_points=arrays["label_points"],
        point_labels=arrays["point_labels"].astype(np.int64),
        vertex_group=dense["vertex_group"],
        maps=dict(zip(dense["sources"], maps, strict=False)),
    )


def encode(value: Any) -> np.ndarray:
    """Store a nested builtin as UTF-8 JSON bytes."""
    return np.frombuffer(json.dumps(value, sort_keys=True).encode(), np.uint8)


def decode(array: np.ndarray) -> Any:
    """Read what `encode` stored."""
    return json.loads(array.tobytes().decode())
