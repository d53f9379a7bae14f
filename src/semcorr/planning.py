"""Which artefacts rest on which: from the configuration and the item lists to paths under results/.

Plain functions of the validated configuration, used by the workflow while it parses (so nothing heavy is
imported here) and by tests that check what the workflow plans.
"""

import json
import shlex
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

from semcorr.config.base import Variant
from semcorr.config.expand import cells_of
from semcorr.config.experiments import Experiment
from semcorr.config.load import canonical, dump, rule_cfg
from semcorr.config.root import EXPERIMENT_SECTIONS, LOOK_SECTIONS, Config
from semcorr.config.sections import PACKAGES
from semcorr.datasets import attribution
from semcorr.datasets import members as item_lists
from semcorr.errors import UserError
from semcorr.fingerprint import fingerprint

CHUNK_SECTIONS = ("renders", "masks", "depth", "voxels", "latents", "features")
# Which columns of items.csv a stage reads: only these are in its `members`
COLUMNS = {
    "raw": ("path", "sha256", *attribution.COLUMNS),
    "export": attribution.COLUMNS,
    "meshes": ("file", "up", "front"),
    "index": ("category",),
}
# Pictures of a pose beside its maps, by task; parts come with the maps of `coseg`
SHEETS = {"texture": ("maps", "textures"), "dense": ("maps", "errors")}


