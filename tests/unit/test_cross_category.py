"""Sources of one data set and category, targets of another."""

import json
from pathlib import Path

import numpy as np
import pytest
from test_failed_truth import LABELS, Chain, colourful

from semcorr.config.load import dump, validate
from semcorr.datasets import members as item_lists
from semcorr.errors import UserError
from semcorr.planning import Plan, manifest
from semcorr.stages import meshes, truth
from semcorr.store.manifest import read_manifest

ANIMAL = {"names": ["body", "left_leg", "right_leg"], "faces": [1, 0, 1, 2, 0, 0]}


class Across(Chain):
    """Blocks as in `Chain`, and a set of animals whose shapes are the same blocks."""

    def __init__(self, root, ids=("x", "y"), category="animal", **keys):
        super().__init__(root, ids=("a", "b"))
        self.other = root / "animals"
        (self.other / "labels").mkdir(parents=True)
        for item_id in ids:
            (self.other / f"{item_id}.obj").write_bytes((self.root / "a.obj").read_bytes())
            (self.other / f"labels/{item_id}.json").write_text(json.dumps(ANIMAL))
        rows = "".join(f"{item_id},{item_id}.obj,{category}\n" for item_id in ids)
        (self.other / "items.csv").write_text("id,file,category\n" + rows)
        item_lists._folder.cache_clear()
        raw = dump(self.config)
        raw["datasets"]["animals"] = {"kind": "folder", "root": "animals", "chunks": 2}
        experiment = {
            "category": "block",
            "poses": {"aligned": "blocks"},
            "source_category": "animal",
            "source_poses": {"aligned": "animals"},
            "sources": 2,
            "methods": ["spatial", "random"],
        }
        raw["coseg"]["blocks"] = experiment | keys
        self.config = validate(raw, [])
        self.plan = Plan(self.config)

    def maps(self):
        """Run everything up to the maps; the animals first."""
        for stage in (meshes, truth):
            name = stage.__name__.rsplit(".", 1)[1]
            for chunk in self.plan.chunks("animals"):
                path = manifest(name, None, "animals", chunk)
                outputs = {"manifest": path, "store": path.removesuffix(".json") + ".zarr"}
                inputs = {} if stage is meshes else {"meshes": path.replace("truth", "meshes")}
                members = self.plan.members(name, "animals", str(chunk))
                cfg = self.plan.cfg("datasets", "animals")
                job = self._job(inputs, outputs, cfg, members=members, dataset="animals")
                stage.main(job)
        return super().maps()


@pytest.fixture
def work(tmp_path, monkeypatch):
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_all_sources_of_one_set_meet_all_targets_of_the_other(work):
    chain = Across(work).maps()
    summary = chain.scores()
    table = json.loads(Path("results/coseg/blocks.json").read_text())
    assert (table["category"], table["source_category"]) == ("block", "animal")
    # no part has the same name: maps and pictures, no score
    assert summary["mean_iou"] is None and summary["ci95"] == [None, None]
    assert (summary["coverage"], summary["targets"]) == (0.0, [])
    pictures = chain.pictures()
    assert colourful(pictures["maps"]) > 1000 and colourful(pictures["parts"]) > 1000
    rows = read_manifest(Path("results/matches/spatial/blocks/aligned/0.json")).rows
    assert {row.id for row in rows} == {"a <- x", "a <- y", "b <- x", "b <- y"}


def test_parts_of_one_name_are_scored(work):
    names = {"left_leg": "seat", "right_leg": "seat", "body": "back"}
    summary = Across(work, part_names=names).maps().scores()
    pairs = {(row["source"], row["target"]): row["mean_iou"] for row in summary["targets"]}
    assert pairs.keys() == {("x", "a"), ("x", "b"), ("y", "a"), ("y", "b")}
    # equal blocks; the faces of the animals' parts: seat 0 2 3, back 1 4 5, as those of the blocks
    assert summary["parts"].keys() == {"back", "seat"} and min(summary["parts"].values()) > 0.9
    assert [LABELS["faces"][i] for i in (0, 2, 3)] == [0, 0, 0]


