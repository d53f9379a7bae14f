"""Which artefacts rest on which: from the configuration and the item lists to paths under results/.

Plain functions of the validated configuration, used by the workflow while it parses (so nothing heavy is
imported here) and by tests that check what the workflow plans.
"""

import json
import shlex
from itertools import islice
from typing import Any

from semcorr.config.load import rule_cfg
from semcorr.config.root import LOOK_SECTIONS
from semcorr.datasets import members as item_lists
from semcorr.errors import UserError
from semcorr.planning.paths import CHUNK_SECTIONS, manifest
from semcorr.planning.results import Results


class Plan(Results):
    """Answers of one configuration; paths are relative to the working folder."""

    def look_cfg(self, section: str, name: str) -> dict[str, Any]:
        """Return the `cfg` of a decoding or sampling: its options with the items by their ids."""
        entry = self.entry(section, name)
        cfg = rule_cfg(self.config, section, name)
        return cfg | {"items": self._looked_at(entry) if entry.dataset else []}

    def _looked_at(self, entry: Any) -> list[str]:
        members = item_lists.read_members(self.datasets, entry.dataset)
        if isinstance(entry.items, int):
            return list(islice(members, entry.items))
        for item_id in entry.items:
            if item_id not in members:
                raise UserError(f"no item {item_id!r} in data set {entry.dataset}")
        return list(entry.items)

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

    def downloads(self) -> list[str]:
        """Return the manifests of all chunks of downloaded sets that an experiment uses."""
        used = {d for _, _, entry in self._experiments() for d in entry.datasets()}
        bases = {getattr(self.config.datasets[name], "from_", name) for name in used}
        names = [n for n in sorted(bases) if self.config.datasets[n].DOWNLOADED]
        return [manifest("raw", None, n, c) for n in names for c in self.chunks(n)]

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

    def asked_of_machine(self) -> dict[str, Any]:
        """Return what all experiments together need: assets of weights, backends of renders."""
        methods = sorted({m for _, _, entry in self._experiments() for m in entry.methods})
        weights = {n for m in methods for n in self.weights_behind(m)} - set(self.config.models)
        behind = {v for m in methods for v in self.behind(self.config.methods[m])}
        backends = {self.config.renders[n].backend for section, n in behind if section == "renders"}
        return {"weights": sorted(weights), "backends": sorted(backends)}

    def check_options(self) -> str:
        """Return the options of `check`: Blender and what the experiments of this configuration need."""
        wanted = self.asked_of_machine() | {"offline": self.config.offline}
        named = ["--blender", self.config.blender] if self.config.blender else []
        return shlex.join([*named, "--experiments", json.dumps(wanted)])
