"""The stages from meshes to scores, run one after another in this process on tiny shapes and networks.

Jobs get what the workflow gives them: inputs, options and members come from `semcorr.planning`.
"""

import json
import shutil
from importlib import import_module
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from semcorr.config.load import dump, validate
from semcorr.networks.backbones import build_backbone
from semcorr.networks.trellis.loading import untrained_network
from semcorr.planning import Plan, manifest, weights_manifest
from semcorr.stages.running.job import Runtime, StageJob

CHUNK = "0"
NETWORKS = {
    "tiny_vae": (
        "SparseStructureEncoder",
        {"in_channels": 1, "latent_channels": 2, "num_res_blocks": 1, "channels": [4, 8]},
    ),
    "tiny_flow": (
        "SparseStructureFlowModel",
        {
            "resolution": 8,
            "in_channels": 2,
            "out_channels": 2,
            "model_channels": 16,
            "cond_channels": 96,
            "num_blocks": 2,
            "num_heads": 1,
        },
    ),
    "tiny_slat_vae": (
        "SLatEncoder",
        {
            "resolution": 16,
            "in_channels": 96,
            "model_channels": 16,
            "latent_channels": 8,
            "num_blocks": 2,
            "num_heads": 1,
            "window_size": 4,
        },
    ),
    "tiny_slat_flow": (
        "SLatFlowModel",
        {
            "resolution": 16,
            "in_channels": 8,
            "out_channels": 8,
            "model_channels": 16,
            "cond_channels": 96,
            "num_blocks": 2,
            "num_heads": 1,
            "io_block_channels": [8],
        },
    ),
}
TRAINING = {"samples": 2, "batch": 2, "shapes": 2, "validation_shapes": 1, "precision": "fp32"}
PLANES = {
    "kind": "shapenet",
    "root": "core",
    "points": "points",
    "synset": "02691156",
    "labels": {0: "body", 1: "wing", 2: "tail", 3: "engine"},
}
CONFIG: dict[str, Any] = {
    "device": "cpu",
    "datasets": {
        "chairs": {"kind": "procedural", "category": "chair", "count": 2, "seed": 9},
        "files": {"kind": "folder", "root": "files"},
        "planes": PLANES,
        "planes_legacy": PLANES | {"legacy_alignment": True},
    },
    "renders": {"views": {"views": 3, "resolution": 32, "backend": "raycast", "samples": 1}},
    "voxels": {"v16": {"resolution": 16}},
    "latents": {
        "tiny": {"kind": "trellis_ss", "voxel": "v16", "weights": "tiny_vae"},
        "slat": {
            "kind": "trellis_slat",
            "voxel": "v16",
            "render": "views",
            "weights": "tiny_slat_vae",
            "image_encoder": "tiny_encoder",
            "backbone": "tiny_vit",
            "image_size": 32,
        },
    },
    "features": {
        "states": {
            "kind": "hnsr",
            "latent": "tiny",
            "weights": "tiny_flow",
            "render": "views",
            "image_encoder": "tiny_encoder",
            "backbone": "tiny_vit",
            "image_size": 32,
            "layer": 1,
        },
        "slat": {
            "kind": "slat_states",
            "latent": "slat",
            "weights": "tiny_slat_flow",
            "layer": 1,
            "guidance": -1,
        },
        "lifted": {
            "kind": "lifted",
            "render": "views",
            "backbone": "tiny_vit",
            "weights": "tiny_encoder",
            "size": 32,
            "layers": {"norm": 1.0},
        },
    },
    "methods": {"states": {"matcher": "hierarchical", "feature": "states", "levels": 2}},
    "models": {
        "vae": {
            "kind": "ss_vae",
            "resolution": 16,
            "channels": [4, 8],
            "latent_channels": 2,
            **TRAINING,
        },
        "flow": {
            "kind": "ss_flow",
            "vae": "vae",
            "resolution": 16,
            "model_channels": 16,
            "blocks": 1,
            "heads": 1,
            **TRAINING,
        },
    },
    "coseg": {
        "chair": {
            "category": "chair",
            "poses": {"aligned": "chairs"},
            "sources": 1,
            "methods": ["states"],
        }
    },
}


def write_weights() -> None:
    """Write seeded random networks in the form of fetched assets."""
    for seed, (key, (name, args)) in enumerate(NETWORKS.items()):
        folder = _asset(key, ["weights.safetensors", "weights.json"])
        network = untrained_network(name, args, seed)
        save_file(network.state_dict(), folder / "weights.safetensors")
        (folder / "weights.json").write_text(json.dumps({"name": name, "args": args}))
    folder = _asset("tiny_encoder", ["weights.safetensors"])
    encoder = build_backbone("tiny_vit", seed=2).module
    save_file(dict(encoder.state_dict()), folder / "weights.safetensors")


