"""Decoded latents and samples of a flow network: networks by hand, and through the stages themselves."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from semcorr.config.load import dump, validate
from semcorr.errors import UserError
from semcorr.features.networks import open_network
from semcorr.features.upstream import Upstream
from semcorr.geometry.voxel_mesh import voxel_mesh
from semcorr.networks.trellis.loading import untrained_network
from semcorr.planning import Plan
from semcorr.stages import decode, latents, meshes, sample, voxels
from semcorr.stages.decode import cell_iou
from semcorr.stages.pictures.voxel_pictures import decoded_cells, drawing
from semcorr.stages.running.job import StageJob

SIDES = {"channels": [4, 8], "latent_channels": 2, "num_res_blocks": 1, "num_res_blocks_middle": 1}
ENCODER = {"in_channels": 1} | SIDES
DECODER = {"out_channels": 1} | SIDES | {"channels": [8, 4]}
FLOW = {
    "resolution": 8, "in_channels": 2, "out_channels": 2, "model_channels": 16, "cond_channels": 6,
    "num_blocks": 1, "num_heads": 1,
}  # fmt: skip
CONFIG = {
    "device": "cpu",
    "datasets": {"chairs": {"kind": "procedural", "category": "chair", "count": 2, "seed": 9}},
    "voxels": {"s16": {"resolution": 16}},
    "latents": {"tiny": {"kind": "trellis_ss", "voxel": "s16", "weights": "vae"}},
    "models": {
        "vae": {"kind": "ss_vae", "samples": 1},
        "flow": {"kind": "ss_flow", "vae": "vae", "samples": 1},
    },
    "decodings": {"seen": {"dataset": "chairs", "items": 2, "latent": "tiny", "decoder": "vae"}},
    "samplings": {"drawn": {"weights": "flow", "decoder": "vae", "count": 3, "steps": 4}},
}


def write_model(name, networks):
    """Write a trained model as the stage of training does; the first network is its own."""
    folder = Path("results/models") / name
    folder.mkdir(parents=True)
    described = []
    for file, (cls, args) in zip(("weights", "decoder"), networks, strict=False):
        network = untrained_network(cls, args, 3)
        save_file(network.state_dict(), folder / f"{file}.safetensors")
        row = {"name": cls, "args": args, "file": f"{file}.safetensors", "sha256": "0" * 64}
        described.append(row)
    first, *others = described
    (folder / "model.json").write_text(json.dumps(first | {"others": others}))
    return folder / "model.json"


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A working folder with both models."""
    monkeypatch.chdir(tmp_path)
    pair = [("SparseStructureEncoder", ENCODER), ("SparseStructureDecoder", DECODER)]
    write_model("vae", pair)
    write_model("flow", [("SparseStructureFlowModel", FLOW)])
    return tmp_path


class Jobs:
    """Jobs of the stages, as the workflow plans them."""

    def __init__(self, **changes):
        self.config = validate(CONFIG | changes, [])
        self.plan = Plan(self.config)

    def run(self, stage, inputs, outputs, cfg, members=(), **wildcards):
        lists = {k: v if isinstance(v, list) else [v] for k, v in inputs.items()}
        job = StageJob(
            inputs={k: [Path(p) for p in paths] for k, paths in lists.items()},
            outputs={k: Path(p) for k, p in outputs.items()},
            cfg=cfg,
            members=[list(m) for m in members],
            wildcards={"dataset": "chairs", "chunk": "0"} | wildcards,
            config=dump(self.config),
        )
        stage.main(job)

    def latents(self):
        """Run everything up to the latents."""
        members = self.plan.members("meshes", "chairs", "0")
        for stage, section, name in (
            (meshes, "datasets", "chairs"), (voxels, "voxels", "s16"), (latents, "latents", "tiny"),
        ):  # fmt: skip
            folder = "results/meshes" if stage is meshes else f"results/{section}/{name}"
            inputs = {}
            if stage is not meshes:
                entry = self.plan.entry(section, name)
                inputs = self.plan.variant_inputs(entry, "chairs", "0")
            outputs = {"manifest": f"{folder}/chairs/0.json", "store": f"{folder}/chairs/0.zarr"}
            self.run(stage, inputs, outputs, self.plan.cfg(section, name), members)
        return self

    def look(self, stage, section, name):
        """Run a decoding or a sampling; return its manifest and picture."""
        outputs = {"manifest": f"{name}.json", "picture": f"{name}.png"}
        inputs, cfg = self.plan.look_inputs(section, name), self.plan.look_cfg(section, name)
        self.run(stage, inputs, outputs, cfg, **{section.removesuffix("s"): name})
        picture = Image.open(f"{name}.png").convert("RGB")
        return json.loads(Path(f"{name}.json").read_text()), np.asarray(picture)