def test_names_that_no_part_has_are_told(work, caplog):
    Across(work, part_names={"body": "back", "tial": "back"}).maps().scores()
    (said, *_) = [r.getMessage() for r in caplog.records if "part_names" in r.getMessage()]
    assert said == (
        "part_names: no part is called tial; there are: back, body, left_leg, right_leg, seat"
    )


def test_a_part_that_only_one_side_has_lowers_coverage(work):
    summary = Across(work, part_names={"body": "back"}).maps().scores()
    assert summary["coverage"] == 0.5 and list(summary["parts"]) == ["back"]


def test_sources_vote_across_categories(work):
    chain = Across(work, part_names={"body": "back"}, votes=["all"]).maps()
    (row, _) = chain.scores()["votes"]["all"]["targets"]
    assert (row["sources"], row["target"]) == (["x", "y"], "a") and row["mean_iou"] > 0.9


def test_inputs_are_the_chunks_of_both_sets(work):
    plan = Across(work).plan
    of_animals = {f"results/meshes/animals/{c}.json" for c in plan.chunks("animals")}
    inputs = plan.match_inputs("spatial", "blocks", "aligned", "0")
    assert inputs["target_meshes"] == "results/meshes/blocks/0.json"
    assert set(inputs["source_meshes"]) == of_animals
    assert plan.match_cfg("spatial", "blocks", "aligned", "0")["sources"] == ["x", "y"]
    shown = plan.pose_inputs("spatial", "blocks", "aligned")
    assert set(shown["meshes"]) == {"results/meshes/blocks/0.json", *of_animals}
    assert plan.target_chunks("blocks", "aligned") == [0]
    assert [i for i, _ in plan.export_members("blocks", "aligned")] == ["a", "b", "x", "y"]
    assert {"blocks", "animals"} == {path.split("/")[2] for path in plan.indices()}


def test_colours_of_maps_plan_pictures_and_no_scores(work):
    vivid, rainbow = Across(work).plan, Across(work / "again", colours="rainbow").plan
    assert vivid.experiment_cfg("blocks") == rainbow.experiment_cfg("blocks")
    assert vivid.sheet_cfg("blocks") != rainbow.sheet_cfg("blocks")


def test_maps_are_drawn_in_the_colours_that_were_chosen(work):
    chain = Across(work, colours="rainbow").maps()
    chain.scores()
    rainbow = np.asarray(chain.pictures()["maps"])
    chain.plan = Plan(validate(recoloured(dump(chain.config)), []))
    vivid = np.asarray(chain.pictures()["maps"])
    assert rainbow.shape == vivid.shape
    assert (rainbow != vivid).any(axis=2).mean() > 0.05


def recoloured(raw):
    """Return a configuration with the other colours."""
    raw["coseg"]["blocks"]["colours"] = "positions"
    return raw


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"source_poses": {"turned": "animals"}}, "source_poses: turned; `poses` has aligned"),
        ({"source_poses": {"aligned": "gone"}}, "coseg.blocks.source_poses: no such entry 'gone'"),
        ({"part_names": {"leg": ""}}, "coseg.blocks.part_names"),
        ({"colours": "grey"}, "coseg.blocks.colours"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_key(work, keys, message):
    with pytest.raises(UserError, match=message):
        Across(work, **keys)


def test_shapes_that_cannot_be_told_apart_are_refused(work):
    plan = Across(work, ids=("x", "a")).plan
    with pytest.raises(UserError, match="blocks: 'a' is an id in animals and in blocks"):
        plan.match_inputs("spatial", "blocks", "aligned", "0")


def test_a_category_that_the_other_set_lacks_is_refused(work):
    plan = Across(work, source_category="plant").plan
    with pytest.raises(UserError, match="no item of animals has category 'plant'"):
        plan.matches()