def _asset(key: str, files: list[str]) -> Path:
    record = Path(weights_manifest(key, trained=False))
    folder = record.with_suffix("")
    folder.mkdir(parents=True)
    record.write_text(json.dumps({"files": [{"file": f, "sha256": ""} for f in files]}))
    return folder


class Chain:
    """All stages in the working folder.

    Args:
        mesh: file of the only item of the folder set and of the ShapeNet set.
        points: labelled points of the latter.
    """

    def __init__(self, mesh: Path, points: Path):
        write_weights()
        for file, path in (
            (mesh, "core/02691156/item/models/model_normalized.obj"),
            (points, "points/02691156_airplane/points/item.txt"),
        ):
            Path(path).parent.mkdir(parents=True)
            shutil.copyfile(file, path)
        Path("files").mkdir()
        shutil.copyfile(mesh, f"files/{mesh.name}")
        Path("files/items.csv").write_text(f"id,file,category\nitem,{mesh.name},thing\n")
        self.config = validate(CONFIG, [*NETWORKS, "tiny_encoder"])
        self.plan = Plan(self.config)

    def run(self) -> None:
        """Run every stage that computes something, in order."""
        for dataset in ("files", "chairs", "planes", "planes_legacy"):
            self._meshes("meshes", dataset, {})
            if dataset != "files":
                self._meshes("truth", dataset, {"meshes": manifest("meshes", None, dataset, CHUNK)})
        for stage, section, name in (
            ("render", "renders", "views"),
            ("voxels", "voxels", "v16"),
            ("latents", "latents", "tiny"),
            ("latents", "latents", "slat"),
            ("features", "features", "states"),
            ("features", "features", "slat"),
            ("features", "features", "lifted"),
        ):
            inputs = self.plan.variant_inputs(self.plan.entry(section, name), "chairs", CHUNK)
            outputs = _chunk(manifest(section, name, "chairs", CHUNK))
            members = self.plan.members("other", "chairs", CHUNK)
            self._run(stage, inputs, outputs, self.plan.cfg(section, name), members)
        self._scores()
        for model in ("vae", "flow"):
            self._train(model)

    def _meshes(self, stage: str, dataset: str, inputs: dict) -> None:
        outputs = _chunk(manifest(stage, None, dataset, CHUNK))
        members = self.plan.members(stage, dataset, CHUNK)
        cfg = self.plan.cfg("datasets", dataset, stage)
        self._run(stage, inputs, outputs, cfg, members, dataset=dataset)

    def _scores(self) -> None:
        where = ("states", "chair", "aligned", CHUNK)
        self._run(
            "match",
            self.plan.match_inputs(*where),
            _chunk(manifest("matches", "states/chair", "aligned", CHUNK)),
            self.plan.match_cfg(*where),
            self.plan.match_members(*where[1:]),
        )
        self._run(
            "evaluate",
            self.plan.evaluate_inputs("chair", "states"),
            {"scores": "results/coseg/chair/states.json"},
            self.plan.experiment_cfg("chair"),
            task="coseg",
            experiment="chair",
            method="states",
        )

        folder = "results/exports/coseg/chair/states/aligned"
        self._run(
            "export",
            self.plan.pose_inputs("states", "chair", "aligned"),
            {"manifest": f"{folder}.json", "meshes": folder},
            self.plan.exports_cfg("chair"),
            self.plan.export_members("chair", "aligned"),
            task="coseg",
            experiment="chair",
            method="states",
            pose="aligned",
        )

    def _train(self, model: str) -> None:
        folder = Path(weights_manifest(model, trained=True)).parent
        folder.mkdir(parents=True)
        files = {
            "manifest": "model.json",
            "weights": "weights.safetensors",
            "history": "history.csv",
        }
        self._run(
            "train",
            self.plan.train_inputs(model),
            {name: folder / file for name, file in files.items()},
            self.plan.cfg("models", model),
            model=model,
        )

    def _run(self, stage: str, inputs, outputs, cfg, members=(), **wildcards: str) -> None:
        job = StageJob(
            inputs={
                name: [Path(path) for path in ([paths] if isinstance(paths, str) else paths)]
                for name, paths in inputs.items()
            },
            outputs={name: Path(path) for name, path in outputs.items()},
            cfg=cfg,
            members=list(members),
            wildcards=wildcards,
            config=dump(self.config),
            runtime=Runtime(device="cpu", offline=True),
        )
        import_module(f"semcorr.stages.{stage}").main(job)


def _chunk(path: str) -> dict[str, str]:
    return {"manifest": path, "store": path.removesuffix(".json") + ".zarr"}
