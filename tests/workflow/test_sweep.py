"""`sweeps`: generated features and methods, one pass a timestep, a tidy table and a heat map."""

import json

import pyarrow.parquet as pq
import pytest
import small
from PIL import Image

SWEEP = {
    "experiment": "corners",
    "method": "states",
    "timesteps": [3, 9],
    "layers": [1, 0],
    "noise": "timestep",
}


@pytest.fixture(scope="module")
def swept(prepared, tmp_path_factory):
    """A copy of the prepared folder with a sweep, and what was planned for it."""
    work = prepared.copy(tmp_path_factory.mktemp("sweep") / "work")
    work.write_config(small.config(sweeps__steps=SWEEP))
    plan = work.plan("sweeps")
    work.run("sweeps")
    return work, plan


def count(plan, rule):
    return sum(job["rule"] == rule for job in plan.jobs)


def test_one_feature_pass_a_timestep_gives_all_layers(swept):
    _, plan = swept
    chunks = small.CONFIG["datasets"]["pack"]["chunks"]
    assert count(plan, "feature") == 2 * chunks
    assert count(plan, "score") == 4 and count(plan, "sweep") == 1
    assert {job["rule"] for job in plan.jobs} == {"feature", "match", "score", "sweep", "sweeps"}


def test_the_table_has_a_row_for_every_cell(swept):
    work, _ = swept
    rows = pq.read_table(work.results / "sweeps/steps.parquet").to_pylist()
    settings = [(r["timestep"], r["noise"], r["layer"], r["pose"]) for r in rows]
    assert settings == [(t, t, layer, "aligned") for t in (3, 9) for layer in (0, 1)]
    for row in rows:
        document = json.loads(
            (work.results / f"keypoints/corners/{row['method']}.json").read_text()
        )
        summary = document["methods"][row["method"]]["aligned"]
        assert row["score"] == summary["acc_010"] and row["measure"] == "acc_010"
        assert [row["ci_low"], row["ci_high"]] == summary["ci95"]
    with Image.open(work.results / "figures/sweeps/steps.png") as picture:
        assert picture.width > 300


def test_a_cell_equals_the_method_that_is_written_by_hand(swept):
    # the method `states` has timestep 9, noise 9 and layer 0
    work, _ = swept
    documents = [
        json.loads((work.results / f"keypoints/corners/{name}.json").read_text())["methods"][name]
        for name in ("states", "steps_t9_n9_l0")
    ]
    assert documents[0] == documents[1]
    others = [
        (work.results / f"matches/steps_t9_n9_l{layer}/corners/aligned/0.json") for layer in (0, 1)
    ]
    assert len({json.loads(path.read_text())["content"] for path in others}) == 2


def test_a_further_timestep_computes_its_own_pass_alone(swept):
    work, _ = swept
    assert not work.plan("sweeps").jobs
    work.write_config(small.config(sweeps__steps=SWEEP | {"timesteps": [3, 9, 11]}))
    plan = work.plan("sweeps")
    new = [job for job in plan.jobs if job["rule"] in ("feature", "match", "score")]
    assert new and all("steps_t11_n11" in " ".join(job["outputs"]) for job in new)
    work.write_config(small.config(sweeps__steps=SWEEP))
