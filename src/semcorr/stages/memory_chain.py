"""The chain meshes -> views, voxels -> latents -> features for a few shapes, in one process.

Runs the code of the chunk stages on readers that keep their items in memory: for `pair`, where stores and
jobs would cost more than the work.
"""

from collections.abc import Callable
from pathlib import Path

from semcorr.config.base import Variant
from semcorr.config.root import Config
from semcorr.features.upstream import Upstream
from semcorr.geometry.mesh_arrays import SITE_ARRAYS, from_arrays, sites_of
from semcorr.geometry.voxels import split_yaws
from semcorr.matching.shape import Shape
from semcorr.stages.chunk_variants import kind_module
from semcorr.stages.job import Runtime
from semcorr.stages.render import cameras_of, open_renderer, to_arrays
from semcorr.stages.voxels import voxels_of
from semcorr.store.items import Arrays
from semcorr.store.memory import MemoryReader


class MemoryChain:
    """Computes what a method needs of some shapes; every variant once.

    Args:
        config: validated configuration; backends of renders are replaced by the ray caster.
        runtime: device, threads ...
        weights: name of weights -> their small JSON on disk.
        meshes: id -> arrays of `geometry.mesh_arrays`.
    """

    def __init__(
        self,
        config: Config,
        runtime: Runtime,
        weights: Callable[[str], Path],
        meshes: dict[str, Arrays],
    ):
        self._config = config
        self._runtime = runtime
        self._weights = weights
        self._meshes = MemoryReader(meshes)
        self._done: dict[tuple[str, str], MemoryReader] = {}

    def shape(self, method: Variant, item_id: str) -> Shape:
        """Return what a matcher reads of a shape."""
        arrays = self._meshes.read(item_id, SITE_ARRAYS)
        sites = sites_of(arrays)
        rest = {}
        if getattr(method, "feature", None):
            features = self.variant("features", method.feature).read(item_id)
            if "site_features" in features:
                rest["site_features"] = features["site_features"].astype("float32")
            if "grids" in features:
                rest |= self._grid(method, item_id, features)
        return Shape(sites.positions, sites.num_vertices, name=item_id, **rest)

    def _grid(self, method: Variant, item_id: str, features: Arrays) -> dict:
        latent = self._config.latents[self._config.features[method.feature].latent]
        voxels = self.variant("voxels", latent.voxel).read(item_id)
        return {
            "grids": features["grids"].astype("float32"),
            "voxels": tuple(split_yaws(voxels)),
            "turned_from_world": voxels["turned_from_world"],
            "voxel_resolution": self._config.voxels[latent.voxel].resolution,
        }

    def variant(self, section: str, name: str) -> MemoryReader:
        """Return the items of a variant, computing them at the first use."""
        if (section, name) not in self._done:
            entry = getattr(self._config, section)[name]
            if section in ("renders", "voxels"):
                items = {"renders": self._render, "voxels": self._voxels}[section](entry)
            else:
                items = self._extract(section, entry)
            attributes = {"cfg": entry.model_dump(mode="json")}
            self._done[section, name] = MemoryReader(items, attributes)
        return self._done[section, name]

    def _render(self, entry) -> dict[str, Arrays]:
        entry = entry.model_copy(update={"backend": "raycast"})
        cameras = cameras_of(entry)
        with open_renderer(entry, self._runtime) as renderer:
            return {
                i: to_arrays(renderer.render(from_arrays(self._meshes.read(i)), cameras, name=i))
                for i in self._meshes.ids
            }

    def _voxels(self, entry) -> dict[str, Arrays]:
        found = {}
        for item_id in self._meshes.ids:
            arrays = self._meshes.read(item_id)
            found[item_id] = voxels_of(arrays["vertices"].astype("float64"), arrays["faces"], entry)
        return found

    def _extract(self, section: str, entry) -> dict[str, Arrays]:
        module = kind_module(section, entry.kind)
        readers, weights = {}, {}
        for field, section, name in entry.references():
            if section == "weights":
                weights[field] = self._weights(name)
            else:
                readers[section] = self.variant(section, name)
        upstream = Upstream(
            meshes=self._meshes,
            **readers,
            weights=weights,
            seed=self._config.seed,
            precision=self._config.precision,
            device=self._runtime.device,
            attention=self._runtime.attention,
            threads=self._runtime.threads,
        )
        with module.extractor(entry, upstream) as compute:
            return {item_id: compute(item_id) for item_id in self._meshes.ids}