def plain_sides(cells):
    """Sides of cells that no occupied neighbour covers, counted one by one."""
    known = {tuple(c) for c in cells.tolist()}
    steps = [(1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1)]
    return sum(tuple(np.add(c, s)) not in known for c in known for s in steps)


@pytest.mark.parametrize("seed", range(3))
def test_voxels_as_a_mesh(seed):
    random = np.random.default_rng(seed)
    cells = np.argwhere(random.random((5, 5, 5)) < (0.1, 0.5, 1.1)[seed])
    mesh = voxel_mesh(cells, 5)
    assert len(mesh.faces) == 2 * plain_sides(cells)
    a, b, c = np.moveaxis(mesh.vertices[mesh.faces], 1, 0)
    # wound outwards, the sides enclose the cells
    volume = np.einsum("fi,fi->", a, np.cross(b, c)) / 6
    assert volume == pytest.approx(len(cells) / 125)
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    np.testing.assert_allclose(low, cells.min(axis=0) / 5 - 0.5)
    np.testing.assert_allclose(high, (cells.max(axis=0) + 1) / 5 - 0.5)
    with pytest.raises(ValueError, match="at least one"):
        voxel_mesh(cells[:0], 5)


def test_overlap_of_cells():
    a, b = np.array([[0, 0, 0], [1, 1, 1]]), np.array([[1, 1, 1], [2, 2, 2]])
    assert cell_iou(a, b, 3) == pytest.approx(1 / 3)
    assert cell_iou(a, a, 3) == 1 and cell_iou(a[:0], a[:0], 3) == 0
    assert drawing(a[:0], 3, "").picture is None


def test_the_decoder_lies_beside_its_encoder(work):
    manifest = work / "results/models/vae/model.json"
    decoder = open_network("SparseStructureDecoder", manifest, Upstream(), False)
    latent = torch.randn(2, 8, 8, 8)
    cells, side = decoded_cells(decoder, latent)
    np.testing.assert_array_equal(cells, np.argwhere(decoder(latent[None])[0, 0].numpy() > 0))
    assert side == 16
    with pytest.raises(UserError, match="reads latents of 2 channels, these have 3"):
        decoded_cells(decoder, torch.randn(3, 8, 8, 8))
    with pytest.raises(
        UserError, match="^decoder: .*flow/model.json holds a .*a model of kind ss_vae"
    ):
        flow = work / "results/models/flow/model.json"
        open_network("SparseStructureDecoder", flow, Upstream(), False)
    (manifest.parent / "decoder.safetensors").unlink()
    with pytest.raises(UserError, match="decoder.safetensors, was not shipped; name a model"):
        open_network("SparseStructureDecoder", manifest, Upstream(), False)


