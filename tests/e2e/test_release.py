"""The published setting on a miniature release: fetched from a hub, verified, loaded strictly, scored."""

import json
import os
import shutil
import subprocess
import sys
from copy import deepcopy
from pathlib import Path

import miniature_release as release
import pytest

from semcorr.store.chunk import ChunkReader

ROOT = Path(__file__).parents[2]
# Widths and pictures are small; levels, steps, layer, guidance and number of views are the preset's
SMALLER = {
    "datasets": {"procedural_chairs": {"count": 3}},
    "renders": {"hammersley5": {"resolution": 48, "samples": 1, "backend": "raycast"}},
    "features": {"hnsr": {"backbone": "tiny_vit", "image_size": 56}},
    "decodings": {"trellis": {"items": 2}},
    "samplings": {
        "trellis": {"backbone": "tiny_vit", "image_size": 56, "items": 1, "count": 2, "steps": 2}
    },
    "coseg": {
        "chair": {
            "poses": {"aligned": "procedural_chairs"},
            "sources": 1,
            "methods": ["spatial", "hnsr"],
        }
    },
}


def snakemake(folder, environment, target, over):
    config = folder / "smaller.json"
    config.write_text(json.dumps(over))
    command = [sys.executable, "-m", "snakemake", "-s", str(ROOT / "Snakefile"), "-c", "2"]
    files = [str(ROOT / "config/presets/hnsr.yaml"), str(config)]
    (folder / "config").mkdir(exist_ok=True)
    (folder / "config/config.yaml").write_text((ROOT / "config/config.yaml").read_text())
    return subprocess.run(
        [*command, target, "--configfile", *files],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a finished run, and what the hub was asked for."""
    folder = tmp_path_factory.mktemp("release")
    served = release.write_release(folder / "served")
    release.write_image_encoder(folder / "mirror/dinov2_vitl14_reg")
    with release.hub(served) as (address, asked):
        environment = {"HF_ENDPOINT": address, "SEMCORR_MIRROR": str(folder / "mirror")}
        run = snakemake(folder, environment, "results/coseg/chair.json", SMALLER)
    assert run.returncode == 0, run.stdout + run.stderr
    return folder, asked


def test_the_published_setting_runs_end_to_end(finished):
    folder, _ = finished
    table = json.loads((folder / "results/coseg/chair.json").read_text())
    scores = table["methods"]["hnsr"]["aligned"]
    assert scores["coverage"] == 1 and len(scores["targets"]) == 2
    assert 0 < scores["mean_iou"] < 1 and 0 < scores["mean_iou_paper"] < 1
    reader = ChunkReader(folder / "results/features/hnsr/procedural_chairs/0.json")
    assert reader.read(reader.ids[0])["grids"].shape == (1, 32, 16, 16, 16)


def test_only_what_is_used_is_fetched_and_its_origin_is_recorded(finished):
    folder, asked = finished
    files = {f"ckpts/{file}{end}" for file in release.NETWORKS for end in (".json", ".safetensors")}
    assert {path.split("/main/")[1] for path in asked} == files
    for key in ("trellis_ss_enc", "trellis_ss_flow_img"):
        record = json.loads((folder / f"results/assets/{key}.json").read_text())
        for file in record["files"]:
            assert file["source"] == f"hub:{release.REPO}/{file['file']}"
            assert file["commit"] == release.COMMIT and file["verified"].startswith("hub")


def test_latents_are_decoded_and_shapes_sampled_with_the_released_decoder(finished):
    folder, _ = finished
    with release.hub(folder / "served") as (address, asked):
        environment = {"HF_ENDPOINT": address, "SEMCORR_MIRROR": str(folder / "mirror")}
        run = snakemake(folder, environment, "looks", SMALLER)
    assert run.returncode == 0, run.stdout + run.stderr
    assert {path.split("/ckpts/")[1].split(".")[0] for path in asked} == release.FURTHER.keys()
    decoded = json.loads((folder / "results/decodings/trellis.json").read_text())
    assert [row["status"] for row in decoded["items"]] == ["ok", "ok"]
    assert all(row["voxels"] > 1000 and 0 <= row["iou"] <= 1 for row in decoded["items"])
    drawn = json.loads((folder / "results/samplings/trellis.json").read_text())["samples"]
    assert [row["number"] for row in drawn] == [0, 1] and drawn[0]["voxels"] != drawn[1]["voxels"]
    for section in ("decodings", "samplings"):
        assert (folder / f"results/figures/{section}/trellis.png").stat().st_size > 5000


def test_without_images_no_view_is_rendered_and_no_encoder_loaded(finished):
    folder, _ = finished
    shutil.rmtree(folder / "results/renders")
    (folder / "results/assets/dinov2_vitl14_reg.json").unlink()
    over = deepcopy(SMALLER)
    over["features"]["hnsr"] = {
        "guidance": -1,
        "render": None,
        "image_encoder": None,
        "backbone": None,
    }
    environment = {"SEMCORR_MIRROR": "", "HF_ENDPOINT": "http://127.0.0.1:9"}
    run = snakemake(folder, environment, "results/coseg/chair/hnsr.json", over)
    assert run.returncode == 0, run.stdout + run.stderr
    scores = json.loads((folder / "results/coseg/chair/hnsr.json").read_text())
    assert scores["methods"]["hnsr"]["aligned"]["coverage"] == 1
    assert not (folder / "results/renders").exists()
    assert not (folder / "results/assets/dinov2_vitl14_reg.json").exists()
