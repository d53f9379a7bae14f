"""All pairs of one pose with what scoring and pictures need of them."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import groupby
from pathlib import Path

import numpy as np
from jaxtyping import Int
from tqdm import tqdm

from semcorr.datasets.context import Truth, truth_from_arrays
from semcorr.errors import ItemError
from semcorr.geometry.mesh import Mesh
from semcorr.geometry.mesh_arrays import SITE_ARRAYS, Sites, from_arrays, sites_of
from semcorr.geometry.part_labels import labels_from_points
from semcorr.store.chunk import ChunkReader
from semcorr.store.items import Arrays
from semcorr.store.kept import Kept
from semcorr.store.manifest import Row

PAIR_SEPARATOR = " <- "
# Bytes; sites of a shape are one or two megabytes
SITES_KEPT = 600_000_000


def pair_id(source: str, target: str) -> str:
    """Return the item id of a pair in a store of matches."""
    return f"{target}{PAIR_SEPARATOR}{source}"


def site_labels(sites: Sites, face_labels: Int[np.ndarray, " f"]) -> Int[np.ndarray, " n"]:
    """Return the label of every site.

    A sample has the label of its face, a vertex the label with the largest area among its faces
    (smallest index on ties), -1 where there is none.

    Args:
        sites: of the shape.
        face_labels: (f,) part index per face, -1 = none.
    """
    corners = sites.positions[sites.faces]
    area = np.linalg.norm(
        np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1
    )
    count = int(face_labels.max(initial=-1)) + 1
    votes = np.zeros((sites.num_vertices, count + 1))
    for corner in range(3):
        np.add.at(votes, (sites.faces[:, corner], face_labels + 1), area)
    labels = votes[:, 1:].argmax(axis=1) if count else np.zeros(sites.num_vertices, np.int64)
    labels[votes[:, 1:].sum(axis=1) == 0] = -1
    return np.concatenate([labels, face_labels[sites.sample_face]]).astype(np.int64)


def true_site_labels(
    sites: Sites, truth: Truth, common: Int[np.ndarray, " l"]
) -> Int[np.ndarray, " n"]:
    """Return the true label of every site: that of the nearest labelled point, or by the faces.

    Args:
        sites: of the shape.
        truth: of the same shape.
        common: number to return for each of the truth's labels, and last for none.
    """
    if len(truth.label_points):
        return common[labels_from_points(sites.positions, truth.label_points, truth.point_labels)]
    return site_labels(sites, common[truth.face_labels])


@dataclass
class PosePairs:
    """Readers of one pose of an experiment.

    Ground truth is kept of all shapes, their sites as far as SITES_KEPT allows.

    Attributes:
        matches: one reader per chunk of targets.
        meshes, truth: one reader per chunk of sources and targets.
        part_names: part name in the data -> name that it goes by here.
        names_in_data: part names in the data of all shapes whose truth was read so far.
    """

    matches: list[ChunkReader]
    meshes: list[ChunkReader]
    truth: list[ChunkReader]
    part_names: Mapping[str, str] = field(default_factory=dict)
    names_in_data: set[str] = field(default_factory=set)
    _sites: Kept = field(default_factory=lambda: Kept(SITES_KEPT))
    _truth: dict[str, Truth | None] = field(default_factory=dict)

    @classmethod
    def open(
        cls,
        matches: list[Path],
        meshes: list[Path],
        truth: list[Path],
        part_names: Mapping[str, str] | None = None,
    ) -> "PosePairs":
        """Open readers for lists of manifests."""
        readers = ([ChunkReader(p) for p in paths] for paths in (matches, meshes, truth))
        return cls(*readers, part_names or {})

    def rows(self) -> list[tuple[str, str, ChunkReader, Row]]:
        """Return (source, target, reader, manifest row) of all pairs, sorted; nothing is read."""
        found = []
        for reader in self.matches:
            for row in reader.manifest.rows:
                # Only a refused id holds the separator; its row has failed, however it is cut
                target, _, source = row.id.rpartition(PAIR_SEPARATOR)
                found.append((source, target, reader, row))
        return sorted(found, key=lambda f: f[:2])

    def pairs(
        self,
        only: Collection[tuple[str, str]] | None = None,
        names: Collection[str] | None = None,
    ) -> Iterator[tuple[str, str, Arrays | None]]:
        """Yield (source, target, map arrays or None when the pair has no map), sorted, under a bar.

        Args:
            only: the (source, target) to read; None for all.
            names: of the arrays to read; None for all.
        """
        wanted = [row for row in self.rows() if only is None or row[:2] in only]
        bar = tqdm(wanted, unit="pair", mininterval=2, disable=len(wanted) < 2)
        for source, target, reader, row in bar:
            yield source, target, reader.read(row.id, names) if row.status == "ok" else None

    def map_of(self, source: str, target: str) -> Arrays | None:
        """Return the map arrays of one pair, None when it has no map."""
        return next((arrays for *_, arrays in self.pairs([(source, target)])), None)

    def by_target(self) -> Iterator[tuple[str, Iterator[tuple[str, Arrays | None]]]]:
        """Yield (target, iterator of (source, map arrays or None)), both sorted; read as they come.

        Under a bar.
        """
        rows = sorted(self.rows(), key=lambda f: (f[1], f[0]))
        groups = groupby(rows, key=lambda f: f[1])
        count = len({target for _, target, *_ in rows})
        for target, group in tqdm(groups, total=count, unit="target", mininterval=2):
            yield (
                target,
                (
                    (source, reader.read(row.id) if row.status == "ok" else None)
                    for source, _, reader, row in group
                ),
            )

    def lost(self, needs_truth: bool = True) -> list[str]:
        """Return `status: reason` of every pair that cannot be scored.

        Such a pair has no map, or a shape whose ground truth is a failed row. A shape without a
        label or keypoint file is not lost: its ground truth was read, and there is none.

        Args:
            needs_truth: False where the ground truth does not matter.
        """
        found = []
        for source, target, _, row in self.rows():
            if row.status != "ok":
                found.append(f"{row.status}: {row.reason}")
                continue
            if not needs_truth:
                continue
            failures = (self.truth_failure(item_id) for item_id in (source, target))
            found += [reason for reason in failures if reason][:1]
        return found

    def sites(self, item_id: str) -> Sites:
        """Return the sites of a shape."""
        return self._sites.get(
            item_id, lambda: sites_of(find_item(self._mesh_readers, item_id, SITE_ARRAYS))
        )

    def mesh(self, item_id: str) -> Mesh:
        """Return the mesh of a shape with its appearance; not kept, textures are large."""
        return from_arrays(find_item(self._mesh_readers, item_id))

    def polygons(self, item_id: str) -> Int[np.ndarray, " f"]:
        """Return the polygon of the file that each triangle of a shape was cut from."""
        name = "polygon_of_face"
        return find_item(self._mesh_readers, item_id, (name,))[name]

    def truth_failure(self, item_id: str) -> str | None:
        """Return `status: reason` of a shape whose ground truth failed; None when it was read."""
        row = self._truth_rows.get(item_id)
        if row is None:
            return f"upstream_failed: {item_id} is in none of the chunks"
        return None if row.status == "ok" else f"{row.status}: {row.reason}"

    @cached_property
    def _mesh_readers(self) -> dict[str, ChunkReader]:
        return by_id(self.meshes)

    @cached_property
    def _truth_readers(self) -> dict[str, ChunkReader]:
        return by_id(self.truth)

    @cached_property
    def _truth_rows(self) -> dict[str, Row]:
        return {row.id: row for reader in self.truth for row in reader.manifest.rows}

    def truth_of(self, item_id: str) -> Truth | None:
        """Return the ground truth of a shape; None when it could not be read.

        Parts have the names of `part_names`; names may repeat.
        """
        if item_id not in self._truth:
            # the whole chunk: small, and each of ten thousand shapes is asked for
            reader = self._truth_readers.get(item_id)
            found = reader.read_all() if reader else {}
            self._truth |= {name: self._named(arrays) for name, arrays in found.items()}
            self._truth.setdefault(item_id, None)
        return self._truth[item_id]

    def _named(self, arrays: Arrays) -> Truth:
        truth = truth_from_arrays(arrays)
        self.names_in_data.update(truth.label_names)
        names = tuple(self.part_names.get(name, name) for name in truth.label_names)
        labels = truth.face_labels.astype(np.int16)  # a label file has at most 1000 names
        if not (labels >= 0).any():  # most shapes of a large set: no memory for none
            labels = np.broadcast_to(np.int16(-1), labels.shape)
        return replace(truth, label_names=names, face_labels=labels)


def by_id(readers: list[ChunkReader]) -> dict[str, ChunkReader]:
    """Return the chunk that holds each item."""
    # one look-up an item: a walk over all chunks for each is quadratic in the size of the set
    return {row.id: reader for reader in readers for row in reader.manifest.rows}


def find_item(readers: Mapping[str, ChunkReader], item_id: str, names=None) -> Arrays:
    """Read an item from the chunk that holds it; ItemError (upstream_failed) where none does."""
    if item_id not in readers:
        raise ItemError(f"{item_id} is in none of the chunks", "upstream_failed")
    return readers[item_id].read(item_id, names)
