"""What failed rows do to scores, exit codes and pictures, through the stages themselves."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from semcorr.config.load import dump, validate
from semcorr.datasets import members as item_lists
from semcorr.errors import UserError
from semcorr.evaluation.measures import MEASURES
from semcorr.evaluation.tables import render
from semcorr.planning import Plan, manifest
from semcorr.stages import chart, evaluate, match, merge, meshes, sheets, truth
from semcorr.stages.coverage import check_coverage
from semcorr.stages.running.job import Runtime, StageJob
from semcorr.store.manifest import read_manifest

# a block: below is the seat, above is the back
OBJ = """v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nv 0 0 2\nv 1 0 2\nv 1 1 2\nv 0 1 2
f 4 3 2 1\nf 5 6 7 8\nf 1 2 6 5\nf 2 3 7 6\nf 3 4 8 7\nf 4 1 5 8\n"""
LABELS = {"names": ["seat", "back"], "faces": [0, 1, 0, 0, 1, 1]}
POINTS = {"names": ["left", "right", "top"], "vertices": [0, 1, 6]}
BROKEN = LABELS | {"faces": ["sofa"] * 6}
FAR = POINTS | {"vertices": [0, 1, 99]}
IDS = ("a", "b", "c", "d")


class Chain:
    """A folder set in the working folder, and the stages from its meshes to its pictures."""

    def __init__(self, root, task="coseg", sources=("a",), ids=IDS, category="block", **keys):
        self.task, self.root = task, root / "set"
        for folder, content in (("labels", LABELS), ("keypoints", POINTS)):
            (self.root / folder).mkdir(parents=True)
            for item_id in ids:
                (self.root / f"{item_id}.obj").write_text(OBJ)
                self.write(folder, item_id, content)
        (self.root / "symmetry.json").write_text('{"keypoints": [["left", "right"]]}')
        rows = "".join(f'{item_id},{item_id}.obj,"{category}"\n' for item_id in ids)
        (self.root / "items.csv").write_text("id,file,category\n" + rows)
        item_lists._folder.cache_clear()
        experiment = {
            "category": category,
            "poses": {"aligned": "blocks"},
            "sources": sources if isinstance(sources, str) else list(sources),
            "methods": ["spatial", "random"],
        } | keys
        self.config = validate(
            {
                "datasets": {"blocks": {"kind": "folder", "root": "set"}},
                "methods": {"spatial": {"matcher": "spatial"}, "random": {"matcher": "random"}},
                task: {"blocks": experiment},
            },
            [],
        )
        self.plan = Plan(self.config)

    def write(self, folder, item_id, content):
        path = self.root / folder / f"{item_id}.json"
        path.unlink() if content is None else path.write_text(json.dumps(content))

    def _job(self, inputs, outputs, cfg, min_coverage=0.9, members=(), **wildcards):
        lists = {k: v if isinstance(v, list) else [v] for k, v in inputs.items()}
        names = {"experiment": "blocks", "pose": "aligned", "task": self.task, "dataset": "blocks"}
        return StageJob(
            inputs={k: [Path(p) for p in paths] for k, paths in lists.items()},
            outputs={k: Path(p) for k, p in outputs.items()},
            cfg=cfg,
            members=[list(m) for m in members],
            wildcards=names | wildcards,
            config=dump(self.config),
            runtime=Runtime(min_coverage=min_coverage),
        )

    def maps(self):
        """Run everything up to the maps."""
        cfg = self.plan.cfg("datasets", "blocks")
        for stage in (meshes, truth):
            name = stage.__name__.rsplit(".", 1)[1]
            inputs = {} if stage is meshes else {"meshes": manifest("meshes", None, "blocks", 0)}
            members = self.plan.members(name, "blocks", "0")
            stage.main(self._job(inputs, self._chunk(name, None, "blocks"), cfg, members=members))
        for method in self.config.methods:
            inputs = self.plan.match_inputs(method, "blocks", "aligned", "0")
            members = self.plan.match_members("blocks", "aligned", "0")
            cfg = self.plan.match_cfg(method, "blocks", "aligned", "0")
            outputs = self._chunk("matches", f"{method}/blocks", "aligned")
            match.main(self._job(inputs, outputs, cfg, members=members, method=method))
        return self

    def scores(self, min_coverage=0.9):
        """Score all methods, merge, return the entry of `spatial`."""
        documents = []
        for method in self.config.methods:
            inputs = self.plan.evaluate_inputs("blocks", method)
            documents.append(f"results/{self.task}/blocks/{method}.json")
            outputs = {"scores": documents[-1]}
            cfg = self.plan.experiment_cfg("blocks")
            evaluate.main(self._job(inputs, outputs, cfg, min_coverage, method=method))
        table = f"results/{self.task}/blocks.json"
        merge.main(self._job({"scores": documents}, {"table": table}, {}))
        with open(table) as file:
            return json.load(file)["methods"]["spatial"]["aligned"]

    def pictures(self):
        """Draw all pictures of the experiment; return them by name."""
        inputs = self.plan.sheet_inputs(self.task, "blocks", "aligned")
        names = ["maps", "parts"] if self.task == "coseg" else ["maps"]
        cfg = self.plan.sheet_cfg("blocks")
        names += ["votes"] if cfg.get("votes") else []
        sheets.main(self._job(inputs, {n: f"results/{n}.png" for n in names}, cfg))
        charts = ["scores"] if self.task == "coseg" else ["scores", "curves"]
        chart.main(
            self._job({"table": inputs["table"]}, {n: f"results/{n}.png" for n in charts}, {})
        )
        return {n: Image.open(f"results/{n}.png").convert("RGB") for n in names + charts}

    def _chunk(self, section, variant, name):
        path = manifest(section, variant, name, 0)
        return {"manifest": path, "store": path.removesuffix(".json") + ".zarr"}


@pytest.fixture
def work(tmp_path, monkeypatch):
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def failed_rows(section):
    rows = read_manifest(Path(f"results/{section}/blocks/0.json")).rows
    return {row.id: row.reason for row in rows if row.status != "ok"}


@pytest.mark.parametrize(
    ("task", "folder", "content", "reason"),
    [
        ("coseg", "labels", BROKEN, "labels/b.json: unknown label 'sofa'"),
        ("keypoints", "keypoints", FAR, "keypoints/b.json: vertex 99 is out of range"),
    ],
)
def test_a_target_whose_truth_failed_lowers_coverage(work, task, folder, content, reason):
    chain = Chain(work, task, ids=("a", "b", "c"))
    chain.write(folder, "b", content)
    chain.maps()
    with pytest.raises(UserError, match="only 50% of 2 pairs have a map and a ground truth") as low:
        chain.scores()
    assert reason in str(low.value) and "1 x failed: " in str(low.value)
    summary = chain.scores(min_coverage=0.5)
    assert summary["coverage"] == 0.5
    assert [pair["target"] for pair in summary["targets"]] == ["c"]


def test_a_source_whose_truth_failed_takes_all_its_pairs_along(work):
    chain = Chain(work, sources=("a", "b"))
    chain.write("labels", "a", BROKEN)
    chain.maps()
    with pytest.raises(UserError, match="only 33% of 6 pairs"):
        chain.scores()
    # as target of b, a has an unknown number of parts and counts with the two of the others
    summary = chain.scores(min_coverage=0.3)
    assert summary["coverage"] == round(4 / 12, 6)
    assert {(pair["source"], pair["target"]) for pair in summary["targets"]} == {
        ("b", "c"), ("b", "d")}  # fmt: skip


@pytest.mark.parametrize("task", ["coseg", "keypoints"])
def test_no_truth_that_can_be_read_is_an_error_with_the_reasons(work, task):
    chain = Chain(work, task)
    for item_id in IDS:
        chain.write("labels", item_id, BROKEN)
    chain.maps()
    with pytest.raises(UserError, match="only 0% of 3 pairs") as none:
        chain.scores(min_coverage=0.1)
    assert "labels/a.json: unknown label 'sofa'" in str(none.value)


def test_absent_labels_are_no_failure(work):
    chain = Chain(work)
    chain.write("labels", "b", None)
    assert chain.maps().scores(min_coverage=1.0)["coverage"] == 1.0
    assert failed_rows("truth") == {}


@pytest.mark.parametrize(("task", "folder"), [("coseg", "labels"), ("keypoints", "keypoints")])
def test_a_labelled_source_among_targets_without_labels(work, task, folder, caplog):
    """The use that a large set has: nothing is wrong, nothing can be scored, everything is drawn."""
    chain = Chain(work, task)
    for item_id in IDS[1:]:
        chain.write(folder, item_id, None)
    summary = chain.maps().scores(min_coverage=1.0)
    assert summary["reason"] == f"no pair is counted: 3 of 3 targets have no {folder}"
    assert summary["reason"] in caplog.text
    assert (summary["coverage"], summary["targets"]) == (0.0, [])
    measure = MEASURES[task].key
    assert summary[measure] is None and summary["ci95"] == [None, None]
    with open(f"results/{task}/blocks.json") as file:
        assert render(json.load(file), measure).splitlines()[-1].split()[-1] == "-"
    pictures = chain.pictures()
    assert colourful(pictures["maps"]) > 1000
    if task == "coseg":
        # the source above, and three rows of two methods with what they carried
        assert colourful(pictures["parts"]) > 30_000


def test_a_category_is_any_text_of_the_item_list(work):
    chain = Chain(work, category="office chair, Möbel")
    assert chain.maps().scores()["coverage"] == 1.0


def test_a_target_without_mesh_lowers_coverage(work):
    chain = Chain(work)
    (chain.root / "d.obj").write_text("")
    summary = chain.maps().scores(min_coverage=0.5)
    assert summary["coverage"] == round(4 / 6, 6)


SLIVER = "v 0 0 0\nv 1 1 0\nv 0.300000001 0.299999999 0\nf 1 2 3\n"


def test_a_mesh_that_loses_its_area_when_stored_is_a_row(work):
    chain = Chain(work)
    (chain.root / "d.obj").write_text(SLIVER)
    chain.maps()
    rows = read_manifest(Path(manifest("meshes", None, "blocks", 0))).by_id
    assert rows["d"].status == "failed" and "single precision" in rows["d"].reason
    assert rows["a"].status == "ok"


def test_coverage_counts_every_pair_once():
    check_coverage(["failed: x"], 10, 0.9, "aligned", "pairs are there")
    with pytest.raises(UserError, match="2 x failed: x\n  1 x missing: y"):
        check_coverage(
            ["failed: x", "missing: y", "failed: x"], 10, 0.9, "aligned", "pairs are there"
        )


@pytest.mark.parametrize("count", [3, 5, 7, 10, 49, 1000, 100_003])
def test_exactly_the_allowed_share_is_enough(count):
    for there in {1, 2, count // 3, count - 1, count}:
        lost = ["failed: x"] * (count - there)
        # as a user writes it, and as a share computed with rounding
        for share in (there / count, 1 - len(lost) / count):
            check_coverage(lost, count, share, "aligned", "pairs are there")
        with pytest.raises(UserError, match="min_coverage"):
            check_coverage([*lost, "failed: x"], count, there / count, "aligned", "pairs are there")
    check_coverage([], 0, 1.0, "aligned", "pairs are there")


def add_item(chain, item_id):
    with open(chain.root / "items.csv", "a") as file:
        file.write(f"{item_id},a.obj,block\n")
    item_lists._folder.cache_clear()


@pytest.mark.parametrize(
    "item_id", ["a <- b", "<- b", "b <-", "\N{GREEK SMALL LETTER ALPHA}" * 150]
)
@pytest.mark.parametrize("task", ["coseg", "keypoints"])
def test_ids_that_are_refused_harm_no_other_item(work, task, item_id):
    chain = Chain(work, task, sources=("a", item_id))
    add_item(chain, item_id)
    chain.maps()
    assert failed_rows("meshes").keys() == failed_rows("truth").keys() == {item_id}
    with pytest.raises(UserError, match="only 38% of 8 pairs"):
        chain.scores()
    summary = chain.scores(min_coverage=0.3)
    assert summary["coverage"] == 0.375
    assert [pair["target"] for pair in summary["targets"]] == ["b", "c", "d"]


@pytest.mark.parametrize("task", ["coseg", "keypoints"])
def test_a_broken_symmetry_file_is_the_reason_of_the_rows_that_need_it(work, task):
    chain = Chain(work, task)
    (chain.root / "symmetry.json").write_text("{")
    chain.write("keypoints", "b", None)
    chain.maps()
    found = failed_rows("truth")
    assert found.keys() == {"a", "c", "d"}
    assert all("symmetry.json: is not JSON" in reason for reason in found.values())
    with pytest.raises(UserError, match="symmetry.json: is not JSON"):
        chain.scores()


def test_values_that_no_array_holds_are_rows(work):
    chain = Chain(work)
    chain.write("keypoints", "b", {"names": ["x"], "points": [[10**400, 0, 0]]})
    names = [str(number) for number in range(40_000)]
    chain.write("labels", "c", {"names": names, "faces": [39_999] * 6})
    chain.maps()
    assert failed_rows("truth").keys() == {"b", "c"}


# --- pictures ------------------------------------------------------------------------------------


def colourful(picture):
    """Number of pixels that are not grey."""
    return int((np.ptp(np.asarray(picture).astype(int), axis=2) > 20).sum())


@pytest.mark.parametrize("content", [BROKEN, None], ids=["broken", "absent"])
def test_pictures_where_a_source_has_no_labels(work, content):
    chain = Chain(work, sources=("a", "b"))
    chain.write("labels", "a", content)
    chain.maps().scores(min_coverage=0.1)
    assert colourful(chain.pictures()["parts"]) > 1000


def test_rows_show_sources_with_labels_where_there_are_any(work, monkeypatch):
    chain = Chain(work, sources="all")
    chain.write("labels", IDS[0], None)
    chain.maps().scores(min_coverage=0.1)
    shown, draw = [], sheets.DRAW["parts"]
    monkeypatch.setitem(
        sheets.DRAW, "parts", lambda sheet, job: shown.extend(sheet.shown) or draw(sheet, job)
    )
    chain.pictures()
    assert len(shown) == len(IDS)
    assert IDS[0] not in {source for source, _ in shown}


@pytest.mark.parametrize("task", ["coseg", "keypoints"])
def test_pictures_where_nothing_was_scored(work, task):
    chain = Chain(work, task)
    for item_id in IDS:
        chain.write("labels", item_id, BROKEN)
    chain.maps().scores(min_coverage=0.0)
    pictures = chain.pictures()
    assert colourful(pictures["maps"]) > 1000  # maps need no labels
    assert all(min(picture.size) > 100 for picture in pictures.values())


@pytest.mark.parametrize("task", ["coseg", "keypoints"])
def test_pictures_where_there_is_no_map(work, task):
    chain = Chain(work, task)
    for item_id in IDS[1:]:
        (chain.root / f"{item_id}.obj").write_text("")
    assert chain.maps().scores(min_coverage=0.0)["coverage"] == 0.0
    assert colourful(chain.pictures()["maps"]) == 0
