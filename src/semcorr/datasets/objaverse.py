"""Data sets of Objaverse: meshes from the chunk's downloads, ground truth from a folder if there is one.

Objaverse-XL has meshes and ground truth from here as well.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from semcorr.datasets import attribution, folder
from semcorr.datasets.context import DatasetContext, LoadMesh, LoadTruth, Truth, decode, encode
from semcorr.geometry.frames import apply, used_vertices, world_from_file
from semcorr.geometry.mesh import Mesh
from semcorr.geometry.reader import read_bytes
from semcorr.store.items import Arrays

# Arrays of a chunk of downloads: the bytes of the file, and what is known of it (JSON)
RAW_RAGGED = frozenset({"content", "record"})


def open_meshes(context: DatasetContext) -> LoadMesh:
    """Return the function id -> (mesh in the world frame, file_from_world)."""

    def load(item_id: str) -> tuple[Mesh, np.ndarray]:
        data = context.raw.read(item_id, ["content"])["content"].tobytes()
        columns = context.members[item_id].columns
        name = item_id + PurePosixPath(columns["path"]).suffix
        mesh = read_bytes(name, data, max_vertices=context.cfg["max_vertices"])
        up, front = columns.get("up") or "+y", columns.get("front") or "+z"
        matrix = world_from_file(used_vertices(mesh), up.strip(), front.strip())
        return replace(mesh, vertices=apply(matrix, mesh.vertices)), np.linalg.inv(matrix)

    return load


def open_truth(context: DatasetContext) -> LoadTruth:
    """Return the function id -> ground truth: as in a folder set below `truth`, else nothing known."""
    if root := context.entry.get("truth"):
        return folder.open_truth(replace(context, entry={**context.entry, "root": root}))

    def load(item_id: str) -> Truth:
        faces = context.meshes.read(item_id, ["faces"])["faces"]
        return Truth(face_labels=np.full(len(faces), -1))

    return load


def raw_arrays(columns: Mapping[str, str], data: bytes, sha256: str) -> Arrays:
    """Return the arrays of one download; nothing in them tells when or from where it came."""
    known = {name: columns.get(name, "") for name in attribution.COLUMNS}
    record = {"path": columns["path"], "sha256": sha256, "bytes": len(data), **known}
    return {"content": np.frombuffer(data, np.uint8), "record": encode(record)}


def record_of(arrays: Arrays) -> dict[str, Any]:
    """Return path, sha256, bytes, licence, author, title and page of a download."""
    return decode(arrays["record"])
