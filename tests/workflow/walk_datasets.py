"""Meshes, truth and indices in the independent account of what rests on what (walk.py)."""

import csv
import hashlib
import json
import os
import re
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from semcorr.config.root import Config

GLOBAL = ("seed", "precision")
# What the format's table says of a mesh: the category is for experiments alone
MESH_COLUMNS, TRUTH_COLUMNS = ("file", "up", "front"), ()
# What the manifest of a download tells
RAW_COLUMNS = ("path", "sha256", "licence", "author", "title", "page")


def named_in(root: Path, name: str) -> list[str]:
    """Return the files that a mesh file of the tests names, and what those name."""
    path = root / name
    if path.suffix == ".gltf" and path.is_file():
        document = json.loads(path.read_text())
        entries = [*document.get("buffers", []), *document.get("images", [])]
        return [(Path(name).parent / unquote(e["uri"])).as_posix() for e in entries if "uri" in e]
    key = {".obj": "mtllib", ".mtl": "map_Kd"}.get(path.suffix)
    if key is None or not path.is_file():
        return []
    lines = re.findall(rf"^{key} .*?(\S+)$", path.read_text(), re.MULTILINE)
    found = [(Path(name).parent / line).as_posix() for line in lines]
    return [*found, *(below for other in found for below in named_in(root, other))]


