"""The benchmarks of large sets fail where a target is missed."""

import sys
from importlib import import_module
from pathlib import Path

import pytest
from scale import targets
from scale.targets import missed, too_many_files


@pytest.mark.parametrize(
    ("objects", "plan_s", "jobs", "says"),
    [
        (10_000, 29.9, 599, []),
        (10_000, 30.0, 599, ["30.0 s to plan"]),
        (10_000, 5, 600, ["600 jobs"]),
        (200, 31, 700, ["31.0 s to plan", "700 jobs"]),
        (100_000, 179, 10**6, []),
        (100_000, 180, 5604, ["180.0 s to plan"]),
        (10_001, 31, 601, []),
        (800_000, 10**4, 10**6, []),
    ],
)
def test_a_missed_target_is_a_line(objects, plan_s, jobs, says):
    found = missed(objects, plan_s, jobs)
    assert len(found) == len(says)
    assert all(text in line for text, line in zip(says, found, strict=True))


def test_a_stage_with_too_many_files_is_named():
    assert too_many_files({"meshes": 60, "renders": 50}) == []
    (line,) = too_many_files({"meshes": 61, "renders": 50})
    assert line.startswith("meshes: 61 files")


@pytest.fixture
def plan(monkeypatch):
    monkeypatch.syspath_prepend(str(targets.__file__).rpartition("/")[0])
    monkeypatch.setattr(sys, "argv", ["plan.py", "10000:80"])
    import plan

    return plan


@pytest.mark.parametrize(("cpu_s", "jobs", "fails"), [(4.7, 564, False), (31, 564, True)])
def test_the_benchmark_ends_with_an_error_where_a_target_is_missed(
    plan, monkeypatch, capsys, cpu_s, jobs, fails
):
    planned = plan.Planned(cpu_s, cpu_s, 200, {"total": jobs, "meshes": 80})
    monkeypatch.setattr(plan, "plan", lambda *_: (10_000, planned))
    if fails:
        with pytest.raises(SystemExit, match=r"31\.0 s to plan, target 30 s"):
            plan.main()
    else:
        plan.main()
    assert "| 10000 | 80 | 564 |" in capsys.readouterr().out


def test_files_of_raw_count_what_is_kept_of_the_last_download(plan):
    stages = plan.predicted(10_000, 80)
    assert stages["raw"]["files"] > stages["meshes"]["files"]
    assert stages["match"]["files"] == 2 * stages["meshes"]["files"]


@pytest.mark.parametrize(("objects", "count"), [("7", 7), (None, 10_000)], ids=["7", "published"])
def test_a_list_is_made_up_or_read(objects, count, tmp_path, monkeypatch):
    """The compressed list of the equivariance paper, too."""
    monkeypatch.syspath_prepend(Path(targets.__file__).parent)
    plan = import_module("plan")
    assert plan.prepare(tmp_path, objects or plan.PUBLISHED) == count
    first, *rows = (tmp_path / "objaverse_chairs.csv").read_text().splitlines()
    assert first.startswith("id,path,category")
    assert len(rows) == count and all(row.split(",")[2] == "chair" for row in rows)
