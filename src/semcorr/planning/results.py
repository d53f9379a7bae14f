"""What is made of the maps of an experiment."""

from typing import Any

from semcorr.config.expand import cells_of
from semcorr.config.load import canonical
from semcorr.datasets import members as item_lists
from semcorr.errors import UserError
from semcorr.planning.items import COLUMNS
from semcorr.planning.pairs import Pairs
from semcorr.planning.paths import manifest

# Pictures of a pose beside its maps, by task; parts come with the maps of `coseg`
SHEETS = {"texture": ("maps", "textures"), "dense": ("maps", "errors")}


class Results(Pairs):
    """Scores, pictures, exports and sweeps."""

    def experiment_cfg(self, experiment: str) -> dict[str, Any]:
        """Return the `cfg` of an evaluation: the experiment without methods and looks of pictures."""
        _, entry = self.experiment(experiment)
        cfg = canonical(entry.model_dump(mode="json", exclude={"methods", "colours"}))
        return cfg | {"global_seed": self.config.seed}

    def sheet_cfg(self, experiment: str) -> dict[str, Any]:
        """Return the `cfg` of contact sheets: that of the evaluation and the colours."""
        _, entry = self.experiment(experiment)
        return self.experiment_cfg(experiment) | {"colours": entry.colours}

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

    def label_inputs(self, method: str, experiment: str, pose: str, chunk: str) -> dict[str, Any]:
        """Return {input name: manifests} of carried labels: maps of a chunk, the truth of sources."""
        task, _ = self.experiment(experiment)
        if task != "coseg":
            raise UserError(f"{experiment}: labels are carried in experiments of `coseg` alone")
        sources, targets = self._sides(experiment, pose)
        there = [(sources, c) for c in self._source_chunks(experiment, pose, chunk)]
        own = [(targets, int(chunk))]
        return {
            "matches": [manifest("matches", f"{method}/{experiment}", pose, chunk)],
            "meshes": [manifest("meshes", None, d, c) for d, c in sorted({*there, *own})],
            "truth": [manifest("truth", None, d, c) for d, c in there],
        }

    def label_cfg(self, experiment: str) -> dict[str, Any]:
        """Return the `cfg` of carried labels: names of parts, and the seed that every store tells."""
        _, entry = self.experiment(experiment)
        names = canonical(getattr(entry, "part_names", {}))
        return {"part_names": names, "global_seed": self.config.seed}

    def labels(self) -> list[str]:
        """Return the manifests of carried labels of all methods that part shapes."""
        return [
            manifest("labels", f"{method}/{name}", pose, chunk)
            for name, entry in self.config.coseg.items()
            for method in entry.methods
            for pose in entry.poses
            for chunk in self.target_chunks(name, pose)
        ]

    def evaluate_inputs(self, experiment: str, method: str) -> dict[str, list[str]]:
        """Return {input name: manifests} of the scores of one method, per pose."""
        return {
            f"{pose}_{name}": manifests
            for pose in self.experiment(experiment)[1].poses
            for name, manifests in self.pose_inputs(method, experiment, pose).items()
        }

    def sheet_inputs(self, task: str, experiment: str, pose: str) -> dict[str, Any]:
        """Return {input name: path or manifests} of the contact sheets of one pose."""
        _, entry = self.experiment(experiment)
        found: dict[str, Any] = {}
        for method in entry.methods:
            shared = self.pose_inputs(method, experiment, pose)
            found[f"{method}_matches"] = shared.pop("matches")
        return found | shared | {"table": f"results/{task}/{experiment}.json"}

    def tables(self) -> list[str]:
        """Return the table of every experiment."""
        return [f"results/{task}/{name}.json" for task, name, _ in self._experiments()]

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
