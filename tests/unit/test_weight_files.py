"""From small JSONs to weights files: models, assets, and what is wrong with them."""

import json

import pytest

from semcorr.errors import UserError
from semcorr.networks.weight_files import weight_files


def asset(folder, *files):
    (folder / "key").mkdir()
    for name in files:
        (folder / "key" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "key" / name).write_text('{"name": "Net", "args": {"a": 1}}')
    rows = [{"file": name, "sha256": f"hash of {name}", "bytes": 1} for name in files]
    record = folder / "key.json"
    record.write_text(json.dumps({"schema": 1, "key": "key", "files": rows}))
    return record


def test_a_trained_model(tmp_path):
    manifest = tmp_path / "model.json"
    (tmp_path / "weights.safetensors").write_bytes(b"x")
    content = {"schema": 1, "name": "Net", "args": {"a": 1}, "sha256": "abc"}
    manifest.write_text(json.dumps(content))
    found = weight_files(manifest)
    assert found.description == content and found.sha256 == "abc"
    assert found.path == tmp_path / "weights.safetensors"


def test_an_asset_with_and_without_a_description(tmp_path):
    found = weight_files(asset(tmp_path, "ckpts/net.json", "ckpts/net.safetensors"))
    assert found.description == {"name": "Net", "args": {"a": 1}}
    assert found.path == tmp_path / "key/ckpts/net.safetensors"
    assert found.sha256 == "hash of ckpts/net.safetensors"
    (tmp_path / "b").mkdir()
    assert weight_files(asset(tmp_path / "b", "net.pth")).description == {}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ((), "the asset has no file"),
        (("a.json",), "expected one file of tensors"),
        (("a.pth", "b.safetensors"), "expected one file of tensors"),
        (("a.pth", "b.json", "c.json"), "at most one description"),
    ],
)
def test_assets_that_are_not_one_network(tmp_path, files, message):
    with pytest.raises(UserError, match=message):
        weight_files(asset(tmp_path, *files))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not a json file"),
        ("[]", "expected a mapping"),
        ("{}", "neither the record of an asset nor that of a trained model"),
        ('{"name": "Net", "sha256": "abc"}', "weights.safetensors: missing"),
        ('{"files": [{"file": "a.pth", "sha256": "x"}]}', "a.pth: missing"),
    ],
)
def test_damaged_manifests(tmp_path, text, message):
    path = tmp_path / "model.json"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        weight_files(path)


def test_a_missing_manifest(tmp_path):
    with pytest.raises(UserError, match="model.json: missing; train or fetch"):
        weight_files(tmp_path / "model.json")
