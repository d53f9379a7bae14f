"""A chunk of several items opens every network that it needs once, whatever the kind."""

from collections import Counter
from importlib import import_module
from pathlib import Path

import pytest
import small

from semcorr.assets.fetch import fetch
from semcorr.assets.table import read_table, rows_of
from semcorr.config.load import dump, validate
from semcorr.config.sections import kinds_by_section
from semcorr.planning import Plan
from semcorr.stages import depth, features, latents, masks, meshes, render, voxels
from semcorr.stages.running.job import StageJob
from semcorr.store.manifest import read_manifest

ITEMS = 3
# in the order in which they rest on each other
STAGES = {
    "renders": render,
    "masks": masks,
    "depth": depth,
    "voxels": voxels,
    "latents": latents,
    "features": features,
}
# where files of weights are read, by all networks
READERS = (
    "semcorr.networks.trellis.loading.read_tensors",
    "semcorr.networks.backbones.read_tensors",
    "semcorr.networks.transformers_models.load_file",
)
# one variant a kind, and what it rests on
VARIANTS = {
    "renders": ("views",),
    "masks": ("segmented",),
    "depth": ("guessed",),
    "voxels": ("s16", "s16_rotation2"),
    "latents": ("tiny", "slat"),
    "features": ("states", "guessed", "shapes", "slat_states", "voxel_views"),
}
CONFIG = {
    section: {name: small.CONFIG[section][name] for name in names}
    for section, names in VARIANTS.items()
} | {
    "device": "cpu",
    "datasets": {"chairs": {"kind": "procedural", "category": "chair", "count": ITEMS, "seed": 9}},
}


def with_networks():
    """Return (section, name) of all variants that rest on weights."""
    config = validate(CONFIG, list(read_table()))
    return [
        (section, name)
        for section in STAGES
        for name, entry in getattr(config, section).items()
        if weights_of(entry)
    ]


def weights_of(entry):
    return sorted(name for _, section, name in entry.references() if section == "weights")


class Chunk:
    """One chunk through the stages, in the working folder, as the workflow plans it."""

    def __init__(self, mirror):
        self.config = validate(CONFIG, list(read_table()))
        self.plan = Plan(self.config)
        for section, name in with_networks():
            for key in weights_of(self.plan.entry(section, name)):
                rows = rows_of(key, read_table())
                fetch(key, rows, Path("results/assets"), mirror=mirror, offline=True)
        self.run(meshes, "meshes", "datasets", "chairs", {})

    def run(self, stage, folder, section, name, inputs):
        job = StageJob(
            inputs={n: [Path(path)] for n, path in inputs.items()},
            outputs={
                "manifest": Path(f"results/{folder}/chairs/0.json"),
                "store": Path(f"results/{folder}/chairs/0.zarr"),
            },
            cfg=self.plan.cfg(section, name),
            members=self.plan.members("meshes", "chairs", "0"),
            wildcards={"dataset": "chairs", "chunk": "0"},
            config=dump(self.config),
        )
        stage.main(job)
        return read_manifest(job.outputs["manifest"])

    def variant(self, section, name):
        inputs = self.plan.variant_inputs(self.plan.entry(section, name), "chairs", "0")
        return self.run(STAGES[section], f"{section}/{name}", section, name, inputs)


@pytest.fixture(scope="module")
def opened(tmp_path_factory, environment):
    """{(section, name): (manifest, {asset: how often its weights were read})} of all variants."""
    found, read = {}, Counter()

    def counted(reader):
        def counting(path, *more):
            read[Path(path).relative_to("results/assets").parts[0]] += 1
            return reader(path, *more)

        return counting

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("once"))
        for name in READERS:
            module, function = name.rsplit(".", 1)
            reader = getattr(import_module(module), function)
            patch.setattr(name, counted(reader))
        chunk = Chunk(environment["SEMCORR_MIRROR"])
        for section in STAGES:
            for name in getattr(chunk.config, section):
                read.clear()
                found[section, name] = (chunk.variant(section, name), dict(read))
    return found


@pytest.mark.parametrize(("section", "name"), with_networks())
def test_a_network_is_loaded_once_a_chunk(opened, section, name):
    manifest, read = opened[section, name]
    assert [row.status for row in manifest.rows] == ["ok"] * ITEMS
    entry = getattr(validate(CONFIG, list(read_table())), section)[name]
    assert read == dict.fromkeys(weights_of(entry), 1)


def test_every_kind_with_a_network_is_there():
    sections = ("masks", "depth", "latents", "features")
    kinds = {kind for section in sections for kind in kinds_by_section()[section]}
    here = {small.CONFIG[section][name]["kind"] for section, name in with_networks()}
    assert here == kinds - {"alpha", "render"}
