"""The chain meshes -> views, voxels -> latents -> features for a few shapes, in one process.

Runs the code of the chunk stages on readers that keep their items in memory: for `pair`, where stores and
jobs would cost more than the work.
"""

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from semcorr.config.base import Variant
from semcorr.config.root import Config
from semcorr.features.arrays import SITES, array_for
from semcorr.features.upstream import Upstream
from semcorr.geometry.mesh_arrays import from_arrays
from semcorr.matching.shape import Shape
from semcorr.stages.matched.shape_loader import ShapeLoader
from semcorr.stages.render import cameras_of, open_renderer, to_arrays
from semcorr.stages.running.chunk_variants import kind_module
from semcorr.stages.running.job import Runtime
from semcorr.stages.voxels import voxels_of
from semcorr.store.items import Arrays
from semcorr.store.memory import MemoryReader


class LazyReader:
    """Reads like a `ChunkReader`; an item is computed when it is first read.

    Args:
        compute: id -> arrays.
        attributes: what a store would carry.
    """

    def __init__(self, compute: Callable[[str], Arrays], attributes: dict[str, Any]):
        self._compute, self.attributes = compute, attributes
        self._items: dict[str, Arrays] = {}

    def read(self, item_id: str, names: Iterable[str] | None = None) -> Arrays:
        """Return an item's arrays (all, or those named)."""
        if item_id not in self._items:
            self._items[item_id] = self._compute(item_id)
        arrays = self._items[item_id]
        return {name: arrays[name] for name in (names or arrays)}

    def forget(self) -> None:
        """Drop all items."""
        self._items.clear()


class MemoryChain:
    """Computes what a method needs of some shapes; networks stay loaded until the chain is closed.

    Args:
        config: validated configuration; backends of renders are replaced by the ray caster.
        runtime: device, threads ...
        weights: name of weights -> their small JSON on disk.
    """

    def __init__(self, config: Config, runtime: Runtime, weights: Callable[[str], Path]):
        self._config = config
        self._runtime = runtime
        self._weights = weights
        self._meshes = MemoryReader({})
        self._variants: dict[tuple[str, str], LazyReader] = {}
        self._opened = ExitStack()

    def __enter__(self) -> "MemoryChain":
        return self

    def __exit__(self, *error) -> None:
        self._opened.close()

    def take(self, meshes: dict[str, Arrays]) -> None:
        """Go on with other shapes; those before are forgotten.

        Args:
            meshes: id -> arrays of `geometry.mesh_arrays`.
        """
        self._meshes.items.clear()
        self._meshes.items.update(meshes)
        for reader in self._variants.values():
            reader.forget()

    def shape(self, method: Variant, item_id: str) -> Shape:
        """Return what a matcher reads of a shape."""
        array = array_for(method)
        readers: dict[str, Any] = {"meshes": self._meshes}
        if array:
            readers["features"] = self.variant("features", method.feature)
        if array and array != SITES:
            readers["voxels"] = self.variant("voxels", self._config.voxel_behind(method.feature))
        by_id = {name: {item_id: reader} for name, reader in readers.items()}
        return ShapeLoader(array, **by_id).load(item_id)

    def variant(self, section: str, name: str) -> LazyReader:
        """Return the reader of a variant, opening what it needs at the first use."""
        if (section, name) not in self._variants:
            entry = getattr(self._config, section)[name]
            open_one = {"renders": self._renderer, "voxels": self._voxeliser}.get(section)
            compute = open_one(entry) if open_one else self._extractor(section, entry)
            attributes = {"cfg": entry.model_dump(mode="json")}
            self._variants[section, name] = LazyReader(compute, attributes)
        return self._variants[section, name]

    def _renderer(self, entry) -> Callable[[str], Arrays]:
        entry = entry.model_copy(update={"backend": "raycast"})
        cameras = cameras_of(entry)
        renderer = self._opened.enter_context(open_renderer(entry, self._runtime))

        def compute(item_id: str) -> Arrays:
            mesh = from_arrays(self._meshes.read(item_id))
            return to_arrays(renderer.render(mesh, cameras, name=item_id))

        return compute

    def _voxeliser(self, entry) -> Callable[[str], Arrays]:
        def compute(item_id: str) -> Arrays:
            arrays = self._meshes.read(item_id)
            return voxels_of(arrays["vertices"].astype("float64"), arrays["faces"], entry)

        return compute

    def _extractor(self, section: str, entry) -> Callable[[str], Arrays]:
        readers, weights = {}, {}
        for field, where, name in entry.references():
            if where == "weights":
                weights[field] = self._weights(name)
            else:
                readers[where] = self.variant(where, name)
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
        module = kind_module(section, entry.kind)
        return self._opened.enter_context(module.extractor(entry, upstream))
