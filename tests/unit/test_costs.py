"""What jobs cost: Snakemake's records and our own, merged into one table."""

import csv
import io
import re
import types
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from semcorr.errors import ItemError
from semcorr.stages.running import work_record
from semcorr.stages.running.cost_record import cost_record
from semcorr.stages.running.costs import NUMBERS, by_stage, read_costs, stage_table, write_costs
from semcorr.stages.running.job import run_rule
from semcorr.store.chunk import simple, write_chunk
from semcorr.store.tally import TALLY

ROOT = Path(__file__).parents[2]
BENCHMARK = "s\th:m:s\tmax_rss\tio_in\tcpu_time\n2.5\t0:00:02\t100.0\t-\t2.0\n"
WORK = "items\tfailed\titems_s\tcpu_s\tpeak_mb\tbytes\tfiles\tgpu_mb\n5\t1\t2.0\t2.25\t90\t1000\t7\t512.0\n"
# Have no output: with a benchmark file Snakemake would think them done. The stage of `pair` keeps the
# record itself; the others only read the manifests of what they collect
OWN_RECORD = {"pair"}
COLLECTING = {"renders", "masks", "depths", "features", "matches", "labels"}


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
    assert set(rows[0]) == {"stage", "variant", "chunk", *NUMBERS}


def test_what_a_job_did_is_beside_what_was_measured_of_it(results):
    (results / "costs/meshes/chairs/0.work.tsv").write_text(WORK)
    rows = {(r["stage"], r["chunk"]): r for r in read_costs(results)}
    assert len(rows) == 4
    done = {name: rows["meshes", "0"][name] for name in work_record.COLUMNS}
    assert done == {"items": 5, "failed": 1, "items_s": 2, "cpu_s": 2.25, "peak_mb": 100,
                    "bytes": 1000, "files": 7, "gpu_mb": 512}  # fmt: skip
    only_ours = done.keys() - {"cpu_s", "peak_mb"}
    assert all(rows["meshes", "1"][name] != rows["meshes", "1"][name] for name in only_ours)
    assert rows["meshes", "1"]["cpu_s"] == 2.0
    total = by_stage(rows.values())["meshes"]
    assert total == {"jobs": 2, "wall_s": 5.0, "cpu_s": 4.25, "peak_mb": 100.0, "gpu_mb": 512.0,
                     "items": 5, "failed": 1, "items_s": 2, "bytes": 1000,
                     "files": 7}  # fmt: skip


@pytest.mark.parametrize("text", ["", "items\n", "items\tbytes\nmany\t\n", "\0"])
def test_a_damaged_record_counts_as_unknown(results, text):
    (results / "costs/meshes/chairs/0.work.tsv").write_text(text)
    row = next(r for r in read_costs(results) if (r["stage"], r["chunk"]) == ("meshes", "0"))
    assert row["wall_s"] == 2.5
    assert row["cpu_s"] == 2.0
    assert all(row[name] != row[name] for name in ("items", "bytes", "files", "gpu_mb"))
    assert by_stage([row])["meshes"]["items"] == 0


def test_the_table_for_readers_has_sums_and_what_one_item_took(results):
    (results / "costs/meshes/chairs/0.work.tsv").write_text(WORK)
    table = stage_table(by_stage(read_costs(results)))
    rows = {row["stage"]: row for row in csv.DictReader(io.StringIO(table))}
    assert rows.keys() == {"meshes", "coseg", "figures"}
    assert float(rows["meshes"]["wall_s_per_item"]) == 1.0
    assert float(rows["meshes"]["bytes_per_item"]) == 200.0
    assert (rows["coseg"]["wall_s"], rows["coseg"]["wall_s_per_item"]) == ("2.5", "")


def test_every_log_lies_where_the_costs_of_its_job_do():
    """The record of a job's work is found by the name of its log (`pair` keeps its own)."""
    pairs = []
    for path in sorted((ROOT / "workflow/rules").glob("*.smk")):
        text = path.read_text()
        pairs += re.findall(
            r'log:\s+"results/logs/(\S+)\.log",\s+benchmark:\s+"results/costs/(\S+)\.tsv"', text
        )
        assert len(re.findall(r"^    benchmark:", text, re.M)) == len(
            [p for p in pairs if f"results/logs/{p[0]}.log" in text]
        ), path
    assert len(pairs) > 15
    assert [pair for pair in pairs if pair[0] != pair[1]] == []


def rule_of(results, log="logs/voxels/s16/chairs/0.log"):
    """What Snakemake hands to the script of a rule."""
    folder = results / "voxels/s16/chairs"
    outputs = {"store": str(folder / "0.zarr"), "manifest": str(folder / "0.json")}
    cfg = {"global_seed": 0}
    return types.SimpleNamespace(
        params={"cfg": cfg, "members": [["a", ""], ["b", ""], ["c", ""]]},
        input={},
        output=outputs,
        wildcards={},
        config={},
        threads=1,
        log=[str(results / log)],
    )


def square(item_id):
    if item_id == "b":
        raise ItemError("no square", "failed")
    return {"square": np.zeros((8, 8))}


def write_squares(job):
    write_chunk(job.chunk_job(frame="none", units="none"), lambda missing: simple(square))


@pytest.fixture
def no_tally(monkeypatch):
    monkeypatch.setattr(TALLY, "items", 0)
    monkeypatch.setattr(TALLY, "failed", 0)
    monkeypatch.setattr(TALLY, "seconds", 0.0)


def test_a_job_writes_what_it_did(tmp_path, no_tally, monkeypatch):
    monkeypatch.setattr(work_record, "gpu_mb", lambda: 0.0)
    run_rule(rule_of(tmp_path), write_squares)
    path = tmp_path / "costs/voxels/s16/chairs/0.work.tsv"
    (row,) = csv.DictReader(io.StringIO(path.read_text()), delimiter="\t")
    stored = [p for p in (tmp_path / "voxels").rglob("*") if p.is_file()]
    assert (row["items"], row["failed"]) == ("3", "1")
    assert 0 < float(row["items_s"]) < 60
    assert float(row["cpu_s"]) > 0 and 10 < float(row["peak_mb"]) < 100_000
    assert int(row["files"]) == len(stored)
    assert int(row["bytes"]) == sum(p.stat().st_size for p in stored)


def test_items_that_a_killed_job_had_finished_do_not_count(tmp_path, no_tally):
    def die_at_c(item_id):
        if item_id == "c":
            raise OSError("out of reach")
        return square(item_id)

    def killed(job):
        write_chunk(job.chunk_job(frame="none", units="none"), lambda missing: simple(die_at_c))

    with pytest.raises(SystemExit):
        run_rule(rule_of(tmp_path), killed)
    assert not list(tmp_path.rglob("*.work.tsv"))
    TALLY.items = TALLY.failed = 0  # another process
    run_rule(rule_of(tmp_path), write_squares)
    assert (TALLY.items, TALLY.failed) == (1, 0)


def test_a_log_elsewhere_leaves_no_record():
    assert work_record.record_path(Path("elsewhere/x.log")) is None


@pytest.mark.cuda
def test_memory_of_the_gpu_is_that_which_torch_held():
    import torch

    kept = torch.zeros(64 << 20, dtype=torch.uint8, device="cuda")
    assert work_record.gpu_mb() >= 64
    del kept
    assert work_record.gpu_mb() >= 64  # the largest so far
