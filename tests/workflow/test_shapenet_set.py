"""A ShapeNet set through the real workflow, from its files to the table, and what its changes plan."""

import json
import shutil

import harness
import pytest
import small
import small_pack
from walk import Walk

from semcorr.store.manifest import read_manifest

TABLE = "results/coseg/planes.json"
CONFIG = {
    "offline": True,
    "datasets": {"planes": small.CONFIG["datasets"]["planes"]},
    "methods": {"spatial": {"matcher": "spatial"}},
    "coseg": {"planes": small.CONFIG["coseg"]["planes"] | {"methods": ["spatial"]}},
}


def changed(**options):
    return CONFIG | {"datasets": {"planes": CONFIG["datasets"]["planes"] | options}}


@pytest.fixture(scope="module")
def done(tmp_path_factory, repository, environment, server):
    """A work folder in which the table is made: never change it."""
    work = harness.Work(tmp_path_factory.mktemp("planes") / "work", repository, environment, server)
    small_pack.write_pack(work.folder / "pack")
    work.write_config(CONFIG)
    work.run(TABLE)
    return work


def planned(done, folder, config):
    """Return the plan of the table with another configuration on the same results."""
    work = done.clone(folder / "clone")
    (work.folder / "pack").symlink_to(done.folder / "pack")
    work.write_config(config)
    return work.plan(TABLE)


def walked(config, folder):
    walk = Walk(config, folder)
    walk.table("coseg", "planes")
    return walk


def test_the_other_chair_of_boxes_is_labelled_and_scored(done):
    rows = read_manifest(done.results / "truth/planes/0.json").rows
    assert [(row.id, row.status) for row in rows] == [("a", "ok"), ("b", "ok")]
    (scores,) = json.loads((done.folder / TABLE).read_text())["methods"].values()
    assert [(pair["source"], pair["target"]) for pair in scores["aligned"]["targets"]] == [
        ("a", "b")
    ]
    # nearly the same chair of boxes, labelled once by an annotation and once by points of another frame
    assert scores["aligned"]["coverage"] == 1.0
    assert set(scores["aligned"]["parts"]) == set(small_pack.PARTS)
    assert scores["aligned"]["mean_iou"] > 0.8


def test_a_second_run_plans_nothing_and_the_walk_knows_its_files(done, tmp_path):
    assert planned(done, tmp_path, CONFIG).outputs == frozenset()
    found = {
        f"results/{path.relative_to(done.results).as_posix()}"
        for path in done.results.rglob("*")
        if path.suffix in (".json", ".zarr") and ".zarr/" not in path.as_posix()
    }
    assert set(walked(CONFIG, done.folder).signatures) == found


@pytest.mark.parametrize(
    "options",
    [
        {"legacy_alignment": True},
        {"labels": {0: "seat", 1: "back", 2: "foot", 3: "arm"}},
        {"classes": {"upper": ["back", "arm"], "lower": ["seat", "leg"]}},
        {"annotations": None},
    ],
    ids=str,
)
def test_other_labels_plan_the_truth_and_scores_alone(done, tmp_path, options):
    config = changed(**options)
    plan = planned(done, tmp_path, config)
    before = walked(CONFIG, done.folder)
    assert plan.outputs == walked(config, done.folder).changed_since(before), plan.text[-2000:]
    assert plan.outputs == {
        "results/truth/planes/0.json", "results/truth/planes/0.zarr",
        "results/coseg/planes/spatial.json", TABLE}  # fmt: skip


def test_edited_points_plan_the_truth_and_an_edited_mesh_all(done, tmp_path):
    work = done.copy(tmp_path / "copy")
    points = work.folder / "pack/points/02691156_things/points/b.txt"
    points.write_text(points.read_text().replace("3.0\n", "2.0\n", 1))
    assert "results/truth/planes/0.json" in work.plan(TABLE).outputs
    assert "results/meshes/planes/0.json" not in work.plan(TABLE).outputs
    mesh = work.folder / "pack/02691156/a/models/model_normalized.obj"
    mesh.write_text(mesh.read_text().replace("0.4", "0.41", 1))
    assert "results/meshes/planes/0.json" in work.plan(TABLE).outputs


def test_what_is_not_there_stops_in_one_line_that_says_how_to_get_it(done, tmp_path):
    for number, (option, where) in enumerate(
        (("root", "ShapeNetCore v2 is never fetched"), ("points", "ShapeNet-Part is never fetched"))
    ):
        # without results: what is there already would do without its files
        work = harness.Work(tmp_path / str(number), done.repository, done.environment, done.server)
        small_pack.write_pack(work.folder / "pack")
        work.write_config(changed(**{option: "$NOWHERE/at/all"}))
        plan = work.plan(TABLE)
        assert plan.code == 1
        assert where in plan.text and "shapenet.org" in plan.text
        assert "most recent call" not in plan.text


def test_broken_items_are_rows_and_the_others_are_computed(done, tmp_path):
    work = harness.Work(tmp_path / "work", done.repository, done.environment, done.server)
    pack = small_pack.write_pack(work.folder / "pack")
    for name in ("no_mesh", "cut_off", "far_off"):
        shutil.copytree(pack / "02691156/b", pack / "02691156" / name)
    (pack / "02691156/no_mesh/models/model_normalized.obj").unlink()
    points = pack / "points/02691156_things/points"
    shutil.copy2(points / "b.txt", points / "far_off.txt")
    shutil.copy2(points / "b.txt", points / "cut_off.txt")
    (points / "cut_off.txt").write_text("0.1 0.2 zero 0 1 0 1.0\n")
    (points / "far_off.txt").rename(tmp_path / "elsewhere.txt")
    (points / "far_off.txt").symlink_to(tmp_path / "elsewhere.txt")
    work.write_config(CONFIG | {"min_coverage": 0.2})
    work.run(TABLE)
    meshes, truth = (
        {row.id: row.status for row in read_manifest(work.results / f"{s}/planes/0.json").rows}
        for s in ("meshes", "truth")
    )
    assert meshes == {"a": "ok", "b": "ok", "cut_off": "ok", "far_off": "ok", "no_mesh": "missing"}
    assert truth == {
        "a": "ok", "b": "ok", "cut_off": "failed", "far_off": "outside",
        "no_mesh": "upstream_failed"}  # fmt: skip
    (scores,) = json.loads((work.folder / TABLE).read_text())["methods"].values()
    assert [pair["target"] for pair in scores["aligned"]["targets"]] == ["b"]
    assert scores["aligned"]["coverage"] == 0.25
