"""The miniature release as hub and as local copy: the hub's own client and ours read the same of it."""

import hashlib
import json

import miniature_release as release
import pytest
from huggingface_hub import hf_hub_download

from semcorr.assets.fetch import fetch
from semcorr.assets.table import read_table, rows_of
from semcorr.errors import UserError

KEY, STEM = "trellis_ss_dec", "ckpts/ss_dec_conv3d_16l8_fp16"
PIPELINE = {"args": {"models": {"sparse_structure_decoder": STEM}}}


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    return release.write_release(tmp_path_factory.mktemp("release") / "served")


@pytest.fixture(autouse=True)
def direct(monkeypatch):
    """No proxy, no mirror of the machine's."""
    for name in ("SEMCORR_MIRROR", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


def fetched(folder, **options):
    return fetch(KEY, rows_of(KEY, read_table()), folder, progress=False, **options)


def test_the_hubs_own_client_gets_what_ours_gets(served, tmp_path, monkeypatch):
    """Were the headers not the hub's, one of the two clients would refuse them."""
    with release.hub(served) as (address, asked):
        monkeypatch.setenv("HF_ENDPOINT", address)
        record = json.loads(fetched(tmp_path / "ours").read_text())
        assert {path.split("/main/")[1] for path in asked} == {
            f"{STEM}.json",
            f"{STEM}.safetensors",
        }
        theirs = {
            file: hf_hub_download(release.REPO, file, endpoint=address, cache_dir=tmp_path / "hub")
            for file in (f"{STEM}.json", f"{STEM}.safetensors", "pipeline.json")
        }
    for file, path in theirs.items():
        assert f"/snapshots/{release.COMMIT}/" in path  # the commit that the headers told
        with open(path, "rb") as handle:
            body = handle.read()
        assert body == (served / file).read_bytes()
        if file != "pipeline.json":
            assert body == (tmp_path / "ours" / KEY / file).read_bytes()
    blobs = {path.name for path in (tmp_path / "hub").rglob("blobs/*")}
    assert hashlib.sha256((served / f"{STEM}.safetensors").read_bytes()).hexdigest() in blobs
    by_file = {row["file"]: row for row in record["files"]}
    assert by_file[f"{STEM}.json"]["verified"] == "hub-git"
    assert by_file[f"{STEM}.safetensors"]["verified"] == "hub-lfs"
    assert {row["commit"] for row in by_file.values()} == {release.COMMIT}


def copied(served, tmp_path, pipeline: str):
    """A mirror with a copy of the release, as a clone of its repository is."""
    copy = tmp_path / "mirror" / release.REPO
    (copy / "ckpts").mkdir(parents=True)
    for end in (".json", ".safetensors"):
        (copy / (STEM + end)).write_bytes((served / (STEM + end)).read_bytes())
    (copy / "pipeline.json").write_text(pipeline)
    return str(tmp_path / "mirror")


def test_a_copy_of_the_release_is_taken_as_its_pipeline_says(served, tmp_path):
    mirror = copied(served, tmp_path, (served / "pipeline.json").read_text())
    record = json.loads(fetched(tmp_path / "ours", mirror=mirror, offline=True).read_text())
    assert {row["source"] for row in record["files"]} == {
        f"mirror:{release.REPO}/{STEM}{end}" for end in (".json", ".safetensors")
    }


@pytest.mark.parametrize(
    ("pipeline", "reason"),
    [
        (json.dumps(PIPELINE).replace("16l8", "32l16"), "is 'ckpts/ss_dec_conv3d_32l16_fp16', con"),
        ("{", "pipeline.json: cannot be read .*copy it again"),
        ("[" * 100_000, "pipeline.json: cannot be read"),
        ("[]", "has no args.models"),
        ('{"args": {"models": null}}', "args.models is no mapping"),
    ],
    ids=["other", "cut", "deep", "list", "null"],
)
def test_a_copy_of_another_release_is_refused(served, tmp_path, pipeline, reason):
    mirror = copied(served, tmp_path, pipeline)
    with pytest.raises(UserError, match=reason):
        fetched(tmp_path / "ours", mirror=mirror, offline=True)
    assert not (tmp_path / "ours" / f"{KEY}.json").exists()
