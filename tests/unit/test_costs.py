"""What jobs cost: Snakemake's records and our own, merged into one table."""

import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from semcorr.stages.cost_record import cost_record
from semcorr.stages.costs import by_stage, read_costs, write_costs

ROOT = Path(__file__).parents[2]
BENCHMARK = "s\th:m:s\tmax_rss\tio_in\tcpu_time\n2.5\t0:00:02\t100.0\t-\t2.0\n"
# Have no output: with a benchmark file Snakemake would think them done. The stage of `pair` keeps the
# record itself; the others only read the manifests of what they collect
OWN_RECORD = {"pair"}
COLLECTING = {"renders", "masks", "depths", "features", "matches"}


def test_every_rule_that_runs_a_stage_records_what_it_cost():
    missing = set()
    for path in sorted((ROOT / "workflow/rules").glob("*.smk")):
        for part in re.split(r"^(?=(?:use )?rule )", path.read_text(), flags=re.M):
            name = re.match(r"rule (\w+)", part)
            if name and "script:" in part and "benchmark:" not in part:
                missing.add(name[1])
    assert missing == OWN_RECORD | COLLECTING
    assert "cost_record" in (ROOT / "src/semcorr/stages/pair.py").read_text()


@pytest.fixture
def results(tmp_path):
    for name in ("meshes/chairs/0", "meshes/chairs/1", "coseg/chair", "figures/coseg/chair/scores"):
        path = tmp_path / f"costs/{name}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(BENCHMARK)
    return tmp_path


def test_a_record_of_our_own_reads_like_the_others(results):
    with cost_record(results / "costs/pair/a_b.tsv"):
        sum(range(1000))
    row = next(row for row in read_costs(results) if row["stage"] == "pair")
    assert (row["variant"], row["chunk"]) == ("", "a_b")
    assert 0 <= row["wall_s"] < 60 and 0 <= row["cpu_s"] < 60
    assert 10 < row["peak_mb"] < 100_000


def test_work_that_fails_leaves_no_record(tmp_path):
    with pytest.raises(ValueError), cost_record(tmp_path / "x.tsv"):
        raise ValueError
    assert not (tmp_path / "x.tsv").exists()


def test_all_records_are_merged_into_one_table(results):
    rows = pq.read_table(write_costs(results)).to_pylist()
    assert {(r["stage"], r["variant"], r["chunk"]) for r in rows} == {
        ("meshes", "chairs", "0"),
        ("meshes", "chairs", "1"),
        ("coseg", "", "chair"),
        ("figures", "coseg/chair", "scores"),
    }
    assert all(row["wall_s"] == 2.5 and row["read_mb"] != row["read_mb"] for row in rows)
    assert by_stage(rows)["meshes"] == {"jobs": 2, "wall_s": 5.0, "cpu_s": 4.0, "peak_mb": 100.0}
