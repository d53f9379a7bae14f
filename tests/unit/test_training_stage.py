"""Stage `train` on tiny settings: every kind learns, resumes after SIGKILL, refuses wrong inputs."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from semcorr.cameras import make_cameras
from semcorr.datasets.procedural import generate
from semcorr.errors import ItemError, UserError
from semcorr.features.image_networks import open_backbone
from semcorr.features.upstream import Upstream
from semcorr.geometry import mesh_arrays
from semcorr.networks.backbones import extract, load_backbone
from semcorr.networks.trellis.loading import network_from
from semcorr.networks.weight_files import weight_files
from semcorr.rendering.interface import RenderOptions
from semcorr.rendering.raycast import render
from semcorr.stages import render as render_stage
from semcorr.stages import train
from semcorr.stages.running.job import Runtime, StageJob
from semcorr.store.chunk import ChunkJob, simple, write_chunk
from semcorr.training.loop import generator

GLOBAL = {"global_seed": 0, "global_precision": "fp32"}
QUICK = {"warmup_steps": 5, "learning_rate": 3e-3, "ema": 0.9}
VOXELS = {"resolution": 16, "shapes": 24, "validation_shapes": 8, "batch": 8, "optimiser": QUICK}
VAE = GLOBAL | VOXELS | {
    "kind": "ss_vae", "channels": [4, 8], "latent_channels": 4, "samples": 320,
}  # fmt: skip
FLOW = GLOBAL | VOXELS | {
    "kind": "ss_flow", "vae": "vae", "model_channels": 32, "blocks": 2, "heads": 2, "samples": 320,
}  # fmt: skip
PICTURES = {"datasets": ["chairs"], "render": "views"}
CONTRAST = GLOBAL | PICTURES | {
    "kind": "multiview_contrastive", "backbone": "tiny_vit", "size": 56, "held_out": 1, "copies": 1,
    "points": 32, "others": 16,
    "batch": 2, "samples": 24, "optimiser": QUICK, "stretch": 0.1, "deformation": 0.2,
}  # fmt: skip
SHAPES, VIEWS = 4, 3


@pytest.fixture(scope="session")
def shapes(tmp_path_factory):
    """A small rendered data set: manifests of meshes and of renders."""
    root = tmp_path_factory.mktemp("shapes")
    ids = tuple(f"chair_{n}" for n in range(SHAPES))
    cameras = make_cameras(rig="fibonacci", views=VIEWS, radius=2.0, fov_deg=40.0, resolution=56)
    meshes = {i: generate("chair", 7_000_000, n).mesh for n, i in enumerate(ids)}

    def mesh(item_id):
        return mesh_arrays.to_arrays(meshes[item_id], np.eye(4), 0, item_id)

    def views(item_id):
        return render_stage.to_arrays(render(meshes[item_id], cameras, RenderOptions(samples=1)))

    found = {}
    for name, compute, ragged in (
        ("meshes", mesh, mesh_arrays.RAGGED),
        ("renders", views, frozenset()),
    ):
        manifest = root / name / "0.json"
        store = manifest.with_suffix(".zarr")
        job = ChunkJob(store, manifest, ids, {}, "", (), {}, ragged)
        write_chunk(job, lambda missing, compute=compute: simple(compute))
        found[name] = [manifest]
    return found


def job_of(root, cfg, inputs=None, threads=1):
    folder = Path(root) / "models" / cfg["kind"]
    files = {"manifest": "model.json", "weights": "weights.safetensors", "history": "history.csv"}
    return StageJob(
        inputs=inputs or {},
        outputs={name: folder / file for name, file in files.items()},
        cfg=cfg,
        code="1",
        wildcards={"model": cfg["kind"]},
        runtime=Runtime(device="cpu", threads=threads),
    )


def test_too_few_rendered_shapes_stop_a_training(tmp_path, shapes):
    def broken(item_id):
        raise ItemError("the renderer left nothing", "failed")

    manifest = tmp_path / "renders/0.json"
    ids = tuple(f"chair_{n}" for n in range(SHAPES))
    job = ChunkJob(manifest.with_suffix(".zarr"), manifest, ids, {}, "", (), {})
    write_chunk(job, lambda missing: simple(broken))
    inputs = shapes | {"renders": [*shapes["renders"], manifest]}
    training = job_of(tmp_path, CONTRAST, inputs)
    with pytest.raises(
        UserError, match=r"renders: only 0% of 4 .*\n  4 x failed: the renderer left"
    ):
        train.main(training)
    assert not training.outputs["manifest"].exists()


@pytest.fixture(scope="session")
def vae(tmp_path_factory):
    job = job_of(tmp_path_factory.mktemp("vae"), VAE)
    train.main(job)
    return job


@pytest.fixture(scope="session")
def encoder(tmp_path_factory, shapes):
    job = job_of(tmp_path_factory.mktemp("encoder"), CONTRAST, shapes)
    train.main(job)
    return job


def history(job):
    with open(job.outputs["history"], newline="") as handle:
        return list(csv.DictReader(handle))


def check_history(job):
    rows = history(job)
    steps = [int(row["step"]) for row in rows]
    assert steps == sorted(set(steps))
    assert steps[-1] * job.cfg["batch"] == job.cfg["samples"]
    return [float(row["loss"]) for row in rows]


def contents(job):
    return {p.name: p.read_bytes() for p in job.outputs["manifest"].parent.iterdir()}


# -- what a training leaves --------------------------------------------------------------------


def test_a_vae_learns_and_loads_strictly(vae):
    losses = check_history(vae)
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])
    found = weight_files(vae.outputs["manifest"])
    network = network_from(found.description["name"], found.description["args"], found.path)
    assert network(torch.zeros(1, 1, 16, 16, 16)).mean.shape == (1, 4, 8, 8, 8)
    (decoder,) = found.description["others"]
    path = found.path.with_name(decoder["file"])
    network = network_from(decoder["name"], decoder["args"], path)
    assert network(torch.zeros(1, 4, 8, 8, 8)).shape == (1, 1, 16, 16, 16)
    assert {v.dtype for v in load_file(path).values()} == {torch.float16}
    assert 0 <= found.description["scores"]["iou"] <= 1
    assert found.description["licence"] == "CC0-1.0" and found.description["config"] == VAE
    assert found.description["inputs"] == {}
    assert set(contents(vae)) == {
        "model.json", "weights.safetensors", "decoder.safetensors", "history.csv",
    }  # fmt: skip
    folders = [p.name for p in vae.outputs["manifest"].parent.parent.iterdir()]
    assert folders == ["ss_vae"], "nothing else is left behind"


def test_a_flow_learns_and_loads_strictly(tmp_path, vae):
    job = job_of(tmp_path, FLOW, {"vae": [vae.outputs["manifest"]]})
    train.main(job)
    losses = check_history(job)
    assert np.mean(losses[-5:]) < 0.9 * np.mean(losses[:5])
    found = weight_files(job.outputs["manifest"])
    network = network_from(found.description["name"], found.description["args"], found.path)
    out = network(torch.zeros(1, 4, 8, 8, 8), torch.zeros(1), torch.zeros(1, 1, 96))
    assert out.velocity.shape == (1, 4, 8, 8, 8)
    assert found.description["scores"]["loss"] == pytest.approx(losses[-1], rel=0.5)


def test_a_flow_with_pictures_uses_them(tmp_path, vae, encoder, shapes):
    weights = {"vae": [vae.outputs["manifest"]], "image_encoder": [encoder.outputs["manifest"]]}
    cfg = FLOW | PICTURES | {
        "image_encoder": "encoder", "image_size": 56, "samples": 32, "condition_share": 0.5,
    }  # fmt: skip
    job = job_of(tmp_path, cfg, weights | shapes)
    train.main(job)
    plain = job_of(tmp_path / "plain", FLOW | {"samples": 32}, {"vae": weights["vae"]})
    train.main(plain)
    key = "blocks.0.cross_attn.to_kv.weight"
    with_pictures, without = (load_file(j.outputs["weights"])[key] for j in (job, plain))
    assert not torch.equal(with_pictures, without)


def test_an_image_encoder_trains_and_loads_strictly(encoder, shapes):
    check_history(encoder)
    found = weight_files(encoder.outputs["manifest"])
    assert found.description["name"] == "DinoViT"
    paths = {str(path) for name in shapes for path in shapes[name]}
    assert set(found.description["inputs"]) == paths, "what `retry_failed` follows"
    backbone = load_backbone(found.description["args"]["backbone"], found.path)
    assert backbone.module(torch.zeros(1, 3, 56, 56)).prenorm.shape == (1, 5 + 49, 96)
    assert 0 <= found.description["scores"]["retrieval"] <= 1


def test_an_encoder_of_convolutions_trains_and_opens_as_a_feature_does(shapes, tmp_path):
    job = job_of(tmp_path, CONTRAST | {"backbone": "tiny_convnext"}, shapes)
    train.main(job)
    upstream = Upstream(meshes=None, device="cpu")
    backbone = open_backbone("tiny_convnext", job.outputs["manifest"], upstream)
    maps = extract(backbone, np.zeros((1, 56, 56, 3)), ["norm_pre"])
    assert maps["norm_pre"].shape == (1, 96, 7, 7)
    with pytest.raises(UserError, match="weights of tiny_convnext, set backbone: tiny_convnext"):
        open_backbone("tiny_vit", job.outputs["manifest"], upstream)


@pytest.mark.parametrize("backbone", ["tiny_vit", "tiny_convnext"])
def test_an_image_encoder_learns_pairs_by_heart(backbone, shapes, tmp_path):
    cfg = CONTRAST | {"backbone": backbone, "stretch": 0.0, "deformation": 0.0, "copies": 0}
    job = job_of(tmp_path, cfg, shapes)
    module = train.import_module("semcorr.training.multiview_contrastive")
    objective = module.objective(
        train.entry_of("models", cfg), train.materials_of(job, tmp_path / "p")
    )
    optimiser = torch.optim.AdamW(objective.networks["encoder"].parameters(), lr=1e-3)
    values = []
    for _ in range(25):
        loss, named = objective.loss(0)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        values.append((float(loss.detach()), named["found"]))
    assert values[-1][0] < 0.7 * values[0][0] and values[-1][1] > values[0][1]


def test_only_the_arrays_that_an_objective_names_are_read_of_views(shapes, tmp_path, monkeypatch):
    read = []
    original = train.ChunkReader.read

    def noting(self, item_id, names=None):
        arrays = original(self, item_id, names)
        if "cam_from_world" in self.packed.read(0):
            read.append(frozenset(arrays))
        return arrays

    monkeypatch.setattr(train.ChunkReader, "read", noting)
    materials = train.materials_of(job_of(tmp_path, CONTRAST, shapes), tmp_path / "part")
    train.import_module("semcorr.training.multiview_contrastive").objective(
        train.entry_of("models", CONTRAST), materials
    )
    cameras = {"cam_from_world", "intrinsics"}
    wanted = cameras | {"rgba", "depth", "face_id", "barycentric"}
    assert set(read) == {frozenset(wanted), frozenset(cameras | {"rgba"})}


# -- being killed ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["ss_vae", "ss_flow", "multiview_contrastive"])
def test_a_killed_training_ends_with_the_same_bytes(tmp_path, kind, vae, encoder, shapes):
    """SIGKILL in the middle (as soon as there is a checkpoint), then the same command again."""
    cfg, inputs, whole = {
        "ss_vae": (VAE, {}, vae),
        "ss_flow": (FLOW, {"vae": [vae.outputs["manifest"]]}, None),
        "multiview_contrastive": (CONTRAST, shapes, encoder),
    }[kind]
    if whole is None:
        whole = job_of(tmp_path / "whole", cfg, inputs)
        train.main(whole)
    cut = job_of(tmp_path / "cut", cfg, inputs)
    models = {"models": {kind: {"checkpoint_seconds": 0}}}
    request = {
        "inputs": {k: [str(p) for p in v] for k, v in inputs.items()},
        "outputs": {k: str(p) for k, p in cut.outputs.items()},
        "cfg": cfg, "code": "1", "wildcards": {"model": kind}, "config": models,
    }  # fmt: skip
    (tmp_path / "job.json").write_text(json.dumps(request))
    command = [sys.executable, "-m", "semcorr.stages.train", str(tmp_path / "job.json")]
    command += ["--threads", "1", "--device", "cpu"]
    process = subprocess.Popen(
        command, stderr=subprocess.DEVNULL, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )
    part = train.part_folder(cut)
    while not (part / "checkpoint.safetensors").exists() and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "killed before it ended"
    assert not cut.outputs["manifest"].exists()
    train.main(cut)
    assert contents(cut) == contents(whole)
    assert not part.exists()


# -- what is refused ---------------------------------------------------------------------------


def test_wrong_inputs_are_refused(tmp_path, vae, encoder, shapes):
    vae_file, encoder_file = [vae.outputs["manifest"]], [encoder.outputs["manifest"]]
    pictures = FLOW | PICTURES | {"image_encoder": "encoder"}
    cases = [
        (FLOW | {"resolution": 32}, {"vae": vae_file}, "resolution: 32 does not fit .*at 16"),
        (FLOW, {"vae": encoder_file}, "holds no SparseStructureEncoder"),
        (FLOW, {"vae": [tmp_path / "none.json"]}, "none.json: missing; train or fetch"),
        (
            pictures | {"condition_channels": 48},
            {"vae": vae_file, "image_encoder": encoder_file} | shapes,
            "condition_channels: 48 does not fit .*96 channels",
        ),
        (pictures, {"vae": vae_file, "image_encoder": vae_file} | shapes, "which backbone"),
        (CONTRAST | {"size": 112}, shapes, "size: 112 does not fit the rendered pictures of 56"),
        (CONTRAST | {"held_out": 4}, shapes, "held_out: 4 of 4 .* leaves none"),
        (CONTRAST, {}, "needs `datasets` and `render`"),
    ]
    for cfg, inputs, message in cases:
        with pytest.raises(UserError, match=message):
            train.main(job_of(tmp_path, cfg, inputs))
        assert not job_of(tmp_path, cfg).outputs["manifest"].exists()


def test_a_picture_without_object_names_its_shape(tmp_path, vae, encoder, shapes):
    renders = train.ChunkReader(shapes["renders"][0])

    def views(item_id):
        arrays = renders.read(item_id)
        if item_id == "chair_2":
            arrays["rgba"] = arrays["rgba"].copy()
            arrays["rgba"][1] = 0
        return arrays

    manifest = tmp_path / "renders/0.json"
    job = ChunkJob(manifest.with_suffix(".zarr"), manifest, tuple(renders.ids), {}, "", (), {})
    write_chunk(job, lambda missing: simple(views))
    inputs = {"vae": [vae.outputs["manifest"]], "image_encoder": [encoder.outputs["manifest"]]}
    inputs |= {"meshes": shapes["meshes"], "renders": [manifest]}
    cfg = FLOW | PICTURES | {"image_encoder": "encoder", "image_size": 56}
    with pytest.raises(UserError, match="chair_2: view 1: picture shows no object.*`datasets`"):
        train.main(job_of(tmp_path, cfg, inputs))


def test_another_configuration_does_not_use_an_old_checkpoint(tmp_path):
    first, second = job_of(tmp_path, VAE), job_of(tmp_path, VAE | {"kl_weight": 0.1})
    assert train.part_folder(first) != train.part_folder(second)
    train.part_folder(first).mkdir(parents=True)
    train.main(job_of(tmp_path, VAE | {"kl_weight": 0.1, "samples": 8}))
    assert not train.part_folder(first).exists(), "left over, and nobody writes there"


def test_randomness_depends_on_seed_stage_and_step():
    draws = {
        (seed, stage, step): float(torch.randn((), generator=generator(seed, stage, step)))
        for seed in (0, 1) for stage in ("a", "b") for step in (0, 1)
    }  # fmt: skip
    assert len(set(draws.values())) == len(draws)
    assert draws[0, "a", 1] == float(torch.randn((), generator=generator(0, "a", 1)))
