"""Views shared between checkouts, collected on scratch, removed once they were read."""

import harness
import pytest
import small

CONFIG = {
    "device": "cpu",
    "datasets": {"few": {"kind": "procedural", "count": 2, "seed": 3}},
    "renders": {"views": small.CONFIG["renders"]["views"]},
    "masks": {"outline": {"kind": "alpha", "render": "views"}},
}
TARGET = "results/masks/outline/few/0.json"
VIEWS = "renders/views/few/0"


@pytest.fixture
def checkouts(tmp_path, repository, server):
    cache = {"SNAKEMAKE_OUTPUT_CACHE": str(tmp_path / "cache")}
    return [
        harness.Work(tmp_path / name, repository, dict(cache), server) for name in ("one", "two")
    ]


def test_views_are_shared_collected_on_scratch_and_removed(checkouts, tmp_path):
    one, two = checkouts
    one.write_config(CONFIG)
    one.run(TARGET)
    assert (one.results / f"{VIEWS}.json").exists()
    one.write_config(CONFIG | {"keep_renders": False, "scratch": "/nowhere"})
    assert one.plan(TARGET).outputs == frozenset()
    one.write_config(CONFIG)

    # another checkout: the same views without a ray, and gone at the end
    two.write_config(CONFIG | {"keep_renders": False})
    two.run(TARGET)
    log = (two.results / f"logs/{VIEWS}.log").read_text()
    assert f"taken from {tmp_path / 'cache/semcorr/renders'}" in log
    assert not (two.results / f"{VIEWS}.json").exists()
    assert not (two.results / f"{VIEWS}.zarr").exists()
    kept = {n: h for n, h in one.contents().items() if not n.startswith("renders/")}
    assert two.contents() == kept
    assert two.plan(TARGET).outputs == frozenset()
    two.write_config(CONFIG)
    assert two.plan(TARGET).outputs == frozenset()

    # a changed key makes what was removed again, on the node's own disk, and removes it again
    (tmp_path / "disk").mkdir()
    changed = CONFIG | {"renders": {"views": CONFIG["renders"]["views"] | {"resolution": 40}}}
    changed |= {"keep_renders": False, "scratch": "$NODE_DISK"}
    two.write_config(changed)
    two.environment["NODE_DISK"] = str(tmp_path / "disk")
    views = {f"results/{VIEWS}.json", f"results/{VIEWS}.zarr"}
    assert two.plan(TARGET).outputs == views | {TARGET, TARGET.replace(".json", ".zarr")}
    two.run(TARGET)
    assert not (two.results / f"{VIEWS}.zarr").exists()
    assert list((tmp_path / "disk").iterdir()) == []
    assert two.plan(TARGET).outputs == frozenset()