class Plan:
    """Answers of one configuration; paths are relative to the working folder."""

    def __init__(self, config: Config):
        self.config = config
        # A set of ten thousand items makes thousands of jobs, which all ask the same questions
        self._known: dict[tuple, Any] = {}

    def _once(self, question: tuple, answer: Callable[[], Any]) -> Any:
        if question not in self._known:
            self._known[question] = answer()
        return self._known[question]

    @cached_property
    def datasets(self) -> dict[str, dict[str, Any]]:
        """The `datasets` section as nested builtins."""
        return dump(self.config)["datasets"]

    # -- members -----------------------------------------------------------------------------

    def chunks(self, dataset: str) -> dict[int, list[item_lists.Member]]:
        """Return {chunk: members} of a data set; empty buckets are not planned."""
        if dataset not in self.config.datasets:
            raise UserError(
                f"no data set {dataset!r}; there are: {', '.join(self.config.datasets)}"
            )
        return self._once(("chunks", dataset), lambda: item_lists.chunks_of(self.datasets, dataset))

    def members(self, stage: str, dataset: str, chunk: str) -> list[list[str]]:
        """Return the `members` parameter: sorted [id, digest of the columns that the stage reads]."""
        columns = COLUMNS.get(stage, ())

        def rows() -> list[list[str]]:
            return [[m.id, m.digest(columns)] for m in self.chunks(dataset).get(int(chunk), [])]

        # most stages read no column, and share one list: of a million rows it is not small
        return self._once(("members", columns, dataset, int(chunk)), rows)

    def files(self, stage: str, dataset: str, chunk: str) -> list[str]:
        """Return the files of a chunk's items that are there: meshes and what they name, or labels."""
        members = self.chunks(dataset).get(int(chunk), [])
        entry = item_lists.base_entry(self.datasets, dataset)
        find = item_lists.mesh_files if stage == "meshes" else item_lists.truth_files
        return self._once(("files", stage, dataset, chunk), lambda: find(entry, members))

    # -- variants ----------------------------------------------------------------------------

    def entry(self, section: str, name: str) -> Variant:
        """Return an entry, or say which there are."""
        entries = getattr(self.config, section)
        if name not in entries:
            raise UserError(f"no entry {name!r} in `{section}`; there are: {', '.join(entries)}")
        return entries[name]

    def cfg(self, section: str, name: str, stage: str | None = None) -> dict[str, Any]:
        """Return the `cfg` parameter of a variant; the stage `meshes` gets nothing of the labels."""
        left_out = self.entry(section, name).TRUTH_ONLY if stage == "meshes" else ()
        cfg = rule_cfg(self.config, section, name)
        return {key: value for key, value in cfg.items() if key not in left_out}

    def code(self, stage: str, section: str | None = None, name: str | None = None) -> str:
        """Return the `code` parameter: the stage and the module that implements the variant's kind.

        Args:
            stage: module of semcorr.stages.
            section: of the variant, or "tasks" for the module that scores the task `name`.
            name: of the variant or task.
        """
        modules = [f"semcorr.stages.{stage}"]
        if section == "tasks":
            modules.append(f"semcorr.stages.score_{name}")
        elif section in PACKAGES:
            modules.append(f"semcorr.{PACKAGES[section]}.{self.kind(section, name)}")
            modules.extend(self.entry(section, name).code_modules())
        try:
            return self._once(("code", *modules), lambda: fingerprint(*modules))
        except ModuleNotFoundError as error:
            raise UserError(f"{section}.{name}: what it names does not exist ({error})") from None

    def kind(self, section: str, name: str) -> str:
        """Return the name of the module that implements a variant."""
        entry = self.entry(section, name)
        return next(getattr(entry, f) for f in ("kind", "matcher", "backend") if hasattr(entry, f))

    def behind(self, entry: Variant) -> Iterator[tuple[str, str]]:
        """Yield (section, name) of all per-chunk variants on which an entry rests."""
        for _, section, name in entry.references():
            if section in CHUNK_SECTIONS:
                yield section, name
                yield from self.behind(getattr(self.config, section)[name])

    def weights_behind(self, method: str) -> set[str]:
        """Return the names of all weights on which a method rests."""
        entry = self.entry("methods", method)
        entries = [entry, *(getattr(self.config, s)[n] for s, n in self.behind(entry))]
        return {n for e in entries for _, section, n in e.references() if section == "weights"}

    def asked_of_machine(self) -> dict[str, Any]:
        """Return what all experiments together need: assets of weights, backends of renders."""
        methods = sorted({m for _, _, entry in self._experiments() for m in entry.methods})
        weights = {n for m in methods for n in self.weights_behind(m)} - set(self.config.models)
        behind = {v for m in methods for v in self.behind(self.config.methods[m])}
        backends = {self.config.renders[n].backend for section, n in behind if section == "renders"}
        return {"weights": sorted(weights), "backends": sorted(backends)}

    def weights(self, name: str) -> str:
        """Return the small JSON of trained or fetched weights; the large files lie beside it."""
        return weights_manifest(name, trained=name in self.config.models)

    def check_options(self) -> str:
        """Return the options of `check`: Blender and what the experiments of this configuration need."""
        wanted = self.asked_of_machine() | {"offline": self.config.offline}
        named = ["--blender", self.config.blender] if self.config.blender else []
        return shlex.join([*named, "--experiments", json.dumps(wanted)])

    # -- inputs of rules ---------------------------------------------------------------------

    def dataset_inputs(
        self, stage: str, dataset: str, chunk: str
    ) -> tuple[dict[str, list[str]], dict[str, str]]:
        """Return {input name: local files} and {input name: manifest} of a chunk of meshes or truth."""
        entry = self.entry("datasets", dataset)
        if entry.kind == "turned":
            sections = ("meshes",) if stage == "meshes" else ("meshes", "truth")
            return {}, {s: manifest(s, None, entry.from_, chunk) for s in sections}
        if entry.DOWNLOADED and stage == "meshes":
            return {}, {"raw": manifest("raw", None, dataset, chunk)}
        files = {"files": self.files(stage, dataset, chunk)}
        return files, {} if stage == "meshes" else {
            "meshes": manifest("meshes", None, dataset, chunk)
        }

    def raw_cfg(self, dataset: str) -> dict[str, Any]:
        """Return the `cfg` of downloads: the limits alone, whatever is made of the files later."""
        entry = self.entry("datasets", dataset)
        if not entry.DOWNLOADED:
            raise UserError(f"datasets.{dataset}: sets of kind {entry.kind!r} are not downloaded")
        return {"max_bytes": entry.max_bytes}

    def downloads(self) -> list[str]:
        """Return the manifests of all chunks of downloaded sets that an experiment uses."""
        used = {d for _, _, entry in self._experiments() for d in entry.datasets()}
        bases = {getattr(self.config.datasets[name], "from_", name) for name in used}
        names = [n for n in sorted(bases) if self.config.datasets[n].DOWNLOADED]
        return [manifest("raw", None, n, c) for n in names for c in self.chunks(n)]

    def variant_inputs(self, entry: Variant, dataset: str, chunk: str) -> dict[str, str]:
        """Return {input name: manifest} of a per-chunk variant: meshes and what the entry refers to."""
        found = {"meshes": manifest("meshes", None, dataset, chunk)}
        for field, section, name in entry.references():
            if section in CHUNK_SECTIONS:
                found[section] = manifest(section, name, dataset, chunk)
            elif section == "weights":
                found[field] = self.weights(name)
        return found

    def index_inputs(self, dataset: str) -> dict[str, list[str]]:
        """Return {input name: manifests} of the index of a data set: meshes and truth of all chunks."""
        return {
            section: [manifest(section, None, dataset, c) for c in self.chunks(dataset)]
            for section in ("meshes", "truth")
        }

    def index_members(self, dataset: str) -> list[list[str]]:
        """Return the `members` of the index: all items, in all chunks."""
        chunks = self.chunks(dataset)
        return sorted(row for c in chunks for row in self.members("index", dataset, str(c)))

    def match_inputs(self, method: str, experiment: str, pose: str, chunk: str) -> dict[str, Any]:
        """Return {input name: manifests} of a match: the targets' chunk and those of its sources."""
        of_sources, dataset = self._sides(experiment, pose)
        source_chunks = self._source_chunks(experiment, pose, chunk)
        entry = self.entry("methods", method)
        sections = [("meshes", None), *sorted(set(self.behind(entry)))]
        read = ("meshes", "features", *(("voxels",) if entry.FEATURE_FORM == "grid" else ()))
        found: dict[str, Any] = {}
        for section, name in sections:
            if section in read:
                found[f"target_{section}"] = manifest(section, name, dataset, chunk)
                found[f"source_{section}"] = [
                    manifest(section, name, of_sources, c) for c in source_chunks
                ]
        return found

    def _source_chunks(self, experiment: str, pose: str, chunk: str) -> list[int]:
        """Return the chunks of all sources with which targets of a chunk are matched."""
        if self.experiment(experiment)[0] != "dense":
            return list(self._buckets(experiment, pose, 0))
        count = item_lists.base_entry(self.datasets, self.pose(experiment, pose))["chunks"]
        pairs = self._known_pairs(experiment, pose).get(int(chunk), [])
        return sorted({item_lists.chunk_of(source, count) for source, _ in pairs})

    def train_inputs(self, model: str) -> dict[str, Any]:
        """Return {input name: manifests} of a training: other models, and rendered shapes if any."""
        entry = self.entry("models", model)
        found: dict[str, Any] = {
            field: self.weights(name)
            for field, section, name in entry.references()
            if section == "models"
        }
        chunks = [(d, c) for d in getattr(entry, "datasets", ()) for c in self.chunks(d)]
        if chunks:
            found["renders"] = [manifest("renders", entry.render, d, c) for d, c in chunks]
            found["meshes"] = [manifest("meshes", None, d, c) for d, c in chunks]
        return found

    # -- experiments -------------------------------------------------------------------------

    def _experiments(self) -> Iterator[tuple[str, str, Experiment]]:
        """Yield (task, name, entry) of all experiments."""
        for task in EXPERIMENT_SECTIONS:
            for name, entry in getattr(self.config, task).items():
                yield task, name, entry

    def experiment(self, name: str) -> tuple[str, Experiment]:
        """Return (task, entry) of an experiment; names are unique over all tasks."""
        for task in EXPERIMENT_SECTIONS:
            if name in getattr(self.config, task):
                return task, getattr(self.config, task)[name]
        there = [n for task in EXPERIMENT_SECTIONS for n in getattr(self.config, task)]
        raise UserError(f"no experiment {name!r}; there are: {', '.join(there)}")

    def pose(self, experiment: str, pose: str) -> str:
        """Return the data set of a pose."""
        poses = self.experiment(experiment)[1].poses
        if pose not in poses:
            raise UserError(f"{experiment} has no pose {pose!r}; there are: {', '.join(poses)}")
        return poses[pose]

    def sources_and_targets(self, experiment: str, pose: str) -> tuple[list[str], list[str]]:
        """Return ids of sources and targets of an experiment in one pose.

        Raises:
            UserError: an id is not in its data set or in both, or a category is empty.
        """
        return self._once(
            ("sides", experiment, pose), lambda: self._sources_and_targets(experiment, pose)
        )

    def _sources_and_targets(self, experiment: str, pose: str) -> tuple[list[str], list[str]]:
        if self.experiment(experiment)[0] != "dense":
            return self._named_sides(experiment, pose)
        by_chunk = self._known_pairs(experiment, pose).values()
        return tuple(
            sorted({pair[side] for pairs in by_chunk for pair in pairs}) for side in (0, 1)
        )

    def _known_pairs(self, experiment: str, pose: str) -> dict[int, list[list[str]]]:
        """Return {chunk of the target: [source, target]} of a dense experiment."""

        def sort() -> dict[int, list[list[str]]]:
            dataset = self.pose(experiment, pose)
            count = item_lists.base_entry(self.datasets, dataset)["chunks"]
            sides = self._named_sides(experiment, pose)
            found: dict[int, list[list[str]]] = {}
            for source, target in item_lists.known_pairs(self.datasets, dataset, *sides):
                found.setdefault(item_lists.chunk_of(target, count), []).append([source, target])
            if not found:
                raise UserError(
                    f"{experiment}: of no pair in {dataset} the dense correspondence is known; name"
                    " poses of one individual, or add matches.json or matches/ (docs/datasets.md)"
                )
            return found

        return self._once(("pairs", experiment, pose), sort)

    def _named_sides(self, experiment: str, pose: str) -> tuple[list[str], list[str]]:
        """Return sources and targets as the experiment names them."""
        _, entry = self.experiment(experiment)
        theirs, ours = self._sides(experiment, pose)
        category = entry.source_category or entry.category
        sources = self._chosen(experiment, theirs, category, entry.sources)
        targets = self._chosen(experiment, ours, entry.category, entry.targets)
        if ours != theirs:
            # maps and scores know shapes by their ids alone
            shared = {i for i in sources if i in item_lists.read_members(self.datasets, ours)}
            shared |= {i for i in targets if i in item_lists.read_members(self.datasets, theirs)}
            if shared:
                raise UserError(
                    f"{experiment}: {min(shared)!r} is an id in {theirs} and in {ours}: sources of"
                    " another set need other ids"
                )
        return sources, targets

    def _chosen(
        self, experiment: str, dataset: str, category: str, which: int | str | tuple[str, ...]
    ) -> list[str]:
        """Return `which` of the items of a category: ids, how many of the first ids, or "all"."""
        members = item_lists.read_members(self.datasets, dataset)
        ids = [m.id for m in members.values() if m.category == category]
        if not ids:
            raise UserError(f"{experiment}: no item of {dataset} has category {category!r}")
        if which == "all":
            return ids
        if isinstance(which, int):
            return ids[:which]
        for item_id in which:
            if item_id not in members:
                raise UserError(f"{experiment}: no item {item_id!r} in data set {dataset}")
        return list(which)

    def _buckets(self, experiment: str, pose: str, side: int) -> dict[int, set[str]]:
        """Return {chunk: ids} of the sources (0) or targets (1) of an experiment."""

        def sort() -> dict[int, set[str]]:
            dataset = self._sides(experiment, pose)[side]
            count = item_lists.base_entry(self.datasets, dataset)["chunks"]
            found: dict[int, set[str]] = {}
            for item_id in self.sources_and_targets(experiment, pose)[side]:
                found.setdefault(item_lists.chunk_of(item_id, count), set()).add(item_id)
            return dict(sorted(found.items()))

        return self._once(("buckets", experiment, pose, side), sort)

    def _sides(self, experiment: str, pose: str) -> tuple[str, str]:
        """Return the data sets of sources and of targets."""
        target = self.pose(experiment, pose)
        return self.experiment(experiment)[1].source_dataset(pose), target

    def match_cfg(self, method: str, experiment: str, pose: str, chunk: str) -> dict[str, Any]:
        """Return the `cfg` of a match: the method's options and the sources, or the pairs by name."""
        cfg = self.cfg("methods", method)
        if self.experiment(experiment)[0] == "dense":
            return cfg | {"pairs": self._known_pairs(experiment, pose).get(int(chunk), [])}
        return cfg | {"sources": self.sources_and_targets(experiment, pose)[0]}

    def match_members(self, experiment: str, pose: str, chunk: str) -> list[list[str]]:
        """Return the targets in a chunk, as `members`."""
        dataset = self.pose(experiment, pose)
        wanted = self._buckets(experiment, pose, 1).get(int(chunk), set())
        return [row for row in self.members("matches", dataset, chunk) if row[0] in wanted]

    def target_chunks(self, experiment: str, pose: str) -> list[int]:
        """Return the chunks that hold a target."""
        return list(self._buckets(experiment, pose, 1))

    def experiment_chunks(self, experiment: str, pose: str) -> list[tuple[str, int]]:
        """Return (data set, chunk) of all chunks that hold a source or a target."""
        sides = self._sides(experiment, pose)
        return sorted({(sides[n], c) for n in (0, 1) for c in self._buckets(experiment, pose, n)})

    def evaluate_inputs(self, experiment: str, method: str) -> dict[str, list[str]]:
        """Return {input name: manifests} of the scores of one method, per pose."""
        return {
            f"{pose}_{name}": manifests
            for pose in self.experiment(experiment)[1].poses
            for name, manifests in self.pose_inputs(method, experiment, pose).items()
        }

    def pose_inputs(self, method: str, experiment: str, pose: str) -> dict[str, list[str]]:
        """Return {input name: manifests} of all maps of a method in one pose, and of their shapes."""
        chunks = self.experiment_chunks(experiment, pose)
        found = {
            "matches": [
                manifest("matches", f"{method}/{experiment}", pose, c)
                for c in self.target_chunks(experiment, pose)
            ]
        }
        for section in ("meshes", "truth"):
            found[section] = [manifest(section, None, d, c) for d, c in chunks]
        return found

    def sheet_inputs(self, task: str, experiment: str, pose: str) -> dict[str, Any]:
        """Return {input name: path or manifests} of the contact sheets of one pose."""
        _, entry = self.experiment(experiment)
        found: dict[str, Any] = {}
        for method in entry.methods:
            shared = self.pose_inputs(method, experiment, pose)
            found[f"{method}_matches"] = shared.pop("matches")
        return found | shared | {"table": f"results/{task}/{experiment}.json"}

    def exports(self) -> list[str]:
        """Return the manifests of the coloured meshes of all experiments."""
        return [
            manifest("exports", f"{task}/{name}", method, pose)
            for task, name, entry in self._experiments()
            for method in entry.methods
            for pose in entry.poses
        ]

    def export_members(self, experiment: str, pose: str) -> list[list[str]]:
        """Return the `members` of an export: sources and targets, with what is known of their makers."""
        rows = set()
        for dataset, ids in zip(
            self._sides(experiment, pose), self.sources_and_targets(experiment, pose), strict=True
        ):
            members = item_lists.read_members(self.datasets, dataset)
            rows |= {(i, members[i].digest(COLUMNS["export"])) for i in ids}
        return [list(row) for row in sorted(rows)]

    def exports_cfg(self, experiment: str) -> dict[str, Any]:
        """Return the `cfg` of an export: what is coloured and how it is written, names of parts."""
        _, entry = self.experiment(experiment)
        cfg = canonical(self.config.exports.model_dump(mode="json"))
        return cfg | {"part_names": canonical(getattr(entry, "part_names", {}))}

    def figures(self) -> list[str]:
        """Return all pictures of all experiments."""
        found = ["results/figures/costs.png"] if self.tables() else []
        for task, name, entry in self._experiments():
            folder = f"results/figures/{task}/{name}"
            kinds = SHEETS.get(task, ("maps",))
            if getattr(entry, "votes", ()):
                kinds = (*kinds, "votes")
            found += [f"{folder}/{pose}_{kind}.png" for pose in entry.poses for kind in kinds]
            found.append(f"{folder}/scores.png")
        return found

    def experiment_cfg(self, experiment: str) -> dict[str, Any]:
        """Return the `cfg` of an evaluation: the experiment without methods and looks of pictures."""
        _, entry = self.experiment(experiment)
        cfg = canonical(entry.model_dump(mode="json", exclude={"methods", "colours"}))
        return cfg | {"global_seed": self.config.seed}

    def sheet_cfg(self, experiment: str) -> dict[str, Any]:
        """Return the `cfg` of contact sheets: that of the evaluation and the colours."""
        _, entry = self.experiment(experiment)
        return self.experiment_cfg(experiment) | {"colours": entry.colours}

    def sweep_inputs(self, sweep: str) -> list[str]:
        """Return the scores of every setting of a sweep."""
        self.entry("sweeps", sweep)
        task, _ = self.experiment(self.config.sweeps[sweep].experiment)
        folder = f"results/{task}/{self.config.sweeps[sweep].experiment}"
        return [f"{folder}/{cell.method}.json" for cell in cells_of(self.config, sweep)]

    def sweep_cfg(self, sweep: str) -> dict[str, Any]:
        """Return the `cfg` of a sweep's table: its experiment and settings."""
        self.entry("sweeps", sweep)
        task, _ = self.experiment(self.config.sweeps[sweep].experiment)
        cells = [vars(cell) for cell in cells_of(self.config, sweep)]
        return {"experiment": self.config.sweeps[sweep].experiment, "task": task, "cells": cells}

    def sweeps(self) -> list[str]:
        """Return the table and the heat map of every sweep."""
        return [
            path
            for name in self.config.sweeps
            for path in (f"results/sweeps/{name}.parquet", f"results/figures/sweeps/{name}.png")
        ]

    # -- pictures of latents -----------------------------------------------------------------

    def look_cfg(self, section: str, name: str) -> dict[str, Any]:
        """Return the `cfg` of a decoding or sampling: its options with the items by their ids."""
        entry = self.entry(section, name)
        cfg = rule_cfg(self.config, section, name)
        return cfg | {"items": self._looked_at(entry) if entry.dataset else []}

    def _looked_at(self, entry: Any) -> list[str]:
        ids = list(item_lists.read_members(self.datasets, entry.dataset))
        wanted = ids[: entry.items] if isinstance(entry.items, int) else list(entry.items)
        for item_id in wanted:
            if item_id not in ids:
                raise UserError(f"no item {item_id!r} in data set {entry.dataset}")
        return wanted

    def look_inputs(self, section: str, name: str) -> dict[str, Any]:
        """Return {input name: manifests} of a decoding or sampling."""
        entry = self.entry(section, name)
        found: dict[str, Any] = {}
        variants = []
        for field, where, what in entry.references():
            if where == "weights":
                found[field] = self.weights(what)
            elif where in CHUNK_SECTIONS:
                variants.append((where, what))
        if section == "decodings":
            variants.append(("voxels", self.config.latents[entry.latent].voxel))
        if variants:
            count = item_lists.base_entry(self.datasets, entry.dataset)["chunks"]
            chunks = sorted({item_lists.chunk_of(i, count) for i in self._looked_at(entry)})
            for where, what in variants:
                found[where] = [manifest(where, what, entry.dataset, c) for c in chunks]
        return found

    def looks(self) -> list[str]:
        """Return the pictures of all decodings and samplings."""
        return [
            f"results/figures/{section}/{name}.png"
            for section in LOOK_SECTIONS
            for name in getattr(self.config, section)
        ]

    def indices(self) -> list[str]:
        """Return the index of every data set that an experiment uses."""
        names = sorted({d for _, _, entry in self._experiments() for d in entry.datasets()})
        return [f"results/datasets/{name}/index.parquet" for name in names]

    def tables(self) -> list[str]:
        """Return the table of every experiment."""
        return [f"results/{task}/{name}.json" for task, name, _ in self._experiments()]

    def needed(self, section: str) -> list[str]:
        """Return all manifests of a section that some experiment needs."""
        found: set[str] = set()
        for _, name, entry in self._experiments():
            variants = {v for m in entry.methods for v in self.behind(self.config.methods[m])}
            for pose in entry.poses:
                found |= {
                    manifest(section, variant, dataset, chunk)
                    for where, variant in variants
                    if where == section
                    for dataset, chunk in self.experiment_chunks(name, pose)
                }
        return sorted(found)

    def matches(self) -> list[str]:
        """Return the manifests of all matches of all experiments."""
        return [
            manifest("matches", f"{method}/{name}", pose, chunk)
            for _, name, entry in self._experiments()
            for method in entry.methods
            for pose in entry.poses
            for chunk in self.target_chunks(name, pose)
        ]


def manifest(section: str, variant: str | None, dataset: str, chunk: int | str) -> str:
    """Return the path of a chunk's manifest; meshes and truth have no variant."""
    middle = f"{variant}/" if variant else ""
    return f"results/{section}/{middle}{dataset}/{chunk}.json"


def weights_manifest(name: str, trained: bool) -> str:
    """Return the path of the small JSON beside weights."""
    return f"results/models/{name}/model.json" if trained else f"results/assets/{name}.json"
