"""The weights in the repository: their bytes are those of the table, and they load strictly."""

import pytest
import torch
import yaml

from semcorr.assets.fetch import fetch
from semcorr.assets.table import read_table, repository_root
from semcorr.config.load import validate
from semcorr.networks.backbones import load_backbone
from semcorr.networks.trellis.loading import CLASSES, network_from
from semcorr.networks.weight_files import weight_files
from semcorr.store.files import sha256_file

TABLE = read_table()
ROWS = [row for rows in TABLE.values() for row in rows if row.url.startswith("repo:")]
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
    files = weight_files(fetch(key, TABLE[key], tmp_path, offline=True, progress=False))
    name, args = files.description["name"], files.description["args"]
    if name in CLASSES:
        networks = [network_from(name, args, files.path)]
    else:
        names = backbones_on(key)
        assert names, f"nothing in the configuration loads {key}"
        networks = [load_backbone(n, files.path, overrides=args or None).module for n in names]
    for network in networks:
        values = list(network.state_dict().values())
        assert values and all(torch.isfinite(v).all() for v in values if v.is_floating_point())
        assert any(v.std() > 0 for v in values if v.is_floating_point() and v.numel() > 1)


def test_all_shipped_weights_are_small():
    assert sum(row.bytes for row in ROWS if row.sha256) <= 12_000_000
