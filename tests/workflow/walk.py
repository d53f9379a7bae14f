"""An independent account of what rests on what: the paths under results/ and a signature of each.

Written from the design's table of artefacts and the configuration's references, without Snakemake and
without semcorr.planning, so that both can be compared with it. The signature of an artefact is a hash of
all that it should depend on; a changed configuration should plan exactly the artefacts whose signature
differs or that were not there.
"""

import json
import os
from typing import Any

from walk_datasets import DatasetWalk

CHUNK_SECTIONS = ("renders", "masks", "depth", "voxels", "latents", "features")
TASKS = ("coseg", "keypoints", "texture", "dense")
SHEETS = {
    "coseg": ("parts", "maps"),
    "keypoints": ("maps",),
    "texture": ("maps", "textures"),
    "dense": ("maps", "errors"),
}


class Walk(DatasetWalk):
    """Artefacts of one configuration: those of its data sets, and all that rests on them."""

    def everything(self) -> "Walk":
        """Follow all targets of the tests: tables, pictures, models and indices."""
        for task in TASKS:
            for experiment in getattr(self.config, task):
                self.figures(task, experiment)
        tables = [self.table(t, e) for t in TASKS for e in getattr(self.config, t)]
        self.node(["figures/costs.png", "figures/costs.csv"], [], tables)
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

    def sides(self, task: str, experiment: Any, pose: str) -> dict[str, tuple[str, list[str]]]:
        """Return {side: (data set, ids)} of sources and targets."""
        found = self.named_sides(experiment, pose)
        if task == "dense":
            pairs = self.known_pairs(experiment, pose)
            for number, side in enumerate(("source", "target")):
                found[side] = (found[side][0], sorted({pair[number] for pair in pairs}))
        return found

    def named_sides(self, experiment: Any, pose: str) -> dict[str, tuple[str, list[str]]]:
        """Return sources and targets as the experiment names them."""
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

    def known_pairs(self, experiment: Any, pose: str) -> list[list[str]]:
        """Return all pairs of an experiment on a folder set with dense ground truth."""
        sides = self.named_sides(experiment, pose)
        (dataset, sources), (_, targets) = sides["source"], sides["target"]
        root = self.folder / os.path.expandvars(self.base(dataset)[1].root)
        groups = json.loads((root / "matches.json").read_text())["shared_topology"]
        return sorted(
            [source, target]
            for source in sources
            for target in targets
            if source != target
            and (
                any({source, target} <= set(group) for group in groups)
                or (root / f"matches/{source}__{target}.npy").is_file()
            )
        )

    def matches(self, method: str, task: str, name: str, pose: str) -> list[str]:
        """Add all matches of a method in one pose."""
        experiment = getattr(self.config, task)[name]
        sides = self.sides(task, experiment, pose)
        (origin, sources), (dataset, targets) = sides["source"], sides["target"]
        found = []
        for chunk in self.chunks(dataset, targets):
            here = [m for m in self.members(dataset, chunk) if m[0] in targets]
            told: list = sources
            if task == "dense":
                told = [p for p in self.known_pairs(experiment, pose) if [p[1]] in here]
                sources = [source for source, _ in told]
            reads = self.shape(method, dataset, chunk)
            for other in self.chunks(origin, sources):
                reads |= self.shape(method, origin, other)
            own = [self.cfg("methods", method), told, here]
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
        sides = self.sides(task, getattr(self.config, task)[name], pose).values()
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
        charts = ("scores", "curves") if task in ("keypoints", "dense") else ("scores",)
        self.node([f"figures/{task}/{name}/{c}.png" for c in charts], [], [table])