class DatasetWalk:
    """Artefacts of the data sets of one configuration.

    Args:
        raw: the configuration as written.
        folder: what relative roots of folder sets are relative to.

    Attributes:
        signatures: path -> hash; a job's outputs share one.
        rests_on: path -> paths that its job reads.
    """

    def __init__(self, raw: dict[str, Any], folder: Path):
        self.config = Config.model_validate(raw)
        self.raw = raw
        self.folder = folder
        self.signatures: dict[str, str] = {}
        self.rests_on: dict[str, set[str]] = {}

    # -- nodes -------------------------------------------------------------------------------

    def node(self, outputs: list[str], own: Any, reads: list[str]) -> str:
        """Add a job; return its first output, which stands for it."""
        paths = [f"results/{name}" for name in outputs]
        text = json.dumps([paths, own, [(p, self.signatures[p]) for p in reads]], sort_keys=True)
        for path in paths:
            self.signatures[path] = hashlib.sha256(text.encode()).hexdigest()
            self.rests_on[path] = set(reads)
        return paths[0]

    def cfg(self, section: str, name: str) -> dict[str, Any]:
        """Return what a rule should know of an entry: all but its planning keys, and global keys."""
        entry = getattr(self.config, section)[name]
        own = {k: v for k, v in entry.model_dump(mode="json").items() if k not in entry.PLANNING}
        return own | {f"global_{key}": getattr(self.config, key) for key in GLOBAL}

    def chunk_node(self, middle: str, chunk: int, own: Any, reads: list[str]) -> str:
        """Add a job that writes a manifest and a store."""
        return self.node([f"{middle}/{chunk}.json", f"{middle}/{chunk}.zarr"], own, reads)

    # -- data sets ---------------------------------------------------------------------------

    def base(self, dataset: str) -> tuple[str, Any]:
        """Return name and entry of the set that holds the item list."""
        entry = self.config.datasets[dataset]
        name = entry.from_ if entry.kind == "turned" else dataset
        return name, self.config.datasets[name]

    def rows(self, dataset: str) -> list[dict[str, str]]:
        """Return the items of a data set, by id."""
        _, entry = self.base(dataset)
        if entry.kind == "procedural":
            ids = [f"{entry.category}_{entry.family}_{n:05d}" for n in range(entry.count)]
            return [{"id": i, "category": entry.category} for i in sorted(ids)]
        if entry.kind == "shapenet":
            return self.models(entry)
        path = Path(getattr(entry, "list", None) or f"{entry.root}/{entry.items}")
        with open(self.folder / os.path.expandvars(path)) as handle:
            rows = list(csv.DictReader(handle))
        if entry.kind == "objaverse_xl":
            rows = [self.named_by_page(row) for row in rows]
        return sorted(rows, key=lambda row: row["id"])

    def named_by_page(self, row: dict[str, str]) -> dict[str, str]:
        """Return a row of Objaverse-XL with the names that follow from its page at the Smithsonian."""
        item_id = str(uuid.uuid5(uuid.NAMESPACE_DNS, row["identifier"]))
        path = f"smithsonian/objects/{item_id}.glb"
        return row | {"id": item_id, "path": path, "page": row["identifier"]}

    def models(self, entry: Any) -> list[dict[str, str]]:
        """Return the models of a ShapeNet set, with the axes of v2."""
        home = self.folder / entry.root / entry.synset
        if entry.ids is None:
            ids = sorted(path.name for path in home.iterdir())
        else:
            ids = sorted((self.folder / entry.ids).read_text().split())
        file = entry.synset + "/{}/models/model_normalized.obj"
        return [
            {"id": i, "category": entry.category or entry.synset, "file": file.format(i),
             "up": "+y", "front": "-z"}
            for i in ids
        ]  # fmt: skip

    def files_of_models(self, dataset: str, chunk: int, labels: bool) -> list[str]:
        """Return the meshes of a chunk of a ShapeNet set, or its files of labels, as far as there."""
        entry = self.config.datasets[dataset]
        names = []
        for row in self.rows(dataset):
            if self.chunk_of(dataset, row["id"]) != chunk:
                continue
            if labels:
                names.append(f"{entry.annotations}/{entry.synset}/{row['id']}.json")
                names.append(f"{entry.points}/{entry.synset}_things/points/{row['id']}.txt")
            else:
                names.append(f"{entry.root}/{row['file']}")
        return sorted(name for name in names if (self.folder / name).is_file())

    def chunk_of(self, dataset: str, item_id: str) -> int:
        """Return the bucket of an item."""
        return int(hashlib.sha256(item_id.encode()).hexdigest(), 16) % self.base(dataset)[1].chunks

    def chunks(self, dataset: str, ids: list[str] | None = None) -> list[int]:
        """Return the buckets of these items, or of all."""
        ids = [row["id"] for row in self.rows(dataset)] if ids is None else ids
        return sorted({self.chunk_of(dataset, i) for i in ids})

    def members(self, dataset: str, chunk: int, columns: tuple[str, ...] = ()) -> list:
        """Return id and the columns that count of the items of a chunk."""
        rows = (r for r in self.rows(dataset) if self.chunk_of(dataset, r["id"]) == chunk)
        return [[row["id"], *(row.get(c) or "" for c in columns)] for row in rows]

    def files(self, dataset: str, chunk: int, patterns: list[str]) -> list[str]:
        """Return the local files of a chunk that are there."""
        _, entry = self.base(dataset)
        if entry.kind == "shapenet":
            return self.files_of_models(dataset, chunk, labels="{file}" not in patterns)
        root = getattr(entry, "root", None) or getattr(entry, "truth", None)
        if root is None:
            return []
        root = os.path.expandvars(root)
        names = [
            pattern.format(**row)
            for row in self.rows(dataset)
            if self.chunk_of(dataset, row["id"]) == chunk
            for pattern in patterns
        ]
        names += [below for name in names for below in named_in(self.folder / root, name)]
        return sorted({f"{root}/{n}" for n in names if (self.folder / root / n).is_file()})

    def meshes(self, dataset: str, chunk: int) -> str:
        entry = self.config.datasets[dataset]
        cfg = self.cfg("datasets", dataset)
        own = [
            {key: value for key, value in cfg.items() if key not in entry.TRUTH_ONLY},
            self.members(dataset, chunk, MESH_COLUMNS),
            self.files(dataset, chunk, ["{file}"]) if entry.kind in ("folder", "shapenet") else [],
        ]
        reads = [self.meshes(entry.from_, chunk)] if entry.kind == "turned" else []
        if entry.kind in ("objaverse", "objaverse_xl"):
            limits = [entry.max_bytes, self.members(dataset, chunk, RAW_COLUMNS)]
            reads = [self.chunk_node(f"raw/{dataset}", chunk, limits, [])]
        return self.chunk_node(f"meshes/{dataset}", chunk, own, reads)

    def truth(self, dataset: str, chunk: int) -> str:
        entry = self.config.datasets[dataset]
        patterns = ["labels/{id}.json", "keypoints/{id}.json", "symmetry.json", "matches.json"]
        patterns += [f"matches/{row['id']}__{{id}}.npy" for row in self.rows(dataset)]
        own = [
            self.cfg("datasets", dataset),
            self.members(dataset, chunk, TRUTH_COLUMNS),
            self.files(dataset, chunk, patterns) if entry.kind != "turned" else [],
        ]
        if entry.kind == "turned":
            reads = [self.meshes(entry.from_, chunk), self.truth(entry.from_, chunk)]
        else:
            reads = [self.meshes(dataset, chunk)]
        return self.chunk_node(f"truth/{dataset}", chunk, own, reads)

    def index(self, dataset: str) -> str:
        chunks = self.chunks(dataset)
        rows = [self.members(dataset, c, ("category",)) for c in chunks]
        reads = [add(dataset, c) for add in (self.meshes, self.truth) for c in chunks]
        own = [self.cfg("datasets", dataset), rows]
        return self.node([f"datasets/{dataset}/index.parquet"], own, reads)
