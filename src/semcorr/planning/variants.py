"""What the variants of a chunk rest on."""

from collections.abc import Iterator
from typing import Any

from semcorr.config.base import Variant
from semcorr.config.load import rule_cfg
from semcorr.config.sections import PACKAGES
from semcorr.errors import UserError
from semcorr.fingerprint import fingerprint
from semcorr.planning.items import Items
from semcorr.planning.paths import CHUNK_SECTIONS, manifest, weights_manifest


class Variants(Items):
    """Entries of the configuration: options, code and inputs of the rules that make them."""

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
            modules.append(f"semcorr.stages.scores.{name}")
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

    def weights(self, name: str) -> str:
        """Return the small JSON of trained or fetched weights; the large files lie beside it."""
        return weights_manifest(name, trained=name in self.config.models)

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

    def variant_inputs(self, entry: Variant, dataset: str, chunk: str) -> dict[str, str]:
        """Return {input name: manifest} of a per-chunk variant: meshes and what the entry refers to."""
        found = {"meshes": manifest("meshes", None, dataset, chunk)}
        for field, section, name in entry.references():
            if section in CHUNK_SECTIONS:
                found[section] = manifest(section, name, dataset, chunk)
            elif section == "weights":
                found[field] = self.weights(name)
        return found

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
