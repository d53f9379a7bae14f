"""Who is matched with whom."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, NoReturn

from semcorr.config.experiments import Experiment
from semcorr.config.root import EXPERIMENT_SECTIONS
from semcorr.datasets import members as item_lists
from semcorr.datasets.dense_pairs import known_pairs
from semcorr.errors import UserError
from semcorr.planning.paths import manifest
from semcorr.planning.variants import Variants


class Pairs(Variants):
    """Experiments: their sources and targets, and the maps between these."""

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

    def sources(self, experiment: str, pose: str) -> list[str]:
        """Return the ids of the sources alone: those of all targets of a large set are not small."""
        if not self._sides_are_apart(experiment, pose):
            return self.sources_and_targets(experiment, pose)[0]
        _, entry = self.experiment(experiment)
        category, dataset = entry.source_category or entry.category, self.pose(experiment, pose)
        return self._once(
            ("sources", experiment, pose),
            lambda: self._chosen(experiment, dataset, category, entry.sources),
        )

    def _sides_are_apart(self, experiment: str, pose: str) -> bool:
        """Tell whether sources are known without targets: of one set, and not by known pairs."""
        ours, theirs = self._sides(experiment, pose)
        return ours == theirs and self.experiment(experiment)[0] != "dense"

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
            for source, target in known_pairs(self.datasets, dataset, *sides):
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
        if not item_lists.ids_of(members, category, 1):
            self._no_item(experiment, dataset, category)
        if which == "all":
            return item_lists.ids_of(members, category)
        if isinstance(which, int):
            return item_lists.ids_of(members, category, which)
        for item_id in which:
            if item_id not in members:
                raise UserError(f"{experiment}: no item {item_id!r} in data set {dataset}")
        return list(which)

    @staticmethod
    def _no_item(experiment: str, dataset: str, category: str) -> NoReturn:
        raise UserError(f"{experiment}: no item of {dataset} has category {category!r}")

    def _buckets(self, experiment: str, pose: str, side: int) -> Mapping[int, Collection[str]]:
        """Return {chunk: ids} of the sources (0) or targets (1) of an experiment."""
        deal = (self._source_buckets, self._target_buckets)[side]
        return self._once(("buckets", experiment, pose, side), lambda: deal(experiment, pose))

    def _source_buckets(self, experiment: str, pose: str) -> Mapping[int, Collection[str]]:
        count = item_lists.base_entry(self.datasets, self._sides(experiment, pose)[0])["chunks"]
        return item_lists.ids_dealt(self.sources(experiment, pose), count)

    def _target_buckets(self, experiment: str, pose: str) -> Mapping[int, Collection[str]]:
        dataset, (_, entry) = self.pose(experiment, pose), self.experiment(experiment)
        if entry.targets == "all" and self._sides_are_apart(experiment, pose):
            found = item_lists.ids_by_chunk(self.datasets, dataset, entry.category)
            return found or self._no_item(experiment, dataset, entry.category)
        count = item_lists.base_entry(self.datasets, dataset)["chunks"]
        return item_lists.ids_dealt(self.sources_and_targets(experiment, pose)[1], count)

    def _sides(self, experiment: str, pose: str) -> tuple[str, str]:
        """Return the data sets of sources and of targets."""
        target = self.pose(experiment, pose)
        return self.experiment(experiment)[1].source_dataset(pose), target

    def target_chunks(self, experiment: str, pose: str) -> list[int]:
        """Return the chunks that hold a target.

        Raises:
            UserError: the only target is the only source, so that there is no pair.
        """
        found = self._buckets(experiment, pose, 1)
        sources = self.sources(experiment, pose)
        if len(found) == len(sources) == 1 and list(next(iter(found.values()))) == sources:
            raise UserError(
                f"{experiment}: no pair at all in {pose}: {sources[0]!r} is the only source and the"
                " only target; name other `sources` or `targets`, or a set of more shapes"
            )
        return list(found)

    def experiment_chunks(self, experiment: str, pose: str) -> list[tuple[str, int]]:
        """Return (data set, chunk) of all chunks that hold a source or a target."""
        sides = self._sides(experiment, pose)
        return sorted({(sides[n], c) for n in (0, 1) for c in self._buckets(experiment, pose, n)})

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

    def match_cfg(self, method: str, experiment: str, pose: str, chunk: str) -> dict[str, Any]:
        """Return the `cfg` of a match: the method's options and the sources, or the pairs by name."""
        cfg = self.cfg("methods", method)
        if self.experiment(experiment)[0] == "dense":
            return cfg | {"pairs": self._known_pairs(experiment, pose).get(int(chunk), [])}
        return cfg | {"sources": self.sources(experiment, pose)}

    def match_members(self, experiment: str, pose: str, chunk: str) -> list[list[str]]:
        """Return the targets in a chunk, as `members`."""
        dataset = self.pose(experiment, pose)
        wanted = frozenset(self._buckets(experiment, pose, 1).get(int(chunk), ()))
        return [row for row in self.members("matches", dataset, chunk) if row[0] in wanted]