def test_decoded_latents_beside_their_voxels(work):
    manifest, picture = Jobs().latents().look(decode, "decodings", "seen")
    assert [row["id"] for row in manifest["items"]] == ["chair_9_00000", "chair_9_00001"]
    encoder, decoder = (
        untrained_network(*network, 3)
        for network in (("SparseStructureEncoder", ENCODER), ("SparseStructureDecoder", DECODER))
    )
    from semcorr.geometry.voxels import split_yaws
    from semcorr.networks.trellis.vae import encode_cells
    from semcorr.store.chunk import ChunkReader

    reader = ChunkReader(Path("results/voxels/s16/chairs/0.json"))
    for row in manifest["items"]:
        (cells,) = split_yaws(reader.read(row["id"]))
        found = decoder(encode_cells(encoder, [cells], 16).mean)[0, 0].numpy() > 0
        known = np.zeros((16, 16, 16), bool)
        known[tuple(cells.T)] = True
        assert (row["voxels"], row["decoded"]) == (len(cells), found.sum())
        assert row["iou"] == pytest.approx((found & known).sum() / (found | known).sum(), abs=1e-3)
    assert manifest["mean_iou"] == pytest.approx(
        np.mean([row["iou"] for row in manifest["items"]]), abs=1e-6
    )
    assert "results/models/vae/model.json" in manifest["inputs"]
    assert picture.shape[1] > 300 and np.ptp(picture) > 150
    wrong = CONFIG["decodings"]["seen"] | {"items": ["chair_9_00007"]}
    with pytest.raises(UserError, match="no item 'chair_9_00007' in data set chairs"):
        Jobs(decodings={"seen": wrong}).plan.look_cfg("decodings", "seen")


def test_samples_without_a_condition(work):
    manifest, _ = Jobs().look(sample, "samplings", "drawn")
    again, _ = Jobs().look(sample, "samplings", "drawn")
    assert manifest == again and len(manifest["samples"]) == 3
    assert [row["number"] for row in manifest["samples"]] == [0, 1, 2]
    cfg = Jobs().plan.look_cfg("samplings", "drawn")
    flow = untrained_network("SparseStructureFlowModel", FLOW, 3)
    latents_of = list(sample.sampled(cfg, flow, torch.zeros(1, 1, 6)))
    # different noise, and a sample does not depend on how many there are
    assert not torch.equal(latents_of[0], latents_of[1])
    (alone,) = sample.sampled(cfg | {"count": 1}, flow, torch.zeros(1, 1, 6))
    assert torch.equal(alone, latents_of[0])


def test_guidance_applies_to_conditioned_samples_in_its_interval():
    flow = untrained_network("SparseStructureFlowModel", FLOW, 3)
    cfg = {"count": 1, "steps": 4, "rescale_t": 2.0, "interval": [0.5, 0.9], "guidance": 2.0,
           "global_seed": 1, "render": "views"}  # fmt: skip
    tokens = torch.randn(1, 5, 6)
    (found,) = sample.sampled(cfg, flow, tokens)
    from semcorr.seeds import seed_of

    random = np.random.default_rng(seed_of(1, "sampling", "0"))
    x = torch.from_numpy(random.standard_normal((1, 2, 8, 8, 8), dtype=np.float32))
    times = [2 * t / (1 + t) for t in (1.0, 0.75, 0.5, 0.25, 0.0)]
    for t, after in zip(times[:-1], times[1:], strict=True):
        v = flow(x, torch.tensor([1000 * t]), tokens).velocity
        if 0.5 <= t <= 0.9:
            v = 3 * v - 2 * flow(x, torch.tensor([1000 * t]), torch.zeros_like(tokens)).velocity
        x = x - (t - after) * v
    torch.testing.assert_close(found, x[0], atol=1e-5, rtol=1e-4)
    (plain,) = sample.sampled(cfg | {"guidance": 0.0}, flow, tokens)
    assert not torch.allclose(plain, found, atol=1e-3)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"samplings": {"a": {"weights": "flow", "decoder": "nobody"}}}, "'nobody' is neither"),
        (
            {"samplings": {"a": CONFIG["samplings"]["drawn"] | {"dataset": "chairs"}}},
            "need render, image_encoder, backbone too",
        ),
        (
            {"samplings": {"a": CONFIG["samplings"]["drawn"] | {"interval": [1.0, 0.5]}}},
            r"interval: \[1, 0.5\] is not two times in 0..1, the smaller one first",
        ),
        ({"decodings": {"a": CONFIG["decodings"]["seen"] | {"latent": "x"}}}, "no entry 'x'"),
    ],
)
def test_wrong_entries_are_refused(change, message):
    with pytest.raises(UserError, match=message):
        validate(CONFIG | change, [])
