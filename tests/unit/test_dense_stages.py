"""Dense experiments through planning and the stages themselves, on blocks that share their vertices."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_failed_truth import Chain

from semcorr.datasets import dense_files
from semcorr.errors import UserError
from semcorr.stages import chart, sheets

# a and b have the same vertices; of c a map to a is known, b says nothing of d
SHARED = {"shared_topology": [["a", "b"]]}
TURNED = [3, 0, 1, 2, 7, 4, 5, 6]


class DenseChain(Chain):
    """The blocks with dense ground truth."""

    def __init__(self, root, shared=SHARED, maps=None, sources="all", **more):
        super().__init__(root, "dense", sources=sources, **more)
        if shared is not None:
            (self.root / "matches.json").write_text(
                shared if isinstance(shared, str) else json.dumps(shared)
            )
        (self.root / "matches").mkdir()
        for name, values in (maps or {}).items():
            np.save(self.root / f"matches/{name}.npy", np.array(values))
        dense_files._names.cache_clear()

    def drawn(self):
        """Draw all pictures of the experiment; return them by name."""
        inputs = self.plan.sheet_inputs("dense", "blocks", "aligned")
        for stage, names, given in (
            (sheets, ("maps", "errors"), inputs),
            (chart, ("scores", "curves"), {"table": inputs["table"]}),
        ):
            outputs = {n: f"results/{n}.png" for n in names}
            stage.main(self._job(given, outputs, self.plan.sheet_cfg("blocks")))
        names = ("maps", "errors", "scores", "curves")
        return {n: np.asarray(Image.open(f"results/{n}.png").convert("RGB")) for n in names}


@pytest.fixture
def work(tmp_path, monkeypatch):
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_only_known_pairs_are_planned(work):
    chain = DenseChain(work, maps={"a__c": range(8)})
    assert chain.plan.sources_and_targets("blocks", "aligned") == (["a", "b"], ["a", "b", "c"])
    pairs = chain.plan.match_cfg("spatial", "blocks", "aligned", "0")["pairs"]
    assert pairs == [["a", "b"], ["a", "c"], ["b", "a"]]
    members = chain.plan.match_members("blocks", "aligned", "0")
    assert [item_id for item_id, _ in members] == ["a", "b", "c"]
    files = chain.plan.files("truth", "blocks", "0")
    assert {Path(f).name for f in files} >= {"matches.json", "a__c.npy", "symmetry.json"}


def test_a_set_without_dense_truth_stops_with_a_remedy(work):
    chain = DenseChain(work, shared=None)
    with pytest.raises(UserError, match="add matches.json or matches/"):
        chain.plan.sources_and_targets("blocks", "aligned")
    (chain.root / "matches.json").write_text("{")
    with pytest.raises(UserError, match=r"set: matches.json: is not JSON"):
        chain.plan.sources_and_targets("blocks", "aligned")


def test_scores_of_a_perfect_and_of_a_random_map(work):
    chain = DenseChain(work, ids=("a", "b", "c")).maps()
    perfect = chain.scores()
    assert perfect["acc_001"] == perfect["curve"]["accuracy"][0] == 1.0
    assert perfect["mean_error"] == perfect["mean_error_area"] == 0.0
    assert perfect["coverage"] == 1.0 and perfect["unmatched"] == 0.0
    assert [(p["source"], p["target"]) for p in perfect["targets"]] == [("a", "b"), ("b", "a")]
    table = json.loads(Path("results/dense/blocks.json").read_text())
    random = table["methods"]["random"]["aligned"]
    assert random["acc_001"] < 0.2 and random["mean_error"] > 0.3
    assert random["mean_squared_error"] > random["mean_error"] ** 2


def test_maps_of_pairs_count_as_they_are(work):
    # the truth of c is a quarter turn, which plain positions miss at every vertex: sides are 1, 1, 2
    chain = DenseChain(work, shared=None, maps={"a__c": TURNED}, ids=("a", "b", "c")).maps()
    summary = chain.scores()
    assert [(p["source"], p["target"]) for p in summary["targets"]] == [("a", "c")]
    assert summary["acc_010"] == 0.0 and summary["mean_error"] == pytest.approx(0.5)
    assert summary["mean_squared_error"] == pytest.approx(0.25)
    # the largest distance is that of opposite corners: 0.5 / sqrt(1.5) lies beyond the curve's end
    assert summary["curve"]["accuracy"][-1] == 0.0


def test_vertices_without_truth_do_not_count(work):
    part = [0, 1, 2, 3, -1, -1, -1, 0]
    chain = DenseChain(work, shared=None, maps={"a__c": part}, ids=("a", "c")).maps()
    # four of five are where they belong, the last one is told to lie at another corner
    assert chain.scores()["acc_001"] == pytest.approx(0.8)


def test_a_truth_that_cannot_be_read_lowers_coverage(work):
    chain = DenseChain(work, maps={"a__c": range(7), "b__c": range(8)}, ids=("a", "b", "c")).maps()
    with pytest.raises(UserError, match="expected 8 integers"):
        chain.scores()
    summary = chain.scores(min_coverage=0.4)
    # a <- b and b <- a are left; the broken file takes both pairs of c with it
    assert summary["coverage"] == 0.5 and len(summary["targets"]) == 2


def test_a_truth_that_contradicts_the_meshes_lowers_coverage(work, caplog):
    shared = {"shared_topology": [["a", "b", "d"]]}
    chain = DenseChain(work, shared=shared, maps={"a__c": [8, *range(7)]})
    # d has a vertex more
    (chain.root / "d.obj").write_text("v 5 5 5\n" + (chain.root / "d.obj").read_text())
    summary = chain.maps().scores()
    assert {(p["source"], p["target"]) for p in summary["targets"]} == {("a", "b"), ("b", "a")}
    assert summary["coverage"] == pytest.approx(2 / 7, abs=1e-6)
    assert "matches/a__c.npy: vertex 8, but the source has 8" in caplog.text
    assert "are said to share vertices, but have 8 and 9" in caplog.text


def test_pictures_show_the_truth_and_the_distances(work):
    chain = DenseChain(work, maps={"a__c": [-1] * 8}).maps()
    chain.scores(min_coverage=0.5)
    drawn = chain.drawn()
    bright = np.abs(drawn["errors"].astype(int) - [253, 231, 37]).max(axis=2) < 60
    dark = np.abs(drawn["errors"].astype(int) - [68, 1, 84]).max(axis=2) < 30
    # the map of `spatial` is exact, that of `random` is not
    assert bright.sum() > 500 and dark.sum() > 500
    for name in ("maps", "scores", "curves"):
        assert np.ptp(drawn[name]) > 100, name
