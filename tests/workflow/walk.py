"""An independent account of what rests on what: the paths under results/ and a signature of each.

Written from the design's table of artefacts and the configuration's references, without Snakemake and
without semcorr.planning, so that both can be compared with it. The signature of an artefact is a hash of
all that it should depend on; a changed configuration should plan exactly the artefacts whose signature
differs or that were not there.
"""

import csv
import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from semcorr.config.root import Config

CHUNK_SECTIONS = ("renders", "masks", "depth", "voxels", "latents", "features")
GLOBAL = ("seed", "precision")
TASKS = ("coseg", "keypoints", "texture")
SHEETS = {"coseg": ("parts", "maps"), "keypoints": ("maps",), "texture": ("maps", "textures")}
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


class Walk:
    """Artefacts of one configuration.

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

    # -- what the tests ask ------------------------------------------------------------------

    def everything(self) -> "Walk":
        """Follow all targets of the tests: tables, pictures, models and indices."""
        for task in TASKS:
            for experiment in getattr(self.config, task):
                self.figures(task, experiment)
        tables = [self.table(t, e) for t in TASKS for e in getattr(self.config, t)]
        self.node(["figures/costs.png"], [], tables)
        for model in self.config.models:
            self.weights(model)
            self.node([f"figures/models/{model}.png"], [], [f"results/models/{model}/model.json"])
        entries = [e for t in TASKS for e in getattr(self.config, t).values()]
        poses = [pose for e in entries for pose in (e.poses, e.source_poses)]
        for dataset in {name for pose in poses for name in pose.values()}:
            self.index(dataset)
        return self

    def changed_since(self, before: "Walk") -> set[str]:
        """Return the artefacts that are new or rest on something that differs."""
        old = before.signatures
        return {path for path, signature in self.signatures.items() if old.get(path) != signature}

    def below(self, first: set[str]) -> set[str]:
        """Return `first` and all that rests on them, with the other outputs of the same jobs."""
        found = set(first)
        while True:
            more = {p for p, read in self.rests_on.items() if read & found} - found
            jobs = {self.signatures[p] for p in found | more}
            more |= {p for p, s in self.signatures.items() if s in jobs} - found
            if not more:
                return found
            found |= more

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
        path = Path(entry.list if entry.kind == "objaverse" else f"{entry.root}/{entry.items}")
        with open(self.folder / os.path.expandvars(path)) as handle:
            return sorted(csv.DictReader(handle), key=lambda row: row["id"])

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
        if entry.kind == "objaverse":
            limits = [entry.max_bytes, self.members(dataset, chunk, RAW_COLUMNS)]
            reads = [self.chunk_node(f"raw/{dataset}", chunk, limits, [])]
        return self.chunk_node(f"meshes/{dataset}", chunk, own, reads)

    def truth(self, dataset: str, chunk: int) -> str:
        entry = self.config.datasets[dataset]
        patterns = ["labels/{id}.json", "keypoints/{id}.json", "symmetry.json"]
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

    # -- variants ----------------------------------------------------------------------------

    def weights(self, name: str) -> str:
        """Add trained or fetched weights."""
        if name not in self.config.models:
            return self.node([f"assets/{name}.json", f"assets/{name}"], name, [])
        entry = self.config.models[name]
        reads = [
            self.weights(value) for _, section, value in entry.references() if section == "models"
        ]
        for dataset in getattr(entry, "datasets", ()):
            for chunk in self.chunks(dataset):
                reads += [
                    self.variant("renders", entry.render, dataset, chunk),
                    self.meshes(dataset, chunk),
                ]
        files = ["model.json", "weights.safetensors", "history.csv"]
        files += ["decoder.safetensors"] * (entry.kind == "ss_vae")
        outputs = [f"models/{name}/{file}" for file in files]
        return self.node(outputs, self.cfg("models", name), sorted(reads))

    def variant(self, section: str, name: str, dataset: str, chunk: int) -> str:
        """Add a chunk of renders, masks, depth, voxels, latents or features."""
        reads = [self.meshes(dataset, chunk)]
        for _, where, what in getattr(self.config, section)[name].references():
            if where in CHUNK_SECTIONS:
                reads.append(self.variant(where, what, dataset, chunk))
            else:
                reads.append(self.weights(what))
        own = [self.cfg(section, name), self.members(dataset, chunk)]
        return self.chunk_node(f"{section}/{name}/{dataset}", chunk, own, sorted(reads))

    # -- experiments -------------------------------------------------------------------------

    def sides(self, experiment: Any, pose: str) -> dict[str, tuple[str, list[str]]]:
        """Return {side: (data set, ids)} of sources and targets."""
        found = {"target": (experiment.poses[pose], experiment.category, experiment.targets)}
        origin = experiment.source_poses.get(pose, experiment.poses[pose])
        category = experiment.source_category or experiment.category
        found["source"] = (origin, category, experiment.sources)
        for side, (dataset, category, chosen) in found.items():
            ids = [r["id"] for r in self.rows(dataset) if r["category"] == category]
            if isinstance(chosen, int):
                ids = ids[:chosen]
            found[side] = (
                dataset,
                ids if chosen == "all" or isinstance(chosen, int) else [*chosen],
            )
        return found

    def matches(self, method: str, task: str, name: str, pose: str) -> list[str]:
        """Add all matches of a method in one pose."""
        experiment = getattr(self.config, task)[name]
        sides = self.sides(experiment, pose)
        (origin, sources), (dataset, targets) = sides["source"], sides["target"]
        found = []
        for chunk in self.chunks(dataset, targets):
            reads = self.shape(method, dataset, chunk)
            for other in self.chunks(origin, sources):
                reads |= self.shape(method, origin, other)
            here = [m for m in self.members(dataset, chunk) if m[0] in targets]
            own = [self.cfg("methods", method), sources, here]
            middle = f"matches/{method}/{name}/{pose}"
            found.append(self.chunk_node(middle, chunk, own, sorted(reads)))
        return found

    def shape(self, method: str, dataset: str, chunk: int) -> set[str]:
        """Return what a matcher reads of one side: meshes, the feature, voxels under a grid."""
        found = {self.meshes(dataset, chunk)}
        feature = getattr(self.config.methods[method], "feature", None)
        if feature is not None:
            found.add(self.variant("features", feature, dataset, chunk))
            entry = self.config.features[feature]
            if entry.FORM == "grid":
                own = getattr(entry, "voxel", None)
                voxel = own or self.config.latents[entry.latent].voxel
                found.add(self.variant("voxels", voxel, dataset, chunk))
        return found

    def shown(self, task: str, name: str, pose: str) -> list[str]:
        """Return meshes and truth of all chunks with a source or a target."""
        sides = self.sides(getattr(self.config, task)[name], pose).values()
        chunks = sorted({(d, c) for d, ids in sides for c in self.chunks(d, ids)})
        return [add(d, c) for add in (self.meshes, self.truth) for d, c in chunks]

    def own(self, task: str, name: str, *also_not: str) -> list:
        """Return what pictures know of an experiment: all but its list of methods."""
        experiment = getattr(self.config, task)[name]
        left_out = {"methods", *also_not}
        return [experiment.model_dump(mode="json", exclude=left_out), self.config.seed]

    def score(self, task: str, name: str, method: str) -> str:
        reads = []
        for pose in getattr(self.config, task)[name].poses:
            reads += self.matches(method, task, name, pose) + self.shown(task, name, pose)
        own = self.own(task, name, "colours")
        return self.node([f"{task}/{name}/{method}.json"], own, reads)

    def table(self, task: str, name: str) -> str:
        methods = getattr(self.config, task)[name].methods
        reads = [self.score(task, name, method) for method in methods]
        return self.node([f"{task}/{name}.json"], self.own(task, name, "colours"), reads)

    def figures(self, task: str, name: str) -> None:
        experiment = getattr(self.config, task)[name]
        table = self.table(task, name)
        for pose in experiment.poses:
            reads = [table, *self.shown(task, name, pose)]
            for method in experiment.methods:
                reads += self.matches(method, task, name, pose)
            outputs = [f"figures/{task}/{name}/{pose}_{kind}.png" for kind in SHEETS[task]]
            self.node(outputs, self.own(task, name), reads)
            if getattr(experiment, "votes", ()):
                votes = [f"figures/{task}/{name}/{pose}_votes.png"]
                self.node(votes, self.own(task, name), reads)
        charts = ("scores", "curves") if task == "keypoints" else ("scores",)
        self.node([f"figures/{task}/{name}/{c}.png" for c in charts], [], [table])
