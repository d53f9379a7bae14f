"""The weights in the repository: their bytes are those of the table, and they load strictly."""

import json

import pytest
import torch
import yaml
from safetensors.torch import save_file

from semcorr.assets.fetch import fetch
from semcorr.assets.table import read_table, repository_root
from semcorr.config.load import validate
from semcorr.errors import UserError
from semcorr.features.image_networks import open_backbone
from semcorr.features.upstream import Upstream
from semcorr.networks.backbones import build_backbone
from semcorr.networks.trellis.loading import CLASSES, network_from
from semcorr.networks.weight_files import weight_files
from semcorr.store.files import sha256_file

TABLE = read_table()
ROWS = [row for rows in TABLE.values() for row in rows if row.url.startswith("repo:")]
UPSTREAM = Upstream(meshes=None, device="cpu")
KEYS = sorted({row.key for row in ROWS if row.sha256})


def place(row):
    return repository_root() / row.url.removeprefix("repo:")


def backbones_on(key):
    """Registry names under which the embedded configuration loads an asset."""
    raw = yaml.safe_load((repository_root() / "config/config.yaml").read_text())
    features = validate(raw, list(TABLE)).features.values()
    return {f.backbone for f in features if f.kind == "lifted" and f.weights == key}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.file)
def test_a_shipped_file_is_the_one_of_the_table(row):
    if not row.sha256:  # not trained yet; once it is, setup/ship_weights.py writes the hash
        assert not place(row).exists(), f"{row.file} is shipped, but the table has no hash of it"
        return
    assert (sha256_file(place(row)), place(row).stat().st_size) == (row.sha256, row.bytes)


def test_a_key_has_hashes_of_all_its_files_or_of_none():
    for key in {row.key for row in ROWS}:
        assert len({bool(row.sha256) for row in TABLE[key]}) == 1, key


@pytest.mark.parametrize("key", KEYS)
def test_shipped_weights_load_strictly_and_are_finite(key, tmp_path):
    manifest = fetch(key, TABLE[key], tmp_path, offline=True, progress=False)
    files = weight_files(manifest)
    name, args = files.description["name"], files.description["args"]
    if name in CLASSES:
        networks = [network_from(name, args, files.path)]
    else:
        names = backbones_on(key)
        assert names, f"nothing in the configuration loads {key}"
        networks = [open_backbone(n, manifest, UPSTREAM).module for n in names]
    for network in networks:
        values = list(network.state_dict().values())
        assert values and all(torch.isfinite(v).all() for v in values if v.is_floating_point())
        assert any(v.std() > 0 for v in values if v.is_floating_point() and v.numel() > 1)


def test_an_encoder_as_training_leaves_it_is_opened(tmp_path):
    """Its description names the backbone, which is no argument of the constructor."""
    encoder = build_backbone("tiny_vit", seed=0).module
    save_file(dict(encoder.state_dict()), tmp_path / "weights.safetensors")
    record = {"name": "DinoViT", "args": {"backbone": "tiny_vit"}, "sha256": "0" * 64}
    manifest = tmp_path / "model.json"
    manifest.write_text(json.dumps(record))
    found = open_backbone("tiny_vit", manifest, UPSTREAM).module.state_dict()
    assert all(torch.equal(found[key], value) for key, value in encoder.state_dict().items())
    with pytest.raises(UserError, match="holds weights of tiny_vit, set backbone: tiny_vit"):
        open_backbone("dinov2_vits14", manifest, UPSTREAM)


def test_all_shipped_weights_are_small():
    assert sum(row.bytes for row in ROWS if row.sha256) <= 12_000_000
